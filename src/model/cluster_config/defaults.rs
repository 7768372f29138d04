//! What holds where a file says nothing: eksctl's defaults, as a pure function.
//!
//! | field | default | whose |
//! |---|---|---|
//! | `vpc.cidr` of a new VPC | 192.168.0.0/16 | eksctl |
//! | `vpc.nat.gateway` of a new VPC | Single; Disable in a private cluster | eksctl |
//! | `vpc.clusterEndpoints` | public and not private; in a private cluster the other way round | eksctl |
//! | `kubernetesNetworkConfig.ipFamily` | IPv4 | EKS |
//! | `accessConfig.authenticationMode` | API_AND_CONFIG_MAP | eksctl |
//! | `accessConfig.bootstrapClusterCreatorAdminPermissions` | true | EKS |
//! | `addons` | vpc-cni, coredns, kube-proxy, metrics-server beside the listed ones; none where `addonsConfig.disableDefaultAddons`; with Auto Mode metrics-server only | eksctl |
//! | `upgradePolicy.supportType` | EXTENDED | EKS |
//! | `iam.withOIDC`, `iam.vpcResourceControllerPolicy` | false, true | eksctl |
//! | sizes of node groups | `minSize`, else `desiredCapacity`, else 2 | eksctl |
//! | `amiFamily`, `instanceType` | AmazonLinux2023, m5.large | eksctl |
//! | volumes | gp3 with 80 GiB, 3000 operations and 125 MiB a second | eksctl |
//! | `disableIMDSv1` | true | eksctl |
//! | `privateNetworking` | false; true in a private cluster | eksctl |
//!
//! Not filled in are choices of the moment, which a plan makes from what it finds: `metadata.version`, zones, AMI
//! releases, add-on versions.

use super::rules::NEWEST_AMI;
use super::{
    AccessConfig, AccessEntry, Addon, AddonsConfig, AuthenticationMode, AutoModeConfig, ClusterConfig,
    ClusterEndpoints, ClusterIam, ClusterNat, ClusterVpc, IpFamily, KubernetesNetworkConfig,
    ManagedNodeGroup, NatGateway, NodeGroup, NodeGroupBase, NodeGroupSecurityGroups, PodIdentityAssociation,
    SupportType, UpgradePolicy, VolumeMapping, VolumeType,
};

/// Addresses of a new VPC.
pub const VPC_CIDR: &str = "192.168.0.0/16";
/// Instance type of nodes.
pub const INSTANCE_TYPE: &str = "m5.large";
/// Nodes of a group.
pub const NODES: u32 = 2;
/// GiB of a node's root volume.
pub const VOLUME_SIZE: u32 = 80;
/// Add-ons that every cluster has, in the order of their installation.
pub const ADDONS: [&str; 4] = ["vpc-cni", "kube-proxy", "coredns", "metrics-server"];
/// Node pools of Auto Mode.
pub const NODE_POOLS: [&str; 2] = ["general-purpose", "system"];

/// The config with everything filled in that does not depend on what AWS has at the moment. Fills in nothing that is
/// written, and changes nothing when called again.
#[must_use]
pub fn with_defaults(mut config: ClusterConfig) -> ClusterConfig {
    let private = config.private_cluster.as_ref().is_some_and(|private| private.enabled == Some(true));
    let auto = config.auto_mode_config.as_ref().is_some_and(|auto| auto.enabled == Some(true));
    let network = config.kubernetes_network_config.get_or_insert_with(KubernetesNetworkConfig::default);
    network.ip_family.get_or_insert(IpFamily::IPv4);
    vpc(config.vpc.get_or_insert_with(ClusterVpc::default), private);
    access(config.access_config.get_or_insert_with(AccessConfig::default));
    iam(config.iam.get_or_insert_with(ClusterIam::default));
    config
        .upgrade_policy
        .get_or_insert_with(UpgradePolicy::default)
        .support_type
        .get_or_insert(SupportType::Extended);
    if let Some(auto) = config.auto_mode_config.as_mut() {
        auto_mode(auto);
    }
    addons(&mut config, auto);
    for ManagedNodeGroup { base, instance_types, spot, launch_template, .. } in
        &mut config.managed_node_groups
    {
        spot.get_or_insert(false);
        let template = launch_template.is_some();
        sizes(base, 1);
        node(base, private, template);
        // An existing template may name the type; EKS refuses it in two places.
        if base.instance_type.is_none() && instance_types.is_empty() && !template {
            base.instance_type = Some(INSTANCE_TYPE.to_owned());
        }
    }
    for group in &mut config.node_groups {
        own(group, private);
    }
    config
}

fn vpc(vpc: &mut ClusterVpc, private: bool) {
    let endpoints = vpc.cluster_endpoints.get_or_insert_with(ClusterEndpoints::default);
    endpoints.public_access.get_or_insert(!private);
    endpoints.private_access.get_or_insert(private);
    vpc.manage_shared_node_security_group_rules.get_or_insert(true);
    vpc.control_plane_on_private_subnets.get_or_insert(false);
    let by_subnet = vpc.subnets.as_ref().is_some_and(|subnets| {
        subnets.public.values().chain(subnets.private.values()).any(|subnet| subnet.id.is_some())
    });
    if vpc.id.is_none() && !by_subnet {
        vpc.cidr.get_or_insert_with(|| VPC_CIDR.to_owned());
        // IPv6 clusters too: their nodes pull images over IPv4.
        let gateway = if private { NatGateway::Disable } else { NatGateway::Single };
        vpc.nat.get_or_insert_with(ClusterNat::default).gateway.get_or_insert(gateway);
    }
}

fn access(access: &mut AccessConfig) {
    access.authentication_mode.get_or_insert(AuthenticationMode::ApiAndConfigMap);
    access.bootstrap_cluster_creator_admin_permissions.get_or_insert(true);
    for AccessEntry { entry_type, .. } in &mut access.access_entries {
        entry_type.get_or_insert_with(|| "STANDARD".to_owned());
    }
}

fn iam(iam: &mut ClusterIam) {
    iam.with_oidc.get_or_insert(false);
    iam.vpc_resource_controller_policy.get_or_insert(true);
    for account in &mut iam.service_accounts {
        account.metadata.namespace.get_or_insert_with(|| "default".to_owned());
        account.role_only.get_or_insert(false);
    }
    iam.pod_identity_associations.iter_mut().for_each(association);
}

fn association(association: &mut PodIdentityAssociation) {
    association.create_service_account.get_or_insert(false);
    association.disable_session_tags.get_or_insert(false);
}

fn auto_mode(auto: &mut AutoModeConfig) {
    let enabled = *auto.enabled.get_or_insert(false);
    if enabled {
        auto.node_pools.get_or_insert_with(|| NODE_POOLS.map(str::to_owned).to_vec());
    }
}

fn addons(config: &mut ClusterConfig, auto: bool) {
    let settings = config.addons_config.get_or_insert_with(AddonsConfig::default);
    let none = *settings.disable_default_addons.get_or_insert(false);
    settings.auto_apply_pod_identity_associations.get_or_insert(false);
    // Auto Mode's nodes have network, DNS and proxy built in.
    let wanted = ADDONS.into_iter().filter(|name| !none && (!auto || *name == "metrics-server"));
    for name in wanted {
        if !config.addons.iter().any(|addon| addon.name == name) {
            config.addons.push(Addon { name: name.to_owned(), ..Addon::default() });
        }
    }
    for addon in &mut config.addons {
        // What is automatic goes to the add-ons that have such associations, and asks nothing of the others.
        addon.use_default_pod_identity_associations.get_or_insert(false);
        addon.pod_identity_associations.iter_mut().flatten().for_each(association);
    }
}

fn sizes(group: &mut NodeGroupBase, least_max: u32) {
    let min = *group.min_size.get_or_insert(group.desired_capacity.unwrap_or(NODES));
    let max = group.desired_capacity.unwrap_or(min).max(least_max);
    group.max_size.get_or_insert(max);
    group.desired_capacity.get_or_insert(min);
}

fn node(group: &mut NodeGroupBase, private: bool, template: bool) {
    group.private_networking.get_or_insert(private);
    if group.ami.as_deref().is_some_and(|ami| NEWEST_AMI.contains(&ami)) {
        group.ami = None;
    }
    if template {
        return;
    }
    group.ami_family.get_or_insert_default();
    group.disable_imdsv1.get_or_insert(true);
    group.disable_pod_imds.get_or_insert(false);
    let of_type = *group.volume_type.get_or_insert(VolumeType::Gp3);
    group.volume_size.get_or_insert(VOLUME_SIZE);
    speed(of_type, &mut group.volume_iops, &mut group.volume_throughput);
    for VolumeMapping { volume_type, volume_size, volume_iops, volume_throughput, snapshot_id, .. } in
        &mut group.additional_volumes
    {
        let of_type = *volume_type.get_or_insert(VolumeType::Gp3);
        if snapshot_id.is_none() {
            volume_size.get_or_insert(VOLUME_SIZE);
        }
        speed(of_type, volume_iops, volume_throughput);
    }
}

/// What EC2 gives such a volume where nothing is said, and eksctl writes out.
fn speed(of_type: VolumeType, iops: &mut Option<u32>, throughput: &mut Option<u32>) {
    match of_type {
        VolumeType::Gp3 => {
            iops.get_or_insert(3000);
            throughput.get_or_insert(125);
        }
        VolumeType::Io1 => {
            iops.get_or_insert(100);
        }
        VolumeType::Gp2 | VolumeType::Io2 | VolumeType::Sc1 | VolumeType::St1 => {}
    }
}

fn own(group: &mut NodeGroup, private: bool) {
    sizes(&mut group.base, 0);
    node(&mut group.base, private, false);
    match &mut group.instances_distribution {
        Some(mixed) => {
            // `mixed` is eksctl's word for "see instancesDistribution".
            group.base.instance_type = None;
            mixed.on_demand_base_capacity.get_or_insert(0);
            mixed.on_demand_percentage_above_base_capacity.get_or_insert(100);
            mixed.capacity_rebalance.get_or_insert(false);
        }
        None => {
            group.base.instance_type.get_or_insert_with(|| INSTANCE_TYPE.to_owned());
        }
    }
    let groups = group.base.security_groups.get_or_insert_with(NodeGroupSecurityGroups::default);
    groups.with_shared.get_or_insert(true);
    groups.with_local.get_or_insert(true);
    group.propagate_asg_tags.get_or_insert(false);
}
