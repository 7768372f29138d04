//! kubectl, as a person would ask: stories check by it what the daemon says.

use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The kubectl of a control plane, with its administrator's kubeconfig.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// The program.
    pub program: PathBuf,
    /// The kubeconfig.
    pub kubeconfig: PathBuf,
}

impl Kubectl {
    /// Runs it. Gives what it printed.
    ///
    /// # Errors
    /// What it said when it failed.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.run_with(arguments, "").await
    }

    /// [`Kubectl::run`] with something on its standard input.
    ///
    /// # Errors
    /// As [`Kubectl::run`].
    pub async fn run_with(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        match self.call(arguments, input).await? {
            (true, said, _) => Ok(said),
            (false, _, complaint) => Err(complaint),
        }
    }

    /// Whether it succeeded, what it printed, and what it complained of.
    async fn call(&self, arguments: &[&str], input: &str) -> Result<(bool, String, String), String> {
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("kubectl: {error}"))?;
        let mut stdin = child.stdin.take().expect("piped above");
        let input = input.to_owned();
        let writing = async move {
            // It may end without reading; its words say why.
            let _ = stdin.write_all(input.as_bytes()).await;
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), writing);
        let output = output.map_err(|error| format!("kubectl: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
    }

    /// Objects of some kinds everywhere: `deployments,statefulsets`.
    ///
    /// # Errors
    /// As [`Kubectl::run`].
    pub async fn list(&self, kinds: &str) -> Result<Vec<Value>, String> {
        let text = self.run(&["get", kinds, "--all-namespaces", "--output", "json"]).await?;
        let mut list: Value = serde_json::from_str(&text).map_err(|error| format!("kubectl: {error}"))?;
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(Vec::new()),
        }
    }

    /// One object; `None` when there is none.
    ///
    /// # Errors
    /// As [`Kubectl::run`].
    pub async fn object(&self, namespace: &str, kind: &str, name: &str) -> Result<Option<Value>, String> {
        let arguments = ["-n", namespace, "get", kind, name, "--ignore-not-found", "--output", "json"];
        let text = self.run(&arguments).await?;
        if text.is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).map_err(|error| format!("kubectl: {error}"))
    }

    /// Names of all kinds that can be listed, as kubectl takes them, but for those that tell nothing of a cluster.
    ///
    /// # Errors
    /// As [`Kubectl::run`].
    pub async fn kinds(&self, namespaced: bool) -> Result<Vec<String>, String> {
        let flag = format!("--namespaced={namespaced}");
        let arguments = ["api-resources", "--verbs=list", &flag, "--output", "name"];
        let (succeeded, text, complaint) = self.call(&arguments, "").await?;
        // Aggregated APIs whose pods are not really there are no reason to see nothing.
        if !succeeded && !complaint.contains("unable to retrieve the complete list") {
            return Err(complaint);
        }
        let noise = ["events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses"];
        let kinds = text.lines().filter(|kind| !noise.contains(kind) && !kind.ends_with(".metrics.k8s.io"));
        Ok(kinds.map(str::to_owned).collect())
    }
}
