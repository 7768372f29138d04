//! Workloads and their templates.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::psp::PodDefaults;
use super::super::rule::Rule;
use super::super::templates::{pod_specs, pod_templates};
use super::super::work::Work;
use serde_json::{Value, json};

const TEMPLATES: &[&str] = &[
    "Pod",
    "ReplicationController",
    "Deployment.apps",
    "ReplicaSet.apps",
    "StatefulSet.apps",
    "DaemonSet.apps",
    "Job.batch",
    "CronJob.batch",
];

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "workload.scaled-down",
        kinds: &[
            "Deployment.apps",
            "StatefulSet.apps",
            "ReplicaSet.apps",
            "ReplicationController",
            "DaemonSet.apps",
        ],
        reason: "it begins to run when state and traffic come",
        source: "reference of the stages",
        apply: scaled_down,
    },
    Rule {
        id: "template.seccomp-annotations",
        kinds: TEMPLATES,
        reason: "the annotation became a field and is read no more since 1.27",
        source: "kubernetes KEP-135",
        apply: seccomp,
    },
    Rule {
        id: "template.critical-pod",
        kinds: TEMPLATES,
        reason: "the annotation is read no more; a priority class says it",
        source: "kubernetes 1.16 changelog",
        apply: critical_pod,
    },
    Rule {
        id: "template.psp-defaults",
        kinds: TEMPLATES,
        reason: "the PodSecurityPolicy of the namespace wrote it into every pod",
        source: "kubernetes pkg/security/podsecuritypolicy (1.24)",
        apply: psp_defaults,
    },
    Rule {
        id: "template.role-annotation",
        kinds: TEMPLATES,
        reason: "kube2iam and kiam read it; in EKS the role goes with the service account",
        source: "uswitch/kiam#513; camunda-docs#7151",
        apply: role_annotation,
    },
];

fn scaled_down(work: &mut Work<'_>) {
    let quiesce = &work.context.quiesce;
    if !quiesce.all_workloads && !quiesce.workloads.contains(&work.id()) {
        return;
    }
    if work.kind() == "DaemonSet" {
        let says =
            "a DaemonSet cannot be scaled: it runs as soon as nodes fit, unless the namespace is fenced";
        return work.remark(Weight::Warning, "", says);
    }
    work.set("/spec/replicas", 0);
}

fn profile(text: &str) -> Option<Value> {
    Some(match text {
        "runtime/default" | "docker/default" => json!({"type": "RuntimeDefault"}),
        "unconfined" => json!({"type": "Unconfined"}),
        other => json!({"type": "Localhost", "localhostProfile": other.strip_prefix("localhost/")?}),
    })
}

fn seccomp(work: &mut Work<'_>) {
    for template in pod_templates(&work.object) {
        let annotations = format!("{template}/metadata/annotations");
        for key in work.keys(&annotations) {
            let pod = key == "seccomp.security.alpha.kubernetes.io/pod";
            let container = key.strip_prefix("container.seccomp.security.alpha.kubernetes.io/");
            if !pod && container.is_none() {
                continue;
            }
            let Some(found) = work.remove(&at(&annotations, &key)) else { continue };
            let Some(profile) = found.as_str().and_then(profile) else { continue };
            let spec = format!("{template}/spec");
            let holders = match container {
                None => vec![spec],
                Some(name) => containers(work, &spec, Some(name)),
            };
            for holder in holders {
                work.set_default(&format!("{holder}/securityContext/seccompProfile"), profile.clone());
            }
        }
    }
}

/// Pointers to the containers of a pod spec, or to the one of a name.
fn containers(work: &Work<'_>, spec: &str, name: Option<&str>) -> Vec<String> {
    let lists = ["initContainers", "containers"].map(|list| at(spec, list));
    let all = lists.iter().flat_map(|list| work.items(list));
    all.filter(|container| name.is_none() || work.text(&at(container, "name")) == name).collect()
}

fn critical_pod(work: &mut Work<'_>) {
    for template in pod_templates(&work.object) {
        let key =
            at(&format!("{template}/metadata/annotations"), "scheduler.alpha.kubernetes.io/critical-pod");
        if work.remove(&key).is_some() && work.namespace() == "kube-system" {
            work.set_default(&format!("{template}/spec/priorityClassName"), "system-cluster-critical");
        }
        for old in ["affinity", "tolerations"] {
            let key = at(
                &format!("{template}/metadata/annotations"),
                format!("scheduler.alpha.kubernetes.io/{old}"),
            );
            if work.get(&key).is_some() {
                let says = format!(
                    "the annotation is read no more since 1.8; write spec.{old} if it is still meant"
                );
                work.remark(Weight::Warning, &key, says);
            }
        }
    }
}

fn psp_defaults(work: &mut Work<'_>) {
    if work.context.target.minor < 25 {
        return;
    }
    let namespace = work.namespace().to_owned();
    let Some(security) = work.context.survey.security_of(&namespace) else { return };
    let Some(defaults) = security.defaults.clone() else {
        let says = "several PodSecurityPolicies admitted the namespace's pods: what they wrote into them has to be given here";
        return work.remark(Weight::Warning, "", says);
    };
    for spec in pod_specs(&work.object) {
        let pod = at(&spec, "securityContext");
        if let Some(group) = defaults.fs_group {
            work.set_default(&at(&pod, "fsGroup"), group);
        }
        if let Some(group) = defaults.supplemental_groups {
            work.set_default(&at(&pod, "supplementalGroups"), json!([group]));
        }
        for container in containers(work, &spec, None) {
            container_defaults(work, &pod, &at(&container, "securityContext"), &defaults);
        }
    }
}

fn container_defaults(work: &mut Work<'_>, pod: &str, context: &str, defaults: &PodDefaults) {
    let free = |work: &Work<'_>, key: &str| {
        work.get(&at(pod, key)).is_none_or(Value::is_null)
            && work.get(&at(context, key)).is_none_or(Value::is_null)
    };
    if let Some(user) = defaults.run_as_user
        && free(work, "runAsUser")
    {
        work.set(&at(context, "runAsUser"), user);
    }
    if defaults.run_as_non_root && free(work, "runAsUser") && free(work, "runAsNonRoot") {
        work.set(&at(context, "runAsNonRoot"), true);
    }
    if let Some(allow) = defaults.allow_privilege_escalation {
        work.set_default(&at(context, "allowPrivilegeEscalation"), allow);
    }
    if defaults.read_only_root {
        work.set_default(&at(context, "readOnlyRootFilesystem"), true);
    }
    for (key, wanted) in [("drop", &defaults.drop), ("add", &defaults.add)] {
        let pointer = format!("{context}/capabilities/{key}");
        let listed = work.get(&pointer).and_then(Value::as_array).into_iter().flatten();
        let mut all: Vec<String> = listed.filter_map(|item| item.as_str().map(String::from)).collect();
        let missing: Vec<String> = wanted.iter().filter(|name| !all.contains(name)).cloned().collect();
        if !missing.is_empty() {
            all.extend(missing);
            work.set(&pointer, all);
        }
    }
}

fn role_annotation(work: &mut Work<'_>) {
    for template in pod_templates(&work.object) {
        let pointer = format!("{template}/metadata/annotations/iam.amazonaws.com~1role");
        if work.get(&pointer).is_none() {
            continue;
        }
        let account = work.text(&format!("{template}/spec/serviceAccountName")).unwrap_or("default");
        let account = format!("{}/{account}", work.namespace());
        if !work.context.roles.contains_key(&account) {
            work.remark(
                Weight::Choice,
                &pointer,
                format!("no role is planned for service account {account}: without one the pod has that of its node"),
            );
        }
    }
}
