//! Add-ons: those of the file, and eksctl's default ones where the file does not turn them off.

use super::{put, tags};
use crate::model::cluster_config::{Addon, ClusterConfig};
use crate::provision::eks::addon::canonical;
use crate::provision::iam::{AddonIdentity, addon_identity};
use crate::provision::network::{Declared, resource};
use crate::provision::resource::{Key, Kind, Resource, Scope};
use serde_json::{Value, json};

pub(super) fn resources(config: &ClusterConfig, written: &ClusterConfig, scope: &Scope) -> Declared {
    let mut declared = Declared::default();
    for (nth, addon) in config.addons.iter().enumerate() {
        // What eksctl installs unasked stands nowhere but where it can be turned off.
        let unasked = nth >= written.addons.len();
        let at =
            if unasked { "/addonsConfig/disableDefaultAddons".to_owned() } else { format!("/addons/{nth}") };
        declared.resources.push(of(config, scope, addon, &at));
    }
    declared
}

fn of(config: &ClusterConfig, scope: &Scope, addon: &Addon, at: &str) -> Resource {
    // eksctl takes the names of add-ons in any case; EKS does not.
    let name = addon.name.to_ascii_lowercase();
    let mut desired = json!({"addonName": name});
    put(&mut desired, "addonVersion", addon.version.as_ref());
    if let Some(values) = &addon.configuration_values {
        desired["configurationValues"] = canonical(&json!(values));
    }
    put(&mut desired, "resolveConflicts", addon.resolve_conflicts.map(upper));
    put(&mut desired, "namespaceConfig", addon.namespace_config.as_ref());
    match addon_identity(config, scope, addon) {
        AddonIdentity::None => {}
        AddonIdentity::ServiceAccountRole(role) => desired["serviceAccountRoleArn"] = role,
        AddonIdentity::PodIdentity(accounts) => {
            let mut each: Vec<Value> = accounts
                .into_iter()
                .map(|(account, role)| json!({"serviceAccount": account, "roleArn": role}))
                .collect();
            each.sort_by_key(Value::to_string);
            desired["podIdentityAssociations"] = each.into();
        }
    }
    resource(Key::new(Kind::Addon, name), desired, tags(config, &addon.tags), at)
}

/// `overwrite` in the file, `OVERWRITE` in calls.
fn upper(word: crate::model::cluster_config::ResolveConflicts) -> String {
    super::json_of(&word).as_str().unwrap_or_default().to_ascii_uppercase()
}
