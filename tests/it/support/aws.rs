//! Whether this machine can have the local AWS, and its Python for tests that bring a client of their own.

use std::io::Write as _;
use std::path::PathBuf;

use portolan::local::Places;
use portolan::local::aws::{Python, service_model};
use tokio::sync::OnceCell;

use super::control_plane::progress;

/// Leaves the test when this machine has no Python and cannot fetch one: said loudly, for it is no success.
/// Everywhere else what is missing is set up, and a failure to do so fails the test.
macro_rules! needs_aws {
    () => {
        if !crate::support::aws::can_be_had().await {
            return;
        }
    };
}
pub(crate) use needs_aws;

/// Whether moto is installed, or can be.
pub async fn can_be_had() -> bool {
    static FOUND: OnceCell<Option<String>> = OnceCell::const_new();
    let find = || async {
        match service_model(&Places::from_env().unwrap(), &mut progress()).await {
            Ok(_) => None,
            Err(error) if error.lacks_python() => Some(error.to_string()),
            Err(error) => panic!("{error}"),
        }
    };
    let Some(why) = FOUND.get_or_init(find).await else { return true };
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not by a macro: those are captured, and nobody would see it.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED {test}: {why}\n");
    false
}

/// The Python that moto runs on.
pub async fn python() -> Python {
    Python::ensure(&Places::from_env().unwrap(), &mut progress())
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A folder for PYTHONPATH with these packages (`name==version`), installed once in the cache: independent judges of what
/// we write and serve, with a botocore of their own.
pub async fn packages(pinned: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = ONE_AT_A_TIME.lock().await;
    let root = Places::from_env().unwrap().cache.join("aws");
    let name = pinned.join("_").replace("==", "-");
    let folder = root.join(format!("judges-{name}"));
    if !folder.is_dir() {
        let staging = root.join(format!(".judges-{name}-{}", std::process::id()));
        let mut pip = python().await.pip();
        pip.args(["install", "--disable-pip-version-check", "--no-input", "--quiet", "--target"]);
        let output = pip.arg(&staging).args(pinned).kill_on_drop(true).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Another test process may have been faster: the same packages.
        if std::fs::rename(&staging, &folder).is_err() {
            std::fs::remove_dir_all(&staging).unwrap();
        }
    }
    folder
}
