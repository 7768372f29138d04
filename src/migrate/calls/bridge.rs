//! A Service on the calling side that leads to the other cluster.

use crate::model::Object;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Label of every object of a bridge, by which it is found and removed; its value is the name of the Service.
pub const BRIDGE: &str = "portolan.dev/bridge";
/// Who keeps an EndpointSlice: the controllers leave slices of others alone (Kubernetes docs, EndpointSlices).
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`] in slices of bridges.
pub const KEEPER: &str = "portolan.dev";
/// Whose endpoints a slice holds.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Endpoints that one slice may have (`discovery.k8s.io/v1`).
const MOST_ENDPOINTS: usize = 1000;

/// Why there can be no bridge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotBridge {
    /// A Service that is a name only has no ports to bridge.
    #[error("{0} is another name for a host: bridge the Service that it names")]
    ExternalName(String),
    /// There is nowhere to lead to.
    #[error("the other side has no address for {0}: give it an internal load balancer, or node ports")]
    NoAddress(String),
    /// Slices hold addresses, not names.
    #[error("`{address}` is no IP address, which is all that a slice for {service} holds")]
    NotAnAddress {
        /// The Service.
        service: String,
        /// What was given.
        address: String,
    },
    /// A port of the Service has no port on the other side.
    #[error("port {port} of {service} has no port on the other side: expose it there as well")]
    NoPort {
        /// The Service.
        service: String,
        /// The port's name, or its number.
        port: String,
    },
}

/// The objects of a bridge to a Service of the other side: the Service without a selector, under its own name, and an
/// EndpointSlice for each address family. `addresses` are those of the internal load balancer or of nodes; `ports` give
/// the port over there by the name of the Service's port, or by its number where it has no name.
///
/// # Errors
/// [`CannotBridge`] where an address or a port is missing.
pub fn bridge(
    service: &Object,
    addresses: &BTreeSet<String>,
    ports: &BTreeMap<String, u16>,
) -> Result<Vec<Object>, CannotBridge> {
    let id = service.id();
    let shown = format!("{}/{}", id.namespace.as_deref().unwrap_or_default(), id.name);
    let spec = &service.body()["spec"];
    if spec["type"] == "ExternalName" {
        return Err(CannotBridge::ExternalName(shown));
    }
    let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
    for address in addresses {
        match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => v4.insert(address.as_str()),
            Ok(IpAddr::V6(_)) => v6.insert(address.as_str()),
            Err(_) => return Err(CannotBridge::NotAnAddress { service: shown, address: address.clone() }),
        };
    }
    let own_ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    if (v4.is_empty() && v6.is_empty()) || own_ports.is_empty() {
        return Err(CannotBridge::NoAddress(shown));
    }
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for port in own_ports {
        let number = port["port"].as_u64().unwrap_or_default();
        let name = port["name"].as_str();
        let key = name.map_or_else(|| number.to_string(), str::to_owned);
        let Some(over_there) = ports.get(&key) else {
            return Err(CannotBridge::NoPort { service: shown, port: key });
        };
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let mut own = json!({"port": number, "protocol": protocol, "targetPort": over_there});
        let mut other = json!({"port": over_there, "protocol": protocol});
        if let Some(name) = name {
            own["name"] = json!(name);
            other["name"] = json!(name);
        }
        if let Some(application) = port["appProtocol"].as_str() {
            own["appProtocol"] = json!(application);
            other["appProtocol"] = json!(application);
        }
        near.push(own);
        far.push(other);
    }
    let mut own_spec = json!({"type": "ClusterIP", "ports": near});
    if spec["clusterIP"] == "None" {
        own_spec["clusterIP"] = json!("None");
    }
    let namespace = id.namespace.as_deref().unwrap_or("default");
    let mut bodies = vec![json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": id.name, "namespace": namespace, "labels": {BRIDGE: id.name}},
        "spec": own_spec,
    })];
    for (family, addresses) in [("IPv4", v4), ("IPv6", v6)] {
        let addresses: Vec<&str> = addresses.into_iter().collect();
        for (at, chunk) in addresses.chunks(MOST_ENDPOINTS).enumerate() {
            bodies.push(slice(&id.name, namespace, family, at, chunk, &far));
        }
    }
    Ok(bodies
        .into_iter()
        .map(|body| Object::new(body).expect("it has a version, a kind and the name of a live Service"))
        .collect())
}

fn slice(
    service: &str,
    namespace: &str,
    family: &str,
    at: usize,
    addresses: &[&str],
    ports: &[Value],
) -> Value {
    let mut name = format!("{service}-bridge-{}", family.to_ascii_lowercase());
    if at > 0 {
        name = format!("{name}-{at}");
    }
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|address| json!({"addresses": [address], "conditions": {"ready": true}}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {SERVICE_NAME: service, MANAGED_BY: KEEPER, BRIDGE: service},
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    })
}
