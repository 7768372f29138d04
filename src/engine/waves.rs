//! The waves of a plan: executed in order, waited for where the next one relies on them, pruned in reverse.

use super::destination::lock;
use super::execute::{self, Failed, Outcome};
use super::hooks::PhaseEnd;
use super::pass::{Facts, Pass};
use super::prepare;
use super::prune;
use super::reconcile::PassEnd;
use super::records::Records;
use crate::model::event::What;
use crate::model::plan::{Action, Change, Plan, Verdict, Wave};
use crate::model::{GroupKind, Health, Object, ResourceId};
use crate::plan::Desired;
use crate::plan::adoption;
use crate::plan::hooks::Phase as HookPhase;
use crate::ports::state::Waiting;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait until a kind whose CRD is established is served.
const SERVE_LIMIT: Duration = Duration::from_secs(30);
/// Longest wait until what was deleted is gone, before what it stood on is deleted.
const GONE_LIMIT: Duration = Duration::from_secs(30);

/// Most objects whose manifests are kept in one piece before they are deleted: all of them are in memory until then.
const KEPT_TOGETHER: usize = 200;

/// How a wait ended.
enum Wait {
    Reached,
    Superseded,
    Overdue(String),
}

/// How one round of applying ended.
pub(crate) enum Round {
    /// Another round can do no more.
    Last,
    /// Another round can do more.
    Learned,
    /// A newer commit took over.
    Superseded,
    /// A hook of the phase Sync failed: what comes after it is not applied.
    HookFailed(String),
}

impl Pass<'_> {
    /// Executes the plan's waves, and the hooks of the phase Sync in theirs.
    pub async fn apply(&self, plan: &Plan, facts: &mut Facts, records: &Records) -> Round {
        lock(&self.progress).problems.clear();
        let generation = self.unit.generation.subscribe();
        let mut learned = false;
        // What the next sync wave or level waits for: all that was applied since the last one, of whatever kind.
        let mut group = Vec::new();
        let (mut changed, mut incomplete) = (false, false);
        for (index, wave) in plan.apply.iter().enumerate() {
            if generation.has_changed().unwrap_or(true) {
                return Round::Superseded;
            }
            let at = wave.order.sync_wave;
            // Of the hooks of this very wave none comes before its objects.
            if let Some(end) = self.hooks_before(at, records).await {
                return end;
            }
            let failed = self.execute_wave(wave, facts, &mut learned).await;
            incomplete |= !failed.is_empty();
            let next = plan.apply.get(index + 1);
            let crosses =
                next.is_some_and(|next| (next.order.sync_wave, next.order.level) != (at, wave.order.level));
            let is_last_of_wave = next.is_none_or(|next| next.order.sync_wave != at);
            group.extend(
                wave.changes
                    .iter()
                    .filter(|change| change.verdict == Verdict::Allowed && !failed.contains(&change.id))
                    .map(|change| change.id.clone()),
            );
            changed |= wave.changes.iter().any(|change| change.action != Action::Unchanged);
            // They start beside the wave's objects: a Deployment may well wait for the Job that prepares its database.
            if is_last_of_wave
                && !learned
                && let Some(end) = self.hooks_until(at, records).await
            {
                return end;
            }
            let hooks_follow = is_last_of_wave && self.hooks_after(at);
            // An earlier pass may have applied this wave and not seen it healthy: what comes after it waits all the same.
            let more = hooks_follow
                || plan.apply[index + 1..].iter().flat_map(|wave| &wave.changes).any(Change::is_actionable);
            if (wave.wait || hooks_follow) && (changed || (more && self.is_new())) {
                match self.wait_for(&group, Health::Healthy).await {
                    Wait::Reached => {}
                    Wait::Superseded => return Round::Superseded,
                    Wait::Overdue(words) => {
                        self.problem_transient("", words);
                        return if learned { Round::Learned } else { Round::Last };
                    }
                }
            }
            // A later wave relies on this one being complete; the rest of this one goes on.
            if crosses && (incomplete || learned) {
                break;
            }
            if crosses {
                group.clear();
                changed = false;
            }
        }
        if self.serves_new_kinds(plan).await {
            learned = true;
        }
        if learned {
            return Round::Learned;
        }
        self.hooks_until(i32::MAX, records).await.unwrap_or(Round::Last)
    }

    /// Runs the hooks of the phase Sync that come before a wave; gives how the round ends, when it does.
    async fn hooks_before(&self, wave: i32, records: &Records) -> Option<Round> {
        match wave.checked_sub(1) {
            Some(before) => self.hooks_until(before, records).await,
            None => None,
        }
    }

    /// Runs the hooks of the phase Sync up to a wave, unless something before them failed.
    async fn hooks_until(&self, wave: i32, records: &Records) -> Option<Round> {
        if self.failed() {
            return None;
        }
        match self.hooks_up_to(HookPhase::Sync, wave, records).await {
            PhaseEnd::Done => None,
            PhaseEnd::Superseded => Some(Round::Superseded),
            PhaseEnd::Failed(words) => Some(Round::HookFailed(words)),
        }
    }

    async fn execute_wave(&self, wave: &Wave, facts: &mut Facts, learned: &mut bool) -> BTreeSet<ResourceId> {
        let mut failed = BTreeSet::new();
        for change in &wave.changes {
            if let Verdict::Blocked(why) | Verdict::Deferred(why) = &change.verdict {
                self.problem(&change.id.to_string(), why.clone());
                failed.insert(change.id.clone());
            }
        }
        let actionable: Vec<&Change> = wave.changes.iter().filter(|change| change.is_actionable()).collect();
        let outcomes = futures::future::join_all(actionable.iter().map(|change| self.execute(change))).await;
        for (change, outcome) in actionable.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Done { warnings } => self.wrote(change, warnings),
                Outcome::Superseded | Outcome::Spared(_) => *learned = true,
                Outcome::Stranger(live) => {
                    let stranger = adoption::judge(&live, self.destination().parent.id(), self.adopt());
                    facts.strangers.insert(change.id.clone(), stranger);
                    *learned = true;
                }
                Outcome::Failed(Failed::Immutable(words)) if !facts.immutable.contains_key(&change.id) => {
                    facts.immutable.insert(change.id.clone(), words);
                    *learned = true;
                }
                Outcome::Failed(failure) => {
                    failed.insert(change.id.clone());
                    let message = failure.to_string();
                    if failure.is_transient() {
                        self.problem_transient(&change.id.to_string(), message.clone());
                    } else {
                        self.problem(&change.id.to_string(), message.clone());
                    }
                    let (action, id) = (change.action, change.id.clone());
                    self.destination().emit(&self.unit.name, What::ChangeFailed { action, id, message });
                }
            }
        }
        failed
    }

    async fn execute(&self, change: &Change) -> Outcome {
        let destination = self.destination();
        let Some(desired) = self.desired(&change.id) else { return Outcome::Superseded };
        if !destination.begin(&change.id) {
            return Outcome::Superseded;
        }
        match change.action {
            Action::Create => execute::create(destination, self.unit, desired).await,
            Action::Adopt => execute::adopt(destination, self.unit, desired).await,
            Action::Replace => {
                prune::replace(destination, self.unit, self.world.store(), change, desired, self.limit())
                    .await
            }
            _ => {
                let uid = change.precondition.uid.clone().unwrap_or_default();
                execute::update(destination, self.unit, desired, &uid, false).await
            }
        }
    }

    /// What is wanted of an object.
    pub fn desired(&self, id: &ResourceId) -> Option<&Arc<Desired>> {
        let at = self.prepared.desired.binary_search_by(|desired| desired.id.cmp(id)).ok()?;
        Some(&self.prepared.desired[at])
    }

    /// After CRDs were applied: asks what is served until their kinds are, so that the next round can use them.
    async fn serves_new_kinds(&self, plan: &Plan) -> bool {
        let defined: BTreeSet<GroupKind> =
            self.prepared.desired.iter().filter_map(|d| prepare::defines(d)).collect();
        let waiting: Vec<&Arc<Desired>> = plan
            .changes()
            .filter(|change| {
                matches!(change.verdict, Verdict::Deferred(_)) && defined.contains(&change.id.group_kind())
            })
            .filter_map(|change| self.desired(&change.id))
            .collect();
        if waiting.is_empty() {
            return false;
        }
        let destination = self.destination();
        let served = async {
            let mut pause = Duration::from_millis(50);
            loop {
                // There is no watch on discovery: it is asked again, with a growing pause.
                if let Ok(discovery) = destination.discover().await
                    && waiting.iter().all(|desired| discovery.kind(&desired.gvk).is_some())
                {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        };
        tokio::time::timeout(SERVE_LIMIT, served).await.is_ok() && self.watch().await.is_ok()
    }

    /// Waits until every object of the application is healthy.
    pub async fn wait_healthy(&self) -> Result<(), PassEnd> {
        let ids: Vec<ResourceId> = self.prepared.desired.iter().map(|desired| desired.id.clone()).collect();
        match self.wait_for(&ids, Health::Healthy).await {
            Wait::Reached => Ok(()),
            Wait::Superseded => Err(PassEnd::Superseded),
            Wait::Overdue(words) => {
                self.problem_transient("", words);
                Err(PassEnd::Retry)
            }
        }
    }

    /// Waits by the watches until objects are as healthy as asked (what is suspended on purpose counts), within the
    /// application's limit, or until a newer commit.
    async fn wait_for(&self, ids: &[ResourceId], health: Health) -> Wait {
        let mut status = self.unit.status.subscribe();
        let mut generation = self.unit.generation.subscribe();
        generation.borrow_and_update();
        // The commit may have come while the wave was being applied.
        if !self.unit.is_current(&self.prepared) {
            return Wait::Superseded;
        }
        if self.unready(ids, health).is_some() {
            // It may take long: people see what there is so far.
            self.unit.show(|_| {});
        }
        let ready = async {
            loop {
                status.borrow_and_update();
                if self.unready(ids, health).is_none() || status.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            reached = tokio::time::timeout(self.limit(), ready) => match (reached, self.unready(ids, health)) {
                (Ok(()), _) | (_, None) => Wait::Reached,
                (Err(_), Some((id, words))) => {
                    let why = self.destination().why(&id).await.map(|why| format!(": {why}")).unwrap_or_default();
                    Wait::Overdue(format!("not healthy within {}: {words}{why}", self.spec.application.sync.timeout))
                }
            },
            _ = generation.changed() => Wait::Superseded,
        }
    }

    /// The first object that is not as healthy as asked, and how it is.
    fn unready(&self, ids: &[ResourceId], health: Health) -> Option<(ResourceId, String)> {
        let ledger = self.destination().ledger();
        ids.iter().find_map(|id| {
            let entry = ledger.objects.get(id)?;
            let assessment = entry.health();
            let unfinished = entry.live.as_ref().is_some_and(|live| live.unfinished);
            let ready = assessment.health <= health.worst(Health::Suspended) && !unfinished;
            (!ready).then(|| (id.clone(), format!("{id} is {}: {}", assessment.health, assessment.message)))
        })
    }

    /// Deletes what is no longer declared, wave by wave, and settles what is held.
    pub async fn prune(&self, plan: &Plan) -> PassEnd {
        let mut generation = self.unit.generation.subscribe();
        self.hold(plan);
        for wave in &plan.prune {
            let actionable: Vec<&Change> =
                wave.changes.iter().filter(|change| change.is_actionable()).collect();
            let mut outcomes = Vec::new();
            for together in actionable.chunks(KEPT_TOGETHER) {
                let store = self.world.store();
                let mut judged = prune::keep_together(self.destination(), self.unit, store, together).await;
                let deletions = together.iter().map(|change| self.surplus(change, judged.remove(&change.id)));
                outcomes.extend(futures::future::join_all(deletions.collect::<Vec<_>>()).await);
            }
            let mut gone = Vec::new();
            for (change, outcome) in actionable.iter().zip(outcomes) {
                match outcome {
                    Outcome::Done { warnings } => {
                        self.wrote(change, warnings);
                        gone.push(change.id.clone());
                    }
                    Outcome::Spared(why) => {
                        let origin = change.id.to_string();
                        let message =
                            format!("not to be {}d: {why}", change.action.as_str().trim_end_matches('e'));
                        self.destination().emit(&self.unit.name, What::Warned { origin, message });
                    }
                    Outcome::Failed(failure) => {
                        let message = failure.to_string();
                        self.problem_transient(&change.id.to_string(), message.clone());
                        let (action, id) = (change.action, change.id.clone());
                        self.destination().emit(&self.unit.name, What::ChangeFailed { action, id, message });
                    }
                    Outcome::Stranger(_) | Outcome::Superseded => {
                        self.problem_transient(&change.id.to_string(), "it is being changed".into())
                    }
                }
            }
            // Custom resources go before their CRD does, or their finalizers would hang.
            for id in gone {
                let limit = self.limit().min(GONE_LIMIT);
                tokio::select! {
                    _ = prune::wait_gone(self.destination(), self.unit, &id, limit) => {}
                    _ = generation.changed() => return PassEnd::Superseded,
                }
            }
        }
        self.name_stuck().await;
        for change in plan.prune.iter().flat_map(|wave| &wave.changes) {
            if let Verdict::Blocked(why) | Verdict::Deferred(why) = &change.verdict
                && !why.starts_with("pruning is off")
            {
                self.problem_transient(&change.id.to_string(), format!("not pruned: {why}"));
            }
        }
        self.end()
    }

    /// Names what was deleted and does not go. It blocks nothing else.
    async fn name_stuck(&self) {
        let destination = self.destination();
        let facts = destination.ledger().facts(&self.unit.name, &self.prepared.desired);
        for (id, _) in
            facts.iter().filter(|(id, fact)| fact.ours && fact.terminating && self.desired(id).is_none())
        {
            let kind = destination.discovery().preferred(&id.group_kind()).cloned();
            let Some(kind) = kind else { continue };
            if let Ok(Some(live)) = execute::read(destination, &kind, id).await
                && live.is_terminating()
            {
                self.problem_transient(&id.to_string(), prune::stuck(&live));
            }
        }
    }

    async fn surplus(&self, change: &Change, judged: Option<Box<Object>>) -> Outcome {
        match change.action {
            Action::Orphan => prune::orphan(self.destination(), self.unit, change).await,
            _ => prune::delete(self.destination(), self.unit, self.world.store(), change, judged).await,
        }
    }

    fn hold(&self, plan: &Plan) {
        let held: Vec<&Change> =
            plan.changes().filter(|change| matches!(change.verdict, Verdict::Held(_))).collect();
        let Some(Verdict::Held(reason)) = held.first().map(|change| &change.verdict) else { return };
        let objects: Vec<String> = held.iter().map(|change| change.id.to_string()).collect();
        let waiting = Waiting { digest: plan.held.clone(), reason: reason.clone(), objects: objects.clone() };
        if self.unit.state().waiting.as_ref() != Some(&waiting) {
            let (digest, reason) = (waiting.digest.clone(), waiting.reason.clone());
            self.destination().emit(&self.unit.name, What::Held { digest, reason, objects });
        }
        lock(&self.progress).waiting = Some(waiting);
    }
}
