//! Who made a drift: which questions the audit log is asked, and which of its changes is the one.
//!
//! A wrong name is worse than none. A change counts when it names the resource, was not refused, is not our own, and is of
//! the kind that the field needs (tags are changed by other calls than sizes). Of those that mention the field the latest
//! is the one; where none mentions it, all have to be of one person.

use super::iam::document::percent_decoded;
use super::resource::{Key, Kind, Live, Scope};
use crate::model::trail::{Attribute, Change, Lookup};
use serde_json::Value;
use std::collections::BTreeSet;

/// What our own calls say about themselves: the requests that we sign say `portolan/1.2.3`, the SDK's `app/portolan`.
const OURS: [&str; 2] = ["portolan/", "app/portolan"];
/// Begins the names of calls that change tags.
const TAGGING: [&str; 4] = ["Tag", "Untag", "CreateTags", "DeleteTags"];
/// Begins the names of calls that change what hangs on a resource, and do not name the field that we compare.
const UNNAMED: [&str; 10] = [
    "Authorize",
    "Revoke",
    "Attach",
    "Detach",
    "Associate",
    "Disassociate",
    "Put",
    "Delete",
    "Replace",
    "ModifySecurityGroupRules",
];

/// A resource as the audit log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Which.
    pub key: Key,
    /// Sets of names: a change is about the resource when it has all names of one set.
    sets: Vec<BTreeSet<String>>,
}

impl Named {
    /// How a resource is named; `live` as it was last seen, where it was.
    #[must_use]
    pub fn of(scope: &Scope, key: &Key, live: Option<&Live>) -> Self {
        let mut sets: BTreeSet<BTreeSet<String>> = BTreeSet::new();
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let of_cluster = |name: &str| set(&[scope.cluster.as_str(), name]);
        let id = live.map(|live| live.id.as_str()).unwrap_or_default();
        match key.kind {
            Kind::Cluster => {
                sets.insert(set(&[scope.cluster.as_str()]));
            }
            kind if source(kind) == Some("eks.amazonaws.com") => {
                sets.insert(of_cluster(&key.name));
                sets.insert(of_cluster(id));
            }
            _ => {
                sets.insert(set(&[id]));
            }
        }
        for output in ["arn", "id"] {
            if let Some(name) = live.and_then(|live| live.outputs.get(output)?.as_str()) {
                sets.insert(set(&[name]));
            }
        }
        // What is not known names nothing, and would name everything.
        let sets = sets.into_iter().filter(|set| set.iter().all(|name| !name.is_empty())).collect();
        Self { key: key.clone(), sets }
    }

    /// What to ask, from a time on (RFC 3339). `None` where nothing is known that the log could be asked for.
    #[must_use]
    pub fn lookup(&self, since: &str) -> Option<Lookup> {
        let attribute = match source(self.key.kind) {
            Some(source) => Attribute::Source(source.to_owned()),
            None => Attribute::Resource(self.sets.iter().find(|set| set.len() == 1)?.first()?.clone()),
        };
        Some(Lookup { attribute, global: is_global(self.key.kind), since: since.to_owned() })
    }

    fn is_named_by(&self, change: &Change) -> bool {
        let mut found = BTreeSet::new();
        strings(&change.request, &mut found);
        strings(&change.response, &mut found);
        self.sets.iter().any(|set| set.is_subset(&found)) && self.is_of_its_kind(change)
    }

    /// A cluster's name stands in every call about its parts, too.
    fn is_of_its_kind(&self, change: &Change) -> bool {
        let parts = [
            "Nodegroup",
            "Addon",
            "FargateProfile",
            "AccessEntry",
            "AccessPolicy",
            "PodIdentity",
            "IdentityProvider",
        ];
        let about = |part: &str| change.name.contains(part);
        match self.key.kind {
            Kind::Cluster => !parts.into_iter().any(about),
            Kind::Nodegroup => about("Nodegroup") || is_tagging(change),
            Kind::Addon => about("Addon") || is_tagging(change),
            Kind::FargateProfile => about("FargateProfile") || is_tagging(change),
            Kind::AccessEntry => about("AccessEntry") || about("AccessPolicy") || is_tagging(change),
            Kind::PodIdentityAssociation => about("PodIdentity") || is_tagging(change),
            Kind::IdentityProvider => about("IdentityProvider") || is_tagging(change),
            _ => true,
        }
    }
}

/// The service whose events are all looked through: EKS tells of no resource that could be asked for.
fn source(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Cluster
        | Kind::Addon
        | Kind::Nodegroup
        | Kind::FargateProfile
        | Kind::AccessEntry
        | Kind::PodIdentityAssociation
        | Kind::IdentityProvider => Some("eks.amazonaws.com"),
        _ => None,
    }
}

fn is_global(kind: Kind) -> bool {
    matches!(kind, Kind::Role | Kind::InstanceProfile | Kind::OidcProvider)
}

/// The change that took a field away from its declared value; `field` is the JSON pointer of a
/// [`Difference`](super::resource::Difference), empty where the whole resource went. `None` while it is not told, or where
/// more than one may be it.
#[must_use]
pub fn culprit<'a>(named: &Named, field: &str, changes: &'a [Change]) -> Option<&'a Change> {
    // It is changed at another service, whose log is not asked.
    if field.trim_start_matches('/') == super::eks::cluster_changes::LOG_RETENTION {
        return None;
    }
    let mut fitting: Vec<&Change> = changes
        .iter()
        .filter(|change| change.error.is_none() && !is_ours(change) && fits(change, field))
        .filter(|change| named.is_named_by(change))
        .collect();
    fitting.sort_by(|a, b| (&a.time, &a.id).cmp(&(&b.time, &b.id)));
    let names: Vec<String> = field.split('/').filter(|part| !part.is_empty()).map(plain).collect();
    let mentions = |change: &&&Change| {
        let mut found = BTreeSet::new();
        members(&change.request, &mut found);
        names.iter().any(|name| found.contains(name))
    };
    if field.is_empty() || is_tag(field) {
        return fitting.last().copied();
    }
    if let Some(change) = fitting.iter().rev().find(mentions).copied() {
        return Some(change);
    }
    let unnamed = |change: &&&Change| UNNAMED.iter().any(|begin| change.name.starts_with(begin));
    let persons: BTreeSet<&str> = fitting.iter().filter(unnamed).map(|change| change.who.as_str()).collect();
    (persons.len() == 1).then(|| fitting.iter().rev().find(unnamed).copied()).flatten()
}

fn is_ours(change: &Change) -> bool {
    OURS.iter().any(|mark| change.agent.split(' ').any(|word| word.starts_with(mark)))
}

fn is_tag(field: &str) -> bool {
    field.starts_with("/tags")
}

fn is_tagging(change: &Change) -> bool {
    TAGGING.iter().any(|begin| change.name.starts_with(begin)) || change.name == "CreateOrUpdateTags"
}

fn fits(change: &Change, field: &str) -> bool {
    let goes = ["Delete", "Terminate", "Disassociate", "Release", "Detach"];
    match field {
        "" => goes.iter().any(|begin| change.name.starts_with(begin)) && !is_tagging(change),
        field => is_tag(field) == is_tagging(change),
    }
}

/// Every string in a value; those that came through a path are percent-encoded (`arn%3Aaws%3A…`).
fn strings(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if text.contains('%') {
                into.insert(percent_decoded(text));
            }
            into.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|member| strings(member, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Every member's name in a value, without regard to case.
fn members(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(found) => {
            for (name, value) in found {
                into.insert(plain(name));
                members(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, into)),
        _ => {}
    }
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        Scope {
            cluster: "shop".into(),
            region: "eu-central-1".into(),
            partition: "aws".into(),
            account: "111122223333".into(),
        }
    }

    fn change(name: &str, time: &str, who: &str, request: Value) -> Change {
        Change {
            id: format!("{name} {time}"),
            name: name.into(),
            source: "eks.amazonaws.com".into(),
            time: format!("2026-11-21T{time}Z"),
            who: who.into(),
            agent: "console.amazonaws.com".into(),
            request,
            response: Value::Null,
            error: None,
        }
    }

    fn resized(time: &str, who: &str, group: &str, size: u32) -> Change {
        let request =
            json!({"clusterName": "shop", "nodegroupName": group, "scalingConfig": {"desiredSize": size}});
        change("UpdateNodegroupConfig", time, who, request)
    }

    fn who(field: &str, changes: &[Change]) -> Option<String> {
        let named = Named::of(&scope(), &Key::new(Kind::Nodegroup, "ng-1"), None);
        culprit(&named, field, changes).map(|change| change.who.clone())
    }

    #[test]
    fn the_latest_that_mentions_the_field_and_the_resource_is_the_one() {
        let field = "/scalingConfig/desiredSize";
        let mut changes = vec![
            resized("10:00:00", "ann", "ng-1", 4),
            resized("10:05:00", "bob", "ng-1", 5),
            resized("10:06:00", "cleo", "ng-2", 5),
            change(
                "UpdateNodegroupConfig",
                "10:07:00",
                "dan",
                json!({"clusterName": "shop", "nodegroupName": "ng-1",
                "labels": {"addOrUpdateLabels": {"a": "b"}}}),
            ),
            change("TagResource", "10:08:00", "eve", json!({"resourceArn": "x"})),
        ];
        assert_eq!(who(field, &changes).as_deref(), Some("bob"));
        assert_eq!(who("/labels/a", &changes).as_deref(), Some("dan"));
        let mut ours = resized("10:09:00", "portolan", "ng-1", 3);
        ours.agent = "aws-sdk-rust/1.3 app/portolan lang/rust".into();
        let mut refused = resized("10:10:00", "fay", "ng-1", 9);
        refused.error = Some("AccessDenied".into());
        changes.extend([ours, refused]);
        assert_eq!(who(field, &changes).as_deref(), Some("bob"));
        changes.reverse();
        assert_eq!(who(field, &changes).as_deref(), Some("bob"), "whatever the order");
        assert_eq!(who("/diskSize", &changes), None, "nobody said anything of it");
        assert_eq!(who("", &changes), None, "it is there still");
    }

    #[test]
    fn what_went_was_deleted_by_somebody() {
        let gone = change(
            "DeleteNodegroup",
            "11:00:00",
            "ann",
            json!({"clusterName": "shop", "nodegroupName": "ng-1"}),
        );
        let other = change(
            "DeleteNodegroup",
            "11:01:00",
            "bob",
            json!({"clusterName": "bank", "nodegroupName": "ng-1"}),
        );
        assert_eq!(who("", &[gone, other]).as_deref(), Some("ann"));
    }

    #[test]
    fn rules_have_no_field_and_need_one_person() {
        let key = Key::new(Kind::SecurityGroup, "nodes");
        let live = Live {
            key: key.clone(),
            id: "sg-1".into(),
            actual: Value::Null,
            outputs: [("id".to_owned(), json!("sg-1"))].into(),
            tags: std::collections::BTreeMap::new(),
            owner: super::super::resource::Owner::Ours,
            state: super::super::resource::State::Ready,
        };
        let named = Named::of(&scope(), &key, Some(&live));
        let asked = named.lookup("2026-11-21T10:00:00Z").unwrap();
        assert_eq!(asked.attribute, Attribute::Resource("sg-1".into()));
        let opened = |time: &str, who: &str| {
            change(
                "AuthorizeSecurityGroupIngress",
                time,
                who,
                json!({"groupId": "sg-1", "cidrIp": "0.0.0.0/0"}),
            )
        };
        let one = [opened("10:00:00", "ann"), opened("10:01:00", "ann")];
        assert_eq!(
            culprit(&named, "/IpPermissions", &one).map(|c| c.time.as_str()),
            Some("2026-11-21T10:01:00Z")
        );
        let two = [opened("10:00:00", "ann"), opened("10:01:00", "bob")];
        assert_eq!(culprit(&named, "/IpPermissions", &two), None, "which of them is not known");
        assert_eq!(Named::of(&scope(), &key, None).lookup("x"), None, "nothing is known to ask for");
    }

    #[test]
    fn tags_are_changed_by_tagging_and_an_arn_may_be_encoded() {
        let key = Key::new(Kind::Cluster, "shop");
        let arn = "arn:aws:eks:eu-central-1:111122223333:cluster/shop";
        let live = Live {
            key: key.clone(),
            id: "shop".into(),
            actual: Value::Null,
            outputs: [("arn".to_owned(), json!(arn))].into(),
            tags: std::collections::BTreeMap::new(),
            owner: super::super::resource::Owner::Ours,
            state: super::super::resource::State::Ready,
        };
        let named = Named::of(&scope(), &key, Some(&live));
        let encoded = arn.replace(':', "%3A").replace('/', "%2F");
        let changes = [
            change("TagResource", "10:00:00", "ann", json!({"resourceArn": encoded, "tags": {"team": "x"}})),
            change("UpdateClusterConfig", "10:01:00", "bob", json!({"name": "shop", "logging": {}})),
            change(
                "UpdateNodegroupConfig",
                "10:02:00",
                "cleo",
                json!({"clusterName": "shop", "nodegroupName": "n"}),
            ),
        ];
        assert_eq!(culprit(&named, "/tags/team", &changes).map(|c| c.who.as_str()), Some("ann"));
        assert_eq!(culprit(&named, "/logging", &changes).map(|c| c.who.as_str()), Some("bob"));
        let asked = named.lookup("2026-11-21T10:00:00Z").unwrap();
        assert_eq!(asked.attribute, Attribute::Source("eks.amazonaws.com".into()));
    }
}
