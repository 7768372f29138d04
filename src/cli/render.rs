//! `portolan render`.

use super::plan::At;
use super::{Context, Output, output};
use crate::failure::{Failure, FailureKind};
use crate::model::Object;
use std::process::ExitCode;

/// Prints the objects that will be applied.
///
/// Values of Secrets are left out unless asked for.
///
/// Examples:
///   portolan render shop
///   portolan render shop --revision my-branch --output json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Render {
    /// Application; all of them when absent.
    application: Option<String>,
    /// Print the values of Secrets as well.
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    at: At,
}

impl Render {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let previewed = self.at.preview(context, self.application.as_deref()).await?;
        let mut broken = !previewed.refused.is_empty();
        let mut all = Vec::new();
        for preview in previewed.applications {
            for problem in &preview.problems {
                broken = true;
                output::note(&format!("{}: {problem}", preview.application));
            }
            for warning in &preview.warnings {
                output::note(&format!("{}: warning: {warning}", preview.application));
            }
            for mut object in preview.objects {
                if !self.show_secrets {
                    mask(&mut object);
                }
                all.push(object.into_body());
            }
        }
        if context.output == Output::Json {
            output::value(Output::Json, &all)?;
        } else {
            for body in &all {
                output::line("---");
                output::value(Output::Yaml, body)?;
            }
        }
        Ok(if broken { ExitCode::from(FailureKind::Config.exit_code()) } else { ExitCode::SUCCESS })
    }
}

fn mask(object: &mut Object) {
    if !object.is_secret() {
        return;
    }
    if let Some(data) = object.body_mut().get_mut("data").and_then(serde_json::Value::as_object_mut) {
        for value in data.values_mut() {
            *value = "(sensitive)".into();
        }
    }
}
