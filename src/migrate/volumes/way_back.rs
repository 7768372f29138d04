//! What going back means, in honest words.

use super::claim::{attachments_of, claims, pods_of};
use super::input::Input;
use super::tags::MIGRATION_TAG;
use crate::migrate::digest::of_lines;

/// What a way back to the source keeps, and what it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// Nothing was written on the target: the source finds its volumes as it left them.
    AsItWas,
    /// The target may have written. The source gets the same volumes, with those writes in them.
    KeepsWrites {
        /// What an approval of it is bound to: the volumes and their snapshots, so another run needs another one.
        digest: String,
        /// In words.
        says: String,
    },
}

/// What a way back from here would keep.
#[must_use]
pub fn way_back(input: &Input<'_>) -> WayBack {
    let claims = claims(input);
    let used = claims.iter().any(|claim| {
        let attached =
            claim.target_volume.is_some_and(|volume| !attachments_of(input.target, volume).is_empty());
        attached || claim.target_claim.is_some_and(|own| !pods_of(input.target, own).is_empty())
    });
    if !input.started && !used {
        return WayBack::AsItWas;
    }
    let mut lines = vec![input.setting.migration.clone(), input.wave.to_owned(), input.setting.run.clone()];
    let mut snapshots = Vec::new();
    for claim in &claims {
        let Some(volume) = claim.backing.ebs() else { continue };
        let snapshot = input.disks.snapshot(&input.setting.migration, &input.setting.run, volume);
        let snapshot = snapshot.map_or("no snapshot", |snapshot| snapshot.id.as_str());
        lines.push(format!("{volume} {snapshot}"));
        snapshots.push(format!("{} {volume} ({snapshot})", claim.shown()));
    }
    let digest = of_lines(&lines);
    let says = format!(
        "workloads of the wave {} have run on the target and may have written. Going back gives the source the same \
         volumes with those writes in them, which the source's version of the software has to understand. The state from \
         before the hand-over is in the snapshots alone, and restoring one loses what was written since. They are deleted \
         once the source's workloads are ready again; whoever wants to keep one takes its tag {MIGRATION_TAG} away: {}",
        input.wave,
        if snapshots.is_empty() { "there are no volumes".to_owned() } else { snapshots.join(", ") },
    );
    WayBack::KeepsWrites { digest, says }
}

/// What has to be told before the first workload is started on the target: from then on [`WayBack::AsItWas`] is over.
/// For the words of that step.
#[must_use]
pub fn first_write(input: &Input<'_>) -> Option<String> {
    let disks: Vec<String> =
        claims(input).iter().filter_map(|claim| claim.backing.ebs().map(str::to_owned)).collect();
    (!disks.is_empty() && matches!(way_back(input), WayBack::AsItWas)).then(|| {
        format!(
            "the first write to {} on the target ends the way back to the state that the source left; after it the volumes \
             go back with what was written, or a snapshot is restored without it",
            disks.join(", ")
        )
    })
}

/// What a person has to agree to before anything of a way back is begun, as digest and words: something is on the target
/// still, it may have been written to, and nobody has said yes to it.
#[must_use]
pub fn consent(input: &Input<'_>) -> Option<(String, String)> {
    let WayBack::KeepsWrites { digest, says } = way_back(input) else { return None };
    let left = claims(input).iter().any(|claim| !super::back::is_off_target(claim));
    (left && !input.approved.contains(&digest)).then_some((digest, says))
}
