//! What EKS keeps on the new cluster: never written to.

use super::Whose;
use super::facts::Facts;
use super::finding::{Finding, Rule, rule};
use super::table::TABLE;

const LABEL: Rule = rule("own.eks.label", "migration.md 2.3: eks.amazonaws.com/component");
const NAME: Rule = rule("own.eks.name", "migration.md 2.3: objects that EKS makes on every cluster");
const NAMESPACE: Rule = rule("own.eks.namespace", "migration.md 2.3: amazon-cloudwatch");

/// Objects with the label of an EKS component.
pub(super) fn labelled(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let component = fact.object.label("eks.amazonaws.com/component")?;
    Some(Finding::drop(LABEL, Whose::Eks, format!("EKS keeps its own object for its component {component}")))
}

/// Objects with the name of an EKS object.
pub(super) fn named(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    if TABLE.is_eks(&fact.key) {
        return Some(Finding::drop(
            NAME,
            Whose::Eks,
            "EKS keeps its own object of this name, which is never overwritten",
        ));
    }
    (fact.is("", "Namespace") && fact.name() == "amazon-cloudwatch").then(|| {
        let why = "the EKS add-on amazon-cloudwatch-observability keeps a namespace of this name: will it be installed?";
        Finding::ask(NAMESPACE, Whose::User, why)
    })
}
