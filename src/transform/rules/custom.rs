//! Custom objects that mean the old cluster.

use super::super::edit::Weight;
use super::super::rule::Rule;
use super::super::work::Work;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "custom.karpenter",
        kinds: &[
            "Provisioner.karpenter.sh",
            "NodePool.karpenter.sh",
            "NodeClaim.karpenter.sh",
            "Machine.karpenter.sh",
            "AWSNodeTemplate.karpenter.k8s.aws",
            "EC2NodeClass.karpenter.k8s.aws",
        ],
        reason: "it names roles, subnets and images of the old cluster",
        source: "karpenter docs, EC2NodeClass",
        apply: karpenter,
    },
    Rule {
        id: "custom.target-group",
        kinds: &["TargetGroupBinding.elbv2.k8s.aws"],
        reason: "a target group of one cluster loses its targets to the controller of another one",
        source: "aws-load-balancer-controller docs/guide/targetgroupbinding/targetgroupbinding.md",
        apply: target_group,
    },
    Rule {
        id: "custom.iam-mapping",
        kinds: &["IAMIdentityMapping.iamauthenticator.k8s.aws"],
        reason: "access entries stand for it",
        source: "EKS CreateAccessEntry",
        apply: iam_mapping,
    },
];

fn karpenter(work: &mut Work<'_>) {
    if matches!(work.kind(), "NodeClaim" | "Machine") {
        return work.drop("Karpenter makes it for a node of the old cluster");
    }
    work.drop("it names roles, subnets and images of the old cluster: pools are planned anew from the instance groups");
}

fn target_group(work: &mut Work<'_>) {
    if !work.is_true("/spec/multiClusterTargetGroup") {
        work.offer(
            Weight::Choice,
            "/spec/targetGroupARN",
            "both clusters' controllers would register their own pods only, and take out the other's",
            &[
                ("own", "the target gets a target group of its own"),
                ("shared", "multiClusterTargetGroup on both sides: pods of both clusters are in it"),
            ],
        );
    }
}

fn iam_mapping(work: &mut Work<'_>) {
    work.drop("an access entry of EKS stands for it");
}
