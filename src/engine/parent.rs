//! The ApplySet's parent Secret (KEP-3659): which kinds and namespaces our objects on a destination are in.
//!
//! It is written before anything is applied, and only when a kind or namespace joins, so that whoever lists by it
//! (we after a restart, `kubectl apply --prune --applyset`) misses nothing.

use crate::model::ownership::{
    ADDITIONAL_NAMESPACES, APPLYSET_ID, APPLYSET_TOOLING, CONTAINS_GROUP_KINDS, INSTANCE, TOOLING,
    applyset_id,
};
use crate::model::{GroupKind, Gvk, ResourceId};
use crate::ports::{ApiFailure, ApiFailureKind, ApplyRequest, Cluster, ServedKind};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The parent of one destination's ApplySet.
pub(crate) struct Parent {
    name: String,
    namespace: String,
    id: String,
    known: Mutex<Option<Members>>,
}

/// What the parent lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// Kinds that members have.
    pub kinds: BTreeSet<GroupKind>,
    /// Namespaces that members are in.
    pub namespaces: BTreeSet<String>,
}

impl Parent {
    /// The parent Secret of an instance.
    pub fn new(name: &str, namespace: &str) -> Self {
        Self {
            name: name.into(),
            namespace: namespace.into(),
            id: applyset_id(name, namespace),
            known: Mutex::new(None),
        }
    }

    /// The ApplySet's id: the value of the part-of label.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the parent lists, read once.
    pub async fn members(&self, cluster: &dyn Cluster) -> Result<Members, ApiFailure> {
        let mut known = self.known.lock().await;
        if let Some(members) = &*known {
            return Ok(members.clone());
        }
        let members = self.read(cluster).await?;
        *known = Some(members.clone());
        Ok(members)
    }

    /// Makes sure that the parent lists the kinds and namespaces, writing it only when one joins.
    pub async fn admit(&self, cluster: &dyn Cluster, joining: &Members) -> Result<(), ApiFailure> {
        let mut known = self.known.lock().await;
        let mut members = match &*known {
            Some(members) => members.clone(),
            None => self.read(cluster).await?,
        };
        let before = members.clone();
        members.kinds.extend(joining.kinds.iter().cloned());
        members.namespaces.extend(joining.namespaces.iter().cloned());
        if members != before {
            self.write(cluster, &members).await?;
        }
        *known = Some(members);
        Ok(())
    }

    async fn read(&self, cluster: &dyn Cluster) -> Result<Members, ApiFailure> {
        let Some(secret) = cluster.get(&secrets(), &self.resource()).await? else {
            return Ok(Members::default());
        };
        if let Some(tooling) = secret.annotation(APPLYSET_TOOLING)
            && !tooling.starts_with("portolan/")
        {
            return Err(ApiFailure::new(
                ApiFailureKind::Forbidden,
                format!(
                    "Secret {}/{} is the parent of an ApplySet of {tooling}; give this daemon another `instance` name",
                    self.namespace, self.name
                ),
            ));
        }
        let listed = |key: &str| -> Vec<String> {
            secret
                .annotation(key)
                .unwrap_or_default()
                .split(',')
                .filter(|s| !s.is_empty())
                .map(String::from)
                .collect()
        };
        let kinds = listed(CONTAINS_GROUP_KINDS).iter().filter_map(|kind| kind.parse().ok()).collect();
        Ok(Members { kinds, namespaces: listed(ADDITIONAL_NAMESPACES).into_iter().collect() })
    }

    async fn write(&self, cluster: &dyn Cluster, members: &Members) -> Result<(), ApiFailure> {
        match self.apply(cluster, members).await {
            // The first write on a fresh cluster: our namespace is not there yet.
            Err(failure) if failure.kind == ApiFailureKind::NotFound => {
                let namespace =
                    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
                match cluster.create(&namespaces(), &namespace, None).await {
                    Ok(_) => {}
                    Err(failure) if failure.kind == ApiFailureKind::AlreadyExists => {}
                    Err(failure) => return Err(failure),
                }
                self.apply(cluster, members).await
            }
            other => other,
        }
    }

    async fn apply(&self, cluster: &dyn Cluster, members: &Members) -> Result<(), ApiFailure> {
        let kinds: Vec<String> = members.kinds.iter().map(ToString::to_string).collect();
        let others: Vec<&str> =
            members.namespaces.iter().map(String::as_str).filter(|n| *n != self.namespace).collect();
        let body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {APPLYSET_ID: self.id},
                "annotations": {
                    APPLYSET_TOOLING: TOOLING,
                    CONTAINS_GROUP_KINDS: kinds.join(","),
                    ADDITIONAL_NAMESPACES: others.join(","),
                    INSTANCE: self.name,
                },
            },
        });
        let request = ApplyRequest {
            kind: secrets(),
            id: self.resource(),
            body: Arc::from(body.to_string().into_bytes()),
            force: true,
            dry_run: false,
            impersonate: None,
        };
        cluster.apply(&request).await.map(drop)
    }

    fn resource(&self) -> ResourceId {
        ResourceId::new("", "Secret", &self.namespace, &self.name)
    }
}

/// Secrets as every API server serves them, for use before discovery.
fn secrets() -> ServedKind {
    ServedKind {
        gvk: Gvk::new("", "v1", "Secret"),
        plural: "secrets".into(),
        namespaced: true,
        verbs: BTreeSet::new(),
    }
}

/// Namespaces as every API server serves them.
pub(crate) fn namespaces() -> ServedKind {
    ServedKind {
        gvk: Gvk::new("", "v1", "Namespace"),
        plural: "namespaces".into(),
        namespaced: false,
        verbs: BTreeSet::new(),
    }
}
