//! Rules of both kinds of node groups: names, sizes, instance types, subnets, roles.

use super::control_plane::tags;
use super::network::is_private;
use super::{Findings, launch, node_scheduling, set, syntax};
use crate::model::cluster_config::{
    ClusterConfig, ManagedNodeGroup, NodeGroup, NodeGroupBase, NodeGroupIamAddonPolicies,
};
use std::collections::BTreeSet;

/// How EC2 Auto Scaling chooses spot pools (`SpotAllocationStrategy` in its API).
const STRATEGIES: [&str; 5] = [
    "lowest-price",
    "diversified",
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "price-capacity-optimized",
];

/// Processes of an Auto Scaling group that can be suspended (`SuspendProcesses` in its API).
const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, group) in config.managed_node_groups.iter().enumerate() {
        let at = format!("/managedNodeGroups/{index}");
        both(&at, &group.base, true, config, &mut seen, findings);
        managed(&at, group, findings);
        launch::managed(&at, group, findings);
    }
    for (index, group) in config.node_groups.iter().enumerate() {
        let at = format!("/nodeGroups/{index}");
        both(&at, &group.base, false, config, &mut seen, findings);
        own(&at, group, findings);
        launch::own(&at, group, findings);
    }
}

fn both<'a>(
    at: &str,
    group: &'a NodeGroupBase,
    managed: bool,
    config: &ClusterConfig,
    seen: &mut BTreeSet<&'a str>,
    findings: &mut Findings,
) {
    findings.require(&format!("{at}/name"), syntax::eks_name(&group.name, 63));
    if !seen.insert(&group.name) {
        let hint = "choose another name: node groups of both kinds share their names";
        findings.wrong(&format!("{at}/name"), format!("is `{}` a second time", group.name), hint);
    }
    sizes(at, group, managed, findings);
    subnets(at, group, config, findings);
    role(at, group, findings);
    tags(&format!("{at}/tags"), &group.tags, findings);
    node_scheduling::check(at, group, managed, findings);
    launch::both(at, group, findings);
    if let Some(update) = group.update_config
        && let [_, second, ..] = set(&[
            ("maxUnavailable", update.max_unavailable.is_some()),
            ("maxUnavailablePercentage", update.max_unavailable_percentage.is_some()),
        ])[..]
    {
        findings.wrong(
            &format!("{at}/updateConfig/{second}"),
            "contradicts `maxUnavailable`",
            "keep one of them",
        );
    }
    let groups = group.security_groups.iter().flat_map(|groups| &groups.attach_ids);
    for (index, id) in groups.enumerate() {
        let checked = syntax::id(id, "sg-", "name security groups by their ids");
        findings.require(&format!("{at}/securityGroups/attachIDs/{index}"), checked);
    }
}

/// Sizes with what eksctl fills in: see [`crate::model::cluster_config::with_defaults`].
fn sizes(at: &str, group: &NodeGroupBase, managed: bool, findings: &mut Findings) {
    let (min, desired, max) = (group.min_size, group.desired_capacity, group.max_size);
    let below = |field: &str, less: Option<u32>, other: &str, more: Option<u32>, findings: &mut Findings| {
        if let (Some(less), Some(more)) = (less, more)
            && less > more
        {
            let hint = format!("lower `{field}`, or raise `{other}`");
            findings.wrong(&format!("{at}/{field}"), format!("is {less}, more than `{other}`, {more}"), hint);
        }
    };
    below("minSize", min, "desiredCapacity", desired, findings);
    below("desiredCapacity", desired, "maxSize", max, findings);
    if desired.is_none() {
        below("minSize", min, "maxSize", max, findings);
    }
    if min.is_none() && desired.is_none() && max.is_some_and(|max| max < 2) {
        let hint = "set `minSize` too: without it two nodes are wanted";
        findings.wrong(&format!("{at}/maxSize"), "is less than the two nodes that are wanted", hint);
    }
    if managed && max == Some(0) {
        findings.wrong(
            &format!("{at}/maxSize"),
            "may not be 0: EKS takes 1 at least",
            "set `maxSize: 1` and `minSize: 0`",
        );
    }
}

fn subnets(at: &str, group: &NodeGroupBase, config: &ClusterConfig, findings: &mut Findings) {
    if !group.subnets.is_empty() && !group.availability_zones.is_empty() {
        let hint = "keep one of them: subnets are in zones already";
        findings.wrong(&format!("{at}/availabilityZones"), "contradicts `subnets`", hint);
    }
    let of_vpc = config.vpc.as_ref().and_then(|vpc| vpc.subnets.as_ref());
    let private = group.private_networking == Some(true) || is_private(config);
    for (index, subnet) in group.subnets.iter().enumerate() {
        let at = format!("{at}/subnets/{index}");
        let public_name = of_vpc.is_some_and(|subnets| {
            subnets.public.iter().any(|(name, spec)| name == subnet || spec.id.as_ref() == Some(subnet))
        });
        let private_name = of_vpc.is_some_and(|subnets| subnets.private.contains_key(subnet));
        if private && public_name && !private_name {
            let hint = "name a private subnet, or take `privateNetworking` out";
            findings.wrong(&at, "is a public subnet, and the nodes are to be in private ones", hint);
        } else if !public_name && !private_name && !subnet.starts_with("subnet-") {
            let hint = "name a subnet's id, or a subnet of `vpc.subnets`";
            findings.wrong(&at, "is neither an id nor in `vpc.subnets`", hint);
        }
    }
    let cluster: BTreeSet<&str> = config.availability_zones.iter().map(String::as_str).collect();
    for (index, zone) in group.availability_zones.iter().enumerate() {
        let at = format!("{at}/availabilityZones/{index}");
        if !zone.starts_with(&config.metadata.region) || zone.len() == config.metadata.region.len() {
            findings.wrong(&at, format!("is `{zone}`, no zone of {}", config.metadata.region), "name a zone");
        } else if !cluster.is_empty() && !cluster.contains(zone.as_str()) {
            let hint = "add it to `availabilityZones` of the cluster, or choose one of those";
            findings.wrong(&at, format!("is `{zone}`, where the cluster has no subnets"), hint);
        }
    }
    if is_private(config) && group.private_networking == Some(false) {
        let hint = "take it out: nodes of a private cluster are in private subnets";
        findings.wrong(&format!("{at}/privateNetworking"), "contradicts `privateCluster.enabled`", hint);
    }
    if !private
        && group.subnets.is_empty()
        && of_vpc.is_some_and(|vpc| vpc.public.is_empty() && !vpc.private.is_empty())
    {
        let hint = "set `privateNetworking: true`";
        findings.wrong(at, "has no public subnet to be in: `vpc.subnets` has private ones only", hint);
    }
    if private
        && group.subnets.is_empty()
        && of_vpc.is_some_and(|vpc| vpc.private.is_empty() && !vpc.public.is_empty())
    {
        let hint = "list private subnets under `vpc.subnets.private`";
        findings.wrong(at, "has no private subnet to be in: `vpc.subnets` has public ones only", hint);
    }
}

fn role(at: &str, group: &NodeGroupBase, findings: &mut Findings) {
    let Some(iam) = &group.iam else { return };
    let at = |field: &str| format!("{at}/iam/{field}");
    if let Some(arn) = &iam.instance_role_arn {
        findings.require(&at("instanceRoleARN"), syntax::role(arn));
    }
    if let Some(arn) = &iam.instance_profile_arn {
        let hint = "write it as `arn:aws:iam::111122223333:instance-profile/NAME`";
        findings.require(&at("instanceProfileARN"), syntax::arn_of(arn, "iam", "instance-profile/", hint));
    }
    if let Some(name) = &iam.instance_role_name {
        findings.require(&at("instanceRoleName"), syntax::role_name(name));
    }
    if let Some(arn) = &iam.instance_role_permissions_boundary {
        findings.require(&at("instanceRolePermissionsBoundary"), syntax::policy(arn));
    }
    for (index, arn) in iam.attach_policy_arns.iter().enumerate() {
        findings.require(&at(&format!("attachPolicyARNs/{index}")), syntax::policy(arn));
    }
    if let Some(document) = &iam.attach_policy {
        super::iam::policy_document(&at("attachPolicy"), document, findings);
    }
    let existing = set(&[
        ("instanceRoleARN", iam.instance_role_arn.is_some()),
        ("instanceProfileARN", iam.instance_profile_arn.is_some()),
    ]);
    if let Some(existing) = existing.first() {
        let addons =
            iam.with_addon_policies.is_some_and(|policies| policies != NodeGroupIamAddonPolicies::default());
        let of_new = [
            ("instanceRoleName", iam.instance_role_name.is_some()),
            ("instanceRolePermissionsBoundary", iam.instance_role_permissions_boundary.is_some()),
            ("attachPolicyARNs", !iam.attach_policy_arns.is_empty()),
            ("attachPolicy", iam.attach_policy.is_some()),
            ("withAddonPolicies", addons),
        ];
        for field in set(&of_new) {
            let message = format!("belongs to a new role, and `{existing}` names an existing one");
            findings.wrong(&at(field), message, "keep one of them: an existing role is not changed");
        }
    }
}

fn managed(at: &str, group: &ManagedNodeGroup, findings: &mut Findings) {
    if group.base.instance_type.is_some() && !group.instance_types.is_empty() {
        findings.wrong(&format!("{at}/instanceType"), "contradicts `instanceTypes`", "keep one of them");
    }
    let mut seen = BTreeSet::new();
    for (index, name) in group.instance_types.iter().enumerate() {
        if !seen.insert(name) {
            let at = format!("{at}/instanceTypes/{index}");
            findings.wrong(&at, format!("lists `{name}` a second time"), "take one of them out");
        }
    }
    // CreateNodegroup takes up to 20 types (EKS quota of instance types in a managed node group).
    if group.instance_types.len() > 20 {
        findings.wrong(
            &format!("{at}/instanceTypes"),
            "has more than 20 types, and EKS takes 20",
            "take some out",
        );
    }
    let types = group.instance_types.len() + usize::from(group.base.instance_type.is_some());
    if group.spot == Some(true) && types < 2 && group.launch_template.is_none() {
        let message = "asks for spot instances of one type, which are often not to be had";
        findings.doubtful(&format!("{at}/spot"), message, "list several types in `instanceTypes`");
    }
    if group.spot == Some(true) && group.base.instance_market_options.is_some() {
        findings.wrong(&format!("{at}/instanceMarketOptions"), "contradicts `spot`", "keep one of them");
    }
    let Some(repair) = &group.node_repair_config else { return };
    let at = |field: &str| format!("{at}/nodeRepairConfig/{field}");
    let pairs = [
        (
            "maxUnhealthyNodeThresholdCount",
            repair.max_unhealthy_node_threshold_count.is_some(),
            "maxUnhealthyNodeThresholdPercentage",
            repair.max_unhealthy_node_threshold_percentage.is_some(),
        ),
        (
            "maxParallelNodesRepairedCount",
            repair.max_parallel_nodes_repaired_count.is_some(),
            "maxParallelNodesRepairedPercentage",
            repair.max_parallel_nodes_repaired_percentage.is_some(),
        ),
    ];
    for (count, has_count, percentage, has_percentage) in pairs {
        if has_count && has_percentage {
            findings.wrong(&at(percentage), format!("contradicts `{count}`"), "keep one of them");
        }
    }
    for (index, rule) in repair.node_repair_config_overrides.iter().enumerate() {
        let whole = rule.node_monitoring_condition.is_some()
            && rule.node_unhealthy_reason.is_some()
            && rule.min_repair_wait_time_mins.is_some()
            && rule.repair_action.is_some();
        if !whole {
            let hint = "set `nodeMonitoringCondition`, `nodeUnhealthyReason`, `minRepairWaitTimeMins` and `repairAction`";
            findings.wrong(&at(&format!("nodeRepairConfigOverrides/{index}")), "is not whole", hint);
        }
    }
}

fn own(at: &str, group: &NodeGroup, findings: &mut Findings) {
    for (index, process) in group.asg_suspend_processes.iter().enumerate() {
        if !PROCESSES.contains(&process.as_str()) {
            let hint = format!("there are {}", PROCESSES.join(", "));
            findings.wrong(
                &format!("{at}/asgSuspendProcesses/{index}"),
                "is no process of an Auto Scaling group",
                hint,
            );
        }
    }
    for (index, metrics) in group.asg_metrics_collection.iter().enumerate() {
        if metrics.granularity != "1Minute" {
            let at = format!("{at}/asgMetricsCollection/{index}/granularity");
            findings.wrong(&at, "has to be 1Minute, the only one there is", "write `granularity: 1Minute`");
        }
    }
    for (index, arn) in group.target_group_arns.iter().enumerate() {
        let hint = "write it as `arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID`";
        let short = arn.splitn(6, ':').count() == 5;
        // eksctl's own example leaves the account out; the API does not take that.
        let checked = if short {
            syntax::arn(arn)
        } else {
            syntax::arn_of(arn, "elasticloadbalancing", "targetgroup/", hint)
        };
        findings.require(&format!("{at}/targetGroupARNs/{index}"), checked);
    }
    let Some(mixed) = &group.instances_distribution else {
        if group.base.instance_type.as_deref() == Some("mixed") {
            let hint = "name an instance type, or list several in `instancesDistribution.instanceTypes`";
            findings.wrong(
                &format!("{at}/instanceType"),
                "is mixed, and there is no `instancesDistribution`",
                hint,
            );
        }
        return;
    };
    if group.base.instance_type.as_deref().is_some_and(|name| name != "mixed") {
        let hint = "take it out, or write `mixed`";
        findings.wrong(
            &format!("{at}/instanceType"),
            "contradicts `instancesDistribution.instanceTypes`",
            hint,
        );
    }
    let at = |field: &str| format!("{at}/instancesDistribution/{field}");
    // An Auto Scaling group takes 40 overrides.
    match mixed.instance_types.len() {
        0 => findings.wrong(&at("instanceTypes"), "may not be empty", "list instance types"),
        1..=40 => {}
        many => findings.wrong(
            &at("instanceTypes"),
            format!("has {many} types, and 40 are the most"),
            "take some out",
        ),
    }
    if let Some(strategy) = &mixed.spot_allocation_strategy {
        if !STRATEGIES.contains(&strategy.as_str()) {
            let hint = format!("there are {}", STRATEGIES.join(", "));
            findings.wrong(&at("spotAllocationStrategy"), "is no way to choose spot instances", hint);
        }
        if mixed.spot_instance_pools.is_some() && strategy != "lowest-price" {
            let hint = "take it out, or use lowest-price";
            findings.wrong(&at("spotInstancePools"), "counts with the strategy lowest-price only", hint);
        }
    }
    if mixed.max_price.is_some_and(|price| price <= 0.0) {
        findings.wrong(
            &at("maxPrice"),
            "has to be more than 0",
            "take it out, and the on-demand price is the most",
        );
    }
    if group.base.instance_market_options.is_some() {
        let hint = "keep one of them: EC2 takes no market options in a mixed group";
        findings.wrong(&at("instanceTypes"), "contradicts `instanceMarketOptions`", hint);
    }
}
