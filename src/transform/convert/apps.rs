//! Workloads of `extensions/v1beta1`, `apps/v1beta1` and `apps/v1beta2` to `apps/v1`.
//!
//! Source: kubernetes `pkg/apis/{apps,extensions}/*/defaults.go`.

use super::super::work::Work;
use crate::model::Gvk;
use serde_json::{Value, json};

/// The selector is required now, and several defaults have changed: those of the old version are written out.
pub(super) fn workload(work: &mut Work<'_>, from: &Gvk) {
    let beta1 = from.version == "v1beta1";
    if work.get("/spec/selector").is_none_or(Value::is_null) {
        let labels = work.get("/spec/template/metadata/labels").cloned().unwrap_or_else(|| json!({}));
        work.set_for(
            "/spec/selector",
            json!({"matchLabels": labels}),
            "the selector is required; it was made of the template's labels",
        );
    }
    work.remove_for("/spec/rollbackTo", "apps/v1 rolls back on the client's side");
    work.remove_for("/spec/templateGeneration", "the DaemonSet's controller counts by itself");
    if !beta1 {
        return;
    }
    let old = "the default of apps/v1 is another one";
    let keep = |work: &mut Work<'_>, pointer: &str, value: Value| {
        if work.get(pointer).is_none_or(Value::is_null) {
            work.set_for(pointer, value, old);
        }
    };
    match (from.kind.as_str(), from.group.as_str()) {
        ("Deployment", "extensions") => {
            // MaxInt32 stands for "none" in extensions/v1beta1, for both.
            keep(work, "/spec/progressDeadlineSeconds", json!(i32::MAX));
            keep(work, "/spec/revisionHistoryLimit", json!(i32::MAX));
            rolling(work, &keep);
        }
        // Beside this one apps/v1beta1 has the defaults of apps/v1.
        ("Deployment", _) => keep(work, "/spec/revisionHistoryLimit", json!(2)),
        ("DaemonSet", _) => keep(work, "/spec/updateStrategy", json!({"type": "OnDelete"})),
        ("StatefulSet", _) => keep(work, "/spec/updateStrategy", json!({"type": "OnDelete"})),
        _ => {}
    }
}

fn rolling(work: &mut Work<'_>, keep: &impl Fn(&mut Work<'_>, &str, Value)) {
    if matches!(work.text("/spec/strategy/type"), None | Some("RollingUpdate")) {
        keep(work, "/spec/strategy/type", json!("RollingUpdate"));
        keep(work, "/spec/strategy/rollingUpdate/maxSurge", json!(1));
        keep(work, "/spec/strategy/rollingUpdate/maxUnavailable", json!(1));
    }
}
