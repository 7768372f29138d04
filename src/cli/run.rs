//! `portolan run`: the daemon.

use super::Context;
use crate::app::{self, Surroundings};
use crate::config::{self, Config};
use crate::failure::{Failure, FailureKind};
use crate::http::{self, Pages};
use crate::local::{Places, RELEASES};
use crate::model::event::{Event, Subject, What};
use crate::ports::Sink;
use crate::telemetry::{self, LogSink, Metrics, RequestCounter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// Runs the daemon.
///
/// The daemon's file is watched: a new one takes effect without a restart; a broken one is reported, and the old one
/// stays in force. SIGTERM and Ctrl-C finish what is under way, within `limits.drainTimeout`.
///
/// Example:
///   portolan run --config config/portolan.yaml
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Run {}

impl Run {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let config = context.config()?;
        telemetry::start(config.log.format, &config.log.filter);
        let metrics = Arc::new(Metrics::default());
        let pages = Pages::new(metrics.clone());
        let listener = TcpListener::bind(config.listen).await.map_err(|error| {
            Failure::new(FailureKind::Environment, format!("cannot listen on {}: {error}", config.listen))
                .hint("set another address as `listen` in the daemon's file")
        })?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(http::serve(listener, pages.clone(), stopped));
        let result = keep_running(config, metrics, &pages).await;
        stop.send_replace(true);
        let _ = server.await;
        result.map(|()| ExitCode::SUCCESS)
    }
}

/// What ends a generation of the engine.
enum Turn {
    Stop,
    Reload(Box<Config>),
}

/// Runs one engine after the other: a changed configuration drains the old one and starts a new one, which begins by
/// reading what the old one stored, so that nothing is done twice.
async fn keep_running(mut config: Config, metrics: Arc<Metrics>, pages: &Pages) -> Result<(), Failure> {
    let sink: Arc<dyn Sink> =
        Arc::new(vec![Arc::new(LogSink) as Arc<dyn Sink>, metrics.clone() as Arc<dyn Sink>]);
    let surroundings = Surroundings {
        program: own_program()?,
        tool_folders: tool_folders(),
        observer: Some(Arc::new(RequestCounter(metrics))),
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut first = true;
    loop {
        let (changes, mut changed) = mpsc::channel(1);
        let watch = config::watch(&config, changes);
        if let Err(error) = &watch {
            tracing::warn!(%error, "the daemon's file is not watched");
        }
        let composed = match app::compose(&config, &surroundings, sink.clone()).await {
            Ok(composed) => composed,
            Err(failure) if first => return Err(failure),
            Err(failure) => {
                say(&*sink, false, failure.to_string());
                match next(&mut terminate, &mut changed, &*sink).await {
                    Turn::Stop => return Ok(()),
                    Turn::Reload(next) => config = *next,
                }
                continue;
            }
        };
        first = false;
        say(
            &*sink,
            true,
            format!("{} repositories, from {}", config.repositories.len(), config.file.display()),
        );
        pages.show(composed.view());
        let (stop, stopped) = watch::channel(false);
        let engine = tokio::spawn(composed.run(stopped));
        let turn = next(&mut terminate, &mut changed, &*sink).await;
        stop.send_replace(true);
        let _ = engine.await;
        match turn {
            Turn::Stop => return Ok(()),
            Turn::Reload(next) => config = *next,
        }
    }
}

/// Waits for a signal or for a configuration that holds.
async fn next(
    terminate: &mut tokio::signal::unix::Signal,
    changed: &mut mpsc::Receiver<Result<Config, Vec<crate::model::document::Problem>>>,
    sink: &dyn Sink,
) -> Turn {
    loop {
        tokio::select! {
            _ = terminate.recv() => return Turn::Stop,
            _ = tokio::signal::ctrl_c() => return Turn::Stop,
            Some(news) = changed.recv() => match news {
                Ok(config) => return Turn::Reload(Box::new(config)),
                Err(problems) => say(sink, false, Failure::from(problems).message),
            },
        }
    }
}

fn say(sink: &dyn Sink, accepted: bool, message: String) {
    sink.take(&Event { subject: Subject::default(), what: What::Configuration { accepted, message } });
}

/// The program that is running: it fetches in child processes of itself.
pub(super) fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(FailureKind::Environment, format!("our own program: {error}")))
}

/// Where helm and kustomize are looked for: PATH, then what the local control plane was built with.
pub(super) fn tool_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    if let Ok(places) = Places::from_env() {
        folders.extend(RELEASES.iter().map(|release| places.built(release).join("bin")));
    }
    folders
}
