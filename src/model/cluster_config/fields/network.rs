//! Rows of the network.

use super::row::{FLAG, Row, TEXT, acted, refused};

pub(super) const VPC: &[Row] = &[
    acted("id", "ec2:DescribeVpcs; nothing of an existing VPC is changed").default("a new VPC"),
    acted("cidr", "ec2:CreateVpc CidrBlock; of an existing VPC compared").default("192.168.0.0/16"),
    acted("ipv6Cidr", "ec2:CreateVpc Ipv6CidrBlock").default("a /56 of Amazon's, where ipFamily is IPv6"),
    acted("ipv6Pool", "ec2:CreateVpc Ipv6Pool"),
    acted("subnets", "ec2:DescribeSubnets, or ec2:CreateSubnet where addresses are given"),
    acted("nat", "ec2:CreateNatGateway with an address of its own"),
    acted("clusterEndpoints", "eks:CreateCluster resourcesVpcConfig"),
    acted("publicAccessCIDRs", "eks:CreateCluster resourcesVpcConfig.publicAccessCidrs")
        .default("0.0.0.0/0, by EKS"),
    acted("extraCIDRs", "ec2:AuthorizeSecurityGroupIngress of the control plane's group, port 443"),
    acted("extraIPv6CIDRs", "ec2:AuthorizeSecurityGroupIngress of the control plane's group, port 443"),
    acted("controlPlaneEgressMode", "eks:CreateCluster resourcesVpcConfig.controlPlaneEgressMode")
        .default("AWS_MANAGED, by EKS"),
    acted(
        "controlPlaneOnPrivateSubnets",
        "eks:CreateCluster resourcesVpcConfig.subnetIds, private ones only",
    )
    .default("false"),
    acted("controlPlaneSubnetIDs", "eks:CreateCluster resourcesVpcConfig.subnetIds").default("all subnets"),
    acted("controlPlaneSecurityGroupIDs", "eks:CreateCluster resourcesVpcConfig.securityGroupIds"),
    acted("securityGroup", "eks:CreateCluster resourcesVpcConfig.securityGroupIds").default("a new group"),
    acted("sharedNodeSecurityGroup", "launch template SecurityGroupIds of nodeGroups").default("a new group"),
    acted("manageSharedNodeSecurityGroupRules", "ec2:AuthorizeSecurityGroupIngress between nodes")
        .default("true"),
    acted("hostnameType", "ec2:ModifySubnetAttribute PrivateDnsHostnameTypeOnLaunch")
        .default("ip-name, by EC2"),
    refused(
        "autoAllocateIPv6",
        FLAG,
        "it gives the VPC of an IPv4 cluster IPv6 addresses that nothing in the cluster uses",
        "set `kubernetesNetworkConfig.ipFamily: IPv6`, or use an existing VPC that has them",
    ),
];

pub(super) const ENDPOINTS: &[Row] = &[
    acted("privateAccess", "eks:CreateCluster resourcesVpcConfig.endpointPrivateAccess").default("false"),
    acted("publicAccess", "eks:CreateCluster resourcesVpcConfig.endpointPublicAccess").default("true"),
];

pub(super) const NAT: &[Row] =
    &[acted("gateway", "how many ec2:CreateNatGateway there are").default("Single")];

pub(super) const SUBNETS: &[Row] = &[
    acted("public", "subnets with a route to the internet gateway"),
    acted("private", "subnets whose way out is a NAT gateway"),
];

pub(super) const SUBNET: &[Row] = &[
    acted("id", "ec2:DescribeSubnets SubnetIds"),
    acted("az", "ec2:CreateSubnet AvailabilityZone").default("the subnet's name"),
    acted("cidr", "ec2:CreateSubnet CidrBlock; with an existing VPC, how the subnet is found"),
];

pub(super) const KUBERNETES_NETWORK: &[Row] = &[
    acted("ipFamily", "eks:CreateCluster kubernetesNetworkConfig.ipFamily").default("IPv4"),
    acted("serviceIPv4CIDR", "eks:CreateCluster kubernetesNetworkConfig.serviceIpv4Cidr")
        .default("10.100.0.0/16 or 172.20.0.0/16, by EKS"),
    refused(
        "serviceIPv6CIDR",
        TEXT,
        "EKS chooses these addresses itself, and its API has no member for them",
        "take it out; `portolan cluster status` shows what EKS chose",
    ),
];

pub(super) const PRIVATE_CLUSTER: &[Row] = &[
    acted("enabled", "private subnets only, no NAT, no public endpoint").default("false"),
    acted("additionalEndpointServices", "ec2:CreateVpcEndpoint, one for each"),
    acted("skipEndpointCreation", "no ec2:CreateVpcEndpoint").default("false"),
];
