//! A file and an EKS in memory come together, whatever happens in between.

use super::scene::{Scene, WHOLE, Wish, config, shown};
use portolan::model::plan::Verdict;
use portolan::provision::StepAction;
use portolan::provision::resource::Kind;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

fn count(scene: &Scene) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::from([("cluster", usize::from(scene.eks.cluster.is_some()))]);
    for (kind, _) in scene.eks.things.keys() {
        *counts.entry(*kind).or_default() += 1;
    }
    counts
}

fn whole() -> BTreeMap<&'static str, usize> {
    // Add-ons: four defaults and two; entries: one declared, and the creator's.
    BTreeMap::from([
        ("cluster", 1),
        ("addon", 6),
        ("nodegroup", 2),
        ("fargateProfile", 1),
        ("accessEntry", 2),
        ("association", 1),
    ])
}

#[test]
fn a_cluster_is_made_in_order_and_then_nothing_is_left_to_do() {
    let mut scene = Scene::complete(WHOLE);
    assert_eq!(count(&scene), whole());
    for _ in 0..100 {
        let (plan, staged) = scene.plan();
        assert!(plan.is_empty(), "{}", shown(&plan));
        assert_eq!(plan.findings().count(), 0);
        assert_eq!(plan.undeclared, []);
        assert!(staged.course.is_none() && plan.held.is_empty());
    }
    let group = scene.eks.thing("nodegroup", "steady");
    assert_eq!(group["scalingConfig"], json!({"minSize": 1, "maxSize": 4, "desiredSize": 2}));
    assert_eq!(group["labels"]["alpha.eksctl.io/nodegroup-name"], "steady");
    assert_eq!(group["tags"]["portolan.dev/resource"], "Nodegroup/steady");
    assert_eq!(group["tags"]["team"], "sea");
    let cluster = scene.eks.cluster.as_ref().unwrap();
    assert_eq!(cluster["bootstrapSelfManagedAddons"], false);
    assert_eq!(cluster["accessConfig"]["authenticationMode"], "API");
}

#[test]
fn the_first_plan_shows_everything_and_what_each_step_waits_for() {
    let mut scene = Scene::new(WHOLE);
    let (plan, _) = scene.plan();
    let create: Vec<_> = plan.steps.iter().filter(|step| step.action == StepAction::Create).collect();
    assert_eq!(create.len(), 1 + 6 + 2 + 1 + 1 + 1);
    let cluster = create.iter().find(|step| step.key.kind == Kind::Cluster).unwrap();
    assert_eq!(cluster.verdict, Verdict::Allowed);
    assert_eq!(cluster.cost, "about 10 min");
    let group = create.iter().find(|step| step.key.kind == Kind::Nodegroup).unwrap();
    assert!(
        matches!(&group.verdict, Verdict::Deferred(words) if words.contains("Addon/vpc-cni")),
        "{group:?}"
    );
    assert!(group.waits_for.iter().any(|key| key.kind == Kind::Cluster));
    assert!(plan.held.is_empty());
}

#[test]
fn a_removed_document_takes_everything_away_after_one_approval() {
    let mut scene = Scene::complete(WHOLE);
    scene.removed = true;
    let (plan, _) = scene.plan();
    assert!(!plan.held.is_empty() && plan.actionable().next().is_none(), "{}", shown(&plan));
    assert_eq!(scene.run(), 0, "nothing goes unasked");
    assert_eq!(count(&scene), whole());

    scene.approved.insert(plan.held);
    scene.run();
    let (rest, _) = scene.plan();
    assert_eq!(count(&scene), BTreeMap::from([("cluster", 0)]), "{}", shown(&rest));
    let deleted: Vec<&str> = scene
        .eks
        .calls
        .iter()
        .filter(|call| call.operation.starts_with("Delete"))
        .map(|call| call.operation.as_str())
        .collect();
    // What goes with the cluster needs no call of its own.
    assert_eq!(deleted, ["DeleteNodegroup", "DeleteNodegroup", "DeleteFargateProfile", "DeleteCluster"]);
}

#[test]
fn a_protected_cluster_is_not_deleted() {
    let mut scene = Scene::new(WHOLE);
    scene.settings.deletion_protection = Some(true);
    scene.run();
    scene.removed = true;
    let (plan, _) = scene.plan();
    let cluster = plan.steps.iter().find(|step| step.key.kind == Kind::Cluster).unwrap();
    assert!(matches!(&cluster.verdict, Verdict::Blocked(words) if words.contains("deletion protection")));
}

#[test]
fn a_group_under_a_new_name_takes_the_place_of_the_old_one() {
    let mut scene = Scene::complete(WHOLE);
    scene.config = config(
        &WHOLE.replace("name: steady, instanceType: m5.large", "name: large, instanceType: m5.2xlarge"),
    );
    let (plan, _) = scene.plan();
    let old = plan
        .steps
        .iter()
        .find(|step| step.key.name == "steady" && step.action == StepAction::Delete)
        .unwrap();
    assert!(old.waits.contains("Nodegroup/large"), "{old:?}");
    scene.approved.insert(plan.held.clone());
    scene.run();
    assert_eq!(count(&scene), whole());
    let made = |operation: &str| {
        scene.eks.calls.iter().position(|call| {
            call.operation == operation && {
                let name = call.input["nodegroupName"].as_str();
                name == Some("large") || name == Some("steady") && operation == "DeleteNodegroup"
            }
        })
    };
    assert!(made("CreateNodegroup") < made("DeleteNodegroup"));
}

#[test]
fn what_eksctl_made_is_adopted_with_one_approval() {
    let mut scene = Scene::complete(WHOLE);
    let foreign = |thing: &mut serde_json::Value| {
        thing["tags"] = json!({"aws:cloudformation:stack-name": "eksctl-harbour-cluster"});
    };
    foreign(scene.eks.cluster.as_mut().unwrap());
    scene.eks.things.values_mut().for_each(foreign);
    scene.applied.clear();
    scene.eks.change("nodegroup", "steady", |group| group["labels"]["tier"] = json!("other"));
    let (plan, _) = scene.plan();
    assert_eq!(plan.actionable().count(), 0, "{}", shown(&plan));
    assert_eq!(plan.count(StepAction::Adopt), 1 + 6 + 2 + 1 + 1 + 1);
    let groups = plan.steps.iter().filter(|step| step.key.kind == Kind::Nodegroup);
    let group = groups.into_iter().find(|step| step.key.name == "steady").unwrap();
    assert!(matches!(&group.verdict, Verdict::Held(words) if words.contains("eksctl-harbour-cluster")));
    assert!(group.differences.iter().any(|difference| difference.field == "/labels/tier"));
    assert_eq!(group.calls.len(), 1, "tags first; what else differs is mended by the pass after");

    scene.approved.insert(plan.held);
    scene.run();
    let (plan, _) = scene.plan();
    assert!(plan.is_empty(), "{}", shown(&plan));
    assert_eq!(scene.eks.thing("nodegroup", "steady")["labels"]["tier"], "steady");
    assert_eq!(count(&scene), whole());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Stopped after any call of any pass, and begun again: one cluster, nothing twice.
    #[test]
    fn it_comes_together_wherever_it_is_stopped(stops in prop::collection::vec(0usize..4, 1..30), settle in any::<u32>()) {
        let mut scene = Scene::new(WHOLE);
        for (nth, stop) in stops.iter().enumerate() {
            let (plan, _) = scene.plan();
            scene.execute(&plan, *stop);
            if settle >> (nth % 32) & 1 == 1 {
                scene.eks.settle();
            }
        }
        scene.run();
        prop_assert_eq!(count(&scene), whole());
        let (plan, _) = scene.plan();
        prop_assert!(plan.is_empty());
    }

    /// The order of the input does not show in the plan.
    #[test]
    fn shuffled_input_gives_the_same_digest(seed in any::<u64>(), complete in any::<bool>()) {
        let mut scene = if complete { Scene::complete(WHOLE) } else { Scene::new(WHOLE) };
        let declared = scene.declared();
        let snapshot = scene.read(&declared);
        let digest = scene.plan_of(&declared, &snapshot, &Wish::default()).0.digest();
        let mut shuffled = declared.clone();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, (state >> 33) as usize % (at + 1));
        }
        prop_assert_eq!(scene.plan_of(&shuffled, &snapshot, &Wish::default()).0.digest(), digest);
    }
}
