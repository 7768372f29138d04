//! Answers in pages: what asks for the next one, and how they are put together.

use crate::model::cloud::{Call, Service};
use serde_json::{Map, Value, json};

/// Most pages of one call: a service that always names a next page would never end.
const MOST_PAGES: usize = 2_000;

/// Most pages of CloudTrail's history, 50 events each: it may be called twice a second, and the newest come first.
const MOST_OF_HISTORY: usize = 6;

/// How many pages of a call are read. Of CloudTrail the rest is left.
pub(super) fn most(call: &Call) -> (usize, bool) {
    match call.service {
        Service::CloudTrail => (MOST_OF_HISTORY, true),
        _ => (MOST_PAGES, false),
    }
}

/// Members that only say whether there is more.
const MARKERS: [&str; 14] = [
    "nextToken",
    "NextToken",
    "NextMarker",
    "Marker",
    "IsTruncated",
    "Truncated",
    "NextRecordName",
    "NextRecordType",
    "NextRecordIdentifier",
    "NextContinuationToken",
    "ContinuationToken",
    "KeyCount",
    "MaxKeys",
    "MaxItems",
];

/// Input members and the values that ask for the page after this answer; null: the member is left out.
pub(super) fn next(call: &Call, answer: &Value) -> Option<Vec<(&'static str, Value)>> {
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let truncated = answer["IsTruncated"].as_str() == Some("true");
    // A record set is known by its name, its type and, among others of the same, its identifier.
    if call.service == Service::Route53 && call.operation == "ListResourceRecordSets" {
        let name = text("NextRecordName").filter(|_| truncated)?;
        return Some(vec![
            ("StartRecordName", name.into()),
            ("StartRecordType", json!(text("NextRecordType"))),
            ("StartRecordIdentifier", json!(text("NextRecordIdentifier"))),
        ]);
    }
    let found = match call.service {
        Service::Eks | Service::Ecr | Service::Logs => ("nextToken", text("nextToken")),
        // `NextMarker` is ELB's and KMS's; IAM says `Marker`, and repeats it on the last page.
        Service::Elb | Service::ElbV2 | Service::Kms => ("Marker", text("NextMarker")),
        Service::Iam => ("Marker", text("Marker").filter(|_| truncated)),
        Service::Route53 => ("Marker", text("NextMarker").filter(|_| truncated)),
        // ListBuckets gives the next token under the name of the member that takes it.
        Service::S3 if call.operation == "ListBuckets" => ("ContinuationToken", text("ContinuationToken")),
        Service::S3 => ("ContinuationToken", text("NextContinuationToken").filter(|_| truncated)),
        _ => ("NextToken", text("nextToken").or_else(|| text("NextToken"))),
    };
    Some(vec![(found.0, found.1?.into())])
}

/// Adds a page to those before it: lists grow, other members are the last page's.
pub(super) fn join(so_far: Option<Value>, page: Value) -> Value {
    let (Some(Value::Object(mut joined)), Value::Object(page)) = (so_far, page.clone()) else {
        return page;
    };
    for (name, value) in page {
        match (joined.get_mut(&name), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            // An empty list is an empty element.
            (Some(Value::Array(_)), Value::String(empty)) if empty.is_empty() => {}
            (_, value) => {
                joined.insert(name, value);
            }
        }
    }
    Value::Object(joined)
}

/// Takes the members away that only say whether there is more.
pub(super) fn without_markers(answer: Value) -> Value {
    match answer {
        Value::Object(members) => {
            let kept: Map<String, Value> =
                members.into_iter().filter(|(name, _)| !MARKERS.contains(&name.as_str())).collect();
            Value::Object(kept)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_of_services_has_its_way() {
        let ask = |service, answer: Value| next(&Call::new(service, "List", json!({})), &answer);
        let told = |member, token: &str| Some(vec![(member, json!(token))]);
        assert_eq!(ask(Service::Eks, json!({"nextToken": "a"})), told("nextToken", "a"));
        assert_eq!(ask(Service::Ec2, json!({"nextToken": "a"})), told("NextToken", "a"));
        assert_eq!(ask(Service::Ec2, json!({"nextToken": ""})), None);
        assert_eq!(ask(Service::AutoScaling, json!({"NextToken": "a"})), told("NextToken", "a"));
        assert_eq!(ask(Service::Iam, json!({"IsTruncated": "true", "Marker": "a"})), told("Marker", "a"));
        assert_eq!(ask(Service::Iam, json!({"IsTruncated": "false", "Marker": "a"})), None);
        assert_eq!(ask(Service::ElbV2, json!({"NextMarker": "a"})), told("Marker", "a"));
        assert_eq!(ask(Service::Kms, json!({"Truncated": true, "NextMarker": "a"})), told("Marker", "a"));
        let more = json!({"IsTruncated": "true", "NextMarker": "a", "NextContinuationToken": "b"});
        assert_eq!(ask(Service::Route53, more.clone()), told("Marker", "a"));
        assert_eq!(ask(Service::S3, more), told("ContinuationToken", "b"));
        assert_eq!(ask(Service::S3, json!({"IsTruncated": "false"})), None);
    }

    #[test]
    fn a_page_of_records_begins_where_the_last_one_ended() {
        let call = Call::new(Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": "Z"}));
        let answer = json!({"IsTruncated": "true", "NextRecordName": "a.", "NextRecordType": "A"});
        let next = next(&call, &answer).unwrap();
        assert_eq!(
            next,
            [
                ("StartRecordName", json!("a.")),
                ("StartRecordType", json!("A")),
                ("StartRecordIdentifier", Value::Null)
            ]
        );
    }

    #[test]
    fn lists_grow_over_pages() {
        let pages = [
            json!({"vpcSet": [{"vpcId": "1"}], "nextToken": "a", "requestId": "x"}),
            json!({"vpcSet": "", "nextToken": "b", "requestId": "y"}),
            json!({"vpcSet": [{"vpcId": "2"}], "requestId": "z"}),
        ];
        let joined = pages.into_iter().fold(None, |so_far, page| Some(join(so_far, page)));
        let joined = without_markers(joined.unwrap());
        assert_eq!(joined, json!({"vpcSet": [{"vpcId": "1"}, {"vpcId": "2"}], "requestId": "z"}));
    }
}
