//! The observer's three points, and that nothing shows a secret.

use super::{SECRET, SESSION, access, call, form, options};
use crate::k8s_http::server::{Reply, Scripted};
use async_trait::async_trait;
use portolan::aws::AwsClouds;
use portolan::model::cloud::{Call, Service};
use portolan::ports::{CallObserver, CloudFailure, CloudFailureKind as Kind, Clouds as _};
use serde_json::json;
use std::sync::{Arc, Mutex};

const VPC: &str = "<CreateVpcResponse><vpc><vpcId>vpc-1</vpcId></vpc></CreateVpcResponse>";

/// Writes down what it sees, and loses the first request or answer where it is told to.
#[derive(Default)]
struct Witness {
    seen: Mutex<Vec<String>>,
    lose: Mutex<Option<(&'static str, CloudFailure)>>,
}

impl Witness {
    fn see(&self, point: &str, call: &Call, failure: Option<&CloudFailure>) -> Option<CloudFailure> {
        let told = failure.map(|failure| format!(" {}", failure.code)).unwrap_or_default();
        self.seen.lock().unwrap().push(format!("{point} {call}{told}"));
        self.lose.lock().unwrap().take_if(|(at, _)| *at == point).map(|(_, failure)| failure)
    }
}

#[async_trait]
impl CallObserver for Witness {
    async fn before(&self, call: &Call) -> Option<CloudFailure> {
        self.see("before", call, None)
    }

    async fn after(&self, call: &Call, failure: Option<&CloudFailure>) -> Option<CloudFailure> {
        self.see("after", call, failure)
    }

    async fn answered(&self, call: &Call, failure: Option<&CloudFailure>) {
        self.see("answered", call, failure);
    }
}

fn lost(kind: Kind) -> CloudFailure {
    CloudFailure {
        kind,
        code: "Lost".into(),
        message: "by the test".into(),
        call: String::new(),
        service: None,
    }
}

#[tokio::test]
async fn a_call_can_be_lost_before_it_after_its_effect_and_after_its_answer() {
    let create = call(Service::Ec2, "CreateVpc", json!({"CidrBlock": "10.0.0.0/16"}));
    for (lose, arrived, seen, succeeds) in [
        (None, 1, vec!["before", "after", "answered"], true),
        (Some(("before", lost(Kind::Denied))), 0, vec!["before", "answered Lost"], false),
        (Some(("after", lost(Kind::Unanswered))), 1, vec!["before", "after", "answered Lost"], false),
        // As if the service had said so: tried again.
        (Some(("before", lost(Kind::Throttled))), 1, vec!["before", "before", "after", "answered"], true),
        (
            Some(("after", lost(Kind::Throttled))),
            2,
            vec!["before", "after", "before", "after", "answered"],
            true,
        ),
    ] {
        let server = Scripted::start(|_, _| Reply::text(200, VPC)).await;
        let witness = Arc::new(Witness { lose: Mutex::new(lose), ..Witness::default() });
        let mut options = options(&server.url());
        options.observer = Some(witness.clone());
        let cloud = AwsClouds::new(options).open(&access()).await.unwrap();
        assert_eq!(cloud.call(&create).await.is_ok(), succeeds);
        assert_eq!(server.requests().len(), arrived);
        let expected: Vec<_> = seen
            .iter()
            .map(|point| match point.split_once(' ') {
                Some((point, code)) => format!("{point} ec2:CreateVpc {code}"),
                None => format!("{point} ec2:CreateVpc"),
            })
            .collect();
        assert_eq!(*witness.seen.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn no_secret_is_shown() {
    let server = Scripted::start(|_, _| {
        Reply::text(403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
    })
    .await;
    let options = options(&server.url());
    let mut shown = format!("{options:?}");
    let clouds = AwsClouds::new(options);
    let cloud = clouds.open(&access()).await.unwrap();
    shown += &format!("{clouds:?}");
    let document = "document with a word: hunter2";
    for (operation, input) in [
        ("PutRolePolicy", json!({"RoleName": "a", "PolicyName": "b", "PolicyDocument": document})),
        ("PutRolePolicy", json!({"RoleName": "a", "PolicyName": "b", "PolicyDocument": {"word": "hunter2"}})),
    ] {
        let failure = cloud.call(&call(Service::Iam, operation, input)).await.unwrap_err();
        shown += &format!("{failure} {failure:?}");
    }
    shown += &format!(
        "{:?}",
        cloud.call(&call(Service::Eks, "CreateAddon", json!({"configurationValues": ["hunter2"]}))).await
    );
    for secret in [SECRET, SESSION, "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let sent = server.requests().remove(0);
    assert!(form(&sent.body).contains(&("PolicyDocument".into(), document.into())));
}
