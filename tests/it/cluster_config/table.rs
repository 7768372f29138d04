//! The field table against the types, the schema and the reader.

use super::{is_refused, parse, sample, with};
use portolan::model::cluster_config::{ClusterConfig, Support, explain, fields, schema};
use portolan::model::document::validate::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn the_schema_uses_only_what_the_validator_knows() {
    assert_eq!(Validator::new(schema::schema().clone()).map(drop), Ok(()));
}

#[test]
fn every_row_says_what_a_reader_needs() {
    let mut seen = BTreeSet::new();
    for row in explain() {
        assert!(seen.insert(&row.path), "{} stands twice", row.path);
        assert!(!row.kind.is_empty(), "{} has no kind", row.path);
        match row.support {
            Support::Acted(how) => {
                assert!(!how.is_empty() && !row.description.is_empty(), "{}", row.path);
            }
            Support::Refused { because, instead } => {
                assert!(!because.is_empty() && !instead.is_empty(), "{}", row.path);
                assert!(!because.ends_with('.') && !instead.ends_with('.'), "{}", row.path);
            }
        }
    }
    assert!(seen.len() > 300, "{}", seen.len());
}

/// Each type's fields and each definition's acted rows are the same: neither a field nobody explains nor a row that
/// nothing reads.
#[test]
fn the_rows_and_the_types_have_the_same_fields() {
    let schema = schema::schema();
    let definitions = schema["$defs"].as_object().unwrap();
    let mut unexplained = Vec::new();
    for row in explain().filter(|row| !is_refused(row)) {
        let value = parse(&with(&row.path, sample(row)));
        let unknown =
            |problems: &Vec<String>| problems.iter().any(|problem| problem.contains("unknown field"));
        assert!(!value.as_ref().is_err_and(unknown), "{}: {value:?}", row.path);
    }
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]").to_owned();
    let explained: BTreeSet<String> = explain().map(|row| last(&row.path)).collect();
    for (name, definition) in definitions {
        for field in definition["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
            if !explained.contains(field) {
                unexplained.push(format!("{name}.{field}"));
            }
        }
    }
    assert_eq!(unexplained, Vec::<String>::new());
}

#[test]
fn every_refused_field_gives_its_reason_and_the_way_out() {
    let mut count = 0;
    for row in explain() {
        let Support::Refused { because, instead } = row.support else { continue };
        let problems = parse(&with(&row.path, sample(row))).unwrap_err();
        let told =
            problems.iter().filter(|problem| problem.contains(because) && problem.contains(instead)).count();
        assert_eq!(told, 1, "{}: {problems:#?}", row.path);
        count += 1;
    }
    assert!(count > 60, "{count}");
    for refused in fields::refused_values() {
        for groups in ["managedNodeGroups", "nodeGroups"] {
            let config = with(&format!("{groups}[].{}", refused.field), json!(refused.value));
            let problems = parse(&config).unwrap_err();
            assert!(problems.iter().any(|problem| problem.contains(refused.because)), "{problems:#?}");
            assert!(!problems.iter().any(|problem| problem.contains("has to be one of")), "{problems:#?}");
        }
    }
}

#[test]
fn what_is_off_or_empty_is_not_used() {
    for (path, value) in [
        ("managedNodeGroups[].efaEnabled", json!(false)),
        ("vpc.autoAllocateIPv6", json!(false)),
        ("karpenter", Value::Null),
        ("gitops", Value::Null),
    ] {
        let problems = parse(&with(path, value)).err().unwrap_or_default();
        assert!(!problems.iter().any(|problem| problem.contains("not supported")), "{path}: {problems:?}");
    }
}

/// What a person writes is either in the types or told: a config of every acted field comes through serde unchanged.
#[test]
fn every_acted_field_is_kept_by_the_types() {
    for row in explain().filter(|row| !is_refused(row)) {
        let config = with(&row.path, sample(row));
        // Required neighbours may be missing in such a small file; then only their fields are filled in.
        let Ok(typed) = serde_json::from_value::<ClusterConfig>(filled(config.clone())) else {
            panic!("{}: the types do not take {config}", row.path);
        };
        let back = serde_json::to_value(&typed).unwrap();
        let pointer =
            format!("/{}", row.path.replace("[]", ".0").replace('*', "eu-central-1a").replace('.', "/"));
        let empty = matches!(sample(row), Value::Object(ref fields) if fields.is_empty());
        let (kept, given) = (back.pointer(&pointer), filled(config));
        if !empty && kept.map(Value::is_array) != Some(true) {
            assert_eq!(kept, given.pointer(&pointer), "{}", row.path);
        }
        assert!(empty || kept.is_some(), "{} is lost", row.path);
    }
}

/// The config with the fields that a type cannot be without.
fn filled(mut config: Value) -> Value {
    for (path, field, value) in [
        ("/managedNodeGroups/0", "name", json!("a")),
        ("/nodeGroups/0", "name", json!("a")),
        ("/addons/0", "name", json!("a")),
        ("/fargateProfiles/0", "name", json!("a")),
        ("/fargateProfiles/0/selectors/0", "namespace", json!("a")),
        ("/identityProviders/0", "type", json!("oidc")),
        ("/identityProviders/0", "name", json!("a")),
        ("/identityProviders/0", "issuerURL", json!("a")),
        ("/identityProviders/0", "clientID", json!("a")),
        ("/secretsEncryption", "keyARN", json!("a")),
        ("/metadata", "name", json!("a")),
        ("/metadata", "region", json!("a")),
        ("/managedNodeGroups/0/launchTemplate", "id", json!("a")),
        ("/managedNodeGroups/0/taints/0", "effect", json!("NoExecute")),
        ("/nodeGroups/0/taints/0", "effect", json!("NoExecute")),
        ("/nodeGroups/0/instancesDistribution", "instanceTypes", json!(["a"])),
        ("/nodeGroups/0/asgMetricsCollection/0", "granularity", json!("a")),
        ("/accessConfig/accessEntries/0/accessPolicies/0/accessScope", "type", json!("cluster")),
    ] {
        if let Some(Value::Object(fields)) = config.pointer_mut(path) {
            fields.entry(field).or_insert(value);
        }
    }
    config
}
