//! The structures within inputs, with every member.

#![allow(
    deprecated,
    reason = "the service still takes and gives what is deprecated, and nothing may be dropped"
)]

use super::json::{Built, FromInput, Members};
use crate::aws::misfit::Misfit;
use aws_sdk_eks::error::BuildError;
use aws_sdk_eks::types;
use serde_json::Value;

/// `Structure: setters of its members;`
macro_rules! inputs {
    ($($shape:ident: $($setter:ident)*;)*) => {
        $(
            impl FromInput for types::$shape {
                fn from_input(value: &Value) -> Result<Self, Misfit> {
                    let mut members = Members::of(value)?;
                    let builder = types::$shape::builder();
                    $(let builder = builder.$setter(members.take(stringify!($setter))?);)*
                    members.finish()?;
                    Built::built(builder.build())
                }
            }

            impl Built<types::$shape> for types::$shape {
                fn built(self) -> Result<types::$shape, Misfit> {
                    Ok(self)
                }
            }

            impl Built<types::$shape> for Result<types::$shape, BuildError> {
                fn built(self) -> Result<types::$shape, Misfit> {
                    self.map_err(|error| Misfit::new(error.to_string()))
                }
            }
        )*
    };
}

inputs! {
    AccessScope: set_type set_namespaces;
    AddonNamespaceConfigRequest: set_namespace;
    AddonPodIdentityAssociations: set_service_account set_role_arn;
    BlockStorage: set_enabled;
    ComputeConfigRequest: set_enabled set_node_pools set_node_role_arn;
    ControlPlanePlacementRequest: set_group_name set_spread_level;
    ControlPlaneScalingConfig: set_tier;
    CrdManagementConfiguration: set_managed;
    CreateAccessConfigRequest: set_bootstrap_cluster_creator_admin_permissions set_authentication_mode;
    ElasticLoadBalancing: set_enabled set_gateway_api;
    EncryptionConfig: set_resources set_provider;
    EtcdPlacementRequest: set_spread_level;
    FargateProfileSelector: set_namespace set_labels;
    GatewayApiConfiguration: set_crds;
    HorizontalPodAutoscalerControllerConfigRequest: set_horizontal_pod_autoscaler_sync_period;
    IdentityProviderConfig: set_type set_name;
    InsightsFilter: set_categories set_kubernetes_versions set_statuses;
    KubeApiServerConfigRequest: set_event_ttl set_service_node_port_range;
    KubeControllerManagerConfigRequest: set_pod_gc_controller_config
        set_horizontal_pod_autoscaler_controller_config;
    KubeSchedulerConfigRequest: set_node_resources_fit;
    KubernetesNetworkConfigRequest: set_service_ipv4_cidr set_ip_family set_elastic_load_balancing;
    LaunchTemplateSpecification: set_name set_version set_id;
    LogSetup: set_types set_enabled;
    Logging: set_cluster_logging;
    NodeRepairConfig: set_enabled set_max_unhealthy_node_threshold_count
        set_max_unhealthy_node_threshold_percentage set_max_parallel_nodes_repaired_count
        set_max_parallel_nodes_repaired_percentage set_node_repair_config_overrides;
    NodeRepairConfigOverrides: set_node_monitoring_condition set_node_unhealthy_reason
        set_min_repair_wait_time_mins set_repair_action;
    NodeResourcesFitConfig: set_scoring_strategy;
    NodegroupScalingConfig: set_min_size set_max_size set_desired_size;
    NodegroupUpdateConfig: set_max_unavailable set_max_unavailable_percentage set_update_strategy;
    OidcIdentityProviderConfigRequest: set_identity_provider_config_name set_issuer_url set_client_id
        set_username_claim set_username_prefix set_groups_claim set_groups_prefix set_required_claims;
    OutpostConfigRequest: set_outpost_arns set_control_plane_instance_type set_control_plane_placement
        set_etcd_instance_type set_etcd_placement;
    PodGcControllerConfigRequest: set_terminated_pod_gc_threshold;
    Provider: set_key_arn;
    RemoteAccessConfig: set_ec2_ssh_key set_source_security_groups;
    RemoteNetworkConfigRequest: set_remote_node_networks set_remote_pod_networks;
    RemoteNodeNetwork: set_cidrs;
    RemotePodNetwork: set_cidrs;
    ResourceWeight: set_name set_weight;
    RollbackConfig: set_timeout_minutes;
    ScoringStrategy: set_type set_resources;
    ServiceNodePortRange: set_min_port set_max_port;
    StorageConfigRequest: set_block_storage;
    Taint: set_key set_value set_effect;
    UpdateAccessConfigRequest: set_authentication_mode;
    UpdateLabelsPayload: set_add_or_update_labels set_remove_labels;
    UpdateTaintsPayload: set_add_or_update_taints set_remove_taints;
    UpgradePolicyRequest: set_support_type;
    VpcConfigRequest: set_subnet_ids set_security_group_ids set_endpoint_public_access
        set_endpoint_private_access set_public_access_cidrs set_control_plane_egress_mode;
    WarmPoolConfig: set_enabled set_min_size set_max_group_prepared_capacity set_pool_state
        set_reuse_on_scale_in;
    ZonalShiftConfigRequest: set_enabled;
}
