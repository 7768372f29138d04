//! One account in one region: calls are checked, paced, sent, repeated where that is safe, and their pages joined.

use super::connector::Connectors;
use super::credentials::CachedCredentials;
use super::failure::{self, code};
use super::options::{AwsOptions, Limits};
use super::pace::Buckets;
use super::region::{Endpoint, Region, host_prefix};
use super::signed::{self, Signing};
use super::{eks, pages, rest, retry, token};
use crate::model::cloud::{Call, Service};
use crate::ports::{CallObserver, Clock, Cloud, CloudFailure, CloudFailureKind, KubernetesToken};
use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// One account in one region.
pub(super) struct Account {
    region: Region,
    endpoints: BTreeMap<Service, Endpoint>,
    credentials: Arc<CachedCredentials>,
    eks: aws_sdk_eks::Client,
    connector: SharedHttpConnector,
    buckets: Buckets,
    s3_buckets: rest::Buckets,
    limits: Limits,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn CallObserver>>,
    calls: AtomicU64,
}

/// Shows no credentials.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.region.name)
    }
}

impl Account {
    pub(super) fn new(
        options: &AwsOptions,
        connectors: &Connectors,
        region: Region,
        endpoints: BTreeMap<Service, Endpoint>,
        credentials: Arc<CachedCredentials>,
        eks: aws_sdk_eks::Client,
    ) -> Self {
        let limits = options.limits;
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .build();
        Self {
            region,
            endpoints,
            credentials,
            eks,
            connector: connectors.with(&settings),
            buckets: Buckets::new(options.pace),
            s3_buckets: rest::Buckets::default(),
            limits,
            clock: options.clock.clone(),
            observer: options.observer.clone(),
            calls: AtomicU64::new(0),
        }
    }

    /// The region that keeps the events of global services.
    pub(super) fn region_of_global_services(&self) -> &'static str {
        self.region.of_global_services()
    }

    async fn pages(&self, call: &Call) -> Result<Value, CloudFailure> {
        let mut call = call.clone();
        let mut joined = None;
        let (most, rest_is_left) = pages::most(&call);
        for _ in 0..most {
            let page = self.repeated(&call).await?;
            let next = pages::next(&call, &page);
            let next = next.filter(|next| next.iter().all(|(member, _)| takes(&call, member)));
            joined = Some(pages::join(joined, page));
            let Some(next) = next else {
                return Ok(pages::without_markers(joined.unwrap_or_default()));
            };
            if next.iter().all(|(member, token)| call.input[*member] == *token) {
                break;
            }
            for (member, token) in next {
                call.input[member] = token;
            }
        }
        if rest_is_left {
            return Ok(pages::without_markers(joined.unwrap_or_default()));
        }
        let message = "the service names one page after the other without an end".to_owned();
        Err(failure::own(&call, CloudFailureKind::Unavailable, code::ENDLESS, message))
    }

    /// One request, again where it certainly had no effect or a second time does no harm.
    async fn repeated(&self, call: &Call) -> Result<Value, CloudFailure> {
        let begin = self.clock.now();
        let mut pauses = retry::Pauses::new(self.seed());
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let failed = match self.attempt(call, &mut renewed).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::Renewed) => continue,
                Err(Failed::With(failure)) => failure,
            };
            if failed.kind == CloudFailureKind::Throttled {
                self.buckets.drain(call.service);
            }
            let pause = pauses.next();
            let spent = self.clock.now().duration_since(begin).unsigned_abs();
            let over = attempt >= retry::MOST_ATTEMPTS || spent + pause > self.limits.operation;
            if over || !retry::again(call, failed.kind) {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call, renewed: &mut bool) -> Result<Value, Failed> {
        self.buckets.take(call.service).await;
        let credentials = self.credentials.get().await.map_err(|error| {
            let (code, words) = failure::no_credentials(self.credentials.origin(), &error);
            failure::own(call, CloudFailureKind::Credentials, code, words)
        })?;
        if let Some(observer) = &self.observer
            && let Some(failed) = observer.before(call).await
        {
            return Err(failed.into());
        }
        let settled = self.sent(call, &credentials).await;
        if let Some(observer) = &self.observer
            && let Some(failed) = observer.after(call, settled.as_ref().err()).await
        {
            return Err(failed.into());
        }
        if let Err(failed) = &settled
            && failed.kind == CloudFailureKind::Credentials
            && failed.code.starts_with("ExpiredToken")
            && !*renewed
        {
            *renewed = true;
            self.credentials.refused(&credentials).await;
            return Err(Failed::Renewed);
        }
        Ok(settled?)
    }

    async fn sent(&self, call: &Call, credentials: &Credentials) -> Result<Value, CloudFailure> {
        let misfit = |misfit| failure::misfit(call, &misfit);
        let endpoint = &self.endpoints[&call.service];
        let limit = self.limits.attempt;
        let signing = Signing {
            credentials,
            region: &endpoint.signing_region,
            service: host_prefix(call.service),
            time: SystemTime::from(self.clock.now()),
        };
        let outcome = if call.service == Service::Eks {
            let sending = eks::prepare(&self.eks, &call.operation, &call.input).map_err(misfit)?;
            tokio::time::timeout(limit, sending).await
        } else if rest::speaks(call.service) {
            let prepared = rest::prepare(call).map_err(misfit)?;
            let sending = prepared.send(&self.connector, endpoint, &self.s3_buckets, &signing);
            tokio::time::timeout(limit, sending).await
        } else {
            let prepared = signed::prepare(call).map_err(misfit)?;
            let sending = prepared.send(&self.connector, &endpoint.address, &signing);
            tokio::time::timeout(limit, sending).await
        };
        failure::settle(call, &endpoint.address, outcome.unwrap_or_else(|_| failure::too_late(limit)))
    }

    /// Refuses what would not be sent, before anything is.
    fn check(&self, call: &Call) -> Result<(), CloudFailure> {
        let fits = if call.service == Service::Eks {
            eks::prepare(&self.eks, &call.operation, &call.input).map(drop)
        } else if rest::speaks(call.service) {
            rest::prepare(call).map(drop)
        } else {
            signed::prepare(call).map(drop)
        };
        fits.map_err(|misfit| failure::misfit(call, &misfit))
    }

    fn seed(&self) -> u64 {
        let count = self.calls.fetch_add(1, Ordering::Relaxed);
        (self.clock.now().as_nanosecond() as u64).wrapping_add(count.wrapping_mul(0x9e37_79b9))
    }
}

/// Whether a call can ask for a page: some answers name a next one that nothing can ask for.
fn takes(call: &Call, member: &str) -> bool {
    call.service == Service::Eks || signed::has_member(call, member) || rest::has_member(call, member)
}

/// Why an attempt gave no answer.
enum Failed {
    /// The credentials had expired and are fetched anew: again, at once.
    Renewed,
    With(CloudFailure),
}

impl From<CloudFailure> for Failed {
    fn from(failure: CloudFailure) -> Self {
        Self::With(failure)
    }
}

#[async_trait]
impl Cloud for Account {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        let mut call = call.clone();
        if call.input.is_null() {
            call.input = Value::Object(Map::new());
        }
        self.check(&call)?;
        let result = self.pages(&call).await;
        if let Some(observer) = &self.observer {
            observer.answered(&call, result.as_ref().err()).await;
        }
        result
    }

    async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        let failed = |code: &str, message| CloudFailure {
            kind: CloudFailureKind::Credentials,
            code: code.into(),
            message,
            call: format!("a token for the cluster `{cluster}`"),
            service: Some(Service::Sts),
        };
        let credentials = self.credentials.get().await.map_err(|error| {
            let (code, words) = failure::no_credentials(self.credentials.origin(), &error);
            failed(code, words)
        })?;
        let now = SystemTime::from(self.clock.now());
        token::kubernetes_token(&credentials, now, &self.region, cluster)
            .map_err(|words| failed(code::NO_CREDENTIALS, words))
    }

    fn region(&self) -> &str {
        &self.region.name
    }

    fn partition(&self) -> &str {
        self.region.partition.id
    }
}
