//! Signatures, computed anew here from what arrived: an own reading of "Create a signed AWS API request".

use super::{KEY_ID, REGION, SECRET, SESSION, call, cloud};
use crate::k8s_http::server::{Asked, Reply, Scripted};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use portolan::model::cloud::Service;
use secrecy::ExposeSecret as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The signature of a canonical request.
fn signature(canonical: &str, date: &str, scope: &str) -> String {
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let start = format!("AWS4{SECRET}").into_bytes();
    let key = scope.split('/').fold(start, |key, part| mac(&key, part));
    hex(&mac(&key, &to_sign))
}

/// What a request was signed as: scope and whether the signature is right.
fn checked(request: &Asked) -> (String, bool) {
    let authorization = request.header("authorization").unwrap();
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(&format!("{name}=")).unwrap();
        rest.split(',').next().unwrap().to_owned()
    };
    let credential = part("Credential");
    let (key_id, scope) = credential.split_once('/').unwrap();
    assert_eq!(key_id, KEY_ID);
    let names = part("SignedHeaders");
    let content = request.header("content-type").map(|_| "content-type");
    for needed in ["host", "x-amz-date", "x-amz-security-token"].into_iter().chain(content) {
        assert!(names.split(';').any(|name| name == needed), "{needed} is not signed: {names}");
    }
    let headers: String =
        names.split(';').map(|name| format!("{name}:{}\n", request.header(name).unwrap().trim())).collect();
    let mut query: Vec<&str> = request.query.split('&').collect();
    query.sort_unstable();
    // All but S3 encode the encoded path once more.
    let path = if scope.contains("/s3/") { request.path.clone() } else { request.path.replace('%', "%25") };
    let (method, query) = (&request.method, query.join("&"));
    let digest = hex(&Sha256::digest(&request.body));
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{digest}");
    let date = request.header("x-amz-date").unwrap();
    (scope.to_owned(), part("Signature") == signature(&canonical, date, scope))
}

#[tokio::test]
async fn requests_are_signed_for_their_service_and_region() {
    let server = Scripted::start(|request, _| match request.header("x-amz-target") {
        Some(_) => Reply::json(200, &json!({})),
        None => Reply::text(200, "<Response/>"),
    })
    .await;
    let cloud = cloud(&server).await;
    for (service, operation, input, signed_for) in [
        (
            Service::Ec2,
            "DescribeVpcs",
            json!({"Filters": [{"Name": "tag:a b", "Values": ["ü&=+ ~*"]}]}),
            "eu-central-1/ec2",
        ),
        (Service::Iam, "GetRole", json!({"RoleName": "a"}), "us-east-1/iam"),
        (Service::Sts, "GetCallerIdentity", json!({}), "eu-central-1/sts"),
        (Service::AutoScaling, "DescribeTags", json!({}), "eu-central-1/autoscaling"),
        (Service::Elb, "DescribeLoadBalancers", json!({}), "eu-central-1/elasticloadbalancing"),
        (Service::ElbV2, "DescribeLoadBalancers", json!({}), "eu-central-1/elasticloadbalancing"),
        (Service::CloudFormation, "DescribeStacks", json!({}), "eu-central-1/cloudformation"),
        (Service::Ssm, "GetParameter", json!({"Name": "/a"}), "eu-central-1/ssm"),
        (Service::Kms, "DescribeKey", json!({"KeyId": "a"}), "eu-central-1/kms"),
        (Service::CloudTrail, "LookupEvents", json!({}), "eu-central-1/cloudtrail"),
        (Service::Sqs, "ListQueues", json!({}), "eu-central-1/sqs"),
        (Service::Events, "ListRules", json!({}), "eu-central-1/events"),
        (Service::S3, "ListObjectsV2", json!({"Bucket": "a.b", "Prefix": "ü /+"}), "eu-central-1/s3"),
        (Service::S3, "GetObject", json!({"Bucket": "a.b", "Key": "x//../ü +*"}), "eu-central-1/s3"),
        (Service::S3, "PutObject", json!({"Bucket": "a.b", "Key": "x", "Body": "aGk="}), "eu-central-1/s3"),
        (Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": "Z 1"}), "us-east-1/route53"),
        (
            Service::Route53,
            "ChangeResourceRecordSets",
            json!({"HostedZoneId": "Z1", "ChangeBatch": {"Changes": []}}),
            "us-east-1/route53",
        ),
    ] {
        cloud.call(&call(service, operation, input)).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!(request.header("x-amz-security-token"), Some(SESSION));
        let (scope, right) = checked(&request);
        assert!(right, "the signature of {service}:{operation} is wrong");
        let date = &request.header("x-amz-date").unwrap()[..8];
        assert_eq!(scope, format!("{date}/{signed_for}/aws4_request"));
    }
}

#[tokio::test]
async fn a_token_names_its_cluster_and_is_signed() {
    let server = Scripted::start(|_, _| Reply::text(500, "")).await;
    let token = cloud(&server).await.kubernetes_token("shop-1").await.unwrap();
    assert_eq!(token.renew_after, Duration::from_secs(600));
    let encoded = token.token.expose_secret().strip_prefix("k8s-aws-v1.").unwrap();
    let address = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap();
    let (host, query) = address.strip_prefix("https://").unwrap().split_once("/?").unwrap();
    // The region's own STS, though another endpoint is configured: API servers take no other.
    assert_eq!(host, format!("sts.{REGION}.amazonaws.com"));
    let field = |name: &str| super::field(query.as_bytes(), name).unwrap();
    assert_eq!((field("Action"), field("X-Amz-Expires")), ("GetCallerIdentity".into(), "60".into()));
    assert_eq!(field("X-Amz-SignedHeaders"), "host;x-k8s-aws-id");
    assert_eq!(field("X-Amz-Security-Token"), SESSION);
    let mut pairs: Vec<&str> =
        query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    pairs.sort_unstable();
    let canonical = format!(
        "GET\n/\n{}\nhost:{host}\nx-k8s-aws-id:shop-1\n\nhost;x-k8s-aws-id\n{}",
        pairs.join("&"),
        hex(&Sha256::digest(""))
    );
    let scope = format!("{}/{REGION}/sts/aws4_request", &field("X-Amz-Date")[..8]);
    assert_eq!(field("X-Amz-Signature"), signature(&canonical, &field("X-Amz-Date"), &scope));
    assert!(server.requests().is_empty(), "a token needs no request");
}
