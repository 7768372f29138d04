//! The whole daemon in a test: a git repository, the shared control plane, and everything that happened.

use super::control_plane::{control_plane, fresh_namespace, kubectl, kubectl_ok, kubectl_ok_with};
use super::git_repo::TestRepo;
use portolan::app::{self, Composed, Surroundings};
use portolan::config;
use portolan::engine::View;
use portolan::k8s::{ClusterStateStore, ConnectOptions, RequestObserver, Source};
use portolan::local::ControlPlane;
use portolan::model::event::{Event, What};
use portolan::ports::state::{ApplicationRecord, Approval, UserRequest};
use portolan::ports::{Sink, StateStore};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};

/// Longest wait for anything: what takes a second here takes a minute on a machine with other work.
pub const LIMIT: Duration = Duration::from_secs(150);

/// Every event, in order.
#[derive(Default)]
pub struct Chronicle {
    events: Mutex<Vec<Event>>,
    news: Notify,
}

impl Sink for Chronicle {
    fn take(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
        self.news.notify_waiters();
    }
}

/// A repository, a destination, and a daemon between them that can be stopped and started.
pub struct Daemon {
    /// The first repository, called `main`, which holds the documents.
    pub repo: TestRepo,
    /// A namespace of the test's own on the shared control plane.
    pub namespace: String,
    /// The daemon's ApplySet parent, so that tests do not see each other's objects.
    pub instance: String,
    /// The control plane.
    pub control_plane: Arc<ControlPlane>,
    /// What happened, over all starts.
    pub chronicle: Arc<Chronicle>,
    /// Settings that differ from the defaults, at the top of the daemon's file.
    pub settings: Value,
    /// More repositories: entries of the daemon's file.
    pub repositories: Vec<Value>,
    /// Sees, and can break, each request.
    pub observer: Option<Arc<dyn RequestObserver>>,
    folder: TempDir,
    running: Option<Running>,
}

struct Running {
    view: View,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// A stopped daemon on a repository with a Cluster document called `local` and these files, committed to `main`.
    /// `NAMESPACE` in a file stands for the test's own namespace.
    pub async fn new(files: &[(&str, &str)]) -> Self {
        // Every engine of this one process has its own connections and watches.
        portolan::host::raise_open_files_limit();
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let namespace = fresh_namespace().await;
        let repo = TestRepo::empty();
        let daemon = Self {
            instance: format!("it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
            control_plane: control_plane().await,
            chronicle: Arc::default(),
            settings: json!({}),
            repositories: Vec::new(),
            observer: None,
            folder: tempfile::tempdir().unwrap(),
            running: None,
            repo,
            namespace,
        };
        let cluster = "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: local}\nspec: {kubeconfig: {}}\n";
        let mut all = vec![("portolan/cluster.yaml", cluster)];
        all.extend(files);
        daemon.commit(&all);
        daemon
    }

    /// A started daemon.
    pub async fn started(files: &[(&str, &str)]) -> Self {
        let mut daemon = Self::new(files).await;
        daemon.start().await;
        daemon
    }

    /// Commits files to `main`; an empty content removes the file. Returns the commit's id.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        let filled: Vec<(String, String)> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.replace("NAMESPACE", &self.namespace)))
            .collect();
        let borrowed: Vec<(&str, &str)> =
            filled.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        self.repo.commit("main", &borrowed)
    }

    /// Starts the daemon.
    pub async fn start(&mut self) {
        let composed = self.compose().await;
        let view = composed.view();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(composed.run(stopped));
        self.running = Some(Running { view, stop, task });
    }

    /// Writes the daemon's file and gives its path.
    pub fn config_file(&self) -> PathBuf {
        let file = self.folder.path().join("portolan.yaml");
        let mut settings = json!({
            "apiVersion": "portolan.dev/v1alpha1",
            "kind": "Config",
            "instance": self.instance,
            "repositories": [{"name": "main", "url": self.repo.path(), "interval": "5s"}],
            "kubeconfigs": [{"name": "local", "file": self.control_plane.kubeconfig()}],
            "listen": "127.0.0.1:0",
            "dataDir": self.folder.path().join("data"),
        });
        for (key, value) in self.settings.as_object().unwrap() {
            settings[key] = value.clone();
        }
        settings["repositories"].as_array_mut().unwrap().extend(self.repositories.iter().cloned());
        std::fs::write(&file, settings.to_string()).unwrap();
        file
    }

    /// An engine as the settings make it, not started.
    pub async fn compose(&self) -> Composed {
        let file = self.config_file();
        let config = config::load(&file).unwrap_or_else(|problems| panic!("{problems:?}"));
        let surroundings = Surroundings {
            program: PathBuf::from(env!("CARGO_BIN_EXE_portolan")),
            tool_folders: vec![self.control_plane.programs().helm.parent().unwrap().to_owned()],
            observer: self.observer.clone(),
        };
        match app::compose(&config, &surroundings, self.chronicle.clone()).await {
            Ok(composed) => composed,
            Err(failure) => panic!("{failure}"),
        }
    }

    /// Stops the daemon as SIGTERM does.
    pub async fn stop(&mut self) {
        let running = self.running.take().expect("the daemon runs");
        running.stop.send_replace(true);
        running.task.await.unwrap();
    }

    /// Ends the daemon as SIGKILL does: nothing is drained or stored.
    pub async fn kill(&mut self) {
        let running = self.running.take().expect("the daemon runs");
        running.task.abort();
        let _ = running.task.await;
    }

    /// The state that the daemon keeps and the command line reaches it through.
    pub async fn store(&self) -> Arc<dyn StateStore> {
        if let Some(namespace) = self.settings["state"]["namespace"].as_str() {
            let source =
                Source::KubeconfigFile { path: self.control_plane.kubeconfig().to_owned(), context: None };
            let server = portolan::k8s::connect(&source, ConnectOptions::default()).await.unwrap();
            return Arc::new(ClusterStateStore::new(&server, namespace));
        }
        Arc::new(portolan::host::FolderStore::open(self.folder.path().join("data").join("state")).unwrap())
    }

    /// Asks the daemon for something, as the command line does; its answer.
    pub async fn ask(&self, request: &UserRequest) -> String {
        let store = self.store().await;
        let key = store.ask(request).await.unwrap();
        store.await_answer(&key, LIMIT).await.unwrap().expect("an answer")
    }

    /// Approves what waits.
    pub async fn approve(&self, application: &str, digest: &str) -> String {
        let approval = Approval {
            application: application.into(),
            destination: "local".into(),
            digest: digest.into(),
            by: "test".into(),
        };
        self.ask(&UserRequest::Approve(approval)).await
    }

    /// An application's record as it is now.
    pub fn record(&self, application: &str) -> Option<ApplicationRecord> {
        let running = self.running.as_ref().expect("the daemon runs");
        running.view.applications().into_iter().find(|record| record.name == application)
    }

    /// An application's record on one of several destinations.
    pub fn record_on(&self, application: &str, destination: &str) -> Option<ApplicationRecord> {
        let running = self.running.as_ref().expect("the daemon runs");
        let wanted =
            |record: &ApplicationRecord| record.name == application && record.destination == destination;
        running.view.applications().into_iter().find(wanted)
    }

    /// How many events there have been.
    pub fn now(&self) -> usize {
        self.chronicle.events.lock().unwrap().len()
    }

    /// The events since a moment.
    pub fn since(&self, moment: usize) -> Vec<Event> {
        self.chronicle.events.lock().unwrap()[moment..].to_vec()
    }

    /// Waits for the first event since a moment that is of interest.
    pub async fn event<T>(&self, moment: usize, what: &str, pick: impl Fn(&Event) -> Option<T>) -> T {
        let found = async {
            loop {
                let news = self.chronicle.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(found) = self.since(moment).iter().find_map(&pick) {
                    return found;
                }
                news.await;
            }
        };
        match tokio::time::timeout(LIMIT, found).await {
            Ok(found) => found,
            Err(_) => panic!("{what}: not within {LIMIT:?}; events: {:#?}", self.since(moment)),
        }
    }

    /// Waits until an application's record is as wanted, and gives it.
    pub async fn until(
        &self,
        application: &str,
        what: &str,
        holds: impl Fn(&ApplicationRecord) -> bool,
    ) -> ApplicationRecord {
        self.until_on(application, "local", what, holds).await
    }

    /// [`Self::until`] on one of several destinations.
    pub async fn until_on(
        &self,
        application: &str,
        destination: &str,
        what: &str,
        holds: impl Fn(&ApplicationRecord) -> bool,
    ) -> ApplicationRecord {
        let begun = Instant::now();
        loop {
            let record = self.record_on(application, destination);
            if let Some(record) = record.as_ref().filter(|record| holds(record)) {
                return record.clone();
            }
            assert!(
                begun.elapsed() < LIMIT,
                "{application} on {destination} is not {what}: {record:#?}\n{:#?}",
                self.since(0)
            );
            // Records change without an event as well.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an application is Synced and Healthy at a commit (empty: any).
    pub async fn settled(&self, application: &str, commit: &str) -> ApplicationRecord {
        let short = commit.get(..12).unwrap_or(commit);
        self.until(application, "settled", |record| {
            record.sync.to_string() == "Synced"
                && record.health.to_string() == "Healthy"
                && record.revision.contains(short)
        })
        .await
    }

    /// Waits until the drift of an object is mended, and gives the event's fields.
    pub async fn mended(&self, moment: usize, name: &str) -> Vec<portolan::model::event::FieldDrift> {
        self.event(moment, &format!("{name} is not mended"), |event| match &event.what {
            What::Mended { id, fields, .. } if id.name == name => Some(fields.clone()),
            _ => None,
        })
        .await
    }

    /// Runs kubectl in the test's namespace.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(arguments);
        kubectl_ok(&self.control_plane, &all).await
    }

    /// Runs kubectl in the test's namespace with something on its standard input.
    pub async fn kubectl_with(&self, arguments: &[&str], input: &str) -> String {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(arguments);
        kubectl_ok_with(&self.control_plane, &all, &input.replace("NAMESPACE", &self.namespace)).await
    }

    /// An object as kubectl sees it, managedFields included; `None` when there is none.
    pub async fn object(&self, kind: &str, name: &str) -> Option<Value> {
        let arguments = [
            "-n",
            self.namespace.as_str(),
            "get",
            kind,
            name,
            "--ignore-not-found",
            "-o",
            "json",
            "--show-managed-fields",
        ];
        let output = kubectl(&self.control_plane, &arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (!output.stdout.is_empty()).then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Waits until an object is as wanted.
    pub async fn object_until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        holds: impl Fn(Option<&Value>) -> bool,
    ) {
        let begun = Instant::now();
        loop {
            let object = self.object(kind, name).await;
            if holds(object.as_ref()) {
                return;
            }
            assert!(
                begun.elapsed() < LIMIT,
                "{kind} {name} is not {what}: {object:#?}\n{:#?}",
                self.since(0)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// An Application document in the folder of documents.
pub fn application(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec: {{path: apps/{name}, namespace: NAMESPACE{}{spec}}}\n",
        if spec.is_empty() { "" } else { ", " }
    )
}

/// A ConfigMap.
pub fn config_map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{data}}}\n")
}
