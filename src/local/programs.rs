//! The programs of a control plane, and where each of them comes from.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::build;
use super::error::Error;
use super::places::{Places, is_executable};
use super::progress::Report;
use super::release::Release;

/// An upstream program that we build and run, or hand to others to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// The store.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// KWOK, which plays the nodes and their kubelets.
    Kwok,
    /// kubectl.
    Kubectl,
    /// kustomize.
    Kustomize,
    /// helm.
    Helm,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 8] = [
        Program::Etcd,
        Program::ApiServer,
        Program::ControllerManager,
        Program::Scheduler,
        Program::Kwok,
        Program::Kubectl,
        Program::Kustomize,
        Program::Helm,
    ];

    /// The file name, as upstream's releases and `KUBEBUILDER_ASSETS` have it.
    pub fn file(self) -> &'static str {
        match self {
            Program::Etcd => "etcd",
            Program::ApiServer => "kube-apiserver",
            Program::ControllerManager => "kube-controller-manager",
            Program::Scheduler => "kube-scheduler",
            Program::Kwok => "kwok",
            Program::Kubectl => "kubectl",
            Program::Kustomize => "kustomize",
            Program::Helm => "helm",
        }
    }

    /// The Go package that it is built from.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Program::Etcd => "go.etcd.io/etcd/server/v3",
            Program::ApiServer => "k8s.io/kubernetes/cmd/kube-apiserver",
            Program::ControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Program::Scheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
            Program::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
            Program::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Program::Kustomize => "sigs.k8s.io/kustomize/kustomize/v5",
            Program::Helm => "helm.sh/helm/v3/cmd/helm",
        }
    }

    /// What `go install` calls it: the last part of the package that is not a major version.
    pub(crate) fn installed_as(self) -> &'static str {
        self.package()
            .rsplit('/')
            .find(|part| !matches!(*part, "v2" | "v3" | "v4" | "v5"))
            .unwrap_or_default()
    }

    /// Whether the program's version has to be that of the cluster.
    fn follows_kubernetes(self) -> bool {
        !matches!(self, Program::Kwok | Program::Kustomize | Program::Helm)
    }
}

/// Where the programs are that make up and surround one control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Programs {
    /// etcd.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub kube_apiserver: PathBuf,
    /// kube-controller-manager.
    pub kube_controller_manager: PathBuf,
    /// kube-scheduler.
    pub kube_scheduler: PathBuf,
    /// KWOK.
    pub kwok: PathBuf,
    /// KWOK's Stage files: how nodes become Ready and how pods start, finish and go.
    pub kwok_stages: Vec<PathBuf>,
    /// kubectl.
    pub kubectl: PathBuf,
    /// kustomize.
    pub kustomize: PathBuf,
    /// helm.
    pub helm: PathBuf,
}

impl Programs {
    /// The path of one program.
    pub fn path(&self, program: Program) -> &Path {
        match program {
            Program::Etcd => &self.etcd,
            Program::ApiServer => &self.kube_apiserver,
            Program::ControllerManager => &self.kube_controller_manager,
            Program::Scheduler => &self.kube_scheduler,
            Program::Kwok => &self.kwok,
            Program::Kubectl => &self.kubectl,
            Program::Kustomize => &self.kustomize,
            Program::Helm => &self.helm,
        }
    }
}

/// Finds the programs for a version, as the environment says where; builds what is nowhere.
///
/// The order for each program is the folder that `KUBEBUILDER_ASSETS` names, the cache, Go. A first build takes
/// about five minutes of two cores, 1.5 GB of downloads and 4 GB of disk, most of it in Go's own caches.
///
/// # Errors
/// An unknown version, no Go, a failed download or build, a full disk: each says what to do.
pub async fn programs(version: &str, report: Report<'_>) -> Result<Programs, Error> {
    programs_in(&Places::from_env()?, Release::find(version)?, report).await
}

/// [`programs`] with explicit folders.
///
/// # Errors
/// As [`programs`].
pub async fn programs_in(
    places: &Places,
    release: &'static Release,
    report: Report<'_>,
) -> Result<Programs, Error> {
    let assets = Assets::look(places, release).await;
    let default = Release::default_release();
    for source in [release, default] {
        let wanted =
            Program::ALL.into_iter().filter(|program| source_of(*program, release).version == source.version);
        let missing: Vec<Program> = wanted.filter(|program| assets.find(*program).is_none()).collect();
        if !missing.is_empty() {
            build::ensure(places, source, &missing, report).await?;
        }
    }
    let find = |program: Program| {
        assets
            .find(program)
            .unwrap_or_else(|| built_path(&places.built(source_of(program, release)), program))
    };
    let kwok_stages = match assets.stages() {
        Some(stages) => stages,
        None => {
            build::ensure(places, default, &[Program::Kwok], report).await?;
            stage_files(&places.built(default).join("kwok"))?
        }
    };
    Ok(Programs {
        etcd: find(Program::Etcd),
        kube_apiserver: find(Program::ApiServer),
        kube_controller_manager: find(Program::ControllerManager),
        kube_scheduler: find(Program::Scheduler),
        kwok: find(Program::Kwok),
        kwok_stages,
        kubectl: find(Program::Kubectl),
        kustomize: find(Program::Kustomize),
        helm: find(Program::Helm),
    })
}

impl Release {
    /// Whether its API server is built already, so that a control plane of it starts in seconds.
    #[must_use]
    pub fn is_built(&self, places: &Places) -> bool {
        built_path(&places.built(self), Program::ApiServer).is_file()
    }
}

/// Where a program is below a version's folder in the cache.
pub(crate) fn built_path(folder: &Path, program: Program) -> PathBuf {
    folder.join("bin").join(program.file())
}

/// The release whose module builds the program: the asked one, or the default where the asked one has no such tool.
fn source_of(program: Program, release: &'static Release) -> &'static Release {
    if release.builds(program) { release } else { Release::default_release() }
}

fn stage_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The folder that the user names, and whether its Kubernetes programs fit the version that is asked for.
struct Assets {
    folder: Option<PathBuf>,
    fits: bool,
}

impl Assets {
    async fn look(places: &Places, release: &Release) -> Assets {
        let Some(folder) = places.assets.clone() else {
            return Assets { folder: None, fits: false };
        };
        let server = folder.join(Program::ApiServer.file());
        let answer = tokio::process::Command::new(&server).arg("--version").kill_on_drop(true).output().await;
        // "Kubernetes v1.36.0": a patch more or less is what people mean, another minor is not.
        let (major, minor) = release.major_minor();
        let fits = answer.is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .starts_with(&format!("Kubernetes v{major}.{minor}."))
        });
        Assets { folder: Some(folder), fits }
    }

    fn find(&self, program: Program) -> Option<PathBuf> {
        let file = self.folder.as_ref()?.join(program.file());
        (is_executable(&file) && (self.fits || !program.follows_kubernetes())).then_some(file)
    }

    /// Stage files beside the programs, in `kwok/`.
    fn stages(&self) -> Option<Vec<PathBuf>> {
        stage_files(&self.folder.as_ref()?.join("kwok")).ok().filter(|files| !files.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_installs_under_the_last_part_that_is_no_version() {
        assert_eq!(Program::Etcd.installed_as(), "server");
        assert_eq!(Program::Kustomize.installed_as(), "kustomize");
        assert_eq!(Program::ApiServer.installed_as(), "kube-apiserver");
    }
}
