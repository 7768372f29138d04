//! Updates: one at a time for each cluster, node group and add-on.

use super::error::ApiError;
use super::paging::page;
use super::service::{Asked, Service};
use super::service_model::Model;
use super::state::{Cluster, State, text};
use crate::local::aws::world::Issue;
use serde_json::{Value, json};

/// An update, and what it updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// What it updates.
    pub target: Target,
    /// As described.
    pub view: Value,
}

/// What an update updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The cluster.
    Cluster,
    /// A node group.
    Nodegroup(String),
    /// An add-on.
    Addon(String),
}

impl Target {
    /// The one that `nodegroupName` and `addonName` of an input tell.
    ///
    /// # Errors
    /// Both are given; a capability is asked for.
    fn of(input: &Value) -> Result<Self, ApiError> {
        match (input["nodegroupName"].as_str(), input["addonName"].as_str()) {
            _ if !input["capabilityName"].is_null() => {
                Err(ApiError::parameter("there are no capabilities here"))
            }
            (None, None) => Ok(Self::Cluster),
            (Some(name), None) => Ok(Self::Nodegroup(name.into())),
            (None, Some(name)) => Ok(Self::Addon(name.into())),
            (Some(_), Some(_)) => {
                Err(ApiError::parameter("nodegroupName and addonName cannot be given together"))
            }
        }
    }
}

impl Cluster {
    /// The update of a target that is in progress.
    #[must_use]
    pub fn running(&self, target: &Target) -> Option<&str> {
        self.updates
            .iter()
            .find(|update| update.target == *target && update.view["status"] == "InProgress")
            .map(|update| text(&update.view, "id"))
    }

    /// Refuses an update of the cluster while another is in progress, and while the cluster is not ACTIVE.
    ///
    /// # Errors
    /// `ResourceInUseException`, `InvalidRequestException`.
    pub fn require_idle(&self, kind: &str) -> Result<(), ApiError> {
        let name = self.name();
        if let Some(id) = self.running(&Target::Cluster) {
            let message =
                format!("Cannot {kind} because cluster {name} currently has update {id} in progress");
            return Err(ApiError::in_use(message).cluster(name));
        }
        self.require_active("InvalidRequestException")
    }

    fn target_view(&mut self, target: &Target) -> Option<&mut Value> {
        match target {
            Target::Cluster => Some(&mut self.view),
            Target::Nodegroup(name) => self.nodegroups.get_mut(name),
            Target::Addon(name) => self.addons.get_mut(name),
        }
    }

    /// Begins an update: it is InProgress and its target UPDATING. Gives its description.
    pub fn begin(
        &mut self,
        id: String,
        target: Target,
        kind: &str,
        params: &[(&str, String)],
        now: Value,
    ) -> Value {
        let params: Vec<Value> =
            params.iter().map(|(kind, value)| json!({"type": kind, "value": value})).collect();
        let view = json!({
            "id": id, "status": "InProgress", "type": kind, "params": params, "createdAt": now, "errors": [],
        });
        if let Some(target) = self.target_view(&target) {
            target["status"] = "UPDATING".into();
        }
        self.updates.push(Update { target, view: view.clone() });
        view
    }

    /// Ends an update, and gives its target the status that follows.
    pub fn end(&mut self, model: &Model, id: &str, now: &Value, result: &Result<(), Issue>) {
        let Some(update) = self.updates.iter_mut().find(|update| update.view["id"] == id) else { return };
        let status = match result {
            Ok(()) => "Successful",
            Err(issue) => {
                let code = known(model, "ErrorCode", &issue.code, "Unknown");
                update.view["errors"] = json!([{
                    "errorCode": code, "errorMessage": issue.message, "resourceIds": issue.resource_ids,
                }]);
                "Failed"
            }
        };
        update.view["status"] = status.into();
        let target = update.target.clone();
        let failed_addon = matches!(target, Target::Addon(_)) && result.is_err();
        if let Some(view) = self.target_view(&target) {
            view["status"] = if failed_addon { "UPDATE_FAILED" } else { "ACTIVE" }.into();
            if target != Target::Cluster {
                view["modifiedAt"] = now.clone();
                if result.is_ok() {
                    view["health"] = json!({"issues": []});
                }
            }
        }
    }
}

/// The code, if the enumeration has it, else the other.
#[must_use]
pub fn known(model: &Model, shape: &str, code: &str, otherwise: &str) -> String {
    let values = model.values(shape);
    if values.iter().any(|value| value == code) { code.into() } else { otherwise.into() }
}

/// An issue as the health of a resource lists it.
#[must_use]
pub fn health(model: &Model, shape: &str, issue: &Issue, otherwise: &str) -> Value {
    json!({"issues": [{
        "code": known(model, shape, &issue.code, otherwise),
        "message": issue.message,
        "resourceIds": issue.resource_ids,
    }]})
}

/// ListUpdates.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let target = Target::of(&asked.input)?;
    let state = service.state();
    let cluster = state.cluster(asked.text("name"))?;
    require_target(cluster, &target)?;
    let of_target = cluster.updates.iter().filter(|update| update.target == target);
    let ids = of_target.enumerate().map(|(index, update)| (format!("{index:09}"), update.view["id"].clone()));
    page("updateIds", ids.collect::<Vec<_>>(), &asked.input).map(Value::Object)
}

/// DescribeUpdate.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let target = Target::of(&asked.input)?;
    let state = service.state();
    let update = find(&state, asked.text("name"), asked.text("updateId"), &target)?;
    Ok(json!({"update": update.view}))
}

/// CancelUpdate. The service cancels the node phase of a rollback in Auto Mode and nothing else; here no rollback has
/// that phase.
pub fn cancel(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let update = find(&state, asked.text("name"), asked.text("updateId"), &Target::Cluster)?;
    let (id, kind, status) =
        (text(&update.view, "id"), text(&update.view, "type"), text(&update.view, "status"));
    Err(ApiError::request(format!("update {id} ({kind}, {status}) cannot be cancelled"))
        .cluster(asked.text("name")))
}

fn find<'a>(state: &'a State, cluster: &str, id: &str, target: &Target) -> Result<&'a Update, ApiError> {
    let found = state.cluster(cluster)?;
    require_target(found, target)?;
    found
        .updates
        .iter()
        .find(|update| update.view["id"] == id && update.target == *target)
        .ok_or_else(|| ApiError::not_found(format!("No update found for ID: {id}")).cluster(cluster))
}

fn require_target(cluster: &Cluster, target: &Target) -> Result<(), ApiError> {
    match target {
        Target::Nodegroup(name) if !cluster.nodegroups.contains_key(name) => {
            Err(super::nodegroups::not_found(cluster.name(), name))
        }
        Target::Addon(name) if !cluster.addons.contains_key(name) => {
            Err(super::addons::not_found(cluster.name(), name))
        }
        _ => Ok(()),
    }
}
