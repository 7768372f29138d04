//! The source's API server: a real v1.24.17, with an aggregated API whose backend is down.

use super::{NAME, SECRET, SECRET_BASE64, no_secret, store_folder};
use crate::support::control_plane::{kubectl_ok, kubectl_ok_with, options, places, runs, start};
use portolan::engine::inventory::{Reading, read_cluster, read_store};
use portolan::host::Folder;
use portolan::k8s::{self, ConnectOptions, Source};
use portolan::local::{ControlPlane, Options};
use portolan::migrate::dump::{Target, read, write};
use portolan::migrate::overview::overview;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What users of an old cluster have.
const OBJECTS: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: shop, annotations: {note: hunter2-of-the-dump}}
stringData: {password: hunter2-of-the-dump}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {kops.k8s.io/instancegroup: nodes}
      containers:
      - {name: web, image: "nginx:1", envFrom: [{secretRef: {name: db}}], resources: {requests: {cpu: 100m}}}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec:
  schedule: "0 1 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "busybox:1"}]}}}}
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: restricted}
spec: {seLinux: {rule: RunAsAny}, runAsUser: {rule: RunAsAny}, fsGroup: {rule: RunAsAny}, supplementalGroups: {rule: RunAsAny}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: orders.shop.example.com}
spec:
  group: shop.example.com
  names: {kind: Order, plural: orders}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.down.example.com}
spec:
  group: down.example.com
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: nobody, namespace: shop}
"#;

async fn source(folder: &tempfile::TempDir) -> ControlPlane {
    let old = start(&places(folder), Options { version: "v1.24.17".into(), nodes: 2, ..options() }).await;
    // As kops does.
    kubectl_ok(&old, &["label", "nodes", "--all", "kops.k8s.io/instancegroup=nodes"]).await;
    kubectl_ok_with(&old, &["apply", "-f", "-"], OBJECTS).await;
    kubectl_ok(
        &old,
        &["wait", "--for=condition=Established", "crd/orders.shop.example.com", "--timeout=60s"],
    )
    .await;
    let order = json!({"apiVersion": "shop.example.com/v1", "kind": "Order", "metadata": {"name": "one", "namespace": "shop"}, "spec": {"n": 1}});
    kubectl_ok_with(&old, &["apply", "-f", "-"], &order.to_string()).await;
    kubectl_ok(&old, &["rollout", "status", "-n", "shop", "deployment/web", "--timeout=60s"]).await;
    old
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_is_read_in_the_version_that_the_target_serves() {
    if !runs("1.24") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let old = source(&folder).await;
    let from = Source::KubeconfigFile { path: old.kubeconfig().into(), context: None };
    let server = k8s::connect(&from, ConnectOptions::default()).await.unwrap();
    let silent = |_: &str| {};
    let mut reading = Reading::new([1; 32]);
    let store = folder.path().join("store");
    store_folder(&store);
    read_store(&Folder::new(&store), Some(NAME), &mut reading, &silent).await.unwrap();
    read_cluster(&server, &Target::Minor(34), &mut reading, &silent).await.unwrap();
    reading.inventory.settle();
    let inventory = &reading.inventory;

    let found = |id: &str| {
        let mut all = inventory.objects.iter().filter(|object| object.id().to_string() == id);
        let one = all.next().unwrap_or_else(|| panic!("{id} was not read"));
        assert!(all.next().is_none(), "{id} was read twice");
        one.gvk().version
    };
    for (id, version) in [
        ("CronJob.batch shop/nightly", "v1"),
        ("PodDisruptionBudget.policy shop/web", "v1"),
        ("PodSecurityPolicy.policy restricted", "v1beta1"),
        ("Order.shop.example.com shop/one", "v1"),
        ("Deployment.apps shop/web", "v1"),
        ("Namespace shop", "v1"),
    ] {
        assert_eq!(found(id), version, "{id}");
    }
    assert!(inventory.of_kind("", "Event").next().is_none());
    let why = inventory.unread.iter().find(|unread| unread.what.contains("down.example.com"));
    assert!(why.is_some_and(|unread| unread.why.contains("backend is down")), "{:?}", inventory.unread);
    assert_eq!(inventory.api.as_ref().unwrap().minor(), Some(24));

    let content = write(inventory, "portolan 1", "now");
    no_secret(&content);
    let secrets = String::from_utf8(content["source/objects/Secret.jsonl"].clone()).unwrap();
    assert!(secrets.contains("hmac-sha256:") && secrets.contains("\"name\":\"db\""), "{secrets}");
    let (_, back) = read(&content).unwrap();
    assert_eq!(back, *inventory);

    let overview = overview(&back, None, &BTreeMap::new()).unwrap();
    let says = |id: &str| {
        let of = overview.assessment.verdicts.iter().filter(|one| one.subject == id);
        of.map(|one| format!("{} {}", one.level, one.says)).collect::<Vec<_>>().join("\n")
    };
    assert!(
        says("PodSecurityPolicy.policy restricted").contains("labels of Pod Security Admission"),
        "{}",
        says("PodSecurityPolicy.policy restricted")
    );
    assert!(
        says("Deployment.apps shop/web").contains("carried over"),
        "{}",
        says("Deployment.apps shop/web")
    );
    // Nothing is left out without a word.
    let told: std::collections::BTreeSet<&str> =
        overview.assessment.verdicts.iter().map(|one| one.subject.as_str()).collect();
    for object in &back.objects {
        let id = object.id().to_string();
        assert!(told.contains(id.as_str()), "nothing is said of {id}");
    }
    assert_eq!(overview.waves.iter().map(|wave| wave.name.as_str()).collect::<Vec<_>>(), ["shop"]);
    old.stop().await.unwrap();
}

fn portolan(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_portolan")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_the_program_is_assessed_without_the_cluster() {
    if !runs("1.24") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let old = source(&folder).await;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (store, out) = (path("store"), path("out"));
    store_folder(Path::new(&store));
    let kubeconfig = old.kubeconfig().display().to_string();
    let (code, said, errors) = portolan(&[
        "migrate",
        "dump",
        &out,
        "--state",
        &store,
        "--name",
        NAME,
        "--kubeconfig",
        &kubeconfig,
        "--target-version",
        "1.34",
    ]);
    assert_eq!(code, 0, "{said}{errors}");
    assert!(
        said.contains("API server v1.24.17") && said.contains("not read: group down.example.com"),
        "{said}"
    );
    assert!(said.contains("not read: AWS"), "{said}");
    old.stop().await.unwrap();

    let (code, said, errors) = portolan(&["migrate", "dump", &out, "--state", &store]);
    assert!(code == 2 && errors.contains("has a dump in it"), "{said}{errors}");

    let (code, said, errors) = portolan(&["migrate", "assess", "--dump", &out, "--output", "json"]);
    assert!(code < 2, "{said}{errors}");
    assert!(!said.contains(SECRET) && !said.contains(SECRET_BASE64));
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code == 1, report["blocked"].as_bool().unwrap());
    assert_eq!(report["cluster"], NAME);
    assert!(report["numbers"]["classes"]["port"].as_u64().unwrap() >= 6, "{}", report["numbers"]);

    let (code, said, errors) = portolan(&["migrate", "diff", "--dump", &out, "shop/Deployment/web"]);
    assert_eq!(code, 0, "{said}{errors}");
    for words in [
        "kops.migrated.portolan.dev/instancegroup: nodes",
        "--- source",
        "+++ target",
        "class port",
        "nobody declares it",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let (code, said, errors) = portolan(&["migrate", "diff", "--dump", &out, "shop/Secret/db", "--whole"]);
    assert!(code == 0 && said.contains("(sensitive)") && !said.contains("hmac"), "{said}{errors}");
    let (code, _, errors) = portolan(&["migrate", "diff", "--dump", &out, "shop/Deployment/wob"]);
    assert!(code == 2 && errors.contains("there is shop/Deployment/web"), "{errors}");
}
