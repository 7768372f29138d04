//! Objects in versions that an API server of 1.24 still serves and one of 1.36 does not, and in versions that are older
//! than both.

use serde_json::{Value, json};

/// They live in `shop`, and an API server of 1.24 takes those whose version it serves.
pub fn objects() -> Vec<Value> {
    let selector = json!({"matchLabels": {"app": "web"}});
    let metadata = |name: &str| json!({"name": name, "namespace": "shop"});
    let scale = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let queue = json!({"matchLabels": {"queue": "orders"}});
    vec![
        json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": metadata("old-web"),
            "spec": {"maxUnavailable": "25%", "selector": selector}}),
        json!({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": metadata("old-nightly"), "spec": {
            "schedule": "0 3 * * *", "concurrencyPolicy": "Forbid", "startingDeadlineSeconds": 300,
            "jobTemplate": {"metadata": {"labels": {"app": "n"}}, "spec": {"backoffLimit": 2, "template": {
                "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "n", "image": "example.com/a/n:1"}]}}}}}}),
        json!({"apiVersion": "autoscaling/v2beta1", "kind": "HorizontalPodAutoscaler", "metadata": metadata("old-one"),
            "spec": {"scaleTargetRef": scale, "minReplicas": 2, "maxReplicas": 9, "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 60}},
                {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "200Mi"}},
                {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "web", "targetAverageUtilization": 40}},
                {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "10", "selector": selector}},
                {"type": "Object", "object": {"metricName": "requests", "targetValue": "100",
                    "target": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "web"}}},
                {"type": "External", "external": {"metricName": "depth", "metricSelector": queue, "targetAverageValue": "30"}},
                {"type": "External", "external": {"metricName": "age", "targetValue": "300"}}]}}),
        json!({"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "metadata": metadata("old-two"),
            "spec": {"scaleTargetRef": scale, "maxReplicas": 4,
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60,
                    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 30}]}},
                "metrics": [{"type": "External", "external": {"metric": {"name": "depth", "selector": queue},
                    "target": {"type": "Value", "value": "30"}}}]}}),
        json!({"apiVersion": "discovery.k8s.io/v1beta1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "old-hand", "namespace": "shop", "labels": {"kubernetes.io/service-name": "outside"}},
            "ports": [{"name": "db", "port": 5432}],
            "endpoints": [{"addresses": ["192.0.2.7"], "topology": {"kubernetes.io/hostname": "node-7",
                "topology.kubernetes.io/zone": "eu-west-1a", "example.com/rack": "r2"}}]}),
        json!({"apiVersion": "node.k8s.io/v1beta1", "kind": "RuntimeClass", "metadata": {"name": "old-sandbox"},
            "handler": "sandbox", "overhead": {"podFixed": {"cpu": "250m"}},
            "scheduling": {"nodeSelector": {"example.com/sandbox": "yes"}}}),
        json!({"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": {"name": "old-tight"}, "spec": {
            "privileged": false, "allowPrivilegeEscalation": false, "requiredDropCapabilities": ["ALL"],
            "volumes": ["configMap", "secret"], "runAsUser": {"rule": "MustRunAsNonRoot"},
            "seLinux": {"rule": "RunAsAny"}, "supplementalGroups": {"rule": "RunAsAny"}, "fsGroup": {"rule": "RunAsAny"}}}),
        json!({"apiVersion": "flowcontrol.apiserver.k8s.io/v1beta1", "kind": "PriorityLevelConfiguration",
            "metadata": {"name": "old-level"}, "spec": {"type": "Limited", "limited": {"assuredConcurrencyShares": 7,
                "limitResponse": {"type": "Queue", "queuing": {"queues": 16, "handSize": 4, "queueLengthLimit": 20}}}}}),
        json!({"apiVersion": "flowcontrol.apiserver.k8s.io/v1beta2", "kind": "FlowSchema", "metadata": {"name": "old-flow"},
            "spec": {"priorityLevelConfiguration": {"name": "old-level"}, "matchingPrecedence": 900,
                "distinguisherMethod": {"type": "ByUser"}, "rules": [{
                    "subjects": [{"kind": "Group", "group": {"name": "robots"}}],
                    "resourceRules": [{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"], "namespaces": ["*"]}]}]}}),
        // Older than 1.24.
        json!({"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": metadata("older-web"), "spec": {
            "replicas": 1, "template": {"metadata": {"labels": {"app": "older"}},
                "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}}}),
        json!({"apiVersion": "apps/v1beta2", "kind": "StatefulSet", "metadata": metadata("older-db"), "spec": {
            "serviceName": "db", "selector": selector, "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}}}),
        json!({"apiVersion": "extensions/v1beta1", "kind": "DaemonSet", "metadata": metadata("older-agent"), "spec": {
            "template": {"metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}}}),
        json!({"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": {"name": "older", "namespace": "shop",
            "annotations": {"kubernetes.io/ingress.class": "nginx"}}, "spec": {
                "tls": [{"hosts": ["a.example.com"], "secretName": "tls"}],
                "rules": [{"host": "a.example.com", "http": {"paths": [{"backend": {"serviceName": "web", "servicePort": "http"}},
                    {"path": "/x", "backend": {"serviceName": "web", "servicePort": "8080"}}]}}]}}),
        json!({"apiVersion": "extensions/v1beta1", "kind": "NetworkPolicy", "metadata": metadata("older"), "spec": {
            "podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "barns.older.example.com"}, "spec": {"group": "older.example.com", "scope": "Cluster",
                "names": {"plural": "barns", "singular": "barn", "kind": "Barn", "listKind": "BarnList"},
                "versions": [{"name": "v1", "served": true, "storage": true}, {"name": "v1beta1", "served": true, "storage": false}],
                "subresources": {"status": {}},
                "validation": {"openAPIV3Schema": {"properties": {"spec": {"properties": {
                    "size": {"type": "integer", "minimum": 1}, "doors": {"items": {"type": "string"}}}}}}}}}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "older"}, "webhooks": [{"name": "a.older.example.com", "failurePolicy": "Ignore",
                "clientConfig": {"service": {"name": "web", "namespace": "shop"}, "caBundle": "Cg=="},
                "rules": [{"apiGroups": ["older.example.com"], "apiVersions": ["*"], "operations": ["CREATE"],
                    "resources": ["barns"]}]}]}),
        json!({"apiVersion": "storage.k8s.io/v1beta1", "kind": "CSIDriver", "metadata": {"name": "older.example.com"},
            "spec": {"attachRequired": false, "podInfoOnMount": true}}),
        json!({"apiVersion": "scheduling.k8s.io/v1beta1", "kind": "PriorityClass", "metadata": {"name": "older-low"},
            "value": -5, "preemptionPolicy": "Never"}),
    ]
}
