//! A local AWS that stays: started in the background, found again, taken down.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::local_aws::{Access, Connect, LocalAws, LocalAwsOptions};
use crate::local::background;
use crate::local::error::Error as LocalError;
use crate::local::pki;
use crate::local::places::Places;
use crate::local::process::Identity;
use crate::local::progress::Report;
use crate::local::spec::Event;
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

background::recorded!(AwsInstance);

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
    background::check_name(name)?;
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
    let order = background::Order {
        arguments,
        folder: &folder,
        log: LOG,
        start_limit: START_LIMIT,
        stop_limit: STOP_LIMIT,
    };
    if let Err(message) = background::launch(order, report).await? {
        let _ = fs::remove_dir_all(&folder);
        return Err(instance_error(format!("the local AWS {name:?} did not start: {message}")));
    }
    read(&folder)
}

/// What the background process does: everything, until it is asked to end.
///
/// # Errors
/// What the start says; the parent has been told then.
pub async fn serve(places: Places, folder: &Path, connect: &dyn Connect) -> Result<(), Error> {
    let order = folder.join("order.json");
    let text = fs::read(&order).map_err(LocalError::io("read", &order))?;
    let order: Order = serde_json::from_slice(&text).map_err(|error| instance_error(error.to_string()))?;
    let mut end = background::wishes_to_end(folder)?;
    let options = LocalAwsOptions { port: order.port, ..LocalAwsOptions::new(places, &order.region) };
    let mut report = background::steps();
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

/// Those that run. What dead ones left is taken away; their control planes have ended with them.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(places: &Places) -> Result<Vec<AwsInstance>, Error> {
    Ok(background::running(&root(places), RECORD)?)
}

/// Takes one down with everything in it and waits until nothing is left.
///
/// # Errors
/// There is none of the name.
pub async fn down(places: &Places, name: &str) -> Result<(), Error> {
    background::take_down(places, &list(places)?, name, STOP_LIMIT)
        .await?
        .map_err(|known| instance_error(format!("there is no local AWS {name:?}; {known}.")))
}

fn read(folder: &Path) -> Result<AwsInstance, Error> {
    let path = folder.join(RECORD);
    let text = fs::read(&path).map_err(LocalError::io("read", &path))?;
    serde_json::from_slice(&text).map_err(|error| instance_error(format!("{}: {error}", path.display())))
}

fn instance_error(message: String) -> Error {
    Error::Instance { message }
}
