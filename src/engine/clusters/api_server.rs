//! The API server of a cluster beside its account: what a ClusterConfig has in the cluster itself goes through the same
//! plan, approval and history as what it has in AWS.

use super::kept::Destinations;
use crate::model::cloud::{Call, Service};
use crate::model::{Gvk, Object, Propagation, ResourceId};
use crate::ports::{
    ApiFailure, ApiFailureKind, ApplyRequest, Cloud, CloudFailure, CloudFailureKind, Cluster, DeleteRequest,
    KubernetesToken, ServedKind,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lists ServiceAccounts by a label.
const SWEEP: &str = "ListServiceAccounts";
/// No object ever has this resourceVersion again: an apply that carries it creates, and never changes, an object.
const ABSENT: &str = "1";

/// An account, whose calls of [`Service::Kubernetes`] go to the API server of one cluster.
pub struct WithApiServer {
    /// The account.
    pub cloud: Arc<dyn Cloud>,
    /// Gives the API server.
    pub destinations: Arc<dyn Destinations>,
    /// Name of the cluster's document.
    pub name: Arc<str>,
}

#[async_trait]
impl Cloud for WithApiServer {
    async fn call(&self, call: &Call) -> Result<Value, CloudFailure> {
        if call.service != Service::Kubernetes {
            return self.cloud.call(call).await;
        }
        let connected = self.destinations.connected(&self.name).await;
        let answered = match connected {
            Ok(cluster) => answer(cluster.as_ref(), call).await,
            Err(words) => Err(failure(call, CloudFailureKind::Unavailable, words)),
        };
        match answered {
            // A look for what nobody knows of is made again with the next pass, and keeps nothing else from going on.
            Err(failure) if call.operation == SWEEP => {
                Err(CloudFailure { kind: CloudFailureKind::NotFound, ..failure })
            }
            answered => answered,
        }
    }

    async fn kubernetes_token(&self, cluster: &str) -> Result<KubernetesToken, CloudFailure> {
        self.cloud.kubernetes_token(cluster).await
    }

    fn region(&self) -> &str {
        self.cloud.region()
    }

    fn partition(&self) -> &str {
        self.cloud.partition()
    }
}

async fn answer(cluster: &dyn Cluster, call: &Call) -> Result<Value, CloudFailure> {
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let kind = service_accounts();
    let of = |value: &Value| {
        ResourceId::new("", "ServiceAccount", &text(value, "namespace"), &text(value, "name"))
    };
    let told = |api: ApiFailure| failure(call, meaning(api.kind), api.message);
    match call.operation.as_str() {
        "GetServiceAccount" => {
            let id = of(&call.input);
            match cluster.get(&kind, &id).await.map_err(told)? {
                Some(object) => Ok(object.into_body()),
                None => Err(failure(call, CloudFailureKind::NotFound, format!("there is no {id}"))),
            }
        }
        SWEEP => {
            let selector = call.input["labelSelector"].as_str().unwrap_or_default();
            let found = cluster.list(&kind, None, selector).await.map_err(told)?;
            Ok(json!({"items": found.into_iter().map(Object::into_body).collect::<Vec<Value>>()}))
        }
        "CreateServiceAccount" => {
            let mut object = call.input["object"].clone();
            object["metadata"]["resourceVersion"] = json!(ABSENT);
            match apply(cluster, kind, object).await {
                // Somebody made it since it was looked for: it is judged anew.
                Err(api) if api.kind == ApiFailureKind::Conflict => {
                    Err(failure(call, CloudFailureKind::AlreadyExists, api.message))
                }
                other => other.map_err(told),
            }
        }
        "ApplyServiceAccount" => apply(cluster, kind, call.input["object"].clone()).await.map_err(told),
        "DeleteServiceAccount" => {
            let request = DeleteRequest {
                kind,
                id: of(&call.input),
                uid: text(&call.input, "uid"),
                resource_version: text(&call.input, "resourceVersion"),
                propagation: Propagation::Background,
                impersonate: None,
                dry_run: false,
            };
            cluster.delete(&request).await.map_err(told)?;
            Ok(json!({}))
        }
        other => {
            let words = format!("{other} is no operation of ours; this is a defect of Portolan: report it");
            Err(failure(call, CloudFailureKind::Invalid, words))
        }
    }
}

/// Applies an object; its namespace is made where there is none, as eksctl makes it, and stays.
async fn apply(cluster: &dyn Cluster, kind: ServedKind, object: Value) -> Result<Value, ApiFailure> {
    let invalid = |words: String| ApiFailure::new(ApiFailureKind::Invalid, words);
    let parsed = Object::new(object).map_err(|error| invalid(error.to_string()))?;
    let body = serde_json::to_vec(parsed.body()).map_err(|error| invalid(error.to_string()))?;
    let request = ApplyRequest {
        kind,
        id: parsed.id(),
        body: body.into(),
        // What the file declares is the file's, whoever set it before: adoption was decided by the plan.
        force: true,
        dry_run: false,
        impersonate: None,
    };
    match cluster.apply(&request).await {
        Err(failure) if failure.kind == ApiFailureKind::NotFound => {
            let namespace = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": parsed.namespace().unwrap_or_default()},
            });
            match cluster.create(&served("Namespace", "namespaces", false), &namespace, None).await {
                Ok(_) => {}
                Err(failure) if failure.kind == ApiFailureKind::AlreadyExists => {}
                Err(failure) => return Err(failure),
            }
            cluster.apply(&request).await
        }
        other => other,
    }
    .map(|applied| applied.object.into_body())
}

/// ServiceAccounts, as every API server serves them.
pub(super) fn service_accounts() -> ServedKind {
    served("ServiceAccount", "serviceaccounts", true)
}

fn served(kind: &str, plural: &str, namespaced: bool) -> ServedKind {
    ServedKind { gvk: Gvk::new("", "v1", kind), plural: plural.into(), namespaced, verbs: Default::default() }
}

/// What a refusal of an API server means, in the words of calls.
const fn meaning(kind: ApiFailureKind) -> CloudFailureKind {
    match kind {
        ApiFailureKind::NotFound => CloudFailureKind::NotFound,
        ApiFailureKind::AlreadyExists => CloudFailureKind::AlreadyExists,
        ApiFailureKind::Conflict | ApiFailureKind::FieldConflict => CloudFailureKind::InUse,
        ApiFailureKind::Invalid | ApiFailureKind::TooLarge => CloudFailureKind::Invalid,
        ApiFailureKind::Forbidden => CloudFailureKind::Denied,
        ApiFailureKind::Throttled => CloudFailureKind::Throttled,
        ApiFailureKind::Expired => CloudFailureKind::Unavailable,
        ApiFailureKind::Server | ApiFailureKind::Timeout | ApiFailureKind::Unreachable => {
            CloudFailureKind::Unanswered
        }
    }
}

fn failure(call: &Call, kind: CloudFailureKind, message: String) -> CloudFailure {
    let message = match kind {
        CloudFailureKind::Denied => {
            format!("{message}; an access entry of the daemon's role has to allow it in the cluster")
        }
        _ => message,
    };
    CloudFailure {
        kind,
        code: format!("{kind:?}"),
        message,
        call: call.to_string(),
        service: Some(call.service),
    }
}
