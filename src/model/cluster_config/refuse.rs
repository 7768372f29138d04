//! Fields and values that eksctl knows and Portolan refuses, found in a file.

use super::fields::{self, BY_NAME, Support};
use crate::model::document::validate::Violation;
use serde_json::Value;

/// Every refused field and value that a file uses. What is null, and a switch that is off, is not used.
pub(super) fn refused(value: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    visit(value, &Place::default(), &mut found);
    found
}

/// A place in a file: as the field table writes it, as a pointer, and as people write it.
#[derive(Clone, Default)]
struct Place {
    row: String,
    pointer: String,
    shown: String,
}

impl Place {
    fn key(&self, name: &str) -> Self {
        let dot = if self.row.is_empty() { "" } else { "." };
        let mut row = format!("{}{dot}{name}", self.row);
        if fields::by_path(&self.row).is_some_and(|row| row.kind == BY_NAME) {
            row = format!("{}.*", self.row);
        }
        let escaped = name.replace('~', "~0").replace('/', "~1");
        Self {
            row,
            pointer: format!("{}/{escaped}", self.pointer),
            shown: format!("{}{dot}{name}", self.shown),
        }
    }

    fn item(&self, index: usize) -> Self {
        Self {
            row: format!("{}[]", self.row),
            pointer: format!("{}/{index}", self.pointer),
            shown: format!("{}[{index}]", self.shown),
        }
    }
}

fn visit(value: &Value, place: &Place, found: &mut Vec<Violation>) {
    match value {
        Value::Object(mapping) => {
            for (name, field) in mapping {
                let place = place.key(name);
                let row = fields::by_path(&place.row);
                match row.map(|row| row.support) {
                    Some(Support::Refused { because, instead }) => {
                        if !matches!(field, Value::Null | Value::Bool(false)) {
                            let message = format!("`{}` is not supported, because {because}", place.shown);
                            found.push(Violation {
                                pointer: place.pointer,
                                message,
                                hint: Some(format!("instead: {instead}")),
                            });
                        }
                    }
                    // Below a mapping of any content (a policy, kubelet settings) nothing is ours to judge.
                    Some(Support::Acted(_))
                        if row.is_some_and(|row| row.kind.ends_with("of any content")) => {}
                    Some(Support::Acted(_)) => {
                        found.extend(refused_value(name, field, &place));
                        visit(field, &place, found);
                    }
                    None => match other_kind(&place) {
                        Some(violation) => found.push(violation),
                        None => visit(field, &place, found),
                    },
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, &place.item(index), found);
            }
        }
        _ => {}
    }
}

/// A field that the other kind of node groups has: people mistake the two for each other.
fn other_kind(place: &Place) -> Option<Violation> {
    const KINDS: [&str; 2] = ["managedNodeGroups", "nodeGroups"];
    let (kind, field) = place.row.split_once("[].")?;
    let other = KINDS.into_iter().find(|other| KINDS.contains(&kind) && *other != kind)?;
    fields::by_path(&format!("{other}[].{field}")).filter(|row| !row.is_refused())?;
    Some(Violation {
        pointer: place.pointer.clone(),
        message: format!("`{}` exists in `{other}` only", place.shown),
        hint: Some(match field {
            "spot" | "instanceTypes" => "use `instancesDistribution`".into(),
            _ => format!("declare the group under `{other}`, or take it out"),
        }),
    })
}

fn refused_value(field: &str, value: &Value, place: &Place) -> Option<Violation> {
    let text = value.as_str()?;
    let refused =
        fields::refused_values().iter().find(|refused| refused.field == field && refused.value == text)?;
    Some(Violation {
        pointer: place.pointer.clone(),
        message: format!("`{}: {text}` is not supported, because {}", place.shown, refused.because),
        hint: Some(format!("instead: {}", refused.instead)),
    })
}
