//! What the rules make of the objects that are carried over.

use crate::migrate::assess::{Assessment, Facts, rules_context};
use crate::migrate::dump::Inventory;
use crate::migrate::own::{Class, Classified};
use crate::migrate::proof;
use crate::migrate::verdict::{Level, Verdict};
use crate::model::Object;
use crate::model::kops::KopsState;
use crate::transform::{Context, Side, Survey, transform};
use serde_json::Value;
use std::collections::BTreeMap;

/// The first minor that EKS has served to everybody at the time of writing, where nothing says which one it will be.
const SOME_MINOR: u32 = 34;

/// What the rules are told of the two clusters: what the assessment proposes, and before it what was read of the source.
#[must_use]
pub fn context(
    inventory: &Inventory,
    kops: &KopsState,
    facts: &Facts,
    choices: &BTreeMap<String, String>,
    assessment: &Assessment,
) -> Context {
    let mut context = rules_context(kops, facts, choices, assessment.config.as_ref());
    let read = context_of_objects(inventory);
    let source = &mut context.source;
    if read.source.minor != 0 {
        source.minor = read.source.minor;
    }
    source.served = read.source.served;
    source.dns_address = read.source.dns_address.or(source.dns_address.take());
    if let Some(region) = &inventory.region {
        source.region.clone_from(region);
    }
    if context.target.minor == 0 {
        context.target.minor = SOME_MINOR;
    }
    context.survey = read.survey;
    context
}

/// The same where no specs were read: only the objects and the server tell.
#[must_use]
pub fn context_of_objects(inventory: &Inventory) -> Context {
    let api = inventory.api.as_ref();
    let source = Side {
        minor: api.and_then(|api| api.minor()).unwrap_or_default(),
        served: api.map(|api| api.served()).unwrap_or_default(),
        dns_address: dns_address(inventory),
        ..Side::default()
    };
    Context {
        source,
        target: Side { minor: SOME_MINOR, ..Side::default() },
        survey: Survey::of(inventory.objects.iter().map(Object::body)),
        ..Context::default()
    }
}

fn dns_address(inventory: &Inventory) -> Option<String> {
    let services = inventory.of_kind("", "Service");
    let mut dns =
        services.filter(|service| service.namespace() == Some("kube-system") && service.name() == "kube-dns");
    dns.next()?.body().pointer("/spec/clusterIP").and_then(Value::as_str).map(str::to_owned)
}

/// Verdicts on every object: what becomes of it, and what the rules say of those that are carried over.
pub(super) fn verdicts(classified: &[Classified], moving: &[Object], context: &Context) -> Vec<Verdict> {
    let bodies: BTreeMap<_, &Value> = moving.iter().map(|object| (object.id(), object.body())).collect();
    let mut verdicts = Vec::new();
    for one in classified {
        let Some(body) = bodies.get(&one.id).filter(|_| one.class == Class::Port) else {
            verdicts.push(one.verdict());
            continue;
        };
        let done = transform(body, context);
        let own = proof::verdicts(&one.id.to_string(), &done);
        match &done.dropped {
            // A rule knows better than the class: its reason is told, and once.
            Some(_) => verdicts.extend(own.into_iter().map(|mut verdict| {
                if super::is_users(one) && verdict.level == Level::Irrelevant {
                    verdict.level = Level::Warning;
                }
                verdict
            })),
            None => {
                verdicts.push(one.verdict());
                verdicts.extend(own);
            }
        }
    }
    verdicts
}
