//! Webhook configurations of `admissionregistration.k8s.io/v1beta1` to v1: the old defaults are written out, for the new
//! ones are other ones.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::work::Work;
use serde_json::{Value, json};

pub(super) fn webhooks(work: &mut Work<'_>) {
    for webhook in work.items("/webhooks") {
        let old = "the default of v1 is another one";
        for (key, value) in [
            ("failurePolicy", json!("Ignore")),
            ("matchPolicy", json!("Exact")),
            ("timeoutSeconds", json!(30)),
            ("admissionReviewVersions", json!(["v1beta1"])),
        ] {
            let pointer = at(&webhook, key);
            if work.get(&pointer).is_none_or(Value::is_null) {
                work.set_for(&pointer, value, old);
            }
        }
        let pointer = at(&webhook, "sideEffects");
        match work.text(&pointer) {
            Some("None" | "NoneOnDryRun") => {}
            _ => {
                work.set_for(&pointer, "None", "v1 takes None and NoneOnDryRun only");
                work.remark(
                    Weight::Warning,
                    &pointer,
                    "it did not say that the webhook has no side effects; v1 requires it: make sure that it is true",
                );
            }
        }
    }
}
