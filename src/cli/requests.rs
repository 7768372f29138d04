//! `portolan sync`, `approve` and `restore`: requests that go through the daemon's state, so that whoever may write
//! there, and nobody else, may ask.

use super::{Context, output};
use crate::app;
use crate::failure::{Failure, FailureKind};
use crate::ports::StateStore;
use crate::ports::state::{ApplicationRecord, Approval, UserRequest};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// Asks the daemon to fetch and apply now.
///
/// Drift is mended as well, also where the policy is to report it.
///
/// Examples:
///   portolan sync
///   portolan sync shop
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Sync {
    /// Application; all of them when absent.
    application: Option<String>,
    /// How long to wait for the daemon's answer, in seconds.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
}

/// Approves a plan that waits.
///
/// Example:
///   portolan approve shop 3f1c…      # the digest that `portolan status` shows
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Approve {
    /// Application, cluster or migration.
    application: String,
    /// Digest of the plan. When absent, what waits is shown and nothing is approved.
    digest: Option<String>,
    /// Destination, where the application is on several.
    #[arg(long)]
    destination: Option<String>,
    /// How long to wait for the daemon's answer, in seconds.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
}

/// Lists pruned objects, or puts one back.
///
/// A restored object belongs to nobody: declare it in the repository again to have it kept.
///
/// Examples:
///   portolan restore
///   portolan restore 1f0c2a
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Restore {
    /// Key of the pruned object; without it they are listed.
    key: Option<String>,
    /// How long to wait for the daemon's answer, in seconds.
    #[arg(long, default_value_t = 30)]
    timeout: u64,
}

impl Sync {
    pub(super) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let store = app::state_store(&context.config()?, None).await?;
        let request = UserRequest::Sync { application: self.application.clone() };
        ask(store.as_ref(), &request, self.timeout, context).await
    }
}

impl Approve {
    pub(super) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let store = app::state_store(&context.config()?, None).await?;
        let records = store.load().await?;
        if let Some(approval) = self.of_cluster(store.as_ref(), &records).await? {
            return ask(store.as_ref(), &UserRequest::Approve(approval), self.timeout, context).await;
        }
        let waiting: Vec<_> = records
            .values()
            .filter(|record| record.name == self.application)
            .filter(|record| self.destination.as_ref().is_none_or(|wanted| *wanted == record.destination))
            .filter_map(|record| record.waiting.as_ref().map(|waiting| (record, waiting)))
            .collect();
        let (record, waiting) = match waiting.as_slice() {
            [one] => *one,
            [] => {
                let words = format!("no plan of {} waits for an approval", self.application);
                return Err(
                    Failure::new(FailureKind::User, words).hint("`portolan status` shows where it stands")
                );
            }
            _ => {
                let words = format!("plans of {} wait on several destinations", self.application);
                return Err(Failure::new(FailureKind::User, words).hint("name one with --destination"));
            }
        };
        let Some(digest) = &self.digest else {
            output::line(&format!("{} on {} waits: {}", record.name, record.destination, waiting.reason));
            for object in &waiting.objects {
                output::line(&format!("  {object}"));
            }
            output::line(&format!("approve with: portolan approve {} {}", record.name, waiting.digest));
            return Ok(ExitCode::SUCCESS);
        };
        if *digest != waiting.digest {
            let words = format!("the plan that waits has digest {}, not {digest}", waiting.digest);
            return Err(Failure::new(FailureKind::User, words)
                .hint(format!("look at it with `portolan approve {}` first", self.application)));
        }
        let approval = Approval {
            application: record.name.clone(),
            destination: record.destination.clone(),
            digest: digest.clone(),
            by: std::env::var("USER").unwrap_or_default(),
        };
        ask(store.as_ref(), &UserRequest::Approve(approval), self.timeout, context).await
    }
}

impl Approve {
    /// The approval of the plan of a cluster or a migration, where one of this name waits with this digest and no
    /// application does.
    async fn of_cluster(
        &self,
        store: &dyn StateStore,
        records: &BTreeMap<String, ApplicationRecord>,
    ) -> Result<Option<Approval>, Failure> {
        let Some(digest) = &self.digest else { return Ok(None) };
        let application = |record: &ApplicationRecord| {
            record.waiting.as_ref().is_some_and(|waiting| waiting.digest == *digest)
        };
        if records.values().any(|record| record.name == self.application && application(record)) {
            return Ok(None);
        }
        let clusters = store.clusters().await?;
        let migrations = store.migrations().await?;
        let of_cluster = clusters.get(&self.application).and_then(|record| record.waiting.as_ref());
        let of_migration = migrations.get(&self.application).and_then(|stored| stored.value.waiting.as_ref());
        let waiting =
            [of_cluster, of_migration].into_iter().flatten().find(|waiting| waiting.digest == *digest);
        Ok(waiting.map(|waiting| Approval {
            application: String::new(),
            destination: self.application.clone(),
            digest: waiting.digest.clone(),
            by: std::env::var("USER").unwrap_or_default(),
        }))
    }
}

impl Restore {
    pub(super) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let store = app::state_store(&context.config()?, None).await?;
        let kept = store.kept().await?;
        let Some(key) = &self.key else {
            let rows: Vec<Vec<String>> = kept
                .iter()
                .map(|(key, p)| {
                    vec![
                        key.clone(),
                        p.destination.clone(),
                        p.application.clone(),
                        p.id.to_string(),
                        p.at.clone(),
                    ]
                })
                .collect();
            for line in output::table(&["KEY", "DESTINATION", "APPLICATION", "OBJECT", "PRUNED AT"], &rows) {
                output::line(&line);
            }
            return Ok(ExitCode::SUCCESS);
        };
        let Some((key, pruned)) = kept.into_iter().find(|(k, _)| k == key) else {
            return Err(Failure::new(FailureKind::User, format!("nothing is kept under {key}"))
                .hint("`portolan restore` lists what is"));
        };
        let request = UserRequest::Restore { destination: pruned.destination, key };
        ask(store.as_ref(), &request, self.timeout, context).await
    }
}

async fn ask(
    store: &dyn StateStore,
    request: &UserRequest,
    seconds: u64,
    context: &Context,
) -> Result<ExitCode, Failure> {
    let key = store.ask(request).await?;
    match store.await_answer(&key, Duration::from_secs(seconds)).await? {
        Some(answer) if context.is_structured() => {
            output::value(context.output, &serde_json::json!({"answer": answer}))?
        }
        Some(answer) => output::line(&answer),
        None => {
            return Err(Failure::new(
                FailureKind::Environment,
                format!("the daemon did not answer within {seconds} s"),
            )
            .hint("the request stays: a daemon that starts later carries it out"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
