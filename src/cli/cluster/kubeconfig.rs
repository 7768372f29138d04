//! `portolan cluster kubeconfig` and `token`: logging in to an EKS cluster without another program.

use super::named;
use crate::app::eks as access;
use crate::cli::{Context, output, run};
use crate::config::AwsEndpoints;
use crate::failure::{Failure, FailureKind};
use crate::model::cloud::Service;
use crate::model::cluster::EksRef;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;

/// Prints a kubeconfig for an EKS cluster; tokens are made by this program.
///
/// Example:
///   portolan cluster kubeconfig shop > shop.kubeconfig
///   kubectl --kubeconfig shop.kubeconfig get nodes
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Kubeconfig {
    /// Name of the `Cluster` document.
    name: String,
    /// Write a token into it, good for some minutes, for where this program is not.
    #[arg(long)]
    with_token: bool,
}

/// Prints a token for the API server of an EKS cluster, as kubectl's credential plugins do.
///
/// Examples:
///   portolan cluster token shop
///   portolan cluster token --eks shop --region eu-central-1
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Token {
    /// Name of the `Cluster` document; not needed with --eks and --region.
    #[arg(required_unless_present_all = ["eks", "region"])]
    name: Option<String>,
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

/// How an EKS cluster of a document is reached.
pub(super) async fn reference(context: &Context, name: &str) -> Result<EksRef, Failure> {
    let composed = named::compose(context, Arc::new(Vec::new())).await?;
    let spec = composed.cluster_spec(name).await.map_err(named::not_looked)?;
    spec.eks.ok_or_else(|| {
        Failure::new(FailureKind::User, format!("the Cluster document {name} is about no EKS cluster"))
            .hint("it names a kubeconfig: use that")
    })
}

/// Where AWS answers: as the daemon's file says, where there is one.
pub(super) fn endpoints(context: &Context) -> Result<AwsEndpoints, Failure> {
    if context.has_config() { Ok(context.config()?.aws) } else { Ok(AwsEndpoints::default()) }
}

fn failed(words: String) -> Failure {
    let absent = words.starts_with("there is no EKS cluster");
    Failure::new(if absent { FailureKind::User } else { FailureKind::Environment }, words)
}

impl Kubeconfig {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let eks = reference(context, &self.name).await?;
        let at = context.config()?.aws;
        let (endpoint, token) = access::reach(&eks, &at, self.with_token).await.map_err(failed)?;
        let user = match token {
            Some(token) => json!({"token": token.token.expose_secret()}),
            None => json!({"exec": exec(&eks, at.of(Service::Sts))?}),
        };
        let name = &self.name;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{
                "name": name,
                "cluster": {"server": endpoint.url, "certificate-authority-data": endpoint.certificate_authority},
            }],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        });
        // YAML is what people have as kubeconfigs; whoever wants JSON says so.
        let form = if context.is_structured() { context.output } else { crate::cli::Output::Yaml };
        output::value(form, &kubeconfig)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The call of this program that gives kubectl a token.
fn exec(eks: &EksRef, sts: Option<&str>) -> Result<Value, Failure> {
    let mut arguments = vec!["cluster", "token", "--eks", &eks.name, "--region", &eks.region];
    if let Some(role) = &eks.role_arn {
        arguments.extend(["--role-arn", role]);
    }
    let mut exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": run::own_program()?,
        "args": arguments,
        "interactiveMode": "Never",
        "provideClusterInfo": false,
    });
    // kubectl calls it from anywhere, where the daemon's file is not.
    if let Some(sts) = sts {
        exec["env"] = json!([{"name": "AWS_ENDPOINT_URL_STS", "value": sts}]);
    }
    Ok(exec)
}

impl Token {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let eks = match (self.name, self.eks, self.region) {
            (_, Some(name), Some(region)) => {
                EksRef { name, region, role_arn: self.role_arn, ..EksRef::default() }
            }
            (Some(name), _, _) => reference(context, &name).await?,
            _ => return Err(Failure::new(FailureKind::User, "name a cluster, or --eks and --region")),
        };
        let token = access::token(&eks, &endpoints(context)?).await.map_err(failed)?;
        let expires = Timestamp::now() + token.renew_after;
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "token": token.token.expose_secret(),
                "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
        });
        output::line(&credential.to_string());
        Ok(ExitCode::SUCCESS)
    }
}
