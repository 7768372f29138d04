//! Where a Service is reached from the other cluster, and whether anything answers there.

use super::names::{addresses, balancer};
use super::near::standing;
use super::write::applied;
use super::{Bridge, OPENER, find};
use crate::migrate::calls::{BRIDGE, SERVICE_NAME};
use crate::migrate::stages::fence::side_word;
use crate::migrate::stages::look::Known;
use crate::migrate::stages::sight::{Sight, is, namespace};
use crate::model::migration::{Gate, Outcome};
use crate::model::plan::digest_of;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Addresses and ports of a Service, as the other cluster reaches it.
pub(super) struct Reached {
    pub addresses: BTreeSet<String>,
    /// By the name of the Service's port, or its number.
    pub ports: BTreeMap<String, u16>,
    /// Why the addresses are those of before, in words: a name could not be looked up.
    pub of_before: Option<String>,
}

/// Why no node ports can be opened for a Service, in words.
pub(super) fn unopenable(service: &Value) -> Option<&'static str> {
    let spec = &service["spec"];
    if spec["clusterIP"] == "None" {
        return Some("it is headless: its callers use the ports of its pods, which node ports are not");
    }
    let selects = spec["selector"].as_object().is_some_and(|selector| !selector.is_empty());
    (!selects && node_ports(service).is_none()).then_some("it has no selector, and node ports need one")
}

/// Name of the Service that opens node ports for another.
pub(super) fn opener(name: &str) -> String {
    let plain = format!("{OPENER}{name}");
    // A name of a Service is a DNS label (RFC 1123).
    if plain.len() <= 63 { plain } else { format!("{OPENER}{}", &digest_of(&name)[..16]) }
}

/// The key of a port: its name, or its number.
fn key(port: &Value) -> String {
    port["name"].as_str().map_or_else(|| port["port"].to_string(), str::to_owned)
}

fn ports(service: &Value) -> &[Value] {
    service.pointer("/spec/ports").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The node ports of a Service, where every port has one.
fn node_ports(service: &Value) -> Option<BTreeMap<String, u16>> {
    let number = |port: &Value| port["nodePort"].as_u64().and_then(|port| u16::try_from(port).ok());
    let all: Option<BTreeMap<String, u16>> =
        ports(service).iter().map(|port| Some((key(port), number(port).filter(|port| *port > 0)?))).collect();
    all.filter(|ports| !ports.is_empty())
}

/// What hosts lead to; where one of them cannot be looked up, what the bridge leads to already. The error: the reason, where it
/// leads nowhere yet.
fn by_hosts<'h>(
    bridge: &Bridge,
    known: &Known<'_>,
    near: &Sight,
    hosts: impl IntoIterator<Item = &'h String>,
    ports: BTreeMap<String, u16>,
) -> Result<Reached, String> {
    match addresses(known, hosts) {
        Ok(addresses) => Ok(Reached { addresses, ports, of_before: None }),
        Err(words) => match standing(bridge, near, &ports) {
            addresses if addresses.is_empty() => Err(words),
            addresses => Ok(Reached { addresses, ports, of_before: Some(words) }),
        },
    }
}

/// Where the Service of a bridge is reached; else what has to be done, or waited for, before it can be. `sides` are the
/// one of the callers and the one of the pods.
pub(super) fn reached(
    bridge: &Bridge,
    known: &Known<'_>,
    (near, far): (&Sight, &Sight),
) -> Result<Reached, Outcome> {
    let held = |gate: Gate| Outcome { steps: Vec::new(), gates: vec![gate] };
    let side = bridge.far();
    let of = (bridge.namespace.as_str(), bridge.name.as_str());
    let Some(service) = find(far, "Service", of) else {
        return Err(held(bridge.waits(known, format!("it is not on the {}", side_word(side)))));
    };
    if let Some(end) = bridge.end() {
        let given = |port: &Value| {
            let key = key(port);
            let own = port["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            Some((key.clone(), end.ports.get(&key).copied().or(own)?))
        };
        let ports = ports(service).iter().filter_map(given).collect();
        return by_hosts(bridge, known, near, &end.addresses, ports)
            .map_err(|words| held(bridge.waits(known, words)));
    }
    let hosts = balancer(service);
    if !hosts.is_empty() {
        let own = |port: &Value| Some((key(port), u16::try_from(port["port"].as_u64()?).ok()?));
        let ports = ports(service).iter().filter_map(own).collect();
        // A name that leads nowhere, or not from here, is no reason to wait: nodes have addresses.
        if let Ok(reached) = by_hosts(bridge, known, near, &hosts, ports) {
            return Ok(reached);
        }
    }
    if let Some(why) = unopenable(service) {
        let way_out = "give its addresses in `spec.bridges`".into();
        let what = format!("bridge to {}: {why}", bridge.declared.service);
        return Err(held(Gate::Blocked { what, way_out }));
    }
    let own = node_ports(service);
    let open = match own {
        Some(ports) => ports,
        None => {
            let name = opener(&bridge.name);
            let wanted = second(bridge, service, &name);
            match applied(side, far, wanted) {
                Ok(Some((effect, says))) => {
                    return Err(Outcome {
                        steps: vec![bridge.step("ports", effect, Vec::new(), says)],
                        gates: Vec::new(),
                    });
                }
                Ok(None) => {}
                Err(gate) => return Err(held(gate)),
            }
            let live = find(far, "Service", (&bridge.namespace, &name));
            live.and_then(node_ports)
                .ok_or_else(|| held(bridge.waits(known, format!("{name} has no node ports yet"))))?
        }
    };
    let addresses: BTreeSet<String> =
        far.objects.iter().filter(|object| is(object, "", "Node")).filter_map(address).collect();
    if addresses.is_empty() {
        return Err(held(bridge.waits(
            known,
            format!("no node of the {} is ready, with an internal address", side_word(side)),
        )));
    }
    Ok(Reached { addresses, ports: open, of_before: None })
}

/// The internal address of a node that is ready.
fn address(node: &Value) -> Option<String> {
    let of = |pointer: &str| node.pointer(pointer).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let ready = of("/status/conditions").iter().find(|condition| condition["type"] == "Ready");
    if ready.is_some_and(|condition| condition["status"] != "True") {
        return None;
    }
    let address = of("/status/addresses").iter().find(|address| address["type"] == "InternalIP")?;
    address["address"].as_str().map(str::to_owned)
}

/// The Service beside another that opens node ports to the same pods.
fn second(bridge: &Bridge, service: &Value, name: &str) -> Value {
    let ports: Vec<Value> = ports(service)
        .iter()
        .map(|port| {
            let mut one =
                json!({"port": port["port"], "protocol": port["protocol"].as_str().unwrap_or("TCP")});
            for field in ["name", "targetPort"] {
                if let Some(value) = port.get(field) {
                    one[field] = value.clone();
                }
            }
            one
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": bridge.namespace, "labels": {BRIDGE: bridge.name}},
        "spec": {"type": "NodePort", "selector": service["spec"]["selector"], "ports": ports},
    })
}

/// Whether the Service has an endpoint that is ready: in its slices, or in its Endpoints where slices are not served.
pub(super) fn answers(bridge: &Bridge, far: &Sight) -> bool {
    let of = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_array).is_some_and(|all| !all.is_empty())
    };
    far.objects.iter().filter(|object| namespace(object) == Some(&bridge.namespace)).any(|object| {
        if is(object, "discovery.k8s.io", "EndpointSlice") {
            let labels = &object["metadata"]["labels"];
            let ready = |one: &Value| one.pointer("/conditions/ready").is_none_or(|ready| *ready != false);
            let endpoints = object["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
            return labels[SERVICE_NAME] == *bridge.name && endpoints.iter().any(ready);
        }
        is(object, "", "Endpoints")
            && object.pointer("/metadata/name") == Some(&json!(bridge.name))
            && object["subsets"]
                .as_array()
                .is_some_and(|subsets| subsets.iter().any(|one| of(one, "/addresses")))
    })
}
