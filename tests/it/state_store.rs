//! What every state store promises, held against both: ConfigMaps and Secrets on a real API server, and a folder.

use crate::support::control_plane::{control_plane, fresh_namespace, kubectl_ok, kubectl_ok_with};
use portolan::host::FolderStore;
use portolan::k8s::{ApiServer, ClusterStateStore, ConnectOptions, Source, connect};
use portolan::model::Object;
use portolan::ports::{ApplicationRecord, Approval, Asked, Pruned, StateStore, StateUpdate, UserRequest};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const LIMIT: Duration = Duration::from_secs(20);

/// A place for state, and how a process opens it: the daemon and the command line open it apart.
enum Place {
    Namespace(ApiServer, String),
    Folder(tempfile::TempDir),
}

impl Place {
    fn open(&self) -> Arc<dyn StateStore> {
        match self {
            Self::Namespace(server, namespace) => Arc::new(ClusterStateStore::new(server, namespace)),
            Self::Folder(folder) => Arc::new(FolderStore::open(folder.path().join("state")).unwrap()),
        }
    }
}

async fn api_server() -> ApiServer {
    let path = control_plane().await.kubeconfig().to_owned();
    connect(&Source::KubeconfigFile { path, context: None }, ConnectOptions::default()).await.unwrap()
}

async fn places() -> [Place; 2] {
    [
        Place::Namespace(api_server().await, fresh_namespace().await),
        Place::Folder(tempfile::tempdir().unwrap()),
    ]
}

fn record(destination: &str, name: &str, revision: &str) -> ApplicationRecord {
    let record = json!({
        "name": name, "destination": destination, "revision": revision, "sync": "Synced", "health": "Healthy",
        "hooksDone": ["Job.batch shop/migrate"], "hooksDigest": "d", "problems": {"Deployment.apps shop/web": "no"},
    });
    serde_json::from_value(record).unwrap()
}

fn update(records: &[(&str, Option<ApplicationRecord>)]) -> StateUpdate {
    let records = records.iter().map(|(key, record)| ((*key).to_owned(), record.clone())).collect();
    StateUpdate { records }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_outlive_the_process_and_are_removed_one_by_one() {
    for place in places().await {
        let store = place.open();
        assert!(store.load().await.unwrap().is_empty());
        let odd = "eu west/Ünï_cødé__x";
        let all = [
            ("in-cluster/shop", Some(record("in-cluster", "shop", "main@1"))),
            ("in-cluster/site", Some(record("in-cluster", "site", "main@1"))),
            (odd, Some(record("eu west", "Ünï_cødé__x", "main@1"))),
        ];
        store.save(&update(&all)).await.unwrap();
        let again = place.open();
        let loaded = again.load().await.unwrap();
        assert_eq!(loaded.keys().collect::<Vec<_>>(), [odd, "in-cluster/shop", "in-cluster/site"]);
        assert_eq!(loaded["in-cluster/shop"], record("in-cluster", "shop", "main@1"));

        let change =
            [("in-cluster/shop", Some(record("in-cluster", "shop", "main@2"))), ("in-cluster/site", None)];
        again.save(&update(&change)).await.unwrap();
        // Removing what is not there is no error, also on a store that has nothing yet of that shard.
        again.save(&update(&[("nowhere/nothing", None)])).await.unwrap();
        let loaded = place.open().load().await.unwrap();
        assert_eq!(loaded.len(), 2);
        assert_eq!(loaded["in-cluster/shop"].revision, "main@2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_records_are_few_objects() {
    for place in places().await {
        let store = place.open();
        let all: BTreeMap<_, _> = (0..1000)
            .map(|n| {
                (format!("in-cluster/app-{n}"), Some(record("in-cluster", &format!("app-{n}"), "main@1")))
            })
            .collect();
        store.save(&StateUpdate { records: all }).await.unwrap();
        assert_eq!(place.open().load().await.unwrap().len(), 1000);
        if let Place::Namespace(_, namespace) = &place {
            let cp = control_plane().await;
            let get =
                ["get", "configmaps", "-n", namespace, "-l", "portolan.dev/state=records", "-o", "name"];
            assert_eq!(kubectl_ok(&cp, &get).await.lines().count(), 16);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_records_are_not_written() {
    let (server, namespace) = (api_server().await, fresh_namespace().await);
    let store = ClusterStateStore::new(&server, &namespace);
    let one = update(&[("in-cluster/shop", Some(record("in-cluster", "shop", "main@1")))]);
    store.save(&one).await.unwrap();
    let cp = control_plane().await;
    let versions = [
        "get",
        "configmaps",
        "-n",
        &namespace,
        "-l",
        "portolan.dev/state",
        "-o",
        "jsonpath={.items[*].metadata.resourceVersion}",
    ];
    let before = kubectl_ok(&cp, &versions).await;
    store.save(&one).await.unwrap();
    // A restarted daemon knows what is there as well.
    let restarted = ClusterStateStore::new(&server, &namespace);
    restarted.load().await.unwrap();
    restarted.save(&one).await.unwrap();
    assert_eq!(kubectl_ok(&cp, &versions).await, before);
}

fn approval(digest: &str) -> Approval {
    Approval {
        application: "shop".into(),
        destination: "in-cluster".into(),
        digest: digest.into(),
        by: String::new(),
    }
}

/// The daemon's side of a store.
struct Daemon {
    store: Arc<dyn StateStore>,
    asked: mpsc::Receiver<Asked>,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    fn start(place: &Place) -> Self {
        let store = place.open();
        let (sink, asked) = mpsc::channel(4);
        let watching = store.clone();
        let task = tokio::spawn(async move { watching.requests(sink).await.unwrap() });
        Self { store, asked, task }
    }

    async fn next(&mut self) -> Asked {
        tokio::time::timeout(LIMIT, self.asked.recv())
            .await
            .expect("a request in time")
            .expect("requests go on")
    }

    async fn stop(self) {
        drop(self.asked);
        tokio::time::timeout(LIMIT, self.task).await.expect("it ends with its receiver").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_the_daemon_and_its_answer_comes_back() {
    for place in places().await {
        let cli = place.open();
        let early = UserRequest::Restore { destination: "in-cluster".into(), key: "x.0".into() };
        let early_key = cli.ask(&early).await.unwrap();
        let mut daemon = Daemon::start(&place);
        assert_eq!(daemon.next().await, Asked { key: early_key.clone(), request: early });

        let request = UserRequest::Sync { application: Some("shop".into()) };
        let key = cli.ask(&request).await.unwrap();
        assert_eq!(daemon.next().await, Asked { key: key.clone(), request });
        assert_eq!(
            cli.await_answer(&key, Duration::from_millis(300)).await.unwrap(),
            None,
            "nobody answered yet"
        );
        let waiting = tokio::spawn({
            let (cli, key) = (cli.clone(), key.clone());
            async move { cli.await_answer(&key, LIMIT).await }
        });
        daemon.store.answer(&key, "synced main@2: 3 objects written").await.unwrap();
        let answer = waiting.await.unwrap().unwrap();
        assert_eq!(answer.as_deref(), Some("synced main@2: 3 objects written"));
        assert_eq!(cli.await_answer(&key, LIMIT).await.unwrap(), answer, "whoever is late reads it as well");
        daemon.stop().await;

        // A daemon that comes back delivers what has no answer, and that alone.
        let mut daemon = Daemon::start(&place);
        assert_eq!(daemon.next().await.key, early_key);
        daemon.store.answer(&early_key, "done").await.unwrap();
        let last = cli.ask(&UserRequest::Sync { application: None }).await.unwrap();
        assert_eq!(daemon.next().await.key, last, "nothing is delivered twice");
        daemon.stop().await;
        assert!(cli.await_answer("never-asked", LIMIT).await.unwrap().unwrap().contains("removed"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_lasts_until_its_plan_was_executed() {
    for place in places().await {
        let cli = place.open();
        let mut daemon = Daemon::start(&place);
        for digest in ["sha-1", "sha-2"] {
            let key = cli.ask(&UserRequest::Approve(approval(digest))).await.unwrap();
            assert_eq!(daemon.next().await.key, key);
            daemon.store.answer(&key, "approved").await.unwrap();
            assert_eq!(cli.await_answer(&key, LIMIT).await.unwrap().as_deref(), Some("approved"));
        }
        let digests = |approvals: Vec<Approval>| {
            let mut digests: Vec<String> = approvals.into_iter().map(|a| a.digest).collect();
            digests.sort();
            digests
        };
        assert_eq!(
            digests(daemon.store.approvals().await.unwrap()),
            ["sha-1", "sha-2"],
            "from what is watched"
        );
        assert_eq!(digests(place.open().approvals().await.unwrap()), ["sha-1", "sha-2"], "and read anew");
        daemon.store.use_up(&approval("sha-1")).await.unwrap();
        daemon.store.use_up(&approval("sha-1")).await.unwrap();
        assert_eq!(digests(daemon.store.approvals().await.unwrap()), ["sha-2"]);
        assert_eq!(digests(place.open().approvals().await.unwrap()), ["sha-2"]);
        daemon.stop().await;
    }
}

fn pruned(destination: &str, name: &str, at: &str, value: &str) -> Pruned {
    let manifest = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "shop"}, "data": {"k": value},
    });
    let manifest = Object::new(manifest).unwrap();
    Pruned {
        application: "shop".into(),
        destination: destination.into(),
        at: at.into(),
        id: manifest.id(),
        manifest,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pruned_manifests_come_back_as_they_were_and_grow_old() {
    for place in places().await {
        let store = place.open();
        store.keep(&[]).await.unwrap();
        let old = [pruned("a", "old", "2026-01-01T00:00:00Z", "b2xk")];
        let other = [pruned("b", "other", "2026-01-01T00:00:00Z", "b3RoZXI=")];
        let together = [
            pruned("a", "x", "2026-01-20T00:00:00Z", "eA=="),
            pruned("a", "y", "2026-01-20T00:00:00Z", "eQ=="),
        ];
        for objects in [&old[..], &other[..], &together[..], &together[..]] {
            store.keep(objects).await.unwrap();
        }
        let names = |kept: &[(String, Pruned)]| {
            kept.iter().map(|(_, p)| p.manifest.name().to_owned()).collect::<Vec<_>>()
        };
        let kept = place.open().kept().await.unwrap();
        assert_eq!(
            names(&kept),
            ["x", "y", "old", "other"],
            "the newest first, and what was kept twice once"
        );
        assert_eq!(kept[0].1.manifest, together[0].manifest);
        assert_eq!((kept[0].1.application.as_str(), kept[0].1.destination.as_str()), ("shop", "a"));
        let keys: std::collections::BTreeSet<_> = kept.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 4);

        // Thirty-one days after `old`, only the same destination's old things are forgotten.
        store.keep(&[pruned("a", "new", "2026-02-01T00:00:00Z", "bmV3")]).await.unwrap();
        assert_eq!(names(&store.kept().await.unwrap()), ["new", "x", "y", "other"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_makes_no_sense_is_answered_and_stops_nothing() {
    let (server, namespace) = (api_server().await, fresh_namespace().await);
    let place = Place::Namespace(server, namespace.clone());
    let mut daemon = Daemon::start(&place);
    let manifest = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "nonsense", "labels": {"portolan.dev/request": "sync"}},
        "data": {"request": "{\"request\": \"reboot\"}"},
    });
    let cp = control_plane().await;
    kubectl_ok_with(&cp, &["create", "-n", &namespace, "-f", "-"], &manifest.to_string()).await;
    let answer = place.open().await_answer("nonsense", LIMIT).await.unwrap().unwrap();
    assert!(answer.starts_with("refused"), "{answer}");
    let key = place.open().ask(&UserRequest::Sync { application: None }).await.unwrap();
    assert_eq!(daemon.next().await.key, key);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_says_who_asked_and_cannot_be_changed_afterwards() {
    let (server, namespace) = (api_server().await, fresh_namespace().await);
    let place = Place::Namespace(server, namespace.clone());
    let key = place.open().ask(&UserRequest::Approve(approval("sha-1"))).await.unwrap();
    let approvals = place.open().approvals().await.unwrap();
    let cp = control_plane().await;
    let whoami = kubectl_ok(&cp, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]).await;
    assert_eq!(approvals[0].by, whoami);
    let other = json!({"data": {"request": "{}"}}).to_string();
    let patch = ["patch", "configmap", &key, "-n", &namespace, "--type=merge", "-p", &other];
    let refused = crate::support::control_plane::kubectl(&cp, &patch).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("immutable"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_namespace_is_named() {
    let store = ClusterStateStore::new(&api_server().await, "no-such-namespace");
    let one = update(&[("in-cluster/shop", Some(record("in-cluster", "shop", "main@1")))]);
    let failure = store.save(&one).await.unwrap_err();
    assert!(failure.message.contains("does the namespace no-such-namespace exist"), "{failure}");
    assert!(!failure.transient);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_is_closed_to_other_users() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("state");
    std::fs::create_dir(&root).unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = FolderStore::open(&root).unwrap();
    store.keep(&[pruned("a", "x", "2026-01-20T00:00:00Z", "eA==")]).await.unwrap();
    store.ask(&UserRequest::Sync { application: None }).await.unwrap();
    let mut looked_at = 0;
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
                looked_at += 1;
            }
        }
    }
    assert_eq!(looked_at, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_and_a_key_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("state");
    let store = FolderStore::open(&root).unwrap();
    let one = update(&[("in-cluster/shop", Some(record("in-cluster", "shop", "main@1")))]);
    store.save(&one).await.unwrap();
    std::fs::write(folder.path().join("outside.json"), "{}").unwrap();
    store.answer("../../outside", "x").await.unwrap();
    assert!(folder.path().join("outside.json").exists() && !folder.path().join("outside.txt").exists());
    let shard = std::fs::read_dir(root.join("records")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&shard, "{\"half").unwrap();
    let failure = store.load().await.unwrap_err();
    let name = shard.file_name().unwrap().to_str().unwrap();
    assert!(failure.message.contains(name) && failure.message.contains("move it away"), "{failure}");
}
