//! Helm charts, rendered by the real Helm: what goes in, what comes out, what is refused, what the key covers.

use crate::support::memory_repository::MemoryRepository;
use crate::support::rendering::{Bench, body, helm_request, ids, request};
use portolan::model::{IgnoreRule, Object, Refused, ResourceId};
use portolan::ports::renderer::RenderedObject;
use portolan::render::nondeterminism;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.0.0\n";

/// A chart that shows what it was given.
const FILES: [(&str, &str); 8] = [
    ("charts/web/Chart.yaml", CHART),
    ("charts/web/values.yaml", "a: chart\nb: chart\nc: chart\nreplicas: 1\n"),
    ("charts/web/values-prod.yaml", "b: file\nc: file\n"),
    (
        "charts/web/templates/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-settings\ndata:\n  release: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n\
        \x20 version: {{ .Capabilities.KubeVersion.Version }}\n  values: {{ .Values.a }} {{ .Values.b }} {{ .Values.c }} {{ .Values.d | default \"none\" }}\n\
        \x20 served: {{ .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1/ServiceMonitor\" | quote }}\n",
    ),
    (
        "charts/web/templates/more.yaml",
        "# first\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: two\n  labels: {a: {{ .Values.label | default \"x\" }}}\n",
    ),
    (
        "charts/web/templates/hooks.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-weight: '3'}\n",
    ),
    (
        "charts/web/templates/tests/smoke.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: smoke\n  annotations: {helm.sh/hook: test}\n",
    ),
    (
        "charts/web/crds/things.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.x.dev}\n",
    ),
];

fn repository(more: &[(&str, &str)]) -> Arc<MemoryRepository> {
    Arc::new(MemoryRepository::new(FILES.into_iter().chain(more.iter().copied())))
}

/// A chart of one template.
fn chart(template: &str) -> Arc<MemoryRepository> {
    Arc::new(MemoryRepository::new([("app/Chart.yaml", CHART), ("app/templates/all.yaml", template)]))
}

#[tokio::test]
async fn a_chart_is_rendered_with_its_crds_and_hooks_and_without_its_tests() {
    let rendered =
        Bench::with_programs().await.render(&request(&repository(&[]), "charts/web")).await.unwrap();
    assert_eq!((rendered.problems.as_slice(), rendered.warnings.as_slice()), (&[][..], &[][..]));
    let mut found = ids(&rendered);
    found.sort();
    assert_eq!(
        found,
        [
            "ConfigMap one",
            "ConfigMap shop-settings",
            "ConfigMap two",
            "CustomResourceDefinition.apiextensions.k8s.io things.x.dev",
            "Job.batch migrate"
        ]
    );
    let data = &body(&rendered, "shop-settings")["data"];
    assert_eq!(
        *data,
        json!({"release": "shop", "namespace": "shop-namespace", "version": "v1.36.3", "values": "chart chart chart none", "served": "false"})
    );
    let origin =
        |name: &str| &rendered.objects.iter().find(|entry| entry.object.name() == name).unwrap().origin;
    assert_eq!(origin("things.x.dev"), "charts/web/crds/things.yaml (rendered):1");
    assert_eq!(origin("one"), "charts/web/templates/more.yaml (rendered):2");
    assert!(rendered.tools["helm"].starts_with("v3."), "{:?}", rendered.tools);
}

#[tokio::test]
async fn values_have_their_order_and_may_come_from_other_folders() {
    let repository = repository(&[("common/values.yaml", "c: common\n"), ("root.yaml", "d: root\n")]);
    let settings = json!({"releaseName": "named", "valueFiles": ["values-prod.yaml", "../../common/values.yaml", "/root.yaml"], "values": {"b": "inline"}});
    let mut request = helm_request(&repository, "charts/web", settings);
    request.kube_version = "v1.31.2-eks-1a2b3c".into();
    request.api_versions = ["monitoring.coreos.com/v1/ServiceMonitor".to_owned()].into();
    let rendered = Bench::with_programs().await.render(&request).await.unwrap();
    let data = &body(&rendered, "named-settings")["data"];
    assert_eq!(
        (&data["values"], &data["version"], &data["served"]),
        (&json!("chart inline common root"), &json!("v1.31.2"), &json!("true"))
    );
}

#[tokio::test]
async fn a_value_file_at_the_root_is_read_alone() {
    // Beside it lies the whole repository, whose other files may be many, or of a kind that is refused.
    let mut repository = MemoryRepository::new(FILES);
    repository.commit([("root.yaml", "d: root\n"), ("elsewhere/deep/root.yaml", "d: another\n")]);
    repository.refused.push(Refused { path: "elsewhere/huge.yaml".into(), reason: "is too large".into() });
    repository.refused.push(Refused { path: "refused.yaml".into(), reason: "is too large".into() });
    let repository = Arc::new(repository);
    let bench = Bench::with_programs().await;
    let with = |file: &str| helm_request(&repository, "charts/web", json!({"valueFiles": [file]}));
    let rendered = bench.render(&with("/root.yaml")).await.unwrap();
    assert_eq!(
        rendered.objects.len(),
        bench.render(&request(&repository, "charts/web")).await.unwrap().objects.len()
    );
    assert!(repository.files_read.lock().unwrap().iter().any(|path| path == "root.yaml"));
    assert!(
        !repository.folders_read.lock().unwrap().iter().any(String::is_empty),
        "the root was read as a whole"
    );
    let refused = bench.render(&with("/refused.yaml")).await.unwrap_err();
    assert!(refused.message.contains("`/refused.yaml`: is too large"), "{refused}");
}

#[tokio::test]
async fn text_of_a_template_that_kubectl_drops_is_warned_of() {
    let template = "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"one\"}}\n\
        kind: Secret\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n";
    let rendered = Bench::with_programs().await.render(&request(&chart(template), "app")).await.unwrap();
    assert_eq!(rendered.objects.len(), 2);
    let [warning] = rendered.warnings.as_slice() else { panic!("{:?}", rendered.warnings) };
    assert!(
        warning.message.contains("kubectl drops") && warning.origin.contains("templates/all.yaml"),
        "{warning}"
    );
}

#[tokio::test]
async fn hundreds_of_api_versions_fit() {
    let mut request = request(&repository(&[]), "charts/web");
    let many =
        (0..4_000).map(|index| format!("group-{index}.example.invalid/v1alpha1/SomeRatherLongKind{index}"));
    request.api_versions = many.chain(["monitoring.coreos.com/v1/ServiceMonitor".to_owned()]).collect();
    let rendered = Bench::with_programs().await.render(&request).await.unwrap();
    assert_eq!(body(&rendered, "shop-settings")["data"]["served"], "true");
}

#[tokio::test]
async fn the_key_covers_what_a_template_can_see() {
    let bench = Bench::with_programs().await;
    let repository = repository(&[("common/values.yaml", "c: common\n"), ("unrelated.txt", "x")]);
    let settings = || json!({"valueFiles": ["../../common/values.yaml"]});
    let first = helm_request(&repository, "charts/web", settings());
    let key = bench.key(&first).await;
    repository.commit([("unrelated.txt", "y"), ("common/other.yaml", "z")]);
    assert_eq!(bench.key(&helm_request(&repository, "charts/web", settings())).await, key);
    for (path, text) in [("common/values.yaml", "c: changed\n"), ("charts/web/values.yaml", "a: changed\n")] {
        repository.commit([(path, text)]);
        let changed = helm_request(&repository, "charts/web", settings());
        assert_ne!(bench.key(&changed).await, key, "{path}");
        repository.commit([("common/values.yaml", "c: common\n"), ("charts/web/values.yaml", FILES[1].1)]);
    }
    let changes: [fn(&mut portolan::ports::RenderRequest); 7] = [
        |request| request.application = "other".into(),
        |request| request.namespace = "other".into(),
        |request| request.kube_version = "v1.24.17".into(),
        |request| request.api_versions = ["v1".to_owned()].into(),
        |request| request.source.helm.as_mut().unwrap().values = json!({"a": 1}).as_object().cloned(),
        |request| request.source.helm.as_mut().unwrap().pinned = vec!["Secret/a:/data/b".into()],
        |request| {
            request.ignored =
                vec![IgnoreRule { kind: "*".into(), paths: vec!["/data".into()], ..IgnoreRule::default() }]
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = first.clone();
        change(&mut changed);
        assert_ne!(bench.key(&changed).await, key, "change {index}");
    }
    assert_eq!(bench.runs(), 1, "only the version was asked");
}

const RANDOM: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData:\n  user: root\n  password: {{ randAlphaNum 20 }}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: db}\nspec:\n  template:\n    metadata: {annotations: {checksum/secret: {{ randAlphaNum 8 | quote }}}}\n";

#[tokio::test]
async fn a_chart_that_renders_differently_is_refused_with_the_fields_named() {
    let bench = Bench::with_programs().await;
    let repository = chart(RANDOM);
    let error = bench.render(&request(&repository, "app")).await.unwrap_err();
    assert_eq!(error.origin, "app");
    let words = "`spec.source.helm.pinned: [\"Secret/db:/data/password\", \
                 \"Deployment.apps/db:/spec/template/metadata/annotations/checksum~1secret\"]`";
    assert!(error.message.contains(words), "{error}");
    assert!(!error.message.contains("root"), "{error}");

    // The names are pinned or ignored: then it renders, and the pinned ones are sent at creation only.
    let pinned = json!({"pinned": ["Secret/d*:/data/password"]});
    let mut request = helm_request(&repository, "app", pinned);
    let error = bench.render(&request).await.unwrap_err();
    assert!(!error.message.contains("Secret") && error.message.contains("Deployment"), "{error}");
    let paths = vec!["/spec/template/metadata/annotations/checksum~1secret".into()];
    request.ignored = vec![IgnoreRule {
        kind: "Deployment".into(),
        group: Some("apps".into()),
        paths,
        ..IgnoreRule::default()
    }];
    let runs = bench.runs();
    let rendered = bench.render(&request).await.unwrap();
    assert_eq!(bench.runs() - runs, 2);
    let create_only: Vec<&[String]> =
        rendered.objects.iter().map(|entry| entry.create_only.as_slice()).collect();
    assert_eq!(create_only, [&["/data/password".to_owned()][..], &[][..]]);

    // Proven for this key, it is rendered once.
    let again = bench.render(&request).await.unwrap();
    assert_eq!(bench.runs() - runs, 3);
    assert_eq!(again.objects[0].create_only, ["/data/password"], "where the plan puts stringData");
}

#[tokio::test]
async fn random_names_and_the_time_are_found_as_well() {
    let bench = Bench::with_programs().await;
    let named = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'a-{{ uuidv4 }}'}\n";
    let error = bench.render(&request(&chart(named), "app")).await.unwrap_err();
    assert!(error.message.contains("(its name)"), "{error}");
    let timed =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {at: {{ now | unixEpoch | quote }}}\n";
    let error = bench.render(&request(&chart(timed), "app")).await.unwrap_err();
    assert!(error.message.contains("ConfigMap/a:/data/at"), "{error}");
    let error = bench
        .render(&helm_request(&chart(timed), "app", json!({"pinned": ["Secret db"]})))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Kind.group/name:/json/pointer"), "{error}");
}

#[test]
fn differences_are_pointed_at() {
    let entry = |kind: &str, name: &str, spec: Value| RenderedObject {
        object: Object::new(
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}),
        )
        .unwrap(),
        origin: String::new(),
        create_only: Vec::new(),
    };
    let first = [
        entry("A", "same", json!({"x": 1})),
        entry("A", "map", json!({"a/b": 1, "gone": 2, "deep": {"list": [1, {"k": "x"}]}})),
        entry("A", "list", json!([1, 2])),
        entry("A", "first-only", json!(null)),
    ];
    let second = [
        entry("A", "list", json!([1, 2, 3])),
        entry("A", "map", json!({"a/b": 2, "new": 2, "deep": {"list": [1, {"k": "y"}]}})),
        entry("A", "same", json!({"x": 1})),
        entry("A", "second-only", json!(null)),
    ];
    let id = |name: &str| ResourceId::new("", "A", "", name);
    let expected = [
        ("map", "/spec/a~1b"),
        ("map", "/spec/deep/list/1/k"),
        ("map", "/spec/gone"),
        ("map", "/spec/new"),
        ("list", "/spec"),
        ("first-only", ""),
        ("second-only", ""),
    ];
    let expected: Vec<(ResourceId, String)> =
        expected.iter().map(|(name, pointer)| (id(name), (*pointer).to_owned())).collect();
    assert_eq!(nondeterminism(&first, &second), expected);
}

#[tokio::test]
async fn dependencies_are_taken_from_the_repository_only() {
    let parent = "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- {name: redis, version: 1.x.x, repository: 'https://charts.example.invalid'}\n";
    let child = [
        ("app/charts/redis/Chart.yaml", "apiVersion: v2\nname: redis\nversion: 1.2.3\n"),
        (
            "app/charts/redis/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-redis}\n",
        ),
    ];
    let bench = Bench::with_programs().await;
    bench.renderer.versions().await.unwrap();
    let runs = bench.runs();
    let missing = Arc::new(MemoryRepository::new([
        ("app/Chart.yaml", parent),
        ("app/charts/redis-cluster-9.0.0.tgz", "not this one"),
    ]));
    let error = bench.render(&request(&missing, "app")).await.unwrap_err();
    assert!(error.to_string().starts_with("app/Chart.yaml: it depends on charts that are not in its folder: redis (from https://charts.example.invalid)"), "{error}");
    assert_eq!(bench.runs(), runs, "no program was run");

    let vendored = Arc::new(MemoryRepository::new([("app/Chart.yaml", parent)].into_iter().chain(child)));
    let rendered = bench.render(&request(&vendored, "app")).await.unwrap();
    assert_eq!((ids(&rendered), rendered.warnings.len()), (vec!["ConfigMap from-redis".to_owned()], 0));
    assert_eq!(rendered.objects[0].origin, "app/charts/redis/templates/a.yaml (rendered):1");

    vendored.commit([(
        "app/Chart.lock",
        "dependencies:\n- {name: redis, version: 1.0.0, repository: 'https://charts.example.invalid'}\n",
    )]);
    let rendered = bench.render(&request(&vendored, "app")).await.unwrap();
    assert!(
        rendered.warnings[0].to_string().contains("app/Chart.lock: it names redis 1.0.0"),
        "{:?}",
        rendered.warnings
    );

    // The older way to say the same.
    let old = Arc::new(MemoryRepository::new([
        ("app/Chart.yaml", "apiVersion: v1\nname: parent\nversion: 1.0.0\n"),
        ("app/requirements.yaml", "dependencies:\n- {name: redis, version: 1.x.x, repository: '@stable'}\n"),
    ]));
    let error = bench.render(&request(&old, "app")).await.unwrap_err();
    assert!(error.message.contains("redis (from @stable)"), "{error}");
}

#[tokio::test]
async fn an_archived_dependency_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("redis");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: redis\nversion: 1.2.3\n").unwrap();
    std::fs::write(
        chart.join("templates/a.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-archive}\n",
    )
    .unwrap();
    let packed = std::process::Command::new("tar")
        .args(["czf", "redis.tgz", "redis"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    assert!(packed.success());
    let archive = std::fs::read(folder.path().join("redis.tgz")).unwrap();
    let parent = "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- {name: redis, version: 1.x.x, repository: 'https://charts.example.invalid'}\n";
    let repository = MemoryRepository::new([("app/Chart.yaml", parent)]);
    repository.commit_bytes([("app/charts/redis-1.2.3.tgz", archive.as_slice())]);
    let rendered = Bench::with_programs().await.render(&request(&Arc::new(repository), "app")).await.unwrap();
    assert_eq!(ids(&rendered), ["ConfigMap from-archive"]);
}

#[tokio::test]
async fn a_dependency_in_another_folder_is_copied_in() {
    let files = [
        (
            "app/Chart.yaml",
            "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {name: common, version: 1.x.x, repository: 'file://../lib/common'}\n",
        ),
        (
            "lib/common/Chart.yaml",
            "apiVersion: v2\nname: common\nversion: 1.0.0\ndependencies:\n- {name: deeper, version: 1.x.x, repository: 'file://../deeper'}\n",
        ),
        ("lib/common/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: common}\n"),
        ("lib/deeper/Chart.yaml", "apiVersion: v2\nname: deeper\nversion: 1.0.0\n"),
        ("lib/deeper/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deeper}\n"),
    ];
    let repository = Arc::new(MemoryRepository::new(files));
    let bench = Bench::with_programs().await;
    let rendered = bench.render(&request(&repository, "app")).await.unwrap();
    let mut found = ids(&rendered);
    found.sort();
    assert_eq!(found, ["ConfigMap common", "ConfigMap deeper"]);
    let key = bench.key(&request(&repository, "app")).await;
    repository.commit([(
        "lib/deeper/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: changed}\n",
    )]);
    assert_ne!(bench.key(&request(&repository, "app")).await, key);
    repository.commit([("lib/deeper/Chart.yaml", "apiVersion: v2\nname: deeper\nversion: 1.0.0\ndependencies: [{name: common, version: 1.x.x, repository: 'file://../common'}]\n")]);
    let error = bench.render(&request(&repository, "app")).await.unwrap_err();
    assert!(error.message.contains("in a circle"), "{error}");
    // Two that each name the next one twice are 2^14 copies without going round in a circle.
    let twice = |number: u32| {
        let dependency = |name: &str| {
            format!("{{name: {name}{number}, version: 1.x.x, repository: 'file://../c{}'}}", number + 1)
        };
        let chart = format!(
            "apiVersion: v2\nname: c{number}\nversion: 1.0.0\ndependencies: [{}, {}]\n",
            dependency("a"),
            dependency("b")
        );
        (format!("lib/c{number}/Chart.yaml"), chart)
    };
    let charts: Vec<(String, String)> = (0..14).map(twice).collect();
    let charts = charts.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    repository.commit(charts.chain([("lib/c14/Chart.yaml", "apiVersion: v2\nname: c14\nversion: 1.0.0\n")]));
    let error = bench.render(&request(&repository, "lib/c0")).await.unwrap_err();
    assert!(error.message.contains("more than 500 copies"), "{error}");
    repository.commit([("lib/common/Chart.yaml", ""), ("lib/common/templates/a.yaml", "")]);
    let error = bench.render(&request(&repository, "app")).await.unwrap_err();
    assert!(error.message.contains("no folder of the repository"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_a_chart_is_told_without_its_secrets() {
    let bench = Bench::with_programs().await;
    let secret = "db:\n  password: swordfish\n";
    let cases = [
        (json!({"releaseName": "Not A Name"}), "spec.source.helm.releaseName"),
        (json!({"valueFiles": ["missing.yaml"]}), "there is no app/missing.yaml"),
        (json!({"valueFiles": ["../../x.yaml"]}), "leads out of the repository"),
        (json!({"valueFiles": ["https://example.invalid/v.yaml"]}), "on another server"),
        (json!({"values": {"fail": true}}), "(sensitive) is too short"),
        (json!({"values": {"broken": true}}), "helm template failed"),
    ];
    let template = "{{ if .Values.fail }}{{ fail (printf \"%s is too short\" .Values.db.password) }}{{ end }}\n{{ if .Values.broken }}{{ .Values.none.such }}{{ end }}\n";
    let repository = Arc::new(MemoryRepository::new([
        ("app/Chart.yaml", CHART),
        ("app/values.yaml", secret),
        ("app/templates/a.yaml", template),
    ]));
    for (settings, words) in cases {
        let error = bench.render(&helm_request(&repository, "app", settings)).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(
            !error.contains("swordfish") && !error.contains(bench.work_dir.path().to_str().unwrap()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn one_unreadable_document_leaves_the_others() {
    // Helm itself is content with a key that stands twice; kubectl would take the last.
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: bad\n  labels: {a: b}\n  labels: {c: d}\n";
    let rendered = Bench::with_programs().await.render(&request(&chart(template), "app")).await.unwrap();
    assert_eq!(ids(&rendered), ["ConfigMap good"]);
    assert!(
        rendered.problems[0].origin.starts_with("app/templates/all.yaml (rendered):6"),
        "{:?}",
        rendered.problems
    );
}

#[tokio::test]
async fn a_chart_reaches_no_network() {
    let schema = r#"{"$ref": "https://example.invalid/schema.json"}"#;
    let repository = Arc::new(MemoryRepository::new([
        ("app/Chart.yaml", CHART),
        ("app/values.schema.json", schema),
        ("app/values.yaml", "a: 1\n"),
    ]));
    let started = Instant::now();
    let error = Bench::with_programs().await.render(&request(&repository, "app")).await.unwrap_err();
    assert!(error.message.contains("127.0.0.1:9"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}
