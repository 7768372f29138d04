//! The specification of a real cluster as a kops on this machine can make it: what names things of the real account is
//! taken out, and each such difference is told.

use super::story::Surprise;
use crate::local::kops::{KOPS_RELEASES, KopsRelease, control_plane_for};
use crate::migrate::dump::{Inventory, KopsFiles};
use crate::model::yaml;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// An image that the local AWS knows; nothing boots from it.
const IMAGE: &str = "099720109477/ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20230814";

/// Fields below `spec` of a Cluster that name things which only the real account has, in both spellings.
const OF_ACCOUNT: [&str; 17] = [
    "/networkID",
    "/networking/networkID",
    "/sshKeyName",
    "/externalPolicies",
    "/fileAssets",
    "/assets",
    "/additionalNetworkCIDRs",
    "/networking/additionalNetworkCIDRs",
    "/sharedPolicies",
    "/encryptionConfig",
    "/gossipConfig",
    "/serviceAccountIssuerDiscovery/discoveryStore",
    "/api/loadBalancer/sslCertificate",
    "/api/loadBalancer/securityGroupOverride",
    "/api/loadBalancer/additionalSecurityGroups",
    "/api/loadBalancer/accessLog",
    "/api/loadBalancer/subnets",
];
/// The same of an InstanceGroup.
const OF_GROUP: [&str; 8] = [
    "/additionalSecurityGroups",
    "/securityGroupOverride",
    "/iam/profile",
    "/externalLoadBalancers",
    "/capacityReservationTarget",
    "/fileAssets",
    "/tenancy",
    "/hibernate",
];
/// The same of a subnet.
const OF_SUBNET: [&str; 4] = ["/id", "/egress", "/publicIP", "/additionalRoutes"];

/// A specification, the region that its zones lie in, and what is another than it really is.
#[derive(Clone, Debug, Default)]
pub struct Likeness {
    /// Cluster and InstanceGroups, for kops.
    pub text: String,
    /// Its region.
    pub region: String,
    /// What is different.
    pub differences: Vec<Surprise>,
}

/// Makes it from what was read of the real cluster.
///
/// # Errors
/// There is no Cluster among the files; no kops that is built here makes such clusters.
pub fn likeness(inventory: &Inventory) -> Result<Likeness, String> {
    let files = inventory.store.as_ref().or(inventory.files.as_ref());
    let files = files.ok_or("the dump has no specs of kops: dump again with --state, or with --files")?;
    let mut documents = documents(files);
    let mut likeness = Likeness::default();
    if !documents.iter().any(|document| document["kind"] == "Cluster") {
        return Err("there is no Cluster among the specs of the dump".into());
    }
    for document in &mut documents {
        let cluster = document["kind"] == "Cluster";
        let subject = format!(
            "{} {}",
            document["kind"].as_str().unwrap_or_default(),
            document["metadata"]["name"].as_str().unwrap_or_default()
        );
        if let Some(metadata) = document["metadata"].as_object_mut() {
            metadata.retain(|field, _| matches!(field.as_str(), "name" | "labels"));
        }
        let spec = &mut document["spec"];
        let fields: &[&str] = if cluster { &OF_ACCOUNT } else { &OF_GROUP };
        take_out(spec, fields, &subject, &mut likeness.differences);
        if cluster {
            likeness.region = region(spec).ok_or("no subnet of the Cluster names a zone")?;
            subnets(spec, &subject, &mut likeness.differences);
            network(spec, &subject, &mut likeness.differences);
            version(spec, &subject, &mut likeness.differences)?;
        } else if spec["image"].as_str().is_some_and(|image| image != IMAGE) {
            spec["image"] = IMAGE.into();
        }
    }
    let texts: Vec<String> = documents.iter().map(Value::to_string).collect();
    likeness.text = texts.join("\n---\n");
    Ok(likeness)
}

/// The Cluster and its InstanceGroups, as their author wrote them.
fn documents(files: &KopsFiles) -> Vec<Value> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for (path, text) in &files.texts {
        let parts: Vec<&str> = path.split('/').collect();
        let is_spec = matches!(parts[..], [.., "config"] | [.., "instancegroup", _]);
        if files.is_store && !is_spec {
            continue;
        }
        for document in yaml::read_stream(text.as_bytes(), &yaml::Limits::default()).into_iter().flatten() {
            let document = document.into_value();
            let items = match document.get("items") {
                Some(Value::Array(items)) if document["kind"] == "List" => items.clone(),
                _ => vec![document],
            };
            for item in items {
                let (kind, name) = (item["kind"].to_string(), item["metadata"]["name"].to_string());
                let wanted = item["kind"] == "Cluster" || item["kind"] == "InstanceGroup";
                let other = files.cluster.as_deref().is_some_and(|cluster| {
                    item["kind"] == "Cluster" && item["metadata"]["name"] != cluster
                        || item["metadata"]["labels"]["kops.k8s.io/cluster"]
                            .as_str()
                            .is_some_and(|of| of != cluster)
                });
                if wanted && !other && names.insert((kind, name)) {
                    found.push(item);
                }
            }
        }
    }
    found
}

fn take_out(spec: &mut Value, fields: &[&str], subject: &str, differences: &mut Vec<Surprise>) {
    for pointer in fields {
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        let parent = if parent.is_empty() { Some(&mut *spec) } else { spec.pointer_mut(parent) };
        let taken = parent.and_then(Value::as_object_mut).and_then(|fields| fields.remove(name));
        if taken.is_some_and(|value| !value.is_null()) {
            let says = "names things of the real account: the rehearsal's cluster has none of them";
            differences.push(Surprise::new("rehearsal", format!("{subject} /spec{pointer}"), says));
        }
    }
}

fn subnets(spec: &mut Value, subject: &str, differences: &mut Vec<Surprise>) {
    let mut taken = Vec::new();
    for place in ["/subnets", "/networking/subnets"] {
        for subnet in spec.pointer_mut(place).and_then(Value::as_array_mut).into_iter().flatten() {
            take_out(subnet, &OF_SUBNET, subject, &mut taken);
        }
    }
    if !taken.is_empty() {
        let says = "the real cluster lies in a network of others; the rehearsal's has one of its own";
        differences.push(Surprise::new("rehearsal", format!("{subject} subnets"), says));
    }
}

/// The local AWS has no rules for IP in IP, and some networks need them: Cilium takes their place.
fn network(spec: &mut Value, subject: &str, differences: &mut Vec<Surprise>) {
    let Some(networking) = spec["networking"].as_object_mut() else { return };
    let others =
        ["calico", "canal", "weave", "kuberouter", "romana", "kopeio", "flannel", "lyftvpc", "kubenet"];
    for name in others {
        if networking.remove(name).is_some() {
            networking.insert("cilium".into(), json!({}));
            let says = format!(
                "the rehearsal's nodes have Cilium in place of {name}: objects of its own kinds are not made"
            );
            differences.push(Surprise::new("rehearsal", format!("{subject} networking"), says));
        }
    }
}

fn region(spec: &Value) -> Option<String> {
    let subnets =
        ["/subnets", "/networking/subnets"].iter().find_map(|place| spec.pointer(place)?.as_array());
    let zone = subnets?.iter().find_map(|subnet| subnet["zone"].as_str())?;
    Some(zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase()).to_owned())
}

/// A version that some kops makes and some control plane serves: its own, else the nearest above.
fn version(spec: &mut Value, subject: &str, differences: &mut Vec<Surprise>) -> Result<(), String> {
    let asked = spec["kubernetesVersion"].as_str().unwrap_or_default().trim_start_matches('v').to_owned();
    let minor = |version: &str| version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let wanted = minor(&asked).ok_or("the Cluster names no version of Kubernetes")?;
    let above = || {
        let near = KOPS_RELEASES.iter().filter(|release| *release.minors.end() >= wanted);
        near.min_by_key(|release| *release.minors.end())
    };
    let made = match KopsRelease::for_kubernetes(&asked) {
        Ok(_) => asked.clone(),
        Err(error) => {
            above().map(|release| release.kubernetes.to_owned()).ok_or_else(|| error.to_string())?
        }
    };
    let served = control_plane_for(&made).map_err(|error| error.to_string())?.version.trim_start_matches('v');
    if minor(served) != Some(wanted) {
        let says = format!(
            "the cluster runs Kubernetes {asked}; the rehearsal's is {served}, the nearest above that is built here: what {served} no longer serves is not rehearsed"
        );
        differences.push(Surprise::new("rehearsal", format!("{subject} /spec/kubernetesVersion"), says));
    }
    spec["kubernetesVersion"] = made.into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn inventory(version: &str) -> Inventory {
        let config = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {{name: live.example.com, uid: '1'}}\nspec:\n  \
             kubernetesVersion: {version}\n  networkID: vpc-1\n  networking: {{calico: {{}}}}\n  subnets:\n  - {{name: a, zone: eu-west-1b, id: subnet-1}}\n"
        );
        let group = "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata: {name: nodes}\nspec: {image: ami-1, role: Node}\n";
        let texts = BTreeMap::from([
            ("live.example.com/config".to_owned(), config),
            ("live.example.com/instancegroup/nodes".to_owned(), group.to_owned()),
            ("live.example.com/cluster-completed.spec".to_owned(), "kind: Cluster".to_owned()),
        ]);
        let store = KopsFiles { place: "s3://store".into(), is_store: true, texts, ..KopsFiles::default() };
        Inventory { store: Some(store), ..Inventory::default() }
    }

    #[test]
    fn what_names_the_account_goes_and_each_difference_is_told() {
        let likeness = likeness(&inventory("1.24.17")).unwrap();
        assert_eq!(likeness.region, "eu-west-1");
        for gone in ["vpc-1", "subnet-1", "calico", "ami-1", "uid"] {
            assert!(!likeness.text.contains(gone), "{gone}: {}", likeness.text);
        }
        let told: Vec<&str> = likeness.differences.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(
            told,
            [
                "Cluster live.example.com /spec/networkID",
                "Cluster live.example.com subnets",
                "Cluster live.example.com networking"
            ]
        );
    }

    #[test]
    fn the_version_is_its_own_or_the_nearest_above_that_is_built() {
        let of = |version: &str| likeness(&inventory(version)).unwrap();
        assert!(of("1.19.16").text.contains("1.24.17"));
        assert!(of("1.19.16").differences.iter().any(|one| one.says.contains("1.19.16")));
        assert!(of("1.26.4").text.contains("1.26.4"), "kops makes it");
        assert!(of("1.26.4").differences.iter().any(|one| one.says.contains("1.35.4")), "and this serves it");
        assert!(likeness(&inventory("1.99.0")).is_err());
        assert!(likeness(&Inventory::default()).is_err());
    }
}
