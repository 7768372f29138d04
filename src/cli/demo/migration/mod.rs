//! The demo's second story: a kops cluster moves to EKS, half way back, and then for good.

mod back;
mod end;
mod over;

use crate::cli::Context;
use crate::cli::rehearsal::records::{self, Leading};
use crate::cli::rehearsal::{
    End, Kubectl, Moving, Plot, Seen, Snapshot, Surprise, Told, World, blockers, chapter, equal, expect,
    pods, ready,
};
use crate::failure::Failure;
use crate::local::kops::WORKLOADS;
use crate::migrate::dump::Inventory;
use crate::migrate::overview::{Overview, overview};
use crate::migrate::proof::Proof;
use crate::model::cloud::{Call, Service};
use crate::model::migration::Stage;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Where the demo's cluster lies.
const REGION: &str = "eu-central-1";
/// Namespaces of its users.
const NAMESPACES: [&str; 4] = ["loyalty", "payments", "platform", "shop"];

/// Volumes of their StatefulSets.
const VOLUMES: usize = 3;
/// A record that somebody wrote by hand, and for how many seconds resolvers keep it.
const BY_HAND: (&str, u64) = ("app.shop.example.com", 20);

/// What the chapters hand on to each other.
struct Plotting<'a> {
    world: &'a World,
    namespaces: BTreeSet<String>,
    /// Records that lead to the old cluster's load balancers.
    records: Vec<Leading>,
    /// Choices that people record, as the assessment asks for them.
    choices: BTreeMap<String, String>,
    moving: Option<Moving>,
    overview: Overview,
    /// Both sides, and AWS, before anything moved.
    source_before: Snapshot,
    target_before: Snapshot,
    counts_before: BTreeMap<String, u64>,
    records_before: BTreeSet<String>,
    /// The commit before the move began.
    provisioned: String,
    first_proof: (usize, usize),
    proofs: BTreeMap<String, Proof>,
}

/// Sets the scene.
pub(super) async fn world() -> Result<World, Failure> {
    World::set(Plot { specification: None, region: REGION.into() }).await
}

/// Tells the story. It ends with the first chapter that does not hold: the next ones build on it.
pub(super) async fn tell(context: &Context, world: &World) -> End {
    let mut plotting = Plotting {
        world,
        namespaces: NAMESPACES.map(str::to_owned).into(),
        choices: BTreeMap::new(),
        moving: None,
        overview: Overview::default(),
        source_before: Snapshot::default(),
        target_before: Snapshot::default(),
        counts_before: BTreeMap::new(),
        records: Vec::new(),
        records_before: BTreeSet::new(),
        provisioned: String::new(),
        first_proof: (0, 0),
        proofs: BTreeMap::new(),
    };
    let chapters = plotting.chapters(context).await;
    let chronicle = world.daemon.chronicle();
    let mut surprises = Surprise::assessed(&plotting.overview);
    if let Some(moving) = &plotting.moving {
        surprises.extend(Surprise::met(chronicle, &moving.name));
    }
    End { chapters, proofs: plotting.proofs, stages: chronicle.stays(0), surprises }
}

impl Plotting<'_> {
    async fn chapters(&mut self, context: &Context) -> Vec<Told> {
        let mut story = Vec::new();
        macro_rules! tell {
            ($title:literal, $chapter:ident) => {
                story.push(chapter(context, $title, self.$chapter()).await);
                if story.last().is_some_and(|told| !told.held) {
                    return story;
                }
            };
        }
        tell!("1. kops has made the old cluster, and two dozen workloads run in it", old);
        tell!("2. It is assessed; what becomes of it is merged as a pull request", assessed);
        tell!("3. A commit makes the EKS cluster in the old one's network", provisioned);
        tell!("4. A commit carries everything over; nothing runs there, and changes follow", synced);
        tell!("5. A commit proves object by object that what arrived equals what left", proven);
        tell!("6. A commit hands everything over: one writer at any time", handed_over);
        tell!("7. A commit shifts the traffic, share by share", shifted);
        tell!("8. A revert goes all the way back: the old cluster is as it was", reverted);
        tell!("9. A second run, to the end of the soak: the same proof", again);
        tell!("10. The last stage: what `kops delete cluster` would take is proven harmless", decommissioned);
        story
    }

    fn moving(&self) -> Result<&Moving, String> {
        self.moving.as_ref().ok_or_else(|| "nothing has been proposed".into())
    }

    async fn old(&mut self) -> Seen {
        let world = self.world;
        let old = world.old();
        world.make_roles(&["shop-checkout", "shop-images", "shop-payments"]).await?;
        crate::local::kops::Example::apply(
            world.source.control_plane(),
            &mut crate::cli::local::show_progress,
        )
        .await
        .map_err(|error| error.to_string())?;
        crate::cli::output::end_progress();
        let nodes = old.list("nodes").await?;
        let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
        for node in &nodes {
            let group = node["metadata"]["labels"]["kops.k8s.io/instancegroup"].as_str().unwrap_or("?");
            *groups.entry(group).or_default() += 1;
        }
        expect(groups.len() == 3, || format!("3 instance groups should have nodes, there are {groups:?}"))?;
        let spot = nodes
            .iter()
            .filter(|node| node["metadata"]["labels"]["node-role.kubernetes.io/spot-worker"] == "true");
        expect(Some(spot.count()) == groups.get("batch").copied(), || {
            "the nodes of batch should be spot instances".into()
        })?;
        let workloads = ready(&old, &self.namespaces).await?;
        let limit = Duration::from_secs(120);
        world.source.in_order(limit).await.map_err(|error| error.to_string())?;
        expect(workloads.0.len() == WORKLOADS, || {
            format!("{WORKLOADS} workloads should be there, kubectl sees {}", workloads.0.len())
        })?;
        let removed = ["batch/v1beta1", "policy/v1beta1", "autoscaling/v2beta2"];
        let served = old.run(&["api-versions"]).await?;
        expect(removed.iter().all(|version| served.lines().any(|line| line == *version)), || {
            format!("the old cluster should serve {}", removed.join(", "))
        })?;
        let told: Vec<String> = groups.iter().map(|(group, nodes)| format!("{group} ({nodes})")).collect();
        let kops = world.source.kops();
        let version = &world.source.control_plane().instance().version;
        let addons = world.source.state().channel.as_ref().map_or(0, |channel| channel.addons.len());
        let volumes = over::volumes(&old).await?.len();
        expect(volumes == VOLUMES, || format!("{VOLUMES} volumes should be there, kubectl sees {volumes}"))?;
        let policies = old.list("podsecuritypolicies").await?.len();
        expect(policies > 0, || "there should be a PodSecurityPolicy".into())?;
        let roles = self.kube2iam(&old).await?;
        expect(roles > 0, || "pods should get roles by kube2iam".into())?;
        self.records = records::by_hand(world, BY_HAND.0, BY_HAND.1).await?;
        let names: Vec<String> =
            self.records.iter().map(|record| format!("{} ({})", record.name, record.kind)).collect();
        Ok(vec![
            format!(
                "kops {} wrote {} and made {} in {}",
                kops.release().version,
                kops.state_store(),
                world.source.cluster(),
                REGION
            ),
            format!("Kubernetes {version}: instance groups {}, {addons} add-ons of kops", told.join(", ")),
            format!(
                "{} workloads, {} pods ready, APIs that are gone since: {}",
                workloads.0.len(),
                workloads.0.values().map(|(ready, _)| ready).sum::<i64>(),
                removed.join(", ")
            ),
            format!(
                "{volumes} EBS volumes of StatefulSets, a PodSecurityPolicy, {roles} workloads with roles by kube2iam"
            ),
            format!("a classic load balancer of a Service, to which {} lead", names.join(" and ")),
        ])
    }

    /// Workloads whose pods ask kube2iam for a role, where its DaemonSet is there.
    async fn kube2iam(&self, cluster: &Kubectl) -> Result<usize, String> {
        if cluster.object("platform", "daemonset", "kube2iam").await?.is_none() {
            return Ok(0);
        }
        let asks = |workload: &&Value| {
            workload.pointer("/spec/template/metadata/annotations/iam.amazonaws.com~1role").is_some()
        };
        Ok(cluster.list("deployments,statefulsets").await?.iter().filter(asks).count())
    }

    async fn assessed(&mut self) -> Seen {
        let world = self.world;
        let inventory = world.inventory().await.map_err(|failure| failure.to_string())?;
        crate::cli::output::end_progress();
        let overview = overview(&inventory, None, &self.choices).map_err(|error| error.to_string())?;
        let blocked: Vec<String> = blockers(&overview)
            .iter()
            .map(|verdict| format!("{} {}: {}", verdict.subject, verdict.field, verdict.says))
            .collect();
        expect(blocked.is_empty(), || format!("Blockers: {}", blocked.join("; ")))?;
        let numbers = overview.numbers();
        let adjust = |migration: &mut Value| adjusted(migration, &self.records);
        let (moving, merged) = Moving::propose(world, &overview, &inventory, &self.choices, adjust).await?;
        self.namespaces.clone_from(&moving.namespaces);
        let reached = moving.reached(world, Stage::Inventory, &merged, false).await?;
        let told = told(&overview, &inventory);
        let words = vec![
            told,
            format!(
                "{} objects carried over, {} replaced, {} left behind with a reason each, {} nodes hold everything",
                numbers.classes.get("port").copied().unwrap_or_default(),
                numbers.classes.get("replace").copied().unwrap_or_default(),
                numbers.classes.get("drop").copied().unwrap_or_default(),
                numbers.nodes.unwrap_or_default(),
            ),
            format!(
                "merged as {merged}: ClusterConfig, Cluster, Migration of {} waves, the report as text, JSON and HTML",
                reached.record.parts.len() - 1
            ),
        ];
        (self.moving, self.overview) = (Some(moving), overview);
        Ok(words)
    }

    async fn provisioned(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let begun = Instant::now();
        let reached = moving.advance(world, Stage::Provision, false).await?;
        moving.provisioned(world).await?;
        let new = world.new_cluster(&moving.eks).await?;
        let nodes = new.list("nodes").await?;
        let version = new.run(&["version", "--output", "json"]).await?;
        let version: Value = serde_json::from_str(&version).unwrap_or_default();
        self.provisioned = reached.commit.clone();
        self.source_before = Snapshot::of(&world.old(), &self.namespaces).await?;
        self.target_before = Snapshot::of(&new, &self.namespaces).await?;
        self.counts_before = world.aws.counts().await.map_err(|error| error.to_string())?;
        self.records_before = records::shown(world).await?;
        Ok(vec![
            format!(
                "commit {}: EKS {} {} with {} nodes after {:.0} s",
                reached.commit,
                moving.eks,
                version["serverVersion"]["gitVersion"].as_str().unwrap_or("?"),
                nodes.len(),
                begun.elapsed().as_secs_f64()
            ),
            format!(
                "the source holds {} objects, the target {}: remembered, to compare after the way back",
                self.source_before.len(),
                self.target_before.len()
            ),
        ])
    }

    async fn synced(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let reached = moving.advance(world, Stage::Sync, false).await?;
        let new = world.new_cluster(&moving.eks).await?;
        let held = moving.on_target(world).await?.len() - self.target_before.len();
        let running = pods(&new, &self.namespaces).await?;
        expect(running == 0, || format!("nothing should run on the target yet, {running} pods do"))?;
        for (kind, version) in [("cronjobs/sitemap", "batch/v1"), ("poddisruptionbudgets/web", "policy/v1")] {
            let (kind, name) = kind.split_once('/').unwrap_or_default();
            let object =
                new.object("shop", kind, name).await?.ok_or(format!("{kind}/{name} is not there"))?;
            expect(object["apiVersion"] == version, || format!("{kind}/{name} is {}", object["apiVersion"]))?;
        }
        let replaced = self.kube2iam(&new).await?;
        expect(replaced == 0, || "kube2iam should have no place on EKS".into())?;
        let input = json!({"clusterName": moving.eks});
        let call = Call::new(Service::Eks, "ListPodIdentityAssociations", input);
        let answer = world.cloud().await?.call(&call).await.map_err(|failure| failure.to_string())?;
        let identities = answer["associations"].as_array().into_iter().flatten();
        let identities =
            identities.filter(|one| one["namespace"].as_str().is_some_and(|of| self.namespaces.contains(of)));
        let identities = identities.count();
        expect(identities > 0, || "pods should get their roles by pod identity".into())?;
        let begun = Instant::now();
        let patch = json!({"data": {"SALE": "today"}}).to_string();
        world.old().run(&["-n", "shop", "patch", "configmap", "settings", "--patch", &patch]).await?;
        follow(&new, "/data/SALE", Some("today")).await?;
        let followed = begun.elapsed();
        // Taken back on the source, so that it is as it was: that follows as well.
        let patch = json!({"data": {"SALE": null}}).to_string();
        world.old().run(&["-n", "shop", "patch", "configmap", "settings", "--patch", &patch]).await?;
        follow(&new, "/data/SALE", None).await?;
        Ok(vec![
            format!(
                "commit {}: {held} objects on the target, in versions that it serves, no pod",
                reached.commit
            ),
            format!(
                "kube2iam and the PodSecurityPolicy stay behind; {identities} pod identity associations give the roles"
            ),
            format!("a change of the source was there after {:.1} s", followed.as_secs_f64()),
        ])
    }

    async fn proven(&mut self) -> Seen {
        let (world, moving) = (self.world, self.moving()?.clone());
        let reached = moving.advance(world, Stage::Verify, false).await?;
        self.proofs = moving.proofs(world, &reached.record)?;
        self.first_proof = equal(&self.proofs);
        let (equal, expected) = self.first_proof;
        expect(equal == expected && expected > 0, || format!("{equal} of {expected} objects are equal"))?;
        let explained: usize = self.proofs.values().flat_map(|proof| proof.counts.explained.values()).sum();
        let facts: usize = self.proofs.values().map(|proof| proof.facts.len()).sum();
        Ok(vec![
            format!("commit {}: {equal} of {expected} objects equal", reached.commit),
            format!(
                "{explained} differences, each explained by a rule or a default of the server; {facts} facts the same"
            ),
        ])
    }
}

/// What people change in the Migration before they merge it.
fn adjusted(migration: &mut Value, leading: &[Leading]) {
    records::declare(migration, leading);
    // A day of watching is not for a demo.
    migration["spec"]["limits"] = json!({"soak": "2s"});
}

fn told(overview: &Overview, inventory: &Inventory) -> String {
    let counts: Vec<String> =
        overview.assessment.counts().iter().map(|(level, count)| format!("{count} {level}")).collect();
    format!(
        "{} objects and {} reads of AWS: {}",
        inventory.objects.len(),
        inventory.aws.reads.len(),
        counts.join(", ")
    )
}

/// Waits until the shop's settings on the target say something, or no longer do.
async fn follow(new: &Kubectl, pointer: &str, wanted: Option<&str>) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let settings = new.object("shop", "configmap", "settings").await?.unwrap_or_default();
        let seen = settings.pointer(pointer).and_then(Value::as_str);
        if seen == wanted {
            return Ok(());
        }
        expect(begun.elapsed() < Duration::from_secs(150), || {
            format!("a change of the source did not follow: {pointer} is {seen:?}")
        })?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
