//! Drift in EC2, IAM and Auto Scaling: each kind is found with its field, its declared and its live value; an untouched
//! cluster has none; and what is read for that does not grow with the number of node groups.

use super::recorded::{FILE, Recorded, config, declare, differences, driver, line, scope_of, with};
use portolan::model::cloud::{Call, Service};
use portolan::provision::network::{leftover_calls, leftovers};
use portolan::provision::resource::{Kind, Mend, Owner, Resource, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn declared() -> Vec<Resource> {
    declare(&config(FILE), &scope_of("harbour"), &Snapshot::default()).resources
}

fn lines(answers: &Recorded) -> Vec<String> {
    let declared = declared();
    let (snapshot, _) = answers.read(&declared, false);
    differences(&declared, &snapshot).iter().map(line).collect()
}

#[test]
fn an_untouched_cluster_has_no_findings() {
    assert_eq!(lines(&Recorded::untouched()), Vec::<String>::new());
}

#[test]
fn the_order_of_answers_means_nothing() {
    let declared = declared();
    let (forth, _) = Recorded::untouched().read(&declared, false);
    let (back, _) = Recorded::untouched().reversed().read(&declared, true);
    let data = |snapshot: &Snapshot| {
        let mut snapshot = snapshot.clone();
        // Lists inside a launch template keep their order; they are compared without it.
        snapshot.live.retain(|key, _| key.kind != Kind::LaunchTemplate && key.kind != Kind::AutoScalingGroup);
        for live in snapshot.live.values_mut().filter(|live| live.key.kind == Kind::Role) {
            live.actual["AssumeRolePolicyDocument"] = Value::Null;
        }
        snapshot
    };
    assert_eq!(data(&forth), data(&back));
    let of_templates = |kind: &Kind| *kind == Kind::LaunchTemplate || *kind == Kind::Role;
    let found = differences(&declared, &back);
    assert!(!found.iter().any(|(key, _)| of_templates(&key.kind)), "{found:?}");
}

/// Sets a member of the one item of a list whose text holds something.
fn set<'a>(list: &'a str, holding: &'a str, member: &'a str, value: Value) -> impl Fn(&mut Value) + 'a {
    move |answer| {
        let items = answer[list].as_array_mut().unwrap();
        let item = items.iter_mut().find(|item| item.to_string().contains(holding)).unwrap();
        item[member] = value.clone();
    }
}

fn add_tag(key: &str, value: &str) -> impl Fn(&mut Value) {
    let (key, value) = (key.to_owned(), value.to_owned());
    move |answer| {
        let vpc = &mut answer["vpcSet"][0]["tagSet"];
        vpc.as_array_mut().unwrap().push(json!({"key": key, "value": value}));
    }
}

/// Operation, text in its call, what somebody did, and what is found.
type Case = (&'static str, &'static str, Box<dyn Fn(&mut Value)>, &'static [&'static str]);

fn network_cases() -> Vec<Case> {
    let public = "RouteTable/public\"";
    let rule = json!({"groups": "", "ipProtocol": "tcp", "fromPort": "22", "toPort": "22", "ipv6Ranges": "",
        "prefixListIds": "", "ipRanges": [{"cidrIp": "0.0.0.0/0", "description": "mine"}]});
    vec![
        (
            "DescribeVpcAttribute",
            "enableDnsHostnames",
            Box::new(|answer| answer["enableDnsHostnames"]["value"] = json!("false")),
            &["Vpc/vpc /EnableDnsHostnames true false ec2:ModifyVpcAttribute"],
        ),
        (
            "DescribeVpcs",
            "",
            Box::new(|answer| {
                answer["vpcSet"][0]["tagSet"] = json!([
                    {"key": "portolan.dev/cluster", "value": "harbour"},
                    {"key": "portolan.dev/resource", "value": "Vpc/vpc"},
                    {"key": "team", "value": "land"},
                ])
            }),
            &[
                "Vpc/vpc /tags/Name \"harbour/vpc\" null ec2:CreateTags",
                "Vpc/vpc /tags/team \"sea\" \"land\" ec2:CreateTags",
            ],
        ),
        (
            "DescribeVpcs",
            "",
            Box::new(add_tag("cost-centre", "7")),
            &["Vpc/vpc /tags/cost-centre null \"7\" ec2:DeleteTags"],
        ),
        ("DescribeVpcs", "", Box::new(add_tag("kubernetes.io/cluster/harbour", "shared")), &[]),
        (
            "DescribeSubnets",
            "",
            Box::new(set("subnetSet", "private-eu-central-1a", "mapPublicIpOnLaunch", json!("true"))),
            &["Subnet/private-eu-central-1a /MapPublicIpOnLaunch false true ec2:ModifySubnetAttribute"],
        ),
        (
            "DescribeInternetGateways",
            "",
            Box::new(set("internetGatewaySet", "", "attachmentSet", json!(""))),
            &["InternetGateway/internet /VpcId \"vpc-00000001\" null ec2:AttachInternetGateway"],
        ),
        (
            "DescribeRouteTables",
            "",
            Box::new(set(
                "routeTableSet",
                "RouteTable/private-eu-central-1a",
                "routeSet",
                json!([
                    {"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-00000001", "origin": "CreateRoute"},
                    {"destinationCidrBlock": "172.16.0.0/12", "vpcPeeringConnectionId": "pcx-1", "origin": "CreateRoute"},
                    {"destinationCidrBlock": "10.9.0.0/16", "gatewayId": "vgw-1", "origin": "EnableVgwRoutePropagation"},
                    {"destinationPrefixListId": "pl-1", "gatewayId": "vpce-1", "origin": "CreateRoute"},
                ]),
            )),
            &[
                "RouteTable/private-eu-central-1a /Routes/0 \
                 {\"DestinationCidrBlock\":\"0.0.0.0/0\",\"NatGatewayId\":\"nat-00000001\"} \
                 {\"DestinationCidrBlock\":\"0.0.0.0/0\",\"GatewayId\":\"igw-00000001\"} ec2:ReplaceRoute",
                "RouteTable/private-eu-central-1a /Routes null \
                 {\"DestinationCidrBlock\":\"172.16.0.0/12\",\"VpcPeeringConnectionId\":\"pcx-1\"} ec2:DeleteRoute",
            ],
        ),
        (
            "DescribeRouteTables",
            "",
            Box::new(set("routeTableSet", public, "routeSet", json!(""))),
            &["RouteTable/public /Routes/0 \
               {\"DestinationCidrBlock\":\"0.0.0.0/0\",\"GatewayId\":\"igw-00000001\"} null ec2:CreateRoute"],
        ),
        (
            "DescribeSecurityGroups",
            "tag:portolan.dev/cluster",
            Box::new(set("securityGroupInfo", "harbour-control-plane", "ipPermissions", json!([rule]))),
            &["SecurityGroup/control-plane /Ingress null \
               {\"CidrIp\":\"0.0.0.0/0\",\"Description\":\"mine\",\"FromPort\":22,\"IpProtocol\":\"tcp\",\"ToPort\":22} \
               ec2:RevokeSecurityGroupIngress"],
        ),
        (
            "DescribeSecurityGroups",
            "tag:portolan.dev/cluster",
            Box::new(set("securityGroupInfo", "harbour-control-plane", "ipPermissionsEgress", json!(""))),
            &["SecurityGroup/control-plane /Egress/0 {\"CidrIp\":\"0.0.0.0/0\",\"IpProtocol\":\"-1\"} null \
               ec2:AuthorizeSecurityGroupEgress"],
        ),
    ]
}

fn iam_cases() -> Vec<Case> {
    let open = "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\
                \"Action\":\"sts:AssumeRole\"}]}";
    vec![
        (
            "ListAttachedRolePolicies",
            "harbour-eu-central-1-cluster",
            Box::new(|answer| {
                answer["AttachedPolicies"] = json!([
                    {"PolicyName": "AmazonEKSClusterPolicy", "PolicyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"},
                    {"PolicyName": "Admin", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
                ])
            }),
            &[
                "Role/cluster /ManagedPolicyArns/1 \"arn:aws:iam::aws:policy/AmazonEKSVPCResourceController\" null \
                 iam:AttachRolePolicy",
                "Role/cluster /ManagedPolicyArns null \"arn:aws:iam::aws:policy/AdministratorAccess\" \
                 iam:DetachRolePolicy",
            ],
        ),
        (
            "GetRole",
            "harbour-eu-central-1-cluster",
            Box::new(move |answer| answer["Role"]["AssumeRolePolicyDocument"] = json!(open)),
            &["Role/cluster /AssumeRolePolicyDocument \
               {\"Statement\":[{\"Action\":[\"sts:AssumeRole\",\"sts:TagSession\"],\"Effect\":\"Allow\",\
               \"Principal\":{\"Service\":\"eks.amazonaws.com\"}}],\"Version\":\"2012-10-17\"} \
               {\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Effect\":\"Allow\",\"Principal\":\"*\"}],\
               \"Version\":\"2012-10-17\"} iam:UpdateAssumeRolePolicy"],
        ),
        (
            "GetRole",
            "harbour-eu-central-1-sa-web-app",
            Box::new(|answer| answer["Role"]["PermissionsBoundary"] = Value::Null),
            &["Role/sa-web-app /PermissionsBoundary \"arn:aws:iam::123456789012:policy/boundary\" null \
               iam:PutRolePermissionsBoundary"],
        ),
        (
            "GetRolePolicy",
            "harbour-eu-central-1-sa-web-app",
            Box::new(|answer| {
                answer["PolicyDocument"] = json!("{\"Version\":\"2012-10-17\",\"Statement\":[]}")
            }),
            &["Role/sa-web-app /InlinePolicies/Policy \
               {\"Statement\":[{\"Action\":\"s3:GetObject\",\"Effect\":\"Allow\",\"Resource\":\"*\"}],\
               \"Version\":\"2012-10-17\"} {\"Statement\":[],\"Version\":\"2012-10-17\"} iam:PutRolePolicy"],
        ),
        (
            "GetInstanceProfile",
            "",
            Box::new(|answer| answer["InstanceProfile"]["Roles"][0]["RoleName"] = json!("other")),
            &["InstanceProfile/nodegroup-own /RoleName \"harbour-eu-central-1-nodegroup-own\" \"other\" \
               iam:RemoveRoleFromInstanceProfile"],
        ),
        (
            "GetOpenIDConnectProvider",
            "",
            Box::new(|answer| answer["ClientIDList"] = json!(["sts.amazonaws.com", "elsewhere"])),
            &[
                "OidcProvider/oidc /ClientIDList null \"elsewhere\" iam:RemoveClientIDFromOpenIDConnectProvider",
            ],
        ),
    ]
}

fn node_cases() -> Vec<Case> {
    vec![
        (
            "DescribeLaunchTemplateVersions",
            "",
            Box::new(|answer| {
                for version in answer["launchTemplateVersionSet"].as_array_mut().unwrap() {
                    if version["launchTemplateName"] == json!("harbour-steady") {
                        version["launchTemplateData"]["metadataOptions"]["httpTokens"] = json!("optional");
                    }
                }
            }),
            &["LaunchTemplate/steady /LaunchTemplateData/MetadataOptions \
               {\"HttpPutResponseHopLimit\":2,\"HttpTokens\":\"required\"} \
               {\"HttpPutResponseHopLimit\":2,\"HttpTokens\":\"optional\"} ec2:CreateLaunchTemplateVersion"],
        ),
        (
            "DescribeAutoScalingGroups",
            "",
            Box::new(|answer| {
                let group = &mut answer["AutoScalingGroups"][0];
                group["MaxSize"] = json!("9");
                // An autoscaler's business.
                group["DesiredCapacity"] = json!("7");
                group["SuspendedProcesses"] = json!([{"ProcessName": "Launch"}]);
            }),
            &[
                "AutoScalingGroup/own /MaxSize 4 9 autoscaling:UpdateAutoScalingGroup",
                "AutoScalingGroup/own /SuspendedProcesses \"AZRebalance\" null autoscaling:SuspendProcesses",
                "AutoScalingGroup/own /SuspendedProcesses null \"Launch\" autoscaling:ResumeProcesses",
            ],
        ),
    ]
}

#[test]
fn each_kind_of_drift_is_found_with_its_field_and_values() {
    let cases = [network_cases(), iam_cases(), node_cases()];
    for (operation, holding, change, expected) in cases.into_iter().flatten() {
        let mut answers = Recorded::untouched();
        answers.change(operation, holding, change);
        assert_eq!(lines(&answers), expected, "{operation} {holding}");
    }
}

#[test]
fn rules_of_controllers_are_lawful() {
    let rule = |description: &str, peer: Value| {
        let mut rule = json!({"ipProtocol": "tcp", "fromPort": "80", "toPort": "80", "groups": "", "ipRanges": "",
            "ipv6Ranges": "", "prefixListIds": ""});
        let (list, mut entry) = match peer.as_str() {
            Some(group) => ("groups", json!({"groupId": group})),
            None => ("ipRanges", json!({"cidrIp": "10.0.0.0/8"})),
        };
        entry["description"] = json!(description);
        rule[list] = json!([entry]);
        rule
    };
    let mut answers = Recorded::untouched();
    answers.change("DescribeSecurityGroups", "kubernetes.io/cluster/harbour", |answer| {
        answer["securityGroupInfo"] = json!([{"groupId": "sg-elb", "groupName": "k8s-elb-a1"}]);
    });
    let added = [
        rule("elbv2.k8s.aws/targetGroupBinding=shared", Value::Null),
        rule("kubernetes.io/rule/nlb/client=a", Value::Null),
        rule("", json!("sg-elb")),
    ];
    answers.change("DescribeSecurityGroups", "tag:portolan.dev/cluster", |answer| {
        for group in answer["securityGroupInfo"].as_array_mut().unwrap() {
            if group["groupName"] == json!("harbour-shared-node") {
                group["ipPermissions"].as_array_mut().unwrap().extend(added.clone());
            }
        }
    });
    assert_eq!(lines(&answers), Vec::<String>::new());
}

#[test]
fn a_subnet_in_a_foreign_route_table_is_moved_back() {
    let mut answers = Recorded::untouched();
    answers.change("DescribeRouteTables", "", |answer| {
        let tables = answer["routeTableSet"].as_array_mut().unwrap();
        let ours = tables.iter_mut().find(|table| table.to_string().contains("RouteTable/public\"")).unwrap();
        let mut moved = ours["associationSet"].as_array_mut().unwrap().remove(0);
        moved["routeTableAssociationId"] = json!("rtbassoc-foreign");
        tables
            .push(json!({"routeTableId": "rtb-foreign", "vpcId": "vpc-00000001", "associationSet": [moved]}));
    });
    let declared = declared();
    let (snapshot, _) = answers.read(&declared, false);
    let found = differences(&declared, &snapshot);
    let [(key, difference)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(key.to_string(), "RouteTable/public");
    let Mend::InPlace(call) = &difference.mend else { panic!("{difference:?}") };
    assert_eq!(call.operation, "ReplaceRouteTableAssociation");
    assert_eq!(call.input["AssociationId"], json!("rtbassoc-foreign"));
}

#[test]
fn a_version_that_is_there_becomes_the_default_one() {
    let mut answers = Recorded::untouched();
    answers.change("DescribeLaunchTemplateVersions", "", |answer| {
        let versions = answer["launchTemplateVersionSet"].as_array_mut().unwrap();
        let steady = |version: &&mut Value| version["launchTemplateName"] == json!("harbour-steady");
        let declared = versions.iter_mut().find(steady).unwrap().clone();
        // The default version is an older one, and the newest is as declared: the process died in between.
        for version in
            versions.iter_mut().filter(|version| version["launchTemplateName"] == json!("harbour-steady"))
        {
            version["launchTemplateData"]["metadataOptions"]["httpTokens"] = json!("optional");
        }
        let mut newest = declared;
        newest["versionNumber"] = json!("2");
        newest["defaultVersion"] = json!("false");
        versions.push(newest);
    });
    let declared = declared();
    let (snapshot, _) = answers.read(&declared, false);
    let found = differences(&declared, &snapshot);
    let [(_, difference)] = found.as_slice() else { panic!("{found:?}") };
    let Mend::InPlace(call) = &difference.mend else { panic!("{difference:?}") };
    assert_eq!(
        (call.operation.as_str(), &call.input["DefaultVersion"]),
        ("ModifyLaunchTemplate", &json!("2"))
    );
}

#[test]
fn what_is_made_twice_is_taken_away_once_and_the_one_in_use_stays() {
    let mut answers = Recorded::untouched();
    answers.change("DescribeVpcs", "", |answer| {
        let mut double = answer["vpcSet"][0].clone();
        double["vpcId"] = json!("vpc-00000000");
        answer["vpcSet"].as_array_mut().unwrap().insert(0, double);
    });
    answers.change("DescribeAddresses", "", |answer| {
        let mut double = answer["addressesSet"][0].clone();
        double["allocationId"] = json!("eipalloc-00000000");
        double["associationId"] = json!("");
        answer["addressesSet"].as_array_mut().unwrap().insert(0, double);
    });
    for attribute in ["enableDnsSupport", "enableDnsHostnames"] {
        let input = json!({"VpcId": "vpc-00000000", "Attribute": attribute});
        let answer = json!({"vpcId": "vpc-00000000", attribute: {"value": "true"}});
        answers.add(Call::new(Service::Ec2, "DescribeVpcAttribute", input), answer);
    }
    let declared = declared();
    let (snapshot, _) = answers.read(&declared, false);
    let ids: BTreeMap<String, &str> = snapshot
        .live
        .values()
        .filter(|live| matches!(live.key.kind, Kind::Vpc | Kind::Address))
        .map(|live| (live.key.to_string(), live.id.as_str()))
        .collect();
    let expected = [
        ("Vpc/vpc", "vpc-00000001"),
        ("Vpc/vpc#vpc-00000000", "vpc-00000000"),
        ("Address/nat-eu-central-1a", "eipalloc-00000001"),
        ("Address/nat-eu-central-1a#eipalloc-00000000", "eipalloc-00000000"),
    ];
    assert_eq!(ids, expected.into_iter().map(|(key, id)| (key.to_owned(), id)).collect());
    assert_eq!(differences(&declared, &snapshot), []);
}

#[test]
fn another_cluster_or_a_stack_is_not_ours() {
    let mut answers = Recorded::untouched();
    answers.change("GetRole", "harbour-eu-central-1-cluster", |answer| {
        answer["Role"]["Path"] = json!("/portolan/us-east-1/harbour/");
    });
    answers.change("GetRole", "harbour-eu-central-1-nodegroup-own", |answer| {
        answer["Role"]["Path"] = json!("/");
        answer["Role"]["Tags"] = json!([{"Key": "aws:cloudformation:stack-name", "Value": "eksctl-harbour"}]);
    });
    let declared = declared();
    let (snapshot, _) = answers.read(&declared, false);
    let owner = |key: &str| {
        let live = snapshot.live.values().find(|live| live.key.to_string() == key);
        live.unwrap().owner.clone()
    };
    assert_eq!(owner("Role/cluster"), Owner::Other);
    assert_eq!(owner("Role/nodegroup-own"), Owner::Stack("eksctl-harbour".into()));
    assert_eq!(owner("Role/nodegroup-steady"), Owner::Ours);
}

/// How many calls of each operation a pass over the untouched cluster makes: what ARCHITECTURE.md publishes. Those of
/// EC2 do not depend on the number of node groups, those of IAM on the number of roles.
#[test]
fn calls_of_a_pass() {
    let (_, made) = Recorded::untouched().read(&declared(), false);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for call in made {
        *counts.entry(call.to_string()).or_default() += 1;
    }
    let expected: BTreeMap<String, usize> = [
        ("autoscaling:DescribeAutoScalingGroups", 1),
        ("ec2:DescribeAddresses", 1),
        ("ec2:DescribeEgressOnlyInternetGateways", 1),
        ("ec2:DescribeInternetGateways", 1),
        ("ec2:DescribeLaunchTemplateVersions", 1),
        ("ec2:DescribeLaunchTemplates", 1),
        ("ec2:DescribeNatGateways", 1),
        ("ec2:DescribeRouteTables", 1),
        ("ec2:DescribeSecurityGroups", 2),
        ("ec2:DescribeSubnets", 1),
        ("ec2:DescribeVpcAttribute", 2),
        ("ec2:DescribeVpcEndpoints", 1),
        ("ec2:DescribeVpcs", 1),
        ("iam:GetInstanceProfile", 1),
        ("iam:GetOpenIDConnectProvider", 1),
        ("iam:GetRole", 4),
        ("iam:GetRolePolicy", 1),
        ("iam:ListAttachedRolePolicies", 4),
        ("iam:ListInstanceProfiles", 1),
        ("iam:ListOpenIDConnectProviders", 1),
        ("iam:ListRolePolicies", 4),
        ("iam:ListRoles", 1),
    ]
    .into_iter()
    .map(|(call, count)| (call.to_owned(), count))
    .collect();
    assert_eq!(counts, expected);
}

#[test]
fn first_reads_do_not_grow_with_node_groups() {
    let scope = scope_of("harbour");
    let reads = |groups: usize| {
        let groups: Vec<String> = (0..groups).map(|nth| format!("  - {{name: g{nth}}}\n")).collect();
        let config = with(&format!("availabilityZones: [a, b]\nmanagedNodeGroups:\n{}", groups.concat()));
        let declared = declare(&config, &scope, &Snapshot::default()).resources;
        let kinds =
            [Kind::LaunchTemplate, Kind::AutoScalingGroup, Kind::SecurityGroup, Kind::Role, Kind::Subnet];
        kinds.map(|kind| driver(kind).reads(&scope, &Snapshot::default(), &declared))
    };
    assert_eq!(reads(2), reads(20));
}

#[test]
fn deletions_take_apart_first() {
    let (snapshot, _) = Recorded::untouched().read(&declared(), false);
    let operations = |key: &str| -> Vec<String> {
        let live = snapshot.live.values().find(|live| live.key.to_string() == key).unwrap();
        let calls = driver(live.key.kind).delete(&scope_of("harbour"), live);
        calls.into_iter().map(|call| call.operation).collect()
    };
    assert_eq!(operations("InternetGateway/internet"), ["DetachInternetGateway", "DeleteInternetGateway"]);
    let table = ["DisassociateRouteTable", "DisassociateRouteTable", "DeleteRouteTable"];
    assert_eq!(operations("RouteTable/public"), table);
    assert_eq!(operations("Role/cluster"), ["DetachRolePolicy", "DetachRolePolicy", "DeleteRole"]);
    assert_eq!(operations("Role/sa-web-app"), ["DeleteRolePolicy", "DeleteRole"]);
    let profile = ["RemoveRoleFromInstanceProfile", "DeleteInstanceProfile"];
    assert_eq!(operations("InstanceProfile/nodegroup-own"), profile);
    assert_eq!(operations("SecurityGroup/shared-node"), ["DeleteSecurityGroup"]);
}

#[test]
fn what_controllers_left_is_named() {
    let scope = scope_of("harbour");
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let upper = |key: &str, value: &str| json!({"Key": key, "Value": value});
    let volume = json!({"volumeId": "vol-1", "tagSet": [
        tag("KubernetesCluster", "harbour"),
        tag("kubernetes.io/created-for/pvc/namespace", "shop"),
        tag("kubernetes.io/created-for/pvc/name", "data"),
    ]});
    let shared = json!({"volumeId": "vol-2", "tagSet": [tag("kubernetes.io/cluster/harbour", "shared")]});
    let of_eks = json!({"groupId": "sg-eks", "groupName": "eks", "tagSet": [
        tag("kubernetes.io/cluster/harbour", "owned"), tag("aws:eks:cluster-name", "harbour"),
    ]});
    let balancer = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/net/k8s-web/1";
    let foreign = "arn:aws:elasticloadbalancing:eu-central-1:1:loadbalancer/app/other/2";
    let answer = |call: &Call| match (call.service, call.operation.as_str()) {
        (_, "DescribeVolumes") => json!({"volumeSet": [volume, shared]}),
        (_, "DescribeSecurityGroups") => json!({"securityGroupInfo": [of_eks]}),
        (Service::ElbV2, "DescribeLoadBalancers") => {
            json!({"LoadBalancers": [{"LoadBalancerArn": balancer}, {"LoadBalancerArn": foreign}]})
        }
        (Service::Elb, "DescribeLoadBalancers") => {
            json!({"LoadBalancerDescriptions": [{"LoadBalancerName": "a1b2"}]})
        }
        (Service::ElbV2, "DescribeTags") => json!({"TagDescriptions": [
            {"ResourceArn": balancer, "Tags": [
                upper("elbv2.k8s.aws/cluster", "harbour"), upper("service.k8s.aws/stack", "shop/web"),
            ]},
            {"ResourceArn": foreign, "Tags": [upper("elbv2.k8s.aws/cluster", "another")]},
        ]}),
        (Service::Elb, "DescribeTags") => json!({"TagDescriptions": [
            {"LoadBalancerName": "a1b2", "Tags": [upper("kubernetes.io/cluster/harbour", "owned")]},
        ]}),
        _ => json!({}),
    };
    let mut answers: Vec<(Call, Value)> = Vec::new();
    let mut calls = leftover_calls(&scope);
    let mut found = Vec::new();
    while !calls.is_empty() {
        answers.extend(calls.drain(..).map(|call| {
            let answer = answer(&call);
            (call, answer)
        }));
        (found, calls) = leftovers(&scope, &answers);
    }
    let named: Vec<String> = found.iter().map(|each| format!("{}: {}", each.what, each.known_as)).collect();
    assert_eq!(
        named,
        ["load balancer: a1b2", "load balancer: Service shop/web", "volume: PersistentVolumeClaim shop/data"]
    );
    assert!(found.iter().all(|each| each.delete.is_some()));
}
