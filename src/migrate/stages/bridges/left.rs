//! Parts of bridges that are due no more.

use super::write::deleted;
use super::{Bridge, KEY, NAMESPACE, OPENER, SELECTOR, bridged, wave_of};
use crate::migrate::calls::{KEEPER, MANAGED_BY};
use crate::migrate::stages::fence::side_word;
use crate::migrate::stages::look::Known;
use crate::migrate::stages::owned::entry;
use crate::migrate::stages::patch::outstanding;
use crate::migrate::stages::port::made_by;
use crate::migrate::stages::sight::{is, name, namespace};
use crate::model::migration::{Effect, Side, Stage, Step};
use crate::model::migration_journal::UNDO;
use crate::transform::identity;
use serde_json::Value;

/// What is left of bridges.
#[derive(Default)]
pub(in crate::migrate::stages) struct Left {
    /// What takes each part away, with the namespace of its Service.
    pub parts: Vec<(String, Step)>,
    /// Entries of the journal whose inverse is done, or can never be done.
    pub forget: Vec<String>,
}

impl Left {
    /// Whether something is left for Services of a wave.
    pub fn is_of(&self, namespaces: &std::collections::BTreeSet<String>) -> bool {
        self.parts.iter().any(|(namespace, _)| namespaces.contains(namespace))
    }
}

/// Everything that is due no more.
pub(in crate::migrate::stages) fn left(known: &Known<'_>) -> Left {
    let mut left = Left::default();
    selectors(known, &mut left);
    let sides = [(Side::Source, Some(known.look.source)), (Side::Target, known.look.target)];
    for (side, sight) in sides.into_iter().filter_map(|(side, sight)| Some((side, sight?))) {
        for object in sight.objects.iter().filter(|object| is_part(object) && !is_wanted(known, side, object))
        {
            let of = namespace(object).unwrap_or_else(|| name(object)).to_owned();
            let (Some(id), Some(effect)) = (identity(object), deleted(side, object)) else { continue };
            let says = format!("{id} of the {} has no bridge to carry any more", side_word(side));
            left.parts.push((of, step(&format!("{KEY}away/{}/{id}", side_word(side)), effect, says)));
        }
    }
    left
}

fn step(key: &str, effect: Effect, says: String) -> Step {
    Step {
        key: key.into(),
        stage: Stage::HandOver,
        wave: None,
        effect,
        undo: Vec::new(),
        says,
        final_: false,
    }
}

/// Whether the migration made an object for a bridge. Controllers copy the label of a Service to what they make of it.
fn is_part(object: &Value) -> bool {
    let own = is(object, "", "Service")
        || is(object, "", "Namespace")
        || object["metadata"]["labels"][MANAGED_BY] == KEEPER;
    own && bridged(object).is_some()
        && entry(object).is_some()
        && object.pointer("/metadata/deletionTimestamp").is_none()
}

fn is_wanted(known: &Known<'_>, side: Side, object: &Value) -> bool {
    let service = bridged(object).unwrap_or_default();
    if is(object, "", "Namespace") {
        let used = known.bridges.iter().any(|one| one.near == side && one.namespace == name(object));
        return used || service != NAMESPACE || made_by(object) != Some(known.look.name);
    }
    let of = |bridge: &Bridge| Some(bridge.namespace.as_str()) == namespace(object) && bridge.name == service;
    if name(object).starts_with(OPENER) {
        return known.bridges.iter().any(|one| of(one) && one.far() == side && one.end().is_none());
    }
    let stands = known.bridges.iter().any(|one| of(one) && one.near == side);
    // Its own wave makes the Service what it was: its address stays.
    let home = namespace(object).and_then(|own| wave_of(known.look.spec, own));
    let becomes = is(object, "", "Service")
        && home.is_some_and(|home| known.look.journal.position(home).stage >= Stage::Sync);
    stands || becomes
}

/// Services of the source get their selectors back.
fn selectors(known: &Known<'_>, left: &mut Left) {
    let begins = format!("{KEY}{}/", side_word(Side::Source));
    let index = known.look.source.index();
    for (key, entry) in &known.look.journal.entries {
        let of = key.strip_prefix(&begins).and_then(|key| key.strip_suffix(SELECTOR));
        let Some(service) = of.map(|of| of.trim_end_matches('/')) else { continue };
        if known.bridges.iter().any(|one| one.near == Side::Source && one.declared.service == service) {
            continue;
        }
        let due = entry.undo.iter().find_map(|effect| {
            let Effect::Patch { side, id, version, operations } = effect else { return None };
            let operations = outstanding(index.get(id)?, operations).filter(|left| !left.is_empty())?;
            Some(Effect::Patch { side: *side, id: id.clone(), version: version.clone(), operations })
        });
        match due {
            Some(effect) => {
                let namespace = service.split_once('/').map_or(service, |(namespace, _)| namespace);
                let says = format!("Service {service} of the source selects its pods again");
                left.parts.push((namespace.into(), step(&format!("{UNDO}{key}"), effect, says)));
            }
            None => left.forget.push(key.clone()),
        }
    }
}
