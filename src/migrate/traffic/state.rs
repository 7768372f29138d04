//! How a name stands: still simple, a pair of ours, or something that is not to be touched.

use super::change::created;
use super::input::{Endpoint, Input, Shifted};
use super::records::{Record, normal};
use serde_json::{Value, json};

/// The records of a name, by what they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State<'a> {
    /// One record for each kind, without a routing policy.
    Simple(Vec<&'a Record>),
    /// For each kind a record of the source and one of the target.
    Paired(Vec<Pair<'a>>),
    /// In words: what stands in the way, and the way out.
    Barred(String, &'static str),
}

/// Two weighted records of one name and kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair<'a> {
    /// Where it led before.
    pub(super) source: &'a Record,
    /// Where it leads to.
    pub(super) target: &'a Record,
}

impl Pair<'_> {
    /// The target's share in percent; `None` where the two do not add up to what we write.
    pub(super) fn share(&self) -> Option<u64> {
        let (source, target) = (self.source.weight()?, self.target.weight()?);
        (source + target == 100).then_some(target)
    }
}

/// Looks a name up.
pub(super) fn state<'a>(input: &Input<'a>, name: &Shifted) -> State<'a> {
    let found = input.zones.addresses(&name.zone, &name.name);
    if found.is_empty() {
        return State::Barred(
            format!("{} has no record in the zone {}", name.name, name.zone),
            "look at the zone's id and the name in the Migration document",
        );
    }
    let (source_set, target_set) = (input.setting.set("source"), input.setting.set("target"));
    let (mut simple, mut pairs) = (Vec::new(), Vec::new());
    for (kind, records) in found {
        if let [one] = records.as_slice()
            && one.set().is_none()
        {
            simple.push(*one);
            continue;
        }
        if let Some(policy) = records.iter().find_map(|record| record.other_policy()) {
            return State::Barred(
                format!(
                    "{} ({kind}) has a routing policy of its own ({policy}), which no weight goes beside",
                    name.name
                ),
                "give the old records a name of their own, and let this name be an alias to it",
            );
        }
        let of = |set: &str| records.iter().copied().find(|record| record.set() == Some(set));
        match (of(&source_set), of(&target_set)) {
            (Some(source), Some(target)) if records.len() == 2 => pairs.push(Pair { source, target }),
            _ => {
                return State::Barred(
                    format!("{} ({kind}) has weighted records that are not of this migration", name.name),
                    "give those a name of their own, and let this name be an alias to it",
                );
            }
        }
    }
    match (simple.is_empty(), pairs.is_empty()) {
        (false, true) => State::Simple(simple),
        (true, false) => State::Paired(pairs),
        _ => State::Barred(
            format!("some records of {} are weighted and some are not", name.name),
            "somebody changed them meanwhile: make all of them simple, or all of them pairs",
        ),
    }
}

/// The target's record for a record of the source, of the same kind, or why there can be none.
pub(super) fn counterpart(name: &Shifted, record: &Record) -> Result<Record, String> {
    let kind = record.kind();
    let bare = [("SetIdentifier", Value::Null), ("Weight", Value::Null), ("HealthCheckId", Value::Null)];
    let bare = record.with(&bare);
    let plain = |values: Vec<&str>, ttl: u64| {
        let values: Vec<Value> = values.into_iter().map(|value| json!({"Value": value})).collect();
        bare.with(&[("AliasTarget", Value::Null), ("TTL", json!(ttl)), ("ResourceRecords", values.into())])
    };
    // An alias to a load balancer is kept for 60 s (Route 53, choosing between alias and non-alias records).
    let ttl = record.ttl().unwrap_or(60);
    match (&name.endpoint, kind) {
        (Endpoint::Host { name: host, .. }, "CNAME") => Ok(plain(vec![host.trim_end_matches('.')], ttl)),
        (Endpoint::Host { name: host, zone: Some(zone) }, _) => Ok(bare.with(&[
            ("TTL", Value::Null),
            ("ResourceRecords", Value::Null),
            (
                "AliasTarget",
                json!({
                    "HostedZoneId": zone,
                    "DNSName": format!("{}.", normal(host)),
                    "EvaluateTargetHealth": record.body()["AliasTarget"]["EvaluateTargetHealth"] == true,
                }),
            ),
        ])),
        (Endpoint::Host { name: host, zone: None }, _) => Err(format!(
            "{} is a record of addresses, and {host} is a name that is no load balancer of AWS: no alias can name it",
            name.name
        )),
        (Endpoint::Addresses(addresses), "A" | "AAAA") => {
            let own: Vec<&str> = addresses
                .iter()
                .map(String::as_str)
                .filter(|address| address.contains(':') == (kind == "AAAA"))
                .collect();
            if own.is_empty() {
                return Err(format!("the target has no address for the {kind} record of {}", name.name));
            }
            Ok(plain(own, ttl))
        }
        (Endpoint::Addresses(_), _) => Err(format!(
            "{} is a CNAME, and the target has addresses only: make it an A record first",
            name.name
        )),
    }
}

/// The records of a name as they were before anything: from the journal, the earliest step first.
pub(super) fn original(input: &Input<'_>, name: &Shifted) -> Option<Vec<Record>> {
    ["ttl", "pair"].iter().find_map(|step| {
        let undo = input.journal.get(&format!("{step}/{}", name.name))?;
        let records: Vec<Record> = undo.iter().flat_map(created).collect();
        (!records.is_empty()).then_some(records)
    })
}
