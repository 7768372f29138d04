//! The guard before `kops delete cluster`, as steps, over the account of its own tests.

use crate::migrate_objects::aws::{CLUSTER, KEY, account};
use portolan::migrate::decommission::{AwsReads, Cluster, InUse, sparing, would_delete};
use portolan::model::migration::{Effect, Gate};
use std::collections::{BTreeMap, BTreeSet};

fn used(ids: &[&str]) -> InUse {
    InUse {
        ids: ids.iter().map(|id| ((*id).to_owned(), "the target".to_owned())).collect::<BTreeMap<_, _>>(),
    }
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn what_is_used_is_spared_with_an_inverse() {
    let reads = account().reads();
    let outcome = sparing(&reads, &Cluster::new(CLUSTER), &used(&["vol-claim"]), &none(), &none());
    let step = outcome.steps.iter().find(|step| step.key == "spare/volume/vol-claim").unwrap();
    let Effect::Call { call, .. } = &step.effect else { panic!() };
    assert_eq!(
        (call.operation.as_str(), call.input["Tags"][0]["Value"].as_str()),
        ("CreateTags", Some("shared"))
    );
    let Effect::Call { call, .. } = &step.undo[0] else { panic!() };
    assert_eq!(call.input["Tags"][0]["Key"], KEY);
    assert_eq!(
        (call.operation.as_str(), call.input["Tags"][0]["Value"].as_str()),
        ("CreateTags", Some("owned"))
    );
    assert!(outcome.gates.is_empty());
}

#[test]
fn every_kind_has_an_inverse_in_its_own_api() {
    let reads = account().reads();
    let cluster = Cluster::new(CLUSTER);
    let all: Vec<String> = would_delete(&reads, &cluster).unwrap().into_iter().map(|(_, id)| id).collect();
    let ids: Vec<&str> = all.iter().map(String::as_str).collect();
    let outcome = sparing(&reads, &cluster, &used(&ids), &none(), &none());
    let pairs: BTreeSet<(String, String)> = outcome
        .steps
        .iter()
        .map(|step| {
            let name = |effect: &Effect| match effect {
                Effect::Call { call, .. } => call.to_string(),
                _ => panic!("a re-tag is a call"),
            };
            (name(&step.effect), name(&step.undo[0]))
        })
        .collect();
    for (there, back) in [
        ("iam:TagRole", "iam:TagRole"),
        ("iam:UntagOpenIDConnectProvider", "iam:TagOpenIDConnectProvider"),
        ("autoscaling:DeleteTags", "autoscaling:CreateOrUpdateTags"),
        ("ec2:DeleteTags", "ec2:CreateTags"),
        ("elb:RemoveTags", "elb:AddTags"),
        ("elbv2:RemoveTags", "elbv2:AddTags"),
    ] {
        assert!(pairs.contains(&(there.to_owned(), back.to_owned())), "{there}: {pairs:?}");
    }
    // Taken by their names: no tag helps.
    assert!(
        outcome.gates.iter().all(|gate| matches!(gate, Gate::Blocked { .. })) && outcome.gates.len() >= 3
    );
}

#[test]
fn then_volumes_lose_the_legacy_tag_and_the_list_is_approved() {
    let mut account = account();
    account.volumes[2]["Tags"] = crate::migrate_objects::aws::shared();
    let reads = account.reads();
    let cluster = Cluster::new(CLUSTER);
    let handed = BTreeSet::from(["vol-claim".to_owned()]);
    let outcome = sparing(&reads, &cluster, &used(&["vol-claim"]), &handed, &none());
    assert_eq!(outcome.steps.iter().map(|step| step.key.as_str()).collect::<Vec<_>>(), ["unname/vol-claim"]);
    let outcome = sparing(&reads, &cluster, &used(&["vol-claim"]), &none(), &none());
    let [Gate::Approval { digest }] = outcome.gates.as_slice() else { panic!("{:?}", outcome.gates) };
    let approved = BTreeSet::from([digest.clone()]);
    assert!(sparing(&reads, &cluster, &used(&["vol-claim"]), &none(), &approved).is_done());
    // Another list needs another approval.
    account
        .volumes
        .push(serde_json::json!({"VolumeId": "vol-new", "Tags": crate::migrate_objects::aws::own()}));
    assert!(!sparing(&account.reads(), &cluster, &used(&["vol-claim"]), &none(), &approved).is_done());
}

#[test]
fn nothing_is_cleared_while_reads_are_missing() {
    let outcome = sparing(&AwsReads::default(), &Cluster::new(CLUSTER), &used(&[]), &none(), &none());
    assert!(matches!(outcome.gates.as_slice(), [Gate::Blocked { .. }]));
}
