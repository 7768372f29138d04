//! Runs a program within limits of time, output and memory, and ends it together with everything it started.

use crate::ports::renderer::{Command, CommandFailure, CommandOutput, CommandRunner};
use async_trait::async_trait;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use std::process::Stdio;
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of a program's standard error is kept: its end, where the reason stands.
const KEPT_OF_STDERR: usize = 64 * 1024;

/// Starts programs on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessRunner;

#[async_trait]
impl CommandRunner for ProcessRunner {
    async fn run(&self, command: &Command) -> Result<CommandOutput, CommandFailure> {
        let name = || command.program.display().to_string();
        let not_started =
            |error: std::io::Error| CommandFailure::NotStarted { program: name(), reason: error.to_string() };
        let mut child = tokio::process::Command::new(&command.program)
            .args(&command.arguments)
            .current_dir(&command.directory)
            .env_clear()
            .envs(command.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let group = Group::of(&child);
        group.limit_memory(command.memory_limit);

        let stdout = child.stdout.take().expect("standard output was asked for as a pipe");
        let stderr = child.stderr.take().expect("standard error was asked for as a pipe");
        let all = async {
            // Both pipes are drained at once, or a program that fills the other one would wait for ever.
            let output = async {
                let read = read_up_to(stdout, command.output_limit).await.map_err(not_started)?;
                read.ok_or_else(|| CommandFailure::TooMuch { program: name(), limit: command.output_limit })
            };
            let errors = async { Ok(read_end(stderr).await) };
            let (output, errors) = tokio::try_join!(output, errors)?;
            let status = child.wait().await.map_err(not_started)?;
            Ok(CommandOutput { code: status.code(), stdout: output, stderr: errors })
        };
        let outcome = tokio::time::timeout(command.time_limit, all).await;
        drop(group);
        // The leader is dead by now in every case; waiting for it leaves no zombie.
        let _ = child.wait().await;
        outcome
            .unwrap_or_else(|_| Err(CommandFailure::TooSlow { program: name(), limit: command.time_limit }))
    }
}

/// A process group that does not outlive this value, whether the run ended, failed or was dropped half-way.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &tokio::process::Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Set after the start, because doing it in between needs `unsafe`: the first milliseconds of a program are not
    /// where it takes gigabytes.
    fn limit_memory(&self, bytes: u64) {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        if self.0.is_some() {
            // A failure means that the process has ended already.
            let _ = prlimit(self.0, Resource::As, limit);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // No such group: all of it ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads to the end; `None` as soon as there is more than the limit.
async fn read_up_to(pipe: impl AsyncRead + Unpin, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    pipe.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Reads to the end and keeps the last part, as text.
async fn read_end(mut pipe: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        if kept.len() > 2 * KEPT_OF_STDERR {
            kept.drain(..kept.len() - KEPT_OF_STDERR);
        }
    }
    kept.drain(..kept.len().saturating_sub(KEPT_OF_STDERR));
    String::from_utf8_lossy(&kept).into_owned()
}
