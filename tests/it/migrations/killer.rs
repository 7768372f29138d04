//! A proxy before an API server that ends the daemon behind it, by SIGKILL, at chosen writes.

use super::saboteur::{Moment, site_of};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portolan::local::ControlPlane;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

#[derive(Default)]
pub struct State {
    /// The daemon's process.
    pub process: Option<u32>,
    /// Where it is killed, once each.
    pub due: Vec<(String, Moment)>,
    /// Where it was killed.
    pub met: Vec<(String, Moment)>,
    /// Every site of a write, in the order of their first.
    pub sites: Vec<String>,
    /// An answer went out: it is killed at whatever it asks next.
    armed: bool,
}

/// Kills one daemon, at whichever of its servers.
#[derive(Clone, Default)]
pub struct Killer(Arc<Mutex<State>>);

impl Killer {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A daemon starts.
    pub fn begins(&self, process: Option<u32>) {
        let mut state = self.state();
        (state.process, state.armed) = (process, false);
    }

    /// What is to come at a write.
    fn enter(&self, site: &str) -> Option<Moment> {
        let mut state = self.state();
        if !state.sites.iter().any(|known| known == site) {
            state.sites.push(site.into());
        }
        state.process?;
        let place = state.due.iter().position(|(due, _)| due == site)?;
        let (site, moment) = state.due.remove(place);
        state.met.push((site, moment));
        Some(moment)
    }

    fn kill(&self) {
        // Taken: the next daemon is told by `begins`.
        if let Some(process) = self.state().process.take() {
            let process = Pid::from_raw(i32::try_from(process).unwrap());
            // It may have ended by itself.
            let _ = kill(process, Signal::SIGKILL);
        }
    }

    fn was_armed(&self) -> bool {
        std::mem::take(&mut self.state().armed)
    }
}

/// The proxy before one server.
pub struct Proxy {
    /// A kubeconfig that leads to it.
    pub kubeconfig: PathBuf,
    task: tokio::task::JoinHandle<()>,
    /// kubectl's own proxy: it has the keys.
    _upstream: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub async fn start(side: &'static str, before: &ControlPlane, folder: &Path, killer: &Killer) -> Self {
        let mut upstream = Command::new(&before.programs().kubectl)
            .arg(format!("--kubeconfig={}", before.kubeconfig().display()))
            .args(["proxy", "--port=0"])
            .env("HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(upstream.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("where it listens");
        let upstream_at = line.rsplit(' ').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kubeconfig = folder.join(format!("{side}.json"));
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": side,
            "clusters": [{"name": side, "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": side, "user": {}}],
            "contexts": [{"name": side, "context": {"cluster": side, "user": side}}],
        });
        std::fs::write(&kubeconfig, text.to_string()).unwrap();
        let killer = killer.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (killer, upstream_at) = (killer.clone(), upstream_at.clone());
                let service = service_fn(move |request| {
                    let (killer, upstream_at) = (killer.clone(), upstream_at.clone());
                    async move { passed(side, &killer, &upstream_at, request).await }
                });
                tokio::spawn(async move {
                    // Whoever is killed, or goes away, is no failure of the proxy.
                    let served = hyper::server::conn::http1::Builder::new();
                    let _ = served.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { kubeconfig, task, _upstream: upstream }
    }
}

async fn passed(
    side: &str,
    killer: &Killer,
    upstream: &str,
    request: Request<Incoming>,
) -> io::Result<Response<BoxBody<Bytes, hyper::Error>>> {
    if killer.was_armed() {
        killer.kill();
        return Err(io::Error::other("killed after its answer"));
    }
    let only_asks = request.method() == "GET"
        || request.uri().query().is_some_and(|query| query.contains("dryRun=All"))
        || request.uri().path().contains("accessreviews");
    let site = if only_asks { None } else { site_of(side, request.method().as_str(), request.uri().path()) };
    let moment = site.and_then(|site| killer.enter(&site));
    if moment == Some(Moment::Before) {
        killer.kill();
        return Err(io::Error::other("killed before it is sent"));
    }
    let stream = TcpStream::connect(upstream).await?;
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends with the answer's body.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    if moment.is_none() {
        return Ok(answer.map(BodyExt::boxed));
    }
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if moment == Some(Moment::Unanswered) {
        killer.kill();
        return Err(io::Error::other("killed before its answer"));
    }
    killer.state().armed = true;
    let body = Full::new(body).map_err(|never| match never {}).boxed();
    Ok(Response::from_parts(head, body))
}
