//! ARNs are of the region's partition: nothing of another one can be reached from it.

use super::{Findings, escaped};
use crate::model::cluster_config::ClusterConfig;
use serde_json::Value;

/// Beginnings of regions outside the partition `aws` (AWS General Reference, "ARN namespaces"; the SDKs'
/// `partitions.json`).
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    let region = &config.metadata.region;
    let of_region = PARTITIONS.iter().find(|(begin, _)| region.starts_with(begin));
    let partition = of_region.map_or("aws", |(_, partition)| partition);
    if let Ok(written) = serde_json::to_value(config) {
        visit(&written, "", partition, findings);
    }
}

/// Another name is left to the service: partitions are added (the European one was), and kops's own tests use one.
fn is_known(partition: &str) -> bool {
    partition == "aws" || PARTITIONS.iter().any(|(_, known)| *known == partition)
}

fn visit(value: &Value, pointer: &str, partition: &str, findings: &mut Findings) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                // What a person's policy says is the person's.
                if matches!(
                    name.as_str(),
                    "attachPolicy" | "permissionPolicy" | "tags" | "labels" | "annotations"
                ) {
                    continue;
                }
                let at = format!("{pointer}/{}", escaped(name));
                if name.ends_with("ARN") || name.ends_with("ARNs") {
                    arns(member, &at, partition, findings);
                } else {
                    visit(member, &at, partition, findings);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, &format!("{pointer}/{index}"), partition, findings);
            }
        }
        _ => {}
    }
}

fn arns(value: &Value, pointer: &str, partition: &str, findings: &mut Findings) {
    match value {
        Value::String(arn) => {
            let mut parts = arn.splitn(3, ':');
            let (begin, other, rest) = (parts.next(), parts.next(), parts.next());
            if let (Some("arn"), Some(other), Some(rest)) = (begin, other, rest)
                && other != partition
                && is_known(other)
            {
                findings.wrong(
                    pointer,
                    format!("is of the partition `{other}`, and the cluster's region is of `{partition}`"),
                    format!("write it as `arn:{partition}:{rest}`"),
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                arns(item, &format!("{pointer}/{index}"), partition, findings);
            }
        }
        _ => {}
    }
}
