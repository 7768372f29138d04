//! A part of the local world that stays: our own program once more, in the background, until somebody takes it down.
//!
//! It ends when its standard input closes (whoever started it is gone), unless it was told to stay, and on the usual
//! signals.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::crew::log_tail;
use super::error::Error;
use super::places::Places;
use super::process::{Identity, own_program};
use super::progress::{Meter, Phase, Progress, Report};
use super::spec::{DETACH, Event};
use super::supervise::tell;

/// After it was killed.
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// What to start.
pub(crate) struct Order<'a> {
    /// Arguments by which our program comes to what it is to do; the folder is added.
    pub(crate) arguments: &'a [&'a str],
    /// Its folder.
    pub(crate) folder: &'a Path,
    /// The file in it that takes its standard error.
    pub(crate) log: &'a str,
    /// How long it may take to be ready.
    pub(crate) start_limit: Duration,
    /// How long it may take to end when it is not.
    pub(crate) stop_limit: Duration,
}

/// Starts it and waits until it is ready; from then on it stays.
///
/// # Errors
/// The outer one: it could not be started. The inner one: its own words, why it does not come up.
pub(crate) async fn launch(order: Order<'_>, report: Report<'_>) -> Result<Result<(), String>, Error> {
    let log_path = order.folder.join(order.log);
    let log = File::create(&log_path).map_err(Error::io("create", &log_path))?;
    let program = own_program()?;
    let mut command = std::process::Command::new(&program);
    command
        .arg0("portolan")
        .args(order.arguments)
        .arg(order.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0);
    let mut child = Command::from(command).spawn().map_err(Error::io("run", &program))?;
    let mut leash = child.stdin.take().expect("piped above");
    let mut events = BufReader::new(child.stdout.take().expect("piped above")).lines();
    let mut meter = Meter::new(Phase::Start, None);
    let outcome = tokio::time::timeout(order.start_limit, async {
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
    if outcome.is_err() {
        drop(leash);
        let _ = tokio::time::timeout(order.stop_limit, child.wait()).await;
        return Ok(outcome);
    }
    // Should this process be killed before the word is through, it goes too.
    let word = format!("{DETACH}\n");
    leash.write_all(word.as_bytes()).await.map_err(Error::io("detach from", order.folder))?;
    Ok(Ok(()))
}

/// In the background process: whatever may ask it to end.
pub(crate) fn wishes_to_end(folder: &Path) -> Result<UnboundedReceiver<()>, Error> {
    let (wish, wishes) = unbounded_channel();
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
        let mut stream = signal(kind).map_err(Error::io("listen for signals in", folder))?;
        let wish = wish.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _ = wish.send(());
            }
        });
    }
    // The terminal that started us may close; that is no reason to end.
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::io("listen for signals in", folder))?;
    tokio::spawn(async move { while hangup.recv().await.is_some() {} });
    Ok(wishes)
}

/// In the background process: tells whoever started it each step once.
pub(crate) fn steps() -> impl FnMut(Progress) + Send {
    let mut told = String::new();
    move |progress: Progress| {
        if progress.what != told && !progress.what.is_empty() {
            told.clone_from(&progress.what);
            tell(&Event::Step(progress.what));
        }
    }
}

/// Ends a background process: asked first, killed when it takes too long.
pub(crate) async fn end(process: &Identity, limit: Duration) {
    process.signal(Signal::SIGTERM);
    if !process.gone_within(limit).await {
        process.signal(Signal::SIGKILL);
        process.gone_within(LAST_LIMIT).await;
    }
}

/// What a background process leaves in its folder, so that others find it.
pub(crate) trait Recorded: DeserializeOwned {
    /// Its name.
    fn name(&self) -> &str;
    /// Its folder.
    fn folder(&self) -> &Path;
    /// The process that it ends with.
    fn process(&self) -> &Identity;
}

/// [`Recorded`] for a record with the fields `name`, `folder` and `process`.
macro_rules! recorded {
    ($record:ty) => {
        impl $crate::local::background::Recorded for $record {
            fn name(&self) -> &str {
                &self.name
            }

            fn folder(&self) -> &std::path::Path {
                &self.folder
            }

            fn process(&self) -> &$crate::local::process::Identity {
                &self.process
            }
        }
    };
}
pub(crate) use recorded;

/// Those below `root` that run, by name. What dead ones left is taken away; their control planes have ended with them.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn running<T: Recorded>(root: &Path, record: &str) -> Result<Vec<T>, Error> {
    let listing = match fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io("list", root))?,
    };
    let mut found: Vec<T> = Vec::new();
    for entry in listing.flatten() {
        let text = fs::read(entry.path().join(record)).ok();
        // One that only starts has no record yet, and is its maker's.
        let Some(one) = text.and_then(|text| serde_json::from_slice::<T>(&text).ok()) else { continue };
        if one.process().is_alive() {
            found.push(one);
        } else {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    found.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(found)
}

/// Takes the one of a name down and waits until nothing is left.
///
/// # Errors
/// The outer one: of the sweep of its control planes. The inner one: none has the name, in words.
pub(crate) async fn take_down<T: Recorded>(
    places: &Places,
    all: &[T],
    name: &str,
    limit: Duration,
) -> Result<Result<(), String>, Error> {
    let Some(one) = all.iter().find(|known| known.name() == name) else {
        let known: Vec<_> = all.iter().map(Recorded::name).collect();
        return Ok(Err(match known.as_slice() {
            [] => "none is running".to_owned(),
            known => format!("running: {}", known.join(", ")),
        }));
    };
    end(one.process(), limit).await;
    let _ = fs::remove_dir_all(one.folder());
    // Control planes whose supervisor has not finished are swept.
    super::instance::sweep(places).await?;
    Ok(Ok(()))
}

/// Holds a name to what can be a folder and a label.
///
/// # Errors
/// [`Error::InvalidName`].
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=40).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if fits { Ok(()) } else { Err(Error::InvalidName { name: name.to_owned() }) }
}
