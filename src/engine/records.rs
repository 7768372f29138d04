//! What is remembered: records of applications, written together and only when they changed.

use super::destination::lock;
use super::unit::Unit;
use crate::model::event::{Event, Subject, What};
use crate::ports::state::ApplicationRecord;
use crate::ports::{Sink, StateFailure, StateStore, StateUpdate};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// How long changes are gathered before they are written together.
const GATHER: Duration = Duration::from_millis(500);
/// Wait after a write that failed.
const RETRY: Duration = Duration::from_secs(5);

/// The records to write, and the store they go to.
pub(crate) struct Records {
    pub store: Arc<dyn StateStore>,
    sink: Arc<dyn Sink>,
    dirty: Arc<Mutex<BTreeMap<String, Option<ApplicationRecord>>>>,
    wake: Notify,
    /// One write at a time, so that an older record never overwrites a newer one.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Records {
    /// Nothing to write yet.
    pub fn new(store: Arc<dyn StateStore>, sink: Arc<dyn Sink>) -> Self {
        Self { store, sink, dirty: Arc::default(), wake: Notify::new(), writing: Arc::default() }
    }

    /// Notes a record to be written soon.
    pub fn put(&self, key: String, record: ApplicationRecord) {
        lock(&self.dirty).insert(key, Some(record));
        self.wake.notify_one();
    }

    /// Notes a record to be removed soon.
    pub fn remove(&self, key: String) {
        lock(&self.dirty).insert(key, None);
        self.wake.notify_one();
    }

    /// Writes a unit's record and returns when it is stored.
    pub async fn save_now(&self, unit: &Arc<Unit>) -> Result<(), StateFailure> {
        super::status::refresh(unit, self);
        {
            let record = lock(&unit.record);
            lock(&self.dirty).insert(unit.key(), Some(record.clone()));
        }
        self.flush().await
    }

    /// Writes what is noted.
    pub async fn flush(&self) -> Result<(), StateFailure> {
        let turn = self.writing.clone().lock_owned().await;
        let records = std::mem::take(&mut *lock(&self.dirty));
        if records.is_empty() {
            return Ok(());
        }
        let (store, dirty) = (self.store.clone(), self.dirty.clone());
        // A task of its own: whoever waits for it may be ended, and what it has taken to be written must not be lost then.
        let writing = tokio::spawn(async move {
            let _turn = turn;
            let update = StateUpdate { records };
            let result = store.save(&update).await;
            if result.is_err() {
                let mut dirty = lock(&dirty);
                for (key, record) in update.records {
                    dirty.entry(key).or_insert(record);
                }
            }
            result
        });
        writing.await.unwrap_or_else(|error| {
            let message = format!("the write ended abnormally: {error}");
            Err(StateFailure { message, transient: true })
        })
    }

    /// Writes in the background, for as long as the daemon runs.
    pub async fn keep_writing(self: Arc<Self>) {
        let mut told = false;
        loop {
            self.wake.notified().await;
            tokio::time::sleep(GATHER).await;
            while let Err(failure) = self.flush().await {
                if !told {
                    told = true;
                    let message = format!("the state cannot be stored: {failure}");
                    self.sink.take(&Event {
                        subject: Subject::default(),
                        what: What::DestinationFailed { message },
                    });
                }
                tokio::time::sleep(RETRY).await;
            }
            told = false;
        }
    }
}
