//! The operations of EKS that Portolan calls, with every member of their inputs and answers.

#![allow(
    deprecated,
    reason = "the service still takes and gives what is deprecated, and nothing may be dropped"
)]

use super::json::{Members, ToAnswer};
use super::sent::{Sending, sent};
use crate::aws::misfit::Misfit;
use aws_sdk_eks::{Client, operation};
use serde_json::{Map, Value};

/// `Operation: client_method(members of the input) -> AnswerType(members of the answer);`
macro_rules! operations {
    ($($name:ident: $method:ident($($setter:ident)*) -> $answer:ident($($member:ident)*);)*) => {
        /// The operations that can be called, as the API reference names them.
        pub const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        $(impl ToAnswer for operation::$method::$answer {
            fn to_answer(&self) -> Option<Value> {
                #[allow(unused_mut, reason = "some answers have no members")]
                let mut members = Map::new();
                $(super::json::put(&mut members, stringify!($member), &self.$member);)*
                Some(Value::Object(members))
            }
        })*

        /// A request, ready to be sent. `None`: no such operation in the table.
        pub(super) fn prepare(
            client: &Client,
            operation: &str,
            input: &Value,
        ) -> Option<Result<Sending, Misfit>> {
            $(if operation == stringify!($name) {
                return Some(Members::of(input).and_then(|mut members| {
                    let request = client.$method();
                    $(let request = request.$setter(members.take(stringify!($setter))?);)*
                    members.finish()?;
                    let sending: Sending = Box::pin(async move { sent(request.send().await) });
                    Ok(sending)
                }));
            })*
            None
        }
    };
}

operations! {
    AssociateAccessPolicy: associate_access_policy(set_cluster_name set_principal_arn set_policy_arn
        set_access_scope) -> AssociateAccessPolicyOutput(cluster_name principal_arn
        associated_access_policy);
    AssociateEncryptionConfig: associate_encryption_config(set_cluster_name set_encryption_config
        set_client_request_token) -> AssociateEncryptionConfigOutput(update);
    AssociateIdentityProviderConfig: associate_identity_provider_config(set_cluster_name set_oidc
        set_tags set_client_request_token) -> AssociateIdentityProviderConfigOutput(update tags);
    CancelUpdate: cancel_update(set_name set_update_id set_client_request_token) ->
        CancelUpdateOutput(update);
    CreateAccessEntry: create_access_entry(set_cluster_name set_principal_arn set_kubernetes_groups
        set_tags set_client_request_token set_username set_type) ->
        CreateAccessEntryOutput(access_entry);
    CreateAddon: create_addon(set_cluster_name set_addon_name set_addon_version
        set_service_account_role_arn set_resolve_conflicts set_client_request_token set_tags
        set_configuration_values set_pod_identity_associations set_namespace_config) ->
        CreateAddonOutput(addon);
    CreateCluster: create_cluster(set_name set_version set_role_arn set_resources_vpc_config
        set_kubernetes_network_config set_logging set_client_request_token set_tags
        set_encryption_config set_outpost_config set_access_config set_bootstrap_self_managed_addons
        set_upgrade_policy set_zonal_shift_config set_remote_network_config set_compute_config
        set_storage_config set_deletion_protection set_control_plane_scaling_config
        set_kube_api_server_config set_kube_scheduler_config set_kube_controller_manager_config) ->
        CreateClusterOutput(cluster);
    CreateFargateProfile: create_fargate_profile(set_fargate_profile_name set_cluster_name
        set_pod_execution_role_arn set_subnets set_selectors set_client_request_token set_tags) ->
        CreateFargateProfileOutput(fargate_profile);
    CreateNodegroup: create_nodegroup(set_cluster_name set_nodegroup_name set_scaling_config
        set_disk_size set_subnets set_instance_types set_ami_type set_remote_access set_node_role
        set_labels set_taints set_tags set_client_request_token set_launch_template set_update_config
        set_node_repair_config set_capacity_type set_version set_release_version set_warm_pool_config)
        -> CreateNodegroupOutput(nodegroup);
    CreatePodIdentityAssociation: create_pod_identity_association(set_cluster_name set_namespace
        set_service_account set_role_arn set_client_request_token set_tags set_disable_session_tags
        set_target_role_arn set_policy) -> CreatePodIdentityAssociationOutput(association);
    DeleteAccessEntry: delete_access_entry(set_cluster_name set_principal_arn) ->
        DeleteAccessEntryOutput();
    DeleteAddon: delete_addon(set_cluster_name set_addon_name set_preserve) -> DeleteAddonOutput(addon);
    DeleteCluster: delete_cluster(set_name) -> DeleteClusterOutput(cluster);
    DeleteFargateProfile: delete_fargate_profile(set_cluster_name set_fargate_profile_name) ->
        DeleteFargateProfileOutput(fargate_profile);
    DeleteNodegroup: delete_nodegroup(set_cluster_name set_nodegroup_name) ->
        DeleteNodegroupOutput(nodegroup);
    DeletePodIdentityAssociation: delete_pod_identity_association(set_cluster_name set_association_id)
        -> DeletePodIdentityAssociationOutput(association);
    DescribeAccessEntry: describe_access_entry(set_cluster_name set_principal_arn) ->
        DescribeAccessEntryOutput(access_entry);
    DescribeAddon: describe_addon(set_cluster_name set_addon_name) -> DescribeAddonOutput(addon);
    DescribeAddonConfiguration: describe_addon_configuration(set_addon_name set_addon_version) ->
        DescribeAddonConfigurationOutput(addon_name addon_version configuration_schema
        pod_identity_configuration);
    DescribeAddonVersions: describe_addon_versions(set_kubernetes_version set_max_results set_next_token
        set_addon_name set_types set_publishers set_owners) -> DescribeAddonVersionsOutput(addons
        next_token);
    DescribeCluster: describe_cluster(set_name) -> DescribeClusterOutput(cluster);
    DescribeClusterVersions: describe_cluster_versions(set_cluster_type set_max_results set_next_token
        set_default_only set_include_all set_cluster_versions set_status set_version_status) ->
        DescribeClusterVersionsOutput(next_token cluster_versions);
    DescribeFargateProfile: describe_fargate_profile(set_cluster_name set_fargate_profile_name) ->
        DescribeFargateProfileOutput(fargate_profile);
    DescribeIdentityProviderConfig: describe_identity_provider_config(set_cluster_name
        set_identity_provider_config) -> DescribeIdentityProviderConfigOutput(identity_provider_config);
    DescribeInsight: describe_insight(set_cluster_name set_id) -> DescribeInsightOutput(insight);
    DescribeInsightsRefresh: describe_insights_refresh(set_cluster_name) ->
        DescribeInsightsRefreshOutput(message status started_at ended_at);
    DescribeNodegroup: describe_nodegroup(set_cluster_name set_nodegroup_name) ->
        DescribeNodegroupOutput(nodegroup);
    DescribePodIdentityAssociation: describe_pod_identity_association(set_cluster_name
        set_association_id) -> DescribePodIdentityAssociationOutput(association);
    DescribeUpdate: describe_update(set_name set_update_id set_nodegroup_name set_addon_name
        set_capability_name) -> DescribeUpdateOutput(update);
    DisassociateAccessPolicy: disassociate_access_policy(set_cluster_name set_principal_arn
        set_policy_arn) -> DisassociateAccessPolicyOutput();
    DisassociateIdentityProviderConfig: disassociate_identity_provider_config(set_cluster_name
        set_identity_provider_config set_client_request_token) ->
        DisassociateIdentityProviderConfigOutput(update);
    ListAccessEntries: list_access_entries(set_cluster_name set_associated_policy_arn set_max_results
        set_next_token) -> ListAccessEntriesOutput(access_entries next_token);
    ListAccessPolicies: list_access_policies(set_max_results set_next_token) ->
        ListAccessPoliciesOutput(access_policies next_token);
    ListAddons: list_addons(set_cluster_name set_max_results set_next_token) -> ListAddonsOutput(addons
        next_token);
    ListAssociatedAccessPolicies: list_associated_access_policies(set_cluster_name set_principal_arn
        set_max_results set_next_token) -> ListAssociatedAccessPoliciesOutput(cluster_name principal_arn
        next_token associated_access_policies);
    ListClusters: list_clusters(set_max_results set_next_token set_include) ->
        ListClustersOutput(clusters next_token);
    ListFargateProfiles: list_fargate_profiles(set_cluster_name set_max_results set_next_token) ->
        ListFargateProfilesOutput(fargate_profile_names next_token);
    ListIdentityProviderConfigs: list_identity_provider_configs(set_cluster_name set_max_results
        set_next_token) -> ListIdentityProviderConfigsOutput(identity_provider_configs next_token);
    ListInsights: list_insights(set_cluster_name set_filter set_max_results set_next_token) ->
        ListInsightsOutput(insights next_token);
    ListNodegroups: list_nodegroups(set_cluster_name set_max_results set_next_token) ->
        ListNodegroupsOutput(nodegroups next_token);
    ListPodIdentityAssociations: list_pod_identity_associations(set_cluster_name set_namespace
        set_service_account set_max_results set_next_token) ->
        ListPodIdentityAssociationsOutput(associations next_token);
    ListTagsForResource: list_tags_for_resource(set_resource_arn) -> ListTagsForResourceOutput(tags);
    ListUpdates: list_updates(set_name set_nodegroup_name set_addon_name set_capability_name
        set_next_token set_max_results) -> ListUpdatesOutput(update_ids next_token);
    StartInsightsRefresh: start_insights_refresh(set_cluster_name) -> StartInsightsRefreshOutput(message
        status);
    TagResource: tag_resource(set_resource_arn set_tags) -> TagResourceOutput();
    UntagResource: untag_resource(set_resource_arn set_tag_keys) -> UntagResourceOutput();
    UpdateAccessEntry: update_access_entry(set_cluster_name set_principal_arn set_kubernetes_groups
        set_client_request_token set_username) -> UpdateAccessEntryOutput(access_entry);
    UpdateAddon: update_addon(set_cluster_name set_addon_name set_addon_version
        set_service_account_role_arn set_resolve_conflicts set_client_request_token
        set_configuration_values set_pod_identity_associations) -> UpdateAddonOutput(update);
    UpdateClusterConfig: update_cluster_config(set_name set_resources_vpc_config set_logging
        set_client_request_token set_access_config set_upgrade_policy set_zonal_shift_config
        set_compute_config set_kubernetes_network_config set_storage_config set_remote_network_config
        set_deletion_protection set_control_plane_scaling_config set_kube_api_server_config
        set_kube_scheduler_config set_kube_controller_manager_config) ->
        UpdateClusterConfigOutput(update);
    UpdateClusterVersion: update_cluster_version(set_name set_version set_client_request_token set_force
        set_rollback_config) -> UpdateClusterVersionOutput(update);
    UpdateNodegroupConfig: update_nodegroup_config(set_cluster_name set_nodegroup_name set_labels
        set_taints set_scaling_config set_update_config set_node_repair_config set_warm_pool_config
        set_client_request_token) -> UpdateNodegroupConfigOutput(update);
    UpdateNodegroupVersion: update_nodegroup_version(set_cluster_name set_nodegroup_name set_version
        set_release_version set_launch_template set_force set_client_request_token) ->
        UpdateNodegroupVersionOutput(update);
    UpdatePodIdentityAssociation: update_pod_identity_association(set_cluster_name set_association_id
        set_role_arn set_client_request_token set_disable_session_tags set_target_role_arn set_policy)
        -> UpdatePodIdentityAssociationOutput(association);
}
