//! Names of the real zone that lead to load balancers of Services, made again for those of the likeness. What external-dns
//! owns it writes by itself.

use super::records::{Leading, balancers, bare, call, host, leading};
use super::story::Surprise;
use super::told::expect;
use super::world::World;
use crate::migrate::dump::Inventory;
use crate::migrate::traffic::Record;
use crate::model::Object;
use crate::model::cloud::Service;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Longest wait for the names that the stand-in for external-dns writes.
const LIMIT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(500);

/// A name of the real zone, and the Service that it leads to.
struct Known {
    record: Record,
    place: (String, String),
    /// Whether external-dns keeps it.
    owned: bool,
}

/// Makes names of the dump again. Gives all that lead to load balancers of the source then, and what is another.
///
/// # Errors
/// The account, or the source, does not answer.
pub async fn again(world: &World, real: &Inventory) -> Result<(Vec<Leading>, Vec<Surprise>), String> {
    let wanted = known(real);
    let mut surprises = Vec::new();
    let own: BTreeMap<(String, String), String> =
        balancers(&world.old()).await?.into_iter().map(|(host, place)| (place, host)).collect();
    let zones = zones(world).await?;
    let there: BTreeSet<String> = leading(world).await?.into_iter().map(|one| one.name).collect();
    for one in wanted.iter().filter(|one| !one.owned) {
        let name = bare(one.record.name());
        let zone =
            zones.iter().filter(|(domain, _)| is_in(&name, domain)).max_by_key(|(domain, _)| domain.len());
        let (Some(host), Some((_, zone))) = (own.get(&one.place), zone) else {
            let says =
                "its load balancer, or its zone, is not in the rehearsal: that it moves is not rehearsed";
            surprises.push(Surprise::new("rehearsal", format!("record {name}"), says));
            continue;
        };
        if there.contains(&name) {
            continue;
        }
        let set = set(world, one, host).await?;
        let batch = json!({"HostedZoneId": zone,
            "ChangeBatch": {"Changes": [{"Action": "CREATE", "ResourceRecordSet": set}]}});
        call(world, "ChangeResourceRecordSets", batch).await?;
    }
    let owned: BTreeSet<String> =
        wanted.iter().filter(|one| one.owned).map(|one| bare(one.record.name())).collect();
    let begun = Instant::now();
    loop {
        let now = leading(world).await?;
        let missing: Vec<&String> =
            owned.iter().filter(|name| !now.iter().any(|one| one.name == **name)).collect();
        if missing.is_empty() {
            return Ok((now, surprises));
        }
        if expect(begun.elapsed() < LIMIT, String::new).is_err() {
            let says = "external-dns writes it for the real cluster, and did not for the rehearsal's";
            surprises.extend(
                missing.into_iter().map(|name| Surprise::new("rehearsal", format!("record {name}"), says)),
            );
            return Ok((now, surprises));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Names of the dump that lead to load balancers of Services.
fn known(real: &Inventory) -> Vec<Known> {
    let hosts: BTreeMap<String, (String, String)> = real.objects.iter().filter_map(balanced).collect();
    let sets: Vec<Record> = real
        .aws
        .reads
        .iter()
        .filter(|read| read.service == "route53" && read.operation == "ListResourceRecordSets")
        .flat_map(|read| read.output["ResourceRecordSets"].as_array().into_iter().flatten())
        .filter_map(Record::read)
        .collect();
    let owned: BTreeSet<String> =
        sets.iter().filter(|set| is_ownership(set)).map(|set| bare(set.name())).collect();
    let leads = sets.iter().filter(|set| set.set().is_none()).filter_map(|set| {
        let place = hosts.get(&host(set)?)?.clone();
        let name = bare(set.name());
        // Either registry: a TXT record of the name itself, or of the name after its type (external-dns docs/registry/txt).
        let texts =
            [name.clone(), format!("{}-{name}", set.kind().to_ascii_lowercase()), format!("cname-{name}")];
        let owned = texts.iter().any(|text| owned.contains(text));
        Some(Known { record: set.clone(), place, owned })
    });
    leads.collect()
}

fn is_ownership(set: &Record) -> bool {
    set.kind() == "TXT" && set.body().to_string().contains("heritage=external-dns")
}

/// The host of a Service's load balancer, with its namespace and name.
fn balanced(object: &Object) -> Option<(String, (String, String))> {
    let text = |pointer: &str| object.body().pointer(pointer).and_then(Value::as_str);
    if text("/kind") != Some("Service") {
        return None;
    }
    let host = text("/status/loadBalancer/ingress/0/hostname")?;
    Some((bare(host), (text("/metadata/namespace")?.to_owned(), text("/metadata/name")?.to_owned())))
}

fn is_in(name: &str, domain: &str) -> bool {
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Hosted zones: their domains and ids.
async fn zones(world: &World) -> Result<Vec<(String, String)>, String> {
    let answer = call(world, "ListHostedZones", json!({})).await?;
    let zones = answer["HostedZones"].as_array().into_iter().flatten();
    let zone = |zone: &Value| {
        let id = zone["Id"].as_str()?.trim_start_matches("/hostedzone/").to_owned();
        Some((bare(zone["Name"].as_str()?), id))
    };
    Ok(zones.filter_map(zone).collect())
}

/// The same record, for another host.
async fn set(world: &World, one: &Known, host: &str) -> Result<Value, String> {
    let mut set = one.record.body().clone();
    if set.get("AliasTarget").is_none() {
        set["ResourceRecords"] = json!([{"Value": host}]);
        return Ok(set);
    }
    set["AliasTarget"]["DNSName"] = format!("{host}.").into();
    for (service, list, zone) in [
        (Service::Elb, "LoadBalancerDescriptions", "CanonicalHostedZoneNameID"),
        (Service::ElbV2, "LoadBalancers", "CanonicalHostedZoneId"),
    ] {
        let call = crate::model::cloud::Call::new(service, "DescribeLoadBalancers", json!({}));
        let answer = world.cloud().await?.call(&call).await.map_err(|failure| failure.to_string())?;
        let all = answer[list].as_array().into_iter().flatten();
        if let Some(own) =
            all.into_iter().find(|own| own["DNSName"].as_str().map(bare).as_deref() == Some(host))
        {
            set["AliasTarget"]["HostedZoneId"] = own[zone].clone();
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::decommission::{AwsReads, Read};

    #[test]
    fn names_of_the_dump_are_known_by_the_load_balancer_they_lead_to() {
        let service = |name: &str, host: &str| {
            Object::new(
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
                "status": {"loadBalancer": {"ingress": [{"hostname": host}]}}}),
            )
            .unwrap()
        };
        let sets = json!({"ResourceRecordSets": [
            {"Name": "app.example.com.", "Type": "CNAME", "TTL": 20, "ResourceRecords": [{"Value": "LB-1.elb.example.com"}]},
            {"Name": "www.example.com.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z", "DNSName": "dualstack.lb-1.elb.example.com.",
                "EvaluateTargetHealth": true}},
            {"Name": "cname-www.example.com.", "Type": "TXT", "TTL": 300, "ResourceRecords": [
                {"Value": "\"heritage=external-dns,external-dns/owner=a\""}]},
            {"Name": "else.example.com.", "Type": "CNAME", "TTL": 20, "ResourceRecords": [{"Value": "lb-9.elb.example.com"}]}]});
        let read = Read {
            service: "route53".into(),
            operation: "ListResourceRecordSets".into(),
            input: json!({"HostedZoneId": "Z1"}),
            output: sets,
        };
        let real = Inventory {
            objects: vec![service("front", "lb-1.elb.example.com")],
            aws: AwsReads { reads: vec![read] },
            ..Inventory::default()
        };
        let told: Vec<(String, bool, String)> =
            known(&real).into_iter().map(|one| (bare(one.record.name()), one.owned, one.place.1)).collect();
        assert_eq!(
            told,
            [
                ("app.example.com".into(), false, "front".into()),
                ("www.example.com".into(), true, "front".into())
            ]
        );
        assert!(is_in("a.example.com", "example.com") && !is_in("an-example.com", "example.com"));
    }
}
