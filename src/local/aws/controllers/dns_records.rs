//! Record sets and TXT ownership, as external-dns writes them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::local::aws::account::items;

/// A name that an object declares, and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Endpoint {
    /// Without a dot at the end.
    pub(super) name: String,
    pub(super) host: String,
    /// Hosted zone of the load balancer, for an alias.
    pub(super) alias_zone: Option<String>,
    /// `ingress/shop/web`.
    pub(super) resource: String,
    pub(super) ttl: u64,
    /// `set-identifier` and `aws-weight`.
    pub(super) weighted: Option<(String, u64)>,
}

impl Endpoint {
    /// The kind of its record.
    pub(super) fn kind(&self) -> &'static str {
        if self.alias_zone.is_some() { "A" } else { "CNAME" }
    }

    /// Its record set.
    pub(super) fn record(&self) -> Value {
        let mut set = json!({"Name": format!("{}.", self.name), "Type": self.kind()});
        match &self.alias_zone {
            Some(zone) => {
                set["AliasTarget"] = json!({"HostedZoneId": zone, "DNSName": format!("{}.", self.host), "EvaluateTargetHealth": true});
            }
            None => {
                set["TTL"] = self.ttl.into();
                set["ResourceRecords"] = json!([{"Value": self.host}]);
            }
        }
        self.with_policy(set)
    }

    /// Its ownership records: the name's own (not beside a CNAME) and the one with the kind in it; an alias counts as a
    /// CNAME there.
    pub(super) fn ownership(&self, owner: &str, prefix: &str) -> Vec<Value> {
        let value = format!(
            "\"heritage=external-dns,external-dns/owner={owner},external-dns/resource={}\"",
            self.resource
        );
        let prefix = |kind: &str| prefix.replace("%{record_type}", kind);
        let mut names = vec![format!("{}cname-{}.", prefix("cname"), self.name)];
        let bare = format!("{}{}.", prefix(""), self.name);
        if self.alias_zone.is_some() || !prefix("").is_empty() {
            names.push(bare);
        }
        names
            .into_iter()
            .map(|name| {
                let set =
                    json!({"Name": name, "Type": "TXT", "TTL": 300, "ResourceRecords": [{"Value": value}]});
                self.with_policy(set)
            })
            .collect()
    }

    fn with_policy(&self, mut set: Value) -> Value {
        if let Some((id, weight)) = &self.weighted {
            set["SetIdentifier"] = id.as_str().into();
            set["Weight"] = (*weight).into();
        }
        set
    }
}

/// The hosted zones of load balancers' names by region: of classic and application ones, of network ones (AWS General
/// Reference, Elastic Load Balancing endpoints). external-dns knows them by the name's end, too.
const ZONES: [(&str, &str, &str); 12] = [
    ("ap-northeast-1", "Z14GRHDCWA56QT", "Z31USIVHYNEOWT"),
    ("ap-southeast-1", "Z1LMS91P8CMLE5", "ZKVM4W9LS7TM"),
    ("ap-southeast-2", "Z1GM3OXH4ZPM65", "ZCT6FZBF4DROD"),
    ("eu-central-1", "Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"),
    ("eu-north-1", "Z23TAZ6LKFMNIO", "Z1UDT6IFJ4EJM"),
    ("eu-west-1", "Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"),
    ("eu-west-2", "ZHURV8PSTC4K8", "ZD4D7Y8KGAGGC"),
    ("eu-west-3", "Z3Q77PNBQS71R4", "Z1CMS0P5QUZ6D5"),
    ("us-east-1", "Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"),
    ("us-east-2", "Z3AADJGX6KTTL2", "ZLMOA37VPKANP"),
    ("us-west-1", "Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"),
    ("us-west-2", "Z1H1FL5HABSF5", "Z18D5FSROUN65G"),
];

/// The hosted zone that an alias to a load balancer needs; `None`: it is none, or of a region that is not known here.
pub(super) fn zone_of_balancer(host: &str) -> Option<&'static str> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    ZONES.iter().find_map(|(region, classic, network)| {
        if host.ends_with(&format!(".{region}.elb.amazonaws.com")) {
            Some(*classic)
        } else {
            host.ends_with(&format!(".elb.{region}.amazonaws.com")).then_some(*network)
        }
    })
}

/// What tells record sets apart: name, kind, identifier.
pub(super) fn key(set: &Value) -> (String, String, String) {
    let text = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
    (text("Name").to_ascii_lowercase().replace("\\052", "*"), text("Type"), text("SetIdentifier"))
}

/// The owner that a TXT record names.
pub(super) fn owner_of(set: &Value) -> Option<String> {
    items(set, "ResourceRecords").find_map(|value| {
        let text = value["Value"].as_str()?.trim_matches('"');
        let text = text.strip_prefix("heritage=external-dns,")?;
        text.split(',').find_map(|part| part.strip_prefix("external-dns/owner=")).map(str::to_owned)
    })
}

/// Whether a record that is there says what is wanted: where it leads, and with what weight.
pub(super) fn same(found: &Value, wanted: &Value) -> bool {
    let host = |set: &Value| {
        let alias = set["AliasTarget"]["DNSName"].as_str().map(str::to_owned);
        let value = || set["ResourceRecords"][0]["Value"].as_str().map(str::to_owned);
        alias
            .or_else(value)
            .unwrap_or_default()
            .trim_end_matches('.')
            .trim_start_matches("dualstack.")
            .to_ascii_lowercase()
    };
    let number = |set: &Value| set["Weight"].as_u64().or_else(|| set["Weight"].as_str()?.parse().ok());
    host(found) == host(wanted) && number(found) == number(wanted)
}

/// By what is told apart: records of a zone.
pub(super) type Known = BTreeMap<(String, String, String), Value>;

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(alias: bool) -> Endpoint {
        Endpoint {
            name: "shop.example.com".into(),
            host: "lb.example.net".into(),
            alias_zone: alias.then(|| "Z2".to_owned()),
            resource: "service/shop/web".into(),
            ttl: 300,
            weighted: None,
        }
    }

    #[test]
    fn ownership_stands_beside_the_record() {
        let names = |endpoint: &Endpoint, prefix: &str| -> Vec<String> {
            let sets = endpoint.ownership("old", prefix);
            assert!(sets.iter().all(|set| owner_of(set).as_deref() == Some("old")));
            sets.iter().map(|set| set["Name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&endpoint(true), ""), ["cname-shop.example.com.", "shop.example.com."]);
        // A TXT record cannot stand beside a CNAME of the same name.
        assert_eq!(names(&endpoint(false), ""), ["cname-shop.example.com."]);
        assert_eq!(names(&endpoint(false), "x-"), ["x-cname-shop.example.com.", "x-shop.example.com."]);
    }

    #[test]
    fn load_balancers_are_known_by_their_names() {
        for (host, zone) in [
            ("a-1.eu-west-1.elb.amazonaws.com", Some("Z32O12XQLNTSW2")),
            ("a-1.elb.eu-west-1.amazonaws.com.", Some("Z2IFOLAFXWLO4F")),
            ("elb.example.com", None),
        ] {
            assert_eq!(zone_of_balancer(host), zone, "{host}");
        }
    }

    #[test]
    fn what_is_there_is_compared_without_regard_to_case_and_dots() {
        let wanted = endpoint(false).record();
        let found = json!({"Name": "shop.example.com.", "Type": "CNAME", "TTL": "300",
            "ResourceRecords": [{"Value": "LB.example.net."}]});
        assert!(same(&found, &wanted) && same(&wanted, &wanted));
        assert!(!same(&endpoint(true).with_policy(json!({"Weight": 1})), &wanted));
        assert_eq!(key(&found), key(&wanted));
    }
}
