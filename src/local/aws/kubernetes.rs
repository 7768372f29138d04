//! A small client of one API server, for what the service does inside of its clusters.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::local::wire::{self, Server};

/// For how long a server that does not listen is tried again: it is replaced by an upgrade, or was just started.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// An API server as a member of `system:masters`.
#[derive(Clone)]
pub(in crate::local) struct Api {
    server: Server,
    token: String,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[error("the API server answers {status}: {message}")]
pub(in crate::local) struct Refusal {
    /// HTTP status; 0 when there was no answer.
    pub(in crate::local) status: u16,
    /// In its words.
    pub(in crate::local) message: String,
    /// `details.causes` of the answer: the fields concerned.
    pub(in crate::local) causes: Vec<Value>,
}

/// How an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::local) enum Force {
    /// A field that somebody else has set to another value is a conflict.
    No,
    /// Such fields are taken over.
    Yes,
}

impl Api {
    pub(in crate::local) fn new(server: Server, token: String) -> Api {
        Api { server, token }
    }

    /// Reads an object; `None` when it is not there.
    pub(in crate::local) async fn get(&self, path: &str) -> Result<Option<Value>, Refusal> {
        absent(self.request(Method::GET, path, "", None).await)
    }

    /// Reads a collection.
    pub(in crate::local) async fn list(&self, path: &str) -> Result<Vec<Value>, Refusal> {
        let mut answer = self.request(Method::GET, path, "", None).await?;
        Ok(match answer["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        })
    }

    /// Creates an object in the collection `path`.
    pub(in crate::local) async fn create(&self, path: &str, object: &Value) -> Result<Value, Refusal> {
        self.request(Method::POST, path, "application/json", Some(object)).await
    }

    /// Changes an object by a JSON merge patch (RFC 7386); `None` when it is not there.
    pub(in crate::local) async fn merge(&self, path: &str, patch: &Value) -> Result<Option<Value>, Refusal> {
        absent(self.request(Method::PATCH, path, "application/merge-patch+json", Some(patch)).await)
    }

    /// Server-side apply.
    pub(in crate::local) async fn apply(
        &self,
        object: &Value,
        manager: &str,
        force: Force,
    ) -> Result<Value, Refusal> {
        let force = force == Force::Yes;
        let path = format!("{}?fieldManager={manager}&force={force}", path_of(object));
        self.request(Method::PATCH, &path, "application/apply-patch+yaml", Some(object)).await
    }

    /// Tells what server-side apply would say, without force; nothing is changed.
    pub(in crate::local) async fn dry_run(&self, object: &Value, manager: &str) -> Result<Value, Refusal> {
        let path = format!("{}?fieldManager={manager}&force=false&dryRun=All", path_of(object));
        self.request(Method::PATCH, &path, "application/apply-patch+yaml", Some(object)).await
    }

    /// Deletes an object. One that is not there is no error.
    pub(in crate::local) async fn delete(&self, path: &str) -> Result<(), Refusal> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"});
        absent(self.request(Method::DELETE, path, "application/json", Some(&options)).await).map(|_| ())
    }

    /// Deletes a pod at once, without a kubelet's word.
    pub(in crate::local) async fn remove_pod(&self, namespace: &str, name: &str) -> Result<(), Refusal> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        absent(self.request(Method::DELETE, &path, "application/json", Some(&options)).await).map(|_| ())
    }

    /// Asks for a pod's eviction. `false` when a PodDisruptionBudget does not allow it now.
    pub(in crate::local) async fn evict(&self, namespace: &str, name: &str) -> Result<bool, Refusal> {
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace},
        });
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction");
        match self.request(Method::POST, &path, "application/json", Some(&eviction)).await {
            Ok(_) => Ok(true),
            Err(refusal) if refusal.status == 404 => Ok(true),
            Err(refusal) if refusal.status == 429 => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// Begins to watch a collection from a resourceVersion.
    pub(in crate::local) async fn watch(&self, path: &str, version: &str) -> Result<Watch, Refusal> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{joint}watch=true&allowWatchBookmarks=true&resourceVersion={version}");
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("accept", "application/json")];
        let answer = self.server.send(Method::GET, &path, &headers, Bytes::new()).await;
        let answer = answer.map_err(|message| Refusal { status: 0, message, causes: Vec::new() })?;
        if answer.status().is_success() {
            return Ok(Watch { body: answer.into_body(), rest: Vec::new(), ready: VecDeque::new() });
        }
        let (status, body) = wire::whole(answer).await.map_err(|message| Refusal {
            status: 0,
            message,
            causes: Vec::new(),
        })?;
        Err(refusal(status, &body))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refusal> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str()), ("accept", "application/json")];
        if body.is_some() {
            headers.push(("content-type", content_type));
        }
        let body = Bytes::from(body.map(Value::to_string).unwrap_or_default());
        let since = Instant::now();
        let (status, body) = loop {
            let answer = self.server.send(method.clone(), path, &headers, body.clone()).await;
            let answer = match answer {
                Ok(answer) => wire::whole(answer).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => break answer,
                // Everything asked of it may be asked twice: names are given, and "there already" is looked at.
                Err(_) if since.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                Err(message) => return Err(Refusal { status: 0, message, causes: Vec::new() }),
            }
        };
        if (200..300).contains(&status) {
            return Ok(serde_json::from_slice(&body).unwrap_or_default());
        }
        Err(refusal(status, &body))
    }
}

fn refusal(status: u16, body: &[u8]) -> Refusal {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = match answer["message"].as_str() {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
    Refusal { status, message, causes }
}

fn absent(answer: Result<Value, Refusal>) -> Result<Option<Value>, Refusal> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(refusal) if refusal.status == 404 => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// A running watch.
pub(in crate::local) struct Watch {
    body: Incoming,
    rest: Vec<u8>,
    ready: VecDeque<Value>,
}

impl Watch {
    /// The next event, `{type, object}`; `None` when the watch has ended.
    pub(in crate::local) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            let Ok(data) = frame.into_data() else { continue };
            self.rest.extend_from_slice(&data);
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if let Ok(event) = serde_json::from_slice(&line) {
                    self.ready.push_back(event);
                }
            }
        }
    }
}

/// Where an object is read and applied.
pub(in crate::local) fn path_of(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    format!("{}/{name}", collection_of(object))
}

/// Where objects of its kind and namespace are listed and created.
pub(in crate::local) fn collection_of(object: &Value) -> String {
    let version = object["apiVersion"].as_str().unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or_default();
    let root = if version.contains('/') { "apis" } else { "api" };
    let namespace = match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("namespaces/{namespace}/"),
        None => String::new(),
    };
    format!("/{root}/{version}/{namespace}{}", plural(kind))
}

/// The resource of a kind, by the rules of English that Kubernetes's own kinds follow.
fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if let Some(stem) = lower.strip_suffix('y') {
        format!("{stem}ies")
    } else if lower.ends_with('s') {
        format!("{lower}es")
    } else {
        format!("{lower}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_paths() {
        let path = |version: &str, kind: &str, namespace: Option<&str>| {
            let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}});
            if let Some(namespace) = namespace {
                object["metadata"]["namespace"] = namespace.into();
            }
            path_of(&object)
        };
        assert_eq!(path("v1", "ConfigMap", Some("a")), "/api/v1/namespaces/a/configmaps/x");
        assert_eq!(path("apps/v1", "DaemonSet", Some("a")), "/apis/apps/v1/namespaces/a/daemonsets/x");
        assert_eq!(
            path("storage.k8s.io/v1", "StorageClass", None),
            "/apis/storage.k8s.io/v1/storageclasses/x"
        );
        assert_eq!(
            path("networking.k8s.io/v1", "NetworkPolicy", Some("a")),
            "/apis/networking.k8s.io/v1/namespaces/a/networkpolicies/x"
        );
    }
}
