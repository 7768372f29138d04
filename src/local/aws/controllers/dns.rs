//! Records of Services and Ingresses in Route 53, by the rules of ownership of external-dns.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::dns_records::{Endpoint, Known, key, owner_of, same, zone_of_balancer};
use super::program::ExternalDns;
use super::view::{View, is_going, shown};
use super::{Controllers, Failed};
use crate::local::aws::account::{items, text};
use crate::model::cloud::Service;

const HOSTNAME: &str = "external-dns.alpha.kubernetes.io/hostname";
const TARGET: &str = "external-dns.alpha.kubernetes.io/target";
const TTL: &str = "external-dns.alpha.kubernetes.io/ttl";
const IDENTIFIER: &str = "external-dns.alpha.kubernetes.io/set-identifier";
const WEIGHT: &str = "external-dns.alpha.kubernetes.io/aws-weight";

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
    let declared = declared(view, program);
    let (about, digest) = (format!("external-dns {}", program.owner), format!("{program:?} {declared:?}"));
    if controllers.is_settled(&about, &digest) {
        return Ok(());
    }
    let endpoints = endpoints(program, declared);
    let account = &controllers.account;
    let zones = account.call(Service::Route53, "ListHostedZones", json!({})).await?;
    for zone in list(&zones, "HostedZones", "HostedZone") {
        let (id, suffix) = (text(&zone, "Id"), text(&zone, "Name"));
        let id = id.trim_start_matches("/hostedzone/").to_owned();
        let suffix = suffix.trim_end_matches('.').to_owned();
        let is_in = |name: &str| name == suffix || name.ends_with(&format!(".{suffix}"));
        let own: Vec<&Endpoint> = endpoints.iter().filter(|endpoint| is_in(&endpoint.name)).collect();
        if own.is_empty() && program.policy != "sync" {
            continue;
        }
        let answer =
            account.call(Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": id})).await?;
        let known: Known = list(&answer, "ResourceRecordSets", "ResourceRecordSet")
            .into_iter()
            .map(|set| (key(&set), set))
            .collect();
        let changes = changes(program, &own, &known);
        if !changes.is_empty() {
            let input = json!({"HostedZoneId": id, "ChangeBatch": {"Changes": changes}});
            account.call(Service::Route53, "ChangeResourceRecordSets", input).await?;
        }
    }
    controllers.settle(&about, digest);
    Ok(())
}

/// A list, in the form of the model or of the XML.
fn list(answer: &Value, name: &str, item: &str) -> Vec<Value> {
    match &answer[name] {
        Value::Array(items) => items.clone(),
        Value::Object(fields) => match fields.get(item) {
            Some(Value::Array(items)) => items.clone(),
            Some(one @ Value::Object(_)) => vec![one.clone()],
            _ => Vec::new(),
        },
        _ => Vec::new(),
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

/// A name that an object declares and that leads somewhere.
#[derive(Debug)]
struct Declared<'a> {
    name: String,
    host: String,
    /// `ingress/shop/web`.
    resource: String,
    annotations: &'a Value,
}

/// Names that objects declare within the program's domains, each once, and only with somewhere to lead to.
fn declared<'a>(view: &'a View, program: &ExternalDns) -> Vec<Declared<'a>> {
    let wants = |source: &str| program.sources.is_empty() || program.sources.iter().any(|own| own == source);
    let mut names: Vec<(&Value, &str, String)> = Vec::new();
    for service in view.services.iter().filter(|_| wants("service")) {
        let annotated = service["metadata"]["annotations"][HOSTNAME].as_str().unwrap_or_default();
        names.extend(annotated.split(',').map(|name| (service, "service", name.to_owned())));
    }
    for ingress in view.ingresses.iter().filter(|_| wants("ingress")) {
        let hosts = items(&ingress["spec"], "rules").filter_map(|rule| rule["host"].as_str());
        let annotated = ingress["metadata"]["annotations"][HOSTNAME].as_str().unwrap_or_default();
        names.extend(hosts.chain(annotated.split(',')).map(|name| (ingress, "ingress", name.to_owned())));
    }
    let mut all: Vec<Declared<'a>> = Vec::new();
    for (object, kind, name) in names {
        let name = name.trim().trim_end_matches('.').to_owned();
        let annotations = &object["metadata"]["annotations"];
        let identifier = annotations[IDENTIFIER].as_str();
        let host = annotations[TARGET]
            .as_str()
            .or_else(|| object["status"]["loadBalancer"]["ingress"][0]["hostname"].as_str());
        let Some(host) = host else { continue };
        let again = all
            .iter()
            .any(|other| other.name == name && other.annotations[IDENTIFIER].as_str() == identifier);
        if name.is_empty() || is_going(object) || again || !is_of(&name, &program.domains) {
            continue;
        }
        let resource = format!("{kind}/{}", shown(object));
        all.push(Declared { name, host: host.to_owned(), resource, annotations });
    }
    all
}

fn is_of(name: &str, domains: &[String]) -> bool {
    let below = |domain: &String| name.ends_with(&format!(".{}", domain.trim_start_matches('.')));
    domains.is_empty() || domains.iter().any(|domain| name == domain || below(domain))
}

/// Where the declared names lead: aliases of load balancers, canonical names of everything else.
fn endpoints(program: &ExternalDns, declared: Vec<Declared<'_>>) -> Vec<Endpoint> {
    let endpoint = |one: Declared<'_>| {
        let number = |key: &str| one.annotations[key].as_str().and_then(|text| text.parse::<u64>().ok());
        let zone = zone_of_balancer(&one.host).filter(|_| !program.prefer_cname);
        Endpoint {
            alias_zone: zone.map(str::to_owned),
            ttl: number(TTL).unwrap_or(300),
            weighted: one.annotations[IDENTIFIER]
                .as_str()
                .map(|id| (id.to_owned(), number(WEIGHT).unwrap_or_default())),
            name: one.name,
            host: one.host,
            resource: one.resource,
        }
    };
    declared.into_iter().map(endpoint).collect()
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
        }
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
