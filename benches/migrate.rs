//! How long the assessment of a cluster of N objects and their way through the rules take, and how much memory.
//!
//! ```text
//! cargo bench --bench migrate -- --objects 10000 [--port 1000]
//! ```
//!
//! Prints one line of JSON. The objects are like those of an export: pods with their owners, managed fields, statuses.
//! `--port` also moves that many units of three objects between two local control planes, up to the stage Sync, beside a
//! bare apply of the same objects to the same target; 0 leaves it out.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod export;
mod port;
mod stage;

use export::objects;
use portolan::migrate::assess::packing::{Demand, pack, planned_groups, verdicts};
use portolan::migrate::assess::{Facts, InstanceType, Subnet, assess, rules_context};
use portolan::migrate::calls::Graph;
use portolan::migrate::own::{Context as Known, Index, classify};
use portolan::migrate::owner::{Sources, owners};
use portolan::migrate::proof::{Explain, Key, prove};
use portolan::model::Object;
use portolan::model::kops::{Source, read_files};
use portolan::transform::{Context, rescheduled, transform_all};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Longest time for assessment and rules together, in seconds, of ten thousand objects.
const LIMIT_SECONDS: f64 = 5.0;
/// Most memory, in MiB.
const LIMIT_MEBIBYTES: f64 = 500.0;

/// Least rate of the port stage, as a part of the floor's.
const PORT_OF_FLOOR: f64 = 0.8;

fn main() {
    let count = flag("--objects", 10_000);
    let bodies = objects(count);
    let loaded = peak_mebibytes();

    let (assessed, rules, objects, parts) = assessed(bodies);
    let bodies: Vec<Value> = objects.into_iter().map(Object::into_body).collect();

    let begun = Instant::now();
    let done = transform_all(&bodies, &rules);
    let transformed = begun.elapsed().as_secs_f64();
    let peak = peak_mebibytes();
    let carried = done.iter().filter(|one| one.dropped.is_none()).count();
    let edits: usize = done.iter().map(|one| one.edits.len()).sum();

    let expected: Vec<Value> = done.into_iter().flat_map(|one| one.objects).collect();
    drop(bodies);
    let begun = Instant::now();
    let explain = Explain { keep_explained: false, ..Explain::with(Key::new([7; 32])) };
    assert!(prove(&expected, &expected, &explain).equal, "a set equals itself");
    let proven = begun.elapsed().as_secs_f64();

    drop(expected);
    let units = flag("--port", 1000);
    let port = match units {
        0 => Value::Null,
        units => tokio::runtime::Runtime::new().expect("a runtime").block_on(port::measured(units)),
    };
    let seconds = assessed + transformed;
    let line = json!({
        "bench": "migrate",
        "objects": count,
        "carried": carried,
        "edits": edits,
        "seconds": round(seconds),
        "assessSeconds": round(assessed),
        "assess": parts,
        "transformSeconds": round(transformed),
        "proveSeconds": round(proven),
        "loadedMiB": round(loaded),
        "peakMiB": round(peak),
        "withinLimits": seconds < LIMIT_SECONDS && peak < LIMIT_MEBIBYTES,
        "port": port,
        "portWithinLimit": port["ofFloor"].as_f64().map(|ratio| ratio >= PORT_OF_FLOOR),
    });
    println!("{line}");
}

/// Everything that `portolan migrate assess` asks of the objects, with the seconds of each part.
fn assessed(bodies: Vec<Value>) -> (f64, Context, Vec<Object>, BTreeMap<&'static str, f64>) {
    let mut parts = BTreeMap::new();
    let begun = Instant::now();
    let mut last = begun;
    let mut lap = |name: &'static str| {
        parts.insert(name, round(last.elapsed().as_secs_f64()));
        last = Instant::now();
    };
    let sources = [Source { origin: "cluster.yaml", bytes: export::SPEC.as_bytes() }];
    let state = read_files("the benchmark", &sources, None).expect("a kops cluster");
    let facts = facts();
    let choices = [("kops.group.image", "AmazonLinux2023"), ("kops.identity.version", "1.35")];
    let choices = choices.map(|(rule, way)| (rule.to_owned(), way.to_owned())).into();
    let assessment = assess(&state, &facts, &choices);
    let config = assessment.config.expect("a whole ClusterConfig");
    let rules = rules_context(&state, &facts, &choices, Some(&config));
    lap("specs");
    // As the overview does: selectors as the rules make them.
    let of_kind = |kind: &str| -> Vec<Value> {
        let of = bodies.iter().filter(|body| body["kind"] == kind);
        of.map(|body| rescheduled(body, &rules)).collect()
    };
    let demand = Demand {
        pods: of_kind("Pod"),
        daemon_sets: of_kind("DaemonSet"),
        limit_ranges: of_kind("LimitRange"),
        quotas: of_kind("ResourceQuota"),
        ..Demand::default()
    };
    let (groups, unknown) = planned_groups(&config, &facts);
    let packing = pack(groups, &demand, &config, &facts);
    assert!(packing.fits(), "{:?}", verdicts(&packing, &unknown));
    drop(demand);
    lap("packing");
    let objects: Vec<Object> = bodies.into_iter().map(|body| Object::new(body).expect("an object")).collect();
    let classified = classify(&objects, &Index::default(), &Known::default());
    assert_eq!(classified.len(), objects.len());
    lap("whose");
    assert_eq!(owners(&objects, &Sources::default()).len(), objects.len());
    lap("owners");
    assert!(!Graph::of(&objects, &[]).edges.is_empty());
    lap("calls");
    (begun.elapsed().as_secs_f64(), rules, objects, parts)
}

fn facts() -> Facts {
    let m5 = InstanceType {
        vcpus: 4,
        memory_mib: 16 * 1024,
        interfaces: 4,
        addresses_per_interface: 15,
        nitro: true,
        architecture: "x86_64".into(),
        current: true,
        ..InstanceType::default()
    };
    let subnet = |zone: &str| Subnet {
        vpc: "vpc-1".into(),
        zone: zone.into(),
        free_addresses: Some(60_000),
        ..Subnet::default()
    };
    Facts {
        instance_types: BTreeMap::from([("m5.xlarge".to_owned(), m5)]),
        subnets: ["a", "b", "c"]
            .map(|letter| (format!("subnet-{letter}"), subnet(&format!("eu-central-1{letter}"))))
            .into(),
        ..Facts::default()
    }
}

/// Peak resident memory of this process in MiB.
fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    kibibytes / 1024.0
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The number behind a flag of the command line.
fn flag(name: &str, default: usize) -> usize {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name);
    arguments.next().and_then(|value| value.parse().ok()).unwrap_or(default)
}
