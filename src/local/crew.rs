//! The running programs of one control plane: started, watched, stopped.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::error::Error;
use super::flags::Layout;
use super::process::Identity;
use super::programs::Program;
use super::records::Records;

/// How long a program may take to end by itself. Its data is thrown away, so there is little to wait for.
const GRACE: Duration = Duration::from_secs(2);
/// How many lines of a log an error carries.
const TAIL: usize = 20;

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) program: Program,
    pub(crate) status: String,
    /// For how long it ran.
    pub(crate) lived: Duration,
    pid: u32,
}

/// The programs that the supervisor has started.
pub(crate) struct Crew {
    records: Records,
    running: BTreeMap<Program, Identity>,
    exits: mpsc::UnboundedReceiver<Exit>,
    ended: mpsc::UnboundedSender<Exit>,
}

impl Crew {
    pub(crate) fn new(records: Records) -> Crew {
        let (ended, exits) = mpsc::unbounded_channel();
        Crew { records, running: BTreeMap::new(), exits, ended }
    }

    /// Starts a program of the layout, its output appended to its log.
    ///
    /// Must be called on the main thread: the child asks the kernel to be killed when its parent ends, and for the
    /// kernel that is the thread which started it (prctl(2), PR_SET_PDEATHSIG).
    pub(crate) fn start(&mut self, layout: &Layout, program: Program) -> Result<(), Error> {
        let log_path = layout.log(program);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(Error::io("open", &log_path))?;
        let errors = log.try_clone().map_err(Error::io("open", &log_path))?;
        let path = layout.spec.programs.path(program);
        let mut child = command(path, &layout.folder)?
            .args(layout.arguments(program))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Error::io("run", path))?;
        let pid = child.id().unwrap_or_default();
        self.running.insert(program, Identity::of_child(pid));
        self.records.write_processes(&self.running)?;
        let ended = self.ended.clone();
        let since = Instant::now();
        tokio::spawn(async move {
            let status = match child.wait().await {
                Ok(status) => describe(status),
                Err(error) => error.to_string(),
            };
            // Nobody listens any more when the supervisor is on its way out.
            let _ = ended.send(Exit { program, status, lived: since.elapsed(), pid });
        });
        Ok(())
    }

    /// The next program that ends. Safe to drop and ask again.
    pub(crate) async fn next_exit(&mut self) -> Exit {
        loop {
            // `ended` is ours, so the channel cannot close.
            let Some(exit) = self.exits.recv().await else { std::future::pending().await };
            if self.forget(&exit) {
                return exit;
            }
        }
    }

    /// Stops everything: first what only talks to the API server, then the API server, then etcd. In any other order
    /// the API server waits for its store for minutes.
    pub(crate) async fn stop(&mut self) {
        for group in [
            &[Program::Kwok, Program::Scheduler, Program::ControllerManager][..],
            &[Program::ApiServer],
            &[Program::Etcd],
        ] {
            self.signal(group, Signal::SIGTERM);
            if tokio::time::timeout(GRACE, self.until_gone(group)).await.is_err() {
                self.signal(group, Signal::SIGKILL);
                // A process that does not even go now hangs in the kernel, and nothing can be done about it.
                let _ = tokio::time::timeout(GRACE, self.until_gone(group)).await;
            }
        }
    }

    fn signal(&self, group: &[Program], signal: Signal) {
        for program in group {
            if let Some(identity) = self.running.get(program) {
                identity.signal(signal);
            }
        }
    }

    async fn until_gone(&mut self, group: &[Program]) {
        while group.iter().any(|program| self.running.contains_key(program)) {
            self.next_exit().await;
        }
    }

    /// Strikes an ended program off; false when a newer process of the same program runs meanwhile.
    fn forget(&mut self, exit: &Exit) -> bool {
        let known = self.running.get(&exit.program).is_some_and(|identity| identity.pid == exit.pid);
        if known {
            self.running.remove(&exit.program);
        }
        known
    }
}

/// A command that starts the program with a clean environment and, on Linux, lets it die with us.
///
/// The kernel's order to die has to be given by the child itself between fork and exec, which the standard library
/// only offers as `unsafe`. So the child first is our own program once more ([`super::supervise`], `exec`), gives the
/// order, and then becomes the program: the order survives that.
fn command(program: &Path, folder: &Path) -> Result<Command, Error> {
    let mut command = Command::new(super::process::own_program()?);
    command
        .args([super::supervise::SUBCOMMAND, super::supervise::EXEC, &std::process::id().to_string()])
        .arg(program);
    clean(&mut command, folder);
    Ok(command)
}

/// Gives a command an environment that does not depend on who runs it, and a home in the instance's folder.
pub(crate) fn clean(command: &mut Command, folder: &Path) {
    command
        .env_clear()
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("KWOK_WORKDIR", folder)
        // Go's collector runs less often than by its default of 100: here there is memory to spare, up to a limit at which
        // it becomes thrifty.
        .env("GOGC", "400")
        .env("GOMEMLIMIT", "1536MiB")
        .current_dir(folder);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
}

/// The last lines of a program's log.
pub(crate) fn log_tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (_, Some(signal)) => format!("was killed by signal {signal}"),
        _ => "ended".to_owned(),
    }
}
