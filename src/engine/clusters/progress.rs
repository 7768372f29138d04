//! What is on its way in AWS: since when, whether it takes too long, and when to look again.

use crate::ports::UnderWay;
use crate::provision::resource::{Key, Kind, Live, Owner, Snapshot, State};
use crate::provision::{Step, StepAction};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How passes follow each other.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Pause before the first look at something that is on its way.
    pub first: Duration,
    /// The longest such pause: they grow by half each time, and begin anew when something moves.
    pub longest: Duration,
    /// Pauses after failed passes: the first, and the longest.
    pub backoff: (Duration, Duration),
    /// How long something that was made may take to be seen (EC2 and IAM answer from copies).
    pub settle: Duration,
    /// Calls under way at once.
    pub at_once: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2),
            longest: Duration::from_secs(30),
            backoff: (Duration::from_secs(2), Duration::from_secs(300)),
            settle: Duration::from_secs(30),
            at_once: 8,
        }
    }
}

/// How long each kind may be on its way: what botocore's waiters allow (`waiters-2.json`), twice that where nodes are
/// replaced one after another.
#[must_use]
pub const fn limit(kind: Kind, action: StepAction) -> Duration {
    let minutes = match (kind, action) {
        (Kind::Nodegroup, StepAction::Update) => 120,
        (Kind::Nodegroup, StepAction::Create) => 40,
        (Kind::Cluster, StepAction::Update) => 60,
        (Kind::Cluster | Kind::Nodegroup, _) => 20,
        (Kind::IdentityProvider, _) => 40,
        (Kind::AutoScalingGroup, _) => 30,
        _ => 10,
    };
    Duration::from_secs(minutes * 60)
}

/// One thing on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What was done to it; `Wait` when it was not we.
    pub action: StepAction,
    /// The service's word.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
}

/// Something that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which.
    pub key: Key,
    /// What was done to it.
    pub action: StepAction,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failed: Option<String>,
}

/// Everything on its way.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    ways: BTreeMap<Key, Way>,
}

impl Progress {
    /// Notes that a step begins.
    pub fn begin(&mut self, step: &Step, now: Timestamp) {
        let way = Way { action: step.action, state: String::new(), since: now };
        self.ways.insert(step.key.clone(), way);
    }

    /// Notes that a step did not begin after all.
    pub fn cancel(&mut self, key: &Key) {
        self.ways.remove(key);
    }

    /// Forgets what is not on its way any longer.
    pub fn retain(&mut self, keep: impl Fn(&Key) -> bool) {
        self.ways.retain(|key, _| keep(key));
    }

    /// Takes what was found; returns what has arrived since. True when anything moved.
    pub fn look(&mut self, snapshot: &Snapshot, now: Timestamp) -> (Vec<Arrival>, bool) {
        let mut moved = false;
        for live in snapshot.live.values().filter(|live| live.owner == Owner::Ours) {
            let Some(word) = word(live) else { continue };
            let action = if live.state == State::Deleting { StepAction::Delete } else { StepAction::Wait };
            let way = self.ways.entry(live.key.clone()).or_insert_with(|| {
                moved = true;
                Way { action, state: String::new(), since: now }
            });
            if way.state != word {
                way.state = word.to_owned();
                moved = true;
            }
        }
        let mut arrivals = Vec::new();
        self.ways.retain(|key, way| {
            if snapshot.unread.contains_key(&key.kind) {
                return true;
            }
            let failed = match (way.action, snapshot.live.get(key).map(|live| &live.state)) {
                (_, Some(State::Pending(_) | State::Deleting)) => return true,
                (_, Some(State::Failed(words))) => Some(words.clone()),
                // Made, and not seen yet.
                (StepAction::Create | StepAction::Update | StepAction::Adopt, None) => return true,
                // Asked to go, and still seen as it was.
                (StepAction::Delete | StepAction::Replace, Some(State::Ready)) => return true,
                _ => None,
            };
            arrivals.push(Arrival {
                key: key.clone(),
                action: way.action,
                took: passed(way.since, now),
                failed,
            });
            false
        });
        moved |= !arrivals.is_empty();
        (arrivals, moved)
    }

    /// What takes longer than it may, with the time it has taken.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> BTreeMap<Key, Duration> {
        let took = |way: &Way| passed(way.since, now);
        let late = self.ways.iter().filter(|(key, way)| took(way) > limit(key.kind, way.action));
        late.map(|(key, way)| (key.clone(), took(way))).collect()
    }

    /// As records show it.
    #[must_use]
    pub fn shown(&self) -> Vec<UnderWay> {
        let ways = self.ways.iter().map(|(key, way)| UnderWay {
            resource: key.to_string(),
            action: way.action.to_string(),
            state: way.state.clone(),
            since: way.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        ways.collect()
    }

    /// Kinds of which something is on its way.
    #[must_use]
    pub fn kinds(&self) -> std::collections::BTreeSet<Kind> {
        self.ways.keys().map(|key| key.kind).collect()
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }
}

/// The service's word for something on its way.
fn word(live: &Live) -> Option<&str> {
    match &live.state {
        State::Pending(word) => Some(word),
        State::Deleting => Some("DELETING"),
        State::Ready | State::Failed(_) => None,
    }
}

fn passed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// `3 min 20 s`, for people.
#[must_use]
pub fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken_shortly() {
        let words = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(
            [words(5), words(60), words(200), words(3900)],
            ["5 s", "1 min", "3 min 20 s", "1 h 5 min"]
        );
    }
}
