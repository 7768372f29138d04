//! Faults and kills over the whole life of a cluster, with the drivers and the adapter as they are: whatever goes wrong,
//! what follows ends in one cluster, with nothing twice, and leaves nothing.

use super::aws_scene::{AwsScene, access, clouds};
use super::console;
use super::lives::{self, Life};
use super::sabotage::{POINTS, Sabotage, Saboteur, Store, writes};
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{PassEnd, Wanted};
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::{Call, Service};
use portolan::ports::{Clouds as _, StateStore};
use portolan::provision::resource::Snapshot;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Points of one life in which calls go wrong at random.
const AT_ONCE: usize = 20;
/// Passes of one daemon, at most.
const MOST_PASSES: usize = 400;
/// So many passes without a write, and nothing more comes: node groups are replaced step by step meanwhile.
const QUIET: usize = 25;

/// How many there are of each kind of resource.
type Counts = BTreeMap<String, usize>;

/// The local AWS through many lives of one kind.
struct Lives {
    scene: AwsScene,
    saboteur: Arc<Saboteur>,
    life: Life,
    /// What there is in the beginning, and what there is after each commit.
    before: Counts,
    whole: Vec<Counts>,
    /// The sites of the calls of a life in which nothing goes wrong.
    calls: Vec<String>,
    /// Passes so far.
    passes: AtomicUsize,
    /// How the passes of this life ended, and what was said then.
    story: Mutex<Vec<String>>,
    /// What the last pass saw that left nothing to do.
    seen: Mutex<Snapshot>,
}

impl Lives {
    async fn start(life: Life) -> Self {
        let begun = Instant::now();
        let mut scene = AwsScene::start(Delays::default()).await;
        let before = scene.counts().await;
        let saboteur = Arc::new(Saboteur::default());
        scene.observer = Some(saboteur.clone());
        *scene.api.observer.lock().unwrap() = Some(saboteur.clone());
        scene.memory = Some(Arc::new(Store { folder: scene.store.clone(), saboteur: saboteur.clone() }));
        let mut lives = Self {
            scene,
            saboteur,
            life,
            before,
            whole: Vec::new(),
            calls: Vec::new(),
            passes: AtomicUsize::new(0),
            story: Mutex::default(),
            seen: Mutex::default(),
        };
        lives.whole = lives.live(&Sabotage::default()).await;
        lives.calls = lives.saboteur.calls();
        lives.sites(true).iter().for_each(|call| crate::deploy_aws::may(crate::deploy_aws::KEEPING, call));
        println!(
            "{}: without faults {} calls in {} passes, {} sites, {:?}",
            life.name,
            lives.calls.len(),
            lives.passes.load(Ordering::Relaxed),
            lives.sites(true).len(),
            begun.elapsed()
        );
        lives
    }

    /// Distinct calls, in the order of their first time; those that only read on request.
    fn sites(&self, reads: bool) -> Vec<String> {
        let mut sites: Vec<String> = Vec::new();
        for call in &self.calls {
            if (reads || writes(call)) && !sites.contains(call) {
                sites.push(call.clone());
            }
        }
        sites
    }

    /// One life: made, changed, and taken away. What goes wrong goes wrong in it. Returns what there was in between.
    async fn live(&self, sabotage: &Sabotage) -> Vec<Counts> {
        let scene = &self.scene;
        self.saboteur.begin(sabotage.clone());
        let mut there = Vec::new();
        let texts = self.life.texts();
        for (nth, text) in texts.iter().enumerate() {
            if self.life.edited && nth > 0 && nth + 1 == texts.len() {
                self.edit().await;
            }
            if self.survive(text, false, sabotage).await == PassEnd::Done
                && let Some(digest) = self.waiting().await
            {
                scene.approve_digest(&digest).await;
                self.survive(text, false, sabotage).await;
            }
            assert_eq!(self.waiting().await, None, "{sabotage:?}: a second approval\n{}", self.told());
            there.push(scene.counts().await);
        }
        // Whoever dies here is started again, and the deletion is approved, once.
        let last = texts.last().unwrap();
        if self.survive(last, true, sabotage).await == PassEnd::Done {
            let digest = self.waiting().await.expect("a deletion that waits");
            scene.approve_digest(&digest).await;
            let end = self.survive(last, true, sabotage).await;
            assert_eq!(end, PassEnd::Finished, "{sabotage:?}\n{}", self.told());
        }
        assert_eq!(scene.counts().await, self.before, "{sabotage:?}: something is left\n{}", self.told());
        // EKS leaves the logs of a cluster that is gone. Somebody has them kept shortly, for the next one to change again.
        let group = json!({"logGroupName": "/aws/eks/shop/cluster", "retentionInDays": 1});
        if self.saboteur.calls().iter().any(|call| call == "logs:PutRetentionPolicy") {
            let clouds = clouds(scene.moto.endpoint(), Some(scene.eks.endpoint()), None);
            let shorter = Call::new(Service::Logs, "PutRetentionPolicy", group);
            clouds.open(&access()).await.unwrap().call(&shorter).await.unwrap();
        }
        scene.store.save_cluster("shop", None).await.unwrap();
        scene.check();
        let story = std::mem::take(&mut *self.story.lock().unwrap());
        if std::env::var_os("PORTOLAN_TEST_STORY").is_some() {
            println!("{}", story.join("\n"));
        }
        there
    }

    /// Somebody at the console changes whatever can be changed there, past the saboteur.
    async fn edit(&self) {
        let clouds = clouds(self.scene.moto.endpoint(), Some(self.scene.eks.endpoint()), None);
        let cloud = clouds.open(&access()).await.unwrap();
        let seen = self.seen.lock().unwrap().clone();
        for call in console::edits(&seen) {
            // EKS changes one thing of a cluster or node group after the other.
            let begun = Instant::now();
            while let Err(failure) = cloud.call(&call).await {
                assert!(begun.elapsed() < Duration::from_secs(60), "{call} {}: {failure}", call.input);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// The digest of what waits for a person.
    async fn waiting(&self) -> Option<String> {
        let record = self.scene.store.clusters().await.unwrap().remove("shop")?;
        record.waiting.map(|waiting| waiting.digest)
    }

    fn tell(&self, words: String) {
        self.passes.fetch_add(1, Ordering::Relaxed);
        let mut story = self.story.lock().unwrap();
        if story.last() != Some(&words) {
            story.push(words);
        }
    }

    /// How the last passes ended.
    fn told(&self) -> String {
        let story = self.story.lock().unwrap();
        story[story.len().saturating_sub(40)..].join("\n")
    }

    /// Runs daemons until one is through.
    async fn survive(&self, text: &str, removed: bool, sabotage: &Sabotage) -> PassEnd {
        for _ in 0..sabotage.len() + 2 {
            self.saboteur.revive();
            let kept = self.scene.daemon().await;
            let wanted = self.scene.wanted(text, json!({"name": "shop", "region": "eu-central-1"}));
            kept.supersede(Wanted { removed, ..wanted });
            let alive = async {
                let (mut written, mut quiet) = (0, 0);
                for _ in 0..MOST_PASSES {
                    let end = pass(&kept).await;
                    let record = kept.record();
                    self.tell(format!("{end:?} under way {:?}: {}", record.under_way, record.message));
                    let now = self.saboteur.writes();
                    quiet = if now == written { quiet + 1 } else { 0 };
                    written = now;
                    match end {
                        end @ (PassEnd::Done | PassEnd::Finished) => {
                            *self.seen.lock().unwrap() = kept.snapshot().unwrap_or_default();
                            return end;
                        }
                        // Nothing moves any longer without an approval.
                        PassEnd::Waits(_) if record.waiting.is_some() && quiet > QUIET => {
                            return PassEnd::Done;
                        }
                        PassEnd::Waits(_) | PassEnd::Retry => {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        _ => {}
                    }
                }
                let (record, words) = (kept.record(), self.scene.moto.last_words());
                let last: Vec<String> =
                    self.saboteur.calls().into_iter().rev().filter(|call| writes(call)).take(20).collect();
                panic!("no end: {sabotage:?} {record:#?}\nlast writes: {last:#?}\n{}\n{words}", self.told());
            };
            tokio::select! {
                biased;
                () = self.saboteur.dies() => self.tell("died".into()),
                end = alive => return end,
            }
        }
        panic!("it dies again and again: {sabotage:?}")
    }
}

/// What `PORTOLAN_TEST_ALL_FAULTS` asks for: nothing, every site at every point, or a life for each of them as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Some,
    All,
    Each,
}

impl Wish {
    fn of_environment() -> Self {
        match std::env::var("PORTOLAN_TEST_ALL_FAULTS").as_deref() {
            Err(_) | Ok("") => Self::Some,
            Ok("each") => Self::Each,
            Ok(_) => Self::All,
        }
    }
}

/// Every life, or the one that `PORTOLAN_TEST_LIFE` names.
fn wanted() -> Vec<Life> {
    let Ok(name) = std::env::var("PORTOLAN_TEST_LIFE") else { return lives::ALL.to_vec() };
    let found: Vec<Life> = lives::ALL.into_iter().filter(|life| life.name == name).collect();
    assert_eq!(found.len(), 1, "PORTOLAN_TEST_LIFE={name} is none of {:?}", lives::ALL.map(|life| life.name));
    found
}

#[test]
fn every_life_is_of_clusters_that_can_be_read() {
    for life in lives::ALL {
        life.texts().iter().for_each(|text| drop(super::aws_scene::config(text)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_or_a_kill_at_every_distinct_call_ends_in_one_cluster_and_leaves_nothing() {
    crate::support::aws::needs_aws!();
    let wish = Wish::of_environment();
    let all = if wish == Wish::Some { vec![lives::SHORT] } else { wanted() };
    let begun = Instant::now();
    let (mut runs, mut met) = (0, 0);
    let mut known: BTreeSet<String> = BTreeSet::new();
    for life in all {
        let lives = Lives::start(life).await;
        let sites = lives.sites(wish != Wish::Some);
        println!("  {}", sites.join("\n  "));
        // All sites go wrong in one life, each at another point: what follows heals what the kill before it left. On request
        // as many lives as there are points, so that every site goes wrong at every point.
        for first in 0..if wish == Wish::Some { 1 } else { POINTS.len() } {
            let of_site =
                |(nth, site): (usize, &String)| (site.clone(), POINTS[(nth + first) % POINTS.len()]);
            let sabotage =
                Sabotage { sites: sites.iter().enumerate().map(of_site).collect(), ..Sabotage::default() };
            assert_eq!(lives.live(&sabotage).await, lives.whole, "{sabotage:?}");
            let left = lives.saboteur.left();
            assert_eq!(left.len(), 0, "{left:?} were never called");
            (runs, met) = (runs + 1, met + sites.len());
            println!("{}: all sites at once: {runs} lives, {met} points, {:?}", life.name, begun.elapsed());
        }
        if wish != Wish::Each {
            continue;
        }
        // The same with a life for each, which tells which one it was; of what no life before had.
        for site in lives.sites(false).into_iter().filter(|site| known.insert(site.clone())) {
            for point in POINTS {
                let sabotage = Sabotage { sites: [(site.clone(), point)].into(), ..Sabotage::default() };
                assert_eq!(lives.live(&sabotage).await, lives.whole, "{site} {point:?}");
                (runs, met) = (runs + 1, met + 1);
            }
            println!(
                "{}: {site} in lives of its own: {runs} lives, {met} points, {:?}",
                life.name,
                begun.elapsed()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_and_kills_at_random_calls_end_in_one_cluster_and_leave_nothing() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
    };
    let points = usize::try_from(number("PORTOLAN_TEST_POINTS", 0)).unwrap();
    if points == 0 {
        println!("not run: PORTOLAN_TEST_POINTS says at how many calls something goes wrong, 200 in full");
        return;
    }
    let mut seed = number("PORTOLAN_TEST_SEED", 4);
    println!("{points} points, PORTOLAN_TEST_SEED={seed}");
    // Numbers as Knuth's MMIX makes them: the same seed, the same points.
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let begun = Instant::now();
    // By turns each kind of life.
    let mut all = Vec::new();
    for life in wanted() {
        all.push(Lives::start(life).await);
    }
    let (mut met, mut runs) = (0, 0);
    while met < points {
        let lives = &all[runs % all.len()];
        let mut sabotage = Sabotage::default();
        while sabotage.numbers.len() < AT_ONCE.min(points - met) {
            sabotage.numbers.insert(random(lives.calls.len()), POINTS[random(POINTS.len())]);
        }
        assert_eq!(lives.live(&sabotage).await, lives.whole, "{sabotage:?}");
        met += sabotage.len() - lives.saboteur.left().len();
        runs += 1;
        println!("{}: {met} points in {runs} lives, {:?}", lives.life.name, begun.elapsed());
    }
}
