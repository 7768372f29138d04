//! Which function does an operation.

use super::error::ApiError;
use super::service::{Asked, Service};
use super::{
    absent, access, addons, catalogue, clusters, config, encryption, fargate, identity, insights, nodegroups,
    pods, resize, tags, updates, versions,
};
use serde_json::Value;
use std::sync::Arc;

/// Does an operation; none where this server does not do it.
pub async fn call(service: &Arc<Service>, asked: &Asked) -> Option<Result<Value, ApiError>> {
    Some(match asked.operation.as_str() {
        "CreateCluster" => clusters::create(service, asked).await,
        "DescribeCluster" => clusters::describe(service, asked),
        "ListClusters" => clusters::list(service, asked),
        "DeleteCluster" => clusters::delete(service, asked),
        "UpdateClusterConfig" => config::update(service, asked),
        "UpdateClusterVersion" => versions::update(service, asked),
        "DescribeClusterVersions" => versions::describe(service, asked),
        "AssociateEncryptionConfig" => encryption::associate(service, asked),
        "ListUpdates" => updates::list(service, asked),
        "DescribeUpdate" => updates::describe(service, asked),
        "CancelUpdate" => updates::cancel(service, asked),
        "CreateNodegroup" => nodegroups::create(service, asked).await,
        "DescribeNodegroup" => nodegroups::describe(service, asked).await,
        "ListNodegroups" => nodegroups::list(service, asked),
        "DeleteNodegroup" => nodegroups::delete(service, asked),
        "UpdateNodegroupConfig" => resize::update_config(service, asked),
        "UpdateNodegroupVersion" => resize::update_version(service, asked),
        "CreateFargateProfile" => fargate::create(service, asked),
        "DescribeFargateProfile" => fargate::describe(service, asked),
        "ListFargateProfiles" => fargate::list(service, asked),
        "DeleteFargateProfile" => fargate::delete(service, asked),
        "CreateAddon" => addons::create(service, asked),
        "DescribeAddon" => addons::describe(service, asked),
        "ListAddons" => addons::list(service, asked),
        "UpdateAddon" => addons::update(service, asked),
        "DeleteAddon" => addons::delete(service, asked),
        "DescribeAddonVersions" => catalogue::describe_versions(service, asked),
        "DescribeAddonConfiguration" => catalogue::describe_configuration(service, asked),
        "CreateAccessEntry" => access::create(service, asked),
        "DescribeAccessEntry" => access::describe(service, asked),
        "ListAccessEntries" => access::list(service, asked),
        "UpdateAccessEntry" => access::update(service, asked),
        "DeleteAccessEntry" => access::delete(service, asked),
        "AssociateAccessPolicy" => access::associate(service, asked),
        "DisassociateAccessPolicy" => access::disassociate(service, asked),
        "ListAssociatedAccessPolicies" => access::list_associated(service, asked),
        "ListAccessPolicies" => access::list_policies(service, asked),
        "CreatePodIdentityAssociation" => pods::create(service, asked),
        "DescribePodIdentityAssociation" => pods::describe(service, asked),
        "ListPodIdentityAssociations" => pods::list(service, asked),
        "UpdatePodIdentityAssociation" => pods::update(service, asked),
        "DeletePodIdentityAssociation" => pods::delete(service, asked),
        "AssociateIdentityProviderConfig" => identity::associate(service, asked),
        "DescribeIdentityProviderConfig" => identity::describe(service, asked),
        "ListIdentityProviderConfigs" => identity::list(service, asked),
        "DisassociateIdentityProviderConfig" => identity::disassociate(service, asked),
        "TagResource" => tags::tag(service, asked),
        "UntagResource" => tags::untag(service, asked),
        "ListTagsForResource" => tags::list(service, asked),
        "ListInsights" => insights::list(service, asked),
        "DescribeInsight" => insights::describe(service, asked),
        "StartInsightsRefresh" => insights::start_refresh(service, asked),
        "DescribeInsightsRefresh" => insights::describe_refresh(service, asked),
        _ => return absent::call(service, asked),
    })
}
