//! Registries of container images, asked whether they have an image, and for which architectures (OCI distribution spec,
//! "Pulling manifests"; tokens as in distribution's "Token Authentication Specification"): with a login of a pull secret,
//! or as anybody. A login is sent to the registry itself and to the service for tokens that it names, nowhere else.
//!
//! It is here because the HTTP client is: one pool, one set of trusted authorities, one way through proxies.

use super::connector::Connectors;
use super::outcome::{Outcome, chain};
use crate::model::{ImageName, RegistryLogin};
use crate::ports::{Images, Pull};
use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use url::Url;

/// Forms in which an image may be kept.
const FORMS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// Longest wait for a connection, and for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Requests for one image: some registries lead on to another, and each asks for a token.
const MOST_REQUESTS: usize = 8;
/// Largest answer of a token service that is read.
const LARGEST_TOKEN: usize = 256 * 1024;
/// Largest manifest, or settings of an image, that are read (the spec has registries take manifests of 4 MiB).
const LARGEST_MANIFEST: usize = 4 << 20;

/// Registries, over HTTPS; those of this machine (`localhost`, loopback addresses) over HTTP, as container runtimes do.
#[derive(Debug, Default)]
pub struct Registries {
    connectors: Connectors,
}

/// What one request came to.
enum Answer {
    Ends(Pull),
    Leads(Url),
    /// For a token of the service that these parameters name.
    Asks(BTreeMap<String, String>),
    /// For the login itself.
    AsksPlainly,
}

#[async_trait]
impl Images for Registries {
    async fn look(&self, image: &ImageName, login: Option<&RegistryLogin>) -> Pull {
        let Some(url) = manifest(image) else {
            return Pull::Refused(format!("{} is no address of a registry", image.registry));
        };
        self.fetched(Method::HEAD, url, image, login).await.map_or_else(|pull| pull, |_| Pull::There)
    }

    async fn architectures(
        &self,
        image: &ImageName,
        login: Option<&RegistryLogin>,
    ) -> Option<BTreeSet<String>> {
        let of_image = self.document(manifest(image)?, image, login).await?;
        if let Some(all) = of_image["manifests"].as_array() {
            let platforms = all.iter().map(|one| &one["platform"]);
            // What is built beside an image (provenance, signatures) is of no platform.
            let linux = platforms.filter(|platform| platform["os"] == "linux");
            let built: BTreeSet<String> =
                linux.filter_map(|platform| platform["architecture"].as_str()).map(str::to_owned).collect();
            return (!built.is_empty()).then_some(built);
        }
        let settings = of_image["config"]["digest"].as_str()?;
        let url = place(image, &format!("blobs/{settings}"))?;
        let settings = self.document(url, image, login).await?;
        Some([settings["architecture"].as_str()?.to_owned()].into())
    }
}

impl Registries {
    /// The answer of a registry for something of an image, wherever it leads; else what keeps it from being pulled.
    async fn fetched(
        &self,
        method: Method,
        mut url: Url,
        image: &ImageName,
        login: Option<&RegistryLogin>,
    ) -> Result<HttpResponse, Pull> {
        let (mut login, mut authorization) = (login, None::<String>);
        for _ in 0..MOST_REQUESTS {
            let response = match self.send(method.clone(), &url, authorization.as_deref()).await {
                Ok(response) => response,
                Err(words) => {
                    return Err(Pull::Silent(format!("{} does not answer: {words}", image.registry)));
                }
            };
            match read(&response, &url, (authorization.is_some(), login.is_some())) {
                Answer::Ends(Pull::There) => return Ok(response),
                Answer::Ends(pull) => return Err(pull),
                Answer::Leads(next) => {
                    login = login.filter(|_| next.origin() == url.origin());
                    (url, authorization) = (next, None);
                }
                Answer::Asks(asked) => {
                    let token = self.token(&asked, &url, login).await?;
                    authorization = Some(format!("Bearer {token}"));
                }
                Answer::AsksPlainly => match login {
                    Some(login) => authorization = Some(plain(login)),
                    None => return Err(Pull::Refused(format!("{} wants credentials", shown(&url)))),
                },
            }
        }
        Err(Pull::Refused(format!("{} leads in circles", image.registry)))
    }

    /// Something of an image as JSON; `None` where it is none, or cannot be read.
    async fn document(&self, url: Url, image: &ImageName, login: Option<&RegistryLogin>) -> Option<Value> {
        let response = self.fetched(Method::GET, url, image, login).await.ok()?;
        let body = Limited::new(response.into_body(), LARGEST_MANIFEST).collect().await.ok()?.to_bytes();
        serde_json::from_slice(&body).ok()
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        authorization: Option<&str>,
    ) -> Result<HttpResponse, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, FORMS)
            .header(USER_AGENT, concat!("portolan/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let unfit = |error: &dyn std::fmt::Display| format!("it is no address that can be asked: {error}");
        let request = request.body(SdkBody::empty()).map_err(|error| unfit(&error))?;
        let request = HttpRequest::try_from(request).map_err(|error| unfit(&error))?;
        let settings = HttpConnectorSettings::builder().connect_timeout(LIMIT).read_timeout(LIMIT).build();
        self.connectors.with(&settings).call(request).await.map_err(|error| {
            match Outcome::of_connection(&error) {
                Outcome::NotSent(words) | Outcome::Lost(words) => words,
                _ => chain(&error),
            }
        })
    }

    /// A token for a login or for anybody, from the service that a registry names.
    async fn token(
        &self,
        asked: &BTreeMap<String, String>,
        registry: &Url,
        login: Option<&RegistryLogin>,
    ) -> Result<String, Pull> {
        let refuses =
            |why: &str| Err(Pull::Refused(format!("{} wants credentials ({why})", shown(registry))));
        let Some(mut realm) = asked.get("realm").and_then(|realm| Url::parse(realm).ok()).filter(is_trusted)
        else {
            return refuses("it names no service for tokens");
        };
        for part in ["service", "scope"] {
            if let Some(value) = asked.get(part) {
                realm.query_pairs_mut().append_pair(part, value);
            }
        }
        let authorization = login.map(plain);
        let response =
            self.send(Method::GET, &realm, authorization.as_deref()).await.map_err(Pull::Refused)?;
        if !response.status().is_success() {
            return match (login, response.status().as_u16()) {
                (Some(_), 400 | 401 | 403) => Err(denied(registry)),
                _ => refuses("no token without them"),
            };
        }
        let body = Limited::new(response.into_body(), LARGEST_TOKEN).collect().await;
        let broken = |_| Pull::Refused(format!("the answer of {} broke off", shown(&realm)));
        let body = body.map_err(broken)?.to_bytes();
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        match answer["token"].as_str().or(answer["access_token"].as_str()) {
            Some(token) if !token.is_empty() => Ok(token.to_owned()),
            _ => refuses("it was given no token"),
        }
    }
}

/// A login as HTTP sends it (RFC 7617).
fn plain(login: &RegistryLogin) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", login.username, login.password)))
}

fn denied(registry: &Url) -> Pull {
    Pull::Denied(format!("{} does not take the login of its pull secret", shown(registry)))
}

/// Where the manifest of an image is.
fn manifest(image: &ImageName) -> Option<Url> {
    place(image, &format!("manifests/{}", image.reference()))
}

/// Where something of an image's repository is.
fn place(image: &ImageName, what: &str) -> Option<Url> {
    // The name in references and the host of the API differ for this one alone (moby, `registry/config.go`).
    let host = if image.registry == "docker.io" { "registry-1.docker.io" } else { &image.registry };
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let scheme = if is_own(name) { "http" } else { "https" };
    Url::parse(&format!("{scheme}://{host}/v2/{}/{what}", image.repository)).ok()
}

fn is_own(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_trusted(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_own))
}

/// An address without its query, which may hold what a registry signed.
fn shown(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

/// What an answer says. `authorized`: it was asked with a token or a login; `known`: there is a login.
fn read(response: &HttpResponse, url: &Url, (authorized, known): (bool, bool)) -> Answer {
    let status = response.status().as_u16();
    let host = shown(url);
    let header = |name: &str| response.headers().get(name);
    match status {
        200..=299 => Answer::Ends(Pull::There),
        300..=399 => {
            match header("location").and_then(|location| url.join(location).ok()).filter(is_trusted) {
                Some(next) => Answer::Leads(next),
                None => Answer::Ends(Pull::Refused(format!("{host} leads nowhere"))),
            }
        }
        404 => Answer::Ends(Pull::Absent(format!("{host} has no such image"))),
        401 if !authorized => match header("www-authenticate").and_then(bearer) {
            Some(asked) => Answer::Asks(asked),
            None => Answer::AsksPlainly,
        },
        401 | 403 if authorized && known => Answer::Ends(denied(url)),
        // Some registries answer so for what is not there, too.
        401 | 403 => Answer::Ends(Pull::Refused(format!("{host} wants credentials, or has no such image"))),
        429 => Answer::Ends(Pull::Refused(format!("{host} was asked too often"))),
        status => Answer::Ends(Pull::Refused(format!("{host} answers with {status}"))),
    }
}

/// The parameters of `WWW-Authenticate: Bearer realm="…",service="…"` (RFC 6750, section 3).
fn bearer(header: &str) -> Option<BTreeMap<String, String>> {
    let (scheme, mut rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut all = BTreeMap::new();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        all.insert(name.trim_matches([',', ' ']).to_ascii_lowercase(), value.to_owned());
        rest = next;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read() {
        let read = bearer(
            r#"Bearer realm="https://auth.example.com/token",service="r", scope="repository:a/b:pull,push""#,
        );
        let read = read.unwrap();
        assert_eq!(read["realm"], "https://auth.example.com/token");
        assert_eq!((read["service"].as_str(), read["scope"].as_str()), ("r", "repository:a/b:pull,push"));
        assert_eq!(bearer("Basic realm=\"x\""), None);
    }

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        let of = |image: &str| manifest(&ImageName::parse(image).unwrap()).unwrap().to_string();
        assert_eq!(of("127.0.0.1:5000/a/b:1"), "http://127.0.0.1:5000/v2/a/b/manifests/1");
        assert_eq!(
            of("registry.example.com/a@sha256:ab"),
            "https://registry.example.com/v2/a/manifests/sha256:ab"
        );
        assert!(!is_trusted(&Url::parse("http://registry.example.com/token").unwrap()));
    }
}
