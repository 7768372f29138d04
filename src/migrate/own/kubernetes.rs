//! What Kubernetes itself makes in every cluster (`migration.md` 2.3).

use super::Whose;
use super::facts::{Fact, Facts};
use super::finding::{Finding, Rule, rule};
use crate::model::{Object, ResourceId};
use serde_json::Value;

const SOURCE: &str = "migration.md 2.3; Velero's and crane's lists of what is not restored";
const KIND: Rule = rule("own.kubernetes.kind", SOURCE);
const BUILT_IN: Rule = rule("own.kubernetes.built-in", SOURCE);
const LOCK: Rule = rule("own.kubernetes.lock", "client-go resourcelock: the leader's annotation");
const TOKEN: Rule = rule("own.kubernetes.token", "migration.md 3.2: Secrets of service accounts");
const MERGE: Rule = rule("own.kubernetes.merge", "migration.md 3.2: ServiceAccount, Namespace");
const MANUAL: Rule = rule("own.user.manual-endpoints", "migration.md 3.2: Endpoints without a selector");

/// Accounts that kube-controller-manager makes for itself in `kube-system` (`--use-service-account-credentials`): one for
/// each controller, of any release since 1.10 (kubernetes `cmd/kube-controller-manager/names`).
const CONTROLLERS: &[&str] = &[
    "attachdetach-controller",
    "bootstrap-signer",
    "certificate-controller",
    "cloud-provider",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "device-taint-eviction-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "route-controller",
    "selinux-warning-controller",
    "service-account-controller",
    "service-cidrs-controller",
    "service-controller",
    "shared-informers",
    "statefulset-controller",
    "storage-version-garbage-collector",
    "storage-version-migrator-controller",
    "taint-eviction-controller",
    "token-cleaner",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
];

/// Kinds that hold the state of one cluster, with the reason. A star stands for every kind of the group.
const KINDS: &[(&str, &str, &str)] = &[
    ("", "Binding", "it is a call, not an object"),
    ("", "ComponentStatus", "it reports on the old control plane"),
    ("", "Event", "it tells what happened in the old cluster"),
    ("", "Node", "nodes of the new cluster join by themselves"),
    ("apps", "ControllerRevision", "its controller keeps the history of the new object"),
    ("authentication.k8s.io", "*", "it is a call, not an object"),
    ("authorization.k8s.io", "*", "it is a call, not an object"),
    (
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "it was signed, or refused, by the old cluster's authority",
    ),
    ("coordination.k8s.io", "Lease", "who holds it runs in the old cluster"),
    ("coordination.k8s.io", "LeaseCandidate", "who stands for it runs in the old cluster"),
    ("internal.apiserver.k8s.io", "*", "it is the API server's own record"),
    ("metrics.k8s.io", "*", "it is a measurement"),
    ("networking.k8s.io", "IPAddress", "addresses of Services are given anew"),
    ("resource.k8s.io", "ResourceSlice", "drivers publish the new nodes' devices"),
    ("storage.k8s.io", "CSINode", "drivers publish the new nodes"),
    ("storage.k8s.io", "CSIStorageCapacity", "drivers publish it anew"),
    ("storage.k8s.io", "VolumeAttachment", "it attaches a volume to an old node"),
];

/// Groups whose objects steer a tool on the old cluster.
const TOOLS: &[(&str, &str)] = &[
    ("kops", "kops describes the old cluster with it"),
    ("kops.k8s.io", "kops describes the old cluster with it"),
    ("velero.io", "Velero reads its backups anew from its bucket"),
];

/// ConfigMaps that Kubernetes or its installer writes: namespace (a star: every one), name (may end in a star), reason.
const CONFIG_MAPS: &[(&str, &str, &str)] = &[
    ("*", "kube-root-ca.crt", "every namespace gets the new cluster's authority"),
    ("*", "istio-ca-root-cert", "the mesh's own controller writes it into every namespace"),
    ("kube-public", "cluster-info", "it describes the old cluster"),
    ("kube-system", "aws-auth", "access entries take its place, and EKS keeps the one of the new cluster"),
    ("kube-system", "cluster-info", "it describes the old cluster"),
    ("kube-system", "extension-apiserver-authentication", "the API server writes it"),
    ("kube-system", "kube-apiserver-legacy-service-account-token-tracking", "the API server writes it"),
    ("kube-system", "kubelet-config*", "it configures kubelets of the old cluster"),
];

const SLICE_CONTROLLERS: [&str; 2] =
    ["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"];

/// Kinds that are never carried over.
pub(super) fn kind(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let key = &facts.objects[at].key;
    let matches =
        |(group, kind, _): &&(&str, &str, &str)| *group == key.group && (*kind == "*" || *kind == key.kind);
    if let Some((_, _, why)) = KINDS.iter().find(matches) {
        return Some(Finding::drop(KIND, Whose::Kubernetes, *why));
    }
    let (group, why) = TOOLS.iter().find(|(group, _)| *group == key.group)?;
    let whose = if group.starts_with("kops") { Whose::Kops { addon: None } } else { Whose::User };
    Some(Finding::drop(KIND, whose, *why))
}

/// Single objects that every cluster has, and what Kubernetes derives from others without naming an owner.
pub(super) fn object(facts: &Facts<'_>, at: usize) -> Option<Finding> {
    let fact = &facts.objects[at];
    let built_in = |why: &str| Some(Finding::drop(BUILT_IN, Whose::Kubernetes, why));
    let (namespace, name) = (fact.namespace(), fact.name());
    match (fact.key.group.as_str(), fact.key.kind.as_str()) {
        ("", "Namespace") if matches!(name, "kube-system" | "kube-public" | "kube-node-lease") => {
            built_in("every cluster has it; users' objects in it are listed")
        }
        ("", "Namespace") if name == "default" => merged(fact, "every cluster has it"),
        ("", "ServiceAccount") if name == "default" => merged(fact, "every namespace gets one"),
        ("", "ServiceAccount") if namespace == "kube-system" && CONTROLLERS.contains(&name) => {
            built_in("the controller manager makes one for each of its controllers")
        }
        ("", "Service") if (namespace, name) == ("default", "kubernetes") => {
            built_in("it is the API server's own Service")
        }
        ("", "Endpoints") => endpoints(facts, fact),
        ("discovery.k8s.io", "EndpointSlice") => slice(fact),
        ("", "ConfigMap") => config_map(fact).or_else(|| lock(fact)),
        ("", "Secret") => secret(facts, fact),
        ("rbac.authorization.k8s.io", _)
            if fact.object.label("kubernetes.io/bootstrapping") == Some("rbac-defaults") =>
        {
            built_in("the API server makes it when it starts")
        }
        ("apiregistration.k8s.io", "APIService")
            if fact.object.label("kube-aggregator.kubernetes.io/automanaged").is_some() =>
        {
            built_in("the API server makes it for what it serves")
        }
        ("scheduling.k8s.io", "PriorityClass")
            if matches!(name, "system-cluster-critical" | "system-node-critical") =>
        {
            built_in("every cluster has it")
        }
        ("flowcontrol.apiserver.k8s.io", _)
            if fact.object.annotation("apf.kubernetes.io/autoupdate-spec") == Some("true") =>
        {
            built_in("the API server makes it and keeps it")
        }
        ("networking.k8s.io", "ServiceCIDR") if name == "kubernetes" => {
            built_in("it is the old cluster's range of Service addresses")
        }
        _ => None,
    }
}

/// What exists in the new cluster as well, and carries what users added.
fn merged(fact: &Fact<'_>, why: &str) -> Option<Finding> {
    let body = fact.object.body();
    let own = |pointer: &str, lawful: &[&str]| {
        let entries = body.pointer(pointer).and_then(Value::as_object);
        entries.is_some_and(|entries| {
            entries.keys().any(|key| !lawful.contains(&key.as_str()) && !key.starts_with("addons.k8s.io/"))
        })
    };
    let pulls = body.get("imagePullSecrets").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let added = own("/metadata/labels", &["kubernetes.io/metadata.name"])
        || own("/metadata/annotations", &["kubectl.kubernetes.io/last-applied-configuration"])
        || pulls;
    Some(if added {
        Finding::port(MERGE).says(format!("{why}: what users added to it is merged into the new one"))
    } else {
        Finding::drop(BUILT_IN, Whose::Kubernetes, why)
    })
}

fn endpoints(facts: &Facts<'_>, fact: &Fact<'_>) -> Option<Finding> {
    if (fact.namespace(), fact.name()) == ("default", "kubernetes") {
        return Some(Finding::drop(BUILT_IN, Whose::Kubernetes, "it holds the old API server's addresses"));
    }
    if let Some(lock) = lock(fact) {
        return Some(lock);
    }
    let service = ResourceId::new("", "Service", fact.namespace(), fact.name());
    let selects = |service: &Object| {
        service.body().pointer("/spec/selector").and_then(Value::as_object).is_some_and(|all| !all.is_empty())
    };
    match facts.find(&service).map(|at| facts.objects[at].object) {
        Some(object) if selects(object) => Some(
            Finding::drop(BUILT_IN, Whose::Kubernetes, "Kubernetes makes it from the Service's selector")
                .maker(service),
        ),
        _ => Some(
            Finding::port(MANUAL)
                .says("its addresses were written by hand: are they reachable from the new cluster?"),
        ),
    }
}

fn slice(fact: &Fact<'_>) -> Option<Finding> {
    let service = fact.object.label("kubernetes.io/service-name").unwrap_or_default();
    let by = fact.object.label("endpointslice.kubernetes.io/managed-by");
    if by.is_some_and(|by| SLICE_CONTROLLERS.contains(&by))
        || (fact.namespace(), service) == ("default", "kubernetes")
    {
        let finding = Finding::drop(BUILT_IN, Whose::Kubernetes, "Kubernetes makes it from a Service");
        let maker = ResourceId::new("", "Service", fact.namespace(), service);
        return Some(if service.is_empty() { finding } else { finding.maker(maker) });
    }
    // Its controller's reference to the Service is looked at before; this one was written by hand.
    let owned = fact.object.body().pointer("/metadata/ownerReferences/0").is_some();
    (!owned).then(|| {
        Finding::port(MANUAL)
            .says("its addresses were written by hand: are they reachable from the new cluster?")
    })
}

fn config_map(fact: &Fact<'_>) -> Option<Finding> {
    let (_, _, why) = CONFIG_MAPS.iter().find(|(namespace, name, _)| {
        let named =
            name.strip_suffix('*').map_or(*name == fact.name(), |start| fact.name().starts_with(start));
        named && (*namespace == "*" || *namespace == fact.namespace())
    })?;
    Some(Finding::drop(BUILT_IN, Whose::Kubernetes, *why))
}

fn lock(fact: &Fact<'_>) -> Option<Finding> {
    fact.object
        .annotation("control-plane.alpha.kubernetes.io/leader")
        .map(|_| Finding::drop(LOCK, Whose::Kubernetes, "it says which process of the old cluster leads"))
}

fn secret(facts: &Facts<'_>, fact: &Fact<'_>) -> Option<Finding> {
    match fact.object.body().get("type").and_then(Value::as_str).unwrap_or_default() {
        "bootstrap.kubernetes.io/token" => {
            Some(Finding::drop(TOKEN, Whose::Kubernetes, "nodes of the old cluster join with it"))
        }
        "kubernetes.io/service-account-token" => Some(token(facts, fact)),
        _ => None,
    }
}

/// Tokens that Kubernetes made by itself (before 1.24) are made anew or not needed; those that people asked for are
/// issued anew under the same name.
fn token(facts: &Facts<'_>, fact: &Fact<'_>) -> Finding {
    let account = fact.object.annotation("kubernetes.io/service-account.name").unwrap_or_default();
    let id = ResourceId::new("", "ServiceAccount", fact.namespace(), account);
    let listed = facts.find(&id).is_some_and(|at| {
        let secrets = facts.objects[at].object.body().get("secrets").and_then(Value::as_array);
        secrets.is_some_and(|secrets| secrets.iter().any(|secret| secret["name"] == fact.name()))
    });
    let ending = fact.name().strip_prefix(account).and_then(|rest| rest.strip_prefix("-token-"));
    let generated = ending.is_some_and(|ending| ending.len() == 5) && !account.is_empty();
    if listed || generated {
        return Finding::drop(TOKEN, Whose::Kubernetes, "Kubernetes made it for a service account").maker(id);
    }
    Finding::port(TOKEN).says(
        "the new cluster issues another token under this name: whoever holds the old one has to be given it",
    )
}
