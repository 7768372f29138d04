//! What Kubernetes makes itself, and what is the users', kind by kind.

use super::{annotated, classes, find, labelled, object, owned, plain, replaced_by, workload};
use portolan::migrate::own::{Class, Whose};
use portolan::model::Object;
use serde_json::json;

fn class(object: Object) -> (&'static str, String) {
    let found = classes(&[object]).remove(0);
    (found.class.name(), found.rule)
}

#[test]
fn what_every_cluster_has_stays() {
    for object in [
        plain("v1", "Node", "", "ip-10-0-0-1"),
        plain("v1", "Event", "shop", "e"),
        plain("events.k8s.io/v1", "Event", "shop", "e"),
        plain("coordination.k8s.io/v1", "Lease", "shop", "leader"),
        plain("storage.k8s.io/v1", "VolumeAttachment", "", "csi-1"),
        plain("apps/v1", "ControllerRevision", "shop", "web-1"),
        plain("metrics.k8s.io/v1beta1", "PodMetrics", "shop", "web"),
        plain("v1", "Service", "default", "kubernetes"),
        plain("v1", "Endpoints", "default", "kubernetes"),
        plain("v1", "Namespace", "", "kube-system"),
        plain("v1", "Namespace", "", "default"),
        plain("v1", "ServiceAccount", "shop", "default"),
        plain("v1", "ConfigMap", "shop", "kube-root-ca.crt"),
        plain("v1", "ConfigMap", "kube-system", "extension-apiserver-authentication"),
        plain("v1", "ConfigMap", "kube-system", "kubelet-config-1.24"),
        plain("scheduling.k8s.io/v1", "PriorityClass", "", "system-node-critical"),
        labelled(
            plain("rbac.authorization.k8s.io/v1", "ClusterRole", "", "edit"),
            &[("kubernetes.io/bootstrapping", "rbac-defaults")],
        ),
        labelled(
            plain("apiregistration.k8s.io/v1", "APIService", "", "v1.apps"),
            &[("kube-aggregator.kubernetes.io/automanaged", "onstart")],
        ),
        annotated(
            plain("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "", "exempt"),
            &[("apf.kubernetes.io/autoupdate-spec", "true")],
        ),
        annotated(
            plain("v1", "ConfigMap", "shop", "lock"),
            &[("control-plane.alpha.kubernetes.io/leader", "{}")],
        ),
        labelled(
            plain("discovery.k8s.io/v1", "EndpointSlice", "shop", "web-a"),
            &[("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io")],
        ),
        plain("networking.k8s.io/v1", "ServiceCIDR", "", "kubernetes"),
        plain("velero.io/v1", "Backup", "velero", "daily"),
        plain("kops.k8s.io/v1alpha2", "Cluster", "", "old.example.com"),
    ] {
        let shown = format!("{object:?}");
        assert_eq!(class(object).0, "drop", "{shown}");
    }
}

#[test]
fn what_users_added_to_it_is_merged() {
    let account = object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "shop"}, "imagePullSecrets": [{"name": "registry"}]}));
    assert_eq!(class(account), ("port", "own.kubernetes.merge".into()));
    let namespace = labelled(
        plain("v1", "Namespace", "", "default"),
        &[("team", "shop"), ("kubernetes.io/metadata.name", "default")],
    );
    assert_eq!(class(namespace), ("port", "own.kubernetes.merge".into()));
}

#[test]
fn endpoints_belong_to_services_with_a_selector() {
    let service = |selector| {
        object(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"selector": selector}}))
    };
    let endpoints = plain("v1", "Endpoints", "shop", "db");
    let selected = classes(&[service(json!({"app": "db"})), endpoints.clone()]);
    assert!(matches!(find(&selected, "Endpoints", "db").class, Class::Drop { .. }));
    let manual = classes(&[service(json!({})), endpoints]);
    assert_eq!(find(&manual, "Endpoints", "db").class, Class::Port);
    let slice = labelled(
        plain("discovery.k8s.io/v1", "EndpointSlice", "shop", "db-1"),
        &[("kubernetes.io/service-name", "db"), ("endpointslice.kubernetes.io/managed-by", "staff")],
    );
    assert_eq!(class(slice), ("port", "own.user.manual-endpoints".into()));
}

fn token(name: &str, account: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "namespace": "ci", "annotations": {"kubernetes.io/service-account.name": account}}}))
}

#[test]
fn tokens_are_made_anew_or_issued_anew() {
    assert_eq!(class(token("robot-token-x7k2p", "robot")), ("drop", "own.kubernetes.token".into()));
    assert_eq!(class(token("robot-for-jenkins", "robot")), ("port", "own.kubernetes.token".into()));
    let account = object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "robot", "namespace": "ci"}, "secrets": [{"name": "odd"}]}));
    let listed = classes(&[account, token("odd", "robot")]);
    assert!(matches!(find(&listed, "Secret", "odd").class, Class::Drop { .. }));
    let bootstrap =
        object(json!({"apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": "bootstrap-token-a", "namespace": "kube-system"}}));
    assert_eq!(class(bootstrap).0, "drop");
}

#[test]
fn policies_of_other_networks_are_asked_about_and_their_state_stays() {
    for (api, kind, expected) in [
        ("crd.projectcalico.org/v1", "GlobalNetworkPolicy", "ask"),
        ("crd.projectcalico.org/v1", "NetworkPolicy", "ask"),
        ("crd.projectcalico.org/v1", "IPAMBlock", "drop"),
        ("crd.projectcalico.org/v1", "IPPool", "drop"),
        ("cilium.io/v2", "CiliumNetworkPolicy", "ask"),
        ("cilium.io/v2", "CiliumIdentity", "drop"),
        ("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "ask"),
        ("networking.k8s.io/v1", "NetworkPolicy", "port"),
    ] {
        assert_eq!(class(plain(api, kind, "shop", "a")).0, expected, "{kind}");
    }
}

#[test]
fn custom_resources_that_know_the_old_cluster() {
    for (api, kind, expected) in [
        ("karpenter.sh/v1", "NodePool", "ask"),
        ("karpenter.sh/v1", "NodeClaim", "drop"),
        ("iamauthenticator.k8s.aws/v1alpha1", "IAMIdentityMapping", "replace"),
        ("cert-manager.io/v1", "Certificate", "port"),
        ("cert-manager.io/v1", "ClusterIssuer", "port"),
        ("acme.cert-manager.io/v1", "Order", "drop"),
        ("networking.k8s.aws/v1alpha1", "PolicyEndpoint", "drop"),
        ("crd.k8s.amazonaws.com/v1alpha1", "ENIConfig", "port"),
        ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "port"),
        ("elbv2.k8s.aws/v1beta1", "IngressClassParams", "port"),
        ("policy/v1beta1", "PodSecurityPolicy", "replace"),
        ("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent", "port"),
        ("monitoring.coreos.com/v1", "ServiceMonitor", "port"),
    ] {
        assert_eq!(class(plain(api, kind, "", "a")).0, expected, "{kind}");
    }
    let made = labelled(
        plain("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "shop", "k8s-a"),
        &[("ingress.k8s.aws/stack", "web")],
    );
    assert_eq!(class(made), ("drop", "own.user.derived-resource".into()));
}

#[test]
fn programs_that_know_their_cluster() {
    let with = |image: &str| workload("DaemonSet", "tools", "x", json!({"name": "c", "image": image}));
    let found = classes(&[with("docker.io/jtblin/kube2iam:0.11")]).remove(0);
    assert_eq!(replaced_by(&found), Some("pod-identity-associations"));
    for image in [
        "registry.k8s.io/autoscaling/cluster-autoscaler:v1.24",
        "registry.k8s.io/external-dns/external-dns@sha256:00",
        "public.ecr.aws/karpenter/controller:1.0",
    ] {
        assert_eq!(class(with(image)), ("ask", "own.user.program".into()), "{image}");
    }
    assert_eq!(class(with("example.com/team/controller:1")).0, "port");
    assert_eq!(class(with("example.com:5000/kube2iam-dashboard")).0, "port");
}

#[test]
fn what_has_ended_does_not_begin_again() {
    let pod = |phase: &str| {
        object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "a"},
        "status": {"phase": phase}}))
    };
    assert_eq!(class(pod("Succeeded")).0, "drop");
    assert_eq!(class(pod("Running")).0, "port");
    let job = |status| {
        object(
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "a"}, "status": status}),
        )
    };
    assert_eq!(class(job(json!({"conditions": [{"type": "Complete", "status": "True"}]}))).0, "drop");
    assert_eq!(class(job(json!({"active": 1}))).0, "ask");
    let cron = plain("batch/v1", "CronJob", "a", "nightly");
    let run = owned(plain("batch/v1", "Job", "a", "nightly-1"), "batch/v1", "CronJob", "nightly");
    let all = classes(&[cron, run]);
    assert_eq!(find(&all, "CronJob", "nightly").class, Class::Port);
    assert!(matches!(find(&all, "Job", "nightly-1").class, Class::Drop { .. }));
}

#[test]
fn users_objects_in_kube_system_are_listed() {
    let lost = plain("v1", "Secret", "kube-system", "smtp");
    assert_eq!(class(lost.clone()), ("ask", "own.user.in-kube-system".into()));
    let helm = annotated(
        lost,
        &[("meta.helm.sh/release-name", "mail"), ("meta.helm.sh/release-namespace", "kube-system")],
    );
    let found = classes(&[helm]).remove(0);
    assert_eq!((found.class.clone(), found.whose.clone()), (Class::Port, Whose::User));
    assert!(found.says.contains("Helm"), "{}", found.says);
}
