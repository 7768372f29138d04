//! `portolan cluster explain`.

use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::model::cluster_config::{FieldRow, explain};
use crate::provision::reads::READS;
use serde_json::json;
use std::process::ExitCode;

/// What stands in the `eks` block of the Cluster document, because eksctl has no word for it.
const ELSEWHERE: [(&str, &str); 8] = [
    ("warmPool", "spec.eks.nodeGroups.NAME.warmPool"),
    ("warmPoolConfig", "spec.eks.nodeGroups.NAME.warmPool"),
    ("desiredSize", "spec.eks.desiredSize"),
    ("deletionProtection", "spec.eks.deletionProtection"),
    ("adopt", "spec.eks.adopt"),
    ("drift", "spec.eks.drift"),
    ("suspend", "spec.eks.suspend"),
    ("network", "spec.eks.network"),
];

/// Explains the fields of a ClusterConfig: what is acted on, and what is refused with which way out.
///
/// Examples:
///   portolan cluster explain
///   portolan cluster explain managedNodeGroups
///   portolan cluster explain managedNodeGroups[].instanceTypes
///   portolan cluster explain --reads
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Explain {
    /// Only this field, and those below it.
    field: Option<String>,
    /// Only fields that are refused.
    #[arg(long)]
    refused: bool,
    /// Instead of fields: the calls that a pass over an untouched cluster makes, and how often.
    #[arg(long, conflicts_with_all = ["field", "refused"])]
    reads: bool,
}

impl Explain {
    pub(super) fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        if self.reads {
            return reads(context);
        }
        let rows: Vec<&FieldRow> = explain()
            .filter(|row| self.covers(row))
            .filter(|row| !self.refused || row.is_refused())
            .collect();
        if rows.is_empty() {
            let field = self.field.unwrap_or_default();
            let word = field.rsplit('.').next().unwrap_or_default();
            if let Some((_, place)) = ELSEWHERE.iter().find(|(name, _)| *name == word) {
                let words = format!("a ClusterConfig has no field `{field}`, for eksctl has no word for it");
                return Err(Failure::new(FailureKind::User, words).hint(format!(
                    "write `{place}` in the Cluster document; `portolan schema Cluster` describes it"
                )));
            }
            let near = crate::model::document::nearest(&field, explain().map(|row| row.path.as_str()));
            let failure = Failure::new(FailureKind::User, format!("a ClusterConfig has no field `{field}`"));
            return Err(match near {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`portolan cluster explain` lists all of them"),
            });
        }
        if context.is_structured() {
            let rows: Vec<_> = rows.iter().map(|row| data(row)).collect();
            output::value(context.output, &rows)?;
            return Ok(ExitCode::SUCCESS);
        }
        if let [row] = rows.as_slice() {
            details(row);
            return Ok(ExitCode::SUCCESS);
        }
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| vec![row.path.clone(), row.kind.clone(), row.support.to_string()])
            .collect();
        output::table(&["FIELD", "HOLDS", "PORTOLAN"], &cells).iter().for_each(|line| output::line(line));
        Ok(ExitCode::SUCCESS)
    }

    fn covers(&self, row: &FieldRow) -> bool {
        let Some(field) = &self.field else { return true };
        row.path
            .strip_prefix(field.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// The table of reads.
fn reads(context: &Context) -> Result<ExitCode, Failure> {
    if context.is_structured() {
        let rows: Vec<_> =
            READS.iter().map(|row| json!({"kind": row.kind, "call": row.call, "often": row.often})).collect();
        output::value(context.output, &rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let cells: Vec<Vec<String>> = READS
        .iter()
        .map(|row| vec![format!("{:?}", row.kind), row.call.to_owned(), row.often.to_owned()])
        .collect();
    output::table(&["KIND", "CALL", "IN A PASS"], &cells).iter().for_each(|line| output::line(line));
    Ok(ExitCode::SUCCESS)
}

fn details(row: &FieldRow) {
    let required = if row.required { ", required" } else { "" };
    output::line(&format!("{}: {}{required}", row.path, row.kind));
    if !row.description.is_empty() {
        output::line(&format!("  {}", row.description));
    }
    if let Some(default) = row.default {
        output::line(&format!("  default: {default}"));
    }
    output::line(&format!("  {}", row.support));
}

fn data(row: &FieldRow) -> serde_json::Value {
    json!({
        "field": row.path,
        "holds": row.kind,
        "required": row.required,
        "default": row.default,
        "description": row.description,
        "supported": !row.is_refused(),
        "portolan": row.support.to_string(),
    })
}
