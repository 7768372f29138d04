//! The roles that a ClusterConfig asks for: who may assume each, and what it may do.

use super::addons;
use super::document::{ISSUER_KEY, document};
use super::names::{oidc_provider, path, role, role_name, service_principal};
use super::permissions::Permissions;
use super::well_known;
use crate::model::cluster_config::{
    ClusterConfig, ClusterIam, ClusterIamServiceAccount, FargateProfile, NodeGroupBase,
    PodIdentityAssociation,
};
use crate::provision::network::{Declared, ISSUER, Problem, cluster, is_ipv6, resource};
use crate::provision::resource::{Key, Kind, Resource, Scope, Snapshot};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who may assume a role.
#[derive(Clone, Debug, PartialEq)]
pub enum Trust {
    /// A service of AWS, with further actions and a condition.
    Service {
        /// `eks`, `ec2`…
        service: &'static str,
        /// Whether the service may tag the session.
        tags_sessions: bool,
        /// Condition, or null.
        condition: Value,
    },
    /// Pods, by EKS Pod Identity. Which ones is said by the association.
    PodIdentity,
    /// A service account, by the cluster's OIDC issuer.
    ServiceAccount {
        /// `system:serviceaccount:NAMESPACE:NAME`.
        subject: String,
        /// Whether `*` and `?` in the subject stand for others.
        pattern: bool,
    },
}

impl Trust {
    /// A service of AWS.
    #[must_use]
    pub const fn service(service: &'static str) -> Self {
        Self::Service { service, tags_sessions: false, condition: Value::Null }
    }

    /// A service account, or several by a pattern.
    #[must_use]
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let pattern = name.contains(['*', '?']);
        Self::ServiceAccount { subject: format!("system:serviceaccount:{namespace}:{name}"), pattern }
    }

    fn statement(&self, scope: &Scope) -> Value {
        match self {
            Self::Service { service, tags_sessions, condition } => {
                let actions: &[&str] =
                    if *tags_sessions { &["sts:AssumeRole", "sts:TagSession"] } else { &["sts:AssumeRole"] };
                let mut statement = json!({
                    "Effect": "Allow",
                    "Principal": {"Service": service_principal(scope, service)},
                    "Action": actions,
                });
                if !condition.is_null() {
                    statement["Condition"] = condition.clone();
                }
                statement
            }
            Self::PodIdentity => {
                Self::Service { service: "pods.eks", tags_sessions: true, condition: Value::Null }
                    .statement(scope)
            }
            Self::ServiceAccount { subject, pattern } => {
                let audience = (format!("{ISSUER_KEY}:aud"), json!("sts.amazonaws.com"));
                let subject = (format!("{ISSUER_KEY}:sub"), json!(subject));
                let mut condition = json!({"StringEquals": Map::from_iter([audience])});
                condition[if *pattern { "StringLike" } else { "StringEquals" }][&subject.0] = subject.1;
                json!({
                    "Effect": "Allow",
                    "Principal": {"Federated": oidc_provider().output("arn")},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": condition,
                })
            }
        }
    }
}

pub(super) struct Roles<'a> {
    pub(super) config: &'a ClusterConfig,
    pub(super) scope: &'a Scope,
    /// What was read before.
    pub(super) known: &'a Snapshot,
}

/// The instance profile of a self-managed node group.
#[must_use]
pub fn instance_profile(group: &str) -> Key {
    Key::new(Kind::InstanceProfile, format!("nodegroup-{group}"))
}

/// All roles, instance profiles and the OIDC provider. `known` is what was read before: as long as Auto Mode is on, the
/// cluster's role keeps what it needs for it.
#[must_use]
pub fn resources(config: &ClusterConfig, scope: &Scope, known: &Snapshot) -> Declared {
    let roles = Roles { config, scope, known };
    let empty = ClusterIam::default();
    let iam = config.iam.as_ref().unwrap_or(&empty);
    let mut declared = Declared::default();
    declared.resources.extend(roles.of_cluster(iam));
    declared.resources.extend(roles.of_auto_mode());
    declared.resources.extend(roles.of_nodes(&mut declared.problems));
    declared.resources.extend(roles.of_fargate(iam));
    declared.resources.extend(roles.oidc(iam));
    for (nth, account) in iam.service_accounts.iter().enumerate() {
        let at = format!("/iam/serviceAccounts/{nth}");
        declared.resources.extend(roles.of_service_account(iam, account, &at, &mut declared.problems));
    }
    for (nth, association) in iam.pod_identity_associations.iter().enumerate() {
        if association.role_arn.is_none() {
            let at = format!("/iam/podIdentityAssociations/{nth}");
            declared.resources.push(roles.of_association(pod(association), association, &at));
        }
    }
    for (nth, addon) in config.addons.iter().enumerate() {
        let of_addon = addons::roles(&roles, addon, &format!("/addons/{nth}"), &mut declared.problems);
        declared.resources.extend(of_addon);
    }
    refuse_doubles(&mut declared);
    declared
}

/// Two roles of one key (`a-b` in `c` and `b` in `c-a`) or one name would take turns.
fn refuse_doubles(declared: &mut Declared) {
    let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut doubles = Vec::new();
    declared.resources.retain(|each| {
        let name = each.desired.get("RoleName").filter(|name| name.is_string()).cloned();
        let named = name.is_none_or(|name| each.key.kind != Kind::Role || names.insert(name.to_string()));
        let fine = keys.insert(each.key.clone()) && named;
        if !fine {
            let message = format!("{} is declared twice: give one of them another name", each.key);
            doubles.push(Problem::refused(each.declared_at.as_str(), message));
        }
        fine
    });
    declared.problems.extend(doubles);
}

fn service_account(account: &ClusterIamServiceAccount) -> (&str, &str) {
    (account.metadata.namespace.as_deref().unwrap_or("default"), account.metadata.name.as_str())
}

/// `Role/pod-NAMESPACE-NAME`.
fn pod(association: &PodIdentityAssociation) -> Key {
    let namespace = association.namespace.as_deref().unwrap_or("default");
    role(format!("pod-{namespace}-{}", association.service_account_name))
}

fn given_or(arn: Option<&str>, key: &Key) -> Value {
    arn.map_or_else(|| key.output("arn"), Value::from)
}

/// ARN of the cluster's role, or the output that stands for it.
#[must_use]
pub fn cluster_role(config: &ClusterConfig) -> Value {
    given_or(config.iam.as_ref().and_then(|iam| iam.service_role_arn.as_deref()), &role("cluster"))
}

/// ARN of the role of Auto Mode's nodes, or the output that stands for it.
#[must_use]
pub fn auto_mode_role(config: &ClusterConfig) -> Value {
    given_or(
        config.auto_mode_config.as_ref().and_then(|auto| auto.node_role_arn.as_deref()),
        &role("auto-mode"),
    )
}

/// ARN of a node group's role, or the output that stands for it.
#[must_use]
pub fn node_role(group: &NodeGroupBase) -> Value {
    let given = group.iam.as_ref().and_then(|iam| iam.instance_role_arn.as_deref());
    given_or(given, &role(format!("nodegroup-{}", group.name)))
}

/// ARN of the role that a Fargate profile runs pods with, or the output that stands for it.
#[must_use]
pub fn fargate_role(config: &ClusterConfig, profile: &FargateProfile) -> Value {
    let of_cluster = config.iam.as_ref().and_then(|iam| iam.fargate_pod_execution_role_arn.as_deref());
    given_or(profile.pod_execution_role_arn.as_deref().or(of_cluster), &role("fargate"))
}

/// ARN of a service account's role (IRSA), or the output that stands for it: what
/// `eks.amazonaws.com/role-arn` has to say.
#[must_use]
pub fn service_account_role(account: &ClusterIamServiceAccount) -> Value {
    let (namespace, name) = service_account(account);
    given_or(account.attach_role_arn.as_deref(), &role(format!("sa-{namespace}-{name}")))
}

/// ARN of a pod identity association's role, or the output that stands for it.
#[must_use]
pub fn pod_role(association: &PodIdentityAssociation) -> Value {
    given_or(association.role_arn.as_deref(), &pod(association))
}

impl Roles<'_> {
    #[allow(clippy::too_many_arguments, reason = "each is a member of the one resource that is made here")]
    pub(super) fn role(
        &self,
        key: Key,
        name: Option<&str>,
        trust: &Trust,
        permissions: Permissions,
        boundary: Option<&str>,
        tags: &BTreeMap<String, String>,
        at: &str,
    ) -> Resource {
        let mut desired = Map::new();
        let name = name.map_or_else(|| role_name(self.scope, &key), str::to_owned);
        desired.insert("RoleName".to_owned(), json!(name));
        desired.insert("Path".to_owned(), json!(path(self.config, self.scope)));
        let statement = trust.statement(self.scope);
        desired.insert("AssumeRolePolicyDocument".to_owned(), document(vec![statement]));
        if matches!(trust, Trust::ServiceAccount { .. }) {
            desired.insert("Issuer".to_owned(), oidc_provider().output("issuer"));
        }
        if let Some(boundary) = boundary {
            desired.insert("PermissionsBoundary".to_owned(), json!(boundary));
        }
        permissions.declare(&mut desired);
        let mut all = self.config.metadata.tags.clone();
        all.extend(tags.clone());
        resource(key, Value::Object(desired), all, at)
    }

    fn of_cluster(&self, iam: &ClusterIam) -> Option<Resource> {
        if iam.service_role_arn.is_some() {
            return None;
        }
        let mut policies = vec!["AmazonEKSClusterPolicy"];
        if iam.vpc_resource_controller_policy != Some(false) {
            policies.push("AmazonEKSVPCResourceController");
        }
        let cluster = self.known.live.get(&cluster(self.scope));
        let is_on = cluster.is_some_and(|live| live.actual["computeConfig"]["enabled"] == json!(true));
        if self.has_auto_mode() || is_on {
            policies.extend([
                "AmazonEKSBlockStoragePolicy",
                "AmazonEKSComputePolicy",
                "AmazonEKSLoadBalancingPolicy",
                "AmazonEKSNetworkingPolicy",
            ]);
        }
        let trust = Trust::Service { service: "eks", tags_sessions: true, condition: Value::Null };
        let permissions = Permissions::default().aws(self.scope, &policies);
        let boundary = iam.service_role_permissions_boundary.as_deref();
        Some(self.role(role("cluster"), None, &trust, permissions, boundary, &BTreeMap::new(), "/iam"))
    }

    fn has_auto_mode(&self) -> bool {
        self.config.auto_mode_config.as_ref().is_some_and(|auto| auto.enabled == Some(true))
    }

    fn of_auto_mode(&self) -> Option<Resource> {
        let auto = self.config.auto_mode_config.as_ref().filter(|_| self.has_auto_mode())?;
        let no_pools = auto.node_pools.as_ref().is_some_and(Vec::is_empty);
        if auto.node_role_arn.is_some() || no_pools {
            return None;
        }
        let policies = ["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"];
        let permissions = Permissions::default().aws(self.scope, &policies);
        let boundary = auto.permissions_boundary_arn.as_deref();
        let (trust, at) = (Trust::service("ec2"), "/autoModeConfig");
        Some(self.role(role("auto-mode"), None, &trust, permissions, boundary, &BTreeMap::new(), at))
    }

    fn of_nodes(&self, problems: &mut Vec<Problem>) -> Vec<Resource> {
        let managed = self.config.managed_node_groups.iter().enumerate();
        let mut resources: Vec<Resource> = managed
            .filter_map(|(nth, group)| self.of_group(&group.base, true, &format!("/managedNodeGroups/{nth}")))
            .collect();
        for (nth, group) in self.config.node_groups.iter().enumerate() {
            let (at, base) = (format!("/nodeGroups/{nth}"), &group.base);
            let iam = base.iam.as_ref();
            let role_arn = iam.and_then(|iam| iam.instance_role_arn.as_deref());
            if iam.is_some_and(|iam| iam.instance_profile_arn.is_some()) {
                if role_arn.is_none() {
                    problems.push(Problem::refused(
                        format!("{at}/iam/instanceProfileARN"),
                        "give instanceRoleARN as well, the role in the profile: the nodes log in with it",
                    ));
                }
                continue;
            }
            let made = self.of_group(base, false, &at);
            let name = match (&made, role_arn) {
                (Some(made), _) => made.key.output("name"),
                (None, arn) => json!(arn.and_then(|arn| arn.rsplit('/').next())),
            };
            let key = instance_profile(&base.name);
            let desired = json!({
                "InstanceProfileName": role_name(self.scope, &key),
                "Path": path(self.config, self.scope),
                "RoleName": name,
            });
            resources.extend(made);
            resources.push(resource(key, desired, self.config.metadata.tags.clone(), at));
        }
        resources
    }

    fn of_group(&self, group: &NodeGroupBase, managed: bool, at: &str) -> Option<Resource> {
        let iam = group.iam.as_ref();
        if iam.is_some_and(|iam| iam.instance_role_arn.is_some()) {
            return None;
        }
        let arns = iam.map_or(&[][..], |iam| &iam.attach_policy_arns);
        let addons = iam.and_then(|iam| iam.with_addon_policies);
        let builds_images = addons.is_some_and(|addons| addons.image_builder);
        let mut permissions = Permissions::default();
        if arns.is_empty() {
            permissions =
                permissions.aws(self.scope, &["AmazonEKSWorkerNodePolicy", "AmazonSSMManagedInstanceCore"]);
            if !addons::cni_has_its_own_role(self.config, self.scope) {
                permissions = if is_ipv6(self.config) {
                    permissions.inline("CNI", well_known::cni_ipv6(self.scope))
                } else {
                    permissions.aws(self.scope, &["AmazonEKS_CNI_Policy"])
                };
            }
        }
        // EKS refuses managed nodes without this very policy, although PowerUser allows more.
        if if managed { arns.is_empty() } else { !builds_images } {
            permissions = permissions.aws(self.scope, &["AmazonEC2ContainerRegistryPullOnly"]);
        }
        let permissions = permissions
            .of_node_addons(self.scope, addons)
            .arns(arns)
            .written("Policy", iam.and_then(|iam| iam.attach_policy.as_ref()));
        let name = iam.and_then(|iam| iam.instance_role_name.as_deref());
        let boundary = iam.and_then(|iam| iam.instance_role_permissions_boundary.as_deref());
        let key = role(format!("nodegroup-{}", group.name));
        Some(self.role(key, name, &Trust::service("ec2"), permissions, boundary, &BTreeMap::new(), at))
    }

    fn of_fargate(&self, iam: &ClusterIam) -> Option<Resource> {
        let needs =
            self.config.fargate_profiles.iter().any(|profile| profile.pod_execution_role_arn.is_none());
        if !needs || iam.fargate_pod_execution_role_arn.is_some() {
            return None;
        }
        let Scope { partition, region, account, cluster } = self.scope;
        // Only profiles of this cluster (EKS User Guide, Fargate pod execution role: confused deputy).
        let profiles = format!("arn:{partition}:eks:{region}:{account}:fargateprofile/{cluster}/*");
        let trust = Trust::Service {
            service: "eks-fargate-pods",
            tags_sessions: false,
            condition: json!({"ArnLike": {"aws:SourceArn": profiles}}),
        };
        let permissions = Permissions::default().aws(self.scope, &["AmazonEKSFargatePodExecutionRolePolicy"]);
        let boundary = iam.fargate_pod_execution_role_permissions_boundary.as_deref();
        let none = BTreeMap::new();
        Some(self.role(role("fargate"), None, &trust, permissions, boundary, &none, "/fargateProfiles"))
    }

    fn oidc(&self, iam: &ClusterIam) -> Option<Resource> {
        (iam.with_oidc == Some(true)).then(|| {
            let desired = json!({
                "Url": cluster(self.scope).output(ISSUER),
                "ClientIDList": ["sts.amazonaws.com"],
            });
            resource(oidc_provider(), desired, self.config.metadata.tags.clone(), "/iam/withOIDC")
        })
    }

    fn of_service_account(
        &self,
        iam: &ClusterIam,
        account: &ClusterIamServiceAccount,
        at: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Resource> {
        if account.attach_role_arn.is_some() {
            return None;
        }
        let (namespace, name) = service_account(account);
        let permissions = Permissions::default()
            .arns(&account.attach_policy_arns)
            .written("Policy", account.attach_policy.as_ref())
            .well_known(self.scope, account.well_known_policies);
        if permissions.is_empty() {
            let message = "the role has no policy: give attachPolicyARNs, attachPolicy, wellKnownPolicies or attachRoleARN";
            problems.push(Problem::refused(at, message));
            return None;
        }
        if iam.with_oidc != Some(true) {
            let message = "roles of service accounts need the OIDC provider: set iam.withOIDC to true";
            problems.push(Problem::refused(at, message));
            return None;
        }
        let trust = Trust::service_account(namespace, account.subject_pattern.as_deref().unwrap_or(name));
        Some(self.role(
            role(format!("sa-{namespace}-{name}")),
            account.role_name.as_deref(),
            &trust,
            permissions,
            account.permissions_boundary.as_deref(),
            &account.tags,
            at,
        ))
    }

    pub(super) fn of_association(
        &self,
        key: Key,
        association: &PodIdentityAssociation,
        at: &str,
    ) -> Resource {
        let policy = association.permission_policy_name.as_deref().unwrap_or("Policy");
        let permissions = Permissions::default()
            .arns(&association.permission_policy_arns)
            .written(policy, association.permission_policy.as_ref())
            .well_known(self.scope, association.well_known_policies);
        let boundary = association.permissions_boundary_arn.as_deref();
        let name = association.role_name.as_deref();
        self.role(key, name, &Trust::PodIdentity, permissions, boundary, &association.tags, at)
    }
}
