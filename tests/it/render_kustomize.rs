//! Kustomizations, built by the real kustomize: what is built, what is refused before it runs, what the key covers.

use crate::support::memory_repository::MemoryRepository;
use crate::support::rendering::{Bench, body, ids, programs, request};
use portolan::model::Refused;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - {name: web, image: 'example.invalid/web:1'}\n";

/// A base, an overlay beside it, a component, and a folder that none of them reads.
const SHOP: [(&str, &str); 9] = [
    ("shop/base/kustomization.yaml", "resources: [web.yaml, more]\n"),
    ("shop/base/web.yaml", DEPLOYMENT),
    ("shop/base/more/kustomization.yml", "resources: [settings.yaml]\n"),
    (
        "shop/base/more/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n",
    ),
    (
        "shop/labels/Kustomization",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nlabels:\n- pairs: {team: shop}\n",
    ),
    (
        "shop/overlays/prod/kustomization.yaml",
        "namespace: prod\nresources: [../../base]\ncomponents: [../../labels]\npatches:\n- path: replicas.yaml\n\
         configMapGenerator:\n- name: generated\n  files: [app.conf, renamed=app.conf]\n  literals: [flag=yes]\n",
    ),
    (
        "shop/overlays/prod/replicas.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n",
    ),
    ("shop/overlays/prod/app.conf", "key = value\n"),
    ("shop/unrelated/notes.txt", "nothing"),
];

fn shop() -> Arc<MemoryRepository> {
    Arc::new(MemoryRepository::new(SHOP))
}

#[tokio::test]
async fn an_overlay_is_built_with_what_it_refers_to() {
    let bench = Bench::with_programs().await;
    let rendered = bench.render(&request(&shop(), "shop/overlays/prod")).await.unwrap();
    assert_eq!((rendered.problems.as_slice(), rendered.warnings.as_slice()), (&[][..], &[][..]));
    let ids = ids(&rendered);
    assert_eq!(ids.len(), 3, "{ids:?}");
    let web = body(&rendered, "web");
    assert_eq!((&web["spec"]["replicas"], &web["metadata"]["labels"]["team"]), (&json!(3), &json!("shop")));
    assert_eq!(web["metadata"]["namespace"], "prod");
    let generated =
        rendered.objects.iter().find(|entry| entry.object.name().starts_with("generated-")).unwrap();
    assert_eq!(
        generated.object.body()["data"],
        json!({"app.conf": "key = value\n", "renamed": "key = value\n", "flag": "yes"})
    );
    assert!(generated.origin.starts_with("shop/overlays/prod (built):"), "{}", generated.origin);
    assert!(rendered.tools["kustomize"].starts_with('v'), "{:?}", rendered.tools);
}

#[tokio::test]
async fn the_key_covers_every_folder_that_is_read() {
    let bench = Bench::with_programs().await;
    let repository = shop();
    let key = bench.key(&request(&repository, "shop/overlays/prod")).await;
    let runs = bench.runs();
    repository.commit([("shop/unrelated/notes.txt", "more"), ("shop/overlays/other.yaml", "x")]);
    assert_eq!(bench.key(&request(&repository, "shop/overlays/prod")).await, key);
    for changed in
        ["shop/base/more/settings.yaml", "shop/labels/Kustomization", "shop/overlays/prod/app.conf"]
    {
        let (_, text) = SHOP.iter().find(|(path, _)| *path == changed).unwrap();
        repository.commit([(changed, format!("{text}# changed\n").as_str())]);
        assert_ne!(bench.key(&request(&repository, "shop/overlays/prod")).await, key, "{changed}");
        repository.commit([(changed, *text)]);
        assert_eq!(bench.key(&request(&repository, "shop/overlays/prod")).await, key, "{changed}");
    }
    assert_eq!(bench.runs(), runs, "the version is asked once, and nothing is built for a key");
}

/// All of these are refused before kustomize runs: it would fetch, or read what the repository does not hold.
#[tokio::test]
async fn nothing_is_fetched_or_read_from_elsewhere() {
    let cases = [
        ("resources: ['https://example.invalid/install.yaml']\n", "on another server"),
        ("resources: ['github.com/kubernetes-sigs/kustomize//examples?ref=v1']\n", "on another server"),
        ("resources: ['git@example.invalid:a/b.git']\n", "on another server"),
        ("resources: ['ssh://git@example.invalid/a']\n", "on another server"),
        ("bases: [example.invalid/a/b]\n", "neither a file nor a folder"),
        ("components: [github.com/a/b]\n", "neither a file nor a folder"),
        ("resources: [missing.yaml]\n", "neither a file nor a folder"),
        ("resources: [../../../outside]\n", "leads out of the repository"),
        ("resources: [/etc]\n", "leads out of the repository"),
        ("patches: [{path: 'https://example.invalid/p.yaml'}]\n", "on another server"),
        ("configMapGenerator: [{name: a, files: ['k=https://example.invalid/x']}]\n", "on another server"),
        ("openapi: {path: 'http://example.invalid/s.json'}\n", "on another server"),
        ("helmCharts: [{name: a, repo: 'https://example.invalid'}]\n", "application of its own"),
        ("resources: [a\n", "kustomization.yaml:"),
        ("resources: [broken]\n", "does not exist"),
    ];
    let bench = Bench::with_programs().await;
    for (text, words) in cases {
        let repository = Arc::new(MemoryRepository::new([
            ("a/b/kustomization.yaml", text),
            ("a/b/broken/kustomization.yaml", "resources: [../gone/]\n"),
        ]));
        bench.renderer.versions().await.unwrap();
        let runs = bench.runs();
        let error = bench.render(&request(&repository, "a/b")).await.unwrap_err();
        let words = if words == "does not exist" { "neither a file nor a folder" } else { words };
        assert!(error.to_string().contains(words), "{text}: {error}");
        assert_eq!(bench.runs(), runs, "{text}: a program was run");
    }
}

/// These are refused by kustomize itself, in its folder without a network, helpers or this machine's files.
#[tokio::test]
async fn what_gets_past_us_fails_inside_the_workspace() {
    let plugin = "apiVersion: v1\nkind: Fn\nmetadata:\n  name: a\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: /bin/sh}\n";
    let chart = "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\nname: a\nrepo: https://example.invalid\n";
    let patch = "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: https://example.invalid/p.yaml\n";
    let cases = [
        ("configMapGenerator: [{name: a, files: [/etc/passwd]}]\n", "", "not in or below"),
        (
            "configMapGenerator: [{name: a, files: [../../../../../../../../../etc/passwd]}]\n",
            "",
            "not in or below",
        ),
        ("configMapGenerator: [{name: a, files: [../secret]}]\n", "", "its own folder only"),
        ("generators: [plugin.yaml]\n", plugin, ""),
        ("generators: [plugin.yaml]\n", chart, "enable-helm"),
        ("transformers: [plugin.yaml]\n", patch, "127.0.0.1:9"),
    ];
    let bench = Bench::with_programs().await;
    for (text, plugin, words) in cases {
        let files = [
            ("a/kustomization.yaml", text),
            ("a/plugin.yaml", plugin),
            ("secret", "s"),
            ("a/web.yaml", DEPLOYMENT),
        ];
        let repository =
            Arc::new(MemoryRepository::new(files.into_iter().filter(|(_, text)| !text.is_empty())));
        match bench.render(&request(&repository, "a")).await {
            Ok(rendered) => assert_eq!(ids(&rendered), Vec::<String>::new(), "{text}"),
            Err(error) => {
                assert!(error.message.contains(words), "{text}: {error}");
                assert!(!error.message.contains(bench.work_dir.path().to_str().unwrap()), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn what_the_repository_refused_explains_a_failed_build() {
    let files = [("a/kustomization.yaml", "resources: [web.yaml, big.yaml]\n"), ("a/web.yaml", DEPLOYMENT)];
    let mut repository = MemoryRepository::new(files);
    repository.refused = vec![Refused { path: "a/big.yaml".into(), reason: "is a Git LFS pointer".into() }];
    let bench = Bench::with_programs().await;
    let error = bench.render(&request(&Arc::new(repository), "a")).await.unwrap_err();
    assert_eq!(error.to_string(), "a/big.yaml: is a Git LFS pointer");

    let mut repository = MemoryRepository::new([
        ("a/kustomization.yaml", "resources: [web.yaml]\n"),
        ("a/web.yaml", DEPLOYMENT),
    ]);
    repository.refused = vec![Refused { path: "a/logo.png".into(), reason: "is a Git LFS pointer".into() }];
    let rendered = bench.render(&request(&Arc::new(repository), "a")).await.unwrap();
    assert_eq!((rendered.objects.len(), rendered.problems.len(), rendered.warnings.len()), (1, 0, 1));
}

/// kustomize reads `yes` as a text and prints it so that our reader, and kubectl, take it for a text as well.
#[tokio::test]
async fn we_read_what_kustomize_prints_as_kubectl_does() {
    let values = "yes no on off y n ~ null 0644 0o17 1_000 1e3 .5 0x1F 12:30:45 2001-12-14 1.0 'true' \"null\" '' '0644' '1e3' 'yes' 'no' 'y' '~' '=' '<<' '12:30' '.inf' '0b1' '+1' '1_0' '- a' 'a: b' '# c' '!x' '&x' '*x' '%x' '@x' '`x'";
    let data: String = values
        .split(' ')
        .enumerate()
        .map(|(index, value)| match value {
            "'-" | "a'" | "'a:" | "b'" | "'#" | "c'" => String::new(),
            value => format!("  v{index}: {value}\n"),
        })
        .collect();
    let text = format!(
        "apiVersion: x.dev/v1\nkind: Values\nmetadata: {{name: a}}\nspec:\n{data}  y: key\n  on: key2\n  block: |\n    --- not a separator\n    yes\n  folded: >-\n    a\n\n    b\n  tab: \"a\\tb\"\n  long: {long}\n",
        long = "word ".repeat(60)
    );
    let repository = Arc::new(MemoryRepository::new([
        ("a/kustomization.yaml", "resources: [a.yaml]\nnamePrefix: p-\n"),
        ("a/a.yaml", text.as_str()),
    ]));
    let rendered = Bench::with_programs().await.render(&request(&repository, "a")).await.unwrap();
    assert_eq!(rendered.problems, []);

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kustomization.yaml"), "resources: [a.yaml]\nnamePrefix: p-\n")
        .unwrap();
    std::fs::write(folder.path().join("a.yaml"), &text).unwrap();
    let programs = programs().await;
    let built = Command::new(&programs.kustomize).arg("build").arg(folder.path()).output().unwrap();
    assert!(built.status.success());
    std::fs::write(folder.path().join("built.yaml"), &built.stdout).unwrap();
    let kubectl = Command::new(&programs.kubectl)
        .args(["label", "--local", "--output=json", "zz=zz", "--filename"])
        .arg(folder.path().join("built.yaml"))
        .output()
        .unwrap();
    let judged: Value = serde_json::from_slice(&kubectl.stdout).unwrap();
    assert_eq!(body(&rendered, "p-a")["spec"], judged["spec"]);
    assert_eq!(judged["spec"]["v0"], "yes", "kustomize's own reading is kept");
}

#[tokio::test]
async fn what_a_build_warns_of_is_passed_on() {
    let text = "commonLabels: {team: shop}\nresources: [web.yaml]\n";
    let repository =
        Arc::new(MemoryRepository::new([("a/kustomization.yaml", text), ("a/web.yaml", DEPLOYMENT)]));
    let rendered = Bench::with_programs().await.render(&request(&repository, "a")).await.unwrap();
    assert_eq!(rendered.objects.len(), 1);
    assert!(rendered.warnings[0].message.contains("deprecated"), "{:?}", rendered.warnings);
}

/// kustomize prints whole objects in its errors.
#[tokio::test]
async fn a_failed_build_does_not_tell_secrets() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {1: hunter2}\n";
    let generator = "secretGenerator: [{name: a, literals: [swordfish]}]\n";
    let patch = "patches: [{target: {kind: Secret}, patch: 'kind: Secret\nstringData: {a: hunter2'}]\nresources: [secret.yaml]\n";
    for kustomization in ["resources: [secret.yaml]\nnamePrefix: a-\n", generator, patch] {
        let files = [("a/kustomization.yaml", kustomization), ("a/secret.yaml", secret)];
        let error = Bench::with_programs()
            .await
            .render(&request(&Arc::new(MemoryRepository::new(files)), "a"))
            .await
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains("kustomize build failed"), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("swordfish"), "{error}");
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed() {
    let bench = Bench::with_programs().await;
    let work = bench.work_dir.path().join("work");
    let gone = std::process::Command::new("true")
        .spawn()
        .map(|mut child| {
            child.wait().unwrap();
            child.id()
        })
        .unwrap();
    for name in [format!("render-{gone}-abc/source"), format!("render-{}-abc", std::process::id())] {
        std::fs::create_dir_all(work.join(name)).unwrap();
    }
    let parent = work.join(format!("render-{}-abc", std::os::unix::process::parent_id()));
    std::fs::create_dir_all(&parent).unwrap();
    bench.renderer.versions().await.unwrap();
    let left: Vec<_> = work.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [parent], "the folder of a process that runs stays");
}
