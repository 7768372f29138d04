//! Large real workloads, kept from a git server by the daemon as a process, with kubectl as the judge of every object.
//!
//! They are not part of the project: the test runs where a folder `../shared/corpus/workloads` stands beside it and
//! `PORTOLAN_TEST_CORPUS` is set. The API server now and then takes minutes to let a definition go.

use crate::support::control_plane::{self, kubectl, kubectl_ok};
use crate::support::git_repo::TestRepo;
use crate::support::git_server::{Access, HttpServer};
use portolan::local::{ControlPlane, Options};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(240);
/// The password of the git server's only user.
const PASSWORD: &str = "correct horse battery staple";

/// Every YAML file of a folder, its path below the folder and its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn application(name: &str, spec: &str) -> (String, String) {
    let text = format!(
        "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec: {{path: {name}, {spec}}}\n"
    );
    (format!("portolan/{name}.yaml"), text)
}

fn commit(repo: &TestRepo, files: &[(String, String)]) -> String {
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    repo.commit("main", &files)
}

/// The daemon as a process, and the commands that ask it.
struct Daemon<'a> {
    file: PathBuf,
    control_plane: &'a ControlPlane,
    child: Option<tokio::process::Child>,
}

impl Daemon<'_> {
    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let tools = self.control_plane.programs().helm.parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_portolan"));
        command.arg("--config").arg(&self.file).args(arguments);
        command.env(
            "PATH",
            std::env::join_paths(std::iter::once(tools).chain(std::env::split_paths(&path))).unwrap(),
        );
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn start(&mut self) {
        let log = std::fs::File::create(self.file.with_extension("log")).unwrap();
        self.child = Some(self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Ends it as an orchestrator does.
    async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().unwrap().cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(child.wait().await.unwrap().success());
    }

    /// The applications' records by name.
    async fn status(&self) -> BTreeMap<String, Value> {
        let output = self.command(&["status", "--output", "json"]).output().await.unwrap();
        let Ok(answer) = serde_json::from_slice::<Value>(&output.stdout) else { return BTreeMap::new() };
        let records = answer.as_array().or_else(|| answer["applications"].as_array()).cloned();
        let named = records.unwrap_or_default().into_iter();
        named.map(|record| (record["name"].as_str().unwrap().to_owned(), record)).collect()
    }

    async fn until(
        &self,
        what: &str,
        holds: impl Fn(&BTreeMap<String, Value>) -> bool,
    ) -> BTreeMap<String, Value> {
        let begun = Instant::now();
        loop {
            let status = self.status().await;
            if holds(&status) {
                return status;
            }
            assert!(
                begun.elapsed() < LIMIT,
                "not {what}: {status:#?}\n{}",
                std::fs::read_to_string(self.file.with_extension("log")).unwrap()
            );
            // A foreign process is asked again; there is nothing to wait on.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// `kubectl diff` by server-side apply of the very files: silent and 0 only when every declared field is so.
async fn assert_as_declared(control_plane: &ControlPlane, folder: &Path) {
    let folder = folder.to_str().unwrap();
    let arguments =
        ["diff", "--server-side", "--force-conflicts", "--field-manager=judge", "-R", "-f", folder];
    let output = kubectl(control_plane, &arguments).await;
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}\n{errors}");
}

/// Uids and resource versions of every object in the files.
async fn versions(control_plane: &ControlPlane, folder: &Path) -> String {
    let fields = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{\"\\n\"}{end}";
    kubectl_ok(control_plane, &["get", "-R", "-f", folder.to_str().unwrap(), "-o", fields]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn large_workloads_from_a_git_server_are_applied_left_alone_and_pruned() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/workloads");
    if !corpus.is_dir() || std::env::var_os("PORTOLAN_TEST_CORPUS").is_none() {
        println!("skipped: it wants PORTOLAN_TEST_CORPUS=1, and {}", corpus.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // One of its own: an aggregated API without its pods breaks a part of discovery.
    let places = control_plane::places(&folder);
    let control_plane = control_plane::start(&places, Options { nodes: 3, ..control_plane::options() }).await;
    kubectl_ok(&control_plane, &["create", "namespace", "shop"]).await;

    let repo = TestRepo::empty();
    let cluster =
        "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: local}\nspec: {kubeconfig: {}}\n";
    let mut everything = vec![
        ("portolan/cluster.yaml".to_owned(), cluster.to_owned()),
        application("kube-prometheus", "sync: {timeout: 3m}"),
        application("online-boutique", "namespace: shop"),
    ];
    for name in ["kube-prometheus", "online-boutique"] {
        let of = files(&corpus.join(name)).into_iter();
        everything.extend(of.map(|(path, text)| (format!("{name}/{path}"), text)));
    }
    commit(&repo, &everything);
    let words = format!("porter:{PASSWORD}");
    let basic = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, words));
    let server = HttpServer::https(repo.root(), Access::Authorization(basic)).await;
    std::fs::write(folder.path().join("ca.pem"), server.authority.as_ref().unwrap()).unwrap();
    std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
    let file = folder.path().join("portolan.yaml");
    let settings = json!({
        "apiVersion": "portolan.dev/v1alpha1",
        "kind": "Config",
        "repositories": [{
            "name": "main", "url": server.address(), "interval": "2s", "caFile": "ca.pem",
            "credentials": {"basic": {"username": "porter", "password": {"file": "password"}}},
        }],
        "kubeconfigs": [{"name": "local", "file": control_plane.kubeconfig()}],
        "listen": "127.0.0.1:0",
        "dataDir": folder.path().join("data"),
    });
    std::fs::write(&file, settings.to_string()).unwrap();

    let mut daemon = Daemon { file, control_plane: &control_plane, child: None };
    daemon.start();
    let synced = |status: &BTreeMap<String, Value>, name: &str| {
        status.get(name).is_some_and(|record| record["sync"] == "Synced")
    };
    let healthy = |status: &BTreeMap<String, Value>, name: &str| {
        status.get(name).is_some_and(|record| record["health"] == "Healthy")
    };
    // Only a machine that runs containers can answer for the aggregated metrics API: everything else becomes healthy.
    let status = daemon
        .until("applied", |status| {
            synced(status, "kube-prometheus")
                && synced(status, "online-boutique")
                && healthy(status, "online-boutique")
                && status["kube-prometheus"]["message"]
                    .as_str()
                    .is_some_and(|words| words.contains("APIService"))
        })
        .await;
    println!("{status:#?}");
    for name in ["kube-prometheus", "online-boutique"] {
        let part = corpus.join(name);
        if name == "kube-prometheus" {
            assert_as_declared(&control_plane, &part).await;
        } else {
            // Its files name no namespace.
            let path = part.to_str().unwrap();
            let arguments = [
                "diff",
                "-n",
                "shop",
                "--server-side",
                "--force-conflicts",
                "--field-manager=judge",
                "-R",
                "-f",
                path,
            ];
            let output = kubectl(&control_plane, &arguments).await;
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }

    // Started again it has nothing to do.
    let before = versions(&control_plane, &corpus.join("kube-prometheus")).await;
    daemon.stop().await;
    daemon.start();
    daemon
        .until("kept", |status| synced(status, "kube-prometheus") && synced(status, "online-boutique"))
        .await;
    assert_eq!(before, versions(&control_plane, &corpus.join("kube-prometheus")).await);

    // Everything but one object leaves the repository: held, then approved, then gone.
    let left = |name: &str| {
        let text =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default}}\n");
        (format!("{name}/left.yaml"), text)
    };
    let emptied: Vec<(String, String)> = everything
        .iter()
        .filter(|(path, _)| !path.starts_with("portolan/"))
        .map(|(path, _)| (path.clone(), String::new()))
        .chain(["kube-prometheus", "online-boutique"].map(left))
        .collect();
    commit(&repo, &emptied);
    let held = |status: &BTreeMap<String, Value>, name: &str| {
        status.get(name).is_some_and(|record| record["waiting"]["digest"].is_string())
    };
    let status = daemon
        .until("held", |status| held(status, "kube-prometheus") && held(status, "online-boutique"))
        .await;
    for name in ["kube-prometheus", "online-boutique"] {
        let digest = status[name]["waiting"]["digest"].as_str().unwrap();
        let output = daemon.command(&["approve", name, digest]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    daemon
        .until("pruned", |status| {
            ["kube-prometheus", "online-boutique"].iter().all(|name| {
                status.get(*name).is_some_and(|record| record["sync"] == "Synced" && record["objects"] == 1)
            })
        })
        .await;
    let labelled = ["get", "all,crd,clusterroles,apiservices,networkpolicies,configmaps,secrets", "-A"];
    let arguments = [&labelled[..], &["-l", "portolan.dev/application", "-o", "name"]].concat();
    let begun = Instant::now();
    loop {
        let left = kubectl_ok(&control_plane, &arguments).await;
        if left.split_whitespace().eq(["configmap/kube-prometheus", "configmap/online-boutique"]) {
            break;
        }
        assert!(begun.elapsed() < LIMIT, "left: {left}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    daemon.stop().await;
    control_plane.stop().await.unwrap();
}
