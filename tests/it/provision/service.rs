//! The EKS API in memory, as far as drivers need one to work against, and the service's model as the judge of each call.

use portolan::local::aws::eks::{Model, Way, misfits};
use portolan::model::cloud::{Call, Service};
use portolan::provision::resource::TOKEN;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

pub const OPERATOR: &str = "arn:aws:sts::111122223333:assumed-role/operator/session";

/// What EKS answered, or its error code.
pub type Answer = Result<Value, Cow<'static, str>>;

/// One account's EKS with at most one cluster. What is made or changed settles when [`Eks::settle`] says so.
#[derive(Clone, Default)]
pub struct Eks {
    pub cluster: Option<Value>,
    /// By kind and name.
    pub things: BTreeMap<(&'static str, String), Value>,
    /// Policies by principal.
    pub policies: BTreeMap<String, BTreeMap<String, Value>>,
    pub updates: Vec<Value>,
    pub insights: Vec<Value>,
    /// Versions of add-ons by Kubernetes version, the default first.
    pub addon_versions: BTreeMap<String, Vec<String>>,
    pub calls: Vec<Call>,
    clock: u32,
}

struct Table {
    kind: &'static str,
    name: &'static str,
    arn: &'static str,
    list: &'static str,
    has_status: bool,
}

const TABLES: [Table; 5] = [
    Table { kind: "addon", name: "addonName", arn: "addonArn", list: "addons", has_status: true },
    Table {
        kind: "nodegroup",
        name: "nodegroupName",
        arn: "nodegroupArn",
        list: "nodegroups",
        has_status: true,
    },
    Table {
        kind: "fargateProfile",
        name: "fargateProfileName",
        arn: "fargateProfileArn",
        list: "fargateProfileNames",
        has_status: true,
    },
    Table {
        kind: "accessEntry",
        name: "principalArn",
        arn: "accessEntryArn",
        list: "accessEntries",
        has_status: false,
    },
    Table {
        kind: "association",
        name: "associationId",
        arn: "associationArn",
        list: "associations",
        has_status: false,
    },
];

fn table(kind: &str) -> &'static Table {
    TABLES.iter().find(|table| table.kind == kind).unwrap_or_else(|| panic!("no table for {kind}"))
}

impl Eks {
    pub fn new() -> Self {
        let versions = |list: &[&str]| list.iter().map(|each| (*each).to_owned()).collect();
        Self {
            addon_versions: BTreeMap::from([
                ("1.34".into(), versions(&["v1.4.0-eksbuild.1"])),
                ("1.35".into(), versions(&["v1.5.0-eksbuild.1", "v1.5.2-eksbuild.1"])),
                ("1.36".into(), versions(&["v1.5.2-eksbuild.1", "v1.6.0-eksbuild.1", "v1.6.1-eksbuild.3"])),
            ]),
            ..Self::default()
        }
    }

    pub fn thing(&self, kind: &str, name: &str) -> &Value {
        let key = (table(kind).kind, name.to_owned());
        self.things.get(&key).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    pub fn change(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let key = (table(kind).kind, name.to_owned());
        change(self.things.get_mut(&key).unwrap_or_else(|| panic!("no {kind} {name}")));
    }

    /// Everything under way ends well.
    pub fn settle(&mut self) {
        let settle = |thing: &mut Value| match thing["status"].as_str() {
            Some("CREATING" | "UPDATING") => {
                thing["status"] = json!("ACTIVE");
                true
            }
            other => other != Some("DELETING"),
        };
        if self.cluster.as_mut().is_some_and(|cluster| !settle(cluster)) {
            self.cluster = None;
            self.things.clear();
            self.policies.clear();
        }
        self.things.retain(|_, thing| settle(thing));
        for update in &mut self.updates {
            update["status"] = json!("Successful");
        }
    }

    fn now(&mut self) -> Value {
        self.clock += 1;
        json!(format!(
            "2026-11-21T{:02}:{:02}:{:02}Z",
            self.clock / 3600 % 24,
            self.clock / 60 % 60,
            self.clock % 60
        ))
    }

    fn cluster(&mut self) -> Result<&mut Value, &'static str> {
        self.cluster.as_mut().ok_or("ResourceNotFoundException")
    }

    fn active_cluster(&mut self) -> Result<&mut Value, &'static str> {
        let cluster = self.cluster()?;
        if cluster["status"] == json!("ACTIVE") { Ok(cluster) } else { Err("ResourceInUseException") }
    }

    /// One call. Panics when the service's model does not allow it.
    pub fn call(&mut self, call: &Call) -> Answer {
        check(call);
        self.calls.push(call.clone());
        let input = &call.input;
        let operation = call.operation.as_str();
        if call.service == Service::Sts {
            return Ok(json!({"Arn": OPERATOR}));
        }
        match operation {
            "DescribeCluster" => Ok(json!({"cluster": self.cluster()?})),
            "CreateCluster" => self.create_cluster(input),
            "DeleteCluster" => self.delete_cluster(),
            "UpdateClusterVersion" => {
                let to = input["version"].clone();
                let now = self.now();
                let cluster = self.active_cluster()?;
                cluster["status"] = json!("UPDATING");
                cluster["version"] = to.clone();
                let id = format!("update-{}", self.updates.len());
                self.updates.push(json!({
                    "id": id, "type": "VersionUpdate", "status": "InProgress", "createdAt": now,
                    "params": [{"type": "Version", "value": to}],
                }));
                Ok(json!({"update": {"id": id}}))
            }
            "UpdateClusterConfig" => self.update_cluster(input),
            "AssociateEncryptionConfig" => {
                let config = input["encryptionConfig"].clone();
                self.active_cluster()?["encryptionConfig"] = config;
                Ok(json!({}))
            }
            "ListInsights" => Ok(json!({"insights": self.insights})),
            "ListUpdates" => {
                Ok(json!({"updateIds": self.updates.iter().map(|u| &u["id"]).collect::<Vec<_>>()}))
            }
            "DescribeUpdate" => {
                let update = self.updates.iter().find(|update| update["id"] == input["updateId"]);
                Ok(json!({"update": update.ok_or("ResourceNotFoundException")?}))
            }
            "DescribeClusterVersions" => {
                let versions: Vec<Value> =
                    self.addon_versions.keys().map(|version| json!({"clusterVersion": version})).collect();
                Ok(json!({"clusterVersions": versions}))
            }
            "DescribeAddonVersions" => Ok(self.versions(input)),
            "DescribeAddonConfiguration" => Ok(json!({
                "addonName": input["addonName"], "addonVersion": input["addonVersion"], "configurationSchema": "{}",
            })),
            "TagResource" | "UntagResource" => self.tag(input),
            "ListAccessPolicies" => {
                let arn = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
                Ok(json!({"accessPolicies": [{"name": "AmazonEKSViewPolicy", "arn": arn}]}))
            }
            "AssociateAccessPolicy" => {
                let policies = self.policies.entry(text(input, "principalArn")).or_default();
                policies.insert(text(input, "policyArn"), input["accessScope"].clone());
                Ok(json!({}))
            }
            "DisassociateAccessPolicy" => {
                self.policies
                    .entry(text(input, "principalArn"))
                    .or_default()
                    .remove(&text(input, "policyArn"));
                Ok(json!({}))
            }
            "ListAssociatedAccessPolicies" => {
                let policies = self.policies.get(&text(input, "principalArn")).into_iter().flatten();
                let each: Vec<Value> =
                    policies.map(|(arn, scope)| json!({"policyArn": arn, "accessScope": scope})).collect();
                Ok(json!({"associatedAccessPolicies": each}))
            }
            "ListIdentityProviderConfigs" => Ok(json!({"identityProviderConfigs": []})),
            _ => self.generic(operation, input),
        }
    }

    fn create_cluster(&mut self, input: &Value) -> Answer {
        if self.cluster.is_some() {
            return Err("ResourceInUseException".into());
        }
        let mut cluster = input.clone();
        cluster["status"] = json!("CREATING");
        cluster["arn"] =
            json!(format!("arn:aws:eks:eu-central-1:111122223333:cluster/{}", text(input, "name")));
        cluster["createdAt"] = self.now();
        cluster["endpoint"] = json!("https://api.example");
        cluster["certificateAuthority"] = json!({"data": "Y2E="});
        cluster["identity"] = json!({"oidc": {"issuer": "https://oidc.example/id/1"}});
        cluster["resourcesVpcConfig"]["clusterSecurityGroupId"] = json!("sg-cluster");
        if cluster["resourcesVpcConfig"]["publicAccessCidrs"].is_null() {
            cluster["resourcesVpcConfig"]["publicAccessCidrs"] = json!(["0.0.0.0/0"]);
        }
        if cluster["version"].is_null() {
            cluster["version"] = json!("1.35");
        }
        cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"] = json!("10.100.0.0/16");
        if input["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] == json!(true) {
            let now = self.now();
            let principal = "arn:aws:iam::111122223333:role/team/operator";
            let entry = json!({"principalArn": principal, "type": "STANDARD", "tags": {}, "createdAt": now});
            self.things.insert(("accessEntry", principal.into()), entry);
        }
        self.cluster = Some(cluster.clone());
        Ok(json!({"cluster": cluster}))
    }

    fn delete_cluster(&mut self) -> Answer {
        let busy = self.things.keys().any(|(kind, _)| matches!(*kind, "nodegroup" | "fargateProfile"));
        if busy {
            return Err("ResourceInUseException".into());
        }
        let cluster = self.active_cluster()?;
        assert_ne!(cluster["deletionProtection"], json!(true), "a protected cluster was to be deleted");
        cluster["status"] = json!("DELETING");
        Ok(json!({}))
    }

    fn update_cluster(&mut self, input: &Value) -> Answer {
        let cluster = self.active_cluster()?;
        let kinds = input.as_object().expect("an object").keys();
        let kinds = kinds.filter(|name| !["name", "clientRequestToken"].contains(&name.as_str())).count();
        let auto_mode = input["computeConfig"].is_object();
        assert!(kinds == 1 || auto_mode, "one kind of change per call: {input}");
        for (member, value) in input.as_object().expect("an object") {
            match member.as_str() {
                "name" | "clientRequestToken" => {}
                "resourcesVpcConfig" | "kubernetesNetworkConfig" => {
                    for (name, value) in value.as_object().expect("an object") {
                        cluster[member][name] = value.clone();
                    }
                }
                _ => cluster[member] = value.clone(),
            }
        }
        cluster["status"] = json!("UPDATING");
        Ok(json!({"update": {"id": "u"}}))
    }

    fn versions(&self, input: &Value) -> Value {
        let kubernetes = text(input, "kubernetesVersion");
        let versions = self.addon_versions.get(&kubernetes).into_iter().flatten().enumerate();
        let infos: Vec<Value> = versions
            .map(|(nth, version)| {
                json!({
                    "addonVersion": version,
                    "compatibilities": [{"clusterVersion": kubernetes, "defaultVersion": nth == 0}],
                })
            })
            .collect();
        json!({"addons": [{"addonName": input["addonName"], "addonVersions": infos}]})
    }

    fn tag(&mut self, input: &Value) -> Answer {
        let arn = &input["resourceArn"];
        let all = self.cluster.iter_mut().chain(self.things.values_mut());
        let thing = all
            .into_iter()
            .find(|thing| thing["arn"] == *arn || TABLES.iter().any(|table| thing[table.arn] == *arn))
            .ok_or("NotFoundException")?;
        for (name, value) in input["tags"].as_object().into_iter().flatten() {
            thing["tags"][name] = value.clone();
        }
        for name in input["tagKeys"].as_array().into_iter().flatten() {
            thing["tags"].as_object_mut().expect("tags").remove(name.as_str().expect("a name"));
        }
        Ok(json!({}))
    }

    fn generic(&mut self, operation: &str, input: &Value) -> Answer {
        let (verb, noun) = ["Create", "Describe", "Update", "Delete", "List"]
            .iter()
            .find_map(|verb| operation.strip_prefix(verb).map(|noun| (*verb, noun)))
            .unwrap_or_else(|| panic!("{operation} is not played here"));
        let kind = match noun.trim_end_matches('s') {
            "Addon" => "addon",
            "Nodegroup" | "NodegroupConfig" | "NodegroupVersion" => "nodegroup",
            "FargateProfile" => "fargateProfile",
            "AccessEntry" | "AccessEntrie" => "accessEntry",
            "PodIdentityAssociation" => "association",
            other => panic!("{operation} ({other}) is not played here"),
        };
        let table = table(kind);
        let key = (table.kind, text(input, table.name));
        match verb {
            "List" => {
                self.cluster()?;
                let things = self.things.iter().filter(|((kind, _), _)| *kind == table.kind);
                let listed: Vec<Value> = things
                    .map(|((_, name), thing)| if kind == "association" { thing.clone() } else { json!(name) })
                    .collect();
                Ok(json!({(table.list): listed}))
            }
            "Describe" => Ok(json!({(kind): self.things.get(&key).ok_or("ResourceNotFoundException")?})),
            "Create" => self.create(table, input),
            "Delete" => {
                self.active_cluster()?;
                let thing = self.things.get_mut(&key).ok_or("ResourceNotFoundException")?;
                if table.has_status {
                    thing["status"] = json!("DELETING");
                } else {
                    self.things.remove(&key);
                }
                Ok(json!({}))
            }
            _ => self.update(operation, table, &key, input),
        }
    }

    fn create(&mut self, table: &Table, input: &Value) -> Answer {
        let cluster = self.active_cluster()?;
        let version = cluster["version"].clone();
        // Nodes of Auto Mode bring their network along, and eksctl then adds no add-on for it unasked.
        let is_auto = cluster["computeConfig"]["enabled"] == json!(true);
        let mut thing = input.clone();
        if table.kind == "association" {
            thing["associationId"] =
                json!(format!("a-{}-{}", text(input, "namespace"), text(input, "serviceAccount")));
        }
        let name = text(&thing, table.name);
        let key = (table.kind, name.clone());
        if self.things.contains_key(&key) {
            return Err("ResourceInUseException".into());
        }
        if table.kind == "nodegroup" {
            let ready = self.things.iter().any(|((kind, name), thing)| {
                *kind == "addon" && name == "vpc-cni" && thing["status"] == json!("ACTIVE")
            });
            assert!(ready || is_auto, "node group {name} before the network");
            thing["version"] = version.clone();
        }
        if table.kind == "addon" && thing["addonVersion"].is_null() {
            thing["addonVersion"] = json!(self.addon_versions[version.as_str().expect("a version")][0]);
        }
        if table.kind == "accessEntry" && thing["type"].is_null() {
            thing["type"] = json!("STANDARD");
        }
        thing[table.arn] = json!(format!("arn:aws:eks:eu-central-1:111122223333:{}/c/{name}", table.kind));
        thing["createdAt"] = self.now();
        if table.has_status {
            thing["status"] = json!("CREATING");
        }
        self.things.insert(key, thing.clone());
        Ok(json!({(table.kind): thing}))
    }

    fn update(
        &mut self,
        operation: &str,
        table: &Table,
        key: &(&'static str, String),
        input: &Value,
    ) -> Answer {
        let cluster = self.active_cluster()?["version"].clone();
        let thing = self.things.get_mut(key).ok_or("ResourceNotFoundException")?;
        if table.has_status && !["ACTIVE", "DEGRADED"].contains(&thing["status"].as_str().unwrap_or_default())
        {
            return Err("ResourceInUseException".into());
        }
        for (member, value) in input.as_object().expect("an object") {
            match (operation, member.as_str()) {
                (_, "clusterName" | "clientRequestToken" | "force" | "resolveConflicts") => {}
                ("UpdateNodegroupConfig", "labels") => {
                    for (name, value) in value["addOrUpdateLabels"].as_object().into_iter().flatten() {
                        thing["labels"][name] = value.clone();
                    }
                    for name in value["removeLabels"].as_array().into_iter().flatten() {
                        thing["labels"]
                            .as_object_mut()
                            .expect("labels")
                            .remove(name.as_str().expect("a name"));
                    }
                }
                ("UpdateNodegroupConfig", "taints") => {
                    let which = |taint: &Value| (taint["key"].clone(), taint["effect"].clone());
                    let changed: Vec<&Value> = ["addOrUpdateTaints", "removeTaints"]
                        .iter()
                        .flat_map(|list| value[*list].as_array().into_iter().flatten())
                        .collect();
                    let taints = thing["taints"].as_array().cloned().unwrap_or_default();
                    let kept = taints.into_iter().filter(|t| !changed.iter().any(|c| which(c) == which(t)));
                    let put = value["addOrUpdateTaints"].as_array().into_iter().flatten().cloned();
                    thing["taints"] = kept.chain(put).collect();
                }
                ("UpdateNodegroupConfig", "scalingConfig") => {
                    for (name, value) in value.as_object().expect("an object") {
                        thing["scalingConfig"][name] = value.clone();
                    }
                }
                ("UpdateNodegroupVersion", "version") => {
                    let number = |version: &Value| version.as_str().and_then(|v| v[2..].parse::<u32>().ok());
                    assert!(number(value) <= number(&cluster), "nodes newer than the control plane");
                    thing["version"] = value.clone();
                }
                _ => thing[member] = value.clone(),
            }
        }
        if table.has_status {
            thing["status"] = json!("UPDATING");
        }
        Ok(json!({"update": {"id": "u"}}))
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

/// Holds a call to the service's model, where that is at hand (it is not in the repository).
pub fn check(call: &Call) {
    if call.service != Service::Eks {
        return;
    }
    let Some(model) = model() else { return };
    let operation =
        model.operation(&call.operation).unwrap_or_else(|| panic!("EKS has no {}", call.operation));
    let input = operation.input.as_deref().expect("every operation that is called has an input");
    let misfits = misfits(model, input, &call.input, Way::In);
    let words: Vec<String> = misfits.iter().map(ToString::to_string).collect();
    assert!(words.is_empty(), "{call} does not fit the model: {}\n{:#}", words.join("; "), call.input);
}

/// Puts something in the place of tokens and of outputs that are not known yet.
pub fn stand_in(value: &mut Value) {
    match value {
        Value::Object(members) if members.contains_key("$output") => *value = json!("stand-in"),
        Value::Object(members) => members.values_mut().for_each(stand_in),
        Value::Array(items) => items.iter_mut().for_each(stand_in),
        Value::String(text) if text == TOKEN => *text = "token".into(),
        _ => {}
    }
}

/// The folder of real input beside the repository, if it is there.
pub fn corpus() -> Option<PathBuf> {
    crate::support::corpus::corpus("")
}

pub fn model() -> Option<&'static Model> {
    static MODEL: OnceLock<Option<Model>> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            Some(Model::load(&corpus()?.join("aws/eks-service-model.json")).expect("a model that is one"))
        })
        .as_ref()
}

#[test]
fn the_judge_finds_what_the_model_does_not_allow() {
    if model().is_none() {
        return;
    }
    let wrong = [
        json!({"clusterName": "c"}),
        json!({"clusterName": "c", "nodegroupName": "n", "subnets": [], "nodeRole": "r", "amiType": "AL3"}),
        json!({"clusterName": "c", "nodegroupName": "n", "subnets": [], "nodeRole": "r", "$create": {}}),
    ];
    for input in wrong {
        let call = Call::new(Service::Eks, "CreateNodegroup", input);
        assert!(std::panic::catch_unwind(|| check(&call)).is_err(), "{}", call.input);
    }
}
