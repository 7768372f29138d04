//! What LimitRanges make of a pod when it is created anew on the target: what it does not say is filled in, and what is
//! out of their bounds is refused (kubernetes `plugin/pkg/admission/limitranger`; defaults of the defaults in
//! `pkg/apis/core/v1`, `SetDefaults_LimitRangeItem`).
//!
//! Pods that are read hold what LimitRanges filled in when they were created, and an annotation that says so: that is
//! taken out first, for a LimitRange may have changed since, or stay behind.

use super::requirements::{Which, amount, of_container, shown, total};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Where the admission plugin says what it filled in.
const FILLED: &str = "kubernetes.io/limit-ranger";

type Amounts = BTreeMap<String, Value>;

/// One item of a LimitRange, with the defaults that the API gives it.
#[derive(Clone, Debug, Default)]
struct Item {
    /// `Container` or `Pod`.
    of: String,
    min: Amounts,
    max: Amounts,
    default: Amounts,
    default_request: Amounts,
    ratio: Amounts,
}

impl Item {
    fn read(item: &Value) -> Self {
        let amounts = |field: &str| -> Amounts {
            let pairs = item[field].as_object().into_iter().flatten();
            pairs.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let mut read = Self {
            of: item["type"].as_str().unwrap_or_default().to_owned(),
            min: amounts("min"),
            max: amounts("max"),
            default: amounts("default"),
            default_request: amounts("defaultRequest"),
            ratio: amounts("maxLimitRequestRatio"),
        };
        if read.of == "Container" {
            let unsaid = |into: &mut Amounts, from: &Amounts| {
                for (name, value) in from {
                    into.entry(name.clone()).or_insert_with(|| value.clone());
                }
            };
            unsaid(&mut read.default, &read.max);
            unsaid(&mut read.default_request, &read.default);
            unsaid(&mut read.default_request, &read.min);
        }
        read
    }
}

/// The LimitRanges of the target's namespaces.
#[derive(Clone, Debug, Default)]
pub(super) struct LimitRanges {
    /// Items with the name of their LimitRange, by namespace.
    items: BTreeMap<String, Vec<(String, Item)>>,
}

/// Something of a pod that a LimitRange refuses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OutOfBounds {
    /// Name of the LimitRange.
    pub range: String,
    /// What is wrong, in words.
    pub says: String,
    /// The smallest change that would mend it.
    pub change: String,
}

impl LimitRanges {
    pub(super) fn of(ranges: &[Value]) -> Self {
        let mut items: BTreeMap<String, Vec<(String, Item)>> = BTreeMap::new();
        for range in ranges {
            let text = |field: &str| range["metadata"][field].as_str().unwrap_or_default().to_owned();
            let namespace = Some(text("namespace")).filter(|name| !name.is_empty());
            let own = items.entry(namespace.unwrap_or_else(|| "default".into())).or_default();
            let limits = range["spec"]["limits"].as_array().into_iter().flatten();
            own.extend(limits.map(|item| (text("name"), Item::read(item))));
        }
        // The plugin's own order is that of a cache: the names' is one of those that it may take.
        items.values_mut().for_each(|own| own.sort_by(|(a, _), (b, _)| a.cmp(b)));
        Self { items }
    }

    /// A pod's spec as the target's API server would store it.
    pub(super) fn filled<'s>(&self, namespace: &str, metadata: &Value, spec: &'s Value) -> Cow<'s, Value> {
        let noted = metadata["annotations"][FILLED].as_str();
        let items = self.items.get(namespace);
        if noted.is_none() && items.is_none() {
            return Cow::Borrowed(spec);
        }
        let mut spec = spec.clone();
        noted.into_iter().for_each(|words| take_out(&mut spec, words));
        // Item by item: the first to say something is the one that counts, as it is for the plugin.
        for (_, item) in items.into_iter().flatten().filter(|(_, item)| item.of == "Container") {
            for container in all_containers(&mut spec) {
                fill(container, item);
            }
        }
        Cow::Owned(spec)
    }

    /// What of a pod, filled already, is out of bounds.
    pub(super) fn refused(&self, namespace: &str, spec: &Value) -> Vec<OutOfBounds> {
        let mut refused = Vec::new();
        for (range, item) in self.items.get(namespace).into_iter().flatten() {
            let mut add = |(says, change): (String, String)| {
                refused.push(OutOfBounds { range: range.clone(), says, change });
            };
            match item.of.as_str() {
                "Container" => {
                    for container in super::requirements::containers(spec) {
                        let name = container["name"].as_str().unwrap_or_default();
                        let who = format!("container {name}");
                        bounds(item, &who, |which, name| of_container(container, which, name), &mut add);
                    }
                }
                "Pod" => bounds(item, "the pod", |which, name| total(spec, which, name), &mut add),
                _ => {}
            }
        }
        refused
    }
}

/// `minConstraint`, `maxConstraint` and `limitRequestRatioConstraint` of the plugin.
fn bounds(
    item: &Item,
    who: &str,
    of: impl Fn(Which, &str) -> Option<i128>,
    add: &mut impl FnMut((String, String)),
) {
    let both = |name: &str| (of(Which::Requests, name), of(Which::Limits, name));
    for (name, least) in item.min.iter().filter_map(|(name, value)| Some((name, amount(value)?))) {
        let (request, limit) = both(name);
        if request.is_none_or(|request| request < least) || limit.is_some_and(|limit| limit < least) {
            let least = shown(name, least);
            add((
                format!("{who} has to ask for {least} of {name} at least"),
                format!("let it ask for {least}, or lower the minimum"),
            ));
        }
    }
    for (name, most) in item.max.iter().filter_map(|(name, value)| Some((name, amount(value)?))) {
        let (request, limit) = both(name);
        if limit.is_none_or(|limit| limit > most) || request.is_some_and(|request| request > most) {
            let told = shown(name, most);
            let change = match limit.max(request) {
                Some(own) if own > most => {
                    format!("raise the maximum to {}, or let it ask for less", shown(name, own))
                }
                _ => format!("give it a limit of {told} at most"),
            };
            add((format!("{who} may have {told} of {name} at most, and has to have a limit"), change));
        }
    }
    for (name, ratio) in item.ratio.iter().filter_map(|(name, value)| Some((name, amount(value)?))) {
        let (request, limit) = both(name);
        let (request, limit) = (request.unwrap_or(0), limit.unwrap_or(0));
        // limit / request > ratio, without the division.
        let over = limit.saturating_mul(1_000_000_000) > ratio.saturating_mul(request);
        if request == 0 || limit == 0 || over {
            let ratio = shown("cpu", ratio);
            add((
                format!("{who} may have a limit of {ratio} times its request of {name} at most"),
                "let it ask for more, or lower its limit".into(),
            ));
        }
    }
}

fn all_containers(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    let map = spec.as_object_mut().into_iter().flat_map(Map::iter_mut);
    let lists = map.filter(|(field, _)| ["containers", "initContainers"].contains(&field.as_str()));
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten()
}

/// `mergeContainerResources` of the plugin, after `SetDefaults_Pod`: a limit stands for a request that is not said.
fn fill(container: &mut Value, item: &Item) {
    let said =
        |container: &Value, which: Which, name: &str| !container["resources"][which.field()][name].is_null();
    for (name, value) in &item.default_request {
        let limited = said(container, Which::Limits, name);
        if !limited && !said(container, Which::Requests, name) {
            container["resources"]["requests"][name.as_str()] = value.clone();
        }
    }
    for (name, value) in &item.default {
        if !said(container, Which::Limits, name) {
            container["resources"]["limits"][name.as_str()] = value.clone();
        }
    }
}

/// Takes out what the plugin filled in by its words: `LimitRanger plugin set: cpu, memory request for container a; cpu
/// limit for init container b`.
fn take_out(spec: &mut Value, words: &str) {
    let Some((_, parts)) = words.split_once(": ") else { return };
    for part in parts.split("; ") {
        let Some((what, whom)) = part.split_once(" for ") else { continue };
        let Some((names, which)) = what.rsplit_once(' ') else { continue };
        let (field, container) = match (whom.strip_prefix("init container "), whom.strip_prefix("container "))
        {
            (Some(name), _) => ("initContainers", name),
            (None, Some(name)) => ("containers", name),
            (None, None) => continue,
        };
        let list = spec.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
        for own in list.filter(|own| own["name"] == container) {
            let requirements =
                own.pointer_mut(&format!("/resources/{which}s")).and_then(Value::as_object_mut);
            if let Some(requirements) = requirements {
                names.split(", ").for_each(|name| drop(requirements.remove(name)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn range(items: Value) -> LimitRanges {
        LimitRanges::of(&[
            json!({"metadata": {"name": "limits", "namespace": "shop"}, "spec": {"limits": items}}),
        ])
    }

    fn resources(ranges: &LimitRanges, metadata: &Value, resources: Value) -> Value {
        let spec = json!({"containers": [{"name": "a", "resources": resources}]});
        ranges.filled("shop", metadata, &spec)["containers"][0]["resources"].clone()
    }

    #[test]
    fn what_a_container_does_not_say_is_filled_in() {
        let none = json!({});
        let asked = range(json!([{"type": "Container", "defaultRequest": {"cpu": "100m"}}]));
        assert_eq!(resources(&asked, &none, json!({})), json!({"requests": {"cpu": "100m"}}));
        let own = json!({"requests": {"cpu": "1"}});
        assert_eq!(resources(&asked, &none, own.clone()), own);
        let limited = json!({"limits": {"cpu": "2"}});
        assert_eq!(resources(&asked, &none, limited.clone()), limited, "a limit is a request");
        // `default` is the limit, and the request where `defaultRequest` says none; `max` is the default's default.
        let whole = range(json!([{"type": "Container", "default": {"cpu": "1"}, "max": {"memory": "1Gi"}}]));
        let all = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(resources(&whole, &none, json!({})), json!({"requests": all, "limits": all}));
        let least = range(json!([{"type": "Container", "min": {"memory": "1Mi"}}]));
        assert_eq!(resources(&least, &none, json!({})), json!({"requests": {"memory": "1Mi"}}));
        let of_pods = range(json!([{"type": "Pod", "max": {"cpu": "1"}}]));
        assert_eq!(resources(&of_pods, &none, json!({})), json!({}));
        let elsewhere = asked.filled("other", &none, &none);
        assert_eq!(*elsewhere, none);
    }

    #[test]
    fn what_was_filled_in_before_is_filled_in_anew() {
        let noted = json!({"annotations": {FILLED: "LimitRanger plugin set: cpu, memory request for container a; cpu limit \
            for init container a"}});
        let own = json!({"requests": {"cpu": "100m", "memory": "1Gi", "pods.example/x": "1"}});
        let now = range(json!([{"type": "Container", "defaultRequest": {"cpu": "200m"}}]));
        let expected = json!({"requests": {"cpu": "200m", "pods.example/x": "1"}});
        assert_eq!(resources(&now, &noted, own.clone()), expected);
        let none = LimitRanges::default();
        assert_eq!(resources(&none, &noted, own), json!({"requests": {"pods.example/x": "1"}}));
    }

    #[test]
    fn what_is_out_of_bounds_is_told_with_the_change() {
        let ranges = range(json!([
            {"type": "Container", "min": {"cpu": "50m"}, "max": {"memory": "1Gi"}, "maxLimitRequestRatio": {"cpu": "4"}},
            {"type": "Pod", "max": {"memory": "1536Mi"}},
        ]));
        let told = |containers: Value| -> Vec<String> {
            let spec = json!({ "containers": containers });
            let spec = ranges.filled("shop", &json!({}), &spec);
            let refused = ranges.refused("shop", &spec);
            refused.into_iter().map(|one| format!("{}: {}; {}", one.range, one.says, one.change)).collect()
        };
        let container = |request: &str, limit: &str, memory: &str| {
            json!({"name": "a", "resources": {"requests": {"cpu": request, "memory": memory}, "limits":
                {"cpu": limit, "memory": memory}}})
        };
        assert_eq!(told(json!([container("50m", "200m", "1Gi")])), [""; 0]);
        let small = told(json!([container("49m", "100m", "1Gi")]));
        assert!(small.len() == 1 && small[0].contains("50m of cpu at least"), "{small:?}");
        let large = told(json!([container("1", "1", "1025Mi")]));
        assert!(large.len() == 1 && large[0].contains("raise the maximum to 1025Mi"), "{large:?}");
        let uneven = told(json!([container("50m", "201m", "1Gi")]));
        assert!(uneven.len() == 1 && uneven[0].contains("4 times its request of cpu"), "{uneven:?}");
        let together = told(json!([container("1", "1", "1Gi"), container("1", "1", "1Gi")]));
        assert!(together.len() == 1 && together[0].contains("the pod may have 1536Mi"), "{together:?}");
    }
}
