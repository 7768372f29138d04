//! Operations about what the local AWS does not have. Lists tell the truth (there is none), named things are not found, and
//! making one is refused in words, each with an exception that the model documents for the operation.
//!
//! Of certificate authorities there is one for each cluster, EKS's own; what is not played is their rotation.

use super::error::ApiError;
use super::paging::page;
use super::service::{Asked, Service};
use super::state::{Cluster, text};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Does an operation; none where it is not about such things.
pub fn call(service: &Service, asked: &Asked) -> Option<Result<Value, ApiError>> {
    let not_played = |what: &str| format!("{what} are not simulated by the local AWS");
    Some(match asked.operation.as_str() {
        "ListCapabilities" => capabilities(service, asked),
        "CreateCapability" => {
            Err(ApiError::request(not_played("capabilities (Argo CD, ACK, kro run by AWS)")))
        }
        "DescribeCapability" | "UpdateCapability" | "DeleteCapability" => capability(service, asked),
        "ListCertificateAuthorities" => authorities(service, asked),
        "DescribeCertificateAuthority" => authority(service, asked),
        "CreateCertificateAuthority" => of_cluster(service, asked)
            .and(Err(ApiError::parameter(not_played("rotations of certificate authorities")))),
        "ActivateCertificateAuthority" => known(service, asked).and(Err(ApiError::parameter(
            "the certificate authority signs the cluster's certificates already",
        ))),
        "DeleteCertificateAuthority" => known(service, asked)
            .and(Err(ApiError::in_use("the certificate authority signs the cluster's certificates"))),
        "ListEksAnywhereSubscriptions" => page("subscriptions", Vec::new(), &asked.input).map(Value::Object),
        "CreateEksAnywhereSubscription" => {
            Err(ApiError::parameter(not_played("subscriptions of EKS Anywhere")))
        }
        "DescribeEksAnywhereSubscription"
        | "UpdateEksAnywhereSubscription"
        | "DeleteEksAnywhereSubscription" => {
            Err(ApiError::not_found(format!("there is no subscription {}", asked.text("id"))))
        }
        "RegisterCluster" => Err(ApiError::parameter(not_played("clusters from elsewhere (EKS Connector)"))),
        "DeregisterCluster" => {
            let message = format!("No registered cluster found for name: {}.", asked.text("name"));
            Err(ApiError::not_found(message).cluster(asked.text("name")))
        }
        _ => return None,
    })
}

/// An error of a cluster that is not there stays as it is.
fn of_cluster(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    service.state().cluster(asked.text("clusterName")).map(described)
}

fn capabilities(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    // Not found is not among this operation's exceptions.
    let cluster = of_cluster(service, asked);
    cluster.map_err(|error| ApiError::parameter(error.message))?;
    page("capabilities", Vec::new(), &asked.input).map(Value::Object)
}

fn capability(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    of_cluster(service, asked)?;
    let message = format!("No capability found for name: {}.", asked.text("capabilityName"));
    Err(ApiError::not_found(message).cluster(asked.text("clusterName")))
}

fn authorities(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let whole = of_cluster(service, asked)?;
    let mut summary = whole.clone();
    if let Some(members) = summary.as_object_mut() {
        members.remove("data");
    }
    let items = [(text(&whole, "id").to_owned(), summary)];
    page("certificateAuthorities", items, &asked.input).map(Value::Object)
}

fn authority(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    known(service, asked).map(|authority| json!({"certificateAuthority": authority}))
}

fn known(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let authority = of_cluster(service, asked)?;
    let id = asked.text("certificateAuthorityId");
    if authority["id"] == id {
        return Ok(authority);
    }
    let message = format!("No certificate authority found for id: {id}.");
    Err(ApiError::not_found(message).cluster(asked.text("clusterName")))
}

/// The one that EKS made with the cluster.
fn described(cluster: &Cluster) -> Value {
    let view = &cluster.view;
    let id: String =
        Sha256::digest(text(view, "arn")).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let made = &view["createdAt"];
    let mut authority = Map::from_iter([
        ("id".to_owned(), json!(format!("ca-{id}"))),
        ("createdAt".to_owned(), made.clone()),
        ("createdBy".to_owned(), json!("EKS")),
        ("activatedAt".to_owned(), made.clone()),
        ("activatedBy".to_owned(), json!("EKS")),
        ("signingStatus".to_owned(), json!("IN_USE")),
        ("distributionStatus".to_owned(), json!("COMPLETE")),
    ]);
    // Known once the control plane runs.
    if let Some(data) = view["certificateAuthority"]["data"].as_str() {
        authority.insert("data".to_owned(), data.into());
    }
    Value::Object(authority)
}
