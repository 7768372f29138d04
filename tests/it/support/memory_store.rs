//! The daemon's memory without a disk, for tests that start many daemons. What is kept is text, as in every store; what
//! befalls a write is the test's to say.

use async_trait::async_trait;
use portolan::ports::state::{ApplicationRecord, Approval, Asked, Pruned, UserRequest};
use portolan::ports::{ClusterRecord, MigrationRecord, StateFailure, StateStore, StateUpdate, Stored};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// A write that is not made yet: its effect, and the version that it gives.
pub type Write<'a> = dyn FnMut() -> Result<String, StateFailure> + Send + 'a;

/// What befalls writes.
#[async_trait]
pub trait Fate: Send + Sync {
    /// Carries out a write, fails, or never answers. `what` is the name of the record.
    async fn write(&self, what: &str, write: &mut Write<'_>) -> Result<String, StateFailure>;
}

/// Every write is made.
struct Undisturbed;

#[async_trait]
impl Fate for Undisturbed {
    async fn write(&self, _what: &str, write: &mut Write<'_>) -> Result<String, StateFailure> {
        write()
    }
}

/// Records by name: their text, and how often it was written.
pub type Texts = BTreeMap<String, (String, u64)>;

pub struct MemoryStore {
    clusters: Mutex<Texts>,
    pub migrations: Mutex<Texts>,
    pub approvals: Mutex<Vec<Approval>>,
    fate: Arc<dyn Fate>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::under(Arc::new(Undisturbed))
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn under(fate: Arc<dyn Fate>) -> Self {
        Self { clusters: Mutex::default(), migrations: Mutex::default(), approvals: Mutex::default(), fate }
    }

    /// What this one holds now, under another fate.
    pub fn fork(&self, fate: Arc<dyn Fate>) -> Self {
        let fork = Self::under(fate);
        fork.clusters.lock().unwrap().clone_from(&self.clusters.lock().unwrap());
        fork.migrations.lock().unwrap().clone_from(&self.migrations.lock().unwrap());
        fork.approvals.lock().unwrap().clone_from(&self.approvals.lock().unwrap());
        fork
    }
}

fn read<T: DeserializeOwned>(texts: &Mutex<Texts>) -> BTreeMap<String, Stored<T>> {
    let stored = |(text, version): &(String, u64)| Stored {
        value: serde_json::from_str(text).unwrap(),
        version: version.to_string(),
    };
    texts.lock().unwrap().iter().map(|(name, kept)| (name.clone(), stored(kept))).collect()
}

/// Writes or removes a record; `expected` is the version that it has to have, where that matters.
fn put<T: Serialize>(
    texts: &Mutex<Texts>,
    name: &str,
    record: Option<&T>,
    expected: Option<Option<&str>>,
) -> Result<String, StateFailure> {
    let mut texts = texts.lock().unwrap();
    let found = texts.get(name).map(|(_, version)| version.to_string());
    if expected.is_some_and(|expected| expected != found.as_deref()) {
        return Err(StateFailure { message: "somebody else wrote it".into(), transient: true });
    }
    let version = found.and_then(|version| version.parse::<u64>().ok()).unwrap_or_default() + 1;
    match record {
        Some(record) => {
            drop(texts.insert(name.to_owned(), (serde_json::to_string(record).unwrap(), version)));
        }
        None => drop(texts.remove(name)),
    }
    Ok(version.to_string())
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
        Ok(read(&self.clusters).into_iter().map(|(name, stored)| (name, stored.value)).collect())
    }

    async fn save_cluster(&self, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure> {
        self.fate.write(name, &mut || put(&self.clusters, name, record, None)).await.map(drop)
    }

    async fn migrations(&self) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
        Ok(read(&self.migrations))
    }

    async fn save_migration(
        &self,
        name: &str,
        record: Option<&MigrationRecord>,
        expected: Option<&str>,
    ) -> Result<String, StateFailure> {
        self.fate.write(name, &mut || put(&self.migrations, name, record, Some(expected))).await
    }
}
