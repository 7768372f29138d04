//! `portolan migrate`: a kops cluster on its way to EKS.

mod assess;
mod beside;
mod choices;
mod diff;
mod dump;
pub(super) mod folder;
mod input;
mod rehearse;
pub(super) mod shown;

use super::Context;
use crate::failure::Failure;
use clap::Subcommand;
use std::process::ExitCode;

/// Moves a kops cluster to EKS: reads it, says what becomes of it, shows what the rules do to its objects, rehearses it.
///
/// Only what is named is contacted, and everything is only read.
///
/// Examples:
///   portolan migrate dump out/ --state s3://kops-state --name live.example.com --context live --aws
///   portolan migrate assess --dump out/
///   portolan migrate assess --files kops/live.yaml
///   portolan migrate diff --dump out/ shop/Deployment/web
///   portolan migrate rehearse --dump out/
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Migrate {
    #[command(subcommand)]
    command: Command,
}

// Each command's own words are its help: a comment of documentation here would take their place.
#[derive(Subcommand)]
enum Command {
    Dump(dump::Dump),
    Assess(assess::Assess),
    Diff(diff::Diff),
    Rehearse(rehearse::Rehearse),
}

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Dump(command) => command.run(context).await,
            Command::Assess(command) => command.run(context).await,
            Command::Diff(command) => command.run(context).await,
            Command::Rehearse(command) => command.run(context).await,
        }
    }
}
