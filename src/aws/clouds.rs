//! Opening accounts.

use super::account::Account;
use super::connector::Connectors;
use super::credentials::CachedCredentials;
use super::failure::{code, no_credentials};
use super::options::{AwsOptions, CredentialsSource};
use super::region::{self, Endpoint, Variant, service_id};
use super::trail::History;
use crate::model::cloud::Service;
use crate::ports::{Cloud, CloudAccess, CloudFailure, CloudFailureKind, Clouds, Trail};
use async_trait::async_trait;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_eks::config::IdentityCache;
use aws_sdk_eks::config::retry::RetryConfig;
use aws_types::service_config::ServiceConfigKey;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Name of the sessions of assumed roles, as CloudTrail shows it.
const SESSION_NAME: &str = "portolan";

/// The way to AWS accounts.
#[derive(Debug)]
pub struct AwsClouds {
    options: AwsOptions,
    connectors: Connectors,
    /// One for each access: connections, credentials and pace are shared by all that use it.
    opened: Mutex<BTreeMap<CloudAccess, Arc<OnceCell<Arc<Account>>>>>,
}

impl AwsClouds {
    /// Nothing is asked or read yet.
    #[must_use]
    pub fn new(options: AwsOptions) -> Self {
        Self { options, connectors: Connectors::default(), opened: Mutex::default() }
    }

    /// The one account of an access.
    async fn opened(&self, access: &CloudAccess) -> Result<Arc<Account>, CloudFailure> {
        let place = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.entry(access.clone()).or_default().clone()
        };
        place.get_or_try_init(|| async { self.account(access).await.map(Arc::new) }).await.cloned()
    }

    async fn account(&self, access: &CloudAccess) -> Result<Account, CloudFailure> {
        let config = self.config(access).await;
        let region = if access.region.is_empty() {
            config.region().map(|region| region.as_ref().to_owned())
        } else {
            Some(access.region.clone())
        };
        let region = region.ok_or_else(|| {
            refused(
                CloudFailureKind::Invalid,
                code::BAD_ACCESS,
                "no region is given; set one, or AWS_REGION".into(),
            )
        })?;
        let region = region::Region::of(&region).ok_or_else(|| {
            let words = format!("`{region}` is no AWS region; one is called like `eu-central-1`");
            refused(CloudFailureKind::Invalid, code::BAD_ACCESS, words)
        })?;
        let variant = Variant {
            fips: config.use_fips().unwrap_or_default(),
            dual_stack: config.use_dual_stack().unwrap_or_default(),
        };
        let given = |service| self.given_address(&config, service);
        let credentials = self.credentials(access, &config, &region, given(Service::Sts)).await?;
        let provider: Arc<dyn ProvideCredentials> = credentials.clone();
        let mut eks = aws_sdk_eks::config::Builder::from(&config)
            .region(Region::new(region.name.clone()))
            .credentials_provider(SharedCredentialsProvider::from(provider))
            // One policy for all services, in `account`.
            .retry_config(RetryConfig::disabled())
            // `CachedCredentials` remembers them, and forgets those that were refused.
            .identity_cache(IdentityCache::no_cache());
        eks.set_endpoint_url(given(Service::Eks));
        let endpoint = |service| {
            let own = region.endpoint(service, variant);
            match given(service) {
                Some(address) => Endpoint {
                    address,
                    signing_region: region.signing_region(service).into(),
                    is_given: true,
                },
                None => own,
            }
        };
        let endpoints = BTreeMap::from(Service::ALL.map(|service| (service, endpoint(service))));
        Ok(Account::new(
            &self.options,
            &self.connectors,
            region,
            endpoints,
            credentials,
            aws_sdk_eks::Client::from_conf(eks.build()),
        ))
    }

    async fn config(&self, access: &CloudAccess) -> SdkConfig {
        let limits = self.options.limits;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .operation_attempt_timeout(limits.attempt)
            .build();
        let mut loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.connectors.clone())
            .timeout_config(timeouts)
            .app_name(AppName::new("portolan").expect("letters only"));
        if !access.region.is_empty() {
            loader = loader.region(Region::new(access.region.clone()));
        }
        match &self.options.credentials {
            CredentialsSource::Chain => loader,
            CredentialsSource::Profile(name) => {
                // Not the chain: there the environment's credentials would go before the profile's.
                let mut provider = ProviderConfig::default().with_http_client(self.connectors.clone());
                if !access.region.is_empty() {
                    provider = provider.with_region(Some(Region::new(access.region.clone())));
                }
                let provider =
                    ProfileFileCredentialsProvider::builder().profile_name(name).configure(&provider);
                loader.profile_name(name).credentials_provider(provider.build())
            }
            CredentialsSource::Fixed { access_key_id, secret_access_key, session_token } => loader
                .credentials_provider(Credentials::new(
                    access_key_id,
                    secret_access_key.expose_secret(),
                    session_token.as_ref().map(|token| token.expose_secret().to_owned()),
                    None,
                    "configuration",
                )),
        }
        .load()
        .await
    }

    /// The credentials to sign with, asked for once: that there are none is told here and not at the first call.
    async fn credentials(
        &self,
        access: &CloudAccess,
        config: &SdkConfig,
        region: &region::Region,
        sts: Option<String>,
    ) -> Result<Arc<CachedCredentials>, CloudFailure> {
        let none = || {
            let words = "no AWS credentials are configured".to_owned();
            refused(CloudFailureKind::Credentials, code::NO_CREDENTIALS, words)
        };
        let mut provider = config.credentials_provider().ok_or_else(none)?;
        let mut origin = self.options.credentials.origin();
        if let Some(arn) = &access.role_arn {
            let mut sts_config = config.to_builder();
            sts_config.set_region(Some(Region::new(region.name.clone())));
            sts_config.set_endpoint_url(sts);
            // The own credentials are remembered too: a role is assumed anew every hour with them.
            let own = CachedCredentials::new(origin.clone(), provider, self.options.clock.clone());
            sts_config.set_credentials_provider(Some(SharedCredentialsProvider::new(own)));
            let role = AssumeRoleProvider::builder(arn)
                .session_name(SESSION_NAME)
                .configure(&sts_config.build())
                .build()
                .await;
            provider = SharedCredentialsProvider::new(role);
            origin = format!("the role {arn}, assumed with those of {origin}");
        }
        let credentials = Arc::new(CachedCredentials::new(origin, provider, self.options.clock.clone()));
        credentials.get().await.map_err(|error| {
            let (code, words) = no_credentials(credentials.origin(), &error);
            refused(CloudFailureKind::Credentials, code, words)
        })?;
        Ok(credentials)
    }

    /// The address that somebody gave a service: our own configuration, the environment, the profile.
    fn given_address(&self, config: &SdkConfig, service: Service) -> Option<String> {
        if let Some(address) = self.options.endpoints.of(service) {
            return Some(address.to_owned());
        }
        let key = ServiceConfigKey::builder()
            .service_id(service_id(service))
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        let of_service = config.service_config().and_then(|settings| settings.load_config(key));
        of_service.or_else(|| config.endpoint_url().map(str::to_owned))
    }
}

#[async_trait]
impl Clouds for AwsClouds {
    async fn open(&self, access: &CloudAccess) -> Result<Arc<dyn Cloud>, CloudFailure> {
        let account = self.opened(access).await?;
        Ok(account)
    }

    async fn trail(&self, access: &CloudAccess) -> Result<Option<Arc<dyn Trail>>, CloudFailure> {
        let own = self.opened(access).await?;
        let region = own.region_of_global_services().to_owned();
        let global = if own.region() == region {
            own.clone()
        } else {
            self.opened(&CloudAccess { region, role_arn: access.role_arn.clone() }).await?
        };
        Ok(Some(Arc::new(History { own, global })))
    }
}

fn refused(kind: CloudFailureKind, code: &str, message: String) -> CloudFailure {
    CloudFailure { kind, code: code.into(), message, call: "opening the account".into(), service: None }
}
