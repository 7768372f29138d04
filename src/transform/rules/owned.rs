//! Objects with owners.

use super::super::edit::Weight;
use super::super::owners::{OwnerClass, owner_class};
use super::super::rule::Rule;
use super::super::work::Work;

/// See the module.
pub const RULES: &[Rule] = &[Rule {
    id: "owned.references",
    kinds: &[],
    reason: "owners are known by their uids, and in the target they have others",
    source: "velero#7862; crane-lib whiteout of owned objects",
    apply: references,
}];

fn references(work: &mut Work<'_>) {
    match owner_class(&work.object, &work.context.survey) {
        OwnerClass::Unowned => {}
        OwnerClass::Recreated { by } => work.drop(format!("{by} makes it again")),
        OwnerClass::Relinked { reason, to } => {
            work.remove_for(
                "/metadata/ownerReferences",
                &format!("it is linked to its owner again once that exists: {reason}"),
            );
            work.relinks = to;
        }
        OwnerClass::Orphaned { of } => {
            work.remark(
                Weight::Warning,
                "/metadata/ownerReferences",
                format!(
                    "it was owned by {}, which is not among the objects: it is carried over and nothing deletes it with \
                     its owner",
                    of.join(", ")
                ),
            );
            work.remove("/metadata/ownerReferences");
        }
    }
}
