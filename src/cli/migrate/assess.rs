//! `portolan migrate assess`.

use super::beside::Beside;
use super::choices::Choices;
use super::input::Input;
use super::{folder, shown};
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::migrate::assess::{Facts, cluster_name};
use crate::migrate::dump::Inventory;
use crate::migrate::overview::{Given, Names, Overview, dns_label, documents, exported, overview_with, page};
use crate::migrate::owner::{FilePlan, Layout};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Says what becomes of a kops cluster on EKS: every field, every object, every call.
///
/// Works from a dump alone, from a state store, or from files in git. The more is read, the more is told: objects need
/// --context, the account --aws, and a dump has both.
///
/// Exit codes: 0 nothing keeps the move from beginning; 1 there are Blockers, or no ClusterConfig yet; above 1 it could not
/// be told.
///
/// Examples:
///   portolan migrate assess --dump out/
///   portolan migrate assess --files kops/live.yaml --html report.html
///   portolan migrate assess --state s3://kops-state --name live.example.com --context live --aws
///   portolan migrate assess --dump out/ --choose kops.group.image=Bottlerocket --out infrastructure/
///   portolan migrate assess --dump out/ --export pull-request/
///   portolan migrate assess --dump out/ --output json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Assess {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    choices: Choices,
    #[command(flatten)]
    beside: Beside,
    /// Facts of the account as JSON, in place of those that are read.
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,
    /// Writes the report as one HTML page that loads nothing.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Writes the files that one commits: ClusterConfig, Cluster, Migration, and the report.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Writes what nothing declares as Applications into a folder of their own: a pull request that is merged in the last
    /// stage, when they take the objects over from the migration. Secrets are listed by their keys.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
    /// Lists what is carried over and what is left behind, thing by thing.
    #[arg(long)]
    all: bool,
}

impl Assess {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let choices = self.choices.read()?;
        let facts = self.facts.as_deref().map(read_facts).transpose()?;
        let inventory = self.input.read().await?;
        let given = Given {
            facts: facts.unwrap_or_default(),
            choices,
            sources: self.beside.sources()?,
            calls: self.beside.calls()?,
        };
        let overview =
            overview_with(&inventory, &given).map_err(|error| Failure::new(FailureKind::User, error))?;
        if context.is_structured() {
            output::value(context.output, &shown::json(&overview))?;
        } else {
            shown::text(&overview, self.all).iter().for_each(|line| output::line(line));
        }
        if let Some(path) = &self.html {
            let wrong =
                |error| Failure::new(FailureKind::Environment, format!("{}: {error}", path.display()));
            std::fs::write(path, page(&overview)).map_err(wrong)?;
            output::note(&format!("{} written", path.display()));
        }
        if let Some(path) = &self.out {
            let names = Names { source_context: self.input.context().map(str::to_owned) };
            let documents = documents(&overview, &inventory, &names, &given);
            write(path, &overview, &documents.files)?;
        }
        if let Some(path) = &self.export {
            export(path, &overview, &inventory)?;
        }
        let is_whole = overview.assessment.config.is_some() && !overview.assessment.is_blocked();
        Ok(if !is_whole { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn read_facts(path: &Path) -> Result<Facts, Failure> {
    let wrong = |error: String| Failure::new(FailureKind::Config, format!("{}: {error}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}

/// Writes what exists in the cluster only as files for a repository.
fn export(folder: &Path, overview: &Overview, inventory: &Inventory) -> Result<(), Failure> {
    let cluster = dns_label(&cluster_name(&overview.assessment.cluster));
    let layout = Layout { root: cluster.clone(), cluster, taken: BTreeSet::new() };
    let plan = exported(overview, inventory, &layout);
    for (path, file) in &plan.files {
        let text = match file {
            FilePlan::Text(text) => text.clone(),
            FilePlan::Documents(documents) => {
                let texts: Result<Vec<String>, Failure> = documents.iter().map(folder::manifest).collect();
                texts?.join("---\n")
            }
        };
        folder::write(folder, path, text.as_bytes())?;
    }
    let objects: usize = plan.applications.values().map(BTreeSet::len).sum();
    output::note(&format!(
        "{}: {} Applications of {objects} objects that nothing declares, {} Secrets by their keys; merge them in the last stage",
        folder.display(),
        plan.applications.len(),
        plan.secrets.len()
    ));
    Ok(())
}

fn write(
    folder: &Path,
    overview: &Overview,
    documents: &BTreeMap<String, serde_json::Value>,
) -> Result<(), Failure> {
    let mut written = Vec::new();
    for (path, document) in documents {
        let text = folder::manifest(document)?;
        folder::write(folder, path, text.as_bytes())?;
        written.push(path.as_str());
    }
    let name = cluster_name(&overview.assessment.cluster);
    let reports = [
        (format!("migration/{name}/report.txt"), shown::text(overview, true).join("\n") + "\n"),
        (format!("migration/{name}/report.html"), page(overview)),
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
        output::note("no ClusterConfig, Cluster and Migration yet: see the first lines of the report");
    }
    Ok(())
}
