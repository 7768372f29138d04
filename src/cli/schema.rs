//! `portolan schema`.

use super::{Output, output};
use crate::config::schema::schema;
use crate::failure::{Failure, FailureKind};
use std::process::ExitCode;

/// Prints the JSON Schema of the documents, for editors.
///
/// Examples:
///   portolan schema > portolan.schema.json
///   portolan schema Application
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Schema {
    /// Application, Cluster, Migration or Config; all of them when absent.
    kind: Option<String>,
}

impl Schema {
    pub(super) fn run(&self) -> Result<ExitCode, Failure> {
        let schema = schema(self.kind.as_deref()).map_err(|error| Failure::new(FailureKind::User, error))?;
        output::value(Output::Json, &schema)?;
        Ok(ExitCode::SUCCESS)
    }
}
