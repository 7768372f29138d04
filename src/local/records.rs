//! What is written down in an instance's folder, for the supervisor and for other processes of ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::Error;
use super::instance::Instance;
use super::pki;
use super::process::Identity;
use super::programs::Program;
use super::spec::Spec;

/// The files of one instance's folder that are written down for others.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    pub(crate) folder: PathBuf,
}

impl Records {
    /// The records of a folder.
    pub(crate) fn at(folder: &Path) -> Records {
        Records { folder: folder.to_path_buf() }
    }

    /// Writes down who makes the folder, and the order to the supervisor.
    pub(crate) fn write_order(&self, creator: Option<&Identity>, spec: &Spec) -> Result<(), Error> {
        if let Some(creator) = creator {
            self.write("creator.json", creator)?;
        }
        self.write("spec.json", spec)
    }

    /// The order to the supervisor.
    pub(crate) fn spec(&self) -> Result<Spec, Error> {
        self.read("spec.json")
    }

    /// Writes down who takes it down from now on.
    pub(crate) fn write_supervisor(&self, identity: &Identity) -> Result<(), Error> {
        self.write("supervisor.json", identity)
    }

    /// Writes down what runs, after every change.
    pub(crate) fn write_processes(&self, processes: &BTreeMap<Program, Identity>) -> Result<(), Error> {
        self.write("processes.json", processes)
    }

    /// The running programs, as the supervisor wrote them down last.
    pub(crate) fn processes(&self) -> BTreeMap<Program, Identity> {
        self.read("processes.json").unwrap_or_default()
    }

    /// Writes down how others see it.
    pub(crate) fn write_instance(&self, instance: &Instance) -> Result<(), Error> {
        self.write("instance.json", instance)
    }

    /// How others see it, once it is ready.
    pub(crate) fn instance(&self) -> Result<Instance, Error> {
        self.read("instance.json")
    }

    /// Who takes it down.
    pub(crate) fn supervisor(&self) -> Option<Identity> {
        self.read("supervisor.json").ok()
    }

    /// Whether nobody is left who will take it down: the supervisor is gone, or its maker died before there was one.
    pub(crate) fn is_stale(&self) -> bool {
        let keeper = self.supervisor().or_else(|| self.read("creator.json").ok());
        !keeper.is_some_and(|keeper: Identity| keeper.is_alive())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let path = self.folder.join(name);
        let text = fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| Error::Record { path, detail: error.to_string() })
    }

    /// Replaces the file in one step, so that nobody reads half of it.
    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let path = self.folder.join(name);
        let fresh = self.folder.join(format!(".{name}.new"));
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Error::Record { path: path.clone(), detail: error.to_string() })?;
        pki::write(&fresh, &text)?;
        fs::rename(&fresh, &path).map_err(Error::io("replace", &path))
    }
}
