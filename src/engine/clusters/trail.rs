//! Who changed what in AWS, filled in later: the audit log lags, so it is asked again with growing pauses, for little.
//!
//! Drift is told, and mended, without waiting for this. What is found is told as an event of its own and kept with the
//! record's drift while that lasts.

use super::kept::{Kept, Wanted};
use crate::model::event::{FieldDrift, What};
use crate::model::trail::{Change, Lookup};
use crate::ports::DriftedField;
use crate::provision::CloudPlan;
use crate::provision::resource::{Key, Snapshot};
use crate::provision::trail::{Named, culprit};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// When the log is asked after a drift was found, in seconds: events are told after about five minutes, now and then
/// after fifteen. (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html>)
const ASKED_AFTER: [i64; 5] = [60, 240, 600, 1_200, 2_400];
/// More tries than there are: nothing is left to ask for.
const DONE: usize = ASKED_AFTER.len() + 1;
/// How far back a change may lie before its drift was found: a daemon may have been away.
const BACK: SignedDuration = SignedDuration::from_hours(24);
/// Most resources that wait for an answer; a drift of everything at once is somebody's script, and one name suffices.
const MOST: usize = 50;

/// What waits for the log's answer, and what it answered.
#[derive(Clone, Debug, Default)]
pub struct Trails {
    waiting: BTreeMap<Key, Waiting>,
    /// Who and when, by resource and field.
    known: BTreeMap<(String, String), (String, String)>,
}

#[derive(Clone, Debug)]
struct Waiting {
    named: Named,
    /// As they were found.
    drift: Vec<FieldDrift>,
    /// Those of them of which nobody is known yet.
    fields: Vec<FieldDrift>,
    found: Timestamp,
    /// How often the log was asked. What was asked for often enough stays here as long as it is drifted: it is not asked
    /// for again.
    tries: usize,
}

impl Waiting {
    fn due(&self) -> Option<Timestamp> {
        let after = ASKED_AFTER.get(self.tries)?;
        self.found.checked_add(SignedDuration::from_secs(*after)).ok()
    }
}

impl Trails {
    /// Notes what drifted. The same drift is noted once.
    pub fn note(&mut self, named: Named, fields: Vec<FieldDrift>, now: Timestamp) {
        let resource = named.key.to_string();
        let is_known = |field: &FieldDrift| self.known.contains_key(&(resource.clone(), field.path.clone()));
        let waits = self.waiting.get(&named.key).is_some_and(|waiting| waiting.drift == fields);
        if waits || self.waiting.len() >= MOST || (!fields.is_empty() && fields.iter().all(is_known)) {
            return;
        }
        self.waiting.insert(
            named.key.clone(),
            Waiting { named, drift: fields.clone(), fields, found: now, tries: 0 },
        );
    }

    /// What was answered of a drift that is over is forgotten: when it comes again, somebody did it again. What waits
    /// goes on waiting.
    pub fn retain(&mut self, drifted: &BTreeSet<Key>) {
        self.waiting.retain(|key, waiting| waiting.due().is_some() || drifted.contains(key));
        let drifted: BTreeSet<String> = drifted.iter().map(Key::to_string).collect();
        self.known.retain(|(resource, _), _| drifted.contains(resource));
    }

    /// The questions that are due, each counted as a try.
    pub fn due(&mut self, now: Timestamp) -> BTreeSet<Lookup> {
        let mut asked = BTreeSet::new();
        for waiting in self.waiting.values_mut() {
            if waiting.due().is_some_and(|due| due <= now) {
                waiting.tries += 1;
                asked.extend(waiting.lookup());
            }
        }
        asked
    }

    /// When the next question is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.values().filter_map(Waiting::due).min()
    }

    /// Matches what the log told; gives what is known now, by resource. What was asked for often enough is given up.
    pub fn answered(&mut self, changes: &[Change]) -> Vec<(String, Vec<FieldDrift>)> {
        let mut traced = Vec::new();
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.tries <= ASKED_AFTER.len()) {
            let resource = waiting.named.key.to_string();
            let whole = waiting.fields.is_empty();
            let paths = if whole { vec![None] } else { waiting.fields.iter().map(Some).collect() };
            let (mut named, mut left) = (Vec::new(), Vec::new());
            for field in paths {
                let path = field.map(|field| field.path.as_str()).unwrap_or_default();
                let asked = if path == "/" { "" } else { path };
                match culprit(&waiting.named, asked, changes) {
                    Some(change) => {
                        let told = (change.who.clone(), change.time.clone());
                        self.known.insert((resource.clone(), path.to_owned()), told.clone());
                        let gone = || FieldDrift {
                            path: "/".into(),
                            declared: "there".into(),
                            live: "(none)".into(),
                            manager: None,
                            time: None,
                        };
                        let field = field.cloned().unwrap_or_else(gone);
                        named.push(FieldDrift { manager: Some(told.0), time: Some(told.1), ..field });
                    }
                    None => left.extend(field.cloned()),
                }
            }
            if !named.is_empty() {
                waiting.fields = left;
                if waiting.fields.is_empty() {
                    waiting.tries = DONE;
                }
                traced.push((resource, named));
            }
        }
        traced
    }

    /// Fills in who and when, where it is known.
    pub fn fill(&self, drift: &mut [DriftedField]) {
        for field in drift {
            if let Some((who, when)) = self.known.get(&(field.resource.clone(), field.field.clone())) {
                (field.by, field.at) = (Some(who.clone()), Some(when.clone()));
            }
        }
    }
}

impl Waiting {
    fn lookup(&self) -> Option<Lookup> {
        let since = self.found.checked_sub(BACK).ok()?;
        self.named.lookup(&since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

/// Notes what a plan found drifted. `seen` is what was found now and before: what went is only in the older one.
pub(super) fn note(
    kept: &Kept,
    plan: &CloudPlan,
    seen: [Option<&Snapshot>; 2],
    drifted: &[(Key, Vec<FieldDrift>)],
) {
    let now = kept.context.clock.now();
    let mut state = kept.state();
    let keys: BTreeSet<Key> = drifted.iter().map(|(key, _)| key.clone()).collect();
    state.trails.retain(&keys);
    for (key, fields) in drifted {
        let live = seen.into_iter().flatten().find_map(|snapshot| snapshot.live.get(key));
        state.trails.note(Named::of(&plan.scope, key, live), fields.clone(), now);
    }
}

/// Asks the log where that is due, tells what it knows, and fills it in where the record tells of the drift. A log that does
/// not answer is no problem of the cluster's.
pub(super) async fn ask(kept: &Kept, wanted: &Wanted) {
    let due = kept.state().trails.due(kept.context.clock.now());
    if due.is_empty() {
        return;
    }
    let Ok(Some(trail)) = kept.context.clouds.trail(&wanted.access).await else { return };
    let mut changes = Vec::new();
    for lookup in due {
        match trail.changes(&lookup).await {
            Ok(found) => changes.extend(found),
            Err(failure) if kept.is_news(format!("trail {}", failure.code)) => {
                let message = format!("who changed what is not known: {failure}");
                kept.emit(What::Warned { origin: "CloudTrail".into(), message });
            }
            Err(_) => {}
        }
    }
    let traced = kept.state().trails.answered(&changes);
    if traced.is_empty() {
        return;
    }
    let mut record = kept.record();
    kept.state().trails.fill(&mut record.drift);
    // What cannot be stored now is stored with the next pass.
    let _ = kept.put(record).await;
    for (resource, fields) in traced {
        kept.emit(What::ResourceTraced { resource, fields });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::resource::{Kind, Scope};
    use serde_json::json;

    const BEGIN: Timestamp = Timestamp::UNIX_EPOCH;

    fn after(seconds: i64) -> Timestamp {
        BEGIN.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn named() -> Named {
        let scope = Scope {
            cluster: "shop".into(),
            region: "eu-central-1".into(),
            partition: "aws".into(),
            account: "1".into(),
        };
        Named::of(&scope, &Key::new(Kind::Nodegroup, "ng-1"), None)
    }

    fn field(path: &str) -> FieldDrift {
        FieldDrift { path: path.into(), declared: "3".into(), live: "5".into(), manager: None, time: None }
    }

    fn resized() -> Change {
        Change {
            id: "1".into(),
            name: "UpdateNodegroupConfig".into(),
            source: "eks.amazonaws.com".into(),
            time: "1970-01-01T00:00:00Z".into(),
            who: "arn:aws:iam::1:user/ann".into(),
            agent: "console".into(),
            request: json!({"clusterName": "shop", "nodegroupName": "ng-1", "scalingConfig": {"desiredSize": 5}}),
            response: json!(null),
            error: None,
        }
    }

    #[test]
    fn the_log_is_asked_with_growing_pauses_until_it_tells_and_then_no_more() {
        let mut trails = Trails::default();
        let drift = vec![field("/scalingConfig/desiredSize")];
        trails.note(named(), drift.clone(), BEGIN);
        assert!(trails.due(after(59)).is_empty(), "it lags");
        assert_eq!(trails.due(after(61)).len(), 1);
        assert!(trails.answered(&[]).is_empty());
        assert!(trails.due(after(120)).is_empty(), "not again at once");
        trails.note(named(), drift.clone(), after(130));
        assert_eq!(trails.due(after(241)).len(), 1);
        let traced = trails.answered(&[resized()]);
        assert_eq!(traced[0].0, "Nodegroup/ng-1");
        assert_eq!(traced[0].1[0].manager.as_deref(), Some("arn:aws:iam::1:user/ann"));
        trails.note(named(), drift, after(300));
        assert!(trails.due(after(90_000)).is_empty(), "it is known");
        let mut shown = [DriftedField {
            resource: "Nodegroup/ng-1".into(),
            field: "/scalingConfig/desiredSize".into(),
            declared: "3".into(),
            live: "5".into(),
            by: None,
            at: None,
        }];
        trails.fill(&mut shown);
        assert_eq!(shown[0].by.as_deref(), Some("arn:aws:iam::1:user/ann"));
    }

    #[test]
    fn what_is_never_told_is_given_up_and_what_is_over_is_forgotten() {
        let mut trails = Trails::default();
        trails.note(named(), vec![field("/x")], BEGIN);
        let asked: usize = (0..100)
            .map(|minute| {
                let due = trails.due(after(minute * 60)).len();
                trails.answered(&[]);
                due
            })
            .sum();
        assert_eq!(asked, ASKED_AFTER.len());
        trails.note(named(), vec![field("/x")], after(9_000));
        assert!(trails.due(after(90_000)).is_empty(), "nor when it is found again");
        trails.retain(&BTreeSet::new());
        assert!(trails.waiting.is_empty());
        trails.note(named(), vec![field("/scalingConfig")], BEGIN);
        trails.due(after(61));
        assert_eq!(trails.answered(&[resized()]).len(), 1);
        assert_eq!(trails.known.len(), 1);
        trails.retain(&BTreeSet::new());
        assert!(trails.known.is_empty(), "when it drifts again somebody did it again");
    }
}
