//! What kops gives nodes whose group does not say it, where eksctl's default is another: the root volume and the ways to
//! the instance's metadata (kops `pkg/model/awsmodel/autoscalinggroup.go`, `pkg/model/defaults`).

use super::{Context, Draft, identity};
use crate::migrate::assess::rule::Ruling;
use crate::model::kops::Spec;

/// GiB of a root volume, in every release.
pub(super) const VOLUME_SIZE: u32 = 128;
/// The release of kops, 1.x, that encrypts volumes unless it is told not to.
const ENCRYPTS: u32 = 21;
/// The minor of Kubernetes from which kops asks for tokens unless it is told not to.
const ASKS_FOR_TOKENS: u32 = 27;
const SOURCE: &str = "kops, pkg/model/awsmodel/autoscalinggroup.go; eksctl, defaults of node groups";

/// Whether volumes are encrypted that say nothing of it. A release that nobody knows is taken for a recent one: what is
/// encrypted needlessly hurts nobody.
pub(super) fn encrypts(context: &Context<'_>) -> bool {
    let release = context.state.version.as_deref().and_then(identity::minor);
    release.is_none_or(|release| release >= ENCRYPTS)
}

/// How programs on a group's nodes come to the instance's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// By tokens alone (IMDSv2).
    pub tokens: bool,
    /// A token reaches programs on the host's network alone. Without tokens there is nothing that would stop pods.
    pub hidden: bool,
}

/// As the group says, else as kops has it; none where neither is known.
pub(super) fn metadata(context: &Context<'_>, group: &Spec) -> Option<Metadata> {
    let tokens = match group.text("instanceMetadata.httpTokens") {
        Some(said) => said == "required",
        None => identity::source_minor(context)? >= ASKS_FOR_TOKENS,
    };
    let hops = group.number("instanceMetadata.httpPutResponseHopLimit").unwrap_or(1);
    Some(Metadata { tokens, hidden: tokens && hops == 1 })
}

/// Tells what of a group no field of it says.
pub(super) fn tell(context: &Context<'_>, group: &Spec, draft: &mut Draft) {
    let mut tell = |rule: &str, ruling: Ruling| {
        draft.verdicts.push(context.verdict(&group.subject(), "", rule, SOURCE, ruling));
    };
    let sized = group.number("rootVolume.size").is_some_and(|size| size > 0);
    let encrypted = group.flag("rootVolume.encryption").is_some() || !encrypts(context);
    if !sized || !encrypted {
        let size = if sized { String::new() } else { format!(" of {VOLUME_SIZE} GiB") };
        let seal = if encrypted { "" } else { ", encrypted" };
        let says = format!(
            "kops gives nodes a root volume{size}{seal} where the group does not say it: they keep it"
        );
        let becomes = "managedNodeGroups[].volumeSize, volumeEncrypted";
        tell("kops.group.volume-default", Ruling::mapped(says).to(becomes));
    }
    let says_tokens = group.text("instanceMetadata.httpTokens").is_some();
    let says_hops = group.number("instanceMetadata.httpPutResponseHopLimit").is_some();
    let Some(metadata) = metadata(context, group).filter(|_| !says_tokens || !says_hops) else { return };
    const RULE: &str = "kops.group.metadata-default";
    match metadata {
        Metadata { tokens: false, .. } if !says_tokens => {
            let says = "kops lets everything on these nodes read the instance's metadata without tokens, and so it stays: take \
                        `disableIMDSv1: false` out as soon as no program needs it";
            tell(RULE, Ruling::warning(says).to("managedNodeGroups[].disableIMDSv1"));
        }
        Metadata { hidden: true, .. } => {
            let says = "kops keeps pods from the instance's metadata where the group does not say it: they are kept from it here too";
            tell(RULE, Ruling::mapped(says).to("managedNodeGroups[].disablePodIMDS"));
        }
        Metadata { .. } => {}
    }
}
