//! The daemon's memory without a disk, for tests that start a hundred daemons. What is kept is text, as in every store.

use super::fake_cloud::FakeCloud;
use async_trait::async_trait;
use portolan::ports::state::{ApplicationRecord, Approval, Asked, Pruned, UserRequest};
use portolan::ports::{ClusterRecord, StateFailure, StateStore, StateUpdate};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;

pub struct MemoryStore {
    clusters: Mutex<BTreeMap<String, String>>,
    approvals: Mutex<Vec<Approval>>,
    /// Dies together with the process that calls it.
    lives_with: FakeCloud,
}

impl MemoryStore {
    pub fn new(lives_with: FakeCloud) -> Self {
        Self { clusters: Mutex::default(), approvals: Mutex::default(), lives_with }
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, _update: &StateUpdate) -> Result<(), StateFailure> {
        Ok(())
    }

    async fn approvals(&self) -> Result<Vec<Approval>, StateFailure> {
        Ok(self.approvals.lock().unwrap().clone())
    }

    async fn use_up(&self, approval: &Approval) -> Result<(), StateFailure> {
        self.approvals.lock().unwrap().retain(|kept| kept.digest != approval.digest);
        Ok(())
    }

    async fn ask(&self, request: &UserRequest) -> Result<String, StateFailure> {
        if let UserRequest::Approve(approval) = request {
            self.approvals.lock().unwrap().push(approval.clone());
        }
        Ok("1".into())
    }

    async fn requests(&self, _sink: mpsc::Sender<Asked>) -> Result<(), StateFailure> {
        Ok(())
    }

    async fn answer(&self, _key: &str, _answer: &str) -> Result<(), StateFailure> {
        Ok(())
    }

    async fn await_answer(&self, _key: &str, _limit: Duration) -> Result<Option<String>, StateFailure> {
        Ok(None)
    }

    async fn keep(&self, _pruned: &[Pruned]) -> Result<(), StateFailure> {
        Ok(())
    }

    async fn kept(&self) -> Result<Vec<(String, Pruned)>, StateFailure> {
        Ok(Vec::new())
    }

    async fn clusters(&self) -> Result<BTreeMap<String, ClusterRecord>, StateFailure> {
        let texts = self.clusters.lock().unwrap();
        Ok(texts.iter().map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap())).collect())
    }

    async fn save_cluster(&self, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure> {
        if self.lives_with.state().dead {
            std::future::pending::<()>().await;
        }
        let mut texts = self.clusters.lock().unwrap();
        match record {
            Some(record) => drop(texts.insert(name.to_owned(), serde_json::to_string(record).unwrap())),
            None => drop(texts.remove(name)),
        }
        Ok(())
    }
}
