//! The HTTP client: one for the SDK's own calls (STS, SSO, instance metadata, EKS) and for ours.

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connection pools by their limits: whoever asks for the same limits shares the connections.
///
/// Proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`), trusted authorities from the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Connectors {
    made: Arc<Mutex<BTreeMap<Settings, SharedHttpConnector>>>,
}

/// Limits for connecting and for the first byte of an answer.
type Settings = (Option<Duration>, Option<Duration>);

impl Connectors {
    /// The connector with these limits.
    pub(super) fn with(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let key = (settings.connect_timeout(), settings.read_timeout());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key).or_insert_with(|| connector(settings)).clone()
    }
}

fn connector(settings: &HttpConnectorSettings) -> SharedHttpConnector {
    let builder = Connector::builder()
        .connector_settings(settings.clone())
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    SharedHttpConnector::new(builder.build())
}

impl HttpClient for Connectors {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.with(settings)
    }
}
