//! Taking ignored fields out of a declared body, and keeping the live value where they cannot be taken out.

use super::fieldset::{FieldSet, Node};
use super::ignore::{Ignore, Kept};
use super::managed::owned_by_us;
use super::path::{Path, PathElement};
use super::pointer::Segment;
use crate::model::Object;
use serde_json::{Map, Value};

/// Takes the ignored fields out of a declared body, and their parents where those become empty by it. Says what was
/// taken, in the order of the rules.
///
/// Not for an object that does not exist yet: there the declared value is the initial one (an image is required, after
/// all), and right after the creation it is released.
pub fn strip(desired: &mut Object, ignore: &Ignore) -> Vec<String> {
    let mut taken = Vec::new();
    for pointer in ignore.pointers(desired) {
        remove(desired.body_mut(), pointer.segments(), &mut Vec::new(), &mut taken);
    }
    taken.sort();
    taken.dedup();
    taken.iter().map(ToString::to_string).collect()
}

/// Removes what a pointer names. Returns whether something was removed and `value` is empty now.
fn remove(
    value: &mut Value,
    segments: &[Segment],
    way: &mut Vec<PathElement>,
    taken: &mut Vec<Path>,
) -> bool {
    let Some((segment, rest)) = segments.split_first() else {
        return false;
    };
    let mut gone: Vec<Step> = Vec::new();
    for step in steps(value, segment) {
        way.push(step.element(value));
        let kept = Kept::of(way);
        if let (false, Some(child)) = (kept == Kept::Itself, step.get_mut(value)) {
            if rest.is_empty() && kept == Kept::No {
                taken.push(Path(way.clone()));
                gone.push(step);
            } else if remove(child, if rest.is_empty() { &[Segment::Any] } else { rest }, way, taken) {
                gone.push(step);
            }
        }
        way.pop();
    }
    let removed = !gone.is_empty();
    // From the back, so that places in lists stay true.
    gone.into_iter().rev().for_each(|step| step.remove(value));
    removed && (value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty))
}

/// A place in a JSON value that a segment names.
enum Step {
    Field(String),
    Item(usize),
}

impl Step {
    fn get_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        match self {
            Self::Field(name) => value.get_mut(name),
            Self::Item(place) => value.get_mut(*place),
        }
    }

    fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Field(name) => value.get(name),
            Self::Item(place) => value.get(*place),
        }
    }

    fn remove(&self, value: &mut Value) {
        match (self, value) {
            (Self::Field(name), Value::Object(map)) => drop(map.remove(name)),
            (Self::Item(place), Value::Array(list)) if *place < list.len() => drop(list.remove(*place)),
            _ => {}
        }
    }

    /// For messages: a list item by its name where it has one.
    fn element(&self, value: &Value) -> PathElement {
        match self {
            Self::Field(name) => PathElement::field(name),
            Self::Item(place) => match value.get(*place).and_then(|item| item.get("name")) {
                Some(name) => PathElement::key([("name", name)]),
                None => PathElement::Index(*place as u64),
            },
        }
    }
}

fn steps(value: &Value, segment: &Segment) -> Vec<Step> {
    match value {
        Value::Object(map) => {
            map.keys().filter(|key| segment.names_field(key)).cloned().map(Step::Field).collect()
        }
        Value::Array(list) => {
            let places = list.iter().enumerate();
            places
                .filter(|(place, item)| segment.names_item(*place, item))
                .map(|(place, _)| Step::Item(place))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Copies ignored parts of atomic fields from the live object into a declared body, after [`strip()`].
///
/// The server knows one owner for an atomic field (an Ingress's `rules`), so a part of it cannot be handed over: we
/// go on declaring the whole, with the live value in that part.
pub fn preserve(desired: &mut Object, live: &Object, ignore: &Ignore) {
    let Some(owned) = owned_by_us(live) else { return };
    for pointer in ignore.pointers(live) {
        copy(desired.body_mut(), live.body(), Some(&owned), pointer.segments());
    }
}

/// `owned` is what we own from here on down; `None` once inside an atomic field of ours.
fn copy(desired: &mut Value, live: &Value, owned: Option<&FieldSet>, segments: &[Segment]) {
    let Some((segment, rest)) = segments.split_first() else {
        return;
    };
    for step in steps(live, segment) {
        let Some(value) = step.get(live) else { continue };
        let mut below = None;
        let mut atomic = true;
        if let Some(owned) = owned {
            let stands_for =
                |node: &&Node| node.element.find(live).is_some_and(|found| std::ptr::eq(found, value));
            // What is not ours stays as it is without our doing.
            let Some(node) = owned.nodes().iter().find(stands_for) else {
                continue;
            };
            below = node.below.as_deref();
            atomic = node.is_leaf() && !rest.is_empty();
        }
        match counterpart(desired, &step, live) {
            Some(child) if !rest.is_empty() => copy(child, value, below, rest),
            Some(child) if atomic => *child = value.clone(),
            None if atomic => put_back(desired, &step, rest, value),
            _ => {}
        }
    }
}

/// The same field, or the list item of the same name (else of the same place), in the declared body.
fn counterpart<'d>(desired: &'d mut Value, step: &Step, live: &Value) -> Option<&'d mut Value> {
    let Step::Item(place) = step else {
        return step.get_mut(desired);
    };
    let name = live.get(*place).and_then(|item| item.get("name"));
    let items = desired.as_array_mut()?;
    match name {
        Some(name) => items.iter_mut().find(|item| item.get("name") == Some(name)),
        None => items.get_mut(*place),
    }
}

/// Puts a live part back of which [`strip()`] took all, its parents included.
fn put_back(desired: &mut Value, step: &Step, rest: &[Segment], value: &Value) {
    let part = match (rest.is_empty(), value) {
        (true, _) => value.clone(),
        (false, Value::Object(_) | Value::Array(_)) => {
            let mut part =
                if value.is_object() { Value::Object(Map::new()) } else { Value::Array(Vec::new()) };
            copy(&mut part, value, None, rest);
            part
        }
        (false, _) => return,
    };
    match (desired, step) {
        (Value::Object(map), Step::Field(name)) => drop(map.insert(name.clone(), part)),
        (Value::Array(list), Step::Item(place)) => list.insert((*place).min(list.len()), part),
        _ => {}
    }
}
