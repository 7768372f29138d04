//! Whose a record is: TXT records of external-dns.
//!
//! external-dns writes beside each record a TXT record with its owner id (`--txt-owner-id`), and leaves alone what has
//! another one (external-dns docs/registry/txt.md). Two with the same id delete each other's records (#2019, #2466); one
//! with `--policy=sync` deletes what its own cluster does not declare.

use super::records::{Record, Zones, normal};
use crate::model::Object;
use crate::model::migration::Side;

/// An external-dns, as the arguments of its Deployment say.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalDns {
    /// Where it runs.
    pub side: Side,
    /// Its Deployment.
    pub deployment: Object,
    /// `--txt-owner-id`; `default` where none is given.
    pub owner: String,
    /// `--txt-prefix`.
    pub prefix: String,
    /// `--txt-suffix`.
    pub suffix: String,
    /// `--txt-wildcard-replacement`.
    pub wildcard: String,
    /// `--policy`: `sync` (the default), `upsert-only` or `create-only`.
    pub policy: String,
    /// `--registry`: `txt` (the default), `dynamodb`, `noop`, `aws-sd`.
    pub registry: String,
    /// Whether it has a replica, wanted or running.
    pub runs: bool,
}

impl ExternalDns {
    /// Reads a Deployment; `None` where no container of it is an external-dns.
    #[must_use]
    pub fn read(side: Side, deployment: &Object) -> Option<Self> {
        let body = deployment.body();
        if deployment.kind() != "Deployment" {
            return None;
        }
        let containers = body.pointer("/spec/template/spec/containers")?.as_array()?;
        let container = containers.iter().find(|container| {
            let image = container["image"].as_str().unwrap_or_default();
            let name = image.rsplit('/').next().unwrap_or_default();
            name.split([':', '@']).next().is_some_and(|name| name == "external-dns")
        })?;
        let words: Vec<&str> = ["command", "args"]
            .iter()
            .flat_map(|list| container[*list].as_array().into_iter().flatten())
            .filter_map(|word| word.as_str())
            .collect();
        let flag = |name: &str| {
            let given = words.iter().enumerate().find_map(|(at, word)| {
                let rest = word.strip_prefix("--")?.strip_prefix(name)?;
                if rest.is_empty() { words.get(at + 1).copied() } else { rest.strip_prefix('=') }
            });
            given.map(str::to_owned)
        };
        let wanted = body.pointer("/spec/replicas").and_then(serde_json::Value::as_u64).unwrap_or(1);
        let running =
            body.pointer("/status/replicas").and_then(serde_json::Value::as_u64).unwrap_or_default();
        Some(Self {
            side,
            owner: flag("txt-owner-id").unwrap_or_else(|| "default".into()),
            prefix: flag("txt-prefix").unwrap_or_default(),
            suffix: flag("txt-suffix").unwrap_or_default(),
            wildcard: flag("txt-wildcard-replacement").unwrap_or_default(),
            policy: flag("policy").unwrap_or_else(|| "sync".into()),
            registry: flag("registry").unwrap_or_else(|| "txt".into()),
            runs: wanted > 0 || running > 0,
            deployment: deployment.clone(),
        })
    }

    /// `namespace/name`.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.deployment.namespace().unwrap_or_default(), self.deployment.name())
    }

    /// Names that its TXT record of a record may have: the old form (the record's own name) and the new one (with the
    /// record's kind), both with prefix and suffix.
    fn names(&self, record: &str, kind: &str) -> Vec<String> {
        let kind = kind.to_ascii_lowercase();
        let mut record = normal(record);
        if let Some(rest) = record.strip_prefix('*')
            && !self.wildcard.is_empty()
        {
            record = format!("{}{rest}", self.wildcard);
        }
        let put = |affix: &str| affix.replace("%{record_type}", &kind);
        let (prefix, suffix) = (put(&self.prefix), put(&self.suffix));
        let (label, rest) = record.split_once('.').unwrap_or((record.as_str(), ""));
        let with = |kind: &str| normal(&format!("{prefix}{kind}{label}{suffix}.{rest}"));
        let mut names = vec![with(""), with(&format!("{kind}-"))];
        // An alias is written down as a CNAME by the versions before 0.15.
        if matches!(kind.as_str(), "a" | "aaaa") {
            names.push(with("cname-"));
        }
        names
    }
}

/// A TXT record by which external-dns knows its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ownership<'a> {
    /// The TXT record.
    pub(super) record: &'a Record,
    /// Owner id.
    pub(super) owner: String,
    /// `ingress/shop/web`.
    pub(super) resource: String,
}

/// The ownership records of a name and kind, by every controller that is known, and in the forms without affixes for
/// those that are not.
pub(super) fn of<'a>(
    zones: &'a Zones,
    controllers: &[ExternalDns],
    zone: &str,
    name: &str,
    kind: &str,
) -> Vec<Ownership<'a>> {
    let mut names: Vec<String> = controllers.iter().flat_map(|one| one.names(name, kind)).collect();
    let lower = kind.to_ascii_lowercase();
    names.extend([normal(name), format!("{lower}-{}", normal(name)), format!("cname-{}", normal(name))]);
    zones.texts(zone).filter(|record| names.contains(&normal(record.name()))).filter_map(read).collect()
}

fn read(record: &Record) -> Option<Ownership<'_>> {
    record.values().into_iter().find_map(|value| {
        let text = value.trim_matches('"');
        let mut parts = text.split(',');
        parts.next().filter(|part| *part == "heritage=external-dns")?;
        let (mut owner, mut resource) = (String::new(), String::new());
        for part in parts {
            if let Some(id) = part.strip_prefix("external-dns/owner=") {
                owner = id.to_owned();
            } else if let Some(id) = part.strip_prefix("external-dns/resource=") {
                resource = id.to_owned();
            }
        }
        Some(Ownership { record, owner, resource })
    })
}

/// The same TXT record with another owner.
pub(super) fn handed_to(ownership: &Ownership<'_>, owner: &str) -> Record {
    let old = format!("external-dns/owner={}", ownership.owner);
    let values: Vec<serde_json::Value> = ownership
        .record
        .values()
        .into_iter()
        .map(|value| serde_json::json!({"Value": value.replacen(&old, &format!("external-dns/owner={owner}"), 1)}))
        .collect();
    ownership.record.with(&[("ResourceRecords", values.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn controller(args: &[&str], image: &str) -> Option<ExternalDns> {
        let body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "external-dns", "namespace": "dns"},
            "spec": {"template": {"spec": {"containers": [{"image": image, "args": args}]}}}});
        ExternalDns::read(Side::Source, &Object::new(body).unwrap())
    }

    #[test]
    fn its_arguments_are_read() {
        let image = "registry.example.com/external-dns/external-dns:v0.15.0";
        let one =
            controller(&["--txt-owner-id=old", "--policy", "upsert-only", "--txt-prefix=x-"], image).unwrap();
        assert_eq!(
            (one.owner.as_str(), one.policy.as_str(), one.prefix.as_str()),
            ("old", "upsert-only", "x-")
        );
        let bare = controller(&[], image).unwrap();
        assert_eq!((bare.owner.as_str(), bare.policy.as_str(), bare.runs), ("default", "sync", true));
        assert!(controller(&[], "example.com/external-dns-ui:1").is_none());
    }

    #[test]
    fn every_form_of_an_ownership_record_is_found() {
        let txt = |name: &str| {
            json!({"Name": name, "Type": "TXT", "TTL": 300, "ResourceRecords":
                [{"Value": "\"heritage=external-dns,external-dns/owner=old,external-dns/resource=ingress/shop/web\""}]})
        };
        let image = "external-dns:1";
        for (args, name) in [
            (vec![], "shop.example.com."),
            (vec![], "cname-shop.example.com."),
            (vec!["--txt-prefix=x-"], "x-shop.example.com."),
            (vec!["--txt-prefix=x-"], "x-cname-shop.example.com."),
            (vec!["--txt-prefix=%{record_type}.own."], "cname.own.shop.example.com."),
            (vec!["--txt-suffix=-own"], "shop-own.example.com."),
        ] {
            let mut zones = Zones::default();
            zones.read("Z1", &json!({"ResourceRecordSets": [txt(name), txt("other.example.com.")]}));
            let controllers = [controller(&args, image).unwrap()];
            let found = of(&zones, &controllers, "Z1", "shop.example.com.", "CNAME");
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!((found[0].owner.as_str(), found[0].resource.as_str()), ("old", "ingress/shop/web"));
            let other = handed_to(&found[0], "new");
            assert!(other.values()[0].contains("external-dns/owner=new,"), "{:?}", other.values());
        }
    }
}
