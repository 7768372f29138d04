//! One real control plane for all tests of this binary, started by the first that asks.
//!
//! Nothing stops it explicitly: its supervisor takes it down when the test process ends, whichever way that happens.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use portolan::local::{ControlPlane, Options, Phase, Places, Progress, Release};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// The shared control plane: the newest version, three nodes.
///
/// It lives in a runtime of its own, because each test's runtime ends with the test.
pub async fn control_plane() -> Arc<ControlPlane> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
    let start = || async {
        let runtime = RUNTIME.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
        });
        let options = Options { nodes: 3, ..options() };
        let started = runtime.spawn(async move { ControlPlane::start(options, &mut progress()).await });
        match started.await.unwrap() {
            Ok(control_plane) => Arc::new(control_plane),
            Err(error) => panic!("{error}"),
        }
    };
    SHARED.get_or_init(start).await.clone()
}

/// Options that name the built binary as supervisor: the test binary does not know the subcommand.
pub fn options() -> Options {
    Options { supervisor: Some(env!("CARGO_BIN_EXE_portolan").into()), ..Options::default() }
}

/// For tests that start their own: the real cache with an instances folder of this test's own, so that "nothing is left" can be seen.
pub fn places(folder: &TempDir) -> Places {
    Places { instances: folder.path().join("instances"), ..Places::from_env().unwrap() }
}

/// Starts one of the test's own; fails the test with the whole message.
pub async fn start(places: &Places, options: Options) -> ControlPlane {
    match ControlPlane::start_in(places, options, &mut progress()).await {
        Ok(control_plane) => control_plane,
        Err(error) => panic!("{error}"),
    }
}

/// Whether tests with this version run: it is built already, or it was asked for. Says so where they do not.
pub fn runs(version: &str) -> bool {
    let asked = std::env::var("PORTOLAN_TEST_KUBERNETES").is_ok_and(|value| value == "all");
    let runs = asked || Release::find(version).unwrap().is_built(&Places::from_env().unwrap());
    if !runs {
        println!(
            "Kubernetes {version} is not built yet; PORTOLAN_TEST_KUBERNETES=all builds it (5 to 7 minutes) and runs this test"
        );
    }
    runs
}

/// Builds a version's programs where they are nowhere, which takes minutes: for tests whose own limits are shorter.
pub async fn built(version: &str) {
    if let Err(error) = portolan::local::programs(version, &mut progress()).await {
        panic!("{error}");
    }
}

/// Whether a folder has no entries, or is not there.
pub fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// A namespace of one's own on the shared control plane. It goes with the control plane.
pub async fn fresh_namespace() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    kubectl_ok(&*control_plane().await, &["create", "namespace", &name]).await;
    name
}

/// Runs the control plane's own kubectl as its administrator.
pub async fn kubectl(control_plane: &ControlPlane, arguments: &[&str]) -> Output {
    kubectl_with(control_plane, arguments, "").await
}

/// [`kubectl`] with something on its standard input.
pub async fn kubectl_with(control_plane: &ControlPlane, arguments: &[&str], input: &str) -> Output {
    let mut child = tokio::process::Command::new(&control_plane.programs().kubectl)
        .arg(format!("--kubeconfig={}", control_plane.kubeconfig().display()))
        .args(arguments)
        .env("HOME", &control_plane.instance().folder)
        // It lives for a blink: what it collects, the end of the process frees for nothing.
        .env("GOGC", "off")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // kubectl may end without reading; its output says why.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

/// Runs kubectl and returns its standard output; fails the test with its words when it fails.
pub async fn kubectl_ok(control_plane: &ControlPlane, arguments: &[&str]) -> String {
    succeeded(arguments, kubectl(control_plane, arguments).await)
}

/// [`kubectl_ok`] with `apply`'s manifest or the like on its standard input.
pub async fn kubectl_ok_with(control_plane: &ControlPlane, arguments: &[&str], input: &str) -> String {
    succeeded(arguments, kubectl_with(control_plane, arguments, input).await)
}

fn succeeded(arguments: &[&str], output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Says every ten seconds what goes on: a first build takes minutes, and a silent test looks like a hanging one.
pub fn progress() -> impl FnMut(Progress) + Send {
    let mut last: Option<(Phase, Instant)> = None;
    move |progress| {
        let due =
            last.is_none_or(|(phase, at)| phase != progress.phase || at.elapsed() > Duration::from_secs(10));
        if due && progress.phase != Phase::Start {
            last = Some((progress.phase, Instant::now()));
            let seconds = progress.elapsed.as_secs();
            eprintln!(
                "local control plane: {:?} {} {} ({seconds} s)",
                progress.phase, progress.done, progress.what
            );
        }
    }
}
