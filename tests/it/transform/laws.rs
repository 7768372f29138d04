//! What holds for every object: properties over the fixtures and over mangled ones.

use super::{context, everything};
use portolan::transform::{Context, Quiesce, Scheme, Shape, Volumes, diff, transform_all};
use proptest::prelude::*;
use serde_json::Value;

fn contexts() -> Vec<Context> {
    vec![
        context(),
        Context { quiesce: Quiesce { all_workloads: true, ..Quiesce::default() }, ..context() },
        Context {
            volumes: Volumes::Provision,
            scheme: Scheme::Internal,
            forget_control_plane: true,
            ..context()
        },
        Context::default(),
    ]
}

/// Every place of a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    if !at.is_empty() {
        found.push(at.to_owned());
    }
    match value {
        Value::Object(map) => map.iter().for_each(|(key, below)| {
            places(below, &portolan::transform::pointer_at(at, key), found);
        }),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(place, below)| places(below, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

/// The fixtures with one place of one object replaced by something that does not belong there.
fn mangled() -> impl Strategy<Value = Vec<Value>> {
    let junk = prop_oneof![
        Just(Value::Null),
        Just(Value::from("")),
        Just(Value::from("x.y/z=1")),
        Just(Value::from(-1)),
        Just(Value::from(true)),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([{"name": "x"}, null, 3])),
        Just(serde_json::json!({"a": {"b": []}})),
        Just(serde_json::json!(["system:masters", "é"])),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), junk).prop_map(|(object, place, junk)| {
        let mut all = everything();
        let object = object.index(all.len());
        let mut found = Vec::new();
        places(&all[object], "", &mut found);
        let target = &found[place.index(found.len())];
        *all[object].pointer_mut(target).unwrap() = junk;
        all
    })
}

fn targets(objects: &[Value], context: &Context) -> Vec<Value> {
    transform_all(objects, context).into_iter().flat_map(|done| done.objects).collect()
}

fn assert_laws(objects: &[Value], context: &Context) {
    let once = targets(objects, context);
    assert_eq!(targets(&once, context), once, "a second run changes what the first one made");
    let mut reversed = objects.to_vec();
    reversed.reverse();
    let mut backwards = transform_all(&reversed, context);
    backwards.reverse();
    let forwards = transform_all(objects, context);
    assert_eq!(forwards, backwards, "the order of objects matters");
    for done in &forwards {
        // A change that is no change would stand in every report.
        assert!(
            done.edits.iter().all(|edit| edit.old != edit.new || edit.old == Some("(sensitive)".into())),
            "{done:?}"
        );
    }
}

#[test]
fn the_fixtures_keep_the_laws_in_every_context() {
    for context in contexts() {
        assert!(context.problems().is_empty());
        assert_laws(&everything(), &context);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mangled_objects_keep_the_laws(objects in mangled(), which in 0..4usize) {
        assert_laws(&objects, &contexts()[which]);
    }

    /// Any order of the same objects gives each of them the same answer.
    #[test]
    fn any_order_gives_the_same(order in Just((0..everything().len()).collect::<Vec<_>>()).prop_shuffle(), which in 0..4usize) {
        let (objects, context) = (everything(), &contexts()[which]);
        let shuffled: Vec<Value> = order.iter().map(|place| objects[*place].clone()).collect();
        let (straight, mixed) = (transform_all(&objects, context), transform_all(&shuffled, context));
        for (place, done) in order.iter().zip(&mixed) {
            prop_assert_eq!(&straight[*place], done);
        }
    }

    #[test]
    fn no_secret_value_is_in_any_output(value in "[a-zA-Z0-9]{24}", kind in 0..4usize, which in 0..4usize) {
        let kinds = ["Opaque", "kubernetes.io/service-account-token", "kubernetes.io/tls", "helm.sh/release.v1"];
        let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "type": kinds[kind],
            "metadata": {"name": "s", "namespace": "shop", "finalizers": ["kubernetes"], "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": value,
                "note": value, "kubernetes.io/service-account.name": "x"}},
            "data": {"token": value, "k": value}, "stringData": {"l": value}});
        let context = &contexts()[which];
        let done = transform_all(std::slice::from_ref(&secret), context);
        let shown = format!("{done:?}{}{}", diff(&secret, context, Shape::Whole), diff(&secret, context, Shape::Rules));
        prop_assert!(!shown.contains(&value), "{}", shown);
    }
}
