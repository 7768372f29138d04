//! `portolan cluster apply`.

use super::{named, status};
use crate::cli::{Context, output};
use crate::engine::clusters::progress::spoken;
use crate::engine::clusters::{Kept, PassEnd, keep_by_hand};
use crate::failure::{Failure, FailureKind};
use crate::model::SyncStatus;
use crate::model::event::{Event, What};
use crate::ports::state::UserRequest;
use crate::ports::{ClusterRecord, Sink, StateStore};
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Pause between two looks at the daemon's record.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks in a row at a cluster that is in place before it is believed: the daemon has to fetch first.
const CALM: u32 = 5;

/// Has a cluster made as declared now, and shows how far it is.
///
/// The daemon does it; --here does it in this process, where no daemon runs. What is dangerous waits for an approval of
/// exactly what is shown.
///
/// Exit codes: 0 it is in place, or gone; 5 it waits for a person; 4 AWS refused something or did not answer.
///
/// Examples:
///   portolan cluster apply shop
///   portolan cluster apply shop --approve 3f1c…
///   portolan cluster apply shop --here
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Apply {
    /// Name of the `Cluster` document.
    name: String,
    /// Approve the plan of this digest.
    #[arg(long)]
    approve: Option<String>,
    /// Do it in this process. Only where no daemon keeps the cluster: two would make things twice.
    #[arg(long)]
    here: bool,
    /// Do not wait for the end.
    #[arg(long, conflicts_with = "here")]
    no_wait: bool,
}

impl Apply {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        if self.here {
            return here(context, &self.name, self.approve.as_deref(), false).await;
        }
        let store = named::store(context).await?;
        if let Some(digest) = &self.approve {
            let answer =
                named::ask(store.as_ref(), &UserRequest::Approve(named::approval(&self.name, digest)))
                    .await?;
            named::say(context, &answer);
        }
        let answer =
            named::ask(store.as_ref(), &UserRequest::Sync { application: Some(self.name.clone()) }).await?;
        named::say(context, &answer);
        if self.no_wait {
            return Ok(ExitCode::SUCCESS);
        }
        follow(context, store.as_ref(), &self.name).await
    }
}

/// Follows the daemon's record until the cluster is in place, waits for a person, or is gone.
pub async fn follow(context: &Context, store: &dyn StateStore, name: &str) -> Result<ExitCode, Failure> {
    let mut calm = 0;
    let mut told = Vec::new();
    loop {
        let record = named::record(store, name).await?;
        let Some(record) = record else {
            output::end_progress();
            return gone(context, name);
        };
        show(&record, &mut told);
        let at_rest = record.under_way.is_empty()
            && (record.sync == SyncStatus::Synced || record.waiting.is_some() || !record.problems.is_empty());
        calm = if at_rest { calm + 1 } else { 0 };
        if calm >= CALM {
            output::end_progress();
            return judge(context, &record, &format!("portolan cluster apply {name} --approve"));
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = tokio::signal::ctrl_c() => {
                output::end_progress();
                output::note("the daemon goes on");
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// Shows what is new: a line for each thing that began, and one that is redrawn.
fn show(record: &ClusterRecord, told: &mut Vec<String>) {
    for way in &record.under_way {
        let began = format!("{} {}", way.action, way.resource);
        if !told.contains(&began) {
            output::end_progress();
            output::note(&began);
            told.push(began);
        }
    }
    redraw(record);
}

/// The line that is redrawn: how much is on its way, and what of it the longest.
fn redraw(record: &ClusterRecord) {
    if let Some(way) = record.under_way.iter().min_by_key(|way| way.since.clone()) {
        let count = record.under_way.len();
        let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
        output::progress(&format!("{}{more}", status::under_way(way)));
    }
}

fn gone(context: &Context, name: &str) -> Result<ExitCode, Failure> {
    if context.is_structured() {
        output::value(context.output, &json!({"name": name, "gone": true}))?;
    } else {
        output::line(&format!("{name}: nothing is left of it"));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a person is told at the end, and the exit code. `approve` is the command that a digest is given to.
fn judge(context: &Context, record: &ClusterRecord, approve: &str) -> Result<ExitCode, Failure> {
    let name = &record.name;
    if context.is_structured() {
        let records = status::without_memory(std::slice::from_ref(record));
        output::value(context.output, &records.first())?;
    }
    if let Some(waiting) = &record.waiting {
        if !context.is_structured() {
            waiting.objects.iter().for_each(|object| output::line(&format!("  {object}")));
        }
        let words = format!("{name} waits: {}", waiting.reason);
        return Err(Failure::new(FailureKind::Unmet, words)
            .hint(format!("approve with: {approve} {}", waiting.digest)));
    }
    // One reason for all of it, such as `suspend`: no failure, somebody wants it so.
    let wanted_so =
        !record.problems.is_empty() && record.problems.values().all(|words| *words == record.message);
    if let Some((place, words)) = record.problems.first_key_value().filter(|_| !wanted_so) {
        return Err(Failure::new(FailureKind::Environment, format!("{name}: {place}: {words}")));
    }
    if record.sync != SyncStatus::Synced && !record.message.is_empty() {
        return Err(Failure::new(FailureKind::Unmet, format!("{name}: {}", record.message)));
    }
    if !context.is_structured() {
        output::line(&format!("{name}: {} {}, version {}", record.sync, record.health, record.version));
        if !record.message.is_empty() {
            output::line(&format!("  {}", record.message));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Keeps the cluster in this process until there is nothing left to do.
pub async fn here(
    context: &Context,
    name: &str,
    approve: Option<&str>,
    removed: bool,
) -> Result<ExitCode, Failure> {
    if let Some(digest) = approve {
        let store = named::store(context).await?;
        let key = store.ask(&UserRequest::Approve(named::approval(name, digest))).await?;
        store.answer(&key, "approved on the command line").await?;
    }
    let composed = named::compose(context, Arc::new(Printed)).await?;
    let kept: Arc<Kept> = composed.cluster(name, removed).await.map_err(named::not_looked)?;
    kept.ask();
    let work = keep_by_hand(&kept);
    tokio::pin!(work);
    let end = loop {
        tokio::select! {
            end = &mut work => break end,
            () = tokio::time::sleep(PAUSE) => redraw(&kept.record()),
            _ = tokio::signal::ctrl_c() => {
                output::end_progress();
                output::note("stopped; what was begun goes on in AWS, and the same command goes on from there");
                return Ok(ExitCode::from(FailureKind::Environment.exit_code()));
            }
        }
    };
    output::end_progress();
    if end == PassEnd::Finished {
        return gone(context, name);
    }
    let command = if removed { "delete" } else { "apply" };
    judge(context, &kept.record(), &format!("portolan cluster {command} {name} --here --approve"))
}

/// Events as lines for the person who waits.
struct Printed;

impl Sink for Printed {
    fn take(&self, event: &Event) {
        let line = match &event.what {
            What::ResourceBegun { action, resource, cost } if cost.is_empty() => {
                format!("{action} {resource}")
            }
            What::ResourceBegun { action, resource, cost } => format!("{action} {resource} ({cost})"),
            What::ResourceDone { action, resource, millis } => {
                format!("{action} {resource}: done after {}", spoken(Duration::from_millis(*millis)))
            }
            What::ResourceFailed { action, resource, message } => format!("{action} {resource}: {message}"),
            What::SyncFailed { message, .. } | What::DocumentRefused { message, .. } => message.clone(),
            What::Warned { origin, message } => format!("{origin}: {message}"),
            _ => return,
        };
        output::end_progress();
        output::note(&line);
    }
}
