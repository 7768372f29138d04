//! Drivers for the fake cloud: all kinds alike, each with `Create`, `List`, `Update`, `Tag` and `Delete`.

use super::fake_cloud::{TOKENED, call};
use portolan::engine::clusters::Blueprint;
use portolan::model::cloud::Call;
use portolan::provision::network::Leftover;
use portolan::provision::owner::owner;
use portolan::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, RESOURCE_TAG, Resource, Scope, Snapshot, State,
};
use portolan::provision::upgrade::{Staged, UpgradeFacts};
use portolan::provision::{Declared, Problem};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub struct FakeDriver(Kind);

static DRIVERS: [FakeDriver; 5] = [
    FakeDriver(Kind::Cluster),
    FakeDriver(Kind::Vpc),
    FakeDriver(Kind::Subnet),
    FakeDriver(Kind::Role),
    FakeDriver(Kind::Nodegroup),
];

fn word(kind: Kind) -> String {
    format!("{kind:?}")
}

impl Driver for FakeDriver {
    fn kind(&self) -> Kind {
        self.0
    }

    fn reads(&self, scope: &Scope, _known: &Snapshot, _declared: &[Resource]) -> Vec<Call> {
        vec![call("List", &word(self.0), json!({"cluster": scope.cluster}))]
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        _: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        for item in answer["items"].as_array().unwrap() {
            let tags: BTreeMap<String, String> = serde_json::from_value(item["tags"].clone()).unwrap();
            let name = item["name"].as_str().unwrap();
            let owner = owner(scope, &tags);
            let key = match tags.get(RESOURCE_TAG) {
                Some(tag) => Key::new(self.0, tag.split_once('/').unwrap().1),
                None => Key::new(self.0, name),
            };
            let known = declared.iter().any(|resource| resource.key == key);
            if !known && owner != portolan::provision::resource::Owner::Ours {
                continue;
            }
            let state = match item["state"].as_str().unwrap() {
                "READY" => State::Ready,
                "DELETING" => State::Deleting,
                "FAILED" => State::Failed("FAILED: the fake says so".into()),
                other => State::Pending(other.into()),
            };
            let outputs = BTreeMap::from([
                ("id".to_owned(), item["id"].clone()),
                ("version".to_owned(), item["fields"]["version"].clone()),
                ("status".to_owned(), item["state"].clone()),
            ]);
            let id = item["id"].as_str().unwrap().to_owned();
            let actual = item["fields"].clone();
            assert!(
                into.live
                    .insert(key.clone(), Live { key: key.clone(), id, actual, outputs, tags, owner, state })
                    .is_none(),
                "there are two of {key}"
            );
        }
        Vec::new()
    }

    fn create(
        &self,
        _scope: &Scope,
        resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        let mut input = json!({"name": resource.key.name, "fields": desired, "tags": tags});
        if TOKENED.contains(&word(self.0).as_str()) {
            input["token"] = token.into();
        }
        call("Create", &word(self.0), input)
    }

    fn differences(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let mut found = Vec::new();
        for (name, declared) in desired.as_object().unwrap() {
            let actual = live.actual[name].clone();
            if actual != *declared {
                let set = call("Update", &word(self.0), json!({"id": live.id, "set": {name: declared}}));
                let mend = if name == "fixed" {
                    Mend::Impossible("make another one".into())
                } else {
                    Mend::InPlace(set)
                };
                found.push(Difference {
                    field: format!("/{name}"),
                    declared: declared.clone(),
                    actual,
                    mend,
                });
            }
        }
        for (name, declared) in tags.iter().filter(|(name, value)| live.tags.get(*name) != Some(value)) {
            let set = call("Tag", &word(self.0), json!({"id": live.id, "tags": {name: declared}}));
            found.push(Difference {
                field: format!("/tags/{}", name.replace('/', "~1")),
                declared: json!(declared),
                actual: json!(live.tags.get(name)),
                mend: Mend::InPlace(set),
            });
        }
        found
    }

    fn delete(&self, _scope: &Scope, live: &Live) -> Vec<Call> {
        vec![call("Delete", &word(self.0), json!({"id": live.id}))]
    }
}

/// A blueprint of fake kinds.
#[derive(Clone, Default)]
pub struct FakeBlueprint {
    pub resources: Vec<Resource>,
    pub problems: Vec<Problem>,
    /// Nodes of Fargate whose pods are to come back on newer ones.
    pub restart: Vec<String>,
}

impl Blueprint for FakeBlueprint {
    fn drivers(&self) -> Vec<&'static dyn Driver> {
        DRIVERS.iter().map(|driver| driver as &dyn Driver).collect()
    }

    fn declare(&self, _scope: &Scope, _known: &Snapshot) -> Declared {
        Declared { resources: self.resources.clone(), problems: self.problems.clone() }
    }

    fn problems(&self, _scope: &Scope, _declared: &[Resource], _known: &Snapshot) -> Vec<Problem> {
        Vec::new()
    }

    fn stage(&self, resources: &[Resource], _snapshot: &Snapshot, _facts: UpgradeFacts<'_>) -> Staged {
        Staged { resources: resources.to_vec(), restart: self.restart.clone(), ..Staged::default() }
    }

    fn leftover_calls(&self, _scope: &Scope) -> Vec<Call> {
        Vec::new()
    }

    fn leftovers(&self, _scope: &Scope, _answers: &[(Call, Value)]) -> (Vec<Leftover>, Vec<Call>) {
        (Vec::new(), Vec::new())
    }
}

fn resource(kind: Kind, name: &str, desired: Value, needs: &[(Kind, &str)]) -> Resource {
    let needs: BTreeSet<Key> = needs.iter().map(|(kind, name)| Key::new(*kind, *name)).collect();
    let declared_at = format!("/{name}");
    Resource {
        key: Key::new(kind, name),
        desired,
        tags: BTreeMap::new(),
        needs,
        declared_at,
        existing: false,
    }
}

/// A network, a role, a cluster and two node groups.
pub fn shop(version: &str, size: u32) -> FakeBlueprint {
    let id = |kind: Kind, name: &str| Key::new(kind, name).output("id");
    let subnet = |name: &str| {
        let desired = json!({"vpc": id(Kind::Vpc, "vpc"), "zone": name});
        resource(Kind::Subnet, name, desired, &[(Kind::Vpc, "vpc")])
    };
    let group = |name: &str| {
        let desired = json!({
            "cluster": id(Kind::Cluster, "shop"), "role": id(Kind::Role, "node"), "subnet": id(Kind::Subnet, "a"), "size": size,
        });
        resource(
            Kind::Nodegroup,
            name,
            desired,
            &[(Kind::Cluster, "shop"), (Kind::Role, "node"), (Kind::Subnet, "a")],
        )
    };
    let cluster =
        json!({"version": version, "fixed": 1, "vpc": id(Kind::Vpc, "vpc"), "subnet": id(Kind::Subnet, "b")});
    FakeBlueprint {
        resources: vec![
            resource(Kind::Vpc, "vpc", json!({"cidr": "10.0.0.0/16"}), &[]),
            subnet("a"),
            subnet("b"),
            resource(Kind::Role, "node", json!({"policy": "worker"}), &[]),
            resource(Kind::Cluster, "shop", cluster, &[(Kind::Vpc, "vpc"), (Kind::Subnet, "b")]),
            group("blue"),
            group("green"),
        ],
        ..FakeBlueprint::default()
    }
}

/// What [`shop`] is in the cloud.
pub const SHOP: [&str; 7] =
    ["Cluster/shop", "Nodegroup/blue", "Nodegroup/green", "Role/node", "Subnet/a", "Subnet/b", "Vpc/vpc"];
