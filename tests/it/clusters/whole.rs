//! The main job on the local AWS: one commit makes a cluster and an application on it, another one upgrades it, a revert
//! takes all away. The control plane is real.

use super::throughout::{Throughout, client, nodes};
use crate::support::control_plane::{places, progress};
use crate::support::git_repo::TestRepo;
use async_trait::async_trait;
use portolan::app::{self, CloudSetup, Surroundings};
use portolan::aws::{AwsClouds, AwsOptions, CredentialsSource, Endpoints};
use portolan::config;
use portolan::engine::View;
use portolan::engine::clusters::Pace;
use portolan::host::{FolderStore, SystemClock};
use portolan::local::aws::{Access, Connect, LocalAws, LocalAwsOptions, Patience};
use portolan::model::cloud::{Call, Service};
use portolan::model::event::{Event, What};
use portolan::model::{Health, SyncStatus};
use portolan::ports::state::{Approval, UserRequest};
use portolan::ports::{
    ApplicationRecord, Cloud, CloudAccess, CloudFailure, Clouds, ClusterRecord, Sink, StateStore,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::watch;

/// Longest wait for a cluster.
const LIMIT: Duration = Duration::from_secs(900);

const CLUSTER: &str = "apiVersion: portolan.dev/v1alpha1
kind: Cluster
metadata: {name: shop}
spec:
  eks: {name: shop, region: eu-central-1}
  clusterConfig: clusters/shop.yaml
";

const APPLICATION: &str = "apiVersion: portolan.dev/v1alpha1
kind: Application
metadata: {name: web}
spec:
  path: apps/web
  namespace: shop
  destination: {cluster: shop}
  sync: {createNamespace: true}
";

/// Three pods of which two are kept, on both node groups; and two on Fargate of which one is kept.
const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      tolerations: [{key: spot, operator: Exists}]
      containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m, memory: 64Mi}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: batch}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: report, namespace: batch}
spec:
  replicas: 2
  selector: {matchLabels: {app: report}}
  template:
    metadata: {labels: {app: report}}
    spec:
      containers: [{name: report, image: report:1, resources: {requests: {cpu: 100m, memory: 64Mi}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: report, namespace: batch}
spec: {minAvailable: 1, selector: {matchLabels: {app: report}}}
";

fn shop(version: &str) -> String {
    super::aws::SHOP.replace("version: \"1.35\"", &format!("version: \"{version}\""))
}

#[derive(Default)]
struct Chronicle(Mutex<Vec<Event>>);

impl Sink for Chronicle {
    fn take(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn clouds(access: &Access) -> Arc<dyn Clouds> {
    Arc::new(AwsClouds::new(AwsOptions {
        credentials: CredentialsSource::Fixed {
            access_key_id: access.access_key_id.clone(),
            secret_access_key: access.secret_access_key.clone().into(),
            session_token: None,
        },
        endpoints: Endpoints { every: Some(access.endpoint.clone()), of_service: BTreeMap::new() },
        pace: None,
        ..AwsOptions::new(Arc::new(SystemClock))
    }))
}

struct Adapter;

#[async_trait]
impl Connect for Adapter {
    async fn connect(&self, access: &Access) -> Result<Arc<dyn Cloud>, CloudFailure> {
        clouds(access).open(&CloudAccess { region: access.region.clone(), role_arn: None }).await
    }
}

struct Whole {
    aws: LocalAws,
    repo: TestRepo,
    folder: TempDir,
    told: Arc<Chronicle>,
    running: Option<(View, watch::Sender<bool>, tokio::task::JoinHandle<()>)>,
}

impl Whole {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let patience = Patience {
            nodes: Duration::from_secs(30),
            eviction: Duration::from_secs(60),
            addon: Duration::from_secs(60),
        };
        let options = LocalAwsOptions {
            patience,
            supervisor: Some(env!("CARGO_BIN_EXE_portolan").into()),
            ..LocalAwsOptions::new(places(&folder), "eu-central-1")
        };
        let aws = match LocalAws::start(options, &Adapter, &mut progress()).await {
            Ok(aws) => aws,
            Err(error) => panic!("{error}"),
        };
        let repo = TestRepo::empty();
        repo.commit("main", &[("portolan/.keep.yaml", "# nothing yet\n")]);
        Self { aws, repo, folder, told: Arc::default(), running: None }
    }

    async fn run(&mut self) {
        let file = self.folder.path().join("portolan.yaml");
        let settings = json!({
            "apiVersion": "portolan.dev/v1alpha1", "kind": "Config",
            "repositories": [{"name": "main", "url": self.repo.path(), "interval": "2s"}],
            "listen": "127.0.0.1:0",
            "dataDir": self.folder.path().join("data"),
        });
        std::fs::write(&file, settings.to_string()).unwrap();
        let config = config::load(&file).unwrap_or_else(|problems| panic!("{problems:?}"));
        let surroundings = Surroundings {
            program: env!("CARGO_BIN_EXE_portolan").into(),
            tool_folders: Vec::new(),
            observer: None,
        };
        let pace = Pace {
            first: Duration::from_millis(100),
            longest: Duration::from_millis(500),
            backoff: (Duration::from_millis(100), Duration::from_secs(1)),
            settle: Duration::ZERO,
            at_once: 8,
        };
        let cloud = CloudSetup { clouds: clouds(self.aws.access()), pace };
        let composed = match app::compose_with(&config, &surroundings, cloud, self.told.clone()).await {
            Ok(composed) => composed,
            Err(failure) => panic!("{failure}"),
        };
        let view = composed.view();
        let (stop, stopped) = watch::channel(false);
        self.running = Some((view, stop, tokio::spawn(composed.run(stopped))));
    }

    fn store(&self) -> FolderStore {
        FolderStore::open(self.folder.path().join("data").join("state")).unwrap()
    }

    async fn cluster(&self) -> Option<ClusterRecord> {
        self.store().clusters().await.unwrap().remove("shop")
    }

    async fn web(&self) -> Option<ApplicationRecord> {
        self.store().load().await.unwrap().into_values().find(|record| record.name == "web")
    }

    /// Waits; says where everything stands when it takes too long.
    async fn until(
        &self,
        what: &str,
        holds: impl Fn(Option<&ClusterRecord>, Option<&ApplicationRecord>) -> bool,
    ) {
        let begun = Instant::now();
        loop {
            let (cluster, web) = (self.cluster().await, self.web().await);
            if holds(cluster.as_ref(), web.as_ref()) {
                println!("{what}: after {:?}", begun.elapsed());
                return;
            }
            if begun.elapsed() > LIMIT {
                let events = self.told.0.lock().unwrap().clone();
                let last: Vec<_> = events.iter().rev().take(25).collect();
                panic!("not {what}: {cluster:#?}\n{web:#?}\n{last:#?}\n{}", self.aws.moto().last_words());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn approve(&self, digest: &str) -> String {
        let approval = Approval {
            application: String::new(),
            destination: "shop".into(),
            digest: digest.into(),
            by: "test".into(),
        };
        let store = self.store();
        let key = store.ask(&UserRequest::Approve(approval)).await.unwrap();
        store.await_answer(&key, LIMIT).await.unwrap().expect("an answer")
    }

    /// How many there are of every kind of resource, in moto and in EKS.
    async fn counts(&self) -> BTreeMap<String, u64> {
        self.aws.counts().await.unwrap()
    }

    async fn client(&self) -> kube::Client {
        client(self.aws.world().kubeconfigs().await.get("shop").expect("a control plane")).await
    }

    fn events_after(&self, moment: usize) -> Vec<Event> {
        self.told.0.lock().unwrap()[moment..].to_vec()
    }

    fn moment(&self) -> usize {
        self.told.0.lock().unwrap().len()
    }

    /// Another pass over everything, from its beginning to its end.
    async fn pass(&self) {
        // Passes follow each other: when the second begins, the first has ended.
        for _ in 0..2 {
            let calls = self.aws.eks().calls().len();
            let store = self.store();
            let key = store.ask(&UserRequest::Sync { application: None }).await.unwrap();
            store.await_answer(&key, LIMIT).await.unwrap().expect("an answer");
            let begins = |call: &portolan::local::aws::eks::CallRecord| call.operation == "DescribeCluster";
            let begun = Instant::now();
            while !self.aws.eks().calls_after(calls).iter().any(begins) {
                assert!(begun.elapsed() < LIMIT, "no pass begins");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn is_in_place(cluster: Option<&ClusterRecord>, web: Option<&ApplicationRecord>, version: &str) -> bool {
    cluster
        .is_some_and(|c| c.sync == SyncStatus::Synced && c.health == Health::Healthy && c.version == version)
        && web.is_some_and(|web| web.sync == SyncStatus::Synced && web.health == Health::Healthy)
}

/// What the first commit has brought is what it says.
async fn as_declared(whole: &Whole, client: &kube::Client) {
    let counts = whole.counts().await;
    let of_eks = |kind: &str| counts[&format!("eks.{kind}")];
    assert_eq!(
        [of_eks("clusters"), of_eks("nodegroups"), of_eks("fargateProfiles")],
        [1, 2, 1],
        "{counts:?}"
    );
    // The four declared, and the metrics server that eksctl adds.
    assert_eq!([of_eks("addons"), of_eks("podIdentityAssociations")], [5, 1], "{counts:?}");
    let cloud = Adapter.connect(whole.aws.access()).await.unwrap();
    let entries = Call::new(Service::Eks, "ListAccessEntries", json!({"clusterName": "shop"}));
    let entries = cloud.call(&entries).await.unwrap();
    let declared = json!("arn:aws:iam::123456789012:role/people");
    assert!(entries["accessEntries"].as_array().unwrap().contains(&declared), "{entries}");
    let there = nodes(client).await;
    let of = |group: &str, capacity: &str| {
        there.iter().filter(|node| node.group == group && node.capacity == capacity).count()
    };
    assert_eq!([of("blue", "ON_DEMAND"), of("green", "SPOT"), of("", "")], [2, 1, 2], "{there:?}");
    assert!(there.iter().all(|node| node.kubelet.starts_with("v1.35.")), "{there:?}");
}

/// A second pass has nothing to do.
async fn at_rest(whole: &Whole) {
    let (counts, moment, calls) = (whole.counts().await, whole.moment(), whole.aws.eks().calls().len());
    whole.pass().await;
    let writes: Vec<_> = whole
        .aws
        .eks()
        .calls_after(calls)
        .into_iter()
        .filter(|call| !["Describe", "List"].iter().any(|read| call.operation.starts_with(read)))
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    let begun: Vec<_> = whole
        .events_after(moment)
        .into_iter()
        .filter(|event| matches!(event.what, What::ResourceBegun { .. } | What::ResourceDrifted { .. }))
        .collect();
    assert!(begun.is_empty(), "{begun:?}");
    assert_eq!(whole.counts().await, counts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commit_brings_a_cluster_and_its_application_another_one_upgrades_it_a_revert_takes_all_away() {
    if std::env::var_os("PORTOLAN_TEST_WHOLE").is_none() {
        println!("not run: PORTOLAN_TEST_WHOLE=1 asks for the whole way, about a minute and a half");
        return;
    }
    crate::support::aws::needs_aws!();
    let begun = Instant::now();
    let mut whole = Whole::start().await;
    let before = whole.counts().await;
    println!("the local AWS: after {:?}", begun.elapsed());
    whole.run().await;
    whole.repo.commit(
        "main",
        &[
            ("portolan/cluster.yaml", CLUSTER),
            ("portolan/web.yaml", APPLICATION),
            ("clusters/shop.yaml", &shop("1.35")),
            ("apps/web/web.yaml", WEB),
        ],
    );
    whole
        .until("an application that waits", |_, web| {
            web.is_some_and(|web| web.message.starts_with("waits for cluster shop"))
        })
        .await;
    whole.until("a cluster with its application", |cluster, web| is_in_place(cluster, web, "1.35")).await;
    let client = whole.client().await;
    as_declared(&whole, &client).await;
    at_rest(&whole).await;

    let (old, moment) = (nodes(&client).await, whole.moment());
    let web = Throughout::begin(client.clone(), "shop").await;
    let report = Throughout::begin(client.clone(), "batch").await;
    whole.repo.commit("main", &[("clusters/shop.yaml", &shop("1.36"))]);
    whole.until("an upgraded cluster", |cluster, web| is_in_place(cluster, web, "1.36")).await;
    // The API server has told of the last pod before; the watch beside may be a moment behind.
    let late = Instant::now();
    while report.seen().pods.len() < 4 && late.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (of_web, of_report) = (web.seen(), report.seen());
    drop((web, report));
    println!(
        "web: {} changes, never fewer than {} ready; report: {} changes, never fewer than {} ready; {} watches ended",
        of_web.changes,
        of_web.fewest,
        of_report.changes,
        of_report.fewest,
        of_web.broken + of_report.broken,
    );
    assert!(of_web.fewest >= 2 && of_report.fewest >= 1, "{of_web:#?}\n{of_report:#?}");
    assert!(
        of_web.pods.len() >= 6 && of_report.pods.len() >= 4,
        "all pods moved: {of_web:#?}\n{of_report:#?}"
    );
    // What Portolan itself thought of it meanwhile: pods come and go, and it is never worse than that.
    let thought: Vec<Health> = whole
        .events_after(moment)
        .into_iter()
        .filter_map(|event| match event.what {
            What::HealthChanged { to, .. } if event.subject.application == "web" => Some(to),
            _ => None,
        })
        .collect();
    println!("the application's health meanwhile: {thought:?}");
    assert!(thought.iter().all(|to| matches!(to, Health::Healthy | Health::Progressing)), "{thought:?}");
    let client = whole.client().await;
    let new = nodes(&client).await;
    assert_eq!(new.len(), old.len(), "{new:?}");
    assert!(new.iter().all(|node| node.kubelet.starts_with("v1.36.")), "{new:?}");
    assert!(new.iter().all(|node| old.iter().all(|old| old.id != node.id)), "{old:?} {new:?}");

    whole.repo.commit(
        "main",
        &[("portolan/cluster.yaml", ""), ("portolan/web.yaml", ""), ("clusters/shop.yaml", "")],
    );
    whole.until("a deletion that waits", |cluster, _| cluster.is_some_and(|c| c.waiting.is_some())).await;
    let waiting = whole.cluster().await.unwrap().waiting.unwrap();
    assert!(whole.approve(&waiting.digest).await.starts_with("approved"));
    whole.until("nothing", |cluster, web| cluster.is_none() && web.is_none()).await;
    assert_eq!(whole.counts().await, before, "nothing is left");
    let failed: Vec<_> = whole
        .events_after(0)
        .into_iter()
        .filter(|event| matches!(event.what, What::ResourceFailed { .. }))
        .collect();
    println!("failures on the way: {failed:#?}");
    let (_, stop, task) = whole.running.take().unwrap();
    stop.send_replace(true);
    task.await.unwrap();
    let violations = whole.aws.eks().violations();
    assert!(violations.is_empty(), "{violations:#?}");
    whole.aws.stop().await;
    println!("all of it: {:?}", begun.elapsed());
}
