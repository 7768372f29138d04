//! What AWS answered, as data: the input of everything that is decided about AWS.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

use super::listing::Cluster;
use super::shape::{item_text, list};

/// One answer of an AWS API, all its pages joined or one page of several.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// The service as botocore names it: `ec2`, `autoscaling`, `elb`, `elbv2`, `iam`, `route53`, `sqs`, `events`, `s3`, `kms`.
    pub service: String,
    /// The operation: `DescribeVolumes`.
    pub operation: String,
    /// What was asked.
    #[serde(default)]
    pub input: Value,
    /// What was answered, with the names of the API model or those of its XML. `null` where the service refused
    /// because of rights or because the thing was gone.
    pub output: Value,
}

/// Answers are shown by their operation only: policies and user data are nobody's to read in a log.
impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Read({}:{})", self.service, self.operation)
    }
}

/// A read that is still to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The service as botocore names it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// What to ask. All pages are wanted.
    pub input: Value,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.operation)?;
        match self.input.as_object() {
            Some(input) if !input.is_empty() => write!(f, " {}", self.input),
            _ => Ok(()),
        }
    }
}

/// Answers of AWS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AwsReads {
    /// In any order.
    pub reads: Vec<Read>,
}

/// Reads of a whole region without input.
const WHOLE: &[(&str, &str)] = &[
    ("autoscaling", "DescribeAutoScalingGroups"),
    ("ec2", "DescribeAddresses"),
    ("ec2", "DescribeDhcpOptions"),
    ("ec2", "DescribeEgressOnlyInternetGateways"),
    ("ec2", "DescribeInstances"),
    ("ec2", "DescribeInternetGateways"),
    ("ec2", "DescribeKeyPairs"),
    ("ec2", "DescribeLaunchTemplates"),
    ("ec2", "DescribeNatGateways"),
    ("ec2", "DescribeNetworkInterfaces"),
    ("ec2", "DescribeRouteTables"),
    ("ec2", "DescribeSecurityGroups"),
    ("ec2", "DescribeSubnets"),
    ("ec2", "DescribeVolumes"),
    ("ec2", "DescribeVpcs"),
    ("elb", "DescribeLoadBalancers"),
    ("elbv2", "DescribeLoadBalancers"),
    ("elbv2", "DescribeTargetGroups"),
    ("events", "ListRules"),
    ("iam", "ListInstanceProfiles"),
    ("iam", "ListOpenIDConnectProviders"),
    ("iam", "ListRoles"),
    ("sqs", "ListQueues"),
];

/// Things whose tags, or whose content, are asked for one by one: service, list, names of the list, the id's field,
/// the operation that asks, and its input's field.
const EACH: &[Each] = &[
    Each {
        service: "iam",
        list: "ListRoles",
        lists: &["Roles"],
        id: "RoleName",
        ask: "GetRole",
        field: "RoleName",
    },
    Each {
        service: "iam",
        list: "ListInstanceProfiles",
        lists: &["InstanceProfiles"],
        id: "InstanceProfileName",
        ask: "GetInstanceProfile",
        field: "InstanceProfileName",
    },
    Each {
        service: "iam",
        list: "ListOpenIDConnectProviders",
        lists: &["OpenIDConnectProviderList"],
        id: "Arn",
        ask: "GetOpenIDConnectProvider",
        field: "OpenIDConnectProviderArn",
    },
];

struct Each {
    service: &'static str,
    list: &'static str,
    lists: &'static [&'static str],
    id: &'static str,
    ask: &'static str,
    field: &'static str,
}

/// DescribeTags of the load balancing APIs takes as many at once.
const TAGS_AT_ONCE: usize = 20;

impl AwsReads {
    /// Adds an answer.
    pub fn push(&mut self, service: &str, operation: &str, input: Value, output: Value) {
        self.reads.push(Read { service: service.into(), operation: operation.into(), input, output });
    }

    /// Whether an operation was read at all.
    #[must_use]
    pub fn has(&self, service: &str, operation: &str) -> bool {
        self.of(service, operation).next().is_some()
    }

    /// Every answer of an operation.
    pub(in crate::migrate) fn of<'a>(
        &'a self,
        service: &'a str,
        operation: &'a str,
    ) -> impl Iterator<Item = &'a Read> + 'a {
        self.reads.iter().filter(move |read| read.service == service && read.operation == operation)
    }

    /// Every item of a list that an operation answers with, over all its reads.
    pub(in crate::migrate) fn items<'a>(
        &'a self,
        service: &'a str,
        operation: &'a str,
        names: &'a [&'a str],
    ) -> Vec<&'a Value> {
        self.of(service, operation).flat_map(|read| list(&read.output, names)).collect()
    }

    /// What has still to be read before the list of a cluster can be told. Asked again after each round, it ends in an
    /// empty list: the first round reads the region, the next one what is known one by one only.
    #[must_use]
    pub fn wanted(&self, cluster: &Cluster) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut want = |service: &str, operation: &str, input: Value| {
            wanted.push(Wanted { service: service.into(), operation: operation.into(), input });
        };
        let zones = cluster.publishes_records().then_some(("route53", "ListHostedZones"));
        for (service, operation) in WHOLE.iter().copied().chain(zones) {
            if !self.has(service, operation) {
                want(service, operation, json!({}));
            }
        }
        for each in EACH {
            let asked: BTreeSet<&str> =
                self.of(each.service, each.ask).filter_map(|read| read.input[each.field].as_str()).collect();
            for item in self.items(each.service, each.list, each.lists) {
                if let Some(id) = item_text(item, each.id).filter(|id| !asked.contains(id)) {
                    want(each.service, each.ask, json!({each.field: id}));
                }
            }
        }
        self.want_tags(
            "elb",
            "DescribeLoadBalancers",
            &["LoadBalancerDescriptions"],
            "LoadBalancerName",
            &mut want,
        );
        self.want_tags("elbv2", "DescribeLoadBalancers", &["LoadBalancers"], "LoadBalancerArn", &mut want);
        self.want_tags("elbv2", "DescribeTargetGroups", &["TargetGroups"], "TargetGroupArn", &mut want);
        if cluster.publishes_records() {
            let asked: BTreeSet<&str> = self
                .of("route53", "ListResourceRecordSets")
                .filter_map(|read| read.input["HostedZoneId"].as_str())
                .collect();
            for zone in self.items("route53", "ListHostedZones", &["HostedZones"]) {
                let (Some(id), Some(name)) = (text_of_zone(zone), item_text(zone, "Name")) else { continue };
                if cluster.is_in_zone(name)
                    && !asked.iter().any(|asked| asked.trim_start_matches("/hostedzone/") == id)
                {
                    want("route53", "ListResourceRecordSets", json!({"HostedZoneId": id}));
                }
            }
        }
        wanted
    }

    fn want_tags(
        &self,
        service: &str,
        operation: &str,
        lists: &[&str],
        id: &str,
        want: &mut impl FnMut(&str, &str, Value),
    ) {
        let (input, of) = if service == "elb" {
            ("LoadBalancerNames", "LoadBalancerName")
        } else {
            ("ResourceArns", "ResourceArn")
        };
        let known: BTreeSet<&str> = self
            .items(service, "DescribeTags", &["TagDescriptions"])
            .into_iter()
            .filter_map(|description| item_text(description, of))
            .collect();
        let missing: BTreeSet<&str> = self
            .items(service, operation, lists)
            .into_iter()
            .filter_map(|item| item_text(item, id))
            .filter(|id| !known.contains(id))
            .collect();
        for chunk in missing.into_iter().collect::<Vec<_>>().chunks(TAGS_AT_ONCE) {
            want(service, "DescribeTags", json!({input: chunk}));
        }
    }
}

/// The id of a hosted zone, without the path that its API puts before it.
pub(super) fn text_of_zone(zone: &Value) -> Option<&str> {
    item_text(zone, "Id").map(|id| id.trim_start_matches("/hostedzone/"))
}
