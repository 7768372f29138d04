//! When a request is made again, and after which pause.

use crate::model::cloud::{Call, Service};
use crate::ports::CloudFailureKind;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(300);
const LONGEST: Duration = Duration::from_secs(20);
/// Most requests for one call (of a page, where there are pages).
pub(super) const MOST_ATTEMPTS: u32 = 8;

/// Whether an operation changes nothing.
pub(super) fn reads(call: &Call) -> bool {
    const BEGINNINGS: [&str; 6] = ["Describe", "List", "Get", "Lookup", "Decode", "Simulate"];
    BEGINNINGS.iter().any(|begin| call.operation.starts_with(begin))
}

/// Whether making a call twice is the same as making it once: it reads, or it carries a token by which the service knows
/// it again.
pub(super) fn is_repeatable(call: &Call) -> bool {
    let token = match call.service {
        Service::Eks => "clientRequestToken",
        Service::Ec2 => "ClientToken",
        Service::CloudFormation => "ClientRequestToken",
        _ => return reads(call),
    };
    reads(call) || call.input[token].as_str().is_some_and(|token| !token.is_empty())
}

/// Whether a failed request is made again.
pub(super) fn again(call: &Call, kind: CloudFailureKind) -> bool {
    match kind {
        // No effect, whatever the call does.
        CloudFailureKind::Throttled | CloudFailureKind::Unavailable => true,
        CloudFailureKind::Unanswered => is_repeatable(call),
        _ => false,
    }
}

/// Pauses that grow: each is anything between nothing and a limit, which doubles from 0.3 s up to 20 s.
///
/// Full jitter, so that many who were throttled together do not come back together. `seed` differs by process and
/// call; the numbers are SplitMix64's.
#[derive(Debug)]
pub(super) struct Pauses {
    state: u64,
    attempt: u32,
}

impl Pauses {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed, attempt: 0 }
    }

    pub(super) fn next(&mut self) -> Duration {
        let limit = FIRST.saturating_mul(1 << self.attempt.min(10)).min(LONGEST);
        self.attempt = self.attempt.saturating_add(1);
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        limit.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_are_repeated_only_where_that_is_safe() {
        let call = |service, operation, input| Call::new(service, operation, input);
        let token = json!({"clientRequestToken": "t"});
        for (call, unanswered) in [
            (call(Service::Eks, "DescribeCluster", json!({})), true),
            (call(Service::Eks, "CreateCluster", token), true),
            (call(Service::Eks, "CreateCluster", json!({"clientRequestToken": ""})), false),
            (call(Service::Eks, "DeleteCluster", json!({"name": "a"})), false),
            (call(Service::Ec2, "CreateNatGateway", json!({"ClientToken": "t"})), true),
            (call(Service::Ec2, "CreateVpc", json!({})), false),
            (call(Service::Iam, "CreateRole", json!({"clientRequestToken": "t"})), false),
            (call(Service::Iam, "GetRole", json!({})), true),
        ] {
            assert_eq!(again(&call, CloudFailureKind::Unanswered), unanswered, "{call}");
            assert!(again(&call, CloudFailureKind::Throttled), "{call}");
            assert!(!again(&call, CloudFailureKind::Invalid), "{call}");
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_differ_by_seed() {
        let pauses = |seed| {
            let mut pauses = Pauses::new(seed);
            (0..200).map(|_| pauses.next()).collect::<Vec<_>>()
        };
        let (one, other) = (pauses(1), pauses(2));
        assert_ne!(one, other);
        assert!(one[0] <= FIRST && one.iter().all(|pause| *pause <= LONGEST));
        let mean = one[20..].iter().sum::<Duration>() / 180;
        assert!(mean > LONGEST / 3 && mean < LONGEST * 2 / 3, "{mean:?}");
    }
}
