//! The daemon's file, watched while the daemon runs.

use super::{Config, digest, read, resolve};
use crate::model::document::Problem;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a folder has to be quiet before the file is read: an editor writes, syncs and renames within this time, and
/// reading in between would tell of mistakes that nobody made.
const QUIET: Duration = Duration::from_millis(100);

/// How long a folder that is never quiet may put off reading.
const LONGEST_UNREST: Duration = Duration::from_secs(2);

/// How often the file is read though nothing was heard: network file systems tell of no changes made elsewhere, and a
/// folder that is removed and made again is heard of no more.
const RESCAN: Duration = Duration::from_secs(60);

/// The file cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch the folder {folder} for changes of the daemon's file: {reason}")]
pub struct WatchError {
    /// The folder.
    pub folder: PathBuf,
    /// Why not.
    pub reason: String,
}

/// Watches the file until it is dropped.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Watches the file of these settings and sends what becomes of each change: new settings, or what is wrong with the
/// file, in which case the settings that run go on. A file that is changed back says so with its settings.
///
/// Folders are watched, not the file: a ConfigMap's volume swaps the symlink `..data`, and editors rename. What counts
/// is the content, so that touching the file tells nothing. Changes since the settings were read are sent at once.
///
/// # Errors
/// When the folder of the file cannot be watched (it is gone, or the system's limit of watches is reached).
///
/// # Panics
/// Outside a tokio runtime.
pub fn watch(
    current: &Config,
    changes: mpsc::Sender<Result<Config, Vec<Problem>>>,
) -> Result<Watch, WatchError> {
    let (wake, wakes) = mpsc::channel(1);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // A full channel is a wake that is already waiting. An error may be a lost event: look as well.
        if event.map_or(true, |event| is_change(event.kind)) {
            let _ = wake.try_send(());
        }
    });
    let folder = folder_of(&current.file);
    let failed = |error: notify::Error| WatchError { folder: folder.clone(), reason: error.to_string() };
    let mut watcher = Folders { watcher: watcher.map_err(failed)?, watched: BTreeSet::new() };
    watcher.watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(failed)?;
    watcher.watched.insert(folder.clone());
    let follow =
        Follow { file: current.file.clone(), known: current.digest.clone(), watcher, wakes, changes };
    Ok(Watch(tokio::spawn(follow.run())))
}

/// Reading and opening are no changes: our own reading would wake us for ever.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("/")).to_owned()
}

struct Folders {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    /// Watches every folder that a link on the way to the file leads through, and forgets the others.
    fn follow(&mut self, file: &Path) {
        let mut wanted = BTreeSet::from([folder_of(file)]);
        let mut at = file.to_owned();
        // As many links as Linux follows before it gives up.
        for _ in 0..40 {
            let Ok(target) = std::fs::read_link(&at) else {
                break;
            };
            at = folder_of(&at).join(target);
            wanted.insert(folder_of(&at));
        }
        if let Ok(real) = file.canonicalize() {
            wanted.insert(folder_of(&real));
        }
        for folder in self.watched.difference(&wanted) {
            let _ = self.watcher.unwatch(folder);
        }
        // Watching again what is watched renews a watch whose folder was replaced. What cannot be watched is
        // covered by the rescan.
        self.watched = wanted
            .into_iter()
            .filter(|folder| self.watcher.watch(folder, RecursiveMode::NonRecursive).is_ok())
            .collect();
    }
}

struct Follow {
    file: PathBuf,
    /// Digest of what was told last; of the error when the file could not be read.
    known: String,
    watcher: Folders,
    wakes: mpsc::Receiver<()>,
    changes: mpsc::Sender<Result<Config, Vec<Problem>>>,
}

impl Follow {
    async fn run(mut self) {
        loop {
            self.watcher.follow(&self.file);
            if let Some(change) = self.look()
                && self.changes.send(change).await.is_err()
            {
                return;
            }
            match timeout(RESCAN, self.wakes.recv()).await {
                Ok(None) => return,
                Ok(Some(())) => self.quiet().await,
                Err(_) => {}
            }
        }
    }

    /// Waits until the folders are quiet, or have been restless for too long.
    async fn quiet(&mut self) {
        let _ = timeout(LONGEST_UNREST, async {
            while let Ok(Some(())) = timeout(QUIET, self.wakes.recv()).await {}
        })
        .await;
    }

    /// What is to be told about the file as it is now, if anything.
    fn look(&mut self) -> Option<Result<Config, Vec<Problem>>> {
        let text = read(&self.file);
        let seen = match &text {
            Ok(text) => digest(text),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        if seen == self.known {
            return None;
        }
        self.known = seen;
        Some(text.and_then(|text| resolve::resolve(&self.file, &text)))
    }
}
