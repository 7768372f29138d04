//! How often a pass reads what: the table that people are shown, and that a test holds whole passes to.
//!
//! EC2 and Auto Scaling answer for all things of a kind at once, found by our tag, so that their number does not grow with
//! the cluster. EKS and IAM describe one thing a call. What the file refers to and others made (an existing VPC, subnets by
//! their tags) costs one call more for each way of referring to it.

use super::resource::{Kind, Live, Snapshot};
use serde_json::Value;

/// One call of the pass over a cluster that nobody touched.
pub struct Row {
    /// Of which kind things are read.
    pub kind: Kind,
    /// The call: `ec2:DescribeSubnets`.
    pub call: &'static str,
    /// How often, for people.
    pub often: &'static str,
    /// The most calls of one pass, from what it found.
    pub most: fn(&Snapshot) -> usize,
    /// Whether it is always exactly so many.
    pub exact: bool,
}

fn of(kind: Kind, snapshot: &Snapshot) -> impl Iterator<Item = &Live> {
    snapshot.live.values().filter(move |live| live.key.kind == kind)
}

/// As many as there are things of a kind.
macro_rules! each {
    ($kind:ident) => {
        |snapshot| of(Kind::$kind, snapshot).count()
    };
    ($kind:ident, $times:literal) => {
        |snapshot| $times * of(Kind::$kind, snapshot).count()
    };
}

const fn fixed(kind: Kind, call: &'static str) -> Row {
    Row { kind, call, often: "once", most: |_| 1, exact: true }
}

const fn row(kind: Kind, call: &'static str, often: &'static str, most: fn(&Snapshot) -> usize) -> Row {
    Row { kind, call, often, most, exact: true }
}

const fn up_to(kind: Kind, call: &'static str, often: &'static str, most: fn(&Snapshot) -> usize) -> Row {
    Row { kind, call, often, most, exact: false }
}

/// Every call of a pass over an untouched cluster, in the order of the drivers.
pub const READS: &[Row] = &[
    fixed(Kind::Cluster, "eks:DescribeCluster"),
    up_to(Kind::Cluster, "logs:DescribeLogGroups", "once, where the file says how long logs are kept", |_| 1),
    fixed(Kind::Vpc, "ec2:DescribeVpcs"),
    row(Kind::Vpc, "ec2:DescribeVpcAttribute", "twice: the API tells one attribute a call", each!(Vpc, 2)),
    fixed(Kind::Subnet, "ec2:DescribeSubnets"),
    up_to(
        Kind::Subnet,
        "ec2:DescribeAvailabilityZones",
        "once, until subnets tell the zones of a VPC whose file names none",
        |_| 1,
    ),
    fixed(Kind::InternetGateway, "ec2:DescribeInternetGateways"),
    fixed(Kind::EgressGateway, "ec2:DescribeEgressOnlyInternetGateways"),
    fixed(Kind::Address, "ec2:DescribeAddresses"),
    fixed(Kind::NatGateway, "ec2:DescribeNatGateways"),
    fixed(Kind::RouteTable, "ec2:DescribeRouteTables"),
    row(Kind::SecurityGroup, "ec2:DescribeSecurityGroups", "twice: ours, and those of controllers", |_| 2),
    fixed(Kind::VpcEndpoint, "ec2:DescribeVpcEndpoints"),
    fixed(Kind::Role, "iam:ListRoles"),
    row(Kind::Role, "iam:GetRole", "for each role", each!(Role)),
    row(Kind::Role, "iam:ListAttachedRolePolicies", "for each role", each!(Role)),
    row(Kind::Role, "iam:ListRolePolicies", "for each role", each!(Role)),
    row(Kind::Role, "iam:GetRolePolicy", "for each inline policy", |snapshot| {
        of(Kind::Role, snapshot).map(|role| parts(&role.actual["InlinePolicies"])).sum()
    }),
    fixed(Kind::InstanceProfile, "iam:ListInstanceProfiles"),
    row(Kind::InstanceProfile, "iam:GetInstanceProfile", "for each instance profile", each!(InstanceProfile)),
    fixed(Kind::OidcProvider, "iam:ListOpenIDConnectProviders"),
    row(Kind::OidcProvider, "iam:GetOpenIDConnectProvider", "for the cluster's", each!(OidcProvider)),
    fixed(Kind::LaunchTemplate, "ec2:DescribeLaunchTemplates"),
    up_to(
        Kind::LaunchTemplate,
        "ec2:DescribeLaunchTemplateVersions",
        "once, where there is one: the newest and default versions of all",
        |_| 1,
    ),
    up_to(
        Kind::LaunchTemplate,
        "ssm:GetParameters",
        "for ten AMIs whose newest release the file follows",
        |snapshot| of(Kind::LaunchTemplate, snapshot).count().div_ceil(10),
    ),
    fixed(Kind::AutoScalingGroup, "autoscaling:DescribeAutoScalingGroups"),
    up_to(
        Kind::AutoScalingGroup,
        "autoscaling:DescribeInstanceRefreshes",
        "for each group whose nodes are being replaced",
        each!(AutoScalingGroup),
    ),
    up_to(
        Kind::AutoScalingGroup,
        "ec2:DescribeLaunchTemplateVersions",
        "once, where adopted groups have templates that others made; and for each whose version is not the newest or default",
        |snapshot| 1 + of(Kind::AutoScalingGroup, snapshot).count(),
    ),
    up_to(
        Kind::AutoScalingGroup,
        "autoscaling:DescribeLaunchConfigurations",
        "for fifty adopted groups that have a launch configuration",
        |snapshot| of(Kind::AutoScalingGroup, snapshot).count().div_ceil(50),
    ),
    fixed(Kind::Addon, "eks:ListAddons"),
    row(Kind::Addon, "eks:DescribeAddon", "for each add-on", each!(Addon)),
    row(Kind::Addon, "eks:DescribePodIdentityAssociation", "for each role of an add-on", |snapshot| {
        of(Kind::Addon, snapshot).map(|addon| parts(&addon.actual["podIdentityAssociations"])).sum()
    }),
    up_to(
        Kind::Addon,
        "eks:DescribeAddonVersions",
        "for each add-on whose version the file leaves open; kept for an hour",
        each!(Addon),
    ),
    up_to(
        Kind::Addon,
        "eks:DescribeAddonConfiguration",
        "for each add-on whose configuration is to be set; kept for an hour",
        each!(Addon),
    ),
    fixed(Kind::Nodegroup, "eks:ListNodegroups"),
    row(Kind::Nodegroup, "eks:DescribeNodegroup", "for each managed node group", each!(Nodegroup)),
    fixed(Kind::FargateProfile, "eks:ListFargateProfiles"),
    row(Kind::FargateProfile, "eks:DescribeFargateProfile", "for each profile", each!(FargateProfile)),
    up_to(
        Kind::AccessEntry,
        "eks:ListAccessPolicies",
        "once, where an entry has a policy; kept for an hour",
        |_| 1,
    ),
    up_to(
        Kind::AccessEntry,
        "eks:ListAccessEntries",
        "once, unless only the aws-auth ConfigMap counts",
        |_| 1,
    ),
    up_to(
        Kind::AccessEntry,
        "eks:DescribeAccessEntry",
        "for each entry; EKS has one of its own for each role of nodes and Fargate, and one for who made the cluster",
        |snapshot| {
            let own = |kind| of(kind, snapshot).count();
            own(Kind::AccessEntry) + own(Kind::Nodegroup) + own(Kind::FargateProfile) + 1
        },
    ),
    up_to(
        Kind::AccessEntry,
        "eks:ListAssociatedAccessPolicies",
        "for each declared entry",
        each!(AccessEntry),
    ),
    up_to(
        Kind::AccessEntry,
        "sts:GetCallerIdentity",
        "for each entry that nobody declared: it may be our own",
        |snapshot| of(Kind::AccessEntry, snapshot).count() + 1,
    ),
    fixed(Kind::PodIdentityAssociation, "eks:ListPodIdentityAssociations"),
    row(
        Kind::PodIdentityAssociation,
        "eks:DescribePodIdentityAssociation",
        "for each association that is no add-on's",
        each!(PodIdentityAssociation),
    ),
    fixed(Kind::IdentityProvider, "eks:ListIdentityProviderConfigs"),
    row(
        Kind::IdentityProvider,
        "eks:DescribeIdentityProviderConfig",
        "for each identity provider",
        each!(IdentityProvider),
    ),
    row(
        Kind::ServiceAccount,
        "kubernetes:GetServiceAccount",
        "for each ServiceAccount, at the cluster's own API server",
        each!(ServiceAccount),
    ),
    up_to(
        Kind::ServiceAccount,
        "kubernetes:ListServiceAccounts",
        "once in a daemon's memory: those with our marks, which nobody may remember",
        |_| 1,
    ),
];

fn parts(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}
