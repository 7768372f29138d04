//! kops drift: where files, state store and what is live do not say the same.
//!
//! The assessment reads the state store, for that is what kops acts on. What somebody keeps in git may be older or newer,
//! and what is live may have been changed by hand, or not been updated yet: each difference is a question to a person
//! before the move, not a reason to stop it.

use super::facts::scaling_groups;
use super::inventory::Inventory;
use crate::migrate::decommission::{list, tags, text};
use crate::migrate::verdict::{Level, Verdict};
use crate::model::kops::{KopsState, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const SOURCE: &str = "issue 5 A: differences between git, store and live";
/// The label by which kops says which group a node is of.
const GROUP_LABEL: &str = "kops.k8s.io/instancegroup";
/// What stands in the place of a value that may be secret or is long.
const NOT_SHOWN: &str = "(not shown)";
/// Longest value that is shown, in characters.
const LONGEST: usize = 120;
/// Words in the names of fields whose values are not shown.
const MAY_BE_SECRET: [&str; 8] =
    ["additionaluserdata", "content", "env", "fileassets", "hooks", "password", "proxy", "token"];

/// Where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// Files, such as in git.
    Files,
    /// The state store.
    Store,
    /// The cluster and AWS.
    Live,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Files => "the set of files",
            Self::Store => "the state store",
            Self::Live => "what is live",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drifted {
    /// The document: `InstanceGroup nodes`.
    pub subject: String,
    /// The field by its newest name: `spec.minSize`; empty: the whole.
    pub field: String,
    /// What each side says; a side that says nothing is missing.
    pub said: BTreeMap<Side, String>,
    /// The two sides that were compared.
    pub between: (Side, Side),
}

impl Drifted {
    /// The difference in words.
    #[must_use]
    pub fn says(&self) -> String {
        let (one, other) = self.between;
        match (self.said.get(&one), self.said.get(&other)) {
            (Some(a), Some(b)) => format!("{} says {a}, {} {b}", one.name(), other.name()),
            (Some(a), None) => format!("{} says {a}, {} does not say it", one.name(), other.name()),
            (None, Some(b)) => format!("{} says {b}, {} does not say it", other.name(), one.name()),
            (None, None) => "the sides differ".into(),
        }
    }

    /// The difference as a verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let rule = match self.between {
            (Side::Files, _) => "kops.drift.files",
            _ => "kops.drift.live",
        };
        Verdict {
            subject: self.subject.clone(),
            field: if self.field.is_empty() {
                String::new()
            } else {
                format!("/{}", self.field.replace('.', "/"))
            },
            level: Level::Warning,
            rule: rule.into(),
            source: SOURCE.into(),
            says: format!("{}; the move goes by the state store: settle it first", self.says()),
            becomes: None,
            choices: Vec::new(),
        }
    }
}

/// Every difference, by subject and field. What was not read is not compared.
#[must_use]
pub fn drift(inventory: &Inventory) -> Vec<Drifted> {
    let store = inventory.store.as_ref().and_then(|store| store.state().ok());
    let files = inventory.files.as_ref().and_then(|files| files.state().ok());
    let mut found = BTreeSet::new();
    if let (Some(files), Some(store)) = (&files, &store) {
        of_files(files, store, &mut found);
    }
    if let Some(kops) = store.or(files) {
        let side = if inventory.store.is_some() { Side::Store } else { Side::Files };
        let mut live = Live { inventory, kops: &kops, side, found: &mut found };
        live.versions();
        live.groups();
        live.nodes();
        live.addons();
    }
    found.into_iter().collect()
}

fn of_files(files: &KopsState, store: &KopsState, found: &mut BTreeSet<Drifted>) {
    fields(&files.cluster, &store.cluster, found);
    let by_name = |state: &'_ KopsState| -> BTreeMap<String, Spec> {
        state.groups.iter().map(|group| (group.name.clone(), group.clone())).collect()
    };
    let (of_files, of_store) = (by_name(files), by_name(store));
    let names: BTreeSet<&String> = of_files.keys().chain(of_store.keys()).collect();
    for name in names {
        match (of_files.get(name), of_store.get(name)) {
            (Some(one), Some(other)) => fields(one, other, found),
            (one, other) => {
                let side = if one.is_some() { Side::Files } else { Side::Store };
                let spec = one.or(other).map(Spec::subject).unwrap_or_default();
                found.insert(Drifted {
                    subject: spec,
                    field: String::new(),
                    said: BTreeMap::from([(side, "that there is such a group".to_owned())]),
                    between: (Side::Files, Side::Store),
                });
            }
        }
    }
}

fn fields(files: &Spec, store: &Spec, found: &mut BTreeSet<Drifted>) {
    let told = |spec: &Spec| -> BTreeMap<String, String> {
        let fields = spec.fields.iter().map(|field| (field.path.to_string(), field.text()));
        fields.filter(|(path, _)| path.starts_with("spec.")).collect()
    };
    let (of_files, of_store) = (told(files), told(store));
    let paths: BTreeSet<&String> = of_files.keys().chain(of_store.keys()).collect();
    for path in paths {
        let (one, other) = (of_files.get(path), of_store.get(path));
        if one == other {
            continue;
        }
        let shown = |side, text: Option<&String>| text.map(|text| (side, shown(path, text)));
        let said = [shown(Side::Files, one), shown(Side::Store, other)];
        found.insert(Drifted {
            subject: store.subject(),
            field: path.clone(),
            said: said.into_iter().flatten().collect(),
            between: (Side::Files, Side::Store),
        });
    }
}

/// A value, where it may be shown.
fn shown(path: &str, text: &str) -> String {
    let path = path.to_ascii_lowercase();
    let may_be_secret =
        path.split(['.', '[']).any(|step| MAY_BE_SECRET.iter().any(|word| step.contains(word)));
    match text {
        "" => "(empty)".into(),
        text if may_be_secret || text.chars().count() > LONGEST => NOT_SHOWN.into(),
        text => text.into(),
    }
}

struct Live<'a> {
    inventory: &'a Inventory,
    kops: &'a KopsState,
    side: Side,
    found: &'a mut BTreeSet<Drifted>,
}

impl Live<'_> {
    fn put(&mut self, subject: &str, field: &str, declared: Option<String>, live: Option<String>) {
        if declared != live {
            let said = [declared.map(|text| (self.side, text)), live.map(|text| (Side::Live, text))];
            self.found.insert(Drifted {
                subject: subject.into(),
                field: field.into(),
                said: said.into_iter().flatten().collect(),
                between: (self.side, Side::Live),
            });
        }
    }

    fn versions(&mut self) {
        let Some(declared) =
            self.kops.text("kubernetesVersion").map(|text| text.trim_start_matches('v').to_owned())
        else {
            return;
        };
        let subject = self.kops.cluster.subject();
        if let Some(api) = &self.inventory.api {
            let live = api.version.trim_start_matches('v').to_owned();
            self.put(&subject, "spec.kubernetesVersion", Some(declared.clone()), Some(live));
        }
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for node in self.inventory.of_kind("", "Node") {
            let version = node.body().pointer("/status/nodeInfo/kubeletVersion").and_then(Value::as_str);
            let version = version.unwrap_or_default().trim_start_matches('v');
            if !version.is_empty() && version != declared {
                *others.entry(version.to_owned()).or_default() += 1;
            }
        }
        for (version, count) in others {
            let live = format!("{version} on {count} nodes: a rolling update is due");
            self.put(&subject, "spec.kubernetesVersion", Some(declared.clone()), Some(live));
        }
    }

    fn groups(&mut self) {
        if !self.inventory.aws.has("autoscaling", "DescribeAutoScalingGroups") {
            return;
        }
        let live = scaling_groups(&self.inventory.aws, &self.kops.cluster.name);
        let names: BTreeSet<&str> = live.iter().map(|(name, _)| name.as_str()).collect();
        for (name, group) in &live {
            let Some(spec) = self.kops.groups.iter().find(|spec| spec.name == *name) else {
                let arn = text(group, "AutoScalingGroupName").unwrap_or_default();
                let live = Some(format!("an Auto Scaling group {arn}"));
                self.put(&format!("InstanceGroup {name}"), "", None, live);
                continue;
            };
            for (field, of_group) in [("minSize", "MinSize"), ("maxSize", "MaxSize")] {
                let declared = spec.number(field).map(|number| number.to_string());
                // A group that does not say has kops' defaults, which depend on its role.
                if declared.is_some() {
                    self.put(&spec.subject(), &format!("spec.{field}"), declared, number(group, of_group));
                }
            }
            let declared: BTreeSet<String> = spec
                .text("machineType")
                .into_iter()
                .flat_map(|text| text.split(','))
                .chain(spec.texts("mixedInstancesPolicy.instances"))
                .map(|name| name.trim().to_owned())
                .collect();
            let running: BTreeSet<String> = list(group, &["Instances"])
                .into_iter()
                .filter_map(|instance| text(instance, "InstanceType"))
                .map(str::to_owned)
                .collect();
            if !declared.is_empty() && !running.is_subset(&declared) {
                let joined = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
                self.put(
                    &spec.subject(),
                    "spec.machineType",
                    Some(joined(&declared)),
                    Some(joined(&running)),
                );
            }
        }
        // Groups that Karpenter keeps have no Auto Scaling group.
        for spec in self.kops.groups.iter().filter(|spec| spec.text("manager") != Some("Karpenter")) {
            if !names.contains(spec.name.as_str()) {
                let declared =
                    Some("that there is such a group, and it has no Auto Scaling group".to_owned());
                self.put(&spec.subject(), "", declared, None);
            }
        }
        for vpc in self.inventory.aws.items("ec2", "DescribeVpcs", &["Vpcs"]) {
            let tags = tags(vpc);
            if tags.get("KubernetesCluster") == Some(&self.kops.cluster.name.as_str()) {
                let declared = self.kops.text("networking.networkCIDR").map(str::to_owned);
                let live = text(vpc, "CidrBlock").map(str::to_owned);
                self.put(&self.kops.cluster.subject(), "spec.networking.networkCIDR", declared, live);
            }
        }
    }

    /// Labels and taints that a group's nodes have to have.
    fn nodes(&mut self) {
        for spec in &self.kops.groups {
            let nodes: Vec<_> = self
                .inventory
                .of_kind("", "Node")
                .filter(|node| node.label(GROUP_LABEL) == Some(&spec.name))
                .collect();
            for (key, declared) in spec.at("nodeLabels").as_object().into_iter().flatten() {
                let declared = declared.as_str().unwrap_or_default();
                for live in nodes.iter().map(|node| node.label(key)).filter(|live| *live != Some(declared)) {
                    let field = format!("spec.nodeLabels[{key}]");
                    self.put(&spec.subject(), &field, Some(declared.to_owned()), live.map(str::to_owned));
                }
            }
            for taint in spec.texts("taints") {
                let bare = |node: &&&crate::model::Object| {
                    let taints = node.body().pointer("/spec/taints").and_then(Value::as_array);
                    !taints.into_iter().flatten().any(|one| is_taint(one, taint))
                };
                let without = nodes.iter().filter(bare).count();
                if without > 0 {
                    let live = format!("{without} of {} nodes without it", nodes.len());
                    self.put(&spec.subject(), "spec.taints", Some(taint.to_owned()), Some(live));
                }
            }
        }
    }

    /// Add-ons whose manifest in the store is another one than the channels tool applied last. It notes on a namespace
    /// what it applied: `addons.k8s.io/<name>: {"manifestHash": …}`.
    fn addons(&mut self) {
        let Some(channel) = &self.kops.channel else { return };
        for addon in &channel.addons {
            let key = format!("addons.k8s.io/{}", addon.name);
            let applied =
                self.inventory.of_kind("", "Namespace").find_map(|namespace| namespace.annotation(&key));
            let hash = applied.and_then(|text| serde_json::from_str::<Value>(text).ok());
            let hash = hash.and_then(|noted| noted["manifestHash"].as_str().map(str::to_owned));
            if let (Some(declared), Some(live)) = (addon.manifest_hash.clone(), hash)
                && declared != live
            {
                let subject = format!("add-on {}", addon.name);
                let short = |hash: String| format!("manifest {}", hash.chars().take(12).collect::<String>());
                self.put(&subject, "manifestHash", Some(short(declared)), Some(short(live)));
            }
        }
    }
}

/// Whether a node's taint is a group's `key=value:Effect`.
fn is_taint(taint: &Value, declared: &str) -> bool {
    let (pair, effect) = declared.rsplit_once(':').unwrap_or((declared, ""));
    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
    taint["key"] == key && taint["value"].as_str().unwrap_or_default() == value && taint["effect"] == effect
}

fn number(group: &Value, field: &str) -> Option<String> {
    match group.get(field)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::dump::{Api, KopsFiles};
    use crate::migrate::proof::Key;
    use crate::model::Object;
    use serde_json::json;

    const CLUSTER: &str = "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: a.example.com}\nspec:\n  cloudProvider: aws\n  \
                           kubernetesVersion: 1.24.17\n  networkCIDR: 10.0.0.0/16\n";

    fn group(name: &str, rest: &str) -> String {
        format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata: {{name: {name}}}\nspec: {{role: Node, {rest}}}\n"
        )
    }

    fn inventory() -> Inventory {
        let key = Key::new([1; 32]);
        let mut store = KopsFiles { place: "store".into(), is_store: true, ..KopsFiles::default() };
        store.add("a/config", CLUSTER.into(), &key).unwrap();
        let nodes = group(
            "nodes",
            "minSize: 2, maxSize: 4, machineType: m5.large, nodeLabels: {team: shop}, taints: ['a=b:NoSchedule']",
        );
        store.add("a/instancegroup/nodes", nodes.into(), &key).unwrap();
        let mut files = KopsFiles { place: "git".into(), ..KopsFiles::default() };
        let cluster = CLUSTER.replace("10.0.0.0/16", "10.0.0.0/15");
        let nodes = group(
            "nodes",
            "minSize: 2, maxSize: 6, machineType: m5.large, additionalUserData: [{name: x, content: hunter2}], nodeLabels: {team: shop}, taints: ['a=b:NoSchedule']",
        );
        files
            .add("a.yaml", format!("{cluster}---\n{nodes}---\n{}", group("gpu", "minSize: 1")).into(), &key)
            .unwrap();
        Inventory { store: Some(store), files: Some(files), ..Inventory::default() }
    }

    fn told(inventory: &Inventory) -> Vec<String> {
        drift(inventory).iter().map(|one| format!("{} {}: {}", one.subject, one.field, one.says())).collect()
    }

    #[test]
    fn files_and_store_are_compared_field_by_field() {
        let told = told(&inventory());
        let has = |words: &str| assert!(told.iter().any(|one| one == words), "{words}\n{told:#?}");
        has(
            "Cluster a.example.com spec.networking.networkCIDR: the set of files says 10.0.0.0/15, the state store 10.0.0.0/16",
        );
        has("InstanceGroup nodes spec.maxSize: the set of files says 6, the state store 4");
        has(
            "InstanceGroup gpu : the set of files says that there is such a group, the state store does not say it",
        );
        assert!(
            told.iter().any(|one| one.contains(NOT_SHOWN)) && !told.concat().contains("hunter2"),
            "{told:#?}"
        );
        assert_eq!(told.len(), 5, "{told:#?}");
    }

    #[test]
    fn what_is_live_is_compared_with_the_store() {
        let mut inventory = Inventory { files: None, ..inventory() };
        assert_eq!(told(&inventory), Vec::<String>::new());
        inventory.api = Some(Api { version: "v1.24.16".into(), ..Api::default() });
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {GROUP_LABEL: "nodes"}},
            "status": {"nodeInfo": {"kubeletVersion": "v1.24.17"}}, "spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}});
        inventory.objects.push(Object::new(node).unwrap());
        let tag = |value: &str| json!([{"Key": "KubernetesCluster", "Value": "a.example.com"}, {"Key": "kops.k8s.io/instancegroup", "Value": value}]);
        let answer = json!({"AutoScalingGroups": [
            {"AutoScalingGroupName": "nodes.a", "MinSize": "2", "MaxSize": "9", "DesiredCapacity": "2", "Tags": tag("nodes"),
             "Instances": [{"InstanceType": "m5.xlarge"}]},
            {"AutoScalingGroupName": "old.a", "MinSize": "0", "MaxSize": "0", "DesiredCapacity": "0", "Tags": tag("old")}]});
        inventory.aws.push("autoscaling", "DescribeAutoScalingGroups", json!({}), answer);
        let told = told(&inventory);
        let has = |words: &str| assert!(told.iter().any(|one| one == words), "{words}\n{told:#?}");
        has(
            "Cluster a.example.com spec.kubernetesVersion: the state store says 1.24.17, what is live 1.24.16",
        );
        has("InstanceGroup nodes spec.maxSize: the state store says 4, what is live 9");
        has("InstanceGroup nodes spec.machineType: the state store says m5.large, what is live m5.xlarge");
        has(
            "InstanceGroup nodes spec.nodeLabels[team]: the state store says shop, what is live does not say it",
        );
        has(
            "InstanceGroup old : what is live says an Auto Scaling group old.a, the state store does not say it",
        );
        assert_eq!(told.len(), 5, "{told:#?}");
    }
}
