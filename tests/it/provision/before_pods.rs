//! What pods have to find when they are created, and that a minor is reached only when Fargate's pods run on it.

use super::scene::{Scene, WHOLE, Wish, config, shown};
use portolan::model::DriftPolicy;
use portolan::model::plan::Verdict;
use portolan::provision::eks::Minor;
use portolan::provision::gates::{Keeper, Kubelet};
use portolan::provision::resource::{Key, Kind};
use portolan::provision::{CloudPlan, StepAction};
use serde_json::json;
use std::collections::BTreeSet;

fn batch() -> Key {
    Key::new(Kind::FargateProfile, "batch")
}

/// What they have to find, as the plan of now has it.
fn before(plan: &CloudPlan) -> BTreeSet<Kind> {
    plan.before_pods().into_iter().map(|key| key.kind).collect()
}

const BOTH: [Kind; 2] = [Kind::FargateProfile, Kind::PodIdentityAssociation];

const NOTHING: BTreeSet<Kind> = BTreeSet::new();

#[test]
fn pods_wait_for_profiles_and_associations_until_they_are_there_and_for_nothing_else() {
    let mut scene = Scene::new(WHOLE);
    let mut waited = 0;
    for _ in 0..200 {
        let (plan, _) = scene.plan();
        let there = |kind| {
            plan.steps.iter().any(|step| step.key.kind == kind && step.action == StepAction::Unchanged)
        };
        let missing: BTreeSet<Kind> = BOTH.into_iter().filter(|kind| !there(*kind)).collect();
        assert_eq!(before(&plan), missing, "{}", shown(&plan));
        waited += usize::from(!missing.is_empty());
        if plan.is_empty() {
            assert!(
                waited > 2,
                "it is waited for over several passes: while it cannot be made, and while it is"
            );
            return;
        }
        scene.execute(&plan, usize::MAX);
        scene.eks.settle();
    }
    panic!("it does not end");
}

#[test]
fn a_profile_that_is_on_its_way_is_waited_for_and_one_that_is_changed_is_not() {
    let mut scene = Scene::complete(WHOLE);
    assert_eq!(before(&scene.plan().0), NOTHING);
    scene.eks.change("fargateProfile", "batch", |profile| profile["status"] = json!("CREATING"));
    assert_eq!(scene.plan().0.before_pods(), BTreeSet::from([batch()]));
    scene.eks.change("fargateProfile", "batch", |profile| profile["status"] = json!("ACTIVE"));
    scene.eks.change("fargateProfile", "batch", |profile| profile["tags"]["team"] = json!("air"));
    let (plan, _) = scene.plan();
    assert_eq!(before(&plan), NOTHING, "a tag is no matter for pods: {}", shown(&plan));
}

#[test]
fn what_waits_for_a_person_or_is_only_told_keeps_no_pod_waiting() {
    // A profile that has to be made anew: the old one stays in use until somebody approves.
    let mut scene = Scene::complete(WHOLE);
    scene.config = config(&WHOLE.replace("kind: job", "kind: task"));
    let (plan, _) = scene.plan();
    assert!(plan.steps.iter().any(|step| step.key == batch() && matches!(step.verdict, Verdict::Held(_))));
    assert_eq!(before(&plan), NOTHING);
    // Deleted by somebody, where drift is only reported: nobody makes it again.
    let mut scene = Scene::complete(WHOLE);
    let declared = scene.declared();
    let mut snapshot = scene.read(&declared);
    snapshot.live.remove(&batch());
    let report = Wish { drift: DriftPolicy::Report, ..Wish::default() };
    assert_eq!(before(&scene.plan_of(&declared, &snapshot, &report).0), NOTHING);
    // Where it is mended, it is waited for; where nothing may be written, nothing will come.
    assert_eq!(
        before(&scene.plan_of(&declared, &snapshot, &Wish::default()).0),
        BTreeSet::from([Kind::FargateProfile])
    );
    let freeze = Wish { drift: DriftPolicy::Freeze, ..Wish::default() };
    assert_eq!(before(&scene.plan_of(&declared, &snapshot, &freeze).0), NOTHING);
}

#[test]
fn what_could_not_be_read_is_waited_for() {
    let mut scene = Scene::complete(WHOLE);
    let declared = scene.declared();
    let mut snapshot = scene.read(&declared);
    snapshot.unread.insert(Kind::FargateProfile, "no answer".into());
    let (plan, _) = scene.plan_of(&declared, &snapshot, &Wish::default());
    assert_eq!(plan.before_pods(), BTreeSet::from([batch()]));
}

#[test]
fn the_next_minor_waits_until_pods_of_fargate_run_on_this_one() {
    let mut scene = Scene::complete(&WHOLE.replace("\"1.35\"", "\"1.34\""));
    scene.config.metadata.version = Some("1.36".into());
    let pod = |minor| Kubelet {
        node: "fargate-1".into(),
        version: Minor { major: 1, minor },
        keeper: Keeper::Fargate,
    };
    scene.inside.kubelets = vec![pod(34)];
    // Everything that moves by calls moves to 1.35, and no further.
    scene.run();
    let version = |scene: &Scene| scene.eks.cluster.as_ref().unwrap()["version"].clone();
    assert_eq!(version(&scene), "1.35");
    let (plan, staged) = scene.plan();
    assert_eq!(staged.restart, ["fargate-1"]);
    let step = plan.steps.iter().find(|step| step.key.kind == Kind::Cluster).unwrap();
    assert!(
        matches!(&step.verdict, Verdict::Deferred(words) if words.contains("at 1.35 first: Fargate pods on fargate-1")),
        "{step:?}"
    );
    // Its pod has come back on a node of 1.35: now the next.
    scene.inside.kubelets = vec![pod(35)];
    let (plan, staged) = scene.plan();
    assert_eq!(staged.restart, Vec::<String>::new());
    assert!(plan.actionable().any(|step| step.key.kind == Kind::Cluster), "{}", shown(&plan));
    scene.run();
    assert_eq!(version(&scene), "1.36");
    // At the end there is no call to make, and still it is not there: the course says so.
    let (plan, staged) = scene.plan();
    assert!(plan.is_empty());
    assert!(staged.course.expect("a course").now.contains("Fargate pods on fargate-1"));
    scene.inside.kubelets = vec![pod(36)];
    assert_eq!(scene.plan().1.course, None);
}
