//! Fields that are left alone: rules of the application, and what the cluster itself is known to manage.
//!
//! An ignored field is taken out of the declared body before an update. As the server resets a field that leaves an
//! apply, what we still own of it is handed over first ([`ignored_fieldset`], then
//! [`release_paths`](super::release_paths)).

use super::fieldset::FieldSet;
use super::managed::owned_by_us;
use super::path::{Path, PathElement};
use super::pointer::{BadPointer, Pointer, Segment};
use crate::model::ownership::{APPLICATION, PART_OF};
use crate::model::{IgnoreRule, Object, ResourceId};
use serde_json::Value;
use std::collections::BTreeSet;

/// The rules of one application, ready for use.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
    scaled: BTreeSet<ResourceId>,
}

#[derive(Clone, Debug)]
struct Rule {
    kind: String,
    group: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    pointers: Vec<Pointer>,
}

impl Ignore {
    /// Takes the rules of an application and the objects whose replicas an autoscaler sets ([`hpa_targets`]).
    ///
    /// # Errors
    /// On the first path that is no JSON pointer.
    pub fn new(rules: &[IgnoreRule], scaled: BTreeSet<ResourceId>) -> Result<Self, BadPointer> {
        let rule = |rule: &IgnoreRule| -> Result<Rule, BadPointer> {
            Ok(Rule {
                kind: rule.kind.clone(),
                group: rule.group.clone(),
                name: rule.name.clone(),
                namespace: rule.namespace.clone(),
                pointers: rule.paths.iter().map(|path| Pointer::parse(path)).collect::<Result<_, _>>()?,
            })
        };
        Ok(Self { rules: rules.iter().map(rule).collect::<Result<_, _>>()?, scaled })
    }

    /// Whether nothing of an object can be ignored. `false` as well for a kind whose objects may imply it themselves
    /// (an aggregated ClusterRole), as the identity does not tell.
    #[must_use]
    pub fn is_empty_for(&self, id: &ResourceId) -> bool {
        !self.scaled.contains(id) && !may_be_aggregated(id) && !self.rules.iter().any(|rule| rule.covers(id))
    }

    /// The pointers for an object: of the rules, of its autoscaler, and of what its kind implies.
    pub(super) fn pointers(&self, object: &Object) -> Vec<Pointer> {
        let id = object.id();
        let mut pointers: Vec<Pointer> = self
            .rules
            .iter()
            .filter(|rule| rule.covers(&id))
            .flat_map(|rule| rule.pointers.clone())
            .collect();
        if self.scaled.contains(&id) {
            pointers.push(Pointer::fields(&["spec", "replicas"]));
        }
        let aggregation = object.body().get("aggregationRule").filter(|rule| !rule.is_null());
        if may_be_aggregated(&id) && aggregation.is_some() {
            // The control plane fills them in from other roles, by a forced apply of its own: it would be a fight.
            pointers.push(Pointer::fields(&["rules"]));
        }
        pointers
    }
}

impl Rule {
    fn covers(&self, id: &ResourceId) -> bool {
        let text =
            |pattern: &Option<String>, text: &str| pattern.as_ref().is_none_or(|pattern| glob(pattern, text));
        (self.kind == "*" || self.kind == id.kind)
            && self.group.as_ref().is_none_or(|group| group == "*" || *group == id.group)
            && text(&self.name, &id.name)
            && text(&self.namespace, id.namespace.as_deref().unwrap_or_default())
    }
}

fn may_be_aggregated(id: &ResourceId) -> bool {
    id.group == "rbac.authorization.k8s.io" && id.kind == "ClusterRole"
}

/// Whether a text fits a pattern in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(place) = rest.find(part) else {
            return false;
        };
        rest = &rest[place + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// The objects whose `spec.replicas` a declared autoscaler sets: targets of HorizontalPodAutoscalers, and of KEDA's
/// ScaledObjects, which make one.
#[must_use]
pub fn hpa_targets<'a>(objects: impl IntoIterator<Item = &'a Object>) -> BTreeSet<ResourceId> {
    objects.into_iter().filter_map(target).collect()
}

fn target(object: &Object) -> Option<ResourceId> {
    let gvk = object.gvk();
    // KEDA has defaults for both, an HPA needs both.
    let (version, kind) = match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("autoscaling", "HorizontalPodAutoscaler") => ("", ""),
        ("keda.sh", "ScaledObject") => ("apps/v1", "Deployment"),
        _ => return None,
    };
    let target = object.body().get("spec")?.get("scaleTargetRef")?;
    let text = |key: &str, default| target.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
    let (version, kind, name) = (text("apiVersion", version), text("kind", kind), text("name", ""));
    let group = version.split_once('/').map_or("", |(group, _)| group);
    (!kind.is_empty() && !name.is_empty())
        .then(|| ResourceId::new(group, &kind, object.namespace().unwrap_or_default(), &name))
}

/// What no rule can take out: an object's identity, and the labels by which we know our own.
#[derive(PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing.
    No,
    /// Something in it.
    Within,
    /// The field itself.
    Itself,
}

impl Kept {
    /// Judges the path to a field.
    pub(super) fn of(way: &[PathElement]) -> Self {
        let name = |place: usize| match way.get(place) {
            Some(PathElement::Field(name)) => Some(&**name),
            _ => None,
        };
        match (name(0), name(1), name(2), way.len()) {
            (Some("apiVersion" | "kind"), _, _, 1) => Self::Itself,
            (Some("metadata"), Some("name" | "namespace"), _, 2) => Self::Itself,
            (Some("metadata"), Some("labels"), Some(PART_OF | APPLICATION), 3) => Self::Itself,
            (Some("metadata"), _, _, 1) | (Some("metadata"), Some("labels"), _, 2) => Self::Within,
            _ => Self::No,
        }
    }
}

/// The fields of our Apply entry that are ignored, to be handed over before the next apply. Empty when there are none.
#[must_use]
pub fn ignored_fieldset(live: &Object, ignore: &Ignore) -> FieldSet {
    let mut ignored = FieldSet::new();
    let pointers = ignore.pointers(live);
    if pointers.is_empty() {
        return ignored;
    }
    let owned = owned_by_us(live).unwrap_or_default();
    for pointer in &pointers {
        collect(&owned, Some(live.body()), pointer.segments(), &mut Vec::new(), &mut ignored);
    }
    ignored
}

/// Adds what a pointer names in an owned set. Items of keyed lists are told by their key, or by their place and fields
/// in the live object.
fn collect(
    owned: &FieldSet,
    live: Option<&Value>,
    segments: &[Segment],
    way: &mut Vec<PathElement>,
    ignored: &mut FieldSet,
) {
    for node in owned.nodes() {
        let found = live.and_then(|live| node.element.position(live));
        let named = match segments.first() {
            // Everything below what the pointer names.
            None => true,
            Some(segment) => segment.names_element(&node.element, found),
        };
        if !named {
            continue;
        }
        way.push(node.element.clone());
        let rest = segments.get(1..).unwrap_or_default();
        if rest.is_empty() && node.member && Kept::of(way) == Kept::No {
            ignored.insert(&Path(way.clone()));
        }
        if let Some(below) = &node.below {
            collect(below, found.map(|(_, value)| value), rest, way, ignored);
        }
        way.pop();
    }
}
