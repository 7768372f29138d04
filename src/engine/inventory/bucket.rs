//! A bucket of S3 as files.

use crate::model::cloud::{Call, Service};
use crate::ports::{Cloud, CloudFailure, CloudFailureKind, Files, FilesFailure};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;

/// Objects of a bucket below a prefix.
#[derive(Clone)]
pub struct Bucket {
    cloud: Arc<dyn Cloud>,
    name: String,
    /// With a slash at its end, or empty.
    prefix: String,
    shown: String,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.shown)
    }
}

impl Bucket {
    /// A bucket by its address, `s3://bucket/prefix`; `None` where it is none.
    #[must_use]
    pub fn at(address: &str, cloud: Arc<dyn Cloud>) -> Option<Self> {
        let rest = address.strip_prefix("s3://")?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        (!name.is_empty()).then(|| Self {
            cloud,
            name: name.into(),
            prefix,
            shown: address.trim_end_matches('/').into(),
        })
    }

    fn failure(&self, key: &str, failure: &CloudFailure) -> FilesFailure {
        let place = if key.is_empty() { self.shown.clone() } else { format!("{}/{key}", self.shown) };
        let hint = match failure.kind {
            CloudFailureKind::Denied => {
                "; reading needs s3:ListBucket on the bucket and s3:GetObject below it"
            }
            CloudFailureKind::NotFound if key.is_empty() => "; is the bucket's name right, and the account?",
            _ => "",
        };
        FilesFailure { place, reason: format!("{failure}{hint}") }
    }
}

#[async_trait]
impl Files for Bucket {
    fn place(&self) -> &str {
        &self.shown
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, FilesFailure> {
        let input = json!({"Bucket": self.name, "Prefix": format!("{}{prefix}", self.prefix)});
        let call = Call::new(Service::S3, "ListObjectsV2", input);
        let answer = self.cloud.call(&call).await.map_err(|failure| self.failure("", &failure))?;
        let objects = answer["Contents"].as_array().into_iter().flatten();
        let mut keys: Vec<String> = objects
            .filter_map(|object| object["Key"].as_str()?.strip_prefix(&self.prefix))
            // Consoles make "folders" as empty objects.
            .filter(|key| !key.is_empty() && !key.ends_with('/'))
            .map(str::to_owned)
            .collect();
        keys.sort();
        Ok(keys)
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, FilesFailure> {
        let input = json!({"Bucket": self.name, "Key": format!("{}{key}", self.prefix)});
        let call = Call::new(Service::S3, "GetObject", input);
        let answer = self.cloud.call(&call).await.map_err(|failure| self.failure(key, &failure))?;
        let body = answer.get("Body").and_then(Value::as_str).unwrap_or_default();
        STANDARD.decode(body).map_err(|error| FilesFailure {
            place: format!("{}/{key}", self.shown),
            reason: format!("the answer is no base64: {error}"),
        })
    }
}
