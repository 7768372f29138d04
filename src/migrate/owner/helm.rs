//! Releases of Helm, by the Secrets that hold them.

use super::claims::Claim;
use super::declaration::{Found, Retarget};
use crate::model::Object;
use std::collections::BTreeMap;

/// The newest Secret of every release, by namespace and name.
pub(super) struct Releases<'a> {
    newest: BTreeMap<(&'a str, &'a str), (u64, &'a Object)>,
}

impl<'a> Releases<'a> {
    /// The releases whose Secrets are among the objects (helm `pkg/storage/driver/secrets.go`).
    pub(super) fn among(objects: &[&'a Object]) -> Self {
        let mut newest: BTreeMap<(&str, &str), (u64, &Object)> = BTreeMap::new();
        for object in objects {
            if !object.is_secret() || object.label("owner") != Some("helm") {
                continue;
            }
            let (Some(name), Some(namespace)) = (object.label("name"), object.namespace()) else { continue };
            let version = object.label("version").and_then(|version| version.parse().ok()).unwrap_or(0);
            let kept = newest.entry((namespace, name)).or_insert((version, object));
            if kept.0 < version {
                *kept = (version, object);
            }
        }
        Self { newest }
    }

    /// Where a release is declared: whoever ran Helm has its values, the Secret only shows that it did.
    pub(super) fn declaration(&self, claim: &Claim, target: &str) -> Found {
        let namespace = claim.namespace.as_deref().unwrap_or_default();
        let found = self.newest.get(&(namespace, claim.name.as_str())).map(|(_, secret)| *secret);
        let release = format!("release {} in {namespace}", claim.name);
        let says = match found {
            Some(secret) => {
                let version = secret.label("version").unwrap_or("?");
                let status = secret.label("status").unwrap_or("unknown");
                format!(
                    "{release} (revision {version}, {status}) is installed on {target} from the place it is installed from; its Secrets go along with its objects"
                )
            }
            None => format!(
                "{release} has no Secret left: its objects keep Helm's marks, so an install on {target} can take them over"
            ),
        };
        (found.map(Object::id), None, Retarget { object: found.map(Object::id), says, ..Retarget::default() })
    }
}
