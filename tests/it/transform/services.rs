//! Services, load balancers, Ingresses, rights.

use super::{context, dropped_by, one, told};
use portolan::transform::{Context, Identity, Scheme, Survey, Weight, transform};
use serde_json::{Value, json};

const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";

fn service(metadata: Value, spec: Value) -> Value {
    let mut all = json!({"name": "web", "namespace": "shop", "uid": "u"});
    all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    json!({"apiVersion": "v1", "kind": "Service", "metadata": all, "spec": spec})
}

#[test]
fn addresses_go_and_headless_stays() {
    let new = one(
        &service(
            json!({}),
            json!({"clusterIP": "100.64.1.1", "clusterIPs": ["100.64.1.1"], "ipFamilies": ["IPv4"]}),
        ),
        &context(),
    );
    assert_eq!(new["spec"], json!({}));
    let headless = one(&service(json!({}), json!({"clusterIP": "None", "clusterIPs": ["None"]})), &context());
    assert_eq!(headless["spec"], json!({"clusterIP": "None", "clusterIPs": ["None"]}));
}

#[test]
fn node_ports_stay_when_a_user_chose_them() {
    let spec = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}, {"port": 81, "nodePort": 30081}]});
    let ports = |metadata: Value| {
        let new = one(&service(metadata, spec.clone()), &context());
        let ports = new["spec"]["ports"].as_array().unwrap().clone();
        ports.iter().map(|port| port["nodePort"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(ports(json!({})), [None, None]);
    let applied = r#"{"spec":{"ports":[{"port":80,"nodePort":30080}]}}"#;
    assert_eq!(
        ports(json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}})),
        [Some(30080), None]
    );
    let fields = json!({"f:spec": {"f:ports": {"k:{\"port\":81,\"protocol\":\"TCP\"}": {"f:nodePort": {}}}}});
    let managed = |manager: &str| ports(json!({"managedFields": [{"manager": manager, "fieldsV1": fields}]}));
    assert_eq!(managed("helm"), [None, Some(30081)]);
    assert_eq!(managed("kube-controller-manager"), [None, None]);
}

#[test]
fn names_of_the_dns_controller_become_those_of_external_dns() {
    let key = |side: &str| format!("dns.alpha.kubernetes.io/{side}");
    let annotated = |kind: &str, side: &str| {
        service(
            json!({"annotations": {key(side): "shop.example.com"}}),
            json!({"type": kind, "ports": [{"port": 80}]}),
        )
    };
    let hostname = "external-dns.alpha.kubernetes.io/hostname";
    let new = one(&annotated("LoadBalancer", "external"), &context());
    assert_eq!(new["metadata"]["annotations"][hostname], "shop.example.com");
    assert!(new["metadata"]["annotations"].get(key("external")).is_none());
    let plain = one(&annotated("ClusterIP", "internal"), &context());
    assert!(!plain.to_string().contains("shop.example.com"), "{plain}");
    let own = annotated("LoadBalancer", "external");
    let remarks = transform(&own, &context()).remarks;
    let named = remarks
        .iter()
        .any(|remark| remark.says.contains("shop.example.com") && remark.weight == Weight::Warning);
    assert!(named, "{remarks:?}");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b",
        "annotations": {key("internal"): "a.example.com"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    assert!(one(&pod, &context())["metadata"].get("annotations").is_none());
}

fn balancer(annotations: &[(&str, &str)], context: &Context) -> Value {
    let annotations: Value = annotations
        .iter()
        .map(|(key, value)| (format!("{PREFIX}{key}"), Value::from(*value)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let object = service(
        json!({"annotations": annotations}),
        json!({"type": "LoadBalancer", "ports": [{"port": 80}]}),
    );
    one(&object, context)["metadata"]["annotations"].clone()
}

#[test]
fn the_scheme_is_always_said() {
    let scheme =
        |annotations: &[(&str, &str)]| balancer(annotations, &context())[format!("{PREFIX}scheme")].clone();
    assert_eq!(scheme(&[]), "internet-facing");
    assert_eq!(scheme(&[("internal", "true")]), "internal");
    assert_eq!(scheme(&[("internal", "0.0.0.0/0")]), "internal");
    assert_eq!(scheme(&[("internal", "false")]), "internet-facing");
    assert_eq!(scheme(&[("type", "nlb")]), "internet-facing");
    assert_eq!(scheme(&[("type", "external")]), "internal", "the controller's own default");
    let closed = Context { scheme: Scheme::Internal, ..context() };
    assert_eq!(balancer(&[], &closed)[format!("{PREFIX}scheme")], "internal");
}

#[test]
fn annotations_are_said_in_the_controllers_way() {
    let new = balancer(
        &[
            ("cross-zone-load-balancing-enabled", "true"),
            ("connection-draining-enabled", "true"),
            ("connection-draining-timeout", "60"),
            ("connection-idle-timeout", "30"),
            ("extra-security-groups", "sg-1"),
            ("name", "web"),
            ("eip-allocations", "eipalloc-1"),
            ("ssl-ports", "443"),
        ],
        &context(),
    );
    let expected: Value = [
        ("scheme", "internet-facing"),
        ("type", "external"),
        ("nlb-target-type", "instance"),
        ("attributes", "load_balancing.cross_zone.enabled=true"),
        ("target-group-attributes", "deregistration_delay.timeout_seconds=60"),
        ("listener-attributes.TCP-80", "tcp.idle_timeout.seconds=60"),
        ("security-groups", "sg-1"),
        ("ssl-ports", "443"),
    ]
    .into_iter()
    .map(|(key, value)| (format!("{PREFIX}{key}"), Value::from(value)))
    .collect::<serde_json::Map<_, _>>()
    .into();
    assert_eq!(new, expected);
    let http = service(
        json!({"annotations": {format!("{PREFIX}backend-protocol"): "http"}}),
        json!({"type": "LoadBalancer", "ports": []}),
    );
    assert_eq!(told(&transform(&http, &context()), Weight::Choice), ["balancer.layer-7"]);
    // Another controller's.
    let other = service(json!({}), json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/x"}));
    assert!(one(&other, &context())["metadata"].get("annotations").is_none());
}

#[test]
fn ingresses_do_not_meet_in_one_load_balancer() {
    let ingress = |annotations: Value, spec: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "a", "namespace": "shop", "annotations": annotations}, "spec": spec})
    };
    let alb = ingress(
        json!({"kubernetes.io/ingress.class": "alb", "alb.ingress.kubernetes.io/group.name": "shop",
            "alb.ingress.kubernetes.io/load-balancer-name": "shop"}),
        json!({}),
    );
    let new = one(&alb, &context());
    assert_eq!(
        new["metadata"]["annotations"],
        json!({"kubernetes.io/ingress.class": "alb",
        "alb.ingress.kubernetes.io/group.name": "shop-prod", "alb.ingress.kubernetes.io/scheme": "internal"})
    );
    let both = ingress(json!({"kubernetes.io/ingress.class": "nginx"}), json!({"ingressClassName": "nginx"}));
    let new = one(&both, &context());
    assert_eq!(
        (new["metadata"].get("annotations"), &new["spec"]["ingressClassName"]),
        (None, &json!("nginx"))
    );
}

#[test]
fn subjects_go_through_the_identity_map() {
    let binding = |subjects: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "a"},
            "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": subjects})
    };
    let group = |name: &str| json!({"kind": "Group", "name": name});
    let mut context = context();
    context.identities.insert("Group ops".into(), Identity::Rename("shop-ops".into()));
    context.identities.insert("User old".into(), Identity::Drop("left".into()));
    let kept = |subjects: Value| one(&binding(subjects), &context)["subjects"].clone();
    assert_eq!(
        kept(
            json!([group("ops"), {"kind": "User", "name": "old"}, group("system:nodes"), group("system:authenticated")])
        ),
        json!([group("shop-ops"), group("system:authenticated")])
    );
    assert_eq!(dropped_by(&binding(json!([group("system:masters")])), &context), "binding.subjects");
    let custom = transform(&binding(json!([group("system:deployers")])), &context);
    assert_eq!(told(&custom, Weight::Choice), ["binding.subjects"]);
}

#[test]
fn endpoints_of_a_selector_are_left_to_their_controller() {
    let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [{"addresses": [{"ip": "10.0.0.9"}]}]});
    assert_eq!(dropped_by(&endpoints, &context()), "", "written by hand, as far as one knows");
    let mut context = context();
    context.survey = Survey::of(&[service(json!({}), json!({"selector": {"app": "web"}}))]);
    assert_eq!(dropped_by(&endpoints, &context), "endpoints.derived");
}
