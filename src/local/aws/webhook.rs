//! The webhooks that the API servers of our clusters ask: whose a token is, what access policies allow, how a new pod
//! is changed. One server on the loopback interface for all clusters; the path names the cluster.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::Error;
use super::identity::{CANONICAL_ARN, User};
use super::policies::Question;
use crate::local::error::Error as LocalError;
use crate::local::pki::{self, ServerIdentity};

/// More than any object that the API server takes.
const LARGEST: usize = 4 << 20;

/// What a cluster answers.
#[async_trait]
pub(super) trait Hooks: Send + Sync {
    /// Whose a bearer token is; why it is nobody's.
    async fn authenticate(&self, token: &str) -> Result<User, String>;

    /// Whether the access policies of a principal allow something.
    async fn allowed(&self, canonical_arn: &str, question: &Question) -> bool;

    /// A JSON patch for a new pod; none when it stays as it is.
    async fn admit(&self, namespace: &str, pod: &Value) -> Option<Value>;
}

type Registry = Arc<RwLock<BTreeMap<String, Weak<dyn Hooks>>>>;

/// The server. It ends with this value.
pub(super) struct Webhooks {
    url: String,
    authority: String,
    registry: Registry,
    task: JoinHandle<()>,
}

impl Webhooks {
    /// Listens on a free port.
    pub(super) async fn start() -> Result<Webhooks, Error> {
        let identity = ServerIdentity::create("portolan-local-aws")?;
        let acceptor = acceptor(&identity).map_err(|detail| Error::Answer {
            what: "the webhooks",
            address: "127.0.0.1".to_owned(),
            detail,
        })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(LocalError::io("bind a port of", "127.0.0.1"))?;
        let address = listener.local_addr().map_err(LocalError::io("read the port of", "127.0.0.1"))?;
        let registry = Registry::default();
        let task = tokio::spawn(serve(listener, acceptor, Arc::clone(&registry)));
        Ok(Webhooks { url: format!("https://{address}"), authority: identity.authority, registry, task })
    }

    /// Answers for a cluster from now on, for as long as it is there. The id is not its name: names come again.
    pub(super) fn register(&self, id: &str, hooks: &Arc<dyn Hooks>) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.retain(|_, known| known.strong_count() > 0);
        registry.insert(id.to_owned(), Arc::downgrade(hooks));
    }

    /// Writes the files that an API server reads, into a folder of the cluster's own, and gives its flags.
    pub(super) fn flags(&self, id: &str, folder: &Path) -> Result<Vec<String>, Error> {
        std::fs::create_dir_all(folder).map_err(LocalError::io("create", folder))?;
        let authentication = self.kubeconfig(id, "authenticate", folder)?;
        let authorization = self.kubeconfig(id, "authorize", folder)?;
        let configuration = folder.join("authorization.yaml");
        let text = json!({
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthorizationConfiguration",
            "authorizers": [
                {"type": "Node", "name": "node"},
                {"type": "RBAC", "name": "rbac"},
                {"type": "Webhook", "name": "eks", "webhook": {
                    // Long enough to spare us a question for each request of a list, short enough for a test.
                    "authorizedTTL": "1s", "unauthorizedTTL": "1s", "timeout": "10s",
                    "subjectAccessReviewVersion": "v1",
                    "matchConditionSubjectAccessReviewVersion": "v1",
                    "failurePolicy": "NoOpinion",
                    "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": authorization},
                    // Nobody but AWS principals has policies.
                    "matchConditions": [{"expression": format!("has(request.extra) && '{CANONICAL_ARN}' in request.extra")}],
                }},
            ],
        });
        pki::write(&configuration, &text.to_string())?;
        Ok(vec![
            format!("--authentication-token-webhook-config-file={}", authentication.display()),
            "--authentication-token-webhook-version=v1".to_owned(),
            "--authentication-token-webhook-cache-ttl=1s".to_owned(),
            format!("--authorization-config={}", configuration.display()),
        ])
    }

    /// `clientConfig` of an admission webhook.
    pub(super) fn admission(&self, id: &str) -> Value {
        json!({"url": format!("{}/{id}/admit", self.url), "caBundle": STANDARD.encode(&self.authority)})
    }

    fn kubeconfig(&self, id: &str, hook: &str, folder: &Path) -> Result<PathBuf, Error> {
        let path = folder.join(format!("{hook}.kubeconfig"));
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "eks",
            "clusters": [{"name": "eks", "cluster": {
                "server": format!("{}/{id}/{hook}", self.url),
                "certificate-authority-data": STANDARD.encode(&self.authority),
            }}],
            "users": [{"name": "api-server", "user": {}}],
            "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "api-server"}}],
        });
        pki::write(&path, &text.to_string())?;
        Ok(path)
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor(identity: &ServerIdentity) -> Result<TlsAcceptor, String> {
    let certificate =
        CertificateDer::from_pem_slice(identity.certificate.as_bytes()).map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|error| error.to_string())?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(|error| error.to_string())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, registry: Registry) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: the next may succeed.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, registry) = (acceptor.clone(), Arc::clone(&registry));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let registry = Arc::clone(&registry);
                async move { Ok::<_, Infallible>(answer(&registry, request).await) }
            });
            // A client that breaks off has its reasons.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(registry: &Registry, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (id, hook) = path.split_once('/').unwrap_or_default();
    let hooks = {
        let registry = registry.read().unwrap_or_else(PoisonError::into_inner);
        registry.get(id).and_then(Weak::upgrade)
    };
    let Some(hooks) = hooks else { return respond(StatusCode::NOT_FOUND, &json!({})) };
    let body = Limited::new(request.into_body(), LARGEST).collect().await;
    let review: Option<Value> = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    let Some(mut review) = review else { return respond(StatusCode::BAD_REQUEST, &json!({})) };
    match hook {
        "authenticate" => {
            let token = review["spec"]["token"].as_str().unwrap_or_default();
            review["status"] = match hooks.authenticate(token).await {
                Ok(user) => json!({"authenticated": true, "user": user.described()}),
                Err(reason) => json!({"authenticated": false, "error": reason}),
            };
            // The token has no business in an answer.
            review["spec"] = json!({});
        }
        "authorize" => {
            let spec = &review["spec"];
            let arn = spec["extra"][CANONICAL_ARN][0].as_str().unwrap_or_default();
            let allowed = hooks.allowed(arn, &question(spec)).await;
            review["status"] = json!({"allowed": allowed});
            if allowed {
                review["status"]["reason"] = "EKS access policy".into();
            }
        }
        "admit" => {
            let asked = &review["request"];
            let namespace = asked["namespace"].as_str().unwrap_or_default();
            let mut answer = json!({"uid": asked["uid"], "allowed": true});
            if let Some(patch) = hooks.admit(namespace, &asked["object"]).await {
                answer["patchType"] = "JSONPatch".into();
                answer["patch"] = STANDARD.encode(patch.to_string()).into();
            }
            review = json!({
                "apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer,
            });
        }
        _ => return respond(StatusCode::NOT_FOUND, &json!({})),
    }
    respond(StatusCode::OK, &review)
}

fn question(spec: &Value) -> Question {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (resource, other) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    if resource.is_null() {
        return Question {
            verb: text(&other["verb"]),
            path: Some(text(&other["path"])),
            ..Question::default()
        };
    }
    let mut name = text(&resource["resource"]);
    if let Some(subresource) = resource["subresource"].as_str().filter(|subresource| !subresource.is_empty())
    {
        name = format!("{name}/{subresource}");
    }
    Question {
        verb: text(&resource["verb"]),
        group: text(&resource["group"]),
        resource: name,
        namespace: text(&resource["namespace"]),
        path: None,
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_review_becomes_a_question() {
        let spec = json!({"resourceAttributes": {
            "verb": "get", "group": "", "resource": "pods", "subresource": "log", "namespace": "a", "name": "x",
        }});
        assert_eq!(question(&spec).resource, "pods/log");
        assert_eq!(question(&spec).namespace, "a");
        let spec = json!({"nonResourceAttributes": {"verb": "get", "path": "/metrics"}});
        assert_eq!(question(&spec).path.as_deref(), Some("/metrics"));
    }
}
