//! A local AWS that stays: started in the background, found again, taken down.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::error::Error;
use super::local_aws::{Access, Connect, LocalAws, LocalAwsOptions};
use crate::local::crew::log_tail;
use crate::local::error::Error as LocalError;
use crate::local::pki;
use crate::local::places::Places;
use crate::local::process::{Identity, own_program};
use crate::local::progress::{Meter, Phase, Progress, Report};
use crate::local::spec::{DETACH, Event};
use crate::local::supervise::tell;

/// How long it may take to start: moto is installed the first time.
const START_LIMIT: Duration = Duration::from_secs(900);
/// How long it may take to end: every control plane is stopped.
const STOP_LIMIT: Duration = Duration::from_secs(90);
const RECORD: &str = "aws.json";
const LOG: &str = "aws.log";

/// A local AWS as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwsInstance {
    /// Its name.
    pub name: String,
    /// How to reach it.
    pub access: Access,
    /// Its folder.
    pub folder: PathBuf,
    /// The process that it ends with.
    process: Identity,
}

/// What a background process is told to do.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    name: String,
    region: String,
    port: u16,
}

fn root(places: &Places) -> PathBuf {
    // Hidden: what lies openly there are control planes.
    places.instances.join(".aws")
}

/// Starts one in the background: `arguments` are those by which our program comes to [`serve`]; the folder is added.
///
/// # Errors
/// One of the name is there; what its start says.
pub async fn up(
    places: &Places,
    name: &str,
    region: &str,
    port: u16,
    arguments: &[&str],
    report: Report<'_>,
) -> Result<AwsInstance, Error> {
    check_name(name)?;
    if list(places)?.iter().any(|known| known.name == name) {
        return Err(instance_error(format!(
            "the local AWS {name:?} is there already. `portolan local aws status` shows it, `portolan local aws down` stops it."
        )));
    }
    let folder = root(places).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(LocalError::io("create", &folder))?;
    let order = Order { name: name.to_owned(), region: region.to_owned(), port };
    let text = serde_json::to_string(&order).map_err(|error| instance_error(error.to_string()))?;
    pki::write(&folder.join("order.json"), &text)?;
    let log_path = folder.join(LOG);
    let log = File::create(&log_path).map_err(LocalError::io("create", &log_path))?;
    let program = own_program()?;
    let mut command = std::process::Command::new(&program);
    command
        .arg0("portolan")
        .args(arguments)
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0);
    let mut child = Command::from(command).spawn().map_err(LocalError::io("run", &program))?;
    let mut leash = child.stdin.take().expect("piped above");
    let mut events = BufReader::new(child.stdout.take().expect("piped above")).lines();
    let mut meter = Meter::new(Phase::Start, None);
    let outcome = tokio::time::timeout(START_LIMIT, async {
        while let Ok(Some(line)) = events.next_line().await {
            match serde_json::from_str(&line) {
                Ok(Event::Step(what)) => meter.step(&what, report),
                Ok(Event::Ready) => return Ok(()),
                Ok(Event::Failed(message)) => return Err(message),
                Err(_) => {}
            }
        }
        Err(format!("it ended without a word. Its log says:\n{}", log_tail(&log_path)))
    });
    let outcome = outcome.await.unwrap_or_else(|_| Err("it did not answer".to_owned()));
    if let Err(message) = outcome {
        drop(leash);
        let _ = tokio::time::timeout(STOP_LIMIT, child.wait()).await;
        let _ = fs::remove_dir_all(&folder);
        return Err(instance_error(format!("the local AWS {name:?} did not start: {message}")));
    }
    let instance = read(&folder)?;
    // Should this process be killed before the word is through, it goes too.
    let word = format!("{DETACH}\n");
    leash.write_all(word.as_bytes()).await.map_err(LocalError::io("detach from", &folder))?;
    Ok(instance)
}

/// What the background process does: everything, until it is asked to end.
///
/// # Errors
/// What the start says; the parent has been told then.
pub async fn serve(places: Places, folder: &Path, connect: &dyn Connect) -> Result<(), Error> {
    let order = folder.join("order.json");
    let text = fs::read(&order).map_err(LocalError::io("read", &order))?;
    let order: Order = serde_json::from_slice(&text).map_err(|error| instance_error(error.to_string()))?;
    let mut end = listen(folder)?;
    let options = LocalAwsOptions { port: order.port, ..LocalAwsOptions::new(places, &order.region) };
    let mut told = String::new();
    let mut report = |progress: Progress| {
        if progress.what != told && !progress.what.is_empty() {
            told.clone_from(&progress.what);
            tell(&Event::Step(progress.what));
        }
    };
    let started = tokio::select! {
        started = LocalAws::start(options, connect, &mut report) => started,
        _ = end.recv() => return Ok(()),
    };
    let aws = match started {
        Ok(aws) => aws,
        Err(error) => {
            tell(&Event::Failed(error.to_string()));
            return Err(error);
        }
    };
    let written = write(folder, &order.name, aws.access());
    if written.is_ok() {
        tell(&Event::Ready);
        let _ = end.recv().await;
    }
    aws.stop().await;
    let _ = fs::remove_dir_all(folder);
    written
}

fn write(folder: &Path, name: &str, access: &Access) -> Result<(), Error> {
    let process = Identity::own().ok_or_else(|| instance_error("this process cannot be seen".to_owned()))?;
    let instance =
        AwsInstance { name: name.to_owned(), access: access.clone(), folder: folder.to_path_buf(), process };
    let text = serde_json::to_string_pretty(&instance).map_err(|error| instance_error(error.to_string()))?;
    Ok(pki::write(&folder.join(RECORD), &text)?)
}

/// Whatever may ask us to end: the closed standard input, unless we were detached from it, and signals.
fn listen(folder: &Path) -> Result<tokio::sync::mpsc::UnboundedReceiver<()>, Error> {
    let (wish, wishes) = tokio::sync::mpsc::unbounded_channel();
    let closed = wish.clone();
    // A thread of the standard library's: tokio's would keep the runtime from ending while it waits for input.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            match line {
                Ok(line) if line.trim() == DETACH => return,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let _ = closed.send(());
    });
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()] {
        let mut stream = signal(kind).map_err(LocalError::io("listen for signals in", folder))?;
        let wish = wish.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _ = wish.send(());
            }
        });
    }
    // The terminal that started us may close; that is no reason to end.
    let mut hangup = signal(SignalKind::hangup()).map_err(LocalError::io("listen for signals in", folder))?;
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    Ok(wishes)
}

/// Those that run. What dead ones left is taken away; their control planes have ended with them.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(places: &Places) -> Result<Vec<AwsInstance>, Error> {
    let root = root(places);
    let listing = match fs::read_dir(&root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(LocalError::io("list", &root))?,
    };
    let mut found = Vec::new();
    for entry in listing.flatten() {
        // One that only starts has no record yet, and is its maker's.
        let Ok(instance) = read(&entry.path()) else { continue };
        if instance.process.is_alive() {
            found.push(instance);
        } else {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Takes one down with everything in it and waits until nothing is left.
///
/// # Errors
/// There is none of the name.
pub async fn down(places: &Places, name: &str) -> Result<(), Error> {
    let all = list(places)?;
    let Some(instance) = all.iter().find(|known| known.name == name) else {
        let known: Vec<_> = all.iter().map(|known| known.name.as_str()).collect();
        let known = if known.is_empty() {
            "none is running".to_owned()
        } else {
            format!("running: {}", known.join(", "))
        };
        return Err(instance_error(format!("there is no local AWS {name:?}; {known}.")));
    };
    instance.process.signal(Signal::SIGTERM);
    if !instance.process.gone_within(STOP_LIMIT).await {
        instance.process.signal(Signal::SIGKILL);
        instance.process.gone_within(Duration::from_secs(5)).await;
    }
    let _ = fs::remove_dir_all(&instance.folder);
    // Control planes whose supervisor has not finished are swept.
    Ok(crate::local::instance::sweep(places).await?)
}

fn read(folder: &Path) -> Result<AwsInstance, Error> {
    let path = folder.join(RECORD);
    let text = fs::read(&path).map_err(LocalError::io("read", &path))?;
    serde_json::from_slice(&text).map_err(|error| instance_error(format!("{}: {error}", path.display())))
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=40).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits { Ok(()) } else { Err(LocalError::InvalidName { name: name.to_owned() }.into()) }
}

fn instance_error(message: String) -> Error {
    Error::Instance { message }
}
