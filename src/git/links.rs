//! Symbolic links, followed inside a tree and never on a disk.

use git2::{Oid, Repository};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most links that one path may lead through; Linux has 40.
const MOST_LINKS: usize = 16;

/// Longest target of a link, in bytes (PATH_MAX).
const LONGEST_TARGET: usize = 4096;

/// File mode of a folder in a tree.
pub(super) const FOLDER: i32 = 0o040_000;
/// File mode of a symbolic link in a tree.
pub(super) const LINK: i32 = 0o120_000;
/// File mode of a submodule in a tree.
pub(super) const SUBMODULE: i32 = 0o160_000;

/// Why a path without an end is not followed.
pub(super) const NOTHING: &str = "leads to nothing";

/// Where a path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file, by its blob.
    File(Oid),
    /// A folder, by its tree, with its path without links.
    Folder(Oid, Vec<String>),
    /// Nowhere that we would follow.
    Nowhere(&'static str),
}

/// Mode and object of each name in a folder.
type Entries = HashMap<Vec<u8>, (i32, Oid)>;

/// The folders that were looked into. A tree never changes under its id, so nothing here grows old; a thousand applications in
/// one folder would else parse that folder a thousand times. One serves every reader of a mirror.
#[derive(Default)]
pub(super) struct FolderCache {
    folders: Mutex<HashMap<Oid, Entries>>,
}

/// Entries kept in a [`FolderCache`]; some 100 bytes each.
const MOST_ENTRIES: usize = 20_000;

impl FolderCache {
    /// Mode and object of an entry. Of two with the same name the first counts, as when the folder is read.
    fn entry(&self, repo: &Repository, folder: Oid, name: &str) -> Result<Option<(i32, Oid)>, git2::Error> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = folders.get(&folder) {
            return Ok(entries.get(name.as_bytes()).copied());
        }
        let tree = repo.find_tree(folder)?;
        if folders.values().map(Entries::len).sum::<usize>() + tree.len() > MOST_ENTRIES {
            folders.clear();
        }
        let mut entries = Entries::with_capacity(tree.len());
        for entry in &tree {
            entries.entry(entry.name_bytes().to_vec()).or_insert((entry.filemode(), entry.id()));
        }
        let found = entries.get(name.as_bytes()).copied();
        folders.insert(folder, entries);
        Ok(found)
    }
}

/// Follows `path` from the folder `from` (a path without links) inside the tree `root`.
///
/// # Errors
/// libgit2's, for damaged objects.
pub(super) fn follow(
    repo: &Repository,
    known: &FolderCache,
    root: Oid,
    from: &[String],
    path: &str,
) -> Result<Target, git2::Error> {
    let mut todo: VecDeque<String> = from.iter().cloned().chain(path.split('/').map(str::to_owned)).collect();
    let mut at: Vec<(String, Oid)> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        match name.as_str() {
            "" | "." => continue,
            ".." => {
                if at.pop().is_none() {
                    return Ok(Target::Nowhere("leads out of the folder that is read"));
                }
                continue;
            }
            _ => {}
        }
        let folder = at.last().map_or(root, |(_, oid)| *oid);
        let Some((mode, id)) = known.entry(repo, folder, &name)? else {
            return Ok(Target::Nowhere(NOTHING));
        };
        match mode {
            FOLDER => at.push((name, id)),
            SUBMODULE => return Ok(Target::Nowhere("leads into a submodule")),
            LINK => {
                links += 1;
                if links > MOST_LINKS {
                    return Ok(Target::Nowhere("leads through too many links, or in a circle"));
                }
                match link_text(repo, id)? {
                    Ok(text) => text.split('/').rev().for_each(|part| todo.push_front(part.to_owned())),
                    Err(reason) => return Ok(Target::Nowhere(reason)),
                }
            }
            _ if todo.iter().all(|rest| rest.is_empty() || rest == ".") => {
                return Ok(Target::File(id));
            }
            _ => return Ok(Target::Nowhere("leads through a file as if it were a folder")),
        }
    }
    let id = at.last().map_or(root, |(_, oid)| *oid);
    Ok(Target::Folder(id, at.into_iter().map(|(name, _)| name).collect()))
}

/// The text of a link, or why it is not followed.
pub(super) fn link_text(repo: &Repository, blob: Oid) -> Result<Result<String, &'static str>, git2::Error> {
    let odb = repo.odb()?;
    if odb.read_header(blob)?.0 > LONGEST_TARGET {
        return Ok(Err("has a target longer than any path"));
    }
    let object = odb.read(blob)?;
    Ok(match str::from_utf8(object.data()) {
        Ok(text) if text.starts_with('/') => Err("leads out of the repository, to an absolute path"),
        Ok(text) if text.is_empty() || text.contains('\0') => Err("has no target"),
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err("has a target that is not UTF-8"),
    })
}
