//! Versions of the API that the target does not serve.

use super::super::convert::convert;
use super::super::edit::Weight;
use super::super::rule::Rule;
use super::super::served::{row, served_by_minor};
use super::super::work::Work;
use crate::model::Gvk;

/// See the module.
pub const RULES: &[Rule] = &[Rule {
    id: "api.version",
    kinds: &[],
    reason: "the target does not serve the version",
    source: "kubernetes.io deprecation guide; config/transforms/api-versions.yaml",
    apply: version,
}];

fn version(work: &mut Work<'_>) {
    // A chain of replacements ends: a test sees to it that the table has no circle.
    for _ in 0..4 {
        let gvk = work.gvk();
        let served = &work.context.target.served;
        let is_served = if served.is_empty() {
            served_by_minor(&gvk, work.context.target.minor).unwrap_or(true)
        } else {
            served.has(&gvk)
        };
        if is_served {
            return;
        }
        let Some(row) = row(&gvk) else {
            if served.is_empty() {
                // A version that is newer than the target: nothing older is known to be right.
                return work.remark(
                    Weight::Blocker,
                    "/apiVersion",
                    format!("the target does not serve {gvk} yet"),
                );
            }
            let others = served.versions(&gvk.group_kind()).join(", ");
            if !others.is_empty() {
                let says = format!(
                    "the target serves {} in {others} only: read it from the source in one of these",
                    gvk.group_kind()
                );
                work.remark(Weight::Blocker, "/apiVersion", says);
            } else if !is_defined_by_the_move(work, &gvk) {
                let says = if is_custom(&gvk) {
                    format!(
                        "the target does not serve {gvk}, and no definition of it is among the objects: install what brings it first"
                    )
                } else {
                    format!("the target does not serve {gvk}")
                };
                work.remark(Weight::Blocker, "/apiVersion", says);
            }
            return;
        };
        let Some(to) = &row.to else {
            return work.drop(format!("{gvk} has no successor that the target serves"));
        };
        let into = Gvk::from_api_version(to, &gvk.kind);
        work.set_for(
            "/apiVersion",
            into.api_version(),
            &format!("the target does not serve {}", gvk.api_version()),
        );
        convert(work, &gvk, &into);
        if work.dropped.is_some() {
            return;
        }
    }
}

/// Kinds whose definition is an object of the move, and so are not served by the target beforehand. Of an object alone
/// nobody knows which others come along: a custom kind is given the benefit of the doubt.
fn is_defined_by_the_move(work: &Work<'_>, gvk: &Gvk) -> bool {
    let survey = &work.context.survey;
    if survey.is_empty() { is_custom(gvk) } else { survey.defines(&gvk.group_kind()) }
}

/// Groups of Kubernetes have no dot, or end in `.k8s.io`; some of those are custom ones as well.
fn is_custom(gvk: &Gvk) -> bool {
    const OF_PROJECTS: [&str; 4] = [
        "snapshot.storage.k8s.io",
        "gateway.networking.k8s.io",
        "policy.networking.k8s.io",
        "autoscaling.k8s.io",
    ];
    gvk.group.contains('.') && (!gvk.group.ends_with(".k8s.io") || OF_PROJECTS.contains(&gvk.group.as_str()))
}
