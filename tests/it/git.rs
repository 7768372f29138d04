//! Repositories on this machine: mirrors, references, fetches and their child.

use crate::support::git_repo::{TestMirror, TestRepo, clean_git, program};
use portolan::git::{GitError, Phase, TreeFilter, TreeLimits, watch_local};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

const LIMITS: TreeLimits =
    TreeLimits { entries: 100_000, depth: 64, file_bytes: 10 << 20, total_bytes: 512 << 20 };

#[tokio::test]
async fn every_kind_of_reference_is_found() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let first = repo.git(&["rev-parse", "main"]);
    for (tag, message) in [("v1.0.0", "annotated"), ("v1.2.0", "annotated"), ("v2.0.0-rc.1", "annotated")] {
        repo.git(&["tag", "-a", tag, "-m", message, "main"]);
    }
    let second = repo.commit("main", &[("a.yaml", "a: 2\n")]);
    repo.git(&["tag", "1.10.0", "main"]);
    repo.git(&["tag", "nested", "v1.0.0"]);
    repo.git(&["tag", "a-tree", "main^{tree}"]);
    repo.git(&["branch", "feature/x", &first]);
    repo.git(&["branch", "both", &first]);
    repo.git(&["tag", "both", &second]);
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let commit = |reference: &str| reader.resolve(Some(reference)).map(|r| r.commit);
    let table = [
        ("main", &second),
        ("feature/x", &first),
        ("refs/heads/main", &second),
        ("v1.0.0", &first),
        ("nested", &first),
        ("refs/tags/both", &second),
        ("1.x", &second),
        ("~1.2", &first),
        (">=1.0 <1.5", &first),
        ("1.2.0", &first),
        ("2.0.0-rc.1", &first),
        (first.as_str(), &first),
        (&first[..8], &first),
        (&first[..12].to_uppercase(), &first),
    ];
    for (reference, expected) in table {
        assert_eq!(commit(reference).as_ref(), Ok(expected), "{reference}");
    }
    let default = reader.resolve(None).unwrap();
    assert_eq!(
        (default.reference.as_str(), &default.commit, default.committed_at),
        ("main", &second, 1_700_000_000)
    );
    assert_eq!(default.subject, "change");
    assert!(matches!(commit("both"), Err(GitError::Ambiguous { candidates, .. }) if candidates.len() == 2));
    assert!(matches!(commit("a-tree"), Err(GitError::NotACommit { kind, .. }) if kind == "tree"));
    assert!(
        matches!(commit("mian"), Err(GitError::ReferenceNotFound { nearest, .. }) if nearest == ["`main`"])
    );
    for missing in ["9.x", &"0".repeat(40), "0000000", "refs/heads/nope", "feature"] {
        assert!(matches!(commit(missing), Err(GitError::ReferenceNotFound { .. })), "{missing}");
    }
}

#[tokio::test]
async fn rewritten_moved_and_deleted_branches_are_followed_and_old_commits_stay() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    repo.git(&["branch", "team", "main"]);
    let mirror = TestMirror::of_local(&repo);
    let early = mirror.fetched().await;
    let before = early.resolve(None).unwrap().commit;
    assert!(!mirror.fetch().await.unwrap().changed, "nothing new");
    // `main` is rewritten without the old commit, `team` gives way to a branch below its name.
    repo.git(&["update-ref", "-d", "refs/heads/main"]);
    let rewritten = repo.commit("main", &[("b.yaml", "b: 1\n")]);
    repo.git(&["branch", "-D", "team"]);
    repo.git(&["branch", "team/shop", "main"]);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["gc", "--quiet", "--prune=now"]);
    let outcome = mirror.fetch().await.unwrap();
    assert!(outcome.changed);
    assert_eq!(outcome.refs.keys().collect::<Vec<_>>(), ["refs/heads/main", "refs/heads/team/shop"]);
    let reader = mirror.request.mirror.reader().unwrap();
    assert_eq!(reader.refs().unwrap(), outcome.refs);
    assert_eq!(reader.resolve(None).unwrap().commit, rewritten);
    assert_eq!(early.resolve(None).unwrap().commit, rewritten, "a reader that was open sees the fetch");
    assert!(matches!(reader.resolve(Some("team")), Err(GitError::ReferenceNotFound { .. })));
    // What the cluster is on can still be read.
    let tree = reader.tree_id(&before, "").unwrap().unwrap();
    assert_eq!(reader.read_tree(&tree, &LIMITS, &TreeFilter::ALL).unwrap().files[0].path, "a.yaml");
    let fsck = clean_git(&mirror.request.mirror.folder().join("repo.git"))
        .args(["fsck", "--strict"])
        .output()
        .unwrap();
    assert!(fsck.status.success(), "{}", String::from_utf8_lossy(&fsck.stderr));
}

#[tokio::test]
async fn an_empty_repository_and_an_unnamed_default_branch_are_said() {
    let repo = TestRepo::empty();
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    assert!(matches!(reader.resolve(None), Err(GitError::Empty { .. })));
    assert!(matches!(reader.resolve(Some("main")), Err(GitError::Empty { .. })));
    repo.commit("trunk", &[("a.yaml", "a: 1\n")]);
    let error = mirror.fetched().await.resolve(None).unwrap_err();
    assert!(
        matches!(&error, GitError::NoDefaultBranch { branches, .. } if branches == &["trunk"]),
        "{error}"
    );
    repo.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    assert_eq!(mirror.fetched().await.resolve(None).unwrap().reference, "trunk");
    let commit = repo.git(&["rev-parse", "trunk"]);
    let later = repo.commit("trunk", &[("a.yaml", "a: 2\n")]);
    repo.git(&["update-ref", "--no-deref", "HEAD", &commit]);
    let detached = mirror.fetched().await.resolve(None).unwrap();
    assert_eq!(detached.commit, commit);
    assert_ne!(detached.commit, later);
}

#[tokio::test]
async fn a_fetch_that_needs_too_much_memory_ends_and_leaves_the_mirror_as_it_was() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let mut mirror = TestMirror::of_local(&repo);
    let before = mirror.fetched().await.resolve(None).unwrap();
    let after = repo.commit_bytes("main", &[("big.bin", &vec![0; 64 << 20])]);
    mirror.limits.memory = 48 << 20;
    let error = mirror.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Memory { limit_mib: 48, .. }), "{error}");
    assert_eq!(mirror.request.mirror.reader().unwrap().resolve(None).unwrap(), before);
    mirror.limits.memory = 1 << 30;
    assert_eq!(mirror.fetched().await.resolve(None).unwrap().commit, after);
}

#[tokio::test]
async fn a_damaged_mirror_is_said_and_fetched_anew() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let mut mirror = TestMirror::of_local(&repo);
    let commit = mirror.fetched().await.resolve(None).unwrap().commit;
    let packs = mirror.request.mirror.folder().join("repo.git/objects/pack");
    for file in std::fs::read_dir(&packs).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let reader = mirror.request.mirror.reader().unwrap();
    assert!(matches!(reader.resolve(None), Err(GitError::Corrupt { .. })));
    mirror.request.anew = true;
    assert_eq!(mirror.fetched().await.resolve(None).unwrap().commit, commit);
    let left: Vec<_> =
        std::fs::read_dir(mirror.request.mirror.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "repo.git, home and lock: {left:?}");
}

#[tokio::test]
async fn many_fetches_leave_few_packs_and_every_object() {
    let repo = TestRepo::empty();
    let mirror = TestMirror::of_local(&repo);
    let mut commits = Vec::new();
    for i in 0..60 {
        // Each commit stands alone, as after a rewrite: no branch reaches the ones before.
        if i > 0 {
            repo.git(&["update-ref", "-d", "refs/heads/main"]);
        }
        commits.push(repo.commit("main", &[("a.yaml", &format!("a: {i}\n"))]));
        mirror.fetch().await.unwrap();
    }
    let packs = std::fs::read_dir(mirror.request.mirror.folder().join("repo.git/objects/pack")).unwrap();
    let packs = packs.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "pack")).count();
    assert!(packs < 50, "{packs}");
    let reader = mirror.request.mirror.reader().unwrap();
    for (i, commit) in commits.iter().enumerate() {
        let tree = reader.tree_id(commit, "").unwrap().unwrap();
        let content = reader.read_tree(&tree, &LIMITS, &TreeFilter::ALL).unwrap();
        assert_eq!(content.files[0].content.as_ref(), format!("a: {i}\n").as_bytes());
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_ours_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = TestMirror::of(folder.path().join("nowhere").to_str().unwrap());
    let error = nowhere.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
    let plain = TestMirror::of(folder.path().to_str().unwrap());
    let error = plain.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    if std::os::unix::fs::chown(repo.path(), Some(65534), None).is_err() {
        eprintln!("skipped in part: only root can give a folder to another user");
        return;
    }
    let error = TestMirror::of_local(&repo).fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Owner { .. }), "{error}");
    assert!(matches!(watch_local(&repo.path(), || {}), Err(GitError::Owner { .. })));
}

#[tokio::test]
async fn a_program_that_is_no_fetch_child_is_said() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let mirror = TestMirror::of_local(&repo);
    for (other, words) in [
        ("/bin/false", "without an answer"),
        ("/nonexistent/portolan", "does not start"),
        ("/bin/echo", "cannot be read"),
    ] {
        let error = portolan::git::fetch(other.as_ref(), &mirror.request, &mirror.limits).await.unwrap_err();
        assert!(matches!(&error, GitError::Child { detail, .. } if detail.contains(words)), "{error}");
    }
    assert!(program().exists());
}

#[tokio::test]
async fn a_fetch_is_ended_at_its_time_limit_and_with_its_caller() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let mut mirror = TestMirror::of_local(&repo);
    mirror.fetched().await;
    // Another process holds the mirror, so that the fetch has to wait.
    let lock =
        std::fs::File::options().append(true).open(mirror.request.mirror.folder().join("lock")).unwrap();
    lock.lock().unwrap();
    mirror.limits.total = Duration::from_millis(300);
    let started = Instant::now();
    let error = mirror.fetch().await.unwrap_err();
    assert!(matches!(error, GitError::Timeout { phase: Phase::Fetching, .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(lock);
    mirror.limits.total = Duration::from_secs(60);
    mirror.fetch().await.unwrap();
}

#[tokio::test]
async fn a_child_whose_parent_is_gone_ends() {
    // The mirror is held, so that the child would wait for ever.
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let mirror = TestMirror::of_local(&repo);
    let folder = mirror.request.mirror.folder();
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let mut child = std::process::Command::new(program())
        .arg("__fetch")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let request = serde_json::json!({
        "address": repo.path(), "mirror": folder, "credentials": "None", "known_hosts": "", "proxy": null, "commits": [],
        "anew": false, "max_bytes": 1 << 20, "max_memory": 1 << 28,
    });
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{request}\n").as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it waits for the mirror");
    drop(stdin);
    let until = Instant::now() + Duration::from_secs(10);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "the child outlives its parent");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn a_git_configuration_does_not_send_a_fetch_elsewhere() {
    let (wanted, other) = (TestRepo::with(&[("a.yaml", "a: 1\n")]), TestRepo::with(&[("b.yaml", "b: 1\n")]));
    let mirror = TestMirror::of_local(&wanted);
    let redirect =
        format!("[url \"{}\"]\n\tinsteadOf = {}\n", other.path().display(), wanted.path().display());
    std::fs::write(mirror.request.mirror.folder().join("home/.gitconfig"), redirect).unwrap();
    let commit = mirror.fetched().await.resolve(None).unwrap().commit;
    assert_eq!(commit, wanted.git(&["rev-parse", "main"]));
}

#[tokio::test]
async fn a_branch_whose_name_is_not_text_hides_no_other() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let commit = repo.git(&["rev-parse", "main"]);
    let name = std::ffi::OsStr::from_bytes(b"refs/heads/caf\xe9");
    assert!(
        clean_git(&repo.path())
            .arg("update-ref")
            .args([name, std::ffi::OsStr::new(&commit)])
            .status()
            .unwrap()
            .success()
    );
    let mirror = TestMirror::of_local(&repo);
    let outcome = mirror.fetch().await.unwrap();
    assert_eq!(outcome.refs.keys().collect::<Vec<_>>(), ["refs/heads/main"]);
}

#[tokio::test]
async fn a_commit_to_a_watched_repository_is_seen_at_once() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let (seen, mut changes) = tokio::sync::mpsc::unbounded_channel();
    let watch = watch_local(&repo.path(), move || {
        let _ = seen.send(());
    })
    .unwrap();
    let mut next = async |what: &str| {
        let change = tokio::time::timeout(Duration::from_secs(10), changes.recv()).await;
        assert!(change.is_ok_and(|c| c.is_some()), "{what}");
        // One commit wakes several times.
        while tokio::time::timeout(Duration::from_millis(200), changes.recv()).await.is_ok() {}
    };
    repo.commit("main", &[("a.yaml", "a: 2\n")]);
    next("a commit").await;
    repo.commit("a/new/folder/of/branches", &[("a.yaml", "a: 2\n")]);
    next("a new branch").await;
    repo.git(&["tag", "v1.0.0", "main"]);
    next("a tag").await;
    repo.git(&["pack-refs", "--all"]);
    next("packed references").await;
    repo.git(&["symbolic-ref", "HEAD", "refs/heads/other"]);
    next("another default branch").await;
    drop(watch);
    repo.commit("main", &[("a.yaml", "a: 3\n")]);
    assert!(
        matches!(tokio::time::timeout(Duration::from_secs(2), changes.recv()).await, Ok(None)),
        "nobody watches any more"
    );
}
