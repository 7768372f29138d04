//! How moto is installed: with what is there, once, and with a clear word when it cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portolan::local::Places;
use portolan::local::aws::{Error, service_model};
use tempfile::TempDir;

use crate::support::control_plane::{places, progress};

/// Folders with nothing in them, and a PATH with nothing but a `python3` of our own, if any.
fn with_python(folder: &TempDir, script: Option<&str>) -> Places {
    let bin = folder.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    if let Some(script) = script {
        let path = bin.join("python3");
        fs::write(
            &path,
            format!("#!/bin/sh\nPATH=/usr/bin:/bin\necho \"$@\" >> {}\n{script}\n", log(folder).display()),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    Places { cache: folder.path().join("cache"), path: bin.into(), ..places(folder) }
}

fn log(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("calls")
}

async fn refused(script: Option<&str>) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let places = with_python(&folder, script);
    let error = service_model(&places, &mut progress()).await.unwrap_err();
    let left: Vec<_> = fs::read_dir(places.cache.join("aws"))
        .map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().file_name()).collect());
    assert!(left.iter().all(|name| name == ".moto.lock"), "{left:?}");
    error
}

/// A Python whose virtual environments lack pip, as Debian has it without `python3-venv`.
const DEBIAN: &str = r#"
case "$*" in
  *version_info*) echo 3.12 ;;
  "-m venv "*) mkdir -p "$4/bin"; echo "ensurepip is not available" >&2; exit 1 ;;
  "-m pip --version") PIP ;;
  "-m pip install "*)
    while [ $# -gt 0 ]; do
      if [ "$1" = --target ]; then target=$2; fi
      shift
    done
    echo "Collecting moto==5.2.5 (from -r requirements.txt)"
    mkdir -p "$target/botocore/data/eks/2017-11-01"
    echo '{"metadata": {}}' > "$target/botocore/data/eks/2017-11-01/service-2.json" ;;
esac
"#;

#[tokio::test]
async fn without_a_python_the_error_says_what_to_install() {
    let error = refused(None).await;
    assert!(matches!(&error, Error::NoPython { found, .. } if found.contains("not on PATH")), "{error}");
    assert!(error.to_string().contains("apt install python3"), "{error}");
    let error = refused(Some("echo 3.8")).await;
    assert!(matches!(&error, Error::NoPython { found, .. } if found.contains("\"3.8\"")), "{error}");
}

#[tokio::test]
async fn without_anything_to_install_with_the_error_names_both_ways() {
    let error = refused(Some(&DEBIAN.replace("PIP", "echo No module named pip >&2; exit 1"))).await;
    let told = error.to_string();
    assert!(matches!(error, Error::NoInstaller { .. }), "{told}");
    for words in ["python3-venv", "ensurepip is not available", "No module named pip"] {
        assert!(told.contains(words), "{told}");
    }
}

#[tokio::test]
async fn a_failed_download_is_told_with_its_last_lines_and_leaves_nothing() {
    let script = DEBIAN
        .replace("PIP", "true")
        .replace("echo \"Collecting", "echo no route to host >&2; exit 1; echo \"");
    let error = refused(Some(&script)).await;
    let told = error.to_string();
    assert!(matches!(error, Error::Install { .. }), "{told}");
    assert!(told.contains("no route to host") && told.contains("PIP_INDEX_URL"), "{told}");
}

#[tokio::test]
async fn an_incomplete_venv_module_is_no_hindrance_and_two_install_once() {
    let folder = tempfile::tempdir().unwrap();
    let places = with_python(&folder, Some(&DEBIAN.replace("PIP", "echo pip 24.0")));
    let (mut first, mut second) = (progress(), progress());
    let (one, two) = tokio::join!(service_model(&places, &mut first), service_model(&places, &mut second));
    assert_eq!(one.unwrap(), two.unwrap());
    let again = service_model(&places, &mut progress()).await.unwrap();
    assert!(Path::new(&again).is_file());
    assert!(
        !again.parent().unwrap().with_file_name("bin").exists(),
        "what the attempt left would be taken for an environment"
    );
    let calls = fs::read_to_string(log(&folder)).unwrap();
    assert_eq!(calls.lines().filter(|call| call.contains("pip install")).count(), 1, "{calls}");
}
