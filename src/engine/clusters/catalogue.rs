//! AWS's catalogues, kept for an hour: which versions of an add-on there are is the same for everybody, and changes with
//! AWS's releases only. A pass that asked every time would ask once for each add-on.

use crate::model::cloud::Call;
use crate::ports::{Clock, Cloud, CloudFailure, KubernetesToken};
use crate::provision::eks::addon::is_catalogue;
use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long an answer is good for.
const KEPT: Duration = Duration::from_secs(3600);

/// An account whose catalogues are asked for once an hour.
pub struct WithCatalogue {
    cloud: Arc<dyn Cloud>,
    clock: Arc<dyn Clock>,
    answers: Mutex<BTreeMap<String, (Timestamp, Value)>>,
}

impl WithCatalogue {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new(cloud: Arc<dyn Cloud>, clock: Arc<dyn Clock>) -> Self {
        Self { cloud, clock, answers: Mutex::default() }
    }

    fn known(&self, question: &str) -> Option<Value> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        answers.retain(|_, (asked, _)| {
            Duration::try_from(now.duration_since(*asked)).is_ok_and(|age| age < KEPT)
        });
        answers.get(question).map(|(_, answer)| answer.clone())
    }
}

#[async_trait]
impl Cloud for WithCatalogue {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        if !is_catalogue(call) {
            return self.cloud.call(call).await;
        }
        let question = format!("{call} {}", call.input);
        if let Some(answer) = self.known(&question) {
            return Ok(answer);
        }
        let answer = self.cloud.call(call).await?;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(question, (self.clock.now(), answer.clone()));
        Ok(answer)
    }

    async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        self.cloud.kubernetes_token(cluster).await
    }

    fn region(&self) -> &str {
        self.cloud.region()
    }

    fn partition(&self) -> &str {
        self.cloud.partition()
    }
}
