//! kops' own objects (`migration.md` 2.1, 2.2).

use super::facts::{Fact, Facts};
use super::finding::{Finding, Rule, rule};
use super::index::USERS_ADDON;
use super::table::{Addon, TABLE};
use super::{Class, Whose};
use crate::migrate::owner;

const INDEX: Rule = rule("own.kops.index", "migration.md 2.1: the manifests of the bootstrap channel");
const LABELS: Rule = rule("own.kops.labels", "kops pkg/model/components/addonmanifests/remap.go");
const SELECTOR: Rule = rule("own.kops.selector", "migration.md 2.1: the channel's selector k8s-addon");
const NAME: Rule = rule("own.kops.name", "migration.md 2.2: objects of all releases 1.10 to 1.37");
const NODE: Rule = rule("own.kops.node-local", "migration.md 2.1: static pods and what nodeup starts");
const TAKEN: Rule =
    rule("own.kops.taken-over", "migration.md 2.1: kops' identity with somebody else's marks");
const USERS: Rule =
    rule("own.kops.cluster-addons", "kops bootstrapchannelbuilder.go: objects of kops create -f");
const LIMITS: Rule = rule("own.kops.limit-range", "migration.md 2.2: limit-range.addons.k8s.io");
const SNAPSHOTS: Rule =
    rule("own.kops.snapshot-class", "migration.md 2.2: snapshot-controller.addons.k8s.io");
const RUNTIME: Rule = rule("own.kops.runtime-class", "migration.md 2.2: nvidia, gvisor");

/// Pods that run on the nodes of kops without a controller.
const NODE_PODS: [&str; 8] = [
    "aws-cloud-controller-manager-i-",
    "etcd-manager-events-",
    "etcd-manager-main-",
    "kops-channels",
    "kube-apiserver-",
    "kube-controller-manager-",
    "kube-proxy-",
    "kube-scheduler-",
];

/// Mirror pods, and what else nodeup starts.
pub(super) fn node_local(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    if !fact.is("", "Pod") {
        return None;
    }
    let mirror = fact.object.annotation("kubernetes.io/config.mirror").is_some();
    let unowned = fact.object.body().pointer("/metadata/ownerReferences/0").is_none();
    let named =
        fact.namespace() == "kube-system" && NODE_PODS.iter().any(|start| fact.name().starts_with(start));
    if named && (mirror || unowned) {
        return Some(Finding::drop(
            NODE,
            Whose::Kops { addon: None },
            "a node of the old cluster runs it from a file",
        ));
    }
    mirror.then(|| Finding::drop(NODE, Whose::Kubernetes, "a node runs it from a file, not from the API"))
}

/// What the bootstrap channel or kops' labels name.
pub(super) fn marked(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let claimed = owner::mark(fact.object);
    if let Some(entry) = facts.index.entry(&fact.key) {
        if entry.addon == USERS_ADDON {
            return Some(users());
        }
        return Some(if claimed.is_some() || entry.is_taken_over(fact.object) {
            taken_over(&entry.addon, claimed)
        } else {
            of_addon(facts, fact, &entry.addon, INDEX)
        });
    }
    let label = |key: &str| fact.object.label(key);
    if let (Some("kops"), Some(addon)) =
        (label("app.kubernetes.io/managed-by"), label("addon.kops.k8s.io/name"))
    {
        return Some(match claimed {
            _ if addon == USERS_ADDON => users(),
            Some(_) => taken_over(addon, claimed),
            None => of_addon(facts, fact, addon, LABELS),
        });
    }
    let selector = label("k8s-addon")?;
    if selector == USERS_ADDON {
        return Some(users());
    }
    let addon = TABLE.addon(selector)?;
    if claimed.is_some() {
        return Some(taken_over(selector, claimed));
    }
    // Before kops had them as add-ons of its own, people applied the same manifests by hand, labels and all.
    if addon.popular
        && !facts.is_confirmed(selector)
        && (!facts.index.is_empty() || facts.is_before(addon.since))
    {
        return Some(doubtful(addon, SELECTOR));
    }
    Some(of_addon(facts, fact, selector, SELECTOR))
}

/// What bears the name of a kops object of some release.
pub(super) fn named(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    if owner::mark(fact.object).is_some() {
        return None;
    }
    let candidates: Vec<&Addon> =
        TABLE.addons_of(&fact.key).filter(|addon| !is_of_other_product(fact, addon)).collect();
    if let Some(addon) = candidates.iter().find(|addon| facts.is_confirmed(&addon.name)) {
        return Some(of_addon(facts, fact, &addon.name, NAME));
    }
    let known = !facts.index.is_empty();
    let addon = candidates
        .into_iter()
        .find(|addon| !facts.is_before(addon.since) && facts.is_anchored(&addon.name))?;
    Some(if known || addon.popular {
        doubtful(addon, NAME)
    } else {
        of_addon(facts, fact, &addon.name, NAME)
    })
}

/// Whether an object says that it is a part of something else than the add-on.
fn is_of_other_product(fact: &Fact<'_>, addon: &Addon) -> bool {
    let product = fact.object.label("app.kubernetes.io/part-of");
    product.is_some_and(|product| !addon.name.contains(product) && !fact.name().contains(product))
}

fn users() -> Finding {
    Finding::port(USERS).says(
        "it was given to kops as a cluster add-on: its declaration is in clusteraddons/ of the state store",
    )
}

fn taken_over(addon: &str, claimed: Option<&'static str>) -> Finding {
    let by = claimed.unwrap_or("other labels");
    let why = format!(
        "it has the identity of an object of kops' add-on {addon}, and the marks of {by}: whose is it?"
    );
    Finding::ask(TAKEN, Whose::User, why)
}

fn doubtful(addon: &Addon, rule: Rule) -> Finding {
    let name = &addon.name;
    let why = format!(
        "it bears the name of kops' add-on {name}, which nothing shows to be installed: a leftover, or yours?"
    );
    Finding::ask(rule, Whose::Kops { addon: Some(name.clone()) }, why)
}

/// The class of an object of an add-on.
fn of_addon(facts: &Facts<'_>, fact: &Fact<'_>, name: &str, rule: Rule) -> Finding {
    let whose = Whose::Kops { addon: Some(name.into()) };
    let Some(addon) = TABLE.addon(name) else {
        let why =
            format!("it belongs to {name}, an add-on of kops that this version of Portolan does not know");
        return Finding::ask(rule, whose, why);
    };
    let replacement = &TABLE.replacements[&addon.becomes];
    if fact.is("", "LimitRange") {
        let says = "without it, containers that ask for no CPU would ask for none: their quality of service and the autoscaler's sums would change";
        return Finding::new(LIMITS, whose, Class::Port).says(says);
    }
    if fact.is("snapshot.storage.k8s.io", "VolumeSnapshotClass") {
        let says = "EKS's add-on brings no such class, and snapshots name this one";
        return Finding::new(SNAPSHOTS, whose, Class::Port).says(says);
    }
    if fact.is("node.k8s.io", "RuntimeClass") {
        return match (facts.is_runtime_used(fact.name()), replacement.needed) {
            (true, true) => Finding::new(RUNTIME, whose, Class::Port).says("pods name it"),
            (true, false) => {
                Finding::ask(RUNTIME, whose, format!("pods name it, and there will be {}", replacement.says))
            }
            (false, _) => Finding::drop(RUNTIME, whose, "no pod names it"),
        };
    }
    if replacement.needed {
        Finding::new(rule, whose, Class::Replace { by: addon.becomes.clone() })
    } else {
        Finding::drop(rule, whose, replacement.says.clone())
    }
}
