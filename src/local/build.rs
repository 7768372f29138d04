//! Building the programs with the ordinary Go client: once, under a lock, installed in one step.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use super::go::Go;
use super::places::{Places, is_executable};
use super::programs::{Program, built_path};
use super::progress::{Meter, Phase, Report};
use super::release::Release;

/// The folders of the KWOK module that hold the Stage files: nodes become Ready at once and keep their heartbeat,
/// pods become Ready at once, complete when they belong to a Job, and go when they are deleted.
const STAGES: [&str; 3] = ["node/fast", "node/heartbeat", "pod/fast"];

/// Makes sure that the release's folder in the cache has the programs `wanted`.
///
/// The folder appears by one rename when everything in it is complete, so whoever finds it may use it without a lock.
pub(crate) async fn ensure(
    places: &Places,
    release: &'static Release,
    wanted: &[Program],
    report: Report<'_>,
) -> Result<(), Error> {
    let target = places.built(release);
    if is_complete(&target, release) {
        return Ok(());
    }
    // Before the lock: whoever has no Go should hear so at once, not after somebody else's build.
    let missing = wanted.iter().map(|program| program.file()).collect::<Vec<_>>().join(", ");
    let go = Go::find(places, release.version, release.go_needed(), &missing).await?;
    let root = places.control_planes();
    fs::create_dir_all(&root).map_err(Error::io("create", &root))?;
    let _lock = lock(&root.join(format!(".{}.lock", release.key())), report).await?;
    if is_complete(&target, release) {
        return Ok(());
    }
    // The name is fixed, so what a killed build left behind is swept away here; the lock makes it ours.
    let staging = root.join(format!(".{}.building", release.key()));
    remove(&staging)?;
    let result = build(&go, release, &staging, &target, report).await;
    if result.is_err() {
        // The error at hand matters more than a folder that the next build removes anyway.
        let _ = fs::remove_dir_all(&staging);
    }
    result
}

async fn build(
    go: &Go,
    release: &'static Release,
    staging: &Path,
    target: &Path,
    report: Report<'_>,
) -> Result<(), Error> {
    let bin = staging.join("bin");
    fs::create_dir_all(&bin).map_err(Error::io("create", &bin))?;
    for (name, text) in [("go.mod", release.go_mod), ("go.sum", release.go_sum)] {
        let path = staging.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    let packages = go.packages(staging, report).await?;
    go.install(staging, &bin, &release.ldflags(), packages, report).await?;
    for program in Program::ALL.into_iter().filter(|program| release.builds(*program)) {
        let installed = bin.join(program.installed_as());
        let named = bin.join(program.file());
        if installed != named {
            fs::rename(&installed, &named).map_err(Error::io("rename", &installed))?;
        }
    }
    if release.builds(Program::Kwok) {
        let module = go.module_folder(staging, "sigs.k8s.io/kwok").await?;
        copy_stages(&module.join("kustomize").join("stage"), &staging.join("kwok"))?;
    }
    // An incomplete folder under the final name (somebody deleted a file in it) would make the rename fail.
    remove(target)?;
    fs::rename(staging, target).map_err(Error::io("install", target))
}

fn is_complete(folder: &Path, release: &Release) -> bool {
    let programs = Program::ALL.into_iter().filter(|program| release.builds(*program));
    programs.into_iter().all(|program| is_executable(&built_path(folder, program)))
        && (!release.builds(Program::Kwok) || folder.join("kwok").is_dir())
}

/// Copies the Stage files with plain permissions: the module cache is read-only and may be cleaned at any time.
fn copy_stages(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for stage in STAGES {
        let folder = from.join(stage);
        for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let path = entry.map_err(Error::io("list", &folder))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if name.ends_with(".yaml") && name != "kustomization.yaml" {
                let text = fs::read(&path).map_err(Error::io("read", &path))?;
                let copy: PathBuf = to.join(name);
                fs::write(&copy, text).map_err(Error::io("write", &copy))?;
            }
        }
    }
    Ok(())
}

/// Takes the lock, and says so when somebody else has it. Polls, because a blocked thread could not be cancelled.
pub(crate) async fn lock(path: &Path, report: Report<'_>) -> Result<File, Error> {
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut meter = Meter::new(Phase::Lock, None);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                meter.show("another process builds the same programs", report);
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path)(source)),
        }
    }
}

pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", folder)(error)),
        _ => Ok(()),
    }
}
