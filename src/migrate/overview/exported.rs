//! What exists in the cluster only, as files of a pull request: Applications that take over what the migration carried.

use super::Overview;
use crate::migrate::dump::Inventory;
use crate::migrate::owner::{ExportPlan, Layout, OwnerClass, export_plan};
use crate::model::{Object, ResourceId};
use crate::transform::transform;
use std::collections::BTreeSet;

/// The files. Objects are as the rules make them for the new cluster; those that another object makes, and those that the
/// rules leave behind, are in none of them.
#[must_use]
pub fn exported(overview: &Overview, inventory: &Inventory, layout: &Layout) -> ExportPlan {
    let live_only: BTreeSet<&ResourceId> = overview
        .owned
        .iter()
        .filter(|owned| matches!(owned.class, OwnerClass::LiveOnly { .. }) && owned.through.is_none())
        .map(|owned| &owned.id)
        .collect();
    let live = inventory.objects.iter().filter(|object| live_only.contains(&object.id()));
    let made = live.flat_map(|object| transform(object.body(), &overview.rules).objects);
    let objects: Vec<Object> = made.filter_map(|body| Object::new(body).ok()).collect();
    export_plan(&objects, layout)
}
