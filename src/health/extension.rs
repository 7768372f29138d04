//! What extends the API: CustomResourceDefinition and APIService.

use super::Subject;
use super::fields::explain;
use crate::model::{Assessment, Health};

/// kstatus `CRDConditions`, and Argo CD's for a schema that the API server refuses to serve as it is.
pub(super) fn definition(subject: &Subject<'_>) -> Assessment {
    let conditions = &subject.conditions;
    if let Some(terminating) = conditions.with_status("Terminating", "True") {
        return Assessment::new(Health::Progressing, explain("terminating", terminating.message));
    }
    if let Some(refused) = conditions.with_status("NamesAccepted", "False") {
        return Assessment::new(Health::Degraded, explain("names not accepted", &refused.explain()));
    }
    if let Some(schema) = conditions.with_status("NonStructuralSchema", "True") {
        return Assessment::new(Health::Degraded, explain("schema is not structural", schema.message));
    }
    match conditions.get("Established") {
        Some(condition) if condition.holds() => Assessment::healthy(),
        Some(condition) if condition.status == "False" && condition.reason != "Installing" => {
            Assessment::new(Health::Degraded, explain("not established", &condition.explain()))
        }
        _ => Assessment::new(Health::Progressing, "not yet established"),
    }
}

/// Argo CD's rule: Progressing until `Available`. kstatus has none and calls it Current at once.
pub(super) fn api_service(subject: &Subject<'_>) -> Assessment {
    match subject.conditions.get("Available") {
        Some(condition) if condition.holds() => Assessment::healthy(),
        Some(condition) => {
            Assessment::new(Health::Progressing, explain("not available", &condition.explain()))
        }
        None => Assessment::new(Health::Progressing, "not yet observed"),
    }
}
