//! The folders of control planes: made, listed, taken down, and cleared of what dead ones left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::background;
use super::error::Error;
use super::pki::Pki;
use super::places::Places;
use super::process::Identity;
use super::records::Records;
use super::spec::Spec;

/// How long a supervisor may take to stop everything. Its own limits add up to less.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(40);

/// How long a maker may take from the folder to a running supervisor.
const BIRTH_LIMIT: Duration = Duration::from_secs(5);

/// A control plane as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The Kubernetes version with its `v`.
    pub version: String,
    /// The API server's URL.
    pub endpoint: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The certificate of its authority, PEM.
    pub certificate_authority: PathBuf,
    /// How many nodes it began with.
    pub nodes: u32,
    /// Its folder; the programs' output is below in `logs/`.
    pub folder: PathBuf,
    /// Whether it can be used.
    pub state: State,
}

/// What a control plane is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Not everything answers yet.
    Starting,
    /// It can be used.
    Ready,
    /// A program crashed again and again; the text says which, with the last lines of its log.
    Failed(String),
}

/// Makes the folder of a new instance, complete with its order, under its name in one step.
///
/// # Errors
/// [`Error::NameTaken`] when a living one has the name.
pub(crate) async fn create(places: &Places, spec: &Spec) -> Result<PathBuf, Error> {
    background::check_name(&spec.name)?;
    sweep(places).await?;
    let fresh = places.instances.join(marker("new"));
    let logs = fresh.join("logs");
    fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
    Records::at(&fresh).write_order(Identity::own().as_ref(), spec)?;
    let folder = places.instances.join(&spec.name);
    match fs::rename(&fresh, &folder) {
        Ok(()) => Ok(folder),
        Err(error) => {
            let _ = fs::remove_dir_all(&fresh);
            match error.kind() {
                std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => {
                    Err(Error::NameTaken { name: spec.name.clone() })
                }
                _ => Err(Error::io("create", &folder)(error)),
            }
        }
    }
}

/// All control planes of this folder, by name. Takes away what dead ones left.
///
/// # Errors
/// When the folder cannot be read.
pub async fn list(places: &Places) -> Result<Vec<Instance>, Error> {
    sweep(places).await?;
    let mut instances = Vec::new();
    for folder in folders(places)? {
        let records = Records::at(&folder);
        // One that was taken down since we listed the folder has no records any more.
        let Ok(spec) = records.spec() else { continue };
        let state = match records.instance() {
            Ok(instance) => {
                instances.push(instance);
                continue;
            }
            // Written by another version of ours: it cannot be described, but it can be stopped.
            Err(error @ Error::Record { .. }) => State::Failed(error.to_string()),
            Err(_) => State::Starting,
        };
        instances.push(Instance {
            name: spec.name,
            version: spec.version,
            endpoint: String::new(),
            kubeconfig: folder.join("kubeconfig"),
            certificate_authority: Pki::at(&folder.join("pki")).ca_cert,
            nodes: spec.nodes,
            folder,
            state,
        });
    }
    Ok(instances)
}

/// One control plane by name.
///
/// # Errors
/// [`Error::NoSuchInstance`] with the names that there are.
pub async fn find(places: &Places, name: &str) -> Result<Instance, Error> {
    let mut instances = list(places).await?;
    match instances.iter().position(|instance| instance.name == name) {
        Some(index) => Ok(instances.swap_remove(index)),
        None => {
            let known = instances.into_iter().map(|instance| instance.name).collect();
            Err(Error::NoSuchInstance { name: name.to_owned(), known })
        }
    }
}

/// Stops a control plane and waits until no process and no folder of it is left.
///
/// # Errors
/// [`Error::NoSuchInstance`]; a failure to remove its folder.
pub async fn down(places: &Places, name: &str) -> Result<(), Error> {
    let folder = find(places, name).await?.folder;
    let records = Records::at(&folder);
    let since = Instant::now();
    let supervisor = loop {
        match records.supervisor() {
            Some(supervisor) => break supervisor,
            None if !folder.exists() => return Ok(()),
            // Only just made: its supervisor writes itself down as the first thing it does.
            None if since.elapsed() < BIRTH_LIMIT => tokio::time::sleep(Duration::from_millis(20)).await,
            None => {
                return Err(Error::TimedOut {
                    what: format!("the beginning of {name:?}"),
                    limit: BIRTH_LIMIT,
                    next: "Stop the process that starts it; its folder goes with the next `portolan local list`.".to_owned(),
                });
            }
        }
    };
    supervisor.signal(Signal::SIGTERM);
    if !supervisor.gone_within(STOP_LIMIT).await {
        supervisor.signal(Signal::SIGKILL);
        supervisor.gone_within(Duration::from_secs(5)).await;
    }
    bury(&folder).await
}

/// Takes away what dead supervisors left: their programs first, then the folders.
pub(crate) async fn sweep(places: &Places) -> Result<(), Error> {
    for folder in folders(places)? {
        if Records::at(&folder).is_stale() {
            bury(&folder).await?;
        }
    }
    // Half-made and half-removed folders of processes that died in the middle.
    for folder in hidden(places)? {
        let owner = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('-').nth(1));
        let alive = owner.and_then(|pid| pid.parse().ok()).is_some_and(|pid| Identity::of(pid).is_some());
        if !alive {
            remove(&folder)?;
        }
    }
    Ok(())
}

/// Kills what still runs of an instance and removes its folder.
async fn bury(folder: &Path) -> Result<(), Error> {
    for identity in Records::at(folder).processes().values() {
        identity.signal(Signal::SIGKILL);
        identity.gone_within(Duration::from_secs(5)).await;
    }
    discard(folder)
}

/// Removes a folder; renamed first, so that of two that clean up at once only one does, and nobody sees half of it.
pub(crate) fn discard(folder: &Path) -> Result<(), Error> {
    let doomed = folder.with_file_name(marker("gone"));
    match fs::rename(folder, &doomed) {
        Ok(()) => remove(&doomed),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("remove", folder)(error)),
    }
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// A hidden name that tells whose it is: `.new-<pid>-<number>`.
fn marker(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(".{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn folders(places: &Places) -> Result<Vec<PathBuf>, Error> {
    entries(places, |name| !name.starts_with('.'))
}

fn hidden(places: &Places) -> Result<Vec<PathBuf>, Error> {
    entries(places, |name| name.starts_with(".new-") || name.starts_with(".gone-"))
}

fn entries(places: &Places, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Error> {
    let root = &places.instances;
    let listing = match fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::io("list", root))?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(Error::io("list", root))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.file_name().to_str().is_some_and(&wanted)
        {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
