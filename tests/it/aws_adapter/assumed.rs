//! Credentials: roles, renewal when the service says that they have expired, and none at all.

use super::{KEY_ID, REGION, SESSION, access, call, field, options};
use crate::k8s_http::server::{Asked, Reply, Scripted};
use portolan::aws::{AwsClouds, CredentialsSource};
use portolan::model::cloud::Service;
use portolan::ports::{CloudAccess, CloudFailureKind as Kind, Clouds as _};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

const ROLE: &str = "arn:aws:iam::123456789012:role/deployer";

fn assumed(number: usize) -> Reply {
    let expiration = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    Reply::text(
        200,
        &format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>
             <Credentials><AccessKeyId>ROLEKEY{number}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>
             <SessionToken>of-the-role</SessionToken><Expiration>{expiration}</Expiration></Credentials>
             <AssumedRoleUser><AssumedRoleId>a:portolan</AssumedRoleId><Arn>{ROLE}/portolan</Arn></AssumedRoleUser>
             </AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

fn is_assume(request: &Asked) -> bool {
    field(&request.body, "Action").as_deref() == Some("AssumeRole")
}

fn signer(request: &Asked) -> String {
    let (_, rest) = request.header("authorization").unwrap().split_once("Credential=").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_role_is_assumed_once_and_signs_everything() {
    let assumptions = AtomicUsize::new(0);
    let server = Scripted::start(move |request, _| {
        if is_assume(request) {
            return assumed(assumptions.fetch_add(1, Ordering::SeqCst) + 1);
        }
        // The services find credentials expired.
        let signer = signer(request);
        if signer == "ROLEKEY1" && field(&request.body, "Action").as_deref() == Some("GetRole") {
            let body = "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>";
            return Reply::text(403, body);
        }
        if signer == "ROLEKEY2" && request.path == "/clusters/a" {
            return Reply::json(403, &json!({})).header("x-amzn-ErrorType", "ExpiredTokenException");
        }
        if request.path == "/clusters/a" {
            return Reply::json(200, &json!({"cluster": {"name": "a"}}));
        }
        if request.path == "/clusters" {
            Reply::json(200, &json!({"clusters": []}))
        } else {
            Reply::text(200, "<AResponse/>")
        }
    })
    .await;
    let clouds = AwsClouds::new(options(&server.url()));
    let access = CloudAccess { role_arn: Some(ROLE.into()), ..access() };
    let cloud = clouds.open(&access).await.unwrap();
    let assume = server.only_request();
    assert_eq!(signer(&assume), KEY_ID);
    assert_eq!(assume.header("x-amz-security-token"), Some(SESSION));
    assert_eq!(field(&assume.body, "RoleArn").as_deref(), Some(ROLE));
    assert_eq!(field(&assume.body, "RoleSessionName").as_deref(), Some("portolan"));

    let cloud_again = clouds.open(&access).await.unwrap();
    cloud.call(&call(Service::Ec2, "DescribeVpcs", json!({}))).await.unwrap();
    cloud_again.call(&call(Service::Eks, "ListClusters", json!({}))).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[1..].iter().map(signer).collect::<Vec<_>>(), ["ROLEKEY1", "ROLEKEY1"]);
    assert!(
        requests[1..].iter().all(|request| request.header("x-amz-security-token") == Some("of-the-role"))
    );

    cloud.call(&call(Service::Iam, "GetRole", json!({"RoleName": "a"}))).await.unwrap();
    let after: Vec<_> = server.requests()[3..].iter().map(signer).collect();
    assert_eq!(after, ["ROLEKEY1", KEY_ID, "ROLEKEY2"], "refused, assumed anew, made again");
    cloud.call(&call(Service::Eks, "DescribeCluster", json!({"name": "a"}))).await.unwrap();
    let after: Vec<_> = server.requests()[6..].iter().map(signer).collect();
    assert_eq!(after, ["ROLEKEY2", KEY_ID, "ROLEKEY3"], "the typed client too");
}

#[tokio::test]
async fn a_role_that_is_refused_is_told_when_the_account_is_opened() {
    let server = Scripted::start(|_, _| {
        Reply::text(403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>")
    })
    .await;
    let clouds = AwsClouds::new(options(&server.url()));
    let failure = clouds.open(&CloudAccess { role_arn: Some(ROLE.into()), ..access() }).await.err().unwrap();
    assert_eq!(failure.kind, Kind::Credentials);
    assert!(
        failure.message.starts_with(&format!("no AWS credentials from the role {ROLE}, assumed")),
        "{failure}"
    );
    assert!(failure.message.contains("not you"), "{failure}");
}

#[tokio::test]
async fn regions_are_checked_and_decide_the_partition() {
    let server = Scripted::start(|_, _| Reply::text(500, "")).await;
    let clouds = AwsClouds::new(options(&server.url()));
    let at = |region: &str| CloudAccess { region: region.into(), role_arn: None };
    for (region, partition) in [(REGION, "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let cloud = clouds.open(&at(region)).await.unwrap();
        assert_eq!((cloud.region(), cloud.partition()), (region, partition));
    }
    let failure = clouds.open(&at("frankfurt")).await.err().unwrap();
    assert_eq!(failure.kind, Kind::Invalid);
    assert!(failure.message.contains("`frankfurt` is no AWS region"), "{failure}");
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_told_in_words() {
    let mut options = options("http://127.0.0.1:9");
    options.credentials = CredentialsSource::Profile("no such profile of portolan".into());
    let failure = AwsClouds::new(options).open(&access()).await.err().unwrap();
    assert_eq!((failure.kind, failure.code.as_str()), (Kind::Credentials, "NoCredentials"), "{failure}");
    let words = "no AWS credentials from the profile `no such profile of portolan`: ";
    assert!(failure.message.starts_with(words), "{failure}");
}
