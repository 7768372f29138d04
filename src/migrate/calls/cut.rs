//! Calls that a plan of waves cuts.

use super::{Callee, Caller, Edge, Evidence, Graph};
use crate::migrate::verdict::{Level, Offer, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// One of the two clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// The old cluster.
    Source,
    /// The new one.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// A call whose two ends are in different clusters for a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CutEdge {
    /// The wave that cuts it, from 0.
    pub from_wave: usize,
    /// The wave that joins it again; none where one end never moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_wave: Option<usize>,
    /// The call.
    pub edge: Edge,
    /// Where the caller is in between, and so where a bridge stands.
    pub calling_side: Side,
    /// What shows the call.
    pub evidence: BTreeSet<Evidence>,
}

/// Calls that are cut when namespaces move in waves. Namespaces that no wave names stay; every cluster has a
/// `kube-system` and an API server of its own, so calls to the one are never cut, and the source's API server calls
/// webhooks until the last wave.
#[must_use]
pub fn cut(graph: &Graph, waves: &[BTreeSet<String>]) -> Vec<CutEdge> {
    let wave_of = |namespace: &str| waves.iter().position(|wave| wave.contains(namespace));
    let mut cut: Vec<CutEdge> = graph
        .edges
        .iter()
        .filter(|(edge, _)| edge.to.namespace != "kube-system")
        .filter_map(|(edge, evidence)| {
            let callee = wave_of(&edge.to.namespace);
            let caller = match &edge.from {
                Caller::ApiServer => waves.len().checked_sub(1),
                other => wave_of(other.namespace()?),
            };
            let (from_wave, until_wave, calling_side) = match (caller, callee) {
                (Some(caller), Some(callee)) if caller < callee => (caller, Some(callee), Side::Target),
                (Some(caller), Some(callee)) if callee < caller => (callee, Some(caller), Side::Source),
                // The new cluster's API server has webhooks of its own: only the old one's are cut.
                (Some(_), None) if edge.from == Caller::ApiServer => return None,
                (Some(caller), None) => (caller, None, Side::Target),
                (None, Some(callee)) => (callee, None, Side::Source),
                _ => return None,
            };
            Some(CutEdge {
                from_wave,
                until_wave,
                edge: edge.clone(),
                calling_side,
                evidence: evidence.clone(),
            })
        })
        .collect();
    cut.sort();
    cut
}

/// Verdicts on cut calls: a Blocker each, unless the callee is bridged on the calling side.
#[must_use]
pub fn verdicts(cut: &[CutEdge], bridged: &BTreeSet<(Side, Callee)>) -> Vec<Verdict> {
    cut.iter()
        .map(|one| {
            let Edge { from, to } = &one.edge;
            let has_bridge = bridged.contains(&(one.calling_side, to.clone()));
            let until = match one.until_wave {
                Some(wave) => format!("until wave {}", wave + 1),
                None => "for good, because no wave moves the other end".to_owned(),
            };
            let apart = format!("wave {} parts {from} from {to} {until}", one.from_wave + 1);
            let says = if has_bridge {
                format!("{apart}; a bridge on the {} leads across", one.calling_side)
            } else {
                format!("{apart}: move both in one wave, bridge it, or say that the call may fail")
            };
            let seen = one.evidence.iter().next();
            Verdict {
                subject: from.to_string(),
                field: seen.map(|evidence| evidence.pointer.clone()).unwrap_or_default(),
                level: if has_bridge { Level::Mapped } else { Level::Blocker },
                rule: if has_bridge { "calls.bridged" } else { "calls.cut" }.into(),
                source: "issue 5 B: the call graph; migration.md 4: order inside a wave".into(),
                says,
                becomes: None,
                choices: if has_bridge { Vec::new() } else { offers(to) },
            }
        })
        .collect()
}

fn offers(to: &Callee) -> Vec<Offer> {
    let offer = |id: &str, says: &str, proposed| Offer { id: id.into(), says: says.into(), proposed };
    let bridgeable = to.service.is_some();
    let mut offers = vec![offer("together", "move both namespaces in one wave", !bridgeable)];
    if bridgeable {
        offers.push(offer("bridge", "a Service on the calling side leads to the other side", true));
    }
    offers.push(offer("accept", "nothing calls there, or it may fail for that time", false));
    offers
}
