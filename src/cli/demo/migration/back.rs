//! All the way back: nothing is left of the move.

use super::over::EXTERNAL_DNS;
use super::{Plotting, Seen, Snapshot, expect, ready, records};
use crate::model::migration::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

impl Plotting<'_> {
    pub(super) async fn reverted(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        world.daemon.chronicle().ask();
        let commit = world
            .fleet
            .revert_to(&self.provisioned, "Revert the move: back to Provision")
            .map_err(|failure| failure.to_string())?;
        // What was written to volumes meanwhile is told, and taken back with an approval only.
        let moment = world.daemon.chronicle().now();
        let reached = moving.reached(world, Stage::Provision, &commit, true).await?;
        let old = world.old();
        ready(&old, &self.namespaces).await?;
        let limit = Duration::from_secs(120);
        world.source.in_order(limit).await.map_err(|error| error.to_string())?;
        let mut seen = vec![format!(
            "commit {commit} reverts four commits; that the target has written to the volumes is approved {}",
            if reached.approved.len() == 1 {
                "once".to_owned()
            } else {
                format!("{} times", reached.approved.len())
            }
        )];
        seen.extend(records::steps(world.daemon.chronicle(), moment));
        same("source", &self.source_before, &mut seen, || Snapshot::of(&old, &self.namespaces)).await?;
        let new = world.new_cluster(&moving.eks).await?;
        same("target", &self.target_before, &mut seen, || Snapshot::of(&new, &self.namespaces)).await?;
        let (namespace, name) = EXTERNAL_DNS;
        let again = old.object(namespace, "deployment", name).await?.unwrap_or_default();
        expect(again["spec"]["replicas"] == 1, || "external-dns of the source should run again".into())?;
        let records = records::shown(world).await?;
        let changed: Vec<&String> = records.symmetric_difference(&self.records_before).collect();
        expect(changed.is_empty(), || format!("records are not as they were: {changed:?}"))?;
        let begun = Instant::now();
        loop {
            let counts = world.aws.counts().await.map_err(|error| error.to_string())?;
            let changed = differing(&self.counts_before, &counts);
            if changed.is_empty() {
                break;
            }
            // Controllers take load balancers and volumes away in their own time.
            expect(begun.elapsed() < Duration::from_secs(90), || {
                format!("left in AWS: {}", changed.join(", "))
            })?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        seen.push("every record is as it was; nothing is left in AWS, the snapshots are gone too".into());
        Ok(seen)
    }
}

/// Waits until a cluster is as it was remembered; says so.
async fn same<F: Future<Output = Result<Snapshot, String>>>(
    side: &str,
    before: &Snapshot,
    seen: &mut Vec<String>,
    look: impl Fn() -> F,
) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let now = look().await?;
        let differences = before.differences(&now);
        if differences.is_empty() {
            seen.push(format!("the {side} holds the same {} objects as before", now.len()));
            return Ok(());
        }
        expect(begun.elapsed() < Duration::from_secs(90), || {
            let shown: Vec<&str> = differences.iter().take(10).map(String::as_str).collect();
            format!("the {side} is not as it was, in {} places: {}", differences.len(), shown.join(", "))
        })?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn differing(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let number = |of: &BTreeMap<String, u64>, name: &str| of.get(name).copied().unwrap_or_default();
    names
        .into_iter()
        .filter(|name| number(before, name) != number(after, name))
        .map(|name| format!("{name}: {} before, {} now", number(before, name), number(after, name)))
        .collect()
}
