//! Everything that the daemon tells while a story runs, with the moment at which it did.

use crate::model::event::{Event, What};
use crate::ports::Sink;
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, futures::Notified};

/// Every event of the daemon, in order.
#[derive(Default)]
pub struct Chronicle {
    events: Mutex<Vec<(Instant, Event)>>,
    news: Notify,
}

impl Sink for Chronicle {
    fn take(&self, event: &Event) {
        self.all().push((Instant::now(), event.clone()));
        self.news.notify_waiters();
    }
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

    /// How long each part was at each stage since a moment, in the order in which they began.
    pub fn stays(&self, moment: usize) -> Vec<Stay> {
        let events = self.all();
        let Some((last, _)) = events.last() else { return Vec::new() };
        let mut stays: Vec<(Instant, Stay)> = Vec::new();
        for (at, event) in &events[moment..] {
            let What::StageReached { part, stage, state, .. } = &event.what else { continue };
            let open = stays.iter().rposition(|(_, stay)| stay.part == *part && !stay.complete);
            // Whatever was under way ends where the next begins: a stage may be left without having been told complete.
            if let Some((since, stay)) = open.map(|place| &mut stays[place]) {
                stay.millis = at.duration_since(*since).as_millis();
                stay.complete = stay.stage != *stage || state == "complete";
                if stay.stage == *stage {
                    continue;
                }
            }
            let complete = state == "complete";
            let since = stays
                .iter()
                .filter(|(_, stay)| stay.part == *part)
                .map(|(since, stay)| {
                    *since + Duration::from_millis(stay.millis.try_into().unwrap_or(u64::MAX))
                })
                .next_back();
            let millis = if complete { at.duration_since(since.unwrap_or(*at)).as_millis() } else { 0 };
            let stay = Stay { part: part.clone(), stage: stage.clone(), millis, complete };
            stays.push((if complete { since.unwrap_or(*at) } else { *at }, stay));
        }
        for (since, stay) in stays.iter_mut().filter(|(_, stay)| !stay.complete) {
            stay.millis = last.duration_since(*since).as_millis();
        }
        stays.into_iter().map(|(_, stay)| stay).collect()
    }
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
}
