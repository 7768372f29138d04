//! From what was seen to a plan. What costs calls is asked for only when the plan that was made without waits for it.

use super::access;
use super::aws::Accounts;
use super::images::looked_at;
use super::kept::{Mover, Wanted};
use super::kops::Kops;
use super::names::looked_up;
use super::packing::{Packed, packed};
use super::sights::{Reads, Side};
use crate::migrate::own::Index;
use crate::migrate::proof::{Answers, Key};
use crate::migrate::stages::seam::Guarding;
use crate::migrate::stages::{
    Addresses, Found, Inquiry, Known, Look, Plan, Sight, images, names, plan, reads, verify,
};
use crate::migrate::verdict::Verdict;
use crate::model::cluster_config::ClusterConfig;
use crate::model::migration::{Gate, Stage};
use crate::model::migration_journal::{Journal, WHOLE};
use crate::ports::{ApiFailure, Approval};
use std::collections::BTreeMap;

/// What a plan is made from.
pub(super) struct Considering<'a> {
    pub mover: &'a Mover,
    pub wanted: &'a Wanted,
    pub journal: &'a Journal,
    pub source: (&'a Side<'a>, &'a Sight),
    pub target: Option<(&'a Side<'a>, &'a Sight)>,
    pub provision: Option<Gate>,
    pub target_name: &'a str,
    pub unmade: Option<String>,
    pub kops: Option<&'a Kops>,
}

/// A plan, and what AWS answered for it.
pub(super) struct Considered {
    pub plan: Plan,
    pub reads: Reads,
}

/// What was asked for since the first plan.
#[derive(Default)]
struct More {
    reads: Reads,
    /// What names that bridges lead to lead to.
    names: Addresses,
    /// The config of the target, where it is planned and a source to pack is known.
    planned: Option<ClusterConfig>,
    places: Option<Result<Packed, String>>,
    images: Option<Vec<Verdict>>,
    guard: Option<Result<Guarding, String>>,
    answers: Option<(Answers, Answers)>,
}

/// What stays the same over the plans of a pass.
struct Seen<'a> {
    of: &'a Considering<'a>,
    index: &'a Index,
    applications: BTreeMap<String, Vec<String>>,
    key: Key,
    approved: &'a (dyn Fn(&str) -> bool + Sync),
    now: i64,
    /// Whether registries are asked for images.
    asks_images: bool,
}

impl Seen<'_> {
    fn look<'l>(&'l self, more: &'l More) -> Look<'l> {
        let of = self.of;
        Look {
            name: &of.mover.name,
            spec: &of.wanted.spec,
            journal: of.journal,
            source: of.source.1,
            target: of.target.map(|(_, sight)| sight),
            provision: of.provision.clone(),
            unmade: of.unmade.as_deref(),
            target_name: of.target_name,
            index: self.index,
            applications: &self.applications,
            answers: more.answers.as_ref(),
            reads: &more.reads,
            names: &more.names,
            places: match (&more.planned, &more.places) {
                (None, _) => Inquiry::Unknown,
                (Some(_), None) => Inquiry::Due,
                (Some(_), Some(Ok(packed))) => Inquiry::Told(&packed.verdicts),
                (Some(_), Some(Err(words))) => Inquiry::Unread(words),
            },
            images: match &more.images {
                None if self.asks_images => Inquiry::Due,
                None => Inquiry::Unknown,
                Some(verdicts) => Inquiry::Told(verdicts),
            },
            guard: more.guard.as_ref().map(|guard| guard.as_ref().map_err(Clone::clone)),
            key: &self.key,
            approved: self.approved,
            now: self.now,
        }
    }
}

/// Plans; asks AWS, and who may do what, only when something waits for them.
pub(super) async fn consider(of: Considering<'_>) -> Result<Considered, String> {
    let (mover, wanted) = (of.mover, of.wanted);
    let none = Index::default();
    let approvals = mover.context.store.approvals().await.map_err(|failure| failure.to_string())?;
    let approved =
        |digest: &str| approvals.iter().any(|approval| is_for(mover, approval) && approval.digest == digest);
    let seen = Seen {
        of: &of,
        index: of.kops.map_or(&none, |kops| &kops.index),
        applications: mover.context.sides.applications(&wanted.spec),
        key: Key::new(mover.context.salt),
        approved: &approved,
        now: mover.context.clock.now().as_second(),
        asks_images: wanted.spec.checks.images && mover.context.sides.images().is_some(),
    };
    let accounts = Accounts::of(mover, wanted);
    let mut more = More::default();
    if of.kops.is_some() {
        more.planned = mover.context.sides.planned(&wanted.spec);
    }
    let found = Found::of(&seen.look(&more));
    let named = names(&Known { look: &seen.look(&more), found: &found });
    more.names = looked_up(mover, named).await;
    let planned = |more: &More| plan(&Known { look: &seen.look(more), found: &found });
    let mut made = planned(&more);
    if stands_at(&made, Stage::Preflight) {
        if let (Some(kops), Some(config)) = (of.kops, &more.planned) {
            let ported = (found.classes.values().cloned().collect(), found.context.clone());
            more.places = Some(packed(mover, wanted, kops, config, of.source.1, ported).await);
        }
        if seen.asks_images {
            let groups = match &more.places {
                Some(Ok(packed)) => packed.groups.as_slice(),
                _ => &[],
            };
            let named = images(&Known { look: &seen.look(&more), found: &found }, groups);
            more.images = Some(looked_at(mover, wanted, &named, of.source.1).await);
        }
        made = planned(&more);
    }
    let asked = reads(&Known { look: &seen.look(&more), found: &found }, &made);
    if !asked.is_empty() {
        more.reads = accounts.read(&asked).await?;
        made = planned(&more);
    }
    if made.parts.get(WHOLE).is_some_and(|whole| whole.position.stage == Stage::Decommission)
        && wanted.spec.source.kops.is_some()
    {
        more.guard = Some(accounts.guarding(of.kops, of.target_name).await);
        made = planned(&more);
    }
    let verifies = made.parts.values().any(|part| {
        part.position.stage == Stage::Verify && !part.position.complete && part.outcome.steps.is_empty()
    });
    if let (true, Some((target, _))) = (verifies, of.target) {
        let (there, here) = verify::asked(&Known { look: &seen.look(&more), found: &found });
        let failed = |failure: ApiFailure| format!("who may do what is not answered: {failure}");
        let at_once = mover.context.pace.at_once;
        let before: Answers = access::ask(of.source.0.cluster, &there, at_once).await.map_err(failed)?;
        let after: Answers = access::ask(target.cluster, &here, at_once).await.map_err(failed)?;
        more.answers = Some((before, after));
        made = planned(&more);
        // A wave that is proven goes on to its hand-over: what that needs is asked for in the next pass.
    }
    Ok(Considered { plan: made, reads: more.reads })
}

/// Whether the move as a whole is under way at a stage.
fn stands_at(plan: &Plan, stage: Stage) -> bool {
    plan.parts.get(WHOLE).is_some_and(|whole| whole.position.stage == stage && !whole.position.complete)
}

/// Whether an approval is one of this migration's: it names no application.
pub(super) fn is_for(mover: &Mover, approval: &Approval) -> bool {
    approval.application.is_empty() && *approval.destination == *mover.name
}
