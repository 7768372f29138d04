//! EKS Auto Mode: three switches of a cluster that go together, and what of it may be changed how.
//! (API reference of UpdateClusterConfig; EKS User Guide, "Enable or disable built-in NodePools".)

use super::api::{difference, eks, strings};
use crate::model::plan::Verdict;
use crate::provision::plan::FieldRule;
use crate::provision::resource::{Difference, Live, Mend, Resource, TOKEN};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ENABLED: &str = "/computeConfig/enabled";
const POOLS: &str = "/computeConfig/nodePools";
const ROLE: &str = "/computeConfig/nodeRoleArn";

/// What is declared of `computeConfig`. A file that says nothing of Auto Mode has none, as with eksctl.
fn declared(desired: &Value) -> Value {
    desired
        .get("computeConfig")
        .filter(|compute| !compute.is_null())
        .cloned()
        .unwrap_or(json!({"enabled": false}))
}

fn is_on(compute: &Value) -> bool {
    compute["enabled"] == json!(true)
}

/// How Auto Mode differs; `desired` is normalised as what was found is.
pub(super) fn differences(desired: &Value, live: &Live) -> Vec<Difference> {
    let (compute, found) = (declared(desired), &live.actual["computeConfig"]);
    let on = is_on(&compute);
    let mut sent = compute.clone();
    let mut wanted = json!({"computeConfig": {"enabled": on}});
    let mut actual = json!({"computeConfig": {"enabled": is_on(found)}});
    let mut stays = None;
    if on {
        for member in ["nodePools", "nodeRoleArn"] {
            wanted["computeConfig"][member] = compute[member].clone();
            actual["computeConfig"][member] = found[member].clone();
        }
        if is_on(found) && found["nodeRoleArn"].is_string() {
            // It goes with its pools, and cannot be another one.
            sent["nodeRoleArn"] = found["nodeRoleArn"].clone();
            stays = Some(Mend::Impossible(
                "the nodes of Auto Mode keep the role that they were given when it was turned on; set it back, or turn Auto \
                 Mode off, with an approval, and on again with the other role"
                    .into(),
            ));
        }
        if strings(&sent["nodePools"]).is_empty()
            && let Some(members) = sent.as_object_mut()
        {
            // EKS takes a role with pools only.
            members.remove("nodeRoleArn");
        }
    }
    let mend = Mend::InPlace(eks(
        "UpdateClusterConfig",
        json!({
            "name": live.id,
            "computeConfig": sent,
            "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": on}},
            "storageConfig": {"blockStorage": {"enabled": on}},
            "clientRequestToken": TOKEN,
        }),
    ));
    let of = |field: &str, mend: &Mend| difference(&wanted, &actual, field, mend);
    [of(ENABLED, &mend), of(POOLS, &mend), of(ROLE, stays.as_ref().unwrap_or(&mend))]
        .into_iter()
        .flatten()
        .collect()
}

/// What needs an approval: nodes that go with what is turned off. `cluster` is as declared.
#[must_use]
pub fn rules(cluster: &Resource, live: &Live) -> BTreeMap<String, FieldRule> {
    let (compute, found) = (declared(&cluster.desired), &live.actual["computeConfig"]);
    let held = |words: String| FieldRule {
        verdict: Verdict::Held(words),
        waits_for: BTreeSet::new(),
        waits: String::new(),
    };
    if !is_on(found) {
        return BTreeMap::new();
    }
    if !is_on(&compute) {
        let words = "Auto Mode is turned off: every node that it made ends with its pods, and nobody looks after the load \
                     balancers and volumes that it made; give the pods other nodes first, then approve it";
        return BTreeMap::from([(ENABLED.to_owned(), held(words.to_owned()))]);
    }
    let kept = strings(&compute["nodePools"]);
    let gone: Vec<String> =
        strings(&found["nodePools"]).into_iter().filter(|pool| !kept.contains(pool)).collect();
    if gone.is_empty() {
        return BTreeMap::new();
    }
    let words = format!(
        "Auto Mode's node pool {} is turned off: its nodes end with their pods; approve it",
        gone.join(", ")
    );
    BTreeMap::from([(POOLS.to_owned(), held(words))])
}
