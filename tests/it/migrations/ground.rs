//! Two real API servers, kops' and EKS', in one account of moto: a wave with a volume and records, as it was made on the
//! source.

use super::outside::{Outside, Side};
use super::scene::{controller, shop, shop_with_state, stateful_document};
use crate::local_aws::lab::Lab;
use crate::support::control_plane::{kubectl_ok, kubectl_ok_with, options, places, start};
use portolan::local::{ControlPlane, Options};
use portolan::model::cloud::Service;
use portolan::model::migration::Stage;
use portolan::model::migration_document::{MigrationSpec, RecordSpec, RecordType};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const KEY: &str = "kubernetes.io/cluster/old.example.com";
const ZONE: &str = "eu-central-1a";
/// Longest wait for what controllers do.
const LIMIT: Duration = Duration::from_secs(180);

/// Everything around a move.
pub struct Ground {
    pub lab: Lab,
    pub old: ControlPlane,
    pub new: ControlPlane,
    pub outside: Outside,
    /// The hosted zone.
    pub zone: String,
    /// The volume of the database.
    pub volume: String,
    /// The source and the account before anything was moved.
    pub before: (Vec<Value>, Value),
    _folder: TempDir,
}

impl Ground {
    /// With so much of a wave without state beside it.
    pub async fn begin(more: Vec<Value>) -> Self {
        let lab = Lab::start(portolan::local::aws::Patience::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let places = places(&folder);
        let old = start(&places, Options { version: "1.24".into(), nodes: 1, ..options() }).await;
        let new = start(&places, Options { nodes: 1, ..options() }).await;
        for control_plane in [&old, &new] {
            // As the cloud provider and the EBS driver label them.
            let zones = ["topology.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone"]
                .map(|key| format!("{key}={ZONE}"));
            kubectl_ok(control_plane, &["label", "nodes", "--all", "--overwrite", &zones[0], &zones[1]])
                .await;
            // As the kubelet does: without it nothing is attached to a node by the controller.
            let attaches = "volumes.kubernetes.io/controller-managed-attach-detach=true";
            kubectl_ok(control_plane, &["annotate", "nodes", "--all", attaches]).await;
        }
        kubectl_ok_with(&new, &["apply", "-f", "-"], &controller().to_string()).await;
        let tags =
            json!([{"Key": "KubernetesCluster", "Value": "old.example.com"}, {"Key": KEY, "Value": "owned"}]);
        let made = json!({"AvailabilityZone": ZONE, "Size": 1, "VolumeType": "gp3",
            "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]});
        let volume = lab.ec2("CreateVolume", made).await["volumeId"].as_str().unwrap().to_owned();
        let outside = Outside::begin(&lab, [(Side::Source, &old), (Side::Target, &new)], ZONE).await;
        let mut items = objects(&volume);
        items.extend(more);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        kubectl_ok_with(&old, &["apply", "-f", "-"], &list).await;
        let zone = json!({"Name": "example.com", "CallerReference": "one"});
        let zone = lab.call(Service::Route53, "CreateHostedZone", zone).await;
        let zone = zone["HostedZone"]["Id"].as_str().unwrap().trim_start_matches("/hostedzone/").to_owned();
        let balancer = outside.balancer(Side::Source, "front").await;
        let sets = [
            json!({"Name": "shop.example.com.", "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": balancer.name}]}),
            json!({"Name": "www.example.com.", "Type": "A", "AliasTarget": {"HostedZoneId": balancer.zone,
                "DNSName": format!("{}.", balancer.name), "EvaluateTargetHealth": false}}),
        ];
        let changes: Vec<Value> =
            sets.iter().map(|set| json!({"Action": "CREATE", "ResourceRecordSet": set})).collect();
        let batch = json!({"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}});
        lab.call(Service::Route53, "ChangeResourceRecordSets", batch).await;
        outside.until_attached(&volume, Some(Side::Source)).await;
        let mut ground =
            Self { lab, old, new, outside, zone, volume, before: Default::default(), _folder: folder };
        ground.before = ground.seen().await;
        ground
    }

    /// What must be as it was before.
    pub async fn seen(&self) -> (Vec<Value>, Value) {
        (snapshot(&self.old).await, self.account().await)
    }

    /// The document, up to a stage.
    pub fn document(&self, stage: Stage) -> MigrationSpec {
        let mut spec = stateful_document(stage);
        spec.traffic.zone = Some(self.zone.clone());
        let alias = RecordSpec {
            name: "www.example.com".into(),
            kind: RecordType::A,
            ..spec.traffic.records[0].clone()
        };
        spec.traffic.records.push(alias);
        spec
    }

    /// Volumes with their tags, and the records of the zone.
    pub async fn account(&self) -> Value {
        let volumes = self.lab.ec2("DescribeVolumes", json!({})).await;
        let mut tags: Vec<String> = Vec::new();
        for volume in volumes["volumeSet"].as_array().unwrap() {
            let own = volume["tagSet"].as_array().into_iter().flatten();
            let named = |tag: &Value| format!("{} {}={}", volume["volumeId"], tag["key"], tag["value"]);
            tags.extend(own.filter(|tag| !tag["key"].as_str().unwrap().starts_with("aws:")).map(named));
        }
        tags.retain(|tag| tag.contains("ubernetes") || tag.contains("ebs.csi"));
        tags.sort();
        json!({"tags": tags, "records": self.records().await})
    }

    pub async fn records(&self) -> Vec<Value> {
        let zone = json!({"HostedZoneId": self.zone});
        let answer = self.lab.call(Service::Route53, "ListResourceRecordSets", zone).await;
        let mut sets = answer["ResourceRecordSets"].as_array().unwrap().clone();
        sets.retain(|set| set["Type"] != "NS" && set["Type"] != "SOA");
        sets.sort_by_key(ToString::to_string);
        sets
    }

    /// Snapshots of the volume.
    pub async fn snapshots(&self) -> usize {
        let snapshots = self.lab.ec2("DescribeSnapshots", json!({"OwnerIds": ["self"]})).await;
        let all = snapshots["snapshotSet"].as_array().unwrap().iter();
        all.filter(|snapshot| snapshot["volumeId"] == *self.volume).count()
    }

    /// Waits until nothing of the migration is on the target. Namespaces go in their own time.
    pub async fn until_target_is_empty(&self, at: &str) {
        let begun = Instant::now();
        loop {
            let left = kubectl_ok(&self.new, &["get", "namespaces,clusterroles,pv", "-o", "name"]).await;
            let named = ["shop", "namespace/portolan\n", "persistentvolume/"];
            if !named.iter().any(|name| left.contains(name)) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{at}: {left}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn end(self) {
        self.outside.end().await;
        self.old.stop().await.unwrap();
        self.new.stop().await.unwrap();
        self.lab.stop().await;
    }
}

/// Objects of the namespace and their volumes, as their authors see them.
async fn snapshot(control_plane: &ControlPlane) -> Vec<Value> {
    let mut objects = super::real::snapshot(control_plane).await;
    let kinds = ["statefulsets,persistentvolumeclaims", "persistentvolumes"];
    for kind in kinds {
        objects.extend(super::real::objects(control_plane, "shop", kind).await);
    }
    objects
}

/// One volume is enough where each step takes its time.
fn objects(volume: &str) -> Vec<Value> {
    let mut objects = shop_with_state();
    objects
        .retain(|object| object["metadata"]["name"] != "pv-0" && object["metadata"]["name"] != "data-db-0");
    let text = serde_json::to_string(&objects).unwrap();
    let text = text.replace("vol-1", volume).replace("data-db-1", "data-db-0").replace("pv-1", "pv-0");
    let mut objects: Vec<Value> = serde_json::from_str(&text).unwrap();
    for object in objects.iter_mut().filter(|object| object["kind"] == "StatefulSet") {
        object["spec"]["replicas"] = 1.into();
    }
    objects
}

/// Something of the kinds that are treated in their own way, for a wave in which every write is met.
pub fn small() -> Vec<Value> {
    let more = [
        ("ConfigMap", "settings"),
        ("Role", "reader"),
        ("RoleBinding", "web"),
        ("Deployment", "api"),
        ("Namespace", "shop"),
    ];
    let is_more = |object: &Value| {
        more.iter().any(|(kind, name)| object["kind"] == *kind && object["metadata"]["name"] == *name)
    };
    shop().into_iter().filter(|object| !is_more(object)).collect()
}
