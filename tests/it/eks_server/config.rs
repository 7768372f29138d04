//! UpdateClusterConfig, encryption, identity providers: one update at a time, and only what changes something.

use super::Api;
use portolan::local::aws::eks::{Effect, Fault};
use serde_json::{Value, json};

/// Input, type of the update, where the description changes, and to what.
fn cases() -> Vec<(Value, &'static str, &'static str, Value)> {
    vec![
        (
            json!({"resourcesVpcConfig": {"endpointPrivateAccess": true, "publicAccessCidrs": ["1.2.3.4/32"]}}),
            "EndpointAccessUpdate",
            "/resourcesVpcConfig/publicAccessCidrs",
            json!(["1.2.3.4/32"]),
        ),
        (
            json!({"resourcesVpcConfig": {"subnetIds": ["subnet-0a", "subnet-0c"]}}),
            "VpcConfigUpdate",
            "/resourcesVpcConfig/subnetIds",
            json!(["subnet-0a", "subnet-0c"]),
        ),
        (
            json!({"logging": {"clusterLogging": [{"types": ["api", "audit"], "enabled": true}]}}),
            "LoggingUpdate",
            "/logging/clusterLogging/0/types",
            json!(["api", "audit"]),
        ),
        (
            json!({"accessConfig": {"authenticationMode": "API"}}),
            "AccessConfigUpdate",
            "/accessConfig/authenticationMode",
            json!("API"),
        ),
        (
            json!({"upgradePolicy": {"supportType": "STANDARD"}}),
            "UpgradePolicyUpdate",
            "/upgradePolicy/supportType",
            json!("STANDARD"),
        ),
        (json!({"deletionProtection": true}), "DeletionProtectionUpdate", "/deletionProtection", json!(true)),
        (
            json!({"zonalShiftConfig": {"enabled": true}}),
            "ZonalShiftConfigUpdate",
            "/zonalShiftConfig/enabled",
            json!(true),
        ),
        (
            json!({"controlPlaneScalingConfig": {"tier": "tier-xl"}}),
            "ControlPlaneScalingConfigUpdate",
            "/controlPlaneScalingConfig/tier",
            json!("tier-xl"),
        ),
        (
            json!({"remoteNetworkConfig": {"remoteNodeNetworks": [{"cidrs": ["10.1.0.0/16"]}]}}),
            "RemoteNetworkConfigUpdate",
            "/remoteNetworkConfig/remoteNodeNetworks/0/cidrs/0",
            json!("10.1.0.0/16"),
        ),
        (
            json!({"kubeApiServerConfig": {"eventTtl": "2h"}}),
            "ControlPlaneComponentConfigUpdate",
            "/kubeApiServerConfig/eventTtl",
            json!("2h"),
        ),
        (
            json!({
                "computeConfig": {"enabled": true, "nodePools": ["system"], "nodeRoleArn": super::NODE_ROLE},
                "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": true}},
                "storageConfig": {"blockStorage": {"enabled": true}},
            }),
            "AutoModeUpdate",
            "/computeConfig/nodePools",
            json!(["system"]),
        ),
    ]
}

#[tokio::test]
async fn every_kind_of_change_and_none_twice() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    for (mut input, kind, pointer, value) in cases() {
        input["name"] = "c".into();
        assert_ne!(
            api.cluster_view("c").await.pointer(pointer),
            Some(&value),
            "{kind} has nothing to change"
        );
        api.server.hold();
        let answer = api.ok("UpdateClusterConfig", input.clone()).await;
        assert_eq!(
            (&answer["update"]["type"], &answer["update"]["status"]),
            (&json!(kind), &json!("InProgress"))
        );
        assert!(!answer["update"]["params"].as_array().unwrap().is_empty(), "{answer}");
        assert_eq!(api.cluster_view("c").await["status"], "UPDATING");
        assert_ne!(api.cluster_view("c").await.pointer(pointer), Some(&value), "{kind} is visible too early");
        let second = json!({"name": "c", "deletionProtection": true});
        api.refused("UpdateClusterConfig", second, "ResourceInUseException", "in progress").await;
        api.refused("DeleteCluster", json!({"name": "c"}), "ResourceInUseException", "").await;
        api.server.release();
        assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Successful");
        let view = api.cluster_view("c").await;
        assert_eq!((&view["status"], view.pointer(pointer)), (&json!("ACTIVE"), Some(&value)), "{kind}");
        let code =
            if kind == "AutoModeUpdate" { "InvalidRequestException" } else { "InvalidParameterException" };
        api.refused("UpdateClusterConfig", input, code, "").await;
        if kind == "DeletionProtectionUpdate" {
            let off = api.ok("UpdateClusterConfig", json!({"name": "c", "deletionProtection": false})).await;
            api.ended("c", json!({}), &off).await;
        }
    }
    let ids = api.ok("ListUpdates", json!({"name": "c"})).await;
    assert_eq!(ids["updateIds"].as_array().unwrap().len(), cases().len() + 1);
}

#[tokio::test]
async fn what_is_not_one_change_is_refused() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster_with("c", json!({"accessConfig": {}})).await;
    let parameter = "InvalidParameterException";
    let cases = [
        (json!({}), "was not provided"),
        (json!({"deletionProtection": true, "upgradePolicy": {"supportType": "STANDARD"}}), "Only one type"),
        (
            json!({"resourcesVpcConfig": {"endpointPrivateAccess": true, "subnetIds": ["a", "b"]}}),
            "Only one type",
        ),
        (
            json!({"resourcesVpcConfig": {"endpointPublicAccess": true}}),
            "already at the desired configuration",
        ),
        (json!({"accessConfig": {"authenticationMode": "API"}}), "from CONFIG_MAP to API"),
        (json!({"kubernetesNetworkConfig": {"ipFamily": "ipv6"}}), "cannot be changed"),
        (json!({"logging": {"clusterLogging": [{"types": ["api"], "enabled": false}]}}), "No changes needed"),
    ];
    for (mut input, words) in cases {
        input["name"] = "c".into();
        api.refused("UpdateClusterConfig", input, parameter, words).await;
    }
    let entries = json!({"clusterName": "c"});
    let words = "must be set to one of [API, API_AND_CONFIG_MAP]";
    api.refused("ListAccessEntries", entries.clone(), "InvalidRequestException", words).await;

    // With entries comes the creator's own; back is no way.
    let mode = |mode: &str| json!({"name": "c", "accessConfig": {"authenticationMode": mode}});
    let answer = api.ok("UpdateClusterConfig", mode("API_AND_CONFIG_MAP")).await;
    assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Successful");
    let listed = api.ok("ListAccessEntries", entries).await;
    assert_eq!(listed["accessEntries"], json!(["arn:aws:iam::123456789012:user/local"]));
    api.refused(
        "UpdateClusterConfig",
        mode("CONFIG_MAP"),
        parameter,
        "from API_AND_CONFIG_MAP to CONFIG_MAP",
    )
    .await;
}

#[tokio::test]
async fn a_failed_update_changes_nothing() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let before = api.cluster("c").await;
    for code in super::the_model().await.values("ErrorCode") {
        let effect =
            Effect::FailLater { code: code.clone(), message: "why".into(), resource_ids: Vec::new() };
        api.server.fault(Fault::on("UpdateClusterConfig", effect));
        let answer = api.ok("UpdateClusterConfig", json!({"name": "c", "deletionProtection": true})).await;
        let update = api.ended("c", json!({}), &answer).await;
        assert_eq!(update["status"], "Failed");
        assert_eq!(update["errors"][0]["errorCode"], *code);
        assert_eq!(api.cluster_view("c").await, before);
        api.server.clear_faults();
    }
}

#[tokio::test]
async fn encryption_cannot_be_taken_back() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let key = "arn:aws:kms:eu-central-1:123456789012:key/a";
    let config = json!([{"resources": ["secrets"], "provider": {"keyArn": key}}]);
    let input = json!({"clusterName": "c", "encryptionConfig": config});
    let answer = api.ok("AssociateEncryptionConfig", input.clone()).await;
    assert_eq!(api.ended("c", json!({}), &answer).await["type"], "AssociateEncryptionConfig");
    assert_eq!(api.cluster_view("c").await["encryptionConfig"], config);
    api.refused("AssociateEncryptionConfig", input, "InvalidRequestException", "already enabled").await;
}

#[tokio::test]
async fn one_identity_provider_for_people() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let oidc = |name: &str, url: &str| {
        json!({"clusterName": "c", "tags": {"a": "b"},
            "oidc": {"identityProviderConfigName": name, "issuerUrl": url, "clientId": "kubernetes"}})
    };
    let associate = "AssociateIdentityProviderConfig";
    api.refused(associate, oidc("people", "http://a"), "InvalidParameterException", "https://").await;
    api.server.hold();
    let answer = api.ok(associate, oidc("people", "https://a.example.com")).await;
    assert_eq!(answer["tags"], json!({"a": "b"}));
    let describe = json!({"clusterName": "c", "identityProviderConfig": {"type": "oidc", "name": "people"}});
    let view = api.ok("DescribeIdentityProviderConfig", describe.clone()).await;
    assert_eq!(view["identityProviderConfig"]["oidc"]["status"], "CREATING");
    api.server.release();
    assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Successful");
    let view = api.ok("DescribeIdentityProviderConfig", describe.clone()).await;
    assert_eq!(view["identityProviderConfig"]["oidc"]["status"], "ACTIVE");
    api.refused(associate, oidc("people", "https://a"), "ResourceInUseException", "already exists").await;
    api.refused(associate, oidc("more", "https://a"), "InvalidRequestException", "already has").await;
    let listed = api.ok("ListIdentityProviderConfigs", json!({"clusterName": "c"})).await;
    assert_eq!(listed["identityProviderConfigs"], json!([{"type": "oidc", "name": "people"}]));
    let answer = api.ok("DisassociateIdentityProviderConfig", describe.clone()).await;
    assert_eq!(api.ended("c", json!({}), &answer).await["status"], "Successful");
    api.refused("DescribeIdentityProviderConfig", describe, "ResourceNotFoundException", "people").await;
}
