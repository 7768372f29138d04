//! Name, version, ways to the API server, who may log in.

use super::{KOPS, NO_MEMBER};
use crate::migrate::assess::context::Context;
use crate::migrate::assess::rule::{
    Rule, Ruling, Set, accepted, blocker, choice, irrelevant, mapped, offer, offers, warning,
};
use crate::migrate::assess::translate::access::{self, Group};
use crate::migrate::assess::translate::groups::SSH;
use crate::migrate::assess::translate::names::node_group_name;
use crate::migrate::assess::translate::network::{self, Access};
use crate::migrate::assess::translate::{control_plane, identity};
use crate::model::kops::Kind::{Cluster, InstanceGroup};
use crate::model::kops::Role;

const ENTRIES: &str = "EKS API, CreateAccessEntry; eksctl's migration of aws-auth";
const PROVIDER: &str = "EKS API, AssociateIdentityProviderConfig";

pub(super) const RULES: &[Rule] = &[
    irrelevant("kops.document.type", &["apiVersion", "kind"], KOPS, "it says what the document is"),
    irrelevant(
        "kops.document.bookkeeping",
        &[
            "metadata.namespace",
            "metadata.generateName",
            "metadata.creationTimestamp",
            "metadata.generation",
            "metadata.resourceVersion",
            "metadata.uid",
            "metadata.selfLink",
            "metadata.managedFields.**",
            "status.**",
        ],
        KOPS,
        "kops keeps it for itself",
    ),
    irrelevant(
        "kops.document.labels",
        &["metadata.labels.*", "metadata.annotations.*"],
        KOPS,
        "labels and annotations of the document are for kops and its readers, and not on any node",
    ),
    choice(identity::NAME, &["metadata.name"], "EKS API, CreateCluster.name", "")
        .of(Cluster)
        .to("metadata.name")
        .by(|context, set| {
            let name = identity::name(context);
            if name == set.spec.name {
                return Ruling::mapped("the name stays");
            }
            let ways = offers([offer("dashes", format!("`{name}`")), offer("<name>", "that name")]);
            Ruling::choice("names in EKS have no dots, and roles, groups and tags carry the name", ways)
        }),
    mapped("kops.group.name", &["metadata.name"], "EKS API, CreateNodegroup.nodegroupName", "")
        .of(InstanceGroup)
        .to("managedNodeGroups[].name")
        .by(|_, set| match set.spec.role() {
            Role::Node => Ruling::mapped(format!("a node group named {}", node_group_name(&set.spec.name))),
            _ => Ruling::irrelevant("the group is not carried over"),
        }),
    choice(identity::VERSION, &["spec.kubernetesVersion"], "EKS API, DescribeClusterVersions", "")
        .to("metadata.version")
        .by(|context, _| identity::version(context).ruling),
    irrelevant(
        "kops.identity.channel",
        &["spec.channel"],
        KOPS,
        "EKS has its own versions and images; `upgradePolicy` says what happens when support ends",
    ),
    irrelevant(
        "kops.identity.stores",
        &["spec.configStore", "spec.configStore.**"],
        KOPS,
        "it says where kops keeps its state; it stays there until the old cluster goes",
    ),
    warning(
        "kops.identity.endpoint-name",
        &["spec.api.publicName", "spec.masterInternalName"],
        NO_MEMBER,
        "EKS makes the endpoint's name; kubeconfigs and CI that use this one have to be changed",
    )
    .by(|_, set| default_or(set, "kops made the name up; it ends with the old cluster")),
    warning(
        "kops.identity.sans",
        &["spec.api.additionalSANs[]"],
        NO_MEMBER,
        "EKS's certificate has no further names; clients that connect by this one have to use EKS's endpoint",
    ),
    mapped(
        "kops.identity.endpoint",
        &["spec.api.dns", "spec.api.loadBalancer", "spec.api", "spec.api.loadBalancer.type"],
        "EKS API, VpcConfigRequest.endpointPublicAccess",
        "",
    )
    .to("vpc.clusterEndpoints")
    .by(|context, _| {
        Ruling::mapped(if network::is_internal(context) {
            "the endpoint is reached from within the VPC only"
        } else {
            "the endpoint is public, and within the VPC it is reached privately"
        })
    }),
    mapped(
        "kops.identity.endpoint-groups",
        &["spec.api.loadBalancer.additionalSecurityGroups[]"],
        "EKS API, VpcConfigRequest.securityGroupIds",
        "a further security group of the control plane's interfaces; that of the load balancer it was",
    )
    .to("vpc.controlPlaneSecurityGroupIDs")
    .by(|_, set| {
        if set.field.text().starts_with("sg-") {
            Ruling::as_written()
        } else {
            Ruling::warning("it is no id of a security group, and is left out")
        }
    }),
    warning(
        "kops.identity.endpoint-balancer",
        &["spec.api.loadBalancer.**"],
        NO_MEMBER,
        "EKS runs the endpoint's load balancer itself: no certificate, addresses, subnets or logs of one's own (control-plane \
         logs `api` are there)",
    ),
    irrelevant(
        "kops.identity.endpoint-kind",
        &[
            "spec.api.loadBalancer.class",
            "spec.api.loadBalancer.crossZoneLoadBalancing",
            "spec.api.loadBalancer.useForInternalAPI",
        ],
        KOPS,
        "EKS runs the endpoint's load balancer itself",
    ),
    mapped(network::ACCESS, &["spec.api.access[]"], "EKS API, VpcConfigRequest.publicAccessCidrs", "")
        .to("vpc.publicAccessCIDRs")
        .by(api_access),
    warning(
        "kops.identity.ssh-access",
        &["spec.sshAccess[]"],
        "EKS API, RemoteAccessConfig (security groups, no addresses)",
        "nodes are reached by AWS Systems Manager, which every EKS node allows; for SSH from these addresses, add a rule to a \
         security group of the nodes",
    )
    .by(|_, set| default_or(set, "kops' default; nodes are reached by AWS Systems Manager")),
    choice(SSH, &["spec.sshKeyName"], "EKS API, RemoteAccessConfig", "").to("managedNodeGroups[].ssh").by(|_, set| {
        if set.field.text().is_empty() {
            return Ruling::irrelevant("nodes had no key");
        }
        let ways = offers([
            offer("ssm", "no key: people log in by AWS Systems Manager, with their roles"),
            offer("key", "the same key pair; port 22 of the nodes is open to everybody who reaches them"),
        ]);
        Ruling::choice("the nodes' key pair", ways)
    }),
    warning(
        "kops.identity.node-ports",
        &["spec.nodePortAccess[]"],
        NO_MEMBER,
        "who may reach node ports is a rule of the nodes' security group: add it for these addresses",
    ),
    irrelevant(
        "kops.identity.isolate",
        &["spec.networking.isolateControlPlane"],
        KOPS,
        "EKS's control plane is isolated anyway",
    ),
    warning(
        "kops.identity.dns-zone",
        &["spec.dnsZone"],
        KOPS,
        "kops' own records there (api, api.internal, bastion, kops-controller.internal, etcd-*) end with the old cluster; \
         records of applications stay theirs",
    )
    .by(|_, set| default_or(set, "kops found the zone by the cluster's name; its own records there end with the old cluster")),
    mapped("kops.access.principal", &["spec.authentication.aws.identityMappings[].arn"], ENTRIES, "an access entry of this role or user")
        .to("accessConfig.accessEntries[].principalARN")
        .by(|_, set| {
            if access::is_principal(&set.field.text()) {
                return Ruling::as_written();
            }
            let says = "it is the ARN of no role or user: an entry is for the role behind a session, and never for an account";
            Ruling::blocker(says, accepted("nobody logs in by it"))
        }),
    mapped("kops.access.username", &["spec.authentication.aws.identityMappings[].username"], ENTRIES, "the entry's user name")
        .to("accessConfig.accessEntries[].kubernetesUsername")
        .by(|_, set| {
            if access::username(&set.field.text()).is_some() {
                return Ruling::as_written();
            }
            Ruling::warning("EKS keeps names that begin so to itself and makes one of the ARN; bindings of the name are rewritten")
        }),
    mapped(access::SYSTEM_GROUP, &["spec.authentication.aws.identityMappings[].groups[]"], ENTRIES, "")
        .to("accessConfig.accessEntries[].kubernetesGroups")
        .by(mapping_group),
    mapped(
        "kops.access.backend",
        &["spec.authentication.aws.backendMode"],
        ENTRIES,
        "mappings are access entries in EKS; IAMIdentityMapping objects of the cluster become entries too",
    )
    .to("accessConfig.accessEntries"),
    irrelevant(
        "kops.access.authenticator",
        &["spec.authentication", "spec.authentication.aws", "spec.authentication.aws.*"],
        KOPS,
        "EKS runs the IAM authenticator itself",
    ),
    blocker(
        "kops.access.kopeio",
        &["spec.authentication.kopeio"],
        NO_MEMBER,
        "people log in by kopeio-auth, which EKS cannot use; give them access entries, or an OIDC provider",
    )
    .unless("they get access entries"),
    mapped("kops.access.oidc", &["spec.authentication.oidc.clientID", "spec.authentication.oidc.usernameClaim", "spec.authentication.oidc.requiredClaims.*"], PROVIDER, "people log in with the same provider")
        .to("identityProviders[0]"),
    mapped("kops.access.oidc-issuer", &["spec.authentication.oidc.issuerURL"], PROVIDER, "people log in with the same provider, which AWS has to reach from the internet")
        .to("identityProviders[0].issuerURL")
        .by(|_, set| {
            if set.field.text().starts_with("https://") {
                return Ruling::as_written();
            }
            Ruling::blocker("EKS takes an issuer by https only", accepted("nobody logs in by it"))
        }),
    mapped(control_plane::OIDC_PREFIX, &["spec.authentication.oidc.usernamePrefix", "spec.authentication.oidc.groupsPrefix"], PROVIDER, "the same prefix")
        .to("identityProviders[0]")
        .by(|_, set| {
            if !control_plane::is_reserved_prefix(&set.field.text()) {
                return Ruling::as_written();
            }
            let ways = offers([offer("oidc:", "`oidc:`; bindings are rewritten"), offer("<prefix>", "that prefix; bindings are rewritten")]);
            Ruling::choice("EKS takes no prefix with `system:`", ways)
        }),
    mapped("kops.access.oidc-groups", &["spec.authentication.oidc.groupsClaims[]"], PROVIDER, "the same claim")
        .to("identityProviders[0].groupsClaim")
        .by(|_, set| {
            let first = set.field.path.first_index() == Some(0);
            if first && !set.field.text().contains(',') {
                return Ruling::as_written();
            }
            Ruling::warning("EKS takes one claim for groups: the first counts")
        }),
    irrelevant("kops.access.oidc-none", &["spec.authentication.oidc"], KOPS, "it says nothing"),
    blocker(
        "kops.access.oidc-ca",
        &["spec.kubeAPIServer.oidcCAFile"],
        PROVIDER,
        "the issuer's certificate is of a private authority, and EKS trusts public ones only",
    )
    .unless("the issuer gets a public certificate"),
    blocker(
        "kops.access.always-allow",
        &["spec.authorization.alwaysAllow"],
        NO_MEMBER,
        "everybody who logs in may do everything, and EKS has RBAC: write Roles and bindings for what runs in the cluster",
    )
    .unless("what is then denied is mended as it shows"),
    mapped("kops.access.rbac", &["spec.authorization.rbac", "spec.authorization"], KOPS, "EKS has RBAC"),
    irrelevant("kops.access.node-authorization", &["spec.nodeAuthorization", "spec.nodeAuthorization.**"], KOPS, "EKS admits nodes by their role"),
];

/// What kops added by itself asks nothing of anybody.
pub(super) fn default_or(set: &Set<'_>, by_default: &str) -> Ruling {
    if set.by_default { Ruling::irrelevant(by_default) } else { Ruling::as_written() }
}

fn api_access(context: &Context<'_>, set: &Set<'_>) -> Ruling {
    let entry = set.field.text();
    match network::access(context, &entry) {
        Access::Blocks(_) if network::is_internal(context) => {
            Ruling::mapped("the endpoint is private, and these addresses may reach it from outside the VPC's")
                .to("vpc.extraCIDRs")
        }
        Access::Blocks(blocks) if entry.starts_with("pl-") => Ruling::warning(format!(
            "the prefix list's {} blocks as they are now; later changes do not reach EKS",
            blocks.len()
        )),
        Access::Blocks(_) => Ruling::mapped("these addresses may reach the endpoint"),
        Access::UnknownList => Ruling::warning(
            "EKS takes no prefix lists: its addresses have to be listed, and the facts have none of it",
        ),
        Access::Ipv6 => {
            Ruling::warning("the endpoint of an IPv4 cluster has IPv4 addresses; IPv6 ones are left out")
        }
        Access::Unreadable => Ruling::warning("it is no block of addresses, and is left out"),
    }
}

fn mapping_group(context: &Context<'_>, set: &Set<'_>) -> Ruling {
    match access::group(context, &set.field.text(), &set.field.pointer) {
        Group::Admin => {
            Ruling::mapped("EKS refuses `system:masters`; the policy AmazonEKSClusterAdminPolicy is the same")
                .to("accessConfig.accessEntries[].accessPolicies")
        }
        Group::Node => {
            Ruling::mapped("an entry of type EC2_LINUX, as nodes have; those of node groups are made by EKS")
                .to("accessConfig.accessEntries[].type")
        }
        Group::Same(_) => Ruling::mapped("the same group"),
        Group::Renamed(_) | Group::Dropped => access::system_group(&set.field.text()),
    }
}
