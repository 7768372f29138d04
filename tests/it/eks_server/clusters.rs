//! Clusters from CREATING to gone.

use super::{Api, ROLE, cluster_input, the_model};
use portolan::local::aws::eks::{Effect, Fault};
use serde_json::json;

#[tokio::test]
async fn from_creating_to_gone() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.server.hold();
    let tags = json!({"team": "a"});
    let made = api
        .ok("CreateCluster", cluster_input("prod", json!({"tags": tags, "clientRequestToken": "t1"})))
        .await;
    let cluster = &made["cluster"];
    assert_eq!(cluster["status"], "CREATING");
    assert_eq!(cluster["arn"], "arn:aws:eks:eu-central-1:123456789012:cluster/prod");
    assert_eq!(cluster["version"], "1.36", "the default version");
    assert_eq!(cluster["accessConfig"]["bootstrapClusterCreatorAdminPermissions"], true);
    assert_eq!(cluster["certificateAuthority"], json!({}));
    assert!(cluster["endpoint"].is_null() && cluster["createdAt"].is_number());
    api.refused("DeleteCluster", json!({"name": "prod"}), "ResourceInUseException", "CREATING").await;
    let input = json!({"name": "prod", "deletionProtection": true});
    api.refused("UpdateClusterConfig", input, "InvalidRequestException", "CREATING").await;

    api.server.release();
    api.server.settled().await;
    let view = api.cluster_view("prod").await;
    assert_eq!(view["status"], "ACTIVE");
    assert!(view["endpoint"].as_str().unwrap().starts_with("https://"));
    assert!(
        view["certificateAuthority"]["data"].is_string() && view["identity"]["oidc"]["issuer"].is_string()
    );
    let vpc = &view["resourcesVpcConfig"];
    assert!(vpc["clusterSecurityGroupId"].is_string() && vpc["vpcId"].is_string());
    assert_eq!(vpc["publicAccessCidrs"], json!(["0.0.0.0/0"]));
    assert_eq!(view["upgradePolicy"]["supportType"], "EXTENDED");
    assert_eq!(view["tags"], tags);
    assert_eq!(view["health"]["issues"], json!([]));
    let boot = &view["accessConfig"]["bootstrapClusterCreatorAdminPermissions"];
    assert!(boot.is_null(), "the service does not describe it");
    assert_eq!(api.ok("ListClusters", json!({})).await, json!({"clusters": ["prod"]}));

    let again = api.refused(
        "CreateCluster",
        cluster_input("prod", json!({})),
        "ResourceInUseException",
        "already exists",
    );
    assert_eq!(again.await.body["clusterName"], "prod");
    let gone = api.ok("DeleteCluster", json!({"name": "prod"})).await;
    assert_eq!(gone["cluster"]["status"], "DELETING");
    api.server.settled().await;
    api.refused("DescribeCluster", json!({"name": "prod"}), "ResourceNotFoundException", "No cluster found")
        .await;
    assert!(api.server.counts().values().all(|count| *count == 0), "{:?}", api.server.counts());
    let asked: Vec<String> = api.world.calls().into_iter().map(|(call, _)| call).collect();
    assert_eq!(asked, ["check_cluster", "create_cluster", "access_changed", "delete_cluster"]);
    let (_, told) = &api.world.calls()[1];
    assert_eq!(told["bootstrapSelfManagedAddons"], true);
}

#[tokio::test]
async fn what_cannot_be_a_cluster_is_refused() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let cases = [
        (json!({"version": "1.31"}), "unsupported Kubernetes version"),
        (json!({"roleArn": "arn:aws:iam::999999999999:role/a"}), "cross-account"),
        (json!({"roleArn": "role/a"}), "not the ARN of an IAM role"),
        (json!({"resourcesVpcConfig": {"subnetIds": ["subnet-0a"]}}), "two different AZs"),
        (json!({"resourcesVpcConfig": {"subnetIds": ["subnet-0a", "subnet-0a"]}}), "twice"),
        (
            json!({"resourcesVpcConfig": {"subnetIds": ["a", "b"], "endpointPublicAccess": false}}),
            "cannot both be disabled",
        ),
        (
            json!({"resourcesVpcConfig": {"subnetIds": ["a", "b"], "publicAccessCidrs": ["10.0.0.0/8"]}}),
            "not allowed in publicAccessCidrs",
        ),
        (
            json!({"resourcesVpcConfig": {"subnetIds": ["a", "b"], "securityGroupIds": ["1", "2", "3", "4", "5", "6"]}}),
            "at most 5 security groups",
        ),
        (json!({"kubernetesNetworkConfig": {"serviceIpv4Cidr": "8.8.8.0/24"}}), "serviceIpv4Cidr"),
        (
            json!({"accessConfig": {"bootstrapClusterCreatorAdminPermissions": false}}),
            "must be true if cluster authentication mode is set to CONFIG_MAP",
        ),
        (json!({"tags": {"aws:a": "b"}}), "reserved"),
        (
            json!({"encryptionConfig": [{"resources": ["configmaps"], "provider": {"keyArn": "arn:a"}}]}),
            "secrets",
        ),
        (json!({"encryptionConfig": [{"resources": ["secrets"]}]}), "keyArn"),
        (json!({"computeConfig": {"enabled": true}}), "all enabled or all disabled"),
    ];
    for (members, words) in cases {
        api.refused("CreateCluster", cluster_input("c", members), "InvalidParameterException", words).await;
    }
    assert_eq!(api.server.counts()["clusters"], 0);
    assert!(api.world.calls().is_empty(), "the world was asked about a request that is wrong in itself");
}

#[tokio::test]
async fn the_order_of_deletion() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster_with("c", json!({"deletionProtection": true})).await;
    api.nodegroup("c", "ng").await;
    api.refused("DeleteCluster", json!({"name": "c"}), "InvalidRequestException", "deletion protection")
        .await;
    let off = api.ok("UpdateClusterConfig", json!({"name": "c", "deletionProtection": false})).await;
    assert_eq!(api.ended("c", json!({}), &off).await["status"], "Successful");
    let attached =
        api.refused("DeleteCluster", json!({"name": "c"}), "ResourceInUseException", "nodegroups attached");
    assert_eq!(attached.await.body["nodegroupName"], "ng");
    api.ok("DeleteNodegroup", json!({"clusterName": "c", "nodegroupName": "ng"})).await;
    let profile = json!({
        "clusterName": "c", "fargateProfileName": "fp", "podExecutionRoleArn": ROLE, "selectors": [{"namespace": "a"}],
    });
    api.ok("CreateFargateProfile", profile).await;
    api.server.settled().await;
    api.refused("DeleteCluster", json!({"name": "c"}), "ResourceInUseException", "Fargate profiles attached")
        .await;
    api.ok("DeleteFargateProfile", json!({"clusterName": "c", "fargateProfileName": "fp"})).await;
    api.server.settled().await;
    // Add-ons, entries and associations go with the cluster.
    api.ok("CreateAddon", json!({"clusterName": "c", "addonName": "coredns"})).await;
    api.server.settled().await;
    api.server.hold();
    api.ok("DeleteCluster", json!({"name": "c"})).await;
    api.refused("DeleteCluster", json!({"name": "c"}), "ResourceInUseException", "DELETING").await;
    api.server.release();
    api.server.settled().await;
    assert!(api.server.counts().values().all(|count| *count == 0), "{:?}", api.server.counts());
}

#[tokio::test]
async fn a_creation_fails_with_every_documented_issue() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let codes = the_model().await.values("ClusterIssueCode").to_vec();
    assert!(codes.len() > 15, "{codes:?}");
    for code in codes {
        let effect =
            Effect::FailLater { code: code.clone(), message: "why".into(), resource_ids: vec!["id".into()] };
        api.server.fault(Fault::on("CreateCluster", effect));
        let answer = api.ok("CreateCluster", cluster_input("c", json!({}))).await;
        assert_eq!(answer["cluster"]["status"], "CREATING");
        api.server.settled().await;
        let view = api.cluster_view("c").await;
        assert_eq!(view["status"], "FAILED");
        assert_eq!(
            view["health"]["issues"],
            json!([{"code": code, "message": "why", "resourceIds": ["id"]}])
        );
        api.server.clear_faults();
        api.ok("DeleteCluster", json!({"name": "c"})).await;
        api.server.settled().await;
    }
}
