//! Which fields kops has ever had.

use super::path::{Path, Step};
use super::spec::Kind;
use crate::model::document::nearest;
use std::collections::BTreeMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("known.txt");

/// Fields beside `spec`: those of every Kubernetes object.
const AROUND: [&str; 14] = [
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.generateName",
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.resourceVersion",
    "metadata.uid",
    "metadata.selfLink",
    "metadata.labels.*",
    "metadata.annotations.*",
    "metadata.managedFields.**",
    "status.**",
];

/// Fields as a tree, so that a document costs what it has and not what kops has.
#[derive(Default)]
struct Node {
    by_key: BTreeMap<&'static str, Node>,
    any_key: Option<Box<Node>>,
    item: Option<Box<Node>>,
    rest: bool,
}

impl Node {
    fn add(&mut self, pattern: &'static str) {
        let mut node = self;
        for word in pattern.split('.') {
            let name = word.trim_end_matches("[]");
            node = match name {
                "**" => {
                    node.rest = true;
                    return;
                }
                "*" => node.any_key.get_or_insert_default(),
                name => node.by_key.entry(name).or_default(),
            };
            for _ in 0..(word.len() - name.len()) / 2 {
                node = node.item.get_or_insert_default();
            }
        }
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match step {
            Step::Key(key) => self.by_key.get(key.as_str()).or(self.any_key.as_deref()),
            Step::Index(_) => self.item.as_deref(),
        }
    }

    /// The last node on the way, and how many steps lead to it; all of them where nothing below is told apart.
    fn walk(&self, steps: &[Step]) -> (&Self, usize) {
        let mut node = self;
        for (depth, step) in steps.iter().enumerate() {
            if node.rest {
                return (node, steps.len());
            }
            match node.child(step) {
                Some(child) => node = child,
                None => return (node, depth),
            }
        }
        (node, steps.len())
    }
}

fn tree(section: &str) -> Node {
    let mut root = Node::default();
    AROUND.into_iter().for_each(|pattern| root.add(pattern));
    let spec = root.by_key.entry("spec").or_default();
    let mut inside = false;
    let mut parents: Vec<&'static str> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            inside = line == section;
            continue;
        }
        if !inside {
            continue;
        }
        let children = match line.split_once(':') {
            Some((head, children)) if !line.starts_with(' ') => {
                parents = head.split(", ").collect();
                children
            }
            _ => line,
        };
        for parent in &parents {
            let mut node = &mut *spec;
            for word in parent.split('.').filter(|word| !word.is_empty()) {
                let name = word.trim_end_matches("[]");
                node = node.by_key.entry(name).or_default();
                for _ in 0..(word.len() - name.len()) / 2 {
                    node = node.item.get_or_insert_default();
                }
            }
            children.split_whitespace().for_each(|child| node.add(child));
        }
    }
    root
}

fn of_kind(kind: Kind) -> &'static Node {
    static CLUSTER: LazyLock<Node> = LazyLock::new(|| tree("[Cluster]"));
    static INSTANCE_GROUP: LazyLock<Node> = LazyLock::new(|| tree("[InstanceGroup]"));
    match kind {
        Kind::Cluster => &CLUSTER,
        Kind::InstanceGroup => &INSTANCE_GROUP,
    }
}

/// Whether a release of kops has this field (by its newest name), or something below it: `iam: {}` is known too.
#[must_use]
pub fn is_known(kind: Kind, path: &Path) -> bool {
    of_kind(kind).walk(&path.0).1 == path.0.len()
}

/// The known field beside an unknown one that is written most like it: its last name.
#[must_use]
pub fn nearest_known(kind: Kind, path: &Path) -> Option<&'static str> {
    // The first step that leads nowhere is the mistake; what stands beside it is what was meant.
    let (node, depth) = of_kind(kind).walk(&path.0);
    match path.0.get(depth)? {
        Step::Key(name) => nearest(name, node.by_key.keys().copied()),
        Step::Index(_) => None,
    }
}

/// Every known field by its newest name, as a path with `x` for names that the author chooses: what rules have to cover.
#[must_use]
pub fn known_fields(kind: Kind) -> Vec<Path> {
    let mut found = Vec::new();
    let mut open = vec![(Path::default(), of_kind(kind))];
    while let Some((path, node)) = open.pop() {
        if node.rest {
            found.push(path.key("x"));
        }
        if !node.rest && node.by_key.is_empty() && node.any_key.is_none() && node.item.is_none() {
            found.push(path.clone());
        }
        open.extend(node.by_key.iter().map(|(name, child)| (path.key(name), child)));
        open.extend(node.any_key.iter().map(|child| (path.key("x"), &**child)));
        open.extend(node.item.iter().map(|child| (path.item(0), &**child)));
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        let step = |word: &str| word.parse().map_or_else(|_| Step::Key(word.to_owned()), Step::Index);
        Path(text.split('.').map(step).collect())
    }

    #[test]
    fn fields_of_every_release_are_known_and_others_are_not() {
        for known in [
            "metadata.labels.x",
            "spec.networking.subnets.0.cidr",
            "spec.iam",
            "spec.networking.cni",
            "spec.docker.logDriver",
            "spec.kubelet.featureGates.X",
            "spec.target.terraform.providerExtraConfig.a.0.b",
        ] {
            assert!(is_known(Kind::Cluster, &path(known)), "{known}");
        }
        for unknown in
            ["spec.subnet", "spec.networking.subnets.0.cidrs", "spec.kubelet.maxPodz", "spec.iam.0"]
        {
            assert!(!is_known(Kind::Cluster, &path(unknown)), "{unknown}");
        }
        assert!(is_known(Kind::InstanceGroup, &path("spec.mixedInstancesPolicy.instances.0")));
        assert_eq!(nearest_known(Kind::Cluster, &path("spec.kubelet.maxPodz")), Some("maxPods"));
        assert_eq!(nearest_known(Kind::InstanceGroup, &path("spec.machinetype")), Some("machineType"));
    }
}
