//! Verdicts on names before anything is shifted.

use super::input::Input;
use super::ownership;
use super::records::ADDRESSES;
use super::state::{State, counterpart, state};
use crate::migrate::verdict::{Level, Verdict};
use crate::model::migration::Side;

/// What becomes of every name of the wave, and who owns it.
#[must_use]
pub fn tell(input: &Input<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for name in input.names {
        let mut put = |level, rule: &str, source: &str, says: String| {
            verdicts.push(Verdict {
                subject: format!("record {} in {}", name.name, name.zone),
                field: String::new(),
                level,
                rule: rule.to_owned(),
                source: source.to_owned(),
                says,
                becomes: None,
                choices: Vec::new(),
            });
        };
        match state(input, name) {
            State::Barred(what, way_out) => {
                put(
                    Level::Blocker,
                    "traffic.record",
                    "Route 53, routing policies",
                    format!("{what}: {way_out}"),
                );
            }
            State::Paired(_) => {
                put(
                    Level::Mapped,
                    "traffic.pair",
                    "Route 53, weighted routing",
                    "it is a weighted pair already".into(),
                );
            }
            State::Simple(records) => {
                for record in records {
                    match counterpart(name, record) {
                        Err(what) => put(Level::Blocker, "traffic.endpoint", "Route 53, alias records", what),
                        Ok(_) if record.is_alias() => put(
                            Level::Mapped,
                            "traffic.alias",
                            "Route 53, weighted alias records",
                            "an alias: it has no TTL to lower, and resolvers keep it for 60 s".into(),
                        ),
                        Ok(_) => {
                            let ttl = record.ttl().unwrap_or_default();
                            let says = format!(
                                "a weighted pair; its TTL of {ttl} s is {}",
                                if ttl > input.setting.ttl {
                                    format!("lowered to {} s, one old TTL before", input.setting.ttl)
                                } else {
                                    "short enough".to_owned()
                                }
                            );
                            put(Level::Mapped, "traffic.weighted", "Route 53, weighted routing", says);
                        }
                    }
                }
            }
        }
        let mut owners: Vec<_> = ADDRESSES
            .iter()
            .flat_map(|kind| ownership::of(input.zones, input.controllers, &name.zone, &name.name, kind))
            .collect();
        owners.dedup();
        if owners.is_empty() {
            let says = "no external-dns owns it: Portolan writes it. Where Terraform or CloudFormation declares it, its next \
                        run would undo the shift: tell it to ignore the record, or take it out there"
                .to_owned();
            put(Level::Warning, "traffic.unowned", "external-dns docs/registry/txt.md", says);
        }
        for own in owners {
            let runs_at = input.controllers.iter().find(|one| one.owner == own.owner);
            let (level, says) = match runs_at {
                Some(one) if one.side == Side::Source => (
                    Level::Warning,
                    format!(
                        "{} of the source owns it (owner id {}, for {}): it is paused while the name is shifted, and the \
                         ownership goes to the target's at the end",
                        one.shown(),
                        own.owner,
                        own.resource
                    ),
                ),
                Some(one) => (Level::Mapped, format!("{} of the target owns it already", one.shown())),
                None => (
                    Level::Blocker,
                    format!(
                        "an external-dns with the owner id {:?} owns it, which runs in neither cluster",
                        own.owner
                    ),
                ),
            };
            put(level, "traffic.owner", "external-dns docs/registry/txt.md; external-dns#2019, #6617", says);
        }
    }
    verdicts.sort();
    verdicts.dedup();
    verdicts
}
