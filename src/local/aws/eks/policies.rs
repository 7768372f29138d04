//! The service's access policies, and the scopes that they are associated with.

use super::error::ApiError;
use super::options::EksOptions;
use super::pattern::Pattern;
use super::state::texts;
use serde_json::{Value, json};

/// What ListAccessPolicies gives (seen in 2026).
pub const NAMES: &[&str] = &[
    "AIDevOpsAgentAccessPolicy",
    "AmazonAIOpsAssistantPolicy",
    "AmazonARCRegionSwitchScalingPolicy",
    "AmazonEKSACKPolicy",
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSArgoCDClusterPolicy",
    "AmazonEKSArgoCDPolicy",
    "AmazonEKSAutoNodePolicy",
    "AmazonEKSBlockStorageClusterPolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSComputeClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSEventPolicy",
    "AmazonEKSHybridPolicy",
    "AmazonEKSKROPolicy",
    "AmazonEKSLoadBalancingClusterPolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingClusterPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSPodIdentityPolicy",
    "AmazonEKSSecretAdminPolicy",
    "AmazonEKSSecretReaderPolicy",
    "AmazonEKSViewPolicy",
    "AmazonEMRJobPolicy",
    "AmazonSagemakerHyperpodClusterPolicy",
    "AmazonSagemakerHyperpodControllerPolicy",
    "AmazonSagemakerHyperpodSpacePolicy",
    "AmazonSagemakerHyperpodSpaceTemplatePolicy",
    "AmazonSagemakerHyperpodSystemNamespacePolicy",
    "AmazonSagemakerHyperpodUserClusterPolicy",
];

/// ARN of a policy.
#[must_use]
pub fn arn(options: &EksOptions, name: &str) -> String {
    format!("arn:{}:eks::aws:cluster-access-policy/{name}", options.partition())
}

/// Whether there is such a policy.
#[must_use]
pub fn exists(options: &EksOptions, policy: &str) -> bool {
    NAMES.iter().any(|name| arn(options, name) == policy)
}

/// The scope that is asked for, as described.
///
/// # Errors
/// `InvalidParameterException`: namespaces without their type, or the type without namespaces.
pub fn scope(asked: &Value) -> Result<Value, ApiError> {
    let namespaces = texts(asked, "namespaces");
    match asked["type"].as_str() {
        Some("cluster") if namespaces.is_empty() => Ok(json!({"type": "cluster", "namespaces": []})),
        Some("cluster") => Err(ApiError::parameter("accessScope: namespaces do not go with type cluster")),
        Some("namespace") if namespaces.is_empty() => {
            Err(ApiError::parameter("accessScope: type namespace needs at least one namespace"))
        }
        Some("namespace") => match namespaces.iter().find(|namespace| !is_namespace(namespace)) {
            Some(wrong) => {
                Err(ApiError::parameter(format!("accessScope: {wrong:?} is not a namespace's name")))
            }
            None => Ok(json!({"type": "namespace", "namespaces": namespaces})),
        },
        _ => Err(ApiError::parameter("accessScope has no type")),
    }
}

/// A name, with `*` at will: a scope may hold `team-*`.
fn is_namespace(text: &str) -> bool {
    Pattern::new("[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?").is_ok_and(|pattern| pattern.matches(text))
}
