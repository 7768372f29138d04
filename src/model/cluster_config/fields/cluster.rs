//! Rows of the file's root and of what the control plane is made of.

use super::row::{FLAG, MAPPING, MAPPINGS, Row, TEXT, TEXT_MAP, TEXTS, acted, refused};

pub(super) const CLUSTER_CONFIG: &[Row] = &[
    acted("apiVersion", "says that the file is a ClusterConfig"),
    acted("kind", "says that the file is a ClusterConfig"),
    acted("metadata", "which cluster it is"),
    acted("accessConfig", "eks:CreateCluster accessConfig; access entries of their own"),
    acted("addons", "eks:CreateAddon, one for each"),
    acted("addonsConfig", "which add-ons there are beside `addons`"),
    acted("autoModeConfig", "eks:CreateCluster computeConfig, storageConfig, elasticLoadBalancing"),
    acted("availabilityZones", "ec2:CreateSubnet AvailabilityZone of a new VPC's subnets")
        .default("three of the region's zones, two in us-east-1"),
    acted("cloudWatch", "eks:CreateCluster logging"),
    acted("controlPlaneScalingConfig", "eks:CreateCluster controlPlaneScalingConfig"),
    acted("fargateProfiles", "eks:CreateFargateProfile, one for each"),
    acted("iam", "roles, the OIDC provider, service accounts, pod identity associations"),
    acted("identityProviders", "eks:AssociateIdentityProviderConfig"),
    acted("kubeAPIServerConfig", "eks:CreateCluster kubeApiServerConfig"),
    acted("kubeControllerManagerConfig", "eks:CreateCluster kubeControllerManagerConfig"),
    acted("kubeSchedulerConfig", "eks:CreateCluster kubeSchedulerConfig"),
    acted("kubernetesNetworkConfig", "eks:CreateCluster kubernetesNetworkConfig"),
    acted("managedNodeGroups", "eks:CreateNodegroup, one for each, with a launch template"),
    acted("nodeGroups", "autoscaling:CreateAutoScalingGroup, one for each, with a launch template"),
    acted("privateCluster", "a VPC without ways out, with VPC endpoints"),
    acted("secretsEncryption", "eks:CreateCluster encryptionConfig; added later by eks:AssociateEncryptionConfig"),
    acted("upgradePolicy", "eks:CreateCluster upgradePolicy"),
    acted("vpc", "the network, and eks:CreateCluster resourcesVpcConfig"),
    acted("zonalShiftConfig", "eks:CreateCluster zonalShiftConfig"),
    refused(
        "capabilities",
        MAPPINGS,
        "managed capabilities (ACK, KRO, Argo CD) act on the account and the cluster beside Portolan, which delivers itself",
        "deliver the controller's chart by an Application, or create the capability with the AWS CLI",
    )
    .with(&[
        ("accessPolicies", MAPPINGS),
        ("accessPolicies[].accessScope", MAPPING),
        ("accessPolicies[].accessScope.namespaces", TEXTS),
        ("accessPolicies[].accessScope.type", TEXT),
        ("accessPolicies[].policyARN", TEXT),
        ("attachPolicy", MAPPING),
        ("attachPolicyARNs", TEXTS),
        ("configuration", MAPPING),
        ("configuration.argocd", MAPPING),
        ("configuration.argocd.awsIdc", MAPPING),
        ("configuration.argocd.awsIdc.idcInstanceArn", TEXT),
        ("configuration.argocd.awsIdc.idcRegion", TEXT),
        ("configuration.argocd.namespace", TEXT),
        ("configuration.argocd.networkAccess", MAPPING),
        ("configuration.argocd.networkAccess.vpceIds", TEXTS),
        ("configuration.argocd.rbacRoleMappings", MAPPINGS),
        ("configuration.argocd.rbacRoleMappings[].identities", MAPPINGS),
        ("configuration.argocd.rbacRoleMappings[].identities[].id", TEXT),
        ("configuration.argocd.rbacRoleMappings[].identities[].type", TEXT),
        ("configuration.argocd.rbacRoleMappings[].role", TEXT),
        ("deletePropagationPolicy", TEXT),
        ("name", TEXT),
        ("permissionsBoundary", TEXT),
        ("roleArn", TEXT),
        ("tags", TEXT_MAP),
        ("type", TEXT),
    ]),
    refused(
        "gitops",
        MAPPING,
        "it installs Flux, and two programs would deliver to one cluster",
        "point an Application at the repository, and Portolan delivers it",
    )
    .with(&[("flux", MAPPING), ("flux.flags", TEXT_MAP), ("flux.gitProvider", TEXT)]),
    refused(
        "iamIdentityMappings",
        MAPPINGS,
        "they are lines of the ConfigMap `aws-auth`, which EKS is giving up for access entries",
        "declare each role or user under `accessConfig.accessEntries`",
    )
    .with(&[
        ("account", TEXT),
        ("arn", TEXT),
        ("groups", TEXTS),
        ("namespace", TEXT),
        ("noDuplicateARNs", FLAG),
        ("serviceName", TEXT),
        ("username", TEXT),
    ]),
    refused(
        "karpenter",
        MAPPING,
        "it installs another product's chart, queue and roles in one go, and leaves their upgrades to you",
        "set `autoModeConfig.enabled`, or deliver Karpenter's chart by an Application with a pod identity association",
    )
    .with(&[
        ("createServiceAccount", FLAG),
        ("defaultInstanceProfile", TEXT),
        ("version", TEXT),
        ("withSpotInterruptionQueue", FLAG),
    ]),
    refused(
        "localZones",
        TEXTS,
        "subnets in Local Zones have other instance types and volumes, and their NAT gateways are elsewhere",
        "make those subnets yourself and name their ids in `nodeGroups[].subnets`, with an existing VPC",
    ),
    refused(
        "outpost",
        MAPPING,
        "a control plane on an Outpost is another kind of cluster, without managed node groups, Fargate and add-ons",
        "leave such clusters to eksctl, and name them in a Cluster document by `kubeconfig`",
    )
    .with(&[
        ("controlPlaneInstanceType", TEXT),
        ("controlPlaneOutpostARN", TEXT),
        ("controlPlanePlacement", MAPPING),
        ("controlPlanePlacement.groupName", TEXT),
        ("controlPlanePlacement.spreadLevel", TEXT),
        ("etcdInstanceType", TEXT),
        ("etcdPlacement", MAPPING),
        ("etcdPlacement.groupName", TEXT),
        ("etcdPlacement.spreadLevel", TEXT),
    ]),
    refused(
        "remoteNetworkConfig",
        MAPPING,
        "hybrid nodes need gateways, routes and activations of machines outside AWS, which Portolan does not see",
        "set the remote networks with `aws eks update-cluster-config`; Portolan leaves them as they are",
    )
    .with(&[
        ("iam", MAPPING),
        ("iam.caBundleCert", TEXT),
        ("iam.provider", TEXT),
        ("iam.roleARN", TEXT),
        ("remoteNodeNetworks", MAPPINGS),
        ("remoteNodeNetworks[].cidrs", TEXTS),
        ("remotePodNetworks", MAPPINGS),
        ("remotePodNetworks[].cidrs", TEXTS),
        ("vpcGatewayID", TEXT),
    ]),
];

pub(super) const CLUSTER_META: &[Row] = &[
    acted("name", "eks:CreateCluster name"),
    acted("region", "the region of every call"),
    acted("version", "eks:CreateCluster version; changed by eks:UpdateClusterVersion, minor by minor")
        .default("EKS's default version when the cluster is created; then kept"),
    acted("tags", "tags of every resource"),
    acted("annotations", "kept in the file: neither eksctl nor EKS has a place for them"),
    acted("forceUpdateVersion", "eks:UpdateClusterVersion force").default("false"),
    acted("rollbackConfig", "eks:UpdateClusterVersion rollbackConfig"),
];

pub(super) const ROLLBACK_CONFIG: &[Row] =
    &[acted("timeoutMinutes", "eks:UpdateClusterVersion rollbackConfig.timeoutMinutes")
        .default("720, by EKS")];

pub(super) const AUTO_MODE: &[Row] = &[
    acted("enabled", "eks:CreateCluster computeConfig.enabled, with storage and load balancing")
        .default("false"),
    acted("nodePools", "eks:CreateCluster computeConfig.nodePools").default("general-purpose, system"),
    acted("nodeRoleARN", "eks:CreateCluster computeConfig.nodeRoleArn").default("a new role"),
    acted("permissionsBoundaryARN", "iam:CreateRole PermissionsBoundary of the new node role"),
];

pub(super) const CLOUD_WATCH: &[Row] = &[acted("clusterLogging", "eks:CreateCluster logging")];

pub(super) const CLUSTER_LOGGING: &[Row] = &[
    acted("enableTypes", "eks:CreateCluster logging.clusterLogging").default("none"),
    acted(
        "logRetentionInDays",
        "logs:PutRetentionPolicy of /aws/eks/NAME/cluster, once EKS has made that group",
    )
    .default("for ever, by CloudWatch Logs"),
];

pub(super) const SCALING: &[Row] =
    &[acted("tier", "eks:CreateCluster controlPlaneScalingConfig.tier").default("standard")];

pub(super) const KUBE_API_SERVER: &[Row] = &[
    acted("eventTTL", "eks:CreateCluster kubeApiServerConfig.eventTtl").default("1h, by EKS"),
    acted("serviceNodePortRange", "eks:CreateCluster kubeApiServerConfig.serviceNodePortRange"),
];

pub(super) const NODE_PORTS: &[Row] = &[
    acted("minPort", "eks:CreateCluster kubeApiServerConfig.serviceNodePortRange.minPort")
        .default("30000, by EKS"),
    acted("maxPort", "eks:CreateCluster kubeApiServerConfig.serviceNodePortRange.maxPort")
        .default("32767, by EKS"),
];

pub(super) const KUBE_CONTROLLER_MANAGER: &[Row] = &[acted(
    "horizontalPodAutoscalerControllerConfig",
    "eks:CreateCluster kubeControllerManagerConfig.horizontalPodAutoscalerControllerConfig",
)];

pub(super) const HPA_CONTROLLER: &[Row] = &[acted(
    "horizontalPodAutoscalerSyncPeriod",
    "eks:CreateCluster kubeControllerManagerConfig.horizontalPodAutoscalerControllerConfig.horizontalPodAutoscalerSyncPeriod",
)
.default("15s, by EKS")];

pub(super) const KUBE_SCHEDULER: &[Row] =
    &[acted("nodeResourcesFit", "eks:CreateCluster kubeSchedulerConfig.nodeResourcesFit")];

pub(super) const NODE_RESOURCES_FIT: &[Row] =
    &[acted("scoringStrategy", "eks:CreateCluster kubeSchedulerConfig.nodeResourcesFit.scoringStrategy")];

pub(super) const SCORING: &[Row] = &[
    acted("type", "eks:CreateCluster kubeSchedulerConfig.nodeResourcesFit.scoringStrategy.type")
        .default("LeastAllocated, by EKS"),
    acted("resources", "eks:CreateCluster kubeSchedulerConfig.nodeResourcesFit.scoringStrategy.resources"),
];

pub(super) const RESOURCE_WEIGHT: &[Row] =
    &[acted("name", "the resource that is weighed"), acted("weight", "its weight among the others")];

pub(super) const SECRETS_ENCRYPTION: &[Row] =
    &[acted("keyARN", "eks:CreateCluster encryptionConfig[0].provider.keyArn")];

pub(super) const UPGRADE_POLICY: &[Row] =
    &[acted("supportType", "eks:CreateCluster upgradePolicy.supportType").default("EXTENDED")];

pub(super) const ZONAL_SHIFT: &[Row] =
    &[acted("enabled", "eks:CreateCluster zonalShiftConfig.enabled").default("false")];

pub(super) const IDENTITY_PROVIDER: &[Row] = &[
    acted("type", "oidc, the only kind"),
    acted("name", "eks:AssociateIdentityProviderConfig oidc.identityProviderConfigName"),
    acted("issuerURL", "eks:AssociateIdentityProviderConfig oidc.issuerUrl"),
    acted("clientID", "eks:AssociateIdentityProviderConfig oidc.clientId"),
    acted("usernameClaim", "eks:AssociateIdentityProviderConfig oidc.usernameClaim").default("sub, by EKS"),
    acted("usernamePrefix", "eks:AssociateIdentityProviderConfig oidc.usernamePrefix"),
    acted("groupsClaim", "eks:AssociateIdentityProviderConfig oidc.groupsClaim"),
    acted("groupsPrefix", "eks:AssociateIdentityProviderConfig oidc.groupsPrefix"),
    acted("requiredClaims", "eks:AssociateIdentityProviderConfig oidc.requiredClaims"),
    acted("tags", "eks:AssociateIdentityProviderConfig tags"),
];
