//! Launch configurations, which older self-managed groups have in place of a launch template: read in a template's words,
//! so that a group that has one is described and adopted like any other of somebody else's.
//! (Auto Scaling API, `LaunchConfiguration`: nobody can change one, and new accounts cannot make any.)

use super::scaling_read::{NAMED, TEMPLATE, scaling};
use crate::model::cloud::Call;
use crate::provision::network::answer::{
    flag, items, number, object, some_text, text, texts, without_nothing,
};
use crate::provision::resource::{Kind, Live, Snapshot};
use serde_json::{Value, json};

/// Member of a group's template (see [`TEMPLATE`]) that is true where it is a launch configuration.
pub const IS_CONFIGURATION: &str = "configuration";
/// Names that one DescribeLaunchConfigurations takes.
const MOST_NAMES: usize = 50;

/// The groups whose launch configuration was not read yet.
fn unread(snapshot: &Snapshot) -> impl Iterator<Item = &Live> {
    snapshot.live.values().filter(|live| {
        live.key.kind == Kind::AutoScalingGroup
            && !live.outputs.contains_key(TEMPLATE)
            && some_text(&live.actual, NAMED).is_some()
    })
}

/// The calls that read them.
pub(super) fn calls(snapshot: &Snapshot) -> Vec<Call> {
    let mut names: Vec<&str> = unread(snapshot).map(|live| text(&live.actual, NAMED)).collect();
    names.sort_unstable();
    names.dedup();
    let pages = names.chunks(MOST_NAMES);
    let page = |names| json!({"LaunchConfigurationNames": names, "MaxRecords": 100});
    pages.map(|names| scaling("DescribeLaunchConfigurations", page(names))).collect()
}

/// Takes over what was answered.
pub(super) fn absorb(answer: &Value, into: &mut Snapshot) {
    let found = items(answer, "LaunchConfigurations");
    let of = |live: &Live| {
        let name = text(&live.actual, NAMED);
        let one = found.iter().find(|each| text(each, NAMED) == name)?;
        Some(json!({"id": "", "name": name, "data": data(one), IS_CONFIGURATION: true}))
    };
    let read: Vec<_> = unread(into).filter_map(|live| Some((live.key.clone(), of(live)?))).collect();
    for (key, template) in read {
        if let Some(live) = into.live.get_mut(&key) {
            live.outputs.insert(TEMPLATE.to_owned(), template);
        }
    }
}

/// A launch configuration as `LaunchTemplateData` would say it.
#[must_use]
pub fn data(configuration: &Value) -> Value {
    let text = |member: &str| json!(some_text(configuration, member));
    let profile = some_text(configuration, "IamInstanceProfile").map(|profile| {
        let member = if profile.starts_with("arn:") { "Arn" } else { "Name" };
        json!({member: profile})
    });
    let metadata = &configuration["MetadataOptions"];
    let public = some_text(configuration, "AssociatePublicIpAddress");
    let groups = texts(configuration, "SecurityGroups");
    // As in a template: a public address is a matter of the network interface, which then has the groups.
    let (of_instance, interface) = match public {
        None => (groups, Value::Null),
        Some(said) => {
            let interface =
                json!({"DeviceIndex": 0, "AssociatePublicIpAddress": said == "true", "Groups": groups});
            (Vec::new(), json!([interface]))
        }
    };
    without_nothing(object([
        ("ImageId", text("ImageId")),
        ("InstanceType", text("InstanceType")),
        ("KeyName", text("KeyName")),
        ("UserData", text("UserData")),
        ("IamInstanceProfile", json!(profile)),
        ("SecurityGroupIds", json!(of_instance)),
        ("NetworkInterfaces", interface),
        ("EbsOptimized", if flag(configuration, "EbsOptimized") { json!(true) } else { Value::Null }),
        ("Monitoring", monitoring(&configuration["InstanceMonitoring"])),
        ("Placement", json!({"Tenancy": some_text(configuration, "PlacementTenancy")})),
        (
            "MetadataOptions",
            json!({
                "HttpTokens": some_text(metadata, "HttpTokens"),
                "HttpEndpoint": some_text(metadata, "HttpEndpoint"),
                "HttpPutResponseHopLimit": number(metadata, "HttpPutResponseHopLimit"),
            }),
        ),
        ("BlockDeviceMappings", items(configuration, "BlockDeviceMappings").iter().map(device).collect()),
    ]))
}

/// Without a word Auto Scaling watches in detail, and says so.
fn monitoring(found: &Value) -> Value {
    if flag(found, "Enabled") { json!({"Enabled": true}) } else { Value::Null }
}

fn device(mapping: &Value) -> Value {
    let ebs = &mapping["Ebs"];
    let said = |member: &str| some_text(ebs, member).map(|said| said == "true");
    json!({
        "DeviceName": some_text(mapping, "DeviceName"),
        "VirtualName": some_text(mapping, "VirtualName"),
        "Ebs": {
            "SnapshotId": some_text(ebs, "SnapshotId"),
            "VolumeType": some_text(ebs, "VolumeType"),
            "VolumeSize": number(ebs, "VolumeSize"),
            "Iops": number(ebs, "Iops"),
            "Throughput": number(ebs, "Throughput"),
            "Encrypted": said("Encrypted"),
            "DeleteOnTermination": said("DeleteOnTermination"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_told_in_a_templates_words() {
        let found = json!({
            "LaunchConfigurationName": "old", "ImageId": "ami-1", "InstanceType": "m4.large", "KeyName": "",
            "IamInstanceProfile": "nodes", "SecurityGroups": ["sg-2", "sg-1"], "EbsOptimized": "false",
            "InstanceMonitoring": {"Enabled": "true"}, "UserData": "am9pbg==",
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": "20", "Encrypted": "true"}}],
        });
        assert_eq!(
            data(&found),
            json!({
                "ImageId": "ami-1", "InstanceType": "m4.large", "IamInstanceProfile": {"Name": "nodes"},
                "SecurityGroupIds": ["sg-1", "sg-2"], "Monitoring": {"Enabled": true}, "UserData": "am9pbg==",
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "Encrypted": true}}],
            })
        );
        let public = json!({"IamInstanceProfile": "arn:p", "SecurityGroups": ["sg-1"], "AssociatePublicIpAddress": "true"});
        assert_eq!(
            data(&public),
            json!({
                "IamInstanceProfile": {"Arn": "arn:p"},
                "NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": true, "Groups": ["sg-1"]}],
            })
        );
    }
}
