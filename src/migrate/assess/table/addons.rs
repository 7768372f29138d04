//! Switches of kops' add-ons.

use super::KOPS;
use super::identity::default_or;
use crate::migrate::assess::rule::{Rule, Ruling, Set, accepted, choice, irrelevant, mapped, warning};
use crate::migrate::assess::translate::addons::{AUTOSCALER, KARPENTER, autoscaler_offers, karpenter_offers};
use crate::migrate::assess::translate::identity::unfit_tag;
use crate::model::kops::Kind::Cluster;

const EBS: &str = "EKS add-on aws-ebs-csi-driver";
const LBC: &str = "AWS Load Balancer Controller, installation by chart";
const CERT: &str = "EKS community add-on cert-manager";
const CA: &str = "Cluster Autoscaler on AWS";
const NTH: &str = "EKS User Guide, managed node groups (draining and Spot rebalancing)";
const SPOT: &str = "Spot Ocean, its own documentation";

pub(super) const RULES: &[Rule] = &[
    mapped("kops.addon.ebs", &["spec.cloudProvider.aws.ebsCSIDriver.enabled", "spec.cloudProvider.aws.ebsCSIDriver"], EBS, "the add-on aws-ebs-csi-driver, with a role by pod identity")
        .to("addons[aws-ebs-csi-driver]")
        .by(|context, set| {
            if context.state.flag("cloudProvider.aws.ebsCSIDriver.managed") == Some(false) {
                return Ruling::warning("the driver was your own, and stays so: it needs a role by pod identity in the new cluster");
            }
            if set.field.text() == "false" { Ruling::mapped("it is installed nonetheless, since nothing else attaches volumes on EKS") } else { Ruling::as_written() }
        }),
    mapped("kops.addon.ebs-limit", &["spec.cloudProvider.aws.ebsCSIDriver.volumeAttachLimit"], EBS, "the same limit").to("addons[aws-ebs-csi-driver].configurationValues.node.volumeAttachLimit"),
    warning("kops.addon.ebs-own", &["spec.cloudProvider.aws.ebsCSIDriver.managed"], EBS, "the driver is your own: it moves with your workloads, and needs a role by pod identity")
        .by(|_, set| if set.field.text() == "false" { Ruling::as_written() } else { Ruling::irrelevant("the driver was kops', as by default") }),
    irrelevant("kops.addon.ebs-settings", &["spec.cloudProvider.aws.ebsCSIDriver.**"], EBS, "version, resources and annotations are the add-on's"),
    mapped("kops.addon.storage-classes", &["spec.cloudConfig.manageStorageClasses"], "EKS User Guide, Kubernetes 1.30 (no default StorageClass)", "")
        .by(|_, set| {
            if set.field.text() == "false" {
                Ruling::irrelevant("storage classes were your own, and are carried over as such")
            } else {
                Ruling::mapped("EKS has no default StorageClass: those of kops are made anew, by their names, for the EBS CSI driver").to("StorageClass")
            }
        }),
    irrelevant("kops.addon.cloud-config", &["spec.cloudConfig"], KOPS, "it says nothing"),
    mapped("kops.addon.snapshots", &["spec.snapshotController.enabled"], "EKS add-on snapshot-controller", "the add-on snapshot-controller").to("addons[snapshot-controller]").by(|_, set| off(set)),
    warning("kops.addon.snapshot-class", &["spec.snapshotController.installDefaultClass"], "EKS add-on snapshot-controller", "the add-on brings no VolumeSnapshotClass: that of kops is carried over")
        .by(|_, set| off(set)),
    mapped("kops.addon.load-balancers", &["spec.cloudProvider.aws.loadBalancerController.enabled"], LBC, "its chart, delivered by an Application, with a role by pod identity")
        .to("iam.podIdentityAssociations[aws-load-balancer-controller]")
        .by(|_, set| off(set)),
    warning(
        "kops.addon.load-balancer-settings",
        &[
            "spec.cloudProvider.aws.loadBalancerController.enableShield",
            "spec.cloudProvider.aws.loadBalancerController.enableWAF",
            "spec.cloudProvider.aws.loadBalancerController.enableWAFv2",
        ],
        LBC,
        "a value of its chart",
    )
    .by(|_, set| off(set)),
    irrelevant("kops.addon.load-balancer-resources", &["spec.cloudProvider.aws.loadBalancerController", "spec.cloudProvider.aws.loadBalancerController.*"], LBC, "version and resources are the chart's"),
    mapped("kops.addon.cert-manager", &["spec.certManager.enabled"], CERT, "the community add-on cert-manager; Issuers, Certificates and their Secrets are carried over as workloads")
        .to("addons[cert-manager]")
        .by(|context, set| {
            if context.state.flag("certManager.managed") == Some(false) {
                return Ruling::irrelevant("cert-manager was your own, and moves with your workloads");
            }
            off(set)
        }),
    mapped("kops.addon.cert-manager-zones", &["spec.certManager.hostedZoneIDs[]"], CERT, "the add-on's service account gets a role that may write records").to("addons[cert-manager].podIdentityAssociations"),
    warning("kops.addon.cert-manager-settings", &["spec.certManager.defaultIssuer", "spec.certManager.nameservers[]", "spec.certManager.featureGates.*"], CERT, "a setting of the add-on: set it in its configurationValues"),
    irrelevant("kops.addon.cert-manager-image", &["spec.certManager", "spec.certManager.image", "spec.certManager.managed"], CERT, "the image is the add-on's; whose it is decides `enabled`"),
    choice(AUTOSCALER, &["spec.clusterAutoscaler.enabled"], CA, "").to("iam.podIdentityAssociations[cluster-autoscaler]").by(|_, set| {
        if set.field.text() == "false" {
            return Ruling::irrelevant("it was off");
        }
        Ruling::choice("kops ran the Cluster Autoscaler, and EKS has no add-on for it", autoscaler_offers())
    }),
    mapped(
        "kops.addon.cluster-autoscaler-settings",
        &[
            "spec.clusterAutoscaler.awsUseStaticInstanceList",
            "spec.clusterAutoscaler.balanceSimilarNodeGroups",
            "spec.clusterAutoscaler.cordonNodeBeforeTerminating",
            "spec.clusterAutoscaler.createPriorityExpanderConfig",
            "spec.clusterAutoscaler.customPriorityExpanderConfig.*[]",
            "spec.clusterAutoscaler.emitPerNodegroupMetrics",
            "spec.clusterAutoscaler.expander",
            "spec.clusterAutoscaler.ignoreDaemonSetsUtilization",
            "spec.clusterAutoscaler.maxNodeProvisionTime",
            "spec.clusterAutoscaler.newPodScaleUpDelay",
            "spec.clusterAutoscaler.scaleDownDelayAfterAdd",
            "spec.clusterAutoscaler.scaleDownUnneededTime",
            "spec.clusterAutoscaler.scaleDownUnreadyTime",
            "spec.clusterAutoscaler.scaleDownUtilizationThreshold",
            "spec.clusterAutoscaler.skipNodesWithCustomControllerPods",
            "spec.clusterAutoscaler.skipNodesWithLocalStorage",
            "spec.clusterAutoscaler.skipNodesWithSystemPods",
            "spec.clusterAutoscaler.podAnnotations.*",
        ],
        CA,
        "an argument of the Cluster Autoscaler: a value of its chart",
    )
    .by(|_, set| default_or(set, "kops' default")),
    irrelevant("kops.addon.cluster-autoscaler-resources", &["spec.clusterAutoscaler", "spec.clusterAutoscaler.*"], CA, "image and resources are the chart's"),
    choice(KARPENTER, &["spec.karpenter.enabled"], "Karpenter, migrating from the Cluster Autoscaler", "").to("autoModeConfig").by(|_, set| {
        if set.field.text() == "false" {
            return Ruling::irrelevant("it was off");
        }
        Ruling::choice("kops ran Karpenter", karpenter_offers())
    }),
    irrelevant("kops.addon.karpenter-settings", &["spec.karpenter", "spec.karpenter.*"], "Karpenter, chart values", "features, log level and resources are the chart's"),
    irrelevant(
        "kops.addon.termination-handler",
        &["spec.cloudProvider.aws.nodeTerminationHandler", "spec.cloudProvider.aws.nodeTerminationHandler.*"],
        NTH,
        "managed node groups drain nodes and replace spot instances themselves",
    ),
    mapped("kops.addon.problem-detector", &["spec.nodeProblemDetector.enabled"], "EKS add-on eks-node-monitoring-agent", "the add-on eks-node-monitoring-agent, and repair of nodes")
        .to("addons[eks-node-monitoring-agent]")
        .by(|_, set| off(set)),
    irrelevant("kops.addon.problem-detector-resources", &["spec.nodeProblemDetector", "spec.nodeProblemDetector.*"], KOPS, "image and resources are the add-on's"),
    mapped("kops.addon.metrics-server", &["spec.metricsServer.enabled"], "EKS community add-on metrics-server", "the add-on metrics-server").to("addons[metrics-server]").by(|_, set| off(set)),
    irrelevant("kops.addon.metrics-server-settings", &["spec.metricsServer", "spec.metricsServer.*"], KOPS, "image and certificates are the add-on's"),
    mapped("kops.addon.dns-records", &["spec.externalDNS.provider", "spec.externalDNS.disable"], "EKS community add-on external-dns; external-dns#2019", "").to("addons[external-dns]").by(|context, set| {
        match context.state.text("externalDNS.provider") {
            Some("external-dns") => Ruling::mapped("the community add-on external-dns, as an owner of its own, which never deletes records of the old cluster"),
            Some("none") => Ruling::irrelevant("there was none"),
            _ if set.by_default => Ruling::irrelevant("dns-controller keeps kops' own records by default, and ends with the old cluster"),
            _ => Ruling::warning("dns-controller ends with the old cluster: objects with annotations dns.alpha.kubernetes.io/* need external-dns and its annotations"),
        }
    }),
    warning("kops.addon.dns-records-scope", &["spec.externalDNS.watchIngress", "spec.externalDNS.watchNamespace", "spec.externalDNS.priorityClassName"], "EKS community add-on external-dns", "a setting of the add-on: set it in its configurationValues"),
    irrelevant("kops.addon.dns-records-none", &["spec.externalDNS"], KOPS, "it says nothing"),
    warning("kops.addon.spot-ocean", &["spec.cloudProvider.aws.spotinstOrientation", "spec.cloudProvider.aws.spotinstProduct"], SPOT, "the cluster has to be registered with Spot Ocean anew"),
    mapped("kops.addon.user-channel", &["spec.addons[].manifest"], KOPS, "a channel of your own: its objects are workloads, and are delivered by an Application").to("Application"),
    irrelevant("kops.addon.none", &["spec.addons", "spec.snapshotController"], KOPS, "it says nothing"),
    mapped("kops.cloud", &["spec.cloudProvider", "spec.cloudProvider.aws"], KOPS, "a cluster on AWS"),
    irrelevant("kops.cloud-settings", &["spec.cloudProvider.aws.useIPBasedNodeNames", "spec.cloudProvider.aws.binariesLocation"], KOPS, "EKS names nodes by their addresses and has its own binaries"),
    warning("kops.group.warm-pool-default", &["spec.cloudProvider.aws.warmPool", "spec.cloudProvider.aws.warmPool.*", "spec.cloudProvider.aws.warmPool.additionalImages[]"], "EKS API, WarmPoolConfig", "every group had a warm pool: the Cluster document has a place for it, `eks.nodeGroups.NAME.warmPool`")
        .of(Cluster)
        .to("Cluster spec.eks.nodeGroups"),
    warning(
        "kops.cloud.other",
        &[
            "spec.cloudProvider.azure.**",
            "spec.cloudProvider.gce.**",
            "spec.cloudProvider.openstack.**",
            "spec.cloudProvider.do",
            "spec.cloudProvider.hetzner",
            "spec.cloudProvider.linode",
            "spec.cloudProvider.scaleway",
            "spec.cloudConfig.vSphereCoreDNSServer",
            "spec.cloudConfig.vSphereDatacenter",
            "spec.cloudConfig.vSphereDatastore",
            "spec.cloudConfig.vSpherePassword",
            "spec.cloudConfig.vSphereResourcePool",
            "spec.cloudConfig.vSphereServer",
            "spec.cloudConfig.vSphereUsername",
        ],
        KOPS,
        "",
    )
    .by(|_, _| Ruling::blocker("it is about another cloud than AWS", accepted("it is a leftover, and means nothing"))),
    mapped("kops.identity.tags", &["spec.cloudLabels.*"], "AWS, tags; eksctl metadata.tags", "a tag of every resource of the cluster").to("metadata.tags").of(Cluster).by(|_, set| {
        match unfit_tag(set.field.path.last_key(), &set.field.text()) {
            Some(because) => Ruling::warning(format!("it is left out: {because}")),
            None => Ruling::as_written(),
        }
    }),
    irrelevant("kops.identity.no-tags", &["spec.cloudLabels"], KOPS, "it says nothing"),
    warning("kops.identity.target", &["spec.target", "spec.target.**"], KOPS, "kops wrote Terraform, and what Terraform made it has to take away again: nothing of it is deleted by kops"),
    warning("kops.identity.update-policy", &["spec.updatePolicy"], KOPS, "EKS changes no node by itself: updates are commits").by(|_, set| {
        if set.field.text() == "external" { Ruling::irrelevant("EKS changes no node by itself either") } else { Ruling::as_written() }
    }),
];

/// Nothing comes of a switch that was off.
fn off(set: &Set<'_>) -> Ruling {
    if set.field.text() == "false" { Ruling::irrelevant("it was off") } else { Ruling::as_written() }
}
