//! Records of Services and Ingresses in Route 53, by the rules of ownership of external-dns.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::dns_records::{Endpoint, Known, key, owner_of, same, zone_of_balancer};
use super::program::ExternalDns;
use super::view::{View, is_going, shown};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, text};
use crate::model::cloud::Service;

/// Annotations have one of these before their name (external-dns docs/annotations).
const PREFIXES: [&str; 2] = ["external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io"];

/// What an object is annotated with, by the annotation's last word.
fn annotated<'a>(object: &'a Value, word: &str) -> Option<&'a str> {
    let annotations = &object["metadata"]["annotations"];
    PREFIXES.iter().find_map(|prefix| annotations[format!("{prefix}/{word}")].as_str())
}

/// One look at what objects declare and at every zone of it.
pub(super) async fn pass(
    controllers: &Controllers,
    view: &View,
    program: &ExternalDns,
    complaints: &mut BTreeMap<String, String>,
) {
    if let Err(failed) = look(controllers, view, program).await {
        complaints.insert(format!("external-dns {}", program.owner), failed.to_string());
    }
}

async fn look(controllers: &Controllers, view: &View, program: &ExternalDns) -> Result<(), Failed> {
    let endpoints = declared(view, program);
    let (about, digest) = (format!("external-dns {}", program.owner), format!("{program:?} {endpoints:?}"));
    if controllers.is_settled(&about, &digest) {
        return Ok(());
    }
    let account = &controllers.account;
    let answer = account.call(Service::Route53, "ListHostedZones", json!({})).await?;
    let zones: Vec<Zone> = items(&answer, "HostedZones").map(Zone::of).collect();
    let served = zones.iter().filter(|zone| match program.zone_type.as_str() {
        "public" => !zone.private,
        "private" => zone.private,
        _ => true,
    });
    let served: Vec<&Zone> = served.collect();
    for zone in &served {
        let id = &zone.id;
        let own: Vec<&Endpoint> =
            endpoints.iter().filter(|endpoint| zone.takes(&endpoint.name, &served)).collect();
        if own.is_empty() && program.policy != "sync" {
            continue;
        }
        let answer =
            account.call(Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": id})).await?;
        let known: Known = items(&answer, "ResourceRecordSets").map(|set| (key(set), set.clone())).collect();
        let changes = changes(program, &own, &known);
        if !changes.is_empty() {
            let input = json!({"HostedZoneId": id, "ChangeBatch": {"Changes": changes}});
            account.call(Service::Route53, "ChangeResourceRecordSets", input).await?;
        }
    }
    controllers.settle(&about, digest);
    Ok(())
}

/// A hosted zone.
#[derive(Debug)]
struct Zone {
    id: String,
    /// Without a dot at the end.
    name: String,
    private: bool,
}

impl Zone {
    fn of(answer: &Value) -> Zone {
        let flag = &answer["Config"]["PrivateZone"];
        Zone {
            id: text(answer, "Id").trim_start_matches("/hostedzone/").to_owned(),
            name: text(answer, "Name").trim_end_matches('.').to_owned(),
            private: *flag == true || *flag == "true",
        }
    }

    fn holds(&self, name: &str) -> bool {
        name == self.name || name.ends_with(&format!(".{}", self.name))
    }

    /// Whether a record is written into it: every private zone of a name, of the public ones the longest (external-dns
    /// `provider/aws`, `suitableZones`).
    fn takes(&self, name: &str, all: &[&Zone]) -> bool {
        let longer =
            |other: &&Zone| !other.private && other.holds(name) && other.name.len() > self.name.len();
        self.holds(name) && (self.private || !all.iter().any(longer))
    }
}

/// What to change in a zone: new records with their ownership, own ones that lead elsewhere, and, with `sync`, own ones
/// that nothing declares.
fn changes(program: &ExternalDns, endpoints: &[&Endpoint], known: &Known) -> Vec<Value> {
    let mut changes = Vec::new();
    let put = |action: &str, set: &Value| json!({"Action": action, "ResourceRecordSet": set});
    let mut declared: BTreeSet<(String, String, String)> = BTreeSet::new();
    for endpoint in endpoints {
        let (record, texts) = (endpoint.record(), endpoint.ownership(&program.owner, &program.prefix));
        declared.insert(key(&record));
        declared.extend(texts.iter().map(key));
        let owners: BTreeSet<String> =
            texts.iter().filter_map(|text| known.get(&key(text)).and_then(owner_of)).collect();
        // Somebody else's, by its TXT record: left alone (external-dns#6617).
        if owners.iter().any(|owner| *owner != program.owner) {
            continue;
        }
        match known.get(&key(&record)) {
            // A record of that name that nobody owns is not taken over.
            Some(_) if owners.is_empty() => {}
            Some(found) if same(found, &record) => {}
            Some(_) if program.policy == "create-only" => {}
            Some(_) => changes.push(put("UPSERT", &record)),
            None => {
                changes.push(put("CREATE", &record));
                changes.extend(texts.iter().map(|text| put("UPSERT", text)));
            }
        }
    }
    if program.policy == "sync" {
        changes.extend(gone(program, &declared, known).into_iter().map(|set| put("DELETE", &set)));
    }
    changes
}

/// Own records that nothing declares any more, each as it is, with their ownership records.
fn gone(program: &ExternalDns, declared: &BTreeSet<(String, String, String)>, known: &Known) -> Vec<Value> {
    let mut gone: BTreeMap<(String, String, String), Value> = BTreeMap::new();
    for (id, text) in known.iter().filter(|(id, _)| id.1 == "TXT" && !declared.contains(*id)) {
        if owner_of(text).as_deref() != Some(program.owner.as_str()) {
            continue;
        }
        gone.insert(id.clone(), text.clone());
        let name =
            id.0.strip_prefix(program.prefix.replace("%{record_type}", "cname").as_str()).unwrap_or(&id.0);
        let name = name.strip_prefix("cname-").unwrap_or(name);
        for kind in ["A", "CNAME"] {
            let other = (name.to_owned(), kind.to_owned(), id.2.clone());
            if let Some(record) = known.get(&other).filter(|_| !declared.contains(&other)) {
                gone.insert(other, record.clone());
            }
        }
    }
    gone.into_values().collect()
}

/// Names that objects declare within the program's domains, each once, and only with somewhere to lead to.
fn declared(view: &View, program: &ExternalDns) -> Vec<Endpoint> {
    let wants = |source: &str| program.sources.is_empty() || program.sources.iter().any(|own| own == source);
    let mut names: Vec<(&Value, &str, String)> = Vec::new();
    for service in view.services.iter().filter(|_| wants("service")) {
        let hosts = annotated(service, "hostname").unwrap_or_default();
        names.extend(hosts.split(',').map(|name| (service, "service", name.to_owned())));
    }
    for ingress in view.ingresses.iter().filter(|_| wants("ingress")) {
        let hosts = items(&ingress["spec"], "rules").filter_map(|rule| rule["host"].as_str());
        let more = annotated(ingress, "hostname").unwrap_or_default();
        names.extend(hosts.chain(more.split(',')).map(|name| (ingress, "ingress", name.to_owned())));
    }
    let mut all: Vec<Endpoint> = Vec::new();
    for (object, kind, name) in names {
        let name = name.trim().trim_end_matches('.').to_owned();
        let number = |word: &str| annotated(object, word).and_then(|text| text.parse::<u64>().ok());
        let weighted = annotated(object, "set-identifier")
            .map(|id| (id.to_owned(), number("aws-weight").unwrap_or_default()));
        let host = annotated(object, "target")
            .or_else(|| object["status"]["loadBalancer"]["ingress"][0]["hostname"].as_str());
        let Some(host) = host else { continue };
        let identifier = |weighted: &Option<(String, u64)>| weighted.as_ref().map(|(id, _)| id.clone());
        let again = all
            .iter()
            .any(|other| other.name == name && identifier(&other.weighted) == identifier(&weighted));
        if name.is_empty() || is_going(object) || again || !is_of(&name, &program.domains) {
            continue;
        }
        let zone = zone_of_balancer(host).filter(|_| !program.prefer_cname);
        all.push(Endpoint {
            name,
            host: host.to_owned(),
            alias_zone: zone.map(str::to_owned),
            resource: format!("{kind}/{}", shown(object)),
            ttl: number("ttl").unwrap_or(300),
            weighted,
        });
    }
    all
}

fn is_of(name: &str, domains: &[String]) -> bool {
    let below = |domain: &String| name.ends_with(&format!(".{}", domain.trim_start_matches('.')));
    domains.is_empty() || domains.iter().any(|domain| name == domain || below(domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(owner: &str, policy: &str) -> ExternalDns {
        ExternalDns {
            owner: owner.into(),
            prefix: String::new(),
            policy: policy.into(),
            sources: Vec::new(),
            domains: Vec::new(),
            prefer_cname: false,
            zone_type: String::new(),
        }
    }

    #[test]
    fn a_record_goes_into_the_longest_public_zone_and_every_private_one() {
        let zone = |name: &str, private| Zone { id: String::new(), name: name.into(), private };
        let zones = [zone("example.com", false), zone("shop.example.com", false), zone("example.com", true)];
        let all: Vec<&Zone> = zones.iter().collect();
        let takes = |name: &str| zones.each_ref().map(|zone| zone.takes(name, &all));
        assert_eq!(takes("www.shop.example.com"), [false, true, true]);
        assert_eq!(takes("workshop.example.com"), [true, false, true]);
        assert_eq!(takes("example.net"), [false; 3]);
    }

    fn endpoint(host: &str) -> Endpoint {
        Endpoint {
            name: "shop.example.com".into(),
            host: host.into(),
            alias_zone: None,
            resource: "ingress/shop/web".into(),
            ttl: 300,
            weighted: None,
        }
    }

    fn made(changes: &[Value]) -> Known {
        changes
            .iter()
            .map(|change| (key(&change["ResourceRecordSet"]), change["ResourceRecordSet"].clone()))
            .collect()
    }

    #[test]
    fn a_record_is_made_once_and_changed_by_its_owner_only() {
        let old = program("old", "upsert-only");
        let known = made(&changes(&old, &[&endpoint("a.example.net")], &Known::new()));
        assert_eq!(known.len(), 2);
        assert!(changes(&old, &[&endpoint("a.example.net")], &known).is_empty());
        let change = changes(&old, &[&endpoint("b.example.net")], &known);
        assert_eq!(change.len(), 1);
        assert_eq!(change[0]["Action"], "UPSERT");
        assert!(changes(&program("new", "sync"), &[&endpoint("b.example.net")], &known).is_empty());
    }

    #[test]
    fn a_record_that_nobody_owns_is_left_alone() {
        let mut known = made(&changes(&program("old", "sync"), &[&endpoint("a.example.net")], &Known::new()));
        known.retain(|id, _| id.1 != "TXT");
        assert!(changes(&program("old", "sync"), &[&endpoint("b.example.net")], &known).is_empty());
    }

    #[test]
    fn only_sync_deletes_and_only_its_own() {
        let known = made(&changes(&program("old", "sync"), &[&endpoint("a.example.net")], &Known::new()));
        assert_eq!(changes(&program("old", "sync"), &[], &known).len(), 2);
        assert!(changes(&program("old", "upsert-only"), &[], &known).is_empty());
        assert!(changes(&program("new", "sync"), &[], &known).is_empty());
    }
}
