//! From facts to a plan: what one pass looks at, and what it decides.

use super::execute::hint;
use super::kept::{Account, Kept, Wanted};
use super::look::{Found, Looker};
use super::memory::Memory;
use crate::ports::Approval;
use crate::provision::resource::{Driver, Scope, Snapshot};
use crate::provision::{CloudPlan, PlanInput, plan};
use jiff::Timestamp;

/// What a pass looked at, and what it decided.
pub(crate) struct Considered {
    pub account: Account,
    pub drivers: Vec<&'static dyn Driver>,
    /// What was remembered when it began.
    pub memory: Memory,
    pub before: Option<Snapshot>,
    pub found: Found,
    pub plan: CloudPlan,
    pub now: Timestamp,
}

/// Looks and plans; changes nothing.
///
/// # Errors
/// Why nothing can be known, in words.
pub(crate) async fn consider(kept: &Kept, wanted: &Wanted, asked: bool) -> Result<Considered, String> {
    let account =
        kept.account(wanted).await.map_err(|failure| format!("{failure}; {}", hint(failure.kind)))?;
    let drivers = wanted.blueprint.drivers();
    let (memory, before) = {
        let state = kept.state();
        (state.memory.clone(), state.snapshot.clone())
    };
    if let Some(words) = memory.scope.as_ref().and_then(|known| another(known, &account.scope)) {
        return Err(words);
    }
    let looker = Looker {
        account: &account,
        wanted,
        memory: &memory,
        before: before.as_ref(),
        drivers: &drivers,
        at_once: kept.context.pace.at_once,
    };
    let now = kept.context.clock.now();
    let found = looker.look(kept, now).await;
    let plan = decide(kept, &account, wanted, &memory, &found, &drivers, asked).await?;
    Ok(Considered { account, drivers, memory, before, found, plan, now })
}

/// Why this is not the cluster that was kept: its resources would be left behind, and nobody would know of them.
fn another(known: &Scope, found: &Scope) -> Option<String> {
    if known.account != found.account {
        return Some(format!(
            "the credentials are of the account {}, and the cluster was kept in {}: give the former ones back",
            found.account, known.account
        ));
    }
    ((&known.cluster, &known.region) != (&found.cluster, &found.region)).then(|| {
        format!(
            "the document stands for another cluster now ({} in {}), and {} in {} would be left behind: change it back, \
             remove the document and approve that the cluster goes, or give the new one a document of its own",
            found.cluster, found.region, known.cluster, known.region
        )
    })
}

/// Makes the plan; asks for approvals only when something waits for one.
#[allow(clippy::too_many_arguments, reason = "each is one thing that a plan is made from")]
async fn decide(
    kept: &Kept,
    account: &Account,
    wanted: &Wanted,
    memory: &Memory,
    found: &Found,
    drivers: &[&'static dyn Driver],
    asked: bool,
) -> Result<CloudPlan, String> {
    let frozen =
        wanted.policy.suspended.clone().or_else(|| found.refused()).or_else(|| kept_by_leftovers(found));
    let incomplete = found.incomplete();
    let make = |approved: &dyn Fn(&str) -> bool| {
        let input = PlanInput {
            revision: &wanted.revision,
            drift: wanted.policy.drift,
            adopt: wanted.policy.adopt,
            asked,
            frozen: frozen.as_deref(),
            removed: wanted.removed,
            applied: &memory.applied,
            forbidden: &found.staged.forbidden,
            fields: &found.staged.fields,
            incomplete: incomplete.as_deref(),
            approved,
            granted: &memory.granted,
            ..PlanInput::new(&account.scope, &found.staged.resources, &found.reading.snapshot, drivers)
        };
        plan(&input)
    };
    let first = make(&|_| false);
    if first.held.is_empty() {
        return Ok(first);
    }
    let approvals = kept.context.store.approvals().await.map_err(|failure| failure.to_string())?;
    let approved =
        |digest: &str| approvals.iter().any(|approval| is_for(kept, approval) && approval.digest == digest);
    Ok(if approved(&first.held) { make(&approved) } else { first })
}

/// Whether an approval is one of this cluster's: it names no application.
pub(super) fn is_for(kept: &Kept, approval: &Approval) -> bool {
    approval.application.is_empty() && *approval.destination == *kept.name
}

/// What controllers made, and only they take away: while it is there nothing of the cluster goes, for without the cluster
/// nobody would take it away, and its network could not go.
fn kept_by_leftovers(found: &Found) -> Option<String> {
    if let Some(words) = &found.leftovers_unknown {
        return Some(format!(
            "it is not known what load balancers and volumes controllers made for it: {words}"
        ));
    }
    let named: Vec<String> = found
        .leftovers
        .iter()
        .filter(|leftover| leftover.delete.is_some())
        .map(|leftover| format!("{} {} ({})", leftover.what, leftover.known_as, leftover.id))
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "controllers in the cluster made what would outlive it: {}; delete the Services, Ingresses and claims they were \
             made for, or delete them in AWS",
            named.join(", ")
        )
    })
}
