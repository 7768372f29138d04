//! What has to be settled before anything is made: names, choices, calls that waves cut, and what the world outside says of
//! places, quotas and images.

use super::bridges;
use super::desired::{Level, Part};
use super::look::{Inquiry, Known};
use super::plan::StageOutcome;
use super::sight::is;
use super::whole::limit;
use crate::migrate::assess::packing::PlannedGroup;
use crate::migrate::calls::{self, Callee, cut, verdicts};
use crate::migrate::images::{Named, named};
use crate::migrate::own::Class;
use crate::migrate::verdict::{Level as Urgency, Verdict};
use crate::model::migration::{Gate, Outcome, Stage};
use std::collections::BTreeSet;

/// What stands in the way. `complete`: it was passed before.
pub(super) fn preflight(known: &Known<'_>, complete: bool) -> StageOutcome {
    let blocked = |what: String, way_out: &str| Gate::Blocked { what, way_out: way_out.into() };
    let mut gates: Vec<Gate> = known
        .context
        .problems()
        .into_iter()
        .map(|what| blocked(what, "name the last one in `spec.mapping` or `spec.images`"))
        .collect();
    let spec = known.look.spec;
    let moved: BTreeSet<&str> =
        spec.waves.iter().flat_map(|wave| &wave.namespaces).map(String::as_str).collect();
    let there: BTreeSet<&str> =
        known.before.iter().filter(|object| is(object, "", "Namespace")).map(super::sight::name).collect();
    for absent in moved.difference(&there) {
        gates.push(blocked(
            format!("namespace {absent} of `spec.waves` is not on the source"),
            "take it out, or correct its name",
        ));
    }
    for one in known.classes.values() {
        let concerned = one.id.namespace.as_deref().is_none_or(|namespace| moved.contains(namespace));
        if let (Class::Ask { why }, true) = (&one.class, concerned) {
            let key = format!("{}@{}", one.rule, one.id);
            let way_out = format!("record `{key}: port` or `{key}: drop` in `spec.choices`");
            gates.push(Gate::Blocked { what: format!("{}: {why}", one.id), way_out });
        }
    }
    let graph = bridges::calls(spec, &known.before);
    gates.extend(bridges::problems(known, &graph));
    let waves: Vec<BTreeSet<String>> =
        spec.waves.iter().map(|wave| wave.namespaces.iter().cloned().collect()).collect();
    let bridged = spec.bridges.iter().filter_map(|bridge| bridge.service.split_once('/'));
    let bridged =
        bridged.map(|(namespace, name)| Callee { namespace: namespace.into(), service: Some(name.into()) });
    let bridged =
        bridged.flat_map(|callee| [(calls::Side::Source, callee.clone()), (calls::Side::Target, callee)]);
    let cut = verdicts(&cut(&graph, &waves), &bridged.collect());
    let way_out = "move both in one wave, or name the Service in `spec.bridges`";
    gates.extend(cut.iter().filter_map(|verdict| barred(known, verdict, way_out)));
    gates.extend(super::room::gate(known));
    // What the world was asked for stands once it was answered: nothing of it is asked at rest.
    let (told, notes) = if complete { Default::default() } else { asked_for(known) };
    gates.extend(told);
    StageOutcome { outcome: Outcome { steps: Vec::new(), gates }, notes, ..StageOutcome::default() }
}

/// What was asked of the world outside: what of it stands in the way, and what a person should know.
fn asked_for(known: &Known<'_>) -> (Vec<Gate>, Vec<String>) {
    let blocked = |what: String, way_out: &str| Gate::Blocked { what, way_out: way_out.into() };
    let mut gates = Vec::new();
    let mut notes = Vec::new();
    match known.look.places {
        Inquiry::Unknown => {}
        Inquiry::Due => gates.push(Gate::Waiting {
            what: "whether everything has a place on the target has not been asked".into(),
            limit_seconds: limit(known, Stage::Preflight),
        }),
        Inquiry::Unread(words) => gates.push(blocked(
            format!("whether everything has a place on the target is not known: {words}"),
            "see that the account of the kops cluster can be read",
        )),
        Inquiry::Told(verdicts) => {
            gates.extend(
                verdicts.iter().filter_map(|verdict| barred(known, verdict, "change the ClusterConfig")),
            );
            let warnings = verdicts.iter().filter(|verdict| verdict.level == Urgency::Warning);
            notes.extend(warnings.map(|verdict| verdict.says.clone()));
        }
    }
    match known.look.images {
        Inquiry::Due => gates.push(Gate::Waiting {
            what: "registries have not been asked for the images".into(),
            limit_seconds: limit(known, Stage::Preflight),
        }),
        Inquiry::Told(verdicts) => {
            let way_out = "push it there, or map it in `spec.images`";
            gates.extend(verdicts.iter().filter_map(|verdict| barred(known, verdict, way_out)));
            let warnings = verdicts.iter().filter(|verdict| verdict.level == Urgency::Warning);
            notes.extend(warnings.map(|verdict| verdict.says.clone()));
        }
        Inquiry::Unknown | Inquiry::Unread(_) => {}
    }
    (gates, notes)
}

/// The images of everything that goes over, as the target would pull them. `groups` are the planned ones.
#[must_use]
pub fn images(known: &Known<'_>, groups: &[PlannedGroup]) -> Named {
    let mut all = Vec::new();
    let namespaces = known.look.spec.waves.iter().flat_map(|wave| &wave.namespaces).cloned().collect();
    for part in [Part::Whole, Part::Wave(&namespaces)] {
        all.extend(known.intent().desired(part, Level::Running).objects);
    }
    named(all.iter().map(|(_, object)| object), groups)
}

/// A Blocker that nobody has accepted.
fn barred(known: &Known<'_>, verdict: &Verdict, way_out: &str) -> Option<Gate> {
    let keys = [format!("{}@{}", verdict.rule, verdict.subject), verdict.rule.clone()];
    let accepts = |key: &String| known.look.spec.choices.get(key).is_some_and(|choice| choice == "accept");
    if verdict.level != Urgency::Blocker || keys.iter().any(accepts) {
        return None;
    }
    let way_out = format!("{way_out}, or record `{}: accept` in `spec.choices`", keys[0]);
    Some(Gate::Blocked { what: verdict.says.clone(), way_out })
}
