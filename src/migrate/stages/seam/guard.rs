//! What stands against `kops delete cluster`, and what of it the target uses.

use super::super::sight::{Sight, is, name, namespace};
use super::Asked;
use super::volumes::of_target;
use crate::migrate::decommission::{
    AwsReads, Cluster, InUse, Refused, Spare, guard, list, member, sparing, text,
};
use crate::model::cloud::{Call, Service};
use crate::model::migration::{Effect, Gate, Outcome, Side, Stage, Step};
use crate::model::migration_journal::{Entry, UNDO};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The account of a kops cluster as a pass has read it.
#[derive(Clone, Debug, Default)]
pub struct Guarding {
    /// The cluster, as its state store has it.
    pub cluster: Option<Cluster>,
    /// The source's account.
    pub source: AwsReads,
    /// The target's account: the cluster in EKS, its node groups, its pod identities, load balancers.
    pub target: AwsReads,
}

/// What has still to be read. Asked again after each round, it ends in an empty list.
#[must_use]
pub fn guard_reads(guarding: &Guarding, target_name: &str) -> Vec<Asked> {
    let mut all = Vec::new();
    let wanted = guarding.cluster.iter().flat_map(|cluster| guarding.source.wanted(cluster));
    all.extend(wanted.filter_map(|wanted| {
        let call = Call::new(Service::named(&wanted.service)?, &wanted.operation, wanted.input);
        Some(Asked::of(Side::Source, call))
    }));
    let mut want = |service: Service, operation: &str, input: Value| {
        let reads = &guarding.target;
        let asked = reads.of(service.name(), operation).any(|read| read.input == input);
        if !asked {
            all.push(Asked::of(Side::Target, Call::new(service, operation, input)));
        }
    };
    for service in [Service::Elb, Service::ElbV2] {
        want(service, "DescribeLoadBalancers", json!({}));
    }
    if target_name.is_empty() {
        return all;
    }
    want(Service::Eks, "DescribeCluster", json!({"name": target_name}));
    for (lists, names, member, ask) in [
        ("ListNodegroups", "nodegroups", "nodegroupName", "DescribeNodegroup"),
        ("ListPodIdentityAssociations", "associations", "associationId", "DescribePodIdentityAssociation"),
    ] {
        let input = json!({"clusterName": target_name});
        want(Service::Eks, lists, input.clone());
        for one in guarding.target.items("eks", lists, &[names]) {
            if let Some(id) = one.as_str().or_else(|| text(one, member)) {
                let mut input = input.clone();
                input[member] = id.into();
                want(Service::Eks, ask, input);
            }
        }
    }
    all
}

impl Guarding {
    /// Takes an answer in; a single thing that is gone, or may not be looked at, is `null`.
    pub fn take(&mut self, asked: &Asked, answer: Value) {
        let reads = match asked.side {
            Side::Source => &mut self.source,
            Side::Target => &mut self.target,
        };
        let call = &asked.call;
        reads.push(call.service.name(), &call.operation, call.input.clone(), answer);
    }
}

/// What the target uses.
fn used(guarding: &Guarding, target: &Sight) -> InUse {
    let mut used = InUse::default();
    let mut put = |id: Option<&str>, by: &str| {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            used.ids.entry(id.to_owned()).or_insert_with(|| by.to_owned());
        }
    };
    // An ARN of a role is known by its name as well.
    fn role(arn: &str) -> Option<&str> {
        arn.split_once(":role/").map(|(_, path)| path.rsplit('/').next().unwrap_or(path))
    }
    for (volume, by) in of_target(&target.objects) {
        put(Some(&volume), &format!("PersistentVolume {by}"));
    }
    for object in &target.objects {
        let by = || format!("{} {}", object["kind"].as_str().unwrap_or_default(), shown(object));
        if is(object, "", "Node") {
            let id = object.pointer("/spec/providerID").and_then(Value::as_str);
            put(id.and_then(|id| id.rsplit('/').next()).filter(|id| id.starts_with("i-")), &by());
        }
        if is(object, "", "ServiceAccount") {
            let arn = object.pointer("/metadata/annotations/eks.amazonaws.com~1role-arn");
            put(arn.and_then(Value::as_str).and_then(role), &by());
        }
        let ingress = object.pointer("/status/loadBalancer/ingress").and_then(Value::as_array);
        for host in ingress.into_iter().flatten().filter_map(|one| one["hostname"].as_str()) {
            for id in balancers(guarding, host) {
                put(Some(id), &by());
            }
        }
    }
    for read in guarding.target.of("eks", "DescribeCluster") {
        let Some(cluster) = member(&read.output, "cluster") else { continue };
        let by = "the EKS cluster";
        let vpc = &cluster["resourcesVpcConfig"];
        put(vpc["vpcId"].as_str(), by);
        put(vpc["clusterSecurityGroupId"].as_str(), by);
        for id in list(vpc, &["subnetIds"]).into_iter().chain(list(vpc, &["securityGroupIds"])) {
            put(id.as_str(), by);
        }
        put(cluster["roleArn"].as_str().and_then(role), by);
    }
    for read in guarding.target.of("eks", "DescribeNodegroup") {
        let Some(group) = member(&read.output, "nodegroup") else { continue };
        let by = format!("node group {}", group["nodegroupName"].as_str().unwrap_or_default());
        for id in list(group, &["subnets"]) {
            put(id.as_str(), &by);
        }
        put(group["nodeRole"].as_str().and_then(role), &by);
        put(group.pointer("/launchTemplate/id").and_then(Value::as_str), &by);
        put(group.pointer("/remoteAccess/ec2SshKey").and_then(Value::as_str), &by);
        put(group.pointer("/resources/remoteAccessSecurityGroup").and_then(Value::as_str), &by);
        let resources = group.get("resources").unwrap_or(&Value::Null);
        for own in list(resources, &["autoScalingGroups"]) {
            put(own["name"].as_str(), &by);
        }
        let access = group.get("remoteAccess").unwrap_or(&Value::Null);
        for id in list(access, &["sourceSecurityGroups"]) {
            put(id.as_str(), &by);
        }
    }
    for read in guarding.target.of("eks", "DescribePodIdentityAssociation") {
        let Some(one) = member(&read.output, "association") else { continue };
        let by = format!("the pod identity of {}", one["serviceAccount"].as_str().unwrap_or_default());
        put(one["roleArn"].as_str().and_then(role), &by);
        put(one["targetRoleArn"].as_str().and_then(role), &by);
    }
    used
}

fn shown(object: &Value) -> String {
    namespace(object).map_or_else(|| name(object).to_owned(), |of| format!("{of}/{}", name(object)))
}

/// Ids, as kops prints them, of the load balancers that a name leads to.
fn balancers<'a>(guarding: &'a Guarding, host: &str) -> Vec<&'a str> {
    let host = host.trim_start_matches("dualstack.").to_ascii_lowercase();
    let places: [(&str, &[&str], &str); 2] = [
        ("elb", &["LoadBalancerDescriptions"], "LoadBalancerName"),
        ("elbv2", &["LoadBalancers"], "LoadBalancerArn"),
    ];
    let mut found = Vec::new();
    for reads in [&guarding.source, &guarding.target] {
        for (service, names, id) in places {
            let all = reads.of(service, "DescribeLoadBalancers").flat_map(|read| list(&read.output, names));
            let own =
                all.filter(|one| text(one, "DNSName").is_some_and(|dns| dns.to_ascii_lowercase() == host));
            found.extend(own.filter_map(|one| text(one, id)));
        }
    }
    found
}

/// What the guard says.
#[derive(Clone, Debug, Default)]
pub struct Decommission {
    /// Re-tags of what the target uses, or what a person has to do; done when nothing there is used.
    pub spares: Outcome,
    /// What only comes when there is no way back: `KubernetesCluster` off the volumes.
    pub last: Vec<Step>,
    /// The digest of what kops would take; an approval is bound to it.
    pub digest: String,
    /// What kops would take, in words.
    pub notes: Vec<String>,
}

/// What is next before `kops delete cluster`. Portolan never runs it.
#[must_use]
pub fn decommission(guarding: &Guarding, target: &Sight) -> Decommission {
    let Some(cluster) = &guarding.cluster else {
        let gate = Gate::Blocked {
            what: "what `kops delete cluster` would take is not known: no state store was read".into(),
            way_out: "see that `spec.source.kops.stateStore` can be read".into(),
        };
        return Decommission { spares: super::waiting(gate), ..Decommission::default() };
    };
    let used = used(guarding, target);
    let handed: BTreeSet<String> = of_target(&target.objects).into_iter().map(|(id, _)| id).collect();
    match guard(&guarding.source, cluster, &used) {
        Ok(cleared) => {
            let approved = BTreeSet::from([cleared.digest.clone()]);
            let last = sparing(&guarding.source, cluster, &used, &handed, &approved).steps;
            let mut notes = vec![format!(
                "`kops delete cluster` would take {} things, none of which the target uses; it is yours to run",
                cleared.would_delete.len()
            )];
            notes.extend(cleared.would_delete.iter().map(|(kind, id)| format!("would go: {kind} {id}")));
            Decommission { spares: Outcome::default(), last, digest: cleared.digest, notes }
        }
        Err(refused) => {
            let notes = match &refused {
                Refused::InUse(refusals) => refusals
                    .iter()
                    .filter(|one| matches!(one.spare, Spare::Retag { .. }))
                    .map(|one| format!("{} {} is spared, for {} uses it", one.kind, one.id, one.used_by))
                    .collect(),
                Refused::CannotTell(_) => Vec::new(),
            };
            let spares = sparing(&guarding.source, cluster, &used, &handed, &BTreeSet::new());
            Decommission { spares, notes, ..Decommission::default() }
        }
    }
}

/// What takes the steps of the last stage back, by the entries of the journal, the last first. Tags are given back as they
/// were, however often that is done.
#[must_use]
pub fn taken_back(originals: &BTreeMap<String, Entry>) -> Vec<Step> {
    let mut entries: Vec<_> = originals
        .iter()
        .filter(|(_, entry)| entry.stage == Stage::Decommission && entry.wave.is_none())
        .filter(|(_, entry)| entry.undo.iter().all(|effect| matches!(effect, Effect::Call { .. })))
        .collect();
    entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.number));
    let steps = entries.into_iter().flat_map(|(key, entry)| {
        entry.undo.iter().map(move |effect| Step {
            key: format!("{UNDO}{key}"),
            stage: Stage::Decommission,
            wave: None,
            effect: effect.clone(),
            undo: Vec::new(),
            says: format!("as it was before: {}", entry.says),
            final_: false,
        })
    });
    steps.collect()
}
