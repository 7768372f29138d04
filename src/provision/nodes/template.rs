//! Launch templates: for managed node groups where the file needs one, and for every self-managed group.

use super::bootstrap::{self, own_image};
use super::image::parameter;
use crate::model::cluster_config::{
    ClusterConfig, ManagedNodeGroup, NodeGroup, NodeGroupBase, VolumeMapping, VolumeType,
};
use crate::provision::iam::{instance_profile, shortened};
use crate::provision::network::answer::{object, some_text};
use crate::provision::network::{
    CLUSTER_SECURITY_GROUP, Declared, Problem, allows_ssh, cluster, existing_resource, node_groups,
    of_node_group, resource, tags,
};
use crate::provision::resource::{Key, Kind, Resource, Scope, Snapshot};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// eksctl's default where a group names no type.
const DEFAULT_INSTANCE_TYPE: &str = "m5.large";
/// eksctl's default size of root volumes, in GiB.
pub const DEFAULT_VOLUME_SIZE: u32 = 80;
/// io1 and io2 cannot be had without a number of operations; eksctl's default.
const DEFAULT_IOPS: u32 = 100;
/// Longest name of a launch template.
const LONGEST_NAME: usize = 128;

/// The launch template of a node group.
#[must_use]
pub fn launch_template(group: &str) -> Key {
    Key::new(Kind::LaunchTemplate, group)
}

/// The AMI that a parameter of Systems Manager names: looked up, never made.
#[must_use]
pub fn image(parameter: &str) -> Key {
    Key::new(Kind::LaunchTemplate, format!("image{parameter}"))
}

/// Whether a managed node group gets a launch template of ours: always, unless the file names one. eksctl does so too (its
/// default volume, its instance names and its metadata options need one). A group that somebody made without a template, as
/// the console does, can never be given one (EKS API, UpdateNodegroupVersion): it is kept without.
#[must_use]
pub fn needs_template(group: &ManagedNodeGroup, known: &Snapshot) -> bool {
    let live = known.live.get(&Key::new(Kind::Nodegroup, group.base.name.as_str()));
    let without = live.is_some_and(|live| live.actual["launchTemplate"].is_null());
    group.launch_template.is_none() && !without
}

/// Members of a managed node group that CreateNodegroup takes by itself, without a launch template.
const BY_ITSELF: [&str; 20] = [
    "name",
    "spot",
    "amiFamily",
    "instanceType",
    "instanceTypes",
    "desiredCapacity",
    "minSize",
    "maxSize",
    "availabilityZones",
    "subnets",
    "privateNetworking",
    "labels",
    "taints",
    "tags",
    "iam",
    "ssh",
    "volumeSize",
    "updateConfig",
    "releaseVersion",
    "nodeRepairConfig",
];
/// Members whose `false` is what a group without a template has anyway.
const OFF_ANYWAY: [&str; 4] =
    ["disablePodIMDS", "volumeEncrypted", "ebsOptimized", "enableDetailedMonitoring"];

/// What the file asks of a managed node group and only a launch template can give, by its members' names. `written` is the
/// group as it stands in the file, without defaults.
#[must_use]
pub fn only_by_template(written: &ManagedNodeGroup) -> Vec<String> {
    let Ok(Value::Object(members)) = serde_json::to_value(written) else { return Vec::new() };
    let newest = |name: &str| name == "ami" && own_image(&written.base).is_none();
    let off = |name: &str, value: &Value| *value == json!(false) && OFF_ANYWAY.contains(&name);
    members
        .iter()
        .filter(|(name, value)| !BY_ITSELF.contains(&name.as_str()) && !newest(name) && !off(name, value))
        .map(|(name, _)| name.clone())
        .collect()
}

pub(super) struct Templates<'a> {
    pub(super) config: &'a ClusterConfig,
    pub(super) scope: &'a Scope,
    pub(super) known: &'a Snapshot,
}

impl Templates<'_> {
    /// The template of a managed group.
    pub(super) fn managed(&self, group: &ManagedNodeGroup, at: &str) -> Declared {
        let base = &group.base;
        let mut data = self.common(base);
        if let Some(image) = own_image(base) {
            data.insert("ImageId".to_owned(), json!(image));
        }
        let market = base.instance_market_options.as_ref().and_then(|options| options.market_type.as_deref());
        if market == Some("capacity-block") {
            // Only here EKS takes the type from the template.
            let types = group.instance_types.first().or(base.instance_type.as_ref());
            data.insert("InstanceType".to_owned(), json!(types));
        }
        let attached = base.security_groups.as_ref().map_or(&[][..], |groups| &groups.attach_ids);
        if allows_ssh(base) || !attached.is_empty() {
            // A template that names groups has to name EKS's own as well (EKS API, CreateNodegroup).
            let mut groups = vec![cluster(self.scope).output(CLUSTER_SECURITY_GROUP)];
            groups.extend(allows_ssh(base).then(|| of_node_group(&base.name).output("id")));
            groups.extend(attached.iter().map(|id| json!(id)));
            data.insert("SecurityGroupIds".to_owned(), Value::Array(groups));
        }
        match bootstrap::managed(self.scope, base, at) {
            Ok(user_data) => self.declared(base, data, user_data, None, at),
            Err(problem) => Declared { resources: Vec::new(), problems: vec![problem] },
        }
    }

    /// The template of a self-managed group.
    pub(super) fn self_managed(&self, group: &NodeGroup, at: &str) -> Declared {
        let base = &group.base;
        let user_data = match bootstrap::self_managed(self.scope, group, at) {
            Ok(user_data) => user_data,
            Err(problem) => return Declared { resources: Vec::new(), problems: vec![problem] },
        };
        let types = group.instances_distribution.as_ref().map_or(&[][..], |mix| &mix.instance_types);
        let instance_type =
            types.first().or(base.instance_type.as_ref()).map_or(DEFAULT_INSTANCE_TYPE, String::as_str);
        let mut data = self.common(base);
        data.insert("InstanceType".to_owned(), json!(instance_type));
        let profile = base.iam.as_ref().and_then(|iam| iam.instance_profile_arn.as_ref());
        let profile = profile.map_or_else(|| instance_profile(&base.name).output("filled"), |arn| json!(arn));
        data.insert("IamInstanceProfile".to_owned(), json!({"Arn": profile}));
        data.insert("SecurityGroupIds".to_owned(), Value::Array(node_groups(self.scope, group)));
        if let Some(credits) = &group.cpu_credits {
            data.insert("CreditSpecification".to_owned(), json!({"CpuCredits": credits.to_lowercase()}));
        }
        if let Some(enabled) = group.enclave_enabled {
            data.insert("EnclaveOptions".to_owned(), json!({"Enabled": enabled}));
        }
        let mut problems = Vec::new();
        let chosen = match own_image(base) {
            Some(image) => Ok((json!(image), None)),
            None => self.newest_image(base, instance_type, at),
        };
        match chosen {
            Ok((image, lookup)) => {
                data.insert("ImageId".to_owned(), image);
                let mut declared = self.declared(base, data, user_data, lookup.as_deref(), at);
                declared.problems.extend(problems);
                declared
            }
            Err(problem) => {
                problems.push(problem);
                Declared { resources: Vec::new(), problems }
            }
        }
    }

    /// The newest AMI of the group's family, and the parameter that names it. An AMI once chosen stays until the version
    /// or the instance type asks for another parameter: each release would replace nodes that nobody asked to.
    fn newest_image(
        &self,
        base: &NodeGroupBase,
        instance_type: &str,
        at: &str,
    ) -> Result<(Value, Option<String>), Problem> {
        let version = self.version().ok_or_else(|| {
            Problem::waiting("/metadata/version", "the cluster's version has not been read yet")
        })?;
        let family = base.ami_family.unwrap_or_default();
        let Some(parameter) = parameter(family, &version, instance_type) else {
            return Err(Problem::refused(
                format!("{at}/ami"),
                format!("AWS names no {family:?} AMI for {instance_type}: give one by its id"),
            ));
        };
        let live = self.known.live.get(&launch_template(&base.name));
        let versions = live
            .into_iter()
            .flat_map(|live| [Some(&live.actual), live.outputs.get("latest")].into_iter().flatten());
        let mut chosen =
            versions.filter(|version| some_text(version, "VersionDescription") == Some(&parameter));
        let kept = chosen
            .find_map(|version| some_text(&version["LaunchTemplateData"], "ImageId").map(str::to_owned));
        let image = kept.map_or_else(|| image(&parameter).output("imageId"), Value::from);
        Ok((image, Some(parameter)))
    }

    /// The version of the nodes: as declared, but never newer than the control plane, which goes first.
    fn version(&self) -> Option<String> {
        let minor = |version: &str| -> Option<(u32, u32)> {
            let (major, minor) = version.split_once('.')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        };
        let declared = self.config.metadata.version.as_deref();
        let live = self.known.live.get(&cluster(self.scope));
        let live = live.and_then(|live| some_text(&live.actual, "version"));
        let oldest = [declared, live].into_iter().flatten().min_by_key(|version| minor(version))?;
        Some(oldest.to_owned())
    }

    /// What both kinds of groups have.
    fn common(&self, base: &NodeGroupBase) -> Map<String, Value> {
        let hidden_from_pods = base.disable_pod_imds == Some(true);
        let tokens = hidden_from_pods || base.disable_imdsv1 != Some(false);
        let reservation = base.capacity_reservation.as_ref();
        let target = reservation.and_then(|reservation| reservation.capacity_reservation_target.as_ref());
        let data = object([
            ("BlockDeviceMappings", volumes(base)),
            (
                "MetadataOptions",
                json!({
                    "HttpTokens": if tokens { "required" } else { "optional" },
                    "HttpPutResponseHopLimit": if hidden_from_pods { 1 } else { 2 },
                }),
            ),
            ("KeyName", json!(base.ssh.as_ref().and_then(|ssh| ssh.public_key_name.as_ref()))),
            ("EbsOptimized", json!(base.ebs_optimized)),
            ("Monitoring", json!(base.enable_detailed_monitoring.map(|enabled| json!({"Enabled": enabled})))),
            (
                "Placement",
                json!(base.placement.as_ref().map(|placement| json!({"GroupName": placement.group_name}))),
            ),
            (
                "CapacityReservationSpecification",
                json!(reservation.map(|reservation| object([
                    ("CapacityReservationPreference", json!(reservation.capacity_reservation_preference)),
                    (
                        "CapacityReservationTarget",
                        json!(target.map(|target| object([
                            ("CapacityReservationId", json!(target.capacity_reservation_id)),
                            (
                                "CapacityReservationResourceGroupArn",
                                json!(target.capacity_reservation_resource_group_arn),
                            ),
                        ]))),
                    ),
                ]))),
            ),
            (
                "InstanceMarketOptions",
                json!(base.instance_market_options.as_ref().and_then(|options| {
                    options.market_type.as_ref().map(|market| json!({"MarketType": market}))
                })),
            ),
            ("TagSpecifications", self.instance_tags(base)),
        ]);
        data.as_object().cloned().unwrap_or_default()
    }

    /// Tags of instances, and of their volumes and network interfaces.
    fn instance_tags(&self, base: &NodeGroupBase) -> Value {
        let default = || format!("{}-{}-node", self.scope.cluster, base.name);
        let name = base.instance_name.clone().unwrap_or_else(default);
        let prefix = base.instance_prefix.as_ref().map(|prefix| format!("{prefix}-")).unwrap_or_default();
        let own = base.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let tags: BTreeMap<String, String> = tags(&self.config.metadata.tags, format!("{prefix}{name}"), own);
        let list = crate::provision::network::answer::tag_list(&tags);
        ["instance", "network-interface", "volume"]
            .iter()
            .map(|resource| json!({"ResourceType": resource, "Tags": list}))
            .collect()
    }

    fn declared(
        &self,
        base: &NodeGroupBase,
        mut data: Map<String, Value>,
        user_data: Value,
        parameter: Option<&str>,
        at: &str,
    ) -> Declared {
        if !user_data.is_null() {
            data.insert("UserData".to_owned(), user_data);
        }
        let looked_up = json!(data.get("ImageId")).get("$output").is_some();
        let mut desired = json!({
            "LaunchTemplateName": shortened(&format!("{}-{}", self.scope.cluster, base.name), LONGEST_NAME),
            "LaunchTemplateData": data,
        });
        if let Some(parameter) = parameter {
            desired["VersionDescription"] = json!(parameter);
        }
        let tags = tags(&self.config.metadata.tags, format!("{}/{}", self.scope.cluster, base.name), []);
        let mut resources: Vec<Resource> = vec![resource(launch_template(&base.name), desired, tags, at)];
        if let Some(parameter) = parameter.filter(|_| looked_up) {
            let lookup = json!({"Parameter": parameter});
            resources.push(existing_resource(image(parameter), lookup, format!("{at}/ami")));
        }
        Declared { resources, problems: Vec::new() }
    }
}

/// The root volume and those beside it. All go with the instance: EC2 keeps other than root volumes unless told.
fn volumes(base: &NodeGroupBase) -> Value {
    let family = base.ami_family.unwrap_or_default();
    let device = match &base.volume_name {
        Some(name) => name.as_str(),
        None if family.is_windows() => "/dev/sda1",
        // Bottlerocket's system is on xvda, and what containers write on xvdb.
        None if family.is_bottlerocket() => "/dev/xvdb",
        None => "/dev/xvda",
    };
    let root = VolumeMapping {
        volume_name: Some(device.to_owned()),
        volume_size: Some(base.volume_size.unwrap_or(DEFAULT_VOLUME_SIZE)),
        volume_type: base.volume_type,
        volume_iops: base.volume_iops,
        volume_throughput: base.volume_throughput,
        volume_encrypted: base.volume_encrypted,
        volume_kms_key_id: base.volume_kms_key_id.clone(),
        snapshot_id: None,
    };
    let mut mappings = vec![volume(&root)];
    mappings.extend(base.additional_volumes.iter().filter(|each| each.volume_name.is_some()).map(volume));
    if base.volume_encrypted == Some(true) && family.is_bottlerocket() && base.volume_name.is_none() {
        // Its system volume keeps the AMI's size.
        let mut system = volume(&VolumeMapping { volume_name: Some("/dev/xvda".to_owned()), ..root });
        if let Some(ebs) = system["Ebs"].as_object_mut() {
            for member in ["VolumeSize", "Iops", "Throughput"] {
                ebs.remove(member);
            }
        }
        mappings.push(system);
    }
    Value::Array(mappings)
}

fn volume(volume: &VolumeMapping) -> Value {
    let kind = volume.volume_type.unwrap_or_default();
    let provisioned = matches!(kind, VolumeType::Io1 | VolumeType::Io2);
    let iops = match kind {
        VolumeType::Gp3 => volume.volume_iops,
        _ if provisioned => Some(volume.volume_iops.unwrap_or(DEFAULT_IOPS)),
        _ => None,
    };
    json!({
        "DeviceName": volume.volume_name,
        "Ebs": object([
            ("DeleteOnTermination", json!(true)),
            ("Encrypted", json!(volume.volume_encrypted)),
            ("Iops", json!(iops)),
            ("KmsKeyId", json!(volume.volume_kms_key_id)),
            ("SnapshotId", json!(volume.snapshot_id)),
            ("Throughput", json!(volume.volume_throughput.filter(|_| kind == VolumeType::Gp3))),
            (
                "VolumeSize",
                json!(volume.volume_size.or(volume.snapshot_id.is_none().then_some(DEFAULT_VOLUME_SIZE))),
            ),
            ("VolumeType", json!(kind)),
        ]),
    })
}
