//! The kops program, built once by the ordinary Go client.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::release::KopsRelease;
use crate::local::build::{lock, remove};
use crate::local::error::Error as LocalError;
use crate::local::go::Go;
use crate::local::places::{Places, is_executable};
use crate::local::progress::Report;

/// What is kept of the module beside the program: which Kubernetes and which images kops recommends.
const CHANNELS: [&str; 2] = ["stable", "alpha"];

/// A kops that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The program.
    pub program: PathBuf,
    /// A folder with its channels, `stable` and `alpha`, as they were when it was released.
    pub channels: PathBuf,
}

impl Installed {
    fn at(folder: &Path) -> Installed {
        Installed { program: folder.join("bin").join("kops"), channels: folder.join("channels") }
    }

    fn is_complete(&self) -> bool {
        is_executable(&self.program) && CHANNELS.iter().all(|name| self.channels.join(name).is_file())
    }
}

/// Finds kops in the cache, or builds it under a lock while telling how far it is: some four minutes of two cores.
///
/// # Errors
/// No Go, a failed download or build, a full disk: each says what to do.
pub async fn installed(
    places: &Places,
    release: &'static KopsRelease,
    report: Report<'_>,
) -> Result<Installed, Error> {
    let target = folder(places, release);
    let found = Installed::at(&target);
    if found.is_complete() {
        return Ok(found);
    }
    let module = &release.module;
    let go = Go::find(places, module.version, module.go_needed(), "kops").await?;
    let root = places.cache.join("kops");
    fs::create_dir_all(&root).map_err(LocalError::io("create", &root))?;
    let _lock = lock(&root.join(format!(".{}.lock", module.key())), report).await?;
    if found.is_complete() {
        return Ok(found);
    }
    // The name is fixed, so what a killed build left behind is swept away here; the lock makes it ours.
    let staging = root.join(format!(".{}.building", module.key()));
    remove(&staging)?;
    if let Err(error) = build(&go, release, &staging, report).await {
        // The error at hand matters more than a folder that the next build removes anyway.
        let _ = fs::remove_dir_all(&staging);
        return Err(error.into());
    }
    remove(&target)?;
    fs::rename(&staging, &target).map_err(LocalError::io("install", &target))?;
    Ok(found)
}

impl KopsRelease {
    /// Whether it lies ready in the cache: whoever would have to build it first can say so.
    #[must_use]
    pub fn is_built(&self, places: &Places) -> bool {
        Installed::at(&folder(places, self)).is_complete()
    }
}

fn folder(places: &Places, release: &KopsRelease) -> PathBuf {
    places.cache.join("kops").join(release.module.key())
}

async fn build(
    go: &Go,
    release: &'static KopsRelease,
    staging: &Path,
    report: Report<'_>,
) -> Result<(), LocalError> {
    let module = &release.module;
    let parts = Installed::at(staging);
    let bin = staging.join("bin");
    for folder in [&bin, &parts.channels] {
        fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
    }
    for (name, text) in [("go.mod", module.go_mod), ("go.sum", module.go_sum)] {
        let path = staging.join(name);
        fs::write(&path, text).map_err(LocalError::io("write", &path))?;
    }
    let packages = go.packages(staging, report).await?;
    let flags: Vec<&str> = ["-s", "-w"].into_iter().chain(module.linker.iter().copied()).collect();
    go.install(staging, &bin, &flags.join(" "), packages, report).await?;
    let sources = go.module_folder(staging, "k8s.io/kops").await?;
    for name in CHANNELS {
        let path = sources.join("channels").join(name);
        let text = fs::read(&path).map_err(LocalError::io("read", &path))?;
        let copy = parts.channels.join(name);
        fs::write(&copy, text).map_err(LocalError::io("write", &copy))?;
    }
    Ok(())
}
