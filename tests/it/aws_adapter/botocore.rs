//! botocore as the judge of what is sent to the services without a typed client.

use super::{call, cloud, form};
use crate::k8s_http::server::{Reply, Scripted};
use portolan::aws::signed::operations;
use portolan::model::cloud::Service;
use portolan::ports::CloudFailureKind as Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const SERVICES: [Service; 15] = [
    Service::Ec2,
    Service::Iam,
    Service::Sts,
    Service::AutoScaling,
    Service::Elb,
    Service::ElbV2,
    Service::Ssm,
    Service::CloudFormation,
    Service::CloudTrail,
    Service::Logs,
    Service::Kms,
    Service::Sqs,
    Service::Events,
    Service::Ecr,
    Service::Quotas,
];

/// Asks botocore, in the installation that moto came with.
async fn oracle() -> Value {
    let asked: BTreeMap<&str, &[&str]> =
        SERVICES.iter().map(|service| (service.name(), operations(*service))).collect();
    ask(include_str!("oracle.py"), &json!(asked)).await
}

/// Runs a program in that installation: one JSON value in, one out.
pub async fn ask(program: &str, asked: &Value) -> Value {
    let mut python = crate::support::aws::python().await.command().into_std();
    let mut child =
        python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn table(service: Service) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aws/signed/shapes");
    folder.join(format!("{service}.shapes"))
}

/// With `PORTOLAN_WRITE_SHAPES` set the tables are written anew: for a new operation, or a new botocore.
#[tokio::test]
async fn the_tables_are_those_of_the_models_and_requests_those_of_botocore() {
    crate::support::aws::needs_aws!();
    let oracle = oracle().await;
    let server = Scripted::start(|request, _| match request.header("x-amz-target") {
        Some(_) => Reply::json(200, &json!({})),
        None => Reply::text(200, "<Response/>"),
    })
    .await;
    let cloud = cloud(&server).await;
    let mut compared = 0;
    for service in SERVICES {
        let expected = oracle[service.name()]["table"].as_str().unwrap();
        if std::env::var_os("PORTOLAN_WRITE_SHAPES").is_some() {
            std::fs::write(table(service), expected).unwrap();
        }
        let found = std::fs::read_to_string(table(service)).unwrap();
        for (found, expected) in found.lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{service}");
        }
        assert_eq!(found, expected, "{service}");
        for asked in oracle[service.name()]["calls"].as_array().unwrap() {
            let operation = asked["operation"].as_str().unwrap();
            let sent = cloud.call(&call(service, operation, asked["input"].clone())).await;
            let absent_is_all = operation.starts_with("Describe") || operation == "DeleteTags";
            let has_empty = asked["input"].to_string().contains("[]");
            if service == Service::Ec2 && absent_is_all && has_empty {
                assert!(sent.unwrap_err().message.contains("an empty list stands for everything"));
                continue;
            }
            sent.unwrap_or_else(|failure| panic!("{failure}"));
            let request = server.requests().pop().unwrap();
            assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/"));
            assert_eq!(request.header("x-amz-target"), asked["target"].as_str(), "{service}:{operation}");
            let body = if asked["target"].is_string() {
                serde_json::from_slice(&request.body).unwrap()
            } else {
                let fields = form(&request.body);
                let count = fields.len();
                let fields: BTreeMap<String, String> = fields.into_iter().collect();
                assert_eq!(fields.len(), count, "a field stands twice in {operation}");
                json!(fields)
            };
            assert_eq!(plain(body), plain(asked["body"].clone()), "{service}:{operation}");
            compared += 1;
        }
    }
    println!("{compared} requests are the same as botocore's");
    assert!(compared > 330, "{compared}");
}

/// Numbers without their notation: 1 and 1.0 are the same second.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, plain(value))).collect())
        }
        other => other,
    }
}

#[tokio::test]
async fn what_the_tables_do_not_have_is_refused_before_anything_is_sent() {
    let server = Scripted::start(|_, _| Reply::text(200, "<Response/>")).await;
    let cloud = cloud(&server).await;
    for (service, operation, input, words) in [
        (Service::Ec2, "DescribeVpcs", json!({"VpcId": ["a"]}), "/VpcId: the API has no such member"),
        (
            Service::Ec2,
            "DescribeVpcs",
            json!({"Filters": [{"Name": "a", "Value": ["b"]}]}),
            "/Filters/0/Value: the API",
        ),
        (
            Service::Ec2,
            "DescribeVpcs",
            json!({"VpcIds": "a"}),
            "/VpcIds: a list is expected, this is a string",
        ),
        (Service::Ec2, "RunInstances", json!({}), "`RunInstances` is no operation"),
        (Service::Ec2, "Filter", json!({}), "`Filter` is no operation"),
        (
            Service::Iam,
            "CreateRole",
            json!({"RoleName": {"$output": 1}}),
            "/RoleName: a string, a number or a boolean",
        ),
        (
            Service::Kms,
            "CreateGrant",
            json!({"Constraints": {"EncryptionContextEquals": []}}),
            "/Constraints/Enc",
        ),
        (Service::CloudTrail, "LookupEvents", json!({"StartTime": "yesterday"}), "/StartTime: a time"),
    ] {
        let failure = cloud.call(&call(service, operation, input)).await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_str()), (Kind::Invalid, "CallDoesNotFit"));
        assert!(failure.message.starts_with(words), "{failure}");
    }
    assert!(server.requests().is_empty());
}
