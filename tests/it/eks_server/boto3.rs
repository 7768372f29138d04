//! boto3 as an independent client: everything made, read, changed and deleted, with botocore's own waiters.

use super::{Api, REGION};
use serde_json::Value;
use std::time::Duration;

const SCRIPT: &str = include_str!("client.py");

#[tokio::test]
async fn boto3_finds_the_service_it_knows() {
    crate::support::aws::needs_aws!();
    let api = Api::start_with(|options| {
        options.delays = portolan::local::aws::eks::Delays {
            create: Duration::from_millis(30),
            update: Duration::from_millis(30),
            delete: Duration::from_millis(30),
        };
    })
    .await;
    let mut python = crate::support::aws::python().await.command();
    let output = python
        .args(["-c", SCRIPT])
        .env("AWS_ENDPOINT_URL_EKS", api.server.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(120), output).await.unwrap().unwrap();
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
    let operations: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    println!("boto3 called {} operations", operations.as_array().unwrap().len());
    assert!(operations.as_array().unwrap().len() > 50, "{operations}");
    let left = api.server.counts();
    assert!(left.values().all(|count| *count == 0), "{left:?}");
}
