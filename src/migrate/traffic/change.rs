//! Changes of records: one batch, which Route 53 makes as a whole or not at all.

use super::records::Record;
use crate::model::cloud::{Call, Service};
use crate::model::migration::Effect;
use serde_json::{Value, json};

/// A batch that takes records away and puts others there. A DELETE has to name a record as it is, with every value: so a
/// batch that was made for another state is refused, and none is changed by mistake.
pub(super) fn replace(zone: &str, comment: &str, gone: &[Record], come: &[Record]) -> Effect {
    let change =
        |action: &str, record: &Record| json!({"Action": action, "ResourceRecordSet": record.body()});
    let changes: Vec<Value> = gone
        .iter()
        .map(|record| change("DELETE", record))
        .chain(come.iter().map(|record| change("CREATE", record)))
        .collect();
    let input = json!({
        "HostedZoneId": zone,
        "ChangeBatch": {"Comment": comment, "Changes": changes},
    });
    Effect::Call { call: Call::new(Service::Route53, "ChangeResourceRecordSets", input), token: None }
}

/// The records that a batch puts there.
pub(super) fn created(effect: &Effect) -> Vec<Record> {
    let Effect::Call { call, .. } = effect else { return Vec::new() };
    let changes = call.input["ChangeBatch"]["Changes"].as_array().into_iter().flatten();
    changes
        .into_iter()
        .filter(|change| change["Action"] == "CREATE")
        .filter_map(|change| Record::read(&change["ResourceRecordSet"]))
        .collect()
}
