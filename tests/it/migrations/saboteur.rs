//! What goes wrong on the wires of two real API servers: one request is lost, or the daemon dies at it.

use super::scene::Told;
use async_trait::async_trait;
use portolan::model::event::{Event, What};
use portolan::ports::{ApiFailure, ApiFailureKind, ObservedRequest, RequestObserver};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// When it befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before it is sent.
    Before,
    /// After its effect, and nobody gets the answer.
    Unanswered,
    /// After the answer was taken, before anything follows from it.
    Answered,
}

/// What befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The daemon ends as by SIGKILL.
    Kill(Moment),
    /// The request fails.
    Fault(Moment),
}

pub const TROUBLES: [Trouble; 5] = [
    Trouble::Kill(Moment::Before),
    Trouble::Kill(Moment::Unanswered),
    Trouble::Kill(Moment::Answered),
    Trouble::Fault(Moment::Before),
    Trouble::Fault(Moment::Unanswered),
];

/// Which request: the first of a site, or the nth write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Site(String),
    Number(usize),
}

#[derive(Default)]
struct State {
    trouble: Option<(At, Trouble)>,
    fired: bool,
    /// The answer of the request in question was taken: the daemon dies at whatever it does next.
    armed: bool,
    dead: bool,
    writes: usize,
    /// Sites in the order of their first write, with the number of writes.
    sites: Vec<String>,
}

/// Sees all requests of a daemon to both sides.
pub struct Saboteur {
    told: Arc<Told>,
    state: Mutex<State>,
    died: Notify,
}

impl Saboteur {
    pub fn new(told: Arc<Told>, trouble: Option<(At, Trouble)>) -> Arc<Self> {
        let state = State { trouble, ..State::default() };
        Arc::new(Self { told, state: Mutex::new(state), died: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sites of writes, in their order, and how many writes there were.
    pub fn seen(&self) -> (Vec<String>, usize) {
        let state = self.state();
        (state.sites.clone(), state.writes)
    }

    pub fn has_fired(&self) -> bool {
        self.state().fired
    }

    /// A new daemon starts.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.armed) = (false, false);
    }

    /// Resolves when the daemon is to be ended.
    pub async fn death(&self) {
        loop {
            let died = self.died.notified();
            if self.state().dead {
                return;
            }
            died.await;
        }
    }

    /// The stage that was told last: what a write is made for.
    fn stage(&self) -> String {
        let events = self.told.0.lock().unwrap();
        let stage = |event: &Event| match &event.what {
            What::StageReached { part, stage, .. } => Some(format!("{part} {stage}")),
            _ => None,
        };
        events.iter().rev().find_map(stage).unwrap_or_default()
    }

    async fn die(&self) {
        self.state().dead = true;
        self.died.notify_waiters();
        std::future::pending::<()>().await;
    }

    /// Counts a write: its number, and its site with the stage.
    fn enter(&self, site: &str) -> (usize, String) {
        let site = format!("{}: {site}", self.stage());
        let mut state = self.state();
        let number = state.writes;
        if !state.dead && !state.armed {
            state.writes += 1;
            if !state.sites.contains(&site) {
                state.sites.push(site.clone());
            }
        }
        (number, site)
    }

    async fn before(&self, write: Option<(usize, String)>) -> Option<ApiFailure> {
        let (ends, fails) = {
            let mut state = self.state();
            let ends = state.dead || state.armed;
            let here = match (&state.trouble, &write) {
                (Some((At::Site(wanted), _)), Some((_, site))) => wanted == site,
                (Some((At::Number(wanted), _)), Some((number, _))) => wanted == number,
                _ => false,
            };
            match state
                .trouble
                .as_ref()
                .map(|(_, trouble)| *trouble)
                .filter(|_| here && !ends && !state.fired)
            {
                Some(Trouble::Kill(Moment::Before)) => {
                    state.fired = true;
                    (true, false)
                }
                Some(Trouble::Fault(Moment::Before)) => {
                    state.fired = true;
                    (false, true)
                }
                Some(trouble) => {
                    // `after` knows it by its number.
                    let number = write.map(|(number, _)| number).unwrap_or_default();
                    state.trouble = Some((At::Number(number), trouble));
                    (ends, false)
                }
                None => (ends, false),
            }
        };
        if ends {
            self.die().await;
        }
        fails.then(lost)
    }

    async fn after(&self, number: Option<usize>) -> Option<ApiFailure> {
        let (ends, fails) = {
            let mut state = self.state();
            let here = matches!((&state.trouble, number), (Some((At::Number(wanted), _)), Some(number)) if *wanted == number);
            match state.trouble {
                Some((_, trouble)) if here && !state.fired => {
                    state.fired = true;
                    match trouble {
                        Trouble::Kill(Moment::Unanswered) => (true, false),
                        Trouble::Fault(Moment::Unanswered) => (false, true),
                        _ => {
                            state.armed = true;
                            (false, false)
                        }
                    }
                }
                _ => (state.dead, false),
            }
        };
        if ends {
            self.die().await;
        }
        fails.then(lost)
    }
}

fn lost() -> ApiFailure {
    ApiFailure::new(ApiFailureKind::Unreachable, "a fault of the test".to_owned())
}

/// The saboteur on the wire to one side.
pub struct OnSide {
    pub side: &'static str,
    pub saboteur: Arc<Saboteur>,
    /// Numbers of writes that are under way, by their path.
    under_way: Mutex<Vec<(String, usize)>>,
}

impl OnSide {
    pub fn new(side: &'static str, saboteur: Arc<Saboteur>) -> Self {
        Self { side, saboteur, under_way: Mutex::default() }
    }

    /// A write, as `PATCH deployments.apps`; none of what only asks.
    fn site(&self, request: &ObservedRequest<'_>) -> Option<String> {
        if request.method == "GET" || request.has("dryRun=All") || request.path.contains("accessreviews") {
            return None;
        }
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts[..] {
            ["api", _, ref rest @ ..] => ("", rest),
            ["apis", group, _, ref rest @ ..] => (group, rest),
            _ => return None,
        };
        let kind = match rest {
            ["namespaces", _, kind, ..] => kind,
            [kind, ..] => kind,
            [] => return None,
        };
        let dot = if group.is_empty() { "" } else { "." };
        Some(format!("{} {} {kind}{dot}{group}", self.side, request.method))
    }
}

#[async_trait]
impl RequestObserver for OnSide {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        let write = self.site(request).map(|site| self.saboteur.enter(&site));
        if let Some((number, _)) = &write {
            self.under_way.lock().unwrap().push((request.path.to_owned(), *number));
        }
        self.saboteur.before(write).await
    }

    async fn after(&self, request: &ObservedRequest<'_>, _: u16) -> Option<ApiFailure> {
        self.site(request)?;
        let number = {
            let mut under_way = self.under_way.lock().unwrap();
            let place = under_way.iter().position(|(path, _)| path == request.path);
            place.map(|place| under_way.swap_remove(place).1)
        };
        self.saboteur.after(number).await
    }
}
