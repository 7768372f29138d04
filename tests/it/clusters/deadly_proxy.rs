//! Stands between a program and the local AWS, and ends the program by SIGKILL at chosen calls: before the call is passed on,
//! after its effect without an answer, and as soon as the answer has left for the program.

use super::sabotage::{Point, site, writes};
use http::header::{AUTHORIZATION, CONNECTION};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portolan::local::aws::eks::Model;
use portolan::model::cloud::{Call, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The proxy. It ends with this value.
pub struct DeadlyProxy {
    address: SocketAddr,
    fate: Arc<Fate>,
    task: JoinHandle<()>,
}

/// Who dies where.
struct Fate {
    /// `host:port`.
    eks: String,
    moto: String,
    model: Model,
    victim: Mutex<Victim>,
    plan: Mutex<BTreeMap<String, Point>>,
    /// Sites of the calls that change something, in order.
    calls: Mutex<Vec<String>>,
    deaths: Mutex<Vec<(String, Point)>>,
    /// Where the program stores what follows from answers, and what was there when it was last given a deadly one.
    memory: PathBuf,
    remembered: Mutex<Option<Option<Vec<u8>>>>,
    /// Deaths after an answer of which something was stored before.
    late: AtomicUsize,
}

#[derive(Default)]
struct Victim {
    /// Counts the programs: connections of one that is dead lead nowhere.
    generation: usize,
    /// The one that lives.
    process: Option<Pid>,
}

impl DeadlyProxy {
    /// `eks` and `moto` as URLs; `memory` is the file that the program stores what follows from answers in.
    pub async fn start(eks: &str, moto: &str, model: Model, memory: PathBuf) -> Self {
        let authority = |url: &str| url.trim_start_matches("http://").to_owned();
        let fate = Arc::new(Fate {
            eks: authority(eks),
            moto: authority(moto),
            model,
            victim: Mutex::default(),
            plan: Mutex::default(),
            calls: Mutex::default(),
            deaths: Mutex::default(),
            memory,
            remembered: Mutex::default(),
            late: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = fate.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let fate = served.clone();
                let generation = fate.victim.lock().unwrap().generation;
                tokio::spawn(async move {
                    let armed = Arc::new(AtomicBool::new(false));
                    let stream = Deadly { stream, armed: armed.clone(), fate: fate.clone() };
                    let service =
                        service_fn(|request| forward(fate.clone(), generation, armed.clone(), request));
                    // Broken off by who is dead.
                    let _ = server::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, fate, task }
    }

    /// The address for every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is met next: a death at the first call of each of these sites.
    pub fn plan(&self, plan: BTreeMap<String, Point>) {
        *self.fate.plan.lock().unwrap() = plan;
        self.fate.calls.lock().unwrap().clear();
        self.fate.deaths.lock().unwrap().clear();
    }

    /// Whoever calls from now on is this process.
    pub fn watch(&self, process: Pid) {
        let mut victim = self.fate.victim.lock().unwrap();
        victim.generation += 1;
        victim.process = Some(process);
    }

    /// Whoever called is dead.
    pub fn forget(&self) {
        self.fate.victim.lock().unwrap().process = None;
        let remembered = self.fate.remembered.lock().unwrap().take();
        if remembered.is_some_and(|remembered| remembered != self.fate.stored()) {
            self.fate.late.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How many of those who died after an answer had stored something meanwhile.
    pub fn late(&self) -> usize {
        self.fate.late.load(Ordering::SeqCst)
    }

    /// Sites of the calls that changed something, in order.
    pub fn calls(&self) -> Vec<String> {
        self.fate.calls.lock().unwrap().clone()
    }

    /// Where programs were ended.
    pub fn deaths(&self) -> Vec<(String, Point)> {
        self.fate.deaths.lock().unwrap().clone()
    }

    /// What was never called.
    pub fn left(&self) -> BTreeMap<String, Point> {
        self.fate.plan.lock().unwrap().clone()
    }
}

impl Drop for DeadlyProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fate {
    fn is_alive(&self, generation: usize) -> bool {
        let victim = self.victim.lock().unwrap();
        victim.generation == generation && victim.process.is_some()
    }

    /// Ends the program that lives.
    fn strike(&self) {
        if let Some(process) = self.victim.lock().unwrap().process.take() {
            kill(process, Signal::SIGKILL).unwrap();
        }
    }

    fn stored(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.memory).ok()
    }

    fn meets(&self, site: &str) -> Option<Point> {
        self.calls.lock().unwrap().push(site.to_owned());
        let point = self.plan.lock().unwrap().remove(site)?;
        self.deaths.lock().unwrap().push((site.to_owned(), point));
        Some(point)
    }

    /// The call that a request is; none of a service that nobody changes anything with.
    fn call(&self, request: &Request<Full<Bytes>>, service: &str, body: &[u8]) -> Option<Call> {
        let service = Service::ALL.into_iter().find(|each| each.to_string() == service)?;
        if service == Service::Eks {
            let (operation, labels) = self.model.route(request.method().as_str(), request.uri().path())?;
            return Some(Call::new(service, operation.name.as_str(), json!(labels)));
        }
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
        let input = form.get("ResourceId.1").map_or(Value::Null, |id| json!({"Resources": [id]}));
        Some(Call::new(service, form.get("Action")?.as_str(), input))
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// An error ends the connection without an answer: nobody is there to take one.
async fn forward(
    fate: Arc<Fate>,
    generation: usize,
    armed: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    parts.headers.remove(CONNECTION);
    // `AWS4-HMAC-SHA256 Credential=KEY/20261121/eu-central-1/ec2/aws4_request, …`
    let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let service = authorization.and_then(|text| text.split('/').nth(3)).unwrap_or("eks").to_owned();
    let request = Request::from_parts(parts, Full::new(body.clone()));
    let site = fate.call(&request, &service, &body).map(|call| site(&call)).filter(|site| writes(site));
    if !fate.is_alive(generation) {
        return Err("who called is dead".into());
    }
    let point = site.and_then(|site| fate.meets(&site));
    if point == Some(Point::DiesBefore) {
        fate.strike();
        return Err("it never went out".into());
    }
    let stream = TcpStream::connect(if service == "eks" { &fate.eks } else { &fate.moto }).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    parts.headers.remove(CONNECTION);
    match point {
        Some(Point::DiesAfterEffect) => {
            fate.strike();
            return Err("its answer never came".into());
        }
        Some(_) => {
            *fate.remembered.lock().unwrap() = Some(fate.stored());
            armed.store(true, Ordering::SeqCst);
        }
        None => {}
    }
    Ok(Response::from_parts(parts, Full::new(body)))
}

/// A connection on which, once it is armed, who is at its other end dies when it is given an answer.
struct Deadly {
    stream: TcpStream,
    armed: Arc<AtomicBool>,
    fate: Arc<Fate>,
}

impl AsyncRead for Deadly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Deadly {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    /// What was written is on its way once it is flushed.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() && self.armed.swap(false, Ordering::SeqCst) {
            self.fate.strike();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
