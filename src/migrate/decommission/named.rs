//! What kops takes because of its name: key pairs, queues, rules, records. No tag spares these.

use super::listing::{Cluster, Found};
use super::reads::{AwsReads, text_of_zone};
use super::shape::{item_text, list, text};

/// Longest name of a cluster that names of rules begin with whole (kops `awsup.GetClusterName40`).
const LONGEST: usize = 40;
/// Characters of the hash at the end of a longer one.
const HASH: usize = 6;

/// Key pairs `kubernetes.<cluster>` and `kubernetes.<cluster>-…`; a name without a dot is no kops cluster's.
pub(super) fn key_pairs(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    if !cluster.name.contains('.') {
        return;
    }
    let whole = format!("kubernetes.{}", cluster.name);
    let start = format!("{whole}-");
    for pair in reads.items("ec2", "DescribeKeyPairs", &["KeyPairs"]) {
        if let (Some(name), Some(id)) = (text(pair, "KeyName"), text(pair, "KeyPairId"))
            && (name == whole || name.starts_with(&start))
        {
            found.put("keypair", id, false);
        }
    }
}

/// Queues whose name begins with the cluster's, dots as hyphens.
pub(super) fn queues(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let start = cluster.name.replace('.', "-");
    for queue in reads.items("sqs", "ListQueues", &["QueueUrls", "QueueUrl"]) {
        if let Some(url) = item_text(queue, "QueueUrl")
            && url.rsplit('/').next().is_some_and(|name| name.starts_with(&start))
        {
            found.put("sqs", url, false);
        }
    }
}

/// Rules whose name begins with the cluster's.
pub(super) fn rules(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let start = shortened(&cluster.name);
    for rule in reads.items("events", "ListRules", &["Rules"]) {
        if let Some(name) = text(rule, "Name").filter(|name| name.starts_with(&start)) {
            found.put("eventbridge-rule", name, false);
        }
    }
}

/// A name cut to forty characters, with a hash of the whole at its end.
fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.into();
    }
    // FNV-1a of 32 bits, in the base32 alphabet of RFC 4648 section 7.
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let digits: String = (0..HASH)
        .map(|at| {
            let shift = 59 - 5 * at;
            let digit = ((u64::from(hash) << 32) >> shift) & 31;
            char::from(b"0123456789abcdefghijklmnopqrstuv"[usize::try_from(digit).unwrap_or_default()])
        })
        .collect();
    let kept: String = name.chars().take(LONGEST - HASH - 1).collect();
    format!("{kept}-{digits}")
}

/// Records of the API, of etcd, of the bastion, and their ownership records.
pub(super) fn records(reads: &AwsReads, cluster: &Cluster, found: &mut Found) {
    let own = format!(".{}", cluster.name.trim_end_matches('.'));
    for zone in reads.items("route53", "ListHostedZones", &["HostedZones"]) {
        let (Some(zone_id), Some(zone_name)) = (text_of_zone(zone), text(zone, "Name")) else { continue };
        if !cluster.is_in_zone(zone_name) {
            continue;
        }
        let sets = reads.of("route53", "ListResourceRecordSets").filter(|read| {
            let asked = text(&read.input, "HostedZoneId").unwrap_or_default();
            asked.trim_start_matches("/hostedzone/") == zone_id
        });
        for set in sets.flat_map(|read| list(&read.output, &["ResourceRecordSets"])) {
            let (Some(name), Some(kind)) = (text(set, "Name"), text(set, "Type")) else { continue };
            if matches!(kind, "A" | "AAAA" | "TXT") && is_own(name, kind, &own, cluster) {
                found.put("route53-record", &format!("{zone_id}/{kind}/{name}"), false);
            }
        }
    }
}

fn is_own(name: &str, kind: &str, own: &str, cluster: &Cluster) -> bool {
    let dotted = format!(".{}", name.trim_end_matches('.'));
    let Some(prefix) = dotted.strip_suffix(own) else { return false };
    let bare = prefix.strip_prefix(".aaaa-").filter(|_| kind == "TXT" && !cluster.is_before(28));
    let prefix = bare.map_or_else(|| prefix.to_owned(), |rest| format!(".{rest}"));
    let names = [".api", ".api.internal", ".bastion", ".kops-controller.internal"];
    names.contains(&prefix.as_str()) || prefix.starts_with(".etcd-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_as_kops_cuts_them() {
        assert_eq!(shortened("short.example.com"), "short.example.com");
        assert_eq!(
            shortened("a-very-long-cluster-name.of.a.department.example.com"),
            "a-very-long-cluster-name.of.a.dep-pkl5c0"
        );
    }

    #[test]
    fn only_names_of_the_control_plane_are_taken() {
        let cluster = Cluster::new("old.example.com");
        let own = |name, kind| is_own(name, kind, ".old.example.com", &cluster);
        assert!(own("api.old.example.com.", "A") && own("etcd-a.internal.old.example.com.", "A"));
        assert!(own("aaaa-api.old.example.com.", "TXT") && !own("aaaa-api.old.example.com.", "A"));
        assert!(!own("shop.old.example.com.", "A") && !own("api.newold.example.com.", "A"));
    }
}
