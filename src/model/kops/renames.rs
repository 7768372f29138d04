//! How kops' fields were called before: read from its documentation ("API Changes") and from the Go types of its
//! releases.

/// A field, with all below it, that has another name now.
pub(super) struct Rename {
    /// The name below `spec` as it was.
    pub from: &'static str,
    /// The name below `spec` as it is.
    pub to: &'static str,
    /// Whether true means false now.
    pub inverted: bool,
}

const fn renamed(from: &'static str, to: &'static str) -> Rename {
    Rename { from, to, inverted: false }
}

const fn inverted(from: &'static str, to: &'static str) -> Rename {
    Rename { from, to, inverted: true }
}

/// Cluster: old names. Of several that fit, the longest counts.
pub(super) const CLUSTER: &[Rename] = &[
    renamed("additionalNetworkCIDRs", "networking.additionalNetworkCIDRs"),
    renamed("additionalPolicies.master", "additionalPolicies.control-plane"),
    renamed("additionalSans", "api.additionalSANs"),
    renamed("additionalSANs", "api.additionalSANs"),
    renamed("api.loadBalancer.subnets[].allocationId", "api.loadBalancer.subnets[].allocationID"),
    renamed("api.loadBalancer.useForInternalApi", "api.loadBalancer.useForInternalAPI"),
    renamed("awsLoadBalancerController", "cloudProvider.aws.loadBalancerController"),
    renamed("cloudConfig.awsEBSCSIDriver", "cloudProvider.aws.ebsCSIDriver"),
    renamed("cloudConfig.azure", "cloudProvider.azure"),
    renamed("cloudConfig.azure.subscriptionId", "cloudProvider.azure.subscriptionID"),
    renamed("cloudConfig.azure.tenantId", "cloudProvider.azure.tenantID"),
    renamed("cloudConfig.azure.tenantID", "cloudProvider.azure.tenantID"),
    renamed("cloudConfig.disableSecurityGroupIngress", "cloudProvider.aws.disableSecurityGroupIngress"),
    renamed("cloudConfig.elbSecurityGroup", "cloudProvider.aws.elbSecurityGroup"),
    renamed("cloudConfig.gceServiceAccount", "cloudProvider.gce.serviceAccount"),
    renamed("cloudConfig.gceUseStartupScript", "cloudProvider.gce.useStartupScript"),
    renamed("cloudConfig.gcpPDCSIDriver", "cloudProvider.gce.pdCSIDriver"),
    renamed("cloudConfig.multizone", "cloudProvider.gce.multizone"),
    renamed("cloudConfig.nlbSecurityGroupMode", "cloudProvider.aws.nlbSecurityGroupMode"),
    renamed("cloudConfig.nodeInstancePrefix", "cloudProvider.gce.nodeInstancePrefix"),
    renamed("cloudConfig.nodeIPFamilies", "cloudProvider.aws.nodeIPFamilies"),
    renamed("cloudConfig.nodeTags", "cloudProvider.gce.nodeTags"),
    renamed("cloudConfig.openstack", "cloudProvider.openstack"),
    renamed("cloudConfig.spotinstOrientation", "cloudProvider.aws.spotinstOrientation"),
    renamed("cloudConfig.spotinstProduct", "cloudProvider.aws.spotinstProduct"),
    renamed("cloudConfig.useIPBasedNodeNames", "cloudProvider.aws.useIPBasedNodeNames"),
    renamed("cloudProvider.aws.binaryLocation", "cloudProvider.aws.binariesLocation"),
    renamed("configBase", "configStore.base"),
    inverted("DisableSubnetTags", "networking.tagSubnets"),
    renamed("egressProxy", "networking.egressProxy"),
    renamed("etcdClusters[].etcdMembers[].kmsKeyId", "etcdClusters[].etcdMembers[].kmsKeyID"),
    renamed("etcdClusters[].etcdMembers[].volumeIops", "etcdClusters[].etcdMembers[].volumeIOPS"),
    renamed("externalDns", "externalDNS"),
    renamed("externalPolicies.master", "externalPolicies.control-plane"),
    inverted("hooks[].disabled", "hooks[].enabled"),
    renamed("isolateMasters", "networking.isolateControlPlane"),
    renamed("keyStore", "configStore.keypairs"),
    renamed("kubeAPIServer.authorizationRbacSuperUser", "kubeAPIServer.authorizationRBACSuperUser"),
    renamed(
        "kubeAPIServer.authorizationWebhookCacheAuthorizedTtl",
        "kubeAPIServer.authorizationWebhookCacheAuthorizedTTL",
    ),
    renamed(
        "kubeAPIServer.authorizationWebhookCacheUnauthorizedTtl",
        "kubeAPIServer.authorizationWebhookCacheUnauthorizedTTL",
    ),
    renamed("kubeAPIServer.etcdCaFile", "kubeAPIServer.etcdCAFile"),
    renamed("kubeAPIServer.oidcClientID", "authentication.oidc.clientID"),
    renamed("kubeAPIServer.oidcGroupsClaim", "authentication.oidc.groupsClaims"),
    renamed("kubeAPIServer.oidcGroupsPrefix", "authentication.oidc.groupsPrefix"),
    renamed("kubeAPIServer.oidcIssuerURL", "authentication.oidc.issuerURL"),
    renamed("kubeAPIServer.oidcRequiredClaim", "authentication.oidc.requiredClaims"),
    renamed("kubeAPIServer.oidcUsernameClaim", "authentication.oidc.usernameClaim"),
    renamed("kubeAPIServer.oidcUsernamePrefix", "authentication.oidc.usernamePrefix"),
    renamed("kubeAPIServer.targetRamMb", "kubeAPIServer.targetRamMB"),
    renamed("kubeControllerManager.concurrentRcSyncs", "kubeControllerManager.concurrentRCSyncs"),
    renamed("kubelet.authenticationTokenWebhookCacheTtl", "kubelet.authenticationTokenWebhookCacheTTL"),
    renamed("kubelet.clientCaFile", "kubelet.clientCAFile"),
    renamed("kubeProxy.ipvsExcludeCidrs", "kubeProxy.ipvsExcludeCIDRs"),
    renamed("kubernetesApiAccess", "api.access"),
    renamed("kubernetesAPIAccess", "api.access"),
    renamed("masterKubelet", "controlPlaneKubelet"),
    renamed(
        "masterKubelet.authenticationTokenWebhookCacheTtl",
        "controlPlaneKubelet.authenticationTokenWebhookCacheTTL",
    ),
    renamed("masterKubelet.clientCaFile", "controlPlaneKubelet.clientCAFile"),
    renamed("masterPublicName", "api.publicName"),
    renamed("networkCIDR", "networking.networkCIDR"),
    renamed("networkID", "networking.networkID"),
    renamed("networking.amazonvpc", "networking.amazonVPC"),
    renamed("networking.amazonvpc.imageName", "networking.amazonVPC.image"),
    renamed("networking.amazonvpc.initImageName", "networking.amazonVPC.initImage"),
    inverted("networking.canal.disableFlannelForwardRules", "networking.canal.flanneldIptablesForwardRules"),
    inverted("networking.cilium.disableMasquerade", "networking.cilium.masquerade"),
    inverted("networking.cilium.IPTablesRulesNoinstall", "networking.cilium.installIptablesRules"),
    renamed(
        "networking.cilium.toFqdnsDnsRejectResponseCode",
        "networking.cilium.toFQDNsDNSRejectResponseCode",
    ),
    renamed("networking.cilium.toFqdnsEnablePoller", "networking.cilium.toFQDNsEnablePoller"),
    renamed("networking.gce", "networking.gcp"),
    renamed("networking.kuberouter", "networking.kubeRouter"),
    renamed("nodeTerminationHandler", "cloudProvider.aws.nodeTerminationHandler"),
    renamed("nonMasqueradeCIDR", "networking.nonMasqueradeCIDR"),
    renamed("podCIDR", "networking.podCIDR"),
    renamed("podIdentityWebhook", "cloudProvider.aws.podIdentityWebhook"),
    renamed("project", "cloudProvider.gce.project"),
    renamed("secretStore", "configStore.secrets"),
    renamed("serviceClusterIPRange", "networking.serviceClusterIPRange"),
    renamed("subnets", "networking.subnets"),
    renamed("tagSubnets", "networking.tagSubnets"),
    renamed("topology", "networking.topology"),
    renamed("topology.bastion.bastionPublicName", "networking.topology.bastion.publicName"),
    renamed("topology.dns.type", "networking.topology.dns"),
    renamed("warmPool", "cloudProvider.aws.warmPool"),
];

/// InstanceGroup: old names.
pub(super) const INSTANCE_GROUP: &[Rename] = &[
    renamed("associatePublicIp", "associatePublicIP"),
    renamed("externalLoadBalancers[].targetGroupArn", "externalLoadBalancers[].targetGroupARN"),
    inverted("hooks[].disabled", "hooks[].enabled"),
    renamed("kubelet.authenticationTokenWebhookCacheTtl", "kubelet.authenticationTokenWebhookCacheTTL"),
    renamed("kubelet.clientCaFile", "kubelet.clientCAFile"),
    renamed("rootVolumeDeleteOnTermination", "rootVolume.deleteOnTermination"),
    renamed("rootVolumeEncryption", "rootVolume.encryption"),
    renamed("rootVolumeEncryptionKey", "rootVolume.encryptionKey"),
    renamed("rootVolumeIops", "rootVolume.iops"),
    renamed("rootVolumeIOPS", "rootVolume.iops"),
    renamed("rootVolumeOptimization", "rootVolume.optimization"),
    renamed("rootVolumeSize", "rootVolume.size"),
    renamed("rootVolumeThroughput", "rootVolume.throughput"),
    renamed("rootVolumeType", "rootVolume.type"),
];
