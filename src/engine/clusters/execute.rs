//! Executes a plan: the calls that are due, as many at once as may be. It decides nothing but what a refusal means.

use super::attempts::{Attempts, Turn, with_token};
use super::snapshot::Reader;
use crate::model::cloud::Call;
use crate::ports::{CloudFailure, CloudFailureKind};
use crate::provision::owner::Incarnation;
use crate::provision::resource::{Key, Kind, Owner, Snapshot, State};
use crate::provision::{CloudPlan, Step, StepAction};
use futures::StreamExt as _;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Everything that executing takes.
pub struct Execution<'a> {
    /// How things are read again before they are destroyed.
    pub reader: Reader<'a>,
    /// What the plan was made from.
    pub snapshot: &'a Snapshot,
    /// Tokens. They were stored before.
    pub attempts: &'a Mutex<Attempts>,
    /// How long something that was made may take to be seen.
    pub settle: Duration,
    /// The time.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Whether the plan is still wanted: a newer commit ends it between two calls.
    pub is_current: &'a (dyn Fn() -> bool + Sync),
    /// Told of each step before its first call.
    pub begins: &'a (dyn Fn(&Step) + Sync),
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Steps whose calls were all taken.
    pub taken: Vec<Key>,
    /// Calls that had an effect, or may have had one.
    pub calls: usize,
    /// What was refused, by resource.
    pub failures: BTreeMap<Key, CloudFailure>,
    /// Resources that wait a moment to be seen, or for the end of another change; the shortest pause that was asked for.
    pub later: BTreeMap<Key, Duration>,
    /// What was refused because it is not what was judged.
    pub refused: BTreeMap<Key, String>,
}

/// What became of one step.
enum StepEnd {
    Taken,
    Later(Duration),
    Failed(CloudFailure),
    Refused(String),
    Superseded,
}

impl Execution<'_> {
    /// Executes what may be executed now. Steps of one resource follow each other, others go together.
    pub async fn execute(&self, plan: &CloudPlan) -> Outcome {
        let mut by_key: BTreeMap<&Key, Vec<&Step>> = BTreeMap::new();
        let mut order: Vec<&Key> = Vec::new();
        for step in plan.actionable() {
            if !by_key.contains_key(&step.key) {
                order.push(&step.key);
            }
            by_key.entry(&step.key).or_default().push(step);
        }
        let judged_again = self.read_what_goes(plan).await;
        let snapshot = judged_again.as_ref().unwrap_or(self.snapshot);
        let mut works = Vec::new();
        for key in order {
            let steps = by_key.remove(key).unwrap_or_default();
            works.push(async move { (key.clone(), self.steps(&steps, snapshot).await) });
        }
        let ends: Vec<(Key, (StepEnd, usize))> =
            futures::stream::iter(works).buffered(self.reader.at_once.max(1)).collect().await;
        let mut outcome = Outcome::default();
        for (key, (end, calls)) in ends {
            outcome.calls += calls;
            match end {
                StepEnd::Taken => outcome.taken.push(key),
                StepEnd::Later(pause) => drop(outcome.later.insert(key, pause)),
                StepEnd::Failed(failure) => drop(outcome.failures.insert(key, failure)),
                StepEnd::Refused(words) => drop(outcome.refused.insert(key, words)),
                StepEnd::Superseded => {}
            }
        }
        outcome
    }

    /// What is to be destroyed is read once more right before: what was judged may have been made anew since.
    async fn read_what_goes(&self, plan: &CloudPlan) -> Option<Snapshot> {
        let kinds: BTreeSet<Kind> =
            plan.actionable().filter(|step| destroys(step)).map(|step| step.key.kind).collect();
        if kinds.is_empty() {
            return None;
        }
        Some(self.reader.read_again(self.snapshot, &kinds).await.snapshot)
    }

    async fn steps(&self, steps: &[&Step], snapshot: &Snapshot) -> (StepEnd, usize) {
        let mut calls = 0;
        for step in steps {
            if let Err(end) = self.still_holds(step, snapshot) {
                return (end, calls);
            }
            (self.begins)(step);
            for call in &step.calls {
                if !(self.is_current)() {
                    return (StepEnd::Superseded, calls);
                }
                if let Err(end) = self.call(step, call, &mut calls).await {
                    return (end, calls);
                }
            }
        }
        (StepEnd::Taken, calls)
    }

    /// Whether the thing is the one that was judged.
    fn still_holds(&self, step: &Step, snapshot: &Snapshot) -> Result<(), StepEnd> {
        let key = &step.key;
        if let Some(reason) = snapshot.unread.get(&key.kind) {
            return Err(StepEnd::Refused(format!("it could not be read again: {reason}")));
        }
        let live = snapshot.live.get(key);
        let Some(expected) = &step.precondition else {
            return match live {
                None => Ok(()),
                Some(_) => Err(StepEnd::Refused("it is there by now; it is judged anew".into())),
            };
        };
        match live {
            // Gone already: whoever deletes it is done, whoever changes it finds out.
            None => Err(StepEnd::Later(Duration::ZERO)),
            Some(live) if Incarnation::of(live) != *expected => {
                Err(StepEnd::Refused("another one of this name is there by now; it is judged anew".into()))
            }
            Some(live) if destroys(step) && live.owner != Owner::Ours => {
                Err(StepEnd::Refused("it no longer carries our tags".into()))
            }
            Some(live) if destroys(step) && live.state == State::Deleting => {
                Err(StepEnd::Later(Duration::ZERO))
            }
            Some(_) => Ok(()),
        }
    }

    async fn call(&self, step: &Step, call: &Call, calls: &mut usize) -> Result<(), StepEnd> {
        let turn = self.attempts().turn(&step.key, call, self.settle, (self.now)());
        let token = match turn {
            Turn::Now(token) => token,
            Turn::NotYet(pause) => return Err(StepEnd::Later(pause)),
        };
        if let Some(missing) = unresolved(&call.input) {
            let words = format!(
                "{call} refers to {missing}, which is not known; this is a defect of Portolan: report it"
            );
            return Err(StepEnd::Refused(words));
        }
        let due = Call { input: with_token(&call.input, &token), ..call.clone() };
        let answer = self.reader.cloud.call(&due).await;
        match answer {
            Ok(_) => {
                *calls += 1;
                self.attempts().taken(&step.key, call, (self.now)());
                Ok(())
            }
            // It is gone: that is what was wanted.
            Err(failure) if failure.kind == CloudFailureKind::NotFound && destroys(step) => Ok(()),
            Err(failure) => {
                self.attempts().failed(&step.key, call, failure.kind);
                if failure.kind == CloudFailureKind::Unanswered {
                    *calls += 1;
                }
                Err(StepEnd::Failed(failure))
            }
        }
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a step takes something away.
fn destroys(step: &Step) -> bool {
    matches!(step.action, StepAction::Delete | StepAction::Replace)
}

/// The first output of another resource that is still to be filled in.
fn unresolved(input: &Value) -> Option<String> {
    match input {
        Value::Object(members) => match members.get("$output") {
            Some(output) => Some(format!("{}/{}", output["kind"], output["name"])),
            None => members.values().find_map(unresolved),
        },
        Value::Array(items) => items.iter().find_map(unresolved),
        _ => None,
    }
}

/// Whether the same call may succeed by itself, a little later.
#[must_use]
pub const fn passes(kind: CloudFailureKind) -> bool {
    use CloudFailureKind::{AlreadyExists, InUse, NotFound, Throttled, Unanswered, Unavailable};
    matches!(kind, Throttled | Unavailable | Unanswered | InUse | NotFound | AlreadyExists)
}

/// What a person can do about a failure.
#[must_use]
pub const fn hint(kind: CloudFailureKind) -> &'static str {
    match kind {
        CloudFailureKind::Denied => {
            "let the daemon's role do this (IAM), or have somebody with the right do it"
        }
        CloudFailureKind::LimitExceeded => "ask AWS for a higher quota, or take something away",
        CloudFailureKind::Credentials => {
            "give the daemon credentials: environment, profile, web identity or instance role, as the AWS CLI takes them"
        }
        CloudFailureKind::Invalid => "correct the ClusterConfig; the service says what is wrong",
        CloudFailureKind::InUse => "something still uses it: it is tried again",
        _ => "it is tried again",
    }
}
