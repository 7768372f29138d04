//! The branches and tags of a mirror, kept in one `packed-refs` file that is replaced as a whole.
//!
//! libgit2 would update one file after the other and delete last: a reader could see half a fetch, and a branch `a` that gave
//! way to `a/b` would fail. Git's own file for packed references has neither problem (gitformat: git-pack-refs(1)).

use super::GitError;
use git2::{Oid, Repository};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Where the mirror's HEAD points while the remote does not say which branch is its default. Never exists.
const NO_DEFAULT: &str = "refs/portolan/no-default-branch";

/// Folder of commits fetched by id, and of a detached HEAD: keeps them among what is negotiated.
pub(super) const FETCHED_COMMITS: &str = "refs/portolan/commits/";

/// Replaces the mirror's references. Returns whether that changed anything.
pub(super) fn replace(repo: &Repository, refs: &BTreeMap<String, Oid>) -> Result<bool, GitError> {
    let mut text = String::from("# pack-refs with: sorted \n");
    for (name, oid) in refs {
        let _ = writeln!(text, "{oid} {name}");
    }
    let path = repo.path().join("packed-refs");
    if std::fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(false);
    }
    write_whole(&path, text.as_bytes())?;
    Ok(true)
}

/// Points the mirror's HEAD at the remote's default branch.
pub(super) fn set_head(repo: &Repository, head: Option<&str>) -> Result<(), GitError> {
    let text = match head {
        Some(branch) if branch.starts_with("refs/") => format!("ref: {branch}\n"),
        Some(commit) => format!("{commit}\n"),
        None => format!("ref: {NO_DEFAULT}\n"),
    };
    let path = repo.path().join("HEAD");
    if std::fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    write_whole(&path, text.as_bytes())
}

/// The branches and tags of a mirror, by full name.
pub(super) fn read(repo: &Repository) -> Result<BTreeMap<String, Oid>, git2::Error> {
    let mut refs = BTreeMap::new();
    for reference in repo.references()? {
        let reference = reference?;
        if let (Ok(name), Some(oid)) = (reference.name(), reference.target()) {
            refs.insert(name.to_owned(), oid);
        }
    }
    Ok(refs)
}

/// Writes beside, flushes, renames: a crash leaves the old file or the new one.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), GitError> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = std::fs::File::create(&beside)?;
        std::io::Write::write_all(&mut file, content)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|e| GitError::io(path, &e))
}
