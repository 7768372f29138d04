//! The daemon of a story: the real engine in this process, on a repository and a local AWS.

use super::chronicle::Chronicle;
use crate::app::{self, CloudSetup, Surroundings};
use crate::cli::run;
use crate::config::{self, Config};
use crate::engine::View;
use crate::engine::clusters::Pace;
use crate::failure::Failure;
use crate::ports::state::{Approval, UserRequest};
use crate::ports::{Clouds, ClusterRecord, MigrationRecord, StateStore};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long the daemon may take to answer a request.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two looks at records, where no event tells that something moved.
const PAUSE: Duration = Duration::from_millis(200);

/// What a daemon is started with.
pub struct Post {
    /// Where its file and its data lie.
    pub folder: PathBuf,
    /// Name and folder of the one repository.
    pub repository: (&'static str, PathBuf),
    /// Names and files of kubeconfigs.
    pub kubeconfigs: Vec<(&'static str, PathBuf)>,
    /// The way to AWS.
    pub clouds: Arc<dyn Clouds>,
}

/// A daemon that runs, and can be ended and started again like any other.
pub struct Daemon {
    post: Post,
    chronicle: Arc<Chronicle>,
    store: Arc<dyn StateStore>,
    running: Option<Running>,
}

struct Running {
    view: View,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Writes its file and starts it.
    ///
    /// # Errors
    /// What a daemon refuses to start with.
    pub async fn start(post: Post, chronicle: Arc<Chronicle>) -> Result<Self, Failure> {
        let kubeconfigs: Vec<Value> =
            post.kubeconfigs.iter().map(|(name, file)| json!({"name": name, "file": file})).collect();
        let (name, url) = &post.repository;
        let settings = json!({
            "apiVersion": "portolan.dev/v1alpha1",
            "kind": "Config",
            "repositories": [{"name": name, "url": url, "interval": "10s"}],
            "kubeconfigs": kubeconfigs,
            "listen": "127.0.0.1:0",
            "dataDir": post.folder.join("data"),
        });
        std::fs::write(file(&post.folder), settings.to_string())?;
        let store = app::state_store(&config::load(&file(&post.folder))?, None).await?;
        let mut daemon = Self { post, chronicle, store, running: None };
        daemon.begin().await?;
        Ok(daemon)
    }

    /// Starts it, with what is stored.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub async fn begin(&mut self) -> Result<(), Failure> {
        let config: Config = config::load(&self.file())?;
        let surroundings =
            Surroundings { program: run::own_program()?, tool_folders: run::tool_folders(), observer: None };
        let cloud = CloudSetup { clouds: self.post.clouds.clone(), pace: pace() };
        let composed = app::compose_with(&config, &surroundings, cloud, self.chronicle.clone()).await?;
        let view = composed.view();
        let (stop, stopped) = watch::channel(false);
        self.running = Some(Running { view, stop, task: tokio::spawn(composed.run(stopped)) });
        Ok(())
    }

    /// Ends it in order.
    pub async fn end(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.send_replace(true);
            let _ = running.task.await;
        }
    }

    /// Its file, for other commands of ours.
    pub fn file(&self) -> PathBuf {
        file(&self.post.folder)
    }

    /// What it tells.
    pub fn chronicle(&self) -> &Chronicle {
        &self.chronicle
    }

    /// What can be seen of it while it runs.
    pub fn view(&self) -> Option<&View> {
        self.running.as_ref().map(|running| &running.view)
    }

    /// The record of a migration.
    pub fn migration(&self, name: &str) -> Option<MigrationRecord> {
        self.view()?.migrations().into_iter().find(|record| record.name == name)
    }

    /// The record of a cluster.
    pub fn cluster(&self, name: &str) -> Option<ClusterRecord> {
        self.view()?.clusters().into_iter().find(|record| record.name == name)
    }

    /// Waits until something holds of the daemon; `look` gives what was waited for, or says how far it is.
    ///
    /// # Errors
    /// It does not within the limit: with what `look` said last.
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let begun = Instant::now();
        loop {
            let news = self.chronicle.news();
            match look(self) {
                Ok(seen) => return Ok(seen),
                Err(state) if begun.elapsed() > limit => {
                    return Err(format!("{what}: not within {} s: {state}", limit.as_secs()));
                }
                // An event is a hint that something moved; the pause catches what has none.
                Err(_) => drop(tokio::time::timeout(PAUSE, news).await),
            }
        }
    }

    /// Approves what a cluster or a migration waits with, as `portolan approve` does. Gives the daemon's answer.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub async fn approve(&self, name: &str, digest: &str) -> Result<String, String> {
        let approval = Approval {
            application: String::new(),
            destination: name.into(),
            digest: digest.into(),
            by: "demo".into(),
        };
        let words = |failure: crate::ports::StateFailure| failure.to_string();
        let key = self.store.ask(&UserRequest::Approve(approval)).await.map_err(words)?;
        let answer = self.store.await_answer(&key, ANSWER).await.map_err(words)?;
        answer.ok_or_else(|| "the daemon did not answer the approval".into())
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("portolan.yaml")
}

/// A local AWS is done in seconds where the real one takes minutes: looks follow each other faster.
fn pace() -> Pace {
    Pace {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(1),
        backoff: (Duration::from_millis(200), Duration::from_secs(2)),
        settle: Duration::ZERO,
        at_once: 8,
    }
}
