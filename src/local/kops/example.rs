//! The demo's old cluster and what runs in it: two dozen workloads of all kinds, kept by different hands.

use tempfile::TempDir;

use super::addons::{kubectl, run};
use super::error::Error;
use crate::local::control_plane::ControlPlane;
use crate::local::error::Error as LocalError;
use crate::local::progress::{Meter, Phase, Report};

/// The cluster for kops: Cluster and InstanceGroups.
pub(super) const CLUSTER: &str = include_str!("../../../config/demo/migration/cluster.yaml");

/// Files that a person applies with kubectl: name and content.
const APPLIED: [(&str, &str); 4] = [
    ("access.yaml", include_str!("../../../config/demo/migration/access.yaml")),
    ("shop.yaml", include_str!("../../../config/demo/migration/shop.yaml")),
    ("payments.yaml", include_str!("../../../config/demo/migration/payments.yaml")),
    ("platform.yaml", include_str!("../../../config/demo/migration/platform.yaml")),
];
/// What Flux applies, server-side and under its controller's name.
const RECONCILED: (&str, &str) =
    ("loyalty.yaml", include_str!("../../../config/demo/migration/loyalty.yaml"));
/// A chart that somebody installs: its name, its namespace, its files.
const RELEASE: (&str, &str, [(&str, &str); 3]) = (
    "cache",
    "platform",
    [
        ("Chart.yaml", include_str!("../../../config/demo/migration/cache/Chart.yaml")),
        ("values.yaml", include_str!("../../../config/demo/migration/cache/values.yaml")),
        ("templates/cache.yaml", include_str!("../../../config/demo/migration/cache/templates/cache.yaml")),
    ],
);
/// How many workloads there are: Deployments, StatefulSets, DaemonSets, CronJobs and Jobs.
pub const WORKLOADS: usize = 24;
/// How often an object of a kind that another file brings is tried again.
const ATTEMPTS: u32 = 20;

/// What runs in the demo's old cluster.
#[derive(Clone, Copy, Debug)]
pub struct Example;

impl Example {
    /// Applies all of it: by `kubectl apply` as a person does, by server-side apply as Flux does, and as a Helm release.
    ///
    /// # Errors
    /// [`Error::Apply`] with the last words of what failed.
    pub async fn apply(control_plane: &ControlPlane, report: Report<'_>) -> Result<(), Error> {
        let mut meter = Meter::new(Phase::Start, Some(APPLIED.len() + 2));
        for (name, text) in APPLIED {
            apply(control_plane, name, &["apply", "-f", "-"], text).await?;
            meter.step(name, report);
        }
        let (name, text) = RECONCILED;
        let arguments = ["apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-"];
        apply(control_plane, name, &arguments, text).await?;
        meter.step(name, report);
        let (release, namespace, _) = RELEASE;
        let chart = write_chart()?;
        let folder = chart.path().display().to_string();
        let arguments = ["upgrade", "--install", release, &folder, "--namespace", namespace];
        let helm = &control_plane.programs().helm;
        run(helm, control_plane, &arguments, "")
            .await?
            .map_err(|tail| Error::Apply { what: format!("the Helm release {release}"), tail })?;
        meter.step(release, report);
        Ok(())
    }
}

async fn apply(
    control_plane: &ControlPlane,
    name: &str,
    arguments: &[&str],
    text: &str,
) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        match kubectl(control_plane, arguments, text).await? {
            Ok(_) => return Ok(()),
            // A kind that is served a moment later, a namespace whose service account is made.
            Err(_) if attempt < ATTEMPTS => attempt += 1,
            Err(tail) => return Err(Error::Apply { what: name.to_owned(), tail }),
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
}

fn write_chart() -> Result<TempDir, Error> {
    let folder = tempfile::tempdir().map_err(LocalError::io("create", std::env::temp_dir()))?;
    for (name, text) in RELEASE.2 {
        let path = folder.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(LocalError::io("create", parent))?;
        }
        std::fs::write(&path, text).map_err(LocalError::io("write", &path))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::kops::manifest::Manifest;

    #[test]
    fn there_are_two_dozen_workloads_of_every_kind() {
        let texts = APPLIED.iter().map(|(_, text)| *text).chain([RECONCILED.1]);
        let texts = texts.chain(RELEASE.2.iter().map(|(_, text)| *text));
        let lines: Vec<&str> = texts.flat_map(str::lines).collect();
        let count = |kind: &str| lines.iter().filter(|line| **line == format!("kind: {kind}")).count();
        let kinds = ["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"];
        assert!(kinds.iter().all(|kind| count(kind) > 0));
        assert_eq!(kinds.iter().map(|kind| count(kind)).sum::<usize>(), WORKLOADS);
        for removed in ["batch/v1beta1", "policy/v1beta1", "autoscaling/v2beta2"] {
            assert!(lines.contains(&&*format!("apiVersion: {removed}")), "{removed}");
        }
    }

    #[test]
    fn the_cluster_has_three_groups() {
        let manifest = Manifest::read(CLUSTER).unwrap();
        assert_eq!(manifest.name(), "old.shop.example.com");
        assert_eq!(CLUSTER.matches("kind: InstanceGroup").count(), 3);
        assert_eq!(CLUSTER.matches("maxPrice").count(), 1);
    }
}
