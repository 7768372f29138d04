//! Credentials, asked for once and renewed in time, for every way in which requests are signed.

use crate::ports::Clock;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Renewed when they are valid for less than this.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// Used in spite of a failed renewal while they are valid for longer than this.
const LAST_USE_BEFORE: Duration = Duration::from_secs(30);
/// Least time between two renewals, for providers that give what expires soon (instance metadata in an outage).
const RENEW_PAUSE: Duration = Duration::from_secs(30);
/// Longest wait for a provider: SSO, a process and a role make several requests.
const PROVIDER_LIMIT: Duration = Duration::from_secs(60);

/// Credentials of a provider, remembered.
pub(super) struct CachedCredentials {
    /// Where they come from, in words.
    origin: String,
    source: SharedCredentialsProvider,
    clock: Arc<dyn Clock>,
    cached: Mutex<Option<Cached>>,
}

struct Cached {
    credentials: Credentials,
    since: SystemTime,
}

/// Shows no credentials.
impl fmt::Debug for CachedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedCredentials")
    }
}

impl CachedCredentials {
    pub(super) fn new(origin: String, source: SharedCredentialsProvider, clock: Arc<dyn Clock>) -> Self {
        Self { origin, source, clock, cached: Mutex::new(None) }
    }

    /// Where they come from, in words: `the profile "ci"`.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Credentials to sign with now.
    ///
    /// # Errors
    /// The provider has none.
    pub(super) async fn get(&self) -> Result<Credentials, CredentialsError> {
        let now = SystemTime::from(self.clock.now());
        // Held while the provider is asked: it is asked once for all who wait.
        let mut cached = self.cached.lock().await;
        if let Some(known) = &*cached {
            let fresh = now.duration_since(known.since).is_ok_and(|age| age < RENEW_PAUSE);
            if known.lasts(now, RENEW_BEFORE) || (fresh && known.lasts(now, Duration::ZERO)) {
                return Ok(known.credentials.clone());
            }
        }
        let asked = tokio::time::timeout(PROVIDER_LIMIT, self.source.provide_credentials()).await;
        match asked.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(PROVIDER_LIMIT))) {
            Ok(credentials) => {
                *cached = Some(Cached { credentials: credentials.clone(), since: now });
                Ok(credentials)
            }
            Err(error) => match &*cached {
                Some(known) if known.lasts(now, LAST_USE_BEFORE) => Ok(known.credentials.clone()),
                _ => Err(error),
            },
        }
    }

    /// The service refused these as expired: the next ask goes to the provider.
    pub(super) async fn refused(&self, used: &Credentials) {
        let mut cached = self.cached.lock().await;
        if cached.as_ref().is_some_and(|known| known.credentials == *used) {
            *cached = None;
        }
    }
}

impl Cached {
    fn lasts(&self, now: SystemTime, at_least: Duration) -> bool {
        self.credentials
            .expiry()
            .is_none_or(|expiry| expiry.duration_since(now).is_ok_and(|left| left > at_least))
    }
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    const START: u64 = 1_700_000_000;

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Hand {
        fn turn(&self, seconds: u64) {
            self.0.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_second((START + self.0.load(Ordering::SeqCst)) as i64).unwrap()
        }
    }

    /// Gives credentials one after the other: each is how long it lasts, or a failure.
    #[derive(Debug)]
    struct Queue(StdMutex<Vec<Option<u64>>>);

    impl ProvideCredentials for Queue {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let mut queue = self.0.lock().unwrap();
            let given = queue.len();
            future::ProvideCredentials::ready(match queue.pop() {
                Some(Some(until)) => {
                    let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(START + until);
                    Ok(Credentials::new(format!("key-{given}"), "secret", None, Some(expiry), "test"))
                }
                _ => Err(CredentialsError::not_loaded_no_source()),
            })
        }
    }

    fn cached(queue: &[Option<u64>]) -> (CachedCredentials, Arc<Hand>) {
        let hand = Arc::new(Hand::default());
        let queue = Queue(StdMutex::new(queue.iter().rev().copied().collect()));
        (CachedCredentials::new("a test".into(), SharedCredentialsProvider::new(queue), hand.clone()), hand)
    }

    #[tokio::test]
    async fn they_are_renewed_before_they_expire() {
        let (credentials, hand) = cached(&[Some(3600), Some(7200)]);
        assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-2");
        hand.turn(3290);
        assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-2");
        hand.turn(20);
        assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-1");
    }

    #[tokio::test]
    async fn an_outage_of_the_provider_is_bridged_while_they_last() {
        let (credentials, hand) = cached(&[Some(3600), None, None]);
        credentials.get().await.unwrap();
        hand.turn(3400);
        assert!(credentials.get().await.is_ok());
        hand.turn(190);
        assert!(credentials.get().await.is_err());
    }

    #[tokio::test]
    async fn what_the_service_refused_is_not_used_again() {
        let (credentials, _) = cached(&[Some(3600), Some(3600)]);
        let first = credentials.get().await.unwrap();
        credentials.refused(&first).await;
        assert_ne!(credentials.get().await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_provider_of_short_lives_is_not_asked_for_every_request() {
        let (credentials, hand) = cached(&[Some(60), Some(60)]);
        credentials.get().await.unwrap();
        hand.turn(10);
        assert_eq!(credentials.get().await.unwrap().access_key_id(), "key-2");
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
