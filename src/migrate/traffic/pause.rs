//! external-dns held still while names are shifted.

use super::forward::waiting;
use super::input::Input;
use super::ownership::{self, ExternalDns};
use super::records::ADDRESSES;
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use serde_json::{Value, json};

const REPLICAS: &str = "/spec/replicas";
const STOP_LIMIT: u64 = 300;

/// What has to be so before a record is written: the source's external-dns does not run where it owns one of the names
/// or deletes what it does not know, and the target's leaves records of others alone.
pub(super) fn next(input: &Input<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    for controller in input.controllers {
        match controller.side {
            Side::Source => pause(input, controller, &mut outcome),
            Side::Target => look_over(input, controller, &mut outcome),
        }
    }
    outcome
}

/// Whether a controller would write one of the names.
fn writes(input: &Input<'_>, controller: &ExternalDns) -> bool {
    input.names.iter().any(|name| {
        ADDRESSES.iter().any(|kind| {
            let owners = ownership::of(input.zones, input.controllers, &name.zone, &name.name, kind);
            owners.iter().any(|own| own.owner == controller.owner)
        })
    })
}

fn pause(input: &Input<'_>, controller: &ExternalDns, outcome: &mut Outcome) {
    // Another registry than TXT is not read here: what it owns is not known, so it is held still.
    let unknown = controller.registry != "txt";
    if !controller.runs || !(writes(input, controller) || unknown) {
        return;
    }
    let deployment = &controller.deployment;
    let replicas = deployment.body().pointer(REPLICAS).cloned().unwrap_or_else(|| json!(1));
    if replicas == json!(0) {
        let what = format!("{} of the source is ending", controller.shown());
        outcome.gates.extend(waiting(what, STOP_LIMIT).gates);
        return;
    }
    outcome.steps.push(Step {
        key: key(controller),
        stage: Stage::Shift,
        wave: Some(input.wave.to_owned()),
        effect: scale(controller, &replicas, &json!(0)),
        undo: vec![scale(controller, &json!(0), &replicas)],
        says: format!(
            "pause {} of the source (owner id {}): it owns names that are shifted, and would write their old records again",
            controller.shown(),
            controller.owner
        ),
        final_: false,
    });
}

/// The journal's key of a pause. It is of the move and not of a wave: the last wave that goes back lifts it.
pub(super) fn key(controller: &ExternalDns) -> String {
    format!("pause-dns/{}", controller.shown())
}

fn scale(controller: &ExternalDns, from: &Value, to: &Value) -> Effect {
    let deployment = &controller.deployment;
    Effect::Patch {
        side: controller.side,
        id: deployment.id(),
        version: deployment.gvk().version,
        operations: vec![
            json!({"op": "test", "path": "/metadata/uid", "value": deployment.uid().unwrap_or_default()}),
            json!({"op": "test", "path": REPLICAS, "value": from}),
            json!({"op": "replace", "path": REPLICAS, "value": to}),
        ],
    }
}

fn look_over(input: &Input<'_>, controller: &ExternalDns, outcome: &mut Outcome) {
    let twin =
        input.controllers.iter().find(|other| other.side == Side::Source && other.owner == controller.owner);
    if let Some(twin) = twin {
        outcome.gates.push(Gate::Blocked {
            what: format!(
                "{} of the target has the owner id {:?} of {} of the source: each would delete the other's records \
                 (external-dns#2019)",
                controller.shown(),
                controller.owner,
                twin.shown()
            ),
            way_out: "give the target's external-dns another --txt-owner-id".into(),
        });
    }
    if controller.runs && controller.policy == "sync" {
        outcome.gates.push(Gate::Blocked {
            what: format!(
                "{} of the target has --policy=sync: it deletes records of its owner id that no object declares \
                 (external-dns#5993)",
                controller.shown()
            ),
            way_out: "set --policy=upsert-only until the migration is over".into(),
        });
    }
}

/// Lifts pauses of the journal. For the way back, when every name is as it was.
pub(super) fn lift(input: &Input<'_>) -> Vec<Step> {
    input
        .controllers
        .iter()
        .filter(|controller| controller.side == Side::Source)
        .filter(|controller| controller.deployment.body().pointer(REPLICAS) == Some(&json!(0)))
        .flat_map(|controller| {
            let undo = input.journal.get(&key(controller)).into_iter().flatten();
            undo.map(|effect| Step {
                key: format!("back/{}", key(controller)),
                stage: Stage::Shift,
                wave: Some(input.wave.to_owned()),
                effect: effect.clone(),
                undo: Vec::new(),
                says: format!("let {} of the source run again", controller.shown()),
                final_: false,
            })
            .collect::<Vec<_>>()
        })
        .collect()
}
