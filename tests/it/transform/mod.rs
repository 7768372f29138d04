//! Objects through the rules: each rule on its own fixture, the laws as properties, real input where it is there.

mod api;
mod convert;
mod corpus;
mod fixtures;
mod laws;
mod old;
mod owners;
mod pods;
mod scheduling;
mod server;
mod services;
mod storage;

pub use fixtures::{context, everything};

use portolan::transform::{Context, Transformed, Weight, transform};
use serde_json::Value;

/// The one object that comes out.
pub fn one(object: &Value, context: &Context) -> Value {
    let done = transform(object, context);
    assert!(done.dropped.is_none(), "{:?}", done.dropped);
    assert_eq!(done.objects.len(), 1);
    done.objects[0].clone()
}

/// The rule that left an object behind.
pub fn dropped_by(object: &Value, context: &Context) -> String {
    transform(object, context).dropped.map(|dropped| dropped.rule).unwrap_or_default()
}

/// Rules of the remarks of a weight.
pub fn told(done: &Transformed, weight: Weight) -> Vec<&str> {
    done.remarks.iter().filter(|remark| remark.weight == weight).map(|remark| remark.rule.as_str()).collect()
}
