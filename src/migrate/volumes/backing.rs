//! What a volume is of, and so how it changes sides.

use crate::model::Object;
use serde_json::Value;

/// The EBS driver's name.
pub(super) const EBS_DRIVER: &str = "ebs.csi.aws.com";

/// What is behind a PersistentVolume, or behind a volume that a pod names itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backing {
    /// An EBS volume: attached in its zone, to one side at a time.
    Ebs {
        /// `vol-…`, whatever the object writes around it.
        volume: String,
        /// Whether the in-tree plugin's field names it (`awsElasticBlockStore`).
        in_tree: bool,
        /// Zone, where the object tells it.
        zone: Option<String>,
    },
    /// A file system in the network that both sides can mount: its driver, or the kind of it.
    Shared(String),
    /// A directory or a disk of one node.
    OfNode(&'static str),
    /// It lives as long as its pod.
    OfPod(&'static str),
    /// Another driver's.
    Foreign(String),
}

/// Drivers of file systems that are mounted by many.
const SHARED_DRIVERS: &[&str] =
    &["efs.csi.aws.com", "fsx.csi.aws.com", "fsx.openzfs.csi.aws.com", "nfs.csi.k8s.io", "s3.csi.aws.com"];
/// The same as kinds of volumes of Kubernetes itself.
const SHARED_KINDS: &[&str] = &["nfs", "cephfs", "glusterfs", "azureFile"];
/// Block devices in the network, which one node has at a time, and no API tells who.
const BLOCK_KINDS: &[&str] = &[
    "iscsi",
    "fc",
    "rbd",
    "vsphereVolume",
    "gcePersistentDisk",
    "azureDisk",
    "portworxVolume",
    "cinder",
    "quobyte",
    "scaleIO",
    "storageos",
    "flexVolume",
    "photonPersistentDisk",
    "flocker",
];

impl Backing {
    /// That of a PersistentVolume.
    #[must_use]
    pub fn of_volume(volume: &Object) -> Self {
        let spec = &volume.body()["spec"];
        let label = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"]
            .iter()
            .find_map(|key| volume.label(key));
        // A volume of several zones has them joined by `__` in its label.
        let zone =
            label.filter(|zone| !zone.contains("__")).map(str::to_owned).or_else(|| zone_of_affinity(spec));
        Self::of_source(spec, zone)
    }

    /// That of a volume in a pod's own list: `None` for what Kubernetes fills itself (ConfigMaps, Secrets, claims).
    #[must_use]
    pub fn of_pod_volume(volume: &Value) -> Option<Self> {
        const FILLED: &[&str] =
            &["configMap", "secret", "projected", "downwardAPI", "persistentVolumeClaim", "gitRepo", "image"];
        if FILLED.iter().any(|kind| volume.get(kind).is_some()) {
            return None;
        }
        if volume.get("ephemeral").is_some() {
            return Some(Self::OfPod("ephemeral"));
        }
        if volume.get("emptyDir").is_some() || volume.as_object().is_some_and(|fields| fields.len() == 1) {
            // A volume without a source is an empty directory.
            return Some(Self::OfPod("emptyDir"));
        }
        Some(Self::of_source(volume, None))
    }

    fn of_source(source: &Value, zone: Option<String>) -> Self {
        let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
        if let Some(in_tree) = source.get("awsElasticBlockStore") {
            let id = text(in_tree, "volumeID");
            // `aws://<zone>/vol-…` or `aws:///vol-…` (kubernetes#84844).
            let named = id
                .strip_prefix("aws://")
                .and_then(|rest| rest.split_once('/'))
                .map(|(zone, _)| zone.to_owned());
            return Self::Ebs {
                volume: bare(&id),
                in_tree: true,
                zone: zone.or(named).filter(|zone| !zone.is_empty()),
            };
        }
        if let Some(csi) = source.get("csi") {
            let driver = text(csi, "driver");
            if driver == EBS_DRIVER {
                return Self::Ebs { volume: bare(&text(csi, "volumeHandle")), in_tree: false, zone };
            }
            return if SHARED_DRIVERS.contains(&driver.as_str()) {
                Self::Shared(driver)
            } else {
                Self::Foreign(driver)
            };
        }
        if source.get("hostPath").is_some() {
            return Self::OfNode("hostPath");
        }
        if source.get("local").is_some() {
            return Self::OfNode("local");
        }
        if let Some(kind) = SHARED_KINDS.iter().find(|kind| source.get(**kind).is_some()) {
            return Self::Shared((*kind).to_owned());
        }
        let block = BLOCK_KINDS.iter().find(|kind| source.get(**kind).is_some());
        Self::Foreign(block.map_or_else(|| "unknown".to_owned(), |kind| (*kind).to_owned()))
    }

    /// The EBS volume's id.
    #[must_use]
    pub fn ebs(&self) -> Option<&str> {
        match self {
            Self::Ebs { volume, .. } => Some(volume),
            _ => None,
        }
    }
}

/// The id without what the in-tree plugin writes before it.
fn bare(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The zone that a volume's node affinity asks for, where it is one.
pub(super) fn zone_of_affinity(spec: &Value) -> Option<String> {
    const KEYS: &[&str] = &[
        "topology.kubernetes.io/zone",
        "topology.ebs.csi.aws.com/zone",
        "failure-domain.beta.kubernetes.io/zone",
    ];
    let terms = spec.pointer("/nodeAffinity/required/nodeSelectorTerms")?.as_array()?;
    let expressions = terms.iter().flat_map(|term| term["matchExpressions"].as_array().into_iter().flatten());
    let zones: std::collections::BTreeSet<&str> = expressions
        .filter(|expression| {
            expression["operator"] == "In" && KEYS.iter().any(|key| expression["key"] == *key)
        })
        .flat_map(|expression| {
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str)
        })
        .collect();
    (zones.len() == 1).then(|| zones.into_iter().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn backing(spec: Value) -> Backing {
        let object =
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec});
        Backing::of_volume(&Object::new(object).unwrap())
    }

    #[test]
    fn an_ebs_volume_is_known_however_it_is_written() {
        let affinity = json!({"required": {"nodeSelectorTerms": [{"matchExpressions":
            [{"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": ["eu-west-1b"]}]}]}});
        for (spec, zone) in [
            (json!({"awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-1"}}), Some("eu-west-1a")),
            (json!({"awsElasticBlockStore": {"volumeID": "aws:///vol-1"}}), None),
            (json!({"awsElasticBlockStore": {"volumeID": "vol-1"}}), None),
            (json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}}), None),
            (
                json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}, "nodeAffinity": affinity}),
                Some("eu-west-1b"),
            ),
        ] {
            let Backing::Ebs { volume, zone: found, .. } = backing(spec.clone()) else { panic!("{spec}") };
            assert_eq!((volume.as_str(), found.as_deref()), ("vol-1", zone), "{spec}");
        }
    }

    #[test]
    fn every_other_volume_has_its_kind() {
        assert_eq!(backing(json!({"nfs": {"server": "a", "path": "/"}})), Backing::Shared("nfs".into()));
        assert_eq!(
            backing(json!({"csi": {"driver": "efs.csi.aws.com"}})),
            Backing::Shared("efs.csi.aws.com".into())
        );
        assert_eq!(
            backing(json!({"csi": {"driver": "x.example.com"}})),
            Backing::Foreign("x.example.com".into())
        );
        assert_eq!(backing(json!({"iscsi": {}})), Backing::Foreign("iscsi".into()));
        assert_eq!(backing(json!({"hostPath": {"path": "/x"}})), Backing::OfNode("hostPath"));
        assert_eq!(backing(json!({"local": {"path": "/x"}})), Backing::OfNode("local"));
        let of_pod = |volume: Value| Backing::of_pod_volume(&volume);
        assert_eq!(of_pod(json!({"name": "a", "configMap": {"name": "x"}})), None);
        assert_eq!(of_pod(json!({"name": "a", "emptyDir": {}})), Some(Backing::OfPod("emptyDir")));
        assert_eq!(of_pod(json!({"name": "a"})), Some(Backing::OfPod("emptyDir")));
        assert_eq!(of_pod(json!({"name": "a", "ephemeral": {}})), Some(Backing::OfPod("ephemeral")));
        assert_eq!(
            of_pod(json!({"name": "a", "hostPath": {"path": "/x"}})),
            Some(Backing::OfNode("hostPath"))
        );
        assert!(
            of_pod(json!({"name": "a", "awsElasticBlockStore": {"volumeID": "vol-9"}}))
                .unwrap()
                .ebs()
                .is_some()
        );
    }
}
