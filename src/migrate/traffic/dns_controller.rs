//! kops' dns-controller on the source: it keeps the records of annotations as they say, and would write over what is shifted.
//!
//! It marks nothing as its own in Route 53, so only its Deployment and the annotations tell (kops, dns-controller/pkg):
//! `dns.alpha.kubernetes.io/external` and `internal` of Services and pods, and with `--watch-ingress` the hosts of
//! Ingresses. Where an annotation goes, its record goes with it, so taking annotations off is no way out.

use super::records::normal;
use serde_json::Value;
use std::collections::BTreeMap;

const ANNOTATIONS: [&str; 2] = ["dns.alpha.kubernetes.io/external", "dns.alpha.kubernetes.io/internal"];

/// A dns-controller that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsController {
    /// `namespace/name` of its Deployment.
    pub deployment: String,
    /// Names that it keeps, in Route 53's form without the last dot, and the object that says so.
    pub names: BTreeMap<String, String>,
}

impl DnsController {
    /// Finds the one that runs among the objects of a cluster.
    #[must_use]
    pub fn running(objects: &[Value]) -> Option<Self> {
        let (deployment, arguments) = objects.iter().find_map(found)?;
        let watches = |word: &String| matches!(word.as_str(), "--watch-ingress" | "--watch-ingress=true");
        let ingresses = arguments.iter().any(watches);
        let mut names = BTreeMap::new();
        for object in objects {
            let shown = || {
                let text =
                    |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
            };
            let kind = object["kind"].as_str().unwrap_or_default();
            let annotated = ["Service", "Pod"].contains(&kind);
            let annotations = object.pointer("/metadata/annotations").filter(|_| annotated);
            let said = ANNOTATIONS.iter().filter_map(|key| annotations?.get(*key)?.as_str());
            let mut own: Vec<String> =
                said.flat_map(|value| value.split(',')).map(|name| normal(name.trim())).collect();
            if kind == "Ingress" && ingresses {
                let rules = object.pointer("/spec/rules").and_then(Value::as_array).into_iter().flatten();
                own.extend(rules.filter_map(|rule| rule["host"].as_str()).map(normal));
            }
            for name in own.into_iter().filter(|name| !name.is_empty()) {
                names.entry(name).or_insert_with(shown);
            }
        }
        Some(Self { deployment, names })
    }

    /// Who says that it keeps a name.
    #[must_use]
    pub fn keeps(&self, name: &str) -> Option<&str> {
        self.names.get(&normal(name)).map(String::as_str)
    }
}

/// The Deployment, and the words of its command.
fn found(object: &Value) -> Option<(String, Vec<String>)> {
    if object["kind"] != "Deployment" {
        return None;
    }
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    let runs =
        number("/spec/replicas").unwrap_or(1) > 0 || number("/status/replicas").unwrap_or_default() > 0;
    let containers = object.pointer("/spec/template/spec/containers")?.as_array()?;
    let container = containers.iter().find(|container| {
        let image = container["image"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        image.split([':', '@']).next() == Some("dns-controller")
    })?;
    let words = ["command", "args"].iter().flat_map(|list| container[*list].as_array().into_iter().flatten());
    let words = words.filter_map(|word| word.as_str().map(str::to_owned)).collect();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    runs.then(|| (format!("{}/{}", text("/metadata/namespace"), text("/metadata/name")), words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(replicas: u32, command: &[&str]) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "dns-controller", "namespace": "kube-system"}, "spec": {
            "replicas": replicas, "template": {"spec": {"containers": [
                {"name": "dns-controller", "image": "registry.example.com/kops/dns-controller:1.28.5", "command": command}]}}}})
    }

    fn annotated(kind: &str, key: &str, value: &str) -> Value {
        json!({"kind": kind, "metadata": {"name": "web", "namespace": "shop", "annotations": {key: value}}})
    }

    #[test]
    fn what_it_keeps_stands_in_annotations_and_only_while_it_runs() {
        let service = annotated("Service", ANNOTATIONS[0], "shop.example.com., www.example.com");
        let deployment_annotation = annotated("Deployment", ANNOTATIONS[0], "other.example.com");
        let ingress = json!({"kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"rules": [{"host": "in.example.com"}]}});
        let with =
            |deployment| vec![deployment, service.clone(), deployment_annotation.clone(), ingress.clone()];
        let found = DnsController::running(&with(deployment(1, &["/dns-controller"]))).unwrap();
        assert_eq!(found.names.len(), 2, "{found:?}");
        assert_eq!(found.keeps("Shop.example.com."), Some("Service shop/web"));
        assert_eq!((found.keeps("other.example.com"), found.keeps("in.example.com")), (None, None));
        let watching =
            DnsController::running(&with(deployment(1, &["/dns-controller", "--watch-ingress=true"])));
        assert_eq!(watching.unwrap().keeps("in.example.com"), Some("Ingress shop/web"));
        assert_eq!(DnsController::running(&with(deployment(0, &[]))), None);
    }
}
