//! What node groups become: launch templates with their user data, Auto Scaling groups, AMIs.

use super::recorded::{driver, keys, of, problems, scope_of, with};
use base64::Engine as _;
use portolan::model::cluster_config::ClusterConfig;
use portolan::provision::network::Declared;
use portolan::provision::nodes::{
    launch_template, problems as image_problems, resources, sizes, template_of,
};
use portolan::provision::resource::{Key, Kind, Live, Owner, Resource, Snapshot, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn declared(config: &ClusterConfig) -> Declared {
    resources(config, &scope_of("harbour"), &Snapshot::default(), &BTreeSet::new())
}

fn zones(yaml: &str) -> ClusterConfig {
    with(&format!("availabilityZones: [eu-central-1a, eu-central-1b]\n{yaml}"))
}

fn data(declared: &Declared, group: &str) -> Value {
    of(&declared.resources, &format!("LaunchTemplate/{group}")).desired["LaunchTemplateData"].clone()
}

/// The user data that a template would be made with, every output replaced by a word.
fn user_data(resource: &Resource) -> String {
    fn filled(value: &Value) -> Value {
        match value {
            Value::Object(members) if members.contains_key("$output") => members["$output"]["output"].clone(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), filled(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(items) => items.iter().map(filled).collect(),
            other => other.clone(),
        }
    }
    let scope = scope_of("harbour");
    let call = driver(Kind::LaunchTemplate).create(
        &scope,
        resource,
        &filled(&resource.desired),
        &BTreeMap::new(),
        "t",
    );
    let text = call.input["LaunchTemplateData"]["UserData"].as_str().unwrap_or_default();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}

#[test]
fn a_managed_group_has_eksctls_defaults() {
    let declared = declared(&zones("managedNodeGroups: [{name: m}]\n"));
    let name = json!([{"Key": "Name", "Value": "harbour-m-node"}]);
    assert_eq!(
        data(&declared, "m"),
        json!({
            "BlockDeviceMappings": [{
                "DeviceName": "/dev/xvda",
                "Ebs": {"DeleteOnTermination": true, "VolumeSize": 80, "VolumeType": "gp3"},
            }],
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": name},
                {"ResourceType": "network-interface", "Tags": name},
                {"ResourceType": "volume", "Tags": name},
            ],
        })
    );
}

#[test]
fn a_template_of_ones_own_is_taken_as_it_is() {
    let config =
        zones("managedNodeGroups: [{name: m, launchTemplate: {id: lt-1, version: \"3\"}}, {name: n}]\n");
    assert_eq!(keys(&declared(&config).resources), ["LaunchTemplate/n"]);
    let known = Snapshot::default();
    assert_eq!(
        template_of(&config.managed_node_groups[0], &known),
        Some(json!({"id": "lt-1", "version": "3"}))
    );
    let key = launch_template("n");
    let ours = json!({"id": key.output("id"), "version": key.output("version")});
    assert_eq!(template_of(&config.managed_node_groups[1], &known), Some(ours));
}

#[test]
fn every_field_of_a_group_reaches_its_template() {
    let declared = declared(&zones(
        "managedNodeGroups:\n  - name: m\n    ami: ami-1\n    ssh: {allow: true, publicKeyName: k}\n\
         \x20   securityGroups: {attachIDs: [sg-9]}\n    volumeSize: 100\n    volumeType: io2\n    volumeIOPS: 500\n\
         \x20   volumeEncrypted: true\n    volumeKmsKeyID: key\n    additionalVolumes: [{volumeName: /dev/sdb, volumeSize: 5}]\n\
         \x20   ebsOptimized: true\n    enableDetailedMonitoring: true\n    disablePodIMDS: true\n    placement: {groupName: p}\n\
         \x20   capacityReservation: {capacityReservationPreference: open}\n    instancePrefix: x\n    tags: {a: b}\n",
    ));
    let data = data(&declared, "m");
    let expected = json!({
        "ImageId": "ami-1",
        "KeyName": "k",
        "EbsOptimized": true,
        "Monitoring": {"Enabled": true},
        "Placement": {"GroupName": "p"},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "CapacityReservationSpecification": {"CapacityReservationPreference": "open"},
        "SecurityGroupIds": [
            Key::new(Kind::Cluster, "harbour").output("securityGroupId"),
            Key::new(Kind::SecurityGroup, "nodegroup-m").output("id"),
            "sg-9",
        ],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": true, "Encrypted": true, "Iops": 500,
                "KmsKeyId": "key", "VolumeSize": 100, "VolumeType": "io2"}},
            {"DeviceName": "/dev/sdb", "Ebs": {"DeleteOnTermination": true, "VolumeSize": 5, "VolumeType": "gp3"}},
        ],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&data[name], value, "{name}");
    }
    let tags = json!([{"Key": "Name", "Value": "x-harbour-m-node"}, {"Key": "a", "Value": "b"}]);
    assert_eq!(data["TagSpecifications"][0]["Tags"], tags);
}

#[test]
fn user_data_of_amazon_linux() {
    let declared = declared(&zones(
        "managedNodeGroups:\n  - {name: m, maxPodsPerNode: 20, preBootstrapCommands: [\"echo hi\"]}\n\
         nodeGroups:\n  - {name: s, ami: ami-1, labels: {a: b}, taints: [{key: k, value: v, effect: NoExecute}],\n\
         \x20    kubeletExtraConfig: {cpuManagerPolicy: static}, clusterDNS: 10.0.0.10}\n",
    ));
    let managed = user_data(of(&declared.resources, "LaunchTemplate/m"));
    assert!(managed.contains("#!/bin/bash\necho hi\n") && managed.contains("\"maxPods\": 20"), "{managed}");
    assert!(!managed.contains("apiServerEndpoint"), "EKS adds what makes a node join: {managed}");
    let own = user_data(of(&declared.resources, "LaunchTemplate/s"));
    let config = &own[own.find('{').unwrap()..=own.rfind('}').unwrap()];
    let config: Value = serde_json::from_str(config).unwrap();
    assert_eq!(
        config["spec"],
        json!({
            "cluster": {
                "name": "harbour",
                "apiServerEndpoint": "endpoint",
                "certificateAuthority": "certificateAuthority",
                "cidr": "serviceCidr",
            },
            "kubelet": {
                "config": {"cpuManagerPolicy": "static", "clusterDNS": ["10.0.0.10"]},
                "flags": [
                    "--node-labels=a=b,alpha.eksctl.io/cluster-name=harbour,alpha.eksctl.io/nodegroup-name=s",
                    "--register-with-taints=k=v:NoExecute",
                ],
            },
        })
    );
}

#[test]
fn user_data_of_bottlerocket() {
    let declared = declared(&zones(
        "managedNodeGroups:\n  - {name: m, amiFamily: Bottlerocket, maxPodsPerNode: 9, bottlerocket: {enableAdminContainer: true}}\n\
         \x20 - {name: plain, amiFamily: Bottlerocket}\n\
         nodeGroups:\n  - {name: s, amiFamily: Bottlerocket, ami: ami-1, taints: [{key: k, effect: NoSchedule}]}\n",
    ));
    assert_eq!(
        user_data(of(&declared.resources, "LaunchTemplate/m")),
        "[settings.host-containers.admin]\nenabled = true\n\n[settings.kubernetes]\nmax-pods = 9\n"
    );
    assert_eq!(data(&declared, "plain").get("UserData"), None);
    assert_eq!(data(&declared, "plain")["BlockDeviceMappings"][0]["DeviceName"], json!("/dev/xvdb"));
    assert_eq!(
        user_data(of(&declared.resources, "LaunchTemplate/s")),
        "[settings.kubernetes]\napi-server = \"endpoint\"\ncluster-certificate = \"certificateAuthority\"\n\
         cluster-name = \"harbour\"\n\n[settings.kubernetes.node-labels]\n\
         \"alpha.eksctl.io/cluster-name\" = \"harbour\"\n\"alpha.eksctl.io/nodegroup-name\" = \"s\"\n\n\
         [settings.kubernetes.node-taints]\nk = [\":NoSchedule\"]\n"
    );
}

#[test]
fn what_nodes_cannot_do_is_refused() {
    let cases = [
        (
            "managedNodeGroups: [{name: w, amiFamily: WindowsServer2022CoreContainer, maxPodsPerNode: 3}]\n",
            "/managedNodeGroups/0/maxPodsPerNode",
        ),
        ("nodeGroups: [{name: w, amiFamily: WindowsServer2022CoreContainer}]\n", "/nodeGroups/0/amiFamily"),
        (
            "managedNodeGroups: [{name: b, amiFamily: Bottlerocket, bottlerocket: {settings: {kubernetes: {api-server: x}}}}]\n",
            "/managedNodeGroups/0/bottlerocket/settings/kubernetes/api-server: EKS sets it",
        ),
        (
            "nodeGroups: [{name: b, ami: ami-1, amiFamily: Bottlerocket, kubeletExtraConfig: {a: b}}]\n",
            "/nodeGroups/0/kubeletExtraConfig",
        ),
        (
            "nodeGroups: [{name: n, instanceType: inf2.xlarge, amiFamily: Bottlerocket}]\n",
            "give one by its id",
        ),
    ];
    for (yaml, words) in cases {
        let told = problems(&declared(&zones(yaml)));
        assert!(told.iter().any(|each| each.contains(words)), "{yaml}: {told:?}");
    }
}

#[test]
fn an_auto_scaling_group_of_several_types() {
    let config = zones(
        "nodeGroups:\n  - name: s\n    ami: ami-1\n    minSize: 1\n    maxSize: 10\n    labels: {a: b}\n\
         \x20   taints: [{key: k, value: v, effect: NoSchedule}]\n    propagateASGTags: true\n\
         \x20   updateConfig: {maxUnavailable: 2}\n    targetGroupARNs: [t2, t1]\n    maxInstanceLifetime: 86400\n\
         \x20   iam: {withAddonPolicies: {autoScaler: true}}\n\
         \x20   instancesDistribution: {instanceTypes: [m5.large, m5a.large], onDemandBaseCapacity: 1, spotAllocationStrategy: lowest-price, capacityRebalance: true}\n",
    );
    let declared = declared(&config);
    let group = of(&declared.resources, "AutoScalingGroup/s");
    let template = launch_template("s");
    let specification =
        json!({"LaunchTemplateId": template.output("id"), "Version": template.output("version")});
    let mixed = json!({
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification,
            "Overrides": [{"InstanceType": "m5.large"}, {"InstanceType": "m5a.large"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1, "SpotAllocationStrategy": "lowest-price"},
    });
    assert_eq!(group.desired["MixedInstancesPolicy"], mixed);
    assert_eq!(group.desired["CapacityRebalance"], json!(true));
    assert_eq!(group.desired["TargetGroupARNs"], json!(["t1", "t2"]));
    assert_eq!(group.desired["MinHealthyPercentage"], json!(80));
    assert_eq!(data(&declared, "s")["InstanceType"], json!("m5.large"));
    for (tag, value) in [
        ("kubernetes.io/cluster/harbour", "owned"),
        ("k8s.io/cluster-autoscaler/enabled", "true"),
        ("k8s.io/cluster-autoscaler/harbour", "owned"),
        ("k8s.io/cluster-autoscaler/node-template/label/a", "b"),
        ("k8s.io/cluster-autoscaler/node-template/taint/k", "v:NoSchedule"),
    ] {
        assert_eq!(group.tags.get(tag).map(String::as_str), Some(value), "{tag}");
    }
    let mut tags = group.tags.clone();
    tags.extend(scope_of("harbour").tags(&group.key));
    let mut desired = group.desired.clone();
    desired["SubnetIds"] = json!(["subnet-2", "subnet-1"]);
    let call = driver(Kind::AutoScalingGroup).create(&scope_of("harbour"), group, &desired, &tags, "t");
    assert_eq!(call.input["VPCZoneIdentifier"], json!("subnet-1,subnet-2"));
    let ours = call.input["Tags"].as_array().unwrap();
    let carried =
        |key: &str| ours.iter().find(|tag| tag["Key"] == json!(key)).unwrap()["PropagateAtLaunch"].clone();
    assert_eq!(
        (carried("portolan.dev/cluster"), carried("kubernetes.io/cluster/harbour")),
        (json!(false), json!(true))
    );
}

#[test]
fn sizes_as_eksctl_fills_them_in() {
    let of = |yaml: &str| sizes(&zones(&format!("nodeGroups: [{{name: s, {yaml}}}]\n")).node_groups[0].base);
    assert_eq!(of(""), (2, 2, 2));
    assert_eq!(of("desiredCapacity: 3"), (3, 3, 3));
    assert_eq!(of("minSize: 1, maxSize: 4"), (1, 4, 1));
    assert_eq!(of("minSize: 1, maxSize: 4, desiredCapacity: 9"), (1, 4, 4));
}

const AL2023: &str =
    "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id";

fn live(key: Key, actual: Value, outputs: Value) -> Live {
    let outputs = serde_json::from_value(outputs).unwrap();
    Live {
        key,
        id: "id".into(),
        actual,
        outputs,
        tags: BTreeMap::new(),
        owner: Owner::Ours,
        state: State::Ready,
    }
}

#[test]
fn the_newest_image_is_looked_up_once_and_kept() {
    let scope = scope_of("harbour");
    let config = zones("nodeGroups: [{name: s}, {name: t}]\n");
    let first = declared(&config);
    let lookup = format!("LaunchTemplate/image{AL2023}");
    assert_eq!(keys(&first.resources).iter().filter(|key| **key == lookup).count(), 1);
    assert_eq!(data(&first, "s")["ImageId"], of(&first.resources, &lookup).key.output("imageId"));
    let driver = driver(Kind::LaunchTemplate);
    let calls = driver.reads(&scope, &Snapshot::default(), &first.resources);
    let call = calls.iter().find(|call| call.operation == "GetParameters").unwrap();
    assert_eq!(call.input["Names"], json!([AL2023]));
    let mut known = Snapshot::default();
    let missing: Vec<String> =
        image_problems(&first.resources, &known).iter().map(ToString::to_string).collect();
    assert!(
        missing[0].contains("Systems Manager has no parameter")
            && missing[0].contains("give an AMI by its id")
    );
    let answer = json!({"Parameters": [{"Name": AL2023, "Value": "ami-new"}]});
    driver.absorb(&scope, &first.resources, call, &answer, &mut known);
    assert_eq!(known.resolve(&data(&first, "s")["ImageId"]), Ok(json!("ami-new")));
    assert_eq!(image_problems(&first.resources, &known), []);
    // A template that was made with an older release of the same parameter keeps it.
    let actual = json!({"VersionDescription": AL2023, "LaunchTemplateData": {"ImageId": "ami-old"}});
    known.live.insert(launch_template("s"), live(launch_template("s"), actual, json!({"version": "1"})));
    let second = resources(&config, &scope, &known, &BTreeSet::new());
    assert_eq!(data(&second, "s")["ImageId"], json!("ami-old"));
}

#[test]
fn nodes_are_never_newer_than_the_control_plane() {
    let scope = scope_of("harbour");
    let config = zones("nodeGroups: [{name: s}]\n");
    let mut known = Snapshot::default();
    let cluster = Key::new(Kind::Cluster, "harbour");
    for (version, expected) in [("1.35", "/1.35/"), ("1.36", "/1.36/"), ("1.37", "/1.36/")] {
        known.live.insert(cluster.clone(), live(cluster.clone(), json!({"version": version}), json!({})));
        let declared = resources(&config, &scope, &known, &BTreeSet::new());
        let image = data(&declared, "s")["ImageId"].to_string();
        assert!(image.contains(expected), "{version}: {image}");
    }
}

#[test]
fn nodes_of_an_older_template_are_replaced() {
    let scope = scope_of("harbour");
    let declared = declared(&zones("nodeGroups: [{name: s, ami: ami-1}]\n"));
    let group = of(&declared.resources, "AutoScalingGroup/s");
    let driver = driver(Kind::AutoScalingGroup);
    let template =
        |version: &str| json!({"LaunchTemplateId": "lt-1", "LaunchTemplateName": "n", "Version": version});
    let instance = |version: &str| json!({"InstanceId": "i", "LifecycleState": "InService", "LaunchTemplate": template(version)});
    let tags = json!([
        {"Key": "portolan.dev/cluster", "Value": "harbour"},
        {"Key": "portolan.dev/resource", "Value": "AutoScalingGroup/s"},
    ]);
    let answer = json!({"AutoScalingGroups": [{
        "AutoScalingGroupName": "harbour-s", "MinSize": "2", "MaxSize": "2", "DesiredCapacity": "2",
        "VPCZoneIdentifier": "subnet-1", "LaunchTemplate": template("2"), "Tags": tags,
        "Instances": [instance("1"), instance("1"), instance("2")],
    }]});
    let mut snapshot = Snapshot::default();
    let calls = driver.reads(&scope, &snapshot, &[]);
    let more = driver.absorb(&scope, &[], &calls[0], &answer, &mut snapshot);
    assert_eq!(more[0].operation, "DescribeInstanceRefreshes");
    let mut desired = group.desired.clone();
    desired["SubnetIds"] = json!(["subnet-1"]);
    desired["LaunchTemplate"] = json!({"LaunchTemplateId": "lt-1", "Version": "2"});
    let found = snapshot.live[&group.key].clone();
    let differences = driver.differences(&scope, group, &desired, &found.tags, &found, &snapshot);
    assert_eq!((differences.len(), differences[0].field.as_str()), (1, "/Instances"), "{differences:?}");
    assert_eq!(differences[0].actual, json!({"1": 2}));
    let refresh = json!({"InstanceRefreshes": [{"Status": "InProgress", "PercentageComplete": "40"}]});
    driver.absorb(&scope, &[], &more[0], &refresh, &mut snapshot);
    assert_eq!(snapshot.live[&group.key].state, State::Pending("replacing nodes, 40 % done".into()));
}
