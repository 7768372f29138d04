//! Tokens, and what goes wrong on request.

use super::{Api, cluster_input, nodegroup_input};
use portolan::local::aws::eks::{Effect, Fault};
use serde_json::{Value, json};

#[tokio::test]
async fn a_token_makes_a_call_repeatable() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let input = cluster_input("c", json!({"clientRequestToken": "token-1"}));
    let first = api.ok("CreateCluster", input.clone()).await;
    api.server.settled().await;
    assert_eq!(api.ok("CreateCluster", input.clone()).await, first, "the same answer");
    assert_eq!(api.server.counts()["clusters"], 1);
    let other = cluster_input("c", json!({"clientRequestToken": "token-1", "tags": {"a": "b"}}));
    api.refused("CreateCluster", other, "InvalidParameterException", "token-1").await;
    let other = cluster_input("d", json!({"clientRequestToken": "token-1"}));
    api.refused("CreateCluster", other, "InvalidParameterException", "token-1").await;
    // The token of another operation is another token.
    let nodes = nodegroup_input("c", "ng", json!({"clientRequestToken": "token-1"}));
    api.ok("CreateNodegroup", nodes.clone()).await;
    api.server.settled().await;

    // After the end of what it made, the token still stands for that, and makes nothing new.
    api.ok("DeleteNodegroup", json!({"clusterName": "c", "nodegroupName": "ng"})).await;
    api.server.settled().await;
    assert_eq!(api.ok("CreateNodegroup", nodes).await["nodegroup"]["status"], "CREATING");
    assert_eq!(api.server.counts()["nodegroups"], 0);
    api.ok("CreateNodegroup", nodegroup_input("c", "ng", json!({"clientRequestToken": "token-2"}))).await;
    api.server.settled().await;
    assert_eq!(api.server.counts()["nodegroups"], 1);

    let update = json!({"name": "c", "deletionProtection": true, "clientRequestToken": "u1"});
    let first = api.ok("UpdateClusterConfig", update.clone()).await;
    api.server.settled().await;
    assert_eq!(api.ok("UpdateClusterConfig", update).await, first, "no complaint that nothing changes");
    // A call that was refused leaves no trace of its token.
    let wrong = cluster_input("e", json!({"clientRequestToken": "token-3", "version": "1.1"}));
    api.refused("CreateCluster", wrong, "InvalidParameterException", "version").await;
    api.ok("CreateCluster", cluster_input("e", json!({"clientRequestToken": "token-3"}))).await;
    api.server.settled().await;
}

#[tokio::test]
async fn calls_at_the_same_time_make_one_thing() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let input = cluster_input("c", json!({"clientRequestToken": "t"}));
    let answers = futures::future::join_all((0..20).map(|_| api.call("CreateCluster", input.clone()))).await;
    assert!(
        answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body),
        "{answers:?}"
    );
    let others = (0..20).map(|number| {
        api.call("CreateCluster", cluster_input("d", json!({"clientRequestToken": format!("u{number}")})))
    });
    let answers = futures::future::join_all(others).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.error == "ResourceInUseException").count(), 19);
    api.server.settled().await;
    assert_eq!(api.server.counts()["clusters"], 2);
    assert_eq!(api.world.calls().iter().filter(|(call, _)| call == "create_cluster").count(), 2);
}

/// A client that is killed in the middle of a call changes nothing about what the call does.
#[tokio::test]
async fn what_was_begun_is_done_without_its_client() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.server.fault(Fault::on("CreateCluster", Effect::Delay { milliseconds: 100 }));
    let input = cluster_input("c", json!({"clientRequestToken": "t"}));
    let soon = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(soon, api.call("CreateCluster", input.clone())).await.is_err());
    api.server.done(1).await;
    api.server.settled().await;
    assert_eq!(api.cluster_view("c").await["status"], "ACTIVE");
    assert_eq!(api.ok("CreateCluster", input).await["cluster"]["name"], "c");
}

#[tokio::test]
async fn tokens_are_forgotten_after_a_day() {
    crate::support::aws::needs_aws!();
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};
    let ahead = Arc::new(AtomicI64::new(0));
    let start: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    let clock = ahead.clone();
    let api = Api::start_with(|options| {
        options.clock =
            Arc::new(move || start + jiff::SignedDuration::from_secs(clock.load(Ordering::SeqCst)));
    })
    .await;
    let input = cluster_input("c", json!({"clientRequestToken": "t"}));
    let made = api.ok("CreateCluster", input.clone()).await;
    assert_eq!(made["cluster"]["createdAt"], 1_795_262_400.0);
    api.server.settled().await;
    ahead.store(24 * 3600, Ordering::SeqCst);
    api.refused("CreateCluster", input, "ResourceInUseException", "already exists").await;
}

#[tokio::test]
async fn calls_go_wrong_on_request() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let create = |name: &str| cluster_input(name, json!({}));
    api.server.fault(Fault::on("CreateCluster", Effect::Throttle).times(2));
    for _ in 0..2 {
        let answer = api.call("CreateCluster", create("c")).await;
        assert_eq!((answer.status, answer.error.as_str()), (429, "ThrottlingException"));
    }
    let denied = Effect::Error { code: "AccessDeniedException".into(), message: "no".into(), status: None };
    api.server.fault(Fault::on("CreateCluster", denied));
    let answer = api.call("CreateCluster", create("c")).await;
    assert_eq!(
        (answer.status, answer.error.as_str(), answer.message()),
        (403, "AccessDeniedException", "no")
    );
    api.server.fault(Fault::on("CreateCluster", Effect::CutBefore));
    assert!(api.try_call("CreateCluster", &create("c")).await.is_none());
    assert_eq!(api.server.counts()["clusters"], 0);
    api.server.clear_faults();
    api.server.fault(Fault::on("CreateCluster", Effect::CutAfter).of("c"));
    api.server.fault(Fault::on("CreateCluster", Effect::Delay { milliseconds: 1 }).of("d"));
    api.ok("CreateCluster", create("d")).await;
    assert!(api.try_call("CreateCluster", &create("c")).await.is_none());
    api.server.settled().await;
    assert_eq!(api.cluster_view("c").await["status"], "ACTIVE");
    // Whoever stalls is left by its client.
    api.server.fault(Fault::on("DeleteCluster", Effect::StallAfter));
    let stalled = api.call("DeleteCluster", json!({"name": "c"}));
    let soon = std::time::Duration::from_millis(200);
    assert!(tokio::time::timeout(soon, stalled).await.is_err());
    api.server.settled().await;
    assert_eq!(api.server.counts()["clusters"], 1);

    let calls = api.server.calls();
    let created: Vec<(u16, Option<&str>)> = calls
        .iter()
        .filter(|call| call.operation == "CreateCluster")
        .map(|call| (call.status, call.error.as_deref()))
        .collect();
    let expected = [
        (429, Some("ThrottlingException")),
        (429, Some("ThrottlingException")),
        (403, Some("AccessDeniedException")),
        (0, None),
        (200, None),
        (0, None),
    ];
    assert_eq!(created, expected);
    assert_eq!(calls[0].input["name"], "c");
    assert_eq!(calls[0].caller, "arn:aws:iam::123456789012:user/local");
    assert_eq!(calls.last().unwrap().operation, "DeleteCluster");
}

#[tokio::test]
async fn other_processes_have_the_switches_too() {
    crate::support::aws::needs_aws!();
    let mut api = Api::start().await;
    let post = async |path: &str, body: Value| {
        api.send("POST", path, None, body.to_string().as_bytes()).await.unwrap().status
    };
    let get = async |path: &str| api.send("GET", path, None, b"").await.unwrap().body;
    let fault = json!({"operation": "CreateCluster", "effect": {"kind": "FailLater", "code": "VpcNotFound"}});
    assert_eq!(post("/_portolan/faults", fault).await, 200);
    assert_eq!(
        post("/_portolan/faults", json!({"operation": "x", "effect": {"kind": "Nonsense"}})).await,
        400
    );
    assert_eq!(get("/_portolan/faults").await.as_array().unwrap().len(), 1);
    assert_eq!(post("/_portolan/hold", json!({})).await, 200);
    api.ok("CreateCluster", cluster_input("c", json!({}))).await;
    assert_eq!(api.cluster_view("c").await["status"], "CREATING");
    assert_eq!(post("/_portolan/release", json!({})).await, 200);
    api.server.settled().await;
    assert_eq!(api.cluster_view("c").await["health"]["issues"][0]["code"], "VpcNotFound");
    let change = json!({"cluster": "c", "kind": "clusters", "members": {"status": "ACTIVE"}});
    assert_eq!(post("/_portolan/change", change).await, 200);
    assert_eq!(api.cluster_view("c").await["status"], "ACTIVE");
    assert_eq!(post("/_portolan/insights", json!({"cluster": "x", "insights": []})).await, 404);
    assert_eq!(post("/_portolan/insights", json!({"cluster": "c", "insights": []})).await, 200);
    assert_eq!(get("/_portolan/counts").await["clusters"], 1);
    assert_eq!(get("/_portolan/calls").await[0]["operation"], "CreateCluster");
    assert_eq!(get("/_portolan/violations").await, json!([]));
    assert_eq!(api.send("DELETE", "/_portolan/faults", None, b"").await.unwrap().status, 200);
    assert_eq!(get("/_portolan/faults").await, json!([]));
    assert_eq!(api.expected_violations(), []);
}
