//! The list of the guard against the one that the real kops program prints, over generated variations of an account.
//!
//! Each of its previews takes seconds: a few variations run by default, all fifty with `PORTOLAN_TEST_KOPS=all`.

use crate::local_aws::lab::Lab;
use crate::support::control_plane::progress;
use portolan::local::kops::{Kops, KopsOptions, KopsRelease, NewCluster};
use portolan::migrate::decommission::{AwsReads, Cluster, would_delete};
use portolan::model::cloud::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CLUSTER: &str = "varied.example.com";
const RELEASE: &str = "1.28.5";
/// The minor of that release, for the rules that changed since.
const MINOR: u32 = 28;

/// A small generator of numbers: the same variations every time (SplitMix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Tags by which kops might know a thing: either, both, none, another cluster's, any value.
fn tags(random: &mut Seeded) -> Vec<Value> {
    let mut tags = vec![json!({"Key": "Name", "Value": format!("thing-{}", random.below(1000))})];
    match random.below(4) {
        0 | 1 => tags.push(json!({"Key": "KubernetesCluster", "Value": CLUSTER})),
        2 => tags.push(json!({"Key": "KubernetesCluster", "Value": "other.example.com"})),
        _ => {}
    }
    if let Some(value) = [Some("owned"), Some("shared"), Some("borrowed"), None][random.below(4)] {
        tags.push(json!({"Key": format!("kubernetes.io/cluster/{CLUSTER}"), "Value": value}));
    }
    tags
}

/// Everything that the guard asks for, read until it asks for nothing more.
async fn reads(lab: &Lab, cluster: &Cluster) -> AwsReads {
    let mut reads = AwsReads::default();
    loop {
        let wanted = reads.wanted(cluster);
        if wanted.is_empty() {
            return reads;
        }
        for one in wanted {
            let service = Service::named(&one.service).unwrap();
            let answer = lab.call(service, &one.operation, one.input.clone()).await;
            reads.push(&one.service, &one.operation, one.input, answer);
        }
    }
}

/// What a variation may be made of.
struct Ground {
    vpc: String,
    subnets: Vec<String>,
    zone: String,
    /// Ids of EC2 whose tags may be changed: not the VPC's legacy tag, without which kops does not find the cluster.
    things: Vec<String>,
    zone_id: String,
    counter: usize,
}

impl Ground {
    async fn find(lab: &Lab) -> Ground {
        let named = json!({"Filters": [{"Name": "tag:KubernetesCluster", "Values": [CLUSTER]}]});
        let ids = async |operation: &str, list: &str, id: &str| -> Vec<String> {
            let answer = lab.ec2(operation, named.clone()).await;
            let items = answer[list].as_array().cloned().unwrap_or_default();
            items.iter().map(|item| item[id].as_str().unwrap().to_owned()).collect()
        };
        let vpc = ids("DescribeVpcs", "vpcSet", "vpcId").await.remove(0);
        let subnets = ids("DescribeSubnets", "subnetSet", "subnetId").await;
        let mut things = subnets.clone();
        things.extend(ids("DescribeVolumes", "volumeSet", "volumeId").await);
        things.extend(ids("DescribeSecurityGroups", "securityGroupInfo", "groupId").await);
        things.extend(ids("DescribeRouteTables", "routeTableSet", "routeTableId").await);
        things.extend(ids("DescribeInternetGateways", "internetGatewaySet", "internetGatewayId").await);
        things.extend(ids("DescribeDhcpOptions", "dhcpOptionsSet", "dhcpOptionsId").await);
        things.extend(ids("DescribeLaunchTemplates", "launchTemplates", "launchTemplateId").await);
        let zones = lab.call(Service::Route53, "ListHostedZones", json!({})).await;
        let zone_id =
            zones["HostedZones"][0]["Id"].as_str().unwrap().trim_start_matches("/hostedzone/").to_owned();
        Ground { vpc, subnets, zone: "eu-central-1a".into(), things, zone_id, counter: 0 }
    }

    fn name(&mut self, kind: &str) -> String {
        self.counter += 1;
        format!("{kind}-{}", self.counter)
    }

    /// One change of the account, in words.
    async fn vary(&mut self, lab: &Lab, random: &mut Seeded) -> String {
        let tags = tags(random);
        let specification = |kind: &str| json!([{"ResourceType": kind, "Tags": tags}]);
        let subnet = random.pick(&self.subnets).clone();
        match random.below(12) {
            0 | 1 => {
                let id = random.pick(&self.things).clone();
                let keys = json!([{"Key": "KubernetesCluster"}, {"Key": format!("kubernetes.io/cluster/{CLUSTER}")}]);
                lab.ec2("DeleteTags", json!({"Resources": [id], "Tags": keys})).await;
                lab.ec2("CreateTags", json!({"Resources": [id], "Tags": tags})).await;
                format!("{id} gets {tags:?}")
            }
            2 => {
                // The VPC itself: owned, shared, something else. Its legacy tag stays.
                let value = *random.pick(&["owned", "shared", "borrowed"]);
                let tag = json!([{"Key": format!("kubernetes.io/cluster/{CLUSTER}"), "Value": value}]);
                lab.ec2("CreateTags", json!({"Resources": [self.vpc], "Tags": tag})).await;
                format!("the VPC is {value}")
            }
            3 => {
                let input = json!({"AvailabilityZone": self.zone, "Size": 1, "TagSpecifications": specification("volume")});
                let made = lab.ec2("CreateVolume", input).await;
                self.things.push(made["volumeId"].as_str().unwrap().to_owned());
                format!("a volume with {tags:?}")
            }
            4 => {
                let name = self.name("group");
                let input = json!({"GroupName": name, "Description": name, "VpcId": self.vpc,
                    "TagSpecifications": specification("security-group")});
                let made = lab.ec2("CreateSecurityGroup", input).await;
                self.things.push(made["groupId"].as_str().unwrap().to_owned());
                format!("a security group with {tags:?}")
            }
            5 => {
                let input =
                    json!({"SubnetId": subnet, "TagSpecifications": specification("network-interface")});
                lab.ec2("CreateNetworkInterface", input).await;
                format!("a network interface with {tags:?}")
            }
            6 => {
                let name = self.name("classic");
                let listener = json!([{"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 80}]);
                let input = json!({"LoadBalancerName": name, "Listeners": listener, "Subnets": [subnet], "Tags": tags});
                lab.call(Service::Elb, "CreateLoadBalancer", input).await;
                format!("a classic load balancer with {tags:?}")
            }
            7 => {
                let name = self.name("network");
                let input = json!({"Name": name, "Type": "network", "Subnets": [subnet], "Tags": tags});
                lab.call(Service::ElbV2, "CreateLoadBalancer", input).await;
                format!("a network load balancer with {tags:?}")
            }
            8 => {
                let name = self.name("targets");
                let input = json!({"Name": name, "Protocol": "TCP", "Port": 80, "VpcId": self.vpc, "TargetType": "instance", "Tags": tags});
                lab.call(Service::ElbV2, "CreateTargetGroup", input).await;
                format!("a target group with {tags:?}")
            }
            9 => {
                let name = self.name("role");
                let trust = json!({"Version": "2012-10-17", "Statement": []}).to_string();
                let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust, "Tags": tags});
                lab.call(Service::Iam, "CreateRole", input).await;
                format!("a role with {tags:?}")
            }
            10 => {
                // Without a tag, in the cluster's VPC: taken where that goes.
                let made = lab.ec2("CreateRouteTable", json!({"VpcId": self.vpc})).await;
                self.things.push(made["routeTable"]["routeTableId"].as_str().unwrap().to_owned());
                "a route table without tags".to_owned()
            }
            _ => {
                let name =
                    *random.pick(&["api", "api.internal", "etcd-a.internal", "bastion", "shop", "aaaa-api"]);
                let host = random.pick(&[CLUSTER, "example.com"]);
                let set = json!({"Name": format!("{name}.{host}."), "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]});
                let batch = json!({"HostedZoneId": self.zone_id, "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]}});
                lab.call(Service::Route53, "ChangeResourceRecordSets", batch).await;
                format!("a record {name}.{host}")
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_is_the_one_that_kops_prints() {
    if !crate::local_kops::runs("1.28.5") {
        return;
    }
    let all = std::env::var("PORTOLAN_TEST_KOPS").is_ok_and(|value| value == "all");
    let variations = if all { 50 } else { 6 };
    let lab = Lab::start(portolan::local::aws::Patience::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let options = KopsOptions {
        places: lab.places.clone(),
        release: KopsRelease::find(RELEASE).unwrap(),
        folder: folder.path().to_path_buf(),
        bucket: "varied".to_owned(),
    };
    let kops = Kops::open(&lab.aws, options, &mut progress()).await.unwrap();
    let cluster = NewCluster { nodes: 1, ..NewCluster::new(CLUSTER, &["eu-central-1a"]) };
    if let Err(error) = kops.create_cluster(&cluster).await {
        panic!("{error}\n{}", lab.aws.moto().last_words());
    }
    let mut ground = Ground::find(&lab).await;
    let ours = Cluster { kops_minor: Some(MINOR), ..Cluster::new(CLUSTER) };
    let mut random = Seeded(20_261_121);
    let mut story = Vec::new();
    for variation in 0..=variations {
        // The first comparison is of what kops has made.
        if variation > 0 {
            for _ in 0..=random.below(3) {
                story.push(ground.vary(&lab, &mut random).await);
            }
        }
        let printed = kops.delete_preview(CLUSTER).await.unwrap();
        let computed = would_delete(&reads(&lab, &ours).await, &ours).unwrap();
        let (printed, computed) = (comparable(printed), comparable(computed));
        let missed: Vec<_> = printed.difference(&computed).collect();
        let invented: Vec<_> = computed.difference(&printed).collect();
        assert!(
            missed.is_empty() && invented.is_empty(),
            "variation {variation}\nonly kops: {missed:#?}\nonly ours: {invented:#?}\nafter: {story:#?}"
        );
        println!("variation {variation}: {} things, the same", printed.len());
    }
    drop(kops);
    lab.stop().await;
}

/// Queues by account and name: the host of their address is that of whoever asks.
fn comparable(things: BTreeSet<(String, String)>) -> BTreeSet<(String, String)> {
    let path = |address: &str| address.splitn(4, '/').nth(3).unwrap_or(address).to_owned();
    things.into_iter().map(|(kind, id)| if kind == "sqs" { (kind, path(&id)) } else { (kind, id) }).collect()
}
