//! The way back: one minor, within seven days of the upgrade, nodes and add-ons before the control plane, each with an
//! approval (EKS User Guide, "Roll back a cluster to a previous Kubernetes version").

use super::eks::Minor;
use super::eks::cluster::UPDATES;
use super::gates::{self, Keeper};
use super::plan::FieldRule;
use super::resource::{Key, Kind, State};
use super::upgrade::{Course, ROLLING, Scene, Staged, blocked, match_release, set, settle_addons, unset};
use super::wording;
use crate::model::plan::Verdict;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How long after an upgrade AWS takes it back. Counted from its start, for its end is not told: the last minutes of the
/// window are left out.
const WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Stages the way back to a lower version.
pub(super) fn stage(scene: &Scene<'_>, staged: &mut Staged) {
    let before = scene.current.previous();
    let key = scene.cluster.key.clone();
    set(staged, &key, "version", json!(before.to_string()));
    if let Some(words) = closed(scene) {
        // Everything else stays at the version that the control plane has.
        for group in staged.resources.iter_mut().filter(|each| each.key.kind == Kind::Nodegroup) {
            match_release(group, scene.current);
            unset(group, "version");
        }
        settle_addons(scene, staged, scene.current);
        staged.forbidden.retain(|forbidden, _| forbidden.kind != Kind::Addon);
        refuse(scene, staged, words);
        return;
    }
    let because = format!("back from {} to {before}", scene.current);
    let addons = settle_addons(scene, staged, before);
    let groups = node_groups(scene, staged, before);
    for key in &addons {
        let rule = held(&because, BTreeSet::new(), String::new());
        staged.fields.entry(key.clone()).or_default().insert("/addonVersion".into(), rule);
    }
    let mut reasons = Vec::new();
    if let Some(inside) = scene.facts.inside {
        reasons.extend(newer_nodes(inside, before));
        if !scene.force() {
            reasons.extend(gates::tight_budgets(&inside.tight_budgets));
            reasons
                .extend(gates::insights(scene.snapshot).filter(|_| addons.is_empty() && groups.is_empty()));
        }
    }
    let first: BTreeSet<Key> = addons.union(&groups).cloned().collect();
    let now = if !first.is_empty() {
        format!("{because}: {} before the control plane", wording::list(&first))
    } else if !reasons.is_empty() {
        reasons.join("; ")
    } else if scene.facts.inside.is_none() {
        "what runs in the cluster could not be read, so nobody knows whether it stands the older version"
            .to_owned()
    } else {
        format!("{because}: control plane")
    };
    let rule = if first.is_empty() && !reasons.is_empty() {
        blocked(now.clone())
    } else if first.is_empty() && scene.facts.inside.is_some() {
        held(&because, BTreeSet::new(), String::new())
    } else {
        held(&because, first, now.clone())
    };
    staged.fields.entry(key).or_default().insert("/version".into(), rule);
    staged.course = Some(Course { current: scene.current, target: scene.target, now, outlook: Vec::new() });
}

/// Why there is no way back.
fn closed(scene: &Scene<'_>) -> Option<String> {
    let (current, target) = (scene.current, scene.target);
    let before = current.previous();
    if target < before {
        return Some(format!(
            "EKS goes back by one minor only, from {current} to {before}; declare that, or {current}, which it is at"
        ));
    }
    let updates = scene.snapshot.facts.get(UPDATES).and_then(Value::as_array);
    let Some(updates) = updates else {
        return Some(format!(
            "whether {before} can still be gone back to is not known: EKS's list of updates was not read"
        ));
    };
    let upgrade = updates.iter().filter(|update| moved_to(update, current)).filter_map(started).max();
    let Some(upgrade) = upgrade else {
        return Some(format!(
            "EKS goes back only from an upgrade, and this cluster was not upgraded to {current} in place; declare {current}, \
             or make a new cluster beside this one"
        ));
    };
    let now = scene.facts.now.and_then(|now| now.parse::<Timestamp>().ok());
    let open = now.is_some_and(|now| now.duration_since(upgrade) < WINDOW);
    (!open).then(|| {
        format!(
            "the upgrade to {current} began on {upgrade}, and AWS takes it back within seven days only; declare {current}, \
             or make a new cluster of {before} beside this one"
        )
    })
}

fn moved_to(update: &Value, version: Minor) -> bool {
    let to =
        update["params"].as_array().into_iter().flatten().find(|param| param["type"] == json!("Version"));
    update["type"] == json!("VersionUpdate")
        && update["status"] == json!("Successful")
        && to.and_then(|param| Minor::parse(param["value"].as_str()?)) == Some(version)
}

fn started(update: &Value) -> Option<Timestamp> {
    match &update["createdAt"] {
        Value::String(text) => text.parse().ok(),
        number => Timestamp::from_second(number.as_f64()? as i64).ok(),
    }
}

/// Gives node groups the older version; returns those that are not at it.
fn node_groups(scene: &Scene<'_>, staged: &mut Staged, before: Minor) -> BTreeSet<Key> {
    let mut newer = BTreeSet::new();
    let mut previous: Option<Key> = None;
    let because = format!("back from {} to {before}", scene.current);
    for group in staged.resources.iter_mut().filter(|each| each.key.kind == Kind::Nodegroup && !each.existing)
    {
        match_release(group, before);
        let live = scene.snapshot.live.get(&group.key);
        let Some(live) = live.filter(|live| live.actual["amiType"] != json!("CUSTOM")) else {
            unset(group, "version");
            continue;
        };
        let has = live.actual["version"].as_str().and_then(Minor::parse);
        if has == Some(before) && live.state == State::Ready {
            group.desired["version"] = json!(before.to_string());
            continue;
        }
        group.desired["version"] = json!(before.to_string());
        newer.insert(group.key.clone());
        let waits: BTreeSet<Key> = previous.iter().cloned().collect();
        let words =
            if waits.is_empty() { String::new() } else { format!("goes after {}", wording::list(&waits)) };
        let rule = held(&because, waits, words);
        let rules = ROLLING.iter().map(|field| ((*field).to_owned(), rule.clone()));
        staged.fields.entry(group.key.clone()).or_default().extend(rules);
        previous = Some(group.key.clone());
    }
    newer
}

/// Nodes that EKS does not take back by itself and that would be newer than the control plane.
fn newer_nodes(inside: &gates::InCluster, before: Minor) -> Option<String> {
    let newer = |keeper: fn(&Keeper) -> bool| -> Vec<&str> {
        let mut nodes: Vec<&str> = inside
            .kubelets
            .iter()
            .filter(|kubelet| kubelet.version > before && keeper(&kubelet.keeper))
            .map(|kubelet| kubelet.node.as_str())
            .collect();
        nodes.sort_unstable();
        nodes
    };
    let fargate = newer(|keeper| matches!(keeper, Keeper::Fargate));
    let others = newer(|keeper| matches!(keeper, Keeper::AutoScalingGroup(_) | Keeper::Other));
    let fargate = (!fargate.is_empty()).then(|| {
        format!(
            "Fargate pods on {} would be newer than the control plane: delete them, and keep them away until it has gone back",
            fargate.join(", ")
        )
    });
    let others = (!others.is_empty()).then(|| {
        format!(
            "nodes {} would be newer than the control plane: replace them by nodes of {before}",
            others.join(", ")
        )
    });
    let all: Vec<String> = fargate.into_iter().chain(others).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn refuse(scene: &Scene<'_>, staged: &mut Staged, words: String) {
    let rules = staged.fields.entry(scene.cluster.key.clone()).or_default();
    rules.insert("/version".into(), blocked(words.clone()));
    staged.course =
        Some(Course { current: scene.current, target: scene.target, now: words, outlook: Vec::new() });
}

fn held(because: &str, waits_for: BTreeSet<Key>, waits: String) -> FieldRule {
    let words = format!("{because}; approve that");
    FieldRule { verdict: Verdict::Held(words), waits_for, waits }
}
