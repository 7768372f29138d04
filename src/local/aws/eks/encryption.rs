//! Envelope encryption with a key of one's own.

use super::config::{Plan, begin};
use super::error::ApiError;
use super::service::{Asked, Service};
use super::state::texts;
use serde_json::{Value, json};
use std::sync::Arc;

/// The encryption that an input asks for, as described; none where it asks for none.
///
/// # Errors
/// No key; other resources than secrets.
pub fn of_input(config: &Value) -> Result<Option<Value>, ApiError> {
    let Some(provider) = config.as_array().and_then(|configs| configs.first()) else { return Ok(None) };
    let resources = texts(provider, "resources");
    if resources.iter().any(|resource| resource != "secrets") {
        return Err(ApiError::parameter(
            "encryptionConfig: `secrets` is the only resource that can be encrypted",
        ));
    }
    let key = provider["provider"]["keyArn"].as_str().unwrap_or_default();
    if !key.starts_with("arn:") && !key.starts_with("alias/") {
        return Err(ApiError::parameter("encryptionConfig: provider.keyArn has to be a key's ARN or alias"));
    }
    Ok(Some(json!([{"resources": ["secrets"], "provider": {"keyArn": key}}])))
}

/// AssociateEncryptionConfig. It cannot be taken back.
pub fn associate(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let name = asked.text("clusterName");
    let config = of_input(&asked.input["encryptionConfig"]).map_err(|error| error.cluster(name))?;
    let config = config.ok_or_else(|| ApiError::parameter("encryptionConfig is empty").cluster(name))?;
    begin(service, asked, name, |cluster| {
        if !cluster.view["encryptionConfig"].is_null() {
            return Err(ApiError::request("Encryption is already enabled for this cluster"));
        }
        Ok(Plan {
            kind: "AssociateEncryptionConfig",
            params: vec![("EncryptionConfig", config.to_string())],
            members: vec![("encryptionConfig", config)],
        })
    })
}
