//! Every operation, every update and every kind of thing can be made to go wrong, in each documented way.

use super::model::sample;
use super::{Api, ROLE, the_model};
use portolan::local::aws::eks::{Effect, Fault};
use serde_json::{Value, json};

fn later(code: &str) -> Effect {
    Effect::FailLater { code: code.into(), message: "why".into(), resource_ids: vec!["id".into()] }
}

#[tokio::test]
async fn every_operation_is_throttled_refused_and_cut_on_request() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let model = the_model().await;
    for operation in model.operations() {
        let name = operation.name.as_str();
        let input = sample(&model, operation.input.as_ref().unwrap());
        api.server.fault(Fault::on(name, Effect::Throttle));
        let throttled = api.call(name, input.clone()).await;
        assert_eq!((throttled.status, throttled.error.as_str()), (429, "ThrottlingException"), "{name}");
        let broken = Effect::Error { code: "ServerException".into(), message: "no".into(), status: None };
        api.server.clear_faults();
        api.server.fault(Fault::on(name, broken));
        let refused = api.call(name, input.clone()).await;
        assert_eq!((refused.status, refused.error.as_str()), (500, "ServerException"), "{name}");
        for cut in [Effect::CutBefore, Effect::CutAfter] {
            api.server.clear_faults();
            api.server.fault(Fault::on(name, cut.clone()));
            assert!(api.try_call(name, &input).await.is_none(), "{name} {cut:?}");
        }
        api.server.clear_faults();
    }
    let stalled: Vec<String> = model.operations().map(|operation| operation.name.clone()).collect();
    let calls = stalled.iter().map(|name| {
        api.server.fault(Fault::on(name, Effect::StallAfter));
        let input = sample(&model, model.operation(name).unwrap().input.as_ref().unwrap());
        let api = &api;
        async move { tokio::time::timeout(std::time::Duration::from_millis(500), api.call(name, input)).await }
    });
    for (name, answer) in stalled.iter().zip(futures::future::join_all(calls).await) {
        assert!(answer.is_err(), "{name}: {answer:?}");
    }
    api.server.settled().await;
}

#[tokio::test]
async fn every_update_fails_with_every_documented_code_and_changes_nothing() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster_with("c", json!({"version": "1.35"})).await;
    api.nodegroup("c", "ng").await;
    api.ok("CreateAddon", json!({"clusterName": "c", "addonName": "coredns"})).await;
    api.server.settled().await;
    let key = json!([{"resources": ["secrets"], "provider": {"keyArn": "arn:aws:kms:eu-central-1:123456789012:key/a"}}]);
    let oidc = json!({"identityProviderConfigName": "people", "issuerUrl": "https://a.example.com", "clientId": "k"});
    let group = json!({"nodegroupName": "ng"});
    let addon = json!({"addonName": "coredns"});
    let updates = [
        ("UpdateClusterConfig", json!({"name": "c", "deletionProtection": true}), json!({})),
        ("UpdateClusterVersion", json!({"name": "c", "version": "1.36"}), json!({})),
        ("AssociateEncryptionConfig", json!({"clusterName": "c", "encryptionConfig": key}), json!({})),
        ("AssociateIdentityProviderConfig", json!({"clusterName": "c", "oidc": oidc}), json!({})),
        (
            "UpdateNodegroupConfig",
            json!({"clusterName": "c", "nodegroupName": "ng", "labels": {"addOrUpdateLabels": {"a": "b"}}}),
            group.clone(),
        ),
        ("UpdateNodegroupVersion", json!({"clusterName": "c", "nodegroupName": "ng", "force": true}), group),
        (
            "UpdateAddon",
            json!({"clusterName": "c", "addonName": "coredns", "configurationValues": "{\"replicaCount\": 3}"}),
            addon.clone(),
        ),
    ];
    let codes = the_model().await.values("ErrorCode").to_vec();
    assert!(codes.len() > 10, "{codes:?}");
    for (operation, input, of) in updates {
        let before = views(&api).await;
        for code in &codes {
            api.server.fault(Fault::on(operation, later(code)));
            let answer = api.ok(operation, input.clone()).await;
            assert_eq!(answer["update"]["status"], "InProgress", "{operation}");
            let update = api.ended("c", of.clone(), &answer).await;
            assert_eq!(
                (&update["status"], &update["errors"][0]["errorCode"], &update["errors"][0]["resourceIds"]),
                (&json!("Failed"), &json!(code), &json!(["id"])),
                "{operation} {code}"
            );
            api.server.clear_faults();
            assert_eq!(views(&api).await, before, "{operation} {code}");
        }
        // The same call, once nothing is in its way.
        let answer = api.ok(operation, input).await;
        assert_eq!(api.ended("c", of, &answer).await["status"], "Successful", "{operation}");
        if operation == "UpdateClusterVersion" {
            let follow = json!({"clusterName": "c", "nodegroupName": "ng", "version": "1.36"});
            let answer = api.ok("UpdateNodegroupVersion", follow).await;
            assert_eq!(api.ended("c", json!({"nodegroupName": "ng"}), &answer).await["status"], "Successful");
        }
    }
    let people = json!({"clusterName": "c", "identityProviderConfig": {"type": "oidc", "name": "people"}});
    api.server.fault(Fault::on("DisassociateIdentityProviderConfig", later("Unknown")));
    let answer = api.ok("DisassociateIdentityProviderConfig", people.clone()).await;
    assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Failed");
    api.ok("DescribeIdentityProviderConfig", people).await;
}

/// What is there, but for what tells of a failed update and of the time.
async fn views(api: &Api) -> Value {
    let addon = api.ok("DescribeAddon", json!({"clusterName": "c", "addonName": "coredns"})).await;
    let providers = api.ok("ListIdentityProviderConfigs", json!({"clusterName": "c"})).await;
    let mut all =
        json!([api.cluster_view("c").await, api.nodegroup_view("c", "ng").await, addon["addon"], providers]);
    for view in all.as_array_mut().unwrap() {
        for member in ["status", "health", "modifiedAt"] {
            view.as_object_mut().unwrap().remove(member);
        }
    }
    all
}

#[tokio::test]
async fn a_fargate_profile_fails_with_every_documented_issue() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let named = json!({"clusterName": "c", "fargateProfileName": "fp"});
    let mut input = named.clone();
    input["podExecutionRoleArn"] = ROLE.into();
    input["selectors"] = json!([{"namespace": "a"}]);
    let view = async || api.ok("DescribeFargateProfile", named.clone()).await["fargateProfile"].clone();
    let codes = the_model().await.values("FargateProfileIssueCode").to_vec();
    assert!(codes.len() >= 4, "{codes:?}");
    for code in codes {
        api.server.fault(Fault::on("CreateFargateProfile", later(&code)));
        api.ok("CreateFargateProfile", input.clone()).await;
        api.server.settled().await;
        let failed = view().await;
        assert_eq!(failed["status"], "CREATE_FAILED");
        assert_eq!(
            failed["health"]["issues"],
            json!([{"code": code, "message": "why", "resourceIds": ["id"]}])
        );
        api.server.clear_faults();
        api.server.fault(Fault::on("DeleteFargateProfile", later(&code)));
        api.ok("DeleteFargateProfile", named.clone()).await;
        api.server.settled().await;
        let failed = view().await;
        assert_eq!(
            (&failed["status"], &failed["health"]["issues"][0]["code"]),
            (&json!("DELETE_FAILED"), &json!(code))
        );
        api.server.clear_faults();
        api.ok("DeleteFargateProfile", named.clone()).await;
        api.server.settled().await;
        assert_eq!(api.server.counts()["fargateProfiles"], 0);
    }
}
