//! Real git servers for tests: `git http-backend` behind HTTP or HTTPS, and OpenSSH's sshd.

use super::git_repo::TestRepo;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

/// Whom an HTTP server lets in.
#[derive(Clone)]
pub enum Access {
    Everybody,
    /// The exact value of the Authorization header.
    Authorization(String),
    /// Everybody is answered with a status.
    Status(StatusCode),
    /// Everybody is sent elsewhere: this and the path.
    Redirect(String),
}

/// `git http-backend` behind HTTP or HTTPS on a free port.
pub struct HttpServer {
    pub port: u16,
    /// Certificate of the authority, in PEM form, where it is HTTPS.
    pub authority: Option<String>,
    /// Requests that brought an Authorization header which was not accepted.
    pub refused: Arc<AtomicUsize>,
    /// Authorization headers seen at all.
    pub authorised: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpServer {
    /// Serves the repositories in a folder over HTTP.
    pub async fn http(root: &Path, access: Access) -> Self {
        Self::start(root, access, None).await
    }

    /// Serves the repositories in a folder over HTTPS as `localhost`, with a certificate of an authority of its own.
    pub async fn https(root: &Path, access: Access) -> Self {
        Self::https_as("localhost", root, access).await
    }

    /// The same with a certificate for another name.
    pub async fn https_as(name: &str, root: &Path, access: Access) -> Self {
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        // Else both have rcgen's default name, and the server's looks as if it had signed itself.
        authority.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = rcgen::CertifiedIssuer::self_signed(authority, authority_key).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let mut server = Self::start(root, access, Some(TlsAcceptor::from(Arc::new(config)))).await;
        server.authority = Some(authority.pem());
        server
    }

    async fn start(root: &Path, access: Access, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (refused, authorised) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let backend = Arc::new(Backend {
            root: root.to_owned(),
            access,
            refused: refused.clone(),
            authorised: authorised.clone(),
        });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (backend, tls) = (backend.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => backend.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                backend.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, authority: None, refused, authorised, task }
    }

    /// The address of the test repository on this server.
    pub fn address(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}/shop.git", self.port)
    }
}

struct Backend {
    root: PathBuf,
    access: Access,
    refused: Arc<AtomicUsize>,
    authorised: Arc<AtomicUsize>,
}

impl Backend {
    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(move |request| {
            let backend = self.clone();
            async move { Ok::<_, std::convert::Infallible>(backend.answer(request).await) }
        });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let given = request.headers().get("authorization").map(|v| v.to_str().unwrap_or_default().to_owned());
        if given.is_some() {
            self.authorised.fetch_add(1, Ordering::SeqCst);
        }
        let plain = |status: StatusCode| Response::builder().status(status);
        match &self.access {
            Access::Everybody => {}
            Access::Status(status) => return plain(*status).body(Full::default()).unwrap(),
            Access::Redirect(to) => {
                let to = format!("{to}{}", request.uri());
                return plain(StatusCode::FOUND).header("location", to).body(Full::default()).unwrap();
            }
            Access::Authorization(wanted) if given.as_ref() == Some(wanted) => {}
            Access::Authorization(wanted) => {
                if given.is_some() {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                let scheme = if wanted.starts_with("Basic") { "Basic realm=\"git\"" } else { "Bearer" };
                return plain(StatusCode::UNAUTHORIZED)
                    .header("www-authenticate", scheme)
                    .body(Full::default())
                    .unwrap();
            }
        }
        self.run(request).await
    }

    /// CGI, RFC 3875, as far as git-http-backend(1) needs it.
    async fn run(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let header = |name: &str| {
            request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
        };
        let mut command = tokio::process::Command::new("git");
        command.arg("http-backend").env("GIT_PROJECT_ROOT", &self.root).env("GIT_HTTP_EXPORT_ALL", "1");
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("REMOTE_ADDR", "127.0.0.1");
        command
            .env("PATH_INFO", request.uri().path())
            .env("QUERY_STRING", request.uri().query().unwrap_or_default());
        command.env("REQUEST_METHOD", request.method().as_str()).env("CONTENT_TYPE", header("content-type"));
        command.env("HTTP_CONTENT_ENCODING", header("content-encoding"));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        command.env("CONTENT_LENGTH", body.len().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (_, output) = tokio::join!(
            async move {
                let _ = stdin.write_all(&body).await;
            },
            child.wait_with_output()
        );
        let output = output.unwrap().stdout;
        let end = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let mut response = Response::builder();
        for line in String::from_utf8_lossy(&output[..end]).lines() {
            let (name, value) = line.split_once(": ").unwrap();
            response =
                if name == "Status" { response.status(&value[..3]) } else { response.header(name, value) };
        }
        response.body(Full::from(output[end + 4..].to_vec())).unwrap()
    }
}

/// A server that accepts connections and never says a word.
pub async fn silent_server() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    (port, task)
}

/// OpenSSH's server, run as the current user on a free port with keys of its own.
pub struct Sshd {
    pub port: u16,
    folder: TempDir,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sshd {
    /// Starts it; `None`, with the reason printed, where sshd is not installed and REQUIRE_SSHD is not set.
    pub fn start() -> Option<Self> {
        let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
        let Some(program) = places.into_iter().find(|path| Path::new(path).exists()) else {
            assert!(
                std::env::var_os("REQUIRE_SSHD").is_none(),
                "REQUIRE_SSHD is set, but openssh-server is not installed"
            );
            eprintln!(
                "skipped: no sshd here (Debian: apt-get install openssh-server); REQUIRE_SSHD=1 makes this a failure"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        for name in ["host_ed25519", "other_ed25519", "user_ed25519", "stranger_ed25519"] {
            keygen(folder.path(), name, "ed25519", "");
        }
        keygen(folder.path(), "host_rsa", "rsa", "");
        keygen(folder.path(), "other_ecdsa", "ecdsa", "");
        keygen(folder.path(), "locked_ed25519", "ed25519", "open sesame");
        let public = |name: &str| std::fs::read_to_string(folder.path().join(format!("{name}.pub"))).unwrap();
        std::fs::write(
            folder.path().join("authorized_keys"),
            public("user_ed25519") + &public("locked_ed25519"),
        )
        .unwrap();
        if user_name() == "root" {
            // Started as root, sshd wants this folder of its package, which a container may not have made yet.
            let _ = std::fs::create_dir("/run/sshd");
        }
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let config = folder.path().join("sshd_config");
            let at = folder.path().display();
            let text = format!(
                "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host_ed25519\nHostKey {at}/host_rsa\nPidFile none\nUsePAM no\n\
                 AuthorizedKeysFile {at}/authorized_keys\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\nLogLevel VERBOSE\n"
            );
            std::fs::write(&config, text).unwrap();
            let log = std::fs::File::create(folder.path().join("log")).unwrap();
            let mut child =
                Command::new(program).args(["-D", "-e", "-f"]).arg(&config).stderr(log).spawn().unwrap();
            if greets(port, &mut child) {
                return Some(Self { port, folder, child });
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("sshd does not start: {}", std::fs::read_to_string(folder.path().join("log")).unwrap());
    }

    /// The address of a repository on this machine, through this server.
    pub fn address(&self, repo: &TestRepo) -> String {
        format!("ssh://{}@localhost:{}{}", user_name(), self.port, repo.path().display())
    }

    /// A private key: `user_ed25519` and `locked_ed25519` may log in, `stranger_ed25519` may not.
    pub fn private_key(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// A line of known_hosts for this server with the named key.
    pub fn known_hosts(&self, key: &str) -> String {
        let public = std::fs::read_to_string(self.folder.path().join(format!("{key}.pub"))).unwrap();
        format!("[localhost]:{} {public}", self.port)
    }

    /// Keys that a client offered in vain.
    pub fn refused_keys(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap().matches("Failed publickey").count()
    }

    /// The fingerprint of a key as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self, key: &str) -> String {
        let file = self.folder.path().join(format!("{key}.pub"));
        let output = Command::new("ssh-keygen").arg("-lf").arg(file).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    }
}

fn keygen(folder: &Path, name: &str, kind: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-f"])
        .arg(folder.join(name))
        .status();
    assert!(made.unwrap().success());
}

/// Waits until the port answers as an SSH server, at most 10 s.
fn greets(port: u16, child: &mut Child) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until && child.try_wait().unwrap().is_none() {
        if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
            let mut greeting = [0; 4];
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            if std::io::Read::read_exact(&mut stream, &mut greeting).is_ok() && &greeting == b"SSH-" {
                return true;
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// The current user.
pub fn user_name() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
