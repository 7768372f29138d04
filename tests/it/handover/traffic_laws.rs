//! Laws over generated zones: there and back is as before, wherever it is cut; a name is never without a record.

use super::zones::{Dns, alias, external_dns, owned, record};
use portolan::migrate::traffic::{Share, Towards};
use portolan::model::migration::Side;
use proptest::prelude::*;
use serde_json::Value;

const NAMES: [&str; 3] = ["a.example.com.", "\\052.b.example.com.", "example.com."];

/// The records of a name, and whether the source's external-dns owns it.
fn name(at: usize) -> impl Strategy<Value = (Vec<Value>, bool)> {
    let name = NAMES[at];
    let ttl = prop_oneof![Just(30u64), Just(60), Just(300), Just(3600)];
    let kind = if name == "example.com." { 1..3usize } else { 0..3usize };
    (kind, ttl, any::<bool>()).prop_map(move |(kind, ttl, owned)| {
        let sets = match kind {
            0 => vec![record(name, "CNAME", ttl, &["old.elb.example.net"])],
            1 => vec![alias(name, "A", "old.elb.example.net"), alias(name, "AAAA", "old.elb.example.net")],
            _ => vec![record(name, "A", ttl, &["192.0.2.1", "192.0.2.2"])],
        };
        (sets, owned)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_and_back_is_as_before(
        names in (name(0), name(1), name(2)),
        shares in prop::collection::btree_set(1u8..100, 0..4),
        cuts in prop::collection::vec((0usize..4, 0i64..400), 0..30),
    ) {
        let mut sets = Vec::new();
        let mut any_owned = false;
        for (own, (records, is_owned)) in NAMES.iter().zip([&names.0, &names.1, &names.2]) {
            sets.extend(records.clone());
            if *is_owned {
                any_owned = true;
                sets.push(owned(&format!("cname-{own}"), "old"));
            }
        }
        let mut dns = Dns::new(sets, &NAMES);
        dns.setting.steps = shares.iter().map(|percent| Share { percent: *percent, hold_seconds: 120 }).collect();
        dns.deployments.push((Side::Source, external_dns(&["--txt-owner-id=old"], 2)));
        let before = (dns.picture(), dns.deployments.clone());
        let mut last: [u64; 3] = [0; 3];
        for (most, seconds) in cuts {
            dns.pass(Towards::Target, most);
            dns.now += seconds;
            for (at, name) in NAMES.iter().enumerate() {
                prop_assert!(dns.sets.iter().any(|set| set["Name"] == *name), "{} has no record", name);
                let share = dns.share(name).unwrap_or_default();
                prop_assert!(share >= last[at], "a share falls on the way forward");
                last[at] = share;
            }
        }
        let touched = dns.deployments != before.1;
        prop_assert!(any_owned || !touched, "an external-dns that owns nothing is paused");
        dns.run(Towards::Source);
        prop_assert_eq!((dns.picture(), dns.deployments.clone()), before);
        // And to the end from there.
        dns.journal.clear();
        dns.made.clear();
        dns.run(Towards::Target);
        for name in NAMES {
            prop_assert_eq!(dns.share(name), Some(100));
        }
    }
}
