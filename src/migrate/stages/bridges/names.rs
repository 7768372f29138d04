//! Names that bridges lead to. An EndpointSlice holds addresses, and a load balancer of AWS is known by a name whose addresses
//! change when it scales or heals (Elastic Load Balancing user guide, "DNS name"): names are looked up in every pass, and
//! the slices follow.

use super::{Bridge, find};
use crate::migrate::stages::look::Known;
use crate::model::migration::Side;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Addresses by name; the error is a sentence for a person.
pub type Addresses = BTreeMap<String, Result<BTreeSet<IpAddr>, String>>;

/// How annotations of a Service begin that say how its load balancer is.
const BALANCER: &str = "service.beta.kubernetes.io/aws-load-balancer-";

/// Names that have to be looked up for the bridges that are due.
#[must_use]
pub fn names(known: &Known<'_>) -> BTreeSet<String> {
    let hosts = |bridge: &Bridge| {
        let far = match bridge.far() {
            Side::Source => Some(known.look.source),
            Side::Target => known.look.target,
        };
        let given = bridge.end().map(|end| end.addresses.iter().cloned().collect());
        given.unwrap_or_else(|| {
            let of = (bridge.namespace.as_str(), bridge.name.as_str());
            far.and_then(|far| find(far, "Service", of)).map(balancer).unwrap_or_default()
        })
    };
    let all: BTreeSet<String> = known.bridges.iter().flat_map(hosts).collect();
    all.into_iter().filter(|host| host.parse::<IpAddr>().is_err()).collect()
}

/// Hosts of the load balancer of a Service, where whoever is let in speaks to the pods as callers within the cluster do: it
/// is internal, ends no TLS, and lets in more than some ranges. Empty: there is none such.
pub(super) fn balancer(service: &Value) -> BTreeSet<String> {
    let spec = &service["spec"];
    let said = |what: &str| {
        let annotations = service.pointer("/metadata/annotations")?;
        annotations.get(format!("{BALANCER}{what}"))?.as_str()
    };
    let by_controller = spec["loadBalancerClass"] == "service.k8s.aws/nlb"
        || matches!(said("type"), Some("external" | "nlb-ip"));
    // Without a word the in-tree provider makes public load balancers, and the controller internal ones.
    let internal = match (said("scheme"), said("internal")) {
        (Some(scheme), _) => scheme == "internal",
        (None, Some(text)) => !matches!(text, "" | "false"),
        (None, None) => by_controller,
    };
    let ranges = |value: &Value| value.as_array().is_some_and(|ranges| !ranges.is_empty());
    let plain = said("ssl-cert").is_none() && !ranges(&spec["loadBalancerSourceRanges"]);
    if spec["type"] != "LoadBalancer" || !internal || !plain {
        return BTreeSet::new();
    }
    let all = service.pointer("/status/loadBalancer/ingress").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|one| one["hostname"].as_str().or_else(|| one["ip"].as_str())).map(str::to_owned).collect()
}

/// What some hosts lead to.
///
/// # Errors
/// One of them that leads nowhere, in words: a bridge to a part of them would be taken for a bridge to all.
pub(super) fn addresses<'h>(
    known: &Known<'_>,
    hosts: impl IntoIterator<Item = &'h String>,
) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for host in hosts {
        if let Ok(address) = host.parse::<IpAddr>() {
            found.insert(address.to_string());
            continue;
        }
        match known.look.names.get(host) {
            Some(Ok(addresses)) => found.extend(addresses.iter().map(IpAddr::to_string)),
            Some(Err(words)) => return Err(words.clone()),
            None => return Err(format!("{host} was not looked up")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn service(annotations: Value, more: Value) -> Value {
        let mut spec = json!({"type": "LoadBalancer"});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"metadata": {"annotations": annotations}, "spec": spec,
            "status": {"loadBalancer": {"ingress": [{"hostname": "internal-a.elb.example.com"}]}}})
    }

    #[test]
    fn a_load_balancer_leads_across_where_it_is_internal_and_changes_nothing_of_what_is_said() {
        let there = |annotations: Value, more: Value| !balancer(&service(annotations, more)).is_empty();
        let key = |what: &str| format!("{BALANCER}{what}");
        assert!(there(json!({key("internal"): "true"}), json!({})));
        assert!(there(json!({key("internal"): "0.0.0.0/0"}), json!({})), "its oldest spelling");
        assert!(there(json!({key("scheme"): "internal", key("type"): "external"}), json!({})));
        assert!(there(json!({}), json!({"loadBalancerClass": "service.k8s.aws/nlb"})), "internal by default");
        assert!(!there(json!({}), json!({})), "public by default");
        assert!(!there(json!({key("internal"): "false"}), json!({})));
        assert!(!there(json!({key("scheme"): "internet-facing", key("internal"): "true"}), json!({})));
        assert!(!there(json!({key("internal"): "true", key("ssl-cert"): "arn:aws:acm:::a"}), json!({})));
        assert!(!there(
            json!({key("internal"): "true"}),
            json!({"loadBalancerSourceRanges": ["10.0.0.0/8"]})
        ));
        assert!(!there(json!({key("internal"): "true"}), json!({"type": "ClusterIP"})));
    }
}
