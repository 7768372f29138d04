//! Rows of node groups.

use super::row::{FLAG, MAPPING, RefusedValue, Row, TEXT, TEXTS, WHOLE, acted, refused};

/// Fields of both kinds of node groups.
pub(super) const BASE: &[Row] = &[
    acted("name", "eks:CreateNodegroup nodegroupName; the name of the Auto Scaling group"),
    acted("amiFamily", "eks:CreateNodegroup amiType; which AMI and user data the launch template has")
        .default("AmazonLinux2023"),
    acted("ami", "launch template ImageId").default("the family's newest for the version, by EKS or SSM"),
    acted("instanceType", "eks:CreateNodegroup instanceTypes; launch template InstanceType").default("m5.large"),
    acted("desiredCapacity", "eks:CreateNodegroup scalingConfig.desiredSize; DesiredCapacity").default("minSize, or 2"),
    acted("minSize", "eks:CreateNodegroup scalingConfig.minSize; MinSize").default("desiredCapacity, or 2"),
    acted("maxSize", "eks:CreateNodegroup scalingConfig.maxSize; MaxSize").default("desiredCapacity, or minSize"),
    acted("availabilityZones", "which of the cluster's subnets the group has").default("all"),
    acted("subnets", "eks:CreateNodegroup subnets; VPCZoneIdentifier").default("all public or all private ones"),
    acted("privateNetworking", "private subnets, no public addresses").default("false; true in a private cluster"),
    acted("labels", "eks:CreateNodegroup labels; --node-labels of the kubelet"),
    acted("taints", "eks:CreateNodegroup taints; --register-with-taints of the kubelet"),
    acted("tags", "tags of the group, its launch template, instances and volumes"),
    acted("instanceName", "the tag Name of the instances").default("made of cluster and group"),
    acted("instancePrefix", "the tag Name of the instances"),
    acted("iam", "eks:CreateNodegroup nodeRole; launch template IamInstanceProfile"),
    acted("securityGroups", "launch template SecurityGroupIds"),
    acted("ssh", "launch template KeyName, and a security group for port 22"),
    acted("volumeSize", "launch template BlockDeviceMappings").default("80"),
    acted("volumeType", "launch template BlockDeviceMappings").default("gp3"),
    acted("volumeName", "launch template BlockDeviceMappings DeviceName").default("/dev/xvda; /dev/sda1 on Windows"),
    acted("volumeIOPS", "launch template BlockDeviceMappings").default("3000 for gp3, 100 for io1"),
    acted("volumeThroughput", "launch template BlockDeviceMappings").default("125 for gp3"),
    acted("volumeEncrypted", "launch template BlockDeviceMappings").default("as the account encrypts"),
    acted("volumeKmsKeyID", "launch template BlockDeviceMappings"),
    acted("additionalVolumes", "launch template BlockDeviceMappings"),
    acted("ebsOptimized", "launch template EbsOptimized").default("as the instance type is"),
    acted("enableDetailedMonitoring", "launch template Monitoring").default("false"),
    acted("disableIMDSv1", "launch template MetadataOptions.HttpTokens").default("true"),
    acted("disablePodIMDS", "launch template MetadataOptions.HttpPutResponseHopLimit 1").default("false"),
    acted("maxPodsPerNode", "user data: maxPods of the kubelet").default("by the instance type's network interfaces"),
    acted("preBootstrapCommands", "user data, before the node joins"),
    acted("overrideBootstrapCommand", "user data, instead of what makes the node join"),
    acted("bottlerocket", "user data"),
    acted("placement", "launch template Placement"),
    acted("capacityReservation", "launch template CapacityReservationSpecification"),
    acted("instanceMarketOptions", "launch template InstanceMarketOptions; eks:CreateNodegroup capacityType"),
    acted("updateConfig", "eks:CreateNodegroup updateConfig; how many instances a refresh replaces at a time"),
    refused(
        "efaEnabled",
        FLAG,
        "the number of EFA interfaces depends on the instance type, and they need a placement and a group of their own",
        "make a launch template with the interfaces and name it in `managedNodeGroups[].launchTemplate`",
    ),
    refused(
        "instanceSelector",
        MAPPING,
        "what it chooses changes whenever AWS brings new instance types, so that the file would mean something else each day",
        "list the types in `instanceTypes`, or in `instancesDistribution.instanceTypes` of a nodeGroup",
    )
    .with(&[
        ("allow", TEXT),
        ("cpuArchitecture", TEXT),
        ("deny", TEXT),
        ("gpus", WHOLE),
        ("memory", TEXT),
        ("neuron_devices", WHOLE),
        ("vCPUs", WHOLE),
    ]),
    refused(
        "outpostARN",
        TEXT,
        "nodes on an Outpost have other volumes and instance types, which Portolan cannot check",
        "name the Outpost's subnets in a node group of eksctl's",
    ),
];

pub(super) const MANAGED: &[Row] = &[
    acted("instanceTypes", "eks:CreateNodegroup instanceTypes").default("m5.large"),
    acted("spot", "eks:CreateNodegroup capacityType").default("false"),
    acted("launchTemplate", "eks:CreateNodegroup launchTemplate").default("a new launch template"),
    acted("releaseVersion", "eks:CreateNodegroup releaseVersion")
        .default("the newest at creation and at each upgrade"),
    acted("nodeRepairConfig", "eks:CreateNodegroup nodeRepairConfig"),
    refused(
        "asgSuspendProcesses",
        TEXTS,
        "EKS owns the Auto Scaling group and needs its processes for updates",
        "use a group under `nodeGroups`",
    ),
    refused(
        "propagateASGTags",
        FLAG,
        "EKS owns the Auto Scaling group, and the Cluster Autoscaler asks EKS for labels and taints of an empty group",
        "take it out, and let the Cluster Autoscaler call eks:DescribeNodegroup",
    ),
];

pub(super) const OWN: &[Row] = &[
    acted("instancesDistribution", "autoscaling:CreateAutoScalingGroup MixedInstancesPolicy"),
    acted("asgSuspendProcesses", "autoscaling:SuspendProcesses"),
    acted("asgMetricsCollection", "autoscaling:EnableMetricsCollection"),
    acted("propagateASGTags", "tags of the Auto Scaling group, k8s.io/cluster-autoscaler/node-template")
        .default("false"),
    acted("classicLoadBalancerNames", "autoscaling:CreateAutoScalingGroup LoadBalancerNames"),
    acted("targetGroupARNs", "autoscaling:CreateAutoScalingGroup TargetGroupARNs"),
    acted("maxInstanceLifetime", "autoscaling:CreateAutoScalingGroup MaxInstanceLifetime"),
    acted("cpuCredits", "launch template CreditSpecification.CpuCredits"),
    acted("enclaveEnabled", "launch template EnclaveOptions").default("false"),
    acted("containerRuntime", "containerd is the only one that nodes have").default("containerd"),
    acted("clusterDNS", "user data: clusterDNS of the kubelet")
        .default("the tenth of the Services' addresses"),
    acted("kubeletExtraConfig", "user data: the kubelet's configuration"),
    refused(
        "localZones",
        TEXTS,
        "subnets in Local Zones are not laid out by Portolan",
        "make those subnets yourself and name their ids in `subnets`",
    ),
];

pub(super) const TAINT: &[Row] = &[
    acted("key", "eks:CreateNodegroup taints[].key"),
    acted("value", "eks:CreateNodegroup taints[].value"),
    acted("effect", "eks:CreateNodegroup taints[].effect"),
];

pub(super) const NODE_IAM: &[Row] = &[
    acted("instanceRoleARN", "eks:CreateNodegroup nodeRole").default("a new role"),
    acted("instanceProfileARN", "launch template IamInstanceProfile")
        .default("a new profile around the role"),
    acted("instanceRoleName", "iam:CreateRole RoleName").default("a name made of cluster and group"),
    acted("instanceRolePermissionsBoundary", "iam:CreateRole PermissionsBoundary"),
    acted("attachPolicyARNs", "iam:AttachRolePolicy").default(
        "AmazonEKSWorkerNodePolicy, AmazonEC2ContainerRegistryPullOnly, AmazonSSMManagedInstanceCore",
    ),
    acted("attachPolicy", "iam:PutRolePolicy"),
    acted("withAddonPolicies", "iam:PutRolePolicy, one for each"),
];

/// App Mesh ended on 2026-09-30 (AWS announcement of September 2024).
const APP_MESH: (&str, &str) = (
    "AWS App Mesh was shut down in September 2026",
    "take it out; VPC Lattice and Service Connect took its place",
);

pub(super) const ADDON_POLICIES: &[Row] = &[
    acted("albIngress", "the same as awsLoadBalancerController").default("false"),
    acted("autoScaler", "iam:PutRolePolicy: what the Cluster Autoscaler calls").default("false"),
    acted("awsLoadBalancerController", "iam:PutRolePolicy: what the controller calls").default("false"),
    acted("certManager", "iam:PutRolePolicy: Route 53 records").default("false"),
    acted("cloudWatch", "iam:AttachRolePolicy CloudWatchAgentServerPolicy").default("false"),
    acted("ebs", "iam:PutRolePolicy: volumes and snapshots").default("false"),
    acted("efs", "iam:PutRolePolicy: file systems").default("false"),
    acted("externalDNS", "iam:PutRolePolicy: Route 53 records").default("false"),
    acted("fsx", "iam:PutRolePolicy: file systems").default("false"),
    acted("imageBuilder", "iam:AttachRolePolicy: pushing to ECR").default("false"),
    acted("xRay", "iam:PutRolePolicy: traces").default("false"),
    refused("appMesh", FLAG, APP_MESH.0, APP_MESH.1),
    refused("appMeshPreview", FLAG, APP_MESH.0, APP_MESH.1),
];

pub(super) const SECURITY_GROUPS: &[Row] = &[
    acted("attachIDs", "launch template SecurityGroupIds"),
    acted("withShared", "launch template SecurityGroupIds: the group all nodes share").default("true"),
    acted("withLocal", "ec2:CreateSecurityGroup of the node group").default("true"),
];

/// Why a key pair is not imported.
const KEY_PAIR: (&str, &str) = (
    "a key pair in EC2 is shared by all clusters of a region, so that none of them should own it",
    "import it once with `aws ec2 import-key-pair` and name it in `publicKeyName`",
);

pub(super) const SSH: &[Row] = &[
    acted("allow", "ec2:AuthorizeSecurityGroupIngress, port 22").default("false"),
    acted("publicKeyName", "launch template KeyName"),
    acted("sourceSecurityGroupIds", "ec2:AuthorizeSecurityGroupIngress, port 22").default("everybody"),
    acted("enableSsm", "iam:AttachRolePolicy AmazonSSMManagedInstanceCore, which nodes have anyway")
        .default("true"),
    refused("publicKey", TEXT, KEY_PAIR.0, KEY_PAIR.1),
    refused(
        "publicKeyPath",
        TEXT,
        "it names a file on the machine of whoever runs eksctl, which the repository does not have",
        KEY_PAIR.1,
    ),
];

pub(super) const VOLUME: &[Row] = &[
    acted("volumeName", "launch template BlockDeviceMappings DeviceName"),
    acted("volumeSize", "launch template BlockDeviceMappings").default("80, or the snapshot's"),
    acted("volumeType", "launch template BlockDeviceMappings").default("gp3"),
    acted("volumeIOPS", "launch template BlockDeviceMappings").default("3000 for gp3, 100 for io1"),
    acted("volumeThroughput", "launch template BlockDeviceMappings").default("125 for gp3"),
    acted("volumeEncrypted", "launch template BlockDeviceMappings").default("as the account encrypts"),
    acted("volumeKmsKeyID", "launch template BlockDeviceMappings"),
    acted("snapshotID", "launch template BlockDeviceMappings"),
];

pub(super) const BOTTLEROCKET: &[Row] = &[
    acted("enableAdminContainer", "user data: settings.host-containers.admin.enabled").default("false"),
    acted("settings", "user data"),
];

pub(super) const PLACEMENT: &[Row] = &[
    acted("groupName", "launch template Placement.GroupName"),
    refused(
        "spreadLevel",
        TEXT,
        "it is a property of the placement group and not of what is placed in it",
        "make the placement group with this level and name it in `groupName`",
    ),
];

pub(super) const CAPACITY_RESERVATION: &[Row] = &[
    acted("capacityReservationPreference", "launch template CapacityReservationSpecification")
        .default("open, by EC2"),
    acted("capacityReservationTarget", "launch template CapacityReservationSpecification"),
];

pub(super) const CAPACITY_TARGET: &[Row] = &[
    acted("capacityReservationID", "launch template CapacityReservationSpecification"),
    acted("capacityReservationResourceGroupARN", "launch template CapacityReservationSpecification"),
];

pub(super) const MARKET: &[Row] =
    &[acted("marketType", "launch template InstanceMarketOptions.MarketType").default("on demand")];

pub(super) const UPDATE_CONFIG: &[Row] = &[
    acted("maxUnavailable", "eks:CreateNodegroup updateConfig.maxUnavailable").default("1, by EKS"),
    acted("maxUnavailablePercentage", "eks:CreateNodegroup updateConfig.maxUnavailablePercentage"),
];

pub(super) const LAUNCH_TEMPLATE: &[Row] = &[
    acted("id", "eks:CreateNodegroup launchTemplate.id"),
    acted("version", "eks:CreateNodegroup launchTemplate.version").default("the template's default version"),
];

pub(super) const DISTRIBUTION: &[Row] = &[
    acted("instanceTypes", "MixedInstancesPolicy.LaunchTemplate.Overrides"),
    acted("maxPrice", "MixedInstancesPolicy.InstancesDistribution.SpotMaxPrice")
        .default("the on-demand price"),
    acted("onDemandBaseCapacity", "MixedInstancesPolicy.InstancesDistribution.OnDemandBaseCapacity")
        .default("0"),
    acted(
        "onDemandPercentageAboveBaseCapacity",
        "MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity",
    )
    .default("100"),
    acted("spotAllocationStrategy", "MixedInstancesPolicy.InstancesDistribution.SpotAllocationStrategy")
        .default("lowest-price, by EC2 Auto Scaling"),
    acted("spotInstancePools", "MixedInstancesPolicy.InstancesDistribution.SpotInstancePools")
        .default("2 with lowest-price, by EC2 Auto Scaling"),
    acted("capacityRebalance", "autoscaling:CreateAutoScalingGroup CapacityRebalance").default("false"),
];

pub(super) const METRICS: &[Row] = &[
    acted("granularity", "autoscaling:EnableMetricsCollection Granularity"),
    acted("metrics", "autoscaling:EnableMetricsCollection Metrics").default("all"),
];

pub(super) const NODE_REPAIR: &[Row] = &[
    acted("enabled", "eks:CreateNodegroup nodeRepairConfig.enabled").default("false"),
    acted(
        "maxParallelNodesRepairedCount",
        "eks:CreateNodegroup nodeRepairConfig.maxParallelNodesRepairedCount",
    ),
    acted(
        "maxParallelNodesRepairedPercentage",
        "eks:CreateNodegroup nodeRepairConfig.maxParallelNodesRepairedPercentage",
    ),
    acted(
        "maxUnhealthyNodeThresholdCount",
        "eks:CreateNodegroup nodeRepairConfig.maxUnhealthyNodeThresholdCount",
    ),
    acted(
        "maxUnhealthyNodeThresholdPercentage",
        "eks:CreateNodegroup nodeRepairConfig.maxUnhealthyNodeThresholdPercentage",
    ),
    acted("nodeRepairConfigOverrides", "eks:CreateNodegroup nodeRepairConfig.nodeRepairConfigOverrides"),
];

pub(super) const REPAIR_OVERRIDE: &[Row] = &[
    acted("nodeMonitoringCondition", "eks:CreateNodegroup nodeRepairConfig.nodeRepairConfigOverrides[]"),
    acted("nodeUnhealthyReason", "eks:CreateNodegroup nodeRepairConfig.nodeRepairConfigOverrides[]"),
    acted("minRepairWaitTimeMins", "eks:CreateNodegroup nodeRepairConfig.nodeRepairConfigOverrides[]"),
    acted("repairAction", "eks:CreateNodegroup nodeRepairConfig.nodeRepairConfigOverrides[]"),
];

const UBUNTU: (&str, &str) = (
    "EKS has no AMI type for Ubuntu, and Canonical's images join by a script of their own",
    "use AmazonLinux2023 or Bottlerocket, or a launch template of your own in `managedNodeGroups[].launchTemplate`",
);

const fn ubuntu(value: &'static str) -> RefusedValue {
    RefusedValue { field: "amiFamily", value, because: UBUNTU.0, instead: UBUNTU.1 }
}

/// Values that eksctl takes and Portolan does not.
pub(super) const REFUSED_VALUES: &[RefusedValue] = &[
    RefusedValue {
        field: "amiFamily",
        value: "AmazonLinux2",
        because: "AWS publishes no EKS images of Amazon Linux 2 since November 2025, and none for 1.33 and later",
        instead: "use AmazonLinux2023",
    },
    ubuntu("UbuntuPro2604"),
    ubuntu("Ubuntu2604"),
    ubuntu("UbuntuPro2404"),
    ubuntu("Ubuntu2404"),
    ubuntu("UbuntuPro2204"),
    ubuntu("Ubuntu2204"),
    ubuntu("UbuntuPro2004"),
    ubuntu("Ubuntu2004"),
];
