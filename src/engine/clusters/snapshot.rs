//! What there is in AWS of a cluster: the drivers' reads, made and counted.

use crate::model::cloud::Call;
use crate::ports::{Cloud, CloudFailure, CloudFailureKind};
use crate::provision::eks::service_account::SWEEP;
use crate::provision::resource::{Driver, Kind, Resource, Scope, Snapshot};
use futures::StreamExt as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most rounds of calls that one kind's answers may make necessary: a list, what is on it, and what hangs on that.
const MOST_ROUNDS: usize = 8;

/// How often each operation was called for each kind.
pub type Calls = BTreeMap<Kind, BTreeMap<String, usize>>;

/// What was found, and what it took.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What was found. A kind of which a call failed is in [`Snapshot::unread`].
    pub snapshot: Snapshot,
    /// The calls that were made, `ec2:DescribeSubnets` and the like.
    pub calls: Calls,
    /// The first failure that was none of `it is not there`.
    pub failure: Option<CloudFailure>,
}

impl Reading {
    /// How many calls were made.
    #[must_use]
    pub fn count(&self) -> usize {
        self.calls.values().flat_map(BTreeMap::values).sum()
    }

    fn note(&mut self, kind: Kind, call: &Call) {
        *self.calls.entry(kind).or_default().entry(call.to_string()).or_default() += 1;
    }
}

/// Whose resources are read, and how.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The account.
    pub cloud: &'a dyn Cloud,
    /// The drivers, in the order in which they are asked: each may look at what those before it found.
    pub drivers: &'a [&'a dyn Driver],
    /// Whose resources.
    pub scope: &'a Scope,
    /// What is declared: some things can only be read by name.
    pub declared: &'a [Resource],
    /// Calls under way at once.
    pub at_once: usize,
    /// Nobody remembers what was declared once: what is found by its name only is looked for by our marks.
    pub sweep: bool,
}

impl Reader<'_> {
    /// Reads everything.
    pub async fn read(&self) -> Reading {
        let mut reading = Reading::default();
        if self.sweep {
            reading.snapshot.facts.insert(SWEEP.to_owned(), Value::Bool(true));
        }
        for driver in self.drivers {
            self.read_kind(*driver, &mut reading).await;
        }
        reading
    }

    /// Reads some kinds anew, the rest as it was known.
    pub async fn read_again(&self, known: &Snapshot, kinds: &BTreeSet<Kind>) -> Reading {
        let mut reading = Reading { snapshot: known.clone(), ..Reading::default() };
        reading.snapshot.live.retain(|key, _| !kinds.contains(&key.kind));
        reading.snapshot.unread.retain(|kind, _| !kinds.contains(kind));
        for driver in self.drivers.iter().filter(|driver| kinds.contains(&driver.kind())) {
            self.read_kind(*driver, &mut reading).await;
        }
        reading
    }

    async fn read_kind(&self, driver: &dyn Driver, reading: &mut Reading) {
        let kind = driver.kind();
        let mut due = driver.reads(self.scope, &reading.snapshot, self.declared);
        for _ in 0..MOST_ROUNDS {
            if due.is_empty() {
                return;
            }
            let answers = self.answers(std::mem::take(&mut due)).await;
            // In the order of the calls, whichever was answered first: the same facts give the same snapshot.
            for (call, answer) in answers {
                reading.note(kind, &call);
                match answer {
                    Ok(answer) => {
                        due.extend(driver.absorb(
                            self.scope,
                            self.declared,
                            &call,
                            &answer,
                            &mut reading.snapshot,
                        ));
                    }
                    // It went between a list and the question about it, or there is no cluster that could have any.
                    Err(failure) if failure.kind == CloudFailureKind::NotFound => {}
                    Err(failure) => {
                        reading.snapshot.unread.entry(kind).or_insert_with(|| failure.to_string());
                        reading.failure.get_or_insert(failure);
                    }
                }
            }
            if reading.snapshot.unread.contains_key(&kind) {
                return;
            }
        }
        if !due.is_empty() {
            let words =
                format!("reading took more than {MOST_ROUNDS} rounds of calls; this is a defect of Portolan");
            reading.snapshot.unread.insert(kind, words);
        }
    }

    async fn answers(&self, calls: Vec<Call>) -> Vec<(Call, Result<Value, CloudFailure>)> {
        let cloud = self.cloud;
        let asked = calls.into_iter().map(|call| async move {
            let answer = cloud.call(&call).await;
            (call, answer)
        });
        futures::stream::iter(asked).buffered(self.at_once.max(1)).collect().await
    }
}
