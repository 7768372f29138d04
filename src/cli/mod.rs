//! The command line. One file for each command; doc comments are the help texts.

mod check;
mod cluster;
mod demo;
mod local;
mod migrate;
mod output;
mod plan;
mod rehearsal;
mod render;
mod requests;
mod run;
mod schema;
mod status;
mod status_migrations;

use crate::config::{self, Config};
use crate::failure::Failure;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps clusters on their repository.
///
/// Merging a pull request changes infrastructure: Portolan renders what the repository declares, plans, applies by
/// server-side apply, watches, finds drift, mends it, and prunes safely.
///
/// Exit codes: 0 done; 1 `plan` found changes, `check` problems or `migrate assess` Blockers; 2 what was asked for cannot be done as asked;
/// 3 a file is wrong; 4 a cluster, a git server or a program failed; 5 a check did not hold.
#[derive(Parser)]
#[command(name = "portolan", version, about, max_term_width = 120)]
pub struct Arguments {
    /// The daemon's file.
    #[arg(long, short, global = true, default_value = "config/portolan.yaml")]
    config: PathBuf,
    /// Form of the output.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For people, with more columns.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the daemon.
    Run(run::Run),
    /// Shows what applying the repository would change, as the API server would make it.
    ///
    /// Exit codes as of `kubectl diff`: 0 nothing would change, 1 something would, above 1 it could not be told.
    Plan(plan::Plan),
    /// Asks the daemon to fetch and apply now.
    Sync(requests::Sync),
    /// Shows where every application stands.
    Status(status::Status),
    /// Clusters that an eksctl ClusterConfig describes: planned, applied, looked at, taken away.
    Cluster(cluster::Cluster),
    /// Moves a kops cluster to EKS: reads it, says what becomes of it, shows what the rules do.
    Migrate(Box<migrate::Migrate>),
    /// Prints the objects that will be applied.
    Render(render::Render),
    /// Checks files without a cluster: the daemon's file, documents, or a repository.
    Check(check::Check),
    /// Approves a plan that waits.
    Approve(requests::Approve),
    /// Lists pruned objects, or puts one back.
    Restore(requests::Restore),
    /// Real Kubernetes control planes on this machine, without containers.
    Local(local::Local),
    /// Shows the main job on a local control plane, from nothing.
    Demo(demo::Demo),
    /// Prints the JSON Schema of the documents, for editors.
    Schema(schema::Schema),
    /// Prints the version.
    Version,
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs one command.
///
/// # Errors
/// What a person is told; the exit code is its kind's.
pub async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let context = Context { config: arguments.config, output: arguments.output };
    match arguments.command {
        Command::Run(command) => command.run(&context).await,
        Command::Plan(command) => command.run(&context).await,
        Command::Sync(command) => command.run(&context).await,
        Command::Status(command) => command.run(&context).await,
        Command::Cluster(command) => command.run(&context).await,
        Command::Migrate(command) => command.run(&context).await,
        Command::Render(command) => command.run(&context).await,
        Command::Check(command) => command.run(&context),
        Command::Approve(command) => command.run(&context).await,
        Command::Restore(command) => command.run(&context).await,
        Command::Local(command) => command.run(&context).await,
        Command::Demo(command) => command.run(&context).await,
        Command::Schema(command) => command.run(),
        Command::Version => {
            output::line(env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "portolan", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What every command is given.
pub struct Context {
    config: PathBuf,
    output: Output,
}

impl Context {
    /// Reads the daemon's file.
    fn config(&self) -> Result<Config, Failure> {
        let config = config::load(&self.config)?;
        for warning in &config.warnings {
            output::note(&warning.to_string());
        }
        Ok(config)
    }

    /// Whether there is a daemon's file.
    fn has_config(&self) -> bool {
        self.config.exists()
    }

    /// Whether the output is for programs.
    fn is_structured(&self) -> bool {
        matches!(self.output, Output::Json | Output::Yaml)
    }
}

/// Prints a failure and gives its exit code.
#[must_use]
pub fn fail(failure: &Failure) -> ExitCode {
    output::failure(failure);
    ExitCode::from(failure.kind.exit_code())
}
