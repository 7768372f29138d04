//! What a schema cannot say of a `Migration`: rules between its fields, and what it names in other documents.

use super::rules::violation;
use super::settle::{Names, Refused};
use super::validate::Violation;
use super::{DocumentKind, Documents, Known, nearest};
use crate::model::cluster::IN_CLUSTER;
use crate::model::migration::Stage;
use crate::model::migration_document::{MigrationSpec, OWN_NAMESPACES};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Rules of a Migration.
pub(super) fn rules(_: &str, spec: &MigrationSpec, _: &Value) -> Vec<Violation> {
    let mut found = sides(spec);
    found.extend(waves(spec));
    found.extend(traffic(spec));
    found.extend(names(spec));
    found.extend(bridges(spec));
    found
}

fn sides(spec: &MigrationSpec) -> Vec<Violation> {
    let source = &spec.source;
    match (&source.cluster, &source.kubeconfig) {
        (None, None) => vec![violation(
            "/spec/source",
            "`spec.source` does not say how the cluster is reached",
            "set one of `cluster` and `kubeconfig`",
        )],
        (Some(_), Some(_)) => vec![violation(
            "/spec/source/kubeconfig",
            "`spec.source` has both `cluster` and `kubeconfig`",
            "keep one of them",
        )],
        (Some(cluster), None) if *cluster == spec.target.cluster => vec![violation(
            "/spec/target/cluster",
            "`spec.source` and `spec.target` are the same cluster",
            "name the cluster that the move ends in",
        )],
        _ => Vec::new(),
    }
}

fn waves(spec: &MigrationSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    let (mut names, mut moved) = (BTreeSet::new(), BTreeMap::new());
    for (index, wave) in spec.waves.iter().enumerate() {
        let mut wrong = |field: &str, message: String, hint: &str| {
            found.push(violation(&format!("/spec/waves/{index}{field}"), &message, hint));
        };
        if !names.insert(wave.name.as_str()) {
            wrong("/name", format!("there are two waves called `{}`", wave.name), "rename one of them");
        }
        for (place, namespace) in wave.namespaces.iter().enumerate() {
            let field = format!("/namespaces/{place}");
            if OWN_NAMESPACES.contains(&namespace.as_str()) {
                let message = format!("`{namespace}` does not move: every cluster has its own");
                wrong(
                    &field,
                    message,
                    "take it out; what users put there is listed by `Inventory`, and moved by hand",
                );
            }
            if let Some(other) = moved.insert(namespace.as_str(), wave.name.as_str()) {
                let message = format!("`{namespace}` is in wave `{other}` already");
                wrong(&field, message, "a namespace moves once: take it out of one of them");
            }
        }
        match wave.stage {
            Some(Stage::Decommission) => wrong(
                "/stage",
                "`Decommission` is of the move as a whole, and of no wave".into(),
                "write `Soak` here, and `Decommission` into `spec.stage`",
            ),
            Some(stage) if stage > Stage::Provision && spec.stage < Stage::Provision => wrong(
                "/stage",
                format!("wave `{}` is at {stage} while the move is at {}", wave.name, spec.stage),
                "a wave can be ahead once `spec.stage` is `Provision`",
            ),
            Some(stage) if stage < Stage::Soak && spec.stage == Stage::Decommission => wrong(
                "/stage",
                format!("wave `{}` is at {stage}, and the move is at Decommission", wave.name),
                "the old cluster is given up only when every wave is at `Soak`",
            ),
            _ => {}
        }
    }
    if spec.waves.is_empty() && spec.stage > Stage::Provision {
        let message = format!("the move is at {} and there is no wave of namespaces", spec.stage);
        found.push(violation("/spec/waves", &message, "say which namespaces move, in `spec.waves`"));
    }
    found
}

fn traffic(spec: &MigrationSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    let steps: Vec<u32> = spec.traffic.steps.iter().map(|step| step.weight).collect();
    if steps.windows(2).any(|pair| pair[0] >= pair[1]) || steps.last() != Some(&100) {
        found.push(violation(
            "/spec/traffic/steps",
            "`spec.traffic.steps` has to rise, and to end with 100",
            "write weights such as 1, 10, 50, 100",
        ));
    }
    for (index, record) in spec.traffic.records.iter().enumerate() {
        let mut wrong = |field: &str, message: String, hint: &str| {
            found.push(violation(&format!("/spec/traffic/records/{index}{field}"), &message, hint));
        };
        if !spec.waves.iter().any(|wave| wave.name == record.wave) {
            let near = nearest(&record.wave, spec.waves.iter().map(|wave| wave.name.as_str()));
            let hint =
                near.map_or("name one of `spec.waves`".into(), |near| format!("did you mean `{near}`?"));
            wrong("/wave", format!("there is no wave `{}`", record.wave), &hint);
        }
        if record.zone.is_none() && spec.traffic.zone.is_none() {
            let hint = "set `zone` here, or `spec.traffic.zone` for all";
            wrong("", format!("record `{}` has no hosted zone", record.name), hint);
        }
        let place = ["Service ", "Ingress "].iter().find_map(|kind| record.target.strip_prefix(kind));
        let namespace = place.and_then(|place| place.split_once('/')).filter(|(_, name)| !name.is_empty());
        match namespace {
            None => wrong(
                "/target",
                format!("`{}` does not say what the record leads to", record.target),
                "write `Service NAMESPACE/NAME` or `Ingress NAMESPACE/NAME`",
            ),
            Some((namespace, _)) => {
                let wave = spec.waves.iter().find(|wave| wave.name == record.wave);
                if wave.is_some_and(|wave| !wave.namespaces.iter().any(|own| own == namespace)) {
                    let message = format!("namespace `{namespace}` is not in wave `{}`", record.wave);
                    wrong("/target", message, "a record moves with the namespace that it leads to");
                }
            }
        }
    }
    found
}

fn bridges(spec: &MigrationSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut services = BTreeSet::new();
    for (index, bridge) in spec.bridges.iter().enumerate() {
        let mut wrong = |field: &str, message: String, hint: &str| {
            found.push(violation(&format!("/spec/bridges/{index}{field}"), &message, hint));
        };
        let service = bridge.service.as_str();
        match service.split_once('/').filter(|(_, name)| !name.is_empty() && !name.contains('/')) {
            None => wrong("/service", format!("`{service}` names no Service"), "write `namespace/name`"),
            Some((own, _)) if OWN_NAMESPACES.contains(&own) => wrong(
                "/service",
                format!("`{own}` is in both clusters: its Services are called where the caller is"),
                "take it out",
            ),
            Some(_) if !services.insert(service) => {
                wrong("/service", format!("there are two bridges to `{service}`"), "keep one of them");
            }
            Some(_) => {}
        }
        for (field, end) in [("onSource", &bridge.on_source), ("onTarget", &bridge.on_target)] {
            for (place, address) in end.iter().flat_map(|end| end.addresses.iter().enumerate()) {
                if address.parse::<std::net::IpAddr>().is_err() && !is_host(address) {
                    wrong(
                        &format!("/{field}/addresses/{place}"),
                        format!("`{address}` is neither an IP address nor the name of a host"),
                        "give the address of its internal load balancer, or its name, without scheme and port",
                    );
                }
            }
        }
    }
    found
}

/// Whether a text may be the name of a host (RFC 1123, 2.1).
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let ends = |end: Option<char>| end.is_some_and(|end| end.is_ascii_alphanumeric());
        let inner = label.chars().all(|one| one.is_ascii_alphanumeric() || one == '-');
        label.len() <= 63 && inner && ends(label.chars().next()) && ends(label.chars().last())
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let last = name.rsplit('.').next().unwrap_or_default();
    // What ends with a number is a mistyped address (WHATWG URL, "ends in a number").
    name.len() <= 253 && name.split('.').all(label) && !last.chars().all(|one| one.is_ascii_digit())
}

fn names(spec: &MigrationSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, claim) in spec.volumes.exclude.iter().enumerate() {
        if claim.split_once('/').is_none_or(|(namespace, name)| namespace.is_empty() || name.is_empty()) {
            let pointer = format!("/spec/volumes/exclude/{index}");
            found.push(violation(&pointer, &format!("`{claim}` names no claim"), "write `namespace/name`"));
        }
    }
    for identity in spec.mapping.identities.keys() {
        if !["User ", "Group "].iter().any(|kind| identity.strip_prefix(kind).is_some_and(|n| !n.is_empty()))
        {
            let message = format!("`{identity}` names neither a user nor a group");
            found.push(violation("/spec/mapping/identities", &message, "write `User NAME` or `Group NAME`"));
        }
    }
    found
}

impl Documents {
    /// What migrations name in other documents exists, and no namespace moves twice.
    pub(super) fn moves(
        &self,
        clusters: &Names<'_>,
        known: Known<'_>,
        problems: &mut Vec<super::Problem>,
        refused: &mut Refused,
    ) {
        let mut movers: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for (index, migration) in self.migrations.iter().enumerate() {
            let mut wrong = |pointer: &str, message: String, hint: String| {
                let problem = migration.origin.problem(pointer, message).hint(hint);
                problems.push(problem.about(Some(format!("Migration {}", migration.name))));
                refused.insert((DocumentKind::Migration, index));
            };
            let named = [
                ("/spec/source/cluster", migration.spec.source.cluster.as_deref()),
                ("/spec/target/cluster", Some(migration.spec.target.cluster.as_str())),
            ];
            for (pointer, name) in named {
                let Some(name) = name.filter(|name| *name != IN_CLUSTER && !clusters.has(name)) else {
                    continue;
                };
                let hint = clusters.near(name).map_or_else(
                    || "declare a Cluster document of this name".into(),
                    |near| format!("did you mean `{near}`?"),
                );
                wrong(pointer, format!("there is no Cluster `{name}`"), hint);
            }
            let kubeconfig =
                migration.spec.source.kubeconfig.as_ref().and_then(|config| config.name.as_ref());
            if let (Some(name), Some(kubeconfigs)) = (kubeconfig, known.kubeconfigs)
                && !kubeconfigs.contains(name)
            {
                let hint = "add it to `kubeconfigs` in the daemon's file";
                wrong("/spec/source/kubeconfig", format!("there is no kubeconfig `{name}`"), hint.into());
            }
            let Some(source) = migration.spec.source.cluster.as_deref() else { continue };
            for namespace in migration.spec.waves.iter().flat_map(|wave| &wave.namespaces) {
                match movers.get(&(source, namespace.as_str())) {
                    Some(other) => wrong(
                        "/spec/waves",
                        format!("namespace `{namespace}` of {source} is moved by Migration {other} already"),
                        "only one migration may move a namespace: take it out of one of them".into(),
                    ),
                    None => {
                        movers.insert((source, namespace.as_str()), migration.name.as_str());
                    }
                }
            }
        }
    }
}
