//! The daemon as a process, killed by SIGKILL at its writes: what is started next ends with the same proof, and on the way
//! back with everything as it was.
//!
//! By default at some writes. `PORTOLAN_TEST_SIGKILLS=all` kills it at every (side, operation, kind) there is, at each of the
//! three moments, in three lives.

use super::by_commits::{CLUSTER, migration, pods, reached, workloads};
use super::killer::{Killer, Proxy};
use super::real::objects;
use super::saboteur::Moment;
use crate::support::control_plane::{kubectl, kubectl_ok_with, options, places, start};
use crate::support::daemon::{Daemon, LIMIT};
use portolan::local::{ControlPlane, Options};
use portolan::model::migration::Stage;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;

const FILE: &str = "portolan/move.yaml";
const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Unanswered, Moment::Answered];

struct World {
    daemon: Daemon,
    old: ControlPlane,
    name: String,
    killer: Killer,
    before: Vec<Value>,
}

/// Starts the program, and again each time it is killed; until it is dropped.
fn keep_running(daemon: &Daemon, killer: &Killer, folder: &std::path::Path) -> tokio::task::JoinHandle<()> {
    let (config, killer) = (daemon.config_file(), killer.clone());
    let log = folder.join("daemon.log");
    tokio::spawn(async move {
        loop {
            let log = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
            let mut child = Command::new(env!("CARGO_BIN_EXE_portolan"))
                .arg("--config")
                .arg(&config)
                .arg("run")
                .env_remove("KUBERNETES_SERVICE_HOST")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            killer.begins(child.id());
            let end = child.wait().await.unwrap();
            assert!(end.code().is_none(), "it ended by itself: {end}");
        }
    })
}

impl World {
    async fn snapshot(&self) -> Vec<Value> {
        objects(&self.old, &self.name, "configmaps,secrets,deployments,serviceaccounts,resourcequotas").await
    }

    /// There and back, with these kills; what was proven.
    async fn life(&self, there: Vec<(String, Moment)>, back: Vec<(String, Moment)>) -> String {
        let begun = Instant::now();
        let due = |due| self.killer.state().due = due;
        due(there);
        let commit = self.daemon.commit(&[(FILE, &migration(&self.name, Stage::Soak))]);
        let record = reached(&self.daemon, &self.name, Stage::Soak, &commit).await;
        pods(&self.daemon.control_plane, &self.name, 2).await;
        pods(&self.old, &self.name, 0).await;
        // What did not come on the way there may come on the way back.
        self.killer.state().due.extend(back);
        let commit = self.daemon.commit(&[(FILE, &migration(&self.name, Stage::Inventory))]);
        reached(&self.daemon, &self.name, Stage::Inventory, &commit).await;
        pods(&self.old, &self.name, 2).await;
        assert_eq!(self.snapshot().await, self.before);
        let waits = Instant::now();
        while kubectl(&self.daemon.control_plane, &["get", "namespace", &self.name]).await.status.success() {
            assert!(waits.elapsed() < LIMIT, "the namespace is left on the target");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        println!("a life of {:.1?}, {} kills so far", begun.elapsed(), self.killer.state().met.len());
        record.parts.iter().map(|part| format!("{}: {}; ", part.name, part.proof)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_at_its_writes_is_resumed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let old = start(&places(&folder), Options { nodes: 1, ..options() }).await;
    let mut daemon = Daemon::new(&[("portolan/old.yaml", CLUSTER)]).await;
    let name = format!("shop-{}", daemon.namespace);
    // Daemons of other tests live in it too: the migration must not be the one that made it.
    kubectl(&daemon.control_plane, &["create", "namespace", portolan::app::NAMESPACE]).await;
    kubectl_ok_with(&old, &["apply", "-f", "-"], &workloads(&name)).await;
    pods(&old, &name, 2).await;
    let killer = Killer::default();
    let source = Proxy::start("source", &old, folder.path(), &killer).await;
    let target = Proxy::start("target", &daemon.control_plane, folder.path(), &killer).await;
    daemon.settings = json!({"kubeconfigs": [
        {"name": "local", "file": target.kubeconfig}, {"name": "old", "file": source.kubeconfig},
    ]});
    let first = daemon.commit(&[(FILE, &migration(&name, Stage::Inventory))]);
    let running = keep_running(&daemon, &killer, folder.path());
    reached(&daemon, &name, Stage::Inventory, &first).await;
    let mut world = World { daemon, old, name, killer, before: Vec::new() };
    world.before = world.snapshot().await;

    if std::env::var("PORTOLAN_TEST_SIGKILLS").is_ok_and(|asked| asked == "all") {
        let begun = Instant::now();
        let proof = world.life(Vec::new(), Vec::new()).await;
        let sites = world.killer.state().sites.clone();
        sites.iter().for_each(|site| println!("  {site}"));
        for first in 0..MOMENTS.len() {
            let of =
                |(place, site): (usize, &String)| (site.clone(), MOMENTS[(first + place) % MOMENTS.len()]);
            let due = sites.iter().enumerate().map(of).collect();
            assert_eq!(world.life(due, Vec::new()).await, proof);
        }
        let (met, all) = (world.killer.state().met.len(), sites.len() * MOMENTS.len());
        println!("{} sites, {met} of {all} kills came; {proof}; {:.1?}", sites.len(), begun.elapsed());
        assert!(met * 10 >= all * 9, "{:?}", world.killer.state().due);
    } else {
        let due = |site: &str, moment| (site.to_owned(), moment);
        let there = [
            due("target POST secrets", Moment::Unanswered),
            due("source PATCH deployments.apps", Moment::Answered),
        ];
        let back = [due("target DELETE deployments.apps", Moment::Before)];
        let proof = world.life(there.to_vec(), back.to_vec()).await;
        assert!(proof.contains("objects equal"), "{proof}");
        let state = world.killer.state();
        assert_eq!(state.met.len(), 3, "{:?}; {:?}", state.met, state.sites);
    }
    assert!(!running.is_finished(), "the program ended by itself");
    running.abort();
    let _ = running.await;
    world.old.stop().await.unwrap();
}
