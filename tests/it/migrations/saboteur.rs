//! What goes wrong on the wires of two real API servers and of AWS: a request is lost, or the daemon dies at it.

use super::scene::Told;
use async_trait::async_trait;
use portolan::model::cloud::Call;
use portolan::model::event::{Event, What};
use portolan::ports::{
    ApiFailure, ApiFailureKind, Cloud, CloudFailure, CloudFailureKind, KubernetesToken, ObservedRequest,
    RequestObserver,
};
use serde_json::Value;
use std::collections::BTreeMap;
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

/// A trouble that is to come once.
pub type Due = (At, Trouble);

#[derive(Default)]
struct State {
    /// What has not come yet.
    due: Vec<Due>,
    /// What comes after the effect of a write that is under way, by its number.
    after: BTreeMap<usize, Trouble>,
    /// How many came.
    fired: usize,
    /// The answer of the request in question was taken: the daemon dies at whatever it does next.
    armed: bool,
    dead: bool,
    writes: usize,
    /// Sites in the order of their first write, with the number of writes.
    sites: Vec<String>,
}

/// Sees all requests of a daemon to both sides and to AWS.
pub struct Saboteur {
    told: Arc<Told>,
    state: Mutex<State>,
    died: Notify,
}

impl Saboteur {
    pub fn new(told: Arc<Told>, due: Vec<Due>) -> Arc<Self> {
        let state = State { due, ..State::default() };
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

    /// What is due and did not come.
    pub fn left(&self) -> Vec<Due> {
        self.state().due.clone()
    }

    /// How many troubles came.
    pub fn fired(&self) -> usize {
        self.state().fired
    }

    /// A new daemon starts.
    pub fn revive(&self) {
        let mut state = self.state();
        (state.dead, state.armed) = (false, false);
        state.after.clear();
    }

    /// Resolves when the daemon is to be ended.
    pub async fn death(&self) {
        loop {
            let died = self.died.notified();
            tokio::pin!(died);
            died.as_mut().enable();
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

    /// Before a request; `None` for one that only asks. Whether it is to fail.
    async fn before(&self, write: Option<(usize, String)>) -> bool {
        let (ends, fails) = {
            let mut state = self.state();
            let mut ends = state.dead || state.armed;
            let mut fails = false;
            let here = |(at, _): &Due| match (at, &write) {
                (At::Site(wanted), Some((_, site))) => wanted == site,
                (At::Number(wanted), Some((number, _))) => wanted == number,
                _ => false,
            };
            if let Some(place) = state.due.iter().position(here).filter(|_| !ends) {
                let (_, trouble) = state.due.remove(place);
                match trouble {
                    Trouble::Kill(Moment::Before) => ends = true,
                    Trouble::Fault(Moment::Before) => fails = true,
                    trouble => {
                        let number = write.map(|(number, _)| number).unwrap_or_default();
                        state.after.insert(number, trouble);
                    }
                }
                state.fired += usize::from(ends || fails);
            }
            (ends, fails)
        };
        if ends {
            self.die().await;
        }
        fails
    }

    /// After its effect. Whether its answer is to be lost.
    async fn after(&self, number: Option<usize>) -> bool {
        let (ends, fails) = {
            let mut state = self.state();
            let trouble = number.and_then(|number| state.after.remove(&number));
            state.fired += usize::from(trouble.is_some());
            match trouble {
                Some(Trouble::Kill(Moment::Unanswered)) => (true, false),
                Some(Trouble::Fault(_)) => (false, true),
                Some(_) => {
                    state.armed = true;
                    (false, false)
                }
                None => (state.dead, false),
            }
        };
        if ends {
            self.die().await;
        }
        fails
    }
}

fn lost() -> ApiFailure {
    ApiFailure::new(ApiFailureKind::Unreachable, "a fault of the test".to_owned())
}

/// The saboteur on the wire to AWS.
pub struct OnAccount {
    pub account: Arc<dyn Cloud>,
    pub saboteur: Arc<Saboteur>,
}

#[async_trait]
impl Cloud for OnAccount {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        crate::deploy_aws::may_call(crate::deploy_aws::MIGRATING, call);
        let reads = ["Describe", "List", "Get", "Lookup", "Simulate"];
        let only_asks = reads.iter().any(|word| call.operation.starts_with(word));
        let write = (!only_asks).then(|| self.saboteur.enter(&format!("aws {call}")));
        let number = write.as_ref().map(|(number, _)| *number);
        let lost = |kind: CloudFailureKind| CloudFailure {
            kind,
            code: String::new(),
            message: "a fault of the test".into(),
            call: call.to_string(),
            service: Some(call.service),
        };
        if self.saboteur.before(write).await {
            return Err(lost(CloudFailureKind::Unavailable));
        }
        let answer = self.account.call(call).await;
        if number.is_some() && self.saboteur.after(number).await {
            return Err(lost(CloudFailureKind::Unanswered));
        }
        answer
    }

    async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        self.account.kubernetes_token(cluster).await
    }

    fn region(&self) -> &str {
        self.account.region()
    }

    fn partition(&self) -> &str {
        self.account.partition()
    }
}

/// A request to a side, as `source PATCH deployments.apps`; none for what is no object's.
pub fn site_of(side: &str, method: &str, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
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
    let journal = if path.contains("portolan-migration-") { " of the journal" } else { "" };
    Some(format!("{side} {method} {kind}{dot}{group}{journal}"))
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
        site_of(self.side, request.method, request.path)
    }
}

#[async_trait]
impl RequestObserver for OnSide {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        let write = self.site(request).map(|site| self.saboteur.enter(&site));
        if let Some((number, _)) = &write {
            self.under_way.lock().unwrap().push((request.path.to_owned(), *number));
        }
        self.saboteur.before(write).await.then(lost)
    }

    async fn after(&self, request: &ObservedRequest<'_>, _: u16) -> Option<ApiFailure> {
        self.site(request)?;
        let number = {
            let mut under_way = self.under_way.lock().unwrap();
            let place = under_way.iter().position(|(path, _)| path == request.path);
            place.map(|place| under_way.swap_remove(place).1)
        };
        self.saboteur.after(number).await.then(lost)
    }
}
