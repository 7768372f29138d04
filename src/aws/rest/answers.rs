//! Answers of the services that are spoken to by paths.

use super::operations::Answer;
use crate::aws::outcome::{Outcome, Refusal};
use crate::aws::signed::{xml, xml_refusal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Elements that hold a list, with the name of its items. XML does not tell a list of one from a thing.
const LISTS: &[(&str, &str)] = &[
    ("Buckets", "Bucket"),
    ("HostedZones", "HostedZone"),
    ("NameServers", "NameServer"),
    ("ResourceRecordSets", "ResourceRecordSet"),
    ("ResourceRecords", "ResourceRecord"),
    ("TagSet", "Tag"),
    ("Tags", "Tag"),
    ("VPCs", "VPC"),
];
/// Elements that are items of a list where they stand.
const FLAT: [&str; 2] = ["CommonPrefixes", "Contents"];

/// Reads an answer that was not a refusal.
pub(super) fn read(form: Answer, body: &[u8]) -> Outcome {
    match form {
        Answer::Bytes(name) => Outcome::Answered(json!({name: STANDARD.encode(body)})),
        Answer::Text(name) => match std::str::from_utf8(body) {
            Ok(text) => Outcome::Answered(json!({name: text})),
            Err(_) => Outcome::Lost("the answer is not UTF-8".into()),
        },
        Answer::Xml if body.iter().all(u8::is_ascii_whitespace) => {
            Outcome::Answered(Value::Object(Map::new()))
        }
        Answer::Xml => match parsed(body) {
            Ok((root, content)) if is_known(&root) => Outcome::Answered(settled(&root, content)),
            Ok(_) => {
                Outcome::Lost("the answer is no answer of an AWS service; is there a proxy between?".into())
            }
            Err(why) => Outcome::Lost(format!("the answer cannot be read: {why}")),
        },
    }
}

/// Reads a refusal.
pub(super) fn refused(status: u16, body: &[u8], request_id: Option<String>) -> Refusal {
    let Ok((root, content)) = parsed(body) else {
        return xml_refusal(&Value::Null, status, request_id);
    };
    // Route 53 tells what is wrong with a batch in an element of its own.
    if root == "InvalidChangeBatch" {
        let message = match &content["Messages"]["Message"] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
            one => one.as_str().unwrap_or_default().to_owned(),
        };
        return Refusal { status, code: root, message, request_id };
    }
    xml_refusal(&content, status, request_id)
}

fn parsed(body: &[u8]) -> Result<(String, Value), String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    xml::read(text)
}

fn is_known(root: &str) -> bool {
    root.ends_with("Response") || root.ends_with("Result") || matches!(root, "LocationConstraint" | "Tagging")
}

fn settled(root: &str, content: Value) -> Value {
    match content {
        // An answer of one text: where a bucket is.
        Value::String(text) if root == "LocationConstraint" => json!({root: text}),
        Value::String(_) => Value::Object(Map::new()),
        mut content => {
            with_lists(&mut content);
            content
        }
    }
}

/// Lists as lists: `HostedZones: {HostedZone: {…}}` becomes `HostedZones: [{…}]`.
fn with_lists(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(with_lists),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                if let Some((_, item)) = LISTS.iter().find(|(list, _)| list == name) {
                    let items = match value.take() {
                        Value::Object(mut inner) => inner.remove(*item).unwrap_or_default(),
                        other => other,
                    };
                    *value = listed(items);
                } else if FLAT.contains(&name.as_str()) {
                    *value = listed(value.take());
                }
                with_lists(value);
            }
        }
        _ => {}
    }
}

fn listed(items: Value) -> Value {
    match items {
        Value::Array(items) => Value::Array(items),
        Value::Null => Value::Array(Vec::new()),
        Value::String(text) if text.is_empty() => Value::Array(Vec::new()),
        one => Value::Array(vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(form: Answer, body: &str) -> Value {
        match read(form, body.as_bytes()) {
            Outcome::Answered(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_list_is_a_list_however_long() {
        let zones = |zones: &str| {
            let body = format!(
                "<ListHostedZonesResponse><HostedZones>{zones}</HostedZones></ListHostedZonesResponse>"
            );
            answered(Answer::Xml, &body)["HostedZones"].clone()
        };
        let zone = "<HostedZone><Id>/hostedzone/Z1</Id></HostedZone>";
        assert_eq!(zones(""), json!([]));
        assert_eq!(zones(zone), json!([{"Id": "/hostedzone/Z1"}]));
        assert_eq!(zones(&zone.repeat(2)).as_array().unwrap().len(), 2);
        let set = "<GetX1Response><ResourceRecordSet><ResourceRecords><ResourceRecord><Value>1.2.3.4</Value>\
                   </ResourceRecord></ResourceRecords></ResourceRecordSet></GetX1Response>";
        assert_eq!(
            answered(Answer::Xml, set)["ResourceRecordSet"]["ResourceRecords"],
            json!([{"Value": "1.2.3.4"}])
        );
        let one = "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>";
        assert_eq!(answered(Answer::Xml, one)["Contents"], json!([{"Key": "a"}]));
    }

    #[test]
    fn other_answers_are_texts_and_bytes() {
        assert_eq!(
            answered(Answer::Xml, "<LocationConstraint xmlns=\"x\">eu-west-1</LocationConstraint>"),
            json!({"LocationConstraint": "eu-west-1"})
        );
        assert_eq!(answered(Answer::Text("Policy"), "{}"), json!({"Policy": "{}"}));
        assert_eq!(answered(Answer::Bytes("Body"), "hi"), json!({"Body": "aGk="}));
        assert_eq!(answered(Answer::Xml, ""), json!({}));
        assert!(matches!(read(Answer::Xml, b"<html><p/></html>"), Outcome::Lost(_)));
    }

    #[test]
    fn refusals_of_every_form_have_code_and_message() {
        for (body, code, message) in [
            ("<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>", "NoSuchKey", "gone"),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchHostedZone</Code><Message>no zone</Message></Error>\
                 </ErrorResponse>",
                "NoSuchHostedZone",
                "no zone",
            ),
            (
                "<InvalidChangeBatch><Messages><Message>a</Message><Message>b</Message></Messages></InvalidChangeBatch>",
                "InvalidChangeBatch",
                "a; b",
            ),
            ("gateway", "", ""),
        ] {
            let refusal = refused(400, body.as_bytes(), None);
            assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (code, message));
        }
    }
}
