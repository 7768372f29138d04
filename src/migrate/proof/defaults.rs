//! The table of what servers and controllers are known to make of an object.

use super::pattern::Pattern;
use crate::model::yaml::{Limits, read_stream};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    places: BTreeMap<String, BTreeMap<String, String>>,
    fields: Vec<FieldRow>,
    omitted: Vec<OmittedRow>,
    numbers: Vec<NumberRow>,
    derived: Vec<DerivedRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldRow {
    of: Vec<String>,
    at: String,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(default)]
    values: Vec<Value>,
    #[serde(default)]
    form: Option<Form>,
    #[serde(default)]
    same: Option<String>,
    #[serde(default)]
    when: BTreeMap<String, Value>,
    #[serde(default)]
    by: Option<String>,
}

/// `value: null` is a value.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OmittedRow {
    of: Vec<String>,
    at: String,
    value: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberRow {
    of: Vec<String>,
    at: String,
}

/// An object that nobody declares.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DerivedRow {
    /// `Kind.group`.
    pub kind: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// A label that it has: `key` or `key=value`.
    #[serde(default)]
    pub label: Option<String>,
    /// The kind of an object of its namespace that has its name.
    #[serde(default)]
    pub same_name: Option<String>,
    /// Whether an object of the target is its controller.
    #[serde(default)]
    pub owner: bool,
    /// Who makes it.
    pub by: String,
}

/// A value that only the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    Ip,
    NodePort,
    Uid,
    Time,
    Number,
    NumberText,
    Generation,
    Text,
    Digest,
    PullPolicy,
    AccountToken,
    AccountTokenMount,
    Injected,
    Aggregated,
    ListKind,
    Singular,
}

/// What a field is known to be.
pub(super) enum Known {
    /// This value.
    Value(Value),
    /// One of these.
    OneOf(Vec<Value>),
    /// A value of a form.
    Form(Form),
    /// What another field has.
    Same(String),
}

/// A line about one field.
pub(super) struct Line {
    pattern: Pattern,
    pub known: Known,
    pub when: BTreeMap<String, Value>,
    /// Id for reports, such as `server-default:spec/type`.
    pub id: String,
}

/// The lines about one kind.
#[derive(Default)]
pub(super) struct Lines {
    fields: BTreeMap<String, Vec<Line>>,
    omitted: Vec<(Pattern, Value)>,
    numbers: Vec<Pattern>,
}

impl Lines {
    /// The lines that are about a field.
    pub(super) fn of<'l>(&'l self, keys: &'l [&'l str]) -> impl Iterator<Item = &'l Line> {
        let named = keys.last().and_then(|last| self.fields.get(*last)).into_iter().flatten();
        let any = self.fields.get("*").into_iter().flatten();
        named.chain(any).filter(move |line| line.pattern.fits(keys))
    }

    /// Whether a declared value is stored as nothing.
    pub(super) fn omits(&self, keys: &[&str], value: &Value) -> bool {
        self.omitted.iter().any(|(pattern, omitted)| omitted == value && pattern.fits(keys))
    }

    /// Whether a field holds a quantity.
    pub(super) fn is_number(&self, keys: &[&str]) -> bool {
        self.numbers.iter().any(|pattern| pattern.fits(keys))
    }
}

/// All lines, by `Kind.group`.
pub(super) struct Table {
    kinds: BTreeMap<String, Lines>,
    other: Lines,
    pub derived: Vec<DerivedRow>,
}

impl Table {
    /// The lines about a kind.
    pub(super) fn of(&self, kind: &str) -> &Lines {
        self.kinds.get(kind).unwrap_or(&self.other)
    }
}

/// `config/transforms/server-defaults.yaml`.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = include_str!("../../../config/transforms/server-defaults.yaml");
    let document = read_stream(text.as_bytes(), &Limits::default()).pop();
    let value = document.and_then(Result::ok).expect("a test reads the table").into_value();
    table(serde_json::from_value(value).expect("a test reads the table"))
});

fn table(file: File) -> Table {
    let mut kinds: Vec<String> = file.places.values().flat_map(BTreeMap::keys).cloned().collect();
    let rows = file.fields.iter().map(|row| &row.of).chain(file.omitted.iter().map(|row| &row.of));
    for name in rows.chain(file.numbers.iter().map(|row| &row.of)).flatten() {
        if name != "*" && !file.places.contains_key(name) {
            kinds.push(name.clone());
        }
    }
    kinds.sort();
    kinds.dedup();
    let lines = |kind: Option<&str>| -> Lines {
        let bases = |on: &[String]| -> Vec<String> {
            let base = |name: &String| match (name.as_str(), kind) {
                ("*", _) => Some(String::new()),
                (name, Some(kind)) if name == kind => Some(String::new()),
                (name, Some(kind)) => file.places.get(name)?.get(kind).cloned(),
                _ => None,
            };
            on.iter().filter_map(base).collect()
        };
        let mut lines = Lines::default();
        for row in &file.fields {
            for base in bases(&row.of) {
                let pattern = Pattern::read(&format!("{base}/{}", row.at));
                let names: Vec<String> = match pattern.last() {
                    [] => vec!["*".into()],
                    names => names.to_vec(),
                };
                for name in names {
                    let line = Line {
                        pattern: pattern.clone(),
                        known: known(row),
                        when: row.when.clone(),
                        id: match &row.by {
                            Some(by) => format!("{by} ({})", row.at),
                            None => format!("server-default:{}", row.at),
                        },
                    };
                    lines.fields.entry(name).or_default().push(line);
                }
            }
        }
        for row in &file.omitted {
            for base in bases(&row.of) {
                lines.omitted.push((Pattern::read(&format!("{base}/{}", row.at)), row.value.clone()));
            }
        }
        for row in &file.numbers {
            lines
                .numbers
                .extend(bases(&row.of).iter().map(|base| Pattern::read(&format!("{base}/{}", row.at))));
        }
        lines
    };
    let other = lines(None);
    let kinds = kinds
        .into_iter()
        .map(|kind| {
            let of = lines(Some(&kind));
            (kind, of)
        })
        .collect();
    Table { kinds, other, derived: file.derived }
}

fn known(row: &FieldRow) -> Known {
    match (&row.value, &row.form, &row.same) {
        (Some(value), None, None) => Known::Value(value.clone()),
        (None, Some(form), None) => Known::Form(*form),
        (None, None, Some(same)) => Known::Same(same.clone()),
        _ => Known::OneOf(row.values.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_read_and_every_line_says_one_thing() {
        let pod = TABLE.of("Deployment.apps");
        let keys = ["spec", "template", "spec", "containers", "0", "imagePullPolicy"];
        assert_eq!(pod.of(&keys).count(), 1);
        assert!(TABLE.of("Farm.example.com").of(&["metadata", "uid"]).count() == 1);
        assert!(TABLE.of("Farm.example.com").of(&["spec", "replicas"]).count() == 0);
        let lines = TABLE.kinds.values().flat_map(|lines| lines.fields.values()).flatten();
        for line in lines {
            assert!(!matches!(&line.known, Known::OneOf(values) if values.is_empty()), "{}", line.id);
        }
    }
}
