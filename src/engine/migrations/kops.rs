//! What the kops state store says: whose objects are kops' own, and what `kops delete cluster` would be told.

use super::kept::{Mover, Wanted};
use crate::engine::inventory::{Reading, read_store};
use crate::migrate::decommission::Cluster;
use crate::migrate::dump::{Inventory, cluster_of};
use crate::migrate::own::Index;
use crate::model::migration_document::KopsRef;
use std::sync::Arc;

/// A state store as it was read.
pub(crate) struct Kops {
    /// Where it was read.
    of: KopsRef,
    /// What was read, without anything of AWS.
    pub inventory: Inventory,
    /// The objects of its bootstrap channel.
    pub index: Index,
    /// The cluster that would be deleted.
    pub cluster: Cluster,
}

/// Reads the state store, once for each place that a document names; `None` where it names none.
///
/// # Errors
/// It cannot be read, in words: without it kops' own objects could be taken for a user's.
pub(super) async fn read(mover: &Mover, wanted: &Wanted) -> Result<Option<Arc<Kops>>, String> {
    let Some(of) = &wanted.spec.source.kops else { return Ok(None) };
    if let Some(known) = mover.state().kops.clone().filter(|known| known.of == *of) {
        return Ok(Some(known));
    }
    let Some(files) = mover.context.sides.state_store(&wanted.spec).await? else { return Ok(None) };
    let mut reading = Reading::new(mover.context.salt);
    read_store(files.as_ref(), Some(&of.cluster_name), &mut reading, &|_: &str| {})
        .await
        .map_err(|failure| format!("the state store of kops cannot be read: {failure}"))?;
    let state = reading.inventory.kops().map_err(|failure| failure.to_string())?;
    let index = reading.inventory.index(Some(&state));
    let kops =
        Arc::new(Kops { of: of.clone(), index, cluster: cluster_of(&state), inventory: reading.inventory });
    mover.state().kops = Some(kops.clone());
    Ok(Some(kops))
}
