//! Annotations of load balancers, by the table.

use super::super::context::Balancer;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::tables::{BALANCERS, BalancerFate, BalancerRow};
use super::super::work::Work;
use super::load_balancer::{PREFIX, annotation, by_controller, is_ours};
use super::scheduling::rewritten_pairs;
use std::collections::BTreeMap;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "balancer.annotations",
        kinds: &["Service"],
        reason: "the AWS Load Balancer Controller says it in another way",
        source: "config/transforms/load-balancers.yaml",
        apply: annotations,
    },
    Rule {
        id: "balancer.target-nodes",
        kinds: &["Service"],
        reason: "it names nodes by labels of the old cluster",
        source: "aws-load-balancer-controller docs/guide/service/annotations.md",
        apply: target_nodes,
    },
];

fn annotations(work: &mut Work<'_>) {
    // What the controller reads already is in its own words.
    if !is_ours(work) || work.context.balancer != Balancer::Network || by_controller(work) {
        return;
    }
    for key in work.keys("/metadata/annotations") {
        let Some(short) = key.strip_prefix(PREFIX) else { continue };
        match BALANCERS.iter().find(|row| row.key == short) {
            Some(row) => apply(work, row),
            None if KNOWN.contains(&short) => {}
            None => work.remark(
                Weight::Warning,
                &annotation(short),
                "no rule knows this annotation: read in the controller's documentation whether it has one like it",
            ),
        }
    }
}

/// Annotations that other rules care for.
const KNOWN: [&str; 6] =
    ["scheme", "type", "nlb-target-type", "internal", "backend-protocol", "target-node-labels"];

fn apply(work: &mut Work<'_>, row: &BalancerRow) {
    let pointer = annotation(&row.key);
    let value = work.text(&pointer).unwrap_or_default().to_owned();
    let to = row.to.as_deref().unwrap_or_default();
    match row.becomes {
        BalancerFate::Keep => {}
        BalancerFate::Rename => work.rename(&pointer, &annotation(to)),
        BalancerFate::LoadBalancerAttribute => {
            work.remove(&pointer);
            add(work, "attributes", to, &value);
        }
        BalancerFate::TargetGroupAttribute => {
            work.remove(&pointer);
            add(work, "target-group-attributes", to, &value);
        }
        BalancerFate::Draining => {
            work.remove(&pointer);
            if value == "false" {
                add(work, "target-group-attributes", to, "0");
            }
        }
        BalancerFate::ListenerAttribute => listeners(work, &pointer, to, &value),
        BalancerFate::Drop => drop(work.remove(&pointer)),
        BalancerFate::Choice => {
            work.remove(&pointer);
            let says = row.says.clone().unwrap_or_default();
            return work.offer(
                Weight::Choice,
                &pointer,
                says,
                &[
                    ("later", "the annotation is set again when the old load balancer is gone"),
                    ("new", "the new load balancer gets addresses of its own"),
                ],
            );
        }
    }
    if let Some(says) = &row.says {
        work.remark(Weight::Warning, &pointer, says);
    }
}

/// The idle timeout of a Network Load Balancer is that of each TCP listener, in seconds from 60 to 6000.
fn listeners(work: &mut Work<'_>, pointer: &str, name: &str, value: &str) {
    let seconds = value.trim().parse::<u32>().map(|seconds| seconds.clamp(60, 6000));
    work.remove(pointer);
    let Ok(seconds) = seconds else {
        return work.remark(Weight::Warning, pointer, "it is no number of seconds");
    };
    let encrypted = work.get(&annotation("ssl-cert")).is_some();
    for item in work.items("/spec/ports") {
        let tcp = matches!(work.text(&at(&item, "protocol")), None | Some("TCP"));
        let Some(port) = work.get(&at(&item, "port")).and_then(serde_json::Value::as_u64) else { continue };
        if tcp && !encrypted {
            add(work, &format!("listener-attributes.TCP-{port}"), name, &seconds.to_string());
        }
    }
    if encrypted {
        work.remark(
            Weight::Warning,
            pointer,
            "listeners with TLS close idle connections after 350 s, whatever is said",
        );
    }
}

/// Adds `name=value` to an annotation that lists such pairs, unless it has the name already.
fn add(work: &mut Work<'_>, key: &str, name: &str, value: &str) {
    let pointer = annotation(key);
    let old = work.text(&pointer).unwrap_or_default();
    let mut pairs: BTreeMap<&str, &str> = old.split(',').filter_map(|pair| pair.split_once('=')).collect();
    pairs.entry(name).or_insert(value);
    let new: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    work.set(&pointer, new.join(","));
}

fn target_nodes(work: &mut Work<'_>) {
    let pointer = annotation("target-node-labels");
    let Some(old) = work.text(&pointer).map(String::from) else { return };
    let new = rewritten_pairs(work, &old, &pointer);
    if new.is_empty() {
        work.remove(&pointer);
    } else {
        work.set(&pointer, new);
    }
}
