//! What can go wrong with the kops side, each with what to do about it.

use crate::local::aws;
use crate::model::kops::ReadError;

/// A failure of the local kops side: building the program, running it, bringing up its cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder, a control plane, the Go toolchain.
    #[error(transparent)]
    Local(#[from] crate::local::Error),

    /// The local AWS.
    #[error(transparent)]
    Aws(#[from] aws::Error),

    /// A call to the local AWS.
    #[error(transparent)]
    Cloud(#[from] crate::ports::CloudFailure),

    /// A kops, or a Kubernetes, that no kops here serves.
    #[error("{what} is not pinned here. There is {known}. Choose one of them.")]
    UnknownVersion {
        /// `kops 1.30.0`, `Kubernetes 1.19`.
        what: String,
        /// What there is, in words.
        known: String,
    },

    /// kops refused, or failed.
    #[error("`{command}` failed. Its last words:\n{}", aws::indent(.tail))]
    Kops {
        /// The command as a person would type it.
        command: String,
        /// The last lines that it wrote.
        tail: String,
    },

    /// kops said something that we do not understand.
    #[error("`{command}` answers what this version of Portolan cannot read: {detail}")]
    Answer {
        /// The command as a person would type it.
        command: String,
        /// What is missing in it.
        detail: String,
    },

    /// The specification of a cluster cannot be used.
    #[error("the kops specification {detail}")]
    Specification {
        /// What is wrong with it and what to do.
        detail: String,
    },

    /// The state store that kops wrote cannot be read.
    #[error("the state store that kops has written cannot be read: {0}")]
    StateStore(#[from] ReadError),

    /// An object could not be applied to the source cluster.
    #[error("{what} cannot be applied to the source cluster:\n{}", aws::indent(.tail))]
    Apply {
        /// The add-on or file.
        what: String,
        /// What kubectl or Helm said.
        tail: String,
    },

    /// The source cluster did not become what it should be.
    #[error("{what} within {} s: {state}", .limit.as_secs())]
    TimedOut {
        /// What was waited for, with "did not".
        what: String,
        /// How long.
        limit: std::time::Duration,
        /// What there was instead.
        state: String,
    },

    /// Another one is there already, or none is.
    #[error("{message}")]
    Instance {
        /// What is wrong and what to do.
        message: String,
    },
}
