//! The local control plane, on the real programs: what works on it, and that nothing of it stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use portolan::local::{self, ControlPlane, Error, Options, Places, Program, State, TokenUser};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::control_plane::{
    control_plane, fresh_namespace, is_empty, kubectl, kubectl_ok, kubectl_ok_with, options, places,
    progress, runs, start,
};

fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

async fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < limit, "{what} did not come true within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What every later test builds on, on whatever version.
async fn everyday_things_work(cp: &ControlPlane, namespace: &str) {
    let ns = &format!("--namespace={namespace}");
    kubectl_ok(cp, &["create", "deployment", "web", "--image=registry.invalid/web:1", "--replicas=2", ns])
        .await;
    kubectl_ok(cp, &["wait", "deployment/web", "--for=condition=Available", "--timeout=60s", ns]).await;
    let ready =
        kubectl_ok(cp, &["get", "deployment/web", "--output=jsonpath={.status.availableReplicas}", ns]).await;
    assert_eq!(ready, "2");

    let event = format!(
        r#"{{"apiVersion": "v1", "kind": "Event", "metadata": {{"name": "hello"}}, "reason": "Test", "type": "Normal",
            "involvedObject": {{"kind": "Deployment", "name": "web", "namespace": "{namespace}"}}}}"#
    );
    kubectl_ok_with(cp, &["create", "--filename=-", ns], &event).await;
    let events = kubectl_ok(cp, &["get", "events", "--output=jsonpath={.items[*].reason}", ns]).await;
    assert!(events.contains("Test") && events.contains("ScalingReplicaSet"), "{events}");

    let lease = r#"{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}"#;
    kubectl_ok_with(cp, &["create", "--filename=-", ns], lease).await;

    let token = kubectl_ok(cp, &["create", "token", "default", ns]).await;
    let server = format!("--server={}", cp.instance().endpoint);
    let authority = format!("--certificate-authority={}", cp.instance().certificate_authority.display());
    let as_account = tokio::process::Command::new(&cp.programs().kubectl)
        .args(["--kubeconfig=/dev/null", &server, &authority, &format!("--token={}", token.trim())])
        .args(["get", "pods", ns])
        .output()
        .await
        .unwrap();
    let refusal = String::from_utf8_lossy(&as_account.stderr);
    assert!(refusal.contains(&format!("system:serviceaccount:{namespace}:default")), "{refusal}");

    kubectl_ok(cp, &["delete", "namespace", namespace, "--timeout=60s"]).await;
    assert!(!kubectl(cp, &["get", "namespace", namespace]).await.status.success());
}

#[tokio::test]
async fn everyday_things_work_on_the_newest_version() {
    let cp = control_plane().await;
    everyday_things_work(&cp, &fresh_namespace().await).await;
    let nodes = kubectl_ok(&cp, &["get", "nodes", "--output=name"]).await;
    assert_eq!(nodes.lines().count(), 3);
    let version = kubectl_ok(&cp, &["version", "--output=json"]).await;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    for side in ["clientVersion", "serverVersion"] {
        assert_eq!(version[side]["gitVersion"], "v1.36.3", "{version}");
    }
}

#[tokio::test]
async fn everyday_things_work_on_the_old_version() {
    if !runs("1.24") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let cp = start(&places, Options { version: "1.24".to_owned(), ..options() }).await;
    assert_eq!(cp.instance().version, "v1.24.17");
    kubectl_ok(&cp, &["create", "namespace", "old"]).await;
    everyday_things_work(&cp, "old").await;
    let versions = kubectl_ok(&cp, &["api-versions"]).await;
    for gone in ["batch/v1beta1", "policy/v1beta1", "autoscaling/v2beta1", "autoscaling/v2beta2"] {
        assert!(versions.lines().any(|line| line == gone), "{gone} is not served: {versions}");
    }
    cp.stop().await.unwrap();
    assert!(is_empty(&places.instances));
}

#[tokio::test]
async fn two_run_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let (one, two) = tokio::join!(start(&places, options()), start(&places, options()));
    assert_ne!(one.instance().endpoint, two.instance().endpoint);
    kubectl_ok(&one, &["create", "namespace", "only-in-one"]).await;
    assert!(!kubectl(&two, &["get", "namespace", "only-in-one"]).await.status.success());
    one.stop().await.unwrap();
    kubectl_ok(&two, &["get", "nodes"]).await;
    two.stop().await.unwrap();
    assert!(is_empty(&places.instances));
}

#[tokio::test]
async fn cycles_leave_nothing_and_need_no_go() {
    let folder = tempfile::tempdir().unwrap();
    // The shared one makes sure that the programs are built.
    control_plane().await;
    // Without a PATH there is no Go, so a second start can neither build nor fetch anything.
    let places = Places { path: "".into(), ..places(&folder) };
    // A cycle takes 4 s and more; PORTOLAN_TEST_CYCLES=20 is for those who have the time.
    let cycles = std::env::var("PORTOLAN_TEST_CYCLES").map_or(3, |number| number.parse().unwrap());
    let mut seconds = Vec::new();
    for cycle in 0..cycles {
        let since = Instant::now();
        let cp = start(&places, Options { name: Some("again".to_owned()), ..options() }).await;
        seconds.push(since.elapsed().as_secs_f64());
        let mut pids: Vec<u32> = cp.pids().into_values().collect();
        assert_eq!(pids.len(), 5, "etcd, API server, controller-manager, scheduler, KWOK");
        pids.extend(cp.supervisor_pid());
        // Both ways to end: asked and awaited, and simply dropped.
        if cycle % 2 == 0 {
            cp.stop().await.unwrap();
        } else {
            drop(cp);
            eventually("the end of a dropped one", Duration::from_secs(20), || is_empty(&places.instances))
                .await;
        }
        eventually("the end of its processes", Duration::from_secs(20), || {
            !pids.iter().any(|pid| alive(*pid))
        })
        .await;
        assert!(is_empty(&places.instances));
    }
    // The quickest: what other tests take of the machine meanwhile is not the start's.
    let quickest = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(quickest < 10.0, "a start with built programs took {quickest:.1} s: {seconds:?}");
}

/// Not a test: the process that [`a_killed_parent_leaves_nothing`] kills.
#[tokio::test]
#[ignore = "is run by another test"]
async fn holder() {
    let Some(instances) = std::env::var_os("PORTOLAN_TEST_HOLD") else {
        return;
    };
    let places = Places { instances: instances.into(), ..Places::from_env().unwrap() };
    let cp = start(&places, options()).await;
    println!("held {}", cp.instance().name);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_parent_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local::holder", "--ignored", "--nocapture"])
        .env("PORTOLAN_TEST_HOLD", &places.instances)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let name = loop {
        let line = lines.next_line().await.unwrap().expect("the holder ended early");
        if let Some((_, name)) = line.split_once("held ") {
            break name.to_owned();
        }
    };
    let pids = recorded_pids(&places.instances.join(name));
    assert_eq!(pids.len(), 6);
    assert!(pids.values().all(|pid| alive(*pid)));
    parent.start_kill().unwrap();
    parent.wait().await.unwrap();
    eventually("the end", Duration::from_secs(20), || {
        is_empty(&places.instances) && !pids.values().any(|pid| alive(*pid))
    })
    .await;
}

/// The process ids in an instance's records, the supervisor's among them.
fn recorded_pids(folder: &Path) -> BTreeMap<String, u32> {
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
    };
    let mut pids = BTreeMap::new();
    for (name, identity) in read("processes.json").as_object().unwrap() {
        pids.insert(name.clone(), identity["pid"].as_u64().unwrap() as u32);
    }
    pids.insert("supervisor".to_owned(), read("supervisor.json")["pid"].as_u64().unwrap() as u32);
    pids
}

#[tokio::test]
async fn a_killed_supervisor_leaves_nothing_that_the_next_look_does_not_remove() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let cp = start(&places, options()).await;
    let pids = recorded_pids(&cp.instance().folder);
    send(pids["supervisor"], Signal::SIGKILL);
    if cfg!(target_os = "linux") {
        // Before anybody looks: the kernel ends the children.
        eventually("the children's end", Duration::from_secs(10), || !pids.values().any(|pid| alive(*pid)))
            .await;
    }
    assert!(!is_empty(&places.instances));
    assert!(local::list(&places).await.unwrap().is_empty());
    assert!(is_empty(&places.instances));
}

#[tokio::test]
async fn an_abandoned_start_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    control_plane().await;
    let places = places(&folder);
    let mut quiet = progress();
    let starting = ControlPlane::start_in(&places, options(), &mut quiet);
    // In the middle of it: the folder and its first processes are there, the API server is not ready yet.
    assert!(tokio::time::timeout(Duration::from_secs(1), starting).await.is_err(), "too quick to abandon");
    assert!(!is_empty(&places.instances));
    eventually("the end", Duration::from_secs(20), || is_empty(&places.instances)).await;
}

#[tokio::test]
async fn a_program_that_dies_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let cp = start(&places, options()).await;
    kubectl_ok(&cp, &["create", "namespace", "survivor"]).await;
    let before = cp.pids();
    send(before[&Program::ApiServer], Signal::SIGKILL);
    eventually("a new API server", Duration::from_secs(10), || {
        cp.pids().get(&Program::ApiServer).is_some_and(|pid| *pid != before[&Program::ApiServer])
    })
    .await;
    let since = Instant::now();
    while !kubectl(&cp, &["get", "--raw=/readyz"]).await.status.success() {
        assert!(since.elapsed() < Duration::from_secs(30), "the new API server is not ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    kubectl_ok(&cp, &["get", "namespace", "survivor"]).await;
    cp.stop().await.unwrap();
    assert!(is_empty(&places.instances));
}

#[tokio::test]
async fn a_program_that_crashes_for_ever_is_given_up_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let options = Options { name: Some("doomed".to_owned()), nodes: 0, ..options() };
    let up = local::up(&places, options, &mut progress()).await.unwrap();
    let since = Instant::now();
    loop {
        let found = local::find(&places, "doomed").await.unwrap();
        if let State::Failed(reason) = found.state {
            assert!(reason.starts_with("kube-scheduler was killed by signal 9"), "{reason}");
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "still tried");
        let pid = recorded_pids(&up.folder)["scheduler"];
        // Between two lives it may be gone already.
        let _ = kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pids = recorded_pids(&up.folder);
    let running: Vec<_> =
        pids.iter().filter(|(_, pid)| alive(**pid)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(running, ["supervisor"], "the others are stopped, and the logs are kept");
    assert!(up.folder.join("logs").join("kube-scheduler.log").exists());
    local::down(&places, "doomed").await.unwrap();
    assert!(is_empty(&places.instances));
}

#[tokio::test]
async fn a_detached_one_stays_until_it_is_taken_down() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let named = || Options { name: Some("rehearsal".to_owned()), nodes: 0, ..options() };
    let up = local::up(&places, named(), &mut progress()).await.unwrap();
    assert_eq!(up.state, State::Ready);
    assert_eq!(local::list(&places).await.unwrap(), std::slice::from_ref(&up));
    assert_eq!(local::find(&places, "rehearsal").await.unwrap().kubeconfig, up.kubeconfig);

    let again = local::up(&places, named(), &mut progress()).await.unwrap_err();
    assert!(matches!(&again, Error::NameTaken { name } if name == "rehearsal"), "{again}");
    let other = local::down(&places, "another").await.unwrap_err().to_string();
    assert!(other.contains("\"another\"") && other.contains("running: rehearsal"), "{other}");

    let pids = recorded_pids(&up.folder);
    local::down(&places, "rehearsal").await.unwrap();
    assert!(is_empty(&places.instances));
    assert!(!pids.values().any(|pid| alive(*pid)));
    assert!(matches!(local::down(&places, "rehearsal").await, Err(Error::NoSuchInstance { .. })));
}

#[tokio::test]
async fn users_flags_and_the_audit_log_are_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    let ann = TokenUser {
        token: "ann-s-token".into(),
        user: "ann".into(),
        groups: vec!["dev".into(), "ops".into()],
    };
    let options = Options {
        extra_tokens: vec![ann],
        api_server_args: vec!["--service-cluster-ip-range=10.77.0.0/24".to_owned()],
        audit: true,
        nodes: 0,
        ..options()
    };
    let cp = start(&places, options).await;
    let refused = kubectl(&cp, &["get", "secrets", "--all-namespaces", "--as=ann"]).await;
    assert!(!refused.status.success());
    let who = tokio::process::Command::new(&cp.programs().kubectl)
        .args(["--kubeconfig=/dev/null", &format!("--server={}", cp.instance().endpoint)])
        .arg(format!("--certificate-authority={}", cp.instance().certificate_authority.display()))
        .args(["--token=ann-s-token", "auth", "whoami", "--output=json"])
        .output()
        .await
        .unwrap();
    let who: serde_json::Value = serde_json::from_slice(&who.stdout).unwrap();
    assert_eq!(who["status"]["userInfo"]["username"], "ann");
    assert_eq!(
        who["status"]["userInfo"]["groups"],
        serde_json::json!(["dev", "ops", "system:authenticated"])
    );
    let ip = kubectl_ok(&cp, &["get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}"]).await;
    assert_eq!(ip, "10.77.0.1");
    let audit = fs::read_to_string(cp.instance().folder.join("logs").join("audit.log")).unwrap();
    assert!(audit.contains("\"username\":\"ann\""));
    cp.stop().await.unwrap();
}

#[tokio::test]
async fn names_that_cannot_be_folders_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(&folder);
    for name in ["", "../x", "Upper", "1st", "a b", ".hidden", &"x".repeat(41)] {
        let options = Options { name: Some(name.to_owned()), ..options() };
        let error = ControlPlane::start_in(&places, options, &mut progress()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{name:?}: {error}");
    }
    assert!(is_empty(&places.instances));
}
