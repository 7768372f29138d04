//! Volumes attached to instances and taken off again, as VolumeAttachments ask.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::nodes::DRIVER;
use super::provision::{handle_of, tags_of};
use super::view::{View, instance_of, is_going, shown, with_finalizer, without_finalizer, zone_of};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, text};

/// The external-attacher's, for this driver.
const FINALIZER: &str = "external-attacher/ebs-csi-aws-com";
const ATTACHMENTS: &str = "/apis/storage.k8s.io/v1/volumeattachments";
const VOLUMES: &str = "/api/v1/persistentvolumes";

/// One look at VolumeAttachments.
pub(super) async fn pass(controllers: &Controllers, view: &View, complaints: &mut BTreeMap<String, String>) {
    for attachment in view.attachments.iter().filter(|one| one["spec"]["attacher"] == DRIVER) {
        let done = if is_going(attachment) {
            detach(controllers, view, attachment).await
        } else if attachment["status"]["attached"] == true {
            Ok(())
        } else {
            attach(controllers, view, attachment).await
        };
        if let Err(failed) = done {
            let message = failed.to_string();
            let field = if is_going(attachment) { "detachError" } else { "attachError" };
            let error = json!({"time": Timestamp::now().to_string(), "message": message});
            let told = attachment["status"][field]["message"].as_str() == Some(message.as_str());
            if !told {
                let status = json!({"status": {"attached": is_going(attachment), field: error}});
                let path = format!("{ATTACHMENTS}/{}/status", text(&attachment["metadata"], "name"));
                // The error is told below as well; the next pass writes it again.
                let _ = controllers.api.merge(&path, &status).await;
            }
            complaints.insert(format!("VolumeAttachment {}", shown(attachment)), message);
        }
    }
    // A volume's object may go when nothing is attached by it any more.
    for volume in view.volumes.iter().filter(|volume| is_going(volume)) {
        let name = text(&volume["metadata"], "name");
        let used =
            view.attachments.iter().any(|one| one["spec"]["source"]["persistentVolumeName"] == name.as_str());
        if let Some(patch) = without_finalizer(volume, FINALIZER).filter(|_| !used)
            && let Err(refusal) = controllers.api.merge(&format!("{VOLUMES}/{name}"), &patch).await
        {
            complaints.insert(format!("PersistentVolume {name}"), refusal.to_string());
        }
    }
}

/// What a VolumeAttachment is about: the volume's object, its id, the node.
fn about<'a>(view: &'a View, attachment: &Value) -> Result<(&'a Value, String, Option<&'a Value>), Failed> {
    let name = attachment["spec"]["source"]["persistentVolumeName"]
        .as_str()
        .ok_or("it names no PersistentVolume")?;
    let volume =
        View::named(&view.volumes, name).ok_or_else(|| format!("the PersistentVolume {name} is gone"))?;
    let id = handle_of(volume).ok_or_else(|| format!("{name} is no volume of EBS"))?;
    let node = View::named(&view.nodes, attachment["spec"]["nodeName"].as_str().unwrap_or_default());
    Ok((volume, id, node))
}

async fn described(controllers: &Controllers, id: &str) -> Result<Option<Value>, Failed> {
    let filter = json!([{"Name": "volume-id", "Values": [id]}]);
    let answer = controllers.account.ec2("DescribeVolumes", json!({"Filters": filter})).await?;
    Ok(items(&answer, "volumeSet").next().cloned())
}

async fn attach(controllers: &Controllers, view: &View, attachment: &Value) -> Result<(), Failed> {
    let (volume, id, node) = about(view, attachment)?;
    let node = node.ok_or("the node is gone")?;
    let instance = instance_of(node);
    let name = text(&attachment["metadata"], "name");
    for (object, path) in [
        (attachment, format!("{ATTACHMENTS}/{name}")),
        (volume, format!("{VOLUMES}/{}", text(&volume["metadata"], "name"))),
    ] {
        if let Some(patch) = with_finalizer(object, FINALIZER) {
            controllers.api.merge(&path, &patch).await?;
        }
    }
    let disk = described(controllers, &id).await?;
    let disk = disk.ok_or_else(|| format!("InvalidVolume.NotFound: The volume '{id}' does not exist."))?;
    if !controllers.may_touch(&tags_of(&disk)) {
        return Err(
            format!("UnauthorizedOperation: ec2:AttachVolume on {id} is not allowed by its tags").into()
        );
    }
    let (zone, own) = (text(&disk, "availabilityZone"), zone_of(node));
    if zone != own {
        return Err(format!("InvalidVolume.ZoneMismatch: {id} is in {zone}, {instance} in {own}").into());
    }
    let holders: Vec<String> = items(&disk, "attachmentSet").map(|one| text(one, "instanceId")).collect();
    let mut device = items(&disk, "attachmentSet").next().map(|one| text(one, "device")).unwrap_or_default();
    if !holders.contains(&instance) {
        if let Some(holder) = holders.first() {
            return Err(format!("VolumeInUse: {id} is already attached to {holder}").into());
        }
        device = free_device(controllers, &instance).await?;
        let input = json!({"VolumeId": id, "InstanceId": instance, "Device": device});
        controllers.account.ec2("AttachVolume", input).await?;
    }
    let status = json!({"status": {"attached": true, "attachError": null, "attachmentMetadata": {"devicePath": device}}});
    controllers.api.merge(&format!("{ATTACHMENTS}/{name}/status"), &status).await?;
    Ok(())
}

/// A device name that no volume of the instance has, in the driver's range.
async fn free_device(controllers: &Controllers, instance: &str) -> Result<String, Failed> {
    let filter = json!([{"Name": "attachment.instance-id", "Values": [instance]}]);
    let answer = controllers.account.ec2("DescribeVolumes", json!({"Filters": filter})).await?;
    let taken: BTreeSet<String> = items(&answer, "volumeSet")
        .flat_map(|volume| items(volume, "attachmentSet"))
        .filter(|one| one["instanceId"] == instance)
        .map(|one| text(one, "device"))
        .collect();
    let letters =
        ('b'..='c').flat_map(|first| ('a'..='z').map(move |second| format!("/dev/xvd{first}{second}")));
    letters
        .into_iter()
        .find(|name| !taken.contains(name))
        .ok_or_else(|| "the instance has no device name left".into())
}

async fn detach(controllers: &Controllers, view: &View, attachment: &Value) -> Result<(), Failed> {
    let name = text(&attachment["metadata"], "name");
    // A volume that is gone, or a node: nothing is attached any more.
    if let Ok((_, id, node)) = about(view, attachment)
        && let Some(disk) = described(controllers, &id).await?
    {
        let listed =
            View::named(&view.driver_nodes, attachment["spec"]["nodeName"].as_str().unwrap_or_default());
        let instance = node.map(instance_of).or_else(|| {
            let drivers = listed.map(|listed| &listed["spec"])?;
            items(drivers, "drivers").find(|one| one["name"] == DRIVER).map(|one| text(one, "nodeID"))
        });
        let holder =
            items(&disk, "attachmentSet").find(|one| instance.as_deref() == one["instanceId"].as_str());
        if let Some(holder) = holder {
            if !controllers.may_touch(&tags_of(&disk)) {
                return Err(format!(
                    "UnauthorizedOperation: ec2:DetachVolume on {id} is not allowed by its tags"
                )
                .into());
            }
            let input = json!({"VolumeId": id, "InstanceId": text(holder, "instanceId")});
            controllers.account.ec2("DetachVolume", input).await?;
        }
    }
    if let Some(patch) = without_finalizer(attachment, FINALIZER) {
        controllers.api.merge(&format!("{ATTACHMENTS}/{name}"), &patch).await?;
    }
    Ok(())
}
