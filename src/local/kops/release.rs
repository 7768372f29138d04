//! The pinned versions of kops, in one table. A further one is a folder under `deploy/local/` and a row here.

use std::ops::RangeInclusive;

use super::error::Error;
use crate::local::release::{RELEASES, Release};

/// A version of kops and the Go module that it is built from.
#[derive(Debug)]
pub struct KopsRelease {
    /// Its version, without a `v`.
    pub version: &'static str,
    /// The minors of Kubernetes 1.x that it makes clusters of.
    pub minors: RangeInclusive<u32>,
    /// The Kubernetes that a cluster gets when nobody names one: a version that a control plane is built for.
    pub kubernetes: &'static str,
    pub(super) module: Release,
}

/// The versions that can be built, the default one first: the last whose clusters may still serve the APIs that
/// Kubernetes has removed since, and a current one.
pub static KOPS_RELEASES: &[KopsRelease] = &[
    KopsRelease {
        version: "1.28.5",
        minors: 23..=28,
        kubernetes: "1.24.17",
        module: Release {
            version: "kops-1.28.5",
            go_mod: include_str!("../../../deploy/local/kops-1.28.5/go.mod"),
            go_sum: include_str!("../../../deploy/local/kops-1.28.5/go.sum"),
            // Its golang.org/x/net links to names inside the runtime, which the linker refuses since Go 1.23.
            linker: &["-checklinkname=0"],
        },
    },
    KopsRelease {
        version: "1.36.0",
        minors: 31..=36,
        kubernetes: "1.35.4",
        module: Release {
            version: "kops-1.36.0",
            go_mod: include_str!("../../../deploy/local/kops-1.36.0/go.mod"),
            go_sum: include_str!("../../../deploy/local/kops-1.36.0/go.sum"),
            linker: &[],
        },
    },
];

impl KopsRelease {
    /// Finds a version: `1.28.5` or `v1.28.5`.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`] with the known ones.
    pub fn find(asked: &str) -> Result<&'static KopsRelease, Error> {
        let bare = asked.strip_prefix('v').unwrap_or(asked);
        KOPS_RELEASES
            .iter()
            .find(|release| release.version == bare)
            .ok_or_else(|| unknown(format!("kops {asked}")))
    }

    /// The kops for clusters of a Kubernetes version.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`] where none makes such clusters.
    pub fn for_kubernetes(version: &str) -> Result<&'static KopsRelease, Error> {
        let minor = minor(version);
        KOPS_RELEASES
            .iter()
            .find(|release| minor.is_some_and(|minor| release.minors.contains(&minor)))
            .ok_or_else(|| unknown(format!("a kops for Kubernetes {version}")))
    }
}

fn unknown(what: String) -> Error {
    let rows = KOPS_RELEASES.iter().map(|release| {
        let (first, last) = (release.minors.start(), release.minors.end());
        format!("kops {} for Kubernetes 1.{first} to 1.{last}", release.version)
    });
    Error::UnknownVersion { what, known: rows.collect::<Vec<_>>().join(", ") }
}

/// The control plane that serves clusters of a Kubernetes version: of its minor, else of the nearest one above that is
/// built.
///
/// # Errors
/// [`Error::UnknownVersion`] where none is new enough.
pub fn control_plane_for(version: &str) -> Result<&'static Release, Error> {
    let number = |release: &Release| minor(release.version).unwrap_or_default();
    let asked = minor(version);
    let newer = RELEASES.iter().filter(|release| asked.is_some_and(|asked| number(release) >= asked));
    newer.min_by_key(|release| number(release)).ok_or_else(|| Error::UnknownVersion {
        what: format!("a control plane for Kubernetes {version}"),
        known: RELEASES.iter().map(|release| release.version).collect::<Vec<_>>().join(", "),
    })
}

/// The minor of a version of Kubernetes 1.x: 24 of `v1.24.17` and of `1.24`.
fn minor(version: &str) -> Option<u32> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
    (parts.next() == Some("1")).then_some(())?;
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_finds_its_kops_and_its_control_plane() {
        assert_eq!(KopsRelease::for_kubernetes("v1.24.17").unwrap().version, "1.28.5");
        assert_eq!(KopsRelease::for_kubernetes("1.33.2").unwrap().version, "1.36.0");
        let error = KopsRelease::for_kubernetes("1.19.16").unwrap_err().to_string();
        assert!(error.contains("1.19.16") && error.contains("1.23 to 1.28"), "{error}");
        assert_eq!(control_plane_for("1.23.17").unwrap().version, "v1.24.17");
        assert_eq!(control_plane_for("1.24.17").unwrap().version, "v1.24.17");
        assert_eq!(control_plane_for("v1.31.0").unwrap().version, "v1.35.4");
        assert!(control_plane_for("2.0").is_err());
    }

    #[test]
    fn every_row_pins_its_own_kops_and_has_a_control_plane() {
        for release in KOPS_RELEASES {
            assert_eq!(release.module.required("k8s.io/kops"), Some(&*format!("v{}", release.version)));
            assert!(release.module.go_mod.contains("k8s.io/kops/cmd/kops"));
            assert!(release.minors.contains(&minor(release.kubernetes).unwrap()));
            assert_eq!(control_plane_for(release.kubernetes).unwrap().version[1..], *release.kubernetes);
        }
        assert!(KopsRelease::find("v1.36.0").is_ok() && KopsRelease::find("1.36").is_err());
    }
}
