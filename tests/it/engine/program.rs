//! The program itself, as `portolan run` and its signals are: settings that change, and an end within its limit.

use super::policies::at;
use super::seen::is_there;
use crate::support::daemon::{Daemon, LIMIT, application, config_map};
use crate::support::gate::{Gate, Way};
use crate::support::git_repo::TestRepo;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

/// A running `portolan run` on the file of a daemon that is not started.
struct Program {
    child: Child,
    log: Arc<(Mutex<Vec<String>>, Notify)>,
}

impl Program {
    fn start(daemon: &Daemon) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portolan"))
            .arg("--config")
            .arg(daemon.config_file())
            .arg("run")
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log: Arc<(Mutex<Vec<String>>, Notify)> = Arc::default();
        let written = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                written.0.lock().unwrap().push(line);
                written.1.notify_waiters();
            }
        });
        Self { child, log }
    }

    fn lines(&self) -> Vec<String> {
        self.log.0.lock().unwrap().clone()
    }

    /// Waits for that many lines of the log which hold all the words.
    async fn says(&self, times: usize, words: &[&str]) {
        let said = async {
            loop {
                let news = self.log.1.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                let fits = |line: &&String| words.iter().all(|word| line.contains(word));
                if self.lines().iter().filter(fits).count() >= times {
                    return;
                }
                news.await;
            }
        };
        if tokio::time::timeout(LIMIT, said).await.is_err() {
            panic!("it does not say {words:?} {times} times:\n{}", self.lines().join("\n"));
        }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it by SIGTERM; the exit code, and how long it took.
    async fn terminate(&mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let process = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap());
        kill(process, Signal::SIGTERM).unwrap();
        let end = tokio::time::timeout(LIMIT, self.child.wait()).await;
        let end = end.unwrap_or_else(|_| panic!("it does not end:\n{}", self.lines().join("\n"))).unwrap();
        (end.code(), begun.elapsed())
    }
}

async fn there(daemon: &Daemon, name: &str, value: &str) {
    daemon
        .object_until("configmap", name, &format!("at {value}"), |object| {
            object.is_some_and(|object| object["data"]["k"] == value)
        })
        .await;
}

/// Waits until the state says that an application is Synced and Healthy at a commit.
async fn noted(daemon: &Daemon, key: &str, commit: &str) {
    let (store, begun) = (daemon.store().await, Instant::now());
    loop {
        let record = json!(store.load().await.unwrap().get(key));
        let revision = record["revision"].as_str().unwrap_or_default();
        if record["sync"] == "Synced" && record["health"] == "Healthy" && revision.contains(&commit[..12]) {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{key} is not settled: {record:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

const IN_FORCE: &str = "configuration in force";

#[tokio::test(flavor = "multi_thread")]
async fn changed_settings_count_at_once_a_broken_file_keeps_the_old_ones_and_nothing_is_left_over() {
    let gate = Gate::new(Way::Open).await;
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settings = json!({"kubeconfigs": [{"name": "local", "file": gate.kubeconfig()}]});
    let mut program = Program::start(&daemon);
    there(&daemon, "one", "v").await;
    program.says(1, &[IN_FORCE, "1 repositories"]).await;

    // A second repository, without a restart.
    let second = TestRepo::with(&[
        ("portolan/b.yaml", &application("b", "").replace("NAMESPACE", &daemon.namespace)),
        ("apps/b/two.yaml", &config_map("two", "k: v")),
    ]);
    daemon.repositories.push(json!({"name": "second", "url": second.path(), "interval": "5s"}));
    let file = daemon.config_file();
    program.says(1, &[IN_FORCE, "2 repositories"]).await;
    there(&daemon, "two", "v").await;

    // A file with a mistake is told, and what runs goes on.
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("\"repositories\"", "\"repositoires\"")).unwrap();
    program.says(1, &["repositoires", "repositories"]).await;
    daemon.commit(&[("apps/a/one.yaml", &config_map("one", "k: w"))]);
    there(&daemon, "one", "w").await;
    second.commit("main", &[("apps/b/two.yaml", &config_map("two", "k: w"))]);
    there(&daemon, "two", "w").await;

    // Each new setting ends what the one before had open.
    let settled = gate.connections();
    for number in 2..6 {
        daemon.settings["limits"] = json!({"requestsAtOnce": number});
        daemon.config_file();
        program.says(number, &[IN_FORCE, "2 repositories"]).await;
        let value = format!("{number}");
        daemon.commit(&[("apps/a/one.yaml", &config_map("one", &format!("k: {value:?}")))]);
        there(&daemon, "one", &value).await;
    }
    let begun = Instant::now();
    // An engine that is left behind keeps at least one each; how many one engine has varies by what is idle.
    while gate.connections() >= settled + 4 {
        let now = gate.connections();
        // What is merely idle is closed after a minute and a half.
        let soon = begun.elapsed() < Duration::from_secs(60);
        assert!(soon, "{now} connections after four reloads, {settled} before");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(program.is_running(), "it is the same process");
    let lines = program.lines();
    // The Cluster that `b` goes to is declared in another repository than `b`; whichever is read first.
    assert!(!lines.iter().any(|line| line.contains("in-cluster")), "{}", lines.join("\n"));
    let (code, _) = program.terminate().await;
    assert_eq!(code, Some(0), "{}", program.lines().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_rendering_that_is_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let (helm, started) = (folder.path().join("helm"), folder.path().join("started"));
    // Asked for its version it answers; asked to render it takes its time.
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = version ] && echo v3.99.0 && exit 0\necho $$ > {}\nexec sleep 600\n",
        started.display()
    );
    std::fs::write(&helm, script).unwrap();
    std::fs::set_permissions(&helm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/Chart.yaml", "apiVersion: v2\nname: slow\nversion: 0.1.0\n"),
        ("apps/a/templates/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settings =
        json!({"tools": {"helm": helm}, "limits": {"renderTimeout": "5m", "drainTimeout": "3s"}});
    let mut program = Program::start(&daemon);
    let begun = Instant::now();
    let process = loop {
        let written = std::fs::read_to_string(&started).unwrap_or_default();
        if let Ok(process) = written.trim().parse::<i32>() {
            break Pid::from_raw(process);
        }
        assert!(begun.elapsed() < LIMIT, "it does not render:\n{}", program.lines().join("\n"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let (code, took) = program.terminate().await;
    assert_eq!(code, Some(0), "{}", program.lines().join("\n"));
    assert!(took < MARGIN, "{took:?}");
    let ended = Instant::now();
    while kill(process, None).is_ok() {
        assert!(ended.elapsed() < MARGIN, "the program that renders goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An application whose second wave waits for a Deployment that never becomes ready.
fn waves() -> [(&'static str, String); 4] {
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, selector: {matchLabels: {app: web}}, \
        template: {metadata: {labels: {app: web}}, spec: {nodeSelector: {no: where}, containers: [{name: web, image: web}]}}}\n";
    let later = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later, annotations: {argocd.argoproj.io/sync-wave: '1'}}\n";
    [
        ("portolan/a.yaml", application("a", "sync: {timeout: 10m}")),
        ("portolan/b.yaml", application("b", "")),
        ("apps/a/web.yaml", web.to_owned()),
        ("apps/a/later.yaml", later.to_owned()),
    ]
}

/// What a machine with other work takes beyond the limit.
const MARGIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_within_its_limit_whatever_is_under_way() {
    let gate = Gate::new(Way::Open).await;
    let files = waves();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let one = config_map("one", "k: v");
    files.push(("apps/b/one.yaml", &one));
    let mut daemon = Daemon::new(&files).await;
    daemon.settings = json!({
        "kubeconfigs": [{"name": "local", "file": gate.kubeconfig()}],
        "limits": {"drainTimeout": "3s"},
    });
    // A wave that waits for ten minutes, and nothing that is on its way: it ends at once.
    let mut program = Program::start(&daemon);
    there(&daemon, "one", "v").await;
    daemon.object_until("deployment", "web", "there", |web| web.is_some()).await;
    let (code, took) = program.terminate().await;
    assert_eq!(code, Some(0), "{}", program.lines().join("\n"));
    assert!(took < MARGIN, "{took:?}");
    assert!(!is_there(&daemon, "configmap", "later").await);

    // A request that nobody answers is given up at the limit.
    let mut program = Program::start(&daemon);
    program.says(1, &[IN_FORCE]).await;
    daemon.commit(&[("apps/b/one.yaml", &config_map("one", "k: w"))]);
    there(&daemon, "one", "w").await;
    gate.set(Way::Silent);
    let commit = daemon.commit(&[("apps/b/one.yaml", &config_map("one", "k: x"))]);
    program.says(1, &["rendered", "application=\"b\"", &commit[..12]]).await;
    gate.holds_something().await;
    let (code, took) = program.terminate().await;
    assert_eq!(code, Some(0), "{}", program.lines().join("\n"));
    assert!(took < Duration::from_secs(3) + MARGIN, "{took:?}");

    // And the next one takes up what was left.
    gate.set(Way::Open);
    let mut program = Program::start(&daemon);
    // The object alone tells nothing: the request that was held may have arrived when the gate opened.
    noted(&daemon, "local/b", &commit).await;
    let (code, _) = program.terminate().await;
    assert_eq!(code, Some(0), "{}", program.lines().join("\n"));
    assert_eq!(at(&daemon, "configmap", "one", "/data/k").await, Value::from("x"));
}
