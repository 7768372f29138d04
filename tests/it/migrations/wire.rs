//! What all calls of a daemon under test go through: counted, and ended where a test says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What befalls a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The daemon dies before it is sent.
    DiesBefore,
    /// The daemon dies after its effect, before the answer.
    DiesAfterEffect,
    /// It has its effect, and its answer is lost.
    Unanswered,
    /// It has no effect and fails for a passing reason.
    Fails,
}

pub const TROUBLES: [Trouble; 4] =
    [Trouble::DiesBefore, Trouble::DiesAfterEffect, Trouble::Unanswered, Trouble::Fails];

#[derive(Default)]
pub struct State {
    /// Every write, in order.
    pub writes: Vec<String>,
    /// By the number of the write.
    pub troubles: BTreeMap<usize, Trouble>,
    pub dead: bool,
    /// Moments at which both sides ran pods of one namespace.
    pub doubles: Vec<String>,
    /// Namespaces with pods, by side.
    pub running: BTreeMap<&'static str, Vec<String>>,
}

#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<State>>);

impl Wire {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts a write. What is to befall it, before and after its effect.
    pub async fn write(&self, what: String) -> Option<Trouble> {
        let (trouble, dead) = {
            let mut state = self.state();
            let number = state.writes.len();
            if !state.dead {
                state.writes.push(what);
            }
            let trouble = state.troubles.get(&number).copied();
            state.dead |= trouble == Some(Trouble::DiesBefore);
            (trouble, state.dead)
        };
        if dead {
            std::future::pending::<()>().await;
        }
        trouble
    }

    /// After the effect.
    pub async fn written(&self, trouble: Option<Trouble>) {
        if trouble == Some(Trouble::DiesAfterEffect) {
            self.state().dead = true;
            std::future::pending::<()>().await;
        }
    }

    /// Notes where pods run.
    pub fn runs(&self, side: &'static str, namespaces: Vec<String>) {
        let mut state = self.state();
        state.running.insert(side, namespaces);
        let other = if side == "source" { "target" } else { "source" };
        let both: Vec<String> = {
            let there = state.running.get(other).cloned().unwrap_or_default();
            state.running[side].iter().filter(|namespace| there.contains(namespace)).cloned().collect()
        };
        let number = state.writes.len();
        state.doubles.extend(both.into_iter().map(|namespace| format!("{namespace} at write {number}")));
    }
}
