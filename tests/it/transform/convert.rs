//! Versions that the target does not serve.

use super::{context, dropped_by, one, told};
use portolan::transform::{Weight, transform};
use serde_json::{Value, json};

fn object(version: &str, kind: &str, body: Value) -> Value {
    let mut object =
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}});
    object.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    object
}

#[test]
fn old_workloads_keep_the_defaults_that_they_ran_with() {
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "quay.io/a"}]}});
    let old = object(
        "extensions/v1beta1",
        "Deployment",
        json!({"spec": {"template": template, "rollbackTo": {"revision": 1}}}),
    );
    let new = one(&old, &context());
    assert_eq!(new["apiVersion"], "apps/v1");
    assert_eq!(new["spec"]["selector"], json!({"matchLabels": {"app": "a"}}));
    assert_eq!(new["spec"]["progressDeadlineSeconds"], i32::MAX);
    assert_eq!(new["spec"]["strategy"]["rollingUpdate"], json!({"maxSurge": 1, "maxUnavailable": 1}));
    assert!(new["spec"].get("rollbackTo").is_none());
    let beta = object("apps/v1beta1", "Deployment", json!({"spec": {"template": template}}));
    let beta = one(&beta, &context());
    assert_eq!((&beta["spec"]["revisionHistoryLimit"], beta["spec"].get("strategy")), (&json!(2), None));
    let set =
        object("apps/v1beta1", "StatefulSet", json!({"spec": {"serviceName": "a", "template": template}}));
    assert_eq!(one(&set, &context())["spec"]["updateStrategy"]["type"], "OnDelete");
    // v1beta2 has the defaults of v1.
    let set =
        object("apps/v1beta2", "StatefulSet", json!({"spec": {"serviceName": "a", "template": template}}));
    assert!(one(&set, &context())["spec"].get("updateStrategy").is_none());
}

#[test]
fn ingresses_mean_the_same_in_v1() {
    let old = object(
        "extensions/v1beta1",
        "Ingress",
        json!({"spec": {
        "backend": {"serviceName": "d", "servicePort": "8080"},
        "rules": [{"http": {"paths": [{"backend": {"serviceName": "a", "servicePort": "http"}},
            {"path": "/b", "pathType": "Exact", "backend": {"serviceName": "b", "servicePort": 80}}]}}]}}),
    );
    let new = one(&old, &context());
    assert_eq!(new["spec"]["defaultBackend"], json!({"service": {"name": "d", "port": {"number": 8080}}}));
    let paths = &new["spec"]["rules"][0]["http"]["paths"];
    assert_eq!(paths[0]["pathType"], "ImplementationSpecific");
    assert_eq!(paths[0]["backend"], json!({"service": {"name": "a", "port": {"name": "http"}}}));
    assert_eq!(paths[1]["pathType"], "Exact");
}

#[test]
fn budgets_autoscalers_and_webhooks_mean_the_same() {
    let budget =
        object("policy/v1beta1", "PodDisruptionBudget", json!({"spec": {"minAvailable": 1, "selector": {}}}));
    let done = transform(&budget, &context());
    assert_ne!(done.objects[0]["spec"]["selector"], json!({}));
    assert_eq!(told(&done, Weight::Warning), ["api.version"]);
    // In v1 an empty selector is meant.
    let new =
        object("policy/v1", "PodDisruptionBudget", json!({"spec": {"minAvailable": 1, "selector": {}}}));
    assert_eq!(one(&new, &context()), new);

    let scaler = object(
        "autoscaling/v2beta1",
        "HorizontalPodAutoscaler",
        json!({"spec": {"metrics": [
        {"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 60}},
        {"type": "Pods", "pods": {"metricName": "rps", "targetAverageValue": "10"}},
        {"type": "Object", "object": {"metricName": "q", "targetValue": "5", "target": {"kind": "Service", "name": "s"}}},
        {"type": "External", "external": {"metricName": "sqs", "metricSelector": {"matchLabels": {"q": "a"}},
            "targetValue": "30"}}]}}),
    );
    let metrics = one(&scaler, &context())["spec"]["metrics"].clone();
    assert_eq!(
        metrics[0]["resource"],
        json!({"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}})
    );
    assert_eq!(
        metrics[1]["pods"],
        json!({"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}})
    );
    assert_eq!(
        metrics[2]["object"],
        json!({"metric": {"name": "q"}, "describedObject": {"kind": "Service", "name": "s"},
        "target": {"type": "Value", "value": "5"}})
    );
    assert_eq!(
        metrics[3]["external"],
        json!({"metric": {"name": "sqs", "selector": {"matchLabels": {"q": "a"}}},
        "target": {"type": "Value", "value": "30"}})
    );

    let hooks = object(
        "admissionregistration.k8s.io/v1beta1",
        "MutatingWebhookConfiguration",
        json!({"webhooks": [{"name": "a.b.c"}]}),
    );
    let hook = one(&hooks, &context())["webhooks"][0].clone();
    assert_eq!(
        (&hook["failurePolicy"], &hook["timeoutSeconds"], &hook["matchPolicy"]),
        (&json!("Ignore"), &json!(30), &json!("Exact"))
    );
}

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

#[test]
fn definitions_become_structural() {
    let old = object(
        "apiextensions.k8s.io/v1beta1",
        "CustomResourceDefinition",
        json!({"spec": {
        "group": "e.example.com", "version": "v1", "names": {"plural": "as", "kind": "A"}, "scope": "Namespaced",
        "subresources": {"status": {}}, "validation": {"openAPIV3Schema": {"properties": {
            "metadata": {"properties": {"name": {"type": "string", "maxLength": 9}}},
            "spec": {"properties": {"any": {"description": "x"}, "list": {"items": {"type": "string"}},
                "map": {"additionalProperties": {"type": "string"}},
                "port": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                "one": {"type": "object", "oneOf": [{"required": ["a"]}], "anyOf": [{"properties": {"a": {"type": "string"}}}]}}}}}},
        "conversion": {"strategy": "Webhook", "webhookClientConfig": {"url": "https://a"}}}}),
    );
    let done = transform(&old, &context());
    let spec = &done.objects[0]["spec"];
    let version = &spec["versions"][0];
    assert_eq!(version["subresources"], json!({"status": {}}));
    let schema = &version["schema"]["openAPIV3Schema"];
    assert_eq!(
        (&schema["type"], &schema["x-kubernetes-preserve-unknown-fields"]),
        (&json!("object"), &json!(true))
    );
    assert_eq!(
        schema["properties"]["spec"]["properties"]["any"]["x-kubernetes-preserve-unknown-fields"],
        true
    );
    let below = &schema["properties"]["spec"];
    assert_eq!(
        (&below["type"], &below[PRESERVE]),
        (&json!("object"), &json!(true)),
        "what was kept is kept at every level"
    );
    let fields = &below["properties"];
    assert_eq!((&fields["list"]["type"], &fields["map"]["type"]), (&json!("array"), &json!("object")));
    assert!(fields["map"][PRESERVE].is_null(), "every key of it is declared");
    assert_eq!(fields["port"], json!({"x-kubernetes-int-or-string": true}));
    assert_eq!(fields["one"], json!({"type": "object", "oneOf": [{"required": ["a"]}], PRESERVE: true}));
    let metadata = &schema["properties"]["metadata"];
    assert_eq!((&metadata["type"], &metadata[PRESERVE]), (&json!("object"), &Value::Null));
    // Read as v1 from a server that stores it as v1beta1, it comes to the same.
    let mut stored = old.clone();
    stored["apiVersion"] = json!("apiextensions.k8s.io/v1");
    stored["spec"]["preserveUnknownFields"] = json!(true);
    stored["spec"]["versions"] = json!([{"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": old["spec"]["validation"]["openAPIV3Schema"]}}]);
    let again = one(&stored, &context());
    assert_eq!(again["spec"]["preserveUnknownFields"], false);
    assert_eq!(&again["spec"]["versions"][0]["schema"]["openAPIV3Schema"], schema);
    assert_eq!(spec["conversion"]["webhook"]["clientConfig"]["url"], "https://a");
    assert!(["version", "validation", "subresources"].iter().all(|key| spec.get(*key).is_none()));
    assert!(told(&done, Weight::Warning).contains(&"api.version"));
}

#[test]
fn what_has_no_successor_stays_behind_with_a_reason() {
    assert_eq!(
        dropped_by(&object("policy/v1beta1", "PodSecurityPolicy", json!({})), &context()),
        "api.version"
    );
    assert_eq!(
        dropped_by(&object("settings.k8s.io/v1alpha1", "PodPreset", json!({})), &context()),
        "api.version"
    );
    let mut old = context();
    old.target.minor = 21;
    let ingress = object("networking.k8s.io/v1beta1", "Ingress", json!({"spec": {}}));
    assert_eq!(one(&ingress, &old), ingress, "what the target serves is left as it is");
}

#[test]
fn small_kinds_are_converted() {
    let class = object("node.k8s.io/v1alpha1", "RuntimeClass", json!({"spec": {"runtimeHandler": "runsc"}}));
    let new = one(&class, &context());
    assert_eq!((&new["handler"], new.get("spec")), (&json!("runsc"), None));
    let certificate = object(
        "certmanager.k8s.io/v1alpha1",
        "Certificate",
        json!({"spec": {
        "keyAlgorithm": "rsa", "keySize": 2048, "organization": ["Shop"], "secretName": "tls"}}),
    );
    let new = one(&certificate, &context());
    assert_eq!(new["apiVersion"], "cert-manager.io/v1");
    assert_eq!(
        new["spec"],
        json!({"secretName": "tls", "privateKey": {"algorithm": "RSA", "size": 2048},
        "subject": {"organizations": ["Shop"]}})
    );
}

#[test]
fn custom_objects_need_their_definition() {
    let mut context = context();
    context.target.served.add(&portolan::model::Gvk::from_api_version("v1", "Pod"));
    let farm = object("farms.example.com/v1", "Farm", json!({}));
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "farms.farms.example.com"},
        "spec": {"group": "farms.example.com", "names": {"kind": "Farm"}, "versions": []}});
    context
        .target
        .served
        .add(&portolan::model::Gvk::from_api_version("apiextensions.k8s.io/v1", "CustomResourceDefinition"));
    let blockers = |objects: &[Value]| {
        let done = portolan::transform::transform_all(objects, &context);
        done.iter().flat_map(|one| told(one, Weight::Blocker)).count()
    };
    assert_eq!(blockers(&[farm.clone(), definition]), 0);
    assert_eq!(blockers(&[farm]), 1);
}

#[test]
fn claims_of_devices_say_exactly_in_v1() {
    let old = object(
        "resource.k8s.io/v1beta1",
        "ResourceClaimTemplate",
        json!({"spec": {"spec": {"devices": {"requests": [{"name": "gpu", "deviceClassName": "gpu.example.com", "count": 2}]}}}}),
    );
    let new = one(&old, &context());
    assert_eq!(
        new["spec"]["spec"]["devices"]["requests"],
        json!([{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com", "count": 2}}])
    );
}
