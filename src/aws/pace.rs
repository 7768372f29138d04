//! How fast an account is called: its limits are shared with everybody else who works in it.

use crate::model::cloud::Service;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// At most so many requests to one service within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Requests. Zero counts as one.
    pub requests: u32,
    /// In any stretch of this length.
    pub within: Duration,
}

/// 20 in 2 s: half of what EC2 refills for reads of an account (20 in a second, 100 saved up).
impl Default for Pace {
    fn default() -> Self {
        Self { requests: 20, within: Duration::from_secs(2) }
    }
}

impl Pace {
    /// What a service allows, where that is less: LookupEvents of CloudTrail is answered twice a second.
    fn of(self, service: Service) -> Self {
        match service {
            Service::CloudTrail => Self { requests: 1, within: self.within.max(Duration::from_secs(1)) },
            _ => self,
        }
    }
}

/// A bucket of tokens for each service; a token that was taken comes back after the pace's time.
#[derive(Debug)]
pub(super) struct Buckets {
    pace: Option<Pace>,
    buckets: Mutex<BTreeMap<Service, Arc<Semaphore>>>,
}

impl Buckets {
    /// Without a pace nobody waits.
    pub(super) fn new(pace: Option<Pace>) -> Self {
        Self { pace, buckets: Mutex::default() }
    }

    /// Waits for a token and takes it.
    pub(super) async fn take(&self, service: Service) {
        let Some(pace) = self.pace.map(|pace| pace.of(service)) else {
            return;
        };
        let bucket = self.bucket(service, pace);
        let permit = bucket.acquire_owned().await.expect("no bucket is ever closed");
        tokio::spawn(async move {
            sleep(pace.within).await;
            drop(permit);
        });
    }

    /// The service said that it is called too fast: whatever is left is put aside for the pace's time, so that everybody
    /// waits and not only who was told.
    pub(super) fn drain(&self, service: Service) {
        let Some(pace) = self.pace.map(|pace| pace.of(service)) else {
            return;
        };
        let bucket = self.bucket(service, pace);
        let left = u32::try_from(bucket.available_permits()).unwrap_or(u32::MAX);
        if let Ok(permits) = bucket.try_acquire_many_owned(left) {
            tokio::spawn(async move {
                sleep(pace.within).await;
                drop(permits);
            });
        }
    }

    fn bucket(&self, service: Service, pace: Pace) -> Arc<Semaphore> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = usize::try_from(pace.requests.max(1)).unwrap_or(1);
        buckets.entry(service).or_insert_with(|| Arc::new(Semaphore::new(tokens))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const PACE: Pace = Pace { requests: 3, within: Duration::from_secs(2) };

    #[tokio::test(start_paused = true)]
    async fn no_stretch_of_time_has_more_requests_than_the_pace() {
        let buckets = Buckets::new(Some(PACE));
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..10 {
            buckets.take(Service::Ec2).await;
            times.push(start.elapsed());
        }
        for four in times.windows(4) {
            assert!(four[3] - four[0] >= PACE.within, "{times:?}");
        }
        assert!(times[9] < PACE.within * 4, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn services_do_not_wait_for_each_other_and_a_throttled_one_rests() {
        let buckets = Buckets::new(Some(PACE));
        let start = Instant::now();
        buckets.drain(Service::Ec2);
        buckets.take(Service::Iam).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        buckets.take(Service::Ec2).await;
        assert!(start.elapsed() >= PACE.within);
    }
}
