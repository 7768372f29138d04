//! How the API server of an EKS cluster is reached: its endpoint from EKS, the token from STS.

use crate::aws::{AwsClouds, AwsOptions, CredentialsSource, Endpoints};
use crate::config::AwsEndpoints;
use crate::engine::clusters::{self, Exported, Written};
use crate::host::SystemClock;
use crate::k8s::{self, BearerToken, ConnectOptions, Source};
use crate::model::cloud::{Call, Service};
use crate::model::cluster::EksRef;
use crate::ports::{
    ApiFailure, ApiFailureKind, Clock as _, Cloud, CloudAccess, CloudFailure, CloudFailureKind, Clouds,
    Cluster, KubernetesToken,
};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Where an EKS cluster answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `https://….eks.amazonaws.com`.
    pub url: String,
    /// Its certificate authority: PEM in base64.
    pub certificate_authority: String,
}

/// Asks EKS where a cluster answers.
///
/// # Errors
/// It is not there, or not ready yet: in words.
pub async fn endpoint(cloud: &dyn Cloud, name: &str) -> Result<Endpoint, String> {
    let call = Call::new(Service::Eks, "DescribeCluster", json!({"name": name}));
    let answer = cloud.call(&call).await.map_err(|failure| match failure.kind {
        CloudFailureKind::NotFound => format!("there is no EKS cluster {name} in {}", cloud.region()),
        _ => failure.to_string(),
    })?;
    let cluster = &answer["cluster"];
    let text = |pointer: &str| cluster.pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned);
    let status = text("/status").unwrap_or_default();
    match (text("/endpoint"), text("/certificateAuthority/data")) {
        (Some(url), Some(certificate_authority)) if !url.is_empty() && status != "CREATING" => {
            Ok(Endpoint { url, certificate_authority })
        }
        _ => Err(format!("the EKS cluster {name} is {status}: it has no endpoint yet")),
    }
}

/// A connection to an EKS cluster: where it answers, and the token that is renewed in time.
///
/// # Errors
/// As [`endpoint`], and without credentials.
pub async fn source(clouds: &dyn Clouds, eks: &EksRef) -> Result<(Source, Arc<dyn BearerToken>), String> {
    let access = CloudAccess { region: eks.region.clone(), role_arn: eks.role_arn.clone() };
    let cloud = clouds.open(&access).await.map_err(|failure| failure.to_string())?;
    let endpoint = endpoint(cloud.as_ref(), &eks.name).await?;
    let pem = STANDARD
        .decode(&endpoint.certificate_authority)
        .map_err(|error| format!("the certificate authority that EKS gives is no base64: {error}"))?;
    let source = Source::Endpoint { url: endpoint.url, ca_pem: Some(pem), tls_server_name: None };
    Ok((source, Arc::new(EksToken { cloud, cluster: eks.name.clone(), current: Mutex::default() })))
}

/// The way to AWS: credentials of the standard chain; the services' addresses are those of the settings, else of the
/// environment, else their own.
#[must_use]
pub fn clouds(at: &AwsEndpoints) -> Arc<dyn Clouds> {
    let endpoints = Endpoints { every: at.every.clone(), of_service: at.of_service.clone() };
    Arc::new(AwsClouds::new(AwsOptions { endpoints, ..AwsOptions::new(Arc::new(SystemClock)) }))
}

async fn open(eks: &EksRef, at: &AwsEndpoints) -> Result<Arc<dyn Cloud>, String> {
    let access = CloudAccess { region: eks.region.clone(), role_arn: eks.role_arn.clone() };
    clouds(at).open(&access).await.map_err(|failure| failure.to_string())
}

/// Where a cluster answers, for the command line, and a token where one is wanted.
///
/// # Errors
/// As [`endpoint`], and without credentials.
pub async fn reach(
    eks: &EksRef,
    at: &AwsEndpoints,
    with_token: bool,
) -> Result<(Endpoint, Option<KubernetesToken>), String> {
    let cloud = open(eks, at).await?;
    let endpoint = endpoint(cloud.as_ref(), &eks.name).await?;
    let token = if with_token {
        Some(cloud.kubernetes_token(&eks.name).await.map_err(|failure| failure.to_string())?)
    } else {
        None
    };
    Ok((endpoint, token))
}

/// The ClusterConfig of a cluster that exists. `None` where there is none of the name.
///
/// # Errors
/// No credentials, no answer: in words.
pub async fn export(eks: &EksRef, at: &AwsEndpoints) -> Result<Option<Exported>, String> {
    let access = CloudAccess { region: eks.region.clone(), role_arn: eks.role_arn.clone() };
    let clouds = clouds(at);
    // A cluster whose API server cannot be reached from here is exported without what is inside it.
    let server = match source(clouds.as_ref(), eks).await {
        Ok((source, token)) => {
            let options = ConnectOptions { observer: None, token: Some(token) };
            k8s::connect(&source, options).await.ok()
        }
        Err(_) => None,
    };
    let api = server.as_ref().map(|server| server as &dyn Cluster);
    clusters::export(clouds.as_ref(), &access, &eks.name, api).await.map_err(|failure| failure.to_string())
}

/// The Terraform configuration of a cluster that exists. `None` where there is none of the name.
///
/// # Errors
/// No credentials, no answer: in words.
pub async fn export_terraform(eks: &EksRef, at: &AwsEndpoints) -> Result<Option<Written>, String> {
    let access = CloudAccess { region: eks.region.clone(), role_arn: eks.role_arn.clone() };
    let written = clusters::export_terraform(clouds(at).as_ref(), &access, &eks.name).await;
    written.map_err(|failure| failure.to_string())
}

/// A token, for the command line.
///
/// # Errors
/// Without credentials.
pub async fn token(eks: &EksRef, at: &AwsEndpoints) -> Result<KubernetesToken, String> {
    open(eks, at).await?.kubernetes_token(&eks.name).await.map_err(|failure| failure.to_string())
}

/// An account at one endpoint with fixed keys: a local AWS.
///
/// # Errors
/// An unknown region.
pub async fn cloud_at(
    endpoint: &str,
    region: &str,
    keys: (&str, &str),
) -> Result<Arc<dyn Cloud>, CloudFailure> {
    clouds_at(endpoint, keys).open(&CloudAccess { region: region.to_owned(), role_arn: None }).await
}

/// Every account at one endpoint with fixed keys: the way to a local AWS. Calls are not paced: nobody throttles there.
#[must_use]
pub fn clouds_at(endpoint: &str, keys: (&str, &str)) -> Arc<dyn Clouds> {
    let credentials = CredentialsSource::Fixed {
        access_key_id: keys.0.to_owned(),
        secret_access_key: keys.1.to_owned().into(),
        session_token: None,
    };
    let endpoints = Endpoints { every: Some(endpoint.to_owned()), ..Endpoints::default() };
    let options = AwsOptions { credentials, endpoints, pace: None, ..AwsOptions::new(Arc::new(SystemClock)) };
    Arc::new(AwsClouds::new(options))
}

/// The bearer token of an EKS cluster.
struct EksToken {
    cloud: Arc<dyn Cloud>,
    cluster: String,
    /// The token, and until when it is used.
    current: Mutex<Option<(SecretString, Timestamp)>>,
}

#[async_trait]
impl BearerToken for EksToken {
    async fn token(&self) -> Result<String, ApiFailure> {
        let mut current = self.current.lock().await;
        if let Some((token, until)) = &*current
            && SystemClock.now() < *until
        {
            return Ok(token.expose_secret().to_owned());
        }
        let fresh = self.cloud.kubernetes_token(&self.cluster).await.map_err(|failure| {
            ApiFailure::new(ApiFailureKind::Unreachable, format!("no token for {}: {failure}", self.cluster))
        })?;
        let token = fresh.token.expose_secret().to_owned();
        *current = Some((fresh.token, SystemClock.now() + fresh.renew_after));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Gives tokens that are numbered, each good for so many seconds, and none once it is asked for the fourth.
    struct Numbered {
        given: AtomicU64,
        seconds: u64,
    }

    #[async_trait]
    impl Cloud for Numbered {
        fn region(&self) -> &str {
            "eu-central-1"
        }

        fn partition(&self) -> &str {
            "aws"
        }

        async fn call(&self, _: &Call) -> Result<Value, CloudFailure> {
            Ok(Value::Null)
        }

        async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure> {
            let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
            if number > 3 {
                return Err(CloudFailure {
                    call: "sts".into(),
                    service: None,
                    kind: CloudFailureKind::Credentials,
                    code: "NoCredentials".into(),
                    message: "expired".into(),
                });
            }
            let renew_after = Duration::from_secs(self.seconds);
            Ok(KubernetesToken { token: format!("{cluster}-{number}").into(), renew_after })
        }
    }

    fn token(seconds: u64) -> EksToken {
        let cloud = Arc::new(Numbered { given: AtomicU64::new(0), seconds });
        EksToken { cloud, cluster: "shop".into(), current: Mutex::default() }
    }

    #[tokio::test]
    async fn a_token_is_used_while_it_lasts_and_then_made_anew() {
        let lasting = token(600);
        for _ in 0..10 {
            assert_eq!(lasting.token().await.unwrap(), "shop-1");
        }
        let over = token(0);
        for number in 1..=3 {
            assert_eq!(over.token().await.unwrap(), format!("shop-{number}"));
        }
        let failure = over.token().await.unwrap_err();
        assert_eq!(failure.kind, ApiFailureKind::Unreachable);
        assert!(failure.to_string().contains("no token for shop"), "{failure}");
    }
}
