//! Where things are: the cache, the running instances, a folder of ready-made programs, Go.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::Error;
use super::release::Release;

/// The folders and the environment that the local world works with.
///
/// Read from the environment once, at the edge ([`Places::from_env`]); tests fill it in by hand.
#[derive(Clone, Debug)]
pub struct Places {
    /// What is built once: `$PORTOLAN_CACHE`, else `$XDG_CACHE_HOME/portolan`, else `~/.cache/portolan`.
    pub cache: PathBuf,
    /// One folder per running control plane: `$PORTOLAN_LOCAL_DIR`, else `instances` in the cache.
    pub instances: PathBuf,
    /// A folder with programs that are used before ours: `$KUBEBUILDER_ASSETS`, as users of envtest have it.
    pub assets: Option<PathBuf>,
    /// Where `go` is looked for, in the form of `$PATH`.
    pub path: OsString,
    /// Variables to set for Go on top of our own environment.
    pub go_environment: Vec<(String, OsString)>,
}

impl Places {
    /// Reads the environment.
    ///
    /// # Errors
    /// [`Error::NoCacheFolder`] when no variable says where the cache may be.
    pub fn from_env() -> Result<Places, Error> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = folder("PORTOLAN_CACHE")
            .or_else(|| Some(folder("XDG_CACHE_HOME")?.join("portolan")))
            .or_else(|| Some(folder("HOME")?.join(".cache").join("portolan")))
            .ok_or(Error::NoCacheFolder)?;
        // Children run in folders of their own, so a relative path would mean something else to each.
        let absolute = |path: PathBuf| std::path::absolute(&path).map_err(Error::io("resolve", &path));
        let cache = absolute(cache)?;
        let instances = match folder("PORTOLAN_LOCAL_DIR") {
            Some(path) => absolute(path)?,
            None => cache.join("instances"),
        };
        Ok(Places {
            instances,
            assets: folder("KUBEBUILDER_ASSETS").map(absolute).transpose()?,
            path: std::env::var_os("PATH").unwrap_or_default(),
            go_environment: Vec::new(),
            cache,
        })
    }

    /// The folder that holds every version's programs.
    pub(crate) fn control_planes(&self) -> PathBuf {
        self.cache.join("control-plane")
    }

    /// The folder of one version's programs.
    pub(crate) fn built(&self, release: &Release) -> PathBuf {
        self.control_planes().join(release.key())
    }

    /// The first executable file of this name on `path`.
    pub(crate) fn on_path(&self, name: &str) -> Option<PathBuf> {
        // An empty entry means the working folder to a shell; a program from there is nobody's intention.
        let folders = std::env::split_paths(&self.path).filter(|folder| !folder.as_os_str().is_empty());
        folders.map(|folder| folder.join(name)).find(|file| is_executable(file))
    }
}

/// Whether the path is a file that somebody may execute.
pub(crate) fn is_executable(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
