//! A bounded walk through a tree: which files there are to take, and what is refused.
//!
//! A repository can hold anything that a tree object can express. So every name is judged before it becomes part of a path,
//! sizes are read from object headers before any content, and the number of entries and the depth have limits.

use super::classify::read_error;
use super::links::{self, FOLDER, FolderCache, LINK, SUBMODULE, Target};
use super::read::TreeFilter;
use super::{GitError, Reader};
use crate::model::Refused;
use git2::{ErrorCode, ObjectType, Odb, Oid, Repository, Tree, TreeEntry};
use std::collections::HashSet;

/// Longest name of a file on Linux, in bytes (NAME_MAX).
const LONGEST_NAME: usize = 255;

/// How much of a tree is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeLimits {
    /// Entries looked at, folders and unwanted files included. More is an error for the whole tree.
    pub entries: usize,
    /// Folders inside each other. Deeper ones are refused one by one.
    pub depth: usize,
    /// Bytes of one file. Larger ones are refused one by one.
    pub file_bytes: u64,
    /// Bytes of all files together. More is an error for the whole tree.
    pub total_bytes: u64,
}

impl Default for TreeLimits {
    /// 100,000 entries, 64 levels, 10 MiB for a file, 512 MiB in all.
    fn default() -> Self {
        Self { entries: 100_000, depth: 64, file_bytes: 10 << 20, total_bytes: 512 << 20 }
    }
}

/// A file to take.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) blob: Oid,
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) files: Vec<Found>,
    pub(super) refused: Vec<Refused>,
}

/// Walks a tree. With `follow_folders`, a link to a folder inside the tree stands for that folder; without, it is refused.
pub(super) fn walk(
    reader: &Reader,
    root: &Tree<'_>,
    limits: &TreeLimits,
    filter: &TreeFilter<'_>,
    follow_folders: bool,
) -> Result<Walked, GitError> {
    let repo = &reader.repo;
    let place = reader.address.as_str();
    let odb = repo.odb().map_err(|e| read_error(place, &e))?;
    let mut walk = Walk {
        repo,
        odb,
        root: root.id(),
        folders: &reader.folders,
        limits,
        filter,
        follow_folders,
        place,
        entries: 0,
        bytes: 0,
        walked: Walked::default(),
    };
    walk.folder(root, &Position::default())?;
    Ok(walk.walked)
}

struct Walk<'a> {
    repo: &'a Repository,
    odb: Odb<'a>,
    root: Oid,
    folders: &'a FolderCache,
    limits: &'a TreeLimits,
    filter: &'a TreeFilter<'a>,
    follow_folders: bool,
    place: &'a str,
    entries: usize,
    bytes: u64,
    walked: Walked,
}

/// A folder on the way: the path it is seen at, the path it really has, and the real paths of those that led here.
#[derive(Clone, Default)]
struct Position {
    seen: String,
    real: Vec<String>,
    through: Vec<Vec<String>>,
}

impl Position {
    fn join(&self, name: &str) -> String {
        if self.seen.is_empty() { name.to_owned() } else { format!("{}/{name}", self.seen) }
    }

    fn enter(&self, name: &str) -> Self {
        let mut real = self.real.clone();
        real.push(name.to_owned());
        Self { seen: self.join(name), real, through: self.through.clone() }
    }

    /// A folder that a link leads to; `None` when it holds a folder that led here, so that it would go round for ever.
    fn enter_link(&self, name: &str, real: Vec<String>) -> Option<Self> {
        let mut through = self.through.clone();
        through.push(self.real.clone());
        let circular = through.iter().any(|path| path.starts_with(&real));
        (!circular).then(|| Self { seen: self.join(name), real, through })
    }

    fn depth(&self) -> usize {
        if self.seen.is_empty() { 0 } else { 1 + self.seen.matches('/').count() }
    }
}

impl Walk<'_> {
    fn folder(&mut self, tree: &Tree<'_>, at: &Position) -> Result<(), GitError> {
        self.entries += tree.len();
        if self.entries > self.limits.entries {
            let what = format!("a folder of {}", self.place);
            return Err(GitError::TooLarge {
                what,
                limit: format!("{} files and folders", self.limits.entries),
            });
        }
        let mut names = HashSet::with_capacity(tree.len());
        for entry in tree {
            let name = match checked_name(entry.name_bytes()) {
                Ok(name) => name,
                Err(reason) => {
                    self.refuse(at.join(&printable(entry.name_bytes())), reason);
                    continue;
                }
            };
            if !names.insert(name.to_owned()) {
                self.refuse(at.join(name), "is there twice under the same name");
                continue;
            }
            self.entry(&entry, name, at)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry<'_>, name: &str, at: &Position) -> Result<(), GitError> {
        let path = at.join(name);
        match entry.filemode() {
            SUBMODULE => {
                let reason = format!(
                    "is a submodule (commit {}), which is not fetched: put the files into this repository",
                    entry.id()
                );
                self.refuse(path, reason);
            }
            FOLDER => self.subfolder(entry.id(), &at.enter(name))?,
            LINK => self.link(entry.id(), name, at)?,
            _ if (self.filter.file)(&path) => self.file(path, entry.id())?,
            _ => {}
        }
        Ok(())
    }

    fn subfolder(&mut self, tree: Oid, at: &Position) -> Result<(), GitError> {
        if !self.filter.recurse {
            return Ok(());
        }
        if at.depth() > self.limits.depth {
            self.refuse(at.seen.clone(), format!("is more than {} folders deep", self.limits.depth));
            return Ok(());
        }
        match self.repo.find_tree(tree) {
            Ok(tree) => self.folder(&tree, at),
            Err(e) if e.code() == ErrorCode::NotFound && !self.odb.exists(tree) => {
                Err(read_error(self.place, &e))
            }
            Err(_) => {
                self.refuse(at.seen.clone(), "is not a folder that git can read");
                Ok(())
            }
        }
    }

    fn link(&mut self, blob: Oid, name: &str, at: &Position) -> Result<(), GitError> {
        let path = at.join(name);
        let wanted = (self.filter.file)(&path);
        let target = links::link_text(self.repo, blob).and_then(|text| match text {
            Ok(text) => links::follow(self.repo, self.folders, self.root, &at.real, &text),
            Err(reason) => Ok(Target::Nowhere(reason)),
        });
        match target.map_err(|e| read_error(self.place, &e))? {
            Target::File(blob) if wanted => self.file(path, blob)?,
            Target::File(_) => {}
            Target::Nowhere(reason) if wanted => {
                self.refuse(path, format!("is a symbolic link that {reason}"))
            }
            Target::Nowhere(_) => {}
            Target::Folder(tree, real) if self.follow_folders => match at.enter_link(name, real) {
                Some(inside) => self.subfolder(tree, &inside)?,
                None => self.refuse(path, "is a symbolic link that leads in a circle"),
            },
            Target::Folder(..) => {
                self.refuse(path, "is a symbolic link to a folder: name that folder itself")
            }
        }
        Ok(())
    }

    fn file(&mut self, path: String, blob: Oid) -> Result<(), GitError> {
        let (size, kind) = self.odb.read_header(blob).map_err(|e| read_error(self.place, &e))?;
        let size = size as u64;
        if let Some(reason) = file_refusal(size, kind, self.limits) {
            self.refuse(path, reason);
        } else {
            self.bytes += size;
            if self.bytes > self.limits.total_bytes {
                let what = format!("a folder of {}", self.place);
                return Err(GitError::TooLarge {
                    what,
                    limit: format!("{} bytes in its files", self.limits.total_bytes),
                });
            }
            self.walked.files.push(Found { path, blob });
        }
        Ok(())
    }

    fn refuse(&mut self, path: String, reason: impl Into<String>) {
        self.walked.refused.push(Refused { path, reason: reason.into() });
    }
}

/// Why a file is not read, by the header of its object.
pub(super) fn file_refusal(size: u64, kind: ObjectType, limits: &TreeLimits) -> Option<String> {
    if kind != ObjectType::Blob {
        return Some("is not a file that git can read".into());
    }
    (size > limits.file_bytes)
        .then(|| format!("has {size} bytes; the limit for one file is {}", limits.file_bytes))
}

/// A name that is safe as one part of a path.
fn checked_name(name: &[u8]) -> Result<&str, &'static str> {
    let text = str::from_utf8(name).map_err(|_| "has a name that is not UTF-8")?;
    match text {
        "" | "." | ".." => Err("has a name that leads elsewhere"),
        _ if text.eq_ignore_ascii_case(".git") => Err("has git's own name"),
        _ if text.contains('/') => Err("has a `/` in its name"),
        _ if text.chars().any(char::is_control) => Err("has a control character in its name"),
        _ if text.len() > LONGEST_NAME => Err("has a name longer than 255 bytes"),
        _ => Ok(text),
    }
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(LONGEST_NAME)
        .collect()
}
