//! Laws of the plan: what holds for every input.

use portolan::model::plan::{Action, Plan, Verdict};
use portolan::model::{Deletion, DriftPolicy, Gvk, ResourceId, SyncSpec};
use portolan::plan::annotations::{Directives, Prune};
use portolan::plan::{Comparison, Desired, LiveFact, PlanInput, plan};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a plan is made from, owned.
#[derive(Clone, Debug)]
struct World {
    desired: Vec<Desired>,
    live: BTreeMap<ResourceId, LiveFact>,
}

impl World {
    fn plan(&self) -> Plan {
        self.plan_with(&|_| false, None)
    }

    fn plan_with(&self, approved: &dyn Fn(&str) -> bool, prune_waits: Option<String>) -> Plan {
        plan(&PlanInput {
            application: "shop",
            destination: "prod",
            revision: "main@1",
            desired: &self.desired,
            live: &self.live,
            claimed_by_others: &BTreeMap::new(),
            deferred: &BTreeMap::new(),
            forbidden: &BTreeMap::new(),
            prune_waits,
            unavailable_groups: &BTreeSet::new(),
            sync: &SyncSpec::default(),
            drift: DriftPolicy::Correct,
            frozen: None,
            deletion: Deletion::Delete,
            removed: false,
            asked: false,
            approved,
            applied_whole: false,
            held_before: None,
            strangers: &BTreeMap::new(),
            immutable: &BTreeMap::new(),
        })
    }
}

const KINDS: [(&str, &str); 6] = [
    ("", "Namespace"),
    ("", "ConfigMap"),
    ("", "Service"),
    ("apps", "Deployment"),
    ("example.com", "Widget"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
];

fn id(kind: usize, name: usize) -> ResourceId {
    let (group, kind) = KINDS[kind];
    ResourceId::new(group, kind, "shop", &format!("n{name}"))
}

fn desired(id: ResourceId, wave: i32, digest: &str) -> Desired {
    Desired {
        gvk: Gvk::new(&id.group, "v1", &id.kind),
        id,
        body: Arc::from(&b"{}"[..]),
        initial: None,
        digest: digest.into(),
        directives: Arc::new(Directives { wave, ..Directives::default() }),
        origin: "a.yaml:1".into(),
    }
}

fn fact(applied: &str, ours: bool) -> LiveFact {
    LiveFact {
        uid: "u".into(),
        resource_version: "1".into(),
        application: Some("shop".into()),
        applied: applied.into(),
        comparison: Comparison::AsApplied,
        ours,
        terminating: false,
        hook: false,
        prune: Prune::Allowed,
        delete: Prune::Allowed,
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let ids = (0..KINDS.len(), 0..4usize).prop_map(|(kind, name)| id(kind, name));
    let wanted = proptest::collection::btree_map(ids.clone(), (-2..3i32, 0..2usize), 0..12);
    let there = proptest::collection::btree_map(ids, (0..2usize, any::<bool>()), 0..12);
    (wanted, there).prop_map(|(wanted, there)| World {
        desired: wanted
            .into_iter()
            .map(|(id, (wave, digest))| desired(id, wave, &format!("d{digest}")))
            .collect(),
        live: there.into_iter().map(|(id, (digest, ours))| (id, fact(&format!("d{digest}"), ours))).collect(),
    })
}

proptest! {
    #[test]
    fn shuffled_input_gives_the_same_digest(world in worlds(), seed in any::<u64>()) {
        let mut shuffled = world.clone();
        let count = shuffled.desired.len().max(1);
        shuffled.desired.rotate_left(usize::try_from(seed % count as u64).unwrap());
        if seed % 2 == 0 {
            shuffled.desired.reverse();
        }
        prop_assert_eq!(world.plan().digest(), shuffled.plan().digest());
    }

    #[test]
    fn a_plan_survives_json(world in worlds()) {
        let plan = world.plan();
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }

    #[test]
    fn only_what_is_ours_and_undeclared_is_deleted(world in worlds()) {
        let wanted: BTreeSet<&ResourceId> = world.desired.iter().map(|d| &d.id).collect();
        for change in world.plan().changes().filter(|change| change.action == Action::Delete) {
            prop_assert!(world.live[&change.id].ours);
            prop_assert!(!wanted.contains(&change.id));
            prop_assert_eq!(change.precondition.uid.as_deref(), Some("u"));
            prop_assert_eq!(change.precondition.resource_version.as_deref(), Some("1"));
        }
    }

    #[test]
    fn nothing_is_deleted_while_pruning_waits(world in worlds()) {
        let plan = world.plan_with(&|_| true, Some("something does not render".into()));
        for change in plan.changes().filter(|change| change.action == Action::Delete) {
            prop_assert!(matches!(change.verdict, Verdict::Deferred(_)), "{:?}", change);
        }
    }

    #[test]
    fn waves_come_in_order_and_deletions_in_reverse(world in worlds()) {
        let plan = world.plan_with(&|_| true, None);
        prop_assert!(plan.apply.windows(2).all(|pair| pair[0].order < pair[1].order));
        prop_assert!(plan.prune.windows(2).all(|pair| pair[0].order > pair[1].order));
        for wave in &plan.apply {
            for change in &wave.changes {
                let desired = world.desired.iter().find(|d| d.id == change.id).unwrap();
                prop_assert_eq!(wave.order.sync_wave, desired.directives.wave);
            }
        }
    }

    #[test]
    fn a_world_as_desired_has_an_empty_plan(world in worlds()) {
        let live = world.desired.iter().map(|d| (d.id.clone(), fact(&d.digest, true))).collect();
        let settled = World { desired: world.desired.clone(), live };
        prop_assert!(settled.plan().is_empty());
    }

    #[test]
    fn what_is_held_is_released_by_its_digest_and_no_other(world in worlds()) {
        let held = world.plan();
        prop_assume!(!held.held.is_empty());
        let digest = held.held.clone();
        let approved = world.plan_with(&|given| given == digest, None);
        prop_assert!(approved.held.is_empty());
        prop_assert!(approved.changes().all(|change| !matches!(change.verdict, Verdict::Held(_))));
        let other = world.plan_with(&|given| given == "another", None);
        prop_assert_eq!(other.held, digest);
    }
}
