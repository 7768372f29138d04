//! The specification that a cluster is made from: Cluster and InstanceGroups, as a person keeps them in a file.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::error::Error;
use crate::model::yaml::{self, Limits};

/// Where a cluster's state and its DNS zone lie. Ours lie in the local AWS, whatever the file says.
const ELSEWHERE: [&str; 5] = ["configBase", "configStore", "keyStore", "secretStore", "dnsZone"];

/// A file with one Cluster and its InstanceGroups.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manifest {
    documents: Vec<Value>,
    cluster: usize,
}

impl Manifest {
    /// Reads YAML or JSON, several documents or a List.
    ///
    /// # Errors
    /// It cannot be read, or has no Cluster, or several.
    pub(super) fn read(text: &str) -> Result<Manifest, Error> {
        let refused = |detail: String| Error::Specification { detail };
        let mut documents = Vec::new();
        for document in yaml::read_stream(text.as_bytes(), &Limits::default()) {
            let document = document.map_err(|error| {
                refused(format!("cannot be read at line {}: {}", error.line, error.message))
            })?;
            match document.into_value() {
                Value::Null => {}
                Value::Object(mut fields) if fields.get("kind").is_some_and(|kind| *kind == "List") => {
                    if let Some(Value::Array(items)) = fields.remove("items") {
                        documents.extend(items);
                    }
                }
                document => documents.push(document),
            }
        }
        let clusters: Vec<usize> =
            (0..documents.len()).filter(|at| documents[*at]["kind"] == "Cluster").collect();
        let [cluster] = clusters[..] else {
            let count = clusters.len();
            return Err(refused(format!("has {count} documents of kind Cluster; it takes exactly one")));
        };
        let mut manifest = Manifest { documents, cluster };
        if manifest.name().is_empty() {
            return Err(refused("has a Cluster without a name; set metadata.name".to_owned()));
        }
        if let Some(spec) = manifest.documents[cluster]["spec"].as_object_mut() {
            for field in ELSEWHERE {
                spec.remove(field);
            }
        }
        manifest.keep_records_private();
        Ok(manifest)
    }

    /// Turns a public DNS into a private one: before anything else kops asks the world's DNS for the servers of a public
    /// zone, and nobody delegates one to the local AWS. The records are the same.
    fn keep_records_private(&mut self) {
        let document = &mut self.documents[self.cluster];
        let newest = document["apiVersion"].as_str().is_some_and(|version| version.ends_with("v1alpha3"));
        let path: &[&str] =
            if newest { &["networking", "topology", "dns"] } else { &["topology", "dns", "type"] };
        let mut field = &mut document["spec"];
        for name in path {
            if field.is_null() {
                *field = json!({});
            }
            let Some(fields) = field.as_object_mut() else { return };
            field = fields.entry(*name).or_insert(Value::Null);
        }
        if field.is_null() || *field == "Public" {
            *field = "Private".into();
        }
    }

    /// The cluster's name.
    pub(super) fn name(&self) -> &str {
        self.documents[self.cluster]["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its version of Kubernetes.
    pub(super) fn kubernetes(&self) -> Option<&str> {
        self.documents[self.cluster]["spec"]["kubernetesVersion"].as_str()
    }

    /// Buckets beside the state store that it names, such as the one that clients read the issuer's keys from.
    pub(super) fn buckets(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.documents.iter().for_each(|document| buckets(document, &mut found));
        found
    }

    /// As kops reads it: JSON documents are YAML.
    pub(super) fn text(&self) -> String {
        let documents: Vec<String> = self.documents.iter().map(Value::to_string).collect();
        documents.join("\n---\n")
    }
}

fn buckets(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let bucket = text.strip_prefix("s3://").map(|rest| rest.split('/').next().unwrap_or_default());
            found.extend(bucket.filter(|bucket| !bucket.is_empty()).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| buckets(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| buckets(field, found)),
        _ => {}
    }
}

/// The domain that a cluster's name lies in: what comes after its first label.
pub(super) fn domain(cluster: &str) -> Option<&str> {
    cluster
        .split_once('.')
        .map(|(_, domain)| domain)
        .filter(|domain| domain.contains('.') && *domain != "k8s.local")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_without_its_state_store_and_with_its_other_buckets() {
        let text = "kind: Cluster\nmetadata: {name: old.example.com}\nspec:\n  kubernetesVersion: 1.24.17\n  configBase: \
                    s3://prod/old.example.com\n  serviceAccountIssuerDiscovery: {discoveryStore: 's3://keys/old'}\n---\nkind: \
                    InstanceGroup\nmetadata: {name: nodes}\n";
        let manifest = Manifest::read(text).unwrap();
        assert_eq!((manifest.name(), manifest.kubernetes()), ("old.example.com", Some("1.24.17")));
        assert_eq!(manifest.buckets(), BTreeSet::from(["keys".to_owned()]));
        assert!(!manifest.text().contains("prod") && manifest.text().contains("InstanceGroup"));
        assert!(manifest.text().contains(r#""topology":{"dns":{"type":"Private"}}"#), "{}", manifest.text());
        let named = "apiVersion: kops.k8s.io/v1alpha3\nkind: Cluster\nmetadata: {name: a.b.c}\nspec: {networking: {topology: {dns: None}}}";
        assert!(Manifest::read(named).unwrap().text().contains(r#""dns":"None""#));
        for wrong in ["kind: InstanceGroup", "a: [", "kind: Cluster", &format!("{text}---\n{text}")] {
            assert!(Manifest::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn gossip_clusters_have_no_domain() {
        assert_eq!(domain("old.team.example.com"), Some("team.example.com"));
        assert_eq!(domain("old.example.com"), Some("example.com"));
        assert_eq!(domain("old.k8s.local"), None);
        assert_eq!(domain("old"), None);
    }
}
