//! A cluster that runs: its control plane, who may come in, and what the service keeps in the account for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::account::Account;
use super::fargate::Profile;
use super::identity::{Access, User};
use super::kubernetes::Api;
use super::policies::{self, Question};
use super::token::Presigned;
use super::webhook::Hooks;
use super::world::Tags;
use crate::local::control_plane::ControlPlane;

/// How patient the service is. The real one waits for tens of minutes.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For nodes of a new node group to become Ready, before NodeCreationFailure.
    pub nodes: Duration,
    /// For a pod to be evicted, before PodEvictionFailure.
    pub eviction: Duration,
    /// For an add-on's pods to run, before InsufficientNumberOfReplicas.
    pub addon: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            nodes: Duration::from_secs(120),
            eviction: Duration::from_secs(120),
            addon: Duration::from_secs(30),
        }
    }
}

/// A managed node group as it stands.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// As described by the service.
    pub(super) view: Value,
    /// Its Auto Scaling group.
    pub(super) scaling_group: String,
    /// The copy of the launch template, and the version in use.
    pub(super) template: String,
    pub(super) template_version: String,
    pub(super) remote_access: Option<String>,
}

/// A cluster that runs.
pub(super) struct Running {
    pub(super) name: String,
    /// Not the name: names come again.
    pub(super) id: String,
    pub(super) account: Account,
    pub(super) patience: Patience,
    pub(super) api: Api,
    pub(super) control_plane: tokio::sync::Mutex<Option<ControlPlane>>,
    /// With what the API server reads; goes with the cluster.
    pub(super) folder: PathBuf,
    pub(super) vpc: String,
    pub(super) security_group: String,
    pub(super) interfaces: Vec<String>,
    /// Hosts that tokens may be signed for.
    pub(super) hosts: Arc<RwLock<Vec<String>>>,
    pub(super) access: Mutex<Access>,
    /// Who comes in whatever is written in the cluster: its creator, in CONFIG_MAP modes.
    pub(super) creator: Option<String>,
    pub(super) groups: Mutex<BTreeMap<String, Group>>,
    pub(super) profiles: Mutex<BTreeMap<String, Profile>>,
    /// Something about nodes has changed: look now.
    pub(super) wake: Notify,
    /// Held while we change node groups ourselves.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// Add-ons that wait for their pods: name and objects.
    pub(super) unready: Mutex<BTreeMap<String, Vec<Value>>>,
}

/// A lock that nobody can leave broken: what it guards is replaced in one step.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// The tag by which whatever belongs to a cluster is known: `kubernetes.io/cluster/NAME`.
    pub(super) fn tag_key(&self) -> String {
        format!("kubernetes.io/cluster/{}", self.name)
    }

    /// Tags of what the service makes for the cluster itself.
    pub(super) fn own_tags(name: &str) -> Tags {
        Tags::from([
            (format!("kubernetes.io/cluster/{name}"), "owned".to_owned()),
            ("aws:eks:cluster-name".to_owned(), name.to_owned()),
        ])
    }

    /// The minor that its control plane runs, such as `1.36`.
    pub(super) async fn minor(&self) -> String {
        let control_plane = self.control_plane.lock().await;
        let version =
            control_plane.as_ref().map(|running| running.instance().version.clone()).unwrap_or_default();
        version
            .trim_start_matches('v')
            .rsplit_once('.')
            .map(|(minor, _)| minor.to_owned())
            .unwrap_or_default()
    }

    async fn identify(&self, token: &str) -> Result<User, String> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner).clone();
        let presigned = Presigned::parse(token, &hosts, Timestamp::now())?;
        let caller =
            self.account.provider.caller(&presigned.access_key).await.map_err(|error| error.to_string())?;
        let caller = caller.ok_or("the access key is nobody's")?;
        presigned.verify(&self.name, &caller.secret, caller.session_token.as_deref())?;
        let access = locked(&self.access).clone();
        let aws_auth = if access.reads_config_map() {
            let path = "/api/v1/namespaces/kube-system/configmaps/aws-auth";
            self.api.get(path).await.map_err(|error| error.to_string())?
        } else {
            None
        };
        if let Some(user) = access.user(&caller, aws_auth.as_ref()) {
            return Ok(user);
        }
        let principal = caller.role.as_ref().unwrap_or(&caller.arn);
        if access.reads_config_map() && self.creator.as_ref() == Some(principal) {
            // As the service has it: it stands in no ConfigMap and cannot be seen.
            return Ok(User {
                name: "kubernetes-admin".to_owned(),
                uid: format!("aws-iam-authenticator:{}:{principal}", caller.account),
                groups: vec!["system:masters".to_owned()],
                extra: BTreeMap::new(),
            });
        }
        Err(format!("{principal} has no access to the cluster {}", self.name))
    }

    /// Adds the role of nodes to `aws-auth`, as the service does for managed node groups and Fargate profiles where that
    /// ConfigMap counts.
    pub(super) async fn map_role(&self, role: &str, username: &str, groups: &[&str]) -> Result<(), String> {
        if !locked(&self.access).reads_config_map() {
            return Ok(());
        }
        let path = "/api/v1/namespaces/kube-system/configmaps/aws-auth";
        let wanted = json!({"rolearn": role, "username": username, "groups": groups});
        let found = self.api.get(path).await.map_err(|error| error.to_string())?;
        let mut roles = match &found {
            Some(map) => {
                let text = map["data"]["mapRoles"].as_str().unwrap_or_default();
                serde_yaml::from_str::<Vec<Value>>(text).unwrap_or_default()
            }
            None => Vec::new(),
        };
        if roles.iter().any(|known| known["rolearn"] == role) {
            return Ok(());
        }
        roles.push(wanted);
        let text = serde_yaml::to_string(&roles).map_err(|error| error.to_string())?;
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "aws-auth", "namespace": "kube-system"},
            "data": {"mapRoles": text},
        });
        let done = match found {
            Some(_) => self.api.merge(path, &json!({"data": {"mapRoles": text}})).await.map(|_| ()),
            None => self.api.create("/api/v1/namespaces/kube-system/configmaps", &object).await.map(|_| ()),
        };
        done.map_err(|error| error.to_string())
    }

    /// The node group that an instance is of, by its tag.
    pub(super) fn group_of(&self, tags: &Tags) -> Option<Group> {
        locked(&self.groups).get(tags.get("eks:nodegroup-name")?).cloned()
    }
}

#[async_trait]
impl Hooks for Running {
    async fn authenticate(&self, token: &str) -> Result<User, String> {
        self.identify(token).await
    }

    async fn allowed(&self, canonical_arn: &str, question: &Question) -> bool {
        let grants = locked(&self.access).grants(canonical_arn);
        policies::allows(&grants, question)
    }

    async fn admit(&self, namespace: &str, pod: &Value) -> Option<Value> {
        let profiles = locked(&self.profiles).clone();
        super::admission::patch(&profiles, namespace, pod)
    }
}
