//! Pods, Jobs, Secrets, texts, policies.

use super::{context, dropped_by, everything, one, told};
use portolan::transform::{Context, Jobs, Shape, Survey, Weight, diff, transform, transform_all};
use serde_json::{Value, json};

#[test]
fn what_has_ended_or_belongs_to_a_node_stays_behind() {
    let pod = |metadata: Value, status: Value| {
        let mut all = json!({"name": "a", "namespace": "shop"});
        all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": all, "spec": {}, "status": status})
    };
    assert_eq!(
        dropped_by(&pod(json!({"annotations": {"kubernetes.io/config.mirror": "x"}}), json!({})), &context()),
        "pod.mirror"
    );
    assert_eq!(dropped_by(&pod(json!({}), json!({"phase": "Succeeded"})), &context()), "pod.ended");
    assert_eq!(dropped_by(&pod(json!({}), json!({"phase": "Running"})), &context()), "");
    let job = |conditions: Value| {
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"controller-uid": "x"}}}, "status": {"conditions": conditions}})
    };
    assert_eq!(dropped_by(&job(json!([{"type": "Complete", "status": "True"}])), &context()), "job.finished");
    let waiting = one(&job(json!([])), &context());
    assert_eq!(waiting["spec"], json!({"suspend": true}));
    assert_eq!(dropped_by(&job(json!([])), &Context { jobs: Jobs::Skip, ..context() }), "job.unfinished");
}

#[test]
fn what_admission_wrote_is_taken_out_of_a_bare_pod() {
    let bare = everything().into_iter().find(|object| object["kind"] == "Pod").unwrap();
    let new = one(&bare, &context());
    assert_eq!(
        new["spec"],
        json!({"serviceAccountName": "default", "containers": [{"name": "a", "image": "quay.io/a/a:1"}]})
    );
}

#[test]
fn tokens_stay_and_pull_secrets_go_along() {
    let secret = |name: &str, kind: &str, annotations: Value| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind,
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations}, "data": {"token": "c2VjcmV0", "x": "eA=="}})
    };
    let account =
        json!({"kubernetes.io/service-account.name": "web", "kubernetes.io/service-account.uid": "u"});
    let token = "kubernetes.io/service-account-token";
    assert_eq!(
        dropped_by(&secret("web-token-abcde", token, account.clone()), &context()),
        "secret.account-token"
    );
    let manual = transform(&secret("for-ci", token, account), &context());
    assert_eq!(manual.objects[0]["data"], json!({"x": "eA=="}));
    assert_eq!(
        manual.objects[0]["metadata"]["annotations"],
        json!({"kubernetes.io/service-account.name": "web"})
    );
    assert_eq!(told(&manual, Weight::Warning), ["secret.account-token"]);
    let pull = secret("pull", "kubernetes.io/dockercfg", json!({}));
    assert_eq!(one(&pull, &context())["data"], pull["data"]);
    assert_eq!(
        dropped_by(&secret("b", "bootstrap.kubernetes.io/token", json!({})), &context()),
        "secret.bootstrap-token"
    );
    let release = secret("sh.helm.release.v1.a.v1", "helm.sh/release.v1", json!({}));
    assert_eq!(dropped_by(&release, &context()), "");
    assert_eq!(dropped_by(&release, &Context { helm_releases: false, ..context() }), "secret.helm-release");
}

#[test]
fn cron_jobs_wait_and_their_zone_is_a_field() {
    let cron = everything().into_iter().find(|object| object["kind"] == "CronJob").unwrap();
    let new = one(&cron, &context());
    assert_eq!(new["apiVersion"], "batch/v1");
    let spec = &new["spec"];
    assert_eq!(
        (&spec["suspend"], &spec["schedule"], &spec["timeZone"]),
        (&json!(true), &json!("0 3 * * *"), &json!("Europe/Vienna"))
    );
}

#[test]
fn workloads_stand_still_when_they_are_told_to() {
    let deployment = everything().into_iter().find(|object| object["kind"] == "Deployment").unwrap();
    let mut still = context();
    still.quiesce.workloads.insert(portolan::model::ResourceId::new("apps", "Deployment", "shop", "web"));
    assert_eq!(one(&deployment, &still)["spec"]["replicas"], 0);
    assert_eq!(one(&deployment, &context())["spec"]["replicas"], 2);
}

#[test]
fn images_come_from_the_mirror() {
    let image = |image: &str| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "a", "image": image}]}});
        one(&pod, &context())["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    };
    let hub = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/hub";
    assert_eq!(image("nginx"), format!("{hub}/library/nginx"));
    assert_eq!(image("grafana/grafana:9"), format!("{hub}/grafana/grafana:9"));
    assert_eq!(image("k8s.gcr.io/pause:3"), "registry.k8s.io/pause:3");
    assert_eq!(image("quay.io/a/b:1"), "quay.io/a/b:1");
}

#[test]
fn what_names_the_old_cluster_in_texts_is_told_and_not_edited() {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}, "data": {
        "url": "http://100.64.7.7:80 https://api.prod.example.com", "other": "10.1.2.3",
        "job.yaml": "apiVersion: batch/v1beta1\nkind: CronJob\n"}});
    let mut context = context();
    context.survey = Survey::of(&everything());
    let done = transform(&map, &context);
    assert_eq!(done.objects[0], map);
    let mut rules = told(&done, Weight::Warning);
    rules.sort_unstable();
    assert_eq!(rules, ["text.api-version", "text.cluster-name", "text.service-address"]);
    assert!(done.remarks.iter().any(|remark| remark.says.contains("Service shop/web")), "{:?}", done.remarks);
}

#[test]
fn the_clusters_dns_and_docker_are_looked_for() {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
        "dnsConfig": {"nameservers": ["100.64.0.10", "100.64.0.99"]},
        "volumes": [{"name": "d", "hostPath": {"path": "/var/run/docker.sock"}}],
        "containers": [{"name": "a", "image": "quay.io/a:1"}]}});
    let done = transform(&pod, &context());
    assert_eq!(done.objects[0]["spec"]["dnsConfig"]["nameservers"], json!(["172.20.0.10", "100.64.0.99"]));
    assert_eq!(told(&done, Weight::Blocker), ["pod.dns-address", "pod.host-paths"]);
}

#[test]
fn policies_become_labels_and_fields() {
    let set = [
        json!({"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy", "metadata": {"name": "tight"}, "spec": {
            "requiredDropCapabilities": ["ALL"], "allowPrivilegeEscalation": false, "volumes": ["configMap"],
            "runAsUser": {"rule": "MustRunAsNonRoot"}}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop",
            "annotations": {"kubernetes.io/psp": "tight"}}, "spec": {"containers": [{"name": "a", "image": "quay.io/a:1"}]}}),
    ];
    let done = transform_all(&set, &context());
    assert_eq!(done[0].dropped.as_ref().unwrap().rule, "api.version");
    assert_eq!(done[1].objects[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    let context = &done[2].objects[0]["spec"]["containers"][0]["securityContext"];
    assert_eq!(
        context,
        &json!({"runAsNonRoot": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}})
    );
}

#[test]
fn the_diff_shows_rules_and_no_secret() {
    let all = everything();
    let service = all.iter().find(|object| object["kind"] == "Service").unwrap();
    let text = diff(service, &context(), Shape::Whole);
    for words in [
        "Service shop/web (v1)",
        "service.cluster-ip",
        "- \"100.64.7.7\"",
        "--- source",
        "+++ target",
        "balancer.scheme",
    ] {
        let bare = words.replace('"', "");
        assert!(text.contains(words) || text.contains(&bare), "{words} is not in\n{text}");
    }
    let secret = all.iter().find(|object| object["kind"] == "Secret").unwrap();
    let text = diff(secret, &context(), Shape::Whole);
    assert!(!text.contains("aHVudGVyMg") && text.contains("(sensitive)"), "{text}");
}

#[test]
fn ports_of_nodes_are_told() {
    let pods = |spec: Value| {
        let workload = json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a", "namespace": "shop"},
            "spec": {"selector": {}, "template": {"spec": spec}}});
        let done = transform(&workload, &context());
        told(&done, Weight::Warning).iter().filter(|rule| **rule == "pod.host-network").count()
    };
    let container = |ports: Value| json!([{"name": "a", "image": "a:1", "ports": ports}]);
    assert_eq!(pods(json!({"containers": container(json!([{"containerPort": 80}]))})), 0);
    assert_eq!(pods(json!({"containers": container(json!([{"containerPort": 80, "hostPort": 80}]))})), 1);
    assert_eq!(pods(json!({"hostNetwork": true, "containers": container(json!([]))})), 1);
}
