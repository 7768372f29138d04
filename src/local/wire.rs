//! HTTP to servers on this machine: moto's back door, and API servers with their own certificate authority.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How long an answer may take. A stream may go on for ever after its head.
const LIMIT: Duration = Duration::from_secs(60);

/// A server: its URL, and whom to trust for its certificate.
#[derive(Clone)]
pub(in crate::local) struct Server {
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Server {
    /// A server without TLS, by `http://host:port`.
    pub(in crate::local) fn plain(url: &str) -> Result<Server, String> {
        Ok(Server { authority: authority(url)?, tls: None })
    }

    /// A server with TLS, by `https://host:port`, whose certificate the authority in the PEM file has signed.
    pub(in crate::local) fn trusting(url: &str, authority_file: &Path) -> Result<Server, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority_file).map_err(|error| error.to_string())? {
            roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let authority = authority(url)?;
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host).to_owned();
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        Ok(Server { authority, tls: Some((TlsConnector::from(Arc::new(config)), name)) })
    }

    /// Sends one request on a connection of its own and gives the answer when its head is there.
    pub(in crate::local) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        match tokio::time::timeout(LIMIT, self.exchange(method, path, headers, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.authority);
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).map_err(|error| error.to_string())?;
            let mut value = HeaderValue::try_from(*value).map_err(|error| error.to_string())?;
            value.set_sensitive(name == "authorization");
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| error.to_string())?;
        // Small requests and answers: waiting to fill a packet would only add delay.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => round_trip(TokioIo::new(stream), request).await,
            Some((connector, name)) => {
                let stream =
                    connector.connect(name.clone(), stream).await.map_err(|error| error.to_string())?;
                round_trip(TokioIo::new(stream), request).await
            }
        }
    }
}

async fn round_trip<T>(io: T, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(io).await.map_err(|error| error.to_string())?;
    // Ends with the answer's body.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender.send_request(request).await.map_err(|error| error.to_string())
}

/// Reads an answer to its end.
pub(in crate::local) async fn whole(answer: Response<Incoming>) -> Result<(u16, Bytes), String> {
    let status = answer.status().as_u16();
    let body = tokio::time::timeout(LIMIT, answer.into_body().collect()).await;
    let body = body.map_err(|_| "the answer broke off".to_owned())?.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

fn authority(url: &str) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{url:?}: {error}"))?;
    let authority = uri.authority().ok_or_else(|| format!("{url:?} has no host"))?;
    Ok(match (authority.port_u16(), uri.scheme_str()) {
        (Some(_), _) => authority.to_string(),
        (None, Some("https")) => format!("{authority}:443"),
        (None, _) => format!("{authority}:80"),
    })
}
