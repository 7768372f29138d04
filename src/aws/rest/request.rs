//! A call as path, query and body.

use super::operations::{Body, Element, Form, Operation};
use crate::aws::misfit::Misfit;
use crate::model::cloud::Service;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A request without address and signature.
#[derive(Debug)]
pub(super) struct Parts {
    /// The bucket, for S3: its place in the address is settled later.
    pub(super) bucket: Option<String>,
    /// The path without the bucket, encoded; begins with a slash.
    pub(super) path: String,
    /// The query, encoded.
    pub(super) query: String,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Vec<u8>,
}

/// Makes the parts of a request.
///
/// # Errors
/// A member that the operation does not take, one of a wrong kind, one that is missing.
pub(super) fn parts(service: Service, operation: &Operation, input: &Value) -> Result<Parts, Misfit> {
    let none = Map::new();
    let members = match input {
        Value::Null => &none,
        Value::Object(members) => members,
        other => return Err(Misfit::expected("an object", other)),
    };
    let given = |name: &str| members.get(name).filter(|value| !value.is_null());
    if let Some((name, _)) =
        members.iter().find(|(name, value)| !value.is_null() && !operation.has_member(name))
    {
        return Err(Misfit::unknown(name));
    }
    let mut path = operation.path.to_owned();
    let mut bucket = None;
    for (name, slashes) in operation.in_path() {
        let value = given(name).ok_or_else(|| Misfit::new("it is missing").within(name))?;
        let mut text = scalar(value).map_err(|misfit| misfit.within(name))?;
        if service == Service::Route53 {
            // Answers name zones and changes with the path before them: `/hostedzone/Z1`.
            text = text.rsplit('/').next().unwrap_or_default().to_owned();
        }
        if text.is_empty() {
            return Err(Misfit::new("it is empty").within(name));
        }
        if service == Service::S3 && name == "Bucket" {
            if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
                return Err(Misfit::new("a bucket's name has letters, digits, dots and hyphens").within(name));
            }
            path = path.replacen("/{Bucket}", "", 1);
            bucket = Some(text);
            continue;
        }
        let place = if slashes { format!("{{{name}+}}") } else { format!("{{{name}}}") };
        path = path.replacen(&place, &encoded(&text, slashes), 1);
    }
    if path.is_empty() {
        path.push('/');
    }
    let mut query = String::new();
    for (name, value) in operation.fixed {
        pair(&mut query, name, value);
    }
    for (member, name) in operation.query {
        if let Some(value) = given(member) {
            pair(&mut query, name, &scalar(value).map_err(|misfit| misfit.within(member))?);
        }
    }
    let (content_type, body) = match operation.body {
        Body::None => (None, Vec::new()),
        Body::Xml { root, namespace, members: of } => {
            let body: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| of.iter().any(|element| element.name == **name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            (Some(XML), document(root, namespace, of, &Value::Object(body))?)
        }
        Body::Member { member, root, namespace, members: of } => match given(member) {
            Some(value) => {
                let text = document(root, namespace, of, value).map_err(|misfit| misfit.within(member))?;
                (Some(XML), text)
            }
            None => (None, Vec::new()),
        },
        Body::Bytes(member) => match given(member) {
            Some(Value::String(text)) => {
                let bytes = STANDARD.decode(text);
                let bytes = bytes.map_err(|_| Misfit::new("base64 is expected").within(member))?;
                (Some("application/octet-stream"), bytes)
            }
            Some(other) => return Err(Misfit::expected("base64", other).within(member)),
            None => (None, Vec::new()),
        },
    };
    Ok(Parts { bucket, path, query, content_type, body })
}

const XML: &str = "application/xml";

fn pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    let _ = write!(query, "{}={}", encoded(name, false), encoded(value, false));
}

/// Percent encoding as signatures have it: all but unreserved characters (RFC 3986, 2.3).
fn encoded(text: &str, slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let stays = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (slashes && byte == b'/');
        if stays {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn document(root: &str, namespace: &str, members: &[Element], value: &Value) -> Result<Vec<u8>, Misfit> {
    let mut text = format!("<{root} xmlns=\"{namespace}\">");
    structure(&mut text, members, value)?;
    let _ = write!(text, "</{root}>");
    Ok(text.into_bytes())
}

fn structure(text: &mut String, members: &[Element], value: &Value) -> Result<(), Misfit> {
    let given = value.as_object().ok_or_else(|| Misfit::expected("an object", value))?;
    let known = |name: &str| members.iter().any(|element| element.name == name);
    if let Some((name, _)) = given.iter().find(|(name, value)| !value.is_null() && !known(name)) {
        return Err(Misfit::unknown(name));
    }
    for element in members {
        let Some(value) = given.get(element.name).filter(|value| !value.is_null()) else { continue };
        let name = element.name;
        let _ = write!(text, "<{name}>");
        match element.form {
            Form::Scalar => scalar(value).map(|value| escape(text, &value)),
            Form::Structure(of) => structure(text, of, value),
            Form::List { item, of } => items(text, item, of, value),
        }
        .map_err(|misfit| misfit.within(name))?;
        let _ = write!(text, "</{name}>");
    }
    Ok(())
}

fn items(text: &mut String, item: &str, of: &[Element], value: &Value) -> Result<(), Misfit> {
    let all = value.as_array().ok_or_else(|| Misfit::expected("a list", value))?;
    for (at, one) in all.iter().enumerate() {
        let _ = write!(text, "<{item}>");
        structure(text, of, one).map_err(|misfit| misfit.within(at))?;
        let _ = write!(text, "</{item}>");
    }
    Ok(())
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\r' => text.push_str("&#xD;"),
            '\n' => text.push_str("&#xA;"),
            other => text.push(other),
        }
    }
}

fn scalar(value: &Value) -> Result<String, Misfit> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(Misfit::expected("a string, a number or a boolean", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::operations::named;
    use super::*;
    use serde_json::json;

    fn made(service: Service, operation: &str, input: Value) -> Result<Parts, String> {
        let operation = named(service, operation).map_err(|misfit| misfit.to_string())?;
        parts(service, operation, &input).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn members_go_where_they_belong() {
        let parts =
            made(Service::S3, "GetObject", json!({"Bucket": "state", "Key": "a.b/pki/ü x+.yaml"})).unwrap();
        assert_eq!(
            (parts.bucket.as_deref(), parts.path.as_str()),
            (Some("state"), "/a.b/pki/%C3%BC%20x%2B.yaml")
        );
        let parts = made(Service::S3, "ListObjectsV2", json!({"Bucket": "state", "Prefix": "a/b"})).unwrap();
        assert_eq!((parts.path.as_str(), parts.query.as_str()), ("/", "list-type=2&prefix=a%2Fb"));
        let zone = json!({"HostedZoneId": "/hostedzone/Z1", "StartRecordName": "a."});
        let parts = made(Service::Route53, "ListResourceRecordSets", zone).unwrap();
        assert_eq!(
            (parts.path.as_str(), parts.query.as_str()),
            ("/2013-04-01/hostedzone/Z1/rrset", "name=a.")
        );
    }

    #[test]
    fn a_body_is_written_in_the_models_order() {
        let set = json!({
            "Type": "TXT", "Name": "a.example.com.", "TTL": 60, "Weight": "0", "SetIdentifier": "old",
            "ResourceRecords": [{"Value": "\"a & <b>\""}],
        });
        let batch = json!({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]});
        let input = json!({"HostedZoneId": "Z1", "ChangeBatch": batch});
        let parts = made(Service::Route53, "ChangeResourceRecordSets", input).unwrap();
        assert_eq!(
            String::from_utf8(parts.body).unwrap(),
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>\
             <Change><Action>UPSERT</Action><ResourceRecordSet><Name>a.example.com.</Name><Type>TXT</Type>\
             <SetIdentifier>old</SetIdentifier><Weight>0</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord>\
             <Value>&quot;a &amp; &lt;b&gt;&quot;</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>\
             </Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        for (service, operation, input, words) in [
            (Service::S3, "GetObject", json!({"Bucket": "state"}), "/Key: it is missing"),
            (Service::S3, "GetObject", json!({"Bucket": "a/b", "Key": "k"}), "/Bucket: a bucket's name"),
            (Service::S3, "DeleteObject", json!({}), "`DeleteObject` is no operation"),
            (Service::Route53, "GetHostedZone", json!({"Id": ""}), "/Id: it is empty"),
            (Service::Route53, "ListHostedZones", json!({"Max": 1}), "/Max: the API has no such member"),
            (
                Service::Route53,
                "ChangeResourceRecordSets",
                json!({"HostedZoneId": "Z", "ChangeBatch": {"Changes": [{"ResourceRecordSet": {"Ttl": 1}}]}}),
                "/ChangeBatch/Changes/0/ResourceRecordSet/Ttl: the API",
            ),
        ] {
            let misfit = made(service, operation, input).unwrap_err();
            assert!(misfit.starts_with(words), "{misfit}");
        }
    }
}
