//! Makes the steps of a plan. It decides nothing: what may be written on the source is asked of the closed list here,
//! and nowhere else.

use super::sights::Side;
use crate::engine::clusters::attempts::with_token;
use crate::migrate::stages::owned::MANAGER;
use crate::migrate::stages::permitted;
use crate::model::cloud::Call;
use crate::model::migration::{Effect, Side as Which, Step};
use crate::model::migration_journal::Journal;
use crate::model::{Gvk, Propagation, ResourceId};
use crate::ports::{ApiFailureKind, ApplyRequest, Cloud, CloudFailureKind, DeleteRequest, ServedKind};
use crate::transform::{Phase, identity, phase};
use futures::StreamExt as _;
use serde_json::Value;
use std::collections::BTreeMap;

/// Both sides, and the account.
pub(super) struct Execution<'a> {
    pub source: &'a Side<'a>,
    pub target: Option<&'a Side<'a>>,
    pub cloud: Option<&'a dyn Cloud>,
    /// Tokens are in it: they were stored before.
    pub journal: &'a Journal,
    /// Whether the plan is still wanted: a newer commit ends it between two steps.
    pub is_current: &'a (dyn Fn() -> bool + Sync),
    pub at_once: usize,
}

/// What became of steps.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Steps that were made.
    pub done: Vec<Done>,
    /// What failed, by key; transient failures are told apart.
    pub failed: BTreeMap<String, Failed>,
}

/// A step that was made.
#[derive(Debug)]
pub(super) struct Done {
    pub key: String,
    /// The step's words.
    pub says: String,
    /// The change that Route 53 made of it.
    pub change: String,
}

/// Why a step was not made.
#[derive(Debug)]
pub(super) struct Failed {
    pub message: String,
    /// The same may succeed later, or what was seen is out of date.
    pub passes: bool,
}

impl Execution<'_> {
    /// Makes the steps of one outcome in their order; applies of one phase that stand next to each other go together, for
    /// they do not need each other. After one that failed nothing else is made.
    pub async fn execute(&self, steps: &[Step]) -> Made {
        let mut made = Made::default();
        let mut rest = steps;
        while let Some(first) = rest.first() {
            if !(self.is_current)() {
                return made;
            }
            let own = phase_of(first);
            let together =
                rest.iter().take_while(|step| own.is_some() && phase_of(step) == own).count().max(1);
            let (now, later) = rest.split_at(together);
            let mut works = Vec::new();
            for (place, step) in now.iter().enumerate() {
                works.push(async move { (place, step, self.step(step).await) });
            }
            // In whatever order they end: one slow answer holds up none of those behind it.
            let mut ends: Vec<(usize, &Step, Result<String, Failed>)> =
                futures::stream::iter(works).buffer_unordered(self.at_once.max(1)).collect().await;
            ends.sort_unstable_by_key(|(place, ..)| *place);
            for (_, step, end) in ends {
                match end {
                    Ok(change) => {
                        made.done.push(Done { key: step.key.clone(), says: step.says.clone(), change });
                    }
                    Err(failed) => drop(made.failed.insert(step.key.clone(), failed)),
                }
            }
            if !made.failed.is_empty() {
                return made;
            }
            rest = later;
        }
        made
    }

    /// Makes one; gives the id of the change that Route 53 made of it.
    async fn step(&self, step: &Step) -> Result<String, Failed> {
        if let Err(refused) = permitted(&step.effect) {
            return Err(Failed { message: refused.to_string(), passes: false });
        }
        let none = |()| String::new();
        match &step.effect {
            Effect::Apply { side, object } => self.apply(*side, object).await.map(none),
            Effect::Patch { side, id, version, operations } => {
                let (side, kind) = self.kind(*side, id, version)?;
                let patch = Value::Array(operations.clone());
                let patched = side.cluster.json_patch(kind, id, &patch, None).await;
                patched.map(|_| String::new()).map_err(|failure| api_failed(&failure))
            }
            Effect::Delete { side, id, version, uid, resource_version } => {
                let (side, kind) = self.kind(*side, id, version)?;
                let request = DeleteRequest {
                    kind: kind.clone(),
                    id: id.clone(),
                    uid: uid.clone(),
                    resource_version: resource_version.clone(),
                    propagation: Propagation::Background,
                    impersonate: None,
                    dry_run: false,
                };
                side.cluster.delete(&request).await.map(none).map_err(|failure| api_failed(&failure))
            }
            Effect::Call { call, .. } => self.call(&step.key, call).await,
        }
    }

    async fn apply(&self, side: Which, object: &Value) -> Result<(), Failed> {
        let defect = || Failed {
            message: "a step applies what is no object; this is a defect of Portolan: report it".into(),
            passes: false,
        };
        let id = identity(object).ok_or_else(defect)?;
        let version =
            object["apiVersion"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let (side, kind) = self.kind(side, &id, version)?;
        let request = ApplyRequest {
            kind: kind.clone(),
            id,
            body: object.to_string().into_bytes().into(),
            force: true,
            dry_run: false,
            impersonate: None,
        };
        let applied = side.cluster.apply_as(&request, MANAGER).await;
        applied.map(drop).map_err(|failure| api_failed(&failure))
    }

    async fn call(&self, key: &str, call: &Call) -> Result<String, Failed> {
        let Some(cloud) = self.cloud else {
            let message =
                format!("{call}: the account of the kops cluster is not known: set `spec.source.kops`");
            return Err(Failed { message, passes: false });
        };
        let token = self.journal.entries.get(key).map(|entry| entry.token.as_str()).unwrap_or_default();
        let due = Call { input: with_token(&call.input, token), ..call.clone() };
        match cloud.call(&due).await {
            Ok(answer) => {
                let change = answer.pointer("/ChangeInfo/Id").and_then(Value::as_str);
                Ok(change.unwrap_or_default().to_owned())
            }
            Err(failure) => {
                // A batch for records that are not as they were seen is refused as a whole: they are looked at again.
                let stale = failure.code == "InvalidChangeBatch";
                let lasting = matches!(
                    failure.kind,
                    CloudFailureKind::Invalid | CloudFailureKind::Denied | CloudFailureKind::LimitExceeded
                );
                let passes = stale || !lasting;
                Err(Failed { message: failure.to_string(), passes })
            }
        }
    }

    fn kind(&self, side: Which, id: &ResourceId, version: &str) -> Result<(&Side<'_>, &ServedKind), Failed> {
        let of = match side {
            Which::Source => Some(self.source),
            Which::Target => self.target,
        };
        let of = of.ok_or_else(|| Failed { message: "the target cannot be reached".into(), passes: true })?;
        let gvk = Gvk::new(&id.group, version, &id.kind);
        let kind =
            of.kind(&gvk).ok_or_else(|| Failed { message: format!("{gvk} is not served"), passes: true })?;
        Ok((of, kind))
    }
}

/// The phase of the order that an apply to the target belongs to.
fn phase_of(step: &Step) -> Option<Phase> {
    match &step.effect {
        Effect::Apply { side: Which::Target, object } => Some(phase(&identity(object)?.group_kind())),
        _ => None,
    }
}

fn api_failed(failure: &crate::ports::ApiFailure) -> Failed {
    // A precondition that no longer holds is looked at again.
    let stale = matches!(
        failure.kind,
        ApiFailureKind::Conflict | ApiFailureKind::NotFound | ApiFailureKind::AlreadyExists
    );
    Failed { message: failure.to_string(), passes: stale || failure.is_transient() }
}
