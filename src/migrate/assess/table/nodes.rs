//! What holds for nodes of every group, and stands in the Cluster or in a group: kubelet, container runtime, user data.

use super::NODEGROUP;
use super::groups::{node_label_ruling, taint_ruling};
use super::identity::default_or;
use crate::migrate::assess::context::Context;
use crate::migrate::assess::packing::{Density, max_pods};
use crate::migrate::assess::rule::{Rule, Ruling, Set, irrelevant, mapped, warning};
use crate::migrate::assess::translate::groups::update;
use crate::migrate::assess::translate::{instances, network};
use crate::model::kops::Kind;

const NODEADM: &str =
    "nodeadm, NodeConfig.kubelet.config; eksctl has kubeletExtraConfig for nodeGroups alone";
const RUNTIME: &str = "nodeadm, NodeConfig.containerd";
const USER_DATA: &str = "EKS User Guide, launch templates (user data)";
/// How kops and EKS evict where nobody says otherwise.
const EVICTION: &str = "memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<10%,imagefs.inodesFree<5%";

pub(super) const RULES: &[Rule] = &[
    mapped("kops.node.max-pods", &["spec.kubelet.maxPods"], "EKS User Guide, maximum pods; eksctl maxPodsPerNode", "as many pods, if the node has as many addresses")
        .to("managedNodeGroups[].maxPodsPerNode")
        .by(most_pods),
    warning(
        "kops.node.kubelet",
        &[
            "spec.kubelet.allowedUnsafeSysctls[]",
            "spec.kubelet.experimentalAllowedUnsafeSysctls[]",
            "spec.kubelet.experimental_allowed_unsafe_sysctls[]",
            "spec.kubelet.containerLogMaxFiles",
            "spec.kubelet.containerLogMaxSize",
            "spec.kubelet.cpuCFSQuota",
            "spec.kubelet.cpuCFSQuotaPeriod",
            "spec.kubelet.cpuManagerPolicy",
            "spec.kubelet.crashLoopBackOffMaxContainerRestartPeriod",
            "spec.kubelet.enforceNodeAllocatable",
            "spec.kubelet.eventBurst",
            "spec.kubelet.eventQPS",
            "spec.kubelet.eventRecordQPS",
            "spec.kubelet.evictionMaxPodGracePeriod",
            "spec.kubelet.evictionMinimumReclaim",
            "spec.kubelet.evictionPressureTransitionPeriod",
            "spec.kubelet.evictionSoft",
            "spec.kubelet.evictionSoftGracePeriod",
            "spec.kubelet.failSwapOn",
            "spec.kubelet.imageGCHighThresholdPercent",
            "spec.kubelet.imageGCLowThresholdPercent",
            "spec.kubelet.imageMaximumGCAge",
            "spec.kubelet.imageMinimumGCAge",
            "spec.kubelet.imagePullProgressDeadline",
            "spec.kubelet.kubeReserved.*",
            "spec.kubelet.kubeReservedCgroup",
            "spec.kubelet.maxParallelImagePulls",
            "spec.kubelet.memorySwapBehavior",
            "spec.kubelet.nodeStatusUpdateFrequency",
            "spec.kubelet.podPidsLimit",
            "spec.kubelet.registryBurst",
            "spec.kubelet.registryPullQPS",
            "spec.kubelet.seccompDefault",
            "spec.kubelet.serializeImagePulls",
            "spec.kubelet.shutdownGracePeriod",
            "spec.kubelet.shutdownGracePeriodCriticalPods",
            "spec.kubelet.streamingConnectionIdleTimeout",
            "spec.kubelet.systemReserved.*",
            "spec.kubelet.systemReservedCgroup",
            "spec.kubelet.topologyManagerPolicy",
            "spec.kubelet.volumePluginDirectory",
        ],
        NODEADM,
        "the kubelet of EKS's images has its own value; to have this one, give the group user data with a NodeConfig",
    )
    .by(|_, set| default_or(set, "kops' default")),
    warning("kops.node.eviction", &["spec.kubelet.evictionHard"], NODEADM, "the kubelet of EKS's images evicts by its own thresholds; to have these, give the group user data with a NodeConfig")
        .by(|_, set| if set.by_default || set.field.text() == EVICTION { Ruling::irrelevant("EKS's images have the same thresholds") } else { Ruling::as_written() }),
    warning("kops.node.feature-gates", &["spec.kubelet.featureGates.*"], NODEADM, "EKS's images have no alpha features on; give the group user data with a NodeConfig if the gate is needed still")
        .by(|_, set| default_or(set, "kops' default")),
    mapped("kops.node.kubelet-labels", &["spec.kubelet.nodeLabels.*"], NODEGROUP, "a label of the nodes, as the kubelet gave it")
        .to("managedNodeGroups[].labels")
        .by(node_label_ruling),
    mapped("kops.node.kubelet-taints", &["spec.kubelet.taints[]"], NODEGROUP, "a taint of the nodes, as the kubelet gave it")
        .to("managedNodeGroups[].taints")
        .by(|_, set| taint_ruling(set)),
    irrelevant("kops.node.kubelet-wiring", &["spec.kubelet", "spec.kubelet.**"], NODEADM, "how the kubelet joins its cluster is EKS's to say"),
    warning("kops.node.runtime", &["spec.containerRuntime"], RUNTIME, "").by(|_, set| {
        if set.field.text() == "docker" { Ruling::warning("nodes of EKS run containerd: what talks to Docker's socket stops working") } else { Ruling::irrelevant("nodes of EKS run containerd") }
    }),
    warning("kops.node.docker", &["spec.docker", "spec.docker.**"], RUNTIME, "nodes of EKS run containerd; registries and log settings of Docker go into user data, if they are needed still")
        .by(|_, set| default_or(set, "kops' default")),
    warning(
        "kops.node.containerd",
        &[
            "spec.containerd.configAdditions.**",
            "spec.containerd.configOverride",
            "spec.containerd.gvisor.**",
            "spec.containerd.nri.**",
            "spec.containerd.registryMirrors.*[]",
            "spec.containerd.useECRCredentialsForMirrors",
            "spec.containerd.selinuxEnabled",
        ],
        RUNTIME,
        "EKS's images have containerd as it comes; give the group user data with a NodeConfig to have this",
    )
    .by(|_, set| default_or(set, "kops' default")),
    mapped("kops.node.gpu", &["spec.containerd.nvidiaGPU.enabled"], "EKS User Guide, NVIDIA AMIs", "EKS chooses an image with NVIDIA's driver by the instance type; the nodes keep kops' label and taint, and the device plugin is delivered by an Application")
        .to("managedNodeGroups[].amiFamily")
        .by(|_, set| if set.field.text() == "false" { Ruling::irrelevant("it was off") } else { Ruling::as_written() }),
    warning("kops.node.gpu-metrics", &["spec.containerd.nvidiaGPU.dcgmExporter.enabled"], "NVIDIA dcgm-exporter, chart", "deliver the exporter by an Application"),
    irrelevant("kops.node.containerd-own", &["spec.containerd", "spec.containerd.**"], RUNTIME, "EKS's images bring containerd along"),
    warning("kops.node.assets", &["spec.assets", "spec.assets.*"], "ECR, pull-through cache", "EKS's images and add-ons come from AWS's registries; images of workloads are rewritten by the rules of the move"),
    warning(
        "kops.node.user-data",
        &[
            "spec.additionalUserData[].*",
            "spec.fileAssets[].*",
            "spec.fileAssets[].roles[]",
            "spec.hooks[].**",
            "spec.packages[]",
            "spec.sysctlParameters[]",
        ],
        USER_DATA,
        "what it did to nodes of kops' image has to be looked at: put into preBootstrapCommands what is needed still",
    )
    .to("managedNodeGroups[].preBootstrapCommands")
    .by(user_data),
    irrelevant("kops.node.ntp", &["spec.ntp", "spec.ntp.*"], USER_DATA, "EKS's images keep the time by Amazon Time Sync"),
    mapped("kops.node.update", &["spec.rollingUpdate.maxUnavailable"], "EKS API, NodegroupUpdateConfig", "as many nodes at a time").to("managedNodeGroups[].updateConfig").by(|_, set| {
        if update(set.spec).is_some() { Ruling::as_written() } else { Ruling::warning("EKS replaces 1 to 100 nodes, or 1 to 100 %, at a time; its default holds") }
    }),
    warning("kops.node.update-surge", &["spec.rollingUpdate.maxSurge"], "EKS API, NodegroupUpdateConfig", "EKS adds nodes before it takes others away, in numbers of its own"),
    irrelevant("kops.node.update-drain", &["spec.rollingUpdate", "spec.rollingUpdate.drainAndTerminate"], "EKS User Guide, managed node update behaviour", "EKS drains nodes before it takes them away"),
];

fn user_data(_: &Context<'_>, set: &Set<'_>) -> Ruling {
    let path = set.field.path.to_string();
    let nth = set.field.path.first_index().unwrap_or_default();
    let list = ["hooks", "fileAssets"].into_iter().find(|list| path.starts_with(&format!("spec.{list}[")));
    if let Some(item) = list.and_then(|list| set.spec.items(list).get(nth)) {
        if item["enabled"] == false {
            return Ruling::irrelevant("the hook was off");
        }
        let mut roles =
            item["roles"].as_array().into_iter().flatten().filter_map(|role| role.as_str()).peekable();
        if roles.peek().is_some() && !roles.any(|role| role == "Node") {
            return Ruling::irrelevant("it was for instances that EKS has none of");
        }
    }
    if path.contains(".roles[") {
        return Ruling::irrelevant("which instances it is for; EKS has nodes alone");
    }
    Ruling::as_written()
}

/// A node with more pods than its interfaces have addresses leaves the rest of them waiting for one.
fn most_pods(context: &Context<'_>, set: &Set<'_>) -> Ruling {
    let wanted: u32 = set.field.text().parse().unwrap_or_default();
    if !(1..=737).contains(&wanted) {
        return Ruling::warning("EKS takes 1 to 737 pods for a node; its own limit holds");
    }
    let is_own = set.spec.kind == Kind::InstanceGroup;
    if network::keeps_provider(context) || network::is_ipv6(context) {
        return Ruling::as_written();
    }
    let prefixes = network::delegates_prefixes(context);
    let groups = context.state.node_groups().filter(|group| !is_own || group.name == set.spec.name);
    let types = groups.flat_map(|group| instances::types(context, group));
    let known = types.filter_map(|name| {
        let facts = context.facts.instance_types.get(&name)?;
        // What EKS advises beyond (110 pods) is no limit of addresses.
        let slots = max_pods(facts, Density::Address).saturating_sub(2);
        let addresses = if prefixes && facts.nitro { slots.saturating_mul(16) } else { slots };
        Some((addresses.saturating_add(2), name))
    });
    match known.min() {
        Some((most, name)) if most < wanted => Ruling::warning(format!(
            "{name} has addresses for {most} pods, so that of {wanted} the others wait for one; let nodes take prefixes \
             (prefix-delegation), choose another instance type, or say {most}"
        )),
        _ => Ruling::as_written(),
    }
}
