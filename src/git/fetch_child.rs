//! The fetch child: what `portolan __fetch` runs.
//!
//! It reads one JSON request from its standard input, brings the mirror up to date and answers with JSON lines. It limits its
//! own memory, and ends itself when the parent closes the pipe, so that no fetch outlives the daemon.

use super::classify::read_error;
use super::download::download;
use super::mirror::init_bare;
use super::session::Session;
use super::wire::{Answer, Fetched, Request};
use super::{Credentials, GitError, compact};
use git2::{Repository, RepositoryOpenFlags};
use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Name of the hidden subcommand that has to call [`main`].
pub const SUBCOMMAND: &str = "__fetch";

/// Runs the child: request from standard input, answers to standard output. Nothing secret comes in another way.
///
/// The exit code is 0 when an answer was given, also for a failed fetch.
#[must_use]
pub fn main() -> ExitCode {
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(request) = serde_json::from_str::<Request>(&line) else {
        return ExitCode::FAILURE;
    };
    drop(line);
    end_with_parent();
    let answer = match run(request) {
        Ok(fetched) => Answer::Done(fetched),
        Err(error) => Answer::Failed(error),
    };
    if say(&answer) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes one line to the parent. False when it is not there any more.
pub(super) fn say(answer: &Answer) -> bool {
    let Ok(mut line) = serde_json::to_vec(answer) else {
        return false;
    };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).is_ok()
}

/// The parent keeps our standard input open while it wants us. libgit2 may be deep in a read that nothing interrupts, so the
/// signal that cannot be held up ends the process.
fn end_with_parent() {
    std::thread::spawn(|| {
        let mut rest = [0; 64];
        while matches!(std::io::stdin().lock().read(&mut rest), Ok(1..)) {}
        let _ = kill_process(getpid(), Signal::KILL);
    });
}

fn run(request: Request) -> Result<Fetched, GitError> {
    let address = request.parsed_address()?;
    limit_resources(&request)?;
    let folder = request.mirror.clone();
    let _lock = lock(&folder)?;
    let current = folder.join("repo.git");
    let target = if request.anew { folder.join("repo.new.git") } else { current.clone() };
    if request.anew {
        remove_folder(&target)?;
        init_bare(&target)?;
    }
    remove_leftovers(&target);
    let repo = open(&target)?;
    let session = Session {
        address,
        credentials: Credentials::from(request.credentials),
        known_hosts: request.known_hosts,
        home: folder.join("home"),
        proxy: request.proxy,
        max_bytes: request.max_bytes,
        max_memory: request.max_memory,
    };
    let fetched = download(&repo, &session, &request.commits)?;
    if fetched.changed {
        // Only tidiness: when it fails, the mirror is as good as before.
        let _ = compact::join_small_packs(&repo);
    }
    drop(repo);
    if request.anew {
        let old = folder.join("repo.old.git");
        remove_folder(&old)?;
        rename_if_there(&current, &old)?;
        std::fs::rename(&target, &current).map_err(|e| GitError::io(&current, &e))?;
        remove_folder(&old)?;
    }
    Ok(fetched)
}

/// RLIMIT_DATA counts what is allocated and not the packs that are mapped for reading, so that a large repository can be read
/// with little memory. No core file: it would hold the credentials.
fn limit_resources(request: &Request) -> Result<(), GitError> {
    let set = |resource, bytes| setrlimit(resource, Rlimit { current: Some(bytes), maximum: Some(bytes) });
    set(Resource::Data, request.max_memory).and_then(|()| set(Resource::Core, 0)).map_err(|e| {
        GitError::Child {
            address: request.address.clone(),
            detail: format!("its memory could not be limited: {e}"),
        }
    })
}

/// One fetch at a time writes to a mirror. The parent's time limit ends the wait.
fn lock(folder: &Path) -> Result<File, GitError> {
    let path = folder.join("lock");
    let file = File::options().create(true).append(true).open(&path).map_err(|e| GitError::io(&path, &e))?;
    file.lock().map_err(|e| GitError::io(&path, &e))?;
    Ok(file)
}

/// Opens with no configuration but the mirror's own: the environment that the parent made says so (GIT_CONFIG_NOSYSTEM,
/// GIT_CONFIG_GLOBAL), and FROM_ENV makes libgit2 listen. An `insteadOf` of the machine would send us to another server.
fn open(path: &Path) -> Result<Repository, GitError> {
    let flags = RepositoryOpenFlags::FROM_ENV | RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::BARE;
    Repository::open_ext(path, flags, std::iter::empty::<&OsStr>())
        .map_err(|e| read_error(&path.to_string_lossy(), &e))
}

/// A fetch that was killed leaves its unfinished pack and locks. We hold the lock of the mirror, so nobody writes them now.
fn remove_leftovers(repository: &Path) {
    let stale = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let unfinished_pack =
            name.starts_with("pack_") || name.starts_with("tmp_") || name.starts_with(".tmp");
        unfinished_pack || path.extension().is_some_and(|e| e == "lock")
    };
    for folder in [repository.to_owned(), repository.join("objects/pack")] {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(stale) {
            let _ = std::fs::remove_file(path);
        }
    }
    let _ = std::fs::remove_dir_all(repository.join(compact::WORK_FOLDER));
}

fn remove_folder(path: &Path) -> Result<(), GitError> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(GitError::io(path, &e)),
        _ => Ok(()),
    }
}

fn rename_if_there(from: &Path, to: &Path) -> Result<(), GitError> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(GitError::io(from, &e)),
        _ => Ok(()),
    }
}
