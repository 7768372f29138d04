//! Route 53 as a value: batches are made as a whole or refused, as the service does.

use portolan::migrate::traffic::{
    Endpoint, ExternalDns, Health, Input, Made, Setting, Share, Shifted, Towards, Zones, plan,
};
use portolan::model::Object;
use portolan::model::migration::{Effect, Outcome, Side};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub const ZONE: &str = "Z1";

/// A zone, two clusters' external-dns, and a clock.
#[derive(Clone, Debug)]
pub struct Dns {
    pub sets: Vec<Value>,
    pub deployments: Vec<(Side, Value)>,
    pub names: Vec<Shifted>,
    pub journal: BTreeMap<String, Vec<Effect>>,
    pub made: BTreeMap<String, Made>,
    pub health: BTreeMap<String, Health>,
    pub setting: Setting,
    pub now: i64,
    /// Batches that were made.
    pub batches: usize,
}

/// A record set that is no alias.
pub fn record(name: &str, kind: &str, ttl: u64, values: &[&str]) -> Value {
    let values: Vec<Value> = values.iter().map(|value| json!({"Value": value})).collect();
    json!({"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": values})
}

/// An alias.
pub fn alias(name: &str, kind: &str, host: &str) -> Value {
    json!({"Name": name, "Type": kind, "AliasTarget":
        {"HostedZoneId": "ZOLD", "DNSName": format!("{host}."), "EvaluateTargetHealth": true}})
}

/// The ownership record of an external-dns.
pub fn owned(name: &str, owner: &str) -> Value {
    let value = format!(
        "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource=ingress/shop/web\""
    );
    record(name, "TXT", 300, &[&value])
}

/// The Deployment of an external-dns.
pub fn external_dns(args: &[&str], replicas: u64) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-dns", "namespace": "dns", "uid": "uid-dns"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [
            {"image": "registry.example.com/external-dns:v0.14", "args": args}]}}},
        "status": {"replicas": replicas}})
}

/// A name that leads to a load balancer of the target.
pub fn shifted(name: &str) -> Shifted {
    Shifted {
        zone: ZONE.into(),
        name: name.into(),
        endpoint: Endpoint::Host { name: "new.elb.example.net".into(), zone: Some("ZNEW".into()) },
        up_to: 100,
    }
}

impl Dns {
    pub fn new(sets: Vec<Value>, names: &[&str]) -> Dns {
        let shares = [0, 5, 25, 50, 100].map(|percent| Share { percent, hold_seconds: 300 });
        Dns {
            sets,
            deployments: Vec::new(),
            names: names.iter().map(|name| shifted(name)).collect(),
            journal: BTreeMap::new(),
            made: BTreeMap::new(),
            health: names.iter().map(|name| ((*name).to_owned(), Health::Healthy)).collect(),
            setting: Setting {
                migration: "shop".into(),
                source_cluster: "old.example.com".into(),
                steps: shares.to_vec(),
                ttl: 60,
            },
            now: 1_000_000,
            batches: 0,
        }
    }

    pub fn with<T>(&self, towards: Towards, ask: impl FnOnce(&Input<'_>) -> T) -> T {
        let mut zones = Zones::default();
        zones.read(ZONE, &json!({"ResourceRecordSets": self.sets}));
        let controllers: Vec<ExternalDns> = self
            .deployments
            .iter()
            .filter_map(|(side, body)| ExternalDns::read(*side, &Object::new(body.clone()).unwrap()))
            .collect();
        ask(&Input {
            setting: &self.setting,
            wave: "shop",
            names: &self.names,
            zones: &zones,
            controllers: &controllers,
            journal: &self.journal,
            made: &self.made,
            health: &self.health,
            now: self.now,
            towards,
        })
    }

    pub fn look(&self, towards: Towards) -> Outcome {
        self.with(towards, plan)
    }

    /// Makes some of the steps of one look.
    pub fn pass(&mut self, towards: Towards, most: usize) -> Outcome {
        let outcome = self.look(towards);
        for step in outcome.steps.iter().take(most) {
            if !step.undo.is_empty() {
                self.journal.entry(step.key.clone()).or_insert_with(|| step.undo.clone());
            }
            self.make(&step.effect);
            self.made.insert(step.key.clone(), Made { at: self.now, in_sync: true });
        }
        outcome
    }

    /// Goes on until nothing is left to do; time passes while it waits.
    pub fn run(&mut self, towards: Towards) {
        for _ in 0..400 {
            let outcome = self.pass(towards, usize::MAX);
            if outcome.is_done() {
                return;
            }
            if outcome.steps.is_empty() {
                let blocked =
                    outcome.gates.iter().any(|gate| super::world::what(gate).starts_with("blocked"));
                assert!(!blocked, "{:?}", outcome.gates);
                self.now += 30;
            }
        }
        panic!("it does not end: {:?}", self.look(towards));
    }

    /// Makes one write.
    pub fn make(&mut self, effect: &Effect) {
        match effect {
            Effect::Call { call, .. } => {
                assert_eq!(call.operation, "ChangeResourceRecordSets");
                assert_eq!(call.input["HostedZoneId"], ZONE);
                self.change(call.input["ChangeBatch"]["Changes"].as_array().unwrap());
            }
            Effect::Patch { side, operations, .. } => {
                let (_, body) = self.deployments.iter_mut().find(|(own, _)| own == side).unwrap();
                for operation in operations {
                    let path = operation["path"].as_str().unwrap();
                    if operation["op"] == "test" {
                        assert_eq!(body.pointer(path), operation.get("value"));
                    } else {
                        *body.pointer_mut(path).unwrap() = operation["value"].clone();
                    }
                }
                body["status"]["replicas"] = body["spec"]["replicas"].clone();
            }
            other => panic!("{other:?}"),
        }
    }

    /// A batch: all of it, or a refusal.
    fn change(&mut self, changes: &[Value]) {
        let mut sets = self.sets.clone();
        for change in changes {
            let set = &change["ResourceRecordSet"];
            match change["Action"].as_str().unwrap() {
                "DELETE" => {
                    let at = sets.iter().position(|other| other == set);
                    sets.remove(
                        at.unwrap_or_else(|| panic!("it is not there as it is named: {set}\n{sets:#?}")),
                    );
                }
                "CREATE" => {
                    let same = |other: &Value| other["Name"] == set["Name"] && other["Type"] == set["Type"];
                    for other in sets.iter().filter(|other| same(other)) {
                        assert_ne!(
                            other.get("SetIdentifier"),
                            set.get("SetIdentifier"),
                            "it is there already: {set}"
                        );
                        assert_eq!(
                            other.get("SetIdentifier").is_some(),
                            set.get("SetIdentifier").is_some(),
                            "a simple record beside a weighted one: {set}"
                        );
                    }
                    assert_eq!(set.get("Weight").is_some(), set.get("SetIdentifier").is_some());
                    assert_ne!(set.get("TTL").is_some(), set.get("AliasTarget").is_some(), "{set}");
                    sets.push(set.clone());
                }
                other => panic!("{other}"),
            }
        }
        self.sets = sets;
        self.batches += 1;
    }

    /// The records, in an order of their own.
    pub fn picture(&self) -> Vec<String> {
        let mut sets: Vec<String> = self.sets.iter().map(ToString::to_string).collect();
        sets.sort();
        sets
    }

    /// The share of the target of a name, by its weights.
    pub fn share(&self, name: &str) -> Option<u64> {
        let weight = |side: &str| {
            let own = self.sets.iter().find(|set| {
                set["Name"] == name && set["SetIdentifier"].as_str().is_some_and(|id| id.ends_with(side))
            })?;
            own["Weight"].as_u64()
        };
        let (source, target) = (weight("/source")?, weight("/target")?);
        Some(target * 100 / (source + target))
    }
}
