//! What can go wrong with the local AWS, each with what to do about it.

use std::path::PathBuf;

/// A failure of the local AWS: installing or starting moto, starting the servers around it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A control plane, or a folder of the local world.
    #[error(transparent)]
    Local(#[from] crate::local::Error),

    /// There is no Python that could run moto.
    #[error(
        "the local AWS needs Python 3.10 or newer for moto, and {found}. Install it (Debian and Ubuntu: `apt install \
         python3 python3-venv`; Fedora: `dnf install python3 python3-pip`; macOS: `brew install python`).{}", below(.tail)
    )]
    NoPython {
        /// What was found instead: "`python3` is not on PATH", "/usr/bin/python3 is Python 3.8".
        found: String,
        /// What was said when one was fetched without being root; empty where that was not tried.
        tail: String,
    },

    /// Python is there, but nothing to install packages with.
    #[error(
        "moto cannot be installed: {python} has neither a complete `venv` module nor pip. Install one of them (Debian \
         and Ubuntu: `apt install python3-venv`; Fedora: `dnf install python3-pip`).\n{}", indent(.tail)
    )]
    NoInstaller {
        /// The interpreter.
        python: PathBuf,
        /// What both said.
        tail: String,
    },

    /// pip could not fetch or install a package.
    #[error(
        "installing moto failed. Check the network and, where a mirror or a proxy is needed, PIP_INDEX_URL and \
         HTTPS_PROXY; it takes 350 MB below {}.\n{}", .folder.display(), indent(.tail)
    )]
    Install {
        /// Where it would go.
        folder: PathBuf,
        /// The last lines that pip wrote.
        tail: String,
    },

    /// moto did not come up.
    #[error(
        "moto's server did not start. If its installation is damaged, remove {} and try again. Its last words:\n{}",
        .folder.display(), indent(.tail)
    )]
    Moto {
        /// Its installation.
        folder: PathBuf,
        /// The last lines that it wrote.
        tail: String,
    },

    /// A server of ours on this machine did not answer, or not as it should.
    #[error("{what} at {address}: {detail}")]
    Answer {
        /// Who was asked.
        what: &'static str,
        /// Where.
        address: String,
        /// What came back, or why nothing did.
        detail: String,
    },

    /// A call to the cloud failed.
    #[error(transparent)]
    Cloud(#[from] crate::ports::CloudFailure),

    /// Another one is there already, or none is.
    #[error("{message}")]
    Instance {
        /// What is wrong and what to do.
        message: String,
    },
}

impl Error {
    /// Whether this machine lacks a Python, or something to install packages with, and has no way to fetch it: nothing that
    /// is tried again would help before a person installs it.
    #[must_use]
    pub fn lacks_python(&self) -> bool {
        match self {
            Self::NoPython { tail, .. } => tail.is_empty(),
            Self::NoInstaller { .. } => true,
            _ => false,
        }
    }
}

fn below(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("\n{}", indent(text)) }
}

pub(crate) fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
