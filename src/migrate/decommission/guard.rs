//! The gate before `kops delete cluster`.

use super::listing::{CannotTell, Cluster, would_delete};
use super::reads::AwsReads;
use super::spare::{Spare, spare};
use super::usage::{InUse, closure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Nothing that kops would take is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cleared {
    /// What kops would take, as (type, id).
    pub would_delete: BTreeSet<(String, String)>,
    /// SHA-256 of the list, in hex: what an approval is bound to. Another list needs another approval.
    pub digest: String,
}

/// A thing that kops would take although the target uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Type, as kops prints it.
    pub kind: String,
    /// Id, as kops prints it.
    pub id: String,
    /// What uses it.
    pub used_by: String,
    /// What would spare it.
    pub spare: Spare,
}

/// Why the old cluster may not be deleted yet.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The list cannot be told.
    #[error(transparent)]
    CannotTell(#[from] CannotTell),
    /// The list has things that the target uses.
    #[error("kops delete cluster would take {} things that the new cluster uses, the first is {}", .0.len(), .0.first().map(|one| format!("{} {}: {}", one.kind, one.id, one.used_by)).unwrap_or_default())]
    InUse(Vec<Refusal>),
}

/// Clears the deletion of a cluster, or says what stands against it and what would spare it.
///
/// # Errors
/// [`Refused`] where reads are missing, or anything that kops would take is used by the target.
pub fn guard(reads: &AwsReads, cluster: &Cluster, used: &InUse) -> Result<Cleared, Refused> {
    let would_delete = would_delete(reads, cluster)?;
    let used = closure(reads, used);
    let other_names = other_names(reads);
    let refusals: Vec<Refusal> = would_delete
        .iter()
        .filter_map(|(kind, id)| {
            let names = std::iter::once(id.as_str()).chain(other_names.get(id.as_str()).copied());
            let used_by = names.into_iter().find_map(|name| used.ids.get(name))?;
            Some(Refusal {
                kind: kind.clone(),
                id: id.clone(),
                used_by: used_by.clone(),
                spare: spare(kind, id, cluster),
            })
        })
        .collect();
    if !refusals.is_empty() {
        return Err(Refused::InUse(refusals));
    }
    let digest = digest(&would_delete);
    Ok(Cleared { would_delete, digest })
}

/// Names by which things are used that kops prints by their ids: key pairs.
fn other_names(reads: &AwsReads) -> BTreeMap<&str, &str> {
    let pairs = reads.items("ec2", "DescribeKeyPairs", &["KeyPairs"]);
    let named = |pair| Some((super::text(pair, "KeyPairId")?, super::text(pair, "KeyName")?));
    pairs.into_iter().filter_map(named).collect()
}

fn digest(things: &BTreeSet<(String, String)>) -> String {
    let mut hash = Sha256::new();
    for (kind, id) in things {
        hash.update(format!("{kind}\t{id}\n"));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
