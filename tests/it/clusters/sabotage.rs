//! Makes chosen calls go wrong: before they are sent, after their effect without an answer, and after the answer before it
//! is stored; as a fault, or as the end of the daemon.

use async_trait::async_trait;
use portolan::host::FolderStore;
use portolan::model::cloud::Call;
use portolan::ports::state::{ApplicationRecord, Approval, Asked, Pruned, UserRequest};
use portolan::ports::{
    CallObserver, CloudFailure, CloudFailureKind, ClusterRecord, StateFailure, StateStore, StateUpdate,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    DiesBefore,
    DiesAfterEffect,
    DiesAfterAnswer,
    FailsBefore,
    LosesAnswer,
    /// What follows from the answer cannot be stored.
    FailsToStore,
}

/// Every point; the first three are ends of the daemon.
pub const POINTS: [Point; 6] = [
    Point::DiesBefore,
    Point::DiesAfterEffect,
    Point::DiesAfterAnswer,
    Point::FailsBefore,
    Point::LosesAnswer,
    Point::FailsToStore,
];

/// Which calls go wrong.
#[derive(Clone, Debug, Default)]
pub struct Sabotage {
    /// The first call of each of these sites.
    pub sites: BTreeMap<String, Point>,
    /// Calls by their number in the life, reads included.
    pub numbers: BTreeMap<usize, Point>,
}

impl Sabotage {
    pub fn len(&self) -> usize {
        self.sites.len() + self.numbers.len()
    }
}

/// Carries it out, and writes down which calls there were.
#[derive(Default)]
pub struct Saboteur {
    plan: Mutex<Sabotage>,
    /// Calls under way that go wrong later.
    armed: Mutex<Vec<(Call, Point)>>,
    dead: AtomicBool,
    died: Notify,
    /// Whether the next write to the store fails.
    unwritable: AtomicBool,
    calls: Mutex<Vec<String>>,
}

/// Whether the call of a site changes something.
pub fn writes(site: &str) -> bool {
    let operation = site.split(':').nth(1).unwrap_or_default();
    !["Describe", "List", "Get"].iter().any(|read| operation.starts_with(read))
}

/// Operation and kind of resource: `ec2:CreateTags subnet`.
pub fn site(call: &Call) -> String {
    let name = call.to_string();
    let of_id = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
    let of_arn = |arn: &str| {
        let rest = arn.rsplit(':').next().unwrap_or_default();
        rest.split('/').next().unwrap_or_default().to_owned()
    };
    let kind = match call.operation.as_str() {
        "CreateTags" | "DeleteTags" => call.input["Resources"][0].as_str().map(of_id),
        "TagResource" | "UntagResource" => call.input["resourceArn"].as_str().map(of_arn),
        _ => None,
    };
    kind.map_or(name.clone(), |kind| format!("{name} {kind}"))
}

impl Saboteur {
    pub fn begin(&self, sabotage: Sabotage) {
        *self.plan.lock().unwrap() = sabotage;
        self.armed.lock().unwrap().clear();
        self.calls.lock().unwrap().clear();
        self.unwritable.store(false, Ordering::SeqCst);
        self.revive();
    }

    pub fn revive(&self) {
        self.dead.store(false, Ordering::SeqCst);
    }

    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// The sites of all calls, in order.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// How many of them changed something.
    pub fn writes(&self) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| writes(call)).count()
    }

    /// Waits for the end of who calls.
    pub async fn dies(&self) {
        loop {
            let news = self.died.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.is_dead() {
                return;
            }
            news.await;
        }
    }

    /// What was never reached.
    pub fn left(&self) -> Sabotage {
        self.plan.lock().unwrap().clone()
    }

    fn meets(&self, call: &Call) -> Option<Point> {
        let site = site(call);
        let mut calls = self.calls.lock().unwrap();
        let number = calls.len();
        calls.push(site.clone());
        let mut plan = self.plan.lock().unwrap();
        plan.sites.remove(&site).or_else(|| plan.numbers.remove(&number))
    }

    fn armed(&self, call: &Call, points: &[Point]) -> Option<Point> {
        let mut armed = self.armed.lock().unwrap();
        let at = armed.iter().position(|(other, point)| other == call && points.contains(point))?;
        Some(armed.remove(at).1)
    }

    fn end(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
    }

    async fn die(&self) -> ! {
        self.end();
        match std::future::pending::<Infallible>().await {}
    }
}

fn unanswered(call: &Call) -> CloudFailure {
    CloudFailure {
        kind: CloudFailureKind::Unanswered,
        code: "Sabotage".into(),
        message: "no answer".into(),
        call: call.to_string(),
        service: Some(call.service),
    }
}

#[async_trait]
impl CallObserver for Saboteur {
    async fn before(&self, call: &Call) -> Option<CloudFailure> {
        if self.is_dead() {
            self.die().await;
        }
        match self.meets(call) {
            Some(Point::DiesBefore) => self.die().await,
            Some(Point::FailsBefore) => Some(unanswered(call)),
            Some(later) => {
                self.armed.lock().unwrap().push((call.clone(), later));
                None
            }
            None => None,
        }
    }

    async fn after(&self, call: &Call, _failure: Option<&CloudFailure>) -> Option<CloudFailure> {
        match self.armed(call, &[Point::DiesAfterEffect, Point::LosesAnswer]) {
            Some(Point::DiesAfterEffect) => self.die().await,
            Some(_) => Some(unanswered(call)),
            None => None,
        }
    }

    async fn answered(&self, call: &Call, _failure: Option<&CloudFailure>) {
        match self.armed(call, &[Point::DiesAfterAnswer, Point::FailsToStore]) {
            Some(Point::DiesAfterAnswer) => self.end(),
            Some(_) => self.unwritable.store(true, Ordering::SeqCst),
            None => {}
        }
    }
}

/// A store that a saboteur reaches, too: who is dead writes nothing.
pub struct Store {
    pub folder: Arc<FolderStore>,
    pub saboteur: Arc<Saboteur>,
}

#[async_trait]
impl StateStore for Store {
    async fn load(&self) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure> {
        self.folder.load().await
    }

    async fn save(&self, update: &StateUpdate) -> Result<(), StateFailure> {
        self.folder.save(update).await
    }

    async fn approvals(&self) -> Result<Vec<Approval>, StateFailure> {
        self.folder.approvals().await
    }

    async fn use_up(&self, approval: &Approval) -> Result<(), StateFailure> {
        self.folder.use_up(approval).await
    }

    async fn ask(&self, request: &UserRequest) -> Result<String, StateFailure> {
        self.folder.ask(request).await
    }

    async fn requests(&self, sink: mpsc::Sender<Asked>) -> Result<(), StateFailure> {
        self.folder.requests(sink).await
    }

    async fn answer(&self, key: &str, answer: &str) -> Result<(), StateFailure> {
        self.folder.answer(key, answer).await
    }

    async fn await_answer(&self, key: &str, limit: Duration) -> Result<Option<String>, StateFailure> {
        self.folder.await_answer(key, limit).await
    }

    async fn keep(&self, pruned: &[Pruned]) -> Result<(), StateFailure> {
        self.folder.keep(pruned).await
    }

    async fn kept(&self) -> Result<Vec<(String, Pruned)>, StateFailure> {
        self.folder.kept().await
    }

    async fn clusters(&self) -> Result<BTreeMap<String, ClusterRecord>, StateFailure> {
        self.folder.clusters().await
    }

    async fn save_cluster(&self, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure> {
        if self.saboteur.is_dead() {
            self.saboteur.die().await;
        }
        if self.saboteur.unwritable.swap(false, Ordering::SeqCst) {
            return Err(StateFailure { message: "sabotage: nothing was written".into(), transient: true });
        }
        self.folder.save_cluster(name, record).await
    }
}
