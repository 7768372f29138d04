//! From a cluster that exists to Terraform: the resources of the AWS provider that describe it, each with the `import`
//! block that adopts it. `terraform plan` on the file imports everything and changes nothing.
//!
//! Names and members are the AWS provider's (its schema in versions 6.28 and 6.67, which
//! `it::provision::terraform::every_argument_is_one_of_the_providers` holds); what EKS makes by itself (the
//! cluster's security group, Auto Scaling groups of managed node groups, their access entries) is not Terraform's to keep.

mod cluster;
mod control_plane;
mod facts;
mod iam;
mod managed;
mod network;
mod nodes;
mod requirements;
mod scaling;

use super::cluster as cluster_of;
use super::hcl::{Block, References, identifier};
use crate::model::cloud::Call;
use crate::provision::resource::{Live, Scope, Snapshot};
use facts::Facts;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The oldest provider whose schema was seen to have all arguments but the newer ones.
const PROVIDER: &str = ">= 6.28";
/// Arguments that came later, with the resource that has them, and a provider whose schema has them all.
const NEWER: [(&str, &str); 7] = [
    ("aws_eks_cluster", "kube_api_server_config"),
    ("aws_eks_cluster", "kube_controller_manager_config"),
    ("aws_eks_cluster", "kube_scheduler_config"),
    ("aws_eks_cluster", "control_plane_egress_mode"),
    ("aws_eks_node_group", "warm_pool_config"),
    ("aws_eks_addon", "namespace_config"),
    ("aws_eks_pod_identity_association", "policy"),
];
const NEWER_PROVIDER: &str = ">= 6.67";

/// A file, and what it does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The configuration's text.
    pub text: String,
    /// What is there and not in the file, with the reason.
    pub notes: Vec<String>,
}

/// The calls that are to be made next, beside what the drivers read: networks, roles, the identity provider. Asked again
/// with all answers until it gives none.
#[must_use]
pub fn calls(snapshot: &Snapshot, answers: &[(Call, Value)]) -> Vec<Call> {
    facts::calls(snapshot, answers)
}

/// The configuration of what was found. `None` without a cluster.
#[must_use]
pub fn terraform(scope: &Scope, snapshot: &Snapshot, answers: &[(Call, Value)]) -> Option<Written> {
    let live = cluster_of(snapshot)?;
    let facts = Facts::of(live, snapshot, answers);
    let mut file = File::default();
    for (kind, reason) in &snapshot.unread {
        file.notes.push(format!("{kind:?} is not in the file: it could not be read: {reason}"));
    }
    file.notes.extend(facts.notes.iter().cloned());
    network::write(&facts, &mut file);
    iam::write(&facts, &mut file);
    nodes::write(&facts, &mut file);
    cluster::write(scope, snapshot, live, &facts, &mut file);
    Some(Written { text: file.text(scope), notes: file.notes })
}

/// What is being written.
#[derive(Default)]
struct File {
    blocks: Vec<(Block, Block)>,
    known: References,
    names: BTreeSet<String>,
    notes: Vec<String>,
}

impl File {
    /// A resource with its import; `known` are values that stand for it, with the attribute that gives each. Gives the
    /// resource's address.
    fn add(
        &mut self,
        kind: &str,
        name: &str,
        import: &str,
        known: &[(&str, &str)],
        body: impl FnOnce(Block) -> Block,
    ) -> String {
        let base = identifier(name);
        let mut name = base.clone();
        let mut number = 1;
        while !self.names.insert(format!("{kind}.{name}")) {
            number += 1;
            name = format!("{base}_{number}");
        }
        let address = format!("{kind}.{name}");
        for (value, attribute) in known {
            if !value.is_empty() {
                self.known.insert((*value).to_owned(), format!("{address}.{attribute}"));
            }
        }
        let import = Import { to: address.clone(), id: import.to_owned() };
        self.blocks.push((import.block(), body(Block::new("resource", &[kind, &name]))));
        address
    }

    fn text(&self, scope: &Scope) -> String {
        let mut text = String::from(
            "# The cluster as it is. `terraform plan` imports what the import blocks name and changes nothing; after `terraform \
             apply`\n# the import blocks can go.\n\n",
        );
        let is_newer = |(_, resource): &(Block, Block)| {
            NEWER.iter().any(|(kind, argument)| resource.is_of(kind) && resource.gives(argument))
        };
        let version = if self.blocks.iter().any(is_newer) { NEWER_PROVIDER } else { PROVIDER };
        let required = Block::new("terraform", &[]).plain("required_version", &json!(">= 1.5.0")).block(
            Block::new("required_providers", &[])
                .plain("aws", &json!({"source": "hashicorp/aws", "version": version})),
        );
        let provider = Block::new("provider", &["aws"]).plain("region", &json!(scope.region));
        for block in [&required, &provider] {
            block.write(&References::new(), 0, &mut text);
            text.push('\n');
        }
        for (at, (import, resource)) in self.blocks.iter().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            // An address is no string.
            import.write(&self.addresses(), 0, &mut text);
            text.push('\n');
            resource.write(&self.known, 0, &mut text);
        }
        text
    }

    /// The addresses themselves, for `to`.
    fn addresses(&self) -> References {
        self.names.iter().map(|name| (name.clone(), name.clone())).collect()
    }
}

struct Import {
    to: String,
    id: String,
}

impl Import {
    fn block(&self) -> Block {
        Block::new("import", &[]).with("to", &json!(self.to)).plain("id", &json!(self.id))
    }
}

/// The tags of a resource that somebody gave it for itself; also Portolan's, so that adoption changes none.
fn tags(live: &Live) -> Value {
    json!(
        live.tags
            .iter()
            .filter(|(name, _)| !name.starts_with("aws:"))
            .collect::<std::collections::BTreeMap<_, _>>()
    )
}

/// A name for a resource by its `Name` tag, or else by what it is.
fn named(tags: &Value, otherwise: &str) -> String {
    tags["Name"].as_str().filter(|name| !name.is_empty()).unwrap_or(otherwise).to_owned()
}
