//! What a look has seen, and what is wanted.

use super::ownership::ExternalDns;
use super::records::Zones;
use crate::model::migration::Effect;
use std::collections::{BTreeMap, BTreeSet};

/// What is the same for every name of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name of the `Migration` document.
    pub migration: String,
    /// The kops cluster's name: names of its control plane are never shifted.
    pub source_cluster: String,
    /// Shares of the target, as the document has them.
    pub steps: Vec<Share>,
    /// The TTL while names are shifted, in seconds: how long the way back takes.
    pub ttl: u64,
}

/// A share of the target, and how long it is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0 to 100.
    pub percent: u8,
    /// How long it stands before the next, in seconds; the TTL at the least.
    pub hold_seconds: u64,
}

impl Default for Setting {
    fn default() -> Self {
        let steps = [0, 5, 25, 50, 100].map(|percent| Share { percent, hold_seconds: 300 });
        Self { migration: String::new(), source_cluster: String::new(), steps: steps.to_vec(), ttl: 60 }
    }
}

impl Setting {
    /// Shares with the time that each is held. 0 and 100 are always there: the pair is made at 0, and the end is all.
    pub(super) fn shares(&self) -> BTreeMap<u64, u64> {
        let mut shares = BTreeMap::from([(0, self.ttl), (100, self.ttl)]);
        for share in self.steps.iter().filter(|share| share.percent <= 100) {
            shares.insert(share.percent.into(), share.hold_seconds.max(self.ttl));
        }
        shares
    }

    /// What tells the records of a pair apart. Route 53 takes up to 128 characters.
    pub(super) fn set(&self, side: &str) -> String {
        format!("portolan/{}/{side}", self.migration).chars().take(128).collect()
    }
}

/// Where a name leads on the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// A load balancer's name, with the hosted zone that its aliases need (`CanonicalHostedZoneId` of ELBv2,
    /// `CanonicalHostedZoneNameID` of ELB).
    Host {
        /// `k8s-….elb.eu-west-1.amazonaws.com`.
        name: String,
        /// `Z2IFOLAFXWLO4F`; none where it is not a load balancer of AWS.
        zone: Option<String>,
    },
    /// IP addresses.
    Addresses(BTreeSet<String>),
}

/// A name that is shifted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shifted {
    /// Hosted zone's id, without `/hostedzone/`.
    pub zone: String,
    /// `shop.example.com.`
    pub name: String,
    /// Where it leads on the target.
    pub endpoint: Endpoint,
    /// Largest share of the target for now, in percent.
    pub up_to: u8,
}

/// What is known of the target behind a name: synthetic requests, error rates, endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Healthy,
    /// It does not, in words.
    Failing(String),
}

/// A change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// When it was answered, or first seen, in seconds since 1970.
    pub at: i64,
    /// Whether Route 53 says INSYNC (GetChange): before that some of its servers answer as before.
    pub in_sync: bool,
}

/// Which way the wave goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// The target gets the traffic, share by share.
    Target,
    /// The source gets all of it back at once, then every record is as it was.
    Source,
    /// The target has it all, and for good: simple records again, owned by the target's external-dns.
    Settled,
}

/// Everything that [`super::plan`] decides by.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The migration.
    pub setting: &'a Setting,
    /// The wave.
    pub wave: &'a str,
    /// Its names.
    pub names: &'a [Shifted],
    /// Records of their zones.
    pub zones: &'a Zones,
    /// Every external-dns of both clusters.
    pub controllers: &'a [ExternalDns],
    /// The inverses that the journal holds, by the keys of the steps that were made.
    pub journal: &'a BTreeMap<String, Vec<Effect>>,
    /// When steps were made, by their keys.
    pub made: &'a BTreeMap<String, Made>,
    /// Health of the target by name; a name that is missing is not known, and waits.
    pub health: &'a BTreeMap<String, Health>,
    /// Now, in seconds since 1970.
    pub now: i64,
    /// Which way.
    pub towards: Towards,
}

impl Input<'_> {
    /// Seconds that are left until `after` seconds have passed since a step; all of them where nobody knows when it was.
    pub(super) fn left(&self, key: &str, after: u64) -> u64 {
        let Some(made) = self.made.get(key).filter(|made| made.in_sync) else { return after.max(1) };
        let passed = u64::try_from(self.now.saturating_sub(made.at)).unwrap_or_default();
        after.saturating_sub(passed)
    }
}
