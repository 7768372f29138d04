//! What can go wrong in the local world, each with what to do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A failure of the local control plane: finding or building its programs, starting or stopping it.
///
/// Every message names the place and ends with the next step, because most of them are read by
/// somebody who has just typed their first command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of the variables that name a cache folder is set.
    #[error(
        "no folder for the cache: none of PORTOLAN_CACHE, XDG_CACHE_HOME and HOME is set. \
         Set PORTOLAN_CACHE to a folder with 4 GB of free space."
    )]
    NoCacheFolder,

    /// A version that no go.mod is pinned for.
    #[error(
        "Kubernetes {asked} is not pinned here. Known versions: {known}. Choose one of them with --version."
    )]
    UnknownVersion {
        /// What was asked for.
        asked: String,
        /// The known versions, separated by commas.
        known: String,
    },

    /// The programs have to be built and there is no Go.
    #[error(
        "the control plane's programs for {version} are not built yet, and `go` is not on PATH. \
         Install Go {needed} or newer (https://go.dev/doc/install), or set KUBEBUILDER_ASSETS to a folder that has {missing}."
    )]
    NoGo {
        /// The Kubernetes version asked for.
        version: String,
        /// The oldest Go that can build it.
        needed: String,
        /// The programs that were found nowhere, separated by commas.
        missing: String,
    },

    /// There is a Go, but it can neither build the programs nor fetch a newer Go by itself.
    #[error(
        "{path} is Go {found}, but the control plane's programs need Go {needed} or newer. \
         Install a newer Go (https://go.dev/doc/install); with Go 1.21 or newer, GOTOOLCHAIN=auto fetches it by itself."
    )]
    GoTooOld {
        /// The go command that was found.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The oldest version that will do.
        needed: String,
    },

    /// A module could not be fetched.
    #[error(
        "downloading the sources of the control plane's programs failed. Check the network, and GOPROXY and \
         HTTPS_PROXY where one is needed; what has been fetched is kept, so the next try goes on from here.\n{}", indent(.tail)
    )]
    Download {
        /// The last lines that go wrote.
        tail: String,
    },

    /// The disk filled up during the build.
    #[error(
        "the disk is full. A first build needs about 4 GB: in {} for the programs (600 MB), and in Go's own folders \
         (`go env GOCACHE GOMODCACHE GOTMPDIR`). Free some space or point PORTOLAN_CACHE, GOCACHE or GOTMPDIR elsewhere, then run the \
         command again.\n{}", .cache.display(), indent(.tail)
    )]
    DiskFull {
        /// Where the programs go.
        cache: PathBuf,
        /// The last lines that go wrote, or the error of the system.
        tail: String,
    },

    /// Go failed for another reason.
    #[error("building the control plane's programs failed at `{command}`. The last lines of its output:\n{}", indent(.tail))]
    Build {
        /// The command as a person would type it.
        command: String,
        /// The last lines that go wrote.
        tail: String,
    },

    /// A file operation failed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb: "read", "create".
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// A name that cannot be a folder and a label.
    #[error(
        "{name:?} cannot be the name of a control plane: use 1 to 40 lower-case letters, digits and dashes, beginning with a letter"
    )]
    InvalidName {
        /// The name that was given.
        name: String,
    },

    /// There is already one of this name.
    #[error(
        "the control plane {name:?} is there already. `portolan local kubeconfig --name {name}` prints its kubeconfig, `portolan local down --name {name}` stops it."
    )]
    NameTaken {
        /// The name.
        name: String,
    },

    /// There is none of this name.
    #[error("there is no control plane {name:?}; {}", known_instances(.known))]
    NoSuchInstance {
        /// The name that was asked for.
        name: String,
        /// The names of those that are there.
        known: Vec<String>,
    },

    /// The control plane did not come up; the message is the supervisor's.
    #[error("the control plane {name:?} did not start: {message}")]
    Start {
        /// Its name.
        name: String,
        /// Which program failed and the last lines of its log.
        message: String,
    },

    /// Something took longer than it may.
    #[error("{what} did not finish within {} s. {next}", .limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// What to do.
        next: String,
    },

    /// A certificate or a key could not be made.
    #[error("cannot make the control plane's certificates: {0}")]
    Certificates(#[from] rcgen::Error),

    /// A record in an instance's folder is not what we wrote.
    #[error("{} is not a record of this version of Portolan ({detail}). Stop the control plane with the version that started it.", .path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What the parser said.
        detail: String,
    },
}

impl Error {
    /// A mapper for `map_err`: `fs::read(p).map_err(Error::io("read", p))`.
    ///
    /// A full disk becomes its own variant, since there is something to do about it.
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Error::DiskFull { cache: path, tail: source.to_string() }
            }
            _ => Error::Io { action, path, source },
        }
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn known_instances(known: &[String]) -> String {
    if known.is_empty() {
        "none is running. `portolan local up` starts one.".to_owned()
    } else {
        format!("running: {}.", known.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_from_other_failures() {
        let full = Error::io("write", "x")(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert!(full.to_string().contains("disk is full"), "{full}");
        let denied = Error::io("write", "x")(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert!(denied.to_string().starts_with("cannot write x"), "{denied}");
    }

    #[test]
    fn a_missing_instance_names_those_that_run() {
        let none = Error::NoSuchInstance { name: "a".into(), known: vec![] };
        assert!(none.to_string().contains("portolan local up"));
        let some = Error::NoSuchInstance { name: "a".into(), known: vec!["b".into(), "c".into()] };
        assert!(some.to_string().ends_with("running: b, c."));
    }
}
