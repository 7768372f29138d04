//! Files of the store's folder: private, replaced by rename, watched with notify.

use crate::ports::StateFailure;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::fmt::Display;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Unfinished files begin with it; a crash may leave one behind, which the next opening removes.
const UNFINISHED: &str = ".unfinished-";
/// How often a folder is looked at without being told: inotify says nothing on most network file systems.
const LOOK_ANYWAY: Duration = Duration::from_secs(20);

/// The store's folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    next: AtomicU64,
}

impl Folder {
    pub(super) fn open(root: PathBuf, parts: &[&str]) -> Result<Self, StateFailure> {
        let folder = Self { root, next: AtomicU64::new(0) };
        folder.private(&folder.root)?;
        for part in parts {
            folder.private(&folder.root.join(part))?;
            for name in folder.list(part)?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
                // Another process may be writing just now; its rename then fails and is reported there.
                if folder.age(part, &name).is_some_and(|age| age > Duration::from_secs(60)) {
                    folder.remove(part, &name)?;
                }
            }
        }
        Ok(folder)
    }

    fn private(&self, path: &Path) -> Result<(), StateFailure> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
            .map_err(|error| self.failed("cannot be made and closed to other users", path, &error))
    }

    pub(super) fn path(&self, part: &str, name: &str) -> PathBuf {
        self.root.join(part).join(name)
    }

    /// Names of the finished files, sorted.
    pub(super) fn names(&self, part: &str) -> Result<Vec<String>, StateFailure> {
        let mut names = self.list(part)?;
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    fn list(&self, part: &str) -> Result<Vec<String>, StateFailure> {
        let path = self.root.join(part);
        let entries = fs::read_dir(&path).map_err(|error| self.failed("cannot be read", &path, &error))?;
        Ok(entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// The file's content; `None` when there is no such file.
    pub(super) fn read(&self, part: &str, name: &str) -> Result<Option<Vec<u8>>, StateFailure> {
        let path = self.path(part, name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("cannot be read", &path, &error)),
        }
    }

    /// Writes the file whole or not at all, and on the disk when this returns.
    pub(super) fn write(&self, part: &str, name: &str, content: &[u8]) -> Result<(), StateFailure> {
        let path = self.path(part, name);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path(part, &format!("{UNFINISHED}{}-{number}", std::process::id()));
        let written = create(&unfinished, content).and_then(|()| fs::rename(&unfinished, &path));
        let written = written.and_then(|()| File::open(self.root.join(part))?.sync_all());
        written.map_err(|error| {
            let _ = fs::remove_file(&unfinished);
            self.failed("cannot be written", &path, &error)
        })
    }

    /// Removes the file; one that is gone already is a success.
    pub(super) fn remove(&self, part: &str, name: &str) -> Result<(), StateFailure> {
        let path = self.path(part, name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.failed("cannot be removed", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// How long ago the file was written.
    pub(super) fn age(&self, part: &str, name: &str) -> Option<Duration> {
        fs::metadata(self.path(part, name)).ok()?.modified().ok()?.elapsed().ok()
    }

    /// A name that no other file has and that sorts by time.
    pub(super) fn fresh_name(&self) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:015}-{}-{number}", now.as_micros(), std::process::id())
    }

    fn failed(&self, what: &str, path: &Path, error: &io::Error) -> StateFailure {
        let hint = match error.kind() {
            ErrorKind::PermissionDenied => "; it has to belong to the user that portolan runs as",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room on that disk",
            _ => "",
        };
        let transient = !matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory
        );
        StateFailure { message: format!("{} {what}: {error}{hint}", path.display()), transient }
    }
}

fn create(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A file that is there and makes no sense.
pub(super) fn broken(name: &str, error: &dyn Display) -> StateFailure {
    StateFailure {
        message: format!(
            "{name} in the state folder cannot be read ({error}); move it away to begin without it"
        ),
        transient: false,
    }
}

/// Runs file work where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> Result<T, StateFailure> + Send + 'static,
) -> Result<T, StateFailure> {
    let folder = folder.clone();
    let done = tokio::task::spawn_blocking(move || work(&folder)).await;
    done.unwrap_or_else(|error| {
        Err(StateFailure {
            message: format!("work on the state folder was broken off: {error}"),
            transient: true,
        })
    })
}

/// Tells when to look at a folder again: at each change, and every 20 s anyway.
pub(super) struct Changes {
    told: mpsc::Receiver<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Changes {
    pub(super) fn of(folder: &Folder, part: &str) -> Self {
        let (tell, told) = mpsc::channel(1);
        // One message that waits says as much as a hundred.
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Looking at the folder is an event as well, and must not be a reason to look again.
            if !event.is_ok_and(|event| event.kind.is_access()) {
                let _ = tell.try_send(());
            }
        });
        let path = folder.root.join(part);
        let watching = watcher
            .and_then(|mut watcher| watcher.watch(&path, RecursiveMode::NonRecursive).map(|()| watcher));
        let watcher = match watching {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(folder = %path.display(), %error, "the folder cannot be watched and is looked at every 20 s");
                None
            }
        };
        Self { told, _watcher: watcher }
    }

    pub(super) async fn next(&mut self) {
        let told = async {
            // Without a watcher the channel is closed at once.
            if self.told.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(LOOK_ANYWAY, told).await;
    }
}
