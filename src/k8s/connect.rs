//! How an API server is reached: kubeconfig, the pod's own ServiceAccount, or an endpoint with a token.

use super::server::ApiServer;
use super::unanswered;
use super::wire::Wire;
use crate::ports::ApiFailure;
use crate::ports::RequestObserver;
use async_trait::async_trait;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a TCP connection, and for one write to make progress.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const WRITE_PROGRESS_LIMIT: Duration = Duration::from_secs(30);

/// Where a cluster's address and credentials come from.
#[derive(Clone)]
pub enum Source {
    /// A kubeconfig file; relative paths in it are relative to it.
    KubeconfigFile {
        /// The file.
        path: PathBuf,
        /// Context; `None` for the file's current one.
        context: Option<String>,
    },
    /// The text of a kubeconfig.
    KubeconfigText {
        /// YAML or JSON.
        text: String,
        /// Context; `None` for the text's current one.
        context: Option<String>,
    },
    /// The cluster this process runs in, as its pod's ServiceAccount. The token file is read again as it rotates.
    InCluster,
    /// An address, with the token from [`ConnectOptions::token`] (EKS).
    Endpoint {
        /// `https://host:port`.
        url: String,
        /// PEM of the certificate authority; `None` for those of the machine.
        ca_pem: Option<Vec<u8>>,
        /// Name to expect in the server's certificate, when it is not the host of the address.
        tls_server_name: Option<String>,
    },
}

/// Shows no credentials.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::KubeconfigFile { path, context } => {
                write!(f, "KubeconfigFile({}, {context:?})", path.display())
            }
            Self::KubeconfigText { context, .. } => write!(f, "KubeconfigText({context:?})"),
            Self::InCluster => f.write_str("InCluster"),
            Self::Endpoint { url, .. } => write!(f, "Endpoint({url})"),
        }
    }
}

/// A bearer token that changes with time, such as EKS's, which lives 15 minutes.
#[async_trait]
pub trait BearerToken: Send + Sync + 'static {
    /// The token to use now. Asked for every request: the source caches.
    async fn token(&self) -> Result<String, ApiFailure>;
}

/// What goes with a connection.
#[derive(Clone, Default)]
pub struct ConnectOptions {
    /// Sees every request.
    pub observer: Option<Arc<dyn RequestObserver>>,
    /// Takes the place of the source's own credentials.
    pub token: Option<Arc<dyn BearerToken>>,
}

impl std::fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConnectOptions(observer: {}, token: {})", self.observer.is_some(), self.token.is_some())
    }
}

/// Why there is no connection to be made of a source.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig does not lead to a cluster.
    #[error("{place}: {reason}; `kubectl config get-contexts` shows what is there")]
    Kubeconfig {
        /// The file, or "the kubeconfig".
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Not in a pod.
    #[error("this is not a pod with a ServiceAccount token: {0}; name a kubeconfig, or mount the token")]
    NotInCluster(String),
    /// Address, certificate or key are not usable.
    #[error("the connection settings of {address} cannot be used: {reason}")]
    Settings {
        /// The server's address.
        address: String,
        /// What is wrong.
        reason: String,
    },
}

/// Prepares the connections to an API server. No request is made yet; needs a tokio runtime.
///
/// There is no rate limit on our side: the server's priority and fairness decides. Requests are never repeated
/// here, so that whoever decided on one decides on its repetition.
///
/// # Errors
/// When the source does not lead to an address with usable credentials.
pub async fn connect(source: &Source, options: ConnectOptions) -> Result<ApiServer, ConnectError> {
    let mut config = load(source).await?;
    let address = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    config.connect_timeout = Some(CONNECT_LIMIT);
    config.write_timeout = Some(WRITE_PROGRESS_LIMIT);
    // Each request has its own limit in `wire`, and a watch is silent for longer than any read may be.
    config.read_timeout = None;
    config.default_retry = false;
    let namespace = config.default_namespace.clone();
    // A kubeconfig's credential plugin is run by this, and waited for.
    let client = tokio::task::spawn_blocking(|| Client::try_from(config)).await;
    let settings = |reason: String| ConnectError::Settings { address: address.clone(), reason };
    let client = client.map_err(|error| settings(error.to_string()))?;
    let client = client.map_err(|error| settings(unanswered::settings(&error, &address)))?;
    let wire = Wire { client, address: address.into(), observer: options.observer, token: options.token };
    Ok(ApiServer::new(wire, namespace))
}

async fn load(source: &Source) -> Result<Config, ConnectError> {
    match source {
        Source::KubeconfigFile { path, context } => {
            let place = path.display().to_string();
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| kubeconfig_error(&place, &error))?;
            from_kubeconfig(kubeconfig, context.as_deref(), &place).await
        }
        Source::KubeconfigText { text, context } => {
            let place = "the kubeconfig";
            let kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| kubeconfig_error(place, &error))?;
            from_kubeconfig(kubeconfig, context.as_deref(), place).await
        }
        Source::InCluster => {
            Config::incluster().map_err(|error| ConnectError::NotInCluster(error.to_string()))
        }
        Source::Endpoint { url, ca_pem, tls_server_name } => {
            let document = endpoint(url, ca_pem.as_deref(), tls_server_name.as_deref());
            let kubeconfig =
                Kubeconfig::from_yaml(&document).map_err(|error| kubeconfig_error(url, &error))?;
            from_kubeconfig(kubeconfig, None, url).await
        }
    }
}

async fn from_kubeconfig(
    kubeconfig: Kubeconfig,
    context: Option<&str>,
    place: &str,
) -> Result<Config, ConnectError> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), cluster: None, user: None };
    Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| kubeconfig_error(place, &error))
}

/// A kubeconfig with one context, so that certificates are read by the same code whatever the source.
fn endpoint(url: &str, ca_pem: Option<&[u8]>, tls_server_name: Option<&str>) -> String {
    let mut cluster = serde_json::json!({ "server": url });
    if let Some(pem) = ca_pem {
        cluster["certificate-authority-data"] = serde_json::json!(k8s_openapi::ByteString(pem.to_vec()));
    }
    if let Some(name) = tls_server_name {
        cluster["tls-server-name"] = name.into();
    }
    let context = serde_json::json!({ "cluster": "endpoint", "user": "endpoint" });
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "endpoint",
        "clusters": [{ "name": "endpoint", "cluster": cluster }],
        "users": [{ "name": "endpoint", "user": {} }],
        "contexts": [{ "name": "endpoint", "context": context }],
    })
    .to_string()
}

fn kubeconfig_error(place: &str, error: &kube::config::KubeconfigError) -> ConnectError {
    let reason = match error {
        // The parser quotes lines of the file in its own message, keys and tokens among them.
        kube::config::KubeconfigError::Parse(_) => "it is not YAML of kind Config".into(),
        other => other.to_string(),
    };
    ConnectError::Kubeconfig { place: place.into(), reason }
}
