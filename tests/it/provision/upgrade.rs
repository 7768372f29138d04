//! A cluster climbs minor by minor, behind gates, and goes back within AWS's window.

use super::scene::{Scene, WHOLE, Wish, shown};
use portolan::model::plan::Verdict;
use portolan::provision::eks::Minor;
use portolan::provision::gates::{ApiUse, Keeper, Kubelet, TightBudget};
use portolan::provision::plan::CloudPlan;
use portolan::provision::resource::Kind;
use serde_json::json;

fn minor(minor: u32) -> Minor {
    Minor { major: 1, minor }
}

fn at(yaml_version: &str) -> String {
    WHOLE.replace("version: \"1.35\"", &format!("version: \"{yaml_version}\""))
}

fn to(scene: &mut Scene, version: &str) {
    scene.config.metadata.version = Some(version.into());
}

fn version_step(plan: &CloudPlan) -> &portolan::provision::Step {
    let has_version =
        |step: &&portolan::provision::Step| step.differences.iter().any(|d| d.field == "/version");
    plan.steps
        .iter()
        .filter(has_version)
        .find(|step| step.key.kind == Kind::Cluster)
        .expect("a version to change")
}

fn blocked(plan: &CloudPlan) -> String {
    match &version_step(plan).verdict {
        Verdict::Blocked(words) => words.clone(),
        other => panic!("{other:?}"),
    }
}

/// The updates that were called, in order, without what repeats.
fn updates(scene: &Scene) -> Vec<String> {
    let mut made: Vec<String> = Vec::new();
    for call in &scene.eks.calls {
        let line = match call.operation.as_str() {
            "UpdateClusterVersion" => format!("cluster {}", call.input["version"].as_str().expect("a text")),
            "UpdateAddon" => format!("addons {}", call.input["addonVersion"].as_str().expect("a text")),
            "UpdateNodegroupVersion" => {
                format!(
                    "{} {}",
                    call.input["nodegroupName"].as_str().expect("a text"),
                    call.input["version"].as_str().expect("a text")
                )
            }
            _ => continue,
        };
        if made.last() != Some(&line) {
            made.push(line);
        }
    }
    made
}

#[test]
fn each_minor_in_turn_control_plane_then_addons_then_groups_one_by_one() {
    let mut scene = Scene::complete(&at("1.34"));
    to(&mut scene, "1.36");
    let (plan, staged) = scene.plan();
    let course = staged.course.expect("a course");
    assert_eq!((course.current, course.target), (minor(34), minor(36)));
    assert!(
        course.outlook.iter().any(|line| line == "node group steady to 1.36: 2 nodes replaced"),
        "{course:?}"
    );
    assert_eq!(version_step(&plan).verdict, Verdict::Allowed);
    assert_eq!(
        version_step(&plan).cost,
        "the control plane moves on, about 10 min; no node is replaced by this step"
    );
    scene.run();
    assert_eq!(
        updates(&scene),
        [
            "cluster 1.35",
            "addons v1.5.0-eksbuild.1",
            "cheap 1.35",
            "steady 1.35",
            "cluster 1.36",
            "addons v1.5.2-eksbuild.1",
            "cheap 1.36",
            "steady 1.36",
        ]
    );
    let (plan, staged) = scene.plan();
    assert!(plan.is_empty() && staged.course.is_none(), "{}", shown(&plan));
}

#[test]
fn the_cost_of_new_nodes_is_shown() {
    let mut scene = Scene::complete(&at("1.35"));
    to(&mut scene, "1.36");
    scene.eks.cluster.as_mut().unwrap()["version"] = json!("1.36");
    for addon in
        ["vpc-cni", "kube-proxy", "coredns", "metrics-server", "eks-pod-identity-agent", "aws-ebs-csi-driver"]
    {
        scene.eks.change("addon", addon, |addon| addon["addonVersion"] = json!("v1.6.0-eksbuild.1"));
    }
    let (plan, _) = scene.plan();
    let steps: Vec<_> = plan.steps.iter().filter(|step| !step.cost.is_empty()).collect();
    assert_eq!(steps[0].cost, "at least 2 nodes are replaced, 1 at a time, about 10 min");
    assert_eq!(steps[0].verdict, Verdict::Allowed);
    assert!(
        matches!(&steps[1].verdict, Verdict::Deferred(words) if words == "goes after Nodegroup/cheap"),
        "{steps:?}"
    );
}

#[test]
fn what_the_file_names_is_taken_when_it_fits() {
    let yaml = at("1.35").replace(
        "{name: aws-ebs-csi-driver}",
        "{name: aws-ebs-csi-driver, version: v1.5.2-eksbuild.1}, {name: coredns, version: latest}",
    );
    let mut scene = Scene::complete(&yaml);
    let version = |scene: &Scene, addon: &str| scene.eks.thing("addon", addon)["addonVersion"].clone();
    assert_eq!(version(&scene, "aws-ebs-csi-driver"), "v1.5.2-eksbuild.1");
    assert_eq!(version(&scene, "coredns"), "v1.5.2-eksbuild.1", "the newest");
    assert_eq!(version(&scene, "vpc-cni"), "v1.5.0-eksbuild.1", "EKS's default");
    to(&mut scene, "1.36");
    scene.run();
    assert_eq!(version(&scene, "aws-ebs-csi-driver"), "v1.5.2-eksbuild.1");
    assert_eq!(version(&scene, "coredns"), "v1.6.1-eksbuild.3");
    assert_eq!(version(&scene, "vpc-cni"), "v1.5.2-eksbuild.1");

    scene.config.addons.iter_mut().find(|addon| addon.name == "coredns").unwrap().version = Some("v9".into());
    let (plan, _) = scene.plan();
    let step = plan.steps.iter().find(|step| step.key.name == "coredns").unwrap();
    assert!(
        matches!(&step.verdict, Verdict::Blocked(words) if words.contains("there is no version v9") && words.contains("v1.6.1-eksbuild.3")),
        "{step:?}"
    );
}

#[test]
fn gates_say_why_a_version_has_to_wait() {
    type Change = fn(&mut Scene);
    let cases: Vec<(Change, &str)> = vec![
        (
            |scene| {
                scene.inside.removed_apis.push(ApiUse {
                    api: "flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema".into(),
                    removed_in: minor(36),
                    place: "apps/limits.yaml:7".into(),
                })
            },
            "FlowSchema in apps/limits.yaml:7",
        ),
        (
            |scene| {
                scene.inside.tight_budgets.push(TightBudget {
                    namespace: "shop".into(),
                    name: "web".into(),
                    because: "minAvailable 2 of 2 pods".into(),
                })
            },
            "shop/web (minAvailable 2 of 2 pods)",
        ),
        (
            |scene| {
                scene.inside.kubelets.push(Kubelet {
                    node: "old".into(),
                    version: minor(32),
                    keeper: Keeper::Other,
                })
            },
            "old (1.32)",
        ),
        (
            |scene| {
                scene.eks.change("addon", "coredns", |addon| {
                    addon["status"] = json!("DEGRADED");
                    addon["health"] =
                        json!({"issues": [{"code": "InsufficientNumberOfReplicas", "message": "0 of 2"}]});
                })
            },
            "coredns (InsufficientNumberOfReplicas: 0 of 2)",
        ),
        (
            |scene| {
                scene.eks.insights.push(json!({"name": "Kubelet version skew", "insightStatus": {"status": "ERROR", "reason": "too old"}}))
            },
            "Kubelet version skew: too old",
        ),
        (
            |scene| scene.eks.change("nodegroup", "steady", |group| group["status"] = json!("UPDATING")),
            "Nodegroup/steady",
        ),
        (
            |scene| {
                let group = json!({"nodegroupName": "byhand", "status": "ACTIVE", "version": "1.34"});
                scene.eks.things.insert(("nodegroup", "byhand".into()), group);
            },
            "Nodegroup/byhand are not declared and not at 1.35",
        ),
        (
            |scene| {
                scene.inside.kubelets.push(Kubelet {
                    node: "fargate-1".into(),
                    version: minor(34),
                    keeper: Keeper::Fargate,
                })
            },
            "Fargate pods on fargate-1",
        ),
        (
            |scene| {
                scene.eks.addon_versions.remove("1.36");
            },
            "EKS does not offer 1.36",
        ),
    ];
    for (change, words) in cases {
        let mut scene = Scene::complete(&at("1.35"));
        to(&mut scene, "1.36");
        change(&mut scene);
        let (plan, staged) = scene.plan();
        let step = version_step(&plan);
        let shown = format!("{:?}", step.verdict);
        assert!(shown.contains(words), "{words}: {shown}");
        assert!(!step.is_actionable());
        assert!(staged.course.expect("a course").now.contains(words));
    }
}

#[test]
fn insights_and_budgets_can_be_passed_over_and_removed_apis_cannot() {
    let mut scene = Scene::complete(&at("1.35"));
    to(&mut scene, "1.36");
    scene.config.metadata.force_update_version = Some(true);
    scene.eks.insights.push(json!({"name": "x", "insightStatus": {"status": "ERROR"}}));
    let (plan, _) = scene.plan();
    let step = version_step(&plan);
    assert_eq!(step.verdict, Verdict::Allowed);
    assert_eq!(step.calls[0].input["force"], true);
    scene.inside.removed_apis.push(ApiUse { api: "a/v1 B".into(), removed_in: minor(36), place: "p".into() });
    let (plan, _) = scene.plan();
    assert!(blocked(&plan).contains("a/v1 B in p"));
}

#[test]
fn no_version_moves_while_the_inside_is_not_known() {
    let mut scene = Scene::complete(&at("1.35"));
    to(&mut scene, "1.36");
    let declared = scene.declared();
    let snapshot = scene.read(&declared);
    let (plan, _) = scene.plan_of(&declared, &snapshot, &Wish { blind: true, ..Wish::default() });
    assert!(
        matches!(&version_step(&plan).verdict, Verdict::Deferred(words) if words.contains("could not be read"))
    );
}

#[test]
fn no_group_moves_either_but_its_template_does() {
    let mut scene = Scene::complete(&at("1.35"));
    scene.eks.change("nodegroup", "cheap", |group| group["version"] = json!("1.34"));
    scene.eks.change("nodegroup", "steady", |group| group["launchTemplate"]["version"] = json!("7"));
    let declared = scene.declared();
    let snapshot = scene.read(&declared);
    let (plan, _) = scene.plan_of(&declared, &snapshot, &Wish { blind: true, ..Wish::default() });
    assert_eq!(plan.actionable().count(), 0, "one group after another: {}", shown(&plan));
    scene.eks.change("nodegroup", "cheap", |group| group["version"] = json!("1.35"));
    let snapshot = scene.read(&declared);
    let (plan, _) = scene.plan_of(&declared, &snapshot, &Wish { blind: true, ..Wish::default() });
    assert_eq!(plan.actionable().count(), 1, "{}", shown(&plan));
}

#[test]
fn old_fargate_pods_are_restarted_when_all_else_is_done() {
    let mut scene = Scene::complete(&at("1.35"));
    scene.inside.kubelets.push(Kubelet {
        node: "fargate-1".into(),
        version: minor(34),
        keeper: Keeper::Fargate,
    });
    let (plan, staged) = scene.plan();
    assert!(plan.is_empty());
    assert_eq!(staged.restart, ["fargate-1"]);
    assert!(staged.course.expect("a course").now.contains("Fargate pods on fargate-1"));
}

#[test]
fn a_revert_before_anything_moved_leaves_nothing_to_do() {
    let mut scene = Scene::complete(&at("1.35"));
    to(&mut scene, "1.36");
    assert!(!scene.plan().0.is_empty());
    to(&mut scene, "1.35");
    assert!(scene.plan().0.is_empty());
}

fn upgraded() -> Scene {
    let mut scene = Scene::complete(&at("1.35"));
    to(&mut scene, "1.36");
    scene.run();
    scene.eks.calls.clear();
    to(&mut scene, "1.35");
    scene
}

#[test]
fn back_within_the_window_nodes_first_with_one_approval() {
    let mut scene = upgraded();
    let (plan, staged) = scene.plan();
    assert!(staged.course.expect("a course").now.contains("before the control plane"));
    assert_eq!(plan.actionable().count(), 0);
    assert!(
        matches!(&version_step(&plan).verdict, Verdict::Held(words) if words.starts_with("back from 1.36 to 1.35"))
    );
    scene.run();
    assert_eq!(updates(&scene), Vec::<String>::new(), "nothing goes unasked");

    scene.approved.insert(plan.held);
    scene.run();
    assert_eq!(updates(&scene), ["cheap 1.35", "steady 1.35", "cluster 1.35"]);
    let (plan, _) = scene.plan();
    assert!(plan.is_empty(), "{}", shown(&plan));
}

#[test]
fn addons_that_do_not_fit_the_older_version_go_back_too() {
    let mut scene = upgraded();
    scene.eks.change("addon", "coredns", |addon| addon["addonVersion"] = json!("v1.6.1-eksbuild.3"));
    let (plan, _) = scene.plan();
    scene.approved.insert(plan.held);
    scene.run();
    assert_eq!(scene.eks.thing("addon", "coredns")["addonVersion"], "v1.5.0-eksbuild.1");
    assert_eq!(updates(&scene).last().map(String::as_str), Some("cluster 1.35"));
}

#[test]
fn there_is_no_way_back_after_the_window_or_without_an_upgrade_or_by_two() {
    let mut scene = upgraded();
    scene.now = "2026-12-01T00:00:00Z".into();
    assert!(blocked(&scene.plan().0).contains("within seven days only"));
    assert!(matches!(scene.plan().0.steps.iter().filter(|s| s.is_actionable()).count(), 0));

    let mut scene = Scene::complete(&at("1.36"));
    to(&mut scene, "1.35");
    assert!(blocked(&scene.plan().0).contains("was not upgraded to 1.36 in place"));

    let mut scene = upgraded();
    to(&mut scene, "1.34");
    assert!(blocked(&scene.plan().0).contains("one minor only"));
}

#[test]
fn newer_nodes_that_eks_does_not_take_back_keep_the_control_plane() {
    let mut scene = upgraded();
    scene.inside.kubelets.push(Kubelet {
        node: "fargate-1".into(),
        version: minor(36),
        keeper: Keeper::Fargate,
    });
    let (plan, _) = scene.plan();
    scene.approved.insert(plan.held);
    scene.run();
    let (plan, _) = scene.plan();
    assert!(blocked(&plan).contains("Fargate pods on fargate-1"), "{}", shown(&plan));
}
