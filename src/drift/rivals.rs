//! Who put items of their own beside ours.

use super::baseline::Baseline;
use super::fieldset::FieldSet;
use super::managed::{Entry, Owner, entries, owned_by_us};
use super::path::PathElement;
use crate::model::Object;

/// The managers that own items in lists where we have, or at the baseline had, items too; the latest first.
///
/// For an apply that the server refuses because of the drift: when somebody changes the key of an item of ours (the
/// number of a Service's port), our item is gone, theirs stays beside the one we declare, and the two clash
/// ("Duplicate value", kubernetes/kubernetes#130292). The way out is to make the rival's entry ours
/// ([`adopt_client_side`](super::adopt_client_side)), so that the apply removes the item. Without a baseline every list
/// counts. Entries of subresources never do.
#[must_use]
pub fn rivals(live: &Object, baseline: Option<&Baseline>) -> Vec<Owner> {
    let owned = owned_by_us(live).unwrap_or_default();
    let ours = baseline.map(|baseline| owned.union(baseline.paths()));
    let is_rival = |entry: &Entry<'_>| {
        !entry.is_ours()
            && entry.subresource.is_empty()
            && has_items_beside(&entry.set(), ours.as_ref(), &owned)
    };
    let mut rivals: Vec<Owner> = entries(live).filter(is_rival).map(|entry| entry.owner()).collect();
    rivals.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| a.cmp(b)));
    rivals
}

/// Whether a set has a list item that `owned` has not, in a list where `ours` has items. Without `ours`, in any list.
fn has_items_beside(set: &FieldSet, ours: Option<&FieldSet>, owned: &FieldSet) -> bool {
    let is_item = |element: &PathElement| matches!(element, PathElement::Key(_) | PathElement::Value(_));
    let shared = ours.is_none_or(|ours| ours.nodes().iter().any(|node| is_item(&node.element)));
    set.nodes().iter().any(|node| {
        let held = owned.get(&node.element);
        if is_item(&node.element) && held.is_none() {
            return shared;
        }
        let below = ours.map(|ours| ours.get(&node.element).and_then(|node| node.below.as_deref()));
        match (&node.below, below) {
            (Some(theirs), None) => has_items_beside(theirs, None, below_of(held)),
            (Some(theirs), Some(Some(ours))) => has_items_beside(theirs, Some(ours), below_of(held)),
            _ => false,
        }
    })
}

fn below_of(node: Option<&super::fieldset::Node>) -> &FieldSet {
    static NONE: FieldSet = FieldSet::new();
    node.and_then(|node| node.below.as_deref()).unwrap_or(&NONE)
}
