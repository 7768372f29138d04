//! What names the old cluster inside texts: addresses of its Services, its own name, API versions that are gone. Texts are
//! the user's: they are named, not edited.

use super::super::address::{addresses, lies_in};
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::served::served_by_minor;
use super::super::tables::VERSIONS;
use super::super::templates::pod_specs;
use super::super::work::Work;
use crate::model::Gvk;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "text.service-address",
        kinds: &[],
        reason: "Services have other addresses in the target",
        source: "EKS KubernetesNetworkConfigRequest.serviceIpv4Cidr",
        apply: service_addresses,
    },
    Rule {
        id: "text.cluster-name",
        kinds: &[],
        reason: "names of the old cluster's endpoints go with it",
        source: "kops docs, api.internal",
        apply: cluster_name,
    },
    Rule {
        id: "text.api-version",
        kinds: &["ConfigMap"],
        reason: "whoever applies it to the target is refused",
        source: "config/transforms/api-versions.yaml",
        apply: api_versions,
    },
];

/// Texts of an object that can name anything: a ConfigMap's, and what containers are given.
fn texts(work: &Work<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut keep = |pointer: String, value: Option<&Value>| {
        // Addresses and names have dots; a manifest need not have one.
        let tells = |text: &&str| text.contains('.') || text.contains("apiVersion");
        if let Some(text) = value.and_then(Value::as_str).filter(tells) {
            found.push((pointer, text.to_owned()));
        }
    };
    if work.kind() == "ConfigMap" {
        for key in work.keys("/data") {
            let pointer = at("/data", &key);
            keep(pointer.clone(), work.get(&pointer));
        }
        return found;
    }
    for spec in pod_specs(&work.object) {
        for list in ["initContainers", "containers"] {
            for container in work.items(&at(&spec, list)) {
                for (field, value) in [("args", ""), ("command", ""), ("env", "/value")] {
                    for item in work.items(&at(&container, field)) {
                        let pointer = format!("{item}{value}");
                        keep(pointer.clone(), work.get(&pointer));
                    }
                }
            }
        }
        for alias in work.items(&at(&spec, "hostAliases")) {
            let pointer = at(&alias, "ip");
            keep(pointer.clone(), work.get(&pointer));
        }
    }
    found
}

fn service_addresses(work: &mut Work<'_>) {
    let range = work.context.source.service_range.clone();
    if range.is_none() && work.context.survey.is_empty() {
        return;
    }
    for (pointer, text) in texts(work) {
        for address in addresses(&text) {
            let service = work.context.survey.service_of(address).map(ToString::to_string);
            let ranged =
                || range.as_deref().is_some_and(|range| address.parse().is_ok_and(|ip| lies_in(ip, range)));
            let says = match service {
                Some(service) => {
                    format!("{address} is the address of {service} in the old cluster: name it instead")
                }
                None if ranged() => format!("{address} is of the old cluster's range of Services"),
                None => continue,
            };
            work.remark(Weight::Warning, &pointer, says);
        }
    }
}

fn cluster_name(work: &mut Work<'_>) {
    let name = work.context.source.name.clone();
    // A name without dots is a word that can mean anything.
    if !name.contains('.') {
        return;
    }
    for (pointer, text) in texts(work) {
        if text.contains(&name) {
            let says = format!("it names the old cluster, {name}: what lies below that name goes with it");
            work.remark(Weight::Warning, &pointer, says);
        }
    }
}

fn api_versions(work: &mut Work<'_>) {
    let minor = work.context.target.minor;
    for (pointer, text) in texts(work) {
        if !text.contains("apiVersion") {
            continue;
        }
        let mut named: Vec<&str> = text.lines().filter_map(api_version).collect();
        named.sort_unstable();
        named.dedup();
        for version in named {
            let rows: Vec<_> = VERSIONS.iter().filter(|row| row.from == version).collect();
            // A version that some of its kinds still have is told only for those that do not.
            let gone: Vec<&str> = rows
                .iter()
                .flat_map(|row| &row.kinds)
                .filter(|kind| text.contains(kind.as_str()))
                .filter(|kind| served_by_minor(&Gvk::from_api_version(version, kind), minor) == Some(false))
                .map(String::as_str)
                .collect();
            if !gone.is_empty() {
                let says = format!("the target does not serve {version} of {}", gone.join(", "));
                work.remark(Weight::Warning, &pointer, says);
            }
        }
    }
}

/// The value of `apiVersion:` in a line of YAML or JSON.
fn api_version(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("apiVersion")?;
    let rest = rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':')?;
    let value = rest.trim_start().trim_start_matches(['"', '\'']);
    let end = value
        .find(|c: char| c.is_whitespace() || ['"', '\'', ',', '}', '#'].contains(&c))
        .unwrap_or(value.len());
    Some(&value[..end]).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_out_of_texts() {
        assert_eq!(api_version("apiVersion: apps/v1beta1 # old"), Some("apps/v1beta1"));
        assert_eq!(api_version(r#"{"apiVersion":"batch/v1beta1","kind":"CronJob"}"#), Some("batch/v1beta1"));
        assert_eq!(api_version("the apiVersion of it"), None);
    }
}
