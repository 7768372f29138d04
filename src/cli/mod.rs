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

// Each command's own words are its help: a comment of documentation here would take their place.
#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Plan(plan::Plan),
    Sync(requests::Sync),
    Status(status::Status),
    Cluster(cluster::Cluster),
    Migrate(Box<migrate::Migrate>),
    Render(render::Render),
    Check(check::Check),
    Approve(requests::Approve),
    Restore(requests::Restore),
    Local(local::Local),
    Demo(demo::Demo),
    Schema(schema::Schema),
    /// Prints the version.
    ///
    /// Example:
    ///   portolan version
    #[command(verbatim_doc_comment)]
    Version,
    /// Prints a completion script for a shell.
    ///
    /// Example:
    ///   source <(portolan completions bash)
    #[command(verbatim_doc_comment)]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands whose exit code says more than whether it was done.
    const WITH_EXIT_CODES: [&str; 8] = [
        "plan",
        "cluster plan",
        "cluster apply",
        "cluster drift",
        "migrate dump",
        "migrate assess",
        "migrate diff",
        "migrate rehearse",
    ];

    /// Every command that people see, by its path, with its long help.
    fn helps(command: &mut clap::Command, path: &str, into: &mut Vec<(String, String)>) {
        let seen = |below: &&mut clap::Command| !below.is_hide_set() && below.get_name() != "help";
        for below in command.get_subcommands_mut().filter(seen) {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            into.push((path.clone(), below.render_long_help().to_string()));
            helps(below, &path, into);
        }
    }

    #[test]
    fn every_help_has_an_example_of_its_own_and_the_exit_codes_that_are() {
        let mut found = Vec::new();
        helps(&mut Arguments::command(), "", &mut found);
        assert!(found.len() > 30, "{} commands", found.len());
        for (path, help) in &found {
            let examples = help.split_once("\nExample").map(|(_, rest)| rest).unwrap_or_default();
            assert!(examples.contains(&format!("portolan {path}")), "{path} has no example:\n{help}");
            let codes = help.contains("Exit codes");
            assert_eq!(codes, WITH_EXIT_CODES.contains(&path.as_str()), "exit codes of {path}:\n{help}");
        }
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert!(WITH_EXIT_CODES.iter().all(|path| paths.contains(path)), "{paths:?}");
    }
}
