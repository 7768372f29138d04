//! From names as they were written to the newest ones.

use super::path::{Path, Step};
use super::renames::{self, Rename};
use super::spec::{Field, Kind};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The fields of a document, and the document by the newest names.
pub(super) fn normalise(kind: Kind, document: &Value) -> (Value, Vec<Field>) {
    let mut leaves = Vec::new();
    collect(document, &mut Path::default(), &mut leaves);
    let mut tree = json!({});
    let mut fields = Vec::with_capacity(leaves.len());
    for (written, value) in leaves {
        let (path, value) = newest(kind, &written, value);
        insert(&mut tree, &path.0, value.clone());
        fields.push(Field { pointer: written.pointer(), path, value });
    }
    consequences(kind, &mut tree);
    (tree, fields)
}

fn collect(value: &Value, path: &mut Path, leaves: &mut Vec<(Path, Value)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) if !fields.is_empty() => {
            for (name, field) in fields {
                path.0.push(Step::Key(name.clone()));
                collect(field, path, leaves);
                path.0.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                path.0.push(Step::Index(index));
                collect(item, path, leaves);
                path.0.pop();
            }
        }
        leaf => leaves.push((path.clone(), leaf.clone())),
    }
}

/// A rename with both names cut into words; `[]` is a word of its own.
struct Row {
    from: Vec<&'static str>,
    to: Vec<&'static str>,
    inverted: bool,
}

fn rows(table: &'static [Rename]) -> Vec<Row> {
    let words = |text: &'static str| -> Vec<&'static str> {
        text.split('.')
            .flat_map(|word| match word.strip_suffix("[]") {
                Some(name) => vec![name, "[]"],
                None => vec![word],
            })
            .collect()
    };
    let mut rows: Vec<Row> = table
        .iter()
        .map(|row| Row { from: words(row.from), to: words(row.to), inverted: row.inverted })
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.from.len()));
    rows
}

fn newest(kind: Kind, written: &Path, value: Value) -> (Path, Value) {
    static CLUSTER: LazyLock<Vec<Row>> = LazyLock::new(|| rows(renames::CLUSTER));
    static INSTANCE_GROUP: LazyLock<Vec<Row>> = LazyLock::new(|| rows(renames::INSTANCE_GROUP));
    let Some((Step::Key(first), below)) = written.0.split_first() else { return (written.clone(), value) };
    if first != "spec" {
        return (written.clone(), value);
    }
    let rows = match kind {
        Kind::Cluster => &*CLUSTER,
        Kind::InstanceGroup => &*INSTANCE_GROUP,
    };
    let Some(row) = rows.iter().find(|row| begins(&row.from, below)) else {
        return special(written.clone(), value);
    };
    let mut indexes = below[..row.from.len()].iter().filter(|step| matches!(step, Step::Index(_)));
    let mut steps = vec![Step::Key("spec".into())];
    for word in &row.to {
        steps.push(match *word {
            "[]" => indexes.next().cloned().unwrap_or(Step::Index(0)),
            name => Step::Key(name.to_owned()),
        });
    }
    steps.extend_from_slice(&below[row.from.len()..]);
    let value = match value {
        Value::Bool(flag) if row.inverted && below.len() == row.from.len() => Value::Bool(!flag),
        other => other,
    };
    special(Path(steps), value)
}

fn begins(words: &[&str], steps: &[Step]) -> bool {
    words.len() <= steps.len()
        && words.iter().zip(steps).all(|(word, step)| match step {
            Step::Index(_) => *word == "[]",
            Step::Key(key) => word == key,
        })
}

/// What changed its shape and not only its name.
fn special(path: Path, value: Value) -> (Path, Value) {
    let keys: Vec<&str> = path
        .0
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.as_str(),
            Step::Index(_) => "[]",
        })
        .collect();
    match (&keys[..], &value) {
        // `claim=value` in a list became a mapping.
        (["spec", "authentication", "oidc", "requiredClaims", "[]"], Value::String(text)) => {
            let (claim, wanted) = text.split_once('=').unwrap_or((text, ""));
            let parent = Path(path.0[..path.0.len() - 1].to_vec());
            (parent.key(claim), Value::String(wanted.to_owned()))
        }
        // One text, with commas, became a list.
        (["spec", "authentication", "oidc", "groupsClaims"], Value::String(_)) => (path.item(0), value),
        (["spec", "role"], Value::String(text)) if text == "Master" => (path, json!("ControlPlane")),
        _ => (path, value),
    }
}

/// What a field means for others in the document by the newest names.
fn consequences(kind: Kind, tree: &mut Value) {
    if kind != Kind::Cluster {
        return;
    }
    let Some(spec) = tree.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(Value::String(name)) = spec.get("cloudProvider") {
        let name = name.clone();
        let cloud = if name.is_empty() { json!({}) } else { json!({ name: {} }) };
        spec.insert("cloudProvider".into(), cloud);
    }
    if spec.get("externalDNS").is_some_and(|dns| dns["disable"] == true)
        && let Some(Value::Object(dns)) = spec.get_mut("externalDNS")
    {
        dns.insert("provider".into(), json!("none"));
    }
}

/// Puts a value at a place. What stands in the way by another shape stays: the list of fields has both.
fn insert(tree: &mut Value, steps: &[Step], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        match (&*tree, &value) {
            (Value::Object(_), Value::Object(_)) | (Value::Array(_), Value::Array(_)) => {}
            (Value::Object(fields), Value::String(name)) if !fields.contains_key(name) => {
                // `cloudProvider: aws` after `cloudProvider.aws…` that another field became.
                if let Value::Object(fields) = tree {
                    fields.insert(name.clone(), json!({}));
                }
            }
            (Value::Null, _) => *tree = value,
            _ => {}
        }
        return;
    };
    match step {
        Step::Key(key) => {
            if let Value::String(name) = tree {
                let name = std::mem::take(name);
                *tree = json!({ name: {} });
            }
            if tree.is_null() {
                *tree = Value::Object(Map::new());
            }
            if let Value::Object(fields) = tree {
                insert(fields.entry(key.clone()).or_insert(Value::Null), rest, value);
            }
        }
        Step::Index(index) => {
            if tree.is_null() {
                *tree = Value::Array(Vec::new());
            }
            if let Value::Array(items) = tree {
                while items.len() <= *index {
                    items.push(Value::Null);
                }
                insert(&mut items[*index], rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, document: &Value) -> (Value, Vec<(String, String)>) {
        let (tree, fields) = normalise(kind, document);
        let fields = fields.into_iter().map(|field| (field.pointer, field.path.to_string())).collect();
        (tree, fields)
    }

    #[test]
    fn old_names_become_the_newest_and_booleans_are_inverted() {
        let (tree, fields) = read(
            Kind::Cluster,
            &json!({"spec": {
                "awsLoadBalancerController": {"enabled": true},
                "cloudProvider": "aws",
                "cloudConfig": {"awsEBSCSIDriver": {"enabled": true}, "manageStorageClasses": false},
                "DisableSubnetTags": true,
                "kubeAPIServer": {"oidcRequiredClaim": ["aud=x"], "oidcGroupsClaim": "groups", "eventTTL": "1h0m0s"},
                "networking": {"cilium": {"disableMasquerade": true}},
                "subnets": [{"name": "a"}, {"name": "b"}],
                "topology": {"dns": {"type": "Private"}},
                "externalDns": {"disable": true},
            }}),
        );
        assert_eq!(
            tree["spec"],
            json!({
                "authentication": {"oidc": {"requiredClaims": {"aud": "x"}, "groupsClaims": ["groups"]}},
                "cloudConfig": {"manageStorageClasses": false},
                "cloudProvider": {"aws": {"loadBalancerController": {"enabled": true}, "ebsCSIDriver": {"enabled": true}}},
                "externalDNS": {"disable": true, "provider": "none"},
                "kubeAPIServer": {"eventTTL": "1h0m0s"},
                "networking": {
                    "cilium": {"masquerade": false}, "subnets": [{"name": "a"}, {"name": "b"}], "tagSubnets": false,
                    "topology": {"dns": "Private"},
                },
            })
        );
        let of = |pointer: &str| fields.iter().find(|(at, _)| at == pointer).map(|(_, path)| path.as_str());
        assert_eq!(of("/spec/subnets/1/name"), Some("spec.networking.subnets[1].name"));
        assert_eq!(
            of("/spec/kubeAPIServer/oidcRequiredClaim/0"),
            Some("spec.authentication.oidc.requiredClaims.aud")
        );
        assert_eq!(of("/spec/cloudProvider"), Some("spec.cloudProvider"));
    }

    #[test]
    fn the_newest_names_stay_as_they_are() {
        let document = json!({"metadata": {"name": "a"}, "spec": {"cloudProvider": {"aws": {}}, "networking": {"subnets": []}}});
        assert_eq!(normalise(Kind::Cluster, &document).0, document);
        let (tree, _) = read(
            Kind::InstanceGroup,
            &json!({"spec": {"role": "Master", "rootVolumeSize": 5, "subnets": ["a"]}}),
        );
        assert_eq!(
            tree["spec"],
            json!({"role": "ControlPlane", "rootVolume": {"size": 5}, "subnets": ["a"]})
        );
    }
}
