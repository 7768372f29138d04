//! Rules of `fargateProfiles`.

use super::control_plane::tags;
use super::{Findings, syntax};
use crate::model::cluster_config::{ClusterConfig, FargateProfile};
use crate::model::document::format;
use std::collections::BTreeSet;

/// Selectors of a profile and labels of a selector (EKS User Guide, Fargate profile components).
const MOST: usize = 5;

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, profile) in config.fargate_profiles.iter().enumerate() {
        let at = format!("/fargateProfiles/{index}");
        findings.require(&format!("{at}/name"), syntax::eks_name(&profile.name, 63));
        if profile.name.starts_with("eks-") {
            let message = "begins with `eks-`, which EKS keeps for itself";
            findings.wrong(&format!("{at}/name"), message, "choose another name");
        }
        if !seen.insert(&profile.name) {
            let message = format!("is `{}` a second time", profile.name);
            findings.wrong(&format!("{at}/name"), message, "choose another name");
        }
        if let Some(role) = &profile.pod_execution_role_arn {
            findings.require(&format!("{at}/podExecutionRoleARN"), syntax::role(role));
        }
        tags(&format!("{at}/tags"), &profile.tags, findings);
        selectors(&at, profile, findings);
        subnets(&at, profile, config, findings);
    }
}

fn selectors(at: &str, profile: &FargateProfile, findings: &mut Findings) {
    if profile.selectors.is_empty() {
        findings.wrong(
            at,
            "has no selectors, so that no pod would run there",
            "name a namespace in `selectors`",
        );
    }
    if profile.selectors.len() > MOST {
        let message = format!("has {} selectors, and EKS takes {MOST}", profile.selectors.len());
        findings.wrong(
            &format!("{at}/selectors"),
            message,
            "put some into another profile, or use `*` in a namespace",
        );
    }
    for (index, selector) in profile.selectors.iter().enumerate() {
        let at = format!("{at}/selectors/{index}");
        if selector.namespace.is_empty() {
            findings.wrong(&format!("{at}/namespace"), "may not be empty", "name a namespace, or write `*`");
        }
        if selector.labels.len() > MOST {
            let message = format!("has {} labels, and EKS takes {MOST}", selector.labels.len());
            findings.wrong(&format!("{at}/labels"), message, "take some out");
        }
        for key in selector.labels.keys() {
            if let Some(Err(_)) = format::check("label-key", &key.replace(['*', '?'], "x")) {
                let hint = "write `name` or `example.com/name`";
                findings.wrong(&format!("{at}/labels/{}", super::escaped(key)), "is no label", hint);
            }
        }
    }
}

/// Pods on Fargate are in private subnets only.
fn subnets(at: &str, profile: &FargateProfile, config: &ClusterConfig, findings: &mut Findings) {
    let of_vpc = config.vpc.as_ref().and_then(|vpc| vpc.subnets.as_ref());
    for (index, subnet) in profile.subnets.iter().enumerate() {
        let at = format!("{at}/subnets/{index}");
        let Some(subnets) = of_vpc else {
            if !subnet.starts_with("subnet-") {
                findings.wrong(&at, "is neither an id nor in `vpc.subnets.private`", "name a private subnet");
            }
            continue;
        };
        let public =
            subnets.public.iter().any(|(name, spec)| name == subnet || spec.id.as_ref() == Some(subnet));
        let private = subnets.private.contains_key(subnet) || subnet.starts_with("subnet-");
        if public {
            findings.wrong(
                &at,
                "is a public subnet, and Fargate takes private ones only",
                "name a private subnet",
            );
        } else if !private {
            findings.wrong(&at, "is neither an id nor in `vpc.subnets.private`", "name a private subnet");
        }
    }
    let none_private = of_vpc.is_some_and(|subnets| subnets.private.is_empty() && !subnets.public.is_empty());
    if profile.subnets.is_empty() && none_private {
        findings.wrong(
            at,
            "has no private subnet to run in",
            "list private subnets under `vpc.subnets.private`",
        );
    }
}
