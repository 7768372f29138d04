//! The calling side of a bridge: a Service without a selector, and its slices.

use super::far::Reached;
use super::write::{applied, deleted};
use super::{Bridge, bridged, find};
use crate::migrate::calls::{BRIDGE, KEEPER, MANAGED_BY, bridge as objects_of};
use crate::migrate::stages::fence::side_word;
use crate::migrate::stages::look::Known;
use crate::migrate::stages::patch::patch_of;
use crate::migrate::stages::port::MADE_BY;
use crate::migrate::stages::sight::{Sight, is, namespace};
use crate::model::migration::{Gate, Outcome, Side, Stage};
use crate::model::{GroupKind, Object};
use crate::transform::identity;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// kube-proxy reads slices from this minor on (Kubernetes 1.19, `EndpointSliceProxying`); before, nothing would use them.
const SLICES_ARE_USED: u32 = 19;

/// Makes what is missing; nothing: it stands.
pub(super) fn towards(bridge: &Bridge, known: &Known<'_>, near: &Sight, reached: &Reached) -> Outcome {
    let mut outcome = Outcome::default();
    let held = |gate: Gate| Outcome { steps: Vec::new(), gates: vec![gate] };
    let of = (bridge.namespace.as_str(), bridge.name.as_str());
    let Some(version) = slices(near) else {
        let what = format!("the {} knows no EndpointSlices that are used", side_word(bridge.near));
        let way_out = "move the two in one wave".into();
        return held(Gate::Blocked {
            what: format!("bridge to {}: {what}", bridge.declared.service),
            way_out,
        });
    };
    let own = identity_of(known, bridge).and_then(|body| Object::new(body).ok());
    let Some(service) = own else {
        return held(bridge.waits(known, "it is not on the source".into()));
    };
    let objects = match objects_of(&service, &reached.addresses, &reached.ports) {
        Ok(objects) => objects,
        Err(cannot) => {
            let what = format!("bridge to {}: {cannot}", bridge.declared.service);
            return held(Gate::Blocked { what, way_out: "correct it in `spec.bridges`".into() });
        }
    };
    if bridge.near == Side::Target
        && let Some(missing) = no_namespace(bridge, known, near)
    {
        return missing;
    }
    let mut slices = BTreeSet::new();
    for object in objects {
        let mut body = object.into_body();
        if body["kind"] == "EndpointSlice" {
            body["apiVersion"] = format!("discovery.k8s.io/{version}").into();
            slices.extend(identity(&body));
        } else if bridge.near == Side::Source {
            // The Service of the source is a user's: of it only the selector goes.
            continue;
        }
        let key = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let key = format!("{}/{key}", body["kind"].as_str().unwrap_or_default());
        match applied(bridge.near, near, body) {
            Ok(made) => {
                outcome.steps.extend(made.map(|(effect, says)| bridge.step(&key, effect, Vec::new(), says)))
            }
            Err(gate) => outcome.gates.push(gate),
        }
    }
    outcome.steps.extend(stale(bridge, near, &slices));
    if bridge.near == Side::Source
        && let Some(live) = find(near, "Service", of)
        && let Some(selector) = live.pointer("/spec/selector").filter(|selector| !selector.is_null())
    {
        let to = json!({"op": "remove", "path": "/spec/selector"});
        let back = json!({"op": "add", "path": "/spec/selector", "value": selector});
        if let (Some(effect), Some(undo)) =
            (patch_of(Side::Source, live, vec![to]), patch_of(Side::Source, live, vec![back]))
        {
            let says = format!("Service {} of the source leads to the target", bridge.declared.service);
            outcome.steps.push(bridge.step(super::SELECTOR, effect, vec![undo], says));
        }
    }
    outcome
}

/// The Service as it was on the source.
fn identity_of(known: &Known<'_>, bridge: &Bridge) -> Option<Value> {
    let id = bridge.id();
    known
        .before
        .iter()
        .find(|object| object["kind"] == "Service" && identity(object).as_ref() == Some(&id))
        .cloned()
}

/// The version in which slices are written.
fn slices(near: &Sight) -> Option<&str> {
    let served = near.served.versions(&GroupKind::new("discovery.k8s.io", "EndpointSlice"));
    let has = |version: &str| served.iter().any(|one| one == version);
    if has("v1") {
        Some("v1")
    } else {
        (has("v1beta1") && near.minor() >= SLICES_ARE_USED).then_some("v1beta1")
    }
}

/// Slices of a bridge on the side of its callers.
fn slices_of<'s>(bridge: &'s Bridge, near: &'s Sight) -> impl Iterator<Item = &'s Value> {
    near.objects.iter().filter(|object| {
        is(object, "discovery.k8s.io", "EndpointSlice")
            && namespace(object) == Some(&bridge.namespace)
            && bridged(object) == Some(&bridge.name)
            && object["metadata"]["labels"][MANAGED_BY] == KEEPER
    })
}

/// Addresses that a bridge leads to already, by just these ports: by others it leads elsewhere.
pub(super) fn standing(bridge: &Bridge, near: &Sight, ports: &BTreeMap<String, u16>) -> BTreeSet<String> {
    let wanted: BTreeSet<u64> = ports.values().map(|port| u64::from(*port)).collect();
    let leads = |slice: &&Value| {
        let ports = slice["ports"].as_array().into_iter().flatten();
        ports.filter_map(|port| port["port"].as_u64()).collect::<BTreeSet<u64>>() == wanted
    };
    let endpoints = slices_of(bridge, near)
        .filter(leads)
        .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let addresses = endpoints.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten());
    addresses.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Slices of the bridge that are not wanted any more.
fn stale(
    bridge: &Bridge,
    near: &Sight,
    wanted: &BTreeSet<crate::model::ResourceId>,
) -> Vec<crate::model::migration::Step> {
    let gone = slices_of(bridge, near).filter_map(|object| {
        let id = identity(object).filter(|id| !wanted.contains(id))?;
        let says = format!("{id} leads nowhere any more, and goes");
        Some(bridge.step(&format!("stale/{}", id.name), deleted(bridge.near, object)?, Vec::new(), says))
    });
    gone.collect()
}

/// The namespace is made where no wave brings it; where one does, that wave has to have been there first.
fn no_namespace(bridge: &Bridge, known: &Known<'_>, target: &Sight) -> Option<Outcome> {
    let there = target
        .objects
        .iter()
        .any(|object| is(object, "", "Namespace") && super::name(object) == bridge.namespace);
    if there {
        return None;
    }
    let Some(home) = &bridge.home else {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": bridge.namespace,
            "labels": {BRIDGE: super::NAMESPACE}, "annotations": {MADE_BY: known.look.name}}});
        let made = applied(Side::Target, target, body).ok()??;
        let says = format!("namespace {} is made on the target for a bridge", bridge.namespace);
        return Some(Outcome {
            steps: vec![bridge.step("namespace", made.0, Vec::new(), says)],
            gates: Vec::new(),
        });
    };
    let wave = known.look.spec.waves.iter().find(|wave| wave.name == *home);
    if wave.is_some_and(|wave| known.look.spec.stage_of(wave) >= Stage::Configure) {
        let gate = bridge.waits(known, format!("wave {home} has to be configured first"));
        return Some(Outcome { steps: Vec::new(), gates: vec![gate] });
    }
    let gate = Gate::Blocked {
        what: format!("bridge to {}: its namespace is not on the target yet", bridge.declared.service),
        way_out: format!("set `stage: Configure` at least for wave {home}"),
    };
    Some(Outcome { steps: Vec::new(), gates: vec![gate] })
}
