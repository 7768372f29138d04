//! `portolan cluster export`.

use super::kubeconfig::{endpoints, reference};
use crate::app::eks as access;
use crate::cli::{Context, Output, output};
use crate::failure::{Failure, FailureKind};
use crate::model::cluster::EksRef;
use std::process::ExitCode;

/// Writes what describes a cluster that exists, whoever made it: a ClusterConfig, or a Terraform configuration.
///
/// Committed beside a `Cluster` document that names it, a ClusterConfig has the cluster kept from then on: the first plan
/// asks to adopt what it names. A Terraform configuration adopts by its import blocks: cluster, node groups, add-ons, access,
/// Fargate, roles and network.
///
/// Examples:
///   portolan cluster export shop > clusters/shop.yaml
///   portolan cluster export shop --format terraform > shop.tf
///   portolan cluster export --eks shop --region eu-central-1
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Export {
    /// Name of the `Cluster` document; not needed with --eks and --region.
    #[arg(required_unless_present_all = ["eks", "region"])]
    name: Option<String>,
    /// Form of the file.
    #[arg(long, value_enum, default_value_t = Form::Eksctl)]
    format: Form,
    /// The cluster's name in EKS.
    #[arg(long)]
    eks: Option<String>,
    /// AWS region.
    #[arg(long)]
    region: Option<String>,
    /// Role to assume first.
    #[arg(long)]
    role_arn: Option<String>,
}

/// Forms of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// An eksctl ClusterConfig.
    Eksctl,
    /// A Terraform configuration with import blocks, for the AWS provider 6.
    Terraform,
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let eks = match (self.name, self.eks, self.region) {
            (_, Some(name), Some(region)) => {
                EksRef { name, region, role_arn: self.role_arn, ..EksRef::default() }
            }
            (Some(name), _, _) => reference(context, &name).await?,
            _ => return Err(Failure::new(FailureKind::User, "name a cluster, or --eks and --region")),
        };
        let at = endpoints(context)?;
        let failed = |words: String| Failure::new(FailureKind::Environment, words);
        let absent = || {
            let words = format!("there is no EKS cluster {} in {}", eks.name, eks.region);
            Failure::new(FailureKind::User, words)
        };
        let notes = match self.format {
            Form::Eksctl => {
                let exported = access::export(&eks, &at).await.map_err(failed)?.ok_or_else(absent)?;
                let form = if context.is_structured() { context.output } else { Output::Yaml };
                output::value(form, &exported.config)?;
                exported.notes
            }
            Form::Terraform => {
                let written =
                    access::export_terraform(&eks, &at).await.map_err(failed)?.ok_or_else(absent)?;
                output::line(written.text.trim_end());
                written.notes
            }
        };
        notes.iter().for_each(|note| output::note(&format!("note: {note}")));
        Ok(ExitCode::SUCCESS)
    }
}
