//! The service's model: every route, what does not fit, who may call.

use super::{Api, SIGNED, cluster_input, the_model};
use portolan::local::aws::eks::{Segment, ViolationKind, Way, misfits};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Operations about what the local AWS does not have: one that makes such a thing is refused, and why.
const NOT_PLAYED: [(&str, &str); 4] = [
    ("CreateCapability", "InvalidRequestException"),
    ("CreateCertificateAuthority", "InvalidParameterException"),
    ("CreateEksAnywhereSubscription", "InvalidParameterException"),
    ("RegisterCluster", "InvalidParameterException"),
];

#[tokio::test]
async fn every_route_leads_to_its_operation() {
    crate::support::aws::needs_aws!();
    let model = the_model().await;
    for operation in model.operations() {
        let path: String = operation
            .path
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::Label(label) => format!("/{label}%2Fx"),
            })
            .collect();
        let (found, labels) = model.route(&operation.method, &path).unwrap();
        assert_eq!(found.name, operation.name, "{path}");
        assert!(labels.iter().all(|(label, value)| *value == format!("{label}/x")), "{labels:?}");
    }
    assert!(model.route("PATCH", "/clusters").is_none() && model.route("GET", "/clusters/a/b").is_none());
}

/// A value that fits a shape, with the members that are required.
pub fn sample(model: &portolan::local::aws::eks::Model, shape: &str) -> Value {
    let shape = model.shape(shape).unwrap();
    match shape.kind.as_str() {
        "structure" => {
            let member = |name: &String| (name.clone(), sample(model, &shape.members[name].shape));
            shape.required.iter().map(member).collect()
        }
        "list" => json!([sample(model, &shape.member.as_ref().unwrap().shape)]),
        "map" => json!({"a": "b"}),
        "boolean" => json!(true),
        "string" => shape.values.first().map_or_else(|| json!("a"), |value| json!(value)),
        _ => json!(shape.min.unwrap_or(1.0) as i64),
    }
}

/// How many operations the model has, and those of them that the server does, whatever it answers.
pub async fn dispatched() -> (usize, BTreeSet<String>) {
    let api = Api::start().await;
    let model = the_model().await;
    let (mut all, mut done) = (0, BTreeSet::new());
    for operation in model.operations() {
        let shape = operation.input.as_ref().unwrap();
        let input = sample(&model, shape);
        assert_eq!(misfits(&model, shape, &input, Way::In), [], "{}", operation.name);
        let answer = api.call(&operation.name, input).await;
        all += 1;
        if answer.status != 501 {
            done.insert(operation.name.clone());
        }
    }
    api.server.settled().await;
    (all, done)
}

#[tokio::test]
async fn every_operation_of_the_model_is_answered_as_it_documents() {
    crate::support::aws::needs_aws!();
    let (all, done) = dispatched().await;
    assert_eq!(done.len(), all, "a new model has operations that this server does not do");
}

#[tokio::test]
async fn what_is_not_played_is_told_truly() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let model = the_model().await;
    let named = json!({"clusterName": "c"});
    for (operation, code) in NOT_PLAYED {
        let mut input = sample(&model, model.operation(operation).unwrap().input.as_ref().unwrap());
        if input["clusterName"].is_string() {
            input["clusterName"] = json!("c");
        }
        api.refused(operation, input, code, "not simulated by the local AWS").await;
    }
    assert_eq!(api.ok("ListCapabilities", named.clone()).await["capabilities"], json!([]));
    assert_eq!(api.ok("ListEksAnywhereSubscriptions", json!({})).await["subscriptions"], json!([]));
    let absent = json!({"clusterName": "c", "capabilityName": "argo"});
    for operation in ["DescribeCapability", "DeleteCapability", "UpdateCapability"] {
        api.refused(operation, absent.clone(), "ResourceNotFoundException", "argo").await;
    }
    api.refused("DeregisterCluster", json!({"name": "c"}), "ResourceNotFoundException", "registered").await;
    api.refused("ListCapabilities", json!({"clusterName": "none"}), "InvalidParameterException", "none")
        .await;

    let authorities = api.ok("ListCertificateAuthorities", named).await["certificateAuthorities"].clone();
    let [authority] = authorities.as_array().unwrap().as_slice() else { panic!("{authorities}") };
    assert_eq!((&authority["createdBy"], &authority["signingStatus"]), (&json!("EKS"), &json!("IN_USE")));
    let one = json!({"clusterName": "c", "certificateAuthorityId": authority["id"]});
    let described = api.ok("DescribeCertificateAuthority", one.clone()).await["certificateAuthority"].clone();
    let of_cluster = api.cluster_view("c").await["certificateAuthority"]["data"].clone();
    assert_eq!(described["data"], of_cluster, "{described}");
    api.refused("DeleteCertificateAuthority", one.clone(), "ResourceInUseException", "signs").await;
    api.refused("ActivateCertificateAuthority", one, "InvalidParameterException", "already").await;
    let other = json!({"clusterName": "c", "certificateAuthorityId": "ca-none"});
    api.refused("DescribeCertificateAuthority", other, "ResourceNotFoundException", "ca-none").await;
}

#[tokio::test]
async fn what_does_not_fit_the_model_is_refused_and_told() {
    crate::support::aws::needs_aws!();
    let mut api = Api::start().await;
    api.cluster("c").await;
    let parameter = "InvalidParameterException";
    let long = "a".repeat(101);
    let cases = [
        ("CreateCluster", json!({"name": "d"}), parameter, "required member roleArn"),
        ("CreateCluster", cluster_input("a.b", json!({})), parameter, "does not match"),
        ("CreateCluster", cluster_input(&long, json!({})), parameter, "101 characters"),
        ("CreateCluster", cluster_input("d", json!({"nonsense": 1})), parameter, "no such member"),
        ("CreateCluster", cluster_input("d", json!({"deletionProtection": "yes"})), parameter, "boolean"),
        ("CreateCluster", cluster_input("d", json!({"tags": {}})), parameter, "at least 1"),
        (
            "CreateCluster",
            cluster_input("d", json!({"upgradePolicy": {"supportType": "X"}})),
            parameter,
            "not one of",
        ),
        (
            "CreateNodegroup",
            super::nodegroup_input("c", "ng", json!({"scalingConfig": {"maxSize": 0}})),
            parameter,
            "scalingConfig.maxSize: 0 is not between",
        ),
        (
            "CreateNodegroup",
            super::nodegroup_input("c", "ng", json!({"taints": [{"key": "a".repeat(64)}]})),
            parameter,
            "taints[0].key",
        ),
        ("ListClusters", json!({"maxResults": 0}), parameter, "not between"),
        ("ListClusters", json!({"maxResults": 101}), parameter, "not between"),
        ("TagResource", json!({"resourceArn": "a", "tags": {"a": 1}}), "BadRequestException", "tags[a]"),
        ("UntagResource", json!({"resourceArn": "a"}), "BadRequestException", "tagKeys"),
        ("DescribeCluster", json!({"name": "c", "x": "y"}), "ClientException", "no such member"),
    ];
    let expected = cases.len();
    for (operation, input, code, words) in cases {
        let answer = api.refused(operation, input, code, words).await;
        assert_eq!(answer.status, 400);
    }
    let raw = async |target: &str, body: &str| {
        api.send("POST", target, Some(SIGNED), body.as_bytes()).await.unwrap()
    };
    assert!(raw("/clusters", "{").await.message().contains("not JSON"));
    assert!(raw("/clusters", "[]").await.message().contains("not a JSON object"));
    let nowhere = raw("/nowhere", "{}").await;
    assert_eq!((nowhere.status, nowhere.error.as_str()), (404, "UnknownOperationException"));
    let query = api.send("GET", "/clusters?maxResults=two&limit=1", Some(SIGNED), b"").await.unwrap();
    assert!(query.message().contains("\"two\"") && query.message().contains("limit"), "{query:?}");
    // A member that is null is one that is not there.
    let nulls = cluster_input("n", json!({"tags": null, "logging": {"clusterLogging": null}}));
    api.ok("CreateCluster", nulls).await;
    api.server.settled().await;

    let violations = api.expected_violations();
    assert_eq!(violations.len(), expected + 4, "{violations:#?}");
    let unknown = violations.iter().filter(|violation| violation.kind == ViolationKind::UnknownOperation);
    assert_eq!(unknown.count(), 1);
    assert_eq!(api.server.counts()["clusters"], 2);
}

#[tokio::test]
async fn only_signed_calls_are_answered() {
    crate::support::aws::needs_aws!();
    let api = Api::start_with(|options| {
        options.callers = std::sync::Arc::new(|key| {
            (key == "AKIDEXAMPLE").then(|| "arn:aws:iam::123456789012:user/local".to_owned())
        });
    })
    .await;
    let list = async |authorization: Option<&str>| {
        let answer = api.send("GET", "/clusters", authorization, b"").await.unwrap();
        (answer.status, answer.error)
    };
    let refused = |code: &str| (403, code.to_owned());
    assert_eq!(list(Some(SIGNED)).await, (200, String::new()));
    assert_eq!(list(None).await, refused("MissingAuthenticationTokenException"));
    assert_eq!(list(Some("Bearer x")).await, refused("InvalidSignatureException"));
    assert_eq!(list(Some(&SIGNED.replace("/eks/", "/ec2/"))).await, refused("InvalidSignatureException"));
    assert_eq!(
        list(Some(&SIGNED.replace("eu-central-1", "us-east-1"))).await,
        refused("InvalidSignatureException")
    );
    assert_eq!(
        list(Some(&SIGNED.replace("AKIDEXAMPLE", "AKOTHER"))).await,
        refused("UnrecognizedClientException")
    );
}

#[tokio::test]
async fn a_server_that_is_stopped_answers_no_more() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let endpoint = api.server.endpoint().trim_start_matches("http://").to_owned();
    assert!(endpoint.starts_with("127.0.0.1:"));
    let other = portolan::local::aws::eks::EksServer::start(
        the_model().await,
        api.world.clone(),
        portolan::local::aws::eks::EksOptions::new(super::ACCOUNT, super::REGION),
    )
    .await
    .unwrap();
    let address = other.endpoint().trim_start_matches("http://").to_owned();
    tokio::net::TcpStream::connect(&address).await.unwrap();
    other.stop().await;
    assert!(tokio::net::TcpStream::connect(&address).await.is_err());
    tokio::net::TcpStream::connect(&endpoint).await.unwrap();
}
