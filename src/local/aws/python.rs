//! moto's installation: pinned packages from the Python index in an environment of their own, made once.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::error::Error;
use crate::local::build::{lock, remove};
use crate::local::error::Error as LocalError;
use crate::local::places::{Places, is_executable};
use crate::local::progress::{Meter, Phase, Report};

/// The packages, each at one version.
const REQUIREMENTS: &str = include_str!("../../../deploy/local/aws/requirements.txt");
/// The oldest Python that these packages run on.
const OLDEST: (u32, u32) = (3, 10);
/// How many lines of pip's output an error carries.
const TAIL: usize = 20;

/// An installation that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    folder: PathBuf,
    /// The interpreter to run.
    python: PathBuf,
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
        // Before the lock: whoever has no Python should hear so at once.
        let python = find_python(places).await?;
        fs::create_dir_all(&root).map_err(LocalError::io("create", &root))?;
        let _lock = lock(&root.join(".moto.lock"), report).await?;
        if let Some(found) = Installation::at(&target, places) {
            return Ok(found);
        }
        let staging = root.join(".moto.building");
        remove(&staging)?;
        let made = install(&python, &staging, report).await;
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
        let installation = |python: PathBuf, packages: Option<PathBuf>| Installation {
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
            return Some(installation(own, None));
        }
        let packages = folder.join("packages");
        let python = places.on_path("python3")?;
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
        let mut command = Command::new(&self.python);
        command.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env("PYTHONNOUSERSITE", "1");
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
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

async fn find_python(places: &Places) -> Result<PathBuf, Error> {
    let missing = |found: String| Error::NoPython { found };
    let python = places.on_path("python3").ok_or_else(|| missing("`python3` is not on PATH".to_owned()))?;
    let answer = Command::new(&python)
        .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(LocalError::io("run", &python))?;
    let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    let number = version.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match number {
        Some(number) if number >= OLDEST => Ok(python),
        _ => Err(missing(format!("{} is Python {version:?}", python.display()))),
    }
}

/// Installs into `folder`: an environment with `bin/python`, or where Debian has left the `venv` module incomplete,
/// the packages alone in `packages`, for the interpreter that is there.
async fn install(python: &Path, folder: &Path, report: Report<'_>) -> Result<(), Error> {
    let mut meter =
        Meter::new(Phase::Download, Some(REQUIREMENTS.lines().filter(|l| l.contains("==")).count()));
    meter.show("moto", report);
    fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
    let list = folder.join("requirements.txt");
    fs::write(&list, REQUIREMENTS).map_err(LocalError::io("write", &list))?;

    let path = |path: &Path| path.as_os_str().to_owned();
    let venv = run(python, ["-m".into(), "venv".into(), "--clear".into(), path(folder)], &mut |_| {}).await;
    // `--clear` empties the folder.
    fs::write(&list, REQUIREMENTS).map_err(LocalError::io("write", &list))?;
    let own = folder.join("bin").join("python");
    let (interpreter, place) = match venv {
        Ok(()) => (own, None),
        Err(no_venv) => {
            let pip = run(python, ["-m".into(), "pip".into(), "--version".into()], &mut |_| {}).await;
            if let Err(no_pip) = pip {
                return Err(Error::NoInstaller {
                    python: python.to_path_buf(),
                    tail: format!("{no_venv}\n{no_pip}"),
                });
            }
            // What the attempt left would be taken for an environment.
            for part in ["bin", "lib", "lib64", "include", "pyvenv.cfg"] {
                let part = folder.join(part);
                let _ = fs::remove_dir_all(&part).or_else(|_| fs::remove_file(&part));
            }
            (python.to_path_buf(), Some(folder.join("packages")))
        }
    };
    let mut arguments: Vec<_> =
        ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
            .map(Into::into)
            .to_vec();
    if let Some(place) = &place {
        arguments.extend(["--target".into(), path(place)]);
    }
    arguments.extend(["--requirement".into(), path(&list)]);
    run(&interpreter, arguments, &mut |line| match line.and_then(|line| line.strip_prefix("Collecting ")) {
        Some(package) => meter.step(package.split(' ').next().unwrap_or_default(), report),
        None => meter.again(report),
    })
    .await
    .map_err(|tail| Error::Install { folder: folder.to_path_buf(), tail })?;
    let packages = match place {
        Some(place) => place,
        None => site_packages(folder)?,
    };
    unpack_model(&packages, folder)
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
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut text)
            .map_err(LocalError::io("unpack", &packed))?;
        text
    };
    let target = model_in(folder);
    let place = target.parent().unwrap_or(folder);
    fs::create_dir_all(place).map_err(LocalError::io("create", place))?;
    Ok(fs::write(&target, text).map_err(LocalError::io("write", &target))?)
}

/// Runs Python, hands each line of its output to `on_line` (`None` for every second without one), and fails with the
/// last lines.
async fn run(
    python: &Path,
    arguments: impl IntoIterator<Item = std::ffi::OsString>,
    on_line: &mut (dyn FnMut(Option<&str>) + Send),
) -> Result<(), String> {
    let mut child = Command::new(python)
        .args(arguments)
        .env_remove("PYTHONHOME")
        .env_remove("PYTHONPATH")
        // Written for people, in the language of the terminal otherwise.
        .env("LC_ALL", "C.UTF-8")
        .env("PYTHONUNBUFFERED", OsStr::new("1"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot run {}: {error}", python.display()))?;
    let mut out = BufReader::new(child.stdout.take().expect("piped above")).lines();
    let mut errors = BufReader::new(child.stderr.take().expect("piped above")).lines();
    let mut tail = VecDeque::new();
    let (mut out_open, mut errors_open) = (true, true);
    while out_open || errors_open {
        let line = tokio::select! {
            line = out.next_line(), if out_open => line.ok().flatten().or_else(|| { out_open = false; None }),
            line = errors.next_line(), if errors_open => line.ok().flatten().or_else(|| { errors_open = false; None }),
            () = tokio::time::sleep(Duration::from_secs(1)) => None,
        };
        on_line(line.as_deref().map(str::trim));
        if let Some(line) = line {
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line);
        }
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(Vec::from(tail).join("\n")) }
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
