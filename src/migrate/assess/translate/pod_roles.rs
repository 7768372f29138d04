//! Roles that pods have by the annotation of kube2iam and kiam: associations of their service accounts.
//!
//! There the annotation of a pod counts, in EKS its service account. So two pods of one account with two roles are a
//! question to a person, and pods of the account that had none get it too.

use super::{Context, Draft, iam};
use crate::migrate::assess::facts::PodRole;
use crate::migrate::assess::rule::{Ruling, offer};
use crate::migrate::verdict::Offer;
use crate::model::cluster_config::PodIdentityAssociation;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of such a role.
const RULE: &str = "kops.iam.pod-role";
const SOURCE: &str = "uswitch/kiam; jtblin/kube2iam; EKS User Guide, EKS Pod Identity";
/// What a role has to say of whom it trusts, beside what it says now.
const TRUST: &str = "let the role trust the service pods.eks.amazonaws.com as well (sts:AssumeRole, sts:TagSession), and keep what it trusts \
                     now for the way back";

/// A service account with what its pods are annotated with.
struct Account<'a> {
    namespace: &'a str,
    name: &'a str,
    roles: Vec<&'a PodRole>,
}

impl Account<'_> {
    fn subject(&self) -> String {
        format!("ServiceAccount {}/{}", self.namespace, self.name)
    }

    /// The role that the association gets: the only one, or the one that was chosen.
    fn role<'r>(&'r self, context: &Context<'r>) -> Option<&'r str> {
        let chosen = context.chosen(RULE, &self.subject(), "");
        match chosen {
            Some(arn) if arn.starts_with("arn:") => Some(arn),
            Some("none") => None,
            _ => match self.roles[..] {
                [one] if one.role.starts_with("arn:") => Some(&one.role),
                _ => None,
            },
        }
    }
}

fn accounts<'a>(context: &Context<'a>) -> Vec<Account<'a>> {
    let mut accounts: BTreeMap<(&str, &str), Vec<&PodRole>> = BTreeMap::new();
    for role in &context.facts.pod_roles {
        accounts.entry((&role.namespace, &role.service_account)).or_default().push(role);
    }
    accounts.into_iter().map(|((namespace, name), roles)| Account { namespace, name, roles }).collect()
}

/// The role of each service account, by `NAMESPACE/NAME`.
pub(in super::super) fn planned(context: &Context<'_>) -> BTreeMap<String, String> {
    let accounts = accounts(context);
    let roles = accounts.iter().filter_map(|account| {
        let role = account.role(context)?.to_owned();
        Some((format!("{}/{}", account.namespace, account.name), role))
    });
    roles.collect()
}

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    for account in accounts(context) {
        let ruling = ruling(&account).to("iam.podIdentityAssociations[]");
        draft.verdicts.push(context.verdict(&account.subject(), "", RULE, SOURCE, ruling));
        let Some(role) = account.role(context) else { continue };
        let associations = &mut draft.config.iam.get_or_insert_default().pod_identity_associations;
        let is_taken = associations.iter().any(|other| {
            other.namespace.as_deref() == Some(account.namespace)
                && other.service_account_name == account.name
        });
        if !is_taken && !iam::is_pattern(account.namespace) {
            associations.push(PodIdentityAssociation {
                namespace: Some(account.namespace.to_owned()),
                service_account_name: account.name.to_owned(),
                role_arn: Some(role.to_owned()),
                ..PodIdentityAssociation::default()
            });
        }
    }
}

fn ruling(account: &Account<'_>) -> Ruling {
    let none = || offer("none", "the pods do without a role");
    if let [one] = account.roles[..] {
        let who = named(&one.workloads);
        if !one.role.starts_with("arn:") {
            let says = format!(
                "pods of {who} have the role `{}`, and nothing that was read tells its ARN",
                one.role
            );
            return Ruling::blocker(says, vec![offer("<arn>", "that role"), none()]);
        }
        let mut says = format!(
            "pods of {who} have the role {} by an association of their service account; {TRUST}",
            one.role
        );
        if !one.without.is_empty() {
            says.push_str(&format!("; pods of {}, which had none, get it too", named(&one.without)));
        }
        return Ruling::warning(says);
    }
    let each: Vec<String> =
        account.roles.iter().map(|one| format!("{} ({})", one.role, named(&one.workloads))).collect();
    let says = format!(
        "its pods have several roles: {}; EKS gives a service account one role. Give the pods service accounts of their own, or choose one role for all",
        each.join(", ")
    );
    let arns = account.roles.iter().filter(|one| one.role.starts_with("arn:"));
    let mut ways: Vec<Offer> = arns.map(|one| offer(&one.role, "this role for all of them")).collect();
    ways.push(none());
    Ruling::blocker(says, ways)
}

/// Up to three by name.
fn named(workloads: &BTreeSet<String>) -> String {
    let first: Vec<&str> = workloads.iter().take(3).map(String::as_str).collect();
    match workloads.len().saturating_sub(3) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
