//! A cluster by its name: how commands reach the engine, the daemon and its memory.

use crate::app::{self, Composed, Surroundings};
use crate::cli::{Context, output, run};
use crate::engine::clusters::AS_WRITTEN;
use crate::failure::{Failure, FailureKind};
use crate::ports::state::{Approval, UserRequest};
use crate::ports::{ClusterRecord, Sink, StateStore};
use std::sync::Arc;
use std::time::Duration;

/// How long the daemon may take to answer a request.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The engine as the daemon's file describes it, not started.
pub async fn compose(context: &Context, sink: Arc<dyn Sink>) -> Result<Composed, Failure> {
    let config = context.config()?;
    let surroundings =
        Surroundings { program: run::own_program()?, tool_folders: run::tool_folders(), observer: None };
    app::compose(&config, &surroundings, sink).await
}

/// A failure of looking at a cluster.
pub fn not_looked(words: String) -> Failure {
    // The engine tells these in words: each goes on through the places where a cluster may fail to be looked at.
    let kind =
        if words.starts_with("there is no Cluster document") || words.contains("has no `clusterConfig`") {
            FailureKind::User
        } else if words.starts_with(AS_WRITTEN) {
            FailureKind::Config
        } else {
            FailureKind::Environment
        };
    Failure::new(kind, words)
}

/// The daemon's memory.
pub async fn store(context: &Context) -> Result<Arc<dyn StateStore>, Failure> {
    app::state_store(&context.config()?, None).await
}

/// The record of a cluster.
pub async fn record(store: &dyn StateStore, name: &str) -> Result<Option<ClusterRecord>, Failure> {
    Ok(store.clusters().await?.remove(name))
}

/// Asks the daemon for something; its answer.
pub async fn ask(store: &dyn StateStore, request: &UserRequest) -> Result<String, Failure> {
    let key = store.ask(request).await?;
    store.await_answer(&key, ANSWER_LIMIT).await?.ok_or_else(|| {
        let words = format!("no daemon answered within {} s", ANSWER_LIMIT.as_secs());
        Failure::new(FailureKind::Environment, words)
            .hint("the request stays: a daemon that starts later carries it out")
            .hint("where no daemon runs, --here does the work in this process")
    })
}

/// Shows the daemon's answer: beside the result, where that is data.
pub fn say(context: &Context, answer: &str) {
    if context.is_structured() {
        output::note(answer);
    } else {
        output::line(answer);
    }
}

/// The approval of a cluster's plan.
pub fn approval(name: &str, digest: &str) -> Approval {
    Approval {
        application: String::new(),
        destination: name.into(),
        digest: digest.into(),
        by: std::env::var("USER").unwrap_or_default(),
    }
}
