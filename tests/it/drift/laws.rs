//! Laws of drift over objects that nobody thought of: values and `managedFields` are grown together, as the server
//! would write them for an apply.

use portolan::drift::{
    Baseline, Check, FieldSet, Ignore, Interner, Literal, Salt, adopt_client_side, changes, ignored_fieldset,
    literal, owned_by_us, release_all, release_paths, strip,
};
use portolan::model::{IgnoreRule, Object};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A value with what we own of it.
#[derive(Clone, Debug)]
enum Grown {
    /// A scalar of ours.
    Scalar(Value),
    /// A list or mapping that is owned as a whole.
    Atomic(Value),
    /// A set: our items, and items of others.
    Set(BTreeSet<String>, BTreeSet<String>),
    /// A list keyed by `name`, in order; an item's fields are those of a mapping.
    Keyed(Vec<(String, Fields)>),
    /// A mapping, field by field.
    Map(Fields),
}

/// Fields of a mapping: ours, and scalars of others.
#[derive(Clone, Debug)]
struct Fields {
    ours: BTreeMap<String, Grown>,
    others: BTreeMap<String, i64>,
}

impl Fields {
    fn value(&self) -> Map<String, Value> {
        let ours = self.ours.iter().map(|(key, grown)| (key.clone(), grown.value()));
        let others = self.others.iter().map(|(key, number)| (format!("other-{key}"), json!(number)));
        ours.chain(others).collect()
    }

    fn declared(&self) -> Map<String, Value> {
        self.ours.iter().map(|(key, grown)| (key.clone(), grown.declared())).collect()
    }

    fn owned(&self) -> Map<String, Value> {
        self.ours.iter().map(|(key, grown)| (format!("f:{key}"), grown.owned())).collect()
    }
}

impl Grown {
    fn value(&self) -> Value {
        match self {
            Self::Scalar(value) | Self::Atomic(value) => value.clone(),
            Self::Set(ours, others) => json!(ours.iter().chain(others.difference(ours)).collect::<Vec<_>>()),
            Self::Keyed(items) => items
                .iter()
                .map(|(name, fields)| {
                    let mut item = fields.value();
                    item.insert("name".into(), json!(name));
                    Value::Object(item)
                })
                .collect(),
            Self::Map(fields) => Value::Object(fields.value()),
        }
    }

    /// What a manifest would say.
    fn declared(&self) -> Value {
        match self {
            Self::Scalar(_) | Self::Atomic(_) => self.value(),
            Self::Set(ours, _) => json!(ours),
            Self::Keyed(items) => items
                .iter()
                .map(|(name, fields)| {
                    let mut item = fields.declared();
                    item.insert("name".into(), json!(name));
                    Value::Object(item)
                })
                .collect(),
            Self::Map(fields) => Value::Object(fields.declared()),
        }
    }

    fn owned(&self) -> Value {
        match self {
            Self::Scalar(_) | Self::Atomic(_) => json!({}),
            Self::Set(ours, _) => ours.iter().map(|item| (format!("v:{}", json!(item)), json!({}))).collect(),
            Self::Keyed(items) => items
                .iter()
                .map(|(name, fields)| {
                    let mut owned = fields.owned();
                    owned.insert(".".into(), json!({}));
                    owned.insert("f:name".into(), json!({}));
                    (format!("k:{}", json!({"name": name})), Value::Object(owned))
                })
                .collect(),
            Self::Map(fields) => Value::Object(fields.owned()),
        }
    }

    /// Everything that can change on its own.
    fn spots(&mut self) -> Vec<Spot<'_>> {
        match self {
            Self::Scalar(value) | Self::Atomic(value) => vec![Spot::Ours(value)],
            Self::Set(ours, others) => vec![Spot::OurItems(ours), Spot::OtherItems(others)],
            Self::Keyed(items) => items.iter_mut().flat_map(|(_, fields)| fields.spots()).collect(),
            Self::Map(fields) => fields.spots(),
        }
    }
}

impl Fields {
    fn spots(&mut self) -> Vec<Spot<'_>> {
        let mut spots: Vec<Spot<'_>> = self.ours.values_mut().flat_map(Grown::spots).collect();
        spots.push(Spot::Others(&mut self.others));
        spots
    }
}

enum Spot<'a> {
    Ours(&'a mut Value),
    OurItems(&'a mut BTreeSet<String>),
    Others(&'a mut BTreeMap<String, i64>),
    OtherItems(&'a mut BTreeSet<String>),
}

impl Spot<'_> {
    const fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_) | Self::OurItems(_))
    }

    /// Changes the value; the ownership is left as it was, as a webhook would.
    fn change(self) {
        match self {
            Self::Ours(value) => *value = json!({"changed": value.clone()}),
            Self::OurItems(items) => drop(items.pop_first()),
            Self::Others(others) => *others.entry("new".into()).or_insert(0) += 1,
            Self::OtherItems(items) => drop(items.insert("new".into())),
        }
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b)),
        "[a-z0-9]{1,12}".prop_map(|text| json!(text)),
        "[a-zé\n]{190,220}".prop_map(|text| json!(text)),
        (-1000..1000i32).prop_map(|n| json!(f64::from(n) / 8.0)),
    ]
}

fn name() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[a-d]", "[a-z]{2,8}", "[a-z]{1,4}[./][a-z]{1,4}"]
}

fn items() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[a-z/\"]{1,6}", 1..4)
}

fn grown() -> impl Strategy<Value = Grown> {
    let leaf = prop_oneof![
        4 => scalar().prop_map(Grown::Scalar),
        1 => prop::collection::vec(scalar(), 1..4).prop_map(|list| Grown::Atomic(Value::Array(list))),
        1 => prop::collection::btree_map(name(), scalar(), 1..3)
            .prop_map(|map| Grown::Atomic(Value::Object(map.into_iter().collect()))),
        1 => (items(), items()).prop_map(|(ours, others)| {
            let others = others.difference(&ours).cloned().collect();
            Grown::Set(ours, others)
        }),
    ];
    leaf.prop_recursive(4, 48, 5, |inner| {
        let fields = fields_of(inner);
        prop_oneof![
            2 => fields.clone().prop_map(Grown::Map),
            1 => prop::collection::btree_map("[a-z]{1,5}", fields, 1..4)
                .prop_map(|items| items.into_iter().map(|(name, mut fields)| {
                    fields.ours.remove("name");
                    (name, fields)
                }).collect::<Vec<_>>())
                .prop_shuffle()
                .prop_map(Grown::Keyed),
        ]
    })
}

fn fields_of(inner: impl Strategy<Value = Grown> + Clone) -> impl Strategy<Value = Fields> + Clone {
    let ours = prop::collection::btree_map(name(), inner, 1..5);
    let others = prop::collection::btree_map("[a-c]", any::<i64>(), 0..3);
    (ours, others).prop_map(|(ours, others)| Fields { ours, others })
}

fn fields() -> impl Strategy<Value = Fields> + Clone {
    fields_of(grown().boxed())
}

fn live(kind: &str, fields: &Fields) -> Object {
    live_owning(kind, fields, &fields.owned())
}

fn live_owning(kind: &str, fields: &Fields, owned: &Map<String, Value>) -> Object {
    let version = if kind == "Secret" { "v1" } else { "example.org/v1" };
    let entry = |manager: &str, operation: &str, fields: Value| {
        json!({"manager": manager, "operation": operation, "apiVersion": version, "fieldsType": "FieldsV1",
               "time": "2026-11-21T10:00:00Z", "fieldsV1": fields})
    };
    let managed = json!([
        entry("portolan", "Apply", json!({"f:data": owned})),
        entry("helm", "Update", json!({"f:data": {"f:other-a": {}}})),
    ]);
    Object::new(json!({"apiVersion": version, "kind": kind, "data": fields.value(),
        "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "managedFields": managed}}))
    .unwrap()
}

fn desired(kind: &str, fields: &Fields) -> Value {
    let version = if kind == "Secret" { "v1" } else { "example.org/v1" };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": "a", "namespace": "n"}, "data": fields.declared()})
}

fn salt() -> Salt {
    Salt::new([3; 32])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn an_object_has_not_drifted_from_itself(fields in fields(), kind in "Thing|Secret") {
        let object = live(&kind, &fields);
        let baseline = Baseline::of(&object, &salt()).unwrap();
        prop_assert_eq!(baseline.check(&object), Check::Same);
        prop_assert!(baseline.findings(&object).is_empty());
        // Also as the server would send it again.
        let again = Object::new(serde_json::from_str(&object.body().to_string()).unwrap()).unwrap();
        prop_assert_eq!(baseline.check(&again), Check::Same);
        prop_assert_eq!(baseline.fingerprint(), Baseline::of(&again, &salt()).unwrap().fingerprint());
    }

    #[test]
    fn a_change_is_found_exactly_when_it_is_of_ours(mut fields in fields(), kind in "Thing|Secret", spot: prop::sample::Index) {
        let before = live(&kind, &fields);
        let manifest = desired(&kind, &fields);
        let baseline = Baseline::of(&before, &salt()).unwrap();
        let owned = fields.owned();
        let mut spots = fields.spots();
        let spot = spots.swap_remove(spot.index(spots.len()));
        let ours = spot.is_ours();
        spot.change();
        let after = live_owning(&kind, &fields, &owned);
        let findings = baseline.findings(&after);
        prop_assert_eq!(findings.len(), usize::from(ours), "{:?}", findings);
        prop_assert_eq!(baseline.check(&after) == Check::Drifted, ours);
        prop_assert_eq!(literal_is_equal(&manifest, &after), !ours);
    }

    #[test]
    fn a_field_that_is_no_longer_ours_is_found(fields in fields(), spot: prop::sample::Index) {
        let object = live("Thing", &fields);
        let baseline = Baseline::of(&object, &salt()).unwrap();
        let owned = owned_by_us(&object).unwrap();
        let leaves = owned.leaves();
        let lost: FieldSet = std::iter::once(leaves[spot.index(leaves.len())].clone()).collect();
        let released = with_entry(&object, &owned.difference(&lost));
        let findings = baseline.findings(&released);
        prop_assert_eq!(findings.len(), 1);
        prop_assert_eq!(&findings[0].path, &lost.leaves()[0].to_string());
        // And the other way round: somebody applied more in our name.
        let less = Baseline::of(&released, &salt());
        prop_assert!(less.is_none_or(|less| less.check(&object) == Check::Drifted));
    }

    #[test]
    fn a_manifest_is_literally_equal_to_its_own_apply_only(mut fields in fields(), spot: prop::sample::Index) {
        let object = live("Thing", &fields);
        let manifest = desired("Thing", &fields);
        prop_assert_eq!(literal(&manifest, &object), Literal::Equal);
        let mut spots: Vec<Spot<'_>> = fields.spots().into_iter().filter(Spot::is_ours).collect();
        spots.swap_remove(spot.index(spots.len())).change();
        prop_assert!(!literal_is_equal(&desired("Thing", &fields), &object));
        // A field more in git, and every field less.
        let mut more = manifest.clone();
        more["data"]["added"] = json!(1);
        prop_assert!(!literal_is_equal(&more, &object));
        for key in manifest["data"].as_object().unwrap().keys() {
            let mut less = manifest.clone();
            less["data"].as_object_mut().unwrap().remove(key);
            prop_assert!(!literal_is_equal(&less, &object), "without {}", key);
        }
    }

    #[test]
    fn what_a_rule_ignores_is_gone_from_the_manifest_and_from_what_we_own(fields in fields(), spot: prop::sample::Index) {
        let object = live("Thing", &fields);
        let keys: Vec<&String> = fields.ours.keys().collect();
        let key = keys[spot.index(keys.len())];
        let pointer = format!("/data/{}", key.replace('~', "~0").replace('/', "~1"));
        let rule: IgnoreRule = serde_json::from_value(json!({"kind": "Thing", "paths": [pointer]})).unwrap();
        let ignore = Ignore::new(&[rule], BTreeSet::new()).unwrap();
        let mut manifest = Object::new(desired("Thing", &fields)).unwrap();
        let taken = strip(&mut manifest, &ignore);
        prop_assert_eq!(taken.len(), 1);
        prop_assert!(manifest.body().get("data").is_none_or(|data| data.get(key).is_none()));
        prop_assert!(strip(&mut manifest, &ignore).is_empty());
        let released = match release_paths(&object, &ignored_fieldset(&object, &ignore)) {
            Some(patch) => with_managed(&object, &patch),
            None => panic!("nothing was released"),
        };
        prop_assert!(ignored_fieldset(&released, &ignore).is_empty());
        if fields.ours.len() > 1 {
            prop_assert_eq!(literal(manifest.body(), &released), Literal::Equal);
        } else {
            prop_assert!(owned_by_us(&released).is_none());
        }
    }

    #[test]
    fn field_sets_keep_the_laws_of_sets(a in fields(), b in fields()) {
        let (a, b) = (live("Thing", &a), live("Thing", &b));
        let (a, b) = (owned_by_us(&a).unwrap(), owned_by_us(&b).unwrap());
        prop_assert_eq!(&FieldSet::from_fields_v1(&a.to_fields_v1()).unwrap(), &a);
        prop_assert!(a.is_fields_v1(&a.to_fields_v1()));
        prop_assert_eq!(a.is_fields_v1(&b.to_fields_v1()), a == b);
        prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a.clone());
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert!(a.paths().iter().all(|path| a.contains(path) && a.union(&b).contains(path)));
        prop_assert_eq!(a.paths().into_iter().collect::<FieldSet>(), a.clone());
        let mut interner = Interner::new();
        prop_assert_eq!(&*interner.share(&a), &a);
        let shared = interner.share(&a);
        interner.sweep();
        prop_assert_eq!(&*shared, &a);
        drop(shared);
        interner.sweep();
        prop_assert!(interner.is_empty());
    }

    #[test]
    fn no_value_of_a_secret_is_ever_shown(old in "[A-Za-z0-9+/]{16,64}", new in "[A-Za-z0-9+/]{16,64}", foreign: bool) {
        prop_assume!(old != new);
        let annotation = "kubectl.kubernetes.io/last-applied-configuration";
        let body = |value: &str, managed: Value| Object::new(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s", "uid": "u", "resourceVersion": "1", "annotations": {annotation: value}, "managedFields": managed},
            "data": {"a": value, "b": {"nested": [value]}}, "stringData": {"c": value}})).unwrap();
        let fields = json!({"f:data": {"f:a": {}, "f:b": {}}, "f:stringData": {"f:c": {}},
                            "f:metadata": {"f:annotations": {format!("f:{annotation}"): {}}}});
        let entry = |manager: &str| json!({"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields});
        let before = body(&old, json!([entry("portolan")]));
        let after = body(&new, json!([entry(if foreign { "other" } else { "portolan" })]));
        let baseline = Baseline::of(&before, &salt()).unwrap();
        let findings = baseline.findings(&after);
        prop_assert!(findings.len() >= 4);
        let differing = changes(Some(before.body()), after.body(), true);
        prop_assert_eq!(differing.len(), 4);
        let mut texts = vec![
            format!("{baseline:?} {findings:?} {differing:?}"),
            format!("{:?}", literal(before.body(), &after)),
            serde_json::to_string(&(&findings, &differing)).unwrap(),
            format!("{:?} {:?}", release_all(&after), adopt_client_side(&after, &[])),
        ];
        texts.extend(findings.iter().map(ToString::to_string));
        texts.extend(differing.iter().map(ToString::to_string));
        texts.extend(changes(None, after.body(), true).iter().map(ToString::to_string));
        for text in texts {
            prop_assert!(!text.contains(&old) && !text.contains(&new), "{}", text);
        }
    }
}

fn literal_is_equal(desired: &Value, live: &Object) -> bool {
    literal(desired, live) == Literal::Equal
}

fn with_managed(object: &Object, patch: &Value) -> Object {
    let mut object = object.clone();
    let managed = patch.as_array().unwrap().last().unwrap()["value"].clone();
    object.metadata_mut().insert("managedFields".into(), managed);
    object
}

fn with_entry(object: &Object, owned: &FieldSet) -> Object {
    let mut object = object.clone();
    object.body_mut()["metadata"]["managedFields"][0]["fieldsV1"] = owned.to_fields_v1();
    object
}
