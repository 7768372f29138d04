//! What well-known controllers may do, each as its own project documents it.

use super::document::{allow, allow_if, document};
use crate::provision::resource::Scope;
use serde_json::{Value, json};

fn arn(scope: &Scope, rest: &str) -> String {
    format!("arn:{}:{rest}", scope.partition)
}

/// Cluster Autoscaler: reads everywhere, changes sizes of groups.
#[must_use]
pub fn auto_scaler() -> Value {
    let reads = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
        "eks:DescribeNodegroup",
    ];
    let writes = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"];
    document(vec![allow(&reads, "*"), allow(&writes, "*")])
}

/// cert-manager's DNS-01 solver with Route 53.
#[must_use]
pub fn cert_manager(scope: &Scope) -> Value {
    document(vec![
        allow(&["route53:GetChange"], &arn(scope, "route53:::change/*")),
        allow(&["route53:ChangeResourceRecordSets"], &arn(scope, "route53:::hostedzone/*")),
        allow(&["route53:ListHostedZonesByName", "route53:ListResourceRecordSets"], "*"),
    ])
}

/// ExternalDNS with Route 53.
#[must_use]
pub fn external_dns(scope: &Scope) -> Value {
    let reads = [
        "route53:ListHostedZones",
        "route53:ListResourceRecordSets",
        "route53:ListTagsForResource",
        "route53:ListTagsForResources",
    ];
    document(vec![
        allow(&["route53:ChangeResourceRecordSets"], &arn(scope, "route53:::hostedzone/*")),
        allow(&reads, "*"),
    ])
}

/// EFS CSI driver: it makes and deletes access points that carry its tag.
#[must_use]
pub fn efs_csi() -> Value {
    let tagged = |at: &str| json!({"StringLike": {format!("aws:{at}/efs.csi.aws.com/cluster"): "true"}});
    let reads = [
        "ec2:DescribeAvailabilityZones",
        "elasticfilesystem:DescribeAccessPoints",
        "elasticfilesystem:DescribeFileSystems",
        "elasticfilesystem:DescribeMountTargets",
    ];
    document(vec![
        allow(&reads, "*"),
        allow_if(
            &["elasticfilesystem:CreateAccessPoint", "elasticfilesystem:TagResource"],
            json!("*"),
            tagged("RequestTag"),
        ),
        allow_if(&["elasticfilesystem:DeleteAccessPoint"], json!("*"), tagged("ResourceTag")),
    ])
}

/// FSx CSI driver.
#[must_use]
pub fn fsx(scope: &Scope) -> Value {
    let linked = ["iam:AttachRolePolicy", "iam:CreateServiceLinkedRole", "iam:PutRolePolicy"];
    document(vec![allow(&["fsx:*"], "*"), allow(&linked, &arn(scope, "iam::*:role/aws-service-role/*"))])
}

/// EFS by the node's role: mounts, and the network interfaces of mount targets.
#[must_use]
pub fn efs_of_nodes() -> Value {
    let interfaces = [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaceAttribute",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:ModifyNetworkInterfaceAttribute",
    ];
    document(vec![allow(&["elasticfilesystem:*"], "*"), allow(&interfaces, "*")])
}

/// X-Ray daemon.
#[must_use]
pub fn x_ray() -> Value {
    let actions = [
        "xray:GetSamplingRules",
        "xray:GetSamplingStatisticSummaries",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ];
    document(vec![allow(&actions, "*")])
}

/// The VPC CNI in an IPv6 cluster: the managed policy has IPv4 only (VPC CNI, `docs/iam-policy.md`).
#[must_use]
pub fn cni_ipv6(scope: &Scope) -> Value {
    let actions = [
        "ec2:AssignIpv6Addresses",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
    ];
    document(vec![
        allow(&actions, "*"),
        allow(&["ec2:CreateTags"], &arn(scope, "ec2:*:*:network-interface/*")),
    ])
}

/// AWS Load Balancer Controller (its `docs/install/iam_policy.json`): what it makes carries its tag, and it changes only
/// what carries it.
#[must_use]
pub fn load_balancer_controller(scope: &Scope) -> Value {
    let groups = || json!(arn(scope, "ec2:*:*:security-group/*"));
    let on = |rests: &[&str]| -> Value {
        rests.iter().map(|rest| arn(scope, &format!("elasticloadbalancing:*:*:{rest}"))).collect()
    };
    let balancers = ["targetgroup/*/*", "loadbalancer/net/*/*", "loadbalancer/app/*/*"];
    let listeners =
        ["listener/net/*/*/*", "listener/app/*/*/*", "listener-rule/net/*/*/*", "listener-rule/app/*/*/*"];
    const REQUESTED: &str = "aws:RequestTag/elbv2.k8s.aws/cluster";
    const TAGGED: &str = "aws:ResourceTag/elbv2.k8s.aws/cluster";
    let requested = || json!({"Null": {REQUESTED: "false"}});
    let tagged = || json!({"Null": {TAGGED: "false"}});
    // Tags of its own things may change, the one that makes them its own may not.
    let keeps_tag = || json!({"Null": {REQUESTED: "true", TAGGED: "false"}});
    let created_by = |prefix: &str, operations: &[&str]| json!({"StringEquals": {format!("{prefix}:CreateAction"): operations}, "Null": {REQUESTED: "false"}});
    let retag = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"];
    document(vec![
        allow_if(
            &["iam:CreateServiceLinkedRole"],
            json!("*"),
            json!({"StringEquals": {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}}),
        ),
        allow(BALANCER_READS, "*"),
        allow(BALANCER_INTEGRATIONS, "*"),
        allow(
            &[
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:CreateSecurityGroup",
                "ec2:RevokeSecurityGroupIngress",
            ],
            "*",
        ),
        allow_if(&["ec2:CreateTags"], groups(), created_by("ec2", &["CreateSecurityGroup"])),
        allow_if(&["ec2:CreateTags", "ec2:DeleteTags"], groups(), keeps_tag()),
        allow_if(&["ec2:DeleteSecurityGroup"], json!("*"), tagged()),
        allow_if(
            &["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"],
            json!("*"),
            requested(),
        ),
        allow(BALANCER_RULES, "*"),
        allow_if(&retag, on(&balancers), keeps_tag()),
        json!({"Effect": "Allow", "Action": retag, "Resource": on(&listeners)}),
        allow_if(BALANCER_CHANGES, json!("*"), tagged()),
        allow_if(
            &["elasticloadbalancing:AddTags"],
            on(&balancers),
            created_by("elasticloadbalancing", &["CreateTargetGroup", "CreateLoadBalancer"]),
        ),
        json!({
            "Effect": "Allow",
            "Action": ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"],
            "Resource": on(&["targetgroup/*/*"]),
        }),
    ])
}

const BALANCER_READS: &[&str] = &[
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeCoipPools",
    "ec2:DescribeInstances",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeIpamPools",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVpcPeeringConnections",
    "ec2:DescribeVpcs",
    "ec2:GetCoipPoolUsage",
    "ec2:GetSecurityGroupsForVpc",
    "elasticloadbalancing:DescribeCapacityReservation",
    "elasticloadbalancing:DescribeListenerAttributes",
    "elasticloadbalancing:DescribeListenerCertificates",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeLoadBalancerAttributes",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeSSLPolicies",
    "elasticloadbalancing:DescribeTags",
    "elasticloadbalancing:DescribeTargetGroupAttributes",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "elasticloadbalancing:DescribeTrustStores",
];

/// Certificates, logins, firewalls.
const BALANCER_INTEGRATIONS: &[&str] = &[
    "acm:DescribeCertificate",
    "acm:ListCertificates",
    "cognito-idp:DescribeUserPoolClient",
    "iam:GetServerCertificate",
    "iam:ListServerCertificates",
    "shield:CreateProtection",
    "shield:DeleteProtection",
    "shield:DescribeProtection",
    "shield:GetSubscriptionState",
    "waf-regional:AssociateWebACL",
    "waf-regional:DisassociateWebACL",
    "waf-regional:GetWebACL",
    "waf-regional:GetWebACLForResource",
    "wafv2:AssociateWebACL",
    "wafv2:DisassociateWebACL",
    "wafv2:GetWebACL",
    "wafv2:GetWebACLForResource",
];

/// Listeners and rules, which carry no tag when they are made.
const BALANCER_RULES: &[&str] = &[
    "elasticloadbalancing:AddListenerCertificates",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateRule",
    "elasticloadbalancing:DeleteListener",
    "elasticloadbalancing:DeleteRule",
    "elasticloadbalancing:ModifyListener",
    "elasticloadbalancing:ModifyRule",
    "elasticloadbalancing:RemoveListenerCertificates",
    "elasticloadbalancing:SetRulePriorities",
    "elasticloadbalancing:SetWebAcl",
];

const BALANCER_CHANGES: &[&str] = &[
    "elasticloadbalancing:DeleteLoadBalancer",
    "elasticloadbalancing:DeleteTargetGroup",
    "elasticloadbalancing:ModifyCapacityReservation",
    "elasticloadbalancing:ModifyIpPools",
    "elasticloadbalancing:ModifyListenerAttributes",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
    "elasticloadbalancing:ModifyTargetGroup",
    "elasticloadbalancing:ModifyTargetGroupAttributes",
    "elasticloadbalancing:SetIpAddressType",
    "elasticloadbalancing:SetSecurityGroups",
    "elasticloadbalancing:SetSubnets",
];
