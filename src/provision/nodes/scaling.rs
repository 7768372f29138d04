//! Auto Scaling groups of self-managed nodes.

use super::scaling_driver::BY_TEMPLATE;
use super::scaling_read::{TEMPLATE, specification_of};
use super::template::launch_template;
use super::written::{Template, as_written, other_than};
use crate::model::cluster_config::{ClusterConfig, NodeGroup, NodeGroupBase};
use crate::provision::iam::shortened;
use crate::provision::network::answer::object;
use crate::provision::network::{CLUSTER_SECURITY_GROUP, Problem, cluster, node_subnets, resource, tags};
use crate::provision::resource::{Key, Kind, Live, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest name of an Auto Scaling group.
const LONGEST_NAME: usize = 255;
/// eksctl's default number of nodes.
const DEFAULT_SIZE: u32 = 2;
/// Most tags of an Auto Scaling group.
const MOST_TAGS: usize = 50;
/// How the Cluster Autoscaler learns what a node of an empty group would have.
pub(super) const TEMPLATE_TAG: &str = "k8s.io/cluster-autoscaler/node-template";
/// Begins the tag that says which cluster a group's nodes belong to; the cluster's name follows.
pub(super) const CLUSTER_OWNED: &str = "kubernetes.io/cluster/";

/// The Auto Scaling group of a node group.
#[must_use]
pub fn auto_scaling_group(group: &str) -> Key {
    Key::new(Kind::AutoScalingGroup, group)
}

/// Fewest, most and wanted nodes, as eksctl fills in what is not said: the one from the other, else two.
#[must_use]
pub fn sizes(base: &NodeGroupBase) -> (u32, u32, u32) {
    let least = base.min_size.or(base.desired_capacity).unwrap_or(DEFAULT_SIZE);
    let most = base.max_size.or(base.desired_capacity).unwrap_or(least).max(least);
    (least, most, base.desired_capacity.unwrap_or(least).clamp(least, most))
}

/// The group of this name, if its launch template is somebody else's: a group that is adopted keeps it. There is a template
/// of ours as soon as we have made one; somebody who gives our group another is undone.
pub(super) fn of_another<'a>(known: &'a Snapshot, group: &str) -> Option<&'a Live> {
    let ours = known.live.contains_key(&launch_template(group));
    let live = known.live.get(&auto_scaling_group(group))?;
    let unknown = known.unread.contains_key(&Kind::LaunchTemplate);
    (!ours && !unknown && live.outputs.contains_key(TEMPLATE)).then_some(live)
}

/// What the file asks of a group's template that is not ours, and it does not give: name of the member, as declared, as
/// it is.
fn by_template(
    scope: &Scope,
    known: &Snapshot,
    group: &NodeGroup,
    live: &Live,
) -> Vec<(String, Value, Value)> {
    let found = &live.outputs[TEMPLATE];
    let of_cluster =
        known.live.get(&cluster(scope)).and_then(|live| live.outputs.get(CLUSTER_SECURITY_GROUP)?.as_str());
    let template = Template { data: &found["data"], parameter: None, of_cluster };
    other_than(as_written(scope, live, template), group)
}

pub(super) fn declared(
    config: &ClusterConfig,
    scope: &Scope,
    known: &Snapshot,
    group: &NodeGroup,
    keep_size: bool,
    at: &str,
) -> Result<Resource, Problem> {
    let base = &group.base;
    let (least, most, wanted) = sizes(base);
    let another = of_another(known, &base.name);
    let template = launch_template(&base.name);
    let specification = match another {
        None => json!({"LaunchTemplateId": template.output("id"), "Version": template.output("version")}),
        Some(live) => specification_of(&live.actual).clone(),
    };
    if group.instances_distribution.is_some() && specification.is_null() {
        let message = "the group was made with a launch configuration, which has one instance type: give the group a new name, \
                       and it is made anew beside this one";
        return Err(Problem::refused(format!("{at}/instancesDistribution"), message));
    }
    let mixed = group.instances_distribution.as_ref().map(|mix| {
        let overrides: Vec<Value> =
            mix.instance_types.iter().map(|kind| json!({"InstanceType": kind})).collect();
        json!({
            "LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides},
            "InstancesDistribution": object([
                ("OnDemandBaseCapacity", json!(mix.on_demand_base_capacity)),
                ("OnDemandPercentageAboveBaseCapacity", json!(mix.on_demand_percentage_above_base_capacity)),
                ("SpotAllocationStrategy", json!(mix.spot_allocation_strategy)),
                ("SpotInstancePools", json!(mix.spot_instance_pools)),
                ("SpotMaxPrice", json!(mix.max_price.map(|price| price.to_string()))),
            ]),
        })
    });
    let rebalance = group.instances_distribution.as_ref().and_then(|mix| mix.capacity_rebalance);
    let mut metrics: Vec<String> =
        group.asg_metrics_collection.iter().flat_map(|each| each.metrics.clone()).collect();
    if !group.asg_metrics_collection.is_empty() && metrics.is_empty() {
        metrics = super::scaling_driver::METRICS.map(str::to_owned).into();
    }
    metrics.sort();
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    let ours = || shortened(&format!("{}-{}", scope.cluster, base.name), LONGEST_NAME);
    let name = another.map_or_else(ours, |live| live.id.clone());
    let desired = object([
        ("AutoScalingGroupName", json!(name)),
        ("MinSize", json!(least)),
        ("MaxSize", json!(most)),
        ("DesiredCapacity", json!(wanted)),
        ("KeepDesiredCapacity", json!(keep_size)),
        ("SubnetIds", Value::Array(node_subnets(config, known, base, at)?)),
        (
            "LaunchTemplate",
            if mixed.is_none() && another.is_none() { specification.clone() } else { Value::Null },
        ),
        ("MixedInstancesPolicy", json!(mixed)),
        (BY_TEMPLATE, json!(another.map(|live| by_template(scope, known, group, live)))),
        ("CapacityRebalance", json!(rebalance)),
        ("MaxInstanceLifetime", json!(group.max_instance_lifetime)),
        ("LoadBalancerNames", json!(sorted(&group.classic_load_balancer_names))),
        ("TargetGroupARNs", json!(sorted(&group.target_group_arns))),
        ("SuspendedProcesses", json!(sorted(&group.asg_suspend_processes))),
        ("EnabledMetrics", json!(metrics)),
        ("MinHealthyPercentage", json!(healthy_percentage(base, most))),
    ]);
    let mut tags = group_tags(config, scope, group);
    if let (Some(live), None) = (another, &base.instance_name) {
        // Its nodes keep the name that they have, or none.
        match live.tags.get("Name") {
            Some(name) => tags.insert("Name".to_owned(), name.clone()),
            None => tags.remove("Name"),
        };
    }
    if tags.len() + 2 > MOST_TAGS {
        let message =
            format!("{} tags are more than the {MOST_TAGS} that an Auto Scaling group can have", tags.len());
        return Err(Problem::refused(format!("{at}/propagateASGTags"), message));
    }
    Ok(resource(auto_scaling_group(&base.name), desired, tags, at))
}

/// How many of the nodes stay while the others are replaced.
fn healthy_percentage(base: &NodeGroupBase, most: u32) -> u32 {
    let update = base.update_config.unwrap_or_default();
    match (update.max_unavailable_percentage, update.max_unavailable) {
        (Some(percentage), _) => 100u32.saturating_sub(percentage),
        (None, Some(nodes)) => most.saturating_sub(nodes) * 100 / most.max(1),
        (None, None) => 90,
    }
}

fn group_tags(config: &ClusterConfig, scope: &Scope, group: &NodeGroup) -> BTreeMap<String, String> {
    let base = &group.base;
    let owned = format!("{CLUSTER_OWNED}{}", scope.cluster);
    let autoscaler =
        base.iam.as_ref().and_then(|iam| iam.with_addon_policies).is_some_and(|addons| addons.auto_scaler);
    let discovered = format!("k8s.io/cluster-autoscaler/{}", scope.cluster);
    let mut own: Vec<(String, String)> = vec![(owned, "owned".to_owned())];
    if autoscaler {
        own.push(("k8s.io/cluster-autoscaler/enabled".to_owned(), "true".to_owned()));
        own.push((discovered, "owned".to_owned()));
    }
    if group.propagate_asg_tags == Some(true) {
        own.extend(
            base.labels.iter().map(|(key, value)| (format!("{TEMPLATE_TAG}/label/{key}"), value.clone())),
        );
        own.extend(base.taints.iter().map(|taint| {
            (format!("{TEMPLATE_TAG}/taint/{}", taint.key), format!("{}:{:?}", taint.value, taint.effect))
        }));
    }
    own.extend(base.tags.clone());
    let default = || format!("{}-{}-node", scope.cluster, base.name);
    let name = base.instance_name.clone().unwrap_or_else(default);
    let prefix = base.instance_prefix.as_ref().map(|prefix| format!("{prefix}-")).unwrap_or_default();
    let own = own.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    tags(&config.metadata.tags, format!("{prefix}{name}"), own)
}
