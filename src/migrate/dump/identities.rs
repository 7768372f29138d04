//! Who is who in AWS by what the cluster's objects say: people by the IAM authenticator, pods by kube2iam and kiam.

use super::inventory::Inventory;
use crate::migrate::assess::{AccessMapping, PodRole};
use crate::migrate::decommission::text;
use crate::model::Object;
use crate::model::yaml::{Limits, read_stream};
use crate::transform::pod_templates;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The annotation of kube2iam and kiam, as a part of a pointer.
const ROLE: &str = "metadata/annotations/iam.amazonaws.com~1role";

/// Mappings in ConfigMaps `aws-auth` (of EKS, and of some who prepared for it) and `aws-iam-authenticator` (the
/// authenticator's own file), and in objects `IAMIdentityMapping`.
pub(super) fn mappings(inventory: &Inventory) -> Vec<AccessMapping> {
    let mut found = Vec::new();
    for map in inventory.of_kind("", "ConfigMap").filter(|map| map.namespace() == Some("kube-system")) {
        let data = |key: &str| map.body().pointer(&format!("/data/{key}")).and_then(Value::as_str);
        match map.name() {
            "aws-auth" => {
                for list in ["mapRoles", "mapUsers", "mapAccounts"] {
                    let items = data(list).map(read).unwrap_or_default();
                    listed(map, &format!("/data/{list}"), &items, &mut found);
                }
            }
            "aws-iam-authenticator" => {
                let file = data("config.yaml").map(read).unwrap_or_default();
                for list in ["mapRoles", "mapUsers", "mapAccounts"] {
                    listed(
                        map,
                        &format!("/data/config.yaml/server/{list}"),
                        &file["server"][list],
                        &mut found,
                    );
                }
            }
            _ => {}
        }
    }
    for mapping in inventory.of_kind("iamauthenticator.k8s.aws", "IAMIdentityMapping") {
        found.push(one(mapping, "/spec", &mapping.body()["spec"]));
    }
    found
}

/// The first document of a text; what cannot be read says nothing.
fn read(text: &str) -> Value {
    let mut documents = read_stream(text.as_bytes(), &Limits::default()).into_iter();
    documents.next().and_then(Result::ok).map(|document| document.into_value()).unwrap_or_default()
}

fn listed(map: &Object, pointer: &str, items: &Value, found: &mut Vec<AccessMapping>) {
    for (index, item) in items.as_array().into_iter().flatten().enumerate() {
        found.push(one(map, &format!("{pointer}/{index}"), item));
    }
}

fn one(object: &Object, field: &str, item: &Value) -> AccessMapping {
    let said = |names: [&str; 3]| {
        let found = names.iter().find_map(|name| item[*name].as_str());
        found.or_else(|| item.as_str()).unwrap_or_default().to_owned()
    };
    let groups = item["groups"].as_array().into_iter().flatten();
    AccessMapping {
        subject: object.id().to_string(),
        field: field.to_owned(),
        arn: said(["rolearn", "userarn", "arn"]),
        username: item["username"].as_str().unwrap_or_default().to_owned(),
        groups: groups.filter_map(Value::as_str).map(str::to_owned).collect(),
    }
}

/// Roles by service account, from the templates of what no controller owns.
pub(super) fn pod_roles(inventory: &Inventory) -> Vec<PodRole> {
    let arns = Arns::of(inventory);
    let mut roles: BTreeMap<(String, String), BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for object in &inventory.objects {
        let owners = object.body().pointer("/metadata/ownerReferences").and_then(Value::as_array);
        if owners.is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true)) {
            continue;
        }
        let Some(namespace) = object.namespace() else { continue };
        for template in pod_templates(object.body()) {
            let text =
                |path: &str| object.body().pointer(&format!("{template}/{path}")).and_then(Value::as_str);
            let old = text("spec/serviceAccount");
            let account = text("spec/serviceAccountName").or(old).filter(|name| !name.is_empty());
            let role = text(ROLE).map(str::trim).map(|role| arns.of_role(role)).unwrap_or_default();
            let key = (namespace.to_owned(), account.unwrap_or("default").to_owned());
            roles.entry(key).or_default().entry(role).or_default().insert(object.id().to_string());
        }
    }
    let mut found = Vec::new();
    for ((namespace, service_account), mut of_account) in roles {
        let without = of_account.remove("").unwrap_or_default();
        found.extend(of_account.into_iter().map(|(role, workloads)| PodRole {
            namespace: namespace.clone(),
            service_account: service_account.clone(),
            role,
            workloads,
            without: without.clone(),
        }));
    }
    found
}

/// What a role's name is short for.
struct Arns<'a> {
    /// Roles of the account, by name.
    by_name: BTreeMap<&'a str, &'a str>,
    /// What kube2iam and kiam were told to put before names.
    base: Option<&'a str>,
}

impl<'a> Arns<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let roles = inventory.aws.items("iam", "ListRoles", &["Roles"]);
        let by_name =
            roles.into_iter().filter_map(|role| Some((text(role, "RoleName")?, text(role, "Arn")?)));
        let sets = inventory.of_kind("apps", "DaemonSet").chain(inventory.of_kind("apps", "Deployment"));
        let arguments = sets
            .filter_map(|set| set.body().pointer("/spec/template/spec/containers")?.as_array())
            .flatten()
            .flat_map(|container| ["args", "command"].map(|field| container[field].as_array()))
            .flatten()
            .flatten();
        let flags = ["--base-role-arn=", "--role-base-arn="];
        let mut bases = arguments.filter_map(Value::as_str);
        let base = bases.find_map(|argument| flags.iter().find_map(|flag| argument.strip_prefix(flag)));
        Self { by_name: by_name.collect(), base: base.filter(|base| base.starts_with("arn:")) }
    }

    fn of_role(&self, role: &str) -> String {
        let name = role.rsplit('/').next().unwrap_or(role);
        match (self.by_name.get(name), self.base) {
            _ if role.starts_with("arn:") => role.to_owned(),
            (Some(arn), _) => (*arn).to_owned(),
            (None, Some(base)) => format!("{base}{}", role.trim_start_matches('/')),
            (None, None) => role.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inventory(objects: Vec<Value>) -> Inventory {
        let objects = objects.into_iter().map(|body| Object::new(body).unwrap()).collect();
        Inventory { objects, ..Inventory::default() }
    }

    #[test]
    fn mappings_are_read_wherever_they_stand() {
        let map = |name: &str, data: Value| {
            json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "kube-system"}, "data": data})
        };
        let found = mappings(&inventory(vec![
            map(
                "aws-auth",
                json!({"mapRoles": "- rolearn: arn:r\n  username: u\n  groups: [g]\n", "mapAccounts": "- \"111122223333\"\n", "mapUsers": "{"}),
            ),
            map(
                "aws-iam-authenticator",
                json!({"config.yaml": "server: {mapUsers: [{userarn: arn:u, groups: [h]}]}"}),
            ),
            json!({"apiVersion": "iamauthenticator.k8s.aws/v1alpha1", "kind": "IAMIdentityMapping", "metadata": {"name": "m"},
                "spec": {"arn": "arn:m", "username": "v"}}),
        ]));
        let told: Vec<(&str, &str, usize)> =
            found.iter().map(|one| (one.field.as_str(), one.arn.as_str(), one.groups.len())).collect();
        assert_eq!(
            told,
            [
                ("/data/mapRoles/0", "arn:r", 1),
                ("/data/mapAccounts/0", "111122223333", 0),
                ("/data/config.yaml/server/mapUsers/0", "arn:u", 1),
                ("/spec", "arn:m", 0),
            ]
        );
    }

    #[test]
    fn roles_of_pods_go_by_service_account() {
        let deployment = |name: &str, account: &str, role: Option<&str>| {
            let annotations = role.map(|role| json!({"iam.amazonaws.com/role": role})).unwrap_or_default();
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
                "spec": {"template": {"metadata": {"annotations": annotations},
                    "spec": {"serviceAccountName": account, "containers": [{"name": "a", "args": []}]}}}})
        };
        let agent = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube2iam", "namespace": "kube-system"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "args": ["--base-role-arn=arn:aws:iam::1:role/"]}]}}}});
        let found = pod_roles(&inventory(vec![
            deployment("up", "files", Some("upload")),
            deployment("down", "files", None),
            deployment("own", "own", Some("arn:aws:iam::2:role/x")),
            agent,
        ]));
        let told: Vec<(&str, &str, usize, usize)> = found
            .iter()
            .map(|one| {
                (one.service_account.as_str(), one.role.as_str(), one.workloads.len(), one.without.len())
            })
            .collect();
        assert_eq!(
            told,
            [("files", "arn:aws:iam::1:role/upload", 1, 1), ("own", "arn:aws:iam::2:role/x", 1, 0)]
        );
    }
}
