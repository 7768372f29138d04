//! Self-managed node groups as a file: what is ours comes back as it was declared, what others made is kept as it is.

use super::recorded::{as_declared, config, driver, eks_cluster, of, scope_of, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan::model::cloud::{Call, Service};
use portolan::model::cluster_config::{ClusterConfig, with_defaults};
use portolan::provision::export::{Exported, calls, eksctl};
use portolan::provision::network::Declared;
use portolan::provision::nodes::{every_group, resources};
use portolan::provision::resource::{Difference, Key, Kind, Mend, Owner, Resource, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROLE: &str = "arn:aws:iam::123456789012:role/own";

fn declared(config: &ClusterConfig, known: &Snapshot) -> Declared {
    resources(&with_defaults(config.clone()), &scope_of("harbour"), known, &BTreeSet::new())
}

/// The file of what is there; every instance profile has the same role, and an ARN by its name.
fn exported(snapshot: &Snapshot, path: &str) -> Exported {
    let answers: Vec<(Call, Value)> = calls(snapshot)
        .into_iter()
        .map(|call| {
            let name = call.input["InstanceProfileName"].as_str().unwrap_or_default();
            let profile = json!({"Arn": format!("{path}/{name}"), "Roles": [{"Arn": ROLE}]});
            let of_profile = call.operation == "GetInstanceProfile";
            let answer = if of_profile { json!({"InstanceProfile": profile}) } else { json!({}) };
            (call, answer)
        })
        .collect();
    eksctl(&scope_of("harbour"), snapshot, &answers, Some(&[])).expect("there is a cluster")
}

/// A cluster with the resources of nodes as they are declared, and what those refer to.
fn snapshot(declared: &Declared) -> Snapshot {
    assert_eq!(declared.problems, []);
    let mut cluster = eks_cluster(&scope_of("harbour"));
    cluster.outputs.insert("vpcId".into(), json!("vpc-1"));
    cluster.actual["resourcesVpcConfig"] = json!({"subnetIds": ["subnet-1"]});
    let mut known = Snapshot::default();
    known.live.insert(cluster.key.clone(), cluster);
    let needed = declared.resources.iter().flat_map(|resource| resource.needs.clone());
    for key in needed.filter(|key| key.kind != Kind::Cluster) {
        let stand_in = Resource { desired: json!({}), key: key.clone(), ..every_group() };
        let mut live = as_declared(&stand_in, &Snapshot::default());
        let id = if key.kind == Kind::Subnet { "subnet" } else { "sg" };
        live.outputs.insert("id".into(), json!(format!("{id}-{}", key.name)));
        known.live.insert(key, live);
    }
    for resource in declared.resources.iter().filter(|resource| !resource.existing) {
        let live = as_declared(resource, &known);
        known.live.insert(resource.key.clone(), live);
    }
    known
}

#[test]
fn a_group_of_ours_is_written_as_it_was_declared() {
    let zones = "availabilityZones: [eu-central-1a, eu-central-1b]\n";
    for group in [
        "ami: ami-1",
        "ami: ami-1, minSize: 1, maxSize: 7, desiredCapacity: 3, labels: {a: b, c/d: e}, tags: {cost: \"1\"}, maxPodsPerNode: 30",
        "ami: ami-1, taints: [{key: k, value: v, effect: NoExecute}, {key: l, effect: PreferNoSchedule}], clusterDNS: 10.100.0.10",
        "ami: ami-1, preBootstrapCommands: [\"echo one\", \"#!/bin/sh\\necho two\"], overrideBootstrapCommand: \"kind: NodeConfig\"",
        "ami: ami-1, kubeletExtraConfig: {evictionHard: {memory.available: 200Mi}, featureGates: {A: true}}",
        "ami: ami-1, volumeSize: 120, volumeType: io2, volumeIOPS: 900, volumeEncrypted: true, volumeKmsKeyID: key, volumeName: /dev/sda1",
        "ami: ami-1, additionalVolumes: [{volumeName: /dev/sdb, volumeSize: 5}, {volumeName: /dev/sdc, snapshotID: snap-1}]",
        "ami: ami-1, disableIMDSv1: false, ebsOptimized: true, enableDetailedMonitoring: true, placement: {groupName: p}",
        "ami: ami-1, disablePodIMDS: true, cpuCredits: unlimited, enclaveEnabled: true, ssh: {publicKeyName: k}, instanceName: n",
        "ami: ami-1, capacityReservation: {capacityReservationPreference: open}, securityGroups: {attachIDs: [sg-7], withShared: false}",
        "ami: ami-1, instanceType: m5.xlarge, asgSuspendProcesses: [AZRebalance], maxInstanceLifetime: 86400, propagateASGTags: true, labels: {x: y}",
        "ami: ami-1, instancesDistribution: {instanceTypes: [m5.large, m5a.large], maxPrice: 0.25, onDemandBaseCapacity: 1, spotAllocationStrategy: capacity-optimized}",
        "ami: ami-1, asgMetricsCollection: [{granularity: 1Minute, metrics: [GroupMaxSize]}], targetGroupARNs: [\"arn:t\"], classicLoadBalancerNames: [lb]",
        "ami: ami-1, amiFamily: Bottlerocket, labels: {a.b/c: d}, taints: [{key: k, value: v, effect: NoSchedule}], maxPodsPerNode: 9, clusterDNS: 10.100.0.10",
        "ami: ami-1, amiFamily: Bottlerocket, volumeEncrypted: true, bottlerocket: {enableAdminContainer: true, settings: {motd: \"a \\\"b\\\"\", kubernetes: {cpu-manager-policy: static}}}",
    ] {
        let first = with(&format!("{zones}nodeGroups: [{{name: own, {group}}}]\n"));
        let made = declared(&first, &Snapshot::default());
        let known = snapshot(&made);
        let file = exported(&known, "id-of-InstanceProfile");
        assert_eq!(file.notes, Vec::<String>::new(), "{group}\n{:#}", file.config);
        let again = config(&file.config.to_string());
        let again = declared(&again, &known);
        for key in ["LaunchTemplate/own", "AutoScalingGroup/own"] {
            let (one, other) = (of(&made.resources, key), of(&again.resources, key));
            let desired = known.resolve(&other.desired).unwrap_or_else(|key| panic!("{group}: no {key}"));
            let mut tags = other.tags.clone();
            tags.extend(scope_of("harbour").tags(&other.key));
            let live = &known.live[&other.key];
            let found = driver(other.key.kind).differences(
                &scope_of("harbour"),
                other,
                &desired,
                &tags,
                live,
                &known,
            );
            assert_eq!(found, [], "{group}\n{:#}", file.config["nodeGroups"]);
            assert_eq!(other.tags, one.tags, "{group}");
        }
    }
}

/// An Auto Scaling group that somebody made, as eksctl does it: the security groups stand in a network interface.
fn of_somebody(recorded: &mut Vec<(Call, Value)>, tags: &[(&str, &str)], user_data: &str) {
    let tags: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value, "PropagateAtLaunch": "true"}))
        .collect();
    let group = json!({
        "AutoScalingGroupName": "eksctl-harbour-NodeGroup-X1", "AutoScalingGroupARN": "arn:aws:autoscaling:x", "CreatedTime": "2025",
        "MinSize": "1", "MaxSize": "4", "DesiredCapacity": "2", "VPCZoneIdentifier": "subnet-2,subnet-1", "CapacityRebalance": "false",
        "LaunchTemplate": {"LaunchTemplateId": "lt-9", "LaunchTemplateName": "theirs", "Version": "3"},
        "Instances": [{"InstanceId": "i-1", "LifecycleState": "InService", "LaunchTemplate": {"LaunchTemplateId": "lt-9", "Version": "2"}}],
        "Tags": tags,
    });
    let managed = json!({
        "AutoScalingGroupName": "eks-blue-1", "MinSize": "1", "MaxSize": "1", "DesiredCapacity": "1", "VPCZoneIdentifier": "subnet-1",
        "Tags": [{"Key": "eks:nodegroup-name", "Value": "blue"}, {"Key": "kubernetes.io/cluster/harbour", "Value": "owned"}],
    });
    let scaling = |input: Value| Call::new(Service::AutoScaling, "DescribeAutoScalingGroups", input);
    let ours =
        json!({"Filters": [{"Name": "tag:portolan.dev/cluster", "Values": ["harbour"]}], "MaxRecords": 100});
    recorded.push((scaling(ours), json!({"AutoScalingGroups": []})));
    let marked = json!({"Filters": [{"Name": "tag-key", "Values": ["kubernetes.io/cluster/harbour"]}], "MaxRecords": 100});
    recorded.push((scaling(marked), json!({"AutoScalingGroups": [group, managed]})));
    let versions = |input: Value| Call::new(Service::Ec2, "DescribeLaunchTemplateVersions", input);
    let old = json!({"launchTemplateId": "lt-9", "versionNumber": "1", "defaultVersion": "true", "launchTemplateData": {"imageId": "ami-0"}});
    recorded.push((
        versions(json!({"Versions": ["$Default", "$Latest"], "MaxResults": 200})),
        json!({"launchTemplateVersionSet": [old]}),
    ));
    let data = json!({
        "imageId": "ami-0aa", "instanceType": "m5.large", "userData": user_data,
        "iamInstanceProfile": {"arn": "arn:aws:iam::123456789012:instance-profile/theirs"},
        "blockDeviceMappingSet": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": "40", "volumeType": "gp3", "encrypted": "true"}}],
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": "2"},
        "networkInterfaceSet": [{"deviceIndex": "0", "groupSet": ["sg-00000003", "sg-5"]}],
    });
    recorded.push((
        versions(json!({"LaunchTemplateId": "lt-9", "Versions": ["3"]})),
        json!({"launchTemplateVersionSet": [
            {"launchTemplateId": "lt-9", "launchTemplateName": "theirs", "versionNumber": "3", "launchTemplateData": data},
        ]}),
    ));
}

fn read(recorded: &[(Call, Value)], declared: &[Resource]) -> (Snapshot, usize) {
    let scope = scope_of("harbour");
    let mut snapshot = Snapshot::default();
    let mut cluster = eks_cluster(&scope);
    cluster.outputs.insert("vpcId".into(), json!("vpc-1"));
    cluster.actual["resourcesVpcConfig"] = json!({"subnetIds": ["subnet-1"]});
    snapshot.live.insert(cluster.key.clone(), cluster);
    let driver = driver(Kind::AutoScalingGroup);
    let (mut due, mut made) = (driver.reads(&scope, &snapshot, declared), 0);
    while let Some(call) = due.pop() {
        made += 1;
        let answer = recorded.iter().find(|(known, _)| *known == call);
        let (_, answer) = answer.unwrap_or_else(|| panic!("no answer to {call} {}", call.input));
        due.extend(driver.absorb(&scope, declared, &call, answer, &mut snapshot));
    }
    (snapshot, made)
}

fn differences(config: &ClusterConfig, known: &Snapshot) -> Vec<Difference> {
    let declared = declared(config, known);
    assert_eq!(declared.problems, []);
    let keys: Vec<String> = declared.resources.iter().map(|each| each.key.to_string()).collect();
    assert_eq!(keys, ["AutoScalingGroup/ng-1"], "its template is not ours to make");
    let group = &declared.resources[0];
    let desired = known.resolve(&group.desired).unwrap();
    let mut tags = group.tags.clone();
    tags.extend(scope_of("harbour").tags(&group.key));
    let live = &known.live[&group.key];
    let found =
        driver(Kind::AutoScalingGroup).differences(&scope_of("harbour"), group, &desired, &tags, live, known);
    found.into_iter().filter(|difference| !difference.field.starts_with("/tags/portolan.dev~1")).collect()
}

#[test]
fn a_group_that_somebody_made_is_adopted_as_it_is_and_keeps_its_template() {
    let joining = json!({
        "apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig",
        "spec": {"kubelet": {"flags": ["--node-labels=alpha.eksctl.io/cluster-name=harbour,pool=old"]}},
    });
    let text = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: application/node.eks.aws\r\n\r\n{joining}\r\n--b1--\r\n"
    );
    let tags = [
        ("kubernetes.io/cluster/harbour", "owned"),
        ("alpha.eksctl.io/nodegroup-name", "ng-1"),
        ("team", "sea"),
    ];
    let mut recorded = Vec::new();
    of_somebody(&mut recorded, &tags, &STANDARD.encode(text));
    let (found, _) = read(&recorded, &[every_group()]);
    let group = Key::new(Kind::AutoScalingGroup, "ng-1");
    assert_eq!(found.live.keys().filter(|key| key.kind == group.kind).collect::<Vec<_>>(), [&group]);
    assert_eq!(found.live[&group].owner, Owner::Other);

    let file = exported(&found, "arn:aws:iam::123456789012:instance-profile");
    assert_eq!(
        file.config["nodeGroups"],
        json!([{
            "name": "ng-1", "ami": "ami-0aa", "amiFamily": "AmazonLinux2023", "instanceType": "m5.large",
            "minSize": 1, "maxSize": 4, "desiredCapacity": 2, "subnets": ["subnet-1", "subnet-2"],
            "labels": {"pool": "old"}, "tags": {"team": "sea"},
            "iam": {"instanceProfileARN": "arn:aws:iam::123456789012:instance-profile/theirs", "instanceRoleARN": ROLE},
            "securityGroups": {"attachIDs": ["sg-5"], "withShared": false, "withLocal": false},
            "volumeSize": 40, "volumeType": "gp3", "volumeEncrypted": true,
        }]),
        "{:#}",
        file.config
    );
    assert!(
        matches!(file.notes.as_slice(), [note] if note.contains("keeps its launch template theirs")),
        "{:?}",
        file.notes
    );

    let text = file.config.to_string();
    let adopted = config(&text);
    let own = declared(&adopted, &Snapshot::default()).resources;
    let (known, calls) = read(&recorded, &own);
    assert_eq!(calls, 4, "ours, those of the cluster, and the version of their template");
    assert_eq!(differences(&adopted, &known), [], "old nodes are not replaced, nothing is renamed");

    // The group itself is kept; what its template says is not ours to change, and that is told.
    for (member, value, field) in [
        ("maxSize", json!(9), "/MaxSize"),
        ("volumeSize", json!(50), "/ByTemplate/volumeSize"),
        ("instanceType", json!("m5.xlarge"), "/ByTemplate/instanceType"),
        ("labels", json!({"pool": "new"}), "/ByTemplate/labels"),
        ("preBootstrapCommands", json!(["true"]), "/ByTemplate/preBootstrapCommands"),
    ] {
        let mut changed: Value = serde_json::from_str(&text).unwrap();
        changed["nodeGroups"][0][member] = value;
        let found = differences(&config(&changed.to_string()), &known);
        let [one] = found.as_slice() else { panic!("{member}: {found:#?}") };
        assert_eq!(one.field, field);
        match &one.mend {
            Mend::Impossible(words) => {
                assert!(words.contains(member) && words.contains("a new name"), "{words}")
            }
            Mend::InPlace(call) => {
                assert_eq!((call.operation.as_str(), member), ("UpdateAutoScalingGroup", "maxSize"))
            }
            Mend::Rolling(..) => panic!("{member}: nodes would be replaced"),
        }
    }
}

#[test]
fn a_deleted_template_of_ours_is_made_again_and_a_strangers_is_not_taken_for_it() {
    let zones = "availabilityZones: [eu-central-1a]\n";
    let config = with(&format!("{zones}nodeGroups: [{{name: own, ami: ami-1}}]\n"));
    let made = declared(&config, &Snapshot::default());
    let mut known = snapshot(&made);
    known.live.retain(|key, _| key.kind != Kind::LaunchTemplate);
    // Nothing was read of the template that the group still names.
    let keys =
        |declared: &Declared| declared.resources.iter().map(|each| each.key.to_string()).collect::<Vec<_>>();
    assert_eq!(keys(&declared(&config, &known)), keys(&made));
    // Ours is there, and the group was given another one at the console: that is drift.
    let mut known = snapshot(&made);
    let group = known.live.get_mut(&Key::new(Kind::AutoScalingGroup, "own")).unwrap();
    group.outputs.insert("template".into(), json!({"id": "lt-9", "name": "x", "data": {}}));
    assert_eq!(keys(&declared(&config, &known)), keys(&made));
}
