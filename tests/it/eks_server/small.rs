//! Tags and pages.

use super::{Api, ROLE};
use serde_json::{Value, json};

#[tokio::test]
async fn every_resource_has_tags() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let cluster = api.cluster("c").await;
    let nodegroup = api.nodegroup("c", "ng").await;
    let profile = json!({
        "clusterName": "c", "fargateProfileName": "fp", "podExecutionRoleArn": ROLE, "selectors": [{"namespace": "a"}],
    });
    let profile =
        api.ok("CreateFargateProfile", profile).await["fargateProfile"]["fargateProfileArn"].clone();
    let addon = api.ok("CreateAddon", json!({"clusterName": "c", "addonName": "coredns"})).await;
    let user = "arn:aws:iam::123456789012:user/a";
    let entry = api.ok("CreateAccessEntry", json!({"clusterName": "c", "principalArn": user})).await;
    let pod = json!({"clusterName": "c", "namespace": "a", "serviceAccount": "b", "roleArn": ROLE});
    let pod = api.ok("CreatePodIdentityAssociation", pod).await;
    let oidc = json!({"identityProviderConfigName": "o", "issuerUrl": "https://a", "clientId": "k"});
    api.ok("AssociateIdentityProviderConfig", json!({"clusterName": "c", "oidc": oidc})).await;
    api.server.settled().await;
    let oidc = json!({"clusterName": "c", "identityProviderConfig": {"type": "oidc", "name": "o"}});
    let oidc = api.ok("DescribeIdentityProviderConfig", oidc).await;
    let arns = [
        &cluster["arn"],
        &nodegroup["nodegroupArn"],
        &profile,
        &addon["addon"]["addonArn"],
        &entry["accessEntry"]["accessEntryArn"],
        &pod["association"]["associationArn"],
        &oidc["identityProviderConfig"]["oidc"]["identityProviderConfigArn"],
    ];
    for arn in arns {
        assert!(arn.is_string(), "{arns:?}");
        let list = json!({"resourceArn": arn});
        assert_eq!(api.ok("ListTagsForResource", list.clone()).await["tags"], json!({}), "{arn}");
        api.ok("TagResource", json!({"resourceArn": arn, "tags": {"a": "1", "b/c d": "2"}})).await;
        api.ok("TagResource", json!({"resourceArn": arn, "tags": {"a": "3"}})).await;
        assert_eq!(
            api.ok("ListTagsForResource", list.clone()).await["tags"],
            json!({"a": "3", "b/c d": "2"})
        );
        api.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["b/c d", "none"]})).await;
        assert_eq!(api.ok("ListTagsForResource", list).await["tags"], json!({"a": "3"}));
    }
    assert_eq!(api.cluster_view("c").await["tags"], json!({"a": "3"}));
}

#[tokio::test]
async fn tags_have_limits() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let arn = api.cluster_with("c", json!({"tags": {"first": "1"}})).await["arn"].clone();
    let many = |from: usize, to: usize| -> Value {
        (from..to).map(|number| (format!("k{number}"), Value::String(String::new()))).collect()
    };
    let bad = "BadRequestException";
    api.ok("TagResource", json!({"resourceArn": arn, "tags": many(0, 49)})).await;
    api.refused("TagResource", json!({"resourceArn": arn, "tags": many(48, 50)}), bad, "at most 50").await;
    api.refused("TagResource", json!({"resourceArn": arn, "tags": {"Aws:x": "y"}}), bad, "reserved").await;
    api.refused("UntagResource", json!({"resourceArn": arn, "tagKeys": ["aws:x"]}), bad, "reserved").await;
    let other = arn.as_str().unwrap().replace("/c", "/d");
    api.refused("ListTagsForResource", json!({"resourceArn": other}), "NotFoundException", "/d").await;
    api.refused("ListTagsForResource", json!({"resourceArn": "nonsense"}), bad, "nonsense").await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        api.cluster(name).await;
    }
    let first = api.ok("ListClusters", json!({"maxResults": 2})).await;
    assert_eq!(first["clusters"], json!(["a", "b"]));
    let second = api.ok("ListClusters", json!({"maxResults": 2, "nextToken": first["nextToken"]})).await;
    assert_eq!(second, json!({"clusters": ["c"]}));
    let foreign = json!({"clusterName": "a", "nextToken": first["nextToken"]});
    api.refused("ListNodegroups", foreign, "InvalidParameterException", "nextToken").await;
}
