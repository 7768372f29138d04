//! The daemon's memory without a disk. What is kept is text, as in every store.

use super::wire::{Trouble, Wire};
use async_trait::async_trait;
use portolan::ports::state::{ApplicationRecord, Approval, Asked, Pruned, UserRequest};
use portolan::ports::{ClusterRecord, MigrationRecord, StateFailure, StateStore, StateUpdate, Stored};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::mpsc;

#[derive(Default)]
pub struct MemoryStore {
    pub migrations: Mutex<BTreeMap<String, (String, u64)>>,
    pub approvals: Mutex<Vec<Approval>>,
    pub wire: Wire,
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

    async fn ask(&self, _request: &UserRequest) -> Result<String, StateFailure> {
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
        Ok(BTreeMap::new())
    }

    async fn save_cluster(&self, _: &str, _: Option<&ClusterRecord>) -> Result<(), StateFailure> {
        Ok(())
    }

    async fn migrations(&self) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
        let texts = self.migrations.lock().unwrap();
        let stored = |(text, version): &(String, u64)| Stored {
            value: serde_json::from_str(text).unwrap(),
            version: version.to_string(),
        };
        Ok(texts.iter().map(|(name, kept)| (name.clone(), stored(kept))).collect())
    }

    async fn save_migration(
        &self,
        name: &str,
        record: Option<&MigrationRecord>,
        expected: Option<&str>,
    ) -> Result<String, StateFailure> {
        let trouble = self.wire.write(format!("store {name}")).await;
        let failed = |message: &str| StateFailure { message: message.into(), transient: true };
        if trouble == Some(Trouble::Fails) {
            return Err(failed("the store does not answer"));
        }
        let version = {
            let mut texts = self.migrations.lock().unwrap();
            let found = texts.get(name).map(|(_, version)| version.to_string());
            if found.as_deref() != expected {
                return Err(failed("somebody else wrote it"));
            }
            let version = found.and_then(|version| version.parse::<u64>().ok()).unwrap_or_default() + 1;
            match record {
                Some(record) => {
                    texts.insert(name.into(), (serde_json::to_string(record).unwrap(), version));
                }
                None => drop(texts.remove(name)),
            }
            version
        };
        self.wire.written(trouble).await;
        if trouble == Some(Trouble::Unanswered) {
            return Err(failed("no answer"));
        }
        Ok(version.to_string())
    }
}
