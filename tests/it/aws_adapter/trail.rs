//! CloudTrail: what was changed at a console is told later, with who and when, and matched to what drifted.

use super::{SECRET, access, call, options};
use crate::k8s_http::server::{Reply, Scripted};
use portolan::aws::AwsClouds;
use portolan::local::Places;
use portolan::local::aws::Moto;
use portolan::model::cloud::Service;
use portolan::model::trail::{Attribute, Change, Lookup};
use portolan::ports::Clouds;
use portolan::provision::resource::{Key, Kind, Live, Owner, Scope, State};
use portolan::provision::trail::{Named, culprit};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const SINCE: &str = "2026-01-01T00:00:00Z";

fn lookup(attribute: Attribute, global: bool) -> Lookup {
    Lookup { attribute, global, since: SINCE.into() }
}

/// An event as LookupEvents tells it; shapes and names as the user guide documents them.
fn event(number: usize, name: &str, identity: Value, request: Value) -> Value {
    let record = json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": format!("2026-11-21T10:{number:02}:00Z"),
        "eventSource": "eks.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.7", "userAgent": "Mozilla/5.0", "requestParameters": request,
        "responseElements": null, "requestID": "r", "eventID": format!("event-{number}"), "readOnly": false,
        "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    });
    json!({
        "EventId": format!("event-{number}"), "EventName": name, "ReadOnly": "false", "EventTime": 1_795_255_200 + number * 60,
        "EventSource": "eks.amazonaws.com", "Username": "ann", "Resources": [], "CloudTrailEvent": record.to_string(),
    })
}

fn user(name: &str) -> Value {
    let arn = format!("arn:aws:iam::111122223333:user/{name}");
    json!({"type": "IAMUser", "principalId": "AIDA1", "arn": arn, "accountId": "111122223333", "userName": name})
}

fn scope() -> Scope {
    Scope {
        cluster: "shop".into(),
        region: "eu-central-1".into(),
        partition: "aws".into(),
        account: "111122223333".into(),
    }
}

#[tokio::test]
async fn recorded_events_name_who_resized_a_group_page_by_page() {
    let resize = |group: &str, size: u32| json!({"clusterName": "shop", "nodegroupName": group, "scalingConfig": {"desiredSize": size}});
    let pages = [
        json!({"Events": [event(9, "UpdateNodegroupConfig", user("bob"), resize("other", 4))], "NextToken": "more"}),
        json!({"Events": [event(5, "UpdateNodegroupConfig", user("ann"), resize("ng-1", 4))]}),
    ];
    let server = Scripted::start(move |request, _| {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        Reply::json(200, &pages[usize::from(asked["NextToken"].is_string())])
    })
    .await;
    let trail = AwsClouds::new(options(&server.url())).trail(&access()).await.unwrap().unwrap();
    let named = Named::of(&scope(), &Key::new(Kind::Nodegroup, "ng-1"), None);
    let asked = named.lookup(SINCE).unwrap();
    let changes = trail.changes(&asked).await.unwrap();
    assert_eq!(changes.len(), 2);
    let found = culprit(&named, "/scalingConfig/desiredSize", &changes).unwrap();
    assert_eq!(
        (found.who.as_str(), found.time.as_str()),
        ("arn:aws:iam::111122223333:user/ann", "2026-11-21T10:05:00Z")
    );
    let request = &server.requests()[0];
    assert!(request.header("x-amz-target").unwrap().ends_with("CloudTrail_20131101.LookupEvents"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body["LookupAttributes"],
        json!([{"AttributeKey": "EventSource", "AttributeValue": "eks.amazonaws.com"}])
    );
    assert!(!format!("{changes:?}").contains(SECRET));
}

#[tokio::test]
async fn the_history_of_a_busy_account_is_read_to_a_limit_and_no_further() {
    let server = Scripted::start(|_, number| {
        let events = json!([event(number % 60, "TagResource", user("ann"), json!({}))]);
        Reply::json(200, &json!({"Events": events, "NextToken": format!("page-{number}")}))
    })
    .await;
    let trail = AwsClouds::new(options(&server.url())).trail(&access()).await.unwrap().unwrap();
    let asked = lookup(Attribute::Source("eks.amazonaws.com".into()), false);
    let changes = trail.changes(&asked).await.unwrap();
    assert!(changes.len() > 1 && changes.len() == server.requests().len(), "{}", changes.len());
    assert!(server.requests().len() < 10, "CloudTrail is asked twice a second at most");
}

#[tokio::test]
async fn what_is_changed_in_the_local_aws_is_told_after_its_lag() {
    crate::support::aws::needs_aws!();
    let places = Places::from_env().unwrap();
    let moto = Moto::start(&places, &mut crate::support::control_plane::progress()).await.unwrap();
    let mut by_somebody = options(moto.endpoint());
    by_somebody.limits.operation = Duration::from_secs(20);
    let clouds = AwsClouds::new(by_somebody);
    let cloud = clouds.open(&access()).await.unwrap();
    let trail = clouds.trail(&access()).await.unwrap().unwrap();
    let done = async |operation: &str, input: Value| {
        cloud.call(&call(Service::Ec2, operation, input)).await.unwrap_or_else(|failure| panic!("{failure}"))
    };
    let vpc = done("CreateVpc", json!({"CidrBlock": "10.4.0.0/16"})).await;
    let input = json!({"GroupName": "nodes", "Description": "d", "VpcId": vpc["vpc"]["vpcId"]});
    let group = done("CreateSecurityGroup", input).await["groupId"].as_str().unwrap().to_owned();
    moto.provider().set_trail_lag(Duration::from_secs(3_600)).await.unwrap();
    let rule =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    done("AuthorizeSecurityGroupIngress", json!({"GroupId": group, "IpPermissions": rule})).await;
    let key = Key::new(Kind::SecurityGroup, "nodes");
    let live = Live {
        key: key.clone(),
        id: group.clone(),
        actual: Value::Null,
        outputs: BTreeMap::new(),
        tags: BTreeMap::new(),
        owner: Owner::Ours,
        state: State::Ready,
    };
    let named = Named::of(&scope(), &key, Some(&live));
    let asked = named.lookup(SINCE).unwrap();
    assert_eq!(trail.changes(&asked).await.unwrap(), [], "it lags");
    moto.provider().set_trail_lag(Duration::ZERO).await.unwrap();
    let changes = trail.changes(&asked).await.unwrap();
    let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
    assert_eq!(
        names,
        ["AuthorizeSecurityGroupIngress", "CreateSecurityGroup"],
        "the newest first, reads left out"
    );
    // Both are calls of our own adapter, which says so; as if somebody else had made them.
    assert_eq!(culprit(&named, "/IpPermissions", &changes), None, "we are not the culprit");
    let others: Vec<Change> =
        changes.into_iter().map(|change| Change { agent: "console".into(), ..change }).collect();
    assert_eq!(culprit(&named, "/IpPermissions", &others).unwrap().name, "AuthorizeSecurityGroupIngress");
    assert!(trail.changes(&lookup(Attribute::Resource("sg-none".into()), false)).await.unwrap().is_empty());
    assert!(
        trail.changes(&lookup(Attribute::Source("iam.amazonaws.com".into()), true)).await.unwrap().is_empty()
    );
    moto.stop().await;
}
