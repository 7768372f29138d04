//! Fetching from real servers: `git http-backend` over HTTP and HTTPS, and OpenSSH's sshd.

use crate::support::git_repo::{TestMirror, TestRepo};
use crate::support::git_server::{Access, HttpServer, Sshd, silent_server};
use hyper::StatusCode;
use portolan::git::{Credentials, GitError, Phase};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A value that must never be shown.
const SECRET: &str = "hunter2-Zm9vYmFy";

fn small() -> TestRepo {
    TestRepo::with(&[("a.yaml", "a: 1\n")])
}

/// `Basic` for the user `me` and the secret.
fn basic() -> Access {
    Access::Authorization("Basic bWU6aHVudGVyMi1abTl2WW1GeQ==".into())
}

/// No form of an error shows the secret.
fn assert_silent(error: &GitError) {
    let shown = format!("{error} {error:?} {}", serde_json::to_string(error).unwrap());
    assert!(!shown.contains(SECRET) && !shown.contains("bWU6aHVudGVyMi1abTl2WW1GeQ"), "{shown}");
}

#[tokio::test]
async fn http_without_credentials() {
    let repo = small();
    let server = HttpServer::http(repo.root(), Access::Everybody).await;
    let mirror = TestMirror::of(&server.address());
    let first = mirror.fetched().await.resolve(None).unwrap();
    let commit = repo.commit("main", &[("a.yaml", "a: 2\n")]);
    let outcome = mirror.fetch().await.unwrap();
    assert!(
        outcome.changed && outcome.bytes > 0 && outcome.head.as_deref() == Some("refs/heads/main"),
        "{outcome:?}"
    );
    let second = mirror.request.mirror.reader().unwrap().resolve(None).unwrap();
    assert_ne!(first, second);
    assert_eq!(second.commit, commit);
    let idle = mirror.fetch().await.unwrap();
    assert_eq!((idle.changed, idle.bytes), (false, 0));
    assert_eq!(server.authorised.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_empty_repository_over_http() {
    let repo = TestRepo::empty();
    let server = HttpServer::http(repo.root(), Access::Everybody).await;
    let error = TestMirror::of(&server.address()).fetched().await.resolve(None).unwrap_err();
    assert!(matches!(error, GitError::Empty { .. }), "{error}");
}

#[tokio::test]
async fn basic_authentication_is_offered_once() {
    let repo = small();
    let server = HttpServer::http(repo.root(), basic()).await;
    let mut mirror = TestMirror::of(&server.address());
    let error = mirror.fetch().await.unwrap_err();
    assert!(
        matches!(&error, GitError::AuthenticationFailed { detail, .. } if detail.contains("has none")),
        "{error}"
    );
    mirror.request.credentials = Credentials::basic("me", &format!("{SECRET}\n"));
    mirror.fetch().await.unwrap();
    let server = HttpServer::http(repo.root(), Access::Authorization("Basic other".into())).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.request.credentials = Credentials::basic("me", SECRET);
    let error = mirror.fetch().await.unwrap_err();
    assert!(
        matches!(&error, GitError::AuthenticationFailed { detail, .. } if detail.contains("user `me`")),
        "{error}"
    );
    assert_eq!(server.refused.load(Ordering::SeqCst), 1, "a password that was refused is not sent again");
    assert_silent(&error);
}

#[tokio::test]
async fn a_bearer_token_is_sent_and_a_wrong_one_is_said() {
    let repo = small();
    let server = HttpServer::http(repo.root(), Access::Authorization(format!("Bearer {SECRET}"))).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.request.credentials = Credentials::bearer(&format!("{SECRET}\n"));
    mirror.fetch().await.unwrap();
    assert!(!format!("{:?}", mirror.request).contains(SECRET));
    let server = HttpServer::http(repo.root(), Access::Authorization("Bearer other".into())).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.request.credentials = Credentials::bearer(SECRET);
    let error = mirror.fetch().await.unwrap_err();
    assert!(
        matches!(&error, GitError::AuthenticationFailed { detail, .. } if detail.contains("bearer")),
        "{error}"
    );
    assert_eq!(server.refused.load(Ordering::SeqCst), 1);
    assert_silent(&error);
}

#[tokio::test]
async fn an_own_authority_is_trusted_only_where_it_is_named() {
    let repo = small();
    let server = HttpServer::https(repo.root(), basic()).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.request.credentials = Credentials::basic("me", SECRET);
    let error = mirror.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Certificate { .. }), "{error}");
    assert_eq!(
        server.authorised.load(Ordering::SeqCst),
        0,
        "nothing is said to a server that is not trusted"
    );
    let authority = mirror.folder.path().join("ca.pem");
    std::fs::write(&authority, server.authority.as_ref().unwrap()).unwrap();
    mirror.request.ca_file = Some(authority.clone());
    mirror.fetch().await.unwrap();
    // A certificate of a trusted authority, but for another name.
    let other = HttpServer::https_as("other.test", repo.root(), Access::Everybody).await;
    let mut misnamed = TestMirror::of(&other.address());
    std::fs::write(&authority, other.authority.as_ref().unwrap()).unwrap();
    misnamed.request.ca_file = Some(authority.clone());
    let error = misnamed.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Certificate { .. }), "{error}");
    // An authority, but another.
    assert!(matches!(mirror.fetch().await, Err(GitError::Certificate { .. })));
    std::fs::write(&authority, "nothing").unwrap();
    assert!(matches!(mirror.fetch().await, Err(GitError::CaFile { .. })));
    mirror.request.ca_file = Some("/nonexistent/ca.pem".into());
    assert!(matches!(mirror.fetch().await, Err(GitError::CaFile { .. })));
}

#[tokio::test]
async fn statuses_and_redirects_become_clear_errors() {
    let repo = small();
    let of_status = async |status: StatusCode| {
        let server = HttpServer::http(repo.root(), Access::Status(status)).await;
        TestMirror::of(&server.address()).fetch().await.unwrap_err()
    };
    assert!(matches!(of_status(StatusCode::NOT_FOUND).await, GitError::NotFound { .. }));
    assert!(matches!(of_status(StatusCode::FORBIDDEN).await, GitError::AuthenticationFailed { .. }));
    let error = of_status(StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(matches!(error, GitError::Server { .. }) && error.is_transient(), "{error}");
    let absent = HttpServer::http(repo.root(), Access::Everybody).await;
    let error = TestMirror::of(&absent.address().replace("shop.git", "other.git")).fetch().await.unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
    // Without credentials a redirect is followed; with them it is not, for it would carry them to another host.
    let target = HttpServer::http(repo.root(), Access::Everybody).await;
    let elsewhere = format!("http://127.0.0.1:{}", target.port);
    let server = HttpServer::http(repo.root(), Access::Redirect(elsewhere)).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.fetch().await.unwrap();
    for credentials in [Credentials::bearer(SECRET), Credentials::basic("me", SECRET)] {
        mirror.request.credentials = credentials;
        let error = mirror.fetch().await.unwrap_err();
        assert!(
            matches!(&error, GitError::Redirected { detail, .. } if detail.contains("127.0.0.1")),
            "{error}"
        );
        assert_silent(&error);
    }
    assert_eq!(target.authorised.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_or_never_answers_does_not_hold_us() {
    let repo = small();
    let server = HttpServer::http(repo.root(), Access::Everybody).await;
    let address = server.address();
    let mirror = TestMirror::of(&address);
    let last = mirror.fetched().await.resolve(None).unwrap();
    drop(server);
    // Nothing listens any more: the last revision is still there.
    let error = loop {
        // The task that served ends in its own time.
        if let Err(error) = mirror.fetch().await {
            break error;
        }
    };
    assert!(matches!(error, GitError::Unreachable { .. }) && error.is_transient(), "{error}");
    assert_eq!(mirror.request.mirror.reader().unwrap().resolve(None).unwrap(), last);
    let error = TestMirror::of("https://no-such-host.invalid/shop").fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error}");
    let (port, task) = silent_server().await;
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nnone\n-----END OPENSSH PRIVATE KEY-----\n";
    for scheme in ["http", "https", "git", "ssh"] {
        let mut mirror = TestMirror::of(&format!("{scheme}://127.0.0.1:{port}/shop"));
        mirror.limits.connect = Duration::from_millis(500);
        if scheme == "ssh" {
            mirror.request.credentials = Credentials::ssh_key(key, None);
        }
        let started = Instant::now();
        let error = mirror.fetch().await.unwrap_err();
        assert!(matches!(error, GitError::Timeout { phase: Phase::Connecting, .. }), "{scheme}: {error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{scheme}: {:?}", started.elapsed());
    }
    task.abort();
}

/// The fetch children of this process, as process ids.
fn fetch_children() -> Vec<u32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.flat_map(|task| {
        std::fs::read_to_string(task.path().join("children"))
            .unwrap_or_default()
            .split_whitespace()
            .map(|pid| pid.parse().unwrap())
            .collect::<Vec<u32>>()
    });
    let is_fetch = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("__fetch"))
    };
    children.filter(is_fetch).collect()
}

#[tokio::test]
async fn no_secret_is_in_the_arguments_or_the_environment_of_a_child_that_hangs() {
    let (port, task) = silent_server().await;
    let mut mirror = TestMirror::of(&format!("http://127.0.0.1:{port}/shop"));
    mirror.request.credentials = Credentials::basic("me", SECRET);
    let folder = mirror.request.mirror.folder().to_owned();
    let fetching = tokio::spawn(async move { mirror.fetch().await });
    // The child is at work when it holds the mirror.
    let lock = loop {
        assert!(!fetching.is_finished(), "{:?}", fetching.await);
        match std::fs::File::open(folder.join("lock")) {
            Ok(lock) if lock.try_lock().is_err() => break lock,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let children = fetch_children();
    assert!(!children.is_empty());
    for pid in children {
        for file in ["cmdline", "environ"] {
            let content = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&content);
            assert!(!text.contains(SECRET), "{file}");
            assert!(file != "environ" || !text.contains("PATH="), "the environment is not inherited: {text}");
        }
    }
    // A caller that goes away takes the child with it, whereupon the mirror is free.
    let started = Instant::now();
    fetching.abort();
    assert!(fetching.await.is_err());
    lock.lock().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    task.abort();
}

#[tokio::test]
async fn too_many_bytes_end_the_fetch() {
    let repo = TestRepo::empty();
    // Text that does not compress.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    repo.commit_bytes("main", &[("noise", &noise.take(3 << 20).collect::<Vec<u8>>())]);
    let server = HttpServer::http(repo.root(), Access::Everybody).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.limits.bytes = 1 << 20;
    let error = mirror.fetch().await.unwrap_err();
    assert!(matches!(&error, GitError::TooLarge { limit, .. } if limit == "1 MiB"), "{error}");
    assert!(matches!(mirror.request.mirror.reader().unwrap().resolve(None), Err(GitError::Empty { .. })));
}

#[tokio::test]
async fn a_commit_that_no_branch_reaches_is_fetched_by_its_id_where_the_server_gives_it() {
    let repo = small();
    let lone = repo.git(&["commit-tree", "main^{tree}", "-m", "lone"]);
    let server = HttpServer::http(repo.root(), Access::Everybody).await;
    let mut mirror = TestMirror::of(&server.address());
    mirror.request.commits = vec![lone.clone()];
    let error = mirror.fetched().await.resolve(Some(&lone)).unwrap_err();
    assert!(matches!(error, GitError::ReferenceNotFound { .. }), "{error}");
    repo.allow_any_commit();
    assert_eq!(mirror.fetched().await.resolve(Some(&lone)).unwrap().commit, lone);
    // It is there now, and is not asked for again.
    assert_eq!(mirror.fetch().await.unwrap().bytes, 0);
}

#[tokio::test]
async fn two_mirrors_are_fetched_side_by_side_and_one_mirror_in_turn() {
    let (a, b) = (small(), small());
    let (server_a, server_b) = tokio::join!(
        HttpServer::http(a.root(), Access::Everybody),
        HttpServer::http(b.root(), Access::Everybody)
    );
    let (first, second) = (TestMirror::of(&server_a.address()), TestMirror::of(&server_b.address()));
    let (x, y, z) = tokio::join!(first.fetch(), second.fetch(), first.fetch());
    assert_eq!(x.unwrap().refs, z.unwrap().refs);
    assert_eq!(y.unwrap().refs.len(), 1);
}

#[tokio::test]
async fn credentials_that_do_not_fit_the_address_are_refused_before_anything_is_sent() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
    for (address, credentials) in [
        ("ssh://git@localhost:1/shop", Credentials::None),
        ("ssh://git@localhost:1/shop", Credentials::bearer(SECRET)),
        ("https://localhost:1/shop", Credentials::ssh_key(key, None)),
        ("https://localhost:1/shop", Credentials::bearer(&format!("{SECRET}\r\nX-Other: 1"))),
        ("ssh://git@localhost:1/shop", Credentials::ssh_key(SECRET, None)),
    ] {
        let mut mirror = TestMirror::of(address);
        mirror.request.credentials = credentials;
        let error = mirror.fetch().await.unwrap_err();
        assert!(matches!(error, GitError::Credentials { .. }), "{error}");
        assert_silent(&error);
    }
}

#[tokio::test]
async fn ssh_with_a_pinned_host_key() {
    let Some(sshd) = Sshd::start() else { return };
    let repo = small();
    let mut mirror = TestMirror::of(&sshd.address(&repo));
    mirror.request.credentials = Credentials::ssh_key(&sshd.private_key("user_ed25519"), None);
    for pinned in ["host_ed25519", "host_rsa"] {
        mirror.request.known_hosts = sshd.known_hosts(pinned);
        let outcome = mirror.fetch().await;
        assert!(outcome.is_ok(), "{pinned}: {outcome:?}");
    }
    let commit = repo.commit("main", &[("a.yaml", "a: 2\n")]);
    assert_eq!(mirror.fetched().await.resolve(None).unwrap().commit, commit);
    let mut locked = TestMirror::of(&sshd.address(&repo));
    locked.request.known_hosts = sshd.known_hosts("host_ed25519");
    locked.request.credentials =
        Credentials::ssh_key(&sshd.private_key("locked_ed25519"), Some("open sesame\n"));
    locked.fetch().await.unwrap();
    for passphrase in [None, Some("wrong")] {
        locked.request.credentials = Credentials::ssh_key(&sshd.private_key("locked_ed25519"), passphrase);
        let error = locked.fetch().await.unwrap_err();
        assert!(
            matches!(&error, GitError::Credentials { reason, .. } if reason.contains("passphrase")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn ssh_host_keys_that_are_unknown_or_changed_are_refused_with_both_fingerprints() {
    let Some(sshd) = Sshd::start() else { return };
    let repo = small();
    let mut mirror = TestMirror::of(&sshd.address(&repo));
    mirror.request.credentials = Credentials::ssh_key(&sshd.private_key("user_ed25519"), None);
    let error = mirror.fetch().await.unwrap_err();
    assert!(matches!(&error, GitError::HostKey { expected, .. } if expected.is_empty()), "{error}");
    // The same kind of key, but another; and a kind that the server does not have at all.
    mirror.request.known_hosts = sshd.known_hosts("other_ed25519");
    let error = mirror.fetch().await.unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains(&sshd.fingerprint("host_ed25519")), "{sentence}");
    assert!(sentence.contains(&sshd.fingerprint("other_ed25519")), "{sentence}");
    assert!(sentence.contains(&format!("[localhost]:{}", sshd.port)), "{sentence}");
    mirror.request.known_hosts = sshd.known_hosts("other_ecdsa");
    let error = mirror.fetch().await.unwrap_err();
    assert!(matches!(&error, GitError::HostKey { expected, .. } if expected.len() == 1), "{error}");
    assert!(error.to_string().contains("SHA256:"), "{error}");
    // A key pinned for another port says nothing about this one.
    mirror.request.known_hosts = sshd.known_hosts("host_ed25519").replace(&sshd.port.to_string(), "22");
    assert!(matches!(mirror.fetch().await, Err(GitError::HostKey { .. })));
}

#[tokio::test]
async fn ssh_keys_and_repositories_that_the_server_does_not_know() {
    let Some(sshd) = Sshd::start() else { return };
    let repo = small();
    let mut mirror = TestMirror::of(&sshd.address(&repo));
    mirror.request.known_hosts = sshd.known_hosts("host_ed25519");
    mirror.request.credentials = Credentials::ssh_key(&sshd.private_key("stranger_ed25519"), None);
    let error = mirror.fetch().await.unwrap_err();
    assert!(
        matches!(&error, GitError::AuthenticationFailed { detail, .. } if detail.contains("SSH key")),
        "{error}"
    );
    assert_eq!(sshd.refused_keys(), 1, "a key that was refused is not offered again");
    let mut absent = TestMirror::of(&(sshd.address(&repo) + "-other"));
    absent.request.known_hosts = sshd.known_hosts("host_ed25519");
    absent.request.credentials = Credentials::ssh_key(&sshd.private_key("user_ed25519"), None);
    let error = absent.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
}
