//! The main job on the local AWS: one commit makes a cluster and an application on it, another one upgrades it, a revert
//! takes all away. The control plane is real.

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

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m, memory: 64Mi}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
";

/// The role that pods of Fargate start with: a given one here, for the local AWS does not tell a trust policy for which
/// profile a role is assumed (`aws:SourceArn`), and ours asks for that.
const FARGATE_ROLE: &str = "arn:aws:iam::123456789012:role/fargate";

fn shop(version: &str) -> String {
    let profile = format!("{{name: batch, podExecutionRoleARN: {FARGATE_ROLE}, selectors");
    super::aws::SHOP
        .replace("version: \"1.35\"", &format!("version: \"{version}\""))
        .replace("{name: batch, selectors", &profile)
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

    async fn make_fargate_role(&self) {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "eks-fargate-pods.amazonaws.com"},
        }]});
        let policy = "arn:aws:iam::aws:policy/AmazonEKSFargatePodExecutionRolePolicy";
        let cloud = Adapter.connect(self.aws.access()).await.unwrap();
        for (operation, input) in [
            ("CreateRole", json!({"RoleName": "fargate", "AssumeRolePolicyDocument": trust.to_string()})),
            ("AttachRolePolicy", json!({"RoleName": "fargate", "PolicyArn": policy})),
        ] {
            cloud.call(&Call::new(Service::Iam, operation, input)).await.unwrap();
        }
    }

    async fn counts(&self) -> BTreeMap<String, usize> {
        let cloud = Adapter.connect(self.aws.access()).await.unwrap();
        super::aws_scene::counts(cloud.as_ref(), self.aws.eks().counts()).await
    }
}

fn is_in_place(cluster: Option<&ClusterRecord>, web: Option<&ApplicationRecord>, version: &str) -> bool {
    cluster
        .is_some_and(|c| c.sync == SyncStatus::Synced && c.health == Health::Healthy && c.version == version)
        && web.is_some_and(|web| web.sync == SyncStatus::Synced && web.health == Health::Healthy)
}

#[ignore = "minutes on a real control plane that is upgraded: for those who have the time"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_commit_brings_a_cluster_and_its_application_another_one_upgrades_it_a_revert_takes_all_away() {
    crate::support::aws::needs_aws!();
    let mut whole = Whole::start().await;
    whole.make_fargate_role().await;
    let before = whole.counts().await;
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

    whole.repo.commit("main", &[("clusters/shop.yaml", &shop("1.36"))]);
    whole
        .until("an upgraded cluster, the application healthy throughout", |cluster, web| {
            assert!(web.is_some_and(|web| web.health == Health::Healthy), "{web:#?}");
            is_in_place(cluster, web, "1.36")
        })
        .await;

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
        .told
        .0
        .lock()
        .unwrap()
        .iter()
        .filter(|event| matches!(event.what, What::ResourceFailed { .. }))
        .cloned()
        .collect();
    println!("failures on the way: {failed:#?}");
    let (_, stop, task) = whole.running.take().unwrap();
    stop.send_replace(true);
    task.await.unwrap();
    let violations = whole.aws.eks().violations();
    assert!(violations.is_empty(), "{violations:#?}");
    whole.aws.stop().await;
}
