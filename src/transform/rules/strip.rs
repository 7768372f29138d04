//! What every object loses: what the old API server and its controllers wrote.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::tables::{STRIP, StripRow, matches};
use super::super::templates::pod_templates;
use super::super::work::Work;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "strip.last-applied",
        kinds: &[],
        reason: "it describes the object of the old cluster, and a later client-side apply would take it for true",
        source: "crane-lib transform/kubernetes; pluto#495",
        apply: last_applied,
    },
    Rule {
        id: "strip.server-metadata",
        kinds: &[],
        reason: "the API server of the target sets it itself",
        source: "velero pkg/restore resetMetadata; crane-lib fieldsToStrip",
        apply: server_metadata,
    },
    Rule {
        id: "strip.status",
        kinds: &[],
        reason: "controllers of the target report it anew",
        source: "velero pkg/restore",
        apply: status,
    },
    Rule {
        id: "strip.controller-notes",
        kinds: &[],
        reason: "a controller of the old cluster wrote it",
        source: "config/transforms/strip.yaml",
        apply: controller_notes,
    },
    Rule {
        id: "strip.finalizers",
        kinds: &[],
        reason: "the controller that answers it is not in the target, or sets it there by itself",
        source: "config/transforms/strip.yaml",
        apply: finalizers,
    },
    Rule {
        id: "strip.null-timestamps",
        kinds: &[],
        reason: "tools print an empty creation time that says nothing",
        source: "k8s.io/apimachinery ObjectMeta.creationTimestamp",
        apply: null_timestamps,
    },
];

const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

fn last_applied(work: &mut Work<'_>) {
    // It repeats the whole object, passwords in environment variables included.
    work.discard(LAST_APPLIED);
}

fn server_metadata(work: &mut Work<'_>) {
    for key in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "clusterName",
    ] {
        work.remove(&at("/metadata", key));
    }
    work.discard("/metadata/managedFields");
    if !work.name().is_empty() {
        work.remove("/metadata/generateName");
    }
}

fn status(work: &mut Work<'_>) {
    let custom = work.gvk().group.contains('.') && !work.gvk().group.ends_with(".k8s.io");
    if work.get("/status").is_none() {
        return;
    }
    let filled = work.get("/status").and_then(Value::as_object).is_some_and(|status| !status.is_empty());
    if custom && filled {
        work.remark(
            Weight::Warning,
            "/status",
            "the status is not carried over: the controller of this kind has to find it out again",
        );
    }
    work.discard("/status");
}

fn controller_notes(work: &mut Work<'_>) {
    let kind = work.group_kind();
    strip_keys(work, "/metadata/annotations", &STRIP.annotations, &kind);
    strip_keys(work, "/metadata/labels", &STRIP.labels, &kind);
    for template in pod_templates(&work.object) {
        strip_keys(work, &format!("{template}/metadata/annotations"), &STRIP.annotations, "Pod");
    }
}

fn strip_keys(work: &mut Work<'_>, section: &str, table: &[StripRow], kind: &str) {
    for key in work.keys(section) {
        if let Some(row) = table.iter().find(|row| row.fits(&key, kind)) {
            work.remove_for(&at(section, &key), &row.why);
        }
    }
}

fn finalizers(work: &mut Work<'_>) {
    for item in work.items("/metadata/finalizers") {
        let Some(name) = work.text(&item).map(String::from) else { continue };
        if STRIP.finalizers.iter().any(|pattern| matches(pattern, &name)) {
            work.remove(&item);
        } else {
            work.remark(
                Weight::Warning,
                &item,
                format!("{name} is kept: if its controller does not run in the target, deletion of the object hangs"),
            );
        }
    }
    if work.get("/metadata/finalizers").is_some() && work.len("/metadata/finalizers") == 0 {
        work.remove("/metadata/finalizers");
    }
}

fn null_timestamps(work: &mut Work<'_>) {
    let mut places: Vec<String> = pod_templates(&work.object);
    places.extend(work.items("/spec/volumeClaimTemplates"));
    places.push("/spec/jobTemplate".to_owned());
    for place in places {
        let pointer = format!("{place}/metadata/creationTimestamp");
        if work.get(&pointer).is_some_and(Value::is_null) {
            work.remove(&pointer);
        }
        work.discard(&format!("{place}/status"));
    }
}
