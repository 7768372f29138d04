//! A fetch as the daemon sees it: a child process with a clean environment and hard limits.

use super::mirror::NO_AUTHORITIES;
use super::wire::{Answer, Request, WireCredentials};
use super::{Credentials, GitError, Mirror, Phase, RepositoryAddress, Transport};
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longest answer of the child that is read: the references of a very large repository.
const LONGEST_ANSWER: u64 = 256 << 20;

/// What to fetch, and with what.
#[derive(Clone, Debug)]
pub struct FetchRequest {
    /// Where to.
    pub mirror: Mirror,
    /// Who we are to the server.
    pub credentials: Credentials,
    /// Pinned SSH host keys, in `known_hosts` format. A host that is not in it is refused.
    pub known_hosts: String,
    /// Authorities for TLS in PEM form, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// HTTP proxy as a URL, which may hold a password.
    pub proxy: Option<SecretString>,
    /// Full ids of commits that are asked for by id. Those that no branch or tag reaches are asked of the server one by one.
    pub commits: Vec<String>,
    /// Fetch everything into a new mirror and then put it in the old one's place, because that is damaged.
    pub anew: bool,
}

impl FetchRequest {
    /// A request for a public repository.
    #[must_use]
    pub const fn new(mirror: Mirror) -> Self {
        Self {
            mirror,
            credentials: Credentials::None,
            known_hosts: String::new(),
            ca_file: None,
            proxy: None,
            commits: Vec::new(),
            anew: false,
        }
    }
}

/// Limits of one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Until the server's first sign of life.
    pub connect: Duration,
    /// Between two signs of life.
    pub silence: Duration,
    /// For the whole fetch.
    pub total: Duration,
    /// Received pack data, in bytes.
    pub bytes: u64,
    /// Memory that the child may allocate, in bytes.
    pub memory: u64,
}

impl Default for FetchLimits {
    /// 20 s to connect, 60 s of silence, 10 min in all, 2 GiB of data, 1 GiB of memory.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            silence: Duration::from_secs(60),
            total: Duration::from_secs(600),
            bytes: 2 << 30,
            memory: 1 << 30,
        }
    }
}

/// A fetch that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOutcome {
    /// Branches and tags by full name, with the object id each points at.
    pub refs: BTreeMap<String, String>,
    /// The remote's HEAD: the full name of its default branch, or a commit id where it is detached.
    pub head: Option<String>,
    /// Received pack data, in bytes.
    pub bytes: u64,
    /// Whether any reference differs from the fetch before.
    pub changed: bool,
}

/// Brings a mirror up to date in a child process that runs `program __fetch`.
///
/// Dropping the future ends the child. Two fetches of one mirror wait for each other; of different mirrors they run side by side.
///
/// # Errors
/// Any [`GitError`] of the network, of credentials or of limits. The mirror is then as it was before.
pub async fn fetch(
    program: &Path,
    request: &FetchRequest,
    limits: &FetchLimits,
) -> Result<FetchOutcome, GitError> {
    let address = request.mirror.address();
    check(request, address).await?;
    match timeout(limits.total, converse(program, request, limits)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(timed_out(address, Phase::Fetching, limits.total)),
    }
}

/// What can be said without asking the server.
async fn check(request: &FetchRequest, address: &RepositoryAddress) -> Result<(), GitError> {
    let unusable =
        |reason: &str| Err(GitError::Credentials { address: address.to_string(), reason: reason.to_owned() });
    if let Some(reason) = request.credentials.defect() {
        return unusable(reason);
    }
    match (address.transport(), &request.credentials) {
        (Transport::Ssh, Credentials::None) => return unusable("SSH needs a private key, and none is named"),
        (Transport::Ssh, Credentials::Bearer { .. }) => {
            return unusable("a bearer token is for https:// addresses; SSH needs a private key");
        }
        (Transport::Https | Transport::Http, Credentials::SshKey { .. }) => {
            return unusable("an SSH key is for ssh:// addresses; this one needs a token or a password");
        }
        _ => {}
    }
    if let Some(path) = address.local_path()
        && !tokio::fs::try_exists(path).await.unwrap_or(true)
    {
        let detail = "the folder does not exist".to_owned();
        return Err(GitError::NotFound { address: address.to_string(), detail });
    }
    if let Some(path) = &request.ca_file {
        let refuse = |reason: String| GitError::CaFile { path: path.clone(), reason };
        let text = tokio::fs::read(path).await.map_err(|e| refuse(e.to_string()))?;
        if !text.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
            return Err(refuse("it holds no certificate in PEM form".into()));
        }
    }
    Ok(())
}

async fn converse(
    program: &Path,
    request: &FetchRequest,
    limits: &FetchLimits,
) -> Result<FetchOutcome, GitError> {
    let address = request.mirror.address();
    let failed = |detail: String| GitError::Child { address: address.to_string(), detail };
    let mut child = command(program, request)?
        .spawn()
        .map_err(|e| failed(format!("{} does not start: {e}", program.display())))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed("its pipes are missing".into()));
    };
    let mut line = request_line(request, limits).map_err(|e| failed(e.to_string()))?;
    let sent = stdin.write_all(&line).await;
    line.zeroize();
    let mut lines = BufReader::new(stdout).take(LONGEST_ANSWER).lines();
    let (mut patience, mut phase) = (limits.connect, Phase::Connecting);
    loop {
        let Ok(next) = timeout(patience, lines.next_line()).await else {
            return Err(timed_out(address, phase, patience));
        };
        let answer = match next {
            Ok(Some(text)) => {
                serde_json::from_str(&text).map_err(|e| failed(format!("its answer cannot be read: {e}")))?
            }
            Ok(None) => return Err(post_mortem(child, request, limits, sent.err()).await),
            Err(e) => return Err(failed(e.to_string())),
        };
        match answer {
            Answer::Alive { .. } => (patience, phase) = (limits.silence, Phase::Silent),
            Answer::Failed(error) => return Err(error),
            Answer::Done(done) => {
                return Ok(FetchOutcome {
                    refs: done.refs,
                    head: done.head,
                    bytes: done.bytes,
                    changed: done.changed,
                });
            }
        }
    }
}

/// The child's environment is empty but for this: no git configuration, agent, proxy or prompt of the machine has a say.
fn command(program: &Path, request: &FetchRequest) -> Result<Command, GitError> {
    let home =
        std::path::absolute(request.mirror.home()).map_err(|e| GitError::io(request.mirror.folder(), &e))?;
    let mut command = Command::new(program);
    command.arg(super::fetch_child::SUBCOMMAND).env_clear();
    command
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", &home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    if let Some(ca_file) = &request.ca_file {
        let ca_file = std::path::absolute(ca_file).map_err(|e| GitError::io(ca_file, &e))?;
        command.env("SSL_CERT_FILE", ca_file).env("SSL_CERT_DIR", home.join(NO_AUTHORITIES));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A Ctrl-C in the terminal is for the daemon, which then ends the fetch in its own order.
    command.process_group(0).kill_on_drop(true);
    Ok(command)
}

fn request_line(request: &FetchRequest, limits: &FetchLimits) -> Result<Vec<u8>, serde_json::Error> {
    let wire = Request {
        address: request.mirror.address().to_string(),
        mirror: request.mirror.folder().to_owned(),
        credentials: WireCredentials::from(&request.credentials),
        known_hosts: request.known_hosts.clone(),
        proxy: request.proxy.as_ref().map(|p| p.expose_secret().to_owned()),
        commits: request.commits.clone(),
        anew: request.anew,
        max_bytes: limits.bytes,
        max_memory: limits.memory,
    };
    let mut line = serde_json::to_vec(&wire)?;
    line.push(b'\n');
    Ok(line)
}

/// Why a child ended without an answer.
async fn post_mortem(
    mut child: Child,
    request: &FetchRequest,
    limits: &FetchLimits,
    sent: Option<std::io::Error>,
) -> GitError {
    let address = request.mirror.address().to_string();
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(4096).read_to_end(&mut said).await;
    }
    let said = super::classify::clean(&request.credentials.scrub(&String::from_utf8_lossy(&said)));
    let ended = child.wait().await;
    if said.contains("memory allocation of") {
        return GitError::Memory { address, limit_mib: limits.memory >> 20 };
    }
    let how = ended.map_or_else(|e| e.to_string(), |status: ExitStatus| status.to_string());
    let pipe = sent.map(|e| format!(", its request could not be sent ({e})")).unwrap_or_default();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    GitError::Child { address, detail: format!("it ended without an answer ({how}){pipe}{said}") }
}

fn timed_out(address: &RepositoryAddress, phase: Phase, limit: Duration) -> GitError {
    GitError::Timeout { address: address.to_string(), phase, seconds: limit.as_secs().max(1) }
}
