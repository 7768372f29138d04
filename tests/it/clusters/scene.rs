//! A daemon's part for one cluster, that can die and be started again.

use super::api_server::FakeApi;
use super::fake_cloud::FakeCloud;
use super::fake_kinds::FakeBlueprint;
use crate::support::memory_store::MemoryStore;
use portolan::engine::clusters::pass::{PassEnd, pass};
use portolan::engine::clusters::{Context, Destinations, Kept, Pace, Policy, Wanted};
use portolan::host::SystemClock;
use portolan::model::application::{Adopt, DriftPolicy};
use portolan::model::event::{Event, What};
use portolan::ports::state::{Approval, UserRequest};
use portolan::ports::{Clock, CloudAccess, Cluster, ClusterRecord, Sink, StateStore};
use portolan::provision::gates::ApiUse;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Events and what destinations were told, in order.
#[derive(Default)]
pub struct Told {
    pub events: Mutex<Vec<What>>,
    pub destinations: Mutex<Vec<String>>,
    /// The cluster's API server, where there is one.
    pub api: Option<Arc<FakeApi>>,
}

impl Sink for Told {
    fn take(&self, event: &Event) {
        assert_eq!(event.subject.destination, "shop");
        self.events.lock().unwrap().push(event.what.clone());
    }
}

#[async_trait::async_trait]
impl Destinations for Told {
    async fn connected(&self, _name: &str) -> Result<Arc<dyn Cluster>, String> {
        let api = self.api.clone().ok_or("there is no API server here")?;
        Ok(api)
    }

    fn declared_apis(&self, _name: &str) -> Vec<ApiUse> {
        Vec::new()
    }

    fn ready(&self, name: &str) {
        let mut told = self.destinations.lock().unwrap();
        let news = format!("ready {name}");
        if told.last() != Some(&news) {
            told.push(news);
        }
    }

    fn gone(&self, name: &str) {
        self.destinations.lock().unwrap().push(format!("gone {name}"));
    }
}

/// Everything around one cluster.
pub struct Scene {
    pub cloud: FakeCloud,
    pub told: Arc<Told>,
    pub store: Arc<MemoryStore>,
    pub policy: Policy,
    pub settle: Duration,
    pub clock: Arc<dyn Clock>,
}

impl Scene {
    pub fn new() -> Self {
        let cloud = FakeCloud::default();
        Self {
            told: Arc::default(),
            store: Arc::new(MemoryStore::under(Arc::new(cloud.clone()))),
            cloud,
            policy: Policy {
                drift: DriftPolicy::Correct,
                adopt: Adopt::IfUnowned,
                suspended: None,
                schedule: None,
            },
            settle: Duration::ZERO,
            clock: Arc::new(SystemClock),
        }
    }

    /// Clusters and node groups take some looks.
    pub fn slow() -> Self {
        let scene = Self::new();
        scene.cloud.state().slowness.extend([("Cluster".to_owned(), 3), ("Nodegroup".to_owned(), 2)]);
        scene
    }

    /// A daemon that starts now.
    pub async fn start(&self, blueprint: &FakeBlueprint) -> Arc<Kept> {
        let kept = self.start_without().await;
        kept.supersede(self.wanted(blueprint, "1"));
        kept
    }

    /// A daemon that starts now, and has read no document.
    pub async fn start_without(&self) -> Arc<Kept> {
        self.cloud.state().dead = false;
        let context = Context {
            clouds: Arc::new(self.cloud.clone()),
            store: self.store.clone(),
            sink: self.told.clone(),
            clock: self.clock.clone(),
            pace: Pace {
                first: Duration::from_millis(1),
                longest: Duration::from_millis(4),
                backoff: (Duration::from_millis(1), Duration::from_millis(4)),
                settle: self.settle,
                at_once: 4,
            },
            read_only: false,
            salt: [7; 32],
            destinations: self.told.clone(),
        };
        let remembered = self.record().await;
        Kept::new("shop", Arc::new(context), remembered.as_ref())
    }

    pub fn wanted(&self, blueprint: &FakeBlueprint, revision: &str) -> Wanted {
        Wanted {
            access: CloudAccess { region: "eu-central-1".into(), role_arn: None },
            cluster: "shop".into(),
            blueprint: Arc::new(blueprint.clone()),
            digest: format!("{:?}", blueprint.resources),
            policy: self.policy.clone(),
            revision: revision.into(),
            source: "main cluster.yaml".into(),
            declared_in: "main".into(),
            removed: false,
        }
    }

    pub fn removed(&self, blueprint: &FakeBlueprint) -> Wanted {
        Wanted { removed: true, ..self.wanted(blueprint, "2") }
    }

    /// What is stored.
    pub async fn record(&self) -> Option<ClusterRecord> {
        self.store.clusters().await.unwrap().remove("shop")
    }

    /// Approves as `portolan approve` does.
    pub async fn approve(&self, digest: &str) {
        let approval = Approval {
            application: String::new(),
            destination: "shop".into(),
            digest: digest.into(),
            by: "test".into(),
        };
        let key = self.store.ask(&UserRequest::Approve(approval)).await.unwrap();
        self.store.answer(&key, "approved").await.unwrap();
    }

    pub fn events(&self) -> Vec<What> {
        self.told.events.lock().unwrap().clone()
    }
}

/// As [`settle`], with a number of passes.
pub async fn settle_within(kept: &Arc<Kept>, passes: usize) -> Option<PassEnd> {
    for _ in 0..passes {
        match pass(kept).await {
            end @ (PassEnd::Done | PassEnd::Finished) => return Some(end),
            PassEnd::Waits(Some(pause)) => tokio::time::sleep(pause.min(Duration::from_millis(20))).await,
            _ => tokio::task::yield_now().await,
        }
    }
    None
}

/// Passes until nothing is left to do, or a person has to.
pub async fn settle(kept: &Arc<Kept>) -> PassEnd {
    if let Some(end) = settle_within(kept, 300).await {
        return end;
    }
    let record = kept.record();
    panic!("no end after 300 passes: {}\n{:#?}\n{:#?}", record.message, record.under_way, record.problems);
}
