//! How long to wait before trying again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// A growing wait: 0.25 s, doubled up to 30 s, each spread over its upper half.
///
/// The spread comes from a seed (the kind's name) and the attempt, so that the watches of a restarted server do not
/// come back at once, and still without randomness.
#[derive(Debug)]
pub(super) struct BackOff {
    seed: u64,
    attempt: u32,
}

impl BackOff {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, attempt: 0 }
    }

    pub(super) const fn reset(&mut self) {
        self.attempt = 0;
    }

    /// The next wait; what the server asked for counts when it is longer, up to a minute.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = FIRST.saturating_mul(1 << self.attempt.min(10)).min(LONGEST);
        let spread = mix(self.seed.wrapping_add(u64::from(self.attempt))) % 1000;
        self.attempt = self.attempt.saturating_add(1);
        let wait = full / 2 + full.mul_f64(spread as f64 / 2000.0);
        wait.max(asked.unwrap_or_default().min(LONGEST * 2))
    }
}

/// A number from a name, the same in every run.
pub(super) fn seed(name: &str) -> u64 {
    // FNV-1a, 64 bit (the constants are its published ones).
    mix(name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// Spreads neighbouring numbers: the finaliser of SplitMix64.
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_differ_by_seed() {
        let waits = |seed| {
            let mut back_off = BackOff::new(seed);
            (0..12).map(|_| back_off.next(None)).collect::<Vec<_>>()
        };
        let (pods, services) = (waits(seed("Pod")), waits(seed("Service")));
        assert_ne!(pods, services);
        for (attempt, wait) in pods.iter().enumerate() {
            let full = Duration::from_millis(250 << attempt.min(10)).min(LONGEST);
            assert!(*wait >= full / 2 && *wait <= full, "attempt {attempt}: {wait:?}");
        }
    }

    #[test]
    fn the_server_is_heard_within_reason() {
        let mut back_off = BackOff::new(1);
        assert_eq!(back_off.next(Some(Duration::from_secs(9))), Duration::from_secs(9));
        assert_eq!(back_off.next(Some(Duration::from_secs(86_400))), Duration::from_secs(60));
        back_off.reset();
        assert!(back_off.next(None) <= Duration::from_millis(250));
    }
}
