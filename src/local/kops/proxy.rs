//! The way of kops to the world: a proxy that ends its TLS and answers for everybody.
//!
//! kops of 1.28 has an SDK that knows no other endpoint than the real one, and every kops writes down the endpoints that
//! it was given. So it is given none, but a proxy (`HTTPS_PROXY`) and our authority to trust: hosts of AWS are the local
//! AWS; a file's checksum, which is fetched beside the file's own address, is answered with one; channels are those of
//! the release. Nothing else is there, and nothing leaves this machine.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::Error;
use crate::local::error::Error as LocalError;
use crate::local::pki::Authority;

/// Hosts that are the local AWS.
const AWS: [&str; 3] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"];
/// What a checksum's address ends in.
const CHECKSUMS: [&str; 2] = [".sha256", ".sha256sum"];

type Broken = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<Either<Incoming, Full<Bytes>>>;

/// The proxy. It ends with this value.
pub(super) struct Proxy {
    address: SocketAddr,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

struct Inside {
    /// The local AWS, `host:port`.
    aws: String,
    /// A folder of channels.
    channels: PathBuf,
    authority: Authority,
    /// By host: making a key for each connection would cost more than all else.
    identities: Mutex<BTreeMap<String, TlsAcceptor>>,
}

impl Proxy {
    /// Listens on a free port. `aws` is the URL of the local AWS.
    ///
    /// # Errors
    /// No port; no authority.
    pub(super) async fn start(aws: &str, channels: PathBuf) -> Result<Proxy, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(LocalError::io("bind a port of", "127.0.0.1"))?;
        let address = listener.local_addr().map_err(LocalError::io("read the port of", "127.0.0.1"))?;
        let inside = Arc::new(Inside {
            aws: aws.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            channels,
            authority: Authority::new("portolan-local-kops")?,
            identities: Mutex::default(),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&inside)));
        Ok(Proxy { address, inside, task })
    }

    /// For `HTTPS_PROXY`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate to trust, PEM.
    pub(super) fn authority(&self) -> &str {
        self.inside.authority.pem()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, inside: Arc<Inside>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let inside = Arc::clone(&inside);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = connect(&inside, request);
                async move { Ok::<_, Infallible>(answer) }
            });
            // Broken off by the client.
            let _ =
                server::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

/// `CONNECT host:443`: from here on the client speaks TLS to the host, which is us.
fn connect(inside: &Arc<Inside>, request: Request<Incoming>) -> Response<Empty<Bytes>> {
    let mut answer = Response::new(Empty::new());
    let host = match (request.method(), request.uri().host()) {
        (&Method::CONNECT, Some(host)) => host.to_ascii_lowercase(),
        // Without TLS there is nobody to be.
        _ => {
            *answer.status_mut() = StatusCode::FORBIDDEN;
            return answer;
        }
    };
    let inside = Arc::clone(inside);
    tokio::spawn(async move {
        // Whoever breaks off has nobody to tell.
        if let Ok(tunnel) = hyper::upgrade::on(request).await {
            let _ = speak(inside, host, tunnel).await;
        }
    });
    answer
}

async fn speak(inside: Arc<Inside>, host: String, tunnel: hyper::upgrade::Upgraded) -> Result<(), Broken> {
    let stream = inside.identity(&host)?.accept(TokioIo::new(tunnel)).await?;
    let host: Arc<str> = host.into();
    let service = service_fn(move |request| answer(Arc::clone(&inside), Arc::clone(&host), request));
    Ok(server::Builder::new().serve_connection(TokioIo::new(stream), service).await?)
}

/// An error ends the connection without an answer.
async fn answer(inside: Arc<Inside>, host: Arc<str>, request: Request<Incoming>) -> Result<Answer, Broken> {
    if AWS.iter().any(|suffix| host.ends_with(suffix)) {
        return Ok(inside.forward(request).await?.map(Either::Left));
    }
    let path = request.uri().path();
    let (status, text) = match inside.file(&host, path) {
        Some(text) => (StatusCode::OK, text),
        None => (StatusCode::NOT_FOUND, format!("{host}{path} is not on this machine\n")),
    };
    let mut answer = Response::new(Either::Right(Full::new(text.into())));
    *answer.status_mut() = status;
    Ok(answer)
}

impl Inside {
    fn identity(&self, host: &str) -> Result<TlsAcceptor, Broken> {
        let mut known = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(acceptor) = known.get(host) {
            return Ok(acceptor.clone());
        }
        let (certificate, key) = self.authority.server(host)?;
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>()?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        known.insert(host.to_owned(), acceptor.clone());
        Ok(acceptor)
    }

    fn file(&self, host: &str, path: &str) -> Option<String> {
        if let Some(file) = CHECKSUMS.iter().find_map(|end| path.strip_suffix(end)) {
            // Nobody downloads the file: any checksum will do, if it is the same one the next time.
            let digest = Sha256::digest(format!("{host}{file}"));
            return Some(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n");
        }
        let (_, name) = path.rsplit_once("/channels/")?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain.then(|| std::fs::read_to_string(self.channels.join(name)).ok())?
    }

    /// The same request to the local AWS, its host included: of S3 it names the bucket.
    async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Incoming>, Broken> {
        for header in [CONNECTION, EXPECT] {
            request.headers_mut().remove(header);
        }
        let stream = TcpStream::connect(&self.aws).await?;
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let mut response = sender.send_request(request).await?;
        response.headers_mut().remove(CONNECTION);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn checksums_and_channels_are_there_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("stable"), "spec: {}\n").unwrap();
        std::fs::write(folder.path().join("..not"), "secret").unwrap();
        let proxy = Proxy::start("http://127.0.0.1:1", folder.path().to_path_buf()).await.unwrap();
        let file = |path: &str| proxy.inside.file("files.example.com", path);
        let sum = file("/kops/nodeup.sha256").unwrap();
        assert_eq!(sum.trim().len(), 64);
        assert_eq!(file("/kops/nodeup.sha256sum").unwrap(), sum);
        assert_ne!(file("/kops/protokube.sha256").unwrap(), sum);
        assert_eq!(file("/a/channels/stable").unwrap(), "spec: {}\n");
        for path in ["/kops/nodeup", "/a/channels/..not", "/a/channels/other", "/channels/../stable"] {
            assert_eq!(file(path), None, "{path}");
        }
    }
}
