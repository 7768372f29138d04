//! How a cluster's settings are changed: one kind of change to a call (API reference of UpdateClusterConfig).

use super::Minor;
use super::api::{aside, difference, differs, eks, merge, only, strings, without_empty};
use crate::model::cloud::{Call, Service};
use crate::provision::resource::{Difference, Live, Mend, TOKEN};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// All logs that a control plane can write.
pub const LOGS: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// How long logs are kept: no setting of EKS, but of the group that EKS writes them to.
pub const LOG_RETENTION: &str = "logRetentionInDays";

/// The group of CloudWatch Logs that EKS makes for the logs of a control plane (EKS User Guide, "Send control plane logs").
#[must_use]
pub fn log_group(cluster: &str) -> String {
    format!("/aws/eks/{cluster}/cluster")
}

/// Every setting that differs and can be changed; `desired` is normalised as what was found is.
pub(super) fn differences(desired: &Value, live: &Live) -> Vec<Difference> {
    let mut found = of_settings(desired, live);
    found.extend(of_version(desired, live));
    found.extend(super::auto_mode::differences(desired, live));
    found.extend(of_logging(desired, live));
    found.extend(of_retention(desired, live));
    found.extend(of_authentication(desired, live));
    found.extend(of_encryption(desired, live));
    found
}

fn update(live: &Live, changes: Value) -> Mend {
    let mut input = json!({"name": live.id, "clientRequestToken": TOKEN});
    merge(&mut input, changes);
    Mend::InPlace(eks("UpdateClusterConfig", input))
}

fn of_version(desired: &Value, live: &Live) -> Option<Difference> {
    let (declared, actual) = differs(desired, &live.actual, "/version")?;
    let mut input = json!({"name": live.id, "version": declared, "clientRequestToken": TOKEN});
    let aside = &desired[aside::UPDATE];
    if aside["force"] == json!(true) {
        input["force"] = json!(true);
    }
    let back = declared.as_str().and_then(Minor::parse) < actual.as_str().and_then(Minor::parse);
    if back && aside["rollbackConfig"].is_object() {
        input["rollbackConfig"] = aside["rollbackConfig"].clone();
    }
    let words = if back {
        "the control plane goes back, about 10 min; no node is replaced by this step"
    } else {
        "the control plane moves on, about 10 min; no node is replaced by this step"
    };
    let mend = Mend::Rolling(eks("UpdateClusterVersion", input), words.into());
    Some(Difference { field: "/version".into(), declared, actual, mend })
}

/// Settings that go together in one update each: EKS makes one kind of change per UpdateClusterConfig.
fn of_settings(desired: &Value, live: &Live) -> Vec<Difference> {
    let vpc = &desired["resourcesVpcConfig"];
    let part = |members: &[&str]| {
        let declared = members.iter().filter(|member| !vpc[**member].is_null());
        let declared: BTreeMap<&str, &Value> = declared.map(|member| (*member, &vpc[*member])).collect();
        json!({"resourcesVpcConfig": declared})
    };
    // While the public endpoint is off, EKS keeps whatever addresses it was open to.
    let public = vpc["endpointPublicAccess"] != json!(false);
    let endpoints = ["endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"];
    let endpoints: &[&str] = if public { &endpoints } else { &endpoints[..2] };
    let together = |members: &[&str]| Value::Object(only(desired, members));
    let kube = ["kubeApiServerConfig", "kubeSchedulerConfig", "kubeControllerManagerConfig"];
    let groups: [(&[&str], Value); 8] = [
        (
            if public {
                &[
                    "/resourcesVpcConfig/endpointPublicAccess",
                    "/resourcesVpcConfig/endpointPrivateAccess",
                    "/resourcesVpcConfig/publicAccessCidrs",
                ]
            } else {
                &["/resourcesVpcConfig/endpointPublicAccess", "/resourcesVpcConfig/endpointPrivateAccess"]
            },
            part(endpoints),
        ),
        (
            &["/resourcesVpcConfig/subnetIds", "/resourcesVpcConfig/securityGroupIds"],
            part(&["subnetIds", "securityGroupIds"]),
        ),
        (&["/resourcesVpcConfig/controlPlaneEgressMode"], part(&["controlPlaneEgressMode"])),
        (&["/upgradePolicy/supportType"], together(&["upgradePolicy"])),
        (&["/zonalShiftConfig/enabled"], together(&["zonalShiftConfig"])),
        (&["/deletionProtection"], together(&["deletionProtection"])),
        (&["/controlPlaneScalingConfig/tier"], together(&["controlPlaneScalingConfig"])),
        (
            &[
                "/kubeApiServerConfig/eventTtl",
                "/kubeApiServerConfig/serviceNodePortRange",
                "/kubeSchedulerConfig/nodeResourcesFit",
                "/kubeControllerManagerConfig/horizontalPodAutoscalerControllerConfig/horizontalPodAutoscalerSyncPeriod",
                "/kubeControllerManagerConfig/podGcControllerConfig/terminatedPodGcThreshold",
            ],
            together(&kube),
        ),
    ];
    groups
        .into_iter()
        .flat_map(|(fields, changes)| {
            let mend = update(live, changes);
            fields
                .iter()
                .filter_map(|field| difference(desired, &live.actual, field, &mend))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn of_logging(desired: &Value, live: &Live) -> Option<Difference> {
    let declared = desired.get("logging").filter(|logging| !logging.is_null())?;
    let actual = live.actual.get("logging").cloned().unwrap_or_else(|| json!([]));
    if *declared == actual {
        return None;
    }
    let on = strings(declared);
    let off: Vec<&str> = LOGS.into_iter().filter(|log| !on.iter().any(|other| other == log)).collect();
    let mend = update(live, json!({"logging": log_setups(&on, &off)}));
    Some(Difference { field: "/logging".into(), declared: declared.clone(), actual, mend })
}

/// Until EKS has made the group there is nothing to set; where there is one without a limit, what was found is null.
fn of_retention(desired: &Value, live: &Live) -> Option<Difference> {
    let declared = desired.get(LOG_RETENTION)?.clone();
    let actual = live.actual.get(LOG_RETENTION).filter(|actual| **actual != declared)?.clone();
    let input = json!({"logGroupName": log_group(&live.id), "retentionInDays": declared});
    let mend = Mend::InPlace(Call::new(Service::Logs, "PutRetentionPolicy", input));
    Some(Difference { field: format!("/{LOG_RETENTION}"), declared, actual, mend })
}

/// `logging` as calls take it: what is written and what is not, neither list empty.
#[must_use]
pub fn log_setups(on: &[String], off: &[&str]) -> Value {
    let mut setups = Vec::new();
    if !on.is_empty() {
        setups.push(json!({"types": on, "enabled": true}));
    }
    if !off.is_empty() {
        setups.push(json!({"types": off, "enabled": false}));
    }
    json!({"clusterLogging": setups})
}

/// The mode goes one way, from the ConfigMap over both to access entries (EKS User Guide, "Change authentication mode").
fn of_authentication(desired: &Value, live: &Live) -> Option<Difference> {
    let field = "/accessConfig/authenticationMode";
    let (declared, actual) = differs(desired, &live.actual, field)?;
    let rank = |mode: &Value| match mode.as_str() {
        Some("API") => 2,
        Some("API_AND_CONFIG_MAP") => 1,
        _ => 0,
    };
    let mend = if rank(&declared) < rank(&actual) {
        Mend::Impossible(format!(
            "EKS never goes back to {}: it is {} now; declare that, or make a new cluster beside this one",
            declared.as_str().unwrap_or_default(),
            actual.as_str().unwrap_or_default()
        ))
    } else {
        let next =
            if rank(&declared) - rank(&actual) > 1 { json!("API_AND_CONFIG_MAP") } else { declared.clone() };
        update(live, json!({"accessConfig": {"authenticationMode": next}}))
    };
    Some(Difference { field: field.into(), declared, actual, mend })
}

/// Secrets can be given a key once, and it stays.
fn of_encryption(desired: &Value, live: &Live) -> Option<Difference> {
    let field = "/encryptionConfig/0/provider/keyArn";
    let (declared, actual) = differs(desired, &live.actual, field)?;
    let mend = if actual.is_null() {
        Mend::InPlace(eks(
            "AssociateEncryptionConfig",
            json!({
                "clusterName": live.id,
                "encryptionConfig": without_empty(&json!({"list": desired["encryptionConfig"]}))["list"],
                "clientRequestToken": TOKEN,
            }),
        ))
    } else {
        Mend::Impossible(
            "EKS keeps the key that Secrets were first encrypted with; set it back, or make a new cluster beside this one"
                .into(),
        )
    };
    Some(Difference { field: field.into(), declared, actual, mend })
}
