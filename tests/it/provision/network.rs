//! What the network part of a ClusterConfig becomes: a new VPC in zones and address blocks, or an existing one.

use super::recorded::{declare, differences, driver, eks_cluster, keys, of, problems, scope_of, with};
use portolan::model::cluster_config::ClusterConfig;
use portolan::provision::network::{
    self, Ipv4Block, control_plane_subnets, fargate_subnets, node_subnets, resources, subnets,
};
use portolan::provision::resource::{Key, Kind, Live, Owner, Resource, Snapshot, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TWO_ZONES: &str = "availabilityZones: [eu-central-1a, eu-central-1b]\n";

fn declared(config: &ClusterConfig) -> Vec<Resource> {
    resources(config, &scope_of("harbour"), &Snapshot::default()).resources
}

fn refused(yaml: &str) -> Vec<String> {
    problems(&resources(&with(yaml), &scope_of("harbour"), &Snapshot::default()))
}

fn live(key: Key, id: &str, actual: Value, outputs: Value) -> Live {
    let mut outputs: BTreeMap<String, Value> = serde_json::from_value(outputs).unwrap();
    outputs.insert("id".into(), json!(id));
    Live {
        key,
        id: id.into(),
        actual,
        outputs,
        tags: BTreeMap::new(),
        owner: Owner::Ours,
        state: State::Ready,
    }
}

#[test]
fn a_new_vpc_is_laid_out_as_eksctl_does() {
    let resources = declared(&with(TWO_ZONES));
    let expected = [
        "Vpc/vpc",
        "Subnet/public-eu-central-1a",
        "Subnet/public-eu-central-1b",
        "Subnet/private-eu-central-1a",
        "Subnet/private-eu-central-1b",
        "InternetGateway/internet",
        "Address/nat-eu-central-1a",
        "NatGateway/nat-eu-central-1a",
        "RouteTable/public",
        "RouteTable/private-eu-central-1a",
        "RouteTable/private-eu-central-1b",
        "SecurityGroup/control-plane",
        "SecurityGroup/shared-node",
    ];
    assert_eq!(keys(&resources), expected);
    let blocks: Vec<&str> =
        ["public-eu-central-1a", "public-eu-central-1b", "private-eu-central-1a", "private-eu-central-1b"]
            .iter()
            .map(|name| of(&resources, &format!("Subnet/{name}")).desired["CidrBlock"].as_str().unwrap())
            .collect();
    assert_eq!(blocks, ["192.168.0.0/19", "192.168.32.0/19", "192.168.64.0/19", "192.168.96.0/19"]);
    let subnet = of(&resources, "Subnet/public-eu-central-1a");
    assert_eq!(subnet.desired["MapPublicIpOnLaunch"], json!(true));
    assert_eq!(subnet.tags["kubernetes.io/role/elb"], "1");
    assert_eq!(of(&resources, "Subnet/private-eu-central-1a").tags["kubernetes.io/role/internal-elb"], "1");
    let nat = of(&resources, "NatGateway/nat-eu-central-1a");
    let needs: Vec<String> = nat.needs.iter().map(ToString::to_string).collect();
    let expected = ["InternetGateway/internet", "Subnet/public-eu-central-1a", "Address/nat-eu-central-1a"];
    assert_eq!(needs, expected);
    let table = of(&resources, "RouteTable/private-eu-central-1b");
    let nat = Key::new(Kind::NatGateway, "nat-eu-central-1a").output("id");
    assert_eq!(table.desired["Routes"], json!([{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat}]));
}

#[test]
fn nat_gateways_as_many_as_asked_for() {
    for (mode, gateways) in [("HighlyAvailable", 2), ("Single", 1), ("Disable", 0)] {
        let resources = declared(&with(&format!("{TWO_ZONES}vpc: {{nat: {{gateway: {mode}}}}}\n")));
        let count = |kind: Kind| resources.iter().filter(|each| each.key.kind == kind).count();
        assert_eq!((count(Kind::NatGateway), count(Kind::Address)), (gateways, gateways), "{mode}");
        let routes = of(&resources, "RouteTable/private-eu-central-1b").desired["Routes"].clone();
        let through = |zone: &str| {
            let nat = Key::new(Kind::NatGateway, format!("nat-eu-central-1{zone}")).output("id");
            json!([{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": nat}])
        };
        let expected = match mode {
            "HighlyAvailable" => through("b"),
            "Single" => through("a"),
            _ => json!([]),
        };
        assert_eq!(routes, expected, "{mode}");
    }
}

#[test]
fn ipv6_has_its_own_blocks_and_way_out() {
    let family = "kubernetesNetworkConfig: {ipFamily: IPv6}\n";
    let resources = declared(&with(&format!("{TWO_ZONES}{family}")));
    assert_eq!(of(&resources, "Vpc/vpc").desired["AmazonProvidedIpv6CidrBlock"], json!(true));
    assert!(keys(&resources).contains(&"EgressGateway/egress".to_owned()));
    let subnet = of(&resources, "Subnet/private-eu-central-1b");
    assert_eq!(subnet.desired["Ipv6CidrBlock"], network::vpc().output("ipv6Cidr-3"));
    assert_eq!(subnet.desired["AssignIpv6AddressOnCreation"], json!(true));
    let of_table = of(&resources, "RouteTable/private-eu-central-1a").desired["Routes"].to_string();
    assert!(of_table.contains("EgressOnlyInternetGatewayId") && of_table.contains("::/0"), "{of_table}");
}

/// For every number of zones and every size of VPC: no two subnets overlap, all are in the VPC and large enough for EC2.
#[test]
fn subnets_never_overlap() {
    for zones in 2..=8 {
        for prefix in 16..=24 {
            let names: Vec<String> = (0..zones).map(|nth| format!("z{nth}")).collect();
            let yaml =
                format!("availabilityZones: [{}]\nvpc: {{cidr: 10.0.0.0/{prefix}}}\n", names.join(", "));
            let (subnets, problems) = subnets(&with(&yaml), &Snapshot::default());
            assert_eq!(problems, [], "{yaml}");
            assert_eq!(subnets.len(), 2 * zones);
            let whole = Ipv4Block::parse(&format!("10.0.0.0/{prefix}")).unwrap();
            let blocks: Vec<Ipv4Block> = subnets.iter().map(|subnet| subnet.block.unwrap()).collect();
            for (nth, block) in blocks.iter().enumerate() {
                assert!(whole.contains(*block) && block.prefix() <= 28, "{block} in {whole}");
                assert!(!blocks[nth + 1..].iter().any(|other| other.overlaps(*block)), "{blocks:?}");
            }
            let mut slices: Vec<u8> = subnets.iter().map(|subnet| subnet.ipv6_index).collect();
            slices.sort_unstable();
            slices.dedup();
            assert_eq!(slices.len(), subnets.len());
        }
    }
}

/// Zones come and go; what exists keeps its addresses.
#[test]
fn another_zone_moves_nobody() {
    let scope = scope_of("harbour");
    let mut known = Snapshot::default();
    for resource in declared(&with(TWO_ZONES)).iter().filter(|each| each.key.kind == Kind::Subnet) {
        let outputs = json!({"zone": resource.desired["AvailabilityZone"]});
        known.live.insert(
            resource.key.clone(),
            live(resource.key.clone(), &resource.key.name, resource.desired.clone(), outputs),
        );
    }
    let three = with("availabilityZones: [eu-central-1a, eu-central-1b, eu-central-1c]\n");
    let resources = resources(&three, &scope, &known).resources;
    for (key, before) in known.live.iter().filter(|(key, _)| key.kind == Kind::Subnet) {
        assert_eq!(
            of(&resources, &key.to_string()).desired["CidrBlock"],
            before.actual["CidrBlock"],
            "{key}"
        );
    }
    let new: Vec<Value> = ["public", "private"]
        .iter()
        .map(|side| of(&resources, &format!("Subnet/{side}-eu-central-1c")).desired["CidrBlock"].clone())
        .collect();
    assert_eq!(new, [json!("192.168.128.0/19"), json!("192.168.160.0/19")]);
}

#[test]
fn zones_are_chosen_once_the_region_is_known() {
    let scope = scope_of("harbour");
    let config = with("");
    let first = resources(&config, &scope, &Snapshot::default());
    assert_eq!(problems(&first), ["/availabilityZones: the region's zones have not been read yet"]);
    assert!(!first.resources.iter().any(|each| each.key.kind == Kind::Subnet));
    let mut known = Snapshot::default();
    let zone = |name: &str, id: &str| json!({"name": name, "id": id});
    known.facts.insert(
        network::ZONES.into(),
        json!([
            zone("za", "use1-az3"),
            zone("zb", "x2"),
            zone("zc", "x3"),
            zone("zd", "x4"),
            zone("ze", "x5")
        ]),
    );
    let chosen = |known: &Snapshot| -> Vec<String> {
        let (subnets, _) = subnets(&config, known);
        subnets
            .into_iter()
            .filter(|subnet| subnet.side == network::Side::Public)
            .map(|each| each.zone)
            .collect()
    };
    assert_eq!(chosen(&known), ["zb", "zc", "zd"]);
    // A subnet that was made before in another zone keeps its zone among the chosen.
    let key = network::subnet_key(network::Side::Public, "ze");
    let block = json!({"CidrBlock": "192.168.0.0/19"});
    known.live.insert(key.clone(), live(key, "subnet-1", block, json!({"zone": "ze"})));
    assert_eq!(chosen(&known), ["zb", "zc", "ze"]);
}

#[test]
fn what_cannot_be_laid_out_is_refused() {
    let cases = [
        ("availabilityZones: [a]\n", "EKS needs subnets in two zones at least, and these are in a only"),
        (
            "availabilityZones: [a, b]\nvpc: {cidr: 10.0.0.1/16}\n",
            "10.0.0.1/16 is not an IPv4 block of /16 to /24 that begins at its own first address",
        ),
        ("availabilityZones: [a,b,c,d,e,f,g,h,i]\n", "9 zones are too many: eight are the most"),
        ("vpc: {id: vpc-1}\n", "an existing VPC was named without its subnets"),
        (
            "vpc: {cidr: 10.0.0.0/16, subnets: {private: {a: {cidr: 10.0.0.0/24}, b: {cidr: 10.0.0.128/25}}}}\n",
            "10.0.0.128/25 overlaps the addresses of /vpc/subnets/private/a",
        ),
        (
            "vpc: {cidr: 10.0.0.0/16, subnets: {private: {a: {cidr: 10.1.0.0/24}, b: {}}}}\n",
            "10.1.0.0/24 is not a block of /16 to /28 within the VPC's 10.0.0.0/16",
        ),
        (
            "availabilityZones: [a, b]\nprivateCluster: {enabled: true, additionalEndpointServices: [sqs]}\n",
            "sqs is not one of autoscaling, cloudformation, logs",
        ),
    ];
    for (yaml, words) in cases {
        let told = refused(yaml);
        assert!(told.iter().any(|each| each.contains(words)), "{yaml}: {told:?}");
    }
}

#[test]
fn a_private_cluster_has_endpoints_and_no_way_out() {
    let yaml = format!(
        "{TWO_ZONES}privateCluster: {{enabled: true, additionalEndpointServices: [autoscaling]}}\n\
         addons: [{{name: eks-pod-identity-agent}}]\n"
    );
    let resources = declared(&with(&yaml));
    let kinds = [Kind::InternetGateway, Kind::NatGateway, Kind::Address];
    assert!(!resources.iter().any(|each| kinds.contains(&each.key.kind)));
    assert!(!keys(&resources).iter().any(|key| key.contains("public")));
    let services: Vec<String> = resources
        .iter()
        .filter(|each| each.key.kind == Kind::VpcEndpoint)
        .map(|each| each.key.name.clone())
        .collect();
    assert_eq!(services, ["autoscaling", "ec2", "ecr.api", "ecr.dkr", "eks-auth", "s3", "sts"]);
    let bucket = &of(&resources, "VpcEndpoint/s3").desired;
    assert_eq!(bucket["VpcEndpointType"], json!("Gateway"));
    assert_eq!(bucket["RouteTableIds"].as_array().unwrap().len(), 2);
    let of_china = {
        let mut scope = scope_of("harbour");
        scope.partition = "aws-cn".into();
        scope.region = "cn-north-1".into();
        network::resources(&with(&yaml), &scope, &Snapshot::default()).resources
    };
    let name = |key: &str| of(&of_china, key).desired["ServiceName"].clone();
    assert_eq!(name("VpcEndpoint/ec2"), json!("cn.com.amazonaws.cn-north-1.ec2"));
    assert_eq!(name("VpcEndpoint/s3"), json!("com.amazonaws.cn-north-1.s3"));
}

#[test]
fn security_groups_follow_the_node_groups() {
    let yaml = format!(
        "{TWO_ZONES}vpc: {{extraCIDRs: [10.9.0.0/16]}}\nmanagedNodeGroups:\n\
         \x20 - {{name: m, ssh: {{allow: true, sourceSecurityGroupIds: [sg-bastion]}}}}\n\
         \x20 - {{name: quiet}}\nnodeGroups:\n  - {{name: s, ssh: {{allow: true}}, privateNetworking: true}}\n\
         \x20 - {{name: none, securityGroups: {{withLocal: false}}}}\n"
    );
    let resources = declared(&with(&yaml));
    let groups: Vec<String> = resources
        .iter()
        .filter(|each| each.key.kind == Kind::SecurityGroup)
        .map(|each| each.key.name.clone())
        .collect();
    assert_eq!(groups, ["control-plane", "shared-node", "nodegroup-m", "nodegroup-s"]);
    let ingress = |key: &str| of(&resources, key).desired["Ingress"].clone();
    let ssh = |peer: &str, value: Value| json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, peer: value, "Description": "SSH"});
    assert_eq!(ingress("SecurityGroup/nodegroup-m"), json!([ssh("GroupId", json!("sg-bastion"))]));
    let of_vpc = ssh("CidrIp", network::vpc().output("cidr"));
    assert_eq!(ingress("SecurityGroup/nodegroup-s").as_array().unwrap().last(), Some(&of_vpc));
    let extra = ingress("SecurityGroup/control-plane");
    assert_eq!(
        (extra[0]["CidrIp"].as_str(), extra[0]["FromPort"].as_i64()),
        (Some("10.9.0.0/16"), Some(443))
    );
}

const EXISTING: &str = "vpc:\n  id: vpc-1\n  securityGroup: sg-1\n  subnets:\n    private:\n\
                        \x20     one: {id: subnet-1}\n      eu-central-1b: {cidr: 10.5.1.0/24}\n";

#[test]
fn what_exists_is_looked_up_and_never_made() {
    let config = with(EXISTING);
    let resources = declared(&config);
    let existing: Vec<String> =
        resources.iter().filter(|each| each.existing).map(|each| each.key.to_string()).collect();
    let expected =
        ["Vpc/vpc", "Subnet/private-eu-central-1b", "Subnet/private-one", "SecurityGroup/control-plane"];
    assert_eq!(existing, expected);
    let calls = driver(Kind::Subnet).reads(&scope_of("harbour"), &Snapshot::default(), &resources);
    let filters: Vec<String> = calls.iter().map(|call| call.input["Filters"].to_string()).collect();
    assert_eq!(
        filters,
        [
            r#"[{"Name":"tag:portolan.dev/cluster","Values":["harbour"]}]"#,
            r#"[{"Name":"subnet-id","Values":["subnet-1"]}]"#,
            r#"[{"Name":"vpc-id","Values":["vpc-1"]},{"Name":"cidr-block","Values":["10.5.1.0/24"]}]"#,
        ]
    );
}

#[test]
fn what_is_wrong_with_existing_subnets_is_told() {
    let config = with(EXISTING);
    let scope = scope_of("harbour");
    let resources = declared(&config);
    let told = |known: &Snapshot| -> Vec<String> {
        network::problems(&config, &scope, &resources, known).iter().map(ToString::to_string).collect()
    };
    let mut known = Snapshot::default();
    let nothing = told(&known);
    assert!(nothing.contains(&"/vpc/subnets/private/one: subnet-1 was not found in eu-central-1".to_owned()));
    assert_eq!(nothing.len(), 4, "{nothing:?}");
    let vpc = json!({"CidrBlock": "10.5.0.0/16", "EnableDnsHostnames": false});
    known.live.insert(network::vpc(), live(network::vpc(), "vpc-1", vpc, json!({})));
    let group = network::control_plane();
    known.live.insert(group.clone(), live(group, "sg-1", json!({}), json!({})));
    for (name, id, vpc, free) in
        [("one", "subnet-1", "vpc-1", 250), ("eu-central-1b", "subnet-2", "vpc-2", 3)]
    {
        let key = network::subnet_key(network::Side::Private, name);
        let actual = json!({"AvailabilityZone": "eu-central-1a", "CidrBlock": "10.5.1.0/24", "VpcId": vpc});
        let mut subnet = live(key.clone(), id, actual, json!({"freeAddresses": free, "vpc": vpc}));
        subnet.tags.insert("kubernetes.io/role/internal-elb".into(), "1".into());
        known.live.insert(key, subnet);
    }
    assert_eq!(
        told(&known),
        [
            "/vpc/subnets: EKS needs subnets in two zones at least, and these are in eu-central-1a only",
            "/vpc/subnets/private/eu-central-1b: subnet-2 is in vpc-2, and the cluster is in vpc-1",
            "/vpc/subnets/private/eu-central-1b: subnet-2 has 3 free addresses; EKS needs 6 for an update",
            "/vpc/id: vpc-1 has EnableDnsHostnames off: nodes do not find the private endpoint",
        ]
    );
}

#[test]
fn node_groups_keep_to_their_subnets() {
    let known = Snapshot::default();
    let config = with(&format!(
        "{TWO_ZONES}managedNodeGroups:\n  - {{name: all}}\n  - {{name: quiet, privateNetworking: true}}\n\
         \x20 - {{name: zone, availabilityZones: [eu-central-1b]}}\n  - {{name: given, subnets: [subnet-9, eu-central-1a]}}\n\
         \x20 - {{name: wrong, subnets: [eu-central-1x]}}\n"
    ));
    let output = |name: &str| Key::new(Kind::Subnet, name).output("id");
    let chosen = |nth: usize| node_subnets(&config, &known, &config.managed_node_groups[nth].base, "/here");
    let (a, b) = ("eu-central-1a", "eu-central-1b");
    assert_eq!(chosen(0).unwrap(), [output(&format!("public-{a}")), output(&format!("public-{b}"))]);
    assert_eq!(chosen(1).unwrap(), [output(&format!("private-{a}")), output(&format!("private-{b}"))]);
    assert_eq!(chosen(2).unwrap(), [output(&format!("public-{b}"))]);
    assert_eq!(chosen(3).unwrap(), [json!("subnet-9"), output(&format!("public-{a}"))]);
    let words =
        "/here/subnets/0: the cluster has no subnet eu-central-1x; it has eu-central-1a, eu-central-1b";
    assert_eq!(chosen(4).unwrap_err().to_string(), words);
    assert_eq!(control_plane_subnets(&config, &known).len(), 4);
    let profile =
        with("fargateProfiles: [{name: f, selectors: [{namespace: x}]}]\n").fargate_profiles.remove(0);
    assert_eq!(fargate_subnets(&config, &known, &profile, "/f").unwrap(), chosen(1).unwrap());
}

/// Whatever a file declares: a thing that is as declared differs in nothing, and every need is declared.
#[test]
fn a_thing_as_declared_differs_in_nothing() {
    let scope = scope_of("harbour");
    let files = [
        TWO_ZONES.to_owned(),
        format!(
            "{TWO_ZONES}kubernetesNetworkConfig: {{ipFamily: IPv6}}\nvpc: {{nat: {{gateway: HighlyAvailable}}, hostnameType: resource-name}}\n"
        ),
        format!(
            "{TWO_ZONES}privateCluster: {{enabled: true}}\nnodeGroups: [{{name: s, ami: ami-1, privateNetworking: true}}]\n"
        ),
        super::recorded::FILE.to_owned(),
    ];
    for file in files {
        let config = if file.contains("apiVersion") { super::recorded::config(&file) } else { with(&file) };
        let mut known = Snapshot::default();
        let cluster = eks_cluster(&scope);
        known.live.insert(cluster.key.clone(), cluster);
        let declared = declare(&config, &scope, &known).resources;
        for resource in &declared {
            for need in &resource.needs {
                let exists = known.live.contains_key(need) || declared.iter().any(|each| each.key == *need);
                assert!(exists, "{} needs {need}, which nobody declares", resource.key);
            }
        }
        // Each turn makes what can be made; a circle of needs would never end.
        for _ in 0..declared.len() {
            for resource in &declared {
                if !known.live.contains_key(&resource.key) && known.resolve(&resource.desired).is_ok() {
                    let made = super::recorded::as_declared(resource, &known);
                    known.live.insert(resource.key.clone(), made);
                }
            }
        }
        let missing: Vec<String> = declared
            .iter()
            .filter(|each| !known.live.contains_key(&each.key))
            .map(|each| each.key.to_string())
            .collect();
        assert_eq!(missing, Vec::<String>::new());
        assert_eq!(differences(&declared, &known), []);
    }
}
