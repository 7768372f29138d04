//! The way to AWS: against scripted servers, the services' models, botocore, and moto.

mod assumed;
mod botocore;
mod eks_model;
mod live;
mod operations;
mod repeating;
mod rest;
mod seen;
mod signatures;
mod trail;

use crate::k8s_http::server::Scripted;
use portolan::aws::{AwsClouds, AwsOptions, CredentialsSource, Limits};
use portolan::model::cloud::{Call, Service};
use portolan::ports::{Clock, Cloud, CloudAccess, Clouds as _};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const REGION: &str = "eu-central-1";
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION: &str = "session/token+with=signs";

/// A clock that goes.
struct Now;

impl Clock for Now {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

/// Fixed credentials, every service at one address, no pace, and limits that a test can wait for.
fn options(address: &str) -> AwsOptions {
    let mut options = AwsOptions::new(Arc::new(Now));
    options.endpoints.every = Some(address.to_owned());
    options.credentials = CredentialsSource::Fixed {
        access_key_id: KEY_ID.into(),
        secret_access_key: SECRET.to_owned().into(),
        session_token: Some(SESSION.to_owned().into()),
    };
    options.pace = None;
    options.limits = Limits { operation: Duration::from_secs(30), ..Limits::default() };
    options
}

fn access() -> CloudAccess {
    CloudAccess { region: REGION.into(), role_arn: None }
}

async fn open(options: AwsOptions) -> Arc<dyn Cloud> {
    AwsClouds::new(options).open(&access()).await.unwrap()
}

async fn cloud(server: &Scripted) -> Arc<dyn Cloud> {
    open(options(&server.url())).await
}

fn call(service: Service, operation: &str, input: Value) -> Call {
    Call::new(service, operation, input)
}

/// The fields of a form.
fn form(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}

/// The field of a form with this name.
fn field(body: &[u8], name: &str) -> Option<String> {
    form(body).into_iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

/// Folder of the service models that botocore brought: `ec2/2016-11-15/service-2.json.gz`, and the installation that
/// moto came with.
async fn installation() -> std::path::PathBuf {
    let places = portolan::local::Places::from_env().unwrap();
    let mut progress = crate::support::control_plane::progress();
    let model = portolan::local::aws::service_model(&places, &mut progress).await.unwrap();
    model.parent().and_then(std::path::Path::parent).unwrap().to_owned()
}
