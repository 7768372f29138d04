//! What holds where a file says nothing.

use super::{parse, smallest};
use portolan::model::cluster_config::{
    AmiFamily, AuthenticationMode, ClusterConfig, IpFamily, NatGateway, SupportType, VolumeType,
    with_defaults,
};
use serde_json::{Value, json};

fn filled(change: Value) -> ClusterConfig {
    let mut config = smallest();
    for (field, value) in change.as_object().expect("a change is a mapping") {
        config[field] = value.clone();
    }
    with_defaults(parse(&config).unwrap_or_else(|problems| panic!("{problems:#?}")))
}

fn names(config: &ClusterConfig) -> Vec<&str> {
    config.addons.iter().map(|addon| addon.name.as_str()).collect()
}

#[test]
fn the_smallest_cluster_is_what_eksctl_makes_of_it() {
    let config = filled(json!({}));
    let vpc = config.vpc.as_ref().unwrap();
    assert_eq!(vpc.cidr.as_deref(), Some("192.168.0.0/16"));
    assert_eq!(vpc.nat.unwrap().gateway, Some(NatGateway::Single));
    let endpoints = vpc.cluster_endpoints.unwrap();
    assert_eq!((endpoints.public_access, endpoints.private_access), (Some(true), Some(false)));
    let access = config.access_config.as_ref().unwrap();
    assert_eq!(access.authentication_mode, Some(AuthenticationMode::ApiAndConfigMap));
    assert_eq!(config.kubernetes_network_config.as_ref().unwrap().ip_family, Some(IpFamily::IPv4));
    assert_eq!(config.upgrade_policy.unwrap().support_type, Some(SupportType::Extended));
    assert_eq!(names(&config), ["vpc-cni", "kube-proxy", "coredns", "metrics-server"]);
    assert_eq!(config.metadata.version, None, "the version is a choice of the moment");
}

#[test]
fn add_ons_stand_beside_the_listed_ones() {
    let listed = json!([{"name": "coredns", "version": "latest"}, {"name": "eks-pod-identity-agent"}]);
    let config = filled(json!({"addons": listed}));
    assert_eq!(
        names(&config),
        ["coredns", "eks-pod-identity-agent", "vpc-cni", "kube-proxy", "metrics-server"]
    );
    assert_eq!(config.addons[0].version.as_deref(), Some("latest"));
    let config = filled(json!({"addons": listed, "addonsConfig": {"disableDefaultAddons": true}}));
    assert_eq!(names(&config), ["coredns", "eks-pod-identity-agent"]);
    let config = filled(json!({"autoModeConfig": {"enabled": true}}));
    assert_eq!(names(&config), ["metrics-server"], "the others are built into Auto Mode's nodes");
    assert_eq!(config.auto_mode_config.unwrap().node_pools.unwrap(), ["general-purpose", "system"]);
    let config = filled(json!({"autoModeConfig": {"enabled": true, "nodePools": []}}));
    assert_eq!(config.auto_mode_config.unwrap().node_pools.unwrap(), Vec::<String>::new());
}

#[test]
fn an_existing_vpc_is_given_nothing() {
    let subnets = json!({"private": {"a": {"id": "subnet-a"}, "b": {"id": "subnet-b"}}});
    let config = filled(json!({"vpc": {"id": "vpc-1", "subnets": subnets}}));
    let vpc = config.vpc.unwrap();
    assert_eq!((vpc.cidr, vpc.nat), (None, None));
}

#[test]
fn a_private_cluster_is_private_throughout() {
    let config = filled(json!({
        "privateCluster": {"enabled": true},
        "managedNodeGroups": [{"name": "a"}],
        "nodeGroups": [{"name": "b"}],
    }));
    let vpc = config.vpc.unwrap();
    assert_eq!(vpc.nat.unwrap().gateway, Some(NatGateway::Disable));
    let endpoints = vpc.cluster_endpoints.unwrap();
    assert_eq!((endpoints.public_access, endpoints.private_access), (Some(false), Some(true)));
    assert_eq!(config.managed_node_groups[0].base.private_networking, Some(true));
    assert_eq!(config.node_groups[0].base.private_networking, Some(true));
}

#[test]
fn sizes_follow_from_each_other() {
    for (given, wanted) in [
        (json!({}), (2, 2, 2)),
        (json!({"desiredCapacity": 3}), (3, 3, 3)),
        (json!({"minSize": 1}), (1, 1, 1)),
        (json!({"maxSize": 9}), (2, 2, 9)),
        (json!({"minSize": 1, "maxSize": 9}), (1, 1, 9)),
        (json!({"minSize": 1, "desiredCapacity": 4, "maxSize": 9}), (1, 4, 9)),
        (json!({"minSize": 0, "desiredCapacity": 0}), (0, 0, 1)),
    ] {
        let mut group = given.clone();
        group["name"] = json!("a");
        let config = filled(json!({"managedNodeGroups": [group]}));
        let base = &config.managed_node_groups[0].base;
        let sizes = (base.min_size.unwrap(), base.desired_capacity.unwrap(), base.max_size.unwrap());
        assert_eq!(sizes, wanted, "{given}");
    }
    let config = filled(json!({"nodeGroups": [{"name": "a", "desiredCapacity": 0}]}));
    assert_eq!(config.node_groups[0].base.max_size, Some(0), "an Auto Scaling group may be empty for good");
}

#[test]
fn nodes_are_what_eksctl_makes_of_them() {
    let config = filled(json!({
        "managedNodeGroups": [
            {"name": "a", "ami": "auto-ssm"},
            {"name": "b", "launchTemplate": {"id": "lt-1"}},
            {"name": "c", "instanceTypes": ["m6i.large"], "volumeType": "io1", "additionalVolumes": [
                {"volumeName": "/dev/sdb", "snapshotID": "snap-1"},
            ]},
        ],
        "nodeGroups": [
            {"name": "d"},
            {"name": "e", "instanceType": "mixed", "instancesDistribution": {"instanceTypes": ["m5.large"]}},
        ],
    }));
    let [a, b, c] = &config.managed_node_groups[..] else { panic!() };
    assert_eq!(a.base.ami_family, Some(AmiFamily::AmazonLinux2023));
    assert_eq!(a.base.ami, None, "auto-ssm means the newest, as nothing does");
    assert_eq!(a.base.instance_type.as_deref(), Some("m5.large"));
    assert_eq!((a.base.volume_type, a.base.volume_size), (Some(VolumeType::Gp3), Some(80)));
    assert_eq!((a.base.volume_iops, a.base.volume_throughput), (Some(3000), Some(125)));
    assert_eq!((a.base.disable_imdsv1, a.spot), (Some(true), Some(false)));
    assert_eq!((b.base.volume_size, &b.base.instance_type), (None, &None), "the launch template says these");
    assert_eq!(c.base.instance_type, None);
    assert_eq!((c.base.volume_iops, c.base.volume_throughput), (Some(100), None));
    assert_eq!(c.base.additional_volumes[0].volume_size, None, "as large as its snapshot");
    let [d, e] = &config.node_groups[..] else { panic!() };
    let groups = d.base.security_groups.as_ref().unwrap();
    assert_eq!((groups.with_shared, groups.with_local), (Some(true), Some(true)));
    assert_eq!(e.base.instance_type, None);
    assert_eq!(
        e.instances_distribution.as_ref().unwrap().on_demand_percentage_above_base_capacity,
        Some(100)
    );
}
