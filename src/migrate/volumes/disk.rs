//! EBS volumes and snapshots as EC2 describes them.

use super::super::decommission::{flag, list, tags, text};
use super::tags::{MIGRATION_TAG, RUN_TAG, VOLUME_TAG};
use crate::model::cloud::{Call, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An EBS volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// `vol-…`.
    pub id: String,
    /// Availability zone.
    pub zone: String,
    /// `creating`, `available`, `in-use`, `deleting`, `deleted` or `error` (EC2 `VolumeState`).
    pub state: String,
    /// `gp3`, `io2`…
    pub kind: String,
    /// ARN of the key of an encrypted volume.
    pub key: Option<String>,
    /// Whether several instances can have it at once.
    pub multi_attach: bool,
    /// ARN of the Outpost that it lies on.
    pub outpost: Option<String>,
    /// Instances that it is attached to, by id, with the attachment's state (`attaching`, `attached`, `busy`, `detaching`).
    pub attachments: BTreeMap<String, String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A snapshot of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: String,
    /// Volume that it was taken of.
    pub volume: String,
    /// `pending`, `completed`, `error`, `recoverable` or `recovering` (EC2 `SnapshotState`).
    pub state: String,
    /// `37%`.
    pub progress: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// What EC2 says of a wave's volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disks {
    /// By id.
    pub volumes: BTreeMap<String, Disk>,
    /// Those that the migration took.
    pub snapshots: Vec<Snapshot>,
}

impl Disks {
    /// The calls whose answers [`Disks::read`] takes, for volumes by their ids. A filter asks, and not an id: one volume
    /// that is gone would be an error for all of them.
    #[must_use]
    pub fn calls(ids: &[String], migration: &str) -> Vec<Call> {
        vec![
            Call::new(
                Service::Ec2,
                "DescribeVolumes",
                json!({"Filters": [{"Name": "volume-id", "Values": ids}]}),
            ),
            Call::new(
                Service::Ec2,
                "DescribeSnapshots",
                json!({"OwnerIds": ["self"],
                    "Filters": [{"Name": format!("tag:{MIGRATION_TAG}"), "Values": [migration]}]}),
            ),
        ]
    }

    /// Reads answers of DescribeVolumes and DescribeSnapshots, in the names of the model or of the XML.
    #[must_use]
    pub fn read(volumes: &Value, snapshots: &Value) -> Self {
        let volumes = list(volumes, &["Volumes"]).into_iter().filter_map(disk);
        Self {
            volumes: volumes.map(|disk| (disk.id.clone(), disk)).collect(),
            snapshots: list(snapshots, &["Snapshots", "SnapshotSet"])
                .into_iter()
                .filter_map(snapshot)
                .collect(),
        }
    }

    /// The snapshot that this run of a migration took of a volume: the best one, if a lost answer made two.
    pub(super) fn snapshot(&self, migration: &str, run: &str, volume: &str) -> Option<&Snapshot> {
        let has = |snapshot: &Snapshot, key: &str, value: &str| {
            snapshot.tags.get(key).is_some_and(|found| found == value)
        };
        self.snapshots
            .iter()
            .filter(|snapshot| {
                has(snapshot, MIGRATION_TAG, migration)
                    && has(snapshot, RUN_TAG, run)
                    && has(snapshot, VOLUME_TAG, volume)
            })
            .min_by_key(|snapshot| (rank(&snapshot.state), snapshot.id.clone()))
    }
}

fn rank(state: &str) -> u8 {
    match state {
        "completed" => 0,
        "error" => 2,
        _ => 1,
    }
}

fn owned(tags: &BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The state of a volume, a snapshot or an attachment: `State` in the model, `status` in the XML.
fn state(value: &Value) -> String {
    text(value, "Status").or_else(|| text(value, "State")).unwrap_or_default().to_owned()
}

fn disk(value: &Value) -> Option<Disk> {
    let own = |name| text(value, name).map(str::to_owned);
    Some(Disk {
        id: own("VolumeId")?,
        zone: own("AvailabilityZone").unwrap_or_default(),
        state: state(value),
        kind: own("VolumeType").unwrap_or_default(),
        key: own("KmsKeyId"),
        multi_attach: flag(value, "MultiAttachEnabled"),
        outpost: own("OutpostArn"),
        attachments: list(value, &["Attachments"])
            .into_iter()
            .filter_map(|one| Some((text(one, "InstanceId")?.to_owned(), state(one))))
            .filter(|(_, state)| state != "detached")
            .collect(),
        tags: owned(&tags(value)),
    })
}

fn snapshot(value: &Value) -> Option<Snapshot> {
    let own = |name| text(value, name).map(str::to_owned);
    Some(Snapshot {
        id: own("SnapshotId")?,
        volume: own("VolumeId").unwrap_or_default(),
        state: state(value),
        progress: own("Progress").unwrap_or_default(),
        tags: owned(&tags(value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_name_things_are_read() {
        let model = json!({"Volumes": [{"VolumeId": "vol-1", "AvailabilityZone": "eu-west-1a", "State": "in-use",
            "VolumeType": "gp3", "Encrypted": true, "KmsKeyId": "arn:key", "MultiAttachEnabled": false,
            "Attachments": [{"InstanceId": "i-1", "State": "attached"}], "Tags": [{"Key": "a", "Value": "b"}]}]});
        let xml = json!({"volumeSet": [{"volumeId": "vol-1", "availabilityZone": "eu-west-1a", "status": "in-use",
            "volumeType": "gp3", "encrypted": "true", "kmsKeyId": "arn:key", "multiAttachEnabled": "false",
            "attachmentSet": [{"instanceId": "i-1", "status": "attached"}], "tagSet": [{"key": "a", "value": "b"}]}]});
        let none = json!({"snapshotSet": ""});
        assert_eq!(Disks::read(&model, &none), Disks::read(&xml, &none));
        let disk = &Disks::read(&xml, &none).volumes["vol-1"];
        assert_eq!((disk.state.as_str(), disk.attachments["i-1"].as_str()), ("in-use", "attached"));
        assert_eq!((disk.key.as_deref(), disk.tags["a"].as_str()), (Some("arn:key"), "b"));
    }

    #[test]
    fn a_snapshot_is_of_its_run_and_a_whole_one_counts_first() {
        let of = |id: &str, run: &str, state: &str| {
            let tags = [(MIGRATION_TAG, "shop"), (RUN_TAG, run), (VOLUME_TAG, "vol-1")];
            Snapshot {
                id: id.into(),
                volume: "vol-1".into(),
                state: state.into(),
                tags: tags.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
                ..Snapshot::default()
            }
        };
        let disks = Disks {
            snapshots: vec![of("s1", "1", "completed"), of("s2", "2", "pending"), of("s3", "2", "completed")],
            ..Disks::default()
        };
        let found = |run| disks.snapshot("shop", run, "vol-1").map(|snapshot| snapshot.id.as_str());
        assert_eq!((found("1"), found("2"), found("3")), (Some("s1"), Some("s3"), None));
    }
}
