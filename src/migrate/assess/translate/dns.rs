//! CoreDNS: what the spec changes of it, as the add-on's settings.

use super::Context;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Settings of the add-on `coredns`; empty where the spec changes nothing.
pub(in super::super) fn settings(context: &Context<'_>) -> Map<String, Value> {
    let mut settings = Map::new();
    let dns = context.cluster().at("kubeDNS");
    if let Some(replicas) = dns["replicas"].as_u64() {
        settings.insert("replicaCount".into(), json!(replicas));
    }
    for (theirs, ours) in [("tolerations", "tolerations"), ("affinity", "affinity")] {
        match &dns[theirs] {
            Value::Null => {}
            value => {
                settings.insert(ours.into(), value.clone());
            }
        }
    }
    if let Some(corefile) = corefile(dns) {
        settings.insert("corefile".into(), json!(corefile));
    }
    settings
}

/// A Corefile of the spec's own, or EKS's with the stub domains and upstream servers of the spec.
fn corefile(dns: &Value) -> Option<String> {
    if let Some(own) = dns["externalCoreFile"].as_str().filter(|text| !text.trim().is_empty()) {
        return Some(own.to_owned());
    }
    let servers = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let upstream = servers(&dns["upstreamNameservers"]);
    let stubs: Vec<(&String, Vec<String>)> = dns["stubDomains"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(domain, addresses)| (domain, servers(addresses)))
        .filter(|(_, addresses)| !addresses.is_empty())
        .collect();
    if upstream.is_empty() && stubs.is_empty() {
        return None;
    }
    let forward = if upstream.is_empty() { "/etc/resolv.conf".to_owned() } else { upstream.join(" ") };
    let mut text = format!(
        ".:53 {{\n    errors\n    health {{\n        lameduck 5s\n    }}\n    ready\n    kubernetes cluster.local in-addr.arpa \
         ip6.arpa {{\n        pods insecure\n        fallthrough in-addr.arpa ip6.arpa\n    }}\n    prometheus :9153\n    \
         forward . {forward}\n    cache 30\n    loop\n    reload\n    loadbalance\n}}\n"
    );
    for (domain, addresses) in stubs {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "{domain}:53 {{\n    errors\n    cache 30\n    forward . {}\n}}\n",
            addresses.join(" ")
        );
    }
    Some(text)
}
