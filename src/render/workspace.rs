//! A folder of one run: what the program may read, and nothing else of this machine.

use super::path;
use crate::model::SourceFile;
use crate::ports::renderer::RenderFailure;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How the folders' names begin; the process's id follows.
const PREFIX: &str = "render-";

/// A temporary folder that goes with this value.
pub(super) struct Workspace {
    folder: tempfile::TempDir,
    source: PathBuf,
}

impl Workspace {
    pub fn new(work_dir: &Path) -> Result<Self, RenderFailure> {
        fs::create_dir_all(work_dir).map_err(|error| failure(work_dir, &error))?;
        sweep(work_dir);
        let made =
            tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(work_dir);
        let folder = made.map_err(|error| failure(work_dir, &error))?;
        // Programs resolve links in paths, and compare.
        let root = folder.path().canonicalize().map_err(|error| failure(folder.path(), &error))?;
        let source = root.join("source");
        for folder in [&source, &root.join("home")] {
            fs::create_dir(folder).map_err(|error| failure(folder, &error))?;
        }
        Ok(Self { folder, source })
    }

    /// The folder that stands for the root of the repository.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Writes files of a folder of the repository, at the place they have there.
    pub fn export(&self, folder: &str, files: &[SourceFile]) -> Result<(), RenderFailure> {
        for file in files {
            // Names come from the repository; the port promises clean ones, and this is where a bad one would do harm.
            let clean =
                path::resolve(folder, &file.path).filter(|clean| *clean == path::join(folder, &file.path));
            let Some(clean) = clean.filter(|clean| !clean.is_empty() && !clean.contains('\0')) else {
                let message = "the name leads out of its folder; rename the file".into();
                return Err(RenderFailure { origin: path::join(folder, &file.path), message });
            };
            let target = self.source.join(clean);
            let parent = target.parent().unwrap_or(&self.source);
            let written = fs::create_dir_all(parent).and_then(|()| fs::write(&target, &file.content));
            written.map_err(|error| failure(&target, &error))?;
        }
        Ok(())
    }

    /// Writes a file that is not of the repository, and gives its path.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, RenderFailure> {
        let target = self.folder.path().join(name);
        fs::write(&target, content).map_err(|error| failure(&target, &error))?;
        Ok(target)
    }

    /// The whole environment of a program: its own home, no search path, no way to a network.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let home = self.source.with_file_name("home");
        let mut environment: Vec<(OsString, OsString)> = [
            ("HOME", ""),
            ("TMPDIR", ""),
            ("PATH", "bin"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_DATA_HOME", "data"),
            ("HELM_CONFIG_HOME", "config/helm"),
            ("HELM_CACHE_HOME", "cache/helm"),
            ("HELM_DATA_HOME", "data/helm"),
            ("HELM_PLUGINS", "plugins"),
            ("KUBECONFIG", "kubeconfig"),
        ]
        .map(|(name, below)| (name.into(), home.join(below).into()))
        .to_vec();
        let fixed = [
            ("HELM_NO_PLUGINS", "1"),
            ("LANG", "C.UTF-8"),
            ("TZ", "UTC"),
            // What would fetch all the same meets a closed port of this machine.
            ("HTTP_PROXY", "http://127.0.0.1:9"),
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            ("ALL_PROXY", "http://127.0.0.1:9"),
        ];
        environment.extend(fixed.map(|(name, value)| (name.into(), value.into())));
        environment
    }

    /// A program's words with this folder's path taken out: what is left are paths of the repository. Bounded, since
    /// programs repeat what they read.
    pub fn redact(&self, words: &str) -> String {
        const LONGEST: usize = 2_000;
        let source = self.source.display().to_string();
        let words = words.replace(&format!("{source}/"), "").replace(&source, ".");
        let words = words.replace(&self.source.with_file_name("").display().to_string(), "");
        let mut words = words.trim().to_owned();
        if words.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| words.is_char_boundary(*end)).unwrap_or(0);
            words.truncate(end);
            words.push_str(" …");
        }
        words
    }
}

/// Removes what killed processes left, once for each work folder: no process that runs has its id in those names, and
/// what carries our own id is from an earlier life in a container, where every process is number 1.
fn sweep(work_dir: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.insert(work_dir.to_owned()) {
        return;
    }
    for entry in fs::read_dir(work_dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        let is_left =
            process.is_some_and(|id| id == std::process::id() || !Path::new(&format!("/proc/{id}")).exists());
        if is_left {
            // What cannot be removed takes space and does no other harm.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn failure(path: &Path, error: &std::io::Error) -> RenderFailure {
    let message =
        format!("{}: {error}; look at the space and the rights of the daemon's data folder", path.display());
    RenderFailure { origin: "workspace".into(), message }
}
