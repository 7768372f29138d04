//! Faults and kills over the whole life of a cluster, with the drivers and the adapter as they are: whatever goes wrong,
//! what follows ends in one cluster, with nothing twice, and leaves nothing.

use super::aws::SHOP;
use super::aws_scene::AwsScene;
use super::sabotage::{POINTS, Sabotage, Saboteur};
use portolan::engine::clusters::pass::pass;
use portolan::engine::clusters::{PassEnd, Wanted};
use portolan::local::aws::eks::Delays;
use portolan::ports::StateStore;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Points of one life in which calls go wrong at random.
const AT_ONCE: usize = 20;

/// The local AWS through many lives.
struct Lives {
    scene: AwsScene,
    saboteur: Arc<Saboteur>,
    /// What there is in the beginning, and what there is of a whole cluster.
    before: BTreeMap<String, usize>,
    whole: BTreeMap<String, usize>,
    /// The sites of the calls of a life in which nothing goes wrong.
    calls: Vec<String>,
}

impl Lives {
    async fn start() -> Self {
        let mut scene = AwsScene::start(Delays::default()).await;
        let before = scene.counts().await;
        let saboteur = Arc::new(Saboteur::default());
        scene.observer = Some(saboteur.clone());
        *scene.api.observer.lock().unwrap() = Some(saboteur.clone());
        let mut lives = Self { scene, saboteur, before, whole: BTreeMap::new(), calls: Vec::new() };
        lives.whole = lives.live(&Sabotage::default()).await;
        lives.calls = lives.saboteur.calls();
        lives
    }

    /// Distinct calls that change something, in the order of their first time.
    fn sites(&self) -> Vec<String> {
        let mut sites: Vec<String> = Vec::new();
        for call in &self.calls {
            let operation = call.split(':').nth(1).unwrap_or_default();
            let reads = ["Describe", "List", "Get"].iter().any(|read| operation.starts_with(read));
            if !reads && !sites.contains(call) {
                sites.push(call.clone());
            }
        }
        sites
    }

    /// One life: made, and taken away. What goes wrong goes wrong in one of them. Returns what there was in between.
    async fn live(&self, sabotage: &Sabotage) -> BTreeMap<String, usize> {
        let scene = &self.scene;
        self.saboteur.begin(sabotage.clone());
        let most = sabotage.len() + 2;
        assert_eq!(self.survive(false, most).await, PassEnd::Done, "{sabotage:?}");
        let there = scene.counts().await;
        // Whoever dies here is started again, and the deletion is approved.
        if self.survive(true, most).await == PassEnd::Done {
            let record = scene.store.clusters().await.unwrap().remove("shop").unwrap();
            let digest = record.waiting.unwrap_or_else(|| panic!("{sabotage:?}: {}", record.message)).digest;
            scene.approve_digest(&digest).await;
            assert_eq!(self.survive(true, most).await, PassEnd::Finished, "{sabotage:?}");
        }
        assert_eq!(scene.counts().await, self.before, "{sabotage:?}: something is left");
        scene.store.save_cluster("shop", None).await.unwrap();
        scene.check();
        there
    }

    /// Runs daemons until one is through.
    async fn survive(&self, removed: bool, most: usize) -> PassEnd {
        for _ in 0..most {
            self.saboteur.revive();
            let kept = self.scene.daemon().await;
            let wanted = self.scene.wanted(SHOP, json!({"name": "shop", "region": "eu-central-1"}));
            kept.supersede(Wanted { removed, ..wanted });
            let alive = async {
                for _ in 0..400 {
                    match pass(&kept).await {
                        end @ (PassEnd::Done | PassEnd::Finished) => return end,
                        PassEnd::Waits(_) | PassEnd::Retry => {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        _ => {}
                    }
                }
                let (record, words) = (kept.record(), self.scene.moto.last_words());
                panic!("no end: {} {:#?}\n{words}", record.message, record.problems);
            };
            let died = async {
                while !self.saboteur.is_dead() {
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
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_or_a_kill_at_every_distinct_call_ends_in_one_cluster_and_leaves_nothing() {
    crate::support::aws::needs_aws!();
    let begun = Instant::now();
    let lives = Lives::start().await;
    let sites = lives.sites();
    println!("{} calls in a life, {} sites, in {:?}", lives.calls.len(), sites.len(), begun.elapsed());
    sites.iter().for_each(|site| println!("  {site}"));
    // All sites go wrong in one life, each at another point: what follows heals what the kill before it left. On request
    // as many lives as there are points, so that every site goes wrong at every point.
    let all = std::env::var_os("PORTOLAN_TEST_ALL_FAULTS").is_some();
    let mut runs = 0;
    for first in 0..if all { POINTS.len() } else { 1 } {
        let of_site = |(nth, site): (usize, &String)| (site.clone(), POINTS[(nth + first) % POINTS.len()]);
        let sabotage =
            Sabotage { sites: sites.iter().enumerate().map(of_site).collect(), ..Sabotage::default() };
        assert_eq!(lives.live(&sabotage).await, lives.whole, "{sabotage:?}");
        assert_eq!(lives.saboteur.left().len(), 0, "{:?} were never called", lives.saboteur.left());
        runs += 1;
    }
    println!("all sites at once: {runs} lives, {:?}", begun.elapsed());
    if !all {
        return;
    }
    // The same with a life for each, which tells which one it was.
    for site in &sites {
        for point in POINTS {
            let sabotage = Sabotage { sites: [(site.clone(), point)].into(), ..Sabotage::default() };
            assert_eq!(lives.live(&sabotage).await, lives.whole, "{site} {point:?}");
            runs += 1;
        }
    }
    println!("a life for each: {runs} lives, {:?}", begun.elapsed());
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
    let lives = Lives::start().await;
    let (mut met, mut runs) = (0, 0);
    while met < points {
        let mut sabotage = Sabotage::default();
        while sabotage.numbers.len() < AT_ONCE.min(points - met) {
            sabotage.numbers.insert(random(lives.calls.len()), POINTS[random(POINTS.len())]);
        }
        assert_eq!(lives.live(&sabotage).await, lives.whole, "{sabotage:?}");
        met += sabotage.len() - lives.saboteur.left().len();
        runs += 1;
    }
    println!("{met} points in {runs} lives of {} calls, {:?}", lives.calls.len(), begun.elapsed());
}
