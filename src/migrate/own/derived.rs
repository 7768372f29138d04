//! Objects that another one makes (`migration.md` 3.3).

use super::facts::Facts;
use super::finding::{Finding, Rule, rule};
use super::references;
use super::{Class, Whose};

const MADE: Rule = rule("own.derived.made", "migration.md 3.3: owners that are in the export make it again");
const DATA: Rule = rule("own.derived.data", "migration.md 3.3: data outlives its operator; velero#7862");
const ORPHAN: Rule = rule("own.derived.orphan", "migration.md 3.3: owners that are not in the export");

/// Groups whose controllers are a part of Kubernetes.
const BUILT_IN: [&str; 6] = ["", "apps", "batch", "autoscaling", "networking.k8s.io", "policy"];

/// The place of the object that controls another, where the export has it.
pub(super) fn owner_of(facts: &Facts<'_>, at: usize) -> Option<usize> {
    facts.references.controller(facts.objects[at].object)
}

/// What is left to its owner, and what is kept although it has one.
pub(super) fn made_by_owner(facts: &Facts<'_>, at: usize, owner: Option<&Finding>) -> Option<Finding> {
    let place = owner_of(facts, at)?;
    let owner = owner?;
    let fact = &facts.objects[at];
    let maker = facts.objects[place].id.clone();
    if let Whose::Kops { addon } = &owner.whose {
        let finding =
            Finding::drop(MADE, Whose::Kops { addon: addon.clone() }, format!("{maker} of kops made it"));
        return Some(finding.maker(maker));
    }
    let kind = fact.key.kind.as_str();
    let is_core = fact.key.group.is_empty();
    let is_custom = !BUILT_IN.contains(&facts.objects[place].key.group.as_str());
    let is_data = is_core && (kind == "PersistentVolumeClaim" || (kind == "Secret" && is_custom));
    if is_data && !matches!(owner.class, Class::Replace { .. }) {
        let says = format!("{maker} owns it; it holds data, so it goes along and is handed to its new owner");
        return Some(Finding::port(DATA).says(says));
    }
    Some(Finding::drop(MADE, owner.whose.clone(), format!("{maker} makes it again")).maker(maker))
}

/// What names an owner that is not there: carried over by itself.
pub(super) fn orphan(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let reference = references::controller(fact.object)?;
    if owner_of(facts, at).is_some_and(|owner| owner != at) {
        // A ring of owners: none of them is made by anything else.
        return Some(Finding::port(ORPHAN).says("its owners own each other: it goes without the reference"));
    }
    let owner = references::named(reference, fact.namespace());
    if owner.kind == "Node" && owner.group.is_empty() {
        return Some(Finding::drop(ORPHAN, Whose::Kubernetes, "it belongs to an old node").maker(owner));
    }
    Some(
        Finding::port(ORPHAN)
            .says(format!("its owner {owner} is not in the export: it goes without the reference")),
    )
}
