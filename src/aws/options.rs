//! What goes with the way to AWS.

use super::pace::Pace;
use crate::model::cloud::Service;
use crate::ports::{CallObserver, Clock};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What goes with the way to AWS. [`AwsOptions::new`] has what a daemon wants.
#[derive(Clone)]
pub struct AwsOptions {
    /// Time of signatures and of credentials' lives.
    pub clock: Arc<dyn Clock>,
    /// Where the credentials come from.
    pub credentials: CredentialsSource,
    /// Addresses that take the place of the services' own.
    pub endpoints: Endpoints,
    /// How fast an account is called; `None` for a world of one's own.
    pub pace: Option<Pace>,
    /// How long anything may take.
    pub limits: Limits,
    /// Sees every request.
    pub observer: Option<Arc<dyn CallObserver>>,
}

impl AwsOptions {
    /// Credentials of the standard chain, the services' own addresses or those of the environment, the default pace and
    /// limits.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            credentials: CredentialsSource::Chain,
            endpoints: Endpoints::default(),
            pace: Some(Pace::default()),
            limits: Limits::default(),
            observer: None,
        }
    }
}

impl fmt::Debug for AwsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsOptions")
            .field("credentials", &self.credentials)
            .field("endpoints", &self.endpoints)
            .field("pace", &self.pace)
            .field("limits", &self.limits)
            .field("observer", &self.observer.is_some())
            .finish_non_exhaustive()
    }
}

/// Where credentials come from.
#[derive(Clone, Debug, Default)]
pub enum CredentialsSource {
    /// The SDKs' standard chain: environment, profile (with SSO, roles and credential processes), web identity, container,
    /// instance metadata.
    #[default]
    Chain,
    /// A profile of the AWS configuration files.
    Profile(String),
    /// These, for a local AWS and for tests.
    Fixed {
        /// Access key id.
        access_key_id: String,
        /// Secret access key.
        secret_access_key: SecretString,
        /// Session token.
        session_token: Option<SecretString>,
    },
}

impl CredentialsSource {
    /// In words, for messages.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::Chain => {
                "the standard chain (environment, profile, web identity, container, instance metadata)".into()
            }
            Self::Profile(name) => format!("the profile `{name}`"),
            Self::Fixed { .. } => "the configuration".into(),
        }
    }
}

/// Addresses that take the place of the services' own, such as `http://127.0.0.1:5000`. They go before
/// `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL` and the profile's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// For every service that has none of its own.
    pub every: Option<String>,
    /// For single services.
    pub of_service: BTreeMap<Service, String>,
}

impl Endpoints {
    /// The address of a service, where one is given.
    #[must_use]
    pub fn of(&self, service: Service) -> Option<&str> {
        self.of_service.get(&service).or(self.every.as_ref()).map(String::as_str)
    }
}

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer.
    pub read: Duration,
    /// For one request with its whole answer.
    pub attempt: Duration,
    /// For a request with all its repetitions: none is begun after it, and pauses end with it.
    pub operation: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            attempt: Duration::from_secs(60),
            operation: Duration::from_secs(180),
        }
    }
}
