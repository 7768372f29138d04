//! Two clusters and EC2 as values: every step of a plan is made here with its preconditions, and controllers do the rest.

use portolan::migrate::volumes::{Disk, Disks, Input, Setting, Snapshot, Towards};
use portolan::model::Object;
use portolan::model::migration::{Effect, Gate, Outcome, Side};
use portolan::transform::{Context, transform_all};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub const CLUSTER: &str = "old.example.com";
pub const KEY: &str = "kubernetes.io/cluster/old.example.com";

/// A claim of the source as a test wants it.
#[derive(Clone, Debug)]
pub struct Want {
    pub name: String,
    pub in_tree: bool,
    pub policy: &'static str,
    pub tags: Vec<(&'static str, &'static str)>,
    /// No EBS volume but a file system in the network.
    pub shared: bool,
}

impl Want {
    pub fn new(name: &str) -> Want {
        Want {
            name: name.into(),
            in_tree: true,
            policy: "Delete",
            tags: vec![("KubernetesCluster", CLUSTER), (KEY, "owned")],
            shared: false,
        }
    }
}

/// The world.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub source: Vec<Value>,
    pub target: Vec<Value>,
    pub disks: Disks,
    /// Disks that a controller has deleted: their data is lost.
    pub lost: BTreeSet<String>,
    pub journal: BTreeMap<String, Vec<Effect>>,
    pub started: bool,
    pub approved: BTreeSet<String>,
    pub setting: Setting,
    pub prepared: Vec<Object>,
    clock: u64,
}

fn objects(values: &[Value]) -> Vec<Object> {
    values.iter().map(|value| Object::new(value.clone()).unwrap()).collect()
}

impl World {
    /// A source with these claims in use, each by a pod.
    pub fn new(wants: &[Want]) -> World {
        let mut world = World {
            setting: Setting {
                migration: "shop".into(),
                source_cluster: CLUSTER.into(),
                target_zones: BTreeSet::from(["eu-west-1a".to_owned()]),
                run: "1".into(),
                snapshot: true,
                ..Setting::default()
            },
            ..World::default()
        };
        for want in wants {
            world.add(want);
        }
        let context = Context::default();
        let relevant: Vec<Value> = world
            .source
            .iter()
            .filter(|object| {
                ["PersistentVolume", "PersistentVolumeClaim"].contains(&object["kind"].as_str().unwrap())
            })
            .cloned()
            .collect();
        let made = transform_all(&relevant, &context).into_iter().flat_map(|one| one.objects);
        world.prepared = objects(&made.collect::<Vec<_>>());
        world
    }

    fn add(&mut self, want: &Want) {
        let (name, volume, disk) = (&want.name, format!("pv-{}", want.name), format!("vol-{}", want.name));
        let mut spec = json!({
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "gp2",
            "persistentVolumeReclaimPolicy": want.policy,
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name, "namespace": "shop", "uid": format!("uid-{name}")},
        });
        let mut labels = json!({});
        if want.shared {
            spec["nfs"] = json!({"server": "nfs.example.com", "path": "/"});
        } else if want.in_tree {
            spec["awsElasticBlockStore"] =
                json!({"volumeID": format!("aws://eu-west-1a/{disk}"), "fsType": "ext4"});
            labels = json!({"failure-domain.beta.kubernetes.io/zone": "eu-west-1a"});
        } else {
            spec["csi"] = json!({"driver": "ebs.csi.aws.com", "volumeHandle": disk, "fsType": "ext4"});
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions":
                [{"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": ["eu-west-1a"]}]}]}});
        }
        self.source.push(json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": volume, "uid": format!("uid-{volume}"), "resourceVersion": "1", "labels": labels},
            "spec": spec, "status": {"phase": "Bound"},
        }));
        self.source.push(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "resourceVersion": "1"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": "gp2", "volumeName": volume},
            "status": {"phase": "Bound"},
        }));
        if !want.shared {
            let tags =
                want.tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            self.disks.volumes.insert(
                disk.clone(),
                Disk {
                    id: disk,
                    zone: "eu-west-1a".into(),
                    state: "available".into(),
                    kind: "gp3".into(),
                    tags,
                    ..Disk::default()
                },
            );
        }
        self.start(Side::Source, name);
    }

    fn side(&mut self, side: Side) -> &mut Vec<Value> {
        match side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        }
    }

    /// A pod of a side that has a claim, attached.
    pub fn start(&mut self, side: Side, claim: &str) {
        let instance = if side == Side::Source { "i-old" } else { "i-new" };
        let volume = format!("pv-{claim}");
        let objects = self.side(side);
        objects.push(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("{claim}-0"), "namespace": "shop"},
            "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]},
            "status": {"phase": "Running"},
        }));
        objects.push(json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": format!("csi-{claim}")},
            "spec": {"attacher": "ebs.csi.aws.com", "nodeName": instance, "source": {"persistentVolumeName": volume}},
        }));
        if let Some(disk) = self.disks.volumes.get_mut(&format!("vol-{claim}")) {
            assert_eq!(disk.state, "available", "{claim} is attached twice");
            disk.state = "in-use".into();
            disk.attachments.insert(instance.into(), "attached".into());
        }
        self.started |= side == Side::Target;
    }

    /// No pod is left on a side, and nothing is attached.
    pub fn stop(&mut self, side: Side) {
        let instance = if side == Side::Source { "i-old" } else { "i-new" };
        self.side(side).retain(|object| object["kind"] != "Pod" && object["kind"] != "VolumeAttachment");
        for disk in self.disks.volumes.values_mut() {
            if disk.attachments.remove(instance).is_some() {
                disk.state = "available".into();
            }
        }
    }

    /// Looks, and says what is next.
    pub fn look(&self, towards: Towards) -> Outcome {
        self.with(towards, portolan::migrate::volumes::plan)
    }

    /// The input of a look, for any question.
    pub fn with<T>(&self, towards: Towards, ask: impl FnOnce(&Input<'_>) -> T) -> T {
        let (source, target) = (objects(&self.source), objects(&self.target));
        ask(&Input {
            setting: &self.setting,
            wave: "shop",
            namespaces: &BTreeSet::from(["shop".to_owned()]),
            source: &source,
            target: &target,
            prepared: &self.prepared,
            disks: &self.disks,
            journal: &self.journal,
            started: self.started,
            approved: &self.approved,
            towards,
        })
    }

    /// Makes some of the steps of one look, then lets controllers work. Whether there was anything to do.
    pub fn pass(&mut self, towards: Towards, most: usize) -> Outcome {
        let outcome = self.look(towards);
        for step in outcome.steps.iter().take(most) {
            if !step.undo.is_empty() {
                self.journal.entry(step.key.clone()).or_insert_with(|| step.undo.clone());
            }
            self.make(&step.effect);
        }
        self.settle();
        outcome
    }

    /// Goes on until nothing is left to do.
    pub fn run(&mut self, towards: Towards) {
        for _ in 0..100 {
            let outcome = self.pass(towards, usize::MAX);
            if outcome.is_done() {
                return;
            }
            if outcome.steps.is_empty() && self.look(towards) == outcome {
                panic!("it stands still: {:?}", outcome.gates);
            }
        }
        panic!("it does not end");
    }

    /// What binds, completes and goes by itself.
    fn settle(&mut self) {
        for snapshot in &mut self.disks.snapshots {
            snapshot.state = "completed".into();
        }
        let target = &mut self.target;
        let claims: Vec<Value> =
            target.iter().filter(|object| object["kind"] == "PersistentVolumeClaim").cloned().collect();
        for claim in claims {
            let bound = target.iter_mut().find(|object| {
                object["kind"] == "PersistentVolume"
                    && object["metadata"]["name"] == claim["spec"]["volumeName"]
                    && object["spec"]["claimRef"]["name"] == claim["metadata"]["name"]
            });
            if let Some(volume) = bound {
                volume["status"] = json!({"phase": "Bound"});
                let own = target.iter_mut().find(|object| {
                    object["kind"] == "PersistentVolumeClaim"
                        && object["metadata"]["name"] == claim["metadata"]["name"]
                });
                own.unwrap()["status"] = json!({"phase": "Bound"});
            }
        }
    }

    /// Makes one write, with its preconditions.
    pub fn make(&mut self, effect: &Effect) {
        self.clock += 1;
        let version = self.clock.to_string();
        match effect {
            Effect::Apply { side, object } => {
                let mut object = object.clone();
                object["metadata"]["uid"] = json!(format!("uid-{version}"));
                object["metadata"]["resourceVersion"] = json!(version);
                let id = Object::new(object.clone()).unwrap().id();
                let there = objects(self.side(*side)).iter().any(|other| other.id() == id);
                assert!(!there, "{id} is there already");
                self.side(*side).push(object);
            }
            Effect::Patch { side, id, operations, .. } => {
                let object =
                    self.side(*side).iter_mut().find(|one| Object::new((*one).clone()).unwrap().id() == *id);
                let object = object.unwrap();
                for operation in operations {
                    let path = operation["path"].as_str().unwrap();
                    match operation["op"].as_str().unwrap() {
                        "test" => assert_eq!(object.pointer(path), operation.get("value"), "{id} {path}"),
                        "replace" => *object.pointer_mut(path).unwrap() = operation["value"].clone(),
                        other => panic!("{other}"),
                    }
                }
                object["metadata"]["resourceVersion"] = json!(version);
            }
            Effect::Delete { side, id, uid, resource_version, .. } => {
                self.delete(*side, id, uid, resource_version)
            }
            Effect::Call { call, .. } => self.call(&call.operation, &call.input),
        }
    }

    fn delete(&mut self, side: Side, id: &portolan::model::ResourceId, uid: &str, version: &str) {
        assert_eq!(side, Side::Target, "nothing of the source is deleted: {id}");
        let at = self.target.iter().position(|one| Object::new(one.clone()).unwrap().id() == *id).unwrap();
        let gone = self.target.remove(at);
        assert_eq!(gone["metadata"]["uid"], uid);
        assert_eq!(gone["metadata"]["resourceVersion"], version);
        if id.kind != "PersistentVolumeClaim" {
            return;
        }
        // As the controller-manager: a volume whose claim is gone is Released, and deleted where its policy says so.
        for volume in self.target.iter_mut().filter(|one| one["spec"]["claimRef"]["name"] == id.name.as_str())
        {
            volume["status"] = json!({"phase": "Released"});
            if volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
                && let Some(disk) = volume["spec"]["csi"]["volumeHandle"].as_str()
            {
                self.lost.insert(disk.to_owned());
            }
        }
    }

    fn call(&mut self, operation: &str, input: &Value) {
        let pairs = |tags: &Value| -> Vec<(String, Option<String>)> {
            let tags = tags.as_array().unwrap();
            tags.iter()
                .map(|tag| {
                    (tag["Key"].as_str().unwrap().to_owned(), tag["Value"].as_str().map(str::to_owned))
                })
                .collect()
        };
        match operation {
            "CreateTags" | "DeleteTags" => {
                let disk = self.disks.volumes.get_mut(input["Resources"][0].as_str().unwrap()).unwrap();
                for (key, value) in pairs(&input["Tags"]) {
                    if operation == "CreateTags" {
                        disk.tags.insert(key, value.unwrap());
                    } else if value.is_none() || disk.tags.get(&key) == value.as_ref() {
                        disk.tags.remove(&key);
                    }
                }
            }
            "CreateSnapshot" => {
                let volume = input["VolumeId"].as_str().unwrap().to_owned();
                assert_eq!(
                    self.disks.volumes[&volume].state, "available",
                    "a snapshot of a volume that is written to"
                );
                let tags = pairs(&input["TagSpecifications"][0]["Tags"]);
                self.disks.snapshots.push(Snapshot {
                    id: format!("snap-{}", self.clock),
                    volume,
                    state: "pending".into(),
                    progress: "0%".into(),
                    tags: tags.into_iter().map(|(key, value)| (key, value.unwrap())).collect(),
                });
            }
            other => panic!("{other} is not a call of a hand-over"),
        }
    }

    /// The source and the disks, without what changes by itself.
    pub fn picture(&self) -> (Vec<Value>, BTreeMap<String, Disk>) {
        let mut source = self.source.clone();
        for object in &mut source {
            object["metadata"]["resourceVersion"] = Value::Null;
        }
        source.retain(|object| object["kind"] != "Pod" && object["kind"] != "VolumeAttachment");
        (source, self.disks.volumes.clone())
    }
}

/// The words of a gate.
pub fn what(gate: &Gate) -> String {
    match gate {
        Gate::Open => "open".into(),
        Gate::Waiting { what, .. } => format!("waiting: {what}"),
        Gate::Blocked { what, .. } => format!("blocked: {what}"),
        Gate::Approval { digest } => format!("approval: {digest}"),
    }
}
