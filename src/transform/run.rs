//! Objects through the rules.

use super::context::Context;
use super::edit::Transformed;
use super::rules::RULES;
use super::survey::Survey;
use super::work::Work;
use serde_json::Value;

/// What becomes of one object in the target.
///
/// A list (`kind: List`, `ConfigMapList`) gives what its items give. What is no object at all is given back as it is.
/// The result is a fixed point: transformed again, it stays as it is.
#[must_use]
pub fn transform(object: &Value, context: &Context) -> Transformed {
    if let Some(items) = items_of(object) {
        let mut all = Transformed::default();
        for item in items {
            let one = transform(&item, context);
            all.objects.extend(one.objects);
            all.edits.extend(one.edits);
            all.remarks.extend(one.remarks);
            all.relinks.extend(one.relinks);
            all.dropped = all.dropped.or(one.dropped);
        }
        // A list is left behind only with all of its items.
        all.dropped = all.dropped.filter(|_| all.objects.is_empty());
        return all;
    }
    if !object.get("kind").is_some_and(Value::is_string)
        || !object.get("metadata").is_some_and(Value::is_object)
    {
        return Transformed { objects: vec![object.clone()], ..Transformed::default() };
    }
    let Some(first) = RULES.first().copied() else { return Transformed::default() };
    let mut work = Work::new(object, context, first);
    let mut group_kind = work.group_kind();
    for rule in RULES.iter().copied().filter(|rule| !rule.id.is_empty()) {
        if !rule.is_about(&group_kind) {
            continue;
        }
        work.rule = rule;
        (rule.apply)(&mut work);
        if work.dropped.is_some() {
            break;
        }
        if rule.id.starts_with("api.") {
            group_kind = work.group_kind();
        }
    }
    let Work { object, edits, mut remarks, dropped, relinks, .. } = work;
    remarks.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.cmp(b)));
    remarks.dedup();
    let objects = if dropped.is_some() { Vec::new() } else { vec![object] };
    Transformed { objects, edits, remarks, dropped, relinks }
}

/// An object with its terms of scheduling as they will be in the target, and all else as it is: for asking where a pod
/// could run that is there only in the source.
#[must_use]
pub fn rescheduled(object: &Value, context: &Context) -> Value {
    let mut rules = RULES.iter().copied().filter(|rule| rule.id.starts_with("scheduling."));
    let Some(first) = rules.next() else { return object.clone() };
    let mut work = Work::new(object, context, first);
    (first.apply)(&mut work);
    for rule in rules {
        work.rule = rule;
        (rule.apply)(&mut work);
    }
    work.object
}

/// All objects of a set. The answers are in the order of the objects; each follows from the set alone, whatever its
/// order.
#[must_use]
pub fn transform_all(objects: &[Value], context: &Context) -> Vec<Transformed> {
    let items: Vec<Value> = objects.iter().filter_map(items_of).flatten().collect();
    let context = Context { survey: Survey::of(objects.iter().chain(&items)), ..context.clone() };
    objects.iter().map(|object| transform(object, &context)).collect()
}

/// The items of a list. Those of a typed list have their kind from it.
fn items_of(object: &Value) -> Option<Vec<Value>> {
    let kind = object.get("kind")?.as_str()?.strip_suffix("List")?;
    let items = object.get("items")?.as_array()?;
    // A custom kind may be called so, and has a name.
    if object.pointer("/metadata/name").is_some() {
        return None;
    }
    let typed = |item: &Value| {
        let mut item = item.clone();
        if let Some(map) = item.as_object_mut()
            && !kind.is_empty()
        {
            map.entry("kind").or_insert_with(|| kind.into());
            if let Some(version) = object.get("apiVersion") {
                map.entry("apiVersion").or_insert_with(|| version.clone());
            }
        }
        item
    };
    Some(items.iter().map(typed).collect())
}
