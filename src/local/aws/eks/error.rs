//! Errors as the service answers them.

use super::service_model::{Model, Operation};
use serde_json::{Map, Value};

/// An error answer: the exception's name, and the members that the model gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// `ResourceInUseException`.
    pub code: String,
    /// In words.
    pub message: String,
    /// HTTP status of an exception that the model does not have.
    pub status: Option<u16>,
    members: Map<String, Value>,
}

impl ApiError {
    /// An exception of the model.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: None, members: Map::new() }
    }

    /// One that every AWS service answers, and no model lists.
    pub fn common(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status: Some(status), ..Self::new(code, message) }
    }

    /// InvalidParameterException.
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// InvalidRequestException: the state of the cluster does not allow it.
    pub fn request(message: impl Into<String>) -> Self {
        Self::new("InvalidRequestException", message)
    }

    /// ResourceInUseException.
    pub fn in_use(message: impl Into<String>) -> Self {
        Self::new("ResourceInUseException", message)
    }

    /// ResourceNotFoundException.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("ResourceNotFoundException", message)
    }

    /// ResourceLimitExceededException.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new("ResourceLimitExceededException", message)
    }

    /// With another HTTP status than the model's, where one is given.
    #[must_use]
    pub fn status(self, status: Option<u16>) -> Self {
        Self { status, ..self }
    }

    /// With a member, such as `clusterName`. It is left out where the exception has no such member.
    #[must_use]
    pub fn with(mut self, member: &str, value: &str) -> Self {
        self.members.insert(member.into(), value.into());
        self
    }

    /// With `clusterName`.
    #[must_use]
    pub fn cluster(self, name: &str) -> Self {
        self.with("clusterName", name)
    }

    /// HTTP status and body.
    #[must_use]
    pub fn answer(&self, model: &Model) -> (u16, Value) {
        let mut body = Map::new();
        if let Some(shape) = model.shape(&self.code) {
            body.extend(
                self.members
                    .iter()
                    .filter(|(name, _)| shape.members.contains_key(*name))
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        body.insert("message".into(), self.message.clone().into());
        let status = self.status.or_else(|| model.status(&self.code)).unwrap_or(400);
        (status, Value::Object(body))
    }

    /// What the service answers to input that it cannot use: the first of the usual four that the operation documents.
    #[must_use]
    pub fn refused(operation: &Operation, message: impl Into<String>) -> Self {
        const USUAL: [&str; 4] = [
            "InvalidParameterException",
            "InvalidRequestException",
            "BadRequestException",
            "ClientException",
        ];
        let code = USUAL.into_iter().find(|code| operation.errors.iter().any(|error| error == code));
        Self::new(code.unwrap_or("ClientException"), message)
    }

    /// Whether the service answers this exception to this operation: the model lists it, or it was seen.
    #[must_use]
    pub fn is_documented_for(&self, operation: &Operation) -> bool {
        self.status.is_some()
            || operation.errors.contains(&self.code)
            || UNLISTED.iter().any(|(name, code)| *name == operation.name && *code == self.code)
    }
}

/// Exceptions that the service answers and its model does not list: terraform-provider-aws#13372 and #16272, terraform#25059
/// (Fargate profiles one at a time), and the not-found of a cluster for its parts.
const UNLISTED: &[(&str, &str)] = &[
    ("CreateFargateProfile", "ResourceInUseException"),
    ("CreateFargateProfile", "ResourceNotFoundException"),
    ("CreateNodegroup", "ResourceNotFoundException"),
    ("DeleteFargateProfile", "ResourceInUseException"),
];
