//! A fault and a kill at every distinct call of the whole life of a cluster, with the drivers and the adapter as they are:
//! before the call, after its effect without an answer, and after the answer before it is stored.

use super::aws::SHOP;
use super::aws_scene::AwsScene;
use async_trait::async_trait;
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{PassEnd, Wanted};
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::Call;
use portolan::ports::{CallObserver, CloudFailure, CloudFailureKind, StateStore};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    DiesBefore,
    DiesAfterEffect,
    DiesAfterAnswer,
    FailsBefore,
    LosesAnswer,
}

const POINTS: [Point; 5] = [
    Point::DiesBefore,
    Point::DiesAfterEffect,
    Point::DiesAfterAnswer,
    Point::FailsBefore,
    Point::LosesAnswer,
];

/// Makes one call go wrong, and writes down which there were.
#[derive(Default)]
struct Saboteur {
    /// The call (`eks:CreateNodegroup`), and where.
    plan: Mutex<Option<(String, Point)>>,
    dead: AtomicBool,
    calls: Mutex<Vec<String>>,
}

impl Saboteur {
    fn hits(&self, call: &Call, points: &[Point]) -> Option<Point> {
        let mut plan = self.plan.lock().unwrap();
        let (name, point) = plan.as_ref()?;
        if *name != call.to_string() || !points.contains(point) {
            return None;
        }
        let point = *point;
        *plan = None;
        Some(point)
    }

    async fn die(&self) -> ! {
        self.dead.store(true, Ordering::SeqCst);
        loop {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    }
}

fn unanswered(call: &Call) -> CloudFailure {
    CloudFailure {
        kind: CloudFailureKind::Unanswered,
        code: "Sabotage".into(),
        message: "no answer".into(),
        call: call.to_string(),
        service: Some(call.service),
    }
}

#[async_trait]
impl CallObserver for Saboteur {
    async fn before(&self, call: &Call) -> Option<CloudFailure> {
        if self.dead.load(Ordering::SeqCst) {
            self.die().await;
        }
        self.calls.lock().unwrap().push(call.to_string());
        match self.hits(call, &[Point::DiesBefore, Point::FailsBefore]) {
            Some(Point::DiesBefore) => self.die().await,
            Some(_) => Some(unanswered(call)),
            None => None,
        }
    }

    async fn after(&self, call: &Call, _failure: Option<&CloudFailure>) -> Option<CloudFailure> {
        match self.hits(call, &[Point::DiesAfterEffect, Point::LosesAnswer]) {
            Some(Point::DiesAfterEffect) => self.die().await,
            Some(_) => Some(unanswered(call)),
            None => None,
        }
    }

    async fn answered(&self, call: &Call, _failure: Option<&CloudFailure>) {
        if self.hits(call, &[Point::DiesAfterAnswer]).is_some() {
            self.dead.store(true, Ordering::SeqCst);
        }
    }
}

/// Runs daemons until one is through.
async fn survive(scene: &AwsScene, saboteur: &Saboteur, removed: bool) -> PassEnd {
    for _ in 0..3 {
        saboteur.dead.store(false, Ordering::SeqCst);
        let kept = scene.daemon().await;
        let wanted = scene.wanted(SHOP, json!({"name": "shop", "region": "eu-central-1"}));
        kept.supersede(Wanted { removed, ..wanted });
        let alive = async {
            for _ in 0..400 {
                match pass(&kept).await {
                    end @ (PassEnd::Done | PassEnd::Finished) => return end,
                    PassEnd::Waits(_) | PassEnd::Retry => tokio::time::sleep(Duration::from_millis(10)).await,
                    _ => {}
                }
            }
            let record = kept.record();
            panic!("no end: {} {:#?}\n{}", record.message, record.problems, scene.moto.last_words());
        };
        let died = async {
            while !saboteur.dead.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            biased;
            () = died => {}
            end = alive => return end,
        }
    }
    panic!("it dies again and again")
}

/// One life: made, and taken away. What goes wrong goes wrong in one of them.
async fn live(sabotage: Option<(&str, Point)>) -> (Vec<String>, BTreeMap<String, usize>) {
    let mut scene = AwsScene::start(Delays::default()).await;
    let before = scene.counts().await;
    let saboteur = Arc::new(Saboteur::default());
    scene.observer = Some(saboteur.clone());
    *saboteur.plan.lock().unwrap() = sabotage.map(|(call, point)| (call.to_owned(), point));
    assert_eq!(survive(&scene, &saboteur, false).await, PassEnd::Done, "{sabotage:?}");
    let there = scene.counts().await;
    // Whoever dies here is started again, and the deletion is approved.
    let end = survive(&scene, &saboteur, true).await;
    if end == PassEnd::Done {
        let record = scene.store.clusters().await.unwrap().remove("shop").unwrap();
        let digest = record.waiting.unwrap_or_else(|| panic!("{sabotage:?}: {}", record.message)).digest;
        scene.approve_digest(&digest).await;
        assert_eq!(survive(&scene, &saboteur, true).await, PassEnd::Finished, "{sabotage:?}");
    }
    assert_eq!(scene.counts().await, before, "{sabotage:?}: something is left");
    scene.check();
    let calls = saboteur.calls.lock().unwrap().clone();
    (calls, there)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_or_a_kill_at_every_distinct_call_ends_in_one_cluster_and_leaves_nothing() {
    crate::support::aws::needs_aws!();
    let begun = Instant::now();
    let (calls, whole) = live(None).await;
    let mut sites: Vec<String> = Vec::new();
    for call in calls {
        let reads = ["Describe", "List", "Get"];
        let operation = call.split(':').nth(1).unwrap_or_default();
        if !reads.iter().any(|read| operation.starts_with(read)) && !sites.contains(&call) {
            sites.push(call);
        }
    }
    println!("{} sites, one life takes {:?}", sites.len(), begun.elapsed());
    // Each life takes seconds: all of them on request, else each site at one point, every point at some site.
    let all = std::env::var_os("PORTOLAN_TEST_ALL_FAULTS").is_some();
    let mut runs = 0;
    for (number, site) in sites.iter().enumerate() {
        for (at, point) in POINTS.into_iter().enumerate() {
            if all || at == number % POINTS.len() {
                let (_, there) = live(Some((site, point))).await;
                assert_eq!(there, whole, "{site} {point:?}");
                runs += 1;
            }
        }
    }
    println!("{runs} lives, {:?}", begun.elapsed());
}
