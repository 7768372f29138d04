//! Rows of IAM, access and add-ons.

use super::row::{MAPPING, Row, TEXT, TEXT_MAP, TEXTS, acted, refused};

pub(super) const IAM: &[Row] = &[
    acted("serviceRoleARN", "eks:CreateCluster roleArn").default("a new role"),
    acted("serviceRolePermissionsBoundary", "iam:CreateRole PermissionsBoundary of the cluster role"),
    acted("fargatePodExecutionRoleARN", "eks:CreateFargateProfile podExecutionRoleArn").default("a new role"),
    acted(
        "fargatePodExecutionRolePermissionsBoundary",
        "iam:CreateRole PermissionsBoundary of the Fargate role",
    ),
    acted("withOIDC", "iam:CreateOpenIDConnectProvider").default("false"),
    acted(
        "serviceAccounts",
        "iam:CreateRole that trusts the OIDC provider, and the ServiceAccount in the cluster, annotated with the role",
    ),
    acted("podIdentityAssociations", "eks:CreatePodIdentityAssociation"),
    acted(
        "vpcResourceControllerPolicy",
        "iam:AttachRolePolicy AmazonEKSVPCResourceController to the cluster role",
    )
    .default("true"),
];

pub(super) const SERVICE_ACCOUNT: &[Row] = &[
    acted("metadata", "the ServiceAccount, and whom the role trusts: namespace and name"),
    acted("attachPolicyARNs", "iam:AttachRolePolicy"),
    acted("attachPolicy", "iam:PutRolePolicy"),
    acted("wellKnownPolicies", "iam:PutRolePolicy, one for each"),
    acted("attachRoleARN", "the ServiceAccount's annotation eks.amazonaws.com/role-arn")
        .default("a new role"),
    acted("permissionsBoundary", "iam:CreateRole PermissionsBoundary"),
    acted("roleName", "iam:CreateRole RoleName").default("a name made of cluster, namespace and name"),
    acted("roleOnly", "no ServiceAccount is made").default("false"),
    acted("subjectPattern", "the role's trust policy: StringLike of the token's subject"),
    acted("tags", "iam:CreateRole Tags"),
    refused(
        "status",
        MAPPING,
        "eksctl writes it and never reads it",
        "take it out; `portolan cluster status` shows the role",
    )
    .with(&[("capabilities", TEXTS), ("roleARN", TEXT), ("stackName", TEXT), ("tags", TEXT_MAP)]),
];

pub(super) const SERVICE_ACCOUNT_META: &[Row] = &[
    acted("name", "the ServiceAccount's name"),
    acted("namespace", "the ServiceAccount's namespace").default("default"),
    acted("labels", "the ServiceAccount's labels"),
    acted("annotations", "the ServiceAccount's annotations, beside the role's"),
];

pub(super) const WELL_KNOWN: &[Row] = &[
    acted("autoScaler", "iam:PutRolePolicy: what the Cluster Autoscaler calls").default("false"),
    acted("awsLoadBalancerController", "iam:PutRolePolicy: what the controller calls").default("false"),
    acted("certManager", "iam:PutRolePolicy: Route 53 records").default("false"),
    acted("ebsCSIController", "iam:AttachRolePolicy or PutRolePolicy: volumes and snapshots")
        .default("false"),
    acted("efsCSIController", "iam:AttachRolePolicy or PutRolePolicy: access points").default("false"),
    acted("externalDNS", "iam:PutRolePolicy: Route 53 records").default("false"),
    acted("imageBuilder", "iam:AttachRolePolicy: pushing to ECR").default("false"),
];

pub(super) const POD_IDENTITY: &[Row] = &[
    acted("namespace", "eks:CreatePodIdentityAssociation namespace; an add-on has its own"),
    acted("serviceAccountName", "eks:CreatePodIdentityAssociation serviceAccount"),
    acted("createServiceAccount", "the ServiceAccount in the cluster, by server-side apply").default("false"),
    acted("roleARN", "eks:CreatePodIdentityAssociation roleArn").default("a new role"),
    acted("roleName", "iam:CreateRole RoleName").default("a name made of cluster, namespace and name"),
    acted("targetRoleARN", "eks:CreatePodIdentityAssociation targetRoleArn"),
    acted("permissionPolicyARNs", "iam:AttachRolePolicy"),
    acted("permissionPolicy", "iam:PutRolePolicy"),
    acted("permissionPolicyName", "iam:PutRolePolicy PolicyName"),
    acted("wellKnownPolicies", "iam:PutRolePolicy, one for each"),
    acted("permissionsBoundaryARN", "iam:CreateRole PermissionsBoundary"),
    acted("policy", "eks:CreatePodIdentityAssociation policy"),
    acted("disableSessionTags", "eks:CreatePodIdentityAssociation disableSessionTags").default("false"),
    acted("tags", "eks:CreatePodIdentityAssociation tags, and the role's"),
];

pub(super) const ACCESS_CONFIG: &[Row] = &[
    acted("authenticationMode", "eks:CreateCluster accessConfig.authenticationMode")
        .default("API_AND_CONFIG_MAP"),
    acted(
        "bootstrapClusterCreatorAdminPermissions",
        "eks:CreateCluster accessConfig.bootstrapClusterCreatorAdminPermissions",
    )
    .default("true"),
    acted("accessEntries", "eks:CreateAccessEntry, one for each"),
];

pub(super) const ACCESS_ENTRY: &[Row] = &[
    acted("principalARN", "eks:CreateAccessEntry principalArn"),
    acted("type", "eks:CreateAccessEntry type").default("STANDARD"),
    acted("kubernetesGroups", "eks:CreateAccessEntry kubernetesGroups"),
    acted("kubernetesUsername", "eks:CreateAccessEntry username").default("made of the ARN, by EKS"),
    acted("accessPolicies", "eks:AssociateAccessPolicy, one for each"),
];

pub(super) const ACCESS_POLICY: &[Row] = &[
    acted("policyARN", "eks:AssociateAccessPolicy policyArn"),
    acted("accessScope", "eks:AssociateAccessPolicy accessScope"),
];

pub(super) const ACCESS_SCOPE: &[Row] = &[
    acted("type", "eks:AssociateAccessPolicy accessScope.type"),
    acted("namespaces", "eks:AssociateAccessPolicy accessScope.namespaces"),
];

pub(super) const ADDONS_CONFIG: &[Row] = &[
    acted("disableDefaultAddons", "whether vpc-cni, coredns, kube-proxy and metrics-server are added")
        .default("false"),
    acted(
        "autoApplyPodIdentityAssociations",
        "eks:CreateAddon podIdentityAssociations as EKS recommends them",
    )
    .default("false"),
];

/// Why filters of a listing are refused.
const FILTER: (&str, &str) =
    ("it narrows a listing of eksctl's and says nothing about the cluster", "take it out");

pub(super) const ADDON: &[Row] = &[
    acted("name", "eks:CreateAddon addonName"),
    acted("version", "eks:CreateAddon addonVersion").default("EKS's default for the cluster's version"),
    acted("configurationValues", "eks:CreateAddon configurationValues, checked against the version's schema"),
    acted("resolveConflicts", "eks:CreateAddon resolveConflicts")
        .default("overwrite at creation, none afterwards"),
    acted("serviceAccountRoleARN", "eks:CreateAddon serviceAccountRoleArn"),
    acted("attachPolicyARNs", "iam:AttachRolePolicy to a new role"),
    acted("attachPolicy", "iam:PutRolePolicy of a new role"),
    acted("wellKnownPolicies", "iam:PutRolePolicy of a new role"),
    acted("permissionsBoundary", "iam:CreateRole PermissionsBoundary"),
    acted("podIdentityAssociations", "eks:CreateAddon podIdentityAssociations"),
    acted(
        "useDefaultPodIdentityAssociations",
        "eks:CreateAddon podIdentityAssociations as EKS recommends them",
    )
    .default("false"),
    acted("namespaceConfig", "eks:CreateAddon namespaceConfig"),
    acted("tags", "eks:CreateAddon tags"),
    refused("owners", TEXTS, FILTER.0, FILTER.1),
    refused("publishers", TEXTS, FILTER.0, FILTER.1),
    refused("types", TEXTS, FILTER.0, FILTER.1),
];

pub(super) const ADDON_NAMESPACE: &[Row] =
    &[acted("namespace", "eks:CreateAddon namespaceConfig.namespace").default("the add-on's own")];

pub(super) const FARGATE_PROFILE: &[Row] = &[
    acted("name", "eks:CreateFargateProfile fargateProfileName"),
    acted("podExecutionRoleARN", "eks:CreateFargateProfile podExecutionRoleArn")
        .default("`iam.fargatePodExecutionRoleARN`, or a new role"),
    acted("selectors", "eks:CreateFargateProfile selectors"),
    acted("subnets", "eks:CreateFargateProfile subnets").default("all private subnets"),
    acted("tags", "eks:CreateFargateProfile tags"),
    refused(
        "status",
        TEXT,
        "eksctl writes it and never reads it",
        "take it out; `portolan cluster status` shows the state",
    ),
];

pub(super) const FARGATE_SELECTOR: &[Row] = &[
    acted("namespace", "eks:CreateFargateProfile selectors[].namespace"),
    acted("labels", "eks:CreateFargateProfile selectors[].labels"),
];
