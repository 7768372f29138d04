//! Who declares an object: the place where it is changed is the place that has to learn of the new cluster.
//!
//! What is *declared* somewhere is never copied beside its declaration: two writers would fight over it. Its declaration
//! is retargeted instead. What is *live only* is exported into a repository, so that afterwards everything is declared.

mod claims;
mod declaration;
mod export;
mod helm;

pub use declaration::{Declaration, Place, Retarget, Sources, Tool};
pub use export::{ExportPlan, FilePlan, Layout, SecretReference, export_plan};

use super::own::references::References;
use crate::model::{Object, ResourceId};
use claims::Claim;
use serde::{Deserialize, Serialize};

/// Who declares an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnerClass {
    /// It is declared somewhere, and applied from there.
    Declared(Box<Declaration>),
    /// It exists in the cluster only.
    LiveOnly {
        /// What was looked at, in words.
        says: String,
    },
}

/// An object with who declares it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owned {
    /// The object.
    pub id: ResourceId,
    /// Who declares it.
    pub class: OwnerClass,
    /// The object that makes this one and whose declaration counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<ResourceId>,
}

/// The tool whose marks an object carries, where those of `kubectl apply` do not count: kops' add-ons carry them too.
#[must_use]
pub fn mark(object: &Object) -> Option<&'static str> {
    claims::unambiguous(object).map(Tool::name)
}

/// Gives every object its owner class, in the order of identities, whatever the order of the input.
#[must_use]
pub fn owners(objects: &[Object], sources: &Sources) -> Vec<Owned> {
    let ordered = in_order(objects);
    let references = References::among(ordered.iter().copied());
    let world = declaration::World::new(&ordered, &references, sources);
    let mut owned: Vec<Owned> = ordered
        .iter()
        .map(|object| {
            let root = root(object, &ordered, &references);
            let class = match claims::claims(root, &world).into_iter().next() {
                Some(Claim { tool, .. }) if tool == Tool::Kubectl && !world.is_filed(root) => {
                    OwnerClass::LiveOnly {
                        says: "kubectl applied it, from a file that is in none of the given repositories"
                            .into(),
                    }
                }
                Some(_) => OwnerClass::Declared(Box::new(world.declaration(root))),
                None => OwnerClass::LiveOnly {
                    says: "no tool's marks are on it, and no given repository has it".into(),
                },
            };
            let through = (!std::ptr::eq(root, *object)).then(|| root.id());
            Owned { id: object.id(), class, through }
        })
        .collect();
    owned.sort();
    owned
}

/// Objects by identity. Where two have one, the text of them decides, so that the order of the input does not.
fn in_order(objects: &[Object]) -> Vec<&Object> {
    let mut ordered: Vec<(ResourceId, &Object)> =
        objects.iter().map(|object| (object.id(), object)).collect();
    ordered.sort_by(|(a_id, a), (b_id, b)| {
        a_id.cmp(b_id).then_with(|| a.body().to_string().cmp(&b.body().to_string()))
    });
    ordered.into_iter().map(|(_, object)| object).collect()
}

/// The object at the end of a chain of controllers.
fn root<'a>(object: &'a Object, all: &[&'a Object], references: &References<'_>) -> &'a Object {
    let mut current = object;
    // A ring of owners would have no end; no chain is longer than the export.
    for _ in 0..all.len() {
        match references.controller(current).map(|at| all[at]) {
            Some(owner) if !std::ptr::eq(owner, current) && !std::ptr::eq(owner, object) => current = owner,
            _ => break,
        }
    }
    current
}
