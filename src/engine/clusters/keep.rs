//! The task of one cluster, for as long as the daemon runs.

use super::kept::Kept;
use super::pass::{PassEnd, has_moved, pass};
use super::trail;
use crate::model::Health;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Passes that follow each other at once while each finds something to do; then they pause like any others, for what is
/// changed again and again without an end is a fight, or a defect.
const AT_ONCE: u32 = 16;
/// Failed passes in a row before a command gives up.
const RETRIES_BY_HAND: u32 = 5;
/// Looks at what is on its way before everything is looked at again.
const LOOKS: u32 = 6;
/// Looks of a command at what is in place and not well yet: add-ons say so for a while after their nodes came.
const LOOKS_AT_THE_ILL: u32 = 6;

/// Keeps one cluster: pass, wait, pass again.
pub async fn keep(kept: Arc<Kept>, mut stop: watch::Receiver<bool>) {
    let mut rest = Rest::new(&kept);
    loop {
        let end = tokio::select! {
            end = pass(&kept) => end,
            // What is called is called; its answer is found out by the next daemon.
            _ = stop.changed() => return,
        };
        if kept.is_released() {
            let _ = kept.forget().await;
            return;
        }
        if end == PassEnd::Finished {
            // One that stays in the store is found to be gone by the next daemon.
            let _ = kept.forget().await;
            kept.context.destinations.gone(&kept.name);
            return;
        }
        tokio::select! {
            () = rest.after(&kept, end) => {}
            _ = stop.changed() => return,
        }
        if *stop.borrow() {
            return;
        }
    }
}

/// Keeps one cluster until nothing is left to do, or only for a person: the work of a command.
pub async fn keep_by_hand(kept: &Arc<Kept>) -> PassEnd {
    let mut rest = Rest::new(kept);
    let mut retries = 0;
    let mut looks = 0;
    loop {
        match pass(kept).await {
            PassEnd::Finished => {
                // One that stays in the store is found to be gone by whoever looks next.
                let _ = kept.forget().await;
                return PassEnd::Finished;
            }
            PassEnd::Done if looks < LOOKS_AT_THE_ILL && is_ill(kept) => {
                looks += 1;
                rest.pause = (rest.pause * 3 / 2).min(kept.context.pace.longest);
                rest.wait(kept, rest.pause).await;
            }
            PassEnd::Done => return PassEnd::Done,
            PassEnd::Retry if retries >= RETRIES_BY_HAND => return PassEnd::Retry,
            end => {
                retries = if end == PassEnd::Retry { retries + 1 } else { 0 };
                let waits_for_person = end == PassEnd::Waits(Some(kept.context.pace.longest * 4));
                if waits_for_person {
                    return PassEnd::Done;
                }
                rest.after(kept, end).await;
            }
        }
    }
}

/// Whether all is in place, and something of it is not well: nothing tells when it is but a look.
fn is_ill(kept: &Kept) -> bool {
    kept.record().health == Health::Degraded
}

/// Pauses between passes.
struct Rest {
    full_pass_after: Timestamp,
    generation: watch::Receiver<u64>,
    pause: Duration,
    failures: u32,
    acted: u32,
}

impl Rest {
    fn new(kept: &Kept) -> Self {
        Self {
            full_pass_after: kept.context.clock.now(),
            generation: kept.generation.subscribe(),
            pause: kept.context.pace.first,
            failures: 0,
            acted: 0,
        }
    }

    async fn after(&mut self, kept: &Arc<Kept>, end: PassEnd) {
        if end != PassEnd::Retry {
            self.failures = 0;
        }
        if end != PassEnd::Acted {
            self.acted = 0;
        }
        match end {
            PassEnd::Superseded | PassEnd::Finished => {}
            PassEnd::Acted => {
                self.acted += 1;
                self.pause = kept.context.pace.first;
                if self.acted > AT_ONCE {
                    self.wait(kept, kept.context.pace.longest).await;
                }
            }
            PassEnd::Waits(pause) => self.look_out(kept, pause).await,
            PassEnd::Retry => {
                let (first, longest) = kept.context.pace.backoff;
                let pause = first.saturating_mul(1 << self.failures.min(10)).min(longest);
                self.failures = self.failures.saturating_add(1);
                self.wait(kept, pause).await;
            }
            PassEnd::Done => {
                self.pause = kept.context.pace.first;
                if is_ill(kept) {
                    self.wait(kept, kept.context.pace.longest * 2).await;
                } else {
                    self.until_due(kept).await;
                }
            }
        }
    }

    /// Waits until something that is on its way has moved, or for what was asked.
    async fn look_out(&mut self, kept: &Arc<Kept>, asked: Option<Duration>) {
        for _ in 0..LOOKS {
            let pause = asked.unwrap_or(self.pause);
            if self.wait(kept, pause).await {
                return;
            }
            if asked.is_some() || has_moved(kept).await {
                // What has moved once may soon move again.
                self.pause = kept.context.pace.first;
                return;
            }
            self.pause = (self.pause * 3 / 2).min(kept.context.pace.longest);
        }
    }

    /// Rests until the next full pass, or until something is wanted. Between, the audit log is asked who made what was found
    /// drifted: it lags, and a pass need not wait for it.
    async fn until_due(&mut self, kept: &Arc<Kept>) {
        let wanted = kept.wanted();
        let schedule = wanted.as_ref().and_then(|wanted| wanted.policy.schedule.as_ref());
        self.full_pass_after = self.full_pass_after.min(kept.context.clock.now());
        let full_pass = schedule.and_then(|schedule| schedule.next_after(self.full_pass_after, &kept.name));
        loop {
            let question = kept.state().trails.next_due();
            let Some(due) = [full_pass, question].into_iter().flatten().min() else {
                kept.wake.notified().await;
                return;
            };
            let until = Duration::try_from(due.duration_since(kept.context.clock.now())).unwrap_or_default();
            if self.wait(kept, until).await {
                return;
            }
            if full_pass == Some(due) {
                // Those that fell into a pass under way, or into a machine's sleep, are not made up for.
                self.full_pass_after = kept.context.clock.now();
                return;
            }
            if let Some(wanted) = &wanted {
                trail::ask(kept, wanted).await;
            }
        }
    }

    /// Waits; true when it was cut short.
    async fn wait(&mut self, kept: &Kept, pause: Duration) -> bool {
        tokio::select! {
            () = kept.wake.notified() => true,
            _ = self.generation.changed() => true,
            () = tokio::time::sleep(pause) => false,
        }
    }
}
