//! What the benchmarks share: a fresh control plane, a repository of N units, the daemon as a process, its figures.

#![allow(dead_code, reason = "each benchmark uses its part")]

use portolan::local::{ControlPlane, Options};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Objects of one unit: the work that flux-benchmark measures with, ServiceAccount, Service, Deployment of no pods,
/// Ingress.
pub const OBJECTS_PER_UNIT: usize = 4;
/// Namespace of all units.
pub const NAMESPACE: &str = "bench";
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(900);

/// The number behind a flag of the command line.
pub fn flag(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name);
    arguments.next().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The text behind a flag.
pub fn text_flag(name: &str, default: &str) -> String {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name);
    arguments.next().unwrap_or_else(|| default.into())
}

/// A control plane for one measurement.
pub async fn control_plane() -> ControlPlane {
    let options = Options { nodes: 1, supervisor: Some(program()), ..Options::default() };
    let control_plane = ControlPlane::start(options, &mut |_| {}).await.expect("a local control plane");
    kubectl(&control_plane, &["create", "namespace", NAMESPACE]);
    control_plane
}

/// The daemon's program.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_portolan"))
}

/// Runs kubectl on a control plane.
pub fn kubectl(control_plane: &ControlPlane, arguments: &[&str]) -> String {
    let output = Command::new(&control_plane.programs().kubectl)
        .arg("--kubeconfig")
        .arg(control_plane.kubeconfig())
        .args(arguments)
        .output()
        .expect("kubectl");
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The four objects of a unit.
pub fn manifests(name: &str) -> String {
    format!(
        r#"apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
  labels:
    app: {name}
---
apiVersion: v1
kind: Service
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  selector:
    app: {name}
  ports:
    - name: http
      port: 9898
      protocol: TCP
      targetPort: http
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
  annotations:
    note: first
spec:
  replicas: 0
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      serviceAccountName: {name}
      containers:
        - name: web
          image: registry.example/web:1.0
          ports:
            - name: http
              containerPort: 9898
              protocol: TCP
          resources:
            requests:
              cpu: 10m
              memory: 16Mi
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  rules:
    - host: {name}.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {name}
                port:
                  number: 9898
"#
    )
}

/// How units are written in the repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One file of plain YAML.
    Plain,
    /// A chart.
    Helm,
    /// An overlay of a base.
    Kustomize,
}

/// The repository of a measurement.
pub struct Repository {
    /// Its working folder.
    pub folder: PathBuf,
}

impl Repository {
    /// A repository with a Cluster document and no application.
    pub fn create(folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder");
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.write(
            "portolan/cluster.yaml",
            "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: local\nspec:\n  kubeconfig: {}\n",
        );
        repository.commit("begin");
        repository
    }

    /// Writes N units; not committed.
    pub fn add_units(&self, units: usize, form: Form) {
        let mut documents = String::new();
        for unit in 0..units {
            let name = unit_name(unit);
            match form {
                Form::Plain => self.write(&format!("apps/{name}/objects.yaml"), &manifests(&name)),
                Form::Helm => {
                    self.write(
                        &format!("apps/{name}/Chart.yaml"),
                        &format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
                    );
                    self.write(&format!("apps/{name}/values.yaml"), "image: registry.example/web:1.0\n");
                    let template =
                        manifests(&name).replace("registry.example/web:1.0", "{{ .Values.image }}");
                    self.write(&format!("apps/{name}/templates/objects.yaml"), &template);
                }
                Form::Kustomize => {
                    self.write(&format!("apps/{name}/base/objects.yaml"), &manifests(&name));
                    self.write(
                        &format!("apps/{name}/base/kustomization.yaml"),
                        "resources: [objects.yaml]\n",
                    );
                    self.write(&format!("apps/{name}/kustomization.yaml"), "resources: [base]\n");
                }
            }
            let _ = write!(
                documents,
                "---\napiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\nspec:\n  path: apps/{name}\n  namespace: {NAMESPACE}\n"
            );
        }
        self.write("portolan/applications.yaml", &documents);
    }

    /// Gives every application a schedule of full passes, such as `10m`.
    pub fn reconcile_every(&self, interval: &str) {
        let path = "portolan/applications.yaml";
        let text = std::fs::read_to_string(self.folder.join(path)).expect("the documents");
        self.write(path, &text.replace("spec:\n", &format!("spec:\n  reconcile: {{every: {interval}}}\n")));
    }

    /// Replaces a text in a unit's plain file.
    pub fn edit(&self, unit: usize, from: &str, to: &str) {
        let path = format!("apps/{}/objects.yaml", unit_name(unit));
        let text = std::fs::read_to_string(self.folder.join(&path)).expect("a unit's file");
        self.write(&path, &text.replace(from, to));
    }

    pub fn write(&self, path: &str, content: &str) {
        let file = self.folder.join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        std::fs::write(file, content).expect("a file");
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .arg("-C")
            .arg(&self.folder)
            .args(["-c", "user.name=bench", "-c", "user.email=bench@portolan.invalid", "-c", "gc.auto=0"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status()
            .expect("git");
        assert!(status.success(), "git {arguments:?}");
    }
}

/// The name of a unit.
pub fn unit_name(unit: usize) -> String {
    format!("unit-{unit:05}")
}

/// The daemon as a process.
pub struct Daemon {
    child: Child,
    address: String,
    /// File of the daemon's log.
    pub log: PathBuf,
}

impl Daemon {
    /// Starts the daemon on a repository and a control plane, and waits until it has read the repository.
    pub async fn start(folder: &Path, repository: &Repository, control_plane: &ControlPlane) -> Self {
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let address = format!("127.0.0.1:{port}");
        let file = folder.join("portolan.yaml");
        let config = serde_json::json!({
            "apiVersion": "portolan.dev/v1alpha1",
            "kind": "Config",
            "repositories": [{"name": "bench", "url": repository.folder, "interval": "30s"}],
            "kubeconfigs": [{"name": "local", "file": control_plane.kubeconfig()}],
            "listen": address,
            "dataDir": folder.join("data"),
            "log": {"filter": text_flag("--log", "warn")},
        });
        std::fs::write(&file, config.to_string()).expect("the daemon's file");
        let log = folder.join("daemon.log");
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("a log");
        let mut path = vec![control_plane.programs().helm.parent().expect("a folder").to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let child = Command::new(program())
            .arg("--config")
            .arg(&file)
            .arg("run")
            .env("PATH", std::env::join_paths(path).expect("a PATH"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .expect("the daemon");
        let daemon = Self { child, address, log };
        wait("the daemon", Duration::from_millis(20), || {
            let daemon = &daemon;
            async move { daemon.get("/readyz").await.is_some_and(|text| text == "ok\n") }
        })
        .await;
        daemon
    }

    /// Reads a page; `None` when there is no answer, or one that is no success.
    pub async fn get(&self, path: &str) -> Option<String> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }

    /// Every application's record.
    pub async fn applications(&self) -> Vec<Value> {
        let text = self.get("/api/v1/applications").await.unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Waits until so many applications are synced, and until they are healthy; seconds since a moment for both.
    pub async fn settled(&self, units: usize, since: Instant) -> (f64, f64) {
        let mut synced = None;
        loop {
            let applications = self.applications().await;
            let count = |key: &str, value: &str| applications.iter().filter(|a| a[key] == value).count();
            if synced.is_none() && count("sync", "Synced") == units {
                synced = Some(since.elapsed().as_secs_f64());
            }
            if let Some(synced) = synced
                && count("health", "Healthy") == units
            {
                return (synced, since.elapsed().as_secs_f64());
            }
            if since.elapsed() > LIMIT {
                let open: Vec<&Value> = applications
                    .iter()
                    .filter(|a| a["sync"] != "Synced" || a["health"] != "Healthy")
                    .take(3)
                    .collect();
                panic!("not settled: {} of {units} synced; for example {open:?}", count("sync", "Synced"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Requests so far by verb, watches left out.
    pub async fn requests(&self) -> BTreeMap<String, u64> {
        let text = self.get("/metrics").await.unwrap_or_default();
        let mut requests = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("portolan_kubernetes_requests_total{")) {
            let verb =
                line.split("verb=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
            let count: f64 = line.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default();
            *requests.entry(verb.to_owned()).or_default() += count as u64;
        }
        requests.remove("watch");
        requests
    }

    /// Peak resident memory in MiB, child processes apart.
    pub fn peak_mebibytes(&self) -> f64 {
        self.status("VmHWM:") / 1024.0
    }

    /// CPU seconds used so far, child processes apart.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
        // utime and stime, proc_pid_stat(5), in hundredths on every Linux that Rust runs on.
        (ticks(11) + ticks(12)) / 100.0
    }

    fn status(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// Ends the daemon by SIGTERM.
    pub fn stop(mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("a signal");
        self.child.wait().expect("the daemon's end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition.
pub async fn wait<F: Future<Output = bool>>(what: &str, pause: Duration, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        tokio::time::sleep(pause).await;
    }
}

/// What the second counts have more than the first.
pub fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    after
        .iter()
        .map(|(verb, count)| (verb.clone(), count - before.get(verb).copied().unwrap_or_default()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The median; NaN for nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
