//! Whether a ClusterConfig that an assessment gives can be made: read by our own reader, valid by eksctl's schema, and
//! planned into requests that the service's model allows.

use crate::provision::service::{check, stand_in};
use crate::support::corpus::corpus;
use portolan::migrate::assess::Facts;
use portolan::model::cloud::Service;
use portolan::model::cluster::EksRef;
use portolan::model::cluster_config::{self, ClusterConfig};
use portolan::model::document::validate::Validator;
use portolan::provision::resource::{Scope, Snapshot};
use portolan::provision::{PlanInput, StepAction, Weight, drivers, plan, resources};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// eksctl's own schema, where it is beside the project.
fn schema() -> Option<&'static Validator> {
    static SCHEMA: OnceLock<Option<Validator>> = OnceLock::new();
    let read = || {
        let text = std::fs::read_to_string(corpus("eksctl")?.join("schema.json")).unwrap();
        Some(
            Validator::new(serde_json::from_str(&text).unwrap())
                .expect("a schema that is checked as a whole"),
        )
    };
    SCHEMA.get_or_init(read).as_ref()
}

/// Fails where any of it does not hold.
pub fn can_be_made(name: &str, config: &ClusterConfig, facts: &Facts) {
    let value = serde_json::to_value(config).unwrap();
    let text = value.to_string();
    let (read, _) =
        cluster_config::read(&text, "c.yaml").unwrap_or_else(|problems| panic!("{name}: {problems}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), value, "{name}: the reader changes it");
    if let Some(schema) = schema() {
        let mut wrong = schema.check(&value);
        // The schema puts two closed shapes side by side for an identity provider: taken by its word, none would fit.
        wrong.retain(|violation| !violation.pointer.starts_with("/identityProviders/"));
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
    let scope = Scope {
        cluster: config.metadata.name.clone(),
        region: config.metadata.region.clone(),
        partition: "aws".into(),
        account: "111122223333".into(),
    };
    let mut known = Snapshot::default();
    let zones: Vec<Value> = facts.zones.iter().map(|(name, id)| json!({"name": name, "id": id})).collect();
    known.facts.insert(portolan::provision::network::ZONES.into(), json!(zones));
    let declared = resources(config, &EksRef::default(), &scope, &known);
    let refused: Vec<_> =
        declared.problems.iter().filter(|problem| problem.weight == Weight::Refused).collect();
    assert!(refused.is_empty(), "{name}: {refused:?}");
    let drivers = drivers();
    let planned = plan(&PlanInput::new(&scope, &declared.resources, &known, &drivers));
    let mut calls = 0;
    for step in &planned.steps {
        // Networks that the old cluster shares are referred to, and nothing is known here to be there.
        let existing = declared.resources.iter().any(|one| one.key == step.key && one.existing);
        let due = if existing { StepAction::Wait } else { StepAction::Create };
        assert_eq!(step.action, due, "{name}: {}", step.key);
        for call in &step.calls {
            let mut call = call.clone();
            stand_in(&mut call.input);
            check(&call);
            calls += usize::from(call.service == Service::Eks);
        }
    }
    // The cluster, its groups, its add-ons and its entries.
    let least = 1 + config.managed_node_groups.len() + config.addons.len();
    assert!(calls >= least, "{name}: {calls} calls of EKS, {least} expected");
}
