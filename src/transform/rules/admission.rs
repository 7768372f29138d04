//! Webhooks, aggregated APIs and PodSecurityPolicies.

use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use crate::model::ResourceId;

const WEBHOOKS: &[&str] = &[
    "MutatingWebhookConfiguration.admissionregistration.k8s.io",
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io",
];

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "webhook.ca-bundle",
        kinds: &[
            WEBHOOKS[0],
            WEBHOOKS[1],
            "APIService.apiregistration.k8s.io",
            "CustomResourceDefinition.apiextensions.k8s.io",
        ],
        reason: "cert-manager's injector writes it anew",
        source: "cert-manager docs, CA injector",
        apply: ca_bundle,
    },
    Rule {
        id: "webhook.failure-policy",
        kinds: WEBHOOKS,
        reason: "while its service does not answer, it refuses what it is asked about",
        source: "velero#2443, velero#4847",
        apply: failure_policy,
    },
    Rule {
        id: "api-service.automanaged",
        kinds: &["APIService.apiregistration.k8s.io"],
        reason: "the API server registers its own versions itself",
        source: "velero pkg/restore/actions/apiservice_action.go",
        apply: automanaged,
    },
    Rule {
        id: "psp.removed",
        kinds: &["PodSecurityPolicy.policy", "PodSecurityPolicy.extensions"],
        reason: "namespaces say by labels what their pods may do",
        source: "kubernetes KEP-2579",
        apply: pod_security_policy,
    },
    Rule {
        id: "priority-class.system",
        kinds: &["PriorityClass.scheduling.k8s.io"],
        reason: "every cluster has its own",
        source: "kubernetes pkg/apis/scheduling",
        apply: system_priority,
    },
];

const INJECTED: [&str; 4] = [
    "cert-manager.io/inject-ca-from",
    "cert-manager.io/inject-ca-from-secret",
    "cert-manager.io/inject-apiserver-ca",
    "certmanager.k8s.io/inject-ca-from",
];

fn ca_bundle(work: &mut Work<'_>) {
    let injected = INJECTED.iter().any(|key| work.annotation(key).is_some());
    let mut places: Vec<String> =
        work.items("/webhooks").iter().map(|webhook| format!("{webhook}/clientConfig/caBundle")).collect();
    places.push("/spec/caBundle".into());
    places.push("/spec/conversion/webhook/clientConfig/caBundle".into());
    for place in places {
        if work.get(&place).is_none() {
            continue;
        }
        if injected {
            work.remove(&place);
        } else {
            work.remark(
                Weight::Warning,
                &place,
                "the certificate is trusted by this very bundle: the Secret with its key has to be carried over as well",
            );
        }
    }
}

fn failure_policy(work: &mut Work<'_>) {
    for webhook in work.items("/webhooks") {
        let client = at(&webhook, "clientConfig");
        if let Some(url) = work.text(&at(&client, "url")) {
            let says = format!("the target's API server has to reach {url}");
            work.remark(Weight::Warning, &at(&client, "url"), says);
        }
        let service = at(&client, "service");
        let (Some(name), Some(namespace)) =
            (work.text(&at(&service, "name")), work.text(&at(&service, "namespace")))
        else {
            continue;
        };
        let id = ResourceId::new("", "Service", namespace, name);
        let namespace = namespace.to_owned();
        let fails = work.text(&at(&webhook, "failurePolicy")) != Some("Ignore");
        if !work.context.survey.is_empty() && !work.context.survey.has(&id) {
            let weight = if fails { Weight::Blocker } else { Weight::Warning };
            work.remark(
                weight,
                &service,
                format!("{id} is not among the objects: the webhook would not be answered"),
            );
        } else if fails {
            let selects = work.get(&at(&webhook, "namespaceSelector"));
            let all =
                selects.is_none_or(|selector| selector.as_object().is_none_or(serde_json::Map::is_empty));
            let says = if all {
                format!(
                    "it is asked about objects of every namespace, kube-system and {namespace} included, and refuses \
                         them while {id} does not answer: it is applied last"
                )
            } else {
                format!("it refuses what it is asked about while {id} does not answer: it is applied last")
            };
            work.remark(Weight::Warning, &at(&webhook, "failurePolicy"), says);
        }
    }
}

fn automanaged(work: &mut Work<'_>) {
    if work.get("/metadata/labels/kube-aggregator.kubernetes.io~1automanaged").is_some()
        || work.get("/spec/service").is_none_or(serde_json::Value::is_null)
    {
        work.drop("the API server registers its own versions itself");
    }
}

fn pod_security_policy(work: &mut Work<'_>) {
    if work.context.target.minor >= 25 {
        work.drop("PodSecurityPolicies were removed with 1.25: labels of the namespaces stand for it");
    }
}

fn system_priority(work: &mut Work<'_>) {
    if work.name().starts_with("system-") {
        work.drop("every cluster has its own");
    } else if work.is_true("/globalDefault") {
        work.remark(
            Weight::Warning,
            "/globalDefault",
            "it becomes the priority of every pod that names none, those of EKS's add-ons included; only one class can",
        );
    }
}
