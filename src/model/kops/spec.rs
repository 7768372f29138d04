//! A Cluster or InstanceGroup document as it was written and as it reads by the newest names.

use super::path::Path;
use serde_json::Value;
use std::fmt;

/// Which document it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `kind: Cluster`.
    Cluster,
    /// `kind: InstanceGroup`.
    InstanceGroup,
}

impl Kind {
    /// As documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::InstanceGroup => "InstanceGroup",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose names a document uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spelling {
    /// `kops.k8s.io/v1alpha2`.
    V1alpha2,
    /// `kops.k8s.io/v1alpha3`.
    V1alpha3,
    /// `kops/v1alpha2`: the group as it was called until kops 1.11.
    Legacy,
}

impl Spelling {
    /// The spelling of an `apiVersion`.
    #[must_use]
    pub fn of(api_version: &str) -> Option<Self> {
        match api_version {
            "kops.k8s.io/v1alpha2" => Some(Self::V1alpha2),
            "kops.k8s.io/v1alpha3" => Some(Self::V1alpha3),
            "kops/v1alpha2" => Some(Self::Legacy),
            _ => None,
        }
    }
}

/// Where a cluster runs, by kops' names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Another one, by the name that kops has for it.
    Other(String),
    /// The spec does not say.
    Unsaid,
}

impl Cloud {
    /// The cloud by its name in a spec.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "aws" => Self::Aws,
            "" => Self::Unsaid,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// The cloud as a person calls it.
impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Unsaid => "an unknown cloud",
            Self::Other(name) => match name.as_str() {
                "azure" => "Azure",
                "digitalocean" | "do" => "DigitalOcean",
                "gce" => "Google Compute Engine",
                "hetzner" => "Hetzner",
                "linode" => "Linode",
                "openstack" => "OpenStack",
                "scaleway" => "Scaleway",
                "vsphere" => "vSphere",
                "alicloud" => "Alibaba Cloud",
                "metal" | "baremetal" | "bare-metal" => "bare metal",
                other => other,
            },
        })
    }
}

/// What the instances of a group are for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// They run the control plane, or a part of it: `ControlPlane` (once `Master`), `APIServer`, `Etcd`, `Scheduler`,
    /// `KubeControllerManager`, `KubeScheduler`.
    ControlPlane,
    /// They run workloads.
    Node,
    /// They are a way in by SSH.
    Bastion,
    /// kops has no such role.
    Other(String),
}

/// One field that a document sets: a scalar, or an empty list or mapping.
#[derive(Clone, PartialEq)]
pub struct Field {
    /// Where its author wrote it: a JSON pointer.
    pub pointer: String,
    /// Where it is by the newest names.
    pub path: Path,
    /// What it is by the newest names: an inverted boolean is inverted already.
    pub value: Value,
}

impl Field {
    /// The value as text: `true`, `5`, `m5.large`; empty for an empty list or mapping.
    ///
    /// Callers that show it decide whether it can be a secret.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        }
    }
}

/// Without the value, which may be a secret.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("pointer", &self.pointer)
            .field("path", &self.path.to_string())
            .finish_non_exhaustive()
    }
}

/// A Cluster or InstanceGroup.
#[derive(Clone, PartialEq)]
pub struct Spec {
    /// Which it is.
    pub kind: Kind,
    /// `metadata.name`.
    pub name: String,
    /// The cluster that an InstanceGroup belongs to, by its label.
    pub cluster: Option<String>,
    /// Whose names its author used.
    pub spelling: Spelling,
    /// The file, or the key in the state store.
    pub origin: String,
    /// Its line there, from 1.
    pub line: u32,
    /// The document by the newest names. Never null.
    pub tree: Value,
    /// Every field that it sets, in the order of the document by the newest names of its mappings.
    pub fields: Vec<Field>,
}

impl Spec {
    /// Which document it is, for people: `InstanceGroup nodes`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// A value below `spec` by its newest name: `networking.networkCIDR`. Null where nothing is set.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.tree["spec"], |value, key| &value[key])
    }

    /// A text below `spec`; none where it is not set or empty.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).as_str().filter(|text| !text.is_empty())
    }

    /// A flag below `spec`; a text `"true"` counts as one, since kops has taken both.
    #[must_use]
    pub fn flag(&self, path: &str) -> Option<bool> {
        match self.at(path) {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A whole number below `spec`, not negative.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u64> {
        match self.at(path) {
            Value::Number(number) => number.as_u64().or_else(|| {
                number
                    .as_f64()
                    .filter(|float| *float >= 0.0 && float.fract() == 0.0 && *float < 1e15)
                    .map(|float| float as u64)
            }),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The texts of a list below `spec`.
    pub fn texts(&self, path: &str) -> impl Iterator<Item = &str> {
        self.at(path).as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// The items of a list below `spec`.
    #[must_use]
    pub fn items(&self, path: &str) -> &[Value] {
        self.at(path).as_array().map_or(&[], Vec::as_slice)
    }

    /// Where the author wrote something, by its newest path: the field itself, or what holds it.
    #[must_use]
    pub fn pointer(&self, path: &Path) -> String {
        let depth = path.0.len();
        let below = self.fields.iter().find(|field| field.path.0.get(..depth) == Some(&path.0[..]));
        let Some(field) = below else { return path.pointer() };
        // As many steps as the field is deeper by its newest names are cut off from what was written.
        let cut = field.path.0.len() - depth;
        let mut pointer = field.pointer.as_str();
        for _ in 0..cut {
            pointer = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
        pointer.to_owned()
    }

    /// What an InstanceGroup is for. A group that does not say is of nodes, as kops takes it.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.text("role").unwrap_or("Node").to_ascii_lowercase().as_str() {
            "node" => Role::Node,
            "bastion" => Role::Bastion,
            "controlplane"
            | "control-plane"
            | "master"
            | "apiserver"
            | "api-server"
            | "etcd"
            | "scheduler"
            | "kubescheduler"
            | "kubecontrollermanager" => Role::ControlPlane,
            _ => Role::Other(self.text("role").unwrap_or_default().to_owned()),
        }
    }

    /// The cloud that a Cluster runs in.
    #[must_use]
    pub fn cloud(&self) -> Cloud {
        let Some(by_name) = self.at("cloudProvider").as_object() else { return Cloud::Unsaid };
        // A name as v1alpha2 has it says all: settings of other clouds beside it are leftovers, which kops ignores.
        let said = self
            .fields
            .iter()
            .find(|field| field.pointer == "/spec/cloudProvider" && field.value.is_string());
        if let Some(name) = said.map(Field::text).filter(|name| by_name.contains_key(name)) {
            return Cloud::named(&name);
        }
        // A spec with `cloudConfig.awsEBSCSIDriver` alone has an `aws` below too; one that names another cloud is of that.
        let other = by_name.keys().find(|name| *name != "aws");
        other.or_else(|| by_name.keys().next()).map_or(Cloud::Unsaid, |name| Cloud::named(name))
    }
}

/// Without values.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("spelling", &self.spelling)
            .field("origin", &self.origin)
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// A document beside the Cluster and its groups: kops keeps some in `additionalobjects`.
#[derive(Clone, PartialEq)]
pub struct Other {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`; empty where it has none.
    pub name: String,
    /// The file, or the key in the state store.
    pub origin: String,
    /// Its line there, from 1.
    pub line: u32,
    /// The document.
    pub value: Value,
}

impl Other {
    /// Which document it is, for people.
    #[must_use]
    pub fn subject(&self) -> String {
        if self.name.is_empty() { self.kind.clone() } else { format!("{} {}", self.kind, self.name) }
    }
}

/// Without the value: kops keeps keys as documents too.
impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Other")
            .field("api_version", &self.api_version)
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
