//! DNS, kube-proxy, and programs of the control plane that EKS runs itself.

use super::identity::default_or;
use super::{KOPS, NO_MEMBER};
use crate::migrate::assess::rule::{Rule, Ruling, accepted, irrelevant, mapped, warning};

const COREDNS: &str = "EKS add-on coredns, configuration schema";
const PROXY: &str = "EKS add-on kube-proxy, configuration schema";

pub(super) const RULES: &[Rule] = &[
    mapped("kops.dns.provider", &["spec.kubeDNS.provider"], COREDNS, "").to("addons[coredns]").by(|_, set| {
        match set.field.text().as_str() {
            "KubeDNS" => Ruling::warning("kube-dns gives way to CoreDNS; stub domains and upstream servers go into its Corefile"),
            "None" => Ruling::warning("the cluster had DNS of its own; EKS nodes ask the Service kube-dns, so the add-on coredns is there beside it"),
            _ => Ruling::mapped("the add-on coredns"),
        }
    }),
    warning("kops.dns.corefile", &["spec.kubeDNS.externalCoreFile"], COREDNS, "the add-on takes the Corefile as it is: look for ClusterIPs and plugins in it")
        .to("addons[coredns].configurationValues.corefile"),
    warning(
        "kops.dns.stub-domains",
        &["spec.kubeDNS.stubDomains.*[]", "spec.kubeDNS.upstreamNameservers[]"],
        COREDNS,
        "a server of the add-on's Corefile; it has to be no ClusterIP of the old cluster",
    )
    .to("addons[coredns].configurationValues.corefile")
    .by(|_, set| default_or(set, "kops' default for IPv6; the add-on asks the resolver of its VPC")),
    mapped("kops.dns.settings", &["spec.kubeDNS.replicas", "spec.kubeDNS.affinity", "spec.kubeDNS.affinity.**", "spec.kubeDNS.tolerations[]", "spec.kubeDNS.tolerations[].**"], COREDNS, "the add-on has the same setting")
        .to("addons[coredns].configurationValues"),
    mapped("kops.dns.domain", &["spec.kubeDNS.domain", "spec.clusterDNSDomain"], NO_MEMBER, "").by(|_, set| {
        if set.field.text() == "cluster.local" {
            return Ruling::irrelevant("EKS has the same domain");
        }
        let says = "EKS's domain is cluster.local and cannot be changed: every name under this one has to be written anew";
        Ruling::blocker(says, accepted("names under the old domain are written anew"))
    }),
    warning("kops.dns.address", &["spec.kubeDNS.serverIP"], NO_MEMBER, "DNS gets another address: pods that name this one in `dnsConfig` have to be changed"),
    warning("kops.dns.node-local", &["spec.kubeDNS.nodeLocalDNS.**"], "Kubernetes, NodeLocal DNSCache", "")
        .by(|context, set| {
            if context.state.flag("kubeDNS.nodeLocalDNS.enabled") == Some(true) && !set.by_default {
                Ruling::warning("EKS has no add-on for the DNS cache of nodes: deliver it yourself, and look for 169.254.20.10 in `dnsConfig`")
            } else {
                Ruling::irrelevant("the DNS cache of nodes was off, or this is its default")
            }
        }),
    warning("kops.dns.cache", &["spec.kubeDNS.cacheMaxSize", "spec.kubeDNS.cacheMaxConcurrent"], COREDNS, "caches are settings of the Corefile; the add-on's defaults hold")
        .by(|_, set| default_or(set, "kops' default")),
    irrelevant("kops.dns.resources", &["spec.kubeDNS", "spec.kubeDNS.*", "spec.kubeDNS.podAnnotations.*"], COREDNS, "images, resources and annotations are the add-on's"),
    mapped("kops.proxy.mode", &["spec.kubeProxy.proxyMode", "spec.kubeProxy.ipvsScheduler"], PROXY, "the add-on has the same mode").to("addons[kube-proxy].configurationValues"),
    warning(
        "kops.proxy.off",
        &["spec.kubeProxy.enabled"],
        PROXY,
        "kube-proxy was off, since the network program took its place; it is installed unless that program is kept",
    )
    .by(|_, set| if set.field.value == false { Ruling::as_written() } else { Ruling::mapped("the add-on kube-proxy") }),
    warning(
        "kops.proxy.settings",
        &[
            "spec.kubeProxy.conntrackMaxPerCore",
            "spec.kubeProxy.conntrackMin",
            "spec.kubeProxy.featureGates.*",
            "spec.kubeProxy.ipvsExcludeCIDRs[]",
            "spec.kubeProxy.ipvsMinSyncPeriod",
            "spec.kubeProxy.ipvsSyncPeriod",
            "spec.kubeProxy.metricsBindAddress",
            "spec.kubeProxy.bindAddress",
        ],
        PROXY,
        "the add-on's default holds; set it in the add-on's configurationValues if its schema has it",
    ),
    irrelevant("kops.proxy.resources", &["spec.kubeProxy", "spec.kubeProxy.*"], PROXY, "images, resources and addresses are the add-on's"),
    irrelevant(
        "kops.control-plane.etcd",
        &["spec.etcdClusters", "spec.etcdClusters[]", "spec.etcdClusters[].**"],
        KOPS,
        "EKS runs etcd; keep the old one's backups until there is no way back any more",
    ),
    irrelevant(
        "kops.control-plane.cloud-controller",
        &["spec.cloudControllerManager", "spec.cloudControllerManager.**"],
        KOPS,
        "EKS runs the cloud controller manager",
    ),
    irrelevant(
        "kops.control-plane.kubelet",
        &["spec.controlPlaneKubelet", "spec.controlPlaneKubelet.**"],
        KOPS,
        "it is about the control plane's own nodes, which EKS runs",
    ),
    irrelevant(
        "kops.control-plane.gossip",
        &["spec.gossipConfig", "spec.gossipConfig.**", "spec.dnsControllerGossipConfig", "spec.dnsControllerGossipConfig.**"],
        KOPS,
        "nodes of kops found each other by it; EKS has names for everything",
    ),
    warning("kops.control-plane.host-certificates", &["spec.useHostCertificates"], KOPS, "nodes of EKS trust the authorities of their image; add others by user data, and for pods by ConfigMaps"),
];
