//! What the EC2 kinds share: one batched describe for all that carries our tags, lookups of what belongs to others, tags.

use super::answer::{items, pointer, some_text, tag_list, tags as tags_in, text};
use crate::model::cloud::{Call, Service};
use crate::provision::owner::{owner, settable};
use crate::provision::resource::{
    CLUSTER_TAG, Difference, Key, Kind, Live, Mend, Owner, RESOURCE_TAG, Resource, Scope, Snapshot, State,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Tags that controllers and other services write lawfully on what is ours, or that eksctl left on what was adopted: they
/// are no findings.
const LAWFUL_PREFIXES: [&str; 10] = [
    "alpha.eksctl.io/",
    "eksctl.cluster.k8s.io/",
    "kubernetes.io/",
    "k8s.io/",
    "elbv2.k8s.aws/",
    "service.k8s.aws/",
    "ingress.k8s.aws/",
    "karpenter.sh/",
    "karpenter.k8s.aws/",
    "eks:",
];

/// How a kind of thing is described in EC2.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Which kind.
    pub kind: Kind,
    /// The describing operation: `DescribeSubnets`.
    pub describe: &'static str,
    /// The member that takes filters: `Filters`, `Filter` for NAT gateways.
    pub filters: &'static str,
    /// The answer's list: `subnetSet`.
    pub set: &'static str,
    /// The element that holds the physical id: `subnetId`.
    pub id: &'static str,
    /// The member of calls, and of an existing thing's declaration, that takes it: `SubnetId`.
    pub member: &'static str,
    /// The filter for ids. A filter and not the list of ids: one unknown id there fails the whole call.
    pub id_filter: &'static str,
    /// `subnet`, as TagSpecifications name it.
    pub resource_type: &'static str,
    /// Of two things that are the same resource, whether this is the one that others use.
    pub in_use: fn(&Live) -> bool,
}

/// For kinds of which nothing in the answer says whether others use it.
pub const NOBODY_KNOWS: fn(&Live) -> bool = |_| false;

/// What a thing of an answer is in the words of its declaration, its outputs beside `id`, and its state.
pub type Read = (Value, Vec<(String, Value)>, State);

/// One thing in an answer and which resource it is.
#[derive(Debug)]
pub struct Found<'a> {
    /// Which resource.
    pub key: Key,
    /// Its physical id.
    pub id: String,
    /// As answered.
    pub item: &'a Value,
    /// Its tags, the service's own apart.
    pub tags: BTreeMap<String, String>,
    /// Whose it is.
    pub owner: Owner,
}

impl Found<'_> {
    /// A live resource with the outputs `id` and those given.
    fn live(self, actual: Value, outputs: Vec<(String, Value)>, state: State) -> Live {
        let mut all = BTreeMap::from([("id".to_owned(), json!(self.id))]);
        all.extend(outputs);
        Live { key: self.key, id: self.id, actual, outputs: all, tags: self.tags, owner: self.owner, state }
    }
}

/// `Filters` of a call.
#[must_use]
pub fn filters(wanted: &[(&str, Vec<String>)]) -> Value {
    wanted.iter().map(|(name, values)| json!({"Name": name, "Values": values})).collect()
}

/// A call to EC2.
#[must_use]
pub fn ec2(operation: &str, input: Value) -> Call {
    Call::new(Service::Ec2, operation, input)
}

impl Table {
    /// One call for what is ours, and at most one more for each way in which existing things are referred to.
    #[must_use]
    pub fn reads(&self, scope: &Scope, declared: &[Resource]) -> Vec<Call> {
        let mut calls =
            vec![self.describe(filters(&[(&format!("tag:{CLUSTER_TAG}"), vec![scope.cluster.clone()])]))];
        let ids: BTreeSet<&str> = self.existing(declared).filter_map(|each| self.existing_id(each)).collect();
        if !ids.is_empty() {
            calls.push(
                self.describe(filters(&[(self.id_filter, ids.into_iter().map(str::to_owned).collect())])),
            );
        }
        for by_filters in self.existing(declared).filter_map(|each| each.desired.get("Filters")) {
            let call = self.describe(by_filters.clone());
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
        calls
    }

    fn describe(&self, wanted: Value) -> Call {
        ec2(self.describe, Value::Object(Map::from_iter([(self.filters.to_owned(), wanted)])))
    }

    fn existing<'a>(&self, declared: &'a [Resource]) -> impl Iterator<Item = &'a Resource> {
        let kind = self.kind;
        declared.iter().filter(move |resource| resource.existing && resource.key.kind == kind)
    }

    fn existing_id<'a>(&self, resource: &'a Resource) -> Option<&'a str> {
        some_text(&resource.desired, self.member)
    }

    /// The things of an answer that are resources: by our tag, or because something existing is declared so.
    fn found<'a>(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &'a Value,
    ) -> Vec<Found<'a>> {
        if call.operation != self.describe {
            return Vec::new();
        }
        let mut found: Vec<Found<'a>> = Vec::new();
        for item in items(answer, self.set) {
            let all = tags_in(item);
            let id = text(item, self.id);
            let tagged = tagged_key(scope, self.kind, &all);
            let mut keys: BTreeSet<Key> = tagged.into_iter().collect();
            let asked = call.input.get(self.filters);
            keys.extend(
                self.existing(declared)
                    .filter(|each| {
                        self.existing_id(each) == Some(id)
                            || each.desired.get("Filters").is_some_and(|by| Some(by) == asked)
                    })
                    .map(|each| each.key.clone()),
            );
            found.extend(keys.into_iter().map(|key| Found {
                key,
                id: id.to_owned(),
                item,
                tags: settable(&all),
                owner: owner(scope, &all),
            }));
        }
        // The same answer in any order gives the same snapshot.
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    /// Puts the things of an answer that are resources into the snapshot; `read` gives `None` for what is gone already.
    pub fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
        mut read: impl FnMut(&Found<'_>) -> Option<Read>,
    ) {
        if call.operation == self.describe {
            let asked = call.input.get(self.filters);
            let by_filters = self
                .existing(declared)
                .filter(|each| each.desired.get("Filters").is_some_and(|by| Some(by) == asked));
            let ids: BTreeSet<&str> =
                items(answer, self.set).iter().map(|item| text(item, self.id)).collect();
            into.facts.extend(by_filters.map(|each| (found_fact(each), json!(ids))));
        }
        for found in self.found(scope, declared, call, answer) {
            if let Some((actual, outputs, state)) = read(&found) {
                keep(into, found.live(actual, outputs, state), self.in_use);
            }
        }
    }

    /// `TagSpecifications` of a create.
    #[must_use]
    pub fn tag_specifications(&self, tags: &BTreeMap<String, String>) -> Value {
        json!([{"ResourceType": self.resource_type, "Tags": tag_list(tags)}])
    }

    /// A create of the named members of what is declared, with all tags; the idempotency token under `ClientToken` if
    /// there is one.
    #[must_use]
    pub fn create(
        &self,
        operation: &str,
        members: Map<String, Value>,
        tags: &BTreeMap<String, String>,
        token: Option<&str>,
    ) -> Call {
        let mut input = members;
        input.insert("TagSpecifications".to_owned(), self.tag_specifications(tags));
        if let Some(token) = token {
            input.insert("ClientToken".to_owned(), json!(token));
        }
        ec2(operation, Value::Object(input))
    }
}

/// Begins the names of resources that stand for whatever carries some tags.
pub const BY_TAGS: &str = "by tags/";

/// The fact of a snapshot that names all things which an existing resource's `Filters` found, by their ids.
#[must_use]
pub fn found_fact(existing: &Resource) -> String {
    format!("ec2:{} {}", existing.key, existing.desired["Filters"])
}

/// Puts a found thing into the snapshot. Where one resource is found twice (a create without an answer that was not yet
/// visible when it was made again), the one in use stays, and the other goes under a name that nobody declares, so that
/// it is taken away like everything of ours that is not declared.
pub fn keep(into: &mut Snapshot, found: Live, in_use: fn(&Live) -> bool) {
    let key = found.key.clone();
    let Some(kept) = into.live.get(&key) else {
        into.live.insert(key, found);
        return;
    };
    if kept.id == found.id {
        into.live.insert(key, found);
        return;
    }
    if key.name.starts_with(BY_TAGS) {
        // Many may be looked for under one name; which they are is a fact beside.
        return;
    }
    let gone = |live: &Live| matches!(live.state, State::Deleting | State::Failed(_));
    let rank = |live: &Live| (gone(live), live.owner != Owner::Ours, !in_use(live), live.id.clone());
    let (better, mut worse) =
        if rank(&found) < rank(kept) { (found, kept.clone()) } else { (kept.clone(), found) };
    into.live.insert(key.clone(), better);
    if worse.state == State::Deleting || worse.owner != Owner::Ours {
        return;
    }
    worse.key = key.duplicate(&worse.id);
    into.live.insert(worse.key.clone(), worse);
}

/// The resource that our tags say a thing is.
#[must_use]
pub fn tagged_key(scope: &Scope, kind: Kind, tags: &BTreeMap<String, String>) -> Option<Key> {
    if tags.get(CLUSTER_TAG) != Some(&scope.cluster) {
        return None;
    }
    let name = tags.get(RESOURCE_TAG)?.strip_prefix(&format!("{kind:?}/"))?;
    Some(Key::new(kind, name))
}

/// How tags differ: all that are missing or changed by one call; those that nobody declares, and no controller wrote,
/// each by its own: of these, the planner mends what was declared before, and reports what others added.
#[must_use]
pub fn tag_differences(
    wanted: &BTreeMap<String, String>,
    live: &Live,
    put: impl Fn(&BTreeMap<String, String>) -> Call,
    take: impl Fn(&str) -> Call,
) -> Vec<Difference> {
    let missing: BTreeMap<String, String> = wanted
        .iter()
        .filter(|(key, value)| live.tags.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let difference = |key: &str, call: Call| Difference {
        field: format!("/tags/{}", pointer(key)),
        declared: json!(wanted.get(key)),
        actual: json!(live.tags.get(key)),
        mend: Mend::InPlace(call),
    };
    let lawful = |key: &str| LAWFUL_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
    let extra = live.tags.keys().filter(|key| !wanted.contains_key(*key) && !lawful(key));
    let taken = extra.map(|key| difference(key, take(key)));
    missing.keys().map(|key| difference(key, put(&missing))).chain(taken).collect()
}

/// How the tags of an EC2 thing differ: all that is missing in one call.
#[must_use]
pub fn ec2_tag_differences(wanted: &BTreeMap<String, String>, live: &Live) -> Vec<Difference> {
    tag_differences(
        wanted,
        live,
        |missing| ec2("CreateTags", json!({"Resources": [live.id], "Tags": tag_list(missing)})),
        |key| ec2("DeleteTags", json!({"Resources": [live.id], "Tags": [{"Key": key}]})),
    )
}

/// One field that is declared and differs; nothing when it is not declared or the same.
#[must_use]
pub fn difference(
    desired: &Value,
    live: &Live,
    name: &str,
    mend: impl FnOnce() -> Mend,
) -> Option<Difference> {
    let declared = desired.get(name).filter(|value| !value.is_null())?;
    let actual = live.actual.get(name).cloned().unwrap_or(Value::Null);
    (*declared != actual).then(|| Difference {
        field: format!("/{}", pointer(name)),
        declared: declared.clone(),
        actual,
        mend: mend(),
    })
}

/// Fields that no call can change, with the same way out.
#[must_use]
pub fn fixed(desired: &Value, live: &Live, names: &[&str], way_out: &str) -> Vec<Difference> {
    names
        .iter()
        .filter_map(|name| difference(desired, live, name, || Mend::Impossible(way_out.to_owned())))
        .collect()
}

/// A state by the service's word: `available` is Ready, `deleting` and `deleted` are going, `failed` failed.
#[must_use]
pub fn state(word: &str, reason: &str) -> State {
    match word.to_ascii_lowercase().as_str() {
        "" | "available" | "associated" | "attached" => State::Ready,
        "deleting" | "deleted" => State::Deleting,
        "failed" | "rejected" | "expired" => {
            State::Failed(if reason.is_empty() { word.to_owned() } else { format!("{word}: {reason}") })
        }
        _ => State::Pending(word.to_owned()),
    }
}
