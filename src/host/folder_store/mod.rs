//! [`FolderStore`]: the daemon's memory as files of one folder, for a daemon that runs outside of a cluster.
//!
//! ```text
//! records/0.json … f.json     application records, by hash of their key
//! requests/ID.json            what people ask for, until it is answered
//! approvals/ID.json           approvals, until their plan was executed
//! answers/ID.txt              answers, for ten minutes
//! pruned/….json               pruned manifests
//! clusters/NAME.json          records of clusters
//! migrations/NAME.json        records of migrations
//! ```
//! The folder belongs to the daemon's user alone (mode 0700, files 0600), for pruned Secrets are in it; whoever may
//! act as that user may ask. Every file is replaced by a rename, so that no reader sees half of one.

mod clusters;
mod files;
mod migrations;
mod pruned;
mod requests;

use crate::ports::{
    ApplicationRecord, Approval, Asked, ClusterRecord, MigrationRecord, Pruned, StateFailure, StateStore,
    StateUpdate, Stored, UserRequest,
};
use async_trait::async_trait;
use files::Folder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

const RECORDS: &str = "records";

/// The daemon's memory in a folder.
#[derive(Debug)]
pub struct FolderStore {
    folder: Arc<Folder>,
    /// Records are read, changed and written back: one at a time.
    writing: Mutex<()>,
}

impl FolderStore {
    /// Opens the folder, making it where it is missing, and closes it to other users.
    ///
    /// # Errors
    /// When it cannot be made, or belongs to somebody else.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StateFailure> {
        let folder = Folder::open(
            root.into(),
            &[
                RECORDS,
                requests::REQUESTS,
                requests::APPROVALS,
                requests::ANSWERS,
                pruned::PRUNED,
                clusters::CLUSTERS,
                migrations::MIGRATIONS,
            ],
        )?;
        Ok(Self { folder: Arc::new(folder), writing: Mutex::new(()) })
    }

    /// Runs file work where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Folder) -> Result<T, StateFailure> + Send + 'static,
    ) -> Result<T, StateFailure> {
        files::blocking(&self.folder, work).await
    }
}

#[async_trait]
impl StateStore for FolderStore {
    async fn load(&self) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure> {
        self.blocking(load).await
    }

    async fn save(&self, update: &StateUpdate) -> Result<(), StateFailure> {
        let _one_at_a_time = self.writing.lock().await;
        let update = update.clone();
        self.blocking(move |folder| save(folder, &update)).await
    }

    async fn approvals(&self) -> Result<Vec<Approval>, StateFailure> {
        self.blocking(|folder| {
            Ok(requests::approvals(folder)?.into_iter().map(|(_, approval)| approval).collect())
        })
        .await
    }

    async fn use_up(&self, approval: &Approval) -> Result<(), StateFailure> {
        let spent = approval.clone();
        self.blocking(move |folder| requests::use_up(folder, &spent)).await
    }

    async fn ask(&self, request: &UserRequest) -> Result<String, StateFailure> {
        let request = request.clone();
        self.blocking(move |folder| requests::ask(folder, &request)).await
    }

    async fn requests(&self, sink: mpsc::Sender<Asked>) -> Result<(), StateFailure> {
        requests::deliver(&self.folder, &sink).await
    }

    async fn answer(&self, key: &str, answer: &str) -> Result<(), StateFailure> {
        let (key, answer) = (key.to_owned(), answer.to_owned());
        self.blocking(move |folder| requests::answer(folder, &key, &answer)).await
    }

    async fn await_answer(&self, key: &str, limit: Duration) -> Result<Option<String>, StateFailure> {
        requests::await_answer(&self.folder, key, limit).await
    }

    async fn keep(&self, pruned: &[Pruned]) -> Result<(), StateFailure> {
        let pruned = pruned.to_vec();
        self.blocking(move |folder| pruned::keep(folder, &pruned)).await
    }

    async fn kept(&self) -> Result<Vec<(String, Pruned)>, StateFailure> {
        self.blocking(pruned::kept).await
    }

    async fn clusters(&self) -> Result<BTreeMap<String, ClusterRecord>, StateFailure> {
        self.blocking(clusters::load).await
    }

    async fn save_cluster(&self, name: &str, record: Option<&ClusterRecord>) -> Result<(), StateFailure> {
        let (name, record) = (name.to_owned(), record.cloned());
        self.blocking(move |folder| clusters::save(folder, &name, record.as_ref())).await
    }

    async fn migrations(&self) -> Result<BTreeMap<String, Stored<MigrationRecord>>, StateFailure> {
        self.blocking(migrations::load).await
    }

    async fn save_migration(
        &self,
        name: &str,
        record: Option<&MigrationRecord>,
        expected: Option<&str>,
    ) -> Result<String, StateFailure> {
        let _one_at_a_time = self.writing.lock().await;
        let (name, record, expected) = (name.to_owned(), record.cloned(), expected.map(String::from));
        self.blocking(move |folder| migrations::save(folder, &name, record.as_ref(), expected.as_deref()))
            .await
    }
}

fn load(folder: &Folder) -> Result<BTreeMap<String, ApplicationRecord>, StateFailure> {
    let mut records = BTreeMap::new();
    for name in folder.names(RECORDS)? {
        for (key, record) in shard(folder, &name)? {
            match serde_json::from_value(record) {
                Ok(record) => drop(records.insert(key, record)),
                // A record tells what was done; without it the next pass finds out anew.
                Err(error) => tracing::warn!(key, %error, "a record cannot be read and is left out"),
            }
        }
    }
    Ok(records)
}

fn save(folder: &Folder, update: &StateUpdate) -> Result<(), StateFailure> {
    let mut shards: BTreeMap<String, Vec<(&String, &Option<ApplicationRecord>)>> = BTreeMap::new();
    for (key, record) in &update.records {
        let name = format!("{:x}.json", Sha256::digest(key)[0] >> 4);
        shards.entry(name).or_default().push((key, record));
    }
    for (name, changes) in shards {
        let before = shard(folder, &name)?;
        let mut after = before.clone();
        for (key, record) in changes {
            match record {
                Some(record) => {
                    let record =
                        serde_json::to_value(record).map_err(|error| files::broken(&name, &error))?;
                    after.insert(key.clone(), record);
                }
                None => drop(after.remove(key)),
            }
        }
        if after != before {
            let text = serde_json::to_vec(&after).map_err(|error| files::broken(&name, &error))?;
            folder.write(RECORDS, &name, &text)?;
        }
    }
    Ok(())
}

fn shard(folder: &Folder, name: &str) -> Result<BTreeMap<String, Value>, StateFailure> {
    let Some(text) = folder.read(RECORDS, name)? else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_slice(&text).map_err(|error| files::broken(&format!("{RECORDS}/{name}"), &error))
}
