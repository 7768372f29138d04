//! The faults of [`super::faults`] at what people ask for: a plan that is held, approved through the store in the cluster,
//! executed once, and answered.

use super::faults::{Breaker, Point, Process, points_at, run};
use super::seen::held;
use crate::support::control_plane::{control_plane, kubectl};
use crate::support::daemon::{Daemon, LIMIT, application, config_map};
use portolan::ports::StateStore;
use portolan::ports::state::{Approval, UserRequest};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Waits until the plan is held, through a kill; its digest.
async fn until_held(process: Process, breaker: &Breaker) -> (Process, String) {
    tokio::select! {
        (digest, _) = held(process.daemon(), "a") => return (process, digest),
        () = breaker.killed.notified() => {}
    }
    let process = Process::start(process.kill().await).await;
    let (digest, _) = held(process.daemon(), "a").await;
    (process, digest)
}

/// Waits until the commit is applied, through a kill.
async fn until_settled(process: Process, breaker: &Breaker, commit: &str) -> Process {
    tokio::select! {
        _ = process.daemon().settled("a", commit) => return process,
        () = breaker.killed.notified() => {}
    }
    let process = Process::start(process.kill().await).await;
    process.daemon().settled("a", commit).await;
    process
}

/// Waits for the answer to a request, through a kill.
async fn until_answered(process: Process, breaker: &Breaker, store: &dyn StateStore, key: &str) -> Process {
    tokio::select! {
        answer = store.await_answer(key, LIMIT) => {
            assert!(answer.unwrap().is_some(), "whoever approved is not answered; {:?}", breaker.point);
            return process;
        }
        () = breaker.killed.notified() => {}
    }
    let process = Process::start(process.kill().await).await;
    let answer = store.await_answer(key, LIMIT).await.unwrap();
    assert!(answer.is_some(), "whoever approved is not answered; {:?}", breaker.point);
    process
}

/// All of an application but one object goes, when a person says so; with one fault somewhere. Gives what was seen.
async fn scenario(point: Option<Point>) -> Arc<Breaker> {
    let breaker = Breaker::new(point);
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "sync: {pruneGuard: {maxObjects: 1}}")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/two.yaml", &config_map("two", "k: v")),
        ("apps/a/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    breaker.names.set([daemon.namespace.clone(), daemon.instance.clone()]).unwrap();
    daemon.observer = Some(breaker.clone());
    daemon.settings = json!({"state": {"namespace": daemon.namespace}});
    // The command line's own connection: its requests are not the daemon's.
    let store: Arc<dyn StateStore> = daemon.store().await;
    let mut process = Process::start(daemon).await;
    process.daemon().settled("a", "").await;

    breaker.step.store(2, Ordering::SeqCst);
    let commit = process.daemon().commit(&[("apps/a/two.yaml", ""), ("apps/a/three.yaml", "")]);
    let (held, digest) = until_held(process, &breaker).await;
    let approval =
        Approval { application: "a".into(), destination: "local".into(), digest, by: "test".into() };
    let key = store.ask(&UserRequest::Approve(approval)).await.unwrap();
    process = until_settled(held, &breaker, &commit).await;
    process = until_answered(process, &breaker, store.as_ref(), &key).await;
    // Whatever the fault left undone, one clean pass does.
    if breaker.fired.load(Ordering::SeqCst) {
        process = Process::start(process.kill().await).await;
        process.daemon().settled("a", &commit).await;
    }
    let names = process
        .daemon()
        .kubectl(&["get", "configmaps", "-l", "portolan.dev/application", "-o", "name"])
        .await;
    assert_eq!(names.trim(), "configmap/one", "{:?}", breaker.point);
    let created = breaker.created.lock().unwrap().clone();
    let once = |object: &str| created.get(object) == Some(&1);
    let objects = ["configmaps/one", "configmaps/two", "configmaps/three"];
    assert!(objects.into_iter().all(once), "{:?}: {created:#?}", breaker.point);
    let deleted: BTreeMap<String, usize> = breaker.deleted.lock().unwrap().clone();
    let may_go = |object: &String| {
        object.starts_with("configmaps/portolan-request-") || objects[1..].contains(&object.as_str())
    };
    assert!(deleted.keys().all(may_go), "{:?}: {deleted:#?}", breaker.point);
    process.kill().await;
    breaker
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_carried_out_and_answered_through_a_fault_or_a_kill_at_every_api_call() {
    let begun = Instant::now();
    let _ = kubectl(&*control_plane().await, &["create", "namespace", "portolan-system"]).await;
    let clean = scenario(None).await;
    // What comes before the approval is the other scenario's.
    let mut sites = clean.sites.lock().unwrap().clone();
    sites.retain(|site| site.starts_with("2 "));
    let points = points_at(&sites);
    let number = points.len();
    let (wrong, missed) = run(points, scenario).await;
    eprintln!(
        "faults: {} call sites, {number} points ({missed} not reached) in {:?}\n{}",
        sites.len(),
        begun.elapsed(),
        sites.join("\n")
    );
    assert!(wrong.is_empty(), "{} of {number} points: {wrong:#?}", wrong.len());
    assert!(missed * 5 < number, "{missed} of {number} points were not reached");
}
