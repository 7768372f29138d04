//! Faults and kills over a whole move between two real API servers, with the daemon's own adapters and store: resumed, it
//! ends with the same proof; rolled back instead, the source is as it was and nothing is left on the target.
//!
//! `PORTOLAN_TEST_MIGRATION_FAULTS=all` meets every distinct (stage, operation, kind) by every trouble, both ways, and 200
//! seeded random writes; a number makes that many lives, spread evenly over all of them. Without it nothing is run:
//! [`super::kills`] has the same in memory.

use super::real::{has_pods, pods, snapshot};
use super::saboteur::{At, OnSide, Saboteur, TROUBLES, Trouble};
use super::scene::{Told, Two, daemon, document, shop, wanted};
use crate::support::control_plane::{kubectl_ok, kubectl_ok_with, options, places, start};
use portolan::engine::migrations::PassEnd;
use portolan::engine::migrations::pass::pass;
use portolan::host::FolderStore;
use portolan::k8s::{ConnectOptions, Source, connect};
use portolan::local::{ControlPlane, Options};
use portolan::model::migration::Stage;
use portolan::ports::{Cluster, MigrationRecord};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest time of one leg of a life.
const LIMIT: Duration = Duration::from_secs(300);
const RANDOM: usize = 200;

struct Lives {
    old: ControlPlane,
    new: ControlPlane,
    before: Vec<Value>,
    /// Sites of writes, their number, and the proof of a life in which nothing goes wrong.
    sites: Vec<String>,
    writes: usize,
    proof: String,
}

async fn api(control_plane: &ControlPlane, side: &'static str, saboteur: &Arc<Saboteur>) -> Arc<dyn Cluster> {
    let source = Source::KubeconfigFile { path: control_plane.kubeconfig().to_owned(), context: None };
    let observer = Arc::new(OnSide::new(side, saboteur.clone()));
    let options = ConnectOptions { observer: Some(observer), ..ConnectOptions::default() };
    Arc::new(connect(&source, options).await.unwrap())
}

impl Lives {
    /// One life: to the end of the soak and back. Where it rolls back, whatever follows a trouble wants to go back.
    async fn live(&self, trouble: Option<(At, Trouble)>, rolls_back: bool) -> (Arc<Saboteur>, String) {
        let at = format!("{trouble:?}, rolled back: {rolls_back}");
        let folder = tempfile::tempdir().unwrap();
        let told: Arc<Told> = Arc::default();
        let saboteur = Saboteur::new(told.clone(), trouble);
        let mut proof = String::new();
        if let Some(record) = self.leg(&saboteur, &told, folder.path(), Stage::Soak, rolls_back, &at).await {
            proof = record.parts.iter().map(|part| format!("{}: {}; ", part.name, part.proof)).collect();
            assert!(self.proof.is_empty() || proof == self.proof, "{at}: {proof}");
            assert_eq!(pods(&self.old).await, 0, "{at}");
            has_pods(&self.new, 4).await;
        }
        self.leg(&saboteur, &told, folder.path(), Stage::Inventory, false, &at).await;
        assert_eq!(snapshot(&self.old).await, self.before, "{at}");
        has_pods(&self.old, 4).await;
        self.nothing_is_left(&at).await;
        (saboteur, proof)
    }

    /// Runs daemons until one is through. `None`: a trouble came, after which nobody wants to go on.
    async fn leg(
        &self,
        saboteur: &Arc<Saboteur>,
        told: &Arc<Told>,
        folder: &std::path::Path,
        stage: Stage,
        rolls_back: bool,
        at: &str,
    ) -> Option<MigrationRecord> {
        let begun = Instant::now();
        loop {
            saboteur.revive();
            let sides = Two {
                source: api(&self.old, "source", saboteur).await,
                target: api(&self.new, "target", saboteur).await,
                account: None,
            };
            let mover = daemon(Arc::new(FolderStore::open(folder).unwrap()), sides, told.clone());
            mover.supersede(wanted(document(stage)));
            let alive = async {
                loop {
                    match pass(&mover).await {
                        end @ (PassEnd::Done | PassEnd::Blocked) => return Some(end),
                        PassEnd::Acted => {}
                        _ => tokio::time::sleep(Duration::from_millis(200)).await,
                    }
                    if rolls_back && saboteur.has_fired() {
                        return None;
                    }
                    let record = mover.record();
                    assert!(begun.elapsed() < LIMIT, "{at}: no end: {}\n{:#?}", record.message, record.parts);
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
                () = saboteur.death() => {}
            }
            if rolls_back {
                return None;
            }
        }
    }

    async fn nothing_is_left(&self, at: &str) {
        let begun = Instant::now();
        loop {
            let left = kubectl_ok(&self.new, &["get", "namespaces,clusterroles", "-o", "name"]).await;
            if !left.contains("shop") && !left.contains("namespace/portolan\n") {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{at}: {left}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Objects of most kinds that are treated in their own way.
fn small() -> String {
    let more = [("ConfigMap", "settings"), ("Role", "reader"), ("RoleBinding", "web"), ("Deployment", "api")];
    let items: Vec<Value> = shop()
        .into_iter()
        .filter(|object| {
            !more.iter().any(|(kind, name)| object["kind"] == *kind && object["metadata"]["name"] == *name)
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// The numbers of a generator that is the same everywhere (Knuth's MMIX).
fn random(seed: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(seed), |state| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    })
    .skip(1)
    .map(|state| state >> 33)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_or_a_kill_at_any_write_to_real_servers_ends_with_the_same_proof_or_leaves_nothing() {
    let Ok(asked) = std::env::var("PORTOLAN_TEST_MIGRATION_FAULTS") else {
        println!("PORTOLAN_TEST_MIGRATION_FAULTS=all, or a number of lives, runs this");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let old = start(&places, Options { version: "1.24".into(), nodes: 1, ..options() }).await;
    let new = start(&places, Options { nodes: 1, ..options() }).await;
    kubectl_ok_with(&old, &["apply", "-f", "-"], &small()).await;
    has_pods(&old, 4).await;
    let before = snapshot(&old).await;
    let mut lives = Lives { old, new, before, sites: Vec::new(), writes: 0, proof: String::new() };
    let begun = Instant::now();
    let (saboteur, proof) = lives.live(None, false).await;
    (lives.sites, lives.writes) = saboteur.seen();
    lives.proof = proof;
    println!(
        "{} sites, {} writes, one life takes {:?}; {}",
        lives.sites.len(),
        lives.writes,
        begun.elapsed(),
        lives.proof
    );
    lives.sites.iter().for_each(|site| println!("  {site}"));

    let mut points: Vec<(At, Trouble, bool)> = Vec::new();
    for site in &lives.sites {
        for trouble in TROUBLES {
            points.extend([false, true].map(|rolls_back| (At::Site(site.clone()), trouble, rolls_back)));
        }
    }
    let writes = u64::try_from(lives.writes).unwrap();
    for (place, number) in random(2026).take(RANDOM).enumerate() {
        let write = usize::try_from(number % writes).unwrap();
        points.push((At::Number(write), TROUBLES[place % TROUBLES.len()], place % 2 == 0));
    }
    let all = points.len();
    let wanted = if asked == "all" { all } else { asked.parse::<usize>().unwrap().min(all) };
    let chosen: Vec<_> = (0..wanted).map(|place| points[place * all / wanted.max(1)].clone()).collect();
    let mut fired = 0;
    for (at, trouble, rolls_back) in chosen {
        let (saboteur, _) = lives.live(Some((at, trouble)), rolls_back).await;
        fired += usize::from(saboteur.has_fired());
    }
    println!("{wanted} of {all} lives, trouble came in {fired}; {:?}", begun.elapsed());
    // A site is met anew in every life, but for those that depend on the moment.
    assert!(fired * 10 >= wanted * 9, "trouble came in {fired} of {wanted} lives only");
    lives.old.stop().await.unwrap();
    lives.new.stop().await.unwrap();
}
