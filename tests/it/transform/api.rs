//! An API server as tests of the rules see it: what it serves, objects written and read in a chosen version.

use kube::{Client, Config, config};
use portolan::local::ControlPlane;
use portolan::model::Gvk;
use portolan::transform::Served;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest wait for what a controller does.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// See the module.
pub struct Api {
    client: Client,
    /// Plural, and whether it has namespaces, by kind.
    resources: BTreeMap<String, (String, bool)>,
    /// Kinds with their versions, as the server prefers them.
    pub served: Served,
}

impl Api {
    /// Reads what a control plane serves.
    pub async fn of(control_plane: &ControlPlane) -> Self {
        let kubeconfig = config::Kubeconfig::read_from(control_plane.kubeconfig()).unwrap();
        let options = config::KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
        let mut api = Self {
            client: Client::try_from(config).unwrap(),
            resources: BTreeMap::new(),
            served: Served::default(),
        };
        api.discover().await;
        api
    }

    /// Reads it again: definitions of custom kinds have come.
    pub async fn discover(&mut self) {
        let mut versions = vec![("/api/v1".to_owned(), "v1".to_owned())];
        let groups = self.send("GET", "/apis", None).await.unwrap();
        for group in groups["groups"].as_array().unwrap() {
            let preferred = group["preferredVersion"]["groupVersion"].as_str().unwrap();
            let all = group["versions"].as_array().unwrap().iter();
            let others = all.filter_map(|one| one["groupVersion"].as_str()).filter(|one| *one != preferred);
            let named = std::iter::once(preferred).chain(others);
            versions.extend(named.map(|version| (format!("/apis/{version}"), version.to_owned())));
        }
        for (path, version) in versions {
            let list = self.listed(&path).await;
            for resource in list["resources"].as_array().into_iter().flatten() {
                let (name, kind) = (resource["name"].as_str().unwrap(), resource["kind"].as_str().unwrap());
                if name.contains('/') {
                    continue;
                }
                let gvk = Gvk::from_api_version(&version, kind);
                self.served.add(&gvk);
                let place = (name.to_owned(), resource["namespaced"] == true);
                self.resources.insert(gvk.to_string(), place);
            }
        }
    }

    /// What a version has. A server that has just come up, or a definition that has just come, may not answer yet.
    async fn listed(&self, path: &str) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let list = self.send("GET", path, None).await;
            match list {
                Ok(list) if list["resources"].as_array().is_some_and(|all| !all.is_empty()) => return list,
                other => assert!(begun.elapsed() < LIMIT, "{path}: {other:?}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Where an object of a kind is; `None`: the server does not serve it.
    fn path(&self, gvk: &Gvk, namespace: &str, name: &str) -> Option<String> {
        let (plural, namespaced) = self.resources.get(&gvk.to_string())?;
        let base =
            if gvk.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}", gvk.api_version()) };
        let namespace = if namespace.is_empty() { "default" } else { namespace };
        let within = if *namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let name = name.replace('%', "%25").replace(':', "%3A");
        Some(format!("{base}{within}/{plural}/{name}"))
    }

    /// Applies an object without writing it; gives what the server would hold, or why it refuses.
    pub async fn dry_run(&self, object: &Value) -> Result<Value, String> {
        self.apply(object, "&dryRun=All").await
    }

    /// Applies an object.
    pub async fn write(&self, object: &Value) -> Result<Value, String> {
        self.apply(object, "").await
    }

    async fn apply(&self, object: &Value, more: &str) -> Result<Value, String> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let gvk = Gvk::from_api_version(text("/apiVersion"), text("/kind"));
        let path = self.path(&gvk, text("/metadata/namespace"), text("/metadata/name"));
        let path = path.ok_or_else(|| format!("{gvk} is not served"))?;
        self.send("PATCH", &format!("{path}?fieldManager=test&force=true{more}"), Some(object)).await
    }

    /// Reads an object in a version.
    pub async fn read(&self, gvk: &Gvk, namespace: &str, name: &str) -> Result<Value, String> {
        let path = self.path(gvk, namespace, name).ok_or_else(|| format!("{gvk} is not served"))?;
        self.send("GET", &path, None).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let mut request =
            http::Request::builder().method(method).uri(path).header("accept", "application/json");
        if body.is_some() {
            request = request.header("content-type", "application/apply-patch+yaml");
        }
        let request = request.body(body.map(Value::to_string).unwrap_or_default().into_bytes()).unwrap();
        self.client.request::<Value>(request).await.map_err(|error| error.to_string())
    }

    /// Waits until the definitions of a set are established.
    pub async fn established(&self, objects: &[Value]) {
        let gvk = Gvk::from_api_version("apiextensions.k8s.io/v1", "CustomResourceDefinition");
        let definitions = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition");
        for name in definitions.filter_map(|object| object.pointer("/metadata/name")?.as_str()) {
            let established = |held: &Value| {
                let mut conditions = held["status"]["conditions"].as_array().into_iter().flatten();
                conditions.any(|one| one["type"] == "Established" && one["status"] == "True")
            };
            self.until(&gvk, "", name, established).await;
        }
    }

    /// A namespace that is there, with the account that pods need.
    pub async fn namespace(&self, name: &str) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.write(&namespace).await.unwrap();
        let account = Gvk::from_api_version("v1", "ServiceAccount");
        self.until(&account, name, "default", |_| true).await;
    }

    /// Waits until an object is there and as it should be.
    async fn until(&self, gvk: &Gvk, namespace: &str, name: &str, ready: impl Fn(&Value) -> bool) {
        let begun = std::time::Instant::now();
        loop {
            let held = self.read(gvk, namespace, name).await;
            if held.as_ref().is_ok_and(&ready) {
                return;
            }
            assert!(begun.elapsed() < LIMIT, "{gvk} {namespace}/{name}: {held:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}
