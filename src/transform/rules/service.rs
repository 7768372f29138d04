//! Services and their endpoints.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "service.cluster-ip",
        kinds: &["Service"],
        reason: "addresses of Services come from the target's range",
        source: "velero pkg/restore/actions/service_action.go; EKS KubernetesNetworkConfigRequest.serviceIpv4Cidr",
        apply: cluster_ip,
    },
    Rule {
        id: "service.ip-families",
        kinds: &["Service"],
        reason: "the target decides on families by its own ranges",
        source: "kubernetes KEP-563",
        apply: families,
    },
    Rule {
        id: "service.node-ports",
        kinds: &["Service"],
        reason: "the old cluster chose it; in the target it could be taken",
        source: "velero#1950, velero#2308, velero#5373, PR velero#3095",
        apply: node_ports,
    },
    Rule {
        id: "service.health-check-node-port",
        kinds: &["Service"],
        reason: "the old cluster chose it; in the target it could be taken",
        source: "velero#3419, velero#6376",
        apply: health_check_node_port,
    },
    Rule {
        id: "service.unready-endpoints",
        kinds: &["Service"],
        reason: "the annotation became a field and is read no more",
        source: "kubernetes 1.11 deprecation of tolerate-unready-endpoints",
        apply: unready_endpoints,
    },
    Rule {
        id: "service.topology-keys",
        kinds: &["Service"],
        reason: "the field was removed with 1.22",
        source: "kubernetes KEP-2433",
        apply: topology_keys,
    },
    Rule {
        id: "service.external",
        kinds: &["Service"],
        reason: "it names the old cluster's domain",
        source: "kubernetes.io, DNS for Services",
        apply: external,
    },
    Rule {
        id: "endpoints.derived",
        kinds: &["Endpoints", "EndpointSlice.discovery.k8s.io"],
        reason: "a controller derives it from its Service",
        source: "velero pkg/restore; crane-lib whiteout of endpoints",
        apply: derived_endpoints,
    },
];

fn cluster_ip(work: &mut Work<'_>) {
    // What is headless stays so: pods are addressed by name.
    let headless = work.text("/spec/clusterIP") == Some("None");
    if !headless {
        work.remove("/spec/clusterIP");
        work.remove("/spec/clusterIPs");
    }
}

fn families(work: &mut Work<'_>) {
    if !work.context.target.dual_stack {
        work.remove("/spec/ipFamilies");
        work.remove("/spec/ipFamilyPolicy");
    }
}

/// Controllers whose writes are no wish of a user's.
const CONTROLLERS: [&str; 5] = [
    "kube-controller-manager",
    "cloud-controller-manager",
    "aws-cloud-controller-manager",
    "kube-apiserver",
    "controller",
];

/// Whether a user gave a field of a Service: it stands in the last-applied configuration, or a manager that is no
/// controller owns it. (What the server allocates is in neither.)
fn given(work: &Work<'_>, in_applied: impl Fn(&Value) -> bool, field: &str, port: Option<&Value>) -> bool {
    let applied = work
        .original
        .pointer("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration")
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    if applied.as_ref().and_then(|applied| applied.get("spec")).is_some_and(in_applied) {
        return true;
    }
    let managers =
        work.original.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let users = managers.filter(|entry| {
        let name = entry.get("manager").and_then(Value::as_str).unwrap_or_default();
        !CONTROLLERS.contains(&name) && !name.ends_with("-controller")
    });
    let owned = format!("f:{field}");
    users.filter_map(|entry| entry.pointer("/fieldsV1/f:spec")).any(|spec| match port {
        None => spec.get(&owned).is_some(),
        Some(port) => spec.get("f:ports").and_then(Value::as_object).is_some_and(|ports| {
            ports.iter().any(|(key, fields)| is_port(key, port) && fields.get(&owned).is_some())
        }),
    })
}

/// Whether a key of managed fields (`k:{"port":80,"protocol":"TCP"}`) is that of a port.
fn is_port(key: &str, port: &Value) -> bool {
    let Some(key) = key.strip_prefix("k:").and_then(|key| serde_json::from_str::<Value>(key).ok()) else {
        return false;
    };
    let protocol = |value: &Value| value.get("protocol").and_then(Value::as_str).unwrap_or("TCP").to_owned();
    key.get("port") == port.get("port") && protocol(&key) == protocol(port)
}

fn node_ports(work: &mut Work<'_>) {
    for item in work.items("/spec/ports") {
        let pointer = at(&item, "nodePort");
        let (Some(number), Some(port)) = (work.get(&pointer).cloned(), work.get(&item).cloned()) else {
            continue;
        };
        let same = |spec: &Value| {
            let ports = spec.get("ports").and_then(Value::as_array);
            ports.is_some_and(|ports| ports.iter().any(|one| one.get("nodePort") == Some(&number)))
        };
        // Where nothing tells who chose (no record of managers at all), nobody has asked for it: it goes.
        if number == 0 || !(given(work, same, "nodePort", Some(&port)) || was_declared(work)) {
            work.remove(&pointer);
        }
    }
}

/// An object that no server has held is as its author wrote it.
fn was_declared(work: &Work<'_>) -> bool {
    work.original.pointer("/metadata/uid").is_none()
        && work.original.pointer("/metadata/resourceVersion").is_none()
}

fn health_check_node_port(work: &mut Work<'_>) {
    let pointer = "/spec/healthCheckNodePort";
    let Some(number) = work.get(pointer).cloned() else { return };
    let same = |spec: &Value| spec.get("healthCheckNodePort") == Some(&number);
    if number == 0 || !(given(work, same, "healthCheckNodePort", None) || was_declared(work)) {
        work.remove(pointer);
    }
}

fn unready_endpoints(work: &mut Work<'_>) {
    let key = at("/metadata/annotations", "service.alpha.kubernetes.io/tolerate-unready-endpoints");
    if let Some(value) = work.remove(&key)
        && value == "true"
    {
        work.set("/spec/publishNotReadyAddresses", true);
    }
}

fn topology_keys(work: &mut Work<'_>) {
    work.remove("/spec/topologyKeys");
}

fn external(work: &mut Work<'_>) {
    if work.len("/spec/externalIPs") > 0 {
        work.remark(
            Weight::Warning,
            "/spec/externalIPs",
            "these addresses are routed to nodes of the old cluster by somebody: route them to the new ones",
        );
    }
    if work.text("/spec/loadBalancerIP").is_some_and(|ip| !ip.is_empty()) {
        work.remark(Weight::Warning, "/spec/loadBalancerIP", "AWS ignores it, in both clusters");
    }
    let Some(name) = work.text("/spec/externalName").map(String::from) else { return };
    if name.ends_with(".elb.amazonaws.com") {
        work.remark(
            Weight::Warning,
            "/spec/externalName",
            "it names a load balancer, which is another one after the move if the old cluster made it",
        );
    }
    let (old, new) = (&work.context.source.domain, &work.context.target.domain);
    if old != new
        && let Some(rest) = name.strip_suffix(old.as_str()).filter(|rest| rest.ends_with(".svc."))
    {
        let renamed = format!("{rest}{new}");
        work.set("/spec/externalName", renamed);
    }
}

fn derived_endpoints(work: &mut Work<'_>) {
    let slice = work.kind() == "EndpointSlice";
    let service = match slice {
        true => work.text("/metadata/labels/kubernetes.io~1service-name").unwrap_or_default().to_owned(),
        false => work.name().to_owned(),
    };
    let manager = work.text("/metadata/labels/endpointslice.kubernetes.io~1managed-by").unwrap_or_default();
    let mirrored = manager == "endpointslicemirroring-controller.k8s.io";
    if manager == "endpointslice-controller.k8s.io" || work.context.survey.selects(work.namespace(), &service)
    {
        return work.drop(format!("a controller derives it from the selector of Service {service}"));
    }
    if mirrored {
        return work.drop(format!("a controller mirrors the Endpoints {service} in it"));
    }
    if work.annotation("control-plane.alpha.kubernetes.io/leader").is_some() && !slice {
        return work.drop("it is the lock of a leader of the old cluster");
    }
    work.remark(
        Weight::Warning,
        if slice { "/endpoints" } else { "/subsets" },
        "its addresses were written by hand: they have to be reachable from the new nodes, and must not be pods of the old \
         cluster",
    );
}
