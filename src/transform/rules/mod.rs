//! The rules, in the order in which they run: versions first, so that all others know one form of a kind only; last what
//! removes the traces that others read (the last-applied configuration tells who chose a node port).

mod access;
mod admission;
mod balancer_annotations;
mod containers;
mod custom;
mod definitions;
mod dns;
mod ingress;
mod jobs;
mod load_balancer;
mod namespaces;
mod network;
mod owned;
mod pods;
mod references;
mod scheduling;
mod secrets;
mod service;
mod storage;
mod strip;
mod transient;
mod versions;
mod volumes;
mod workloads;

use super::rule::Rule;
use std::sync::LazyLock;

/// Every rule, in the order in which they run.
pub static RULES: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let parts: [&'static [Rule]; 24] = [
        transient::RULES,
        versions::RULES,
        owned::RULES,
        secrets::RULES,
        jobs::RULES,
        pods::RULES,
        service::RULES,
        load_balancer::RULES,
        balancer_annotations::RULES,
        ingress::RULES,
        dns::RULES,
        network::RULES,
        access::RULES,
        admission::RULES,
        definitions::RULES,
        namespaces::RULES,
        workloads::RULES,
        containers::RULES,
        scheduling::RULES,
        storage::RULES,
        volumes::RULES,
        custom::RULES,
        references::RULES,
        strip::RULES,
    ];
    parts.into_iter().flatten().collect()
});

/// The rule of an id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_an_id_a_reason_and_a_source() {
        let ids: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), RULES.len(), "two rules have one id");
        for rule in RULES.iter() {
            assert!(rule.id.contains('.') && !rule.reason.is_empty() && !rule.source.is_empty(), "{rule:?}");
        }
    }
}
