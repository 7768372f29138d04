//! The demo's stage: a control plane, the repository, the daemon, and what can be asked of them.

use super::shop;
use crate::app::{self, Surroundings};
use crate::cli::rehearsal::{Chronicle, Repository};
use crate::cli::{local, output, run};
use crate::config;
use crate::engine::View;
use crate::failure::Failure;
use crate::local::{ControlPlane, Options};
use crate::model::event::{Event, What};
use crate::model::{Health, SyncStatus};
use crate::ports::{ApplicationRecord, StateStore};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Longest wait for anything that a chapter waits for.
const LIMIT: Duration = Duration::from_secs(120);

/// The stage.
pub(super) struct Scene {
    /// The repository.
    pub shop: Repository,
    /// The daemon's state: where requests go.
    pub store: Arc<dyn StateStore>,
    /// The folder of everything.
    pub folder: PathBuf,
    /// The control plane, until it is handed over.
    control_plane: ControlPlane,
    chronicle: Arc<Chronicle>,
    view: View,
    stop: watch::Sender<bool>,
    daemon: tokio::task::JoinHandle<()>,
}

impl Scene {
    /// Builds what is missing, starts the control plane, makes the repository, starts the daemon.
    pub async fn set() -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix("portolan-demo-").tempdir()?.keep();
        let options = Options { nodes: 3, ..Options::default() };
        let started = ControlPlane::start(options, &mut local::show_progress).await;
        output::end_progress();
        let control_plane = started?;
        let shop = shop::open(folder.join("shop"))?;
        let file = folder.join("portolan.yaml");
        let daemon_file = serde_json::json!({
            "apiVersion": "portolan.dev/v1alpha1",
            "kind": "Config",
            "repositories": [{"name": "shop", "url": shop.folder, "interval": "10s"}],
            "kubeconfigs": [{"name": "local", "file": control_plane.kubeconfig()}],
            "listen": "127.0.0.1:0",
            "dataDir": folder.join("data"),
        });
        std::fs::write(&file, daemon_file.to_string())?;
        let config = config::load(&file)?;
        let chronicle = Arc::new(Chronicle::default());
        let surroundings =
            Surroundings { program: run::own_program()?, tool_folders: run::tool_folders(), observer: None };
        let composed = app::compose(&config, &surroundings, chronicle.clone()).await?;
        let store = app::state_store(&config, None).await?;
        let view = composed.view();
        let (stop, stopped) = watch::channel(false);
        let daemon = tokio::spawn(composed.run(stopped));
        Ok(Self { shop, store, folder, control_plane, chronicle, view, stop, daemon })
    }

    /// Ends the daemon and the control plane, and removes everything.
    pub async fn strike(self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        let _ = self.daemon.await;
        self.control_plane.stop().await?;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }

    /// The kubeconfig's path.
    pub fn kubeconfig(&self) -> String {
        self.control_plane.kubeconfig().display().to_string()
    }

    /// How many events there have been.
    pub fn now(&self) -> usize {
        self.chronicle.now()
    }

    /// The events since a moment.
    pub fn since(&self, moment: usize) -> Vec<Event> {
        self.chronicle.since(moment)
    }

    /// Waits for the first event since a moment that is of interest.
    pub async fn event<T>(
        &self,
        moment: usize,
        what: &str,
        pick: impl Fn(&Event) -> Option<T>,
    ) -> Result<T, String> {
        self.chronicle.event(moment, LIMIT, what, pick).await
    }

    /// Waits until applications are synced and healthy.
    pub async fn settled(&self, applications: &[&str]) -> Result<Vec<ApplicationRecord>, String> {
        let begun = Instant::now();
        loop {
            let news = self.chronicle.news();
            let records = self.view.applications();
            let ready = |name: &&str| {
                records
                    .iter()
                    .any(|r| r.name == **name && r.sync == SyncStatus::Synced && r.health == Health::Healthy)
            };
            if applications.iter().all(ready) {
                return Ok(records);
            }
            if begun.elapsed() > LIMIT {
                let lines: Vec<String> = records
                    .iter()
                    .map(|r| format!("{}: {}, {} {}", r.name, r.sync, r.health, r.message))
                    .collect();
                return Err(format!("not settled within {} s: {}", LIMIT.as_secs(), lines.join("; ")));
            }
            // An event is a hint that something moved; the pause catches what has none.
            let _ = tokio::time::timeout(Duration::from_millis(200), news).await;
        }
    }

    /// Runs kubectl as a person would.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.control_plane.programs().kubectl)
            .arg("--kubeconfig")
            .arg(self.control_plane.kubeconfig())
            .args(arguments)
            .output()
            .map_err(|error| format!("kubectl: {error}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// Reads an object by kubectl; `None` when there is none.
    pub fn object(&self, kind: &str, name: &str) -> Result<Option<Value>, String> {
        let text = self.kubectl(&["-n", "shop", "get", kind, name, "--ignore-not-found", "-o", "json"])?;
        if text.is_empty() {
            Ok(None)
        } else {
            serde_json::from_str(&text).map(Some).map_err(|e| e.to_string())
        }
    }

    /// The applications that were rendered since a moment.
    pub fn rendered(&self, moment: usize) -> Vec<String> {
        let rendered = |event: &Event| {
            matches!(event.what, What::Rendered { .. }).then(|| event.subject.application.clone())
        };
        self.since(moment).iter().filter_map(rendered).collect()
    }
}
