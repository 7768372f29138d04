//! Everything that the daemon tells while a story runs, with the moment at which it did.

use crate::model::event::{Event, What};
use crate::model::migration::Stage;
use crate::ports::{MigrationRecord, Sink};
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, futures::Notified};

/// Every event of the daemon, in order.
#[derive(Default)]
pub struct Chronicle {
    events: Mutex<Vec<(Instant, Event)>>,
    /// Part and stage that were seen to wait, from when to when.
    waits: Mutex<Vec<Wait>>,
    /// When somebody asked for something: what follows did not begin before.
    asked: Mutex<Vec<Instant>>,
    news: Notify,
}

impl Sink for Chronicle {
    fn take(&self, event: &Event) {
        self.all().push((Instant::now(), event.clone()));
        self.news.notify_waiters();
    }
}

struct Wait {
    part: String,
    stage: String,
    from: Instant,
    to: Instant,
}

/// How long a part of a move was at a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stay {
    /// `the move`, or `wave shop`.
    pub part: String,
    /// The stage.
    pub stage: String,
    /// From its beginning to its end; of one that has not ended, to the last event.
    pub millis: u128,
    /// How much of that it waited for something that comes by itself: a time to hold, a pod to start, a wave before it.
    pub waited: u128,
    /// Whether it was completed.
    pub complete: bool,
}

impl Chronicle {
    fn all(&self) -> MutexGuard<'_, Vec<(Instant, Event)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events there have been.
    pub fn now(&self) -> usize {
        self.all().len()
    }

    /// Notes that somebody has asked for something.
    pub fn ask(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }

    /// Notes how parts stood between two looks: those that something held back have waited.
    pub fn look(&self, record: &MigrationRecord, from: Instant) {
        let to = Instant::now();
        let held = record.parts.iter().filter(|part| !part.gates.is_empty());
        let waits = held.map(|part| Wait {
            part: if part.name.is_empty() { "the move".into() } else { format!("wave {}", part.name) },
            stage: part.stage.to_string(),
            from,
            to,
        });
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).extend(waits);
    }

    /// The events since a moment.
    pub fn since(&self, moment: usize) -> Vec<Event> {
        self.all()[moment..].iter().map(|(_, event)| event.clone()).collect()
    }

    /// Resolves when something is told.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Waits for the first event since a moment that is of interest.
    ///
    /// # Errors
    /// There is none within the limit: in words.
    pub async fn event<T>(
        &self,
        moment: usize,
        limit: Duration,
        what: &str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> Result<T, String> {
        let found = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(found) = self.since(moment).iter().find_map(&pick) {
                    return found;
                }
                news.await;
            }
        };
        tokio::time::timeout(limit, found)
            .await
            .map_err(|_| format!("{what}: not within {} s", limit.as_secs()))
    }

    /// How long each part was at each stage since a moment, in the order in which they began. What nobody had asked for yet
    /// is no time of a stage.
    pub fn stays(&self, moment: usize) -> Vec<Stay> {
        let events = self.all();
        let Some((last, _)) = events.last() else { return Vec::new() };
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stays: Vec<Span> = Vec::new();
        for (at, event) in &events[moment..] {
            let What::StageReached { part, stage, state, .. } = &event.what else { continue };
            let complete = state == "complete";
            let between = stays.iter().rfind(|span| span.part == *part);
            let between = between.map(|before| between_of(&before.stage, stage)).unwrap_or_default();
            let before = stays.iter_mut().rfind(|span| span.part == *part);
            let since = match before {
                // Whatever was under way ends where the next begins: a stage may be left without having been told complete.
                Some(open) if !open.complete => {
                    (open.to, open.complete) = (*at, open.stage != *stage || complete);
                    if open.stage == *stage {
                        continue;
                    }
                    *at
                }
                Some(done) => done.to,
                None => *at,
            };
            let due = asked.iter().rfind(|asked| **asked <= *at).copied().unwrap_or(since);
            let from = if complete { since.max(due) } else { *at };
            // A pass that finds nothing left to do at a stage goes on at once, and tells only where it ends.
            stays.extend(between.into_iter().map(|stage| {
                let part = part.clone();
                Span { part, stage: stage.to_string(), from, to: from, complete: true }
            }));
            stays.push(Span { part: part.clone(), stage: stage.clone(), from, to: *at, complete });
        }
        stays.iter_mut().filter(|span| !span.complete).for_each(|span| span.to = *last);
        stays.into_iter().map(|span| self.stay(span)).collect()
    }

    fn stay(&self, span: Span) -> Stay {
        let waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let own = waits.iter().filter(|wait| wait.part == span.part && wait.stage == span.stage);
        let within = own.map(|wait| wait.to.min(span.to).saturating_duration_since(wait.from.max(span.from)));
        let millis = span.to.saturating_duration_since(span.from).as_millis();
        let waited = within.sum::<Duration>().as_millis().min(millis);
        Stay { part: span.part, stage: span.stage, millis, waited, complete: span.complete }
    }
}

/// Stages that a part has passed on its way forward from one to another.
fn between_of(from: &str, to: &str) -> Vec<Stage> {
    let place = |name: &str| Stage::ALL.iter().position(|stage| stage.to_string() == name);
    let (Some(from), Some(to)) = (place(from), place(to)) else { return Vec::new() };
    Stage::ALL.get(from + 1..to).map(<[Stage]>::to_vec).unwrap_or_default()
}

/// A stay, while it is made out.
struct Span {
    part: String,
    stage: String,
    from: Instant,
    to: Instant,
    complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Subject;

    fn reached(part: &str, stage: &str, state: &str) -> Event {
        let what = What::StageReached {
            part: part.into(),
            stage: stage.into(),
            state: state.into(),
            seconds: 0,
            revision: "main@1".into(),
        };
        Event { subject: Subject { application: String::new(), destination: "old".into() }, what }
    }

    #[test]
    fn stays_are_told_in_order_and_end_where_the_next_begins() {
        let chronicle = Chronicle::default();
        chronicle.take(&reached("the move", "Inventory", "complete"));
        let moment = chronicle.now();
        for (stage, state) in [("Configure", "begun"), ("Sync", "complete"), ("Verify", "begun")] {
            chronicle.take(&reached("wave shop", stage, state));
        }
        let stays = chronicle.stays(moment);
        let told: Vec<(&str, bool)> = stays.iter().map(|stay| (stay.stage.as_str(), stay.complete)).collect();
        assert_eq!(told, [("Configure", true), ("Sync", true), ("Verify", false)]);
    }

    #[test]
    fn stages_that_were_passed_at_once_are_told_as_well() {
        let chronicle = Chronicle::default();
        for stage in ["Inventory", "Provision", "Inventory"] {
            chronicle.take(&reached("the move", stage, "complete"));
        }
        let told: Vec<String> = chronicle.stays(0).into_iter().map(|stay| stay.stage).collect();
        assert_eq!(told, ["Inventory", "Preflight", "Provision", "Inventory"]);
    }

    #[test]
    fn what_nobody_had_asked_for_is_no_time_of_a_stage_and_waits_are_told_apart() {
        let pause = || std::thread::sleep(Duration::from_millis(30));
        let chronicle = Chronicle::default();
        chronicle.take(&reached("wave shop", "Sync", "complete"));
        pause();
        let from = Instant::now();
        chronicle.ask();
        chronicle.take(&reached("wave shop", "Verify", "complete"));
        let proving = from.elapsed().as_millis();
        chronicle.take(&reached("wave shop", "HandOver", "begun"));
        pause();
        let mut record = MigrationRecord::new("move");
        let part = crate::ports::PartRecord {
            name: "shop".into(),
            stage: crate::model::migration::Stage::HandOver,
            gates: vec!["3 pods are left on the source".into()],
            ..Default::default()
        };
        record.parts.push(part);
        chronicle.look(&record, from);
        chronicle.take(&reached("wave shop", "HandOver", "complete"));
        let stays = chronicle.stays(0);
        assert!(stays[1].millis <= proving, "nobody worked before it was asked for: {stays:?}");
        assert!(stays[2].waited >= 30 && stays[2].waited <= stays[2].millis, "{stays:?}");
    }
}
