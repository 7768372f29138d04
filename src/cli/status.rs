//! `portolan status`.

use super::output::{self, Colour, coloured};
use super::{Context, Output, cluster, status_migrations};
use crate::app;
use crate::failure::Failure;
use crate::model::{Health, SyncStatus};
use crate::ports::{ApplicationRecord, ClusterRecord, MigrationRecord};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

/// Pause between two readings with `--watch`.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows where every application, kept cluster and migration stands.
///
/// Examples:
///   portolan status
///   portolan status shop --output json
///   portolan status --watch
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Status {
    /// Only this application.
    application: Option<String>,
    /// Print again whenever something has changed, until interrupted.
    #[arg(long, short)]
    watch: bool,
}

impl Status {
    pub(super) async fn run(&self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        let store = app::state_store(&config, None).await?;
        let mut shown: Option<(Vec<ApplicationRecord>, Vec<ClusterRecord>, Vec<MigrationRecord>)> = None;
        loop {
            let records: Vec<ApplicationRecord> = store
                .load()
                .await?
                .into_values()
                .filter(|record| self.application.as_ref().is_none_or(|name| *name == record.name))
                .collect();
            // A script that asked for applications goes on getting them alone, in one list.
            let alone = self.application.is_some() || context.is_structured();
            let clusters =
                if alone { Vec::new() } else { store.clusters().await?.into_values().collect::<Vec<_>>() };
            let migrations = if alone { BTreeMap::new() } else { store.migrations().await? };
            let migrations = migrations.into_values().map(|stored| stored.value).collect::<Vec<_>>();
            let news = (records, clusters, migrations);
            if shown.as_ref() != Some(&news) {
                print(context.output, &news.0)?;
                if !news.1.is_empty() {
                    output::line("");
                    cluster::print_status(context.output, &news.1)?;
                }
                if !news.2.is_empty() {
                    output::line("");
                    status_migrations::print(&news.2, context.output == Output::Wide);
                }
                shown = Some(news);
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

fn print(form: Output, records: &[ApplicationRecord]) -> Result<(), Failure> {
    match form {
        Output::Json | Output::Yaml => output::value(form, &records),
        Output::Text | Output::Wide => {
            let wide = form == Output::Wide;
            let mut header = vec!["APPLICATION", "DESTINATION", "SYNC", "HEALTH", "REVISION", "LAST CHANGE"];
            if wide {
                header.extend(["SOURCE", "OBJECTS"]);
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
    }
}

fn colour(record: &ApplicationRecord) -> Colour {
    match (record.sync, record.health) {
        (SyncStatus::Synced, Health::Healthy | Health::Suspended) => Colour::Green,
        (_, Health::Degraded) => Colour::Red,
        _ => Colour::Yellow,
    }
}

fn row(record: &ApplicationRecord, wide: bool) -> Vec<String> {
    let revision = if record.target_revision.is_empty() || record.target_revision == record.revision {
        record.revision.clone()
    } else {
        format!("{} -> {}", record.revision, record.target_revision)
    };
    let mut cells = vec![
        record.name.clone(),
        record.destination.clone(),
        record.sync.to_string(),
        record.health.to_string(),
        revision,
        record
            .last_change
            .as_deref()
            .map(|time| time.split('.').next().unwrap_or(time).to_owned())
            .unwrap_or_default(),
    ];
    if wide {
        cells.extend([record.source.clone(), record.objects.to_string()]);
    }
    cells.push(record.message.clone());
    cells
}
