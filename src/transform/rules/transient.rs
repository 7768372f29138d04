//! Kinds that say something of one cluster at one moment, and nothing of another.

use super::super::rule::Rule;
use super::super::work::Work;

/// See the module.
pub const RULES: &[Rule] = &[Rule {
    id: "kind.of-one-cluster",
    kinds: &[
        "Binding",
        "CertificateSigningRequest.certificates.k8s.io",
        "ComponentStatus",
        "CSINode.storage.k8s.io",
        "CSIStorageCapacity.storage.k8s.io",
        "Event",
        "Event.events.k8s.io",
        "LocalSubjectAccessReview.authorization.k8s.io",
        "Node",
        "NodeMetrics.metrics.k8s.io",
        "PodMetrics.metrics.k8s.io",
        "SelfSubjectAccessReview.authorization.k8s.io",
        "SelfSubjectReview.authentication.k8s.io",
        "SelfSubjectRulesReview.authorization.k8s.io",
        "SubjectAccessReview.authorization.k8s.io",
        "TokenReview.authentication.k8s.io",
        "VolumeAttachment.storage.k8s.io",
    ],
    reason: "it is a question, a measurement or a fact of the old cluster's own",
    source: "velero pkg/restore/restore.go, nonRestorableResources; Kubernetes API reference",
    apply: stays,
}];

fn stays(work: &mut Work<'_>) {
    let why = match work.kind() {
        "CertificateSigningRequest" => "the old cluster's authority signs it, and EKS has another one",
        "VolumeAttachment" => "the controllers of the target attach volumes to nodes of their own",
        "Node" | "CSINode" | "CSIStorageCapacity" => "the new cluster has nodes of its own",
        "Binding" => "a scheduler asked once for a place, and was answered",
        kind if kind.ends_with("Review") => "it is a question to the API server, which keeps none",
        _ => "it tells what was the case in the old cluster",
    };
    work.drop(why);
}
