//! Objects that are there already, and changes that the server does not make in place.

use super::policies::{at, deployment};
use crate::support::daemon::{Daemon, application, config_map};
use portolan::model::event::What;
use portolan::model::plan::Action;
use serde_json::{Value, json};

/// Which actions were carried out on an object, in order.
fn actions(daemon: &Daemon, moment: usize, name: &str) -> Vec<Action> {
    daemon
        .since(moment)
        .into_iter()
        .filter_map(|event| match event.what {
            What::Changed { action, id, .. } if id.name == name => Some(action),
            _ => None,
        })
        .collect()
}

/// Who owns fields of an object, by `managedFields`.
fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    entries
        .iter()
        .map(|entry| {
            format!("{} {}", entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap())
        })
        .collect()
}

/// Waits until an application has a problem with an object, and gives its words.
async fn problem(daemon: &Daemon, application: &str, name: &str) -> String {
    let of = |problems: &std::collections::BTreeMap<String, String>| {
        problems.iter().find(|(place, _)| place.ends_with(name)).map(|(_, words)| words.clone())
    };
    let record = daemon.until(application, "in trouble", |record| of(&record.problems).is_some()).await;
    of(&record.problems).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_applied_is_taken_over_with_all_its_fields() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v, changed: git")),
        ("apps/a/web.yaml", &deployment("web", 1, "web:1")),
    ])
    .await;
    daemon.kubectl_with(&["apply", "-f", "-"], &config_map("one", "k: v, changed: live, dropped: x")).await;
    daemon.kubectl_with(&["apply", "-f", "-"], &deployment("web", 3, "web:0")).await;
    daemon
        .kubectl(&[
            "patch",
            "configmap",
            "one",
            "--type=merge",
            "--field-manager=operator",
            "-p",
            r#"{"data": {"theirs": "stays"}}"#,
        ])
        .await;
    let uid = at(&daemon, "deployment", "web", "/metadata/uid").await;
    daemon.start().await;
    daemon.settled("a", "").await;
    assert_eq!(actions(&daemon, 0, "one"), [Action::Adopt]);
    assert_eq!(actions(&daemon, 0, "web"), [Action::Adopt]);
    let one = daemon.object("configmap", "one").await.unwrap();
    // `dropped` was kubectl's and is in no file any more; `theirs` was never kubectl's.
    assert_eq!(one["data"], json!({"k": "v", "changed": "git", "theirs": "stays"}));
    assert_eq!(one["metadata"]["annotations"], Value::Null, "the last-applied configuration is still there");
    assert_eq!(managers(&one), ["portolan Apply", "operator Update"]);
    let web = daemon.object("deployment", "web").await.unwrap();
    assert_eq!(web["spec"]["replicas"], 1);
    assert_eq!(web["metadata"]["uid"], uid);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_owns_an_object_keeps_it_as_the_policy_says_and_is_named() {
    let marked = |name: &str, marks: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{marks}}}\ndata: {{k: live}}\n")
    };
    let helm = ", annotations: {meta.helm.sh/release-name: shop, meta.helm.sh/release-namespace: x}, labels: {app.kubernetes.io/managed-by: Helm}";
    let set = ", labels: {applyset.kubernetes.io/part-of: applyset-somebody-elses-v1}";
    let controlled =
        ", ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: boss, uid: UID, controller: true}]";
    let argo = ", annotations: {argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:x/argo'}";
    // Policy, the name of the object, its marks, and the words of the refusal; none when it is taken.
    let cases: [(&str, &str, &str, &[&str]); 9] = [
        ("Never", "plain-never", "", &["exists already", "sync.adopt"]),
        ("IfUnowned", "plain-unowned", "", &[]),
        ("Never", "helm-never", helm, &["the Helm release", "shop"]),
        ("IfUnowned", "helm-unowned", helm, &["the Helm release", "shop", "sync.adopt: Always"]),
        ("Always", "helm-always", helm, &[]),
        ("IfUnowned", "argo-unowned", argo, &["Argo CD", "shop:/ConfigMap"]),
        ("IfUnowned", "controlled", controlled, &["its controller, ConfigMap boss"]),
        ("IfUnowned", "set-unowned", set, &["another ApplySet, applyset-somebody-elses-v1"]),
        ("Always", "set-always", set, &["another ApplySet, applyset-somebody-elses-v1"]),
    ];
    let mut daemon = Daemon::new(&[]).await;
    daemon.kubectl(&["create", "configmap", "boss"]).await;
    let boss = at(&daemon, "configmap", "boss", "/metadata/uid").await.as_str().unwrap().to_owned();
    let mut files = Vec::new();
    let mut live = String::new();
    for (policy, name, marks, _) in &cases {
        live.push_str(&format!("---\n{}", marked(name, &marks.replace("UID", &boss))));
        files.push((
            format!("portolan/{name}.yaml"),
            application(name, &format!("sync: {{adopt: {policy}}}")),
        ));
        files.push((format!("apps/{name}/object.yaml"), config_map(name, "k: git")));
    }
    daemon.kubectl_with(&["create", "-f", "-"], &live).await;
    let borrowed: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    daemon.commit(&borrowed);
    daemon.start().await;
    for (policy, name, _, refusal) in &cases {
        if refusal.is_empty() {
            daemon.settled(name, "").await;
            assert_eq!(at(&daemon, "configmap", name, "/data/k").await, "git", "{name} under {policy}");
            assert_eq!(actions(&daemon, 0, name), [Action::Adopt], "{name} under {policy}");
        } else {
            let words = problem(&daemon, name, name).await;
            for part in *refusal {
                assert!(words.contains(part), "{name} under {policy}: {words}");
            }
            let object = daemon.object("configmap", name).await.unwrap();
            assert_eq!(object["data"]["k"], "live", "{name} under {policy}");
            assert!(
                !managers(&object).iter().any(|manager| manager.starts_with("portolan")),
                "{name} was written"
            );
        }
    }
    daemon.stop().await;
}

fn service(cluster_ip: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: svc}}\nspec: {{{cluster_ip}ports: [{{port: 80}}], selector: {{app: web}}}}\n"
    )
}

fn job(image: &str) -> String {
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: job}}
spec: {{suspend: true, template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: \"{image}\"}}]}}}}}}
"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_field_is_named_with_the_way_out_and_only_named_kinds_are_replaced() {
    let selector = |app: &str| deployment("web", 1, "web:1").replace("app: web", &format!("app: {app}"));
    let frozen = |value: &str| format!("{}immutable: true\n", config_map("fixed", value));
    let mut daemon = Daemon::started(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/web.yaml", &selector("web")),
        ("apps/a/svc.yaml", &service("")),
        ("apps/a/job.yaml", &job("job:1")),
        ("apps/a/fixed.yaml", &frozen("k: v")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
    ])
    .await;
    super::policies::synced(&daemon, "a", "").await;
    let objects = [("deployment", "web"), ("service", "svc"), ("job", "job"), ("configmap", "fixed")];
    let mut uids = Vec::new();
    for (kind, name) in objects {
        uids.push(at(&daemon, kind, name, "/metadata/uid").await);
    }
    daemon.commit(&[
        ("apps/a/web.yaml", &selector("shop")),
        ("apps/a/svc.yaml", &service("clusterIP: None, ")),
        ("apps/a/job.yaml", &job("job:2")),
        ("apps/a/fixed.yaml", &frozen("k: w")),
        ("apps/a/one.yaml", &config_map("one", "k: w")),
    ]);
    for ((name, field), kind) in
        [("web", "spec.selector"), ("svc", "spec.clusterIPs"), ("job", "spec.template"), ("fixed", "data")]
            .into_iter()
            .zip(["Deployment.apps", "Service", "Job.batch", "ConfigMap"])
    {
        let words = problem(&daemon, "a", name).await;
        let way_out = format!("name {kind} in `sync.replace`");
        assert!(words.contains(field) && words.contains(&way_out), "{name}: {words}");
    }
    // The rest of the commit is applied, and nothing was replaced.
    daemon
        .object_until("configmap", "one", "changed", |one| one.is_some_and(|one| one["data"]["k"] == "w"))
        .await;
    for ((kind, name), uid) in objects.into_iter().zip(&uids) {
        assert_eq!(at(&daemon, kind, name, "/metadata/uid").await, *uid, "{name} was replaced");
    }

    let moment = daemon.now();
    let replace = "sync: {replace: [Deployment.apps, Service, Job.batch, ConfigMap]}";
    let commit = daemon.commit(&[("portolan/a.yaml", &application("a", replace))]);
    super::policies::synced(&daemon, "a", &commit).await;
    for ((kind, name), uid) in objects.into_iter().zip(&uids) {
        assert_ne!(at(&daemon, kind, name, "/metadata/uid").await, *uid, "{name} was not replaced");
        assert_eq!(actions(&daemon, moment, name), [Action::Replace], "{name}");
    }
    assert_eq!(at(&daemon, "service", "svc", "/spec/clusterIP").await, "None");
    assert_eq!(at(&daemon, "deployment", "web", "/spec/selector/matchLabels/app").await, "shop");
    daemon.stop().await;
}
