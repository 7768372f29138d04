//! Instance profiles: how EC2 gives self-managed nodes their role.

use super::role_driver::{iam, listed_path, names_to_read, owner_in_region};
use crate::model::cloud::Call;
use crate::provision::network::answer::{items, only, some_text, tag_list, tags, text};
use crate::provision::network::ec2::{fixed, keep, tag_differences, tagged_key};
use crate::provision::owner::settable;
use crate::provision::resource::{
    Difference, Driver, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NAME: &str = "InstanceProfileName";

/// [`Kind::InstanceProfile`]. Declared: `InstanceProfileName`, `Path`, `RoleName`.
#[derive(Clone, Copy, Debug)]
pub struct InstanceProfileDriver;

impl Driver for InstanceProfileDriver {
    fn kind(&self) -> Kind {
        Kind::InstanceProfile
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        let path = listed_path(scope, Kind::InstanceProfile, declared);
        vec![iam("ListInstanceProfiles", json!({"PathPrefix": path}))]
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        match call.operation.as_str() {
            "ListInstanceProfiles" => {
                let listed = items(answer, "InstanceProfiles");
                names_to_read(scope, Kind::InstanceProfile, NAME, declared, listed)
                    .iter()
                    .map(|name| iam("GetInstanceProfile", json!({NAME: name})))
                    .collect()
            }
            _ => {
                if let Some(live) = found(scope, declared, &answer["InstanceProfile"]) {
                    keep(into, live, |_| false);
                }
                Vec::new()
            }
        }
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let mut input = only(desired, &[NAME, "Path"]);
        input.insert("Tags".to_owned(), tag_list(tags));
        iam("CreateInstanceProfile", Value::Object(input))
    }

    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _: &Snapshot,
    ) -> Vec<Difference> {
        let mut differences =
            fixed(desired, live, &[NAME], "delete the instance profile, and it is made as declared");
        let (wanted, inside) = (some_text(desired, "RoleName"), some_text(&live.actual, "RoleName"));
        if wanted.is_some() && wanted != inside {
            // A profile holds one role: the wrong one has to leave first, and the next look finds the place free.
            let (operation, role) = match inside {
                Some(wrong) => ("RemoveRoleFromInstanceProfile", wrong),
                None => ("AddRoleToInstanceProfile", wanted.unwrap_or_default()),
            };
            differences.push(Difference {
                field: "/RoleName".to_owned(),
                declared: json!(wanted),
                actual: json!(inside),
                mend: Mend::InPlace(iam(operation, json!({NAME: live.id, "RoleName": role}))),
            });
        }
        differences.extend(tag_differences(
            tags,
            live,
            |missing| iam("TagInstanceProfile", json!({NAME: live.id, "Tags": tag_list(missing)})),
            |key| iam("UntagInstanceProfile", json!({NAME: live.id, "TagKeys": [key]})),
        ));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        let remove = some_text(&live.actual, "RoleName")
            .map(|role| iam("RemoveRoleFromInstanceProfile", json!({NAME: live.id, "RoleName": role})));
        remove.into_iter().chain([iam("DeleteInstanceProfile", json!({NAME: live.id}))]).collect()
    }
}

fn found(scope: &Scope, declared: &[Resource], profile: &Value) -> Option<Live> {
    let (name, all) = (text(profile, NAME), tags(profile));
    let owner = owner_in_region(scope, text(profile, "Path"), &all);
    let tagged = tagged_key(scope, Kind::InstanceProfile, &all).filter(|_| owner == Owner::Ours);
    let by_name = || {
        let named = declared.iter().find(|each| {
            each.key.kind == Kind::InstanceProfile && some_text(&each.desired, NAME) == Some(name)
        });
        named.map(|each| each.key.clone())
    };
    let key = tagged.or_else(by_name)?;
    let role = items(profile, "Roles").first().and_then(|role| some_text(role, "RoleName"));
    let mut outputs = BTreeMap::from([
        ("arn".to_owned(), json!(text(profile, "Arn"))),
        ("name".to_owned(), json!(name)),
        ("createdAt".to_owned(), json!(text(profile, "CreateDate"))),
    ]);
    if let Some(role) = role {
        // Nodes launched with an empty profile never join: templates refer to `filled`.
        outputs.insert("filled".to_owned(), json!(text(profile, "Arn")));
        outputs.insert("role".to_owned(), json!(role));
    }
    Some(Live {
        key,
        id: name.to_owned(),
        actual: json!({NAME: name, "Path": text(profile, "Path"), "RoleName": role}),
        outputs,
        tags: settable(&all),
        owner,
        state: State::Ready,
    })
}
