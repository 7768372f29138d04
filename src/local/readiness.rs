//! Waiting until a control plane can be used: each program's own health endpoint, then what the controllers make.

use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use super::crew::clean;
use super::flags::Layout;
use super::programs::Program;
use super::wire::Server;

/// Between two looks at a program that does not answer yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until etcd says it is healthy.
pub(crate) async fn etcd(layout: &Layout) {
    plain(layout.ports.etcd, "/health").await;
}

/// Waits until KWOK says it is healthy.
pub(crate) async fn kwok(layout: &Layout) {
    plain(layout.ports.kwok, "/healthz").await;
}

/// Waits until the API server is ready, its start hooks included.
pub(crate) async fn api_server(layout: &Layout) {
    answers(layout, layout.ports.api_server, "/readyz").await;
}

/// Waits until controller-manager and scheduler are healthy.
pub(crate) async fn components(layout: &Layout) {
    for port in [layout.ports.controller_manager, layout.ports.scheduler] {
        // Their certificate is the API server's.
        answers(layout, port, "/healthz").await;
    }
}

/// Waits until a Pod could be created in the namespace `default`: it needs the ServiceAccount.
pub(crate) async fn default_service_account(layout: &Layout) {
    let path = "/api/v1/namespaces/default/serviceaccounts/default";
    answers(layout, layout.ports.api_server, path).await;
}

/// Creates the nodes that KWOK will play, and waits until every one is Ready.
///
/// # Errors
/// kubectl's words when the API server, ready as it is, refuses them.
pub(crate) async fn nodes(layout: &Layout) -> Result<(), String> {
    if layout.spec.nodes == 0 {
        return Ok(());
    }
    let mut child = kubectl(layout, &["create", "--validate=false", "--output=name", "--filename=-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // If kubectl ends without reading, its exit code and its words say more than the broken pipe.
        let _ = stdin.write_all(node_list(layout.spec.nodes).as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("creating the nodes failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    until(layout, &["wait", "node", "--all", "--for=condition=Ready", "--timeout=10s"]).await;
    Ok(())
}

/// Nodes with the labels and addresses that a kubelet sets itself, and room enough for any test. KWOK fills in the rest.
fn node_list(count: u32) -> String {
    let items: Vec<_> = (1..=count)
        .map(|number| {
            let name = format!("node-{number}");
            let address = format!("192.168.{}.{}", 1 + number / 250, 1 + number % 250);
            let room = serde_json::json!({"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "1000"});
            serde_json::json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "annotations": {"kwok.x-k8s.io/node": "fake"},
                    "labels": {
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "kubernetes.io/arch": "amd64",
                        "node.kubernetes.io/instance-type": "kwok",
                    },
                },
                "status": {"capacity": room, "allocatable": room, "addresses": [
                    {"type": "InternalIP", "address": address},
                    {"type": "Hostname", "address": name},
                ]},
            })
        })
        .collect();
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Runs kubectl until it succeeds. The caller sets the limit.
async fn until(layout: &Layout, arguments: &[&str]) {
    loop {
        let status = kubectl(layout, arguments).status().await;
        if status.is_ok_and(|status| status.success()) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// kubectl as the administrator; what it complains about goes to its log.
fn kubectl(layout: &Layout, arguments: &[&str]) -> Command {
    let log = File::options().create(true).append(true).open(layout.log(Program::Kubectl));

    let mut command = Command::new(layout.spec.programs.path(Program::Kubectl));
    clean(&mut command, &layout.folder);
    command
        // It lives for a blink: what it would collect, its end frees.
        .env("GOGC", "off")
        .arg(format!("--kubeconfig={}", layout.kubeconfig().display()))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.map_or(Stdio::null(), Stdio::from))
        .kill_on_drop(true);
    command
}

/// Waits until a program answers the administrator 200. Asked by our own client: with a kubectl for each question, those
/// took three quarters of the CPU time that the API server took for its start.
async fn answers(layout: &Layout, port: u16, path: &str) {
    let url = format!("https://127.0.0.1:{port}");
    let bearer = format!("Bearer {}", layout.administrator.token);
    let headers = [("authorization", bearer.as_str())];
    // The authority was written before any program was started, and stays as it is: read once for all questions.
    let server = Server::trusting(&url, &layout.pki.ca_cert);
    let mut said = String::new();
    loop {
        let answer = match &server {
            Ok(server) => server.send(Method::GET, path, &headers, Bytes::new()).await,
            Err(error) => Err(error.clone()),
        };
        let now = match answer {
            Ok(answer) if answer.status() == StatusCode::OK => return,
            Ok(answer) => answer.status().to_string(),
            Err(error) => error,
        };
        if now != said {
            complain(layout, &format!("{url}{path}: {now}"));
            said = now;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Why it is not ready yet, for whoever reads the logs of a start that failed.
fn complain(layout: &Layout, words: &str) {
    if let Ok(mut log) = File::options().create(true).append(true).open(layout.log(Program::Kubectl)) {
        // The log is a help, not a condition.
        let _ = writeln!(log, "{words}");
    }
}

/// Waits until a plain HTTP endpoint answers 200.
async fn plain(port: u16, path: &str) {
    while !answers_ok(port, path).await.unwrap_or(false) {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answers_ok(port: u16, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_distinct_names() {
        let list: serde_json::Value = serde_json::from_str(&node_list(3)).unwrap();
        let names: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|n| n["metadata"]["name"].clone()).collect();
        assert_eq!(names, ["node-1", "node-2", "node-3"]);
    }
}
