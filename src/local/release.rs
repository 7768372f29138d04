//! The pinned Kubernetes versions, in one table. A further version is a folder under `deploy/local/` and a line here.

use sha2::{Digest, Sha256};

use super::error::Error;
use super::programs::Program;

/// One Kubernetes version and the Go module that its programs are built from.
#[derive(Debug)]
pub struct Release {
    /// The version with its `v`, as Kubernetes writes it.
    pub version: &'static str,
    /// The module's go.mod: the tools, and every version pinned.
    pub(crate) go_mod: &'static str,
    /// The checksums of all that it pulls in.
    pub(crate) go_sum: &'static str,
    /// Linker flags that only this version needs.
    pub(crate) linker: &'static [&'static str],
}

/// The versions that can be built, the default one first.
pub static RELEASES: &[Release] = &[
    Release {
        version: "v1.36.3",
        go_mod: include_str!("../../deploy/local/v1.36.3/go.mod"),
        go_sum: include_str!("../../deploy/local/v1.36.3/go.sum"),
        linker: &[],
    },
    Release {
        version: "v1.35.4",
        go_mod: include_str!("../../deploy/local/v1.35.4/go.mod"),
        go_sum: include_str!("../../deploy/local/v1.35.4/go.sum"),
        linker: &[],
    },
    Release {
        version: "v1.24.17",
        go_mod: include_str!("../../deploy/local/v1.24.17/go.mod"),
        go_sum: include_str!("../../deploy/local/v1.24.17/go.sum"),
        // Its golang.org/x/net links to names inside the runtime, which the linker refuses since Go 1.23.
        linker: &["-checklinkname=0"],
    },
];

impl Release {
    /// The version that is used when nobody names one.
    pub fn default_release() -> &'static Release {
        &RELEASES[0]
    }

    /// Finds a version as people write it: `v1.36.3`, `1.36.3`, `v1.36` or `1.36`.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`] with the known ones.
    pub fn find(asked: &str) -> Result<&'static Release, Error> {
        let bare = asked.strip_prefix('v').unwrap_or(asked);
        RELEASES
            .iter()
            .find(|r| {
                let version = &r.version[1..];
                version == bare || version.rsplit_once('.').is_some_and(|(minor, _)| minor == bare)
            })
            .ok_or_else(|| Error::UnknownVersion {
                asked: asked.to_owned(),
                known: RELEASES.iter().map(|r| r.version).collect::<Vec<_>>().join(", "),
            })
    }

    /// The name of the folder in the cache: the version and the beginning of the hash over go.mod and go.sum,
    /// so that a changed pin never meets an old program.
    pub(crate) fn key(&self) -> String {
        let digest = Sha256::new().chain_update(self.go_mod).chain_update(self.go_sum).finalize();
        let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hex}", self.version)
    }

    /// Major and minor version, e.g. `("1", "36")`.
    pub fn major_minor(&self) -> (&'static str, &'static str) {
        let mut parts = self.version[1..].split('.');
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    }

    /// Whether the go.mod lists the program as a tool. What an older release lacks comes from the default one:
    /// etcd, KWOK, Kustomize and Helm need newer Kubernetes libraries than that release pins.
    pub(crate) fn builds(&self, program: Program) -> bool {
        self.go_mod.lines().any(|line| line.trim() == program.package())
    }

    /// The oldest Go that reads the go.mod, e.g. `1.26.0`.
    pub(crate) fn go_needed(&self) -> &'static str {
        self.go_mod.lines().find_map(|line| line.strip_prefix("go ")).unwrap_or("1.26.0").trim()
    }

    /// The version that go.mod requires of a module.
    pub(crate) fn required(&self, module: &str) -> Option<&'static str> {
        self.go_mod
            .lines()
            .filter(|line| !line.contains("=>"))
            .find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(' ')?.split(' ').next())
    }

    /// The value of Go's `-ldflags`: no symbol tables, and the versions that upstream's own build stamps in.
    ///
    /// Without the stamps the API server does not know its own version, and Helm answers for `.Capabilities` with
    /// a version of its own choice. (The variables: hack/lib/version.sh of Kubernetes, the Makefile of Helm.)
    pub(crate) fn ldflags(&self) -> String {
        let (major, minor) = self.major_minor();
        let mut flags = vec!["-s".to_owned(), "-w".to_owned()];
        flags.extend(self.linker.iter().map(|flag| (*flag).to_owned()));
        let mut stamp = |variable: &str, value: &str| flags.push(format!("-X {variable}={value}"));
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            stamp(&format!("{package}.gitVersion"), self.version);
            stamp(&format!("{package}.gitMajor"), major);
            stamp(&format!("{package}.gitMinor"), minor);
            stamp(&format!("{package}.gitTreeState"), "clean");
        }
        if let Some(helm) = self.required("helm.sh/helm/v3") {
            stamp("helm.sh/helm/v3/internal/version.version", helm);
        }
        for package in ["helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"] {
            stamp(&format!("{package}.k8sVersionMajor"), major);
            stamp(&format!("{package}.k8sVersionMinor"), minor);
        }
        flags.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_as_people_write_them() {
        for asked in ["v1.36.3", "1.36.3", "v1.36", "1.36"] {
            assert_eq!(Release::find(asked).unwrap().version, "v1.36.3", "{asked}");
        }
        for asked in ["v1.3", "1", "v1.36.4", "", "v1.36.3.1"] {
            let error = Release::find(asked).unwrap_err().to_string();
            assert!(error.contains("v1.36.3"), "{error}");
        }
    }

    #[test]
    fn every_release_pins_its_own_kubernetes_and_the_default_one_has_every_tool() {
        for program in Program::ALL {
            assert!(Release::default_release().builds(program), "{program:?}");
        }
        for release in RELEASES {
            assert_eq!(release.required("k8s.io/kubernetes"), Some(release.version));
            for program in
                [Program::ApiServer, Program::ControllerManager, Program::Scheduler, Program::Kubectl]
            {
                assert!(release.builds(program), "{}: {program:?}", release.version);
            }
            assert!(
                release.ldflags().contains(&format!("component-base/version.gitVersion={}", release.version))
            );
            assert!(release.go_needed().starts_with("1."));
        }
    }

    #[test]
    fn the_key_changes_with_either_file() {
        let base = Release { version: "v1.0.0", go_mod: "a", go_sum: "b", linker: &[] };
        let moved = Release { version: "v1.0.0", go_mod: "a", go_sum: "c", linker: &[] };
        assert_ne!(base.key(), moved.key());
        assert_eq!(base.key().len(), "v1.0.0-".len() + 12);
    }
}
