//! An AWS account with a kops cluster in it, as the reads that tell of it.

use portolan::migrate::decommission::AwsReads;
use serde_json::{Value, json};

pub const CLUSTER: &str = "old.example.com";
pub const KEY: &str = "kubernetes.io/cluster/old.example.com";

/// Things by kind, each with its tags as a list under `Tags`.
#[derive(Clone, Default, Debug)]
pub struct Account {
    pub vpcs: Vec<Value>,
    pub subnets: Vec<Value>,
    pub route_tables: Vec<Value>,
    pub internet_gateways: Vec<Value>,
    pub egress_gateways: Vec<Value>,
    pub nat_gateways: Vec<Value>,
    pub addresses: Vec<Value>,
    pub dhcp_options: Vec<Value>,
    pub security_groups: Vec<Value>,
    pub interfaces: Vec<Value>,
    pub instances: Vec<Value>,
    pub groups: Vec<Value>,
    pub launch_templates: Vec<Value>,
    pub volumes: Vec<Value>,
    pub key_pairs: Vec<Value>,
    pub classic: Vec<Value>,
    pub balancers: Vec<Value>,
    pub target_groups: Vec<Value>,
    pub roles: Vec<Value>,
    pub profiles: Vec<Value>,
    pub providers: Vec<Value>,
    pub queues: Vec<String>,
    pub rules: Vec<String>,
    pub zones: Vec<Value>,
    /// Zone, name, type.
    pub records: Vec<(String, String, String)>,
}

/// Tags as AWS lists them.
pub fn tags(tags: &[(&str, &str)]) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The tags of what kops made.
pub fn own() -> Value {
    tags(&[("KubernetesCluster", CLUSTER), (KEY, "owned")])
}

/// The tags of what kops was given.
pub fn shared() -> Value {
    tags(&[("KubernetesCluster", CLUSTER), (KEY, "shared")])
}

/// A cluster with a VPC of its own, a NAT gateway, a volume of a claim, and one load balancer of each kind.
pub fn account() -> Account {
    let arn = |what: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{what}");
    Account {
        vpcs: vec![
            json!({"VpcId": "vpc-1", "DhcpOptionsId": "dopt-1", "Tags": own()}),
            json!({"VpcId": "vpc-other"}),
        ],
        subnets: vec![
            json!({"SubnetId": "subnet-a", "VpcId": "vpc-1", "Tags": own()}),
            json!({"SubnetId": "subnet-utility", "VpcId": "vpc-1", "Tags": own()}),
        ],
        route_tables: vec![
            json!({"RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": []}),
            json!({"RouteTableId": "rtb-private", "VpcId": "vpc-1", "Tags": own(), "Associations": [{"SubnetId": "subnet-a", "Main": false}],
                "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}]}),
            json!({"RouteTableId": "rtb-public", "VpcId": "vpc-1", "Tags": own(), "Associations": [{"SubnetId": "subnet-utility"}],
                "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]}),
        ],
        internet_gateways: vec![
            json!({"InternetGatewayId": "igw-1", "Tags": own(), "Attachments": [{"VpcId": "vpc-1"}]}),
        ],
        nat_gateways: vec![json!({"NatGatewayId": "nat-1", "SubnetId": "subnet-utility", "Tags": own(),
            "NatGatewayAddresses": [{"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.1"}]})],
        addresses: vec![
            json!({"AllocationId": "eipalloc-1", "PublicIp": "198.51.100.1", "Tags": own()}),
            json!({"AllocationId": "eipalloc-other", "PublicIp": "198.51.100.9"}),
        ],
        dhcp_options: vec![json!({"DhcpOptionsId": "dopt-1", "Tags": own()})],
        security_groups: vec![
            json!({"GroupId": "sg-nodes", "VpcId": "vpc-1", "Tags": own()}),
            json!({"GroupId": "sg-db", "VpcId": "vpc-1"}),
        ],
        interfaces: vec![
            json!({"NetworkInterfaceId": "eni-free", "VpcId": "vpc-1", "Status": "available", "TagSet": own()}),
            json!({"NetworkInterfaceId": "eni-used", "VpcId": "vpc-1", "Status": "in-use", "TagSet": own(), "Attachment": {"InstanceId": "i-1"}}),
        ],
        instances: vec![
            json!({"InstanceId": "i-1", "VpcId": "vpc-1", "SubnetId": "subnet-a", "State": {"Name": "running"}, "Tags": own(),
                "SecurityGroups": [{"GroupId": "sg-nodes"}]}),
            json!({"InstanceId": "i-pending", "VpcId": "vpc-1", "State": {"Name": "pending"}, "Tags": own()}),
            json!({"InstanceId": "i-gone", "VpcId": "vpc-1", "State": {"Name": "terminated"}, "Tags": own()}),
        ],
        groups: vec![json!({"AutoScalingGroupName": "nodes.old.example.com", "Tags": own(),
            "LaunchTemplate": {"LaunchTemplateId": "lt-1"}, "VPCZoneIdentifier": "subnet-a"})],
        launch_templates: vec![json!({"LaunchTemplateId": "lt-1", "Tags": own()})],
        volumes: vec![
            json!({"VolumeId": "vol-etcd", "Attachments": [{"DeleteOnTermination": false}], "Tags": own()}),
            json!({"VolumeId": "vol-root", "Attachments": [{"DeleteOnTermination": true}], "Tags": own()}),
            json!({"VolumeId": "vol-claim", "Attachments": [], "Tags": own()}),
        ],
        key_pairs: vec![
            json!({"KeyPairId": "key-1", "KeyName": "kubernetes.old.example.com-aa:bb"}),
            json!({"KeyPairId": "key-2", "KeyName": "kubernetes.old.example.community"}),
        ],
        classic: vec![
            json!({"LoadBalancerName": "a1", "VPCId": "vpc-1", "Tags": own(), "SecurityGroups": ["sg-nodes"], "Subnets": ["subnet-utility"]}),
        ],
        balancers: vec![
            json!({"LoadBalancerArn": arn("loadbalancer/net/api/1"), "VpcId": "vpc-1", "Tags": own()}),
        ],
        target_groups: vec![json!({"TargetGroupArn": arn("targetgroup/tcp/1"), "Tags": own(),
            "LoadBalancerArns": [arn("loadbalancer/net/api/1")]})],
        roles: vec![
            json!({"RoleName": "nodes.old.example.com", "Arn": "arn:aws:iam::1:role/nodes.old.example.com", "Tags": own()}),
            json!({"RoleName": "reports", "Arn": "arn:aws:iam::1:role/reports"}),
        ],
        profiles: vec![json!({"InstanceProfileName": "nodes.old.example.com", "Tags": own(),
            "Roles": [{"RoleName": "nodes.old.example.com"}]})],
        providers: vec![json!({"Arn": "arn:aws:iam::1:oidc-provider/issuer.example.com", "Tags": own()})],
        queues: vec![
            "https://sqs.example.com/1/old-example-com-nth".into(),
            "https://sqs.example.com/1/old-example".into(),
        ],
        rules: vec!["old.example.com-ASGLifecycle".into(), "nightly".into()],
        zones: vec![
            json!({"Id": "/hostedzone/Z1", "Name": "example.com."}),
            json!({"Id": "/hostedzone/Z2", "Name": "example.org."}),
        ],
        records: vec![
            ("Z1".into(), "api.old.example.com.".into(), "A".into()),
            ("Z1".into(), "shop.old.example.com.".into(), "A".into()),
            ("Z1".into(), "api.old.example.com.".into(), "CNAME".into()),
        ],
        ..Account::default()
    }
}

impl Account {
    /// Every read that the list needs.
    pub fn reads(&self) -> AwsReads {
        let mut reads = AwsReads::default();
        let instances: Vec<Value> = self.instances.iter().map(|one| json!({"Instances": [one]})).collect();
        for (operation, name, list) in [
            ("DescribeVpcs", "Vpcs", &self.vpcs),
            ("DescribeSubnets", "Subnets", &self.subnets),
            ("DescribeRouteTables", "RouteTables", &self.route_tables),
            ("DescribeInternetGateways", "InternetGateways", &self.internet_gateways),
            ("DescribeEgressOnlyInternetGateways", "EgressOnlyInternetGateways", &self.egress_gateways),
            ("DescribeNatGateways", "NatGateways", &self.nat_gateways),
            ("DescribeAddresses", "Addresses", &self.addresses),
            ("DescribeDhcpOptions", "DhcpOptions", &self.dhcp_options),
            ("DescribeSecurityGroups", "SecurityGroups", &self.security_groups),
            ("DescribeNetworkInterfaces", "NetworkInterfaces", &self.interfaces),
            ("DescribeInstances", "Reservations", &instances),
            ("DescribeLaunchTemplates", "LaunchTemplates", &self.launch_templates),
            ("DescribeVolumes", "Volumes", &self.volumes),
            ("DescribeKeyPairs", "KeyPairs", &self.key_pairs),
        ] {
            reads.push("ec2", operation, json!({}), json!({name: list}));
        }
        reads.push(
            "autoscaling",
            "DescribeAutoScalingGroups",
            json!({}),
            json!({"AutoScalingGroups": self.groups}),
        );
        for (service, operation, name, id, of, list) in [
            (
                "elb",
                "DescribeLoadBalancers",
                "LoadBalancerDescriptions",
                "LoadBalancerName",
                "LoadBalancerName",
                &self.classic,
            ),
            (
                "elbv2",
                "DescribeLoadBalancers",
                "LoadBalancers",
                "LoadBalancerArn",
                "ResourceArn",
                &self.balancers,
            ),
            (
                "elbv2",
                "DescribeTargetGroups",
                "TargetGroups",
                "TargetGroupArn",
                "ResourceArn",
                &self.target_groups,
            ),
        ] {
            reads.push(
                service,
                operation,
                json!({}),
                json!({name: list.iter().map(without_tags).collect::<Vec<_>>()}),
            );
            let described: Vec<Value> =
                list.iter().map(|one| json!({of: one[id], "Tags": tags_of(one)})).collect();
            reads.push(service, "DescribeTags", json!({}), json!({"TagDescriptions": described}));
        }
        for (list_op, name, id, get, of, list) in [
            ("ListRoles", "Roles", "RoleName", "GetRole", "Role", &self.roles),
            (
                "ListInstanceProfiles",
                "InstanceProfiles",
                "InstanceProfileName",
                "GetInstanceProfile",
                "InstanceProfile",
                &self.profiles,
            ),
        ] {
            reads.push(
                "iam",
                list_op,
                json!({}),
                json!({name: list.iter().map(without_tags).collect::<Vec<_>>()}),
            );
            for one in list {
                reads.push("iam", get, json!({id: one[id]}), json!({of: one}));
            }
        }
        let arns: Vec<Value> = self.providers.iter().map(without_tags).collect();
        reads.push(
            "iam",
            "ListOpenIDConnectProviders",
            json!({}),
            json!({"OpenIDConnectProviderList": arns}),
        );
        for one in &self.providers {
            let input = json!({"OpenIDConnectProviderArn": one["Arn"]});
            reads.push("iam", "GetOpenIDConnectProvider", input, json!({"Tags": tags_of(one)}));
        }
        reads.push("sqs", "ListQueues", json!({}), json!({"QueueUrls": self.queues}));
        let rules: Vec<Value> = self.rules.iter().map(|name| json!({"Name": name})).collect();
        reads.push("events", "ListRules", json!({}), json!({"Rules": rules}));
        reads.push("route53", "ListHostedZones", json!({}), json!({"HostedZones": self.zones}));
        for zone in &self.zones {
            let id = zone["Id"].as_str().unwrap().trim_start_matches("/hostedzone/");
            let sets: Vec<Value> = self
                .records
                .iter()
                .filter(|(of, ..)| of == id)
                .map(|(_, name, kind)| json!({"Name": name, "Type": kind}))
                .collect();
            reads.push(
                "route53",
                "ListResourceRecordSets",
                json!({"HostedZoneId": id}),
                json!({"ResourceRecordSets": sets}),
            );
        }
        reads
    }
}

fn tags_of(thing: &Value) -> Value {
    thing.get("Tags").cloned().unwrap_or_else(|| json!([]))
}

fn without_tags(thing: &Value) -> Value {
    let mut bare = thing.clone();
    bare.as_object_mut().unwrap().remove("Tags");
    bare
}
