//! Changes that a cloud's audit log recorded: who called what, and when.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A call that changed something, as CloudTrail has it.
/// (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Id of the event.
    pub id: String,
    /// `UpdateNodegroupConfig`
    pub name: String,
    /// `eks.amazonaws.com`
    pub source: String,
    /// RFC 3339 in UTC, whole seconds.
    pub time: String,
    /// Who: the ARN of a user or an assumed role, or the service's name where a service did it.
    pub who: String,
    /// The client's own words about itself.
    pub agent: String,
    /// What was asked, with CloudTrail's member names.
    pub request: Value,
    /// What was answered, as far as it is recorded.
    pub response: Value,
    /// The error code of a call that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is looked up. The service takes one attribute at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// Events of a service: `eks.amazonaws.com`.
    Source(String),
    /// Events that name a resource: `sg-0123456789abcdef0`.
    Resource(String),
}

/// A question to the audit log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup {
    /// Which events.
    pub attribute: Attribute,
    /// Whether they are those of a global service (IAM), which another region may keep.
    pub global: bool,
    /// From here on, RFC 3339.
    pub since: String,
}
