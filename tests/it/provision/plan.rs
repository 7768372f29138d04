//! The rules of a plan, each with the smallest scene that shows it.

use super::scene::scope;
use portolan::model::application::Adopt;
use portolan::model::cloud::{Call, Service};
use portolan::model::plan::Verdict;
use portolan::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State, TOKEN,
};
use portolan::provision::{CloudPlan, PlanInput, Step, StepAction, plan};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A driver of one kind: `size` is changed in place, `place` not at all, tags as everywhere.
struct Plain(Kind);

fn call(operation: &str, input: Value) -> Call {
    Call::new(Service::Ec2, operation, input)
}

impl Driver for Plain {
    fn kind(&self) -> Kind {
        self.0
    }
    fn reads(&self, _: &Scope, _: &Snapshot, _: &[Resource]) -> Vec<Call> {
        Vec::new()
    }
    fn absorb(&self, _: &Scope, _: &[Resource], _: &Call, _: &Value, _: &mut Snapshot) -> Vec<Call> {
        Vec::new()
    }
    fn create(
        &self,
        _: &Scope,
        r: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        call("Create", json!({"Name": r.key.name, "Is": desired, "Tags": tags, "Token": token}))
    }
    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _: &Snapshot,
    ) -> Vec<Difference> {
        let mut found = Vec::new();
        for (name, value) in tags.iter().filter(|(name, value)| live.tags.get(*name) != Some(value)) {
            found.push(Difference {
                field: format!("/tags/{}", name.replace('/', "~1")),
                declared: json!(value),
                actual: json!(live.tags.get(name)),
                mend: Mend::InPlace(call("Tag", json!({"Id": live.id, "Tags": tags}))),
            });
        }
        for (field, mend) in [
            ("size", Mend::InPlace(call("Resize", json!({"Id": live.id, "To": desired["size"]})))),
            ("place", Mend::Impossible("make another one".into())),
        ] {
            if !desired[field].is_null() && desired[field] != live.actual[field] {
                let (declared, actual) = (desired[field].clone(), live.actual[field].clone());
                found.push(Difference { field: format!("/{field}"), declared, actual, mend });
            }
        }
        found
    }
    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![call("Delete", json!({"Id": live.id}))]
    }
}

const KINDS: [Kind; 10] = [
    Kind::Vpc,
    Kind::Subnet,
    Kind::Role,
    Kind::Cluster,
    Kind::Nodegroup,
    Kind::Addon,
    Kind::AccessEntry,
    Kind::SecurityGroup,
    Kind::FargateProfile,
    Kind::RouteTable,
];
static PLAIN: [Plain; 10] = [
    Plain(KINDS[0]),
    Plain(KINDS[1]),
    Plain(KINDS[2]),
    Plain(KINDS[3]),
    Plain(KINDS[4]),
    Plain(KINDS[5]),
    Plain(KINDS[6]),
    Plain(KINDS[7]),
    Plain(KINDS[8]),
    Plain(KINDS[9]),
];

fn key(kind: Kind, name: &str) -> Key {
    Key::new(kind, name)
}

fn declared(key: &Key, desired: Value, needs: &[&Key]) -> Resource {
    Resource {
        key: key.clone(),
        desired,
        tags: BTreeMap::new(),
        needs: needs.iter().map(|need| (*need).clone()).collect(),
        declared_at: format!("/{}", key.name),
        existing: false,
    }
}

fn live(key: &Key, actual: Value) -> Live {
    Live {
        key: key.clone(),
        id: format!("id-{}", key.name),
        actual,
        outputs: BTreeMap::from([("id".into(), json!(format!("id-{}", key.name)))]),
        tags: scope().tags(key),
        owner: Owner::Ours,
        state: State::Ready,
    }
}

fn snapshot(live: impl IntoIterator<Item = Live>) -> Snapshot {
    Snapshot { live: live.into_iter().map(|live| (live.key.clone(), live)).collect(), ..Snapshot::default() }
}

fn made(resources: &[Resource], snapshot: &Snapshot, change: fn(&mut PlanInput<'_>)) -> CloudPlan {
    let scope = scope();
    let drivers: Vec<&dyn Driver> = PLAIN.iter().map(|plain| plain as &dyn Driver).collect();
    let mut input = PlanInput::new(&scope, resources, snapshot, &drivers);
    change(&mut input);
    plan(&input)
}

fn only(plan: &CloudPlan) -> &Step {
    assert_eq!(plan.steps.len(), 1, "{plan:#?}");
    &plan.steps[0]
}

#[test]
fn what_is_missing_is_created_when_what_it_needs_is_there() {
    let (vpc, subnet) = (key(Kind::Vpc, "vpc"), key(Kind::Subnet, "a"));
    let resources = [
        declared(&subnet, json!({"VpcId": vpc.output("id")}), &[&vpc]),
        declared(&vpc, json!({"size": 1}), &[]),
    ];
    let first = made(&resources, &Snapshot::default(), |_| {});
    assert_eq!(first.steps.iter().map(|step| &step.key).collect::<Vec<_>>(), [&vpc, &subnet]);
    assert_eq!(first.steps[0].verdict, Verdict::Allowed);
    assert_eq!(first.steps[0].calls[0].input["Token"], TOKEN);
    assert_eq!(first.steps[0].calls[0].input["Tags"], json!(scope().tags(&vpc)));
    assert_eq!(first.steps[1].verdict, Verdict::Deferred("waits for Vpc/vpc".into()));
    assert_eq!(
        first.steps[1].calls[0].input["Is"]["VpcId"]["$output"]["name"], "vpc",
        "shown as it is not known yet"
    );

    let then = made(&resources, &snapshot([live(&vpc, json!({"size": 1}))]), |_| {});
    assert_eq!(then.steps[1].verdict, Verdict::Allowed);
    assert_eq!(then.steps[1].calls[0].input["Is"]["VpcId"], "id-vpc");
    assert_ne!(first.digest(), then.digest());
}

#[test]
fn what_is_not_complete_or_somebody_elses_is_not_built_upon() {
    let (role, cluster) = (key(Kind::Role, "cluster"), key(Kind::Cluster, "c"));
    let resources = [declared(&role, json!({"size": 2}), &[]), declared(&cluster, json!({}), &[&role])];
    let half = made(&resources, &snapshot([live(&role, json!({"size": 1}))]), |_| {});
    assert_eq!(half.steps[1].verdict, Verdict::Deferred("waits for Role/cluster".into()));

    let foreign = Live { owner: Owner::Other, tags: BTreeMap::new(), ..live(&role, json!({"size": 2})) };
    let plan = made(&resources, &snapshot([foreign.clone()]), |_| {});
    assert_eq!(plan.steps[0].action, StepAction::Adopt);
    assert!(matches!(plan.steps[1].verdict, Verdict::Deferred(_)));

    // Unless it is meant to be somebody else's.
    let existing = [Resource { existing: true, ..resources[0].clone() }, resources[1].clone()];
    let plan = made(&existing, &snapshot([foreign]), |_| {});
    assert_eq!(plan.steps[0].action, StepAction::Unchanged);
    assert_eq!(plan.steps[1].verdict, Verdict::Allowed);
    let plan = made(&existing, &Snapshot::default(), |_| {});
    assert!(matches!(&plan.steps[0].verdict, Verdict::Blocked(words) if words.contains("was not found")));
}

#[test]
fn nothing_is_done_to_a_kind_that_could_not_be_read() {
    let (a, b) = (key(Kind::Nodegroup, "a"), key(Kind::Nodegroup, "b"));
    let mut found = snapshot([live(&b, json!({})), live(&key(Kind::Cluster, "c"), json!({}))]);
    found.unread.insert(Kind::Nodegroup, "AccessDenied".into());
    let plan = made(&[declared(&a, json!({}), &[])], &found, |input| input.approved = &|_| true);
    assert_eq!(plan.actionable().count(), 0, "{plan:#?}");
    assert!(!plan.is_empty() && plan.is_waiting());
    // The cluster is not deleted either, for nobody knows what stands on it.
    let cluster = plan.steps.iter().find(|step| step.key.kind == Kind::Cluster).unwrap();
    assert!(
        matches!(&cluster.verdict, Verdict::Deferred(words) if words.contains("still uses it")),
        "{cluster:?}"
    );
}

#[test]
fn a_change_that_is_not_possible_blocks_that_change_only() {
    let group = key(Kind::Nodegroup, "g");
    let resources = [declared(&group, json!({"size": 2, "place": "b"}), &[])];
    let plan = made(&resources, &snapshot([live(&group, json!({"size": 1, "place": "a"}))]), |_| {});
    let [update, replace] = &plan.steps[..] else { panic!("{plan:#?}") };
    assert_eq!((update.action, &update.verdict), (StepAction::Update, &Verdict::Allowed));
    assert_eq!(update.differences[0].field, "/size");
    assert_eq!(replace.action, StepAction::Replace);
    assert_eq!(replace.verdict, Verdict::Blocked("/place: make another one".into()));
    assert!(replace.calls.is_empty());
}

#[test]
fn what_holds_nothing_is_made_anew_with_an_approval() {
    let profile = key(Kind::FargateProfile, "p");
    let resources = [declared(&profile, json!({"place": "b"}), &[])];
    let found = snapshot([live(&profile, json!({"place": "a"}))]);
    let held = made(&resources, &found, |_| {});
    assert_eq!(only(&held).action, StepAction::Replace);
    assert!(matches!(only(&held).verdict, Verdict::Held(_)) && !held.held.is_empty());
    let free = made(&resources, &found, |input| input.approved = &|_| true);
    assert_eq!(only(&free).verdict, Verdict::Allowed);
    assert_eq!(only(&free).calls[0].operation, "Delete");
    assert_eq!(only(&free).later[0].operation, "Create");
}

#[test]
fn what_failed_shows_its_issues_and_the_way_out() {
    let group = key(Kind::Nodegroup, "g");
    let resources = [declared(&group, json!({}), &[])];
    let failed = |owner| {
        let state = State::Failed("CREATE_FAILED: NodeCreationFailure: no route".into());
        snapshot([Live { state, owner, ..live(&group, json!({})) }])
    };
    let plan = made(&resources, &failed(Owner::Ours), |_| {});
    assert_eq!(only(&plan).action, StepAction::Replace);
    assert!(matches!(&only(&plan).verdict, Verdict::Held(words) if words.contains("no route")));
    let plan = made(&resources, &failed(Owner::Other), |input| input.approved = &|_| true);
    assert!(matches!(&only(&plan).verdict, Verdict::Blocked(words) if words.contains("no route")));
    assert!(only(&plan).calls.is_empty());
}

#[test]
fn a_failed_cluster_with_nodes_is_not_deleted_by_an_approval() {
    let (cluster, group) = (key(Kind::Cluster, "c"), key(Kind::Nodegroup, "g"));
    let resources = [declared(&cluster, json!({}), &[]), declared(&group, json!({}), &[&cluster])];
    let state = State::Failed("FAILED: KmsKeyDisabled".into());
    let found = snapshot([Live { state, ..live(&cluster, json!({})) }, live(&group, json!({}))]);
    let plan = made(&resources, &found, |input| input.approved = &|_| true);
    assert!(
        matches!(&plan.steps[0].verdict, Verdict::Blocked(words) if words.contains("Nodegroup/g stand on it"))
    );
    assert_eq!(plan.actionable().count(), 0);
}

#[test]
fn adoption_goes_by_policy_and_approval() {
    let group = key(Kind::Nodegroup, "g");
    let resources = [declared(&group, json!({"size": 2}), &[])];
    let found = |owner| snapshot([Live { owner, tags: BTreeMap::new(), ..live(&group, json!({"size": 1})) }]);
    let stack = || Owner::Stack("eksctl-c-nodegroup-g".into());
    let verdict = |owner, change| only(&made(&resources, &found(owner), change)).verdict.clone();
    assert!(matches!(verdict(Owner::Other, |_| {}), Verdict::Held(_)));
    assert!(
        matches!(verdict(stack(), |_| {}), Verdict::Held(words) if words.contains("eksctl-c-nodegroup-g"))
    );
    assert!(matches!(verdict(Owner::Other, |i| i.adopt = Adopt::Always), Verdict::Allowed));
    assert!(matches!(verdict(stack(), |i| i.adopt = Adopt::Always), Verdict::Held(_)));
    assert!(matches!(verdict(Owner::Other, |i| i.adopt = Adopt::Never), Verdict::Blocked(_)));

    let plan = made(&resources, &found(Owner::Other), |i| i.adopt = Adopt::Always);
    let step = only(&plan);
    assert_eq!(step.calls.iter().map(|c| c.operation.as_str()).collect::<Vec<_>>(), ["Tag"]);
    assert_eq!(step.later.iter().map(|c| c.operation.as_str()).collect::<Vec<_>>(), ["Resize"]);
    assert_eq!(step.differences.len(), 3);
}

#[test]
fn an_approval_is_bound_to_the_very_thing() {
    let group = key(Kind::Nodegroup, "g");
    let with_arn = |arn: &str| {
        let mut group = live(&group, json!({}));
        group.outputs.insert("arn".into(), json!(arn));
        snapshot([group])
    };
    let one = made(&[], &with_arn("1"), |_| {});
    assert_eq!(one.held, made(&[], &with_arn("1"), |_| {}).held);
    assert_ne!(one.held, made(&[], &with_arn("2"), |_| {}).held);
    assert_eq!(only(&one).precondition.as_ref().unwrap().arn, "1");
}

#[test]
fn an_approval_outlives_the_passes_that_it_takes() {
    let scope = scope();
    let drivers: Vec<&dyn Driver> = PLAIN.iter().map(|plain| plain as &dyn Driver).collect();
    let (vpc, cluster, group) = (key(Kind::Vpc, "vpc"), key(Kind::Cluster, "c"), key(Kind::Nodegroup, "g"));
    let found = snapshot([&vpc, &cluster, &group].map(|key| live(key, json!({}))));
    let mut input = PlanInput::new(&scope, &[], &found, &drivers);
    input.removed = true;
    let asked = plan(&input).held;
    let approved = |digest: &str| digest == asked;
    input.approved = &approved;
    let first = plan(&input);
    assert!(first.held.is_empty());
    assert_eq!(first.actionable().map(|step| &step.key).collect::<Vec<_>>(), [&group]);
    let granted = first.granted.clone();

    let mut unread = snapshot([&vpc, &cluster].map(|key| live(key, json!({}))));
    unread.unread.insert(Kind::Nodegroup, "throttled".into());
    let mut input = PlanInput { snapshot: &unread, granted: &granted, ..input };
    let blind = plan(&input);
    assert_eq!((blind.actionable().count(), &blind.granted), (0, &granted));

    let found = snapshot([&vpc, &cluster].map(|key| live(key, json!({}))));
    input.snapshot = &found;
    let then = plan(&input);
    assert_eq!(then.actionable().map(|step| &step.key).collect::<Vec<_>>(), [&cluster]);
    assert!(then.held.is_empty(), "what is left of it needs no second approval");

    let mut more = found.clone();
    more.live.insert(key(Kind::Subnet, "new"), live(&key(Kind::Subnet, "new"), json!({})));
    input.snapshot = &more;
    let another = plan(&input);
    assert!(!another.held.is_empty(), "what was not in it does");
    let nothing = Snapshot::default();
    input.snapshot = &nothing;
    assert!(plan(&input).granted.is_empty());
}

#[test]
fn an_approval_holds_when_two_things_that_are_one_resource_change_places() {
    let scope = scope();
    let drivers: Vec<&dyn Driver> = PLAIN.iter().map(|plain| plain as &dyn Driver).collect();
    let table = key(Kind::RouteTable, "public");
    // A create without an answer that was made again: the one with subnets is the resource, until they are gone.
    let found = |first: &str, second: &str| {
        let thing = |key: &Key, id: &str| Live { id: id.into(), ..live(key, json!({})) };
        snapshot([thing(&table, first), thing(&table.duplicate(second), second)])
    };
    let (before, after) = (found("rtb-2", "rtb-1"), found("rtb-1", "rtb-2"));
    let mut input = PlanInput::new(&scope, &[], &before, &drivers);
    input.removed = true;
    let asked = plan(&input).held;
    let approved = |digest: &str| digest == asked;
    input.approved = &approved;
    let granted = plan(&input).granted;
    let input = PlanInput { snapshot: &after, granted: &granted, ..input };
    assert!(plan(&input).held.is_empty(), "{}", plan(&input).held);
    let third = found("rtb-1", "rtb-3");
    assert!(!plan(&PlanInput { snapshot: &third, ..input }).held.is_empty(), "a third one was not approved");
}

#[test]
fn nothing_is_deleted_for_being_undeclared_while_the_declaration_is_not_complete() {
    let found = snapshot([live(&key(Kind::Subnet, "a"), json!({}))]);
    let plan = made(&[], &found, |input| {
        input.incomplete = Some("zones were not read");
        input.approved = &|_| true;
    });
    assert!(
        matches!(&only(&plan).verdict, Verdict::Deferred(words) if words.contains("zones were not read"))
    );
}

#[test]
fn a_stranger_on_the_cluster_keeps_it_from_being_deleted() {
    let (cluster, group) = (key(Kind::Cluster, "c"), key(Kind::Nodegroup, "by-hand"));
    let stranger = Live { owner: Owner::Other, ..live(&group, json!({})) };
    let plan = made(&[], &snapshot([live(&cluster, json!({})), stranger]), |input| {
        input.removed = true;
        input.approved = &|_| true;
    });
    assert!(matches!(&only(&plan).verdict, Verdict::Blocked(words) if words.contains("Nodegroup/by-hand")));
    assert_eq!(plan.undeclared[0].key, group);
}

#[test]
fn a_plan_is_data() {
    let (vpc, group) = (key(Kind::Vpc, "vpc"), key(Kind::Nodegroup, "g"));
    let plan = made(&[declared(&vpc, json!({}), &[])], &snapshot([live(&group, json!({}))]), |_| {});
    let text = serde_json::to_string(&plan).unwrap();
    let back: CloudPlan = serde_json::from_str(&text).unwrap();
    assert_eq!((back.digest(), &back), (plan.digest(), &plan));
}

fn any_owner() -> impl Strategy<Value = Owner> {
    prop_oneof![
        3 => Just(Owner::Ours),
        1 => Just(Owner::Other),
        1 => Just(Owner::Stack("s".into())),
    ]
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        4 => Just(State::Ready),
        1 => Just(State::Pending("UPDATING".into())),
        1 => Just(State::Deleting),
        1 => Just(State::Failed("FAILED".into())),
    ]
}

fn any_key() -> impl Strategy<Value = Key> {
    (prop::sample::select(&KINDS[..]), 0..3u8).prop_map(|(kind, name)| Key::new(kind, format!("n{name}")))
}

prop_compose! {
    fn any_live()(key in any_key(), owner in any_owner(), state in any_state(), size in 0..3, place in 0..2) -> Live {
        let tags = if owner == Owner::Ours { scope().tags(&key) } else { BTreeMap::new() };
        Live { owner, state, tags, ..live(&key, json!({"size": size, "place": place})) }
    }
}

prop_compose! {
    fn any_resource()(key in any_key(), existing in prop::bool::weighted(0.2), size in 0..3, place in 0..2,
                      needs in prop::collection::btree_set(any_key(), 0..3)) -> Resource {
        // Needs never go in a circle.
        let needs: BTreeSet<Key> = needs.into_iter().filter(|need| *need < key).collect();
        Resource { needs, existing, ..declared(&key, json!({"size": size, "place": place}), &[]) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Whatever is found and declared, approved or not.
    #[test]
    fn only_what_is_ours_is_ever_deleted_and_nothing_unasked(
        lives in prop::collection::vec(any_live(), 0..12),
        resources in prop::collection::vec(any_resource(), 0..8),
        unread in prop::collection::btree_set(prop::sample::select(&KINDS[..]), 0..2),
        removed in any::<bool>(),
        approved in any::<bool>(),
    ) {
        let mut found = snapshot(lives);
        found.unread = unread.iter().map(|kind| (*kind, "denied".to_owned())).collect();
        let resources: BTreeMap<Key, Resource> = resources.into_iter().map(|r| (r.key.clone(), r)).collect();
        let resources: Vec<Resource> = resources.into_values().collect();
        let scope = scope();
        let drivers: Vec<&dyn Driver> = PLAIN.iter().map(|plain| plain as &dyn Driver).collect();
        let mut input = PlanInput::new(&scope, &resources, &found, &drivers);
        input.removed = removed;
        let say = |_: &str| approved;
        input.approved = &say;
        let made = plan(&input);
        for step in &made.steps {
            let live = found.live.get(&step.key);
            let deletes = step.calls.iter().any(|call| call.operation == "Delete");
            if deletes {
                prop_assert_eq!(&live.unwrap().owner, &Owner::Ours, "{:?}", step);
            }
            if !step.is_actionable() {
                continue;
            }
            prop_assert!(!unread.contains(&step.key.kind), "{:?}", step);
            let is_existing = resources.iter().any(|r| r.key == step.key && r.existing);
            // What carries our tags was made by us, from a file that did not name it as existing yet.
            prop_assert!(!is_existing || removed && deletes, "{:?}", step);
            if deletes {
                prop_assert!(approved);
                prop_assert!(live.unwrap().state != State::Deleting);
            }
            if step.action == StepAction::Create {
                let resource = resources.iter().find(|r| r.key == step.key).unwrap();
                for need in &resource.needs {
                    prop_assert_eq!(&found.live[need].state, &State::Ready);
                }
            }
        }
        // Executing it all deletes in an order that AWS takes: nothing before what has to be gone.
        let going: Vec<&Step> = made.actionable().filter(|step| step.action == StepAction::Delete).collect();
        for step in &going {
            let before = portolan::provision::order::gone_before(step.key.kind);
            let needs = |key: &Key| resources.iter().find(|r| r.key == *key).map(|r| r.needs.clone()).unwrap_or_default();
            for other in &going {
                let contrary = needs(&step.key).contains(&other.key);
                prop_assert!(!before.contains(&other.key.kind) || contrary, "{} with {}", step.key, other.key);
            }
        }
        if made.is_empty() {
            prop_assert!(made.held.is_empty());
        }
    }

    /// What is as declared is left alone.
    #[test]
    fn a_snapshot_that_equals_the_declaration_gives_an_empty_plan(resources in prop::collection::vec(any_resource(), 0..8)) {
        let resources: BTreeMap<Key, Resource> = resources.into_iter().map(|r| (r.key.clone(), r)).collect();
        let mut resources: Vec<Resource> = resources.into_values().collect();
        let keys: BTreeSet<Key> = resources.iter().map(|resource| resource.key.clone()).collect();
        for resource in &mut resources {
            resource.needs.retain(|need| keys.contains(need));
        }
        let found = snapshot(resources.iter().map(|resource| live(&resource.key, resource.desired.clone())));
        let made = made(&resources, &found, |_| {});
        prop_assert!(made.is_empty() && made.held.is_empty() && made.undeclared.is_empty(), "{:#?}", made);
    }
}
