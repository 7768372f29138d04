//! What must not be seen, put out before anything is kept.

use super::inventory::SecretCall;
use crate::migrate::calls::{Graph, How};
use crate::migrate::proof::{Key, digested};
use crate::model::Object;
use crate::model::yaml::{self, Limits};
use serde_json::Value;
use std::collections::BTreeSet;

/// Annotations of Secrets that say who owns them or what they are of, and never a value: owners are found by them.
const PLAIN: [&str; 14] = [
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "cert-manager.io/certificate-name",
    "cert-manager.io/issuer-group",
    "cert-manager.io/issuer-kind",
    "cert-manager.io/issuer-name",
    "helm.sh/resource-policy",
    "kubernetes.io/service-account.name",
    "kubernetes.io/service-account.uid",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "replicator.v1.mittwald.de/replicated-from",
    "sealedsecrets.bitnami.com/managed",
];

/// An object with digests in place of what must not be seen; objects that are no Secrets stay as they are.
#[must_use]
pub fn hidden(object: &Value, key: &Key) -> Value {
    let mut hidden = digested(object, key);
    if !is_secret(object) {
        return hidden;
    }
    let kept = object.pointer("/metadata/annotations").and_then(Value::as_object);
    for (name, value) in kept.into_iter().flatten().filter(|(name, _)| PLAIN.contains(&name.as_str())) {
        hidden["metadata"]["annotations"][name] = value.clone();
    }
    // Names of managers and times are wanted; the names of fields tell keys, which are no secret, but no one needs them.
    if let Some(metadata) = hidden.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    hidden
}

fn is_secret(object: &Value) -> bool {
    object["apiVersion"] == "v1" && object["kind"] == "Secret"
}

/// Objects of a cluster as an inventory keeps them, in the order of their identities, and the calls that their Secrets
/// show, which cannot be seen afterwards.
#[must_use]
pub fn hidden_objects(mut objects: Vec<Object>, key: &Key) -> (Vec<Object>, BTreeSet<SecretCall>) {
    let mut calls = BTreeSet::new();
    if objects.iter().any(Object::is_secret) {
        for (edge, evidence) in Graph::of(&objects, &[]).edges {
            let of_secrets = evidence.into_iter().filter(|evidence| evidence.how == How::Secret);
            calls.extend(of_secrets.map(|evidence| SecretCall { edge: edge.clone(), evidence }));
        }
    }
    for object in &mut objects {
        if object.is_secret() {
            *object.body_mut() = hidden(object.body(), key);
        }
    }
    objects.sort_by_cached_key(|object| (object.id(), object.gvk().version));
    objects.dedup_by(|one, other| one.id() == other.id() && one.gvk() == other.gvk());
    (objects, calls)
}

/// A file of kops without values of Secrets and without private keys. A file that has none stays as it is, letter by
/// letter; of another one every document is written anew, as JSON.
pub(super) fn kops_text(text: String, key: &Key) -> String {
    if !["Secret", "privateMaterial"].iter().any(|word| text.contains(word)) {
        return text;
    }
    let mut changed = false;
    let mut documents = Vec::new();
    for document in yaml::read_stream(text.as_bytes(), &Limits::default()) {
        match document {
            Ok(document) => {
                let mut value = document.into_value();
                changed |= hide_within(&mut value, key);
                documents.push(value.to_string());
            }
            // What cannot be read cannot be cleared: nobody knows what it is.
            Err(error) => {
                changed = true;
                documents.push(format!(
                    "# a document was left out: it may hold a Secret, and cannot be read (line {}: {})",
                    error.line, error.message
                ));
            }
        }
    }
    if changed { format!("{}\n", documents.join("\n---\n")) } else { text }
}

/// Whether anything was put out, in a document or in one within a list.
fn hide_within(value: &mut Value, key: &Key) -> bool {
    if is_secret(value) {
        *value = hidden(value, key);
        return true;
    }
    match value {
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| hide_within(item, key) | changed),
        Value::Object(fields) => {
            let mut changed = false;
            for (name, value) in fields.iter_mut() {
                if name == "privateMaterial"
                    && let Value::String(text) = value
                {
                    *text = key.digest(text);
                    changed = true;
                } else {
                    changed |= hide_within(value, key);
                }
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: Key = Key::new([3; 32]);

    #[test]
    fn a_secret_keeps_its_owners_marks_and_nothing_else() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="},
            "metadata": {"name": "db", "labels": {"owner": "helm"}, "annotations": {
                "meta.helm.sh/release-name": "shop", "note": "hunter2",
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"aHVudGVyMg==\"}}"}}});
        let hidden = hidden(&secret, &KEY);
        assert_eq!(hidden["metadata"]["annotations"]["meta.helm.sh/release-name"], "shop");
        assert_eq!(hidden["metadata"]["labels"]["owner"], "helm");
        let text = hidden.to_string();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
    }

    #[test]
    fn a_file_without_secrets_stays_letter_by_letter() {
        let text = "# SecretStore is a kind\nkind:   Cluster\n";
        assert_eq!(kops_text(text.into(), &KEY), text);
    }

    #[test]
    fn a_secret_in_a_manifest_and_a_private_key_are_put_out() {
        let text = "kind: ConfigMap\napiVersion: v1\ndata: {a: b}\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  \
                    kind: Secret\n  metadata: {name: ipsec}\n  stringData: {keys: hunter2}\n---\n\
                    kind: Keyset\nspec: {keys: [{id: '1', privateMaterial: hunter2}]}\n";
        let cleared = kops_text(text.into(), &KEY);
        assert!(!cleared.contains("hunter2"), "{cleared}");
        let documents = yaml::read_stream(cleared.as_bytes(), &Limits::default());
        assert_eq!(documents.len(), 3);
        assert!(documents.iter().all(Result::is_ok));
        let broken = kops_text("kind: Secret\n\tdata: hunter2\n".into(), &KEY);
        assert!(!broken.contains("hunter2") && broken.contains("left out"), "{broken}");
    }

    #[test]
    fn calls_that_secrets_show_are_kept() {
        let object = |body| Object::new(body).unwrap();
        let objects = vec![
            object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}})),
            object(
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "data"}}),
            ),
            object(
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dsn", "namespace": "shop"},
                "stringData": {"url": "postgres://u:hunter2@db.data.svc:5432/x"},
                "data": {"url": "cG9zdGdyZXM6Ly91Omh1bnRlcjJAZGIuZGF0YS5zdmM6NTQzMi94"}}),
            ),
            object(
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"template": {"spec": {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "dsn"}}]}]}}}}),
            ),
        ];
        let (objects, calls) = hidden_objects(objects, &KEY);
        assert_eq!(calls.len(), 1, "{calls:?}");
        let shown = format!("{calls:?}");
        assert!(shown.contains("/data/url") && !shown.contains("hunter2"), "{shown}");
        assert!(objects.iter().all(|object| !object.body().to_string().contains("hunter2")));
    }
}
