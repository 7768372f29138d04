//! Laws over generated claims: forward and back is as before, wherever it is cut; no disk is ever lost.

use super::world::{CLUSTER, KEY, Want, World};
use portolan::migrate::volumes::Towards;
use portolan::model::migration::Side;
use proptest::prelude::*;

fn want() -> impl Strategy<Value = (bool, &'static str, Vec<(&'static str, &'static str)>, bool)> {
    let tags = prop_oneof![
        Just(vec![("KubernetesCluster", CLUSTER), (KEY, "owned")]),
        Just(vec![("KubernetesCluster", CLUSTER)]),
        Just(vec![(KEY, "shared"), ("KubernetesCluster", CLUSTER)]),
        Just(vec![]),
        Just(vec![("ebs.csi.aws.com/cluster", "true"), (KEY, "owned"), ("KubernetesCluster", CLUSTER)]),
        Just(vec![("kubernetes.io/created-for/pvc/name", "older"), ("team", "a")]),
    ];
    (
        any::<bool>(),
        prop_oneof![Just("Delete"), Just("Retain"), Just("Recycle")],
        tags,
        prop::bool::weighted(0.2),
    )
}

fn wants() -> impl Strategy<Value = Vec<Want>> {
    prop::collection::vec(want(), 1..5).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(at, (in_tree, policy, tags, shared))| Want {
                name: format!("c{at}"),
                in_tree,
                policy,
                tags,
                shared,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut anywhere, then back: the source is as it was, the target is empty, and the snapshots are kept.
    #[test]
    fn forward_and_back_is_as_before(wants in wants(), cuts in prop::collection::vec(1usize..4, 0..12), write in any::<bool>()) {
        let mut world = World::new(&wants);
        world.stop(Side::Source);
        let before = world.picture();
        for most in &cuts {
            world.pass(Towards::Target, *most);
        }
        if write && world.look(Towards::Target).is_done() {
            for want in &wants {
                world.start(Side::Target, &want.name);
            }
            world.stop(Side::Target);
            let outcome = world.look(Towards::Source);
            for gate in outcome.gates {
                if let portolan::model::migration::Gate::Approval { digest } = gate {
                    world.approved.insert(digest);
                }
            }
        }
        let snapshots = world.disks.snapshots.len();
        world.run(Towards::Source);
        prop_assert_eq!(world.picture(), before);
        prop_assert!(world.target.is_empty(), "{:?}", world.target);
        prop_assert!(world.lost.is_empty());
        prop_assert_eq!(world.disks.snapshots.len(), snapshots);
    }

    /// To the end, whatever the size of the steps: every claim is bound, kops would spare every disk, the source could
    /// attach each again.
    #[test]
    fn forward_ends_where_both_can_attach_and_neither_deletes(wants in wants(), most in 1usize..4) {
        let mut world = World::new(&wants);
        world.stop(Side::Source);
        for _ in 0..100 {
            if world.pass(Towards::Target, most).is_done() {
                break;
            }
        }
        prop_assert!(world.look(Towards::Target).is_done());
        let bound = world.target.iter().filter(|object| object["kind"] == "PersistentVolumeClaim" && object["status"]["phase"] == "Bound");
        prop_assert_eq!(bound.count(), wants.len());
        for want in wants.iter().filter(|want| !want.shared) {
            let tags = &world.disks.volumes[&format!("vol-{}", want.name)].tags;
            prop_assert_eq!(tags["ebs.csi.aws.com/cluster"].as_str(), "true");
            let named = want.tags.iter().any(|(key, _)| *key == "KubernetesCluster");
            prop_assert_eq!(tags.contains_key("KubernetesCluster"), named);
            if named {
                prop_assert_eq!(tags[KEY].as_str(), "shared");
            }
        }
        prop_assert_eq!(world.disks.snapshots.len(), wants.iter().filter(|want| !want.shared).count());
    }
}
