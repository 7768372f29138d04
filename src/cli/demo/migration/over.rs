//! Over to EKS: workloads with their volumes, then the traffic.

use super::{Plotting, Seen, expect, pods, ready, records};
use crate::cli::rehearsal::{Kubectl, World};
use crate::model::cloud::{Call, Service};
use crate::model::migration::Stage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Where kops keeps its external-dns.
pub(super) const EXTERNAL_DNS: (&str, &str) = ("kube-system", "external-dns");

/// EBS volumes that a cluster's PersistentVolumes stand for: `vol-…` to the claim.
pub(super) async fn volumes(kubectl: &Kubectl) -> Result<BTreeMap<String, String>, String> {
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let pair = |volume: &Value| {
        let handle =
            text(volume, "/spec/csi/volumeHandle") + &text(volume, "/spec/awsElasticBlockStore/volumeID");
        let id = handle.rsplit('/').next().unwrap_or_default().to_owned();
        let claim =
            format!("{}/{}", text(volume, "/spec/claimRef/namespace"), text(volume, "/spec/claimRef/name"));
        (id, claim)
    };
    Ok(kubectl.list("persistentvolumes").await?.iter().map(pair).collect())
}

/// The instance that each volume is attached to; what is attached to none is left out.
pub(super) async fn holders(world: &World) -> Result<BTreeMap<String, String>, String> {
    let call = Call::new(Service::Ec2, "DescribeVolumes", json!({}));
    let answer = world.cloud().await?.call(&call).await.map_err(|failure| failure.to_string())?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = answer["volumeSet"].as_array().into_iter().flatten();
    Ok(all
        .filter_map(|one| {
            Some((text(&one["volumeId"]), text(one["attachmentSet"].get(0)?.get("instanceId")?)))
        })
        .collect())
}

impl Plotting<'_> {
    pub(super) async fn handed_over(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let reached = moving.advance(world, Stage::HandOver, false).await?;
        let left = pods(&world.old(), &self.namespaces).await?;
        expect(left == 0, || format!("nothing should run on the source any more, {left} pods do"))?;
        let running = ready(&world.new_cluster(&moving.eks).await?, &self.namespaces).await?;
        let refused = self.scaled_up_behind_the_fence().await?;
        let volumes = self.volumes_changed_hands().await?;
        Ok(vec![
            format!(
                "commit {}: no pod on the source, behind a fence; {} pods on the target",
                reached.commit,
                running.0.values().map(|(ready, _)| ready).sum::<i64>()
            ),
            volumes,
            refused,
        ])
    }

    /// A controller that does not know of the move, or a person, starts something on the source: no pod comes of it.
    async fn scaled_up_behind_the_fence(&self) -> Result<String, String> {
        let old = self.world.old();
        old.run(&["-n", "shop", "scale", "deployment", "web", "--replicas", "2"]).await?;
        let begun = Instant::now();
        loop {
            let left = pods(&old, &self.namespaces).await?;
            expect(left == 0, || format!("{left} pods run on the source behind the fence"))?;
            let web = old.object("shop", "deployment", "web").await?.unwrap_or_default();
            if web["spec"]["replicas"] == 0 {
                return Ok("scaling up on the source is taken back and starts no pod".into());
            }
            let conditions = web["status"]["conditions"].as_array().into_iter().flatten();
            let mut messages = conditions
                .filter(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")
                .filter_map(|one| one["message"].as_str());
            if messages.any(|message| message.contains("exceeded quota")) {
                return Ok("scaling up on the source starts no pod: its quota refuses every one".into());
            }
            expect(begun.elapsed() < Duration::from_secs(60), || {
                "nobody refused the pods of web on the source".into()
            })?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The same disks as before, each attached to an instance of the other cluster.
    async fn volumes_changed_hands(&self) -> Result<String, String> {
        let (world, moving) = (self.world, self.moving()?);
        let new = world.new_cluster(&moving.eks).await?;
        let before = volumes(&world.old()).await?;
        let mut own: BTreeSet<String> = BTreeSet::new();
        for node in new.list("nodes").await? {
            let id = node["spec"]["providerID"].as_str().unwrap_or_default();
            own.insert(id.rsplit('/').next().unwrap_or_default().to_owned());
        }
        let begun = Instant::now();
        loop {
            let (after, holders) = (volumes(&new).await?, holders(world).await?);
            expect(after == before, || {
                format!("the target should have the volumes {before:?}, it has {after:?}")
            })?;
            let elsewhere: Vec<&String> =
                before.keys().filter(|id| !holders.get(*id).is_some_and(|at| own.contains(at))).collect();
            if elsewhere.is_empty() {
                let claims: Vec<&str> = before.values().map(String::as_str).collect();
                return Ok(format!(
                    "{} EBS volumes changed hands in place, a snapshot of each before: {}",
                    before.len(),
                    claims.join(", ")
                ));
            }
            // KWOK's pods are ready without their volumes; those come a moment later.
            expect(begun.elapsed() < Duration::from_secs(90), || {
                format!("not attached to an instance of the target: {elsewhere:?}")
            })?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub(super) async fn shifted(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let chronicle = world.daemon.chronicle();
        let moment = chronicle.now();
        let reached = moving.advance(world, Stage::Shift, false).await?;
        let weights = records::weights(world, &self.records).await?;
        let apart: Vec<&String> =
            weights.iter().filter(|(_, pair)| **pair != (0, 100)).map(|(name, _)| name).collect();
        expect(apart.is_empty(), || format!("not with all of the traffic on the target: {apart:?}"))?;
        let mut seen = vec![format!("commit {}: {} records lead to EKS", reached.commit, weights.len())];
        seen.extend(records::steps(chronicle, moment));
        let (namespace, name) = EXTERNAL_DNS;
        let paused = world.old().object(namespace, "deployment", name).await?.unwrap_or_default();
        expect(paused["spec"]["replicas"] == 0, || "external-dns of the source should stand still".into())?;
        seen.push("external-dns of the old cluster stands still, and owns its records still".into());
        Ok(seen)
    }
}
