//! The list of `kops delete cluster`, rule by rule.

use super::aws::{Account, CLUSTER, KEY, account, own, shared, tags};
use portolan::migrate::decommission::{
    AwsReads, CannotTell, Cluster, InUse, Refused, Spare, guard, would_delete,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn list(account: &Account) -> BTreeSet<(String, String)> {
    would_delete(&account.reads(), &Cluster::new(CLUSTER)).unwrap()
}

fn has(list: &BTreeSet<(String, String)>, kind: &str, id: &str) -> bool {
    list.contains(&(kind.to_owned(), id.to_owned()))
}

#[test]
fn a_whole_cluster_is_listed_as_kops_prints_it() {
    let listed: Vec<String> = list(&account()).into_iter().map(|(kind, id)| format!("{kind} {id}")).collect();
    let expected = [
        "autoscaling-config lt-1",
        "autoscaling-group nodes.old.example.com",
        "dhcp-options dopt-1",
        "elastic-ip eipalloc-1",
        "eventbridge-rule old.example.com-ASGLifecycle",
        "iam-instance-profile nodes.old.example.com",
        "iam-role nodes.old.example.com",
        "instance i-1",
        "internet-gateway igw-1",
        "keypair key-1",
        "load-balancer a1",
        "load-balancer arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/api/1",
        "nat-gateway nat-1",
        "network-interface eni-free",
        "oidc-provider arn:aws:iam::1:oidc-provider/issuer.example.com",
        "route-table rtb-private",
        "route-table rtb-public",
        "route53-record Z1/A/api.old.example.com.",
        "security-group sg-nodes",
        "sqs https://sqs.example.com/1/old-example-com-nth",
        "subnet subnet-a",
        "subnet subnet-utility",
        "target-group arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/tcp/1",
        "volume vol-claim",
        "volume vol-etcd",
        "vpc vpc-1",
    ];
    assert_eq!(listed, expected);
}

/// The names of EC2's XML, lists and members, as the cloud port hands them on.
fn in_xml(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, inner)| {
                let name = match key.as_str() {
                    "Tags" | "TagSet" => "tagSet".into(),
                    "State" => "instanceState".into(),
                    "SecurityGroups" if inner[0].get("Tags").is_none() && inner[0].get("VpcId").is_none() => {
                        "groupSet".into()
                    }
                    "SecurityGroups" => "securityGroupInfo".into(),
                    "Reservations"
                    | "Instances"
                    | "Volumes"
                    | "Subnets"
                    | "Vpcs"
                    | "RouteTables"
                    | "InternetGateways"
                    | "NatGateways"
                    | "NetworkInterfaces"
                    | "EgressOnlyInternetGateways" => {
                        let plural = key.trim_end_matches('s');
                        let first = plural[..1].to_lowercase();
                        if key == "Instances" {
                            "instancesSet".into()
                        } else {
                            format!("{first}{}Set", &plural[1..])
                        }
                    }
                    "KeyPairs" => "keySet".into(),
                    "Addresses" => "addressesSet".into(),
                    "DhcpOptions" => "dhcpOptionsSet".into(),
                    "Attachments" => "attachmentSet".into(),
                    "Associations" => "associationSet".into(),
                    "Routes" => "routeSet".into(),
                    "NatGatewayAddresses" => "natGatewayAddressSet".into(),
                    other => format!("{}{}", other[..1].to_lowercase(), &other[1..]),
                };
                (name, in_xml(inner))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) if items.is_empty() => json!(""),
        Value::Array(items) => items.iter().map(in_xml).collect(),
        Value::Bool(flag) => json!(flag.to_string()),
        other => other.clone(),
    }
}

#[test]
fn answers_in_the_names_of_the_xml_say_the_same() {
    let mut reads = account().reads();
    for read in reads.reads.iter_mut().filter(|read| read.service == "ec2") {
        read.output = in_xml(&read.output);
    }
    assert_eq!(would_delete(&reads, &Cluster::new(CLUSTER)).unwrap(), list(&account()));
}

#[test]
fn only_the_value_shared_spares_what_the_legacy_tag_names() {
    for value in ["shared", "owned", "borrowed", ""] {
        let mut account = account();
        let tags = tags(&[("KubernetesCluster", CLUSTER), (KEY, value)]);
        account.volumes[2]["Tags"] = tags.clone();
        account.subnets[0]["Tags"] = tags.clone();
        account.dhcp_options[0]["Tags"] = tags.clone();
        account.security_groups[0]["Tags"] = tags;
        let list = list(&account);
        assert_eq!(has(&list, "volume", "vol-claim"), value != "shared", "{value}");
        assert_eq!(has(&list, "subnet", "subnet-a"), value != "shared", "{value}");
        assert_eq!(has(&list, "dhcp-options", "dopt-1"), value != "shared", "{value}");
        // Security groups, route tables, interfaces and VPCs are taken only when they are said to be owned.
        assert_eq!(has(&list, "security-group", "sg-nodes"), value == "owned", "{value}");
    }
}

#[test]
fn either_tag_alone_finds_some_kinds() {
    let mut account = account();
    account.security_groups[0]["Tags"] = tags(&[("KubernetesCluster", CLUSTER)]);
    account.route_tables[1]["Tags"] = tags(&[(KEY, "owned")]);
    account.volumes[2]["Tags"] = tags(&[(KEY, "owned")]);
    let list = list(&account);
    assert!(has(&list, "security-group", "sg-nodes"), "the legacy tag means owned");
    assert!(has(&list, "route-table", "rtb-private"));
    assert!(!has(&list, "volume", "vol-claim"), "volumes are found by the legacy tag only");
}

#[test]
fn load_balancers_know_no_shared() {
    let mut account = account();
    account.classic[0]["Tags"] = shared();
    account.target_groups[0]["Tags"] = shared();
    account.balancers[0]["Tags"] = tags(&[(KEY, "owned")]);
    let list = list(&account);
    assert!(has(&list, "load-balancer", "a1"));
    assert!(list.iter().any(|(kind, _)| kind == "target-group"));
    assert!(!list.iter().any(|(_, id)| id.contains("loadbalancer/net")));
}

#[test]
fn roles_and_launch_templates_go_by_the_value_owned() {
    let mut account = account();
    account.roles[0]["Tags"] = shared();
    account.launch_templates[0]["Tags"] = tags(&[("KubernetesCluster", CLUSTER)]);
    account.providers[0]["Tags"] = shared();
    let list = list(&account);
    assert!(!has(&list, "iam-role", "nodes.old.example.com"));
    assert!(has(&list, "iam-instance-profile", "nodes.old.example.com"));
    assert!(!has(&list, "autoscaling-config", "lt-1"));
    assert!(list.iter().any(|(kind, _)| kind == "oidc-provider"), "providers know no shared");
}

#[test]
fn a_shared_network_stays_with_all_its_ways_out() {
    let mut account = account();
    account.vpcs[0]["Tags"] = shared();
    account.subnets.iter_mut().for_each(|subnet| subnet["Tags"] = shared());
    account.route_tables.truncate(1);
    account.internet_gateways[0]["Tags"] = json!([]);
    account.nat_gateways[0]["Tags"] = json!([]);
    account.subnets[0]["Tags"] = tags(&[
        ("KubernetesCluster", CLUSTER),
        (KEY, "shared"),
        ("AssociatedNatgateway", "nat-1"),
        ("AssociatedElasticIp", "198.51.100.1"),
    ]);
    let listed = list(&account);
    for (kind, id) in [("vpc", "vpc-1"), ("internet-gateway", "igw-1"), ("nat-gateway", "nat-1")] {
        assert!(!has(&listed, kind, id), "{kind}");
    }
    // An address that only a shared subnet names is released: kops passes the wrong flag on.
    account.addresses[0]["Tags"] = json!([]);
    assert!(has(&list(&account), "elastic-ip", "eipalloc-1"));
    account.subnets[0]["Tags"].as_array_mut().unwrap()[1] = json!({"Key": KEY, "Value": "owned"});
    let owned = list(&account);
    assert!(!has(&owned, "elastic-ip", "eipalloc-1") && has(&owned, "nat-gateway", "nat-1"));
}

#[test]
fn gateways_without_tags_follow_their_vpc_and_their_routes() {
    let mut account = account();
    account.internet_gateways[0]["Tags"] = json!([]);
    account.nat_gateways[0]["Tags"] = json!([]);
    account.addresses[0]["Tags"] = json!([]);
    let listed = list(&account);
    assert!(has(&listed, "internet-gateway", "igw-1") && has(&listed, "nat-gateway", "nat-1"));
    assert!(has(&listed, "elastic-ip", "eipalloc-1"));
    // A route table that says whose its gateway is spares gateway and address.
    account.route_tables[1]["Tags"] = tags(&[(KEY, "owned"), ("AssociatedNatgateway", "nat-1")]);
    let spared = list(&account);
    assert!(!has(&spared, "nat-gateway", "nat-1") && !has(&spared, "elastic-ip", "eipalloc-1"));
}

#[test]
fn releases_differ_in_instances_and_interfaces() {
    let mut account = account();
    account.interfaces[0]["VpcId"] = json!("vpc-other");
    let reads = account.reads();
    let old = would_delete(&reads, &Cluster { kops_minor: Some(28), ..Cluster::new(CLUSTER) }).unwrap();
    let new = would_delete(&reads, &Cluster { kops_minor: Some(36), ..Cluster::new(CLUSTER) }).unwrap();
    assert!(has(&old, "instance", "i-pending") && !has(&new, "instance", "i-pending"));
    assert!(!has(&old, "instance", "i-gone"));
    assert!(has(&old, "network-interface", "eni-free") && !has(&new, "network-interface", "eni-free"));
}

#[test]
fn two_vpcs_stop_newer_releases() {
    let mut account = account();
    account.vpcs[1]["Tags"] = own();
    let reads = account.reads();
    let error = would_delete(&reads, &Cluster::new(CLUSTER)).unwrap_err();
    assert!(matches!(&error, CannotTell::SeveralVpcs { vpcs, .. } if vpcs.len() == 2), "{error}");
    let old = would_delete(&reads, &Cluster { kops_minor: Some(28), ..Cluster::new(CLUSTER) }).unwrap();
    assert!(has(&old, "vpc", "vpc-1") && has(&old, "vpc", "vpc-other"));
}

#[test]
fn records_are_looked_for_unless_there_is_no_dns() {
    let reads = account().reads();
    let dns = |cluster: Cluster| {
        would_delete(&reads, &cluster).unwrap().iter().any(|(kind, _)| kind == "route53-record")
    };
    assert!(dns(Cluster::new(CLUSTER)));
    assert!(!dns(Cluster { without_dns: true, ..Cluster::new(CLUSTER) }));
    let gossip = Cluster { kops_minor: Some(28), ..Cluster::new("old.k8s.local") };
    assert!(!gossip.clone().name.is_empty() && !dns(gossip));
}

#[test]
fn a_short_list_is_never_told() {
    let whole = account().reads();
    for left_out in 0..whole.reads.len() {
        let mut reads = whole.clone();
        let gone = reads.reads.remove(left_out);
        let result = would_delete(&reads, &Cluster::new(CLUSTER));
        let zone_of_other = gone.operation == "ListResourceRecordSets" && gone.input["HostedZoneId"] == "Z2";
        assert_eq!(matches!(result, Err(CannotTell::Missing(_))), !zone_of_other, "without {gone:?}");
    }
    let wanted = AwsReads::default().wanted(&Cluster::new(CLUSTER));
    assert!(wanted.iter().any(|one| one.to_string() == "ec2:DescribeVolumes"));
    assert!(whole.wanted(&Cluster::new(CLUSTER)).is_empty());
}

#[test]
fn a_role_that_may_not_be_read_is_no_kops_role() {
    let mut reads = account().reads();
    for read in reads.reads.iter_mut().filter(|read| read.operation == "GetRole") {
        read.output = Value::Null;
    }
    let list = would_delete(&reads, &Cluster::new(CLUSTER)).unwrap();
    assert!(!list.iter().any(|(kind, _)| kind == "iam-role"));
}

#[test]
fn the_guard_names_what_is_used_and_what_it_stands_on() {
    let reads = account().reads();
    let used = InUse { ids: [("subnet-a".to_owned(), "EKS cluster new".to_owned())].into() };
    let Err(Refused::InUse(refusals)) = guard(&reads, &Cluster::new(CLUSTER), &used) else {
        panic!("cleared")
    };
    let names: BTreeSet<String> = refusals.iter().map(|one| format!("{} {}", one.kind, one.id)).collect();
    for thing in [
        "subnet subnet-a",
        "vpc vpc-1",
        "route-table rtb-private",
        "nat-gateway nat-1",
        "elastic-ip eipalloc-1",
        "internet-gateway igw-1",
        "dhcp-options dopt-1",
        "subnet subnet-utility",
        "route-table rtb-public",
    ] {
        assert!(names.contains(thing), "{thing} in {names:?}");
    }
    assert!(!names.contains("volume vol-claim") && !names.contains("instance i-1"));
    assert!(refusals.iter().all(|one| one.used_by.contains("EKS cluster new")), "{refusals:?}");
    let volume = InUse { ids: [("vol-claim".to_owned(), "PersistentVolume data".to_owned())].into() };
    let Err(Refused::InUse(refusals)) = guard(&reads, &Cluster::new(CLUSTER), &volume) else {
        panic!("cleared")
    };
    let Spare::Retag { call, .. } = &refusals[0].spare else { panic!("{refusals:?}") };
    assert_eq!(call.to_string(), "ec2:CreateTags");
    assert_eq!(call.input, json!({"Resources": ["vol-claim"], "Tags": [{"Key": KEY, "Value": "shared"}]}));
}

#[test]
fn an_approval_is_bound_to_the_list() {
    let cluster = Cluster::new(CLUSTER);
    let cleared = guard(&account().reads(), &cluster, &InUse::default()).unwrap();
    let again = guard(&account().reads(), &cluster, &InUse::default()).unwrap();
    assert_eq!(cleared, again);
    let mut more = account();
    more.volumes.push(json!({"VolumeId": "vol-new", "Attachments": [], "Tags": own()}));
    assert_ne!(guard(&more.reads(), &cluster, &InUse::default()).unwrap().digest, cleared.digest);
}
