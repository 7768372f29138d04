//! What all calls of a daemon under test go through: counted, and ended where a test says so.

use super::scene::Told;
use crate::support::memory_store::{Fate, Write};
use async_trait::async_trait;
use portolan::model::event::What;
use portolan::ports::StateFailure;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What befalls a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The daemon dies before it is sent.
    DiesBefore,
    /// The daemon dies after its effect, before the answer.
    DiesAfterEffect,
    /// The daemon dies after the answer, before the next write: nothing was noted of it.
    DiesAnswered,
    /// It has its effect, and its answer is lost.
    Unanswered,
    /// It has no effect and fails for a passing reason.
    Fails,
}

pub const TROUBLES: [Trouble; 5] = [
    Trouble::DiesBefore,
    Trouble::DiesAfterEffect,
    Trouble::DiesAnswered,
    Trouble::Unanswered,
    Trouble::Fails,
];

#[derive(Default)]
pub struct State {
    /// Every write, in order.
    pub writes: Vec<String>,
    /// The site of each: stage, operation, kind.
    pub sites: Vec<String>,
    /// What the daemon tells: the stage that was told last is what a write is made for.
    pub told: Option<Arc<Told>>,
    /// By the number of the write.
    pub troubles: BTreeMap<usize, Trouble>,
    /// Whether a trouble came.
    pub fired: bool,
    /// The daemon dies at the next write.
    pub armed: bool,
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
            state.dead |= state.armed;
            if !state.dead {
                let site = format!("{}: {}", state.stage(), operation(&what));
                state.sites.push(site);
                state.writes.push(what);
            }
            let trouble = state.troubles.get(&number).copied().filter(|_| !state.dead);
            state.fired |= trouble.is_some();
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
        match trouble {
            Some(Trouble::DiesAfterEffect) => {
                self.state().dead = true;
                std::future::pending::<()>().await;
            }
            Some(Trouble::DiesAnswered) => self.state().armed = true,
            _ => {}
        }
    }

    /// Another daemon starts.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.armed) = (false, false);
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

impl State {
    /// The part and the stage that were told last.
    fn stage(&self) -> String {
        let Some(told) = &self.told else { return String::new() };
        let events = told.0.lock().unwrap();
        let stage = events.iter().rev().find_map(|event| match &event.what {
            What::StageReached { part, stage, .. } => Some(format!("{part} {stage}")),
            _ => None,
        });
        stage.unwrap_or_default()
    }
}

/// What a write does, and to which kind: `source patch Deployment.apps`, `aws ec2:CreateTags`, `store`.
fn operation(what: &str) -> String {
    let words = match what.split(' ').next() {
        Some("aws") => 2,
        Some("store") => 1,
        _ => 3,
    };
    let journal = if what.contains("portolan-migration-") { " of the journal" } else { "" };
    what.split(' ').take(words).collect::<Vec<_>>().join(" ") + journal
}

#[async_trait]
impl Fate for Wire {
    async fn write(&self, what: &str, write: &mut Write<'_>) -> Result<String, StateFailure> {
        let failed = |message: &str| StateFailure { message: message.into(), transient: true };
        let trouble = Self::write(self, format!("store {what}")).await;
        if trouble == Some(Trouble::Fails) {
            return Err(failed("the store does not answer"));
        }
        let version = write()?;
        self.written(trouble).await;
        if trouble == Some(Trouble::Unanswered) {
            return Err(failed("no answer"));
        }
        Ok(version)
    }
}
