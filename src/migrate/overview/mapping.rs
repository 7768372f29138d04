//! What the rules are told of names that change, as the Migration document has it: so that the stages make of every
//! object what the assessment said.

use crate::model::migration_document::MappingSpec;
use crate::transform::{Context, Identity};

/// The mapping of a Migration document.
pub(super) fn mapping(rules: &Context) -> MappingSpec {
    let identity = |identity: &Identity| match identity {
        Identity::Rename(new) => new.clone(),
        // The empty text binds nobody.
        Identity::Drop(_) => String::new(),
    };
    MappingSpec {
        node_groups: rules.node_groups.clone(),
        node_labels: rules.node_labels.clone(),
        storage_classes: rules.storage_classes.clone(),
        ingress_classes: rules.ingress_classes.clone(),
        roles: rules.roles.clone(),
        identities: rules.identities.iter().map(|(who, fate)| (who.clone(), identity(fate))).collect(),
    }
}
