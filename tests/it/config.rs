//! What the user writes: the daemon's file and the documents, good and bad, read, checked and watched.

use portolan::config::check::{CheckOptions, check};
use portolan::config::{Config, Credentials, StatePlace, load, schema, watch};
use portolan::model::cloud::Service;
use portolan::model::document::validate::Validator;
use portolan::model::document::{DocumentKind, Documents, Known, Problem, Severity, read};
use portolan::model::{ApplicationSpec, ClusterSpec, MigrationSpec};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden(folder: &str) -> PathBuf {
    project().join("tests/golden/config").join(folder)
}

/// Inputs of a golden folder: files and folders, without the expectations.
fn inputs(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(golden(folder)).expect("the golden folder is there");
    let mut inputs: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_none_or(|ending| ending != "txt"))
        .collect();
    inputs.sort();
    inputs
}

fn report(path: &Path) -> String {
    let report = check(path, CheckOptions::default());
    let mut text = String::new();
    for problem in &report.problems {
        text += &format!("{problem}\n").replace(&format!("{}/", golden("bad").display()), "");
    }
    text + &format!(
        "{:?}: {} files, {} applications, {} clusters, {} migrations, {} repositories, {} errors, {} warnings\n",
        report.subject,
        report.files,
        report.applications,
        report.clusters,
        report.migrations,
        report.repositories,
        report.count(Severity::Error),
        report.count(Severity::Warning),
    )
}

/// Set PORTOLAN_UPDATE_GOLDEN to write the expectations anew, then read the difference.
#[test]
fn bad_files_are_told_of_completely() {
    let update = std::env::var_os("PORTOLAN_UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for input in inputs("bad") {
        let expectation = PathBuf::from(format!("{}.txt", input.display()));
        let found = report(&input);
        assert!(!found.contains("hunter2"), "a password is shown: {found}");
        if update {
            std::fs::write(&expectation, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expectation).unwrap_or_default();
        if found != expected {
            wrong.push(format!("== {}\n-- expected\n{expected}-- found\n{found}", input.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_expectation_has_its_input() {
    for entry in std::fs::read_dir(golden("bad")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "txt") {
            assert!(path.with_extension("").exists(), "{} is left over", path.display());
        }
    }
}

#[test]
fn good_files_have_no_problems() {
    for input in inputs("good") {
        let report = check(&input, CheckOptions::default());
        assert_eq!(report.problems, [], "{}", input.display());
        assert!(
            report.applications + report.clusters + report.migrations + report.repositories > 0,
            "{}",
            input.display()
        );
    }
}

#[test]
fn the_daemons_file_says_every_setting_with_its_default() {
    let path = project().join("config/portolan.yaml");
    let config = load(&path).unwrap();
    assert_eq!(config.warnings, []);

    // The same with only what has no default: nothing that is written out may make a difference.
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("portolan.yaml");
    let text = "apiVersion: portolan.dev/v1alpha1\nkind: Config\nrepositories:\n  - {name: fleet, url: https://git.example.com/platform/fleet.git}\n";
    std::fs::write(&bare, text).unwrap();
    let defaults = load(&bare).unwrap();
    assert_eq!(Config { file: defaults.file.clone(), digest: defaults.digest.clone(), ..config }, defaults);

    let written = std::fs::read_to_string(&path).unwrap();
    let schema = schema::schema(Some("Config")).unwrap();
    let mut names = Vec::new();
    fields(&schema, &mut names);
    let absent: Vec<_> = names.iter().filter(|name| !written.contains(&format!("{name}:"))).collect();
    assert!(names.len() > 40 && absent.is_empty(), "config/portolan.yaml does not say {absent:?}");
}

/// Names of all fields of a schema.
fn fields(schema: &Value, names: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            for (keyword, inner) in keywords {
                if let ("properties", Value::Object(properties)) = (keyword.as_str(), inner) {
                    names.extend(properties.keys().cloned());
                }
                fields(inner, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, names)),
        _ => {}
    }
}

/// A repository whose one application has this path.
fn repository_of(path: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let document = format!(
        "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {{name: a}}\nspec: {{path: {path:?}}}\n"
    );
    for (path, text) in files.iter().copied().chain([("portolan/a.yaml", document.as_str())]) {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

fn said_of(folder: &tempfile::TempDir) -> Vec<(String, bool)> {
    let report = check(folder.path(), CheckOptions::default());
    let said = |problem: &Problem| {
        (format!("{}:{}: {}", problem.file, problem.line, problem.message), problem.is_error())
    };
    report.problems.iter().map(said).collect()
}

#[test]
fn files_are_checked_by_the_rules_that_the_daemon_takes_them_by() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {kind: ConfigMap}\n";
    let typed = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: b}\n";
    let hook = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: c-\n  annotations: {helm.sh/hook: pre-install}\n";
    let kept = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: d-\n";
    let files = [
        ("app/list.yaml", list),
        ("app/typed.yaml", typed),
        ("app/hook.yaml", hook),
        ("app/kept.yaml", kept),
        ("app/values.yaml", "replicas: 1\n"),
        ("app/base/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"),
    ];
    let said: Vec<String> =
        said_of(&repository_of("app", &files)).into_iter().map(|(words, _)| words).collect();
    let expected = [
        ("base/kustomization.yaml:1: ", "a kustomization file is no manifest"),
        ("kept.yaml:4: ", "for hooks only"),
        ("list.yaml:5: ", "`apiVersion` is missing"),
        ("values.yaml:1: ", "part of a Helm chart"),
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (words, (place, message)) in said.iter().zip(expected) {
        assert!(words.contains(place) && words.contains(message), "{words}");
    }
}

#[test]
fn text_that_kubectl_drops_is_warned_of() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n";
    let dropped = format!(
        "---\n{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {{\"name\": \"one\"}}}}\n{object}"
    );
    let folder = repository_of("app", &[("app/one.yaml", &dropped), ("app/two.yaml", object)]);
    let said = said_of(&folder);
    let [(words, is_error)] = said.as_slice() else { panic!("{said:#?}") };
    assert!(words.contains("one.yaml:3:") && words.contains("kubectl drops"), "{words}");
    assert!(!is_error, "a warning");
}

#[test]
fn globs_are_checked_as_the_daemon_finds_them() {
    let (good, bad) = ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n", "kind: ConfigMap\n");
    let files = [
        ("apps/one/a.yaml", bad),
        ("apps/two/a.yaml", good),
        ("apps/.hidden/a.yaml", bad),
        ("clusters/eu/prod/web/a.yaml", bad),
        ("clusters/web/a.yaml", bad),
    ];
    for (path, wrong) in [
        ("apps/*", vec!["apps/one/"]),
        ("apps/[o-p]*", vec!["apps/one/"]),
        ("apps/{two,three}*", vec![]),
        ("apps/[!t]*", vec!["apps/one/"]),
        ("apps/.*", vec!["apps/.hidden/"]),
        ("clusters/**/web", vec!["clusters/eu/prod/web/", "clusters/web/"]),
        ("**/w?b", vec!["clusters/eu/prod/web/", "clusters/web/"]),
    ] {
        let folder = repository_of(path, &files);
        let said = said_of(&folder);
        let found: Vec<&str> = wrong
            .iter()
            .copied()
            .filter(|part| said.iter().any(|(words, is_error)| words.contains(part) && *is_error))
            .collect();
        assert_eq!((found, said.len()), (wrong.clone(), wrong.len()), "{path}: {said:#?}");
    }
    for (path, words) in
        [("apps/th*", "there is no folder `apps/th*`"), ("apps/[o", "is no pattern for folders")]
    {
        let said = said_of(&repository_of(path, &files));
        assert!(said.iter().any(|(said, is_error)| said.contains(words) && *is_error), "{path}: {said:#?}");
    }
}

#[test]
fn the_example_is_right() {
    let example = project().join("config/example");
    let report = check(&example, CheckOptions::default());
    assert_eq!((report.problems, report.applications, report.clusters), (vec![], 2, 1));
    let config = load(&example.join("portolan.yaml")).unwrap();
    assert_eq!(config.repositories[0].url, std::path::absolute(&example).unwrap().display().to_string());
}

#[test]
fn the_example_of_clusters_is_right() {
    let report = check(&project().join("config/clusters"), CheckOptions::default());
    assert_eq!(report.problems, vec![]);
    assert_eq!((report.applications, report.clusters, report.cluster_configs), (1, 1, 1));
}

#[test]
fn a_cluster_config_is_checked_with_the_document_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let document = "apiVersion: portolan.dev/v1alpha1\nkind: Cluster\nmetadata: {name: shop}\nspec:\n  eks:\n    name: shop\n    region: eu-west-1\n    reconcile: {cron: '99 * * * *'}\n  clusterConfig: clusters/shop.yaml\n";
    let config = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\nmetadata:\n  name: shop\n  region: eu-central-1\n";
    write("portolan/cluster.yaml", document);
    write("clusters/shop.yaml", config);
    let said = || -> Vec<String> {
        let problems = check(folder.path(), CheckOptions::default()).problems;
        problems.iter().map(ToString::to_string).collect()
    };
    let found = said();
    let has = |found: &[String], place: &str, words: &str| {
        assert!(
            found.iter().any(|one| one.contains(place) && one.contains(words)),
            "{place} {words}: {found:#?}"
        );
    };
    has(&found, "cluster.yaml:7:5", "`spec.eks.region` is `eu-west-1`");
    has(&found, "cluster.yaml:8:17", "`spec.eks.reconcile` cannot be used");

    // What is wrong with the file itself has its place there, whether a document names it or not.
    write("clusters/shop.yaml", &format!("{config}managedNodeGroups:\n  - name: blue\n    minSzie: 1\n"));
    has(&said(), "clusters/shop.yaml:8:5", "minSzie");
    let file = check(&folder.path().join("clusters/shop.yaml"), CheckOptions::default());
    has(&file.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), "shop.yaml:8:5", "`minSize`");
    std::fs::remove_file(folder.path().join("clusters/shop.yaml")).unwrap();
    has(&said(), "cluster.yaml:9:3", "there is no file `clusters/shop.yaml` in the repository");
}

#[test]
fn settings_are_resolved_against_the_file() {
    let config = load(&golden("good/config.yaml")).unwrap();
    let folder = golden("good");
    let [fleet, apps, _, local] = &config.repositories[..] else {
        panic!("{} repositories", config.repositories.len())
    };
    assert_eq!((fleet.documents.as_deref(), apps.documents.as_deref()), (Some("deploy/portolan"), None));
    assert!(matches!(fleet.credentials, Some(Credentials::Ssh { .. })));
    assert_eq!(fleet.interval.duration(), Duration::from_secs(90));
    assert_eq!(local.url, folder.join("../local").display().to_string());
    assert_eq!(config.state, StatePlace::Folder(folder.join("state")));
    assert_eq!(config.data_dir, folder.join("data"));
    let at = |service: Service| config.aws.of(service);
    assert_eq!(
        (at(Service::Eks), at(Service::Ec2)),
        (Some("https://eks.example.com"), Some("http://127.0.0.1:4566"))
    );
    assert_eq!((config.tools.helm, config.tools.kustomize), (folder.join("bin/helm"), "kustomize-5".into()));
}

/// Replaces each value of a document in turn, and adds an unknown field to each mapping.
fn mutations(value: &Value, pointer: &str, found: &mut Vec<(String, Option<Value>)>) {
    let strange = [
        json!(null),
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!("~ x"),
        json!([]),
        json!({}),
        json!([7]),
        json!({"zzz": 7}),
        json!([null]),
    ];
    found.extend(strange.into_iter().map(|strange| (pointer.to_owned(), Some(strange))));
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(entries) => {
            found.push((below("zzz"), None));
            entries.iter().for_each(|(name, value)| mutations(value, &below(name), found));
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| mutations(item, &below(&index.to_string()), found)),
        _ => {}
    }
}

#[test]
fn what_the_schema_takes_the_types_take() {
    let text = std::fs::read(golden("good/everything.yaml")).unwrap();
    let limits = portolan::model::yaml::Limits::default();
    let documents = portolan::model::yaml::read_stream(&text, &limits)
        .into_iter()
        .map(|document| document.unwrap().into_value());
    let (mut taken, mut refused) = (0, 0);
    for document in documents {
        let kind = DocumentKind::ALL.into_iter().find(|kind| document["kind"] == kind.as_str()).unwrap();
        let validator = portolan::model::document::schema::validator(kind);
        let mut all = Vec::new();
        mutations(&document, "", &mut all);
        for (pointer, strange) in all {
            let mut changed = document.clone();
            let free = [
                "/metadata/labels",
                "/metadata/annotations",
                "/spec/source/helm/values",
                "/spec/destination/selector",
                "/spec/choices",
                "/spec/images",
                "/spec/mapping/",
            ];
            match strange.clone() {
                Some(strange) => *changed.pointer_mut(&pointer).unwrap() = strange,
                None => {
                    let parent = pointer.strip_suffix("/zzz").unwrap();
                    changed.pointer_mut(parent).unwrap()["zzz"] = json!("7");
                    let unknown = validator.check(&changed);
                    if !free.iter().any(|free| parent.starts_with(free)) {
                        assert_eq!(unknown.len(), 1, "{kind} {pointer}");
                        assert_eq!(unknown[0].pointer, pointer);
                    }
                }
            }
            validator.drop_nulls(&mut changed);
            let violations = validator.check(&changed);
            let typed = match kind {
                DocumentKind::Application => {
                    serde_json::from_value::<ApplicationSpec>(changed["spec"].clone()).map(drop)
                }
                DocumentKind::Cluster => {
                    serde_json::from_value::<ClusterSpec>(changed["spec"].clone()).map(drop)
                }
                DocumentKind::Migration => {
                    serde_json::from_value::<MigrationSpec>(changed["spec"].clone()).map(drop)
                }
            };
            if violations.is_empty() {
                taken += 1;
                assert!(
                    typed.is_ok(),
                    "{kind} {pointer} {strange:?}: the schema takes it, the type does not: {typed:?}"
                );
            } else {
                refused += 1;
            }
        }
    }
    assert!(taken > 100 && refused > 500, "{taken} taken, {refused} refused: the table has lost its point");
}

fn document(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"
    )
}

#[test]
fn a_document_that_cannot_be_read_is_not_taken_as_removed() {
    let fleet = read("fleet", "a.yaml", document("shop", "{pth: apps/shop}").as_bytes());
    assert!(fleet.applications.is_empty());
    assert!(fleet.conceals("fleet", DocumentKind::Application, "shop"));
    assert!(!fleet.conceals("fleet", DocumentKind::Application, "web"), "only the one with this name");
    assert!(!fleet.conceals("fleet", DocumentKind::Cluster, "shop"));

    let broken = read("fleet", "a.yaml", b"apiVersion: [\n");
    assert!(broken.conceals("fleet", DocumentKind::Application, "anything"));
    assert!(
        !broken.conceals("other", DocumentKind::Application, "anything"),
        "another repository hides nothing of this one"
    );
}

#[test]
fn no_repository_can_stop_an_application_of_an_earlier_one() {
    let mut all = Documents::default();
    all.merge(read("fleet", "a.yaml", document("shop", "{path: apps/shop}").as_bytes()));
    all.merge(read("team", "b.yaml", document("shop", "{path: evil}").as_bytes()));
    all.settle(Known { all_documents: true, ..Known::default() });
    assert_eq!(all.applications.iter().map(|a| a.spec.path.as_str()).collect::<Vec<_>>(), ["apps/shop"]);
    assert_eq!(all.problems.iter().map(|problem| problem.file.as_str()).collect::<Vec<_>>(), ["b.yaml"]);

    // In one repository it cannot be known which is meant.
    let mut one =
        read("fleet", "a.yaml", (document("shop", "{path: a}") + &document("shop", "{path: b}")).as_bytes());
    one.settle(Known::default());
    assert!(one.applications.is_empty() && one.conceals("fleet", DocumentKind::Application, "shop"));
}

#[test]
fn names_of_documents_that_cannot_be_read_are_not_called_unknown() {
    let known = Known { all_documents: true, ..Known::default() };
    let mut documents = read(
        "fleet",
        "a.yaml",
        (document("shop", "{path: a, dependsOn: [db]}") + &document("db", "{pth: b}")).as_bytes(),
    );
    documents.settle(known);
    assert_eq!(documents.applications.len(), 1, "{:?}", documents.problems);

    let names = ["fleet".to_owned()];
    let mut elsewhere = read("fleet", "a.yaml", document("shop", "{path: a, repository: fleeet}").as_bytes());
    elsewhere.settle(Known { repositories: Some(&names), ..known });
    assert_eq!(elsewhere.problems[0].hint.as_deref(), Some("did you mean `fleet`?"));
    assert_eq!(elsewhere.problems[0].line, 4);
}

#[test]
fn a_long_chain_of_dependencies_is_walked_without_recursion() {
    let mut text = String::new();
    for index in 0..5_000 {
        text +=
            &document(&format!("a{index}"), &format!("{{path: a, dependsOn: [a{}]}}", (index + 1) % 5_000));
    }
    let mut documents = read("fleet", "a.yaml", text.as_bytes());
    documents.settle(Known { all_documents: true, ..Known::default() });
    assert_eq!((documents.applications.len(), documents.problems.len()), (0, 1));
}

#[test]
fn the_validator_serves_schemas_that_are_not_ours() {
    let schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/Config", "definitions": {"Config": {
        "type": "object", "additionalProperties": false, "required": ["name"], "x-vendor": 1,
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "size": {"oneOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]},
            "zones": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
        },
    }}});
    let validator = Validator::new(schema).unwrap();
    assert_eq!(validator.check(&json!({"name": "x", "size": 3, "zones": ["a", "b"]})), []);
    let told: Vec<String> =
        validator.check(&json!({"size": 0, "zones": ["c"]})).into_iter().map(|v| v.message).collect();
    assert_eq!(
        told,
        [
            "`name` is missing",
            "`size` has to be at least 1",
            "`zones` has to have at least 2 items",
            "`zones[0]` has to be one of a, b",
        ]
    );
}

const RIGHT: &str =
    "apiVersion: portolan.dev/v1alpha1\nkind: Config\nrepositories:\n  - {name: fleet, url: ./fleet}\n";

fn settings(instance: &str) -> String {
    format!("{RIGHT}instance: {instance}\n")
}

type Changes = mpsc::Receiver<Result<Config, Vec<portolan::model::document::Problem>>>;

async fn next(changes: &mut Changes) -> Result<String, String> {
    let change = tokio::time::timeout(Duration::from_secs(10), changes.recv())
        .await
        .expect("a change is told in time")
        .expect("the watch goes on");
    change.map(|config| config.instance).map_err(|problems| problems[0].message.clone())
}

#[tokio::test]
async fn a_config_map_volume_is_followed_through_its_symlinks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // As the kubelet lays it out: file → ..data/file, ..data → ..<time>.
    let publish = |version: &str, text: &str| {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("portolan.yaml"), text).unwrap();
        std::os::unix::fs::symlink(version, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    publish("..1", &settings("one"));
    std::os::unix::fs::symlink("..data/portolan.yaml", at("portolan.yaml")).unwrap();

    let config = load(&at("portolan.yaml")).unwrap();
    assert_eq!(config.file, at("portolan.yaml"));
    let (sender, mut changes) = mpsc::channel(8);
    let _watch = watch(&config, sender).unwrap();
    publish("..2", &settings("two"));
    assert_eq!(next(&mut changes).await, Ok("two".into()));
    std::fs::remove_dir_all(at("..1")).unwrap();
    publish("..3", "kind: Config\nrepositries: []\n");
    assert_eq!(next(&mut changes).await, Err("`apiVersion` is missing".into()));
    publish("..4", &settings("two"));
    assert_eq!(next(&mut changes).await, Ok("two".into()), "a file that is right again says so");
    // What had the same content was told of once, and nothing is left over.
    publish("..5", &settings("two"));
    publish("..6", &settings("six"));
    assert_eq!(next(&mut changes).await, Ok("six".into()));
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn an_edited_file_is_read_again_and_a_touched_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portolan.yaml");
    std::fs::write(&file, settings("one")).unwrap();
    let config = load(&file).unwrap();
    // A change between reading and watching is not lost.
    std::fs::write(&file, settings("two")).unwrap();
    let (sender, mut changes) = mpsc::channel(8);
    let watched = watch(&config, sender).unwrap();
    assert_eq!(next(&mut changes).await, Ok("two".into()));

    // An editor that writes beside and renames.
    std::fs::write(folder.path().join(".portolan.yaml.swp"), settings("three")).unwrap();
    std::fs::rename(folder.path().join(".portolan.yaml.swp"), &file).unwrap();
    assert_eq!(next(&mut changes).await, Ok("three".into()));

    // Written in place, in two steps: no tale of a half file.
    std::fs::write(&file, "apiVersion: portolan.dev/v1alpha1\n").unwrap();
    std::fs::write(&file, settings("four")).unwrap();
    assert_eq!(next(&mut changes).await, Ok("four".into()));

    // Touched, then changed: the first thing told is the change.
    std::fs::write(&file, settings("four")).unwrap();
    std::fs::write(folder.path().join("other"), "x").unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(next(&mut changes).await.is_err_and(|message| message.contains("cannot be read")));
    std::fs::write(&file, settings("five")).unwrap();
    assert_eq!(next(&mut changes).await, Ok("five".into()));

    drop(watched);
    assert!(
        tokio::time::timeout(Duration::from_secs(10), changes.recv())
            .await
            .expect("dropping ends the watch")
            .is_none()
    );
}
