//! `portolan migrate assess`.

use super::choices::Choices;
use super::input::Input;
use super::{folder, shown};
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::migrate::assess::{Facts, cluster_name};
use crate::migrate::overview::{Names, Overview, documents, overview};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Says what becomes of a kops cluster on EKS: every field, every object, every call.
///
/// Works from a dump alone, from a state store, or from files in git. The more is read, the more is told: objects need
/// --context, the account --aws, and a dump has both.
///
/// Exit codes: 0 nothing keeps the move from beginning; 1 there are Blockers; above 1 it could not be told.
///
/// Examples:
///   portolan migrate assess --dump out/
///   portolan migrate assess --files kops/live.yaml --html report.html
///   portolan migrate assess --state s3://kops-state --name live.example.com --context live --aws
///   portolan migrate assess --dump out/ --choose kops.group.image=Bottlerocket --out infrastructure/
///   portolan migrate assess --dump out/ --output json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Assess {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    choices: Choices,
    /// Facts of the account as JSON, in place of those that are read.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Writes the report as one HTML page that loads nothing.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the files that one commits: ClusterConfig, Cluster, Migration, and the report.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Lists what is carried over and what is left behind, thing by thing.
    #[arg(long)]
    all: bool,
}

impl Assess {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let choices = self.choices.read()?;
        let facts = self.facts.as_deref().map(read_facts).transpose()?;
        let inventory = self.input.read().await?;
        let overview = overview(&inventory, facts.as_ref(), &choices)
            .map_err(|error| Failure::new(FailureKind::User, error))?;
        if context.is_structured() {
            output::value(context.output, &shown::json(&overview))?;
        } else {
            shown::text(&overview, self.all).iter().for_each(|line| output::line(line));
        }
        if let Some(path) = &self.html {
            let wrong =
                |error| Failure::new(FailureKind::Environment, format!("{}: {error}", path.display()));
            std::fs::write(path, shown::html(&overview)).map_err(wrong)?;
            output::note(&format!("{} written", path.display()));
        }
        if let Some(path) = &self.out {
            let names = Names { source_context: self.input.context().map(str::to_owned) };
            let documents = documents(&overview, &inventory, &names, &choices);
            write(path, &overview, &documents.files)?;
        }
        Ok(if overview.assessment.is_blocked() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn read_facts(path: &Path) -> Result<Facts, Failure> {
    let wrong = |error: String| Failure::new(FailureKind::Config, format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}

fn write(
    folder: &Path,
    overview: &Overview,
    documents: &BTreeMap<String, serde_json::Value>,
) -> Result<(), Failure> {
    let mut written = Vec::new();
    for (path, document) in documents {
        let text = serde_yaml::to_string(document)
            .map_err(|error| Failure::new(FailureKind::Environment, error.to_string()))?;
        folder::write(folder, path, text.as_bytes())?;
        written.push(path.as_str());
    }
    let name = cluster_name(&overview.assessment.cluster);
    let reports = [
        (format!("migration/{name}/report.txt"), shown::text(overview, true).join("\n") + "\n"),
        (format!("migration/{name}/report.html"), shown::html(overview)),
        (
            format!("migration/{name}/report.json"),
            serde_json::to_string_pretty(&shown::json(overview)).unwrap_or_default() + "\n",
        ),
    ];
    for (path, text) in &reports {
        folder::write(folder, path, text.as_bytes())?;
        written.push(path);
    }
    for path in written {
        output::note(&format!("{} written", folder.join(path).display()));
    }
    if documents.is_empty() {
        output::note("no ClusterConfig, Cluster and Migration: blockers have to go first");
    }
    Ok(())
}
