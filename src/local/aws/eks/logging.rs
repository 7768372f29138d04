//! Control-plane logging as the service describes it: what is on, and what is off.

use super::service::Service;
use super::state::texts;
use crate::local::aws::world::Issue;
use serde_json::{Value, json};

/// The logs there are, in the order of the service.
const TYPES: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// All off.
#[must_use]
pub fn none() -> Value {
    json!({"clusterLogging": [{"types": TYPES, "enabled": false}]})
}

/// What is on after a request, which names types to turn on and off and leaves the others.
#[must_use]
pub fn after(before: &Value, asked: &Value) -> Value {
    let mut on: Vec<String> = Vec::new();
    for setup in
        [before, asked].iter().flat_map(|logging| logging["clusterLogging"].as_array().into_iter().flatten())
    {
        for kind in texts(setup, "types") {
            on.retain(|other| *other != kind);
            if setup["enabled"] == true {
                on.push(kind);
            }
        }
    }
    let (on, off): (Vec<&str>, Vec<&str>) =
        TYPES.iter().partition(|kind| on.iter().any(|other| other == *kind));
    let setups = [(on, true), (off, false)];
    let setups: Vec<Value> = setups
        .into_iter()
        .filter(|(types, _)| !types.is_empty())
        .map(|(types, enabled)| json!({"types": types, "enabled": enabled}))
        .collect();
    json!({"clusterLogging": setups})
}

/// Tells the world of a cluster that writes logs.
///
/// # Errors
/// What the world has against it.
pub async fn begun(service: &Service, cluster: &Value) -> Result<(), Issue> {
    let mut setups = cluster["logging"]["clusterLogging"].as_array().into_iter().flatten();
    if setups.any(|setup| setup["enabled"] == true) {
        service.world.write_logs(cluster).await
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{after, none};
    use serde_json::json;

    #[test]
    fn types_that_are_not_named_stay() {
        let api = after(&none(), &json!({"clusterLogging": [{"types": ["api"], "enabled": true}]}));
        let both = after(&api, &json!({"clusterLogging": [{"types": ["scheduler"], "enabled": true}]}));
        assert_eq!(both["clusterLogging"][0], json!({"types": ["api", "scheduler"], "enabled": true}));
        assert_eq!(
            both["clusterLogging"][1]["types"],
            json!(["audit", "authenticator", "controllerManager"])
        );
        let all = json!({"clusterLogging": [{"types": super::TYPES, "enabled": false}]});
        assert_eq!(after(&both, &all), none());
        assert_eq!(after(&both, &json!(null)), both);
    }
}
