//! Answers of the services without a typed client: the content, or the refusal.

use super::xml;
use crate::aws::outcome::{Outcome, Refusal};
use crate::model::cloud::Service;
use aws_smithy_runtime_api::http::Headers;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Members of JSON answers that hold times, as seconds since 1970.
const TIMES: &[(Service, &[&str])] = &[
    (Service::CloudTrail, &["EventTime"]),
    (Service::Ssm, &["LastModifiedDate"]),
    (Service::Kms, &["CreationDate", "DeletionDate", "ValidTo", "LastUpdatedDate"]),
];

/// The id of a request, for the service's support.
pub(in crate::aws) fn request_id(headers: &Headers) -> Option<String> {
    ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| headers.get(name)).map(str::to_owned)
}

/// An answer to be read.
pub(super) struct Read<'a> {
    pub(super) service: Service,
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    /// `X-Amzn-ErrorType`.
    pub(super) error_type: Option<String>,
    pub(super) body: &'a [u8],
}

impl Read<'_> {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `<XResponse><XResult>…` or, of EC2, `<XResponse>…`.
    pub(super) fn xml(self) -> Outcome {
        let parsed = std::str::from_utf8(self.body).map_err(|_| "it is not UTF-8".to_owned());
        let parsed = parsed.and_then(xml::read);
        if !self.is_success() {
            let content = parsed.map(|(_, content)| content).unwrap_or_default();
            return Outcome::Refused(xml_refusal(&content, self.status, self.request_id));
        }
        match parsed {
            Ok((name, Value::Object(mut members))) if name.ends_with("Response") => {
                let result = format!("{}Result", name.trim_end_matches("Response"));
                match members.remove(&result) {
                    Some(Value::Object(result)) => Outcome::Answered(Value::Object(result)),
                    Some(_) => Outcome::Answered(Value::Object(Map::new())),
                    None => {
                        members.remove("ResponseMetadata");
                        Outcome::Answered(Value::Object(members))
                    }
                }
            }
            Ok((name, Value::String(_))) if name.ends_with("Response") => {
                Outcome::Answered(Value::Object(Map::new()))
            }
            Ok(_) => {
                Outcome::Lost("the answer is no answer of an AWS service; is there a proxy between?".into())
            }
            Err(why) => Outcome::Lost(format!("the answer cannot be read: {why}")),
        }
    }

    pub(super) fn json(self) -> Outcome {
        let parsed: Option<Value> = if self.body.is_empty() {
            Some(Value::Object(Map::new()))
        } else {
            serde_json::from_slice(self.body).ok()
        };
        if !self.is_success() {
            return Outcome::Refused(self.refused_by_json(&parsed.unwrap_or_default()));
        }
        match parsed {
            Some(mut answer) if answer.is_object() => {
                let times = TIMES.iter().find(|(service, _)| *service == self.service);
                with_times(&mut answer, times.map_or(&[], |(_, names)| names));
                Outcome::Answered(answer)
            }
            _ => Outcome::Lost("the answer is no JSON object; is there a proxy between?".into()),
        }
    }

    /// `{"__type": "namespace#Code", "message": "…"}`, or the code in a header as `Code:address`.
    fn refused_by_json(self, body: &Value) -> Refusal {
        let code = body["__type"].as_str().map(str::to_owned).or(self.error_type).unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = code.split(':').next().unwrap_or_default().to_owned();
        let message = ["message", "Message", "errorMessage"].iter().find_map(|name| body[*name].as_str());
        Refusal {
            status: self.status,
            code,
            message: message.unwrap_or_default().to_owned(),
            request_id: self.request_id,
        }
    }
}

/// What an XML answer refuses with: `<ErrorResponse><Error>…` or, of EC2, `<Response><Errors><Error>…`; of S3 the error
/// itself. `content` is that of the outermost element; null where it could not be read.
pub(in crate::aws) fn xml_refusal(content: &Value, status: u16, request_id: Option<String>) -> Refusal {
    let error = [&content["Error"], &content["Errors"]["Error"], content];
    let error = error.into_iter().find(|error| error.get("Code").is_some());
    let text = |name: &str| {
        error.and_then(|error| error[name].as_str()).map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let id = ["RequestId", "RequestID"].iter().find_map(|name| content[*name].as_str()).map(str::to_owned);
    Refusal { status, code: text("Code"), message: text("Message"), request_id: id.or(request_id) }
}

fn with_times(value: &mut Value, names: &[&str]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| with_times(item, names)),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_f64() {
                    Some(seconds) if names.contains(&name.as_str()) => {
                        let time = Timestamp::from_millisecond((seconds * 1000.0).round() as i64);
                        if let Ok(time) = time {
                            *value = time.to_string().into();
                        }
                    }
                    _ => with_times(value, names),
                }
            }
        }
        _ => {}
    }
}
