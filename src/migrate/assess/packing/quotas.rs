//! What ResourceQuotas of the target would refuse of the pods that run (kubernetes `pkg/quota/v1/evaluator/core/pods.go`).
//!
//! Pods that run on the source may be more than a quota allows: one that was lowered later leaves those be that are there,
//! and a DaemonSet has as many pods as there are nodes. The target makes every pod anew, and refuses those.

use super::requirements::{Which, amount, containers, of_container, of_pod, shown, total};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The values of a scope that has none.
static NOTHING: Value = Value::Null;

/// Something that the target's API server would refuse, and the smallest change with which it would not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// What refuses it: `ResourceQuota shop/compute`, `LimitRange shop/limits`.
    pub by: String,
    /// Why, in words.
    pub says: String,
    /// The change, in words.
    pub change: String,
}

/// A pod, or as many alike as a DaemonSet has on the planned nodes.
pub(super) struct Many<'a> {
    /// How it is named to people.
    pub name: String,
    pub namespace: &'a str,
    /// Filled in by LimitRanges.
    pub spec: Cow<'a, Value>,
    pub count: u32,
}

/// Everything that quotas refuse.
pub(super) fn refused(quotas: &[Value], pods: &[Many<'_>]) -> Vec<Refused> {
    let mut by_namespace: BTreeMap<&str, Vec<&Many<'_>>> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| pod.count > 0) {
        by_namespace.entry(pod.namespace).or_default().push(pod);
    }
    let mut refused = Vec::new();
    for quota in quotas {
        let text = |field: &str| quota["metadata"][field].as_str().unwrap_or_default();
        let namespace = if text("namespace").is_empty() { "default" } else { text("namespace") };
        let all = by_namespace.get(namespace).map_or(&[][..], Vec::as_slice);
        let counted: Vec<&Many<'_>> = all.iter().copied().filter(|pod| counts(quota, pod)).collect();
        let by = format!("ResourceQuota {namespace}/{}", text("name"));
        for (resource, hard) in quota["spec"]["hard"].as_object().into_iter().flatten() {
            let Some(hard) = amount(hard) else { continue };
            refused.extend(of_resource(resource, hard, &counted).into_iter().map(|(says, change)| Refused {
                by: by.clone(),
                says,
                change,
            }));
        }
    }
    refused
}

fn of_resource(resource: &str, hard: i128, pods: &[&Many<'_>]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Some((which, name)) = demanded(resource) {
        let silent = |container: &&Value| of_container(container, which, name).is_none();
        let mut missing =
            pods.iter().filter(|pod| of_pod(&pod.spec, which, name).is_none()).filter_map(|pod| {
                let container = containers(&pod.spec).find(silent)?;
                Some((pod, container["name"].as_str().unwrap_or_default()))
            });
        if let Some((pod, container)) = missing.next() {
            let more = missing.count();
            let others = if more > 0 { format!(", and {more} others too") } else { String::new() };
            let field = which.field();
            found.push((
                format!(
                    "it counts {resource}, so every container needs {field} of {name}: container {container} of {} has \
                     none{others}",
                    pod.name
                ),
                format!("give it {field} of {name}, or its namespace a LimitRange with a default"),
            ));
        }
    }
    let Some(needed) = pods.iter().try_fold(0_i128, |sum, pod| {
        let own = usage(&pod.spec, resource)?;
        Some(sum.saturating_add(own.saturating_mul(i128::from(pod.count))))
    }) else {
        return found;
    };
    if needed > hard {
        let (needed, hard) = (shown(resource, needed), shown(resource, hard));
        found.push((
            format!("it allows {hard} of {resource}, and what runs comes to {needed}"),
            format!("raise {resource} to {needed}, or run less"),
        ));
    }
    found
}

/// What of every container a quota of a resource asks for, whatever there is of it.
fn demanded(resource: &str) -> Option<(Which, &str)> {
    match resource {
        "cpu" | "memory" => Some((Which::Requests, resource)),
        "requests.cpu" | "requests.memory" => Some((Which::Requests, &resource["requests.".len()..])),
        "limits.cpu" | "limits.memory" => Some((Which::Limits, &resource["limits.".len()..])),
        _ => None,
    }
}

/// What a pod takes of a quota's resource, in billionths; none where the resource is no pod's.
fn usage(spec: &Value, resource: &str) -> Option<i128> {
    let of = |which, name: &str| Some(total(spec, which, name).unwrap_or(0));
    match resource {
        "pods" | "count/pods" => Some(1_000_000_000),
        "cpu" | "memory" | "ephemeral-storage" => of(Which::Requests, resource),
        // Of claims.
        "requests.storage" => None,
        _ if resource.starts_with("hugepages-") => of(Which::Requests, resource),
        _ => match (resource.strip_prefix("requests."), resource.strip_prefix("limits.")) {
            (Some(name), _) => of(Which::Requests, name),
            (None, Some(name)) => of(Which::Limits, name),
            (None, None) => None,
        },
    }
}

/// Whether a quota counts a pod: all of its scopes mean it.
fn counts(quota: &Value, pod: &Many<'_>) -> bool {
    let scopes = quota["spec"]["scopes"].as_array().into_iter().flatten();
    let plain = scopes.map(|scope| (scope.as_str().unwrap_or_default(), "Exists", &NOTHING));
    let selector = quota["spec"]["scopeSelector"]["matchExpressions"].as_array().into_iter().flatten();
    let selected = selector.map(|one| {
        let text = |field: &str| one[field].as_str().unwrap_or_default();
        (text("scopeName"), text("operator"), &one["values"])
    });
    plain.chain(selected).all(|(scope, operator, values)| means(scope, operator, values, &pod.spec))
}

fn means(scope: &str, operator: &str, values: &Value, spec: &Value) -> bool {
    let terminating = spec["activeDeadlineSeconds"].as_i64().is_some_and(|seconds| seconds >= 0);
    match scope {
        "Terminating" => terminating,
        "NotTerminating" => !terminating,
        "BestEffort" => is_best_effort(spec),
        "NotBestEffort" => !is_best_effort(spec),
        "CrossNamespacePodAffinity" => crosses_namespaces(spec),
        "PriorityClass" => {
            let class = spec["priorityClassName"].as_str().filter(|name| !name.is_empty());
            let named = || {
                let mut values = values.as_array().into_iter().flatten();
                class.is_some_and(|class| values.any(|value| value == class))
            };
            match operator {
                "In" => named(),
                "NotIn" => !named(),
                "DoesNotExist" => class.is_none(),
                _ => class.is_some(),
            }
        }
        // One that is not known here counts nothing that could be told of.
        _ => false,
    }
}

/// Neither asks any container for CPU or memory, nor is it limited (kubernetes `GetPodQOS`).
fn is_best_effort(spec: &Value) -> bool {
    ["cpu", "memory"].into_iter().all(|name| {
        let some = |amount: Option<i128>| amount.is_some_and(|amount| amount > 0);
        !some(of_pod(spec, Which::Requests, name))
            && !some(of_pod(spec, Which::Limits, name))
            && !containers(spec).any(|container| some(of_container(container, Which::Requests, name)))
    })
}

/// Whether a term of its affinity names other namespaces (KEP-2249).
fn crosses_namespaces(spec: &Value) -> bool {
    let of = |kind: &str| {
        let affinity = &spec["affinity"][kind];
        let required = affinity["requiredDuringSchedulingIgnoredDuringExecution"].as_array();
        let preferred = affinity["preferredDuringSchedulingIgnoredDuringExecution"].as_array();
        let preferred = preferred.into_iter().flatten().map(|weighted| &weighted["podAffinityTerm"]);
        required.into_iter().flatten().chain(preferred).any(|term| {
            term["namespaces"].as_array().is_some_and(|names| !names.is_empty())
                || !term["namespaceSelector"].is_null()
        })
    };
    of("podAffinity") || of("podAntiAffinity")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn quota(spec: Value) -> Value {
        json!({"metadata": {"name": "q", "namespace": "shop"}, "spec": spec})
    }

    fn pod(resources: Value, count: u32) -> Many<'static> {
        let spec = json!({"containers": [{"name": "a", "resources": resources}]});
        Many { name: "Pod shop/web".into(), namespace: "shop", spec: Cow::Owned(spec), count }
    }

    fn told(spec: Value, pods: &[Many<'_>]) -> Vec<String> {
        let refused = refused(&[quota(spec)], pods).into_iter();
        refused.map(|one| format!("{}: {}; {}", one.by, one.says, one.change)).collect()
    }

    #[test]
    fn what_is_more_than_allowed_is_told_with_what_would_do() {
        let asks = |cpu: &str| {
            json!({"requests": {"cpu": cpu, "memory": "1Gi", "example.com/fpga": "1"}, "limits":
            {"memory": "1Gi"}})
        };
        let pods = [pod(asks("500m"), 4), pod(asks("501m"), 1)];
        let hard = |name: &str, value: &str| json!({"hard": {name: value}});
        for (name, enough, needed) in [
            ("requests.cpu", "3", "2501m"),
            ("cpu", "2501m", "2501m"),
            ("limits.memory", "5Gi", "5Gi"),
            ("pods", "5", "5"),
            ("count/pods", "5", "5"),
            ("requests.example.com/fpga", "5", "5"),
        ] {
            assert_eq!(told(hard(name, enough), &pods), [""; 0], "{name}");
            let found = told(hard(name, "1"), &pods);
            assert!(
                found.len() == 1 && found[0].contains(&format!("raise {name} to {needed},")),
                "{found:?}"
            );
        }
        for other in [
            "requests.storage",
            "services",
            "count/deployments.apps",
            "gp3.storageclass.storage.k8s.io/requests.storage",
        ] {
            assert_eq!(told(hard(other, "0"), &pods), [""; 0], "{other} is no pod's");
        }
        let elsewhere = Many { namespace: "other", ..pod(json!({}), 9) };
        assert_eq!(told(hard("pods", "0"), &[elsewhere, pod(json!({}), 0)]), [""; 0]);
    }

    #[test]
    fn what_is_counted_has_to_be_said() {
        let spec = json!({"hard": {"limits.cpu": "10", "requests.ephemeral-storage": "1Gi"}});
        let found = told(spec.clone(), &[pod(json!({"requests": {"cpu": "1"}}), 2)]);
        assert!(found.len() == 1 && found[0].contains("container a of Pod shop/web has none"), "{found:?}");
        assert_eq!(told(spec, &[pod(json!({"limits": {"cpu": "1"}}), 2)]), [""; 0]);
        let requests = json!({"hard": {"requests.cpu": "10"}});
        assert_eq!(
            told(requests, &[pod(json!({"limits": {"cpu": "1"}}), 2)]),
            [""; 0],
            "a limit is a request"
        );
    }

    #[test]
    fn scopes_say_which_pods_count() {
        let class = |operator: &str, values: Value| {
            json!({"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions":
            [{"scopeName": "PriorityClass", "operator": operator, "values": values}]}})
        };
        let scope = |name: &str| json!({"hard": {"pods": "0"}, "scopes": [name]});
        let with = |field: &str, value: Value| {
            let mut pod = pod(json!({}), 1);
            pod.spec.to_mut()[field] = value;
            pod
        };
        let high = || with("priorityClassName", json!("high"));
        let near = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            [{"topologyKey": "x", "namespaces": ["other"]}]}});
        for (spec, pod, counts) in [
            (scope("Terminating"), with("activeDeadlineSeconds", json!(9)), true),
            (scope("Terminating"), pod(json!({}), 1), false),
            (scope("NotTerminating"), pod(json!({}), 1), true),
            (scope("BestEffort"), pod(json!({}), 1), true),
            (scope("BestEffort"), pod(json!({"limits": {"cpu": "1"}}), 1), false),
            (scope("NotBestEffort"), pod(json!({"requests": {"memory": "1"}}), 1), true),
            (class("In", json!(["high"])), high(), true),
            (class("In", json!(["low"])), high(), false),
            (class("NotIn", json!(["low"])), high(), true),
            (class("Exists", json!(null)), pod(json!({}), 1), false),
            (class("DoesNotExist", json!(null)), pod(json!({}), 1), true),
            (scope("CrossNamespacePodAffinity"), with("affinity", near), true),
            (scope("CrossNamespacePodAffinity"), pod(json!({}), 1), false),
        ] {
            assert_eq!(told(spec.clone(), &[pod]).len(), usize::from(counts), "{spec}");
        }
    }
}
