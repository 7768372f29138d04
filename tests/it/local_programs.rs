//! Finding and building the control plane's programs: which one is taken, and every way it can fail.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use portolan::local::{ControlPlane, Error, Places, Release, programs_in};
use tempfile::TempDir;

use crate::support::control_plane::{is_empty, kubectl_ok, options, places, progress, start};

/// A folder of programs as `KUBEBUILDER_ASSETS` has it: the real API server, and a script as etcd.
async fn assets_with_etcd(folder: &TempDir, script: &str) -> PathBuf {
    let real = programs_in(&places(folder), Release::default_release(), &mut progress()).await.unwrap();
    let assets = folder.path().join("assets");
    fs::create_dir_all(&assets).unwrap();
    symlink(&real.kube_apiserver, assets.join("kube-apiserver")).unwrap();
    executable(&assets.join("etcd"), &script.replace("REAL", real.etcd.to_str().unwrap()));
    assets
}

fn executable(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_program_that_does_not_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let assets = assets_with_etcd(&folder, "echo the disk is on fire >&2; exit 3").await;
    let places = Places { assets: Some(assets), ..places(&folder) };
    let error = ControlPlane::start_in(&places, options(), &mut progress()).await.unwrap_err().to_string();
    assert!(error.contains("etcd exited with code 3"), "{error}");
    assert!(error.contains("the disk is on fire"), "{error}");
    assert!(is_empty(&places.instances));
}

#[tokio::test]
async fn a_port_that_somebody_took_meanwhile_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("second-time");
    let script = format!(
        "if [ -e {0} ]; then exec REAL \"$@\"; fi\ntouch {0}; echo 'bind: address already in use' >&2; exit 1",
        marker.display()
    );
    let assets = assets_with_etcd(&folder, &script).await;
    let places = Places { assets: Some(assets), ..places(&folder) };
    let cp = start(&places, options()).await;
    assert!(marker.exists());
    kubectl_ok(&cp, &["get", "nodes"]).await;
    cp.stop().await.unwrap();
}

#[tokio::test]
async fn assets_of_another_minor_are_not_mixed_in() {
    let folder = tempfile::tempdir().unwrap();
    let assets = folder.path().join("assets");
    fs::create_dir_all(&assets).unwrap();
    executable(&assets.join("kube-apiserver"), "echo Kubernetes v1.19.2");
    executable(&assets.join("helm"), "true");
    let places = Places { assets: Some(assets.clone()), ..places(&folder) };
    let programs = programs_in(&places, Release::default_release(), &mut progress()).await.unwrap();
    assert!(!programs.kube_apiserver.starts_with(&assets), "{programs:?}");
    assert_eq!(programs.helm, assets.join("helm"));
    executable(&assets.join("kube-apiserver"), "echo Kubernetes v1.36.0");
    let programs = programs_in(&places, Release::default_release(), &mut progress()).await.unwrap();
    assert_eq!(programs.kube_apiserver, assets.join("kube-apiserver"));
    assert!(!programs.etcd.starts_with(&assets), "missing there, so it comes from the cache");
}

/// Looks for the programs with an empty cache and a PATH that holds only what the test put there.
async fn build_error(folder: &TempDir, path: &Path, environment: Vec<(String, OsString)>) -> Error {
    let places = Places {
        cache: folder.path().join("cache"),
        assets: None,
        path: path.into(),
        go_environment: environment,
        ..places(folder)
    };
    let error = programs_in(&places, Release::default_release(), &mut |_| {}).await.unwrap_err();
    let left = places.cache.join("control-plane");
    let visible = |name: &std::ffi::OsStr| !name.to_string_lossy().ends_with(".lock");
    let rest: Vec<_> = fs::read_dir(left)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name()).filter(|name| visible(name)).collect())
        .unwrap_or_default();
    assert!(rest.is_empty(), "a failed build left {rest:?}");
    error
}

#[tokio::test]
async fn without_go_the_message_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let error = build_error(&folder, Path::new(""), vec![]).await.to_string();
    for part in
        ["Install Go 1.26", "https://go.dev/doc/install", "KUBEBUILDER_ASSETS", "kube-apiserver", "helm"]
    {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_failed_download_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let go = which("go");
    let environment = vec![
        ("GOPROXY".to_owned(), "off".into()),
        ("GOMODCACHE".to_owned(), folder.path().join("modules").into()),
    ];
    let error = build_error(&folder, go.parent().unwrap(), environment).await;
    assert!(matches!(error, Error::Download { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("GOPROXY") && error.contains("module lookup disabled"), "{error}");
}

fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()).unwrap()
}

/// A stand-in for go that answers the first questions and then does what the test wants.
async fn stand_in_error(version: &str, script: &str) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("path");
    fs::create_dir_all(&path).unwrap();
    let script =
        format!("case $1 in\nenv) echo {version}; echo local;;\nlist) echo fmt;;\n*) {script};;\nesac");
    executable(&path.join("go"), &script);
    build_error(&folder, &path, vec![]).await
}

#[tokio::test]
async fn an_old_go_is_named_with_its_version() {
    let error = stand_in_error("go1.19.8", "true").await;
    assert!(matches!(&error, Error::GoTooOld { found, .. } if found == "1.19.8"), "{error}");
    assert!(error.to_string().contains("GOTOOLCHAIN"), "{error}");
}

#[tokio::test]
async fn a_full_disk_says_how_much_is_needed_and_where() {
    let full = "echo '/x/b001/_pkg_.a: write: no space left on device' >&2; exit 1";
    let error = stand_in_error("go1.26.8", full).await;
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("GOCACHE"), "{error}");
}

#[tokio::test]
async fn a_broken_build_shows_the_last_twenty_lines() {
    let script =
        "for i in $(seq 1 50); do echo \"x.go:$i:1: undefined\" >&2; echo a/package >&2; done; exit 2";
    let error = stand_in_error("go1.26.8", script).await;
    assert!(matches!(&error, Error::Build { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("x.go:50:1") && error.contains("x.go:31:1"), "{error}");
    assert!(!error.contains("x.go:30:1") && !error.contains("a/package"), "{error}");
}
