//! From a self-managed group that is there to what a ClusterConfig says of it: the way back of [`super::resources`].

use super::image::FAMILIES;
use super::scaling::{CLUSTER_OWNED, TEMPLATE_TAG};
use super::user_data::{Parts, parts};
use crate::model::cluster_config::{ClusterConfig, NodeGroup, with_defaults};
use crate::provision::network::answer::{is_nothing, items, some_text, text, texts, without_nothing};
use crate::provision::resource::{Live, Scope};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Members of `nodeGroups` that the Auto Scaling group has; all others are its launch template's.
const OF_THE_GROUP: [&str; 18] = [
    "name",
    "minSize",
    "maxSize",
    "desiredCapacity",
    "availabilityZones",
    "subnets",
    "privateNetworking",
    "tags",
    "instanceName",
    "instancePrefix",
    "updateConfig",
    "instancesDistribution",
    "asgSuspendProcesses",
    "asgMetricsCollection",
    "propagateASGTags",
    "classicLoadBalancerNames",
    "targetGroupARNs",
    "maxInstanceLifetime",
];
/// Beginnings of tags that are not a person's: of their makers, and of those that the group's other members give.
const NOT_TAGS: [&str; 6] = [
    "alpha.eksctl.io/",
    "eksctl.cluster.k8s.io/",
    "eksctl.io/",
    "portolan.dev/",
    "k8s.io/cluster-autoscaler/",
    "aws:",
];

/// A launch template's version, as a group has it.
#[derive(Clone, Copy, Debug)]
pub struct Template<'a> {
    /// `LaunchTemplateData`, in the words in which it is sent.
    pub data: &'a Value,
    /// The parameter of Systems Manager that its AMI was taken from, where Portolan made it.
    pub parameter: Option<&'a str>,
    /// The cluster's own security group: self-managed nodes get it without being told.
    pub of_cluster: Option<&'a str>,
}

/// One of `nodeGroups`, empty members left out.
#[must_use]
pub fn as_written(scope: &Scope, group: &Live, template: Template<'_>) -> Map<String, Value> {
    let mut written = of_template(template);
    // A template may have its profile by the name alone, which is an ARN's last word.
    if let (None, Some(name)) = (written.get("iam"), profile_of(template.data)) {
        let arn = format!("arn:{}:iam::{}:instance-profile/{name}", scope.partition, scope.account);
        written.insert("iam".to_owned(), json!({"instanceProfileARN": arn}));
    }
    let labels = written.get("labels").cloned().unwrap_or_default();
    let actual = &group.actual;
    let name = group.key.name.as_str();
    let tags: BTreeMap<&String, &String> = group
        .tags
        .iter()
        .filter(|(key, _)| *key != "Name" && !key.starts_with(CLUSTER_OWNED))
        .filter(|(key, _)| !NOT_TAGS.iter().any(|beginning| key.starts_with(beginning)))
        .collect();
    let named = group.tags.get("Name").filter(|own| **own != format!("{}-{name}-node", scope.cluster));
    let for_autoscaler = labels.as_object().is_some_and(|labels| {
        let tag = |label: &String| group.tags.get(&format!("{TEMPLATE_TAG}/label/{label}"));
        !labels.is_empty()
            && labels.iter().all(|(label, value)| tag(label).map(String::as_str) == value.as_str())
    });
    let metrics = texts(actual, "EnabledMetrics");
    let members = [
        ("name", json!(name)),
        ("minSize", actual["MinSize"].clone()),
        ("maxSize", actual["MaxSize"].clone()),
        ("desiredCapacity", actual["DesiredCapacity"].clone()),
        ("subnets", actual["SubnetIds"].clone()),
        ("tags", json!(tags)),
        ("instanceName", json!(named)),
        ("instancesDistribution", distribution(actual)),
        ("maxInstanceLifetime", actual["MaxInstanceLifetime"].clone()),
        ("classicLoadBalancerNames", actual["LoadBalancerNames"].clone()),
        ("targetGroupARNs", actual["TargetGroupARNs"].clone()),
        ("asgSuspendProcesses", actual["SuspendedProcesses"].clone()),
        (
            "asgMetricsCollection",
            if metrics.is_empty() {
                Value::Null
            } else {
                json!([{"granularity": "1Minute", "metrics": metrics}])
            },
        ),
        ("propagateASGTags", if for_autoscaler { json!(true) } else { Value::Null }),
    ];
    written.extend(members.map(|(name, value)| (name.to_owned(), value)));
    if written["instancesDistribution"].is_object() {
        // The first of the types stands there, too.
        written.remove("instanceType");
    }
    written.retain(|_, value| !is_nothing(value));
    written
}

/// Several types in the words of the file; null where the group has one, or a choice that the file has no word for.
fn distribution(actual: &Value) -> Value {
    let mixed = &actual["MixedInstancesPolicy"];
    let overrides = items(&mixed["LaunchTemplate"], "Overrides");
    let types: Vec<&str> = overrides.iter().filter_map(|each| some_text(each, "InstanceType")).collect();
    if types.is_empty() || types.len() != overrides.len() {
        return Value::Null;
    }
    let has = &mixed["InstancesDistribution"];
    let mut found = json!({
        "instanceTypes": types,
        "maxPrice": some_text(has, "SpotMaxPrice").and_then(|price| price.parse::<f64>().ok()),
        "onDemandBaseCapacity": has["OnDemandBaseCapacity"],
        "onDemandPercentageAboveBaseCapacity": has["OnDemandPercentageAboveBaseCapacity"],
        "spotAllocationStrategy": has["SpotAllocationStrategy"],
        "capacityRebalance": actual["CapacityRebalance"],
    });
    if has["SpotAllocationStrategy"] == "lowest-price" {
        found["spotInstancePools"] = has["SpotInstancePools"].clone();
    }
    without_nothing(found)
}

fn of_template(Template { data, parameter, of_cluster }: Template<'_>) -> Map<String, Value> {
    let mut written = Map::new();
    let mut put = |name: &str, value: Value| {
        let value = without_nothing(value);
        if !is_nothing(&value) {
            written.insert(name.to_owned(), value);
        }
    };
    let said = some_text(data, "UserData").and_then(parts);
    let family = match (parameter, &said) {
        (Some(parameter), _) => {
            FAMILIES.iter().find(|(part, _)| parameter.contains(part)).map(|(_, name)| *name)
        }
        (None, Some(Parts { settings: Some(_), .. })) => Some("Bottlerocket"),
        (None, Some(Parts { node_configs, .. })) if !node_configs.is_empty() => Some("AmazonLinux2023"),
        (None, _) => None,
    };
    put("amiFamily", json!(family));
    if parameter.is_none() {
        put("ami", json!(some_text(data, "ImageId").filter(|image| image.starts_with("ami-"))));
    }
    put("instanceType", data["InstanceType"].clone());
    let profile = &data["IamInstanceProfile"];
    put("iam", json!({"instanceProfileARN": profile["Arn"]}));
    // In a template of eksctl's the groups are those of its network interface.
    let interface = items(data, "NetworkInterfaces").first().map(|interface| texts(interface, "Groups"));
    let mut groups = texts(data, "SecurityGroupIds");
    groups.extend(interface.into_iter().flatten());
    groups.retain(|id| Some(id.as_str()) != of_cluster);
    put("securityGroups", json!({"attachIDs": groups, "withShared": false, "withLocal": false}));
    if let Some(key) = some_text(data, "KeyName") {
        put("ssh", json!({"allow": false, "publicKeyName": key}));
    }
    let metadata = &data["MetadataOptions"];
    if metadata["HttpPutResponseHopLimit"] == 1 {
        put("disablePodIMDS", json!(true));
    } else if metadata["HttpTokens"] == "optional" {
        put("disableIMDSv1", json!(false));
    }
    put("ebsOptimized", data["EbsOptimized"].clone());
    put("enableDetailedMonitoring", data["Monitoring"]["Enabled"].clone());
    put("placement", json!({"groupName": data["Placement"]["GroupName"]}));
    let reservation = &data["CapacityReservationSpecification"];
    let target = &reservation["CapacityReservationTarget"];
    put(
        "capacityReservation",
        json!({
            "capacityReservationPreference": reservation["CapacityReservationPreference"],
            "capacityReservationTarget": {
                "capacityReservationID": target["CapacityReservationId"],
                "capacityReservationResourceGroupARN": target["CapacityReservationResourceGroupArn"],
            },
        }),
    );
    put("instanceMarketOptions", json!({"marketType": data["InstanceMarketOptions"]["MarketType"]}));
    put("cpuCredits", data["CreditSpecification"]["CpuCredits"].clone());
    put("enclaveEnabled", data["EnclaveOptions"]["Enabled"].clone());
    let (root, more) = volumes(data, family == Some("Bottlerocket"));
    root.into_iter().for_each(|(name, value)| put(name, value));
    put("additionalVolumes", json!(more));
    for (name, value) in said.map(how_they_join).unwrap_or_default() {
        put(&name, value);
    }
    written
}

/// The root volume's members, and the volumes beside it.
fn volumes(data: &Value, bottlerocket: bool) -> (Vec<(&'static str, Value)>, Vec<Value>) {
    let device = if bottlerocket { "/dev/xvdb" } else { "/dev/xvda" };
    let mappings: Vec<&Value> = items(data, "BlockDeviceMappings")
        .iter()
        // Bottlerocket's system volume, which the file has no words for, is there for its encryption only.
        .filter(|each| {
            !(bottlerocket && each["DeviceName"] == "/dev/xvda" && each["Ebs"]["VolumeSize"].is_null())
        })
        .collect();
    let root = mappings.iter().find(|each| each["DeviceName"] == device).or(mappings.first()).copied();
    let of_root = root.map(|root| {
        let ebs = &root["Ebs"];
        let name = if root["DeviceName"] == device { Value::Null } else { root["DeviceName"].clone() };
        vec![
            ("volumeName", name),
            ("volumeSize", ebs["VolumeSize"].clone()),
            ("volumeType", ebs["VolumeType"].clone()),
            ("volumeIOPS", ebs["Iops"].clone()),
            ("volumeThroughput", ebs["Throughput"].clone()),
            ("volumeEncrypted", ebs["Encrypted"].clone()),
            ("volumeKmsKeyID", ebs["KmsKeyId"].clone()),
        ]
    });
    let beside =
        mappings.iter().filter(|each| root.is_none_or(|root| root["DeviceName"] != each["DeviceName"]));
    let beside = beside.map(|each| {
        let ebs = &each["Ebs"];
        without_nothing(json!({
            "volumeName": each["DeviceName"], "volumeSize": ebs["VolumeSize"], "volumeType": ebs["VolumeType"],
            "volumeIOPS": ebs["Iops"], "volumeThroughput": ebs["Throughput"], "volumeEncrypted": ebs["Encrypted"],
            "volumeKmsKeyID": ebs["KmsKeyId"], "snapshotID": ebs["SnapshotId"],
        }))
    });
    (of_root.unwrap_or_default(), beside.collect())
}

/// What the user data says.
fn how_they_join(parts: Parts) -> Vec<(String, Value)> {
    let mut found = vec![("preBootstrapCommands".to_owned(), json!(parts.scripts))];
    let mut put = |name: &str, value: Value| found.push((name.to_owned(), value));
    let own = |label: &str| !label.starts_with("alpha.eksctl.io/");
    if let Some(mut settings) = parts.settings {
        let mut kubernetes = settings["kubernetes"].as_object().cloned().unwrap_or_default();
        let labels = kubernetes.remove("node-labels").unwrap_or_default();
        let labels = labels.as_object().into_iter().flatten().filter(|(label, _)| own(label));
        put(
            "labels",
            labels.map(|(label, value)| (label.clone(), value.clone())).collect::<Map<_, _>>().into(),
        );
        let taints = kubernetes.remove("node-taints").unwrap_or_default();
        let taints = taints.as_object().into_iter().flatten().flat_map(|(key, values)| {
            let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
            values.filter_map(|value| taint(key, value)).collect::<Vec<_>>()
        });
        put("taints", taints.collect());
        put("maxPodsPerNode", kubernetes.remove("max-pods").unwrap_or_default());
        put("clusterDNS", kubernetes.remove("cluster-dns-ip").unwrap_or_default());
        for of_cluster in ["api-server", "cluster-certificate", "cluster-name"] {
            kubernetes.remove(of_cluster);
        }
        settings["kubernetes"] = Value::Object(kubernetes);
        put("bottlerocket", json!({"settings": settings}));
        return found;
    }
    let mut configs = parts.node_configs.into_iter();
    let joining: Value = configs.next().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut kubelet = joining["spec"]["kubelet"]["config"].as_object().cloned().unwrap_or_default();
    put("maxPodsPerNode", kubelet.remove("maxPods").unwrap_or_default());
    if let Some([dns]) = kubelet.get("clusterDNS").and_then(Value::as_array).map(Vec::as_slice) {
        put("clusterDNS", dns.clone());
        kubelet.remove("clusterDNS");
    }
    put("kubeletExtraConfig", Value::Object(kubelet));
    let flags = texts(&joining["spec"]["kubelet"], "flags");
    let listed = |flag: &str| -> Vec<(String, String)> {
        let list = flags.iter().find_map(|each| each.strip_prefix(flag)).unwrap_or_default();
        let pairs = list.split(',').filter_map(|each| each.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let labels: BTreeMap<String, String> =
        listed("--node-labels=").into_iter().filter(|(label, _)| own(label)).collect();
    put("labels", json!(labels));
    put(
        "taints",
        listed("--register-with-taints=").iter().filter_map(|(key, rest)| taint(key, rest)).collect(),
    );
    put("overrideBootstrapCommand", json!(configs.next()));
    found
}

/// A taint of `value:effect`.
fn taint(key: &str, value_and_effect: &str) -> Option<Value> {
    let (value, effect) = value_and_effect.rsplit_once(':')?;
    Some(without_nothing(json!({"key": key, "value": value, "effect": effect})))
}

/// Members of the file that only another launch template could give: name, as declared, as the template has it. `group`
/// is as declared, with its defaults.
pub(super) fn other_than(written: Map<String, Value>, group: &NodeGroup) -> Vec<(String, Value, Value)> {
    let Ok(found) = serde_json::from_value::<NodeGroup>(Value::Object(written)) else { return Vec::new() };
    let found = with_defaults(ClusterConfig { node_groups: vec![found], ..ClusterConfig::default() });
    let members = |group: Option<&NodeGroup>| -> Map<String, Value> {
        let value = group.and_then(|group| serde_json::to_value(group).ok());
        let mut members = value.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        // Which role the profile has is not the template's to say; nor, where it names it, which path.
        let profile =
            members.get("iam").and_then(|iam| iam["instanceProfileARN"].as_str()?.rsplit('/').next());
        let profile = json!({"instanceProfileARN": profile});
        members.insert("iam".to_owned(), profile);
        members
    };
    let (declared, found) = (members(Some(group)), members(found.node_groups.first()));
    let of_template = declared.keys().chain(found.keys().filter(|name| !declared.contains_key(*name)));
    of_template
        .filter(|name| !OF_THE_GROUP.contains(&name.as_str()))
        .map(|name| {
            let value = |members: &Map<String, Value>| members.get(name).cloned().unwrap_or_default();
            (name.clone(), value(&declared), value(&found))
        })
        .filter(|(_, declared, found)| !same(declared, found))
        .collect()
}

/// Whether two values are the same, lists in any order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().all(|each| other.iter().any(|found| same(each, found)))
        }
        (Value::Object(one), Value::Object(other)) => {
            let value =
                |members: &Map<String, Value>, name: &str| members.get(name).cloned().unwrap_or_default();
            one.keys().chain(other.keys()).all(|name| same(&value(one, name), &value(other, name)))
        }
        (one, other) => one == other,
    }
}

/// The name of the instance profile that a template's data gives, by its name or its ARN.
#[must_use]
pub fn profile_of(data: &Value) -> Option<&str> {
    let profile = &data["IamInstanceProfile"];
    some_text(profile, "Name")
        .or_else(|| text(profile, "Arn").rsplit('/').next())
        .filter(|name| !name.is_empty())
}
