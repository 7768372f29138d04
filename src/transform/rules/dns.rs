//! Annotations by which kops' dns-controller writes records: it ends with the old cluster, and external-dns, which takes
//! its place, knows other words. While both clusters stand, two writers of one record are never wanted.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::templates::pod_templates;
use super::super::work::Work;

/// Names of a Service's load balancer, or of a pod's node (kops, dns-controller/pkg/watchers/annotations.go).
const EXTERNAL: &str = "dns.alpha.kubernetes.io/external";
/// Names of addresses inside the VPC.
const INTERNAL: &str = "dns.alpha.kubernetes.io/internal";
/// What external-dns reads (its docs/annotations).
const HOSTNAME: &str = "external-dns.alpha.kubernetes.io/hostname";

/// See the module.
pub const RULES: &[Rule] = &[Rule {
    id: "dns.controller-annotations",
    kinds: &[],
    reason: "kops' dns-controller reads it, which ends with the old cluster",
    source: "kops dns-controller/pkg/watchers; issue 5 D, external-dns ownership",
    apply: controller_annotations,
}];

fn controller_annotations(work: &mut Work<'_>) {
    let mut places: Vec<String> = vec![String::new()];
    places.extend(pod_templates(&work.object).into_iter().filter(|place| !place.is_empty()));
    for place in places {
        let annotations = format!("{place}/metadata/annotations");
        for key in [EXTERNAL, INTERNAL] {
            let pointer = at(&annotations, key);
            let Some(names) = work.text(&pointer).map(str::to_owned) else { continue };
            let balanced = place.is_empty()
                && key == EXTERNAL
                && work.group_kind() == "Service"
                && work.text("/spec/type") == Some("LoadBalancer");
            work.remove(&pointer);
            if !balanced {
                let says = format!(
                    "dns-controller writes {names} to addresses of nodes or pods, and external-dns does not: give it a load \
                     balancer or a headless Service, or write the record yourself"
                );
                work.remark(Weight::Warning, &pointer, says);
                continue;
            }
            if work.annotation(HOSTNAME).is_none() {
                work.annotate(HOSTNAME, &names);
            }
            let says = format!(
                "dns-controller of the source writes {names}: name it in `spec.traffic.records` to move it step by step, and \
                 give the target an external-dns with an owner id of its own and `--policy=upsert-only`"
            );
            work.remark(Weight::Warning, &pointer, says);
        }
    }
}
