//! Answers in the names of the API models (`VpcId`, `Tags`) or of their XML (`vpcId`, `tagSet`).
//!
//! The cloud port hands answers of the Query services on with the names of their XML, the AWS CLI prints the models'.

use serde_json::Value;
use std::collections::BTreeMap;

/// What EC2 calls the lists of its XML, by the name in its model.
const IN_XML: &[(&str, &str)] = &[
    ("Addresses", "addressesSet"),
    ("Associations", "associationSet"),
    ("Attachments", "attachmentSet"),
    ("BlockDeviceMappings", "blockDeviceMapping"),
    ("DhcpOptions", "dhcpOptionsSet"),
    ("EgressOnlyInternetGateways", "egressOnlyInternetGatewaySet"),
    ("Groups", "groupSet"),
    ("Instances", "instancesSet"),
    ("InternetGateways", "internetGatewaySet"),
    ("IpPermissions", "ipPermissions"),
    ("KeyPairs", "keySet"),
    ("LaunchTemplates", "launchTemplates"),
    ("NatGatewayAddresses", "natGatewayAddressSet"),
    ("NatGateways", "natGatewaySet"),
    ("NetworkInterfaces", "networkInterfaceSet"),
    ("Reservations", "reservationSet"),
    ("RouteTables", "routeTableSet"),
    ("Routes", "routeSet"),
    ("SecurityGroups", "securityGroupInfo"),
    ("State", "instanceState"),
    ("Subnets", "subnetSet"),
    ("Tags", "tagSet"),
    ("UserIdGroupPairs", "groups"),
    ("Volumes", "volumeSet"),
    ("Vpcs", "vpcSet"),
];

/// A member by its name in the model, or in the XML.
pub(in crate::migrate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    if let Some(found) = fields.get(name) {
        return Some(found);
    }
    let in_xml = IN_XML.iter().filter(|(model, _)| *model == name).find_map(|(_, xml)| fields.get(*xml));
    in_xml.or_else(|| {
        let mut letters = name.chars();
        let first = letters.next()?.to_ascii_lowercase();
        fields.get(&format!("{first}{}", letters.as_str()))
    })
}

/// The items of the first list of some names. XML writes an empty list as an empty text, and Route 53 puts a list into
/// an element of its items' name.
pub(in crate::migrate) fn list<'a>(value: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    match names.iter().find_map(|name| member(value, name)) {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(Value::Object(fields)) if fields.len() == 1 => match fields.values().next() {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(item @ (Value::Object(_) | Value::String(_))) => vec![item],
            _ => Vec::new(),
        },
        // One text where a list of texts has one item.
        Some(item @ Value::String(text)) if !text.is_empty() => vec![item],
        _ => Vec::new(),
    }
}

/// A text that is not empty.
pub(in crate::migrate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name)?.as_str().filter(|text| !text.is_empty())
}

/// A text of an item; an item that is a text itself is its own.
pub(super) fn item_text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item.as_str().or_else(|| text(item, name))
}

/// A flag: XML writes it as a text.
pub(in crate::migrate) fn flag(value: &Value, name: &str) -> bool {
    match member(value, name) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

/// The tags of a thing.
pub(in crate::migrate) fn tags(value: &Value) -> BTreeMap<&str, &str> {
    let sets = ["Tags", "TagSet"].iter().flat_map(|name| list(value, &[name]));
    sets.filter_map(|tag| {
        let value = member(tag, "Value").and_then(Value::as_str).unwrap_or_default();
        Some((member(tag, "Key")?.as_str()?, value))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_ways_to_name_things_are_read() {
        let model = json!({"Volumes": [{"VolumeId": "vol-1", "Tags": [{"Key": "a", "Value": "b"}]}]});
        let xml = json!({"volumeSet": [{"volumeId": "vol-1", "tagSet": [{"key": "a", "value": "b"}]}]});
        for answer in [model, xml] {
            let volumes = list(&answer, &["Volumes"]);
            assert_eq!(text(volumes[0], "VolumeId"), Some("vol-1"));
            assert_eq!(tags(volumes[0]).get("a"), Some(&"b"));
        }
    }

    #[test]
    fn lists_of_xml_have_odd_forms() {
        assert!(list(&json!({"vpcSet": ""}), &["Vpcs"]).is_empty());
        assert_eq!(list(&json!({"HostedZones": {"HostedZone": {"Id": "Z"}}}), &["HostedZones"]).len(), 1);
        assert_eq!(list(&json!({"HostedZones": {"HostedZone": [{}, {}]}}), &["HostedZones"]).len(), 2);
        assert!(flag(&json!({"main": "true"}), "Main") && !flag(&json!({"main": "false"}), "Main"));
    }
}
