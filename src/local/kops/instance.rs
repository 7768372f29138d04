//! A source cluster that stays: a local AWS and the cluster in it, started in the background, found again, taken down.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::example::Example;
use super::release::KopsRelease;
use super::source::{KopsSource, SourceOptions};
use crate::local::aws::{Access, Connect, LocalAws, LocalAwsOptions};
use crate::local::background;
use crate::local::error::Error as LocalError;
use crate::local::pki;
use crate::local::places::Places;
use crate::local::process::Identity;
use crate::local::progress::Report;
use crate::local::spec::Event;
use crate::local::supervise::tell;

/// How long it may take to start: kops, moto and the control plane are built or installed the first time.
const START_LIMIT: Duration = Duration::from_secs(1800);
/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(90);
const RECORD: &str = "kops.json";
const ORDER: &str = "order.json";
const LOG: &str = "kops.log";

/// A source cluster as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KopsInstance {
    /// Its name.
    pub name: String,
    /// The cluster's name for kops.
    pub cluster: String,
    /// The kops that made it: `1.28.5`.
    pub kops: String,
    /// The version of its control plane, with its `v`.
    pub version: String,
    /// Address of the state store: `s3://bucket`.
    pub state_store: String,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// How to reach the AWS that it lies in.
    pub access: Access,
    /// Its folder.
    pub folder: PathBuf,
    /// The process that it ends with.
    process: Identity,
}

background::recorded!(KopsInstance);

/// What somebody wants to have.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wish {
    /// Its name.
    pub name: String,
    /// Which kops; the one for the specification's Kubernetes by default.
    pub kops: Option<String>,
    /// One Cluster and its InstanceGroups, YAML; the demo's by default.
    pub specification: Option<String>,
    /// Region of the AWS. The demo's cluster lies in `eu-central-1`.
    pub region: String,
    /// Whether the demo's workloads are applied.
    pub workloads: bool,
}

fn root(places: &Places) -> PathBuf {
    // Hidden: what lies openly there are control planes.
    places.instances.join(".kops")
}

/// What its control plane is called among all others.
fn control_plane_name(name: &str) -> String {
    format!("kops-{name}")
}

/// Starts one in the background: `arguments` are those by which our program comes to [`serve`]; the folder is added.
///
/// # Errors
/// One of the name is there; what its start says.
pub async fn up(
    places: &Places,
    wish: &Wish,
    arguments: &[&str],
    report: Report<'_>,
) -> Result<KopsInstance, Error> {
    let name = &wish.name;
    background::check_name(&control_plane_name(name))?;
    if list(places)?.iter().any(|known| known.name == *name) {
        return Err(instance_error(format!(
            "the kops cluster {name:?} is there already. `portolan local kops list` shows it, `portolan local kops down \
             --name {name}` stops it."
        )));
    }
    let folder = root(places).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(LocalError::io("create", &folder))?;
    write(&folder.join(ORDER), wish)?;
    let order = background::Order {
        arguments,
        folder: &folder,
        log: LOG,
        start_limit: START_LIMIT,
        stop_limit: STOP_LIMIT,
    };
    if let Err(message) = background::launch(order, report).await? {
        let _ = fs::remove_dir_all(&folder);
        return Err(instance_error(format!("the kops cluster {name:?} did not start: {message}")));
    }
    read(&folder.join(RECORD))
}

/// What the background process does: everything, until it is asked to end.
///
/// # Errors
/// What the start says; the parent has been told then.
pub async fn serve(places: Places, folder: &Path, connect: &dyn Connect) -> Result<(), Error> {
    let wish: Wish = read(&folder.join(ORDER))?;
    let mut end = background::wishes_to_end(folder)?;
    let mut report = background::steps();
    let started = tokio::select! {
        started = start(&places, &wish, connect, &mut report) => started,
        _ = end.recv() => return Ok(()),
    };
    let (aws, source) = match started {
        Ok(started) => started,
        Err(error) => {
            tell(&Event::Failed(error.to_string()));
            return Err(error);
        }
    };
    let written = record(folder, &wish, &aws, &source);
    if written.is_ok() {
        tell(&Event::Ready);
        let _ = end.recv().await;
    }
    let stopped = source.stop().await;
    aws.stop().await;
    let _ = fs::remove_dir_all(folder);
    written.and(stopped)
}

async fn start(
    places: &Places,
    wish: &Wish,
    connect: &dyn Connect,
    report: Report<'_>,
) -> Result<(LocalAws, KopsSource), Error> {
    let release = wish.kops.as_deref().map(KopsRelease::find).transpose()?;
    let options = LocalAwsOptions::new(places.clone(), &wish.region);
    let aws = LocalAws::start(options, connect, report).await?;
    let options = SourceOptions {
        release,
        specification: wish.specification.clone(),
        name: Some(control_plane_name(&wish.name)),
        ..SourceOptions::new(places.clone())
    };
    let source = KopsSource::start(&aws, connect, options, report).await?;
    if wish.workloads {
        Example::apply(source.control_plane(), report).await?;
    }
    Ok((aws, source))
}

fn record(folder: &Path, wish: &Wish, aws: &LocalAws, source: &KopsSource) -> Result<(), Error> {
    let process = Identity::own().ok_or_else(|| instance_error("this process cannot be seen".to_owned()))?;
    let instance = KopsInstance {
        name: wish.name.clone(),
        cluster: source.cluster().to_owned(),
        kops: source.kops().release().version.to_owned(),
        version: source.control_plane().instance().version.clone(),
        state_store: source.kops().state_store(),
        kubeconfig: source.kubeconfig().to_path_buf(),
        access: aws.access().clone(),
        folder: folder.to_path_buf(),
        process,
    };
    write(&folder.join(RECORD), &instance)
}

/// Those that run. What dead ones left is taken away; their control planes have ended with them.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(places: &Places) -> Result<Vec<KopsInstance>, Error> {
    Ok(background::running(&root(places), RECORD)?)
}

/// Takes one down with the AWS that it lies in and waits until nothing is left.
///
/// # Errors
/// There is none of the name.
pub async fn down(places: &Places, name: &str) -> Result<(), Error> {
    background::take_down(places, &list(places)?, name, STOP_LIMIT)
        .await?
        .map_err(|known| instance_error(format!("there is no kops cluster {name:?}; {known}.")))
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| instance_error(error.to_string()))?;
    Ok(pki::write(path, &text)?)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read(path).map_err(LocalError::io("read", path))?;
    serde_json::from_slice(&text).map_err(|error| instance_error(format!("{}: {error}", path.display())))
}

fn instance_error(message: String) -> Error {
    Error::Instance { message }
}
