//! Record sets of Route 53, as they were answered, in one form.

use super::super::decommission::{flag, list, member, text};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Kinds of records that say where a name is: what a shift is about.
pub(super) const ADDRESSES: &[&str] = &["A", "AAAA", "CNAME"];
/// Members that only a routing policy other than the weighted one has.
const OTHER_POLICIES: &[&str] =
    &["Region", "GeoLocation", "Failover", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation"];

/// A record set with the names of the API model, numbers as numbers: exactly what a change takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    body: Value,
}

impl Record {
    /// Reads a record set in the form of the model or of the XML.
    #[must_use]
    pub fn read(set: &Value) -> Option<Self> {
        let mut body = Map::new();
        for name in ["Name", "Type"] {
            body.insert(name.into(), json!(text(set, name)?));
        }
        for name in ["SetIdentifier", "Region", "Failover", "HealthCheckId", "TrafficPolicyInstanceId"] {
            if let Some(value) = text(set, name) {
                body.insert(name.into(), json!(value));
            }
        }
        for name in ["TTL", "Weight"] {
            if let Some(number) = member(set, name).and_then(number) {
                body.insert(name.into(), json!(number));
            }
        }
        if member(set, "MultiValueAnswer").is_some() {
            body.insert("MultiValueAnswer".into(), json!(flag(set, "MultiValueAnswer")));
        }
        for name in ["GeoLocation", "CidrRoutingConfig", "GeoProximityLocation"] {
            if let Some(value) = member(set, name).filter(|value| value.is_object()) {
                body.insert(name.into(), value.clone());
            }
        }
        let values: Vec<Value> = list(set, &["ResourceRecords"])
            .into_iter()
            .filter_map(|record| text(record, "Value").or_else(|| record.as_str()))
            .map(|value| json!({"Value": value}))
            .collect();
        if !values.is_empty() {
            body.insert("ResourceRecords".into(), Value::Array(values));
        }
        if let Some(alias) = member(set, "AliasTarget").filter(|alias| alias.is_object()) {
            body.insert(
                "AliasTarget".into(),
                json!({
                    "HostedZoneId": text(alias, "HostedZoneId").unwrap_or_default(),
                    "DNSName": text(alias, "DNSName").unwrap_or_default(),
                    "EvaluateTargetHealth": flag(alias, "EvaluateTargetHealth"),
                }),
            );
        }
        Some(Self { body: Value::Object(body) })
    }

    /// As a change takes it.
    #[must_use]
    pub fn body(&self) -> &Value {
        &self.body
    }

    /// Name, with its dot at the end.
    #[must_use]
    pub fn name(&self) -> &str {
        self.body["Name"].as_str().unwrap_or_default()
    }

    /// `A`, `CNAME`…
    #[must_use]
    pub fn kind(&self) -> &str {
        self.body["Type"].as_str().unwrap_or_default()
    }

    /// What tells records of one name apart, where a routing policy is in use.
    #[must_use]
    pub fn set(&self) -> Option<&str> {
        self.body["SetIdentifier"].as_str()
    }

    /// Weight from 0 to 255.
    #[must_use]
    pub fn weight(&self) -> Option<u64> {
        self.body["Weight"].as_u64()
    }

    /// Seconds that resolvers keep it; none for an alias, which has those of what it names.
    #[must_use]
    pub fn ttl(&self) -> Option<u64> {
        self.body["TTL"].as_u64()
    }

    /// Whether it stands for a resource of AWS.
    #[must_use]
    pub fn is_alias(&self) -> bool {
        self.body.get("AliasTarget").is_some()
    }

    /// The values of a record that is no alias.
    pub(super) fn values(&self) -> Vec<&str> {
        let values = self.body["ResourceRecords"].as_array().into_iter().flatten();
        values.into_iter().filter_map(|value| value["Value"].as_str()).collect()
    }

    /// The routing policy beside the weighted one, by the member that makes it.
    pub(super) fn other_policy(&self) -> Option<&'static str> {
        OTHER_POLICIES.iter().find(|policy| self.body.get(**policy).is_some()).copied()
    }

    /// The same with other members; `null` takes one away.
    #[must_use]
    pub(super) fn with(&self, members: &[(&str, Value)]) -> Self {
        let mut body = self.body.as_object().cloned().unwrap_or_default();
        for (name, value) in members {
            if value.is_null() {
                body.remove(*name);
            } else {
                body.insert((*name).to_owned(), value.clone());
            }
        }
        Self { body: Value::Object(body) }
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Hosted zones with their records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zones {
    /// Records by the zone's id, without `/hostedzone/`.
    pub records: BTreeMap<String, Vec<Record>>,
}

impl Zones {
    /// Adds an answer of ListResourceRecordSets.
    pub fn read(&mut self, zone: &str, answer: &Value) {
        let sets = list(answer, &["ResourceRecordSets"]).into_iter().filter_map(Record::read);
        self.records.entry(zone.trim_start_matches("/hostedzone/").to_owned()).or_default().extend(sets);
    }

    /// Records of a name that say where it is, by their kind.
    pub(super) fn addresses<'a>(&'a self, zone: &str, name: &str) -> BTreeMap<&'a str, Vec<&'a Record>> {
        let mut found: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in self.records.get(zone).into_iter().flatten() {
            if same_name(record.name(), name) && ADDRESSES.contains(&record.kind()) {
                found.entry(record.kind()).or_default().push(record);
            }
        }
        found
    }

    /// Every TXT record of a zone.
    pub(super) fn texts<'a>(&'a self, zone: &str) -> impl Iterator<Item = &'a Record> {
        self.records.get(zone).into_iter().flatten().filter(|record| record.kind() == "TXT")
    }
}

/// A name as Route 53 compares it: lower case, `*` as `\052`, without the dot at the end.
pub(super) fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase().replace("\\052", "*")
}

pub(super) fn same_name(a: &str, b: &str) -> bool {
    normal(a) == normal(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_answer_are_one() {
        let model = json!({"ResourceRecordSets": [
            {"Name": "a.example.com.", "Type": "A", "SetIdentifier": "x", "Weight": 0, "AliasTarget":
                {"HostedZoneId": "Z2", "DNSName": "lb.", "EvaluateTargetHealth": true}},
            {"Name": "b.example.com.", "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": "lb"}]}]});
        let xml = json!({"ResourceRecordSets": {"ResourceRecordSet": [
            {"Name": "a.example.com.", "Type": "A", "SetIdentifier": "x", "Weight": "0", "AliasTarget":
                {"HostedZoneId": "Z2", "DNSName": "lb.", "EvaluateTargetHealth": "true"}},
            {"Name": "b.example.com.", "Type": "CNAME", "TTL": "300",
                "ResourceRecords": {"ResourceRecord": {"Value": "lb"}}}]}});
        let read = |answer: &Value| {
            let mut zones = Zones::default();
            zones.read("/hostedzone/Z1", answer);
            zones
        };
        assert_eq!(read(&model), read(&xml));
        assert_eq!(read(&model).records["Z1"][1].body(), &model["ResourceRecordSets"][1]);
        assert_eq!(read(&xml).records["Z1"][0].weight(), Some(0));
    }

    #[test]
    fn names_are_compared_as_route_53_does() {
        assert!(same_name("\\052.Example.com.", "*.example.com"));
        assert!(!same_name("a.example.com.", "b.example.com."));
    }
}
