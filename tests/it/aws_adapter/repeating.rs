//! What is tried again and what is not, limits, and pages.

use super::{call, cloud, field, open, options};
use crate::k8s_http::server::{Asked, Reply, Scripted};
use portolan::model::cloud::Service;
use portolan::ports::CloudFailureKind as Kind;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const VPC: &str = "<CreateVpcResponse><vpc><vpcId>vpc-1</vpcId></vpc></CreateVpcResponse>";

fn ec2_error(status: u16, code: &str) -> Reply {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>no &lt;luck&gt;</Message></Error></Errors>
         <RequestID>r-1</RequestID></Response>"
    );
    Reply::text(status, &body)
}

fn eks_error(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({"message": "no luck"}))
        .header("x-amzn-ErrorType", code)
        .header("x-amzn-RequestId", "r-2")
}

#[tokio::test]
async fn throttled_calls_are_made_again_whatever_they_do() {
    for (service, operation, input) in [
        (Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"})),
        (Service::Eks, "DeleteCluster", json!({"name": "a"})),
    ] {
        let server = Scripted::start(move |_, number| match (number, service) {
            (0 | 1, Service::Ec2) => ec2_error(503, "RequestLimitExceeded"),
            (0 | 1, _) => eks_error(429, "ThrottlingException"),
            (_, Service::Ec2) => Reply::text(200, VPC),
            _ => Reply::json(200, &json!({"cluster": {"name": "a"}})),
        })
        .await;
        cloud(&server).await.call(&call(service, operation, input)).await.unwrap();
        assert_eq!(server.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_made_again() {
    for (service, operation, input) in [
        (Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"})),
        (Service::Iam, "CreateRole", json!({"RoleName": "a", "AssumeRolePolicyDocument": "{}"})),
        (Service::Eks, "DeleteCluster", json!({"name": "a"})),
        // Without a token of the caller's the client would make another one each time.
        (Service::Eks, "CreateCluster", json!({"name": "a"})),
    ] {
        let server = Scripted::start(|_, _| Reply::cut(200, "<CreateVpcResponse>", 3)).await;
        let failure = cloud(&server).await.call(&call(service, operation, input)).await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_str()), (Kind::Unanswered, "NoAnswer"), "{failure}");
        assert!(failure.message.contains("it may have had its effect"), "{failure}");
        assert_eq!(server.requests().len(), 1, "{service}:{operation}");
    }
}

#[tokio::test]
async fn a_write_with_a_token_and_a_read_are_made_again_with_the_same_content() {
    for (service, operation, input) in [
        (Service::Ec2, "CreateNatGateway", json!({"SubnetId": "s", "ClientToken": "t-1"})),
        (Service::Ec2, "DescribeVpcs", json!({})),
        (Service::Eks, "CreateCluster", json!({"name": "a", "clientRequestToken": "t-1"})),
        (Service::Eks, "DescribeCluster", json!({"name": "a"})),
    ] {
        let server = Scripted::start(move |_, number| match (number, service) {
            (0, _) => Reply::cut(200, "{}", 1),
            (1, _) => Reply::text(502, "<html>bad gateway</html>"),
            (_, Service::Ec2) => Reply::text(200, VPC),
            _ => Reply::json(200, &json!({"cluster": {"name": "a"}})),
        })
        .await;
        cloud(&server).await.call(&call(service, operation, input)).await.unwrap();
        let bodies: Vec<_> = server.requests().into_iter().map(|request| request.body).collect();
        assert_eq!(bodies.len(), 3, "{service}:{operation}");
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    }
}

#[tokio::test]
async fn a_breakdown_leaves_a_write_unknown_and_a_refusal_is_final() {
    let server = Scripted::start(|_, number| match number {
        0 => ec2_error(500, "InternalError"),
        1 => ec2_error(400, "VpcLimitExceeded"),
        _ => Reply::text(502, "<html><body>bad gateway<br></body></html>"),
    })
    .await;
    let cloud = cloud(&server).await;
    let create = call(Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}));
    let failure = cloud.call(&create).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_str()), (Kind::Unanswered, "InternalError"));
    let failure = cloud.call(&create).await.unwrap_err();
    assert_eq!(failure.kind, Kind::LimitExceeded);
    assert_eq!(failure.to_string(), "ec2:CreateVpc: VpcLimitExceeded: no <luck> (HTTP 400, request r-1)");
    let failure = cloud.call(&create).await.unwrap_err();
    assert_eq!((failure.kind, failure.code.as_str()), (Kind::Unanswered, "HTTP502"));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut options = options(&address);
    options.limits.operation = Duration::from_secs(2);
    let cloud = open(options).await;
    for (service, operation, input) in [
        (Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"})),
        (Service::Eks, "DeleteCluster", json!({"name": "a"})),
    ] {
        let begin = Instant::now();
        let failure = cloud.call(&call(service, operation, input)).await.unwrap_err();
        assert_eq!((failure.kind, failure.code.as_str()), (Kind::Unavailable, "NotSent"), "{failure}");
        assert!(failure.message.starts_with(&format!("nothing was sent to {address}")), "{failure}");
        // It was tried for a while: a write too, for it had no effect.
        assert!(begin.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_longer_than_the_limits() {
    for (read, attempt) in [
        (Duration::from_millis(200), Duration::from_secs(60)),
        (Duration::from_secs(60), Duration::from_millis(200)),
    ] {
        let server = Scripted::start(|_, _| Reply::silence()).await;
        let mut options = options(&server.url());
        options.limits.read = read;
        options.limits.attempt = attempt;
        let cloud = open(options).await;
        for (service, operation, input) in [
            (Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"})),
            (Service::Eks, "DeleteCluster", json!({"name": "a"})),
        ] {
            let begin = Instant::now();
            let failure = cloud.call(&call(service, operation, input)).await.unwrap_err();
            assert_eq!(failure.kind, Kind::Unanswered, "{failure}");
            assert!(begin.elapsed() < Duration::from_secs(5));
        }
        assert_eq!(server.requests().len(), 2);
    }
}

/// The form field or JSON member or query field by which a page was asked for.
fn page_asked(request: &Asked) -> String {
    let form = ["NextToken", "Marker"].iter().find_map(|name| field(&request.body, name));
    let query = field(request.query.as_bytes(), "nextToken");
    let json: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let json = ["NextToken", "Marker"].iter().find_map(|name| json[*name].as_str().map(str::to_owned));
    form.or(query).or(json).unwrap_or_default()
}

#[tokio::test]
async fn pages_are_followed_and_joined() {
    let cases = [
        (
            Service::Ec2,
            "DescribeSubnets",
            [
                "<DescribeSubnetsResponse><subnetSet><item><subnetId>1</subnetId></item></subnetSet><nextToken>a&amp;b</nextToken></DescribeSubnetsResponse>",
                "<DescribeSubnetsResponse><subnetSet/><nextToken>c</nextToken></DescribeSubnetsResponse>",
                "<DescribeSubnetsResponse><subnetSet><item><subnetId>2</subnetId></item></subnetSet></DescribeSubnetsResponse>",
            ],
            json!({"subnetSet": [{"subnetId": "1"}, {"subnetId": "2"}]}),
            ["", "a&b", "c"],
        ),
        (
            Service::Iam,
            "ListRoles",
            [
                "<ListRolesResponse><ListRolesResult><Roles><member><RoleName>1</RoleName></member></Roles><IsTruncated>true</IsTruncated><Marker>a</Marker></ListRolesResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></ListRolesResponse>",
                "<ListRolesResponse><ListRolesResult><Roles><member><RoleName>2</RoleName></member></Roles><IsTruncated>true</IsTruncated><Marker>b</Marker></ListRolesResult></ListRolesResponse>",
                "<ListRolesResponse><ListRolesResult><Roles/><IsTruncated>false</IsTruncated><Marker>b</Marker></ListRolesResult></ListRolesResponse>",
            ],
            json!({"Roles": [{"RoleName": "1"}, {"RoleName": "2"}]}),
            ["", "a", "b"],
        ),
        (
            Service::Eks,
            "ListClusters",
            [
                r#"{"clusters": ["1"], "nextToken": "a/b"}"#,
                r#"{"clusters": [], "nextToken": "c"}"#,
                r#"{"clusters": ["2"]}"#,
            ],
            json!({"clusters": ["1", "2"]}),
            ["", "a/b", "c"],
        ),
        (
            Service::Kms,
            "ListAliases",
            [
                r#"{"Aliases": [{"AliasName": "1", "CreationDate": 1790000000.25}], "Truncated": true, "NextMarker": "a"}"#,
                r#"{"Aliases": [], "Truncated": true, "NextMarker": "b"}"#,
                r#"{"Aliases": [{"AliasName": "2"}], "Truncated": false}"#,
            ],
            json!({"Aliases": [{"AliasName": "1", "CreationDate": "2026-09-21T14:13:20.25Z"}, {"AliasName": "2"}]}),
            ["", "a", "b"],
        ),
    ];
    for (service, operation, pages, joined, asked) in cases {
        let server = Scripted::start(move |_, number| Reply::text(200, pages[number])).await;
        let answer = cloud(&server).await.call(&call(service, operation, json!({}))).await.unwrap();
        assert_eq!(answer, joined, "{service}:{operation}");
        assert_eq!(
            server.requests().iter().map(page_asked).collect::<Vec<_>>(),
            asked,
            "{service}:{operation}"
        );
    }
}

#[tokio::test]
async fn pages_without_an_end_are_a_failure() {
    let server =
        Scripted::start(|_, _| Reply::json(200, &json!({"clusters": [], "nextToken": "same"}))).await;
    let failure =
        cloud(&server).await.call(&call(Service::Eks, "ListClusters", json!({}))).await.unwrap_err();
    assert_eq!(failure.code, "EndlessPages", "{failure}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_is_no_answer_of_aws_is_told_as_such() {
    for body in [
        "<html>login</html>",
        "plain",
        "<DescribeVpcsResponse>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
    ] {
        let server = Scripted::start(move |_, _| Reply::text(200, body)).await;
        let mut options = options(&server.url());
        options.limits.operation = Duration::ZERO;
        let failure =
            open(options).await.call(&call(Service::Ec2, "DescribeVpcs", json!({}))).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (Kind::Unavailable, "NoAnswer"),
            "{body}: {failure}"
        );
    }
}
