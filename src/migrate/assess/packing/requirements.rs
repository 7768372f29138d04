//! What a pod asks for, as the scheduler and the quotas count it: all containers together with sidecars, or the largest
//! init container, and the pod's overhead (KEP-753, KEP-688; kubernetes `component-helpers/resource`, `PodRequests` and
//! `PodLimits`). What a pod says for all of its containers counts in their place (KEP-2837).

use crate::model::quantity::nanos;
use serde_json::Value;
use std::collections::BTreeSet;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Requests,
    Limits,
}

impl Which {
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// Billionths of a quantity in JSON; nothing for what is none.
pub(super) fn amount(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => nanos(text),
        Value::Number(number) => nanos(&number.to_string()),
        _ => None,
    }
}

/// Containers of a pod, those that begin it too.
pub(super) fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers"].into_iter().filter_map(move |field| spec[field].as_array()).flatten()
}

/// What one container says of a resource, in billionths. A limit without a request is a request (kubernetes
/// `SetDefaults_Pod`).
pub(super) fn of_container(container: &Value, which: Which, name: &str) -> Option<i128> {
    let resources = &container["resources"];
    let own = |which: Which| amount(&resources[which.field()][name]);
    match which {
        Which::Limits => own(Which::Limits),
        Which::Requests => own(Which::Requests).or_else(|| own(Which::Limits)),
    }
}

/// What a pod says of a resource for all of its containers.
pub(super) fn of_pod(spec: &Value, which: Which, name: &str) -> Option<i128> {
    amount(&spec["resources"][which.field()][name])
}

/// What a pod comes to, in billionths; nothing where neither it nor a container says anything.
pub(super) fn total(spec: &Value, which: Which, name: &str) -> Option<i128> {
    let overhead = || amount(&spec["overhead"][name]);
    if let Some(whole) = of_pod(spec, which, name) {
        return Some(whole.saturating_add(overhead().unwrap_or(0)));
    }
    let mut said = false;
    let mut of = |container: &Value| {
        let own = of_container(container, which, name);
        said |= own.is_some();
        own.unwrap_or(0).max(0)
    };
    let list = |field: &str| spec[field].as_array().map_or(&[][..], Vec::as_slice);
    let (mut sidecars, mut largest) = (0_i128, 0_i128);
    for init in list("initContainers") {
        let own = of(init);
        if init["restartPolicy"] == "Always" {
            sidecars = sidecars.saturating_add(own);
            largest = largest.max(sidecars);
        } else {
            largest = largest.max(sidecars.saturating_add(own));
        }
    }
    let running = list("containers").iter().map(of).fold(sidecars, i128::saturating_add);
    let all = running.max(largest);
    match (which, said) {
        // Of limits the overhead counts only beside one.
        (Which::Limits, true) if all > 0 => Some(all.saturating_add(overhead().unwrap_or(0))),
        (Which::Limits, said) => said.then_some(all),
        (Which::Requests, true) => Some(all.saturating_add(overhead().unwrap_or(0))),
        // A pod's own limit stands for what neither it nor its containers ask for.
        (Which::Requests, false) => of_pod(spec, Which::Limits, name).or_else(overhead),
    }
}

/// Names of everything that containers ask for or are limited by.
pub(super) fn names(spec: &Value) -> BTreeSet<&str> {
    let all = containers(spec).flat_map(|container| {
        [Which::Requests, Which::Limits]
            .into_iter()
            .filter_map(move |which| container["resources"][which.field()].as_object())
            .flatten()
    });
    all.map(|(name, _)| name.as_str()).collect()
}

/// A quantity of a resource as people write it, rounded up: `2500m`, `3`, `512Mi`.
pub(super) fn shown(name: &str, nanos: i128) -> String {
    const ONE: i128 = 1_000_000_000;
    if nanos % ONE != 0 && name.ends_with("cpu") {
        return format!("{}m", up(nanos, ONE / 1000));
    }
    let whole = up(nanos, ONE);
    let binary = ["memory", "storage"].iter().any(|end| name.ends_with(end)) || name.contains("hugepages-");
    let units = [("Gi", 1_i128 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    match units.into_iter().find(|(_, unit)| binary && whole != 0 && whole % unit == 0) {
        Some((suffix, unit)) => format!("{}{suffix}", whole / unit),
        None => whole.to_string(),
    }
}

fn up(nanos: i128, unit: i128) -> i128 {
    nanos / unit + i128::from(nanos % unit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_comes_to_what_runs_at_once() {
        let cpu = |text: &str| json!({"resources": {"requests": {"cpu": text}, "limits": {"cpu": "2"}}});
        let mut sidecar = cpu("100m");
        sidecar["restartPolicy"] = json!("Always");
        let mut spec = json!({"initContainers": [sidecar, cpu("900m")], "containers": [cpu("250m"), cpu("250m")],
            "overhead": {"cpu": "10m"}});
        let milli = |spec: &Value, which| total(spec, which, "cpu").map(|nanos| nanos / 1_000_000);
        assert_eq!(milli(&spec, Which::Requests), Some(1010), "the largest beginning beside the sidecar");
        assert_eq!(milli(&spec, Which::Limits), Some(6010));
        spec["resources"] = json!({"requests": {"cpu": "3"}});
        assert_eq!(milli(&spec, Which::Requests), Some(3010), "what the pod says counts");
        assert_eq!(total(&spec, Which::Requests, "memory"), None);
        let limited = json!({"containers": [{"resources": {"limits": {"memory": "1Ki"}}}]});
        assert_eq!(total(&limited, Which::Requests, "memory"), Some(1024 * 1_000_000_000));
    }

    #[test]
    fn quantities_are_written_as_people_write_them() {
        for (name, text, expected) in [
            ("requests.cpu", "2500m", "2500m"),
            ("cpu", "2000m", "2"),
            ("limits.memory", "1024Mi", "1Gi"),
            ("memory", "1000", "1000"),
            ("requests.memory", "1500m", "2"),
            ("pods", "3", "3"),
        ] {
            assert_eq!(shown(name, nanos(text).unwrap()), expected, "{name} {text}");
        }
    }
}
