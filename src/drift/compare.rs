//! Which fields of a live object are not as they were at the baseline.

use super::baseline::{Baseline, api_version};
use super::finding::{Finding, FindingKind};
use super::managed::{foreign_below, owned_by_us, owner_of};
use super::path::{Path, PathElement};
use super::project::{Kept, Slot, keep, order, take, walk};
use super::scalar::same;
use super::shown::{Shown, is_sensitive};
use super::trail::{Step, Trail};
use crate::model::Object;
use serde_json::Value;

/// See [`Baseline::findings`].
pub(super) fn findings(baseline: &Baseline, live: &Object) -> Vec<Finding> {
    if api_version(live) != &*baseline.api_version {
        let (declared, live) = (Shown::text(&baseline.api_version), Shown::text(api_version(live)));
        return vec![Finding::new("apiVersion".into(), FindingKind::Changed, declared, live, None)];
    }
    let (mut findings, hollow) = value_findings(baseline, live);
    ownership_findings(baseline, live, &hollow, &mut findings);
    findings.into_iter().map(|(_, finding)| finding).collect()
}

/// Findings about values, and the fields that were declared empty and hold nothing but what others put there.
fn value_findings(baseline: &Baseline, live: &Object) -> (Vec<(Path, Finding)>, Vec<Path>) {
    let mut findings: Vec<(Path, Finding)> = Vec::new();
    let mut hollow = Vec::new();
    let mut declared = &*baseline.leaves;
    let mut scratch = Vec::new();
    walk(&baseline.paths, Some(live.body()), &Trail::root(), &mut |trail, slot| {
        let before = declared;
        let Some(kept) = take(&mut declared) else { return };
        let salt = baseline.salt.as_ref().filter(|_| is_sensitive(true, trail));
        if let Slot::Leaf(now) = slot
            && matches!(kept, Kept::Absent | Kept::Inline(b"{}"))
        {
            let path = trail.path();
            if is_hollow(live, &path, kept, now) {
                return hollow.push(path);
            }
        }
        scratch.clear();
        keep(&mut scratch, &slot, salt);
        if *scratch == before[..before.len() - declared.len()] {
            return;
        }
        let found = match slot {
            Slot::Leaf(value) => leaf_finding(baseline, live, trail.path(), kept, value),
            Slot::Order(now) => order_finding(baseline, trail.path(), kept, &now),
        };
        // An item that is gone is one finding, not one for each of its fields.
        findings.extend(found.filter(|(path, _)| findings.last().is_none_or(|(last, _)| last != path)));
    });
    (findings, hollow)
}

/// Whether a field that we declared empty (`emptyDir: {}`; `annotations: {}`, which the server does not even keep) is so
/// still, but for what is others' in it: an apply would not touch that.
fn is_hollow(live: &Object, path: &Path, kept: Kept<'_>, now: Option<&Value>) -> bool {
    match now {
        None | Some(Value::Null) => kept == Kept::Absent,
        Some(Value::Object(map)) => map.is_empty() || foreign_below(live, path),
        Some(_) => false,
    }
}

fn leaf_finding(
    baseline: &Baseline,
    live: &Object,
    path: Path,
    kept: Kept<'_>,
    now: Option<&Value>,
) -> Option<(Path, Finding)> {
    let hidden = matches!(kept, Kept::Secret(_)) || (baseline.salt.is_some() && is_hidden(&path));
    let declared = match kept {
        Kept::Inline(json) => Some(serde_json::from_slice::<Value>(json).ok()?),
        _ => None,
    };
    if let (Some(declared), Some(now)) = (&declared, now)
        && same(declared, now)
    {
        return None;
    }
    let null = Value::Null;
    let now = now.unwrap_or(&null);
    let (before, after) = match (&declared, kept) {
        (Some(declared), _) => Shown::pair(declared, now),
        (None, Kept::Long { start, length, .. }) => {
            let start = String::from_utf8_lossy(start);
            Shown::pair_of_start(start.trim_end_matches('\u{fffd}'), length as usize, now)
        }
        _ => (Shown::absent(), Shown::value(now)),
    };
    let (before, after) = match (hidden, kept, now) {
        (true, Kept::Absent, _) => (Shown::absent(), Shown::sensitive("added")),
        (true, _, Value::Null) => (Shown::sensitive("present"), Shown::sensitive("removed")),
        (true, _, _) => (Shown::sensitive("changed"), Shown::sensitive("changed")),
        (false, _, Value::Null) => (before, Shown::absent()),
        (false, _, _) => (before, after),
    };
    let gone = now.is_null();
    let (path, before) = match gone_item(live.body(), &path).filter(|_| gone) {
        Some(item) => (item, Shown::note("(present)")),
        None => (path, before),
    };
    let kind = if gone { FindingKind::Missing } else { FindingKind::Changed };
    let owner = owner_of(live, &path);
    let finding = Finding::new(path.to_string(), kind, before, after, owner);
    Some((path, finding))
}

fn order_finding(baseline: &Baseline, path: Path, kept: Kept<'_>, now: &[u16]) -> Option<(Path, Finding)> {
    let Kept::Order(bytes) = kept else { return None };
    let before = order(bytes);
    // Items that came or went are findings of their own.
    let both = |row: &[u16], other: &[u16]| -> Vec<u16> {
        row.iter().copied().filter(|number| other.contains(number)).collect()
    };
    let (was, is) = (both(&before, now), both(now, &before));
    if was == is {
        return None;
    }
    let items: Vec<&PathElement> = (baseline.paths.descend(&path.0)?.nodes().iter())
        .map(|node| &node.element)
        .filter(|element| matches!(element, PathElement::Key(_)))
        .collect();
    let row = |numbers: &[u16]| {
        let names: Vec<String> =
            numbers.iter().filter_map(|n| items.get(usize::from(*n))).map(|e| key_values(e)).collect();
        Shown::text(&format!("order {}", names.join(", ")))
    };
    let finding = Finding::new(path.to_string(), FindingKind::Order, row(&was), row(&is), None);
    Some((path, finding))
}

fn ownership_findings(
    baseline: &Baseline,
    live: &Object,
    hollow: &[Path],
    findings: &mut Vec<(Path, Finding)>,
) {
    let Some(owned) = owned_by_us(live) else {
        let path = Path::fields(&["metadata", "managedFields"]);
        let (declared, now) = (Shown::note("portolan (Apply)"), Shown::absent());
        let finding = Finding::new(path.to_string(), FindingKind::Entry, declared, now, None);
        findings.push((path, finding));
        return;
    };
    let quiet = findings.is_empty();
    let lost = baseline.paths.difference(&owned);
    for path in if quiet { lost.paths() } else { lost.leaves() } {
        // Who puts something into what we declared empty takes the field itself as well, and no value of ours.
        if findings.iter().any(|(found, _)| path.0.starts_with(&found.0)) || hollow.contains(&path) {
            continue;
        }
        let now = shown_live(baseline, live, &path);
        let owner = owner_of(live, &path);
        let finding = Finding::new(path.to_string(), FindingKind::Unowned, now.clone(), now, owner);
        findings.push((path, finding));
    }
    for path in owned.difference(&baseline.paths).paths() {
        let now = shown_live(baseline, live, &path);
        let declared = Shown::note("(not declared)");
        let finding = Finding::new(path.to_string(), FindingKind::Extra, declared, now, None);
        findings.push((path, finding));
    }
}

fn shown_live(baseline: &Baseline, live: &Object, path: &Path) -> Shown {
    if baseline.salt.is_some() && is_hidden(path) {
        return Shown::sensitive("unchanged");
    }
    match follow(live.body(), &path.0) {
        Some(value) => Shown::value(value),
        None => Shown::absent(),
    }
}

fn follow<'v>(body: &'v Value, path: &[PathElement]) -> Option<&'v Value> {
    path.iter().try_fold(body, |value, element| element.find(value))
}

/// The list item on the way to a path that is no longer there.
fn gone_item(body: &Value, path: &Path) -> Option<Path> {
    let items = (0..path.0.len()).filter(|place| matches!(path.0[*place], PathElement::Key(_)));
    let gone = items.map(|place| &path.0[..=place]).find(|way| follow(body, way).is_none());
    gone.map(|way| Path(way.to_vec()))
}

fn is_hidden(path: &Path) -> bool {
    fn below(trail: &Trail<'_>, rest: &[PathElement]) -> bool {
        match rest.split_first() {
            Some((first, rest)) => below(&trail.then(Step::Element(first)), rest),
            None => is_sensitive(true, trail),
        }
    }
    below(&Trail::root(), &path.0)
}

fn key_values(element: &PathElement) -> String {
    match element {
        PathElement::Key(fields) => {
            fields.iter().map(|(_, value)| value.to_string()).collect::<Vec<_>>().join("/")
        }
        other => other.to_text(),
    }
}
