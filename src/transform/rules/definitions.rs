//! `CustomResourceDefinitions`.

use super::super::convert::structural;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::work::Work;
use serde_json::Value;

const KIND: &[&str] = &["CustomResourceDefinition.apiextensions.k8s.io"];

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "definition.unknown-fields",
        kinds: KIND,
        reason: "v1 does not take it; the schema says it instead",
        source: "velero pkg/restore/actions/crd_v1_preserve_unknown_fields_action.go",
        apply: unknown_fields,
    },
    Rule {
        id: "definition.conversion",
        kinds: KIND,
        reason: "objects of other versions are converted by a webhook that has to run before them",
        source: "kubernetes.io, versions in CustomResourceDefinitions",
        apply: conversion,
    },
];

/// Definitions that came from v1beta1 are stored with the old word, which v1 refuses on creation.
fn unknown_fields(work: &mut Work<'_>) {
    if !work.is_true("/spec/preserveUnknownFields") {
        return;
    }
    work.set("/spec/preserveUnknownFields", false);
    for version in work.items("/spec/versions") {
        let schema = format!("{version}/schema/openAPIV3Schema");
        work.set_default(&at(&schema, "type"), "object");
        structural(work, &schema, false);
    }
}

fn conversion(work: &mut Work<'_>) {
    if work.text("/spec/conversion/strategy") != Some("Webhook") {
        return;
    }
    let served =
        work.items("/spec/versions").into_iter().filter(|version| work.is_true(&at(version, "served")));
    let stored: Vec<&str> = work
        .original
        .pointer("/status/storedVersions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let says = if stored.len() <= 1 && served.count() <= 1 {
        "only one version is served and stored: the webhook is asked for nothing".to_owned()
    } else {
        format!(
            "objects cannot be written in another version than the stored one before the webhook answers (stored so far: \
             {})",
            if stored.is_empty() { "unknown".to_owned() } else { stored.join(", ") }
        )
    };
    work.remark(Weight::Warning, "/spec/conversion", says);
}
