//! Fargate profiles. A profile cannot be changed, only made anew.

use super::api::{Listing, create_input, eks, fixed, live, only, sorted, state, tag_differences, text};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Key, Kind, Live, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;

static LISTING: Listing = Listing {
    list: "ListFargateProfiles",
    items: "fargateProfileNames",
    describe: "DescribeFargateProfile",
    which: |name| Some(json!({"fargateProfileName": name})),
    thing: "/fargateProfile",
    read,
};

/// Reads and makes Fargate profiles.
pub struct FargateProfileDriver;

impl Driver for FargateProfileDriver {
    fn kind(&self) -> Kind {
        Kind::FargateProfile
    }

    fn listing(&self) -> Option<&'static Listing> {
        Some(&LISTING)
    }

    fn create(
        &self,
        scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        eks("CreateFargateProfile", create_input(scope, desired, &[], tags, token))
    }

    fn differences(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let mut found = tag_differences(tags, live);
        found.extend(fixed(
            &normalised(desired),
            &live.actual,
            &["/podExecutionRoleArn", "/subnets", "/selectors"],
            "a Fargate profile cannot be changed, and its pods end with it; a profile of another name beside it leaves no gap",
        ));
        found
    }

    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks(
            "DeleteFargateProfile",
            json!({"clusterName": scope.cluster, "fargateProfileName": live.id}),
        )]
    }
}

fn read(scope: &Scope, profile: &Value) -> Live {
    let name = text(profile, "fargateProfileName");
    let members = ["fargateProfileName", "podExecutionRoleArn", "subnets", "selectors"];
    let actual = normalised(&Value::Object(only(profile, &members)));
    let key = Key::new(Kind::FargateProfile, name);
    live(scope, key, name, text(profile, "fargateProfileArn"), profile, actual, state(profile))
}

/// Sets in a fixed order, selectors without empty labels.
fn normalised(profile: &Value) -> Value {
    let mut profile = profile.clone();
    if let Some(selectors) = profile.get_mut("selectors").and_then(Value::as_array_mut) {
        for selector in selectors {
            if selector["labels"].as_object().is_none_or(serde_json::Map::is_empty) {
                selector.as_object_mut().and_then(|members| members.remove("labels"));
            }
        }
    }
    for set in ["subnets", "selectors"] {
        if let Some(value) = profile.get_mut(set) {
            *value = sorted(value);
        }
    }
    profile
}
