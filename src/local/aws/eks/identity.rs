//! OIDC identity providers for people: one for a cluster.

use super::error::ApiError;
use super::faults::Outcome;
use super::paging::page;
use super::service::{Asked, Service};
use super::state::{copy, text};
use super::tags;
use super::updates::Target;
use serde_json::{Value, json};
use std::sync::Arc;

fn not_found(cluster: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("No identity provider configuration found for name: {name}")).cluster(cluster)
}

/// The name that an input's `identityProviderConfig` gives.
fn name_of(asked: &Asked) -> Result<&str, ApiError> {
    let config = &asked.input["identityProviderConfig"];
    if text(config, "type") == "oidc" {
        return Ok(text(config, "name"));
    }
    Err(ApiError::parameter("identityProviderConfig: the type has to be oidc")
        .cluster(asked.text("clusterName")))
}

/// AssociateIdentityProviderConfig.
pub fn associate(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let cluster_name = asked.text("clusterName").to_owned();
    let oidc = &asked.input["oidc"];
    let name = text(oidc, "identityProviderConfigName").to_owned();
    let refused = |error: ApiError| error.cluster(&cluster_name);
    let issuer = text(oidc, "issuerUrl");
    if !issuer.starts_with("https://") || issuer.contains(['?', '#']) {
        let message = format!("issuerUrl {issuer:?} has to begin with https:// and to have no query");
        return Err(refused(ApiError::parameter(message)));
    }
    tags::check(&asked.input["tags"], "InvalidParameterException").map_err(refused)?;
    let now = service.seconds();
    let mut view = oidc.clone();
    let (id, answer, turn) = {
        let mut state = service.state();
        let (id, config_id) = (state.uuid(), state.uuid());
        let cluster = state.cluster_mut(&cluster_name)?;
        if cluster.providers.contains_key(&name) {
            let message = format!("Identity provider config already exists with name {name}");
            return Err(refused(ApiError::in_use(message)));
        }
        if !cluster.providers.is_empty() {
            return Err(refused(ApiError::request(
                "Cluster already has an identity provider config associated",
            )));
        }
        cluster.require_idle("AssociateIdentityProviderConfig")?;
        view["clusterName"] = cluster_name.as_str().into();
        view["identityProviderConfigArn"] =
            service.arn(&format!("identityproviderconfig/{cluster_name}/oidc/{name}/{config_id}")).into();
        view["status"] = "CREATING".into();
        view["tags"] = tags::or_none(&asked.input["tags"]);
        if view["usernameClaim"].is_null() {
            view["usernameClaim"] = "sub".into();
        }
        cluster.providers.insert(name.clone(), view.clone());
        let params = [("IdentityProviderConfig", json!([{"type": "oidc", "name": name}]).to_string())];
        let answer =
            cluster.begin(id.clone(), Target::Cluster, "AssociateIdentityProviderConfig", &params, now);
        (id, answer, cluster.turn.clone())
    };
    let outcome = asked.outcome.clone();
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => Ok(()),
        };
        let now = service.seconds();
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        match (&result, cluster.providers.get_mut(&name)) {
            (Ok(()), Some(view)) => view["status"] = "ACTIVE".into(),
            _ => {
                cluster.providers.remove(&name);
            }
        }
        cluster.end(&service.model, &id, &now, &result);
    });
    let mut answer = json!({"update": answer});
    copy(&asked.input, &["tags"], &mut answer);
    Ok(answer)
}

/// DescribeIdentityProviderConfig.
pub fn describe(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster, name) = (asked.text("clusterName"), name_of(asked)?);
    let state = service.state();
    let view = state.cluster(cluster)?.providers.get(name).ok_or_else(|| not_found(cluster, name))?;
    Ok(json!({"identityProviderConfig": {"oidc": view}}))
}

/// ListIdentityProviderConfigs.
pub fn list(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let state = service.state();
    let cluster = state.cluster(asked.text("clusterName"))?;
    let items = cluster.providers.keys().map(|name| (name.clone(), json!({"type": "oidc", "name": name})));
    page("identityProviderConfigs", items.collect::<Vec<_>>(), &asked.input).map(Value::Object)
}

/// DisassociateIdentityProviderConfig.
pub fn disassociate(service: &Arc<Service>, asked: &Asked) -> Result<Value, ApiError> {
    let (cluster_name, name) = (asked.text("clusterName").to_owned(), name_of(asked)?.to_owned());
    let now = service.seconds();
    let (id, answer, turn) = {
        let mut state = service.state();
        let id = state.uuid();
        let cluster = state.cluster_mut(&cluster_name)?;
        if !cluster.providers.contains_key(&name) {
            return Err(not_found(&cluster_name, &name));
        }
        cluster.require_idle("DisassociateIdentityProviderConfig")?;
        if let Some(view) = cluster.providers.get_mut(&name) {
            view["status"] = "DELETING".into();
        }
        let params = [("IdentityProviderConfig", json!([{"type": "oidc", "name": name}]).to_string())];
        let kind = "DisassociateIdentityProviderConfig";
        let answer = cluster.begin(id.clone(), Target::Cluster, kind, &params, now);
        (id, answer, cluster.turn.clone())
    };
    let outcome = asked.outcome.clone();
    service.later(turn, service.options.delays.update, async move |service: Arc<Service>| {
        let result = match outcome {
            Some(Outcome::Fail(issue) | Outcome::Degrade(issue)) => Err(issue),
            None => Ok(()),
        };
        let now = service.seconds();
        let mut state = service.state();
        let Ok(cluster) = state.cluster_mut(&cluster_name) else { return };
        match (&result, cluster.providers.get_mut(&name)) {
            (Err(_), Some(view)) => view["status"] = "ACTIVE".into(),
            _ => {
                cluster.providers.remove(&name);
            }
        }
        cluster.end(&service.model, &id, &now, &result);
    });
    Ok(json!({"update": answer}))
}
