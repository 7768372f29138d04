//! Faults and kills over a whole move between two real API servers in one account of moto, with the daemon's own adapters
//! and store: resumed, it ends with the same proof; turned back instead, the source and the account are as they were and
//! nothing is left on the target.
//!
//! `PORTOLAN_TEST_MIGRATION_FAULTS=all` meets every distinct (stage, operation, kind) by every trouble (each life meets all
//! sites, by another trouble every time), 200 seeded random writes, and turns back after a trouble at every site; a number
//! makes that many lives of the last, spread evenly. Without it nothing is run: [`super::points`] has the same in memory.

use super::ground::{Ground, small};
use super::points::{random, spread};
use super::real::{has_pods, pods};
use super::saboteur::{At, Due, Moment, OnAccount, OnSide, Saboteur, TROUBLES, Trouble};
use super::scene::{Tick, Told, Two, daemon_at, wanted};
use crate::support::aws::needs_aws;
use portolan::engine::migrations::pass::pass;
use portolan::engine::migrations::{Mover, PassEnd};
use portolan::host::FolderStore;
use portolan::k8s::{ConnectOptions, Source, connect};
use portolan::local::ControlPlane;
use portolan::model::migration::Stage;
use portolan::ports::state::{Approval, UserRequest};
use portolan::ports::{Cluster, MigrationRecord, StateStore};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Lives for what did not come in those before.
const MORE: usize = 2;
/// Longest time of one leg of a life, in which every write may be met by a trouble.
const LIMIT: Duration = Duration::from_secs(600);
const RANDOM: usize = 200;
/// Lives that the random writes are spread over.
const RANDOM_LIVES: usize = 5;
/// Pods of the wave.
const PODS: usize = 6;

/// How many lives are asked for that turn back, of all (`None`); nothing where nothing is asked for.
fn asked() -> Option<Option<usize>> {
    let Ok(asked) = std::env::var("PORTOLAN_TEST_MIGRATION_FAULTS") else {
        println!("PORTOLAN_TEST_MIGRATION_FAULTS=all, or a number of lives, runs this");
        return None;
    };
    Some((asked != "all").then(|| asked.parse().expect("`all` or a number")))
}

struct Lives {
    ground: Ground,
    /// Of a life in which nothing goes wrong: sites of writes, how many of them are on the way there, all writes, the proof.
    sites: Vec<String>,
    there: usize,
    writes: usize,
    proof: String,
    begun: Instant,
}

async fn api(control_plane: &ControlPlane, side: &'static str, saboteur: &Arc<Saboteur>) -> Arc<dyn Cluster> {
    let source = Source::KubeconfigFile { path: control_plane.kubeconfig().to_owned(), context: None };
    let observer = Arc::new(OnSide::new(side, saboteur.clone()));
    let options = ConnectOptions { observer: Some(observer), ..ConnectOptions::default() };
    Arc::new(connect(&source, options).await.unwrap())
}

/// A person agrees to what is asked for; false where nothing is, or it was agreed to before.
async fn approve(store: &FolderStore, mover: &Mover) -> bool {
    let Some(waiting) = mover.record().waiting else { return false };
    let known = store.approvals().await.unwrap();
    if known.iter().any(|known| known.digest == waiting.digest) {
        return false;
    }
    let (application, destination, by) = (String::new(), "move".into(), "test".into());
    let approval = Approval { application, destination, digest: waiting.digest, by };
    store.ask(&UserRequest::Approve(approval)).await.unwrap();
    true
}

/// One life: its daemons, one after the other, and what they remember.
struct Life {
    saboteur: Arc<Saboteur>,
    told: Arc<Told>,
    tick: Tick,
    folder: tempfile::TempDir,
}

impl Lives {
    /// With a life in which nothing goes wrong.
    async fn begin() -> Self {
        let ground = Ground::begin(small()).await;
        has_pods(&ground.old, PODS).await;
        let begun = Instant::now();
        let mut lives = Self { ground, sites: Vec::new(), there: 0, writes: 0, proof: String::new(), begun };
        // What a cluster gets in its first minutes is there from now on.
        lives.ground.before = lives.ground.seen().await;
        let (saboteur, there) = lives.live(Vec::new(), false).await;
        (lives.sites, lives.writes) = saboteur.seen();
        lives.there = there;
        println!(
            "{} sites, {} writes, one life takes {:.1?}; {}",
            lives.sites.len(),
            lives.writes,
            begun.elapsed(),
            lives.proof
        );
        lives.sites.iter().for_each(|site| println!("  {site}"));
        lives
    }

    /// One life: to the end of the soak and back. Where it turns, whatever follows a trouble wants to go back. Gives the
    /// number of sites on the way there.
    async fn live(&mut self, due: Vec<Due>, turns: bool) -> (Arc<Saboteur>, usize) {
        let at = format!("{} troubles, the first {:?}, turned: {turns}", due.len(), due.first());
        let begun = Instant::now();
        let (told, tick): (Arc<Told>, Tick) = Default::default();
        let saboteur = Saboteur::new(told.clone(), due);
        let life = Life { saboteur, told, tick, folder: tempfile::tempdir().unwrap() };
        let mut there = 0;
        if let Some(record) = self.leg(&life, Stage::Soak, turns, &at).await {
            let proof: String =
                record.parts.iter().map(|part| format!("{}: {}; ", part.name, part.proof)).collect();
            assert!(self.proof.is_empty() || proof == self.proof, "{at}: {proof}");
            self.proof = proof;
            assert_eq!(pods(&self.ground.old).await, 0, "{at}");
            has_pods(&self.ground.new, PODS).await;
            there = life.saboteur.seen().0.len();
        }
        self.leg(&life, Stage::Inventory, false, &at).await;
        has_pods(&self.ground.old, PODS).await;
        let now = self.ground.seen().await;
        assert_eq!(now.0, self.ground.before.0, "{at}: the source");
        assert_eq!(now.1, self.ground.before.1, "{at}: the account");
        assert_eq!(self.ground.snapshots().await, 0, "{at}: snapshots are left");
        self.ground.until_target_is_empty(&at).await;
        println!("{:.1?}: {at}: {} came", begun.elapsed(), life.saboteur.fired());
        (life.saboteur, there)
    }

    /// Runs daemons until one is through. `None`: a trouble came, after which nobody wants to go on.
    async fn leg(&self, life: &Life, stage: Stage, turns: bool, at: &str) -> Option<MigrationRecord> {
        let begun = Instant::now();
        loop {
            life.saboteur.revive();
            let account =
                OnAccount { account: self.ground.lab.cloud.clone(), saboteur: life.saboteur.clone() };
            let sides = Two {
                source: api(&self.ground.old, "source", &life.saboteur).await,
                target: api(&self.ground.new, "target", &life.saboteur).await,
                account: Some(Arc::new(account)),
            };
            let store = Arc::new(FolderStore::open(life.folder.path()).unwrap());
            let clock = Arc::new(life.tick.clone());
            let mover = daemon_at(clock, store.clone(), sides, life.told.clone());
            mover.supersede(wanted(self.ground.document(stage)));
            let alive = async {
                loop {
                    match pass(&mover).await {
                        PassEnd::Blocked if approve(&store, &mover).await => {}
                        end @ (PassEnd::Done | PassEnd::Blocked) => return Some(end),
                        PassEnd::Acted => {}
                        _ => {
                            life.tick.wait(60);
                            tokio::time::sleep(Duration::from_millis(200)).await;
                        }
                    }
                    if turns && life.saboteur.fired() > 0 {
                        return None;
                    }
                    let record = mover.record();
                    let words = || format!("{}\n{:#?}\n{:#?}", record.message, record.parts, record.problems);
                    assert!(begun.elapsed() < LIMIT, "{at}: no end: {}", words());
                }
            };
            tokio::select! {
                biased;
                end = alive => {
                    let record = mover.record();
                    let end = end?;
                    assert_eq!(end, PassEnd::Done, "{at}: {}\n{:#?}", record.message, record.problems);
                    return Some(record);
                }
                () = life.saboteur.death() => {}
            }
            if turns {
                return None;
            }
        }
    }
}

fn is_answered(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::Kill(Moment::Answered))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_or_a_kill_at_every_site_on_real_servers_ends_with_the_same_proof() {
    needs_aws!();
    if asked().is_none() {
        return;
    }
    let mut lives = Lives::begin().await;
    let (mut met, mut kills) = (0, 0);
    let mut left: Vec<Due> = Vec::new();
    for first in 0..TROUBLES.len() {
        let of = |(place, site): (usize, &String)| {
            (At::Site(site.clone()), TROUBLES[(first + place) % TROUBLES.len()])
        };
        let due: Vec<Due> = lives.sites.iter().enumerate().map(of).collect();
        kills += due.iter().filter(|(_, trouble)| matches!(trouble, Trouble::Kill(_))).count();
        let (saboteur, _) = lives.live(due, false).await;
        met += saboteur.fired();
        left.extend(saboteur.left());
    }
    // A site that depends on the moment was not met in every life: what did not come may come in another.
    for _ in 0..MORE {
        if left.is_empty() {
            break;
        }
        let (saboteur, _) = lives.live(std::mem::take(&mut left), false).await;
        met += saboteur.fired();
        left = saboteur.left();
    }
    let all = lives.sites.len() * TROUBLES.len();
    println!("{met} of {all} points at sites came, {kills} kills among them; {:.1?}", lives.begun.elapsed());
    assert!(met * 10 >= all * 9, "{met} of {all} troubles came; not these: {left:?}");
    lives.ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_and_kills_at_random_writes_to_real_servers_end_with_the_same_proof() {
    needs_aws!();
    if asked().is_none() {
        return;
    }
    let mut lives = Lives::begin().await;
    let mut numbers = random(2026);
    let mut met = 0;
    for life in 0..RANDOM_LIVES {
        let due = (0..RANDOM / RANDOM_LIVES).map(|place| {
            let number = usize::try_from(numbers.next().unwrap()).unwrap() % lives.writes;
            (At::Number(number), TROUBLES[(life + place) % TROUBLES.len()])
        });
        let (saboteur, _) = lives.live(due.collect(), false).await;
        met += saboteur.fired();
    }
    println!("{met} of {RANDOM} random troubles came; {:.1?}", lives.begun.elapsed());
    // Two of them may be for one write, and what a trouble has made needless is not written again.
    assert!(met * 10 >= RANDOM * 7, "{met} of {RANDOM} troubles came");
    lives.ground.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_turns_back_after_a_fault_or_a_kill_on_real_servers_gets_everything_as_it_was() {
    needs_aws!();
    let Some(some) = asked() else { return };
    let mut lives = Lives::begin().await;
    let there = lives.sites[..lives.there].iter();
    // What is answered and then killed is the same as killed before whatever comes next, one site later.
    let troubles = TROUBLES.into_iter().filter(|trouble| !is_answered(*trouble));
    let all: Vec<Due> =
        there.flat_map(|site| troubles.clone().map(|trouble| (At::Site(site.clone()), trouble))).collect();
    let chosen = spread(&all, some.unwrap_or(all.len()));
    let mut met = 0;
    for due in &chosen {
        let (saboteur, _) = lives.live(vec![due.clone()], true).await;
        met += saboteur.fired();
    }
    println!(
        "turned back at {met} of {} chosen points, of {} in all; {:.1?}",
        chosen.len(),
        all.len(),
        lives.begun.elapsed()
    );
    assert!(met * 10 >= chosen.len() * 9, "{met} troubles came");
    lives.ground.end().await;
}
