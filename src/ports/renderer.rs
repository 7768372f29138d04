//! From a folder of a repository to objects.

use super::Repository;
use crate::model::{HelmSpec, Object, SourceSpec};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// All that a rendering depends on. Equal requests give equal results.
#[derive(Clone)]
pub struct RenderRequest {
    /// The application's name: Helm's release name by default.
    pub application: String,
    /// Namespace for objects that name none.
    pub namespace: String,
    /// The mirror to read from.
    pub repository: Arc<dyn Repository>,
    /// Commit to read.
    pub commit: String,
    /// Folder in the repository; no glob any more.
    pub path: String,
    /// The application's settings.
    pub source: SourceSpec,
    /// Version of the destination's API server, for `--kube-version`.
    pub kube_version: String,
    /// What the destination serves, for `--api-versions`; sorted.
    pub api_versions: Arc<[String]>,
    /// JSON pointers that may differ between renderings because the application ignores them live.
    pub ignored: Vec<crate::model::IgnoreRule>,
}

/// An object with the place it came from.
#[derive(Clone, Debug)]
pub struct RenderedObject {
    /// The object. Namespaces are as the source gives them: scope is settled against the destination.
    pub object: Object,
    /// `file:line` in the repository, or the chart's template.
    pub origin: String,
    /// JSON pointers to fields whose first rendering is kept: they are sent when the object is created and not
    /// compared or sent afterwards (`pinned` of the Helm settings). A Secret's `stringData` is
    /// named as the `data` that the plan makes of it.
    pub create_only: Vec<String>,
}

/// What a rendering gave.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Objects in the order of the source.
    pub objects: Vec<RenderedObject>,
    /// Documents that could not be taken; nothing is pruned while there is one.
    pub problems: Vec<RenderFailure>,
    /// What a person should look at although everything was taken, such as a `Chart.lock` that is out of date.
    pub warnings: Vec<RenderFailure>,
    /// Tool versions and other inputs worth telling, such as `helm` → `v3.21.4`.
    pub tools: BTreeMap<String, String>,
}

/// One problem of a source: a document, a file, or the whole rendering.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct RenderFailure {
    /// `file:line:column`, as exact as is known.
    pub origin: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Turns folders into objects.
#[async_trait]
pub trait Renderer: Send + Sync + 'static {
    /// A key of everything the rendering will read: tree ids, settings, the destination's versions, tool versions.
    /// Equal keys, equal results.
    async fn key(&self, request: &RenderRequest) -> Result<String, RenderFailure>;
    /// Renders. Problems of single documents are in the result; the error is for a rendering that gave nothing.
    async fn render(&self, request: &RenderRequest) -> Result<Rendered, RenderFailure>;
}

/// One run of a program whose input a repository decides.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program, as a path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Folder it runs in.
    pub directory: PathBuf,
    /// Its whole environment: nothing of ours is handed on.
    pub environment: Vec<(OsString, OsString)>,
    /// How long it may run before it is killed with everything it started.
    pub time_limit: Duration,
    /// How many bytes it may write to its standard output before it is killed.
    pub output_limit: usize,
    /// How many bytes of address space it may take.
    pub memory_limit: u64,
}

/// What a program that ended left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// The end of its standard error, in text. May quote what the program read, secrets included.
    pub stderr: String,
}

/// Why a program did not end by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFailure {
    /// It could not be started.
    #[error("{program} cannot be started: {reason}")]
    NotStarted {
        /// The program.
        program: String,
        /// The system's words.
        reason: String,
    },
    /// It ran too long.
    #[error("{program} was ended after {} s without a result", limit.as_secs())]
    TooSlow {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// It wrote too much.
    #[error("{program} was ended after writing more than {limit} bytes")]
    TooMuch {
        /// The program.
        program: String,
        /// The limit.
        limit: usize,
    },
}

/// Runs programs within limits.
#[async_trait]
pub trait CommandRunner: Send + Sync + 'static {
    /// Runs a program to its end. Dropping the future ends the program.
    async fn run(&self, command: &Command) -> Result<CommandOutput, CommandFailure>;
}

/// Helm settings where the application gives none.
#[must_use]
pub fn helm_settings(source: &SourceSpec) -> HelmSpec {
    source.helm.clone().unwrap_or_default()
}
