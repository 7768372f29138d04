//! The program as a person runs it: output, exit codes, and the demo.

use crate::support::daemon::{Daemon, application, config_map};
use serde_json::Value;
use std::process::{Command, Output};

fn portolan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portolan")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn every_command_has_a_help_text() {
    let help = text(&portolan(&["--help"]).stdout);
    for command in [
        "run",
        "plan",
        "sync",
        "status",
        "render",
        "check",
        "approve",
        "restore",
        "local",
        "migrate",
        "demo",
        "schema",
        "version",
        "completions",
    ] {
        assert!(help.contains(&format!("  {command} ")), "{command} is not in:\n{help}");
        let output = portolan(&[command, "--help"]);
        assert_eq!(code(&output), 0, "{command}");
    }
}

#[test]
fn output_for_programs_is_json() {
    let schema: Value = serde_json::from_slice(&portolan(&["schema"]).stdout).unwrap();
    assert!(schema.is_object());
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example");
    let report = portolan(&["check", example, "--output", "json"]);
    assert_eq!(code(&report), 0, "{}", text(&report.stdout));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["applications"], 2);
    assert!(!text(&portolan(&["completions", "bash"]).stdout).is_empty());
    assert_eq!(text(&portolan(&["version"]).stdout).trim(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    std::fs::write(
        &file,
        "apiVersion: portolan.dev/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec:\n  path: x\n  namespcae: y\n",
    )
    .unwrap();
    let output = portolan(&["check", file.to_str().unwrap()]);
    let said = text(&output.stdout);
    assert_eq!(code(&output), 1, "{said}");
    assert!(
        said.contains("a.yaml:6:3") && said.contains("namespcae") && said.contains("`namespace`"),
        "{said}"
    );

    let missing = portolan(&["--config", "/nonexistent/portolan.yaml", "status"]);
    assert_eq!(code(&missing), 3);
    assert!(text(&missing.stderr).contains("/nonexistent/portolan.yaml"));
    assert_eq!(code(&portolan(&["schema", "Aplication"])), 2);
    assert_eq!(code(&portolan(&["fly"])), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_shows_the_change_as_the_server_would_make_it_and_writes_nothing() {
    let mut daemon = Daemon::new(&[
        ("portolan/a.yaml", &application("a", "")),
        ("apps/a/one.yaml", &config_map("one", "k: v")),
        (
            "apps/a/two.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: two}\nstringData: {password: hunter2}\n",
        ),
    ])
    .await;
    let file = daemon.config_file();
    let config = file.to_str().unwrap();

    let new = portolan(&["--config", config, "plan"]);
    let said = text(&new.stdout);
    assert_eq!(code(&new), 1, "{said}{}", text(&new.stderr));
    assert!(said.contains("2 to create"), "{said}");
    assert!(daemon.object("configmap", "one").await.is_none());

    daemon.start().await;
    daemon.settled("a", "").await;
    let same = portolan(&["--config", config, "plan"]);
    assert_eq!(code(&same), 0, "{}", text(&same.stdout));

    daemon.repo.git(&["branch", "change", "main"]);
    let changed = [
        ("apps/a/one.yaml", config_map("one", "k: w")),
        (
            "apps/a/two.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: two}\nstringData: {password: other}\n".into(),
        ),
    ];
    daemon.repo.commit("change", &changed.each_ref().map(|(path, text)| (*path, text.as_str())));
    let plan = portolan(&["--config", config, "plan", "a", "--revision", "change"]);
    let said = text(&plan.stdout);
    assert_eq!(code(&plan), 1, "{said}{}", text(&plan.stderr));
    assert!(said.contains("data.k: v -> w") || said.contains("data.k: \"v\" -> \"w\""), "{said}");
    assert!(
        said.contains("sensitive") && !said.contains("hunter2") && !said.contains("aHVudGVyMg"),
        "{said}"
    );
    assert_eq!(daemon.object("configmap", "one").await.unwrap()["data"]["k"], "v");

    let rendered = portolan(&["--config", config, "render", "a"]);
    let said = text(&rendered.stdout);
    assert!(said.contains("kind: ConfigMap") && !said.contains("aHVudGVyMg"), "{said}");

    // Nothing that could not be looked at passes for nothing to change.
    let nowhere = portolan(&["--config", config, "plan", "--revision", "no-such-branch"]);
    assert_eq!(code(&nowhere), 4, "{}", text(&nowhere.stdout));
    assert!(text(&nowhere.stderr).contains("no-such-branch"), "{}", text(&nowhere.stderr));
    let wrong = [
        ("portolan/b.yaml", application("b", "syncc: {}")),
        ("apps/a/one.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {k: 1}\n".into()),
    ];
    daemon.repo.commit("change", &wrong.each_ref().map(|(path, text)| (*path, text.as_str())));
    let plan = portolan(&["--config", config, "plan", "--revision", "change"]);
    let said = format!("{}{}", text(&plan.stdout), text(&plan.stderr));
    assert_eq!(code(&plan), 3, "{said}");
    assert!(said.contains("portolan/b.yaml:") && said.contains("syncc"), "the document is refused: {said}");
    assert!(said.contains("would be refused") && said.contains(".data.k"), "by the server: {said}");

    // The daemon answers through its state.
    let status = portolan(&["--config", config, "status", "--output", "json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status[0]["name"], "a");
    let sync = portolan(&["--config", config, "sync", "a"]);
    assert_eq!(code(&sync), 0, "{}", text(&sync.stderr));
    daemon.stop().await;
}

#[test]
fn every_chapter_of_the_demo_holds() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(["demo", "--output", "json"])
        .env("PORTOLAN_LOCAL_DIR", folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    let story: Vec<Value> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(story.len(), 6);
    for chapter in &story {
        assert_eq!(chapter["held"], true, "{chapter:#}");
    }
    assert_eq!(code(&output), 0, "{said}");
}
