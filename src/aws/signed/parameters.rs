//! Inputs as the protocols want them: form parameters for EC2 and the Query services, a JSON body for the others.

use super::api::Protocol;
use super::shapes::{Form, Member, Shapes};
use crate::aws::misfit::Misfit;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

/// The parameters of an operation, in the order of the input, without `Action` and `Version`.
///
/// Lists are `Name.1` in EC2 and `Name.member.1` elsewhere. An empty list is left out in EC2; elsewhere it is the name
/// with an empty value, which empties what is there. In EC2's reads and in DeleteTags an empty list is refused: they would
/// take its absence for everything there is.
pub(super) fn parameters(
    protocol: Protocol,
    shapes: &Shapes,
    operation: &str,
    input: &Value,
) -> Result<Vec<(String, String)>, Misfit> {
    let absent_is_all =
        protocol == Protocol::Ec2 && (operation.starts_with("Describe") || operation == "DeleteTags");
    let mut form = Parameters { protocol, shapes, absent_is_all, pairs: Vec::new() };
    form.members(shapes.operation(operation)?, "", input)?;
    Ok(form.pairs)
}

struct Parameters<'a> {
    protocol: Protocol,
    shapes: &'a Shapes,
    absent_is_all: bool,
    pairs: Vec<(String, String)>,
}

impl Parameters<'_> {
    fn members(&mut self, members: &[Member], prefix: &str, input: &Value) -> Result<(), Misfit> {
        for (member, value) in matched(members, input)? {
            let name =
                if prefix.is_empty() { member.wire.to_owned() } else { format!("{prefix}.{}", member.wire) };
            self.member(member, &name, value).map_err(|misfit| misfit.within(member.name))?;
        }
        Ok(())
    }

    fn member(&mut self, member: &Member, name: &str, value: &Value) -> Result<(), Misfit> {
        match member.form {
            Form::Scalar | Form::Time => self.pairs.push((name.to_owned(), scalar(value)?)),
            Form::Structure(of) => self.members(self.shapes.structure(of), name, value)?,
            // Entries are numbered in the order of the keys (Smithy, awsQuery protocol, map serialization).
            Form::Map if self.protocol == Protocol::Query => {
                let entries = value.as_object().ok_or_else(|| Misfit::new("it has to be a map"))?;
                for (number, (key, value)) in (1..).zip(entries) {
                    self.pairs.push((format!("{name}.entry.{number}.key"), key.clone()));
                    self.pairs.push((format!("{name}.entry.{number}.value"), scalar(value)?));
                }
            }
            Form::Map => return Err(Misfit::new("a map has no place in this protocol")),
            Form::List { of, at_the_name } => {
                let items = list(value)?;
                if items.is_empty() && self.absent_is_all {
                    return Err(Misfit::new(
                        "an empty list stands for everything here; leave it out if that is meant",
                    ));
                }
                if items.is_empty() && self.protocol == Protocol::Query {
                    self.pairs.push((name.to_owned(), String::new()));
                }
                let items_at = if at_the_name || self.protocol == Protocol::Ec2 {
                    name.to_owned()
                } else {
                    format!("{name}.member")
                };
                for (at, item) in items.iter().enumerate() {
                    let name = format!("{items_at}.{}", at + 1);
                    match of {
                        None => scalar(item).map(|text| self.pairs.push((name, text))),
                        Some(of) => self.members(self.shapes.structure(of), &name, item),
                    }
                    .map_err(|misfit| misfit.within(at))?;
                }
            }
        }
        Ok(())
    }
}

/// The body of a JSON 1.1 operation: the input as it is, checked; times in seconds since 1970.
pub(super) fn body(shapes: &Shapes, operation: &str, input: &Value) -> Result<Value, Misfit> {
    json(shapes, shapes.operation(operation)?, input)
}

fn json(shapes: &Shapes, members: &[Member], input: &Value) -> Result<Value, Misfit> {
    let mut body = Map::new();
    for (member, value) in matched(members, input)? {
        let value = match member.form {
            Form::Scalar => scalar(value).map(|_| value.clone()),
            Form::Time => seconds(value),
            Form::Structure(of) => json(shapes, shapes.structure(of), value),
            Form::Map => {
                value.as_object().map(|_| value.clone()).ok_or_else(|| Misfit::expected("an object", value))
            }
            Form::List { of, .. } => list(value).and_then(|items| {
                let item = |(at, item)| {
                    let item = match of {
                        None => scalar(item).map(|_| item.clone()),
                        Some(of) => json(shapes, shapes.structure(of), item),
                    };
                    item.map_err(|misfit| misfit.within(at))
                };
                items.iter().enumerate().map(item).collect()
            }),
        };
        body.insert(member.wire.to_owned(), value.map_err(|misfit| misfit.within(member.name))?);
    }
    Ok(Value::Object(body))
}

/// The members that are given, each with its value; a member that the API does not have is refused: most of these
/// services ignore it silently. Null counts as absent.
fn matched<'a>(members: &'a [Member], input: &'a Value) -> Result<Vec<(&'a Member, &'a Value)>, Misfit> {
    let given = input.as_object().ok_or_else(|| Misfit::expected("an object", input))?;
    let find = |(name, value): (&String, &'a Value)| {
        let member = members.iter().find(|member| member.name == name);
        member.map(|member| (member, value)).ok_or_else(|| Misfit::unknown(name))
    };
    given.iter().filter(|(_, value)| !value.is_null()).map(find).collect()
}

fn list(value: &Value) -> Result<&Vec<Value>, Misfit> {
    value.as_array().ok_or_else(|| Misfit::expected("a list", value))
}

fn scalar(value: &Value) -> Result<String, Misfit> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        other => Err(Misfit::expected("a string, a number or a boolean", other)),
    }
}

fn seconds(value: &Value) -> Result<Value, Misfit> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(text) => {
            let time: Timestamp =
                text.parse().map_err(|_| Misfit::new("a time as RFC 3339 has it is expected"))?;
            let seconds = time.as_millisecond() as f64 / 1000.0;
            Ok(Number::from_f64(seconds).map_or(Value::Null, Value::Number))
        }
        other => Err(Misfit::expected("a time", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::signed::api::Api;
    use crate::model::cloud::Service;
    use serde_json::json;

    fn sorted(service: Service, operation: &str, input: &Value) -> Result<Vec<(String, String)>, String> {
        let (shapes, api) = (Shapes::of(service).unwrap(), Api::of(service).unwrap());
        let mut pairs =
            parameters(api.protocol, shapes, operation, input).map_err(|misfit| misfit.to_string())?;
        pairs.sort();
        Ok(pairs)
    }

    /// Parameters as botocore's serialisers write them.
    #[test]
    fn parameters_are_named_as_botocore_names_them() {
        use Service::{AutoScaling, Ec2, Iam};
        for (service, operation, input, expected) in [
            (
                Ec2,
                "CreateSubnet",
                json!({"VpcId": "v", "TagSpecifications": [{"ResourceType": "subnet", "Tags": [{"Key": "a", "Value": ""}]}]}),
                "TagSpecification.1.ResourceType=subnet TagSpecification.1.Tag.1.Key=a TagSpecification.1.Tag.1.Value= VpcId=v",
            ),
            (
                Ec2,
                "DescribeSubnets",
                json!({"SubnetIds": ["s-1", "s-2"], "Filters": [{"Name": "vpc-id", "Values": ["v-1", "v-2"]}]}),
                "Filter.1.Name=vpc-id Filter.1.Value.1=v-1 Filter.1.Value.2=v-2 SubnetId.1=s-1 SubnetId.2=s-2",
            ),
            (
                Ec2,
                "AuthorizeSecurityGroupIngress",
                json!({"IpPermissions": [{"FromPort": 1, "IpRanges": [{"CidrIp": "c"}], "UserIdGroupPairs": [{"GroupId": "h"}]}]}),
                "IpPermissions.1.FromPort=1 IpPermissions.1.Groups.1.GroupId=h IpPermissions.1.IpRanges.1.CidrIp=c",
            ),
            (Ec2, "CreateSecurityGroup", json!({"Description": "d"}), "GroupDescription=d"),
            (Ec2, "CreateTags", json!({"Resources": ["r"], "Tags": []}), "ResourceId.1=r"),
            (Ec2, "ModifyLaunchTemplate", json!({"DefaultVersion": "2"}), "SetDefaultVersion=2"),
            (
                Iam,
                "CreateRole",
                json!({"Tags": [{"Key": "k", "Value": "v"}], "MaxSessionDuration": 3600, "Path": null}),
                "MaxSessionDuration=3600 Tags.member.1.Key=k Tags.member.1.Value=v",
            ),
            (
                AutoScaling,
                "UpdateAutoScalingGroup",
                json!({"TerminationPolicies": [], "CapacityRebalance": true, "MixedInstancesPolicy": {"LaunchTemplate": {"Overrides": [{"InstanceType": "t"}]}}}),
                "CapacityRebalance=true MixedInstancesPolicy.LaunchTemplate.Overrides.member.1.InstanceType=t TerminationPolicies=",
            ),
        ] {
            let pairs = sorted(service, operation, &input).unwrap();
            let text: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            assert_eq!(text.join(" "), expected);
        }
    }

    #[test]
    fn an_empty_list_never_means_everything() {
        for (operation, input) in [
            ("DescribeVpcs", json!({"VpcIds": []})),
            ("DescribeVpcs", json!({"Filters": [{"Name": "a", "Values": []}]})),
            ("DeleteTags", json!({"Resources": ["r"], "Tags": []})),
        ] {
            let misfit = sorted(Service::Ec2, operation, &input).unwrap_err();
            assert!(misfit.contains("an empty list stands for everything"), "{misfit}");
        }
    }

    #[test]
    fn times_of_json_services_are_seconds() {
        let (shapes, input) =
            (Shapes::of(Service::CloudTrail).unwrap(), json!({"StartTime": "2026-09-21T14:13:20.25Z"}));
        assert_eq!(body(shapes, "LookupEvents", &input).unwrap(), json!({"StartTime": 1_790_000_000.25}));
    }
}
