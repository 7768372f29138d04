//! Records of a wave.

use super::{Asked, Concern, of_kinds, waiting};
use crate::migrate::decommission::{list, member, text};
use crate::migrate::stages::balancers::{has_controller, is_left, uncontrolled};
use crate::migrate::stages::sight::{is, name, namespace};
use crate::migrate::traffic::{
    self, DnsController, Endpoint, ExternalDns, Health, Input, Made, Setting, Share, Shifted, Towards, Zones,
};
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Gate, Outcome, Side, Stage, Step};
use crate::model::migration_document::RecordSpec;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Keys of steps that hold an external-dns still. They are of the move and of no wave: it may own names of several.
const PAUSE: &str = "pause-dns/";
const LIFT: &str = "back/pause-dns/";
/// How long a load balancer of the target may take to have a name.
const BALANCER_LIMIT: u64 = 900;

/// Whether an entry of the journal is of a paused external-dns.
#[must_use]
pub fn is_pause(key: &str) -> bool {
    key.starts_with(PAUSE)
}

fn records<'a>(concern: &Concern<'a>) -> impl Iterator<Item = &'a RecordSpec> {
    let wave = concern.wave;
    concern.spec.traffic.records.iter().filter(move |record| record.wave == wave)
}

/// The hosted zone of a record, without the path that the API puts before it.
fn zone_of<'a>(concern: &Concern<'a>, record: &'a RecordSpec) -> Option<&'a str> {
    let zone = record.zone.as_deref().or(concern.spec.traffic.zone.as_deref())?;
    Some(zone.trim_start_matches("/hostedzone/"))
}

fn zone_read(zone: &str) -> Asked {
    let call = Call::new(Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": zone}));
    Asked::of(Side::Source, call)
}

/// How far a change is.
pub(super) fn change_read(change: &str) -> Asked {
    let id = change.trim_start_matches("/change/");
    Asked::of(Side::Source, Call::new(Service::Route53, "GetChange", json!({"Id": id})))
}

fn balancers() -> [Asked; 2] {
    [Service::ElbV2, Service::Elb]
        .map(|service| Asked::of(Side::Target, Call::new(service, "DescribeLoadBalancers", json!({}))))
}

pub(super) fn reads(concern: &Concern<'_>) -> Vec<Asked> {
    let zones: BTreeSet<&str> = records(concern).filter_map(|record| zone_of(concern, record)).collect();
    if zones.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<Asked> = zones.into_iter().map(zone_read).collect();
    all.extend(balancers());
    let pending = concern.originals.values().filter(|entry| entry.wave.as_deref() == Some(concern.wave));
    let pending: BTreeSet<&str> =
        pending.map(|entry| entry.pending.as_str()).filter(|id| !id.is_empty()).collect();
    all.extend(pending.into_iter().map(change_read));
    all
}

/// The traffic of a wave, towards its goal.
#[must_use]
pub fn traffic(concern: &Concern<'_>) -> Outcome {
    let towards = if concern.goal >= Stage::Shift { Towards::Target } else { Towards::Source };
    let mut outcome = planned(concern, towards);
    for step in outcome.steps.iter_mut().filter(|step| is_pause(&step.key)) {
        step.wave = None;
    }
    // Whoever paused it, the move lets it run again: another wave's names may still be shifted.
    outcome.steps.retain(|step| !step.key.starts_with(LIFT));
    if towards == Towards::Target && outcome.is_done() {
        outcome.gates.extend(records(concern).filter_map(kept_below));
    }
    outcome
}

/// A record that the document holds below all: the stage is not complete before it is at 100.
fn kept_below(record: &RecordSpec) -> Option<Gate> {
    let up_to = record.up_to.filter(|up_to| *up_to < 100)?;
    let what = format!("{} leads to the target with {up_to} %, as far as `upTo` says", record.name);
    Some(Gate::Waiting { what, limit_seconds: 0 })
}

/// Records that lead to the target alone, once there is no way back any more.
#[must_use]
pub fn settled(concern: &Concern<'_>) -> Outcome {
    let mut outcome = planned(concern, Towards::Settled);
    for step in &mut outcome.steps {
        step.wave = None;
    }
    outcome
}

fn planned(concern: &Concern<'_>, towards: Towards) -> Outcome {
    let mut outcome = Outcome::default();
    if records(concern).next().is_none() {
        return outcome;
    }
    if let Some(nowhere) = records(concern).find(|record| zone_of(concern, record).is_none()) {
        return waiting(Gate::Blocked {
            what: format!("nothing says in which zone {} is", nowhere.name),
            way_out: "set `spec.traffic.zone`, or the record's own `zone`".into(),
        });
    }
    if let Some(gate) = concern.unread(&reads(concern)) {
        return waiting(gate);
    }
    if towards == Towards::Target
        && let Some(gate) = kept_by_kops(concern)
    {
        return waiting(gate);
    }
    let mut names: BTreeMap<(String, String), Shifted> = BTreeMap::new();
    let mut health = BTreeMap::new();
    for record in records(concern) {
        let zone = zone_of(concern, record).unwrap_or_default();
        let endpoint = match endpoint(concern, &record.target) {
            Ok(endpoint) => endpoint,
            Err(gate) if towards == Towards::Target => {
                outcome.gates.push(gate);
                continue;
            }
            // Where it led on the target is of no use on the way back, nor at the end.
            Err(_) => Endpoint::Addresses(BTreeSet::new()),
        };
        let up_to = u8::try_from(record.up_to.unwrap_or(100)).unwrap_or(100);
        let shifted = Shifted { zone: zone.into(), name: record.name.clone(), endpoint, up_to };
        health.insert(record.name.clone(), health_of(concern, &record.target));
        // Records of several types of one name are one name.
        names.entry((zone.into(), record.name.clone())).or_insert(shifted);
    }
    let names: Vec<Shifted> = names.into_values().collect();
    let mut zones = Zones::default();
    for zone in names.iter().map(|name| name.zone.as_str()).collect::<BTreeSet<_>>() {
        if let Some(answer) = concern.answer(&zone_read(zone)) {
            zones.read(zone, answer);
        }
    }
    let controllers: Vec<ExternalDns> = [(Side::Source, concern.source), (Side::Target, concern.target)]
        .into_iter()
        .flat_map(|(side, objects)| {
            of_kinds(objects, &["Deployment"])
                .into_iter()
                .filter_map(move |one| ExternalDns::read(side, &one))
        })
        .collect();
    let steps = concern.spec.traffic.steps.iter().map(|step| Share {
        percent: u8::try_from(step.weight).unwrap_or(100),
        hold_seconds: step.hold.duration().as_secs(),
    });
    let setting = Setting {
        migration: concern.migration.into(),
        source_cluster: concern
            .spec
            .source
            .kops
            .as_ref()
            .map(|kops| kops.cluster_name.clone())
            .unwrap_or_default(),
        steps: steps.collect(),
        ttl: concern.spec.traffic.ttl.duration().as_secs(),
    };
    let made = concern.originals.iter().filter_map(|(key, entry)| {
        Some((key.clone(), Made { at: entry.made?, in_sync: entry.pending.is_empty() }))
    });
    let planned = traffic::plan(&Input {
        setting: &setting,
        wave: concern.wave,
        names: &names,
        zones: &zones,
        controllers: &controllers,
        journal: &concern.inverses(),
        made: &made.collect(),
        health: &health,
        now: concern.now,
        towards,
    });
    outcome.steps.extend(planned.steps);
    outcome.gates.extend(planned.gates);
    outcome
}

/// A record that kops' dns-controller would write over. It keeps the names of the control plane as well, so a person says
/// when it may stand still.
fn kept_by_kops(concern: &Concern<'_>) -> Option<Gate> {
    let controller = DnsController::running(concern.source)?;
    let (record, who) =
        records(concern).find_map(|record| Some((record, controller.keeps(&record.name)?.to_owned())))?;
    Some(Gate::Blocked {
        what: format!("{} is kept by kops' dns-controller of the source, as {who} says", record.name),
        way_out: format!(
            "scale Deployment {} of the source to 0 until the move is over: names of its control plane are not followed \
             meanwhile; where the annotation were taken off, the record would go",
            controller.deployment
        ),
    })
}

/// `Service NAMESPACE/NAME` or `Ingress NAMESPACE/NAME` among the objects of the target.
fn found<'a>(concern: &Concern<'a>, target: &str) -> Option<&'a Value> {
    let (kind, place) = target.split_once(' ')?;
    let (of, called) = place.split_once('/')?;
    concern
        .target
        .iter()
        .find(|object| object["kind"] == kind && namespace(object) == Some(of) && name(object) == called)
}

/// Where an object of the target is reached from outside.
fn endpoint(concern: &Concern<'_>, target: &str) -> Result<Endpoint, Gate> {
    let waits = |what: String| Gate::Waiting { what, limit_seconds: BALANCER_LIMIT };
    let object = found(concern, target).ok_or_else(|| waits(format!("{target} is not on the target")))?;
    let ingress =
        object.pointer("/status/loadBalancer/ingress").and_then(Value::as_array).into_iter().flatten();
    let of = |field: &'static str| ingress.clone().filter_map(move |one| one[field].as_str());
    if let Some(host) = of("hostname").next() {
        return Ok(Endpoint::Host { name: host.into(), zone: zone_of_host(concern, host) });
    }
    let addresses: BTreeSet<String> = of("ip").map(String::from).collect();
    if addresses.is_empty() {
        let what = format!("{target} of the target has no load balancer yet");
        let lacks = is_left(object, concern.target) && !has_controller(concern.target);
        return Err(if lacks { uncontrolled(&what) } else { waits(what) });
    }
    Ok(Endpoint::Addresses(addresses))
}

/// The hosted zone that an alias to a load balancer names.
fn zone_of_host(concern: &Concern<'_>, host: &str) -> Option<String> {
    let bare = |name: &str| name.trim_end_matches('.').trim_start_matches("dualstack.").to_ascii_lowercase();
    let lists: [&[&str]; 2] = [&["LoadBalancers"], &["LoadBalancerDescriptions"]];
    let zones = ["CanonicalHostedZoneId", "CanonicalHostedZoneNameID"];
    balancers().iter().zip(lists).zip(zones).find_map(|((asked, names), zone)| {
        let all = list(concern.answer(asked)?, names);
        let own = all.into_iter().find(|one| {
            let dns = text(one, "DNSName").or_else(|| member(one, "DNSName")?.as_str());
            dns.is_some_and(|dns| bare(dns) == bare(host))
        })?;
        text(own, zone).map(String::from)
    })
}

/// Whether the target answers behind a name: every Service of it has a ready endpoint.
fn health_of(concern: &Concern<'_>, target: &str) -> Health {
    let Some(object) = found(concern, target) else {
        return Health::Failing(format!("{target} is not on the target"));
    };
    let of = namespace(object).unwrap_or_default();
    let mut services: BTreeSet<&str> = BTreeSet::new();
    if object["kind"] == "Service" {
        services.insert(name(object));
    } else {
        backends(&object["spec"], &mut services);
    }
    let dead: Vec<&str> =
        services.into_iter().filter(|service| !has_endpoint(concern, of, service)).collect();
    match dead.first() {
        None => Health::Healthy,
        Some(first) => Health::Failing(format!("Service {of}/{first} has no ready endpoint")),
    }
}

/// Services that an Ingress names, in all versions of its API.
fn backends<'a>(spec: &'a Value, into: &mut BTreeSet<&'a str>) {
    match spec {
        Value::Object(fields) => {
            into.extend(fields.get("serviceName").and_then(Value::as_str));
            into.extend(fields.get("service").and_then(|service| service["name"].as_str()));
            fields.values().for_each(|value| backends(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| backends(item, into)),
        _ => {}
    }
}

fn has_endpoint(concern: &Concern<'_>, of: &str, service: &str) -> bool {
    let ready = |endpoint: &Value| endpoint.pointer("/conditions/ready") != Some(&json!(false));
    let slices = concern.target.iter().filter(|object| is(object, "discovery.k8s.io", "EndpointSlice"));
    let mut own = slices.filter(|slice| {
        let label = slice.pointer("/metadata/labels/kubernetes.io~1service-name");
        namespace(slice) == Some(of) && label.and_then(Value::as_str) == Some(service)
    });
    own.any(|slice| slice["endpoints"].as_array().into_iter().flatten().any(ready))
}

/// What lets paused controllers run again, by the entries of the journal, the last first.
#[must_use]
pub fn lifts(originals: &BTreeMap<String, crate::model::migration_journal::Entry>) -> Vec<Step> {
    let mut entries: Vec<_> = originals.iter().filter(|(key, _)| is_pause(key)).collect();
    entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.number));
    let steps = entries.into_iter().flat_map(|(key, entry)| {
        entry.undo.iter().map(move |effect| Step {
            key: format!("{}{key}", crate::model::migration_journal::UNDO),
            stage: Stage::Shift,
            wave: None,
            effect: effect.clone(),
            undo: Vec::new(),
            says: format!("{} runs again", key.trim_start_matches(PAUSE)),
            final_: false,
        })
    });
    steps.collect()
}
