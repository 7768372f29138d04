//! Switches with which a test makes calls go wrong.

use crate::local::aws::world::Issue;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Makes calls go wrong. As JSON: `{"operation": "CreateCluster", "nth": 2, "effect": {"kind": "CutAfter"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Operation; `*` for every one.
    pub operation: String,
    /// Only calls that have this value as a member of their input (a name, an ARN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// From the how many-th such call on, from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// For how many calls; 0 for all that follow.
    #[serde(default = "one")]
    pub times: u32,
    /// What goes wrong.
    pub effect: Effect,
}

fn one() -> u32 {
    1
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// This error is answered; nothing is done.
    Error {
        /// Exception.
        code: String,
        /// In words.
        #[serde(default)]
        message: String,
        /// HTTP status; the model's by default.
        #[serde(default)]
        status: Option<u16>,
    },
    /// ThrottlingException with 429; nothing is done.
    Throttle,
    /// The connection is cut; nothing is done.
    CutBefore,
    /// It is done, and the connection is cut instead of an answer.
    CutAfter,
    /// It is done, and no answer ever comes.
    StallAfter,
    /// Nothing is done, and no answer ever comes.
    StallBefore,
    /// Answered as it should, and what follows fails with this issue: CREATE_FAILED, a failed update…
    FailLater {
        /// Issue code.
        code: String,
        /// In words.
        #[serde(default)]
        message: String,
        /// Ids concerned.
        #[serde(default)]
        resource_ids: Vec<String>,
    },
    /// Answered and done, and the resource ends DEGRADED (a cluster ACTIVE) with this issue in its health.
    Degrade {
        /// Issue code.
        code: String,
        /// In words.
        #[serde(default)]
        message: String,
        /// Ids concerned.
        #[serde(default)]
        resource_ids: Vec<String>,
    },
    /// The answer takes this much longer.
    Delay {
        /// Milliseconds.
        milliseconds: u64,
    },
}

impl Fault {
    /// On the first call of an operation.
    #[must_use]
    pub fn on(operation: &str, effect: Effect) -> Self {
        Self { operation: operation.into(), resource: None, nth: 1, times: 1, effect }
    }

    /// On the how many-th call, from 1.
    #[must_use]
    pub fn nth(self, nth: u32) -> Self {
        Self { nth, ..self }
    }

    /// For so many calls; 0 for all that follow.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Only for calls that name this resource.
    #[must_use]
    pub fn of(self, resource: &str) -> Self {
        Self { resource: Some(resource.into()), ..self }
    }

    fn concerns(&self, operation: &str, input: &Value) -> bool {
        let names = |wanted: &String| {
            input.as_object().is_some_and(|input| input.values().any(|value| value.as_str() == Some(wanted)))
        };
        (self.operation == "*" || self.operation == operation) && self.resource.as_ref().is_none_or(names)
    }
}

/// How what follows a call ends, when a switch is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this issue, undone.
    Fail(Issue),
    /// With this issue, done.
    Degrade(Issue),
}

impl Effect {
    /// What it does to the work that follows the call.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let issue = |code: &String, message: &String, ids: &[String]| Issue {
            code: code.clone(),
            message: if message.is_empty() {
                format!("{code}, asked for by a test")
            } else {
                message.clone()
            },
            resource_ids: ids.to_vec(),
        };
        match self {
            Self::FailLater { code, message, resource_ids } => {
                Some(Outcome::Fail(issue(code, message, resource_ids)))
            }
            Self::Degrade { code, message, resource_ids } => {
                Some(Outcome::Degrade(issue(code, message, resource_ids)))
            }
            _ => None,
        }
    }

    /// How much longer it takes.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay { milliseconds } => Some(Duration::from_millis(*milliseconds)),
            _ => None,
        }
    }
}

/// The switches that are set, each with the calls that it has seen.
#[derive(Debug, Default)]
pub struct Faults {
    set: Vec<(Fault, u32)>,
}

impl Faults {
    /// Sets one.
    pub fn add(&mut self, fault: Fault) {
        self.set.push((fault, 0));
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.set.clear();
    }

    /// Those that are set, also those that are used up.
    #[must_use]
    pub fn all(&self) -> Vec<Fault> {
        self.set.iter().map(|(fault, _)| fault.clone()).collect()
    }

    /// Counts a call, and tells what happens to it: the first switch that concerns it now.
    pub fn of_call(&mut self, operation: &str, input: &Value) -> Option<Effect> {
        let mut effect = None;
        for (fault, seen) in &mut self.set {
            if !fault.concerns(operation, input) {
                continue;
            }
            *seen += 1;
            let now = *seen >= fault.nth && (fault.times == 0 || *seen - fault.nth < fault.times);
            if now && effect.is_none() {
                effect = Some(fault.effect.clone());
            }
        }
        effect
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Fault, Faults};
    use serde_json::json;

    #[test]
    fn the_nth_call_of_a_resource_is_hit() {
        let mut faults = Faults::default();
        faults.add(Fault::on("CreateAddon", Effect::Throttle).of("coredns").nth(2).times(2));
        let coredns = json!({"clusterName": "c", "addonName": "coredns"});
        let other = json!({"clusterName": "c", "addonName": "vpc-cni"});
        let hit: Vec<bool> = [&coredns, &other, &coredns, &coredns, &coredns]
            .map(|input| faults.of_call("CreateAddon", input).is_some())
            .to_vec();
        assert_eq!(hit, [false, false, true, true, false]);
        assert_eq!(faults.of_call("DeleteAddon", &coredns), None);
    }

    #[test]
    fn faults_are_read_from_json() {
        let text =
            r#"{"operation": "*", "times": 0, "effect": {"kind": "FailLater", "code": "VpcNotFound"}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!((fault.nth, fault.times), (1, 0));
        assert!(fault.effect.outcome().is_some());
        let typo = r#"{"operation": "*", "effect": {"kind": "Throttle"}, "nht": 2}"#;
        assert!(serde_json::from_str::<Fault>(typo).is_err());
    }
}
