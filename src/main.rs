//! The program: hands over to a child's role, or to the command line.

use clap::Parser;
use portolan::cli::{self, Arguments};
use portolan::{git, host, local};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // Our own children begin without a runtime: one supervises a local control plane, one fetches a repository.
    match arguments.next() {
        Some(role) if role == local::supervise::SUBCOMMAND => return local::supervise::main(arguments),
        Some(role) if role == git::fetch_child::SUBCOMMAND => return git::fetch_child::main(),
        _ => {}
    }
    host::raise_open_files_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cli::fail(&error.into()),
    };
    match runtime.block_on(cli::run(Arguments::parse())) {
        Ok(code) => code,
        Err(failure) => cli::fail(&failure),
    }
}
