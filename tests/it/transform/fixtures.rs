//! A context like that of a real move, and one object of nearly every kind as an old API server gives it.

use portolan::transform::{Context, Quiesce, Side};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

pub fn context() -> Context {
    Context {
        source: Side {
            name: "prod.example.com".into(),
            minor: 24,
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            dns_address: Some("100.64.0.10".into()),
            service_range: Some("100.64.0.0/13".into()),
            pod_range: Some("100.96.0.0/11".into()),
            ..Side::default()
        },
        target: Side {
            name: "prod".into(),
            minor: 36,
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            dns_address: Some("172.20.0.10".into()),
            service_range: Some("172.20.0.0/16".into()),
            ..Side::default()
        },
        migration: "prod".into(),
        wave: "first".into(),
        quiesce: Quiesce { cron_jobs: true, ..Quiesce::default() },
        node_groups: map(&[("nodes", "workers"), ("gpu-nodes", "gpu")]),
        node_labels: map(&[("node-role.kubernetes.io/ingress", "example.com/tier=ingress")]),
        images: map(&[("docker.io/", "111122223333.dkr.ecr.eu-west-1.amazonaws.com/hub/")]),
        helm_releases: true,
        network_policies: true,
        ..Context::default()
    }
}

fn live(name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({
        "name": name, "uid": format!("{:08x}-0000-4000-8000-000000000000", name.len() * 7919),
        "resourceVersion": "123", "generation": 2, "creationTimestamp": "2020-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl", "operation": "Update", "fieldsV1": {}}],
        "labels": {"app": name},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"kind\":\"old\"}"},
    });
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    metadata
}

pub fn template(image: &str) -> Value {
    json!({
        "metadata": {"creationTimestamp": null, "labels": {"app": "web"},
            "annotations": {"seccomp.security.alpha.kubernetes.io/pod": "runtime/default"}},
        "spec": {
            "nodeSelector": {"kops.k8s.io/instancegroup": "nodes", "beta.kubernetes.io/os": "linux"},
            "containers": [{
                "name": "web", "image": image, "ports": [{"containerPort": 8080, "name": "http"}],
                "env": [{"name": "MODE", "value": "live"},
                    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
                "volumeMounts": [{"name": "settings", "mountPath": "/etc/web"}],
            }],
            "volumes": [{"name": "settings", "configMap": {"name": "web"}}, {"name": "scratch", "emptyDir": {}}],
            "topologySpreadConstraints": [{"maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway",
                "topologyKey": "failure-domain.beta.kubernetes.io/zone",
                "labelSelector": {"matchLabels": {"app": "web"}}}],
        },
    })
}

/// One object of nearly every kind. They live in `shop`, and an API server takes them after the rules.
pub fn everything() -> Vec<Value> {
    let shop = Some("shop");
    let selector = json!({"matchLabels": {"app": "web"}});
    let claim = json!({"metadata": {"name": "data", "annotations": {"volume.beta.kubernetes.io/storage-class": "fast"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let rules = json!([{"apiGroups": ["", "extensions"], "resources": ["pods", "deployments"], "verbs": ["get", "list"]}]);
    let webhook = json!([{"name": "check.shop.example.com", "rules": [{"apiGroups": ["shop.example.com"],
        "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["farms"]}],
        "clientConfig": {"service": {"name": "web", "namespace": "shop", "path": "/check"}},
        "sideEffects": "None", "admissionReviewVersions": ["v1"]}]);
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": live("shop", None),
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": live("web", shop),
            "data": {"a.conf": "listen 8080\n", "b": ""}, "binaryData": {"c": "AAEC"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": live("web", shop), "type": "Opaque",
            "data": {"password": "aHVudGVyMg==", "user": "YWRtaW4="}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": live("web", shop),
            "secrets": [{"name": "web-token-abcde"}], "imagePullSecrets": [{"name": "pull"}]}),
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": live("limits", shop),
            "spec": {"limits": [{"type": "Container", "default": {"cpu": "1000m"}, "max": {"memory": "2Gi"}}]}}),
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": live("quota", shop),
            "spec": {"hard": {"pods": "50", "requests.cpu": "20"}}, "status": {"used": {"pods": "2"}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": live("web", shop), "spec": {
            "type": "LoadBalancer", "clusterIP": "100.64.7.7", "clusterIPs": ["100.64.7.7"], "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 31234},
                {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 31235}]},
            "status": {"loadBalancer": {"ingress": [{"hostname": "a.eu-west-1.elb.amazonaws.com"}]}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": live("db", shop), "spec": {
            "clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": live("web", shop),
            "spec": {"replicas": 2, "selector": selector, "template": template("nginx:1.27")},
            "status": {"replicas": 2}}),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": live("db", shop), "spec": {
            "replicas": 1, "serviceName": "db", "selector": selector, "template": template("docker.io/library/postgres:16"),
            "volumeClaimTemplates": [claim]}}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": live("agent", shop),
            "spec": {"selector": selector, "template": template("k8s.gcr.io/pause:3.9")}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": live("load", shop), "spec": {
            "selector": {"matchLabels": {"controller-uid": "x"}},
            "template": {"metadata": {"labels": {"controller-uid": "x", "job-name": "load"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "load", "image": "quay.io/a/load"}]}}}}),
        json!({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": live("nightly", shop), "spec": {
            "schedule": "TZ=Europe/Vienna 0 3 * * *", "jobTemplate": {"spec": {"template": {
                "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "n", "image": "quay.io/a/n:1"}]}}}}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": live("bare", shop), "spec": {
            "serviceAccountName": "default", "serviceAccount": "default", "nodeName": "ip-10-0-0-1", "priority": 0,
            "containers": [{"name": "a", "image": "quay.io/a/a:1",
                "volumeMounts": [{"name": "default-token-abcde", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}],
            "volumes": [{"name": "default-token-abcde", "secret": {"secretName": "default-token-abcde"}}],
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 300}]}, "status": {"phase": "Running"}}),
        json!({"apiVersion": "networking.k8s.io/v1beta1", "kind": "Ingress", "metadata": live("web", shop), "spec": {
            "backend": {"serviceName": "web", "servicePort": "http"},
            "rules": [{"host": "shop.example.com", "http": {"paths": [
                {"path": "/", "backend": {"serviceName": "web", "servicePort": 80}}]}}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": live("web", shop), "spec": {
            "podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": 8080}]}], "egress": [{}]}}),
        json!({"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": live("web", shop),
            "spec": {"minAvailable": 1, "selector": selector}}),
        json!({"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "metadata": live("web", shop),
            "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 2,
                "maxReplicas": 5, "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 70}}}]}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1beta1", "kind": "Role", "metadata": live("web", shop),
            "rules": rules}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": live("web", shop),
            "roleRef": {"kind": "Role", "name": "web", "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}, {"kind": "Group", "name": "ops"},
                {"kind": "Group", "name": "system:masters", "apiGroup": "rbac.authorization.k8s.io"}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": live("shop-all", None),
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"shop": "yes"}}]}, "rules": rules}),
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": live("files", shop), "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}},
            "storageClassName": "fast", "volumeName": "pv-files"}, "status": {"phase": "Bound"}}),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": live("pv-files", None), "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "fast",
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "shop", "name": "files",
                "uid": "00000000-0000-4000-8000-000000000001", "resourceVersion": "9"},
            "awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-0abc", "fsType": "ext4"}}}),
        json!({"apiVersion": "storage.k8s.io/v1beta1", "kind": "StorageClass", "metadata": live("fast", None),
            "provisioner": "kubernetes.io/aws-ebs", "parameters": {"type": "gp2", "fsType": "xfs", "zones": "eu-west-1a"}}),
        json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": live("shop-high", None),
            "value": 1000}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": live("shop", None),
            "spec": {"controller": "example.com/ingress"}}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": live("shop", None), "webhooks": webhook}),
        json!({"apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
            "metadata": live("farms.shop.example.com", None), "spec": {"group": "shop.example.com", "version": "v1",
                "scope": "Namespaced", "names": {"plural": "farms", "kind": "Farm"},
                "additionalPrinterColumns": [{"name": "Size", "type": "integer", "JSONPath": ".spec.size"}]}}),
    ]
}
