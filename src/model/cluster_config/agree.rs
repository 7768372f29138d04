//! A `Cluster` document and the ClusterConfig that it points at, together.

use super::ClusterConfig;
use crate::model::cluster::{EksRef, WarmPoolState};
use crate::model::document::nearest;
use crate::model::document::validate::Violation;

/// Where the two do not fit, each with a pointer into the `Cluster` document. `file` is the ClusterConfig's path.
///
/// Both say which cluster it is: a copied file whose name was forgotten would otherwise change another cluster.
#[must_use]
pub fn disagreements(eks: &EksRef, config: &ClusterConfig, file: &str) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |pointer: String, message: String, hint: String| {
        found.push(Violation { pointer, message, hint: Some(hint) });
    };
    let both = [("name", &eks.name, &config.metadata.name), ("region", &eks.region, &config.metadata.region)];
    for (field, here, there) in both {
        if here != there {
            wrong(
                format!("/spec/eks/{field}"),
                format!("`spec.eks.{field}` is `{here}`, and `metadata.{field}` of {file} is `{there}`"),
                "make them the same: the document and the file are about one cluster".into(),
            );
        }
    }
    let managed = config.managed_node_groups.iter().map(|group| &group.base);
    let own = config.node_groups.iter().map(|group| &group.base);
    for (name, settings) in &eks.node_groups {
        let at = "/spec/eks/nodeGroups".to_owned();
        let Some(group) = managed.clone().chain(own.clone()).find(|group| group.name == *name) else {
            let names = managed.clone().chain(own.clone()).map(|group| group.name.as_str());
            let hint = match nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "take it out, or declare the group in the file".into(),
            };
            wrong(at, format!("there is no node group `{name}` in {file}"), hint);
            continue;
        };
        let Some(pool) = &settings.warm_pool else { continue };
        if !managed.clone().any(|other| other.name == *name) {
            let hint = "take `warmPool` out, or declare the group under `managedNodeGroups`".into();
            wrong(
                at.clone(),
                format!("node group `{name}` is self-managed and cannot have a warm pool"),
                hint,
            );
        }
        if pool.pool_state == WarmPoolState::Hibernated
            && group.ami_family.unwrap_or_default().is_bottlerocket()
        {
            let hint = "use Stopped or Running".into();
            wrong(
                at.clone(),
                format!("node group `{name}` has Bottlerocket nodes, which cannot hibernate"),
                hint,
            );
        }
        if let (Some(min), Some(most)) = (pool.min_size, pool.max_group_prepared_capacity)
            && min > most
        {
            let hint = "lower `minSize`, or raise `maxGroupPreparedCapacity`".into();
            wrong(
                at,
                format!("the warm pool of `{name}` has {min} instances at least and {most} at most"),
                hint,
            );
        }
    }
    found
}
