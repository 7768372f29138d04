//! Idempotency tokens: one for each attempt, stored before the call is made.
//!
//! An attempt stands for one call of one resource, with its input. As long as it is not known how the attempt ended, the
//! same token is given, so that a call whose answer was lost has its effect once. It ends when the resource no longer
//! needs the call, when the service refused it for good, or when it was answered and the need is still there: then the
//! next attempt has another token, for the service would only repeat its old answer.

use crate::model::cloud::Call;
use crate::model::plan::digest_of;
use crate::ports::CloudFailureKind;
use crate::provision::resource::{Key, Snapshot, TOKEN};
use crate::provision::{CloudPlan, Step, StepAction};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Number among all attempts of the cluster.
    pub number: u64,
    /// When it began.
    pub begun: Timestamp,
    /// When the service took it; `None` when it is not known whether it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Timestamp>,
}

/// The attempts of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Tells this cluster's attempts from those of any other memory, an earlier one of the same cluster too.
    #[serde(default)]
    pub seed: String,
    #[serde(default)]
    next: u64,
    #[serde(default)]
    open: BTreeMap<String, Attempt>,
    /// Begun by the last [`Attempts::follow`]: certainly not called before.
    #[serde(skip)]
    fresh: BTreeSet<String>,
}

/// What may be done about a call now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Make it, with this token.
    Now(String),
    /// It was made, and what it made may take a moment to be seen: not before this pause.
    NotYet(Duration),
}

impl Attempts {
    /// Ends the attempts that the plan no longer needs, and begins those that it asks for. Store it before anything is
    /// called.
    pub fn follow(&mut self, plan: &CloudPlan, snapshot: &Snapshot, settle: Duration, now: Timestamp) {
        let asked: BTreeSet<String> =
            plan.steps.iter().flat_map(|step| step.calls.iter().map(|call| name(&step.key, call))).collect();
        let unread: BTreeSet<String> = snapshot.unread.keys().map(|kind| format!("{kind:?}/")).collect();
        // While it is not known what there is, it is not known either how an attempt ended.
        self.open.retain(|name, _| asked.contains(name) || unread.iter().any(|kind| name.starts_with(kind)));
        self.fresh.clear();
        for step in plan.actionable() {
            for call in step.calls.iter().filter(|call| is_tracked(step, call)) {
                let name = name(&step.key, call);
                let over =
                    |attempt: &Attempt| attempt.taken.is_some_and(|taken| passed(taken, now) >= settle);
                if self.open.get(&name).is_none_or(over) {
                    let attempt = Attempt { number: self.next, begun: now, taken: None };
                    self.next += 1;
                    self.fresh.insert(name.clone());
                    self.open.insert(name, attempt);
                }
            }
        }
    }

    /// Whether a call may be made, and with which token. An attempt that was followed and whose answer is missing may be
    /// made again at once where the API takes a token; what has none is first given time to be seen.
    #[must_use]
    pub fn turn(&self, key: &Key, call: &Call, settle: Duration, now: Timestamp) -> Turn {
        let name = name(key, call);
        let Some(attempt) = self.open.get(&name) else { return Turn::Now(String::new()) };
        let since = match attempt.taken {
            Some(taken) => Some(taken),
            None if takes_token(&call.input) || self.fresh.contains(&name) => None,
            None => Some(attempt.begun),
        };
        match since.map(|since| passed(since, now)) {
            Some(passed) if passed < settle => Turn::NotYet(settle - passed),
            _ => Turn::Now(digest_of(&(&self.seed, attempt.number, &name))),
        }
    }

    /// Notes that the service took a call.
    pub fn taken(&mut self, key: &Key, call: &Call, now: Timestamp) {
        if let Some(attempt) = self.open.get_mut(&name(key, call)) {
            attempt.taken = Some(now);
        }
    }

    /// Notes why a call failed. What certainly had no effect is tried again as the same attempt; what was refused for
    /// good is not, for a service may answer the same token with the same refusal.
    pub fn failed(&mut self, key: &Key, call: &Call, failure: CloudFailureKind) {
        use CloudFailureKind::{Credentials, InUse, Throttled, Unanswered, Unavailable};
        let ended = match failure {
            Unanswered => false,
            Throttled | Unavailable | InUse | Credentials => !takes_token(&call.input),
            _ => true,
        };
        if ended {
            self.open.remove(&name(key, call));
        }
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// Calls that must not have their effect twice: those with a token, and what makes a resource.
fn is_tracked(step: &Step, call: &Call) -> bool {
    step.action == StepAction::Create || takes_token(&call.input)
}

fn name(key: &Key, call: &Call) -> String {
    format!("{key} {call} {}", digest_of(&call.input))
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Whether the token's place is somewhere in an input.
#[must_use]
pub fn takes_token(input: &Value) -> bool {
    match input {
        Value::String(text) => text == TOKEN,
        Value::Array(items) => items.iter().any(takes_token),
        Value::Object(members) => members.values().any(takes_token),
        _ => false,
    }
}

/// The input with the token in its place.
#[must_use]
pub fn with_token(input: &Value, token: &str) -> Value {
    match input {
        Value::String(text) if text == TOKEN => Value::String(token.into()),
        Value::Array(items) => items.iter().map(|item| with_token(item, token)).collect(),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (name.clone(), with_token(value, token))).collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_token_stands_wherever_its_place_is() {
        let input = json!({"name": "shop", "clientRequestToken": TOKEN, "deep": [{"ClientToken": TOKEN}]});
        assert!(takes_token(&input));
        let filled = with_token(&input, "t1");
        assert_eq!(
            filled,
            json!({"name": "shop", "clientRequestToken": "t1", "deep": [{"ClientToken": "t1"}]})
        );
        assert!(!takes_token(&filled));
    }
}
