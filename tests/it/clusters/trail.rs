//! Who made a drift is filled in later by the daemon: the audit log tells it minutes after the drift was found.

use super::aws_scene::AwsScene;
use super::export::by_hand;
use super::fake_kinds::shop;
use super::keeping::until;
use super::scene::{Scene, settle};
use jiff::{SignedDuration, Timestamp};
use portolan::engine::clusters::keep::keep;
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{Kept, PassEnd};
use portolan::host::SystemClock;
use portolan::local::aws::eks::Delays;
use portolan::model::application::DriftPolicy;
use portolan::model::event::{FieldDrift, What};
use portolan::model::trail::{Attribute, Change};
use portolan::model::{Interval, SyncStatus};
use portolan::ports::{Clock, DriftedField};
use portolan::provision::resource::{Key, Kind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

const ANN: &str = "arn:aws:sts::123456789012:assumed-role/admin/ann";
/// How long CloudTrail takes.
const LAG: Duration = Duration::from_secs(7 * 60);

/// The wall clock of tokio's time, which the test lets pass.
struct Passing(Instant);

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).unwrap();
        "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap().checked_add(passed).unwrap()
    }
}

/// As CloudTrail recorded it.
fn recorded(id: &str, name: &str, who: &str, agent: &str, request: Value) -> Change {
    let record = json!({
        "id": id, "name": name, "source": "eks.amazonaws.com", "time": "2026-11-21T09:58:00Z", "who": who, "agent": agent,
        "request": request, "response": null,
    });
    serde_json::from_value(record).unwrap()
}

fn resized(id: &str, who: &str, agent: &str, group: &str) -> Change {
    let request = json!({"clusterName": "shop", "nodegroupName": group, "size": 9});
    recorded(id, "UpdateNodegroupConfig", who, agent, request)
}

/// What the account's log has in the end: the change, and others that are not it.
fn log() -> Vec<Change> {
    let console = "Mozilla/5.0";
    let mut refused = resized("4", "arn:aws:iam::123456789012:user/eve", console, "blue");
    refused.error = Some("AccessDenied".into());
    vec![
        resized("1", "arn:aws:iam::123456789012:user/bob", console, "green"),
        resized("2", ANN, console, "blue"),
        resized("3", "arn:aws:iam::123456789012:role/portolan", "portolan/0.1.0", "blue"),
        refused,
    ]
}

/// A daemon that keeps a cluster, and looks at it again after a month.
async fn daemon(policy: DriftPolicy) -> (Scene, Arc<Kept>, watch::Sender<bool>) {
    let mut scene = Scene::new();
    scene.clock = Arc::new(Passing(Instant::now()));
    scene.policy.drift = policy;
    scene.policy.schedule = portolan::schedule::Schedule::every(Interval::from_secs(30 * 24 * 3600)).ok();
    let kept = scene.start(&shop("1.35", 2)).await;
    settle(&kept).await;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(keep(kept.clone(), stopped));
    until(&kept, "cluster", |kept| kept.record().sync == SyncStatus::Synced).await;
    (scene, kept, stop)
}

/// Somebody scales a group at the console, and the log tells it after its lag.
async fn scale(scene: &Scene, kept: &Kept) {
    scene.cloud.edit("Nodegroup", |thing| {
        if thing.name == "blue" {
            thing.fields["size"] = json!(9);
        }
    });
    kept.look_again();
    let cloud = scene.cloud.clone();
    tokio::spawn(async move {
        tokio::time::sleep(LAG).await;
        cloud.state().log = log();
    });
}

fn traced(scene: &Scene) -> Vec<(String, Vec<FieldDrift>)> {
    let events = scene.events().into_iter();
    events
        .filter_map(|event| match event {
            What::ResourceTraced { resource, fields } => Some((resource, fields)),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_reported_drift_is_given_its_author_when_the_log_tells() {
    let (scene, kept, _stop) = daemon(DriftPolicy::Report).await;
    let passes = |scene: &Scene| scene.cloud.state().calls.iter().filter(|call| *call == "ListVpc").count();
    scale(&scene, &kept).await;
    until(&kept, "drift", |kept| !kept.record().drift.is_empty()).await;
    assert_eq!(kept.record().drift[0].by, None, "it is told without waiting for the log");
    let before = passes(&scene);
    tokio::time::sleep(Duration::from_secs(3600)).await;

    let drift = &kept.record().drift[0];
    assert_eq!(
        (drift.resource.as_str(), drift.field.as_str(), drift.by.as_deref(), drift.at.as_deref()),
        ("Nodegroup/blue", "/size", Some(ANN), Some("2026-11-21T09:58:00Z"))
    );
    assert_eq!(scene.record().await.unwrap().drift[0].by.as_deref(), Some(ANN), "and it is stored");
    let told = traced(&scene);
    assert_eq!(told.len(), 1, "once: {told:?}");
    assert_eq!(told[0].1[0].manager.as_deref(), Some(ANN));
    assert_eq!(passes(&scene), before, "no pass was made for it");
    let asked = scene.cloud.state().asked.clone();
    assert_eq!(asked.len(), 3, "after 1, 4 and 10 minutes, and no more: {asked:?}");
    assert!(asked.iter().all(|lookup| lookup.attribute == Attribute::Source("eks.amazonaws.com".into())));
}

#[tokio::test(start_paused = true)]
async fn a_drift_that_was_mended_at_once_is_given_its_author_too() {
    let (scene, kept, _stop) = daemon(DriftPolicy::Correct).await;
    scale(&scene, &kept).await;
    until(&kept, "mend", |_| scene.cloud.state().calls.iter().any(|call| call == "UpdateNodegroup")).await;
    until(&kept, "rest", |kept| kept.record().sync == SyncStatus::Synced).await;
    assert_eq!(traced(&scene), []);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let told = traced(&scene);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].0.as_str(), told[0].1[0].manager.as_deref()), ("Nodegroup/blue", Some(ANN)));
    assert_eq!(kept.record().drift, []);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_never_tells_is_not_asked_for_ever() {
    let (scene, kept, _stop) = daemon(DriftPolicy::Report).await;
    scene.cloud.edit("Nodegroup", |thing| thing.fields["size"] = json!(9));
    kept.look_again();
    until(&kept, "drift", |kept| !kept.record().drift.is_empty()).await;
    tokio::time::sleep(Duration::from_secs(10 * 3600)).await;
    assert_eq!(scene.cloud.state().asked.len(), 5);
    assert_eq!(kept.record().drift[0].by, None);
}

/// The machine's clock, set forward by so many seconds.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(SignedDuration::from_secs(self.0.load(Ordering::SeqCst))).unwrap()
    }
}

const SMALL: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35"}
availabilityZones: [eu-central-1a, eu-central-1b]
"#;

/// From a stranger's call to the name in the record, through the adapter, with the local AWS's own history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_in_the_local_aws_is_named_once_its_history_tells() {
    crate::support::aws::needs_aws!();
    let clock = Arc::new(Ahead::default());
    let mut scene = AwsScene::start(Delays::default()).await;
    scene.policy.drift = DriftPolicy::Report;
    scene.clock = clock.clone();
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(SMALL, json!({"name": "shop", "region": "eu-central-1"})));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
    let group = Key::new(Kind::SecurityGroup, "shared-node");
    let id = kept.snapshot().unwrap().live[&group].id.clone();
    let hour = Duration::from_secs(3_600);
    scene.moto.provider().set_trail_lag(hour).await.unwrap();
    let open = format!(
        "import boto3\nboto3.client('ec2').authorize_security_group_ingress(GroupId='{id}', IpPermissions=[{{'IpProtocol': \
         'tcp', 'FromPort': 22, 'ToPort': 22, 'IpRanges': [{{'CidrIp': '0.0.0.0/0'}}]}}])\n"
    );
    by_hand(&scene, &open).await;
    let look = async |later: i64| -> DriftedField {
        clock.0.fetch_add(later, Ordering::SeqCst);
        assert_eq!(pass(&kept).await, PassEnd::Done, "{}", kept.record().message);
        let drift = kept.record().drift;
        let [one] = drift.as_slice() else { panic!("{drift:?}") };
        assert_eq!(one.resource, group.to_string());
        one.clone()
    };
    assert_eq!(look(0).await.by, None, "it is told at once, without its author");
    assert_eq!(look(61).await.by, None, "the history lags");
    scene.moto.provider().set_trail_lag(Duration::ZERO).await.unwrap();
    let named = look(200).await;
    assert_eq!(named.by.as_deref(), Some("arn:aws:iam::123456789012:root"), "{named:?}");
    assert!(named.at.is_some());
    let told = scene.told.events.lock().unwrap().clone();
    let traced = told.iter().filter(|event| matches!(event, What::ResourceTraced { .. })).count();
    assert_eq!(traced, 1);
    scene.check();
}
