//! Objects as an export of a kops cluster has them.

use serde_json::{Value, json};

/// Objects of one namespace, less its pods' owners that stand for several.
const PER_NAMESPACE: usize = 100;

/// The cluster that the objects come from.
pub const SPEC: &str = "
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {name: live.example.com}
spec:
  authorization: {rbac: {}}
  cloudProvider: aws
  kubernetesApiAccess: [203.0.113.0/24]
  kubernetesVersion: 1.24.17
  networkCIDR: 10.40.0.0/14
  networkID: vpc-1
  networking: {calico: {}}
  nonMasqueradeCIDR: 100.64.0.0/10
  subnets:
  - {name: eu-central-1a, zone: eu-central-1a, type: Private, cidr: 10.40.0.0/18, id: subnet-a}
  - {name: eu-central-1b, zone: eu-central-1b, type: Private, cidr: 10.40.64.0/18, id: subnet-b}
  - {name: eu-central-1c, zone: eu-central-1c, type: Private, cidr: 10.40.128.0/18, id: subnet-c}
  topology: {masters: private, nodes: private}
---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata: {name: nodes, labels: {kops.k8s.io/cluster: live.example.com}}
spec:
  role: Node
  image: ami-0123
  machineType: m5.xlarge
  minSize: 3
  maxSize: 2000
  nodeLabels: {node-role.kubernetes.io/shop: ''}
  subnets: [eu-central-1a, eu-central-1b, eu-central-1c]
";

/// So many objects.
pub fn objects(count: usize) -> Vec<Value> {
    let mut objects = vec![daemon_set()];
    let mut namespace = 0;
    while objects.len() < count {
        let name = format!("team-{namespace}");
        fill(&mut objects, &name, count);
        namespace += 1;
    }
    objects
}

fn fill(objects: &mut Vec<Value>, namespace: &str, count: usize) {
    let end = (objects.len() + PER_NAMESPACE).min(count);
    let mut nth = 0;
    objects.push(live("v1", "Namespace", "", namespace, json!({"spec": {"finalizers": ["kubernetes"]}})));
    while objects.len() < end {
        let app = format!("app-{nth}");
        for object in application(namespace, &app, nth) {
            if objects.len() < end {
                objects.push(object);
            }
        }
        nth += 1;
    }
}

/// An application with all that belongs to it.
fn application(namespace: &str, app: &str, nth: usize) -> Vec<Value> {
    let selector = json!({"matchLabels": {"app": app}});
    let object =
        |version: &str, kind: &str, name: &str, more: Value| live(version, kind, namespace, name, more);
    let template = json!({"metadata": {"creationTimestamp": null, "labels": {"app": app}}, "spec": pod(app)});
    let port =
        json!({"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "nodePort": 30000 + nth});
    let hash = format!("{app}-6d4cf56db6");
    let mut all = vec![
        object("v1", "ServiceAccount", app, json!({"secrets": [{"name": format!("{app}-token-abcde")}]})),
        object(
            "v1",
            "ConfigMap",
            app,
            json!({"data": {"app.conf": format!(
            "upstream http://app-{}.{namespace}.svc.cluster.local:80\nlisten 8080\nworkers 4\n", nth + 1).repeat(8)}}),
        ),
        object(
            "v1",
            "Secret",
            app,
            json!({"type": "Opaque", "data": {"password": "aHVudGVyMg==", "key": "QUFB".repeat(100)}}),
        ),
        object(
            "v1",
            "Secret",
            &format!("{app}-token-abcde"),
            json!({"type": "kubernetes.io/service-account-token",
            "data": {"token": "QUFB".repeat(200), "ca.crt": "QUFB".repeat(300), "namespace": "dGVhbQ=="}}),
        ),
        object(
            "v1",
            "Service",
            app,
            json!({"spec": {"type": if nth.is_multiple_of(4) { "LoadBalancer" } else { "ClusterIP" },
            "clusterIP": format!("100.64.{}.{}", nth % 250, nth % 199 + 1), "selector": {"app": app}, "ports": [port]}}),
        ),
        object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            &format!("{app}-x2x4z"),
            json!({"addressType": "IPv4",
            "endpoints": [{"addresses": ["100.96.1.2"]}, {"addresses": ["100.96.1.3"]}], "ports": [{"port": 8080}]}),
        ),
        object(
            "apps/v1",
            "Deployment",
            app,
            json!({"spec": {"replicas": 3, "selector": selector, "template": template,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}},
            "status": {"replicas": 3, "readyReplicas": 3, "conditions": [{"type": "Available", "status": "True"}]}}),
        ),
        owned(
            object(
                "apps/v1",
                "ReplicaSet",
                &hash,
                json!({"spec": {"replicas": 3, "selector": selector, "template": template}}),
            ),
            "apps/v1",
            "Deployment",
            app,
        ),
        object(
            "policy/v1",
            "PodDisruptionBudget",
            app,
            json!({"spec": {"minAvailable": 1, "selector": selector}}),
        ),
        object(
            "networking.k8s.io/v1",
            "Ingress",
            app,
            json!({"spec": {"ingressClassName": "nginx", "rules": [{
            "host": format!("{app}.{namespace}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": app, "port": {"number": 80}}}}]}}]}}),
        ),
        object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            app,
            json!({"spec": {"minReplicas": 2, "maxReplicas": 6,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app}, "metrics": [{"type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}}),
        ),
        object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            app,
            json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": app, "namespace": namespace}]}),
        ),
        object(
            "batch/v1",
            "CronJob",
            app,
            json!({"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}),
        ),
    ];
    for replica in 0..3 {
        let mut spec = pod(app);
        spec["nodeName"] = json!(format!("ip-10-40-0-{replica}"));
        spec["volumes"]
            .as_array_mut()
            .expect("volumes")
            .push(json!({"name": "kube-api-access-x", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}]}}));
        let mut one = object(
            "v1",
            "Pod",
            &format!("{hash}-{replica}"),
            json!({"spec": spec, "status": {"phase": "Running",
            "podIP": "100.96.1.2", "containerStatuses": [{"name": "web", "ready": true, "restartCount": 0, "imageID": "sha256:00"}]}}),
        );
        one["metadata"]["labels"] = json!({"app": app, "pod-template-hash": "6d4cf56db6"});
        all.push(owned(one, "apps/v1", "ReplicaSet", &hash));
    }
    all
}

fn pod(app: &str) -> Value {
    json!({
        "serviceAccountName": app,
        "nodeSelector": {"kops.k8s.io/instancegroup": "nodes", "node-role.kubernetes.io/shop": ""},
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {
            "topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": app}}}}]}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "failure-domain.beta.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": app}}}],
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
        "containers": [{"name": "web", "image": "example.com/shop/web:1.27", "args": ["--listen=:8080"],
            "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
            "env": [{"name": "MODE", "value": "live"}, {"name": "BACKEND", "value": "http://app-1:80"},
                {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": app, "key": "password"}}}],
            "envFrom": [{"configMapRef": {"name": app}}],
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "settings", "mountPath": "/etc/web"}]}],
        "volumes": [{"name": "settings", "configMap": {"name": app}}],
    })
}

fn daemon_set() -> Value {
    let mut agent = pod("agent");
    agent["topologySpreadConstraints"] = json!([]);
    let spec = json!({"spec": {"selector": {"matchLabels": {"app": "agent"}},
        "template": {"metadata": {"labels": {"app": "agent"}}, "spec": agent}}});
    live("apps/v1", "DaemonSet", "team-0", "agent", spec)
}

/// What a server adds to an object that somebody applied.
fn live(version: &str, kind: &str, namespace: &str, name: &str, more: Value) -> Value {
    let fields = |names: &[&str]| -> Value {
        let below =
            names.iter().map(|name| (format!("f:{name}"), json!({".": {}, "f:app": {}, "f:value": {}})));
        json!(below.collect::<serde_json::Map<_, _>>())
    };
    let mut object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": name, "uid": uid(kind, namespace, name), "resourceVersion": "1234567", "generation": 3,
            "creationTimestamp": "2023-01-01T00:00:00Z", "labels": {"app": name, "team": namespace},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration":
                format!("{{\"apiVersion\":\"{version}\",\"kind\":\"{kind}\",\"metadata\":{{\"name\":\"{name}\"}}}}").repeat(4)},
            "managedFields": [
                {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": version, "time": "2023-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": fields(&["labels", "annotations"]),
                        "f:spec": fields(&["selector", "template", "replicas", "strategy", "ports", "type"])}},
                {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": version, "time": "2023-01-01T00:00:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:status": fields(&["conditions", "replicas", "readyReplicas"])}},
            ],
        },
    });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    for (key, value) in more.as_object().expect("an object") {
        object[key] = value.clone();
    }
    object
}

fn uid(kind: &str, namespace: &str, name: &str) -> String {
    // Different for different objects is all that matters.
    let number =
        format!("{kind}/{namespace}/{name}").bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{:08x}-{:04x}-4000-8000-{:012x}", number >> 32, number >> 16 & 0xffff, number & 0xffff_ffff_ffff)
}

fn owned(mut object: Value, version: &str, kind: &str, name: &str) -> Value {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    object["metadata"]["ownerReferences"] = json!([{"apiVersion": version, "kind": kind, "name": name, "controller": true,
        "blockOwnerDeletion": true, "uid": uid(kind, &namespace, name)}]);
    object
}
