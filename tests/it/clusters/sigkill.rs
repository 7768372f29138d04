//! `portolan run` itself, ended by SIGKILL while it makes a cluster and while it takes it away, and started again on what it
//! had stored: one cluster, nothing twice, and nothing left.

use super::aws_scene::AwsScene;
use super::commands::DOCUMENT;
use super::deadly_proxy::DeadlyProxy;
use super::lives::edited;
use super::sabotage::{POINTS, Point, Saboteur, writes};
use super::scene::settle;
use crate::support::control_plane::progress;
use crate::support::git_repo::TestRepo;
use nix::unistd::Pid;
use portolan::engine::clusters::{PassEnd, Wanted};
use portolan::host::FolderStore;
use portolan::local::Places;
use portolan::local::aws::eks::{Delays, Model};
use portolan::local::aws::service_model;
use portolan::model::SyncStatus;
use portolan::ports::state::{Approval, UserRequest};
use portolan::ports::{ClusterRecord, StateStore};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Longest wait between two deaths, and from the last one to the end: a program that died before a call without a token
/// waits half a minute whether that had an effect, and it calls gently.
const LIMIT: Duration = Duration::from_secs(180);

/// A cluster with little around it: the calls of a program are few in a second.
const PLAIN: &str = r#"apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35", tags: {team: shop}}
availabilityZones: [eu-central-1a, eu-central-1b]
vpc: {nat: {gateway: Disable}}
addons: [{name: vpc-cni}, {name: kube-proxy}, {name: coredns}]
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 1}
"#;

/// A repository, a state in a folder, and the local AWS behind what ends programs.
struct Ward {
    scene: AwsScene,
    proxy: DeadlyProxy,
    repo: TestRepo,
    folder: TempDir,
    text: String,
    /// What there is in the beginning, and what there is of the cluster where nobody dies.
    before: BTreeMap<String, usize>,
    whole: BTreeMap<String, usize>,
    /// Sites of the calls that change something then, in order, those of the deletion too.
    sites: Vec<String>,
}

impl Ward {
    async fn new(text: String) -> Self {
        let mut scene = AwsScene::start(Delays::default()).await;
        let folder = tempfile::tempdir().unwrap();
        let memory = folder.path().join("data").join("state").join("clusters").join("shop.json");
        let model = service_model(&Places::from_env().unwrap(), &mut progress()).await.unwrap();
        let model = Model::load(&model).unwrap();
        let proxy = DeadlyProxy::start(scene.eks.endpoint(), scene.moto.endpoint(), model, memory).await;
        let saboteur = Arc::new(Saboteur::default());
        scene.observer = Some(saboteur.clone());
        let before = scene.counts().await;
        let (repo, whole) = (TestRepo::empty(), BTreeMap::new());
        let mut ward = Self { scene, proxy, repo, folder, text, before, whole, sites: Vec::new() };
        ward.whole = ward.undisturbed().await;
        for site in saboteur.calls().into_iter().filter(|site| writes(site)) {
            if !ward.sites.contains(&site) {
                ward.sites.push(site);
            }
        }
        let settings = json!({
            "apiVersion": "portolan.dev/v1alpha1", "kind": "Config",
            "repositories": [{"name": "main", "url": ward.repo.path(), "interval": "5s"}],
            "listen": "127.0.0.1:0",
            "dataDir": ward.folder.path().join("data"),
        });
        std::fs::write(ward.config_file(), settings.to_string()).unwrap();
        ward
    }

    /// The life of the cluster in this process, where nobody dies. Returns what there was in between.
    async fn undisturbed(&self) -> BTreeMap<String, usize> {
        let kept = self.scene.daemon().await;
        let wanted = self.scene.wanted(&self.text, json!({"name": "shop", "region": "eu-central-1"}));
        kept.supersede(wanted.clone());
        assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
        let whole = self.scene.counts().await;
        kept.supersede(Wanted { removed: true, ..wanted });
        assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
        self.scene.approve(&kept).await;
        assert_eq!(settle(&kept).await, PassEnd::Finished, "{}", kept.record().message);
        assert_eq!(self.scene.counts().await, self.before);
        whole
    }

    fn config_file(&self) -> PathBuf {
        self.folder.path().join("portolan.yaml")
    }

    fn store(&self) -> FolderStore {
        FolderStore::open(self.folder.path().join("data").join("state")).unwrap()
    }

    async fn record(&self) -> Option<ClusterRecord> {
        self.store().clusters().await.unwrap().remove("shop")
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn start(&self) -> Child {
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_portolan"))
            .arg("--config")
            .arg(self.config_file())
            .arg("run")
            .env("HOME", self.folder.path())
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", self.proxy.endpoint())
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.proxy.watch(Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()));
        child
    }

    /// Has a program run, and another one after each death, until what is stored says so.
    async fn until(&self, child: &mut Child, what: &str, holds: impl Fn(Option<&ClusterRecord>) -> bool) {
        let mut begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.signal(), Some(9), "it ended by itself: {status}\n{}", self.log());
                self.proxy.forget();
                *child = self.start();
                begun = Instant::now();
            }
            let record = self.record().await;
            if holds(record.as_ref()) {
                return;
            }
            assert!(
                begun.elapsed() < LIMIT,
                "not {what} after {:?}: {record:#?}\n{}\n{}",
                self.proxy.deaths(),
                self.log(),
                self.scene.moto.last_words()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One life with these deaths. Returns what there was of the cluster.
    async fn live(&self, deaths: BTreeMap<String, Point>) -> BTreeMap<String, usize> {
        self.proxy.plan(deaths);
        self.repo.commit("main", &[("portolan/shop.yaml", DOCUMENT), ("clusters/shop.yaml", &self.text)]);
        let mut child = self.start();
        self.until(&mut child, "in place", |record| {
            record.is_some_and(|record| record.sync == SyncStatus::Synced && record.under_way.is_empty())
        })
        .await;
        let whole = self.scene.counts().await;
        self.repo.commit("main", &[("portolan/shop.yaml", ""), ("portolan/.keep.yaml", "# nothing\n")]);
        self.until(&mut child, "waiting for an approval", |record| {
            record.is_some_and(|record| record.waiting.is_some())
        })
        .await;
        let digest = self.record().await.and_then(|record| record.waiting).expect("it waits").digest;
        let approval =
            Approval { application: String::new(), destination: "shop".into(), digest, by: "test".into() };
        self.store().ask(&UserRequest::Approve(approval)).await.unwrap();
        self.until(&mut child, "gone", |record| record.is_none()).await;
        child.kill().await.unwrap();
        self.proxy.forget();
        assert_eq!(self.scene.counts().await, self.before, "{:?}: something is left", self.proxy.deaths());
        self.scene.check();
        whole
    }
}

/// One life, and what is told of it.
async fn one_life(ward: &Ward, deaths: BTreeMap<String, Point>, begun: Instant) {
    let count = deaths.len();
    assert_eq!(ward.live(deaths).await, ward.whole, "{:?}", ward.proxy.deaths());
    let left = ward.proxy.left();
    assert!(left.is_empty(), "{left:?} were never called: {:#?}", ward.proxy.calls());
    for (site, point) in ward.proxy.deaths() {
        println!("  {site} {point:?}");
    }
    let late = ward.proxy.late();
    println!("{count} deaths by SIGKILL ({late} so far after the answer was stored), {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_is_killed_at_calls_and_goes_on_from_what_it_stored() {
    crate::support::aws::needs_aws!();
    let begun = Instant::now();
    let ward = Ward::new(PLAIN.into()).await;
    let deaths = [
        ("ec2:CreateVpc", Point::DiesAfterEffect),
        ("eks:CreateCluster", Point::DiesBefore),
        ("eks:CreateNodegroup", Point::DiesAfterAnswer),
        ("eks:DeleteCluster", Point::DiesAfterEffect),
    ];
    one_life(&ward, deaths.map(|(site, point)| (site.to_owned(), point)).into(), begun).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_is_killed_at_every_distinct_call_at_three_points() {
    let wish = std::env::var("PORTOLAN_TEST_SIGKILL").unwrap_or_default();
    if wish.is_empty() {
        println!(
            "not run: PORTOLAN_TEST_SIGKILL=all kills the program at every distinct call, in three lives"
        );
        return;
    }
    crate::support::aws::needs_aws!();
    let begun = Instant::now();
    // Without what lies in the cluster, which has no API server here.
    let service_accounts = r#"  serviceAccounts:
    - metadata: {name: backup, namespace: shop, labels: {tier: batch}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
"#;
    let text = edited(super::aws::SHOP, &[(service_accounts, ""), (" createServiceAccount: true,", "")]);
    let ward = Ward::new(text).await;
    println!("{} sites, three lives, {:?}", ward.sites.len(), begun.elapsed());
    for first in 0..3 {
        let of_site = |(nth, site): (usize, &String)| (site.clone(), POINTS[(nth + first) % 3]);
        one_life(&ward, ward.sites.iter().enumerate().map(of_site).collect(), begun).await;
    }
}
