//! Plain files, what a rendering's key covers, and how programs are kept within limits.

use crate::support::memory_repository::MemoryRepository;
use crate::support::rendering::{Bench, body, ids, request};
use portolan::host::ProcessRunner;
use portolan::model::{Refused, RendererKind};
use portolan::ports::renderer::{Command, CommandFailure, CommandRunner, Renderer};
use portolan::render::Tools;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

fn repository<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Arc<MemoryRepository> {
    Arc::new(MemoryRepository::new(files))
}

#[tokio::test]
async fn documents_and_lists_become_objects_as_kubectl_makes_them() {
    let list = "apiVersion: v1\nkind: List\nitems:\n\
        - {apiVersion: v1, kind: Secret, metadata: {name: s}}\n\
        - {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}\n\
        ---\n# nothing here\n---\napiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: {name: typed}}]\n\
        ---\napiVersion: v1\nkind: PodList\nitems: null\n";
    let files = [
        ("app/b.yaml", list),
        ("app/a.json", r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"j"}}"#),
        ("app/README.md", "# no"),
    ];
    let repository = repository(files);
    let rendered = Bench::without_programs().render(&request(&repository, "app")).await.unwrap();
    assert_eq!(rendered.problems, []);
    assert_eq!(ids(&rendered), ["Service j", "Secret s", "Deployment.apps d", "ConfigMap typed"]);
    let origins: Vec<&str> = rendered.objects.iter().map(|entry| entry.origin.as_str()).collect();
    assert_eq!(
        origins,
        ["app/a.json:1", "app/b.yaml:1 /items/0", "app/b.yaml:1 /items/1", "app/b.yaml:9 /items/0"]
    );
}

/// One file for each way a document can be wrong; the good one beside them goes on.
#[tokio::test]
async fn every_problem_names_its_place_and_hides_nothing_else() {
    let cases = [
        (
            "app/duplicate.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n",
            "app/duplicate.yaml:5:3",
            "name",
        ),
        (
            "app/kindless.yaml",
            "# a comment\napiVersion: v1\nmetadata: {name: a}\n",
            "app/kindless.yaml:2:1",
            "`kind` is missing",
        ),
        (
            "app/number.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: 123\n",
            "app/number.yaml:4:9",
            "quotes",
        ),
        (
            "app/label.yaml",
            "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  labels:\n    a.b/c: yes\n",
            "app/label.yaml:6:12",
            "metadata.labels.a.b/c",
        ),
        (
            "app/list.yaml",
            "apiVersion: v1\nkind: List\nitems:\n- kind: A\n",
            "app/list.yaml:4:3",
            "`apiVersion` is missing",
        ),
        (
            "app/nested.yaml",
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: []\n",
            "app/nested.yaml:6:10",
            "list inside a list",
        ),
        (
            "app/custom.yaml",
            "apiVersion: x.dev/v1\nkind: Menu\nmetadata: {name: a}\nitems: {a: b}\n",
            "app/custom.yaml:4:8",
            "`items` is no list",
        ),
        ("app/scalar.yaml", "just text\n", "app/scalar.yaml:1:1", "spec.source.exclude"),
        ("app/values.yaml", "replicas: 3\n", "app/values.yaml:1:1", "Helm chart"),
        (
            "app/sub/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n",
            "app/sub/kustomization.yaml:1:13",
            "path of an application",
        ),
        (
            "app/own.yaml",
            "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {name: a}\n",
            "app/own.yaml:1:13",
            "read where the daemon's file says",
        ),
        (
            "app/sops.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: 'ENC[AES256_GCM,data:x]'}\nsops: {mac: x}\n",
            "app/sops.yaml:5:7",
            "SOPS",
        ),
    ];
    let repository = repository(
        cases.iter().map(|(path, text, ..)| (*path, *text)).chain([("app/good.yaml", CONFIG_MAP)]),
    );
    let rendered = Bench::without_programs().render(&request(&repository, "app")).await.unwrap();
    assert_eq!(ids(&rendered), ["ConfigMap a"]);
    for (path, _, origin, words) in cases {
        let problem = rendered
            .problems
            .iter()
            .find(|problem| problem.origin.starts_with(path))
            .unwrap_or_else(|| panic!("{path}"));
        assert_eq!(problem.origin, origin, "{problem}");
        assert!(problem.message.contains(words), "{problem}");
    }
    assert_eq!(rendered.problems.len(), cases.len());
}

#[tokio::test]
async fn globs_choose_files() {
    let files = [
        "app/a.yaml",
        "app/b.yml",
        "app/c.json",
        "app/d.txt",
        "app/sub/e.yaml",
        "app/sub/test/f.yaml",
        "other/g.yaml",
    ];
    let texts: Vec<String> = files
        .iter()
        .map(|path| CONFIG_MAP.replace("name: a", &format!("name: {}", path.replace(['/', '.'], "-"))))
        .collect();
    let repository = repository(files.iter().copied().zip(texts.iter().map(String::as_str)));
    type Words = &'static [&'static str];
    let cases: [(Words, Words, bool, Words); 7] = [
        (&[], &[], true, &["a", "b", "c", "e", "f"]),
        (&[], &[], false, &["a", "b", "c"]),
        (&[], &["test/**"], true, &["a", "b", "c", "e", "f"]),
        (&[], &["**/test/**", "c.json"], true, &["a", "b", "e"]),
        (&[], &["sub/*.yaml"], true, &["a", "b", "c", "f"]),
        (&["*.txt", "e.*"], &[], true, &["d", "e"]),
        (&["./sub/**/*.yaml"], &["f.yaml"], true, &["e"]),
    ];
    for (include, exclude, recurse, expected) in cases {
        let mut request = request(&repository, "./app/");
        request.source.include = include.iter().map(ToString::to_string).collect();
        request.source.exclude = exclude.iter().map(ToString::to_string).collect();
        request.source.recurse = recurse;
        let rendered = Bench::without_programs().render(&request).await.unwrap();
        let mut letters: Vec<String> = rendered
            .objects
            .iter()
            .map(|entry| entry.object.name().rsplit('-').nth(1).unwrap().into())
            .collect();
        letters.sort();
        assert_eq!(letters, expected, "{include:?} {exclude:?} {recurse}");
    }
    let mut request = request(&repository, "app");
    request.source.exclude = vec!["a[".into()];
    let error = Bench::without_programs().render(&request).await.unwrap_err();
    assert!(error.to_string().starts_with("spec.source.exclude: `a[`"), "{error}");
}

#[tokio::test]
async fn what_the_repository_refused_is_a_problem_unless_left_out() {
    let mut files = MemoryRepository::new([("app/a.yaml", CONFIG_MAP)]);
    files.refused =
        vec![Refused { path: "app/link.yaml".into(), reason: "is a link out of the repository".into() }];
    let repository = Arc::new(files);
    let rendered = Bench::without_programs().render(&request(&repository, "app")).await.unwrap();
    assert_eq!(ids(&rendered), ["ConfigMap a"]);
    assert_eq!(rendered.problems[0].to_string(), "app/link.yaml: is a link out of the repository");
    let mut without = request(&repository, "app");
    without.source.exclude = vec!["link.yaml".into()];
    assert_eq!(Bench::without_programs().render(&without).await.unwrap().problems, []);
}

#[tokio::test]
async fn text_that_kubectl_drops_is_a_warning() {
    let repository = repository([(
        "app/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n...\nkind: Lost\n",
    )]);
    let rendered = Bench::without_programs().render(&request(&repository, "app")).await.unwrap();
    assert_eq!((ids(&rendered).len(), rendered.problems.len()), (1, 0));
    assert!(rendered.warnings[0].origin.starts_with("app/a.yaml:5"), "{:?}", rendered.warnings);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let repository = repository([("app/a.yaml", CONFIG_MAP)]);
    for (path, words) in
        [("apps", "does not exist"), ("../app", "leads out"), ("app/a.yaml", "does not exist")]
    {
        let request = request(&repository, path);
        for error in [
            Bench::without_programs().render(&request).await.unwrap_err(),
            Bench::without_programs().renderer.key(&request).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[tokio::test]
async fn generate_name_gives_a_makeshift_name_from_the_content() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: migrate-}\nspec: {parallelism: 1}\n";
    let files = repository([("app/a.yaml", job), ("app/b.yaml", &job.replace('1', "2"))]);
    let bench = Bench::without_programs();
    let names = |rendered: portolan::ports::Rendered| -> Vec<String> {
        rendered.objects.iter().map(|entry| entry.object.name().into()).collect()
    };
    let first = names(bench.render(&request(&files, "app")).await.unwrap());
    assert_eq!(first, names(bench.render(&request(&files, "app")).await.unwrap()));
    assert!(first[0].starts_with("migrate-") && first[0] != first[1], "{first:?}");
}

#[tokio::test]
async fn the_key_of_plain_files_covers_what_they_become_and_nothing_else() {
    let repository = repository([("app/a.yaml", CONFIG_MAP), ("other/b.yaml", CONFIG_MAP)]);
    let bench = Bench::without_programs();
    let first = request(&repository, "app");
    let key = bench.key(&first).await;

    repository.commit([("other/b.yaml", ""), ("other/c.yaml", CONFIG_MAP)]);
    let mut same = request(&repository, "app");
    same.kube_version = "v1.24.17".into();
    same.api_versions = Arc::from([]);
    same.application = "another".into();
    same.namespace = "another".into();
    assert_eq!(bench.key(&same).await, key, "a commit elsewhere, or another cluster, changes nothing");

    repository.commit([("app/a.yaml", "# changed\n")]);
    assert_ne!(bench.key(&request(&repository, "app")).await, key);
    let changes: [fn(&mut portolan::model::SourceSpec); 4] = [
        |source| source.recurse = false,
        |source| source.include = vec!["a".into()],
        |source| source.exclude = vec!["a".into()],
        |source| source.kind = Some(RendererKind::Plain),
    ];
    for (change, differs) in changes.into_iter().zip([true, true, true, false]) {
        let mut changed = first.clone();
        change(&mut changed.source);
        assert_eq!(bench.key(&changed).await != key, differs);
    }
    assert_eq!(bench.runs(), 0);
}

#[tokio::test]
async fn a_kind_that_is_asked_for_wins_over_what_the_folder_looks_like() {
    let repository = repository([("app/kustomization.yaml", "resources: []\n"), ("app/a.yaml", CONFIG_MAP)]);
    let bench = Bench::without_programs();
    let error = bench.render(&request(&repository, "app")).await.unwrap_err();
    assert_eq!(error.origin, "kustomize");
    assert!(error.message.contains("not installed"), "{error}");
    let mut plain = request(&repository, "app");
    plain.source.kind = Some(RendererKind::Plain);
    plain.source.include = vec!["a.yaml".into()];
    assert_eq!(ids(&bench.render(&plain).await.unwrap()), ["ConfigMap a"]);
}

#[tokio::test]
async fn a_folder_that_becomes_a_chart_is_chosen_anew() {
    let repository = repository([("app/a.yaml", CONFIG_MAP)]);
    let bench = Bench::without_programs();
    assert!(bench.render(&request(&repository, "app")).await.is_ok());
    repository.commit([("app/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n")]);
    assert_eq!(bench.render(&request(&repository, "app")).await.unwrap_err().origin, "helm");
}

/// 1,000 applications of four objects, each rendered with its key: far below a second of one core in a release build.
#[tokio::test]
async fn a_thousand_small_applications_are_quick() {
    let text = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports: [{port: 80}]\n\
        ---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: web\n        image: example.invalid/web:1\n        ports: [{containerPort: 80}]\n\
        ---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n  rules: [{host: example.invalid}]\n";
    let repository = repository([("app/web.yaml", text)]);
    let bench = Bench::without_programs();
    let started = Instant::now();
    for _ in 0..1_000 {
        let request = request(&repository, "app");
        bench.key(&request).await;
        assert_eq!(bench.renderer.render(&request).await.unwrap().objects.len(), 4);
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    println!("1,000 applications in {took:?}");
}

fn shell(folder: &Path, script: &str) -> Command {
    Command {
        program: "/bin/sh".into(),
        arguments: ["-c", script].map(Into::into).to_vec(),
        directory: folder.to_owned(),
        environment: vec![("ONLY".into(), "this".into()), ("PATH".into(), "/usr/bin:/bin".into())],
        time_limit: Duration::from_secs(20),
        output_limit: 1 << 20,
        memory_limit: 4 << 30,
    }
}

fn is_running(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    // A killed process may stay as a zombie of init until that looks.
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

async fn gone(pid_file: &Path) -> bool {
    let until = Instant::now() + Duration::from_secs(5);
    while is_running(pid_file) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    !is_running(pid_file)
}

#[tokio::test]
async fn a_program_sees_only_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        ProcessRunner.run(&shell(folder.path(), "env | sort; pwd; cat; echo err >&2; exit 3")).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // The shell sets PWD and such by itself.
    assert!(
        names.contains(&"ONLY") && !names.contains(&"HOME") && !names.contains(&"CARGO_MANIFEST_DIR"),
        "{text}"
    );
    assert!(text.lines().any(|line| Path::new(line) == folder.path()), "{text}");
    assert_eq!((output.code, output.stderr.as_str()), (Some(3), "err\n"));
    let missing = Command { program: "/no/such/program".into(), ..shell(folder.path(), "") };
    assert!(matches!(ProcessRunner.run(&missing).await, Err(CommandFailure::NotStarted { .. })));
}

#[tokio::test]
async fn time_output_and_memory_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let slow = Command {
        time_limit: Duration::from_millis(300),
        ..shell(folder.path(), "sleep 60 & echo $! > pid; wait")
    };
    let started = Instant::now();
    assert!(matches!(ProcessRunner.run(&slow).await, Err(CommandFailure::TooSlow { .. })));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(gone(&pid).await, "what it started goes with it");

    let loud = shell(
        folder.path(),
        "echo $$ > pid; while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done",
    );
    assert!(matches!(ProcessRunner.run(&loud).await, Err(CommandFailure::TooMuch { limit: 1_048_576, .. })));
    assert!(gone(&pid).await);

    // Waiting for its parent's limit takes a moment; then 256 MiB do not fit.
    let greedy = shell(folder.path(), "sleep 0.2; dd if=/dev/zero of=/dev/null bs=256M count=1");
    let output = ProcessRunner.run(&Command { memory_limit: 128 << 20, ..greedy.clone() }).await.unwrap();
    assert_ne!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(ProcessRunner.run(&greedy).await.unwrap().code, Some(0));

    let noisy = shell(folder.path(), "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done");
    let errors = ProcessRunner.run(&noisy).await.unwrap().stderr;
    assert!(errors.len() <= 64 * 1024 && errors.ends_with("line 19999\n"), "{}", errors.len());
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let command = shell(folder.path(), "sleep 60 & echo $! > pid.new; mv pid.new pid; wait");
    let run = tokio::spawn(async move { ProcessRunner.run(&command).await });
    while !pid.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    assert!(gone(&pid).await);
}

#[test]
fn programs_are_found_where_configured_then_in_folders() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["one", "two"].map(|name| folder.path().join(name));
    for (path, mode) in
        [(first.join("helm"), 0o644), (second.join("helm"), 0o755), (second.join("kustomize"), 0o755)]
    {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
    let folders = [PathBuf::from("."), first.clone(), second.clone()];
    let found = Tools::find(&Tools::default(), &folders).unwrap();
    assert_eq!(found, Tools { helm: Some(second.join("helm")), kustomize: Some(second.join("kustomize")) });
    assert_eq!(Tools::find(&Tools::default(), &[]).unwrap(), Tools::default());
    let configured = Tools { helm: Some(first.join("helm")), kustomize: None };
    let error = Tools::find(&configured, &folders).unwrap_err();
    assert!(error.to_string().contains("configured as helm"), "{error}");
}

#[tokio::test]
async fn equal_names_in_one_rendering_stay_two_objects() {
    // Whether they are one is settled when scope and namespaces are known.
    let repository = repository([
        ("app/a.yaml", CONFIG_MAP),
        ("app/b.yaml", &CONFIG_MAP.replace("name: a", "name: a, namespace: x")),
    ]);
    let rendered = Bench::without_programs().render(&request(&repository, "app")).await.unwrap();
    assert_eq!(rendered.objects.len(), 2);
    assert_eq!(body(&rendered, "a")["kind"], "ConfigMap");
}

#[tokio::test]
async fn a_folder_without_manifests_is_a_problem_and_no_order_to_delete_all() {
    let repository = repository([("app/README.md", "nothing yet"), ("app/deep/a.yaml", CONFIG_MAP)]);
    let mut request = request(&repository, "app");
    request.source.recurse = false;
    let rendered = Bench::without_programs().render(&request).await.unwrap();
    assert_eq!((rendered.objects.len(), rendered.problems.len()), (0, 1));
    assert!(
        rendered.problems[0].to_string().starts_with("app: no file here is a manifest"),
        "{:?}",
        rendered.problems
    );
}
