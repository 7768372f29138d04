//! moto's installation: pinned packages from the Python index in an environment of their own, made once.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::debian::{self, Debian};
use super::error::Error;
use super::interpreter::Interpreter;
use crate::local::build::{lock, remove};
use crate::local::error::Error as LocalError;
use crate::local::places::{Places, is_executable};
use crate::local::progress::{Meter, Phase, Report};
use crate::model::packed::unpack;

/// The packages, each at one version.
const REQUIREMENTS: &str = include_str!("../../../deploy/local/aws/requirements.txt");

/// An installation that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    folder: PathBuf,
    /// The interpreter to run.
    python: Interpreter,
    /// What goes into PYTHONPATH where the packages lie beside the interpreter's own.
    packages: Option<PathBuf>,
}

impl Installation {
    /// Finds it in the cache, or makes it under a lock while telling how far it is.
    ///
    /// # Errors
    /// No usable Python, nothing to install with, a failed download: each says what to do.
    pub(crate) async fn ensure(places: &Places, report: Report<'_>) -> Result<Installation, Error> {
        let root = places.cache.join("aws");
        let target = root.join(format!("moto-{}", key()));
        if let Some(found) = Installation::at(&target, places) {
            return Ok(found);
        }
        // Before the lock: whoever can have no Python should hear so at once.
        let source = Source::find(places).await?;
        fs::create_dir_all(&root).map_err(LocalError::io("create", &root))?;
        let _lock = lock(&root.join(".moto.lock"), report).await?;
        if let Some(found) = Installation::at(&target, places) {
            return Ok(found);
        }
        let staging = root.join(".moto.building");
        remove(&staging)?;
        let made = install(&source, &staging, report).await;
        if let Err(error) = made {
            // The error at hand matters more than a folder that the next attempt removes anyway.
            let _ = fs::remove_dir_all(&staging);
            return Err(error);
        }
        remove(&target)?;
        fs::rename(&staging, &target).map_err(LocalError::io("install", &target))?;
        Installation::at(&target, places).ok_or_else(|| Error::Install {
            folder: target,
            tail: "pip succeeded, but botocore's model of EKS is not where it should be".to_owned(),
        })
    }

    fn at(folder: &Path, places: &Places) -> Option<Installation> {
        let installation = |python: Interpreter, packages: Option<PathBuf>| Installation {
            folder: folder.to_path_buf(),
            python,
            packages,
        };
        if !model_in(folder).is_file() {
            return None;
        }
        // In an environment the interpreter is a link to the one it was made with, which may be gone.
        let own = folder.join("bin").join("python");
        if is_executable(&own) {
            return Some(installation(Interpreter::at(own), None));
        }
        let packages = folder.join("packages");
        let python = Interpreter::unpacked(&unpacked_in(folder))
            .or_else(|| places.on_path("python3").map(Interpreter::at))?;
        packages.is_dir().then(|| installation(python, Some(packages)))
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// botocore's model of the EKS API: shapes, operations, limits.
    pub(crate) fn service_model(&self) -> PathBuf {
        model_in(&self.folder)
    }

    /// A command that runs its interpreter, with nothing of the user's own Python in the way.
    pub(crate) fn python(&self) -> Command {
        let mut command = self.python.command();
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
        command
    }

    /// A command that runs pip: the interpreter's own, or the wheel that came with it.
    pub(crate) fn pip(&self) -> Command {
        let mut command = self.python.command();
        if let Some(wheel) =
            self.packages.as_ref().and_then(|_| debian::pip_wheel(&unpacked_in(&self.folder)))
        {
            command.env("PYTHONPATH", wheel);
        }
        command.args(["-m", "pip"]);
        command
    }

    /// Throws it away: the next [`Installation::ensure`] makes it anew.
    pub(crate) fn discard(self) -> Result<(), Error> {
        Ok(remove(&self.folder)?)
    }
}

fn model_in(folder: &Path) -> PathBuf {
    folder.join("eks").join("service-2.json")
}

/// Where Debian's packages are unpacked.
fn unpacked_in(folder: &Path) -> PathBuf {
    folder.join("debian")
}

/// The beginning of the hash over the list of packages: a changed pin never meets an old installation.
fn key() -> String {
    let digest = Sha256::digest(REQUIREMENTS);
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hex}", pinned("moto").unwrap_or_default())
}

/// The version that is pinned of a package.
fn pinned(package: &str) -> Option<&'static str> {
    REQUIREMENTS.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix("=="))
}

/// Where a Python may come from on this machine.
#[derive(Debug)]
struct Source {
    /// The machine's own, or why there is none.
    own: Result<Interpreter, Error>,
    /// The way to Debian's packages.
    debian: Option<Debian>,
}

impl Source {
    /// # Errors
    /// There is neither.
    async fn find(places: &Places) -> Result<Source, Error> {
        match (Interpreter::on_path(places).await, Debian::here(places)) {
            (Err(error), None) => Err(error),
            (own, debian) => Ok(Source { own, debian }),
        }
    }
}

/// An interpreter that can install packages.
struct Installer {
    python: Interpreter,
    /// pip's wheel, where the interpreter has no pip.
    pip: Option<PathBuf>,
    /// Where the packages go; `None`: into the interpreter's own environment.
    packages: Option<PathBuf>,
}

/// Installs into `folder`: an environment with `bin/python`; or where Debian has left the `venv` module incomplete, the
/// packages alone in `packages`, for the interpreter that is there; or with an interpreter of Debian's packages.
async fn install(source: &Source, folder: &Path, report: Report<'_>) -> Result<(), Error> {
    let mut meter =
        Meter::new(Phase::Download, Some(REQUIREMENTS.lines().filter(|l| l.contains("==")).count()));
    meter.show("moto", report);
    fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
    let installer = prepare(source, folder, &mut meter, report).await?;
    let list = folder.join("requirements.txt");
    fs::write(&list, REQUIREMENTS).map_err(LocalError::io("write", &list))?;
    let mut arguments: Vec<_> =
        ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
            .map(OsString::from)
            .to_vec();
    if let Some(place) = &installer.packages {
        arguments.extend(["--target".into(), place.as_os_str().to_owned()]);
    }
    arguments.extend(["--requirement".into(), list.as_os_str().to_owned()]);
    let mut shown = |line: Option<&str>| match line.and_then(|line| line.strip_prefix("Collecting ")) {
        Some(package) => meter.step(package.split(' ').next().unwrap_or_default(), report),
        None => meter.again(report),
    };
    let installed = installer.python.run(arguments, installer.pip.as_deref(), &mut shown).await;
    installed.map_err(|tail| Error::Install { folder: folder.to_path_buf(), tail })?;
    let packages = match installer.packages {
        Some(place) => place,
        None => site_packages(folder)?,
    };
    unpack_model(&packages, folder)
}

/// The best that there is: an environment, pip beside it, pip's wheel from Debian, all from Debian.
async fn prepare(
    source: &Source,
    folder: &Path,
    meter: &mut Meter,
    report: Report<'_>,
) -> Result<Installer, Error> {
    let (root, scratch) = (unpacked_in(folder), folder.join("apt"));
    let packages = Some(folder.join("packages"));
    let python = match (&source.own, &source.debian) {
        (Ok(python), _) => python,
        (Err(error), Some(debian)) => {
            let missing = |tail: String| Error::NoPython { found: found(error), tail };
            debian
                .unpack(debian::PYTHON, &root, &scratch, meter, report)
                .await
                .map_err(|tail| missing(format!("apt could not fetch one either:\n{tail}")))?;
            let lacking = || missing("apt fetched packages without `python3`".to_owned());
            let python = Interpreter::unpacked(&root).ok_or_else(lacking)?;
            python.check().await?;
            let pip = debian::pip_wheel(&root).ok_or_else(lacking)?;
            return Ok(Installer { python, pip: Some(pip), packages });
        }
        (Err(error), None) => return Err(Error::NoPython { found: found(error), tail: String::new() }),
    };
    let arguments = ["-m".into(), "venv".into(), "--clear".into(), folder.as_os_str().to_owned()];
    let Err(no_venv) = python.run(arguments, None, &mut |_| {}).await else {
        let own = Interpreter::at(folder.join("bin").join("python"));
        return Ok(Installer { python: own, pip: None, packages: None });
    };
    // What the attempt left would be taken for an environment.
    for part in ["bin", "lib", "lib64", "include", "pyvenv.cfg"] {
        let part = folder.join(part);
        let _ = fs::remove_dir_all(&part).or_else(|_| fs::remove_file(&part));
    }
    let version = ["-m", "pip", "--version"].map(OsString::from);
    let Err(no_pip) = python.run(version, None, &mut |_| {}).await else {
        return Ok(Installer { python: python.clone(), pip: None, packages });
    };
    let refused = || Error::NoInstaller {
        python: python.program().to_path_buf(),
        tail: format!("{no_venv}\n{no_pip}"),
    };
    let Some(debian) = &source.debian else { return Err(refused()) };
    debian
        .unpack(debian::PIP, &root, &scratch, meter, report)
        .await
        .map_err(|tail| Error::Install { folder: folder.to_path_buf(), tail })?;
    let pip = debian::pip_wheel(&root).ok_or_else(refused)?;
    Ok(Installer { python: python.clone(), pip: Some(pip), packages })
}

/// What was found instead of a Python.
fn found(error: &Error) -> String {
    match error {
        Error::NoPython { found, .. } => found.clone(),
        other => other.to_string(),
    }
}

/// Where an environment keeps its packages: `lib/python3.11/site-packages`.
fn site_packages(folder: &Path) -> Result<PathBuf, Error> {
    let lib = folder.join("lib");
    let listing = fs::read_dir(&lib).map_err(LocalError::io("list", &lib))?;
    let mut found = listing.flatten().map(|entry| entry.path().join("site-packages"));
    Ok(found.find(|path| path.is_dir()).unwrap_or(lib))
}

/// Unpacks the model, which botocore ships compressed, below the folder of its newest date.
fn unpack_model(packages: &Path, folder: &Path) -> Result<(), Error> {
    let models = packages.join("botocore").join("data").join("eks");
    let listing = fs::read_dir(&models).map_err(LocalError::io("list", &models))?;
    let newest = listing.flatten().map(|entry| entry.path()).max().unwrap_or(models);
    let plain = newest.join("service-2.json");
    let text = if plain.is_file() {
        fs::read(&plain).map_err(LocalError::io("read", &plain))?
    } else {
        let packed = newest.join("service-2.json.gz");
        let bytes = fs::read(&packed).map_err(LocalError::io("read", &packed))?;
        unpack(&bytes).map_err(LocalError::io("unpack", &packed))?
    };
    let target = model_in(folder);
    let place = target.parent().unwrap_or(folder);
    fs::create_dir_all(place).map_err(LocalError::io("create", place))?;
    Ok(fs::write(&target, text).map_err(LocalError::io("write", &target))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_pinned() {
        for package in ["moto", "boto3", "botocore", "Flask", "Werkzeug", "cryptography"] {
            assert!(pinned(package).is_some(), "{package}");
        }
        let loose: Vec<_> = REQUIREMENTS
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty() && !line.contains("=="))
            .collect();
        assert!(loose.is_empty(), "{loose:?}");
        assert!(key().starts_with("5.2.5-"));
    }
}
