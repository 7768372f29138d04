//! CloudTrail's event history as the port has it.

use super::account::Account;
use crate::model::cloud::{Call, Service};
use crate::model::trail::{Attribute, Change, Lookup};
use crate::ports::{Cloud as _, CloudFailure, Trail};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;

/// The history of an account: that of its region, and of the region which keeps the events of global services.
#[derive(Debug)]
pub(super) struct History {
    pub(super) own: Arc<Account>,
    pub(super) global: Arc<Account>,
}

#[async_trait]
impl Trail for History {
    async fn changes(&self, lookup: &Lookup) -> Result<Vec<Change>, CloudFailure> {
        let account = if lookup.global { &self.global } else { &self.own };
        let answer = account.call(&call(lookup)).await?;
        Ok(answer["Events"].as_array().into_iter().flatten().filter_map(change).collect())
    }
}

/// LookupEvents takes one attribute, tells what only reads too, and gives at most 50 events for each page.
fn call(lookup: &Lookup) -> Call {
    let (key, value) = match &lookup.attribute {
        Attribute::Source(source) => ("EventSource", source),
        Attribute::Resource(name) => ("ResourceName", name),
    };
    let input = json!({
        "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
        "StartTime": lookup.since, "MaxResults": 50,
    });
    Call::new(Service::CloudTrail, "LookupEvents", input)
}

/// An event that changed something; `None` for what only read, or cannot be read.
fn change(event: &Value) -> Option<Change> {
    if event["ReadOnly"].as_str() == Some("true") {
        return None;
    }
    let record: Value = serde_json::from_str(event["CloudTrailEvent"].as_str()?).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let identity = &record["userIdentity"];
    let who = ["arn", "invokedBy", "userName", "principalId"]
        .into_iter()
        .find_map(|name| identity[name].as_str())
        .or_else(|| event["Username"].as_str())?;
    Some(Change {
        id: text(&record["eventID"]),
        name: text(&record["eventName"]),
        source: text(&record["eventSource"]),
        time: text(&record["eventTime"]),
        who: who.to_owned(),
        agent: text(&record["userAgent"]),
        request: record["requestParameters"].clone(),
        response: record["responseElements"].clone(),
        error: record["errorCode"].as_str().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(record: &Value) -> Value {
        json!({"EventId": "e", "ReadOnly": "false", "Username": "ann", "CloudTrailEvent": record.to_string()})
    }

    #[test]
    fn who_is_the_arn_or_the_service() {
        let record = |identity: Value| {
            json!({"eventID": "e", "eventName": "DeleteAddon", "eventSource": "eks.amazonaws.com",
                "eventTime": "2026-11-21T10:00:00Z", "userIdentity": identity, "userAgent": "console.amazonaws.com",
                "requestParameters": {"clusterName": "shop"}, "responseElements": null})
        };
        let arn = "arn:aws:sts::111122223333:assumed-role/admin/ann";
        let by_role = change(&event(&record(json!({"type": "AssumedRole", "arn": arn})))).unwrap();
        assert_eq!((by_role.who.as_str(), by_role.time.as_str()), (arn, "2026-11-21T10:00:00Z"));
        assert_eq!(by_role.request["clusterName"], "shop");
        let service = json!({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"});
        assert_eq!(change(&event(&record(service))).unwrap().who, "autoscaling.amazonaws.com");
        let mut read = event(&record(json!({"arn": arn})));
        read["ReadOnly"] = json!("true");
        assert_eq!(change(&read), None);
        assert_eq!(change(&json!({"CloudTrailEvent": "not JSON"})), None);
    }

    #[test]
    fn one_attribute_is_asked_for() {
        let attribute = Attribute::Resource("sg-1".into());
        let lookup = Lookup { attribute, global: false, since: "2026-11-21T10:00:00Z".into() };
        let asked = call(&lookup);
        assert_eq!(super::super::signed::check(&asked), Ok(()));
        assert_eq!(asked.input["LookupAttributes"][0]["AttributeKey"], "ResourceName");
    }
}
