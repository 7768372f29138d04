//! Secrets and service accounts.

use super::super::context::RoleMeans;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use crate::model::ResourceId;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "secret.bootstrap-token",
        kinds: &["Secret"],
        reason: "it lets nodes join the old cluster",
        source: "kubernetes.io, bootstrap tokens",
        apply: bootstrap_token,
    },
    Rule {
        id: "secret.account-token",
        kinds: &["Secret"],
        reason: "a token is signed by the cluster that gave it",
        source: "velero pkg/restore/actions/secret_action.go",
        apply: account_token,
    },
    Rule {
        id: "secret.helm-release",
        kinds: &["Secret", "ConfigMap"],
        reason: "Helm's record of a release goes with the objects of the release or not at all",
        source: "helm#8247, helm#11956",
        apply: helm_release,
    },
    Rule {
        id: "account.token-secrets",
        kinds: &["ServiceAccount"],
        reason: "the tokens stay behind, and the account controller does not list them any more",
        source: "velero pkg/restore/actions/service_account_action.go; kubernetes 1.24 LegacyServiceAccountTokenNoAutoGeneration",
        apply: account_tokens,
    },
    Rule {
        id: "account.role",
        kinds: &["ServiceAccount"],
        reason: "pods of this account get their AWS role in EKS through it",
        source: "EKS user guide, IAM roles for service accounts and pod identity",
        apply: role,
    },
    Rule {
        id: "account.default",
        kinds: &["ServiceAccount"],
        reason: "every namespace has its default account already; only what the user gave it is carried over",
        source: "velero pkg/restore, merge of service accounts",
        apply: default_account,
    },
];

const TOKEN: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";

fn bootstrap_token(work: &mut Work<'_>) {
    if work.text("/type") == Some("bootstrap.kubernetes.io/token") {
        work.drop("it lets nodes join the old cluster");
    }
}

fn account_token(work: &mut Work<'_>) {
    if work.text("/type") != Some(TOKEN) {
        return;
    }
    let account = work.annotation(ACCOUNT).unwrap_or_default().to_owned();
    if work.context.survey.lists_token(&work.id()) || is_generated(work.name(), &account) {
        return work.drop(format!(
            "the account controller made it for {account}, and pods get their tokens elsewhere since"
        ));
    }
    let mut emptied = false;
    for key in ["token", "ca.crt", "namespace", "service-ca.crt"] {
        emptied |= work.remove(&at("/data", key)).is_some();
    }
    if work.get("/data").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
        work.remove("/data");
    }
    work.remove(&at("/metadata/annotations", "kubernetes.io/service-account.uid"));
    work.remove(&at("/metadata/labels", "kubernetes.io/legacy-token-last-used"));
    if emptied {
        work.remark(
            Weight::Warning,
            "/data",
            format!("the token of {account} is issued anew by the target: whoever outside uses the old one needs it"),
        );
    }
}

/// `<account>-token-<five characters>` is how the account controller names what it makes.
fn is_generated(secret: &str, account: &str) -> bool {
    let suffix = secret.strip_prefix(account).and_then(|rest| rest.strip_prefix("-token-"));
    suffix.is_some_and(|suffix| {
        suffix.len() == 5 && suffix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

fn helm_release(work: &mut Work<'_>) {
    let label = |key: &str| work.text(&at("/metadata/labels", key));
    let third = work.text("/type") == Some("helm.sh/release.v1");
    let second = label("OWNER") == Some("TILLER");
    if !third && !second {
        return;
    }
    let release = label("name").or_else(|| label("NAME")).unwrap_or("a release").to_owned();
    if !work.context.helm_releases {
        return work.drop(format!("the objects of {release} are carried over without Helm's record of them"));
    }
    if second {
        work.remark(
            Weight::Warning,
            "",
            format!("{release} was installed by Helm 2, which nothing in the target reads"),
        );
    } else {
        work.remark(
            Weight::Warning,
            "",
            format!(
                "the record of {release} holds manifests of the old cluster: where they name removed API versions, \
                 `helm upgrade` fails until `helm mapkubeapis` has been run on it"
            ),
        );
    }
}

fn account_tokens(work: &mut Work<'_>) {
    let name = work.name().to_owned();
    let namespace = work.namespace().to_owned();
    for item in work.items("/secrets") {
        let Some(secret) = work.text(&at(&item, "name")).map(String::from) else { continue };
        let id = ResourceId::new("", "Secret", &namespace, &secret);
        // A list of the user's own restricts which secrets pods may mount; tokens in it are generated ones.
        if is_generated(&secret, &name) || secret.starts_with(&format!("{name}-dockercfg-")) {
            work.remove(&item);
        } else if !work.context.survey.is_empty() && !work.context.survey.has(&id) {
            work.remark(Weight::Warning, &item, format!("{id} is not among the objects"));
        }
    }
    if work.get("/secrets").is_some() && work.len("/secrets") == 0 {
        work.remove("/secrets");
    }
}

fn role(work: &mut Work<'_>) {
    let account = format!("{}/{}", work.namespace(), work.name());
    let Some(arn) = work.context.roles.get(&account).cloned() else { return };
    const KEY: &str = "eks.amazonaws.com/role-arn";
    match work.context.role_means {
        RoleMeans::WebIdentity => work.annotate(KEY, &arn),
        // The annotation would win over the association, for its variables come first in the SDKs' chain.
        RoleMeans::PodIdentity => {
            if work.annotation(KEY).is_some_and(|old| old != arn) {
                let says = format!(
                    "it is annotated with another role than {arn}, which is planned as its association"
                );
                work.remark(Weight::Choice, &at("/metadata/annotations", KEY), says);
            }
        }
    }
}

fn default_account(work: &mut Work<'_>) {
    if work.name() != "default" {
        return;
    }
    let kept =
        |key: &str| work.get(key).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()));
    let annotated =
        work.keys("/metadata/annotations").iter().any(|key| !key.starts_with("kubectl.kubernetes.io/"));
    let labelled = !work.keys("/metadata/labels").is_empty();
    let given = ["/imagePullSecrets", "/secrets", "/automountServiceAccountToken"].into_iter().any(kept);
    if !given && !annotated && !labelled {
        work.drop("every namespace has its default account already, and nothing was added to this one");
    }
}
