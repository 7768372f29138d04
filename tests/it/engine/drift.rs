//! Every way in which a live object can leave its declaration: found, told and mended, while the daemon runs and after
//! it was down; and nothing else is touched.

use super::drift_cases::{APPLICATION, Case, FOREIGN, RIVAL, cases, files};
use crate::support::control_plane::kubectl_with;
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::{FieldDrift, What};
use portolan::model::plan::Action;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kinds of the cases' objects, as kubectl takes them.
const KINDS: &str = "configmaps,secrets,services,networkpolicies.networking.k8s.io,deployments.apps";

/// A settled daemon on the cases' objects, each of which carries an annotation that somebody else put there.
async fn on_the_table(cases: &[Case]) -> Daemon {
    let files = files(cases);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let daemon = Daemon::started(&files).await;
    daemon.settled(APPLICATION, "").await;
    let moment = daemon.now();
    daemon.kubectl(&["annotate", KINDS, "--all", &format!("{FOREIGN}=stays")]).await;
    daemon.settled(APPLICATION, "").await;
    let drifted: Vec<_> =
        daemon.since(moment).into_iter().filter(|e| matches!(e.what, What::Drifted { .. })).collect();
    assert!(drifted.is_empty(), "what somebody adds is no drift: {drifted:#?}");
    daemon
}

/// Every object of the namespace, by name. (No two objects of the cases share one.)
async fn snapshot(daemon: &Daemon) -> BTreeMap<String, Value> {
    let text = daemon.kubectl(&["get", KINDS, "-o", "json", "--show-managed-fields"]).await;
    let list: Value = serde_json::from_str(&text).unwrap();
    let items = list["items"].as_array().unwrap().clone();
    items.into_iter().map(|item| (item["metadata"]["name"].as_str().unwrap().to_owned(), item)).collect()
}

/// What changes when, and only when, somebody writes the object: controllers write a Deployment's status.
fn version(object: &Value) -> Value {
    let metadata = &object["metadata"];
    if object["kind"] == "Deployment" {
        metadata["generation"].clone()
    } else {
        metadata["resourceVersion"].clone()
    }
}

/// Whether an object is as declared again, with the foreign annotation left and nobody beside us on our fields.
fn assert_mended(case: &Case, object: &Value) {
    let name = case.name;
    for (pointer, wanted) in &case.mended {
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        assert_eq!(object.pointer(pointer), Some(&wanted), "{name}{pointer}: {object:#}");
    }
    let labels = &object["metadata"]["labels"];
    assert_eq!(labels["portolan.dev/application"], APPLICATION, "{name}: {labels}");
    assert!(
        labels["applyset.kubernetes.io/part-of"].as_str().is_some_and(|set| set.starts_with("applyset-")),
        "{name}"
    );
    if !case.replaced {
        assert_eq!(object["metadata"]["annotations"][FOREIGN], "stays", "{name}: a foreign annotation went");
    }
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let of = |manager: &str| entries.iter().filter(|entry| entry["manager"] == manager).count();
    assert_eq!(of("portolan"), 1, "{name}: {entries:#?}");
    // Who applied the value that we declare shares the field; whoever held another one has lost it.
    let shared = usize::from(case.only_while_down);
    assert_eq!(of(RIVAL), shared, "{name}: the rival still owns something of ours: {entries:#?}");
    assert_eq!(of("before-first-apply"), 0, "{name}: the server invented a manager: {entries:#?}");
}

/// Fields as they are told, in the order of the case's table.
fn told(fields: &[FieldDrift]) -> Vec<String> {
    fields
        .iter()
        .map(|field| {
            let by = field.manager.as_deref().unwrap_or("-");
            // The server dates no write through the scale subresource.
            assert!(
                by == "-" || by == "kubectl" || field.time.is_some(),
                "a manager without a time: {field:?}"
            );
            let declared = if field.declared.starts_with("applyset-") { "SET" } else { &field.declared };
            format!("{}: {declared} -> {} by {by}", field.path, field.live)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_drift_is_mended_at_once_and_nothing_else_is_touched() {
    let mut cases = cases();
    cases.retain(|case| !case.only_while_down);
    let mut daemon = on_the_table(&cases).await;
    let mut before = snapshot(&daemon).await;
    let mut wrong = Vec::new();
    for case in &cases {
        let moment = daemon.now();
        case.drift(&daemon).await;
        let fields = daemon.mended(moment, case.name).await;
        if told(&fields) != case.says {
            wrong.push((case.name, told(&fields)));
        }
        let drifted = daemon
            .event(moment, "the drift is not told", |event| match &event.what {
                What::Drifted { id, fields, mending } if id.name == case.name => {
                    Some((fields.clone(), *mending))
                }
                _ => None,
            })
            .await;
        assert!(drifted.1, "{}: told as not being mended", case.name);
        assert_eq!(drifted.0, fields, "{}: drift and mend tell different fields", case.name);

        let after = snapshot(&daemon).await;
        assert_mended(case, &after[case.name]);
        let is_new = after[case.name]["metadata"]["uid"] != before[case.name]["metadata"]["uid"];
        assert_eq!(is_new, case.replaced, "{}", case.name);
        for (name, object) in after.iter().filter(|(name, _)| *name != case.name) {
            assert_eq!(version(object), version(&before[name]), "{}: {name} was written", case.name);
        }
        let mended: Vec<String> = daemon
            .since(moment)
            .into_iter()
            .filter_map(|event| match event.what {
                What::Mended { id, .. } | What::Changed { id, .. } | What::ChangeFailed { id, .. } => {
                    Some(id.name)
                }
                _ => None,
            })
            .collect();
        assert_eq!(mended, [case.name], "one edit, one mend");
        before = after;
    }
    assert!(wrong.is_empty(), "told wrongly: {wrong:#?}");
    daemon.settled(APPLICATION, "").await;
    assert_no_secret(&daemon);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_drift_made_while_the_daemon_was_down_is_mended_at_the_start() {
    let cases = cases();
    let mut daemon = on_the_table(&cases).await;
    daemon.stop().await;
    for case in &cases {
        case.drift(&daemon).await;
    }
    let before = snapshot(&daemon).await;
    let moment = daemon.now();
    daemon.start().await;
    daemon.settled(APPLICATION, "").await;
    let after = snapshot(&daemon).await;
    let events = daemon.since(moment);
    let mut wrong = Vec::new();
    for case in &cases {
        assert_mended(case, &after[case.name]);
        let drifted = events.iter().find_map(|event| match &event.what {
            What::Drifted { id, fields, .. } if id.name == case.name => Some(told(fields)),
            _ => None,
        });
        let wanted: Vec<String> = case.says.iter().map(|line| (*line).to_owned()).collect();
        if drifted.as_ref() != Some(&wanted) {
            wrong.push((case.name, drifted));
        }
        let written: Vec<Action> = events
            .iter()
            .filter_map(|event| match &event.what {
                What::Changed { action, id, .. } if id.name == case.name => Some(*action),
                _ => None,
            })
            .collect();
        if written != [case.action_after_a_start] {
            wrong.push((case.name, Some(written.iter().map(ToString::to_string).collect())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for bystander in ["bystander", "kube-root-ca.crt"] {
        assert_eq!(version(&after[bystander]), version(&before[bystander]), "{bystander} was written");
    }
    assert_no_secret(&daemon);

    // What was mended is at rest: the next start finds nothing.
    daemon.stop().await;
    let moment = daemon.now();
    daemon.start().await;
    daemon.settled(APPLICATION, "").await;
    let rest = snapshot(&daemon).await;
    for (name, object) in &rest {
        assert_eq!(
            version(object),
            version(&after[name]),
            "{name} was written again; {:#?}",
            daemon.since(moment)
        );
    }
    daemon.stop().await;
}

/// No secret value in anything that was said.
fn assert_no_secret(daemon: &Daemon) {
    let said = format!("{:?}", daemon.since(0));
    for secret in ["hunter2", "aHVudGVyMg", "stolen", "c3RvbGVu"] {
        assert!(!said.contains(secret), "a secret was told");
    }
}

/// The data of a ConfigMap.
async fn data(daemon: &Daemon, name: &str) -> Value {
    daemon.object("configmap", name).await.unwrap()["data"].clone()
}

/// A server-side apply of somebody else; whether it was accepted.
async fn applies_as(daemon: &Daemon, manager: &str, forced: bool, manifest: &str) -> bool {
    let manager = format!("--field-manager={manager}");
    let mut arguments = vec!["-n", &daemon.namespace, "apply", "--server-side", &manager, "-f", "-"];
    if forced {
        arguments.push("--force-conflicts");
    }
    let manifest = manifest.replace("NAMESPACE", &daemon.namespace);
    kubectl_with(&daemon.control_plane, &arguments, &manifest).await.status.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_apply_beside_us_without_force_is_refused_or_shared_and_no_drift() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let moment = daemon.now();
    let manifest = |data: &str| config_map("one", data);
    assert!(
        !applies_as(&daemon, "theirs", false, &manifest("k: theirs")).await,
        "a conflict was not refused"
    );
    assert!(
        applies_as(&daemon, "theirs", false, &manifest("k: v, added: stays")).await,
        "an equal value is shared"
    );
    assert!(applies_as(&daemon, "theirs", true, &manifest("k: v, added: stays")).await);
    // An edit of what is theirs alone.
    assert!(applies_as(&daemon, "theirs", false, &manifest("k: v, added: again")).await);
    // The daemon has seen all that by the time it has mended something later.
    daemon.kubectl(&["patch", "configmap", "one", "--type=merge", "-p", r#"{"data": {"k": "x"}}"#]).await;
    daemon.mended(moment, "one").await;
    let drifts =
        daemon.since(moment).iter().filter(|event| matches!(event.what, What::Drifted { .. })).count();
    assert_eq!(drifts, 1);
    assert_eq!(data(&daemon, "one").await, json!({"k": "v", "added": "again"}));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tenth_mend_is_as_quick_as_the_first_and_the_fight_is_told_once_with_the_opponents_name() {
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    let begin = daemon.now();
    for round in 0..10 {
        let moment = daemon.now();
        let patch = format!(r#"{{"data": {{"k": "{round}"}}}}"#);
        daemon
            .kubectl(&["patch", "configmap", "one", "--type=merge", "--field-manager=stubborn", "-p", &patch])
            .await;
        let millis = daemon
            .event(moment, "not mended", |event| match &event.what {
                What::Mended { millis, .. } => Some(*millis),
                _ => None,
            })
            .await;
        // The bucket gives one mend back every 5 s: one that had to wait for it would take that long.
        assert!(millis < 4_000, "mend {round} took {millis} ms");
    }
    let fights: Vec<String> = daemon
        .since(begin)
        .into_iter()
        .filter_map(|event| match event.what {
            What::Fight { opponent, .. } => Some(opponent),
            _ => None,
        })
        .collect();
    assert_eq!(fights, ["stubborn"]);
    assert_eq!(data(&daemon, "one").await, json!({"k": "v"}));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_one_kind_in_several_versions_are_compared_each_in_its_own() {
    let scaler = |name: &str, version: &str, metrics: &str| {
        format!(
            "apiVersion: autoscaling/{version}\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\n\
             spec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: none}}, minReplicas: 1, maxReplicas: 3{metrics}}}\n"
        )
    };
    let cpu = ", metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]";
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "health: {ignore: [HorizontalPodAutoscaler.autoscaling]}")),
        ("portolan/b.yaml", &application("b", "health: {ignore: [HorizontalPodAutoscaler.autoscaling]}")),
        ("apps/a/old.yaml", &scaler("old", "v1", ", targetCPUUtilizationPercentage: 80")),
        ("apps/b/new.yaml", &scaler("new", "v2", cpu)),
        ("apps/b/other.yaml", &config_map("other", "k: v")),
    ])
    .await;
    daemon.settled("a", "").await;
    daemon.settled("b", "").await;
    for restart in [false, true] {
        if restart {
            daemon.stop().await;
        }
        let moment = daemon.now();
        if restart {
            daemon.start().await;
            daemon.settled("a", "").await;
            daemon.settled("b", "").await;
        }
        // What nobody declares is no drift, in whichever version it is seen.
        daemon
            .kubectl(&[
                "annotate",
                "--overwrite",
                "hpa",
                "old",
                "new",
                &format!("example.com/by=restart-{restart}"),
            ])
            .await;
        let patch = r#"{"data": {"k": "edited"}}"#;
        daemon.kubectl(&["patch", "configmap", "other", "--type=merge", "-p", patch]).await;
        daemon.mended(moment, "other").await;
        for (name, patch) in
            [("old", r#"{"spec": {"maxReplicas": 4}}"#), ("new", r#"{"spec": {"maxReplicas": 5}}"#)]
        {
            let edited = daemon.now();
            daemon.kubectl(&["patch", "hpa", name, "--type=merge", "-p", patch]).await;
            let fields = daemon.mended(edited, name).await;
            let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
            assert_eq!(paths, ["spec.maxReplicas"], "{name}");
        }
        let told = daemon
            .since(moment)
            .into_iter()
            .filter(|event| matches!(&event.what, What::Mended { id, .. } if id.kind != "ConfigMap"));
        assert_eq!(told.count(), 2);
    }
    daemon.stop().await;
}
