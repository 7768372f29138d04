//! What the rules make of the objects that are carried over.

use crate::migrate::assess::{Assessment, cluster_name, node_group_name};
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

/// What the rules are told of the two clusters: what was read, and what the assessment proposes.
#[must_use]
pub fn context(inventory: &Inventory, kops: &KopsState, assessment: &Assessment) -> Context {
    let config = assessment.config.as_ref();
    let api = inventory.api.as_ref();
    let text = |path: &str| kops.text(path).map(str::to_owned);
    let source = Side {
        name: kops.cluster.name.clone(),
        minor: api
            .and_then(|api| api.minor())
            .or_else(|| minor(kops.text("kubernetesVersion")?))
            .unwrap_or_default(),
        served: api.map(|api| api.served()).unwrap_or_default(),
        region: inventory.region.clone().unwrap_or_default(),
        domain: text("clusterDNSDomain").unwrap_or_else(|| "cluster.local".into()),
        dns_address: dns_address(inventory),
        service_range: text("serviceClusterIPRange").or_else(|| text("networking.serviceClusterIPRange")),
        pod_range: text("networking.podCIDR").or_else(|| text("networking.nonMasqueradeCIDR")),
        ..Side::default()
    };
    let network = config.and_then(|config| config.kubernetes_network_config.as_ref());
    let target = Side {
        name: config.map_or_else(|| cluster_name(&kops.cluster.name), |config| config.metadata.name.clone()),
        minor: config.and_then(|config| minor(config.metadata.version.as_deref()?)).unwrap_or(SOME_MINOR),
        region: config.map(|config| config.metadata.region.clone()).unwrap_or_default(),
        service_range: network.and_then(|network| network.service_ipv4_cidr.clone()),
        ..Side::default()
    };
    let policies = config.is_some_and(|config| {
        let cni = config.addons.iter().find(|addon| addon.name == "vpc-cni");
        let values = cni.and_then(|addon| addon.configuration_values.as_deref()).unwrap_or_default();
        values
            .split_once("enableNetworkPolicy")
            .is_some_and(|(_, rest)| rest.trim_start_matches(['"', '\'', ':', ' ', '\\']).starts_with("true"))
    });
    Context {
        source,
        target,
        node_groups: kops
            .node_groups()
            .map(|group| (group.name.clone(), node_group_name(&group.name)))
            .collect(),
        network_policies: policies,
        survey: Survey::of(inventory.objects.iter().map(Object::body)),
        ..Context::default()
    }
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

fn minor(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').nth(1)?.parse().ok()
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
