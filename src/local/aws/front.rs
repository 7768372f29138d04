//! One address for all of AWS: calls of EKS go to our server, all others to moto. The signature says which is which.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONNECTION, EXPECT, UPGRADE};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::error::Error;
use super::moto::Provider;
use crate::local::error::Error as LocalError;

/// Names of EKS in signatures.
const EKS: [&str; 2] = ["eks", "eks-auth"];
/// Paths of EKS, for requests that are not signed, and of its switches.
const EKS_PATHS: [&str; 4] = ["/clusters", "/addons", "/cluster-versions", "/_portolan/"];

/// ARNs of callers by access key: what our EKS server asks, which cannot wait for an answer.
pub(super) type KnownCallers = Arc<RwLock<BTreeMap<String, String>>>;

/// The server. It ends with this value.
pub(super) struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// Where requests go.
struct Routes {
    eks: String,
    moto: String,
    provider: Provider,
    callers: KnownCallers,
}

impl Front {
    /// Binds the address, before there is anything behind it: whatever is signed for it has to know it.
    pub(super) async fn bind(port: u16) -> Result<TcpListener, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        Ok(listener.map_err(LocalError::io("bind a port of", "127.0.0.1"))?)
    }

    /// Serves `eks` and `moto`, both `host:port`.
    pub(super) fn serve(
        listener: TcpListener,
        eks: &str,
        provider: Provider,
        moto: &str,
        callers: KnownCallers,
    ) -> Result<Front, Error> {
        let address = listener.local_addr().map_err(LocalError::io("read the port of", "127.0.0.1"))?;
        let authority = |url: &str| url.trim_start_matches("http://").to_owned();
        let routes = Arc::new(Routes { eks: authority(eks), moto: authority(moto), provider, callers });
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let routes = Arc::clone(&routes);
                tokio::spawn(async move {
                    let service = service_fn(move |request| forward(Arc::clone(&routes), request));
                    // Broken off by the client, or on purpose by the server behind.
                    let _ = server::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Front { address, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

/// An error ends the connection without an answer: what the server behind did, the client sees.
async fn forward(routes: Arc<Routes>, mut request: Request<Incoming>) -> Result<Response<Incoming>, Broken> {
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let signature = authorization.and_then(signed_by);
    let eks = match &signature {
        Some((_, service)) => EKS.contains(&service.as_str()),
        None => EKS_PATHS.iter().any(|path| request.uri().path().starts_with(path)),
    };
    if let Some((key, _)) = signature.filter(|_| eks) {
        routes.know(&key).await;
    }
    for header in [CONNECTION, EXPECT, UPGRADE] {
        request.headers_mut().remove(header);
    }
    let target = if eks { &routes.eks } else { &routes.moto };
    let stream = TcpStream::connect(target).await?;
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut response = sender.send_request(request).await?;
    response.headers_mut().remove(CONNECTION);
    Ok(response)
}

impl Routes {
    /// Looks up whose a key is, the first time it is seen.
    async fn know(&self, key: &str) {
        let known = self.callers.read().unwrap_or_else(PoisonError::into_inner).contains_key(key);
        if known {
            return;
        }
        // Not told: the EKS server says that it does not know the key.
        if let Ok(Some(caller)) = self.provider.caller(key).await {
            let arn = caller.role.unwrap_or(caller.arn);
            self.callers.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), arn);
        }
    }
}

/// Access key and service of `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn signed_by(authorization: &str) -> Option<(String, String)> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let mut parts = rest.split([',', ' ']).next()?.split('/');
    let key = parts.next()?.to_owned();
    let service = parts.nth(2)?.to_owned();
    Some((key, service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_names_the_service() {
        let header = "AWS4-HMAC-SHA256 Credential=AKIA1/20261121/eu-central-1/eks/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(signed_by(header), Some(("AKIA1".to_owned(), "eks".to_owned())));
        assert_eq!(signed_by("Bearer x"), None);
    }
}
