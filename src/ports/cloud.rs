//! One account and region of a cloud, as the engine sees it.

use super::trail::Trail;
use crate::model::cloud::{Call, Service};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How an account is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloudAccess {
    /// Region, such as `eu-central-1`; the partition follows from it.
    pub region: String,
    /// Role to assume first.
    pub role_arn: Option<String>,
}

/// Gives accounts.
#[async_trait]
pub trait Clouds: Send + Sync {
    /// The account, with credentials of the standard chain. Asked once for each access; nothing is called yet.
    ///
    /// # Errors
    /// No credentials, an unknown region: in words.
    async fn open(&self, access: &CloudAccess) -> Result<Arc<dyn Cloud>, CloudFailure>;

    /// The account's audit log; `None` where there is none.
    ///
    /// # Errors
    /// As [`Clouds::open`].
    async fn trail(&self, access: &CloudAccess) -> Result<Option<Arc<dyn Trail>>, CloudFailure> {
        let _ = access;
        Ok(None)
    }
}

/// An account in a region.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Makes one call.
    ///
    /// The answer is an object. Of EKS it has the API model's member names, timestamps as RFC 3339 strings. Of the
    /// Query APIs (EC2, IAM, Auto Scaling…) it is the XML as it stands: element names (`vpcSet`, `vpcId`; `Roles`,
    /// `RoleName`), lists (`item`, `member`) as arrays, every value a string, an empty element an empty string. Of S3 and
    /// Route 53 it has the API model's names, every list as an array (`HostedZones: [{…}]`), every other value a string;
    /// bytes (`Body` of GetObject and PutObject) are base64 both ways.
    /// Pages are followed: the answer holds the items of all of them.
    ///
    /// # Errors
    /// [`CloudFailure`], with the service's own code. Throttling and failures that certainly had no effect were tried
    /// again, with growing pauses, before it is told.
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure>;

    /// A bearer token for the API server of an EKS cluster (presigned STS).
    ///
    /// # Errors
    /// No credentials.
    async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure>;

    /// Region, such as `eu-central-1`.
    fn region(&self) -> &str;

    /// Partition: `aws`, `aws-cn`, `aws-us-gov`.
    fn partition(&self) -> &str;
}

/// A token and how long it may be used.
#[derive(Clone)]
pub struct KubernetesToken {
    /// `k8s-aws-v1.…`
    pub token: secrecy::SecretString,
    /// To be renewed after this time.
    pub renew_after: Duration,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {code}: {message}")]
pub struct CloudFailure {
    /// What can be done about it.
    pub kind: CloudFailureKind,
    /// The service's error code, such as `ResourceInUseException`; ours where it gave none.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// `eks:CreateCluster`.
    pub call: String,
    /// Service, for hints.
    pub service: Option<Service>,
}

/// Kinds of failures, by what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloudFailureKind {
    /// It is not there.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// Something still uses it, or another update of it is under way: later.
    InUse,
    /// The request is wrong; the same again fails again.
    Invalid,
    /// Not allowed.
    Denied,
    /// A quota.
    LimitExceeded,
    /// Too fast.
    Throttled,
    /// The service's own failure; no effect.
    Unavailable,
    /// No answer: it may have taken effect.
    Unanswered,
    /// No credentials, or expired ones.
    Credentials,
}
