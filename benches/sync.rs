//! How fast a commit of N units arrives, beside the floor: a bare server-side apply of the same objects.
//!
//! ```text
//! cargo bench --bench sync -- --units 1000 [--rounds 3] [--log info]
//! ```
//!
//! Prints one line of JSON. Floor and daemon each run on a fresh control plane, in both orders; the figures are medians.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod stage;

use futures::StreamExt;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config, config};
use serde_json::{Value, json};
use stage::{
    Daemon, Form, NAMESPACE, OBJECTS_PER_UNIT, Repository, control_plane, difference, flag, kubectl, median,
    unit_name,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Requests at once, for both sides.
const AT_ONCE: usize = 16;
/// Objects edited, and fields removed, while the daemon is down.
const OFFLINE: usize = 20;

#[tokio::main]
async fn main() {
    let units = flag("--units", 1000);
    let rounds = flag("--rounds", 3);
    let (mut floors, mut daemons) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Both orders, so that a machine that slows down is fair to both.
        if round % 2 == 0 {
            floors.push(floor(units).await);
            daemons.push(daemon(units, Form::Plain).await);
        } else {
            daemons.push(daemon(units, Form::Plain).await);
            floors.push(floor(units).await);
        }
        eprintln!(
            "round {}: floor {:?}, daemon {:?}",
            round + 1,
            floors.last(),
            daemons.last().map(|d| (d.applied, d.healthy))
        );
    }
    let floor_applied = median(&floors.iter().map(|f| f.0).collect::<Vec<_>>());
    let floor_healthy = median(&floors.iter().map(|f| f.1).collect::<Vec<_>>());
    let applied = median(&daemons.iter().map(|d| d.applied).collect::<Vec<_>>());
    let healthy = median(&daemons.iter().map(|d| d.healthy).collect::<Vec<_>>());
    let peak = daemons.iter().map(|d| d.peak).fold(0.0, f64::max);
    let last = daemons.pop().expect("at least one round");
    let few = (units / 20).max(1);
    let helm = daemon(few, Form::Helm).await;
    let kustomize = daemon(few, Form::Kustomize).await;
    let form = |d: &Figures| json!({"units": few, "applied": d.applied, "healthy": d.healthy, "peakMiB": d.peak, "requests": d.requests});
    let line = json!({
        "bench": "sync",
        "units": units,
        "objects": units * OBJECTS_PER_UNIT,
        "rounds": rounds,
        "floor": {"applied": floor_applied, "healthy": floor_healthy},
        "daemon": {"applied": applied, "healthy": healthy, "peakMiB": peak, "requests": last.requests},
        "ratio": {"applied": applied / floor_applied, "healthy": healthy / floor_healthy},
        "oneFile": last.one_file,
        "restart": last.restart,
        "helm": form(&helm),
        "kustomize": form(&kustomize),
    });
    println!("{line}");
}

/// What a run of the daemon showed.
struct Figures {
    applied: f64,
    healthy: f64,
    peak: f64,
    requests: BTreeMap<String, u64>,
    one_file: Value,
    restart: Value,
}

async fn daemon(units: usize, form: Form) -> Figures {
    let control_plane = control_plane().await;
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::create(folder.path().join("repository"));
    let daemon = Daemon::start(folder.path(), &repository, &control_plane).await;
    repository.add_units(units, form);
    let before = daemon.requests().await;
    repository.commit("all units");
    let begun = Instant::now();
    let (applied, healthy) = daemon.settled(units, begun).await;
    let requests = difference(&before, &daemon.requests().await);
    let mut figures = Figures {
        applied,
        healthy,
        peak: daemon.peak_mebibytes(),
        requests,
        one_file: Value::Null,
        restart: Value::Null,
    };
    if form == Form::Plain {
        figures.one_file = one_file(&daemon, &repository, units).await;
        figures.peak = figures.peak.max(daemon.peak_mebibytes());
        daemon.stop();
        let (restart, peak) = restart(folder.path(), &repository, &control_plane, units).await;
        figures.restart = restart;
        figures.peak = figures.peak.max(peak);
    } else {
        daemon.stop();
    }
    control_plane.stop().await.expect("the control plane's end");
    figures
}

/// A commit that changes one file.
async fn one_file(daemon: &Daemon, repository: &Repository, units: usize) -> Value {
    let before = daemon.requests().await;
    let unit = units / 2;
    repository.edit(unit, "note: first", "note: second");
    repository.commit("one file");
    let begun = Instant::now();
    let name = unit_name(unit);
    let old = revision_of(daemon, &name).await;
    loop {
        let now = revision_of(daemon, &name).await;
        if now != old {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the commit did not arrive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    // Late requests (records, Events) count as well.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let changed: Vec<String> = daemon
        .applications()
        .await
        .iter()
        .filter(|a| a["revision"] == daemon_revision(&old, a))
        .map(|a| a["name"].to_string())
        .collect();
    json!({"seconds": seconds, "requests": difference(&before, &daemon.requests().await), "applications": changed.len()})
}

/// The revision of a record when it differs from the old one.
fn daemon_revision(old: &str, application: &Value) -> Value {
    if application["revision"] == *old { Value::Null } else { application["revision"].clone() }
}

async fn revision_of(daemon: &Daemon, name: &str) -> String {
    let applications = daemon.applications().await;
    let record = applications.iter().find(|a| a["name"] == name);
    record.and_then(|record| record["revision"].as_str()).unwrap_or_default().to_owned()
}

/// A restart after edits on the cluster and removals in the repository, both made while the daemon was down.
async fn restart(
    folder: &std::path::Path,
    repository: &Repository,
    control_plane: &portolan::local::ControlPlane,
    units: usize,
) -> (Value, f64) {
    let offline = OFFLINE.min(units / 4);
    for unit in 0..offline {
        let patch = r#"{"spec":{"replicas":0,"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:edited"}]}}}}"#;
        kubectl(
            control_plane,
            &["-n", NAMESPACE, "patch", "deployment", &unit_name(unit), "--type=strategic", "--patch", patch],
        );
    }
    for unit in offline..2 * offline {
        repository.edit(unit, "  annotations:\n    note: first\n", "");
    }
    repository.commit("removals while the daemon is down");
    let begun = Instant::now();
    let daemon = Daemon::start(folder, repository, control_plane).await;
    let (synced, _) = daemon.settled(units, begun).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let requests = daemon.requests().await;
    let image = kubectl(
        control_plane,
        &[
            "-n",
            NAMESPACE,
            "get",
            "deployment",
            &unit_name(0),
            "-o",
            "jsonpath={.spec.template.spec.containers[0].image}",
        ],
    );
    assert_eq!(image, "registry.example/web:1.0", "an offline edit was not mended");
    let note = kubectl(
        control_plane,
        &[
            "-n",
            NAMESPACE,
            "get",
            "deployment",
            &unit_name(offline),
            "-o",
            "jsonpath={.metadata.annotations.note}",
        ],
    );
    assert_eq!(note, "", "a field removed offline is still there");
    let peak = daemon.peak_mebibytes();
    daemon.stop();
    (json!({"seconds": synced, "edits": offline, "removals": offline, "requests": requests}), peak)
}

/// A plain loop over kube: every object by server-side apply, 16 at once. Seconds to all applied and to all Deployments
/// observed.
async fn floor(units: usize) -> (f64, f64) {
    let control_plane = control_plane().await;
    let kubeconfig = config::Kubeconfig::read_from(control_plane.kubeconfig()).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &config::KubeConfigOptions::default())
        .await
        .expect("a config");
    let client = Client::try_from(config).expect("a client");
    let objects: Vec<DynamicObject> =
        (0..units).flat_map(|unit| parse(&stage::manifests(&unit_name(unit)))).collect();
    let begun = Instant::now();
    let parameters = PatchParams::apply("floor").force();
    futures::stream::iter(&objects)
        .for_each_concurrent(AT_ONCE, |object| {
            let (client, parameters) = (client.clone(), &parameters);
            async move {
                let types = object.types.as_ref().expect("types");
                let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types).expect("a kind"));
                let api: Api<DynamicObject> = Api::namespaced_with(client, NAMESPACE, &resource);
                let name = object.metadata.name.as_deref().expect("a name");
                api.patch(name, parameters, &Patch::Apply(object)).await.expect("an apply");
            }
        })
        .await;
    let applied = begun.elapsed().as_secs_f64();
    let gvk = GroupVersionKind::gvk("apps", "v1", "Deployment");
    let deployments: Api<DynamicObject> =
        Api::namespaced_with(client, NAMESPACE, &ApiResource::from_gvk(&gvk));
    loop {
        let list = deployments.list(&ListParams::default()).await.expect("a list");
        let observed = list
            .items
            .iter()
            .filter(|d| d.data["status"]["observedGeneration"] == json!(d.metadata.generation))
            .count();
        if observed == units {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let healthy = begun.elapsed().as_secs_f64();
    control_plane.stop().await.expect("the control plane's end");
    (applied, healthy)
}

fn parse(text: &str) -> Vec<DynamicObject> {
    portolan::model::yaml::read_stream(text.as_bytes(), &portolan::model::yaml::Limits::default())
        .into_iter()
        .map(|document| {
            serde_json::from_value(document.expect("a document").into_value()).expect("an object")
        })
        .map(|mut object: DynamicObject| {
            object.metadata.namespace = Some(NAMESPACE.into());
            object
        })
        .collect()
}
