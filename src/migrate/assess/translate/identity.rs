//! Name, region, version and tags.

use super::names::cluster_name;
use super::{Context, Draft};
use crate::migrate::assess::rule::{Ruling, offer, offers};
use crate::model::cluster_config::ClusterMeta;
use crate::model::kops::{Field, Spec};
use std::collections::BTreeMap;

pub(in super::super) const NAME: &str = "kops.identity.name";
pub(in super::super) const VERSION: &str = "kops.identity.version";
/// The tag that remembers where a cluster came from.
const ORIGIN_TAG: &str = "migrated-from";
/// Tags of one person on one resource (AWS allows 50 in all, and EKS, its controllers and Portolan add some).
const MOST_TAGS: usize = 45;

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let cluster = context.cluster();
    let mut metadata = ClusterMeta { name: name(context), tags: tags(cluster), ..ClusterMeta::default() };
    metadata.tags.insert(ORIGIN_TAG.to_owned(), cluster.name.clone());
    match region(context) {
        Some(region) => metadata.region = region,
        None => {
            let says = "neither the zones of its subnets nor the facts say in which region it is; give the facts of its account";
            let ruling = Ruling::blocker(says, Vec::new());
            let source = "EKS API, endpoint of a region";
            let at = context.pointer("networking.subnets");
            draft.verdicts.push(context.verdict(
                &cluster.subject(),
                &at,
                "kops.identity.region",
                source,
                ruling,
            ));
            draft.is_broken = true;
        }
    }
    metadata.version = version(context).target.map(|minor| format!("1.{minor}"));
    draft.config.metadata = metadata;
}

/// The name in EKS: the one chosen, else the old one with dashes.
pub(in super::super) fn name(context: &Context<'_>) -> String {
    let proposed = cluster_name(&context.cluster().name);
    match context.chosen(NAME, &context.cluster().subject(), "/metadata/name") {
        Some("dashes") | None => proposed,
        Some(name) => name.to_owned(),
    }
}

/// The region: that of the facts, else that of the first zone.
pub(in super::super) fn region(context: &Context<'_>) -> Option<String> {
    let of_zone = || {
        let zones = context.state.items("networking.subnets").iter().map(|subnet| &subnet["zone"]);
        zones.filter_map(|zone| region_of(zone.as_str()?)).next()
    };
    context.facts.region.clone().or_else(of_zone)
}

/// `eu-central-1` of `eu-central-1a`.
fn region_of(zone: &str) -> Option<String> {
    let region = zone.strip_suffix(|c: char| c.is_ascii_lowercase())?;
    let words = region.split('-').count();
    let ends = region.ends_with(|c: char| c.is_ascii_digit());
    (words >= 3 && ends && numbers(region) <= 1).then(|| region.to_owned())
}

/// Words that are numbers: `eu-west-1` has one.
fn numbers(text: &str) -> usize {
    text.split('-').filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())).count()
}

/// Whether a zone is a local or a Wavelength one by its name: `us-west-2-lax-1a`, `us-east-1-wl1-bos-wlz-1`.
pub(in super::super) fn is_local_zone(zone: &str) -> bool {
    numbers(zone.trim_end_matches(|c: char| c.is_ascii_lowercase())) > 1
}

/// Minors before this one have ended for good. What EKS serves is asked of EKS (DescribeClusterVersions); this only keeps
/// what nobody asked about from being proposed.
const LONG_GONE: u32 = 30;

/// The version of the source and what it becomes.
pub(in super::super) struct Version {
    /// Minor of the target; none where EKS shall choose.
    pub target: Option<u32>,
    /// The words for it.
    pub ruling: Ruling,
}

/// The minor of `v1.32.0`, `1.34.0-alpha.1`, `1.32`.
pub(in super::super) fn minor(text: &str) -> Option<u32> {
    let mut parts = text.trim_start_matches('v').split('.');
    (parts.next() == Some("1"))
        .then(|| parts.next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())?
}

/// The minor of the source cluster.
pub(in super::super) fn source_minor(context: &Context<'_>) -> Option<u32> {
    context.state.text("kubernetesVersion").and_then(minor)
}

pub(in super::super) fn version(context: &Context<'_>) -> Version {
    let subject = context.cluster().subject();
    let chosen = context.chosen(VERSION, &subject, &context.pointer("kubernetesVersion")).and_then(minor);
    let source = source_minor(context);
    let mut served: Vec<(u32, bool)> = context
        .facts
        .versions
        .iter()
        .filter_map(|each| Some((minor(&each.version)?, each.extended)))
        .collect();
    served.sort_unstable();
    let version = |target, ruling| Version { target, ruling };
    let Some(source) = source else {
        let says = "the version of the source is not said; EKS chooses its default";
        return version(chosen, Ruling::warning(says));
    };
    let (Some((oldest, _)), Some((newest, _))) = (served.first().copied(), served.last().copied()) else {
        if source < LONG_GONE {
            let ways = offers([
                offer("default", "EKS's default when the cluster is made"),
                offer("<version>", "that version"),
            ]);
            let says = format!(
                "EKS serves 1.{source} no longer; what uses API versions removed since is converted. Read the account as well to \
                 see which versions there are"
            );
            return version(chosen, Ruling::choice(says, ways));
        }
        let offers = offers([
            offer(&format!("1.{source}"), format!("1.{source}, as the source has it")),
            offer("<version>", "that version"),
        ]);
        let says = format!("1.{source} stays if EKS serves it still, which the facts do not say");
        return version(Some(chosen.unwrap_or(source)), Ruling::choice(says, offers));
    };
    let ways = |first: u32| {
        let all = served.iter().filter(|(minor, _)| *minor >= first).map(|(minor, extended)| {
            let price = if *extended { ", in extended support, which costs more" } else { "" };
            offer(&format!("1.{minor}"), format!("1.{minor}{price}"))
        });
        offers(all)
    };
    let is_served = |minor: u32| served.iter().any(|(other, _)| *other == minor);
    let chosen = chosen.filter(|minor| is_served(*minor));
    if source < oldest {
        let says = format!(
            "EKS serves 1.{oldest} to 1.{newest} and no longer 1.{source}; what uses API versions removed since is converted"
        );
        return version(Some(chosen.unwrap_or(oldest)), Ruling::choice(says, ways(oldest)));
    }
    if source > newest {
        let says = format!(
            "EKS serves 1.{newest} at most, and going back from 1.{source} takes fields away; wait for it"
        );
        let ruling = Ruling::blocker(
            says,
            vec![offer(&format!("1.{newest}"), format!("1.{newest}, one or more minors back"))],
        );
        return version(Some(chosen.unwrap_or(newest)), ruling);
    }
    let extended = served.iter().any(|(minor, extended)| *minor == source && *extended);
    let target = chosen.unwrap_or(source);
    if extended {
        let says = format!("1.{source} is in EKS's extended support, which costs more");
        return version(Some(target), Ruling::choice(says, ways(source)));
    }
    version(Some(target), Ruling::mapped(format!("1.{target}, which EKS serves")))
}

/// Labels of the cloud as tags.
fn tags(cluster: &Spec) -> BTreeMap<String, String> {
    let labels = cluster.fields.iter().filter(|field| is_cloud_label(field));
    let pairs = labels.map(|field| (field.path.last_key().to_owned(), field.text()));
    pairs.filter(|(key, value)| unfit_tag(key, value).is_none()).take(MOST_TAGS - 1).collect()
}

fn is_cloud_label(field: &Field) -> bool {
    field.path.to_string().starts_with("spec.cloudLabels") && field.path.0.len() == 3
}

/// Why a pair cannot be a tag.
pub(in super::super) fn unfit_tag(key: &str, value: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    if lower.starts_with("aws:") {
        Some("AWS keeps tags that begin with `aws:` to itself")
    } else if lower.starts_with("portolan.dev/") {
        Some("Portolan keeps tags that begin with `portolan.dev/` to itself")
    } else if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        Some("a tag has a key of 1 to 128 characters and a value of up to 256")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_regions_are_read() {
        assert_eq!(
            ["v1.32.0", "1.34.0-alpha.1", "1.9", "2.1", "", "1.x"].map(minor),
            [Some(32), Some(34), Some(9), None, None, None]
        );
        assert_eq!(region_of("us-gov-west-1a").as_deref(), Some("us-gov-west-1"));
        assert_eq!(region_of("us-test1-a"), None);
        assert_eq!(region_of("us-west-2-lax-1a"), None);
        let local = ["us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1"].map(is_local_zone);
        assert!(
            local.iter().all(|is| *is)
                && !["us-west-2a", "us-gov-west-1b", "us-iso-east-1c", "a"]
                    .map(is_local_zone)
                    .contains(&true)
        );
        assert_eq!(region_of(""), None);
    }
}
