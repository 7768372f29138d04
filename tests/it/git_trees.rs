//! What is read from trees: paths, globs, exports, and all that a hostile repository may hold.

use crate::support::git_repo::{TestMirror, TestRepo, clean_git};
use portolan::git::{GitError, TreeFilter, TreeLimits};
use std::time::{Duration, Instant};

const LIMITS: TreeLimits =
    TreeLimits { entries: 100_000, depth: 64, file_bytes: 10 << 20, total_bytes: 512 << 20 };

/// Path and reason of what a read of the root of `main` refuses, and the paths that it takes.
async fn read_root(repo: &TestRepo) -> (Vec<String>, Vec<(String, String)>) {
    let mirror = TestMirror::of_local(repo);
    let reader = mirror.fetched().await;
    let commit = reader.resolve(Some("main")).unwrap().commit;
    let tree = reader.tree_id(&commit, "").unwrap().unwrap();
    let content = reader.read_tree(&tree, &LIMITS, &TreeFilter::ALL).unwrap();
    let refused = content.refused.into_iter().map(|r| (r.path, r.reason)).collect();
    (content.files.into_iter().map(|f| f.path).collect(), refused)
}

fn reason<'a>(refused: &'a [(String, String)], path: &str) -> &'a str {
    refused
        .iter()
        .find(|(p, _)| p == path)
        .map_or_else(|| panic!("{path} is refused: {refused:?}"), |(_, reason)| reason)
}

#[tokio::test]
async fn paths_globs_and_tree_ids() {
    let repo = TestRepo::with(&[
        ("apps/shop/a.yaml", "a: 1\n"),
        ("apps/cart/a.yaml", "a: 1\n"),
        ("apps/.hidden/a.yaml", "a: 1\n"),
        ("clusters/eu/prod/shop/a.yaml", "a: 2\n"),
        ("clusters/us/shop/a.yaml", "a: 3\n"),
    ]);
    let link = repo.blob(b"clusters/eu/prod");
    let root = repo.git(&["rev-parse", "main^{tree}"]);
    let listing = repo.git(&["ls-tree", &root]) + &format!("\n120000 blob {link}\tproduction\n");
    let tree = repo.git_with_input(&["mktree"], listing.as_bytes());
    repo.commit_tree("main", &tree);
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let commit = reader.resolve(None).unwrap().commit;
    let id = |path: &str| reader.tree_id(&commit, path).unwrap();
    assert_eq!(id("apps/shop"), id("/apps/cart/"), "equal content has equal ids");
    assert_eq!(id("production/shop"), id("clusters/eu/prod/shop"), "links on the way are followed");
    assert_eq!(id("apps/shop/a.yaml"), None);
    assert_eq!(id("nowhere"), None);
    assert!(reader.object_id(&commit, "apps/shop/a.yaml").unwrap().is_some());
    assert!(matches!(reader.tree_id(&commit, "apps/../.."), Err(GitError::Path { .. })));
    assert_eq!(reader.names(&id("").unwrap()).unwrap(), ["apps/", "clusters/", "production"]);
    let glob = |pattern: &str| reader.glob_folders(&commit, pattern, &LIMITS).unwrap();
    assert_eq!(glob("apps/*"), ["apps/cart", "apps/shop"]);
    assert_eq!(glob("apps/.*"), ["apps/.hidden"]);
    assert_eq!(glob("clusters/**/shop"), ["clusters/eu/prod/shop", "clusters/us/shop"]);
    assert_eq!(glob("**/shop"), ["apps/shop", "clusters/eu/prod/shop", "clusters/us/shop"]);
    assert_eq!(glob("apps/{cart,other}"), ["apps/cart"]);
    assert_eq!(glob("production/s[a-h]op"), ["production/shop"]);
    assert_eq!(glob("apps"), ["apps"]);
    assert!(glob("apps/x*").is_empty());
    for malformed in ["apps/[", "apps/{a/b}", "../*"] {
        assert!(
            matches!(reader.glob_folders(&commit, malformed, &LIMITS), Err(GitError::Path { .. })),
            "{malformed}"
        );
    }
}

#[tokio::test]
async fn one_file_is_read_alone_and_refused_by_the_same_rules() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let large = "x".repeat(2_000);
    let repo = TestRepo::with(&[
        ("values.yaml", "a: 1\n"),
        ("deep/values.yaml", "a: 2\n"),
        ("large.yaml", &large),
        ("lfs.yaml", pointer),
    ]);
    let (inside, outside) = (repo.blob(b"deep/values.yaml"), repo.blob(b"../../etc/passwd"));
    let root = repo.git(&["rev-parse", "main^{tree}"]);
    let links = format!("\n120000 blob {inside}\tlink.yaml\n120000 blob {outside}\tout.yaml\n");
    let tree = repo.git_with_input(&["mktree"], (repo.git(&["ls-tree", &root]) + &links).as_bytes());
    repo.commit_tree("main", &tree);
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let commit = reader.resolve(None).unwrap().commit;
    let limits = TreeLimits { file_bytes: 1_000, entries: 1, ..LIMITS };
    let read = |path: &str| {
        let content = reader.read_file(&commit, path, &limits).unwrap();
        let file = content.files.first().map(|file| String::from_utf8_lossy(&file.content).into_owned());
        (file, content.refused.first().map(|refused| refused.reason.clone()))
    };
    assert_eq!(read("values.yaml"), (Some("a: 1\n".into()), None));
    assert_eq!(read("/deep/values.yaml"), (Some("a: 2\n".into()), None));
    assert_eq!(read("link.yaml"), (Some("a: 2\n".into()), None), "links are followed inside the repository");
    for nothing in ["nowhere.yaml", "deep", "", "values.yaml.bak"] {
        assert_eq!(read(nothing), (None, None), "{nothing}");
    }
    for (path, said) in
        [("large.yaml", "2000 bytes"), ("lfs.yaml", "Git LFS pointer"), ("out.yaml", "leads out")]
    {
        let (file, refused) = read(path);
        assert!(
            file.is_none() && refused.as_ref().is_some_and(|reason| reason.contains(said)),
            "{path}: {refused:?}"
        );
    }
    assert!(matches!(reader.read_file(&commit, "../values.yaml", &limits), Err(GitError::Path { .. })));
}

#[tokio::test]
async fn hostile_entries_are_refused_one_by_one_and_the_rest_is_read() {
    let repo = TestRepo::empty();
    let good = repo.blob(b"a: 1\n");
    let lfs = repo.blob(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n");
    let link = |to: &str| repo.blob(to.as_bytes());
    let inner = repo.raw_tree(&[
        ("120000", b"inside.yaml", &link("../good.yaml")),
        ("120000", b"outside.yaml", &link("../../etc/passwd")),
        ("100644", b"plain.yaml", &good),
    ]);
    let missing = "1".repeat(40);
    let (absolute, circle, chain, dangling, to_folder) = (
        link("/etc/passwd"),
        link("circle.yaml"),
        link("folder/inside.yaml"),
        link("nothing"),
        link("folder"),
    );
    let tree = repo.raw_tree(&[
        ("100644", b"..", &good),
        ("40000", b".git", &inner),
        ("100644", b"a/b.yaml", &good),
        ("100644", b"bad\xff.yaml", &good),
        ("100644", b"bell\x07.yaml", &good),
        ("120000", b"absolute.yaml", &absolute),
        ("120000", b"chain.yaml", &chain),
        ("120000", b"circle.yaml", &circle),
        ("120000", b"dangling.yaml", &dangling),
        ("40000", b"folder", &inner),
        ("100644", b"good.yaml", &good),
        ("100644", b"good.yaml", &lfs),
        ("120000", b"linked", &to_folder),
        ("100644", b"pointer.yaml", &lfs),
        ("160000", b"vendor", &missing),
    ]);
    repo.commit_tree("main", &tree);
    let (files, refused) = read_root(&repo).await;
    assert_eq!(files, ["chain.yaml", "folder/inside.yaml", "folder/plain.yaml", "good.yaml"]);
    let expected = [
        ("..", "leads elsewhere"),
        (".git", "git's own name"),
        ("a/b.yaml", "`/`"),
        ("bad\u{fffd}.yaml", "not UTF-8"),
        ("bell\u{fffd}.yaml", "control character"),
        ("absolute.yaml", "absolute path"),
        ("circle.yaml", "in a circle"),
        ("dangling.yaml", "leads to nothing"),
        ("folder/outside.yaml", "out of the folder"),
        ("good.yaml", "twice"),
        ("linked", "link to a folder"),
        ("pointer.yaml", "Git LFS pointer"),
        ("vendor", "submodule"),
    ];
    for (path, words) in expected {
        assert!(reason(&refused, path).contains(words), "{path}: {}", reason(&refused, path));
    }
    assert_eq!(refused.len(), expected.len(), "{refused:?}");
}

#[tokio::test]
async fn an_export_is_plain_files_and_nothing_leads_out_of_it() {
    let repo = TestRepo::empty();
    let good = repo.blob(b"a: 1\n");
    let (up, shared, round) = (repo.blob(b"../../../etc"), repo.blob(b"../shared"), repo.blob(b".."));
    let common = repo.raw_tree(&[("100644", b"values.yaml", &good)]);
    let chart = repo.raw_tree(&[
        ("100755", b"Chart.yaml", &good),
        ("120000", b"common", &shared),
        ("120000", b"out", &up),
        ("120000", b"round", &round),
    ]);
    let root = repo.raw_tree(&[("40000", b"chart", &chart), ("40000", b"shared", &common)]);
    let commit = repo.commit_tree("main", &root);
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let into = tempfile::tempdir().unwrap();
    let tree = reader.tree_id(&commit, "").unwrap().unwrap();
    let exported = reader.export(&tree, into.path(), &LIMITS, &TreeFilter::ALL).unwrap();
    assert_eq!((exported.files, exported.bytes), (3, 15));
    assert_eq!(std::fs::read_to_string(into.path().join("chart/common/values.yaml")).unwrap(), "a: 1\n");
    assert!(!std::fs::symlink_metadata(into.path().join("chart/common")).unwrap().is_symlink());
    let refused: Vec<_> = exported.refused.iter().map(|r| r.path.as_str()).collect();
    assert_eq!(refused, ["chart/out", "chart/round"]);
    let again = reader.export(&tree, into.path(), &LIMITS, &TreeFilter::ALL).unwrap_err();
    assert!(matches!(&again, GitError::Io { detail, .. } if detail.contains("not empty")), "{again}");
}

#[tokio::test]
async fn links_that_go_round_between_two_folders_end() {
    let repo = TestRepo::empty();
    let good = repo.blob(b"a: 1\n");
    let (to_x, to_y) = (repo.blob(b"../x"), repo.blob(b"../y"));
    let x = repo.raw_tree(&[("100644", b"x.yaml", &good), ("120000", b"y", &to_y)]);
    let y = repo.raw_tree(&[("120000", b"x", &to_x), ("100644", b"y.yaml", &good)]);
    let commit = repo.commit_tree("main", &repo.raw_tree(&[("40000", b"x", &x), ("40000", b"y", &y)]));
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let into = tempfile::tempdir().unwrap();
    let tree = reader.tree_id(&commit, "").unwrap().unwrap();
    let exported = reader.export(&tree, into.path(), &LIMITS, &TreeFilter::ALL).unwrap();
    assert_eq!(exported.files, 4, "x, x/y, y, y/x");
    assert_eq!(exported.refused.len(), 2);
}

#[tokio::test]
async fn a_bomb_of_trees_a_deep_tree_and_too_many_bytes_meet_their_limits() {
    let repo = TestRepo::empty();
    let good = repo.blob(b"a: 1\n");
    let mut bomb = repo.raw_tree(&[("100644", b"a.yaml", &good)]);
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|i| format!("d{i}")).collect();
        let entries: Vec<(&str, &[u8], &str)> =
            names.iter().map(|name| ("40000", name.as_bytes(), bomb.as_str())).collect();
        bomb = repo.raw_tree(&entries);
    }
    repo.commit_tree("bomb", &bomb);
    let mut deep = repo.raw_tree(&[("100644", b"bottom.yaml", &good)]);
    for level in 0..100 {
        let beside = format!("z{level}.yaml");
        deep = repo.raw_tree(&[("40000", b"d", &deep), ("100644", beside.as_bytes(), &good)]);
    }
    repo.commit_tree("deep", &deep);
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let tree = |branch: &str| {
        let commit = reader.resolve(Some(branch)).unwrap().commit;
        reader.tree_id(&commit, "").unwrap().unwrap()
    };
    let started = Instant::now();
    let error = reader.read_tree(&tree("bomb"), &LIMITS, &TreeFilter::ALL).unwrap_err();
    assert!(matches!(&error, GitError::TooLarge { limit, .. } if limit.contains("100000")), "{error}");
    let commit = reader.resolve(Some("bomb")).unwrap().commit;
    assert!(matches!(reader.glob_folders(&commit, "**/x*", &LIMITS), Err(GitError::TooLarge { .. })));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let content = reader.read_tree(&tree("deep"), &LIMITS, &TreeFilter::ALL).unwrap();
    assert_eq!((content.files.len(), content.refused.len()), (65, 1));
    assert!(content.refused[0].reason.contains("64 folders deep"), "{:?}", content.refused);
    let few_bytes = TreeLimits { total_bytes: 20, ..LIMITS };
    assert!(matches!(
        reader.read_tree(&tree("deep"), &few_bytes, &TreeFilter::ALL),
        Err(GitError::TooLarge { .. })
    ));
    let shallow = TreeFilter { recurse: false, file: &|path| path.ends_with(".yaml") };
    assert_eq!(reader.read_tree(&tree("deep"), &few_bytes, &shallow).unwrap().files.len(), 1);
}

#[tokio::test]
async fn a_blob_of_a_gigabyte_is_refused_without_being_loaded() {
    let repo = TestRepo::with(&[("a.yaml", "a: 1\n")]);
    let mirror = TestMirror::of_local(&repo);
    let reader = mirror.fetched().await;
    let small = repo.git(&["rev-parse", "main:a.yaml"]);
    let sparse = tempfile::NamedTempFile::new().unwrap();
    sparse.as_file().set_len(1 << 30).unwrap();
    // Written straight into the mirror: what is tested is reading.
    let git = |arguments: &[&str]| {
        let output =
            clean_git(&mirror.request.mirror.folder().join("repo.git")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let settings = ["-c", "core.compression=1", "-c", "core.bigFileThreshold=1m"];
    let big = git(&[&settings[..], &["hash-object", "-w", sparse.path().to_str().unwrap()]].concat());
    let tree = repo.raw_tree(&[("100644", b"a.yaml", &small), ("100644", b"big.yaml", &big)]);
    let tree_path = format!("objects/{}/{}", &tree[..2], &tree[2..]);
    let in_mirror = mirror.request.mirror.folder().join("repo.git").join(&tree_path);
    std::fs::create_dir_all(in_mirror.parent().unwrap()).unwrap();
    std::fs::copy(repo.path().join(&tree_path), &in_mirror).unwrap();
    let started = Instant::now();
    let content = reader.read_tree(&tree, &LIMITS, &TreeFilter::ALL).unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(content.files.len(), 1);
    assert!(content.refused[0].reason.contains("1073741824 bytes"), "{:?}", content.refused);
}

#[tokio::test]
async fn fifty_thousand_files_are_read_within_seconds() {
    let repo = TestRepo::empty();
    let texts: Vec<(String, String)> =
        (0..50_000).map(|i| (format!("apps/a{}/f{i}.yaml", i / 50), format!("kind: T{i}\n"))).collect();
    repo.commit("main", &texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
    let mirror = TestMirror::of_local(&repo);
    let fetching = Instant::now();
    let reader = mirror.fetched().await;
    let fetched = fetching.elapsed();
    let reading = Instant::now();
    let commit = reader.resolve(None).unwrap().commit;
    let tree = reader.tree_id(&commit, "").unwrap().unwrap();
    let content = reader.read_tree(&tree, &LIMITS, &TreeFilter::ALL).unwrap();
    let read = reading.elapsed();
    assert_eq!((content.files.len(), content.refused.len()), (50_000, 0));
    let ids = Instant::now();
    for folder in reader.glob_folders(&commit, "apps/*", &LIMITS).unwrap() {
        assert!(reader.tree_id(&commit, &folder).unwrap().is_some());
    }
    eprintln!(
        "50,000 files: fetched in {fetched:?}, read in {read:?}, 1,000 tree ids in {:?}",
        ids.elapsed()
    );
    assert!(read < Duration::from_secs(20), "{read:?}");
}
