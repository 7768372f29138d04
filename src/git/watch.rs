//! Watching a local repository, so that a commit is seen at once and not at the next tick.

use super::GitError;
use super::classify::read_error;
use git2::Repository;
use notify::event::{Event, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::path::{Path, PathBuf};

/// Watches until dropped.
pub struct LocalWatch {
    _watcher: RecommendedWatcher,
}

/// Calls `on_change` whenever a branch, a tag or HEAD of a local repository may have moved. It is called from the watcher's own
/// thread, several times for one commit, so it should do no more than wake somebody.
///
/// inotify sees nothing on most network file systems: the regular fetch stays necessary.
///
/// # Errors
/// [`GitError::Owner`] or [`GitError::Corrupt`] when there is no repository; [`GitError::Io`] when it cannot be watched.
pub fn watch_local(path: &Path, on_change: impl Fn() + Send + 'static) -> Result<LocalWatch, GitError> {
    // A linked work tree has its branches in the common folder, and its own HEAD.
    let (common, own) = match Repository::open(path) {
        Ok(repo) => (repo.commondir().to_owned(), repo.path().to_owned()),
        Err(e) => return Err(read_error(&path.to_string_lossy(), &e)),
    };
    let refs = common.join("refs");
    let heads = [own.join("HEAD"), common.join("HEAD"), common.join("packed-refs")];
    let counts = {
        let refs = refs.clone();
        move |path: &PathBuf| {
            path.extension().is_none_or(|e| e != "lock") && (path.starts_with(&refs) || heads.contains(path))
        }
    };
    let handler = move |event: notify::Result<Event>| match event {
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
        Ok(event) if event.need_rescan() || event.paths.iter().any(&counts) => on_change(),
        Ok(_) => {}
        // The queue overflowed, or a folder went away: something happened.
        Err(_) => on_change(),
    };
    let watched =
        |e: notify::Error| GitError::Io { path: path.to_owned(), detail: format!("cannot be watched: {e}") };
    let mut watcher = notify::recommended_watcher(handler).map_err(watched)?;
    watcher.watch(&refs, RecursiveMode::Recursive).map_err(watched)?;
    watcher.watch(&common, RecursiveMode::NonRecursive).map_err(watched)?;
    if own != common {
        watcher.watch(&own, RecursiveMode::NonRecursive).map_err(watched)?;
    }
    Ok(LocalWatch { _watcher: watcher })
}
