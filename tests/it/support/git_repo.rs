//! Real git repositories for tests, and mirrors of them fetched by the real program.

use portolan::git::{
    FetchLimits, FetchOutcome, FetchRequest, GitError, Mirror, Reader, RepositoryAddress, fetch,
};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A bare repository in a folder of its own, written with the git program and nobody's configuration.
pub struct TestRepo {
    folder: TempDir,
}

impl TestRepo {
    /// An empty repository whose HEAD names `main`.
    pub fn empty() -> Self {
        let repo = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "--quiet", "--bare", "--initial-branch=main"]);
        repo
    }

    /// A repository with one commit on `main`.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::empty();
        repo.commit("main", files);
        repo
    }

    /// The bare repository: `<root>/shop.git`.
    pub fn path(&self) -> PathBuf {
        self.root().join("shop.git")
    }

    /// The folder that a server exports.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Runs git in the repository and gives what it prints.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_with_input(arguments, b"")
    }

    /// The same with something on standard input.
    pub fn git_with_input(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = clean_git(&self.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input).unwrap());
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Adds a commit to a branch with exactly these files changed, and gives its id. An empty content removes the file.
    pub fn commit(&self, branch: &str, files: &[(&str, &str)]) -> String {
        self.commit_bytes(
            branch,
            &files.iter().map(|(path, text)| (*path, text.as_bytes())).collect::<Vec<_>>(),
        )
    }

    /// The same with bytes.
    pub fn commit_bytes(&self, branch: &str, files: &[(&str, &[u8])]) -> String {
        let mut stream = format!(
            "commit refs/heads/{branch}\ncommitter T <t@example.test> 1700000000 +0000\ndata 6\nchange\n"
        );
        if self.has_branch(branch) {
            let _ = writeln!(stream, "from refs/heads/{branch}^0");
        }
        let mut stream = stream.into_bytes();
        for (path, content) in files {
            if content.is_empty() {
                stream.extend(format!("D {path}\n").bytes());
            } else {
                stream.extend(format!("M 100644 inline {path}\ndata {}\n", content.len()).bytes());
                stream.extend(*content);
                stream.push(b'\n');
            }
        }
        self.git_with_input(&["fast-import", "--quiet", "--force"], &stream);
        self.git(&["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// A commit on a branch whose tree is given by its id, so that it may hold what git itself refuses to write.
    pub fn commit_tree(&self, branch: &str, tree: &str) -> String {
        let commit = self.git(&["commit-tree", tree, "-m", "a tree"]);
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit]);
        commit
    }

    /// Writes a tree object without any check: mode, name, object id.
    pub fn raw_tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut raw = Vec::new();
        for (mode, name, id) in entries {
            raw.extend(format!("{mode} ").bytes());
            raw.extend(*name);
            raw.push(0);
            raw.extend((0..20).map(|i| u8::from_str_radix(&id[2 * i..2 * i + 2], 16).unwrap()));
        }
        self.git_with_input(&["hash-object", "-t", "tree", "--literally", "-w", "--stdin"], &raw)
    }

    /// Writes a blob.
    pub fn blob(&self, content: &[u8]) -> String {
        self.git_with_input(&["hash-object", "-w", "--stdin"], content)
    }

    /// Lets a server give commits that no branch reaches, as most forges do.
    pub fn allow_any_commit(&self) {
        self.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    }

    fn has_branch(&self, branch: &str) -> bool {
        let reference = format!("refs/heads/{branch}");
        clean_git(&self.path())
            .args(["show-ref", "--verify", "--quiet", &reference])
            .status()
            .unwrap()
            .success()
    }
}

/// git without the configuration of machine and user.
pub fn clean_git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "T").env(format!("GIT_{role}_EMAIL"), "t@example.test");
        git.env(format!("GIT_{role}_DATE"), "1700000000 +0000");
    }
    git
}

/// A data folder with one mirror.
pub struct TestMirror {
    pub folder: TempDir,
    pub request: FetchRequest,
    pub limits: FetchLimits,
}

impl TestMirror {
    /// A mirror of an address, without credentials.
    pub fn of(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(folder.path(), RepositoryAddress::parse(address).unwrap()).unwrap();
        Self { folder, request: FetchRequest::new(mirror), limits: FetchLimits::default() }
    }

    /// A mirror of a repository on this machine.
    pub fn of_local(repo: &TestRepo) -> Self {
        Self::of(repo.path().to_str().unwrap())
    }

    /// Fetches through the real program.
    pub async fn fetch(&self) -> Result<FetchOutcome, GitError> {
        fetch(program(), &self.request, &self.limits).await
    }

    /// Fetches, which has to go well, and opens the mirror.
    pub async fn fetched(&self) -> Reader {
        self.fetch().await.unwrap();
        self.request.mirror.reader().unwrap()
    }
}

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_portolan"))
}
