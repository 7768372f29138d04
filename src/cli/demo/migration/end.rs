//! For good: the second run, and what `kops delete cluster` would take in the end.

use super::over::volumes;
use super::{Plotting, Seen, equal, expect, ready, records};
use crate::model::cloud::{Call, Service};
use crate::model::migration::Stage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

impl Plotting<'_> {
    pub(super) async fn again(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let reached = moving.advance(world, Stage::Verify, false).await?;
        self.proofs = moving.proofs(world, &reached.record)?;
        let proof = equal(&self.proofs);
        expect(proof == self.first_proof, || {
            format!(
                "{} of {} objects equal, and {} of {} the first time",
                proof.0, proof.1, self.first_proof.0, self.first_proof.1
            )
        })?;
        let mut seen = vec![format!(
            "commit {}: {} of {} objects equal, as the first time",
            reached.commit, proof.0, proof.1
        )];
        for stage in [Stage::HandOver, Stage::Shift, Stage::Soak] {
            let reached = moving.advance(world, stage, true).await?;
            seen.push(format!("commit {}: {stage} complete", reached.commit));
        }
        let running = ready(&world.new_cluster(&moving.eks).await?, &self.namespaces).await?;
        seen.push(format!("{} workloads run on EKS", running.0.len()));
        Ok(seen)
    }

    pub(super) async fn decommissioned(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let reached = moving.advance(world, Stage::Decommission, true).await?;
        let new = world.new_cluster(&moving.eks).await?;
        ready(&new, &self.namespaces).await?;
        let preview = world.source.kops().delete_preview(world.source.cluster()).await;
        let taken: BTreeSet<_> =
            preview.map_err(|error| error.to_string())?.into_iter().map(anywhere).collect();
        let guarded = would_go(reached.record.parts.iter().flat_map(|part| &part.notes));
        let guarded: BTreeSet<_> = guarded.into_iter().map(anywhere).collect();
        let apart: Vec<_> = taken.symmetric_difference(&guarded).collect();
        expect(apart.is_empty(), || {
            format!("kops and the guard do not agree on what would be deleted: {apart:?}")
        })?;
        let used = self.used().await?;
        let lost: Vec<String> = taken
            .iter()
            .filter_map(|(kind, id)| used.get(id).map(|by| format!("{kind} {id}, used by {by}")))
            .collect();
        expect(lost.is_empty(), || format!("kops would take what EKS uses: {}", lost.join("; ")))?;
        let settled = records::settled(world, &new, &self.records).await?;
        expect(settled.len() == self.records.len(), || {
            format!("only {settled:?} lead to the load balancer of EKS alone")
        })?;
        let owners = records::owners(world).await?;
        expect(owners.iter().all(|owner| !owner.starts_with("kops-")), || {
            format!("records are still owned by the old cluster's external-dns: {owners:?}")
        })?;
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        taken.iter().for_each(|(kind, _)| *kinds.entry(kind).or_default() += 1);
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let uses: BTreeSet<&str> = used.values().map(String::as_str).collect();
        Ok(vec![
            format!("commit {}: approved {} times by digest", reached.commit, reached.approved.len()),
            format!("`kops delete cluster` would take {} things: {}", taken.len(), kinds.join(", ")),
            "the same list as the guard's, by type and id; it is not run".into(),
            format!(
                "none of the {} things that EKS uses is on it: {}",
                used.len(),
                uses.into_iter().collect::<Vec<_>>().join(", ")
            ),
            format!(
                "{} records lead to EKS alone, owned by {}",
                settled.len(),
                owners.into_iter().collect::<Vec<_>>().join(", ")
            ),
        ])
    }

    /// What EKS and what runs in it use in the account, as they say themselves: id to what uses it.
    async fn used(&self) -> Result<BTreeMap<String, String>, String> {
        let (world, moving) = (self.world, self.moving()?);
        let new = world.new_cluster(&moving.eks).await?;
        let mut used: BTreeMap<String, String> = BTreeMap::new();
        for (id, claim) in volumes(&new).await? {
            used.insert(id, format!("the volume of {claim}"));
        }
        for node in new.list("nodes").await? {
            let id = node["spec"]["providerID"]
                .as_str()
                .unwrap_or_default()
                .rsplit('/')
                .next()
                .unwrap_or_default();
            used.insert(id.to_owned(), "its nodes".into());
        }
        let call = Call::new(Service::Eks, "DescribeCluster", json!({"name": moving.eks}));
        let answer = world.cloud().await?.call(&call).await.map_err(|failure| failure.to_string())?;
        let network = &answer["cluster"]["resourcesVpcConfig"];
        for (member, what) in [("subnetIds", "its subnets"), ("securityGroupIds", "its security groups")] {
            let ids = network[member].as_array().into_iter().flatten().filter_map(Value::as_str);
            used.extend(ids.map(|id| (id.to_owned(), what.to_owned())));
        }
        for (member, what) in [("vpcId", "its network"), ("clusterSecurityGroupId", "its security groups")] {
            used.extend(network[member].as_str().map(|id| (id.to_owned(), what.to_owned())));
        }
        expect(used.len() > 6, || format!("EKS should use more than {used:?}"))?;
        Ok(used)
    }
}

/// A queue's URL begins with the address that one has asked at, and the two ask this machine's SQS at different ones.
fn anywhere((kind, id): (String, String)) -> (String, String) {
    match id.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
        Some((_, path)) if kind == "sqs" => (kind, path.to_owned()),
        _ => (kind, id),
    }
}

/// What the guard says that kops would take, by type and id.
fn would_go<'a>(notes: impl Iterator<Item = &'a String>) -> BTreeSet<(String, String)> {
    let going = notes.filter_map(|note| note.strip_prefix("would go: "));
    going
        .filter_map(|thing| thing.split_once(' '))
        .map(|(kind, id)| (kind.to_owned(), id.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_the_same_wherever_it_is_asked_for() {
        let queue = |url: &str| anywhere(("sqs".into(), url.into()));
        let (one, other) =
            ("http://127.0.0.1:4144/1234/nth", "https://sqs.eu-central-1.amazonaws.com/1234/nth");
        assert_eq!(queue(one), queue(other));
        assert_ne!(queue(one), queue("http://127.0.0.1:4144/1234/events"));
        assert_eq!(anywhere(("volume".into(), "vol-1".into())), ("volume".into(), "vol-1".into()));
    }

    #[test]
    fn the_guards_list_is_read_from_its_notes() {
        let notes = ["would go: volume vol-1".to_owned(), "vpc vpc-1 is spared, for EKS uses it".to_owned()];
        assert_eq!(would_go(notes.iter()), BTreeSet::from([("volume".to_owned(), "vol-1".to_owned())]));
    }
}
