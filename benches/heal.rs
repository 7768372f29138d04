//! How fast a live edit is mended, and what the daemon costs at rest.
//!
//! ```text
//! cargo bench --bench heal -- --units 1000 [--edits 1000] [--rest 600]
//! ```
//!
//! Prints one line of JSON. A time is from the edit's answer to the moment a watch shows the mended object.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod stage;

use futures::TryStreamExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config, config};
use serde_json::{Value, json};
use stage::{Daemon, Form, NAMESPACE, Repository, control_plane, difference, flag, unit_name};
use std::time::{Duration, Instant};

/// Who edits.
const EDITOR: &str = "somebody";

#[tokio::main]
async fn main() {
    let units = flag("--units", 1000);
    let edits = flag("--edits", 1000);
    let rest = flag("--rest", 600);
    let control_plane = control_plane().await;
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::create(folder.path().join("repository"));
    repository.add_units(units, Form::Plain);
    add_helm_unit(&repository);
    // So that one full pass falls into the time at rest, however long that is.
    repository.reconcile_every(&format!("{rest}s"));
    repository.commit("all units");
    let begun = Instant::now();
    let daemon = Daemon::start(folder.path(), &repository, &control_plane).await;
    daemon.settled(units + 1, begun).await;

    let kubeconfig = config::Kubeconfig::read_from(control_plane.kubeconfig()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &config::KubeConfigOptions::default())
        .await
        .expect("a config");
    let client = Client::try_from(config).expect("a client");

    let mut times = Vec::new();
    for edit in 0..edits {
        // Spread over units and kinds, the same in every run.
        let unit = edit.wrapping_mul(7919) % units;
        times.push(mend(&client, edit % 3, &unit_name(unit)).await);
    }
    let mut same = Vec::new();
    for _ in 0..10 {
        same.push(mend(&client, 0, &unit_name(units / 2)).await);
    }
    let mut helm = Vec::new();
    for _ in 0..10 {
        helm.push(mend(&client, 0, "helm-unit").await);
    }
    let (requests, cpu) = at_rest(&daemon, Duration::from_secs(rest as u64)).await;
    let line = json!({
        "bench": "heal",
        "units": units,
        "edits": edits,
        "millis": {"p50": percentile(&times, 50.0), "p99": percentile(&times, 99.0), "max": percentile(&times, 100.0)},
        "sameObject": same,
        "helm": {"p50": percentile(&helm, 50.0), "max": percentile(&helm, 100.0)},
        "rest": {"seconds": rest, "requests": requests, "cpuSeconds": cpu, "corePercent": cpu / rest as f64 * 100.0},
        "peakMiB": daemon.peak_mebibytes(),
    });
    println!("{line}");
    daemon.stop();
    control_plane.stop().await.expect("the control plane's end");
}

fn add_helm_unit(repository: &Repository) {
    let name = "helm-unit";
    repository.write("apps/helm-unit/Chart.yaml", "apiVersion: v2\nname: helm-unit\nversion: 1.0.0\n");
    repository.write("apps/helm-unit/templates/objects.yaml", &stage::manifests(name));
    repository.write(
        "portolan/helm.yaml",
        &format!("apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\nspec:\n  path: apps/{name}\n  namespace: {NAMESPACE}\n"),
    );
}

/// Edits one field of one object and waits until the watch shows it mended; milliseconds.
async fn mend(client: &Client, kind: usize, name: &str) -> f64 {
    let (gvk, patch, pointer, wanted) = match kind {
        0 => (
            GroupVersionKind::gvk("apps", "v1", "Deployment"),
            json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.example/web:edited"}]}}}}),
            "/spec/template/spec/containers/0/image",
            json!("registry.example/web:1.0"),
        ),
        1 => (
            GroupVersionKind::gvk("", "v1", "Service"),
            json!({"spec": {"selector": {"app": "edited"}}}),
            "/spec/selector/app",
            json!(name),
        ),
        _ => (
            GroupVersionKind::gvk("networking.k8s.io", "v1", "Ingress"),
            json!({"metadata": {"labels": {"app": "edited"}}}),
            "/metadata/labels/app",
            json!(name),
        ),
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::from_gvk(&gvk));
    let parameters = PatchParams { field_manager: Some(EDITOR.into()), ..PatchParams::default() };
    let before = api.get(name).await.expect("the object");
    let watch = WatchParams::default().fields(&format!("metadata.name={name}"));
    let version = before.metadata.resource_version.clone().unwrap_or_default();
    let stream = api.watch(&watch, &version).await.expect("a watch");
    futures::pin_mut!(stream);
    if kind == 0 {
        api.patch(name, &parameters, &Patch::Strategic(&patch)).await.expect("an edit");
    } else {
        api.patch(name, &parameters, &Patch::Merge(&patch)).await.expect("an edit");
    }
    let edited = Instant::now();
    let mut seen_edit = false;
    while let Some(event) = stream.try_next().await.expect("an event") {
        let (WatchEvent::Modified(object) | WatchEvent::Added(object)) = event else { continue };
        let body: Value = serde_json::to_value(&object).expect("JSON");
        let mended = body.pointer(pointer) == Some(&wanted);
        if !mended {
            seen_edit = true;
        } else if seen_edit {
            return edited.elapsed().as_secs_f64() * 1000.0;
        }
        assert!(edited.elapsed() < Duration::from_secs(60), "{name} was not mended");
    }
    panic!("the watch ended")
}

/// Requests, watches apart, and CPU seconds over a time in which nothing happens.
async fn at_rest(daemon: &Daemon, time: Duration) -> (Value, f64) {
    // Records and Events of the last mend are still on their way.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, cpu) = (daemon.requests().await, daemon.cpu_seconds());
    tokio::time::sleep(time).await;
    let used = daemon.cpu_seconds() - cpu;
    (json!(difference(&before, &daemon.requests().await)), used)
}

fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (percent / 100.0 * (sorted.len().max(1) - 1) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}
