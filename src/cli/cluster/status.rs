//! `portolan cluster status`.

use super::named;
use crate::cli::output::{self, Colour, coloured};
use crate::cli::{Context, Output};
use crate::failure::{Failure, FailureKind};
use crate::model::{Health, SyncStatus};
use crate::ports::{ClusterRecord, UnderWay};
use jiff::Timestamp;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;

/// Pause between two readings with `--watch`.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows where clusters stand, as the daemon saw them last.
///
/// Examples:
///   portolan cluster status
///   portolan cluster status shop --watch
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Status {
    /// Only this cluster, with what is on its way, drift and problems.
    name: Option<String>,
    /// Print again whenever something has changed, until interrupted.
    #[arg(long, short)]
    watch: bool,
}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let store = named::store(context).await?;
        let mut shown: Option<Vec<ClusterRecord>> = None;
        loop {
            let mut records: Vec<ClusterRecord> = store.clusters().await?.into_values().collect();
            if let Some(name) = &self.name {
                records.retain(|record| record.name == *name);
                if records.is_empty() && !self.watch {
                    let words = format!("no daemon has looked at a cluster {name} yet");
                    return Err(Failure::new(FailureKind::User, words)
                        .hint("`portolan cluster plan` looks by itself"));
                }
            }
            if records.is_empty() && !self.watch && !context.is_structured() {
                output::note(
                    "no daemon has looked at a cluster yet; `portolan cluster plan` looks by itself",
                );
                return Ok(ExitCode::SUCCESS);
            }
            if shown.as_ref() != Some(&records) {
                match (&self.name, records.as_slice()) {
                    (Some(_), [record]) if !context.is_structured() => details(record),
                    _ => print(context.output, &records)?,
                }
                shown = Some(records);
            }
            if !self.watch {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
            }
        }
    }
}

/// Records without what is never shown.
pub fn without_memory(records: &[ClusterRecord]) -> Vec<Value> {
    let mut records = records.to_vec();
    records.iter_mut().for_each(|record| record.memory = Default::default());
    records.iter().filter_map(|record| serde_json::to_value(record).ok()).collect()
}

/// Prints clusters as a table, or as data.
pub fn print(form: Output, records: &[ClusterRecord]) -> Result<(), Failure> {
    if matches!(form, Output::Json | Output::Yaml) {
        return output::value(form, &without_memory(records));
    }
    let mut header = vec!["CLUSTER", "VERSION", "STATE", "SYNC", "HEALTH", "REVISION", "LAST CHANGE"];
    let wide = form == Output::Wide;
    if wide {
        header.extend(["EKS", "REGION", "SOURCE", "RESOURCES"]);
    }
    header.push("MESSAGE");
    let rows: Vec<Vec<String>> = records.iter().map(|record| row(record, wide)).collect();
    for (index, text) in output::table(&header, &rows).iter().enumerate() {
        output::line(&match index.checked_sub(1).map(|index| &records[index]) {
            Some(record) => coloured(colour(record), text),
            None => text.clone(),
        });
    }
    Ok(())
}

fn colour(record: &ClusterRecord) -> Colour {
    match (record.sync, record.health) {
        (SyncStatus::Synced, Health::Healthy) => Colour::Green,
        (_, Health::Degraded) => Colour::Red,
        _ => Colour::Yellow,
    }
}

fn row(record: &ClusterRecord, wide: bool) -> Vec<String> {
    let revision = if record.target_revision.is_empty() {
        record.revision.clone()
    } else {
        format!("{} -> {}", record.revision, record.target_revision)
    };
    let mut cells = vec![
        record.name.clone(),
        record.version.clone(),
        record.state.clone(),
        record.sync.to_string(),
        record.health.to_string(),
        revision,
        record.last_change.clone().unwrap_or_default(),
    ];
    if wide {
        let own = [&record.cluster, &record.region, &record.source];
        cells.extend(own.map(Clone::clone));
        cells.push(record.resources.to_string());
    }
    cells.push(record.message.clone());
    cells
}

/// Everything about one cluster.
fn details(record: &ClusterRecord) {
    let version = if record.version.is_empty() { "-" } else { &record.version };
    output::line(&coloured(
        colour(record),
        &format!(
            "{}: {} {}, version {version}, {} resources, EKS cluster {} in {}",
            record.name, record.sync, record.health, record.resources, record.cluster, record.region
        ),
    ));
    let revision = if record.target_revision.is_empty() { &record.revision } else { &record.target_revision };
    output::line(&format!("  from {} at {revision}", record.source));
    if !record.message.is_empty() {
        output::line(&format!("  {}", record.message));
    }
    for way in &record.under_way {
        output::line(&format!("  … {}", under_way(way)));
    }
    for (place, words) in &record.problems {
        output::line(&coloured(Colour::Red, &format!("  ! {place}: {words}")));
    }
    for drift in &record.drift {
        let by = match (&drift.by, &drift.at) {
            (Some(by), Some(at)) => format!(" (by {by} at {at})"),
            _ => String::new(),
        };
        output::line(&coloured(
            Colour::Yellow,
            &format!(
                "  ~ {} {}: {} instead of {}{by}",
                drift.resource, drift.field, drift.live, drift.declared
            ),
        ));
    }
    if let Some(waiting) = &record.waiting {
        output::line("  waits for an approval:");
        waiting.objects.iter().for_each(|object| output::line(&format!("    {object}")));
        output::line(&format!("  to approve: portolan approve {} {}", record.name, waiting.digest));
    }
}

/// `create Cluster/shop (CREATING) for 3 min`.
pub fn under_way(way: &UnderWay) -> String {
    let state = if way.state.is_empty() { String::new() } else { format!(" ({})", way.state) };
    let since = way.since.parse::<Timestamp>().ok();
    let seconds = since.map_or(0, |since| Timestamp::now().duration_since(since).as_secs().max(0));
    format!("{} {}{state} for {} min {} s", way.action, way.resource, seconds / 60, seconds % 60)
}
