//! The programs that render: which ones there are, and how they are run.

use super::workspace::Workspace;
use crate::ports::renderer::{Command, CommandFailure, CommandOutput, CommandRunner, RenderFailure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// Where the programs are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// `helm`, version 3 or later.
    pub helm: Option<PathBuf>,
    /// `kustomize`, version 5 or later.
    pub kustomize: Option<PathBuf>,
}

/// A configured program that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is configured as {name}, but there is no program", path.display())]
pub struct ToolFailure {
    /// Its name.
    pub name: &'static str,
    /// The configured path.
    pub path: PathBuf,
}

impl Tools {
    /// Takes what is configured, and looks the others up in folders: those of `PATH`, then the cache of the local
    /// control plane. What is found nowhere stays `None`, and is missed by the first application that needs it.
    ///
    /// # Errors
    /// When a configured program is no file.
    pub fn find(configured: &Self, folders: &[PathBuf]) -> Result<Self, ToolFailure> {
        let find = |name: &'static str, configured: &Option<PathBuf>| match configured {
            Some(path) if is_program(path) => Ok(Some(path.clone())),
            Some(path) => Err(ToolFailure { name, path: path.clone() }),
            // A relative entry of PATH would mean another program in every folder.
            None => {
                let absolute = folders.iter().filter(|folder| folder.is_absolute());
                Ok(absolute.map(|folder| folder.join(name)).find(|path| is_program(path)))
            }
        };
        Ok(Self {
            helm: find("helm", &configured.helm)?,
            kustomize: find("kustomize", &configured.kustomize)?,
        })
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Limits of one run, and how many run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolLimits {
    /// Longest run.
    pub time: Duration,
    /// Most bytes of output.
    pub output: usize,
    /// Most bytes of address space.
    pub memory: u64,
    /// Most runs at once.
    pub at_once: usize,
}

impl Default for ToolLimits {
    /// 60 s, 64 MiB of output, 4 GiB of address space (Go reserves far more than it uses), 4 at once.
    fn default() -> Self {
        Self { time: Duration::from_secs(60), output: 64 << 20, memory: 4 << 30, at_once: 4 }
    }
}

/// One of the programs, ready to run.
pub(super) struct Program {
    name: &'static str,
    path: Option<PathBuf>,
    version_arguments: &'static [&'static str],
    version: OnceCell<String>,
    runner: Arc<dyn CommandRunner>,
    limits: ToolLimits,
    places: Arc<Semaphore>,
}

impl Program {
    /// `version_arguments` make the program print its version and nothing else.
    pub fn new(
        name: &'static str,
        path: Option<PathBuf>,
        version_arguments: &'static [&'static str],
        runner: Arc<dyn CommandRunner>,
        limits: ToolLimits,
        places: Arc<Semaphore>,
    ) -> Self {
        Self { name, path, version_arguments, version: OnceCell::new(), runner, limits, places }
    }

    /// What the program is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether there is such a program.
    pub fn is_installed(&self) -> bool {
        self.path.is_some()
    }

    /// The program's version, asked once.
    pub async fn version(&self, work_dir: &Path) -> Result<&str, RenderFailure> {
        let ask = || async {
            let workspace = Workspace::new(work_dir)?;
            let arguments = self.version_arguments.iter().map(OsString::from).collect();
            let output = self.run(&workspace, arguments).await?;
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            if output.code == Some(0) && !version.is_empty() {
                return Ok(version);
            }
            Err(self.failure(format!("it does not tell its version: {}", output.stderr.trim())))
        };
        self.version.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Runs the program in a workspace.
    pub async fn run(
        &self,
        workspace: &Workspace,
        arguments: Vec<OsString>,
    ) -> Result<CommandOutput, RenderFailure> {
        let Some(path) = &self.path else {
            return Err(self.failure(format!(
                "it is not installed; put {} on the daemon's PATH or name it in the daemon's file",
                self.name
            )));
        };
        let command = Command {
            program: path.clone(),
            arguments,
            directory: workspace.source().to_owned(),
            environment: workspace.environment(),
            time_limit: self.limits.time,
            output_limit: self.limits.output,
            memory_limit: self.limits.memory,
        };
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        self.runner.run(&command).await.map_err(|failure: CommandFailure| self.failure(failure.to_string()))
    }

    fn failure(&self, message: String) -> RenderFailure {
        RenderFailure { origin: self.name.into(), message }
    }
}
