//! The structures within answers, with every member.

#![allow(
    deprecated,
    reason = "the service still takes and gives what is deprecated, and nothing may be dropped"
)]

use super::json::{ToAnswer, put};
use aws_sdk_eks::types;
use serde_json::{Map, Value};

/// `Structure: its members;`
macro_rules! answers {
    ($($shape:ident: $($member:ident)*;)*) => {
        $(impl ToAnswer for types::$shape {
            fn to_answer(&self) -> Option<Value> {
                let mut members = Map::new();
                $(put(&mut members, stringify!($member), &self.$member);)*
                Some(Value::Object(members))
            }
        })*
    };
}

answers! {
    AccessConfigResponse: bootstrap_cluster_creator_admin_permissions authentication_mode;
    AccessEntry: cluster_name principal_arn kubernetes_groups access_entry_arn created_at modified_at
        tags username r#type;
    AccessPolicy: name arn;
    AccessScope: r#type namespaces;
    ActiveCertificateAuthority: id activated_by;
    Addon: addon_name cluster_name status addon_version health addon_arn created_at modified_at
        service_account_role_arn tags publisher owner marketplace_information configuration_values
        pod_identity_associations namespace_config;
    AddonCompatibilityDetail: name compatible_versions;
    AddonHealth: issues;
    AddonInfo: addon_name r#type addon_versions publisher owner marketplace_information
        default_namespace;
    AddonIssue: code message resource_ids;
    AddonNamespaceConfigResponse: namespace;
    AddonPodIdentityConfiguration: service_account recommended_managed_policies;
    AddonVersionInfo: addon_version architecture compute_types compatibilities requires_configuration
        requires_iam_permissions;
    AllowedValuesConstraint: allowed_values;
    AssociatedAccessPolicy: policy_arn access_scope associated_at modified_at;
    AutoScalingGroup: name;
    BlockStorage: enabled;
    Cancellation: status reason;
    Certificate: data active;
    ClientStat: user_agent number_of_requests_last30_days last_request_time;
    Cluster: name arn created_at version endpoint role_arn resources_vpc_config
        kubernetes_network_config logging identity status certificate_authority client_request_token
        platform_version tags encryption_config connector_config id health outpost_config access_config
        upgrade_policy zonal_shift_config remote_network_config compute_config storage_config
        deletion_protection control_plane_scaling_config kube_api_server_config kube_scheduler_config
        kube_controller_manager_config;
    ClusterHealth: issues;
    ClusterIssue: code message resource_ids;
    ClusterVersionInformation: cluster_version cluster_type default_platform_version default_version
        release_date end_of_standard_support_date end_of_extended_support_date status version_status
        kubernetes_patch_version control_plane_scaling_tiers control_plane_component_config;
    Compatibility: cluster_version platform_versions default_version;
    ComputeConfigResponse: enabled node_pools node_role_arn;
    ConnectorConfigResponse: activation_id activation_code activation_expiry provider role_arn;
    ControlPlaneConfigInfo: kube_api_server_config kube_scheduler_config kube_controller_manager_config;
    ControlPlanePlacementResponse: group_name spread_level;
    ControlPlaneScalingConfig: tier;
    ControlPlaneScalingTierInfo: tier_name api_request_concurrency pod_scheduling_rate_per_second
        cluster_database_size_gb control_plane_component_config_overrides;
    CrdManagementConfiguration: managed;
    DeprecationDetail: usage replaced_with stop_serving_version start_serving_replacement_version
        client_stats;
    DurationConstraints: min max;
    DurationParameterConfig: default_value constraints;
    ElasticLoadBalancing: enabled gateway_api;
    EncryptionConfig: resources provider;
    ErrorDetail: error_code error_message resource_ids;
    EtcdPlacementResponse: spread_level;
    FargateProfile: fargate_profile_name fargate_profile_arn cluster_name created_at
        pod_execution_role_arn subnets selectors status tags health;
    FargateProfileHealth: issues;
    FargateProfileIssue: code message resource_ids;
    FargateProfileSelector: namespace labels;
    GatewayApiConfiguration: crds;
    HorizontalPodAutoscalerControllerConfigResponse: horizontal_pod_autoscaler_sync_period;
    HorizontalPodAutoscalerControllerVersionConfig: horizontal_pod_autoscaler_sync_period;
    Identity: oidc;
    IdentityProviderConfig: r#type name;
    IdentityProviderConfigResponse: oidc;
    Insight: id name category kubernetes_version last_refresh_time last_transition_time description
        insight_status recommendation additional_info resources category_specific_summary;
    InsightCategorySpecificSummary: deprecation_details addon_compatibility_details;
    InsightResourceDetail: insight_status kubernetes_resource_uri arn;
    InsightStatus: status reason;
    InsightSummary: id name category kubernetes_version last_refresh_time last_transition_time
        description insight_status;
    IntegerConstraints: min max;
    IntegerParameterConfig: default_value constraints;
    IntegerRangeConstraint: min max;
    Issue: code message resource_ids;
    KubeApiServerConfigResponse: event_ttl service_node_port_range;
    KubeApiServerVersionConfig: event_ttl service_node_port_range;
    KubeControllerManagerConfigResponse: pod_gc_controller_config
        horizontal_pod_autoscaler_controller_config;
    KubeControllerManagerVersionConfig: pod_gc_controller_config
        horizontal_pod_autoscaler_controller_config;
    KubeSchedulerConfigResponse: node_resources_fit;
    KubeSchedulerVersionConfig: node_resources_fit;
    KubernetesNetworkConfigResponse: service_ipv4_cidr service_ipv6_cidr ip_family
        elastic_load_balancing;
    LaunchTemplateSpecification: name version id;
    LogSetup: types enabled;
    Logging: cluster_logging;
    MarketplaceInformation: product_id product_url;
    NodeRepairConfig: enabled max_unhealthy_node_threshold_count max_unhealthy_node_threshold_percentage
        max_parallel_nodes_repaired_count max_parallel_nodes_repaired_percentage
        node_repair_config_overrides;
    NodeRepairConfigOverrides: node_monitoring_condition node_unhealthy_reason min_repair_wait_time_mins
        repair_action;
    NodeResourcesFitConfig: scoring_strategy;
    NodeResourcesFitVersionConfig: scoring_strategy;
    Nodegroup: nodegroup_name nodegroup_arn cluster_name version release_version created_at modified_at
        status capacity_type scaling_config instance_types subnets remote_access ami_type node_role
        labels taints resources disk_size health update_config node_repair_config launch_template tags
        warm_pool_config;
    NodegroupHealth: issues;
    NodegroupResources: auto_scaling_groups remote_access_security_group;
    NodegroupScalingConfig: min_size max_size desired_size;
    NodegroupUpdateConfig: max_unavailable max_unavailable_percentage update_strategy;
    Oidc: issuer;
    OidcIdentityProviderConfig: identity_provider_config_name identity_provider_config_arn cluster_name
        issuer_url client_id username_claim username_prefix groups_claim groups_prefix required_claims
        tags status;
    OutpostConfigResponse: outpost_arns control_plane_instance_type control_plane_placement
        etcd_instance_type etcd_placement;
    PodGcControllerConfigResponse: terminated_pod_gc_threshold;
    PodGcControllerVersionConfig: terminated_pod_gc_threshold;
    PodIdentityAssociation: cluster_name namespace service_account role_arn association_arn
        association_id tags created_at modified_at owner_arn disable_session_tags target_role_arn
        external_id policy;
    PodIdentityAssociationSummary: cluster_name namespace service_account association_arn association_id
        owner_arn;
    PortRangeConstraints: min_port max_port;
    PortRangeParameterConfig: default_value constraints;
    Provider: key_arn;
    RemoteAccessConfig: ec2_ssh_key source_security_groups;
    RemoteNetworkConfigResponse: remote_node_networks remote_pod_networks;
    RemoteNodeNetwork: cidrs;
    RemotePodNetwork: cidrs;
    ResourceConstraints: name weight;
    ResourceWeight: name weight;
    ScoringStrategy: r#type resources;
    ScoringStrategyConfig: default_value constraints;
    ScoringStrategyConstraints: scoring_strategy resources;
    ServiceNodePortRange: min_port max_port;
    StorageConfigResponse: block_storage;
    Taint: key value effect;
    Update: id status r#type params created_at errors cancellation;
    UpdateParam: r#type value;
    UpgradePolicyResponse: support_type;
    VpcConfigResponse: subnet_ids security_group_ids cluster_security_group_id vpc_id
        endpoint_public_access endpoint_private_access public_access_cidrs control_plane_egress_mode;
    WarmPoolConfig: enabled min_size max_group_prepared_capacity pool_state reuse_on_scale_in;
    ZonalShiftConfigResponse: enabled;
}
