//! How each add-on's service accounts get permissions: by pod identity associations, or by a role of the OIDC provider.

use super::names::role;
use super::permissions::Permissions;
use super::roles::{Roles, Trust};
use super::well_known;
use crate::model::cluster_config::{Addon, ClusterConfig, PodIdentityAssociation};
use crate::provision::network::{Problem, is_ipv6};
use crate::provision::resource::{Key, Resource, Scope};
use serde_json::Value;

/// What is known of an add-on: its service account that calls AWS, and what it may do by default.
struct Known {
    addon: &'static str,
    namespace: &'static str,
    /// May end in `*` where several accounts of the add-on call AWS.
    service_account: &'static str,
    policies: &'static [&'static str],
}

/// As the add-ons' own documentation in the EKS User Guide has them.
const KNOWN: [Known; 4] = [
    Known {
        addon: "vpc-cni",
        namespace: "kube-system",
        service_account: "aws-node",
        policies: &["AmazonEKS_CNI_Policy"],
    },
    Known {
        addon: "aws-ebs-csi-driver",
        namespace: "kube-system",
        service_account: "ebs-csi-controller-sa",
        policies: &["service-role/AmazonEBSCSIDriverPolicy"],
    },
    Known {
        addon: "aws-efs-csi-driver",
        namespace: "kube-system",
        service_account: "efs-csi-*",
        policies: &["service-role/AmazonEFSCSIDriverPolicy"],
    },
    Known {
        addon: "amazon-cloudwatch-observability",
        namespace: "amazon-cloudwatch",
        service_account: "cloudwatch-agent",
        policies: &["CloudWatchAgentServerPolicy"],
    },
];

fn known(addon: &Addon) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.addon.eq_ignore_ascii_case(&addon.name))
}

/// What an add-on's create and update calls say of permissions.
#[derive(Clone, Debug, PartialEq)]
pub enum AddonIdentity {
    /// Nothing: it needs none, or has the node's.
    None,
    /// `podIdentityAssociations`: service accounts and the roles' ARNs (or outputs that stand for them).
    PodIdentity(Vec<(String, Value)>),
    /// `serviceAccountRoleArn`.
    ServiceAccountRole(Value),
}

/// The ways, in the order in which they count: what the file says, then what is known of the add-on.
enum Way<'a> {
    None,
    Associations(&'a [PodIdentityAssociation]),
    RoleArn(&'a str),
    OidcRole(Permissions),
    Recommended(&'static Known),
}

fn has_oidc(config: &ClusterConfig) -> bool {
    config.iam.as_ref().is_some_and(|iam| iam.with_oidc == Some(true))
}

fn way<'a>(config: &ClusterConfig, scope: &Scope, addon: &'a Addon) -> Way<'a> {
    if let Some(associations) = &addon.pod_identity_associations {
        return Way::Associations(associations);
    }
    if let Some(arn) = &addon.service_account_role_arn {
        return Way::RoleArn(arn);
    }
    let written = Permissions::default()
        .arns(&addon.attach_policy_arns)
        .written("Policy", addon.attach_policy.as_ref())
        .well_known(scope, addon.well_known_policies);
    if !written.is_empty() {
        return Way::OidcRole(written);
    }
    let Some(known) = known(addon) else { return Way::None };
    let automatic = config.addons_config.as_ref().and_then(|all| all.auto_apply_pod_identity_associations);
    if addon.use_default_pod_identity_associations == Some(true) || automatic == Some(true) {
        return Way::Recommended(known);
    }
    if has_oidc(config) { Way::OidcRole(default_permissions(config, scope, known)) } else { Way::None }
}

fn default_permissions(config: &ClusterConfig, scope: &Scope, known: &Known) -> Permissions {
    if known.addon == "vpc-cni" && is_ipv6(config) {
        return Permissions::default().inline("CNI", well_known::cni_ipv6(scope));
    }
    Permissions::default().aws(scope, known.policies)
}

/// How an add-on gets its permissions.
#[must_use]
pub fn addon_identity(config: &ClusterConfig, scope: &Scope, addon: &Addon) -> AddonIdentity {
    match way(config, scope, addon) {
        Way::None => AddonIdentity::None,
        Way::RoleArn(arn) => AddonIdentity::ServiceAccountRole(Value::from(arn)),
        Way::OidcRole(_) => AddonIdentity::ServiceAccountRole(role_of(addon).output("arn")),
        Way::Recommended(known) => {
            let account = known.service_account.replace('*', "controller-sa");
            AddonIdentity::PodIdentity(vec![(account, role_of(addon).output("arn"))])
        }
        Way::Associations(associations) => AddonIdentity::PodIdentity(
            associations
                .iter()
                .map(|association| {
                    let account = association.service_account_name.clone();
                    let given = association.role_arn.as_deref().map(Value::from);
                    let made = || role_of_account(addon, association).output("arn");
                    (account, given.unwrap_or_else(made))
                })
                .collect(),
        ),
    }
}

/// Whether the VPC CNI has a role of its own. If not, nodes carry its permissions.
#[must_use]
pub fn cni_has_its_own_role(config: &ClusterConfig, scope: &Scope) -> bool {
    config
        .addons
        .iter()
        .filter(|addon| addon.name.eq_ignore_ascii_case("vpc-cni"))
        .any(|addon| addon_identity(config, scope, addon) != AddonIdentity::None)
}

/// `Role/addon-NAME`.
fn role_of(addon: &Addon) -> Key {
    role(format!("addon-{}", addon.name))
}

/// `Role/addon-NAME-ACCOUNT`.
fn role_of_account(addon: &Addon, association: &PodIdentityAssociation) -> Key {
    role(format!("addon-{}-{}", addon.name, association.service_account_name))
}

/// The roles of an add-on; `at` is where it stands in the file.
pub(super) fn roles(
    roles: &Roles<'_>,
    addon: &Addon,
    at: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Resource> {
    let (config, scope) = (roles.config, roles.scope);
    let boundary = addon.permissions_boundary.as_deref();
    match way(config, scope, addon) {
        Way::None | Way::RoleArn(_) => {
            if addon.use_default_pod_identity_associations == Some(true) && known(addon).is_none() {
                problems.push(Problem::refused(
                    format!("{at}/useDefaultPodIdentityAssociations"),
                    format!("what {} needs is not known here: write its podIdentityAssociations", addon.name),
                ));
            }
            Vec::new()
        }
        Way::Recommended(known) => {
            let permissions = default_permissions(config, scope, known);
            vec![roles.role(
                role_of(addon),
                None,
                &Trust::PodIdentity,
                permissions,
                boundary,
                &addon.tags,
                at,
            )]
        }
        Way::OidcRole(permissions) => {
            if !has_oidc(config) {
                problems.push(Problem::refused(
                    at,
                    format!(
                        "policies of {} need the OIDC provider or pod identity: set iam.withOIDC to true, or write \
                         them as podIdentityAssociations",
                        addon.name
                    ),
                ));
                return Vec::new();
            }
            let Some(known) = known(addon) else {
                // A role that trusts the issuer without a subject could be assumed by every pod of the cluster.
                problems.push(Problem::refused(
                    at,
                    format!(
                        "which service account of {} gets these policies is not known here: write them as \
                         podIdentityAssociations, which name it",
                        addon.name
                    ),
                ));
                return Vec::new();
            };
            let declared = addon.namespace_config.as_ref().and_then(|config| config.namespace.as_deref());
            let trust = Trust::service_account(declared.unwrap_or(known.namespace), known.service_account);
            vec![roles.role(role_of(addon), None, &trust, permissions, boundary, &addon.tags, at)]
        }
        Way::Associations(associations) => associations
            .iter()
            .enumerate()
            .filter(|(_, association)| association.role_arn.is_none())
            .map(|(nth, association)| {
                let key = role_of_account(addon, association);
                roles.of_association(key, association, &format!("{at}/podIdentityAssociations/{nth}"))
            })
            .collect(),
    }
}
