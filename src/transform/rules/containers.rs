//! What pods take from outside: images, files of the node, the DNS of the cluster, volumes of old plugins.

use super::super::address::lies_in;
use super::super::edit::Weight;
use super::super::pointer::at;
use super::super::rule::Rule;
use super::super::tables::HOSTS;
use super::super::templates::pod_specs;
use super::super::work::Work;
use serde_json::Value;

/// See the module.
pub const RULES: &[Rule] = &[
    Rule {
        id: "image.registry",
        kinds: &[],
        reason: "images come from another registry in the target",
        source: "the migration's mapping of registries; config/transforms/hosts.yaml",
        apply: registry,
    },
    Rule {
        id: "pod.host-paths",
        kinds: &[],
        reason: "the file or folder is one of a kops node",
        source: "config/transforms/hosts.yaml",
        apply: host_paths,
    },
    Rule {
        id: "pod.host-network",
        kinds: &[],
        reason: "the pod is reached by the address of its node",
        source: "EKS user guide, cluster security group",
        apply: host_network,
    },
    Rule {
        id: "pod.dns-address",
        kinds: &[],
        reason: "the cluster's DNS has another address",
        source: "kubernetes.io, pod DNS config",
        apply: dns_address,
    },
    Rule {
        id: "pod.old-volumes",
        kinds: &[],
        reason: "the volume plugin left Kubernetes",
        source: "kubernetes.io, volume types",
        apply: old_volumes,
    },
];

/// Where a reference points in the target, and why; `None`: where it pointed.
fn rewritten(work: &Work<'_>, image: &str) -> Option<(String, String)> {
    let full = full_name(image);
    let mapped = work.context.images.iter().filter(|(from, _)| full.starts_with(from.as_str()));
    if let Some((from, to)) = mapped.max_by_key(|(from, _)| from.len()) {
        let reason = format!("images of {from} come from {to} in the target");
        return Some((format!("{to}{}", &full[from.len()..]), reason));
    }
    let row = HOSTS.registries.iter().find(|row| image.starts_with(&row.from))?;
    Some((format!("{}{}", row.to, &image[row.from.len()..]), row.why.clone()))
}

/// A reference with its registry: `nginx` is `docker.io/library/nginx` (distribution/reference).
fn full_name(image: &str) -> String {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    }
}

fn registry(work: &mut Work<'_>) {
    for spec in pod_specs(&work.object) {
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for container in work.items(&at(&spec, list)) {
                let pointer = at(&container, "image");
                let Some(old) = work.text(&pointer).map(String::from) else { continue };
                let Some((new, reason)) = rewritten(work, &old).filter(|(new, _)| *new != old) else {
                    continue;
                };
                work.set_for(&pointer, new, &reason);
            }
        }
    }
}

fn host_paths(work: &mut Work<'_>) {
    for spec in pod_specs(&work.object) {
        for volume in work.items(&at(&spec, "volumes")) {
            let pointer = format!("{volume}/hostPath/path");
            let Some(path) = work.text(&pointer).map(|path| path.trim_end_matches('/').to_owned()) else {
                continue;
            };
            let below = |folder: &str| path == folder || path.starts_with(&format!("{folder}/"));
            if let Some(row) = HOSTS.host_paths.iter().find(|row| below(&row.path)) {
                work.remark(row.level, &pointer, &row.says);
            }
        }
    }
}

fn host_network(work: &mut Work<'_>) {
    for spec in pod_specs(&work.object) {
        let network = at(&spec, "hostNetwork");
        let mut ports: Vec<u64> = Vec::new();
        for container in work.items(&at(&spec, "containers")) {
            for port in work.items(&at(&container, "ports")) {
                ports.extend(
                    work.get(&at(&port, "hostPort")).and_then(Value::as_u64).filter(|port| *port > 0),
                );
            }
        }
        ports.sort_unstable();
        ports.dedup();
        let shown = ports.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let says = match (work.is_true(&network), ports.is_empty()) {
            (false, true) => continue,
            (true, true) => "the pod has its node's address: who calls it needs the new nodes' addresses, and a rule of their security group".to_owned(),
            _ => format!("ports {shown} are those of the node: who calls them needs the new nodes' addresses, and a rule of their security group"),
        };
        let place = if work.is_true(&network) { network } else { at(&spec, "containers") };
        work.remark(Weight::Warning, &place, says);
    }
}

fn dns_address(work: &mut Work<'_>) {
    let (old, new) = (&work.context.source.dns_address, work.context.target.dns_address.clone());
    let (old, range) = (old.clone(), work.context.source.service_range.clone());
    for spec in pod_specs(&work.object) {
        for item in work.items(&format!("{spec}/dnsConfig/nameservers")) {
            let Some(address) = work.text(&item).map(String::from) else { continue };
            let ranged =
                range.as_deref().is_some_and(|range| address.parse().is_ok_and(|ip| lies_in(ip, range)));
            if old.as_ref() == Some(&address)
                && let Some(new) = &new
            {
                work.set(&item, new.clone());
            } else if old.as_ref() == Some(&address)
                || ranged
                || work.context.survey.service_of(&address).is_some()
            {
                work.remark(
                    Weight::Blocker,
                    &item,
                    format!("{address} is an address of the old cluster's Services, and does not exist in the target"),
                );
            }
        }
        let searches = format!("{spec}/dnsConfig/searches");
        let (old, new) = (work.context.source.domain.clone(), work.context.target.domain.clone());
        for item in work.items(&searches) {
            let Some(domain) = work.text(&item).map(String::from) else { continue };
            if old != new
                && let Some(rest) =
                    domain.strip_suffix(&old).filter(|rest| rest.is_empty() || rest.ends_with('.'))
            {
                work.set_for(&item, format!("{rest}{new}"), "Services have another domain in the target");
            }
        }
    }
}

/// Volume plugins that the target does not have, with the minor that took them.
const GONE: [(&str, u32); 9] = [
    ("glusterfs", 26),
    ("flocker", 25),
    ("quobyte", 25),
    ("storageos", 25),
    ("cephfs", 31),
    ("rbd", 31),
    ("gitRepo", 33),
    ("scaleIO", 22),
    ("photonPersistentDisk", 27),
];

fn old_volumes(work: &mut Work<'_>) {
    for spec in pod_specs(&work.object) {
        for volume in work.items(&at(&spec, "volumes")) {
            for (plugin, minor) in GONE {
                if work.context.target.minor >= minor
                    && work.get(&at(&volume, plugin)).is_some_and(Value::is_object)
                {
                    let says = format!(
                        "volumes of the kind {plugin} left Kubernetes with 1.{minor}, or are off by default"
                    );
                    work.remark(Weight::Blocker, &at(&volume, plugin), says);
                }
            }
            let inline = at(&volume, "awsElasticBlockStore");
            let Some(id) = work.text(&at(&inline, "volumeID")).map(String::from) else { continue };
            let bare = id.rsplit('/').next().unwrap_or_default().to_owned();
            work.set_for(&at(&inline, "volumeID"), bare, "the EBS driver takes the bare id of a volume");
            work.remark(
                Weight::Warning,
                &inline,
                "the volume is named in the pod: it is handed over with it, and the EBS driver attaches it in its zone only",
            );
        }
    }
}
