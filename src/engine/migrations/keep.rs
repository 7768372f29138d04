//! The task of one migration, for as long as the daemon runs.

use super::kept::Mover;
use super::pass::{PassEnd, pass};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Time between passes when nothing is left to do: nothing tells of a change on the source but a look.
const AT_REST: Duration = Duration::from_secs(60);
/// Passes that follow each other at once while each changes something; then they pause like any others.
const AT_ONCE: u32 = 64;

/// Keeps one migration: pass, wait, pass again.
pub async fn keep(mover: Arc<Mover>, mut stop: watch::Receiver<bool>) {
    let mut generation = mover.generation.subscribe();
    let (mut failures, mut acted, mut pause) = (0u32, 0u32, mover.context.pace.first);
    loop {
        let end = tokio::select! {
            end = pass(&mover) => end,
            // What was sent is sent; its effect is found by the next daemon.
            _ = stop.changed() => return,
        };
        if *stop.borrow() {
            return;
        }
        failures = if end == PassEnd::Retry { failures.saturating_add(1) } else { 0 };
        acted = if end == PassEnd::Acted { acted.saturating_add(1) } else { 0 };
        let (first, longest) = mover.context.pace.backoff;
        let wait = match end {
            PassEnd::Superseded => continue,
            PassEnd::Acted if acted < AT_ONCE => {
                pause = mover.context.pace.first;
                continue;
            }
            PassEnd::Acted => mover.context.pace.longest,
            PassEnd::Waits => {
                let now = pause;
                pause = (pause * 3 / 2).min(mover.context.pace.longest);
                now
            }
            PassEnd::Retry => first.saturating_mul(1 << failures.min(10)).min(longest),
            PassEnd::Done | PassEnd::Blocked => {
                pause = mover.context.pace.first;
                AT_REST.min(mover.context.pace.longest * 2)
            }
        };
        tokio::select! {
            () = mover.wake.notified() => {}
            _ = generation.changed() => {}
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => return,
        }
    }
}
