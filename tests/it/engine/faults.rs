//! Every request to the API server fails once, before its effect and after it, and the daemon is killed there; then
//! all is as if nothing had happened: nothing lost, nothing wrongly pruned, no hook run twice.
//!
//! `PORTOLAN_TEST_POINTS=200` makes that many random points of 10, and tries every kind of fault and a kill at both
//! moments of every call.

use crate::support::control_plane::{control_plane, kubectl};
use crate::support::daemon::{Daemon, application, config_map};
use async_trait::async_trait;
use futures::StreamExt as _;
use portolan::k8s::{ObservedRequest, RequestObserver};
use portolan::ports::{ApiFailure, ApiFailureKind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

/// Scenarios at once.
const AT_ONCE: usize = 6;
/// Random points where nobody asks for more.
const FEW: usize = 10;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    Error500,
    Throttled429,
    Timeout,
    Cut,
    Conflict409,
    /// The daemon ends here as by SIGKILL.
    Kill,
}

const FAULTS: [Fault; 5] =
    [Fault::Error500, Fault::Throttled429, Fault::Timeout, Fault::Cut, Fault::Conflict409];

impl Fault {
    fn failure(self) -> ApiFailure {
        let (kind, status) = match self {
            Self::Error500 => (ApiFailureKind::Server, Some(500)),
            Self::Throttled429 => (ApiFailureKind::Throttled, Some(429)),
            Self::Timeout => (ApiFailureKind::Timeout, None),
            Self::Conflict409 => (ApiFailureKind::Conflict, Some(409)),
            Self::Cut | Self::Kill => (ApiFailureKind::Unreachable, None),
        };
        ApiFailure { status, ..ApiFailure::new(kind, format!("a fault of the test: {self:?}")) }
    }
}

/// Which request it happens to: the first of a call site, or the nth that begins (after its effect: that is answered).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    Site(String),
    Number(usize),
}

/// One fault at one request, before its effect or after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub at: At,
    pub after: bool,
    pub fault: Fault,
}

/// Records all requests, and breaks one.
pub struct Breaker {
    pub point: Option<Point>,
    pub fired: AtomicBool,
    /// Told when the daemon is to be killed.
    pub killed: Notify,
    pub step: AtomicUsize,
    /// Requests begun, and answers that came.
    number: AtomicUsize,
    answers: AtomicUsize,
    /// What differs from scenario to scenario, and what stands for it in a site.
    pub names: OnceLock<[String; 2]>,
    /// Call sites in the order of their first request.
    pub sites: Mutex<Vec<String>>,
    /// Objects that the server created for us (201) and deleted, by `kind/name`, with their number.
    pub created: Mutex<BTreeMap<String, usize>>,
    pub deleted: Mutex<BTreeMap<String, usize>>,
}

impl Breaker {
    pub fn new(point: Option<Point>) -> Arc<Self> {
        Arc::new(Self {
            point,
            fired: AtomicBool::new(false),
            killed: Notify::new(),
            step: AtomicUsize::new(1),
            number: AtomicUsize::new(0),
            answers: AtomicUsize::new(0),
            names: OnceLock::new(),
            sites: Mutex::default(),
            created: Mutex::default(),
            deleted: Mutex::default(),
        })
    }

    /// Where a request comes from: the step of the scenario, the method, the path without what is the scenario's own,
    /// and what kind of request it is by its query.
    fn site(&self, request: &ObservedRequest<'_>) -> String {
        let [namespace, instance] = self.names.get().expect("named before the daemon starts");
        let path: Vec<&str> = request
            .path
            .split('/')
            .map(|part| match part {
                _ if part == namespace => "NAMESPACE",
                _ if part == instance => "INSTANCE",
                _ if part.starts_with("portolan-request-") => "portolan-request-NAME",
                _ => part,
            })
            .collect();
        let kinds: Vec<&str> = ["watch", "dryRun", "limit", "continue", "fieldSelector"]
            .into_iter()
            .filter(|parameter| request.query.split('&').any(|pair| pair.starts_with(parameter)))
            .collect();
        let step = self.step.load(Ordering::SeqCst);
        format!("{step} {} {} {}", request.method, path.join("/"), kinds.join(","))
    }

    /// Whether the fault is for this request, and at this moment of it.
    async fn strike(&self, site: &str, number: usize, after: bool) -> Option<ApiFailure> {
        let point = self.point.as_ref()?;
        let here = match &point.at {
            At::Site(wanted) => wanted == site,
            At::Number(wanted) => number == *wanted,
        };
        if !here || point.after != after || self.fired.swap(true, Ordering::SeqCst) {
            return None;
        }
        if point.fault == Fault::Kill {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        Some(point.fault.failure())
    }
}

#[async_trait]
impl RequestObserver for Breaker {
    async fn before(&self, request: &ObservedRequest<'_>) -> Option<ApiFailure> {
        let site = self.site(request);
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        {
            let mut sites = self.sites.lock().unwrap();
            if !sites.contains(&site) {
                sites.push(site.clone());
            }
        }
        self.strike(&site, number, false).await
    }

    async fn after(&self, request: &ObservedRequest<'_>, status: u16) -> Option<ApiFailure> {
        let mut last = request.path.rsplit('/');
        let name = last.next().unwrap_or_default();
        let object = format!("{}/{name}", last.next().unwrap_or_default());
        let counted = match request.method {
            "PATCH" if status == 201 => Some(&self.created),
            "DELETE" if status < 300 => Some(&self.deleted),
            _ => None,
        };
        if let Some(counted) = counted {
            *counted.lock().unwrap().entry(object).or_default() += 1;
        }
        let number = self.answers.fetch_add(1, Ordering::SeqCst);
        self.strike(&self.site(request), number, true).await
    }
}

/// The daemon with a runtime of its own, which ends with all of its tasks as a process does.
pub struct Process {
    daemon: Option<Daemon>,
    runtime: Option<Runtime>,
}

impl Process {
    pub async fn start(mut daemon: Daemon) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let starting = runtime.spawn(async move {
            daemon.start().await;
            daemon
        });
        Self { daemon: Some(starting.await.unwrap()), runtime: Some(runtime) }
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Ends it at once, wherever its tasks are.
    pub async fn kill(mut self) -> Daemon {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10))).await.unwrap();
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().await;
        daemon
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn annotated(name: &str, annotations: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\ndata: {{k: {value}}}\n"
    )
}

/// A Job before the sync, whose pod KWOK completes.
const BEFORE: &str = "apiVersion: batch/v1\nkind: Job\n\
    metadata: {name: before, annotations: {argocd.argoproj.io/hook: PreSync}}\n\
    spec: {backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: run, image: run}]}}}\n";
const AFTER: &str = "argocd.argoproj.io/hook: PostSync, argocd.argoproj.io/hook-delete-policy: 'BeforeHookCreation,HookSucceeded'";
const WAVE: &str = "argocd.argoproj.io/sync-wave: '1'";

/// Waves and hooks; then a change, a prune, a move and a new object; with one fault somewhere. Gives what was seen.
async fn scenario(point: Option<Point>) -> Arc<Breaker> {
    let breaker = Breaker::new(point);
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("portolan/b.yaml", &application("b", "")),
        ("apps/a/before.yaml", BEFORE),
        ("apps/a/after.yaml", &annotated("after", AFTER, "v")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        ("apps/a/moves.yaml", &config_map("moves", "k: v")),
        ("apps/a/pruned.yaml", &config_map("pruned", "k: v")),
        ("apps/a/two.yaml", &annotated("two", WAVE, "v")),
        ("apps/b/three.yaml", &config_map("three", "k: v")),
    ])
    .await;
    breaker.names.set([daemon.namespace.clone(), daemon.instance.clone()]).unwrap();
    daemon.observer = Some(breaker.clone());
    // The daemon's memory is behind the same requests: what it wrote of hooks and prunes is lost and cut like the rest.
    daemon.settings = json!({"state": {"namespace": daemon.namespace}});
    let mut process = Process::start(daemon).await;
    let first = process.daemon().repo.git(&["rev-parse", "refs/heads/main"]);
    process = settle(process, &breaker, &first).await;

    breaker.step.store(2, Ordering::SeqCst);
    let second = process.daemon().commit(&[
        ("apps/a/one.yaml", &config_map("one", "k: w")),
        ("apps/a/pruned.yaml", ""),
        ("apps/a/moves.yaml", ""),
        ("apps/b/moves.yaml", &config_map("moves", "k: v")),
        ("apps/a/new.yaml", &annotated("new", WAVE, "v")),
    ]);
    process = settle(process, &breaker, &second).await;
    // Whatever the fault left undone, one clean pass does.
    if breaker.fired.load(Ordering::SeqCst) {
        process = Process::start(process.kill().await).await;
        process = settle(process, &breaker, &second).await;
    }
    verify(process.daemon(), &breaker).await;
    process.kill().await;
    breaker
}

/// Waits until both applications are settled at a commit; when the daemon is killed meanwhile, starts it again.
async fn settle(process: Process, breaker: &Breaker, commit: &str) -> Process {
    let both = async |daemon: &Daemon| {
        daemon.settled("a", commit).await;
        daemon.settled("b", commit).await;
    };
    tokio::select! {
        () = both(process.daemon()) => return process,
        () = breaker.killed.notified() => {}
    }
    let process = Process::start(process.kill().await).await;
    both(process.daemon()).await;
    process
}

/// Whether the cluster is as the last commit says, and came there without a detour.
async fn verify(daemon: &Daemon, breaker: &Breaker) {
    let list: Value =
        serde_json::from_str(&daemon.kubectl(&["get", "configmaps,jobs", "-o", "json"]).await).unwrap();
    let mut live: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|object| {
            let name = object["metadata"]["name"].as_str().unwrap();
            name != "kube-root-ca.crt" && !name.starts_with("portolan-state-")
        })
        .map(|object| {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            format!(
                "{} {} {}",
                text("/metadata/name"),
                text("/metadata/labels/portolan.dev~1application"),
                text("/data/k")
            )
        })
        .collect();
    live.sort();
    let point = &breaker.point;
    assert_eq!(live, ["before a ", "moves b v", "new a v", "one a w", "three b v", "two a v"], "{point:?}");

    // What was pruned can be restored, whatever was lost on the way.
    let kept = daemon.kubectl(&["get", "secrets", "-l", "portolan.dev/pruned=true", "-o", "yaml"]).await;
    assert!(kept.contains("/pruned"), "{point:?}: {kept}");

    let created = breaker.created.lock().unwrap().clone();
    for (object, times) in &created {
        let hook = object.ends_with("/before") || object.ends_with("/after");
        let secret = object.starts_with("secrets/");
        // A hook runs once for each of the two renderings; all else is created once and never again.
        let most = if hook { 2 } else { 1 };
        assert!(secret || *times <= most, "{object} was created {times} times; {point:?}; {created:#?}");
    }
    let deleted: BTreeSet<String> = breaker.deleted.lock().unwrap().keys().cloned().collect();
    let may_go = ["configmaps/after", "configmaps/pruned", "jobs/before"].map(String::from);
    assert!(deleted.iter().all(|object| may_go.contains(object)), "{deleted:?} were deleted; {point:?}");
}

/// Runs scenarios, a few at once; says what went wrong, and how many never came to their point.
pub async fn run<S, F>(points: Vec<Point>, scenario: S) -> (Vec<String>, usize)
where
    S: Fn(Option<Point>) -> F,
    F: Future<Output = Arc<Breaker>> + Send + 'static,
{
    let scenario = &scenario;
    let runs = points.into_iter().map(|point| async move {
        let failure = match tokio::spawn(scenario(Some(point.clone()))).await {
            Ok(breaker) => return (None, !breaker.fired.load(Ordering::SeqCst)),
            // What happened was printed with the panic.
            Err(panic) => panic.to_string().chars().take(400).collect::<String>(),
        };
        (Some(format!("{point:?}: {failure}")), false)
    });
    let ends: Vec<_> = futures::stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let missed = ends.iter().filter(|(_, missed)| *missed).count();
    (ends.into_iter().filter_map(|(failure, _)| failure).collect(), missed)
}

/// At every call site a fault and a kill, one of them before its effect and the other after it, by turns; each kind of
/// fault and a kill at both moments, where many points are wanted.
pub fn points_at(sites: &[String]) -> Vec<Point> {
    let all = points_wanted() > FEW;
    let mut points = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        for after in [false, true] {
            let kills = after == (index % 2 == 0);
            // Over ten sites each kind of fault comes once before and once after the effect.
            let own = if kills { Fault::Kill } else { FAULTS[index / 2 % FAULTS.len()] };
            let faults = FAULTS.into_iter().chain([Fault::Kill]).filter(|fault| all || *fault == own);
            points.extend(faults.map(|fault| Point { at: At::Site(site.clone()), after, fault }));
        }
    }
    points
}

fn points_wanted() -> usize {
    std::env::var("PORTOLAN_TEST_POINTS").ok().and_then(|number| number.parse().ok()).unwrap_or(FEW)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_or_a_kill_at_every_api_call_loses_and_repeats_nothing() {
    let begun = Instant::now();
    // The first scenario on the control plane would make the daemons' namespace; the others could not.
    let _ = kubectl(&*control_plane().await, &["create", "namespace", "portolan-system"]).await;
    let clean = scenario(None).await;
    let sites = clean.sites.lock().unwrap().clone();
    let took = begun.elapsed();
    let points = points_at(&sites);
    let number = points.len();
    let (wrong, missed) = run(points, scenario).await;
    eprintln!(
        "faults: {} call sites, {number} points ({missed} not reached) in {:?} (the scenario alone: {took:?})\n{}",
        sites.len(),
        begun.elapsed(),
        sites.join("\n")
    );
    assert!(wrong.is_empty(), "{} of {number} points: {wrong:#?}", wrong.len());
    // Requests that depend on who comes first are not made in every run.
    assert!(missed * 10 < number, "{missed} of {number} points were not reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_and_kills_at_random_moments_lose_and_repeat_nothing() {
    let begun = Instant::now();
    let total = scenario(None).await.number.load(Ordering::SeqCst);
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = |below: usize| {
        // Knuth's MMIX generator; its high bits are good.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let points: Vec<Point> = (0..points_wanted())
        .map(|_| Point {
            at: At::Number(random(total)),
            after: random(2) == 1,
            fault: [FAULTS.as_slice(), &[Fault::Kill; 5]].concat()[random(10)],
        })
        .collect();
    let number = points.len();
    let (wrong, missed) = run(points, scenario).await;
    eprintln!(
        "faults: {number} random points ({missed} not reached) among {total} requests in {:?}",
        begun.elapsed()
    );
    assert!(wrong.is_empty(), "{} of {number} points: {wrong:#?}", wrong.len());
}
