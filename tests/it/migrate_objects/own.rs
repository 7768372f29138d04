//! One fixture for each rule that says whose an object is.

use super::{annotated, classes, find, is_kops, labelled, object, owned, plain, replaced_by, workload};
use portolan::migrate::Level;
use portolan::migrate::own::{Answer, Class, Context, Index, Replacement, Whose, classify};
use portolan::model::{Object, ResourceId};
use serde_json::json;

const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn kops_labels(object: Object, addon: &str) -> Object {
    labelled(
        object,
        &[("app.kubernetes.io/managed-by", "kops"), ("addon.kops.k8s.io/name", addon), ("k8s-addon", addon)],
    )
}

fn index(addon: &str, objects: Vec<Object>) -> Index {
    let mut index = Index::default();
    index.add(addon, objects);
    index
}

fn one(object: &Object, index: &Index) -> portolan::migrate::own::Classified {
    classify(std::slice::from_ref(object), index, &Context::default()).remove(0)
}

#[test]
fn the_channel_knows_objects_that_lost_their_labels() {
    let deploy = plain("apps/v1", "Deployment", "kube-system", "coredns");
    let found = one(&deploy, &index("coredns.addons.k8s.io", vec![deploy.clone()]));
    assert_eq!(found.whose, Whose::Kops { addon: Some("coredns.addons.k8s.io".into()) });
    assert_eq!((found.rule.as_str(), replaced_by(&found)), ("own.kops.index", Some("coredns")));
}

#[test]
fn the_channel_knows_objects_by_todays_group_and_scope() {
    let manifest = plain("extensions/v1beta1", "DaemonSet", "kube-system", "kube-router");
    let role = plain("rbac.authorization.k8s.io/v1beta1", "ClusterRole", "kube-system", "kube-router");
    let service = plain("v1", "Service", "", "external-dns");
    let index = index("networking.kuberouter", vec![manifest, role, service]);
    for live in [
        plain("apps/v1", "DaemonSet", "kube-system", "kube-router"),
        plain(RBAC, "ClusterRole", "", "kube-router"),
        plain("v1", "Service", "default", "external-dns"),
    ] {
        assert_eq!(one(&live, &index).rule, "own.kops.index", "{live:?}");
    }
}

#[test]
fn an_object_that_somebody_put_in_kops_place_is_asked_about() {
    let manifest = labelled(
        plain(RBAC, "ClusterRole", "", "system:aggregated-metrics-reader"),
        &[("k8s-app", "metrics-server")],
    );
    let index = index("metrics-server.addons.k8s.io", vec![manifest.clone()]);
    let theirs = labelled(
        plain(RBAC, "ClusterRole", "", manifest.name()),
        &[("app.kubernetes.io/part-of", "kube-prometheus")],
    );
    let helm = annotated(
        manifest.clone(),
        &[("meta.helm.sh/release-name", "ms"), ("meta.helm.sh/release-namespace", "a")],
    );
    for live in [theirs, helm] {
        let found = one(&live, &index);
        assert_eq!(
            (found.whose.clone(), found.rule.as_str()),
            (Whose::User, "own.kops.taken-over"),
            "{live:?}"
        );
        assert!(matches!(found.class, Class::Ask { .. }));
        assert_eq!(found.verdict().level, Level::Choice);
    }
}

#[test]
fn labels_count_when_both_are_there() {
    let found = one(
        &kops_labels(plain("v1", "ConfigMap", "kube-system", "x"), "kops-controller.addons.k8s.io"),
        &Index::default(),
    );
    assert!(is_kops(&found) && matches!(found.class, Class::Drop { .. }), "{found:?}");
    let only_one =
        labelled(plain("v1", "ConfigMap", "shop", "x"), &[("app.kubernetes.io/managed-by", "kops")]);
    assert_eq!(one(&only_one, &Index::default()).class, Class::Port);
    let unknown = kops_labels(plain("v1", "ConfigMap", "kube-system", "x"), "of-tomorrow.addons.k8s.io");
    assert!(matches!(one(&unknown, &Index::default()).class, Class::Ask { .. }));
}

#[test]
fn the_selector_of_old_releases_counts_for_known_addons() {
    let old = labelled(
        plain("apps/v1", "Deployment", "kube-system", "dns-controller"),
        &[("k8s-addon", "dns-controller.addons.k8s.io")],
    );
    assert_eq!(replaced_by(&one(&old, &Index::default())), Some("external-dns"));
    let copied = labelled(
        plain("apps/v1", "Deployment", "shop", "dashboard"),
        &[("k8s-addon", "kubernetes-dashboard.addons.k8s.io")],
    );
    assert_eq!(one(&copied, &Index::default()).class, Class::Port);
    // kops 1.18 had no such add-on: somebody applied its manifest by hand.
    let autoscaler = labelled(
        plain("apps/v1", "Deployment", "kube-system", "cluster-autoscaler"),
        &[("k8s-addon", "cluster-autoscaler.addons.k8s.io")],
    );
    let context = Context { kops_version: Some("1.18.3".into()), ..Context::default() };
    let found = classify(&[autoscaler], &Index::default(), &context).remove(0);
    assert!(matches!(found.class, Class::Ask { .. }), "{found:?}");
}

#[test]
fn objects_given_to_kops_are_the_users() {
    let theirs = labelled(
        plain("v1", "ConfigMap", "shop", "settings"),
        &[("k8s-addon", "cluster-addons.kops.k8s.io")],
    );
    for index in [Index::default(), index("cluster-addons.kops.k8s.io", vec![theirs.clone()])] {
        let found = one(&theirs, &index);
        assert_eq!((found.whose, found.class), (Whose::User, Class::Port));
        assert_eq!(found.rule, "own.kops.cluster-addons");
    }
}

#[test]
fn names_alone_count_as_much_as_they_prove() {
    let dns = plain("apps/v1", "Deployment", "kube-system", "dns-controller");
    let role = plain(RBAC, "ClusterRole", "", "kops:dns-controller");
    let both = classes(&[dns.clone(), role.clone()]);
    assert!(both.iter().all(is_kops), "{both:?}");
    // Without its workload, a name is only a name.
    assert_eq!(one(&role, &Index::default()).whose, Whose::User);
    // A channel without the add-on: a leftover, or the users'.
    let channel = index("coredns.addons.k8s.io", Vec::new());
    let asked = classify(&[dns.clone(), role.clone()], &channel, &Context::default());
    assert!(asked.iter().all(|one| matches!(one.class, Class::Ask { .. })), "{asked:?}");
    // The channels tool noted that it applied it once.
    let system = annotated(
        plain("v1", "Namespace", "", "kube-system"),
        &[("addons.k8s.io/dns-controller.addons.k8s.io", "{}")],
    );
    let noted = classify(&[dns, role, system], &channel, &Context::default());
    assert_eq!(replaced_by(find(&noted, "Deployment", "dns-controller")), Some("external-dns"));
}

#[test]
fn popular_programs_are_asked_about_by_name() {
    let autoscaler = plain("apps/v1", "Deployment", "kube-system", "cluster-autoscaler");
    let found = one(&autoscaler, &Index::default());
    assert!(is_kops(&found) && matches!(found.class, Class::Ask { .. }), "{found:?}");
    let helm = annotated(
        autoscaler,
        &[("meta.helm.sh/release-name", "ca"), ("meta.helm.sh/release-namespace", "kube-system")],
    );
    assert_eq!(one(&helm, &Index::default()).whose, Whose::User);
}

#[test]
fn an_addon_younger_than_the_kops_is_not_its_own() {
    let deploy = plain("apps/v1", "Deployment", "kube-system", "metrics-server");
    let context = Context { kops_version: Some("1.18.0".into()), ..Context::default() };
    let found = classify(&[deploy], &Index::default(), &context).remove(0);
    assert_eq!((found.whose, found.rule.as_str()), (Whose::User, "own.user.in-kube-system"));
}

#[test]
fn what_nodes_run_from_files_stays() {
    let mirror = annotated(
        plain("v1", "Pod", "kube-system", "etcd-manager-main-i-0abc"),
        &[("kubernetes.io/config.mirror", "x")],
    );
    let found = one(&mirror, &Index::default());
    assert!(is_kops(&found) && found.rule == "own.kops.node-local");
    let other =
        annotated(plain("v1", "Pod", "edge", "proxy-i-0abc"), &[("kubernetes.io/config.mirror", "x")]);
    assert_eq!(one(&other, &Index::default()).whose, Whose::Kubernetes);
}

#[test]
fn the_limit_range_goes_along() {
    let range = kops_labels(plain("v1", "LimitRange", "default", "limits"), "limit-range.addons.k8s.io");
    let found = one(&range, &Index::default());
    assert!(is_kops(&found) && found.class == Class::Port);
    assert_eq!(found.verdict().level, Level::Warning);
}

#[test]
fn a_runtime_class_goes_along_when_pods_name_it() {
    let nvidia = kops_labels(plain("node.k8s.io/v1", "RuntimeClass", "", "nvidia"), "nvidia.addons.k8s.io");
    let gvisor = kops_labels(plain("node.k8s.io/v1", "RuntimeClass", "", "gvisor"), "gvisor.addons.k8s.io");
    let unused = classes(&[nvidia.clone(), gvisor.clone()]);
    assert!(unused.iter().all(|one| matches!(one.class, Class::Drop { .. })), "{unused:?}");
    let pod = |class: &str| {
        object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": class, "namespace": "ml"},
        "spec": {"runtimeClassName": class, "containers": []}}))
    };
    let used = classes(&[nvidia, gvisor, pod("nvidia"), pod("gvisor")]);
    assert_eq!(find(&used, "RuntimeClass", "nvidia").class, Class::Port);
    assert!(matches!(find(&used, "RuntimeClass", "gvisor").class, Class::Ask { .. }));
}

#[test]
fn a_namespace_of_kops_stays_while_users_live_in_it() {
    let namespace = kops_labels(plain("v1", "Namespace", "", "cert-manager"), "certmanager.io");
    assert_eq!(replaced_by(&one(&namespace, &Index::default())), Some("cert-manager"));
    let issuer = plain("cert-manager.io/v1", "Issuer", "cert-manager", "letsencrypt");
    let both = classes(&[namespace, issuer]);
    let kept = find(&both, "Namespace", "cert-manager");
    assert_eq!((kept.class.clone(), kept.rule.as_str()), (Class::Port, "own.kops.namespace-in-use"));
    assert_eq!(find(&both, "Issuer", "letsencrypt").class, Class::Port);
}

#[test]
fn eks_keeps_its_own() {
    for (object, rule) in [
        (
            labelled(
                plain("v1", "ConfigMap", "kube-system", "a"),
                &[("eks.amazonaws.com/component", "coredns")],
            ),
            "own.eks.label",
        ),
        (plain(RBAC, "ClusterRole", "", "eks:node-manager"), "own.eks.name"),
        (
            plain(
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration",
                "",
                "vpc-resource-mutating-webhook",
            ),
            "own.eks.name",
        ),
        (plain("policy/v1beta1", "PodSecurityPolicy", "", "eks.privileged"), "own.eks.name"),
    ] {
        let found = one(&object, &Index::default());
        assert_eq!((found.whose, found.rule.as_str()), (Whose::Eks, rule), "{object:?}");
        assert!(matches!(found.class, Class::Drop { .. }));
    }
    let watch = one(&plain("v1", "Namespace", "", "amazon-cloudwatch"), &Index::default());
    assert!(matches!(watch.class, Class::Ask { .. }));
}

#[test]
fn owners_make_what_is_theirs() {
    let mut deploy = workload("Deployment", "shop", "web", json!({"name": "web", "image": "web"}));
    deploy.metadata_mut().insert("uid".into(), json!("uid-web"));
    let set = owned(plain("apps/v1", "ReplicaSet", "shop", "web-1"), "apps/v1", "Deployment", "web");
    let pod = owned(plain("v1", "Pod", "shop", "web-1-a"), "apps/v1", "ReplicaSet", "web-1");
    let orphan = owned(plain("v1", "ConfigMap", "shop", "left"), "example.com/v1", "Shop", "gone");
    let all = classes(&[pod, orphan, set, deploy]);
    assert_eq!(find(&all, "Deployment", "web").class, Class::Port);
    for (kind, name, maker) in [("ReplicaSet", "web-1", "web"), ("Pod", "web-1-a", "web-1")] {
        let made = find(&all, kind, name);
        assert!(matches!(made.class, Class::Drop { .. }), "{made:?}");
        assert_eq!(made.maker.as_ref().unwrap().name, maker);
        assert_eq!(made.verdict().level, Level::Irrelevant);
    }
    let kept = find(&all, "ConfigMap", "left");
    assert_eq!((kept.class.clone(), kept.rule.as_str()), (Class::Port, "own.derived.orphan"));
}

#[test]
fn pods_of_kops_go_with_their_workload() {
    let set = kops_labels(
        plain("apps/v1", "DaemonSet", "kube-system", "aws-node"),
        "networking.amazon-vpc-routed-eni",
    );
    let pod = owned(plain("v1", "Pod", "kube-system", "aws-node-x"), "apps/v1", "DaemonSet", "aws-node");
    let all = classes(&[set, pod]);
    assert!(is_kops(find(&all, "Pod", "aws-node-x")));
}

#[test]
fn data_outlives_its_operator() {
    let database = plain("db.example.com/v1", "Database", "data", "main");
    let claim = owned(
        plain("v1", "PersistentVolumeClaim", "data", "main-0"),
        "db.example.com/v1",
        "Database",
        "main",
    );
    let secret =
        owned(plain("v1", "Secret", "data", "main-password"), "db.example.com/v1", "Database", "main");
    let budget = owned(
        plain("policy/v1", "PodDisruptionBudget", "data", "main"),
        "db.example.com/v1",
        "Database",
        "main",
    );
    let all = classes(&[database, claim, secret, budget]);
    assert_eq!(find(&all, "PersistentVolumeClaim", "main-0").class, Class::Port);
    assert_eq!(find(&all, "Secret", "main-password").class, Class::Port);
    assert!(matches!(find(&all, "PodDisruptionBudget", "main").class, Class::Drop { .. }));
}

#[test]
fn owners_in_a_ring_are_carried_over() {
    let one = owned(plain("v1", "ConfigMap", "a", "one"), "v1", "ConfigMap", "two");
    let two = owned(plain("v1", "ConfigMap", "a", "two"), "v1", "ConfigMap", "one");
    let own = owned(plain("v1", "ConfigMap", "a", "self"), "v1", "ConfigMap", "self");
    let all = classes(&[one, two, own]);
    assert_eq!(all.iter().filter(|one| one.class == Class::Port).count(), 2, "{all:?}");
    assert!(all.iter().any(|one| one.rule == "own.derived.orphan"));
}

#[test]
fn answers_settle_what_was_asked() {
    let lost = plain("v1", "ConfigMap", "kube-system", "mine");
    let answered = |answer| {
        let answers = [(ResourceId::new("", "ConfigMap", "kube-system", "mine"), answer)].into();
        classify(std::slice::from_ref(&lost), &Index::default(), &Context { answers, ..Context::default() })
            .remove(0)
    };
    assert!(matches!(one(&lost, &Index::default()).class, Class::Ask { .. }));
    assert_eq!(answered(Answer::Port).class, Class::Port);
    assert!(matches!(answered(Answer::Drop).class, Class::Drop { .. }));
}

#[test]
fn replacements_are_calls_or_charts() {
    let call = Replacement::named("coredns").unwrap().call("new").unwrap();
    assert_eq!(call.to_string(), "eks:CreateAddon");
    assert_eq!(call.input, json!({"clusterName": "new", "addonName": "coredns", "resolveConflicts": "NONE"}));
    let chart = Replacement::named("cluster-autoscaler").unwrap();
    assert!(chart.call("new").is_none() && chart.chart.is_some());
    assert!(!Replacement::named("cloud-controller").unwrap().needed);
}
