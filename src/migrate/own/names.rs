//! Identities that stay the same whichever API group served an object.

use crate::model::ResourceId;
use serde_json::Value;

/// Kinds of Kubernetes and of kops' add-ons that have no namespace. Manifests of old add-ons give some of them one.
const CLUSTER_SCOPED: &[(&str, &str)] = &[
    ("", "ComponentStatus"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("elbv2.k8s.aws", "IngressClassParams"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("iamauthenticator.k8s.aws", "IAMIdentityMapping"),
    ("karpenter.k8s.aws", "AWSNodeTemplate"),
    ("karpenter.k8s.aws", "EC2NodeClass"),
    ("karpenter.sh", "NodePool"),
    ("karpenter.sh", "Provisioner"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
];

/// Kinds that `extensions` had, and where they live now (removed in Kubernetes 1.16 and 1.22).
const FROM_EXTENSIONS: &[(&str, &str)] = &[
    ("DaemonSet", "apps"),
    ("Deployment", "apps"),
    ("ReplicaSet", "apps"),
    ("Ingress", "networking.k8s.io"),
    ("NetworkPolicy", "networking.k8s.io"),
    ("PodSecurityPolicy", "policy"),
];

/// The group that a kind lives in today.
pub(super) fn settled_group<'a>(group: &'a str, kind: &str) -> &'a str {
    match group {
        "extensions" => FROM_EXTENSIONS.iter().find(|(moved, _)| *moved == kind).map_or(group, |(_, to)| to),
        "events.k8s.io" => "",
        _ => group,
    }
}

/// An identity as it is compared: today's group, and no namespace for what has none.
pub(super) fn settled(id: &ResourceId) -> ResourceId {
    let group = settled_group(&id.group, &id.kind);
    let namespace = id.namespace.as_deref().filter(|_| !is_cluster_scoped(group, &id.kind));
    ResourceId::new(group, &id.kind, namespace.unwrap_or_default(), &id.name)
}

/// The identity that a manifest's object has once it is applied: `kubectl apply` puts what names no namespace into
/// `default`.
pub(super) fn applied(id: &ResourceId) -> ResourceId {
    let mut id = settled(id);
    if id.namespace.is_none() && !is_cluster_scoped(&id.group, &id.kind) {
        id.namespace = Some("default".into());
    }
    id
}

pub(super) fn is_cluster_scoped(group: &str, kind: &str) -> bool {
    CLUSTER_SCOPED.contains(&(group, kind))
}

/// Every value that stands under a key, however deep.
pub(super) fn values_under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if name == key {
                    found.push(inner);
                }
                values_under(inner, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values_under(item, key, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_outlives_its_api_group() {
        let old = ResourceId::new("extensions", "Deployment", "kube-system", "dns-controller");
        assert_eq!(settled(&old), ResourceId::new("apps", "Deployment", "kube-system", "dns-controller"));
        let crd = ResourceId::new("extensions", "Widget", "a", "b");
        assert_eq!(settled(&crd), crd);
    }

    #[test]
    fn old_manifests_gave_cluster_roles_a_namespace() {
        let role = ResourceId::new("rbac.authorization.k8s.io", "ClusterRole", "kube-system", "weave-net");
        assert_eq!(applied(&role).namespace, None);
        assert_eq!(applied(&ResourceId::new("", "Service", "", "a")).namespace.as_deref(), Some("default"));
    }
}
