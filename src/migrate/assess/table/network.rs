//! VPC, subnets, addresses, the pod network.

use super::{KOPS, NO_MEMBER};
use crate::migrate::assess::rule::{Rule, Ruling, irrelevant, mapped, offer, offers, warning};
use crate::migrate::assess::translate::network;
use crate::migrate::assess::translate::subnets::{self, VPC};
use crate::model::kops::Kind::Cluster;

const SUBNETS: &str = "EKS API, VpcConfigRequest.subnetIds; EKS User Guide, VPC and subnet requirements";
const CNI: &str = "EKS User Guide, VPC CNI";
const STAYS: &str = "kops, pkg/resources/aws: what is tagged as owned goes with the cluster";

pub(super) const RULES: &[Rule] = &[
    mapped("kops.network.vpc-shared", &["spec.networking.networkID"], SUBNETS, "the same VPC").to("vpc.id").by(
        |context, _| {
            if subnets::is_new(context) { Ruling::warning("as chosen, a new VPC is made") } else { Ruling::as_written() }
        },
    ),
    mapped(VPC, &["spec.networking.networkCIDR"], STAYS, "").to("vpc.cidr").by(|context, set| {
        if context.state.text("networking.networkID").is_some() {
            return Ruling::mapped("the VPC's addresses");
        }
        if set.by_default {
            return Ruling::irrelevant("kops' default");
        }
        let ways = offers([
            offer("reuse", "the same VPC, tagged as shared before the old cluster goes: egress addresses, peerings and security groups stay"),
            offer("new", "a new VPC: nothing of the old network stays"),
        ]);
        Ruling::choice("kops made the VPC, and `kops delete` takes what it made", ways)
    }),
    mapped("kops.network.more-blocks", &["spec.networking.additionalNetworkCIDRs[]"], SUBNETS, "the VPC keeps its blocks").to("vpc"),
    mapped("kops.network.subnet-name", &["spec.networking.subnets[].name"], SUBNETS, "subnets keep their names in the ClusterConfig")
        .to("vpc.subnets")
        .by(|context, set| {
            if subnets::is_only_ipv6(context, set.field) { Ruling::irrelevant("the subnet is no part of the new cluster") } else { Ruling::as_written() }
        }),
    mapped("kops.network.subnet", &["spec.networking.subnets[].id"], SUBNETS, "the same subnet").to("vpc.subnets"),
    mapped("kops.network.subnet-block", &["spec.networking.subnets[].cidr"], SUBNETS, "its addresses; the subnet stays as it is").to("vpc.subnets"),
    mapped("kops.network.zone", &["spec.networking.subnets[].zone"], SUBNETS, "the same zone").to("vpc.subnets").by(|context, set| {
        if subnets::is_refused_zone(context, &set.field.text()) {
            return Ruling::warning("EKS puts no control plane into this zone; its subnets are for nodes alone").to("vpc.controlPlaneSubnetIDs");
        }
        Ruling::as_written()
    }),
    mapped("kops.network.subnet-type", &["spec.networking.subnets[].type"], SUBNETS, "").to("vpc.subnets").by(|_, set| match set.field.text().as_str() {
        "Private" => Ruling::mapped("a private subnet"),
        "DualStack" => Ruling::mapped("a private subnet with IPv6"),
        "Utility" => Ruling::mapped("a public subnet, for load balancers"),
        _ => Ruling::mapped("a public subnet; nodes there need public addresses, which the subnet has to give (MapPublicIpOnLaunch)"),
    }),
    irrelevant("kops.network.subnet-region", &["spec.networking.subnets[].region"], KOPS, "the zone says it"),
    warning(
        "kops.network.egress",
        &["spec.networking.subnets[].egress", "spec.networking.subnets[].publicIP", "spec.networking.subnets[].additionalRoutes[].*"],
        STAYS,
        "routes and gateways stay with the VPC; what kops made of them has to be tagged as shared, or `kops delete` takes the \
         new cluster's way out",
    ),
    mapped("kops.network.subnet-ipv6", &["spec.networking.subnets[].ipv6CIDR"], SUBNETS, "").to("vpc.subnets").by(|context, set| {
        if subnets::is_only_ipv6(context, set.field) {
            let says = "the subnet has IPv6 addresses alone, and EKS takes subnets of both families: it is left out, and nodes are in \
                        the others of its zone";
            return Ruling::warning(says);
        }
        if network::is_ipv6(context) {
            Ruling::mapped("pods get addresses of the subnet's IPv6 block")
        } else {
            Ruling::warning("the subnet keeps the block, and nothing in an IPv4 cluster uses it")
        }
    }),
    irrelevant("kops.network.no-subnets", &["spec.networking.subnets", "spec.networking"], KOPS, "it says nothing"),
    warning(
        "kops.network.untagged-subnets",
        &["spec.networking.tagSubnets"],
        "eksctl#3188: load balancers find subnets by their tags",
        "kops left the tags of subnets alone; EKS's load balancers need kubernetes.io/role/elb or internal-elb there",
    )
    .by(|_, set| {
        if set.field.value == true { Ruling::irrelevant("kops tagged the subnets, as it does by default") } else { Ruling::as_written() }
    }),
    mapped(
        "kops.network.topology",
        &["spec.networking.topology", "spec.networking.topology.masters", "spec.networking.topology.nodes", "spec.networking.topology.controlPlane"],
        SUBNETS,
        "subnets say where nodes are; the control plane is EKS's",
    )
    .to("managedNodeGroups[].privateNetworking"),
    warning(
        "kops.network.topology-dns",
        &["spec.networking.topology.dns"],
        KOPS,
        "kops' records of the API server are not carried over",
    )
    .by(|_, set| {
        if set.field.text().eq_ignore_ascii_case("public") { Ruling::irrelevant("EKS makes the endpoint's name") } else { Ruling::as_written() }
    }),
    warning(
        "kops.network.bastion",
        &["spec.networking.topology.bastion", "spec.networking.topology.bastion.**"],
        NO_MEMBER,
        "the bastion is kops' and goes with it: log in by AWS Systems Manager, or keep a bastion of your own",
    ),
    warning("kops.network.service-range", &["spec.networking.serviceClusterIPRange"], "EKS API, KubernetesNetworkConfigRequest.serviceIpv4Cidr", "")
        .to("kubernetesNetworkConfig.serviceIPv4CIDR")
        .by(|context, _| network::service_ruling(context)),
    warning(
        "kops.network.pod-range",
        &["spec.networking.podCIDR"],
        CNI,
        "pods get addresses of the VPC's subnets: firewalls and security groups that name this block have to name those",
    ),
    warning(network::FAMILY, &["spec.networking.nonMasqueradeCIDR"], "VPC CNI, AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "")
        .to("kubernetesNetworkConfig.ipFamily")
        .by(|context, _| {
            if network::wants_ipv6(context) {
                return network::family_ruling();
            }
            let says = "pods have addresses of the VPC, and what leaves the VPC has the node's address; to leave it unmasked for more blocks, set \
                        AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS";
            Ruling { becomes: Some("addons[vpc-cni].configurationValues.env".into()), ..Ruling::warning(says) }
        }),
    mapped("kops.network.node-families", &["spec.cloudProvider.aws.nodeIPFamilies[]"], "EKS API, KubernetesNetworkConfigRequest.ipFamily", "")
        .to("kubernetesNetworkConfig.ipFamily")
        .by(|context, set| {
            let ours = if network::is_ipv6(context) { "ipv6" } else { "ipv4" };
            if set.field.text() == ours { Ruling::mapped("the cluster's family") } else { Ruling::warning("EKS has one family for a cluster, and this is the other") }
        }),
    warning(
        network::PROVIDER,
        &[
            "spec.networking.amazonVPC",
            "spec.networking.calico",
            "spec.networking.canal",
            "spec.networking.cilium",
            "spec.networking.classic",
            "spec.networking.cni",
            "spec.networking.external",
            "spec.networking.flannel",
            "spec.networking.kindnet",
            "spec.networking.kopeio",
            "spec.networking.kubeRouter",
            "spec.networking.kubenet",
            "spec.networking.lyftvpc",
            "spec.networking.romana",
            "spec.networking.weave",
        ],
        "EKS User Guide, VPC CNI; vpc-cni#2928",
        "",
    )
    .of(Cluster)
    .to("addons[vpc-cni]")
    .by(|context, set| network::provider_ruling(context, set.field.path.last_key())),
    mapped("kops.network.cni-env", &["spec.networking.amazonVPC.env[].name", "spec.networking.amazonVPC.env[].value"], CNI, "the add-on has the same variable")
        .to("addons[vpc-cni].configurationValues.env"),
    irrelevant("kops.network.cni-image", &["spec.networking.amazonVPC.*"], CNI, "the add-on has its own images"),
    warning(
        "kops.network.encryption",
        &["spec.networking.cilium.enableEncryption", "spec.networking.cilium.nodeEncryption", "spec.networking.cilium.encryptionType", "spec.networking.calico.wireguardEnabled"],
        CNI,
        "vpc-cni does not encrypt; most current instance types encrypt what goes between them by themselves",
    )
    .by(|_, set| off_or(set.field.text().as_str(), "it was off")),
    warning(
        "kops.network.provider-features",
        &[
            "spec.networking.cilium.hubble.**",
            "spec.networking.cilium.gatewayAPI.**",
            "spec.networking.cilium.ingress.**",
            "spec.networking.cilium.enableHostFirewall",
            "spec.networking.cilium.enableLocalRedirectPolicy",
            "spec.networking.cilium.enableServiceTopology",
            "spec.networking.cilium.clusterID",
            "spec.networking.cilium.chainingMode",
            "spec.networking.calico.bpfEnabled",
            "spec.networking.kindnet.adminNetworkPolicies",
            "spec.networking.kindnet.baselineAdminNetworkPolicies",
            "spec.networking.kindnet.nat64",
        ],
        CNI,
        "vpc-cni has no such feature: what uses it has to be served otherwise, unless the old program is kept",
    )
    .by(|_, set| off_or(set.field.text().as_str(), "it was off")),
    irrelevant(
        "kops.network.provider-settings",
        &[
            "spec.networking.calico.**",
            "spec.networking.canal.**",
            "spec.networking.cilium.**",
            "spec.networking.cni.**",
            "spec.networking.flannel.**",
            "spec.networking.kindnet.**",
            "spec.networking.kubeRouter.**",
            "spec.networking.lyftvpc.**",
            "spec.networking.romana.**",
            "spec.networking.weave.**",
        ],
        CNI,
        "a setting of the old network program; if it is kept, its chart has it",
    ),
    irrelevant(
        "kops.network.gce",
        &["spec.networking.gcp", "spec.networking.gcp.**"],
        KOPS,
        "it is about another cloud",
    ),
    warning(
        "kops.network.egress-proxy",
        &["spec.networking.egressProxy.**"],
        "eksctl, preBootstrapCommands; EKS add-ons, configurationValues",
        "EKS knows no proxy: nodes need it in their user data, and add-ons in their settings, or VPC endpoints instead",
    ),
    warning(
        "kops.network.balancer-groups",
        &["spec.cloudProvider.aws.elbSecurityGroup", "spec.cloudProvider.aws.disableSecurityGroupIngress", "spec.cloudProvider.aws.nlbSecurityGroupMode"],
        "AWS Load Balancer Controller, --backend-security-group",
        "security groups of load balancers are settings of the AWS Load Balancer Controller and annotations of Services",
    ),
];

/// Nothing is lost by what was off.
fn off_or(value: &str, off: &str) -> Ruling {
    if matches!(value, "false" | "") { Ruling::irrelevant(off) } else { Ruling::as_written() }
}
