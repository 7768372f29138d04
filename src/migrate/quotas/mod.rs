//! Whether an account may have what a ClusterConfig asks for, before anything is made: AWS's quotas, against what is
//! used and what comes.
//!
//! A quota that is too small is told by AWS in the middle of a cluster that is half there, and takes days to be raised.

mod need;

pub use need::{Family, Need, needs};

use crate::migrate::assess::Facts;
use crate::migrate::decommission::{list, member, text};
use crate::migrate::verdict::{Level, Verdict};
use crate::model::cloud::{Call, Service};
use crate::model::cluster_config::ClusterConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the quotas come from.
const SOURCE: &str = "AWS service quotas of EC2, VPC and EKS; migration.md 4: eksctl#1967, eksctl#4406";

/// Answers, or why there is none, by [`key`].
pub type Answers = BTreeMap<String, Result<Value, String>>;

/// How an answer is found.
#[must_use]
pub fn key(call: &Call) -> String {
    format!("{call} {}", call.input)
}

/// What has to be asked.
#[must_use]
pub fn reads() -> Vec<Call> {
    let quotas = ["ec2", "eks", "vpc"].into_iter().flat_map(|service| {
        ["ListAWSDefaultServiceQuotas", "ListServiceQuotas"]
            .map(|operation| Call::new(Service::Quotas, operation, json!({"ServiceCode": service})))
    });
    let used =
        ["DescribeVpcs", "DescribeAddresses", "DescribeNatGateways", "DescribeSubnets", "DescribeInstances"]
            .map(|operation| Call::new(Service::Ec2, operation, json!({})));
    quotas.chain(used).chain([Call::new(Service::Eks, "ListClusters", json!({}))]).collect()
}

/// What is answered, in the words of quotas.
struct Account<'a> {
    answers: &'a Answers,
    quotas: BTreeMap<String, f64>,
}

impl<'a> Account<'a> {
    fn of(answers: &'a Answers) -> Self {
        let mut quotas = BTreeMap::new();
        // What was applied for this account comes after what everybody has.
        for operation in ["ListAWSDefaultServiceQuotas", "ListServiceQuotas"] {
            let of = |key: &&String| {
                key.contains(&format!(" {operation} ")) || key.contains(&format!(":{operation} "))
            };
            for answer in answers.keys().filter(of).filter_map(|key| answers[key].as_ref().ok()) {
                for quota in list(answer, &["Quotas"]) {
                    if let (Some(code), Some(value)) = (quota["QuotaCode"].as_str(), number(&quota["Value"]))
                    {
                        quotas.insert(code.to_owned(), value);
                    }
                }
            }
        }
        Self { answers, quotas }
    }

    fn all(&self, service: Service, operation: &str, names: &[&str]) -> Option<Vec<&'a Value>> {
        let answer = self.answers.get(&key(&Call::new(service, operation, json!({}))))?.as_ref().ok()?;
        Some(list(answer, names))
    }

    /// How much of a need is used already; `None`: it cannot be told.
    fn used(&self, need: &Need, facts: &Facts) -> Option<f64> {
        let count = |found: Option<Vec<&Value>>| found.map(|all| all.len() as f64);
        match &need.of {
            need::Of::Vpcs => count(self.all(Service::Ec2, "DescribeVpcs", &["Vpcs"])),
            need::Of::Addresses => count(self.all(Service::Ec2, "DescribeAddresses", &["Addresses"])),
            need::Of::Clusters => count(self.all(Service::Eks, "ListClusters", &["clusters"])),
            need::Of::NatGateways => self.gateways(),
            need::Of::InNewCluster => Some(0.0),
            need::Of::Vcpus { family, spot } => {
                let reservations = self.all(Service::Ec2, "DescribeInstances", &["Reservations"])?;
                let instances = reservations.into_iter().flat_map(|one| list(one, &["Instances"]));
                let mut used = 0.0;
                for instance in instances {
                    let state = member(instance, "State").and_then(|state| text(state, "Name"));
                    let runs = matches!(state, Some("pending" | "running"));
                    let kind = text(instance, "InstanceType").unwrap_or_default();
                    let is_spot = text(instance, "InstanceLifecycle") == Some("spot");
                    if runs && is_spot == *spot && Family::of(kind) == Some(*family) {
                        let known = facts.instance_types.get(kind).map(|one| f64::from(one.vcpus));
                        used += known.or_else(|| options(instance)).unwrap_or_default();
                    }
                }
                Some(used)
            }
        }
    }

    /// NAT gateways of the zone that has most.
    fn gateways(&self) -> Option<f64> {
        let zones: BTreeMap<&str, &str> = self
            .all(Service::Ec2, "DescribeSubnets", &["Subnets"])?
            .into_iter()
            .filter_map(|subnet| Some((text(subnet, "SubnetId")?, text(subnet, "AvailabilityZone")?)))
            .collect();
        let mut by_zone: BTreeMap<&str, f64> = BTreeMap::new();
        for gateway in self.all(Service::Ec2, "DescribeNatGateways", &["NatGateways"])? {
            if matches!(text(gateway, "State"), Some("pending" | "available") | None) {
                *by_zone
                    .entry(
                        text(gateway, "SubnetId")
                            .and_then(|subnet| zones.get(subnet))
                            .copied()
                            .unwrap_or_default(),
                    )
                    .or_default() += 1.0;
            }
        }
        Some(by_zone.into_values().fold(0.0, f64::max))
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// vCPUs of an instance as it says itself.
fn options(instance: &Value) -> Option<f64> {
    let options = member(instance, "CpuOptions")?;
    Some(number(member(options, "CoreCount")?)? * number(member(options, "ThreadsPerCore")?)?)
}

/// A Blocker for what does not fit, a Warning for what would not at the largest size, and one for what is not known.
#[must_use]
pub fn verdicts(config: &ClusterConfig, facts: &Facts, answers: &Answers) -> Vec<Verdict> {
    if answers.is_empty() {
        return Vec::new();
    }
    let account = Account::of(answers);
    let name = config.metadata.name.as_str();
    let clusters = account.all(Service::Eks, "ListClusters", &["clusters"]).unwrap_or_default();
    if clusters.iter().any(|one| one.as_str() == Some(name)) {
        // What it has is among what is used.
        return Vec::new();
    }
    let verdict = |subject: &str, level, rule: &str, says: String| Verdict {
        subject: subject.into(),
        field: String::new(),
        level,
        rule: rule.into(),
        source: SOURCE.into(),
        says,
        becomes: None,
        choices: Vec::new(),
    };
    let (mut verdicts, mut unknown) = (Vec::new(), Vec::new());
    for need in needs(config, facts) {
        let (Some(most), Some(used)) = (account.quotas.get(need.code), account.used(&need, facts)) else {
            unknown.push(need.what.clone());
            continue;
        };
        let ask = format!("ask AWS to raise quota {} first", need.code);
        let stands = format!("{used} of {most} are used");
        if used + need.now > *most {
            let says = format!("{} are needed of {}, and {stands}: {ask}", need.now, need.what);
            verdicts.push(verdict(&need.what, Level::Blocker, "quota.exceeded", says));
        } else if used + need.at_most > *most {
            let says = format!(
                "at the groups' largest size {} are needed of {}, and {stands}: {ask}",
                need.at_most, need.what
            );
            verdicts.push(verdict(&need.what, Level::Warning, "quota.at-most", says));
        }
    }
    if !unknown.is_empty() {
        let why = answers.values().find_map(|answer| answer.as_ref().err()).map(|why| format!(" ({why})"));
        let says = format!(
            "how much the account may have is not known{}: {}",
            why.unwrap_or_default(),
            unknown.join(", ")
        );
        verdicts.push(verdict(name, Level::Warning, "quota.unread", says));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::assess::InstanceType;
    use crate::model::cluster_config::{ClusterMeta, ManagedNodeGroup, NodeGroupBase};

    fn config(desired: u32, most: u32) -> ClusterConfig {
        let base = NodeGroupBase {
            desired_capacity: Some(desired),
            max_size: Some(most),
            ..NodeGroupBase::default()
        };
        let group =
            ManagedNodeGroup { base, instance_types: vec!["m5.large".into()], ..ManagedNodeGroup::default() };
        ClusterConfig {
            metadata: ClusterMeta { name: "new".into(), ..ClusterMeta::default() },
            managed_node_groups: vec![group],
            ..ClusterConfig::default()
        }
    }

    fn facts() -> Facts {
        let large = InstanceType { vcpus: 2, ..InstanceType::default() };
        Facts { instance_types: [("m5.large".to_owned(), large)].into(), ..Facts::default() }
    }

    /// An account with one address and six vCPUs in use.
    fn answers(quotas: &[(&str, u32)]) -> Answers {
        let quotas: Vec<Value> = quotas
            .iter()
            .map(|(code, value)| json!({"QuotaCode": code, "Value": f64::from(*value)}))
            .collect();
        let instance = |state: &str, kind: &str| json!({"instanceState": {"name": state}, "instanceType": kind, "cpuOptions": {"coreCount": "2", "threadsPerCore": "2"}});
        let instances = [
            instance("running", "m5.large"),
            instance("stopped", "m5.large"),
            instance("running", "c5.xlarge"),
        ];
        reads()
            .iter()
            .map(|call| {
                let answer = match call.operation.as_str() {
                    "ListServiceQuotas" if call.input["ServiceCode"] == "ec2" => json!({"Quotas": quotas}),
                    "DescribeAddresses" => json!({"addressesSet": [{}]}),
                    "DescribeInstances" => json!({"reservationSet": [{"instancesSet": instances}]}),
                    _ => json!({}),
                };
                (key(call), Ok(answer))
            })
            .collect()
    }

    const ALL: [(&str, u32); 7] = [
        ("L-1194D53C", 100),
        ("L-F678F1CE", 5),
        ("L-0263D0A3", 5),
        ("L-FE5A380F", 5),
        ("L-6D54EA21", 30),
        ("L-BD136A63", 450),
        ("L-1216C47A", 32),
    ];

    fn told(config: &ClusterConfig, answers: &Answers) -> Vec<(Level, String)> {
        verdicts(config, &facts(), answers).into_iter().map(|one| (one.level, one.says)).collect()
    }

    #[test]
    fn what_is_used_and_what_comes_has_to_fit() {
        assert_eq!(told(&config(3, 10), &answers(&ALL)), []);
        let many = told(&config(14, 14), &answers(&ALL));
        assert_eq!(many.len(), 1, "{many:?}");
        assert_eq!(many[0].0, Level::Blocker);
        assert!(
            many[0].1.starts_with("28 are needed of vCPUs") && many[0].1.contains("6 of 32 are used"),
            "{many:?}"
        );
        assert_eq!(told(&config(3, 14), &answers(&ALL))[0].0, Level::Warning);
        let few: Vec<(&str, u32)> =
            ALL.iter().map(|(code, most)| (*code, if *code == "L-0263D0A3" { 1 } else { *most })).collect();
        let addresses = told(&config(3, 3), &answers(&few));
        assert!(
            addresses[0].1.contains("Elastic IP addresses") && addresses[0].1.contains("L-0263D0A3"),
            "{addresses:?}"
        );
    }

    #[test]
    fn what_is_not_known_is_named_and_a_cluster_that_is_there_is_counted_already() {
        let mut silent = answers(&ALL);
        silent.values_mut().for_each(|answer| *answer = Err("no rights".into()));
        let told_silent = told(&config(3, 3), &silent);
        assert_eq!(told_silent.len(), 1, "{told_silent:?}");
        assert!(
            told_silent[0].1.contains("no rights") && told_silent[0].1.contains("NAT gateways"),
            "{told_silent:?}"
        );
        let mut there = answers(&ALL);
        there.insert(
            key(&Call::new(Service::Eks, "ListClusters", json!({}))),
            Ok(json!({"clusters": ["new"]})),
        );
        assert_eq!(told(&config(99, 99), &there), []);
    }
}
