//! Kinds in which one or two fields have moved.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::work::Work;
use crate::model::Gvk;
use serde_json::{Value, json};

/// An empty selector selected no pod in v1beta1; in v1 it selects all of the namespace.
pub(super) fn budget(work: &mut Work<'_>) {
    let Some(selector) = work.get("/spec/selector") else { return };
    let empty = |key: &str| match selector.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    };
    if empty("matchLabels") && empty("matchExpressions") {
        work.set_for(
            "/spec/selector",
            json!({"matchExpressions": [{"key": "portolan.dev/selects-nothing", "operator": "Exists"}]}),
            "an empty selector meant no pod, and means every pod in policy/v1",
        );
        work.remark(
            Weight::Warning,
            "/spec/selector",
            "the budget protected no pod, for its selector is empty; it is kept so: give it a selector or delete it",
        );
    }
}

/// A time zone inside the schedule is refused since 1.29; names are short since v1.
pub(super) fn cron_job(work: &mut Work<'_>) {
    if work.name().len() > 52 {
        work.remark(Weight::Blocker, "/metadata/name", "batch/v1 takes names of 52 characters at most");
    }
}

/// The handler stood in a `spec` in v1alpha1 only.
pub(super) fn runtime_class(work: &mut Work<'_>, from: &Gvk) {
    if from.version == "v1alpha1" {
        work.rename("/spec/runtimeHandler", "/handler");
        work.rename("/spec/overhead", "/overhead");
        work.rename("/spec/scheduling", "/scheduling");
        work.remove("/spec");
    }
}

/// The topology of an endpoint became fields. A host name in it is no node's name: the API server keeps it apart
/// (`pkg/apis/discovery/v1beta1/conversion.go`).
pub(super) fn endpoint_slice(work: &mut Work<'_>) {
    for endpoint in work.items("/endpoints") {
        let topology = at(&endpoint, "topology");
        work.rename(&at(&topology, "topology.kubernetes.io/zone"), &at(&endpoint, "zone"));
        work.remove(&at(&topology, "topology.kubernetes.io/region"));
        work.rename(&topology, &at(&endpoint, "deprecatedTopology"));
    }
}

/// The shares have had another name since v1beta3.
pub(super) fn flow_control(work: &mut Work<'_>) {
    work.rename("/spec/limited/assuredConcurrencyShares", "/spec/limited/nominalConcurrencyShares");
}

/// A request for a device says since v1beta2 whether it wants exactly this one or the first of several (KEP-4816).
pub(super) fn claim(work: &mut Work<'_>) {
    let spec = if work.kind() == "ResourceClaimTemplate" { "/spec/spec" } else { "/spec" };
    for request in work.items(&format!("{spec}/devices/requests")) {
        let keys = work.keys(&request);
        if keys.iter().any(|key| key == "exactly" || key == "firstAvailable") {
            continue;
        }
        for key in keys.iter().filter(|key| *key != "name") {
            work.rename(&at(&request, key), &at(&at(&request, "exactly"), key));
        }
    }
}
