//! The switches over HTTP, for tests that are another process. Nothing of this is of the service.
//!
//! | request | what |
//! |---|---|
//! | `GET /_portolan/calls`, `/violations`, `/counts`, `/faults` | what there is |
//! | `POST /_portolan/faults` | sets one, see [`Fault`] |
//! | `DELETE /_portolan/faults` | takes all away |
//! | `POST /_portolan/hold`, `/release` | no work ends; work ends again |
//! | `POST /_portolan/insights` | `{"cluster": …, "insights": […]}` |
//! | `POST /_portolan/change` | `{"cluster": …, "kind": "nodegroups", "name": …, "members": {…}}` |

use super::faults::Fault;
use super::service::Service;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Where the paths begin.
pub const PREFIX: &str = "/_portolan/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Insights {
    cluster: String,
    insights: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    cluster: String,
    kind: String,
    #[serde(default)]
    name: String,
    members: Value,
}

/// Answers a request below the prefix.
pub fn answer(service: &Service, method: &str, path: &str, body: &[u8]) -> (StatusCode, Value) {
    let what = path.strip_prefix(PREFIX).unwrap_or_default();
    let done = (StatusCode::OK, json!({}));
    match (method, what) {
        ("GET", "calls") => (StatusCode::OK, json!(service.journal().calls())),
        ("GET", "violations") => (StatusCode::OK, json!(service.journal().violations())),
        ("GET", "counts") => (StatusCode::OK, json!(service.state().counts())),
        ("GET", "faults") => (StatusCode::OK, json!(service.faults().all())),
        ("DELETE", "faults") => {
            service.faults().clear();
            done
        }
        ("POST", "faults") => match serde_json::from_slice::<Fault>(body) {
            Ok(fault) => {
                service.faults().add(fault);
                done
            }
            Err(error) => refused(&error),
        },
        ("POST", "hold" | "release") => {
            service.held.send_replace(what == "hold");
            done
        }
        ("POST", "insights") => match serde_json::from_slice::<Insights>(body) {
            Ok(set) => {
                if set_insights(service, &set.cluster, set.insights) {
                    done
                } else {
                    nothing()
                }
            }
            Err(error) => refused(&error),
        },
        ("POST", "change") => match serde_json::from_slice::<Change>(body) {
            Ok(set) if change(service, &set.cluster, &set.kind, &set.name, &set.members) => done,
            Ok(_) => nothing(),
            Err(error) => refused(&error),
        },
        _ => nothing(),
    }
}

fn refused(error: &serde_json::Error) -> (StatusCode, Value) {
    (StatusCode::BAD_REQUEST, json!({"message": error.to_string()}))
}

fn nothing() -> (StatusCode, Value) {
    (StatusCode::NOT_FOUND, json!({"message": "there is no such thing"}))
}

/// Sets the insights of a cluster.
pub fn set_insights(service: &Service, cluster: &str, insights: Vec<Value>) -> bool {
    let mut state = service.state();
    let cluster = state.clusters.get_mut(cluster);
    cluster.map(|cluster| cluster.insights = insights).is_some()
}

/// Changes a resource behind the API.
pub fn change(service: &Service, cluster: &str, kind: &str, name: &str, members: &Value) -> bool {
    let mut state = service.state();
    let Some(cluster) = state.clusters.get_mut(cluster) else { return false };
    let view = match kind {
        "clusters" => Some(&mut cluster.view),
        "nodegroups" => cluster.nodegroups.get_mut(name),
        "fargateProfiles" => cluster.fargate_profiles.get_mut(name),
        "addons" => cluster.addons.get_mut(name),
        "accessEntries" => cluster.entries.get_mut(name).map(|entry| &mut entry.view),
        "podIdentityAssociations" => cluster.associations.get_mut(name),
        "identityProviderConfigs" => cluster.providers.get_mut(name),
        _ => None,
    };
    let (Some(Value::Object(view)), Some(members)) = (view, members.as_object()) else { return false };
    view.extend(members.clone());
    true
}
