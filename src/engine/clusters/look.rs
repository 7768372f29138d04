//! What a pass looks at before it decides: what is declared, what is there, what is inside the cluster, and what
//! controllers left.

use super::blueprint::Blueprint;
use super::inside;
use super::kept::{Account, Kept, Wanted};
use super::memory::Memory;
use super::snapshot::{Reader, Reading};
use crate::model::cloud::Call;
use crate::ports::CloudFailure;
use crate::provision::eks::Minor;
use crate::provision::gates::InCluster;
use crate::provision::network::Leftover;
use crate::provision::resource::{Driver, Kind, Resource, Snapshot, State};
use crate::provision::upgrade::{Staged, UpgradeFacts};
use crate::provision::{Declared, Problem, Weight};
use jiff::Timestamp;
use serde_json::Value;

/// What is declared may follow from what was read (zones, existing subnets), and what is read from what is declared:
/// so many rounds at most until the two agree.
const MOST_ROUNDS: usize = 4;
/// Rounds of calls for what controllers left: a list, and the tags of what is on it.
const LEFTOVER_ROUNDS: usize = 4;

/// Everything a plan is made from.
pub struct Found {
    /// What is declared, with the versions of this pass.
    pub staged: Staged,
    /// What stands in the way of what is declared.
    pub problems: Vec<Problem>,
    /// What there is.
    pub reading: Reading,
    /// What controllers made and nobody takes away when the cluster goes. Looked for only then.
    pub leftovers: Vec<Leftover>,
    /// Why the leftovers could not be looked for.
    pub leftovers_unknown: Option<String>,
    /// Whether the inside of the cluster was looked at.
    pub looked_inside: bool,
}

impl Found {
    /// Why nothing may be planned: the file cannot be carried out.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        let refused: Vec<String> = self
            .problems
            .iter()
            .filter(|problem| problem.weight == Weight::Refused)
            .map(ToString::to_string)
            .collect();
        (!refused.is_empty()).then(|| refused.join("; "))
    }

    /// Why what is declared is not known completely.
    #[must_use]
    pub fn incomplete(&self) -> Option<String> {
        let waiting = self.problems.iter().find(|problem| problem.weight == Weight::Waiting);
        waiting.map(|problem| format!("what is declared is not known completely: {problem}"))
    }
}

/// Who looks, and at what.
pub struct Looker<'a> {
    /// The account.
    pub account: &'a Account,
    /// What is wanted.
    pub wanted: &'a Wanted,
    /// What is remembered.
    pub memory: &'a Memory,
    /// What was found before; tells what is to be declared before anything is read.
    pub before: Option<&'a Snapshot>,
    /// How it is read and made.
    pub drivers: &'a [&'a dyn Driver],
    /// Calls under way at once.
    pub at_once: usize,
}

impl Looker<'_> {
    fn blueprint(&self) -> &dyn Blueprint {
        self.wanted.blueprint.as_ref()
    }

    /// How it reads, with what is declared and what was.
    pub fn reader<'b>(&'b self, declared: &'b [Resource]) -> Reader<'b> {
        Reader {
            cloud: self.account.cloud.as_ref(),
            drivers: self.drivers,
            scope: &self.account.scope,
            declared,
            at_once: self.at_once,
            sweep: false,
        }
    }

    /// Looks at everything.
    pub async fn look(&self, kept: &Kept, now: Timestamp) -> Found {
        let empty = Snapshot::default();
        let mut declared = self.declare(self.before.unwrap_or(&empty));
        let mut reading = Reading::default();
        for round in 0..MOST_ROUNDS {
            let all = self.memory.with_former(&declared.resources);
            let sweep = !self.memory.swept && !self.wanted.removed;
            let more = Reader { sweep, ..self.reader(&all) }.read().await;
            for (kind, calls) in more.calls {
                for (operation, count) in calls {
                    *reading.calls.entry(kind).or_default().entry(operation).or_default() += count;
                }
            }
            reading.snapshot = more.snapshot;
            reading.failure = more.failure;
            let anew = self.declare(&reading.snapshot);
            let agrees = anew.resources == declared.resources;
            declared = anew;
            if agrees || round + 1 == MOST_ROUNDS {
                break;
            }
        }
        if !self.wanted.removed {
            let scope = &self.account.scope;
            declared.problems.extend(self.blueprint().problems(
                scope,
                &declared.resources,
                &reading.snapshot,
            ));
        }
        let (leftovers, leftovers_unknown) = self.leftovers().await;
        let inside = self.inside(kept, &declared, &reading.snapshot).await;
        let staged = if self.wanted.removed {
            Staged { resources: declared.resources, ..Staged::default() }
        } else {
            let now = now.to_string();
            let facts = UpgradeFacts { inside: inside.as_ref(), now: Some(&now) };
            self.blueprint().stage(&declared.resources, &reading.snapshot, facts)
        };
        Found {
            staged,
            problems: declared.problems,
            reading,
            leftovers,
            leftovers_unknown,
            looked_inside: inside.is_some(),
        }
    }

    /// What is declared. Of a removed document what was remembered, too: it may be there still.
    fn declare(&self, known: &Snapshot) -> Declared {
        let mut declared = self.blueprint().declare(&self.account.scope, known);
        if self.wanted.removed {
            declared.resources = self.memory.with_former(&declared.resources);
            declared.problems.clear();
        }
        declared
    }

    /// The inside of the cluster, where versions move: at rest nothing is asked.
    async fn inside(&self, kept: &Kept, declared: &Declared, snapshot: &Snapshot) -> Option<InCluster> {
        if self.wanted.removed || !(self.memory.moving || moves(declared, snapshot)) {
            return None;
        }
        let cluster = kept.context.destinations.connected(&kept.name).await.ok()?;
        let declared = kept.context.destinations.declared_apis(&kept.name);
        inside::look(cluster.as_ref(), declared).await.ok()
    }

    async fn leftovers(&self) -> (Vec<Leftover>, Option<String>) {
        if !self.wanted.removed {
            return (Vec::new(), None);
        }
        let scope = &self.account.scope;
        let mut answers: Vec<(Call, Value)> = Vec::new();
        let mut due = self.blueprint().leftover_calls(scope);
        for _ in 0..LEFTOVER_ROUNDS {
            let cloud = self.account.cloud.as_ref();
            let asked = due.into_iter().map(|call| async move {
                let answer = cloud.call(&call).await;
                (call, answer)
            });
            let answered: Vec<(Call, Result<Value, CloudFailure>)> = futures::future::join_all(asked).await;
            for (call, answer) in answered {
                match answer {
                    Ok(answer) => answers.push((call, answer)),
                    Err(failure) => return (Vec::new(), Some(failure.to_string())),
                }
            }
            let (found, more) = self.blueprint().leftovers(scope, &answers);
            if more.is_empty() {
                return (found, None);
            }
            due = more;
        }
        (Vec::new(), Some("its answers asked for ever more calls; this is a defect of Portolan".into()))
    }
}

/// Whether a version is declared that is not there.
fn moves(declared: &Declared, snapshot: &Snapshot) -> bool {
    let of_cluster = declared.resources.iter().find(|resource| resource.key.kind == Kind::Cluster);
    let Some(live) = of_cluster.and_then(|resource| snapshot.live.get(&resource.key)) else { return false };
    let minor = |value: &Value| value["version"].as_str().and_then(Minor::parse);
    let current = minor(&live.actual);
    let wanted = of_cluster.and_then(|resource| minor(&resource.desired));
    let behind = snapshot
        .live
        .values()
        .filter(|live| live.key.kind == Kind::Nodegroup && live.state == State::Ready)
        .any(|live| minor(&live.actual).is_some() && minor(&live.actual) != current);
    (wanted.is_some() && wanted != current) || behind
}
