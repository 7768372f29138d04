//! Access entries, access policies, pod identity associations.

use super::{Api, ROLE};
use serde_json::{Value, json};

const USER: &str = "arn:aws:iam::123456789012:user/people/ann";
const VIEW: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";

fn entry(principal: &str, members: Value) -> Value {
    let mut input = json!({"clusterName": "c", "principalArn": principal});
    input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    input
}

#[tokio::test]
async fn the_creator_is_an_administrator_unless_asked_otherwise() {
    crate::support::aws::needs_aws!();
    let api = Api::start_with(|options| {
        options.callers =
            std::sync::Arc::new(|_| Some("arn:aws:sts::123456789012:assumed-role/ci/session".into()));
    })
    .await;
    api.cluster("c").await;
    let creator = "arn:aws:iam::123456789012:role/ci";
    let listed = api.ok("ListAccessEntries", json!({"clusterName": "c"})).await;
    assert_eq!(listed["accessEntries"], json!([creator]));
    let policies = api.ok("ListAssociatedAccessPolicies", entry(creator, json!({}))).await;
    let policy = &policies["associatedAccessPolicies"][0];
    assert_eq!(policy["policyArn"], "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy");
    assert_eq!(policy["accessScope"], json!({"type": "cluster", "namespaces": []}));
    let config = json!({"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false});
    api.cluster_with("d", json!({"accessConfig": config})).await;
    let listed = api.ok("ListAccessEntries", json!({"clusterName": "d"})).await;
    assert_eq!(listed["accessEntries"], json!([]));
}

#[tokio::test]
async fn entries_come_change_and_go() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let parameter = "InvalidParameterException";
    let wrong = [
        (entry(USER, json!({"kubernetesGroups": ["system:masters"]})), "it cannot start with system:"),
        (entry(USER, json!({"username": "system:node:a"})), "must not begin with system:"),
        (entry(USER, json!({"type": "EC2_LINUX"})), "needs a role"),
        (entry(ROLE, json!({"type": "EC2_LINUX", "kubernetesGroups": ["a"]})), "cannot be given"),
        (entry("arn:aws:sts::123456789012:assumed-role/a/b", json!({})), "principalArn is invalid"),
        (entry("ann", json!({})), "principalArn is invalid"),
        (entry(USER, json!({"type": "WHATEVER"})), "is not one of"),
    ];
    for (input, words) in wrong {
        api.refused("CreateAccessEntry", input, parameter, words).await;
    }
    let made = api
        .ok("CreateAccessEntry", entry(USER, json!({"kubernetesGroups": ["a"], "tags": {"t": "v"}})))
        .await;
    let made = &made["accessEntry"];
    assert_eq!((&made["username"], &made["type"]), (&json!(USER), &json!("STANDARD")));
    let arn = made["accessEntryArn"].as_str().unwrap();
    assert!(arn.contains(":access-entry/c/user/123456789012/ann/"), "{arn}");
    api.refused("CreateAccessEntry", entry(USER, json!({})), "ResourceInUseException", "already in use")
        .await;
    let update = entry(USER, json!({"kubernetesGroups": ["b", "c"], "username": "ann"}));
    let after = api.ok("UpdateAccessEntry", update).await["accessEntry"].clone();
    assert_eq!((&after["kubernetesGroups"], &after["username"]), (&json!(["b", "c"]), &json!("ann")));
    let nodes = api.ok("CreateAccessEntry", entry(ROLE, json!({"type": "EC2_LINUX"}))).await;
    assert_eq!(nodes["accessEntry"]["kubernetesGroups"], json!(["system:nodes"]));
    api.server.settled().await;
    let (_, told) = api.world.calls().into_iter().rfind(|(call, _)| call == "access_changed").unwrap();
    assert_eq!(told.as_array().unwrap().len(), 3);
    api.ok("DeleteAccessEntry", entry(USER, json!({}))).await;
    api.refused("DeleteAccessEntry", entry(USER, json!({})), "ResourceNotFoundException", USER).await;
    api.refused("UpdateAccessEntry", entry(USER, json!({})), "ResourceNotFoundException", USER).await;
}

#[tokio::test]
async fn policies_are_associated_with_a_scope() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let all = api.ok("ListAccessPolicies", json!({})).await["accessPolicies"].clone();
    assert!(all.as_array().unwrap().len() > 30);
    assert!(all.as_array().unwrap().iter().any(|policy| policy["arn"] == VIEW), "{all}");
    let with = |scope: Value| entry(USER, json!({"policyArn": VIEW, "accessScope": scope}));
    let cluster = json!({"type": "cluster"});
    api.refused("AssociateAccessPolicy", with(cluster.clone()), "ResourceNotFoundException", USER).await;
    api.ok("CreateAccessEntry", entry(USER, json!({}))).await;
    let parameter = "InvalidParameterException";
    let wrong = [
        (json!({"type": "namespace"}), "at least one namespace"),
        (json!({"type": "cluster", "namespaces": ["a"]}), "do not go with"),
        (json!({"type": "namespace", "namespaces": ["A_b"]}), "not a namespace"),
    ];
    for (scope, words) in wrong {
        api.refused("AssociateAccessPolicy", with(scope), parameter, words).await;
    }
    let unknown = entry(USER, json!({"policyArn": "arn:aws:iam::aws:policy/Admin", "accessScope": cluster}));
    api.refused("AssociateAccessPolicy", unknown, parameter, "ListAccessPolicies").await;
    let first =
        api.ok("AssociateAccessPolicy", with(json!({"type": "namespace", "namespaces": ["team-*"]}))).await;
    assert_eq!(first["associatedAccessPolicy"]["accessScope"]["namespaces"], json!(["team-*"]));
    let second = api.ok("AssociateAccessPolicy", with(cluster.clone())).await;
    assert_eq!(second["associatedAccessPolicy"]["accessScope"]["type"], "cluster");
    assert_eq!(
        api.server.counts()["associatedAccessPolicies"],
        2,
        "the creator's, and one that changed its scope"
    );
    let filtered =
        api.ok("ListAccessEntries", json!({"clusterName": "c", "associatedPolicyArn": VIEW})).await;
    assert_eq!(filtered["accessEntries"], json!([USER]));
    let gone = entry(USER, json!({"policyArn": VIEW}));
    api.ok("DisassociateAccessPolicy", gone.clone()).await;
    api.refused("DisassociateAccessPolicy", gone, "ResourceNotFoundException", "not associated").await;
    api.ok("CreateAccessEntry", entry(ROLE, json!({"type": "EC2_LINUX"}))).await;
    let nodes = entry(ROLE, json!({"policyArn": VIEW, "accessScope": cluster}));
    api.refused("AssociateAccessPolicy", nodes, "InvalidRequestException", "EC2_LINUX").await;
}

#[tokio::test]
async fn pod_identity_associations() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let input = |members: Value| {
        let mut input =
            json!({"clusterName": "c", "namespace": "ns", "serviceAccount": "sa", "roleArn": ROLE});
        input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        input
    };
    let parameter = "InvalidParameterException";
    let wrong = [
        (json!({"roleArn": "x"}), "roleArn"),
        (json!({"targetRoleArn": "x"}), "targetRoleArn"),
        (json!({"policy": "{}"}), "disableSessionTags"),
        (json!({"policy": "no", "disableSessionTags": true}), "JSON"),
    ];
    for (members, words) in wrong {
        api.refused("CreatePodIdentityAssociation", input(members), parameter, words).await;
    }
    let made =
        api.ok("CreatePodIdentityAssociation", input(json!({"tags": {"a": "b"}}))).await["association"]
            .clone();
    let id = made["associationId"].as_str().unwrap();
    assert!(id.starts_with("a-") && id.len() == 19, "{id}");
    api.refused("CreatePodIdentityAssociation", input(json!({})), "ResourceInUseException", id).await;
    let listed = api.ok("ListPodIdentityAssociations", json!({"clusterName": "c", "namespace": "ns"})).await;
    assert_eq!(listed["associations"][0]["associationId"], id);
    assert!(listed["associations"][0]["roleArn"].is_null(), "a summary has no role");
    let other =
        api.ok("ListPodIdentityAssociations", json!({"clusterName": "c", "namespace": "other"})).await;
    assert_eq!(other["associations"], json!([]));
    let target = "arn:aws:iam::999999999999:role/target";
    let one = |members: Value| {
        let mut input = json!({"clusterName": "c", "associationId": id});
        input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        input
    };
    let after = api.ok("UpdatePodIdentityAssociation", one(json!({"targetRoleArn": target}))).await;
    assert_eq!(after["association"]["externalId"], "eu-central-1/123456789012/c/ns/sa");
    let after = api.ok("UpdatePodIdentityAssociation", one(json!({"targetRoleArn": ""}))).await;
    assert!(after["association"]["targetRoleArn"].is_null() && after["association"]["externalId"].is_null());
    api.ok("DeletePodIdentityAssociation", one(json!({}))).await;
    api.refused("DescribePodIdentityAssociation", one(json!({})), "ResourceNotFoundException", id).await;
}
