//! What is read of AWS: what the list of `kops delete cluster` needs, what the account's facts need, and what names the
//! cluster from outside.

use super::inventory::{Inventory, cluster_of};
use crate::migrate::decommission::{AwsReads, Wanted, list, text};
use crate::model::kops::KopsState;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Values that one filter takes (EC2, "Filter your resources").
const MOST_VALUES: usize = 200;

/// What is still to be read. Asked again after each round, it ends in an empty list.
#[must_use]
pub fn wanted(inventory: &Inventory, kops: Option<&KopsState>) -> Vec<Wanted> {
    let reads = &inventory.aws;
    let mut wanted: Vec<Wanted> = kops.map(|kops| reads.wanted(&cluster_of(kops))).unwrap_or_default();
    let mut want = |service: &str, operation: &str, input: Value| {
        let one = Wanted { service: service.into(), operation: operation.into(), input };
        let is_known = reads.reads.iter().any(|read| {
            read.service == one.service && read.operation == one.operation && read.input == one.input
        });
        if !is_known && !wanted.contains(&one) {
            wanted.push(one);
        }
    };
    for (service, operation, input) in [
        ("sts", "GetCallerIdentity", json!({})),
        ("eks", "DescribeClusterVersions", json!({})),
        ("ec2", "DescribeAvailabilityZones", json!({})),
        ("kms", "ListKeys", json!({})),
        ("s3", "ListBuckets", json!({})),
    ] {
        want(service, operation, input);
    }
    for one in of_types(&instance_types(reads, kops)) {
        want(&one.service, &one.operation, one.input);
    }
    for id in kops.map(prefix_lists).unwrap_or_default() {
        want("ec2", "GetManagedPrefixListEntries", json!({"PrefixListId": id}));
    }
    for key in reads.items("kms", "ListKeys", &["Keys"]) {
        if let Some(id) = text(key, "KeyId") {
            want("kms", "GetKeyPolicy", json!({"KeyId": id, "PolicyName": "default"}));
            want("kms", "ListResourceTags", json!({"KeyId": id}));
        }
    }
    for bucket in reads.items("s3", "ListBuckets", &["Buckets"]) {
        if let Some(name) = text(bucket, "Name") {
            want("s3", "GetBucketPolicy", json!({"Bucket": name}));
            want("s3", "GetBucketTagging", json!({"Bucket": name}));
        }
    }
    wanted
}

/// What has to be read to know some instance types: what they have, and in which zones there are any.
#[must_use]
pub fn of_types(types: &BTreeSet<String>) -> Vec<Wanted> {
    let types: Vec<&String> = types.iter().collect();
    let read =
        |operation: &str, input: Value| Wanted { service: "ec2".into(), operation: operation.into(), input };
    let of_chunk = |chunk: &[&String]| {
        let filter = json!({"Filters": [{"Name": "instance-type", "Values": chunk}]});
        let mut offered = filter.clone();
        offered["LocationType"] = json!("availability-zone");
        [read("DescribeInstanceTypes", filter), read("DescribeInstanceTypeOfferings", offered)]
    };
    types.chunks(MOST_VALUES).flat_map(of_chunk).collect()
}

/// Whether a read is about one thing that another read listed: where that is gone, or nobody may look at it, the others
/// still tell what they tell. Of a list that may not be read nothing is known.
#[must_use]
pub fn is_about_one(wanted: &Wanted) -> bool {
    wanted.operation.starts_with("Get") && wanted.service != "sts" || wanted.operation == "ListResourceTags"
}

/// The instance types that the specs name and that machines have.
fn instance_types(reads: &AwsReads, kops: Option<&KopsState>) -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    for group in kops.into_iter().flat_map(|kops| &kops.groups) {
        let named = group.text("machineType").into_iter().flat_map(|text| text.split(','));
        types.extend(
            named.chain(group.texts("mixedInstancesPolicy.instances")).map(|name| name.trim().to_owned()),
        );
    }
    for reservation in reads.items("ec2", "DescribeInstances", &["Reservations"]) {
        types.extend(
            list(reservation, &["Instances"])
                .into_iter()
                .filter_map(|one| text(one, "InstanceType"))
                .map(str::to_owned),
        );
    }
    types.retain(|name| !name.is_empty());
    types
}

/// Managed prefix lists that may reach the API server or nodes.
fn prefix_lists(kops: &KopsState) -> BTreeSet<String> {
    let all = kops.cluster.fields.iter().filter_map(|field| field.value.as_str());
    all.filter(|text| text.starts_with("pl-")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kops::{Source, read_files};

    #[test]
    fn rounds_end_when_everything_is_there() {
        let spec = b"apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: a.example.com}\nspec:\n  cloudProvider: aws\n  \
                     kubernetesApiAccess: [10.0.0.0/8, pl-1]\n---\napiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\n\
                     metadata: {name: nodes}\nspec: {role: Node, machineType: 'm5.large,m5a.large'}\n";
        let kops = read_files("a", &[Source { origin: "a", bytes: spec }], None).unwrap();
        let mut inventory = Inventory::default();
        let mut rounds = 0;
        loop {
            let wanted = wanted(&inventory, Some(&kops));
            if wanted.is_empty() {
                break;
            }
            rounds += 1;
            for one in wanted {
                let output = match (one.service.as_str(), one.operation.as_str()) {
                    ("kms", "ListKeys") => json!({"Keys": [{"KeyId": "k"}]}),
                    ("s3", "ListBuckets") => json!({"Buckets": [{"Name": "b"}]}),
                    ("iam", "ListRoles") => json!({"Roles": [{"RoleName": "r"}]}),
                    _ => Value::Null,
                };
                inventory.aws.push(&one.service, &one.operation, one.input, output);
            }
        }
        assert_eq!(rounds, 2);
        let asked = |operation: &str| {
            inventory
                .aws
                .reads
                .iter()
                .filter(|read| read.operation == operation)
                .map(|read| read.input.to_string())
                .collect::<String>()
        };
        assert!(
            asked("DescribeInstanceTypes").contains("\"m5.large\",\"m5a.large\""),
            "{}",
            asked("DescribeInstanceTypes")
        );
        assert!(asked("GetManagedPrefixListEntries").contains("pl-1"));
        assert!(
            asked("GetKeyPolicy").contains('k')
                && asked("GetBucketTagging").contains('b')
                && asked("GetRole").contains('r')
        );
    }
}
