//! Drift is mended object by object, as soon as it is seen, and never in the queue behind a sync or another object.

use super::destination::Destination;
use super::execute::{self, Outcome};
use super::unit::Unit;
use crate::model::event::{FieldDrift, What};
use crate::model::plan::Action;
use crate::model::{DriftPolicy, ResourceId};
use crate::plan::annotations::ApplyPolicy;
use jiff::Timestamp;
use std::sync::Arc;

/// Mends that go at once before the bucket is empty.
const BURST: f64 = 20.0;
/// Seconds in which the bucket gets one mend back.
const REFILL_SECONDS: f64 = 5.0;
/// More mends than this within a minute are a fight.
const FIGHT: usize = 5;

/// When an object was mended: a token bucket, so that the tenth mend is as quick as the first, and a fight is slowed
/// only when the bucket is empty, and never given up.
#[derive(Default)]
pub(crate) struct Mends(Option<Box<Bucket>>);

struct Bucket {
    tokens: f64,
    filled_at: f64,
    recent: Vec<f64>,
    reported: bool,
}

/// What the bucket says to one more mend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    /// Seconds to wait first.
    pub wait: f64,
    /// Mends within the last minute, when that is a fight not reported yet.
    pub fight: Option<u32>,
}

impl Mends {
    /// Takes one mend out of the bucket.
    pub fn take(&mut self, now: Timestamp) -> Turn {
        let now = now.as_duration().as_secs_f64();
        let bucket = self.0.get_or_insert_with(|| {
            Box::new(Bucket { tokens: BURST, filled_at: now, recent: Vec::new(), reported: false })
        });
        let elapsed = (now - bucket.filled_at).max(0.0);
        bucket.tokens = (bucket.tokens + elapsed / REFILL_SECONDS).min(BURST);
        bucket.filled_at = now;
        bucket.tokens -= 1.0;
        // What was mended later than now was mended before the clock was set back.
        bucket.recent.retain(|mended| (0.0..60.0).contains(&(now - mended)));
        bucket.recent.push(now);
        let fighting = bucket.recent.len() > FIGHT;
        let fight = (fighting && !bucket.reported).then_some(bucket.recent.len() as u32);
        bucket.reported = fighting;
        Turn { wait: (-bucket.tokens * REFILL_SECONDS).max(0.0), fight }
    }
}

/// Declared fields left their values.
pub(crate) fn drifted(destination: &Arc<Destination>, id: ResourceId, fields: Vec<FieldDrift>) {
    let Some((unit, turn)) = responsible(destination, &id) else { return };
    let mending = turn.is_near();
    destination.emit(&unit.name, What::Drifted { id: id.clone(), fields: fields.clone(), mending });
    match turn {
        Mending::No => {}
        Mending::Now => {
            if destination.begin(&id) {
                destination.tasks.spawn(heal(destination.clone(), unit, id, fields));
            }
        }
        Mending::WithThePass { .. } => unit.wake.notify_one(),
    }
}

/// A declared object went, or lost our label: the two look alike to a watch that selects by it.
pub(crate) fn vanished(destination: &Arc<Destination>, id: ResourceId) {
    let Some((unit, turn)) = responsible(destination, &id) else {
        return destination.ledger().set_gone(&id);
    };
    if destination.begin(&id) {
        destination.tasks.spawn(look_for(destination.clone(), unit, id, turn));
    }
}

/// Reads the object by name, says what became of it, and mends it where that is the policy.
async fn look_for(destination: Arc<Destination>, unit: Arc<Unit>, id: ResourceId, turn: Mending) {
    let kind = {
        let desired = destination.ledger().objects.get(&id).and_then(|entry| entry.desired().cloned());
        desired.and_then(|desired| destination.served(&desired.gvk))
    };
    let live = match &kind {
        // What cannot be read now is mended as gone: the creation finds out.
        Some(kind) => execute::read(&destination, kind, &id).await.ok().flatten(),
        None => None,
    };
    let (fields, told) =
        match live.filter(|live| execute::is_one_of_ours(&destination, live) && !live.is_terminating()) {
            Some(live) => {
                let mut ledger = destination.ledger();
                let Some(entry) = ledger.objects.get_mut(&id) else { return };
                let findings = entry.baseline.as_ref().map(|baseline| baseline.findings(&live));
                if findings.as_ref().is_some_and(Vec::is_empty) {
                    // Old news: it was created again since.
                    drop(ledger);
                    return destination.release(&id);
                }
                let fields = super::observe::field_drifts(&findings.unwrap_or_default());
                // Each list that does not hold it comes to this again, where drift is left alone.
                let told = std::mem::replace(&mut entry.drifted, true) && entry.told == fields;
                entry.told.clone_from(&fields);
                (fields, told)
            }
            None => {
                let mut ledger = destination.ledger();
                ledger.set_gone(&id);
                let entry = ledger.objects.get_mut(&id);
                (Vec::new(), entry.is_some_and(|entry| std::mem::replace(&mut entry.loss_told, true)))
            }
        };
    if !told {
        let mending = turn.is_near();
        destination.emit(&unit.name, What::Drifted { id: id.clone(), fields: fields.clone(), mending });
    }
    match turn {
        Mending::Now => heal(destination, unit, id, fields).await,
        Mending::No => destination.release(&id),
        Mending::WithThePass { .. } => {
            destination.release(&id);
            unit.wake.notify_one();
        }
    }
}

/// When a drift is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mending {
    /// Not at all: it is only told.
    No,
    /// At once.
    Now,
    /// Something newer is declared than what it drifted from: that comes by a pass, after hooks and waves before it, and
    /// where a person has to ask for it (`is_due` is false then) not before.
    WithThePass { is_due: bool },
}

impl Mending {
    /// Whether nobody has to say a word for it.
    const fn is_near(self) -> bool {
        matches!(self, Self::Now | Self::WithThePass { is_due: true })
    }
}

/// The application that declares an object, and what its policy makes of drift.
fn responsible(destination: &Destination, id: &ResourceId) -> Option<(Arc<Unit>, Mending)> {
    let (name, kept, newer) = {
        let ledger = destination.ledger();
        let entry = ledger.objects.get(id)?;
        let desired = entry.desired();
        let kept = desired.is_some_and(|desired| desired.directives.apply == ApplyPolicy::Always);
        (entry.claimant()?.clone(), kept, desired.is_some_and(|desired| desired.digest != entry.applied))
    };
    let unit = destination.units().get(&name).cloned()?;
    let turn = {
        let state = unit.state();
        let spec = &state.spec.as_ref()?.application;
        let mends = kept
            && !destination.read_only
            && spec.drift.policy == DriftPolicy::Correct
            && !spec.suspend
            && !state.held
            && !state.removed;
        match (mends, newer) {
            (false, _) => Mending::No,
            (true, false) => Mending::Now,
            (true, true) => Mending::WithThePass { is_due: spec.sync.auto },
        }
    };
    Some((unit, turn))
}

/// Mends one object. The caller has marked it as in flight.
async fn heal(destination: Arc<Destination>, unit: Arc<Unit>, id: ResourceId, fields: Vec<FieldDrift>) {
    let seen_at = destination.clock.now();
    let (turn, desired, live) = {
        let mut ledger = destination.ledger();
        let Some(entry) = ledger.objects.get_mut(&id) else { return };
        let desired = entry.desired().cloned();
        (entry.mends.take(seen_at), desired, entry.live.as_ref().map(|live| live.uid.clone()))
    };
    let Some(desired) = desired else { return destination.release(&id) };
    if let Some(mends) = turn.fight {
        let opponent =
            fields.iter().find_map(|field| field.manager.clone()).unwrap_or_else(|| "somebody".into());
        destination.emit(&unit.name, What::Fight { id: id.clone(), opponent, mends });
    }
    if turn.wait > 0.0 {
        tokio::time::sleep(std::time::Duration::from_secs_f64(turn.wait)).await;
        // A commit may have changed it meanwhile, or taken it out: then what was declared before is not brought back.
        let is_current = destination
            .ledger()
            .objects
            .get(&id)
            .and_then(|entry| entry.desired())
            .is_some_and(|now| now.digest == desired.digest);
        if !is_current {
            destination.release(&id);
            return unit.wake.notify_one();
        }
    }
    let outcome = match live {
        Some(uid) => execute::update(&destination, &unit, &desired, &uid, false).await,
        None => execute::create(&destination, &unit, &desired).await,
    };
    match outcome {
        Outcome::Done { .. } => {
            let millis = destination.clock.now().duration_since(seen_at).as_millis().max(0) as u64;
            unit.state().last_change = Some(destination.clock.now().to_string());
            destination.emit(&unit.name, What::Mended { id, fields, millis });
        }
        // The pass looks at the object again, with a back-off, and says what is wrong.
        Outcome::Failed(failure) => {
            let action = Action::Update;
            destination.emit(&unit.name, What::ChangeFailed { action, id, message: failure.to_string() });
            unit.wake.notify_one();
        }
        Outcome::Stranger(_) | Outcome::Superseded | Outcome::Spared(_) => unit.wake.notify_one(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn the_tenth_mend_waits_no_longer_than_the_first() {
        let mut mends = Mends::default();
        let waits: Vec<f64> = (0..20).map(|_| mends.take(at(0)).wait).collect();
        assert!(waits.iter().all(|wait| *wait == 0.0), "{waits:?}");
        assert!((mends.take(at(0)).wait - REFILL_SECONDS).abs() < 1e-9);
    }

    #[test]
    fn a_fight_is_reported_once_while_it_lasts() {
        let mut mends = Mends::default();
        let fights: Vec<_> = (0..8).filter_map(|second| mends.take(at(second)).fight).collect();
        assert_eq!(fights, [6]);
        assert_eq!(mends.take(at(300)).fight, None);
    }
}
