//! Volumes for claims, and the end of those that are Released with `Delete`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::nodes::{DRIVER, ZONE};
use super::program::EbsDriver;
use super::view::{View, is_going, shown, zone_of};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, tag_list, text};
use crate::local::aws::kubernetes::Refusal;

const IN_TREE: &str = "kubernetes.io/aws-ebs";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const GIB: f64 = 1_073_741_824.0;

/// One look at claims and volumes.
pub(super) async fn pass(
    controllers: &Controllers,
    view: &View,
    driver: &EbsDriver,
    complaints: &mut BTreeMap<String, String>,
) {
    for claim in &view.claims {
        if let Some(class) = wants_volume(view, claim)
            && let Err(failed) = provision(controllers, view, driver, claim, class).await
        {
            complaints.insert(format!("PersistentVolumeClaim {}", shown(claim)), failed.to_string());
        }
    }
    for volume in &view.volumes {
        let released = volume["status"]["phase"] == "Released";
        let deletes = volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete";
        if released
            && deletes
            && provisioned(volume)
            && let Err(failed) = delete(controllers, view, volume).await
        {
            complaints.insert(format!("PersistentVolume {}", shown(volume)), failed.to_string());
        }
    }
}

/// The class of a claim that the controller-manager has handed to the driver.
fn wants_volume<'a>(view: &'a View, claim: &Value) -> Option<&'a Value> {
    let annotations = &claim["metadata"]["annotations"];
    let keys = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];
    let asked = keys.iter().find_map(|key| annotations[*key].as_str())?;
    let bound = claim["spec"]["volumeName"].as_str().is_some_and(|name| !name.is_empty());
    if bound || is_going(claim) || ![DRIVER, IN_TREE].contains(&asked) {
        return None;
    }
    let class = View::named(&view.classes, claim["spec"]["storageClassName"].as_str()?)?;
    let waits = class["volumeBindingMode"] == "WaitForFirstConsumer";
    let placed = annotations["volume.kubernetes.io/selected-node"].is_string();
    (!waits || placed).then_some(class)
}

fn provisioned(volume: &Value) -> bool {
    let by = volume["metadata"]["annotations"][PROVISIONED_BY].as_str();
    by.is_some_and(|by| [DRIVER, IN_TREE].contains(&by))
}

/// The volume's id, whatever the object writes around it.
pub(super) fn handle_of(volume: &Value) -> Option<String> {
    let spec = &volume["spec"];
    let id = if spec["csi"]["driver"] == DRIVER {
        spec["csi"]["volumeHandle"].as_str()
    } else {
        spec["awsElasticBlockStore"]["volumeID"].as_str()
    };
    id.map(|id| id.rsplit('/').next().unwrap_or_default().to_owned())
}

/// Where a volume goes: to its first pod's node, or into any zone that has nodes.
fn zone_for(view: &View, claim: &Value, class: &Value) -> Result<String, Failed> {
    let selected = claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"].as_str();
    if let Some(node) = selected.and_then(|name| View::named(&view.nodes, name)) {
        return Ok(zone_of(node));
    }
    let allowed: Vec<&str> = items(class, "allowedTopologies")
        .flat_map(|term| items(term, "matchLabelExpressions"))
        .flat_map(|expression| items(expression, "values"))
        .filter_map(Value::as_str)
        .collect();
    let mut zones: Vec<String> = view.nodes.iter().map(zone_of).filter(|zone| !zone.is_empty()).collect();
    zones.retain(|zone| allowed.is_empty() || allowed.contains(&zone.as_str()));
    zones.sort();
    zones.dedup();
    // Claims spread over the zones by their names, so that those of a StatefulSet come into different ones.
    let sum: usize = shown(claim).bytes().map(usize::from).sum();
    zones
        .get(sum % zones.len().max(1))
        .cloned()
        .ok_or_else(|| "no node is in a zone that the class allows".into())
}

async fn provision(
    controllers: &Controllers,
    view: &View,
    driver: &EbsDriver,
    claim: &Value,
    class: &Value,
) -> Result<(), Failed> {
    let metadata = &claim["metadata"];
    let name = format!("pvc-{}", text(metadata, "uid"));
    let zone = zone_for(view, claim, class)?;
    let size = gibibytes(claim["spec"]["resources"]["requests"]["storage"].as_str().unwrap_or("1Gi"));
    let volume = match find(controllers, driver, &name).await? {
        Some(id) => id,
        None => create(controllers, driver, claim, class, &name, &zone, size).await?,
    };
    let in_tree = class["provisioner"] == IN_TREE;
    let block = claim["spec"]["volumeMode"] == "Block";
    let kind = class["parameters"]["csi.storage.k8s.io/fstype"]
        .as_str()
        .or_else(|| class["parameters"]["fsType"].as_str())
        .unwrap_or("ext4");
    let key = if in_tree { "topology.kubernetes.io/zone" } else { ZONE };
    let mut object = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: if in_tree { IN_TREE } else { DRIVER }}},
        "spec": {
            "capacity": {"storage": format!("{size}Gi")},
            "accessModes": claim["spec"]["accessModes"],
            "volumeMode": claim["spec"]["volumeMode"].as_str().unwrap_or("Filesystem"),
            "persistentVolumeReclaimPolicy": class["reclaimPolicy"].as_str().unwrap_or("Delete"),
            "storageClassName": class["metadata"]["name"],
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": metadata["name"],
                "namespace": metadata["namespace"], "uid": metadata["uid"],
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions":
                [{"key": key, "operator": "In", "values": [zone]}]}]}},
        },
    });
    if in_tree {
        let region = controllers.account.home.region.clone();
        object["metadata"]["labels"] =
            json!({"topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": region});
        object["spec"]["awsElasticBlockStore"] = json!({"volumeID": format!("aws://{zone}/{volume}")});
        if !block {
            object["spec"]["awsElasticBlockStore"]["fsType"] = kind.into();
        }
    } else {
        object["spec"]["csi"] = json!({"driver": DRIVER, "volumeHandle": volume});
        if !block {
            object["spec"]["csi"]["fsType"] = kind.into();
        }
    }
    match controllers.api.create("/api/v1/persistentvolumes", &object).await {
        Ok(_) | Err(Refusal { status: 409, .. }) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The volume that was made for a name: the driver asks with it as its token.
async fn find(controllers: &Controllers, driver: &EbsDriver, name: &str) -> Result<Option<String>, Failed> {
    let key = if driver.in_tree { "tag:kubernetes.io/created-for/pv/name" } else { "tag:CSIVolumeName" };
    let filter = json!([{"Name": key, "Values": [name]}]);
    let answer = controllers.account.ec2("DescribeVolumes", json!({"Filters": filter})).await?;
    Ok(items(&answer, "volumeSet").next().map(|volume| text(volume, "volumeId")))
}

/// Tags of a new volume (aws-ebs-csi-driver docs/tagging.md; cloud-provider-aws `CreateDisk`).
fn tags_for(driver: &EbsDriver, claim: &Value, name: &str) -> BTreeMap<String, String> {
    let metadata = &claim["metadata"];
    let mut tags = BTreeMap::from([
        ("kubernetes.io/created-for/pv/name".to_owned(), name.to_owned()),
        ("kubernetes.io/created-for/pvc/name".to_owned(), text(metadata, "name")),
        ("kubernetes.io/created-for/pvc/namespace".to_owned(), text(metadata, "namespace")),
    ]);
    if !driver.in_tree {
        tags.insert("CSIVolumeName".to_owned(), name.to_owned());
        tags.insert("ebs.csi.aws.com/cluster".to_owned(), "true".to_owned());
    }
    if let Some(cluster) = &driver.cluster_id {
        tags.extend([
            (format!("kubernetes.io/cluster/{cluster}"), "owned".to_owned()),
            ("KubernetesCluster".to_owned(), cluster.clone()),
            ("Name".to_owned(), format!("{cluster}-dynamic-{name}")),
        ]);
    }
    tags.extend(driver.extra_tags.clone());
    tags
}

async fn create(
    controllers: &Controllers,
    driver: &EbsDriver,
    claim: &Value,
    class: &Value,
    name: &str,
    zone: &str,
    size: u64,
) -> Result<String, Failed> {
    let tags = tags_for(driver, claim, name);
    let parameters = &class["parameters"];
    let kind = parameters["type"].as_str().unwrap_or("gp3");
    let mut input = json!({
        "AvailabilityZone": zone, "Size": size, "VolumeType": kind,
        "TagSpecifications": [{"ResourceType": "volume", "Tags": tag_list(&tags)}],
    });
    if parameters["encrypted"] == "true" {
        input["Encrypted"] = true.into();
        if let Some(key) = parameters["kmsKeyId"].as_str() {
            input["KmsKeyId"] = key.into();
        }
    }
    for (parameter, member) in [("iops", "Iops"), ("throughput", "Throughput")] {
        if let Some(number) = parameters[parameter].as_str().and_then(|text| text.parse::<u64>().ok()) {
            input[member] = number.into();
        }
    }
    let answer = controllers.account.ec2("CreateVolume", input).await?;
    Ok(text(&answer, "volumeId"))
}

async fn delete(controllers: &Controllers, view: &View, volume: &Value) -> Result<(), Failed> {
    let name = text(&volume["metadata"], "name");
    let in_use =
        view.attachments.iter().any(|one| one["spec"]["source"]["persistentVolumeName"] == name.as_str());
    if in_use {
        return Ok(());
    }
    let id = handle_of(volume).ok_or("it names no volume")?;
    let filter = json!([{"Name": "volume-id", "Values": [id]}]);
    let answer = controllers.account.ec2("DescribeVolumes", json!({"Filters": filter})).await?;
    if let Some(found) = items(&answer, "volumeSet").next() {
        if !controllers.may_touch(&tags_of(found)) {
            return Err(format!(
                "UnauthorizedOperation: ec2:DeleteVolume on {id} is not allowed by its tags"
            )
            .into());
        }
        if text(found, "status") != "available" {
            return Ok(());
        }
        controllers.account.ec2("DeleteVolume", json!({"VolumeId": id})).await?;
    }
    controllers.api.delete(&format!("/api/v1/persistentvolumes/{name}")).await?;
    Ok(())
}

/// Tags of a thing of EC2.
pub(super) fn tags_of(thing: &Value) -> BTreeMap<String, String> {
    items(thing, "tagSet").map(|tag| (text(tag, "key"), text(tag, "value"))).collect()
}

/// A quantity of storage in GiB, rounded up.
fn gibibytes(quantity: &str) -> u64 {
    let digits = quantity.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().unwrap_or(1.0);
    let factor = match &quantity[digits.len()..] {
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => GIB,
        "Ti" => GIB * 1024.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        _ => 1.0,
    };
    // At least one, and never so many that the conversion matters.
    let whole = (number * factor / GIB).ceil().clamp(1.0, 65_536.0);
    format!("{whole:.0}").parse().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up() {
        for (quantity, size) in
            [("10Gi", 10), ("1500Mi", 2), ("1G", 1), ("2Ti", 2048), ("1", 1), ("5000000000", 5)]
        {
            assert_eq!(gibibytes(quantity), size, "{quantity}");
        }
    }

    #[test]
    fn tags_are_those_of_the_maker() {
        let claim = json!({"metadata": {"name": "data", "namespace": "shop"}});
        let of = |in_tree| {
            let driver = EbsDriver { cluster_id: Some("old".into()), in_tree, ..EbsDriver::default() };
            tags_for(&driver, &claim, "pvc-1")
        };
        let (own, driver) = (of(true), of(false));
        assert_eq!(own["Name"], "old-dynamic-pvc-1");
        assert_eq!(own["kubernetes.io/cluster/old"], "owned");
        assert_eq!(own["kubernetes.io/created-for/pvc/namespace"], "shop");
        let more: Vec<&String> = driver.keys().filter(|key| !own.contains_key(*key)).collect();
        assert_eq!(more, ["CSIVolumeName", "ebs.csi.aws.com/cluster"]);
    }

    #[test]
    fn handles_are_bare() {
        assert_eq!(
            handle_of(&json!({"spec": {"csi": {"driver": DRIVER, "volumeHandle": "vol-1"}}})).as_deref(),
            Some("vol-1")
        );
        let in_tree = json!({"spec": {"awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-2"}}});
        assert_eq!(handle_of(&in_tree).as_deref(), Some("vol-2"));
        assert_eq!(handle_of(&json!({"spec": {"nfs": {}}})), None);
    }
}
