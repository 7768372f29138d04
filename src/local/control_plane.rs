//! Starting a control plane: one that lives as long as a value, or one that stays until it is taken down.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::error::Error;
use super::instance::{self, Instance, STOP_LIMIT};
use super::options::Options;
use super::places::Places;
use super::process::{Identity, own_program};
use super::programs::{Program, Programs, programs_in};
use super::progress::{Meter, Phase, Report};
use super::records::Records;
use super::release::Release;
use super::spec::{DETACH, Event, RESTART, Spec};
use super::supervise;

/// More than the supervisor's own limit for a start, so that its message arrives.
const START_LIMIT: Duration = Duration::from_secs(200);
/// The steps that the supervisor reports.
const STEPS: usize = 3;

/// A running control plane that ends with this value, and with this process however that ends.
///
/// Dropping it lets the supervisor take everything down in the background; [`ControlPlane::stop`] waits for that.
#[derive(Debug)]
pub struct ControlPlane {
    instance: Instance,
    programs: Programs,
    supervisor: Child,
    /// While this is open, the supervisor goes on.
    leash: Option<ChildStdin>,
    events: Lines<BufReader<ChildStdout>>,
}

impl ControlPlane {
    /// Starts a control plane in the folders of the environment, building its programs if they are nowhere.
    ///
    /// # Errors
    /// Those of [`super::programs`]; [`Error::NameTaken`]; [`Error::Start`] with the last words of what failed.
    pub async fn start(options: Options, report: Report<'_>) -> Result<ControlPlane, Error> {
        ControlPlane::start_in(&Places::from_env()?, options, report).await
    }

    /// [`ControlPlane::start`] with explicit folders.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn start_in(
        places: &Places,
        options: Options,
        report: Report<'_>,
    ) -> Result<ControlPlane, Error> {
        launch(places, options, report).await
    }

    /// Replaces its programs by those of another release, over the same data, ports, certificates and tokens: what an
    /// upgrade of the control plane does. It does not answer meanwhile (4 s). Where the other programs do not come up, the
    /// ones before are started again.
    ///
    /// # Errors
    /// Those of [`super::programs`]; [`Error::Start`] with the last words of what failed.
    pub async fn replace(&mut self, places: &Places, version: &str, report: Report<'_>) -> Result<(), Error> {
        let release = Release::find(version)?;
        let records = Records::at(&self.instance.folder);
        let before = records.spec()?;
        // How nodes and pods behave is not the release's business.
        let kwok_stages = before.programs.kwok_stages.clone();
        let programs = Programs { kwok_stages, ..programs_in(places, release, report).await? };
        let spec = Spec { version: release.version.to_owned(), programs: programs.clone(), ..before.clone() };
        let outcome = match self.restart(&records, &spec, report).await {
            Ok(()) => {
                self.programs = programs;
                Ok(())
            }
            Err(message) => {
                let back = self.restart(&records, &before, report).await;
                let message = match back {
                    Ok(()) => format!("{message}\nThe programs of {} run again.", before.version),
                    Err(error) => format!("{message}\nNor do those of {} any more: {error}", before.version),
                };
                Err(Error::Start { name: self.instance.name.clone(), message })
            }
        };
        self.instance = records.instance()?;
        outcome
    }

    async fn restart(&mut self, records: &Records, spec: &Spec, report: Report<'_>) -> Result<(), String> {
        records.write_order(None, spec).map_err(|error| error.to_string())?;
        let word = format!("{RESTART}\n");
        let Some(leash) = &mut self.leash else {
            return Err("its supervisor takes no orders any more".to_owned());
        };
        leash.write_all(word.as_bytes()).await.map_err(|error| error.to_string())?;
        let ready = follow(&mut self.events, &self.instance.folder, report);
        match tokio::time::timeout(START_LIMIT, ready).await {
            Ok(outcome) => outcome,
            Err(_) => Err("the supervisor did not answer".to_owned()),
        }
    }

    /// Where it is and how to reach it.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.instance.kubeconfig
    }

    /// The programs it was made of, with kubectl, kustomize and helm.
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The process ids of its programs at this moment. One that is killed is started again within a second.
    pub fn pids(&self) -> BTreeMap<Program, u32> {
        let processes = Records::at(&self.instance.folder).processes();
        processes.into_iter().map(|(program, identity)| (program, identity.pid)).collect()
    }

    /// The process id of its supervisor.
    pub fn supervisor_pid(&self) -> Option<u32> {
        self.supervisor.id()
    }

    /// Stops it and waits until no process and no folder of it is left.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when the supervisor hangs; it is killed then.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.leash.take());
        match tokio::time::timeout(STOP_LIMIT, self.supervisor.wait()).await {
            Ok(status) => {
                status.map(|_| ()).map_err(Error::io("wait for the supervisor of", &self.instance.folder))
            }
            Err(_) => {
                let _ = self.supervisor.kill().await;
                Err(Error::TimedOut {
                    what: format!("stopping the control plane {:?}", self.instance.name),
                    limit: STOP_LIMIT,
                    next: "Its processes were killed; `portolan local list` removes its folder.".to_owned(),
                })
            }
        }
    }
}

/// Starts a control plane that stays until [`down`](instance::down) takes it away.
///
/// # Errors
/// As [`ControlPlane::start`].
pub async fn up(places: &Places, options: Options, report: Report<'_>) -> Result<Instance, Error> {
    let mut control_plane = launch(places, options, report).await?;
    if let Some(mut leash) = control_plane.leash.take() {
        // Should this process be killed before the word is through, the control plane goes too.
        let word = format!("{DETACH}\n");
        leash
            .write_all(word.as_bytes())
            .await
            .map_err(Error::io("detach from", &control_plane.instance.folder))?;
    }
    Ok(control_plane.instance.clone())
}

async fn launch(places: &Places, options: Options, report: Report<'_>) -> Result<ControlPlane, Error> {
    let release = Release::find(&options.version)?;
    let mut programs = programs_in(places, release, report).await?;
    if let Some(stages) = options.kwok_stages {
        programs.kwok_stages = stages;
    }
    let spec = Spec {
        name: options.name.unwrap_or_else(invent_name),
        version: release.version.to_owned(),
        nodes: options.nodes,
        programs: programs.clone(),
        extra_tokens: options.extra_tokens,
        api_server_args: options.api_server_args,
        audit: options.audit,
    };
    let supervisor = match options.supervisor {
        Some(path) => path,
        None => own_program()?,
    };
    let folder = instance::create(places, &spec).await?;
    let mut child = match spawn(&supervisor, &folder) {
        Ok(child) => child,
        Err(error) => {
            let _ = instance::discard(&folder);
            return Err(error);
        }
    };
    let leash = child.stdin.take();
    let mut events = BufReader::new(child.stdout.take().expect("piped by spawn")).lines();
    let ready = follow(&mut events, &folder, report);
    let outcome = match tokio::time::timeout(START_LIMIT, ready).await {
        Ok(outcome) => outcome,
        Err(_) => Err("the supervisor did not answer".to_owned()),
    };
    match outcome {
        Ok(()) => {
            let instance = Records::at(&folder).instance()?;
            Ok(ControlPlane { instance, programs, supervisor: child, leash, events })
        }
        Err(message) => {
            drop(leash);
            let _ = tokio::time::timeout(STOP_LIMIT, child.wait()).await;
            // The supervisor removes it; unless it could not even begin.
            let _ = instance::discard(&folder);
            Err(Error::Start { name: spec.name, message })
        }
    }
}

/// Starts the supervisor in a process group of its own, so that Ctrl-C in our terminal reaches us and not it.
fn spawn(program: &Path, folder: &PathBuf) -> Result<Child, Error> {
    let log_path = folder.join("logs").join("supervisor.log");
    let log = File::create(&log_path).map_err(Error::io("create", &log_path))?;
    let mut command = std::process::Command::new(program);
    command
        .arg0("portolan")
        .arg(supervise::SUBCOMMAND)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0);
    Command::from(command).spawn().map_err(Error::io("run", program))
}

/// Reads the supervisor's events up to the one that decides.
async fn follow(
    events: &mut Lines<BufReader<ChildStdout>>,
    folder: &Path,
    report: Report<'_>,
) -> Result<(), String> {
    let mut meter = Meter::new(Phase::Start, Some(STEPS));
    meter.show("etcd", report);
    while let Ok(Some(line)) = events.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Event::Step(what)) => meter.step(&what, report),
            Ok(Event::Ready) => return Ok(()),
            Ok(Event::Failed(message)) => return Err(message),
            // Not ours: a program that prints before it looks at its arguments.
            Err(_) => {}
        }
    }
    let log = super::crew::log_tail(&folder.join("logs").join("supervisor.log"));
    Err(format!(
        "the supervisor ended without a word. Is the program that runs it Portolan? Its log says:\n{log}"
    ))
}

fn invent_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    // The start time makes it unique beyond the life of this process id.
    let started = Identity::own().map(|own| own.started).unwrap_or_default();
    let started: String = started.chars().filter(char::is_ascii_digit).collect();
    format!("p{}-{started}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
