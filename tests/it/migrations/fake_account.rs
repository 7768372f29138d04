//! An account in memory: EBS volumes with their tags and snapshots, load balancers, hosted zones. Strict where AWS is:
//! a volume is attached to one instance, a batch of records is made as a whole or refused.

use super::wire::{Trouble, Wire};
use async_trait::async_trait;
use portolan::model::cloud::{Call, Service};
use portolan::ports::{Cloud, CloudFailure, CloudFailureKind, KubernetesToken};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Volume {
    pub zone: String,
    pub tags: BTreeMap<String, String>,
    /// The side whose instance has it.
    pub attached: Option<&'static str>,
    /// Who wrote to it, in order.
    pub writers: Vec<&'static str>,
}

#[derive(Clone, Default)]
pub struct State {
    pub volumes: BTreeMap<String, Volume>,
    /// Tags of snapshots, by id, with the writers of the volume until then.
    pub snapshots: BTreeMap<String, (BTreeMap<String, String>, Vec<&'static str>)>,
    pub records: Vec<Value>,
    /// DNS names of classic load balancers.
    pub balancers: Vec<String>,
    pub changes: usize,
    /// What reads are answered with that nothing above has, by operation.
    pub answers: BTreeMap<String, Value>,
    /// What was read so.
    pub reads: Vec<Call>,
    /// Nobody may log in.
    pub closed: bool,
}

#[derive(Clone, Default)]
pub struct FakeAccount {
    pub wire: Wire,
    state: Arc<Mutex<State>>,
}

fn refused(call: &Call, code: &str, message: String) -> CloudFailure {
    CloudFailure {
        kind: CloudFailureKind::Invalid,
        code: code.into(),
        message,
        call: call.to_string(),
        service: Some(call.service),
    }
}

fn tags_of(value: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let tags = value.as_array().into_iter().flatten();
    tags.into_iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

fn in_xml(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

impl FakeAccount {
    pub fn new(wire: Wire) -> Self {
        Self { wire, state: Arc::default() }
    }

    /// Another account that holds the same.
    pub fn fork(&self, wire: Wire) -> Self {
        Self { wire, state: Arc::new(Mutex::new(self.state().clone())) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Volumes with their tags, and records: what has to be as it was.
    pub fn snapshot(&self) -> Value {
        let state = self.state();
        let volumes: BTreeMap<_, _> = state.volumes.iter().map(|(id, volume)| (id, &volume.tags)).collect();
        let mut records: Vec<String> = state.records.iter().map(ToString::to_string).collect();
        records.sort();
        json!({"volumes": volumes, "records": records})
    }

    /// Attaches a volume to an instance of a side, whose pod then writes to it.
    pub fn attach(&self, id: &str, side: &'static str) {
        let mut state = self.state();
        let Some(volume) = state.volumes.get_mut(id) else { return };
        if volume.attached.is_some_and(|other| other != side) {
            let words = format!("{id} is attached on the {side} and elsewhere");
            self.wire.state().doubles.push(words);
        }
        volume.attached = Some(side);
        if volume.writers.last() != Some(&side) {
            volume.writers.push(side);
        }
    }

    pub fn detach(&self, id: &str, side: &'static str) {
        if let Some(volume) = self.state().volumes.get_mut(id)
            && volume.attached == Some(side)
        {
            volume.attached = None;
        }
    }

    pub fn balancer(&self, name: &str) {
        let mut state = self.state();
        if !state.balancers.iter().any(|known| known == name) {
            state.balancers.push(name.into());
        }
    }
}

impl State {
    fn read(&mut self, call: &Call) -> Option<Value> {
        Some(match (call.service, call.operation.as_str()) {
            (Service::Ec2, "DescribeVolumes") => {
                let filter = call.input["Filters"][0]["Values"].as_array();
                let wanted = |id: &str| filter.is_none_or(|ids| ids.iter().any(|own| own == id));
                let volumes = self.volumes.iter().filter(|(id, _)| wanted(id)).map(|(id, volume)| {
                    let status = if volume.attached.is_some() { "in-use" } else { "available" };
                    json!({"volumeId": id, "availabilityZone": volume.zone, "status": status, "volumeType": "gp3",
                        "tagSet": in_xml(&volume.tags), "attachmentSet": []})
                });
                json!({"volumeSet": volumes.collect::<Vec<_>>()})
            }
            (Service::Ec2, "DescribeSnapshots") => {
                let snapshots = self.snapshots.iter().map(|(id, (tags, _))| {
                    json!({"snapshotId": id, "status": "completed", "progress": "100%", "tagSet": in_xml(tags)})
                });
                json!({"snapshotSet": snapshots.collect::<Vec<_>>()})
            }
            (Service::Elb, "DescribeLoadBalancers") => {
                let balancers = self.balancers.iter().map(|name| {
                    json!({"LoadBalancerName": name.split('.').next(), "DNSName": name,
                        "CanonicalHostedZoneNameID": "ZELB"})
                });
                json!({"LoadBalancerDescriptions": balancers.collect::<Vec<_>>()})
            }
            (Service::Elb, "DescribeTags") => {
                let names = call.input["LoadBalancerNames"].as_array().cloned().unwrap_or_default();
                let tags = names.iter().map(|name| json!({"LoadBalancerName": name, "Tags": []}));
                json!({"TagDescriptions": tags.collect::<Vec<_>>()})
            }
            (Service::Route53, "ListResourceRecordSets") => json!({"ResourceRecordSets": self.records}),
            (Service::Route53, "GetChange") => {
                json!({"ChangeInfo": {"Id": call.input["Id"], "Status": "INSYNC"}})
            }
            (_, operation) => {
                let reads = ["Describe", "List", "Get"];
                if !reads.iter().any(|word| operation.starts_with(word)) {
                    return None;
                }
                self.reads.push(call.clone());
                self.answers.get(operation).cloned().unwrap_or_else(|| json!({}))
            }
        })
    }

    fn write(&mut self, call: &Call) -> Result<Value, CloudFailure> {
        match (call.service, call.operation.as_str()) {
            (Service::Ec2, "CreateSnapshot") => {
                self.changes += 1;
                let id = format!("snap-{}", self.changes);
                let writers = self.volumes[call.input["VolumeId"].as_str().unwrap()].writers.clone();
                let tags = tags_of(&call.input["TagSpecifications"][0]["Tags"]);
                self.snapshots.insert(id.clone(), (tags, writers));
                Ok(json!({"snapshotId": id}))
            }
            (Service::Ec2, "DeleteSnapshot") => {
                match self.snapshots.remove(call.input["SnapshotId"].as_str().unwrap()) {
                    Some(_) => Ok(json!({})),
                    None => Err(CloudFailure {
                        kind: CloudFailureKind::NotFound,
                        ..refused(call, "InvalidSnapshot.NotFound", call.input.to_string())
                    }),
                }
            }
            (Service::Ec2, operation @ ("CreateTags" | "DeleteTags")) => {
                let tags = tags_of(&call.input["Tags"]);
                for id in call.input["Resources"].as_array().unwrap() {
                    let Some(volume) = self.volumes.get_mut(id.as_str().unwrap()) else {
                        return Err(refused(call, "InvalidVolume.NotFound", id.to_string()));
                    };
                    for (key, value) in &tags {
                        if operation == "CreateTags" {
                            volume.tags.insert(key.clone(), value.clone());
                        } else if volume.tags.get(key) == Some(value) {
                            volume.tags.remove(key);
                        }
                    }
                }
                Ok(json!({}))
            }
            (Service::Route53, "ChangeResourceRecordSets") => {
                let mut records = self.records.clone();
                for change in call.input["ChangeBatch"]["Changes"].as_array().unwrap() {
                    let set = &change["ResourceRecordSet"];
                    let same = |other: &Value| {
                        ["Name", "Type", "SetIdentifier"].iter().all(|part| other.get(part) == set.get(part))
                    };
                    let there = records.iter().position(same);
                    match (change["Action"].as_str().unwrap(), there) {
                        ("DELETE", Some(at)) if records[at] == *set => drop(records.remove(at)),
                        ("CREATE", None) => records.push(set.clone()),
                        _ => return Err(refused(call, "InvalidChangeBatch", change.to_string())),
                    }
                }
                self.records = records;
                self.changes += 1;
                Ok(json!({"ChangeInfo": {"Id": format!("/change/C{}", self.changes), "Status": "PENDING"}}))
            }
            _ => Err(refused(call, "InvalidAction", "nobody taught me this".into())),
        }
    }
}

#[async_trait]
impl Cloud for FakeAccount {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        crate::deploy_aws::may_call(crate::deploy_aws::MIGRATING, call);
        if self.state().closed {
            let kind = CloudFailureKind::Credentials;
            return Err(CloudFailure { kind, ..refused(call, "ExpiredToken", "log in again".into()) });
        }
        if let Some(answer) = self.state().read(call) {
            return Ok(answer);
        }
        let failed = |kind, message: &str| CloudFailure { kind, ..refused(call, "Trouble", message.into()) };
        let of = call.input["Resources"][0].as_str().or_else(|| call.input["VolumeId"].as_str());
        let of = of.or_else(|| call.input["SnapshotId"].as_str());
        let of = of.or_else(|| call.input["ChangeBatch"]["Comment"].as_str()).unwrap_or_default();
        let trouble = self.wire.write(format!("aws {call} {of}")).await;
        if trouble == Some(Trouble::Fails) {
            return Err(failed(CloudFailureKind::Unavailable, "503"));
        }
        let answer = self.state().write(call);
        self.wire.written(trouble).await;
        if trouble == Some(Trouble::Unanswered) {
            return Err(failed(CloudFailureKind::Unanswered, "no answer"));
        }
        answer
    }

    async fn kubernetes_token(&self, _cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        unreachable!("nobody logs in here")
    }

    fn region(&self) -> &str {
        "eu-central-1"
    }

    fn partition(&self) -> &str {
        "aws"
    }
}
