//! What people and programs do to a cluster behind the file's back: found with its field, mended or reported.

use super::scene::{Scene, WHOLE, Wish, shown};
use portolan::model::DriftPolicy;
use portolan::provision::StepAction;
use portolan::provision::resource::{Kind, Owner};
use serde_json::{Value, json};

const REPORT: Wish = Wish { drift: DriftPolicy::Report, asked: false, forgetful: false, blind: false };

type Change = fn(&mut Scene);

/// (what was done, kind, field, whether it is mended, the call that mends it).
struct Case(&'static str, Change, Kind, &'static str, &'static str);

fn cluster(scene: &mut Scene) -> &mut Value {
    scene.eks.cluster.as_mut().expect("a cluster")
}

const ENTRY: &str = "arn:aws:iam::111122223333:role/admins";
const VIEW: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";

fn cases() -> Vec<Case> {
    vec![
        Case(
            "the public endpoint was closed",
            |s| cluster(s)["resourcesVpcConfig"]["endpointPublicAccess"] = json!(false),
            Kind::Cluster,
            "/resourcesVpcConfig/endpointPublicAccess",
            "UpdateClusterConfig",
        ),
        Case(
            "audit logs were turned off",
            |s| cluster(s)["logging"] = json!({"clusterLogging": [{"types": ["api"], "enabled": true}]}),
            Kind::Cluster,
            "/logging",
            "UpdateClusterConfig",
        ),
        Case(
            "a tag of the cluster was removed",
            |s| {
                cluster(s)["tags"].as_object_mut().expect("tags").remove("team");
            },
            Kind::Cluster,
            "/tags/team",
            "TagResource",
        ),
        Case(
            "the support policy was changed",
            |s| cluster(s)["upgradePolicy"] = json!({"supportType": "STANDARD"}),
            Kind::Cluster,
            "/upgradePolicy/supportType",
            "UpdateClusterConfig",
        ),
        Case(
            "a label of nodes was changed",
            |s| s.eks.change("nodegroup", "steady", |g| g["labels"]["tier"] = json!("other")),
            Kind::Nodegroup,
            "/labels/tier",
            "UpdateNodegroupConfig",
        ),
        Case(
            "a label was put on nodes",
            |s| s.eks.change("nodegroup", "cheap", |g| g["labels"]["x/y"] = json!("z")),
            Kind::Nodegroup,
            "/labels/x~1y",
            "UpdateNodegroupConfig",
        ),
        Case(
            "the taint was taken off",
            |s| s.eks.change("nodegroup", "steady", |g| g["taints"] = json!([])),
            Kind::Nodegroup,
            "/taints",
            "UpdateNodegroupConfig",
        ),
        Case(
            "the group was given more room",
            |s| s.eks.change("nodegroup", "steady", |g| g["scalingConfig"]["maxSize"] = json!(40)),
            Kind::Nodegroup,
            "/scalingConfig/maxSize",
            "UpdateNodegroupConfig",
        ),
        Case(
            "another launch template version",
            |s| s.eks.change("nodegroup", "steady", |g| g["launchTemplate"]["version"] = json!("7")),
            Kind::Nodegroup,
            "/launchTemplate/version",
            "UpdateNodegroupVersion",
        ),
        Case(
            "an add-on's settings",
            |s| {
                s.eks.change("addon", "aws-ebs-csi-driver", |a| {
                    a["serviceAccountRoleArn"] = json!("arn:aws:iam::1:role/x")
                })
            },
            Kind::Addon,
            "/serviceAccountRoleArn",
            "UpdateAddon",
        ),
        Case(
            "a deleted add-on",
            |s| {
                s.eks.things.remove(&("addon", "metrics-server".into()));
            },
            Kind::Addon,
            "",
            "CreateAddon",
        ),
        Case(
            "a policy was taken from an entry",
            |s| s.eks.policies.clear(),
            Kind::AccessEntry,
            "/accessPolicies/arn:aws:eks::aws:cluster-access-policy~1AmazonEKSClusterAdminPolicy",
            "AssociateAccessPolicy",
        ),
        Case(
            "a policy was given to an entry",
            |s| {
                let scope = json!({"type": "cluster"});
                s.eks.policies.get_mut(ENTRY).expect("an entry").insert(VIEW.into(), scope);
            },
            Kind::AccessEntry,
            "/accessPolicies/arn:aws:eks::aws:cluster-access-policy~1AmazonEKSViewPolicy",
            "DisassociateAccessPolicy",
        ),
        Case(
            "groups were given to an entry",
            |s| s.eks.change("accessEntry", ENTRY, |e| e["kubernetesGroups"] = json!(["masters"])),
            Kind::AccessEntry,
            "/kubernetesGroups",
            "UpdateAccessEntry",
        ),
        Case(
            "pods were given another role",
            |s| {
                s.eks.change("association", "a-shop-web", |a| {
                    a["roleArn"] = json!("arn:aws:iam::1:role/other")
                })
            },
            Kind::PodIdentityAssociation,
            "/roleArn",
            "UpdatePodIdentityAssociation",
        ),
    ]
}

#[test]
fn every_kind_of_drift_is_found_and_mended() {
    for Case(what, change, kind, field, operation) in cases() {
        let mut scene = Scene::complete(WHOLE);
        change(&mut scene);
        let (plan, _) = scene.plan();
        let found: Vec<_> = plan.findings().collect();
        if field.is_empty() {
            let step = plan.steps.iter().find(|step| step.action == StepAction::Create).expect(what);
            assert!(step.drifted && step.key.kind == kind, "{what}");
        } else {
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            assert_eq!((found[0].0.kind, found[0].1.field.as_str()), (kind, field), "{what}");
        }
        let calls: Vec<&str> =
            plan.actionable().flat_map(|step| &step.calls).map(|call| call.operation.as_str()).collect();
        assert_eq!(calls, [operation], "{what}");
        scene.run();
        let (after, _) = scene.plan();
        assert!(after.is_empty() && after.findings().count() == 0, "{what}: {}", shown(&after));
    }
}

#[test]
fn the_policy_report_leaves_everything_as_it_is() {
    for Case(what, change, kind, field, _) in cases() {
        let mut scene = Scene::complete(WHOLE);
        change(&mut scene);
        let declared = scene.declared();
        let snapshot = scene.read(&declared);
        let (plan, _) = scene.plan_of(&declared, &snapshot, &REPORT);
        assert!(plan.is_empty(), "{what}: {}", shown(&plan));
        let found: Vec<_> = plan.findings().map(|(key, d)| (key.kind, d.field.as_str())).collect();
        assert_eq!(found, [(kind, field)], "{what}");
        // Asked for by a person, or declared anew, it is done.
        let (asked, _) = scene.plan_of(&declared, &snapshot, &Wish { asked: true, ..REPORT });
        assert_eq!(asked.actionable().count(), 1, "{what}");
        let (anew, _) = scene.plan_of(&declared, &snapshot, &Wish { forgetful: true, ..REPORT });
        assert_eq!(anew.actionable().count(), 1, "{what}");
    }
}

#[test]
fn nothing_is_written_while_frozen() {
    for Case(what, change, ..) in cases() {
        let mut scene = Scene::complete(WHOLE);
        change(&mut scene);
        let declared = scene.declared();
        let snapshot = scene.read(&declared);
        let (plan, _) = scene.plan_of(&declared, &snapshot, &Wish { drift: DriftPolicy::Freeze, ..REPORT });
        assert_eq!(plan.actionable().count(), 0, "{what}");
        assert!(!plan.is_empty(), "{what}");
    }
}

#[test]
fn a_scaled_group_is_the_autoscalers_unless_the_file_keeps_its_size() {
    let mut scene = Scene::complete(WHOLE);
    scene.eks.change("nodegroup", "steady", |group| group["scalingConfig"]["desiredSize"] = json!(3));
    let (plan, _) = scene.plan();
    assert!(plan.is_empty());
    scene.settings.desired_size = portolan::model::cluster::DesiredSize::Declared;
    scene.run();
    assert_eq!(scene.eks.thing("nodegroup", "steady")["scalingConfig"]["desiredSize"], 2);
}

#[test]
fn new_limits_take_the_number_of_nodes_with_them() {
    let mut scene = Scene::complete(WHOLE);
    scene.config.managed_node_groups[0].base.min_size = Some(4);
    scene.config.managed_node_groups[0].base.max_size = Some(9);
    scene.run();
    assert_eq!(
        scene.eks.thing("nodegroup", "steady")["scalingConfig"],
        json!({"minSize": 4, "maxSize": 9, "desiredSize": 4})
    );
}

#[test]
fn what_others_made_is_named_and_left_alone() {
    let mut scene = Scene::complete(WHOLE);
    let stranger = "arn:aws:iam::111122223333:role/stranger";
    let entry = json!({"principalArn": stranger, "type": "STANDARD", "createdAt": "2026-11-21T09:00:00Z"});
    scene.eks.things.insert(("accessEntry", stranger.into()), entry);
    let addon = json!({"addonName": "aws-efs-csi-driver", "status": "ACTIVE", "addonVersion": "v1.5.0-eksbuild.1",
        "tags": {"aws:cloudformation:stack-name": "eksctl-harbour-addon"}});
    scene.eks.things.insert(("addon", "aws-efs-csi-driver".into()), addon);
    let node = "arn:aws:iam::111122223333:role/nodes";
    let entry = json!({"principalArn": node, "type": "EC2_LINUX", "createdAt": "2026-11-21T09:00:00Z"});
    scene.eks.things.insert(("accessEntry", node.into()), entry);
    scene.eks.change("nodegroup", "steady", |group| group["tags"]["cost"] = json!("42"));

    let (plan, _) = scene.plan();
    let named: Vec<_> =
        plan.undeclared.iter().map(|each| (each.key.name.as_str(), each.owner.clone())).collect();
    assert_eq!(
        named,
        [("aws-efs-csi-driver", Owner::Stack("eksctl-harbour-addon".into())), (stranger, Owner::Other),]
    );
    let found: Vec<_> = plan.findings().map(|(key, d)| (key.name.as_str(), d.field.as_str())).collect();
    assert_eq!(found, [("steady", "/tags/cost")]);
    assert!(plan.is_empty(), "{}", shown(&plan));
}

#[test]
fn a_tag_that_left_the_file_is_taken_off() {
    let mut scene = Scene::complete(WHOLE);
    scene.config.metadata.tags.clear();
    scene.run();
    let tags = scene.eks.thing("nodegroup", "steady")["tags"].as_object().unwrap().clone();
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["portolan.dev/cluster", "portolan.dev/resource"]);
}

#[test]
fn what_left_the_file_goes_with_an_approval() {
    let mut scene = Scene::complete(WHOLE);
    scene.config.access_config.as_mut().unwrap().access_entries.clear();
    scene.config.fargate_profiles.clear();
    let (plan, _) = scene.plan();
    let deletions: Vec<_> =
        plan.steps.iter().filter(|s| s.action == StepAction::Delete).map(|s| s.key.kind).collect();
    assert!(deletions.contains(&Kind::FargateProfile) && deletions.contains(&Kind::AccessEntry));
    assert_eq!(plan.actionable().count(), 0);
    scene.approved.insert(plan.held);
    scene.run();
    assert!(!scene.eks.things.contains_key(&("fargateProfile", "batch".into())));
    assert!(!scene.eks.things.contains_key(&("accessEntry", ENTRY.into())));
}
