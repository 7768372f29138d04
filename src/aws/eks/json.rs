//! JSON values to the typed client's values and back, without losing a member on the way.

use crate::aws::misfit::Misfit;
use aws_sdk_eks::primitives::{DateTime, DateTimeFormat};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// A value of the typed client that can be read from JSON.
pub(super) trait FromInput: Sized {
    fn from_input(value: &Value) -> Result<Self, Misfit>;
}

/// What a builder gives: the value, or an error where it has required members.
pub(super) trait Built<T> {
    fn built(self) -> Result<T, Misfit>;
}

/// A value of the typed client as JSON; `None` when it is absent.
pub(super) trait ToAnswer {
    fn to_answer(&self) -> Option<Value>;
}

/// The members of an input that nobody has taken yet.
pub(super) struct Members<'a> {
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Members<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, Misfit> {
        match value {
            Value::Object(members) => {
                Ok(Self { left: members.iter().map(|(name, value)| (name.as_str(), value)).collect() })
            }
            other => Err(Misfit::expected("an object", other)),
        }
    }

    /// The member that a setter is for (`set_role_arn`: `roleArn`); null counts as absent.
    pub(super) fn take<T: FromInput>(&mut self, setter: &str) -> Result<Option<T>, Misfit> {
        let name = member_name(setter.trim_start_matches("set_"));
        match self.left.remove(name.as_str()) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::from_input(value).map(Some).map_err(|misfit| misfit.within(name)),
        }
    }

    /// Nothing may be left: what the client does not know would be dropped silently.
    pub(super) fn finish(self) -> Result<(), Misfit> {
        self.left.keys().next().map_or(Ok(()), |name| Err(Misfit::unknown(name)))
    }
}

/// Adds a member of an answer under its name in the API model.
pub(super) fn put(members: &mut Map<String, Value>, field: &str, value: &impl ToAnswer) {
    if let Some(value) = value.to_answer() {
        members.insert(member_name(field.trim_start_matches("r#")), value);
    }
}

/// `service_ipv4_cidr` in Rust is `serviceIpv4Cidr` in the model; the rule has no exception in EKS.
fn member_name(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    let mut upper = false;
    for character in field.chars() {
        match character {
            '_' => upper = true,
            other if upper => {
                name.push(other.to_ascii_uppercase());
                upper = false;
            }
            other => name.push(other),
        }
    }
    name
}

impl FromInput for String {
    fn from_input(value: &Value) -> Result<Self, Misfit> {
        value.as_str().map(Self::from).ok_or_else(|| Misfit::expected("a string", value))
    }
}

impl FromInput for bool {
    fn from_input(value: &Value) -> Result<Self, Misfit> {
        value.as_bool().ok_or_else(|| Misfit::expected("true or false", value))
    }
}

impl FromInput for i32 {
    fn from_input(value: &Value) -> Result<Self, Misfit> {
        let number = value.as_i64().and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| Misfit::expected("a whole number of 32 bits", value))
    }
}

impl<T: FromInput> FromInput for Vec<T> {
    fn from_input(value: &Value) -> Result<Self, Misfit> {
        let items = value.as_array().ok_or_else(|| Misfit::expected("a list", value))?;
        let read = |(at, item)| T::from_input(item).map_err(|misfit| misfit.within(at));
        items.iter().enumerate().map(read).collect()
    }
}

impl<T: FromInput> FromInput for HashMap<String, T> {
    fn from_input(value: &Value) -> Result<Self, Misfit> {
        let entries = value.as_object().ok_or_else(|| Misfit::expected("an object", value))?;
        let read = |(name, value): (&String, &Value)| {
            T::from_input(value).map(|read| (name.clone(), read)).map_err(|misfit| misfit.within(name))
        };
        entries.iter().map(read).collect()
    }
}

impl ToAnswer for String {
    fn to_answer(&self) -> Option<Value> {
        Some(self.as_str().into())
    }
}

impl ToAnswer for bool {
    fn to_answer(&self) -> Option<Value> {
        Some((*self).into())
    }
}

impl ToAnswer for i32 {
    fn to_answer(&self) -> Option<Value> {
        Some((*self).into())
    }
}

/// As RFC 3339; the seconds where they are out of its range.
impl ToAnswer for DateTime {
    fn to_answer(&self) -> Option<Value> {
        Some(self.fmt(DateTimeFormat::DateTime).map_or_else(|_| self.secs().into(), Value::from))
    }
}

impl<T: ToAnswer> ToAnswer for Option<T> {
    fn to_answer(&self) -> Option<Value> {
        self.as_ref().and_then(ToAnswer::to_answer)
    }
}

impl<T: ToAnswer> ToAnswer for Vec<T> {
    fn to_answer(&self) -> Option<Value> {
        Some(self.iter().filter_map(ToAnswer::to_answer).collect())
    }
}

impl<T: ToAnswer> ToAnswer for HashMap<String, T> {
    fn to_answer(&self) -> Option<Value> {
        let entries: Map<String, Value> =
            self.iter().filter_map(|(name, value)| Some((name.clone(), value.to_answer()?))).collect();
        Some(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_model() {
        assert_eq!(member_name("service_ipv4_cidr"), "serviceIpv4Cidr");
        assert_eq!(member_name("type"), "type");
        assert_eq!(member_name("tags"), "tags");
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(DateTime::from_secs(1_700_000_000).to_answer(), Some("2023-11-14T22:13:20Z".into()));
        assert_eq!(
            DateTime::from_millis(1_700_000_000_250).to_answer(),
            Some("2023-11-14T22:13:20.25Z".into())
        );
    }
}
