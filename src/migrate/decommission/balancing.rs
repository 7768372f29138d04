//! Load balancers of both generations, and target groups: nothing but the missing legacy tag spares them.

use super::listing::{Cluster, Found, is_named};
use super::reads::AwsReads;
use super::shape::{tags, text};
use std::collections::BTreeSet;

pub(super) fn all(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let classic = tagged(reads, "elb", "LoadBalancerName", cluster);
    put(
        reads,
        "elb",
        "DescribeLoadBalancers",
        "LoadBalancerDescriptions",
        "LoadBalancerName",
        "load-balancer",
        &classic,
        found,
    );
    let newer = tagged(reads, "elbv2", "ResourceArn", cluster);
    put(
        reads,
        "elbv2",
        "DescribeLoadBalancers",
        "LoadBalancers",
        "LoadBalancerArn",
        "load-balancer",
        &newer,
        found,
    );
    put(
        reads,
        "elbv2",
        "DescribeTargetGroups",
        "TargetGroups",
        "TargetGroupArn",
        "target-group",
        &newer,
        found,
    );
}

/// Ids of what carries the cluster's legacy tag.
fn tagged<'a>(reads: &'a AwsReads, service: &'a str, id: &str, cluster: &Cluster) -> BTreeSet<&'a str> {
    reads
        .items(service, "DescribeTags", &["TagDescriptions"])
        .into_iter()
        .filter(|description| is_named(&tags(description), cluster))
        .filter_map(|description| text(description, id))
        .collect()
}

#[allow(clippy::too_many_arguments, reason = "one row of a table of three")]
fn put(
    reads: &AwsReads,
    service: &str,
    operation: &str,
    list: &str,
    id: &str,
    kind: &'static str,
    tagged: &BTreeSet<&str>,
    found: &mut Found,
) {
    for thing in reads.items(service, operation, &[list]) {
        if let Some(id) = text(thing, id).filter(|id| tagged.contains(id)) {
            found.put(kind, id, false);
        }
    }
}
