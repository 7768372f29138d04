//! Records in Route 53 of a story: those that lead to the source's load balancers move with their waves.

use super::chronicle::Chronicle;
use super::kubectl::Kubectl;
use super::told::expect;
use super::world::World;
use crate::migrate::traffic::Record;
use crate::model::cloud::{Call, Service};
use crate::model::event::What;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest wait for a record of the stand-in for external-dns.
const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(500);
/// While records are shifted in a story: so long it waits for each share at the least.
const TTL: u64 = 5;

/// A record that leads to a load balancer of the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leading {
    /// `www.shop.example.com`.
    pub name: String,
    /// `A` or `CNAME`.
    pub kind: String,
    /// Id of its hosted zone.
    pub zone: String,
    /// Seconds that resolvers keep it; none of an alias.
    pub ttl: Option<u64>,
    /// Namespace of the Service with the load balancer.
    pub namespace: String,
    /// Its name.
    pub service: String,
}

/// Every record set of every hosted zone, but for those that a zone has of itself.
///
/// # Errors
/// The account refuses.
pub async fn sets(world: &World) -> Result<Vec<(String, Record)>, String> {
    let mut all = Vec::new();
    for zone in zones(world).await? {
        let answer = call(world, "ListResourceRecordSets", json!({"HostedZoneId": zone})).await?;
        let sets = answer["ResourceRecordSets"].as_array().into_iter().flatten();
        let own = sets.filter_map(Record::read);
        let own = own.filter(|record| !matches!(record.kind(), "NS" | "SOA"));
        all.extend(own.map(|record| (zone.clone(), record)));
    }
    Ok(all)
}

/// The same, to be compared.
///
/// # Errors
/// As [`sets`].
pub async fn shown(world: &World) -> Result<BTreeSet<String>, String> {
    Ok(sets(world).await?.iter().map(|(zone, record)| format!("{zone} {}", record.body())).collect())
}

async fn zones(world: &World) -> Result<Vec<String>, String> {
    let answer = call(world, "ListHostedZones", json!({})).await?;
    let ids = answer["HostedZones"].as_array().into_iter().flatten();
    Ok(ids
        .filter_map(|zone| zone["Id"].as_str().map(|id| id.trim_start_matches("/hostedzone/").to_owned()))
        .collect())
}

pub(super) async fn call(world: &World, operation: &str, input: Value) -> Result<Value, String> {
    let call = Call::new(Service::Route53, operation, input);
    world.cloud().await?.call(&call).await.map_err(|failure| failure.to_string())
}

/// The host that a record names: an alias, or another name.
pub(super) fn host(record: &Record) -> Option<String> {
    let body = record.body();
    let alias = body["AliasTarget"]["DNSName"].as_str();
    let other = || body["ResourceRecords"][0]["Value"].as_str().filter(|_| record.kind() == "CNAME");
    alias.or_else(other).map(bare)
}

pub(super) fn bare(host: &str) -> String {
    host.trim_end_matches('.').trim_start_matches("dualstack.").to_ascii_lowercase()
}

/// Hosts of the load balancers of a cluster's Services, with namespace and name.
pub(super) async fn balancers(kubectl: &Kubectl) -> Result<BTreeMap<String, (String, String)>, String> {
    let mut found = BTreeMap::new();
    for service in kubectl.list("services").await? {
        let text = |pointer: &str| service.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let host = text("/status/loadBalancer/ingress/0/hostname");
        if !host.is_empty() {
            let place = (text("/metadata/namespace").to_owned(), text("/metadata/name").to_owned());
            found.insert(bare(host), place);
        }
    }
    Ok(found)
}

/// Records that lead to load balancers of the source.
///
/// # Errors
/// The account, or the source, does not answer.
pub async fn leading(world: &World) -> Result<Vec<Leading>, String> {
    let balancers = balancers(&world.old()).await?;
    let all = sets(world).await?;
    let mut found: Vec<Leading> = all
        .iter()
        .filter(|(_, record)| record.set().is_none())
        .filter_map(|(zone, record)| {
            let (namespace, service) = balancers.get(&host(record)?)?;
            Some(Leading {
                name: bare(record.name()),
                kind: record.kind().to_owned(),
                zone: zone.clone(),
                ttl: record.ttl(),
                namespace: namespace.clone(),
                service: service.clone(),
            })
        })
        .collect();
    found.sort();
    Ok(found)
}

/// Has somebody write a record by hand: a name for a load balancer of the source. It is there, and so is what the source's
/// external-dns wrote for the same one, when this returns.
///
/// # Errors
/// The account refuses; external-dns writes nothing.
pub async fn by_hand(world: &World, name: &str, ttl: u64) -> Result<Vec<Leading>, String> {
    let begun = Instant::now();
    loop {
        if let Some(first) = leading(world).await?.first() {
            let balancers = balancers(&world.old()).await?;
            let own = |(_, place): &(&String, &(String, String))| {
                (place.0.as_str(), place.1.as_str()) == (first.namespace.as_str(), first.service.as_str())
            };
            let host = balancers.iter().find(own).map(|(host, _)| host.clone()).unwrap_or_default();
            let set = json!({"Name": format!("{name}."), "Type": "CNAME", "TTL": ttl, "ResourceRecords": [{"Value": host}]});
            let batch = json!({"HostedZoneId": first.zone,
                "ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": set}]}});
            call(world, "ChangeResourceRecordSets", batch).await?;
            return leading(world).await;
        }
        expect(begun.elapsed() < LIMIT, || "external-dns of the source wrote no record".to_owned())?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Puts records into a Migration, each into the wave of its namespace: what a person writes from the zone's list.
pub fn declare(migration: &mut Value, records: &[Leading]) {
    let waves: Vec<Value> = migration["spec"]["waves"].as_array().cloned().unwrap_or_default();
    let wave_of = |namespace: &str| {
        let own =
            |wave: &&Value| wave["namespaces"].as_array().into_iter().flatten().any(|one| one == namespace);
        waves.iter().find(own).map(|wave| wave["name"].clone())
    };
    let records: Vec<Value> = records
        .iter()
        .filter_map(|record| {
            Some(json!({"name": record.name, "type": record.kind, "zone": record.zone, "wave": wave_of(&record.namespace)?,
                "target": format!("Service {}/{}", record.namespace, record.service)}))
        })
        .collect();
    if !records.is_empty() {
        let hold = format!("{TTL}s");
        let steps = [5, 50, 100].map(|weight| json!({"weight": weight, "hold": hold}));
        migration["spec"]["traffic"] = json!({"ttl": hold, "steps": steps, "records": records});
    }
}

/// What the daemon said of records since a moment, step by step.
pub fn steps(chronicle: &Chronicle, moment: usize) -> Vec<String> {
    let words = [
        "lower the TTL",
        "two weighted ones",
        "give the target",
        "back to the source",
        "as it was",
        "lead to",
    ];
    let of = |event: crate::model::event::Event| match event.what {
        What::ResourceDone { resource, .. } => Some(resource),
        _ => None,
    };
    let all = chronicle.since(moment).into_iter().filter_map(of);
    all.filter(|text| words.iter().any(|word| text.contains(word)))
        .filter(|text| !text.contains("was before"))
        .map(|text| text.split_once(": ").map_or(text.clone(), |(_, says)| says.to_owned()))
        .collect()
}

/// Weights of the source and of the target for every name that was declared.
///
/// # Errors
/// As [`sets`]; a name has no pair of weights.
pub async fn weights(world: &World, records: &[Leading]) -> Result<BTreeMap<String, (u64, u64)>, String> {
    let all = sets(world).await?;
    let weight = |of: &Leading, side: &str| {
        let mut own = all.iter().filter(|(zone, record)| *zone == of.zone && bare(record.name()) == of.name);
        own.find_map(|(_, record)| {
            record.weight().filter(|_| record.set().is_some_and(|set| set.ends_with(side)))
        })
    };
    let pair = |of: &Leading| {
        let pair = weight(of, "/source").zip(weight(of, "/target"));
        pair.map(|pair| (of.name.clone(), pair)).ok_or_else(|| format!("{} is no weighted pair", of.name))
    };
    records.iter().map(pair).collect()
}

/// Names that lead, by simple records, to a load balancer of a cluster.
///
/// # Errors
/// As [`sets`].
pub async fn settled(world: &World, new: &Kubectl, records: &[Leading]) -> Result<BTreeSet<String>, String> {
    let balancers = balancers(new).await?;
    let all = sets(world).await?;
    let leads = |of: &&Leading| {
        all.iter().any(|(zone, record)| {
            *zone == of.zone
                && bare(record.name()) == of.name
                && record.set().is_none()
                && host(record).is_some_and(|host| balancers.contains_key(&host))
        })
    };
    Ok(records.iter().filter(leads).map(|record| record.name.clone()).collect())
}

/// Owner ids in the ownership records of a zone.
///
/// # Errors
/// As [`sets`].
pub async fn owners(world: &World) -> Result<BTreeSet<String>, String> {
    let texts = sets(world).await?;
    let owner = |record: &Record| {
        let text = record.body()["ResourceRecords"][0]["Value"].as_str()?;
        let rest = text.split_once("external-dns/owner=")?.1;
        Some(rest.split([',', '"']).next().unwrap_or_default().to_owned())
    };
    Ok(texts
        .iter()
        .filter(|(_, record)| record.kind() == "TXT")
        .filter_map(|(_, record)| owner(record))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_go_with_the_wave_of_their_namespace() {
        let mut migration = json!({"spec": {"waves": [{"name": "one", "namespaces": ["shop"]}]}});
        let of = |namespace: &str| Leading {
            name: format!("{namespace}.example.com"),
            kind: "A".into(),
            zone: "Z1".into(),
            ttl: None,
            namespace: namespace.into(),
            service: "edge".into(),
        };
        declare(&mut migration, &[of("shop"), of("of-no-wave")]);
        let traffic = &migration["spec"]["traffic"];
        assert_eq!(traffic["records"].as_array().map(Vec::len), Some(1));
        assert_eq!(traffic["records"][0]["target"], "Service shop/edge");
        assert_eq!(traffic["steps"][2]["weight"], 100);
        let mut none = json!({"spec": {}});
        declare(&mut none, &[]);
        assert_eq!(none, json!({"spec": {}}));
    }

    #[test]
    fn hosts_are_compared_without_what_route_53_adds() {
        let set = json!({"Name": "a.", "Type": "A", "AliasTarget":
            {"HostedZoneId": "Z2", "DNSName": "dualstack.LB-1.eu-central-1.elb.amazonaws.com.", "EvaluateTargetHealth": true}});
        let record = Record::read(&set).unwrap();
        assert_eq!(host(&record).as_deref(), Some("lb-1.eu-central-1.elb.amazonaws.com"));
        let text =
            Record::read(&json!({"Name": "a.", "Type": "TXT", "ResourceRecords": [{"Value": "\"x\""}]}))
                .unwrap();
        assert_eq!(host(&text), None);
    }
}
