//! What to do with an object that exists already and is not in our inventory.

use crate::model::ownership::{APPLICATION, PART_OF};
use crate::model::{Adopt, Object};

/// Annotations and labels by which other tools mark what they own. A mark on an object means that another tool would
/// fight over it.
const OTHER_OWNERS: [(&str, &str, &str); 6] = [
    ("annotation", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("label", "argocd.argoproj.io/instance", "Argo CD"),
    ("label", "kustomize.toolkit.fluxcd.io/name", "a Flux Kustomization"),
    ("label", "helm.toolkit.fluxcd.io/name", "a Flux HelmRelease"),
    ("annotation", "config.k8s.io/owning-inventory", "a cli-utils or Config Sync inventory"),
    ("annotation", "meta.helm.sh/release-name", "the Helm release"),
];

/// An object that exists and is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `Ok` when the policy lets us take it over; else a sentence that names the owner and the way out.
    pub verdict: Result<(), String>,
}

/// Judges an existing object by the application's adoption policy.
///
/// Another ApplySet's members are refused whatever the policy: KEP-3659 forbids to take them.
#[must_use]
pub fn judge(live: &Object, our_applyset: &str, policy: Adopt) -> Stranger {
    Stranger {
        uid: live.uid().unwrap_or_default().into(),
        resource_version: live.resource_version().unwrap_or_default().into(),
        verdict: verdict(live, our_applyset, policy),
    }
}

fn verdict(live: &Object, our_applyset: &str, policy: Adopt) -> Result<(), String> {
    match live.label(PART_OF) {
        Some(set) if set == our_applyset => return Ok(()),
        Some(set) => {
            let application =
                live.label(APPLICATION).map(|a| format!(" (application {a})")).unwrap_or_default();
            return Err(format!(
                "it is part of another ApplySet, {set}{application}; remove it there first: an object has one ApplySet"
            ));
        }
        None => {}
    }
    if policy == Adopt::Always {
        return Ok(());
    }
    if policy == Adopt::Never {
        let owner = owner(live).unwrap_or_else(|| "nobody that marks it".into());
        return Err(format!(
            "it exists already, owned by {owner}; set `sync.adopt: IfUnowned` or `Always` to take it over, or remove it from the repository"
        ));
    }
    match owner(live) {
        None => Ok(()),
        Some(owner) => Err(format!(
            "it exists already and is owned by {owner}; set `sync.adopt: Always` to take it over, or remove it there"
        )),
    }
}

/// Who owns the object, in words, as far as its marks tell.
fn owner(live: &Object) -> Option<String> {
    let owners = live.body().pointer("/metadata/ownerReferences").and_then(|o| o.as_array());
    if let Some(controller) = owners.and_then(|owners| {
        owners.iter().find(|o| o.get("controller").and_then(|c| c.as_bool()) == Some(true))
    }) {
        let text = |key: &str| controller.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        return Some(format!("its controller, {} {}", text("kind"), text("name")));
    }
    OTHER_OWNERS.iter().find_map(|(place, key, tool)| {
        let value = if *place == "label" { live.label(key) } else { live.annotation(key) }?;
        Some(format!("{tool} ({key}: {value})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(metadata: serde_json::Value) -> Object {
        let mut body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        body["metadata"]["name"] = json!("a");
        body["metadata"]["uid"] = json!("u");
        Object::new(body).unwrap()
    }

    #[test]
    fn another_applyset_is_never_taken() {
        let object = live(json!({"labels": {PART_OF: "applyset-other-v1"}}));
        let refusal = judge(&object, "applyset-ours-v1", Adopt::Always).verdict.unwrap_err();
        assert!(refusal.contains("applyset-other-v1"), "{refusal}");
    }

    #[test]
    fn a_helm_release_is_taken_only_when_told_to() {
        let object = live(json!({"annotations": {"meta.helm.sh/release-name": "web"}}));
        let refusal = judge(&object, "ours", Adopt::IfUnowned).verdict.unwrap_err();
        assert!(refusal.contains("Helm release") && refusal.contains("web"), "{refusal}");
        assert_eq!(judge(&object, "ours", Adopt::Always).verdict, Ok(()));
    }

    #[test]
    fn an_unowned_object_is_taken_unless_never() {
        let object = live(json!({}));
        assert_eq!(judge(&object, "ours", Adopt::IfUnowned).verdict, Ok(()));
        assert!(judge(&object, "ours", Adopt::Never).verdict.is_err());
    }
}
