//! Add-ons: catalogue, configuration schemas, conflicts, roles.

use super::{Api, ROLE, the_model};
use portolan::local::aws::eks::{Effect, Fault};
use serde_json::{Value, json};

fn addon(name: &str, members: Value) -> Value {
    let mut input = json!({"clusterName": "c", "addonName": name});
    input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    input
}

async fn view(api: &Api, name: &str) -> Value {
    api.ok("DescribeAddon", addon(name, json!({}))).await["addon"].clone()
}

#[tokio::test]
async fn the_catalogue_tells_versions_and_schemas() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    let all = api.ok("DescribeAddonVersions", json!({})).await;
    let names: Vec<&str> =
        all["addons"].as_array().unwrap().iter().map(|addon| addon["addonName"].as_str().unwrap()).collect();
    assert!(
        names.len() >= 9 && names.contains(&"vpc-cni") && names.contains(&"eks-pod-identity-agent"),
        "{names:?}"
    );
    for name in names {
        let one =
            api.ok("DescribeAddonVersions", json!({"addonName": name, "kubernetesVersion": "1.36"})).await;
        let versions = one["addons"][0]["addonVersions"].as_array().unwrap().clone();
        let defaults =
            versions.iter().filter(|version| version["compatibilities"][0]["defaultVersion"] == true);
        assert_eq!(defaults.count(), 1, "{name}: {versions:?}");
        let input = json!({"addonName": name, "addonVersion": versions[0]["addonVersion"]});
        let schema = api.ok("DescribeAddonConfiguration", input).await;
        let schema: Value = serde_json::from_str(schema["configurationSchema"].as_str().unwrap()).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
    let paged = api.ok("DescribeAddonVersions", json!({"maxResults": 2})).await;
    assert!(paged["nextToken"].is_string());
    let none = api.ok("DescribeAddonVersions", json!({"addonName": "none"})).await;
    assert_eq!(none["addons"], json!([]));
    let none = json!({"addonName": "coredns", "addonVersion": "v9"});
    api.refused("DescribeAddonConfiguration", none, "ResourceNotFoundException", "v9").await;
}

#[tokio::test]
async fn an_add_on_from_creating_to_gone() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let parameter = "InvalidParameterException";
    let wrong = [
        (addon("nonsense", json!({})), "Addon specified is not supported"),
        (
            addon("coredns", json!({"addonVersion": "v1.12.4-eksbuild.6"})),
            "Addon version specified is not supported",
        ),
        (
            addon("coredns", json!({"configurationValues": r#"{"replicas": 2}"#})),
            "$.replicas: is not defined in the schema and the schema does not allow additional properties",
        ),
        (
            addon("coredns", json!({"configurationValues": r#"{"replicaCount": "2"}"#})),
            "string found, integer expected",
        ),
        (addon("coredns", json!({"configurationValues": "null"})), "null found, object expected"),
        (addon("vpc-cni", json!({"configurationValues": r#"{"enableNetworkPolicy": "maybe"}"#})), "regex"),
        (
            addon(
                "coredns",
                json!({"podIdentityAssociations": [{"serviceAccount": "coredns", "roleArn": ROLE}]}),
            ),
            "no service account coredns",
        ),
        (
            addon(
                "vpc-cni",
                json!({"serviceAccountRoleArn": ROLE,
                    "podIdentityAssociations": [{"serviceAccount": "aws-node", "roleArn": ROLE}]}),
            ),
            "together",
        ),
    ];
    for (input, words) in wrong {
        api.refused("CreateAddon", input, parameter, words).await;
    }
    api.server.hold();
    let values = "replicaCount: 3\nresources:\n  limits: {cpu: 100m}\n";
    let made = api.ok("CreateAddon", addon("coredns", json!({"configurationValues": values}))).await;
    assert_eq!(made["addon"]["status"], "CREATING");
    api.refused("CreateAddon", addon("coredns", json!({})), "ResourceInUseException", "already exists").await;
    api.refused("DeleteAddon", addon("coredns", json!({})), "InvalidRequestException", "CREATING").await;
    api.server.release();
    api.server.settled().await;
    let described = view(&api, "coredns").await;
    assert_eq!((&described["status"], &described["configurationValues"]), (&json!("ACTIVE"), &json!(values)));
    assert!(described["resolveConflicts"].is_null());
    let (_, told) = api.world.calls().into_iter().find(|(call, _)| call == "apply_addon").unwrap();
    assert_eq!(
        (&told["configuration"]["replicaCount"], &told["resolveConflicts"]),
        (&json!(3), &json!("NONE"))
    );

    api.server.hold();
    api.ok("DeleteAddon", addon("coredns", json!({"preserve": true}))).await;
    assert_eq!(view(&api, "coredns").await["status"], "DELETING");
    api.server.release();
    api.server.settled().await;
    api.refused(
        "DescribeAddon",
        addon("coredns", json!({})),
        "ResourceNotFoundException",
        "No addon: coredns",
    )
    .await;
    let (_, told) = api.world.calls().into_iter().find(|(call, _)| call == "delete_addon").unwrap();
    assert_eq!(told["preserve"], true);
}

#[tokio::test]
async fn an_update_drops_what_is_not_given_again() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let values = r#"{"env": {"ENABLE_PREFIX_DELEGATION": "true"}}"#;
    let input = addon("vpc-cni", json!({"serviceAccountRoleArn": ROLE, "configurationValues": values}));
    api.ok("CreateAddon", input).await;
    api.server.settled().await;
    let update = async |members: Value| {
        let answer = api.ok("UpdateAddon", addon("vpc-cni", members)).await;
        api.ended("c", json!({"addonName": "vpc-cni"}), &answer).await
    };
    let done =
        update(json!({"resolveConflicts": "PRESERVE", "serviceAccountRoleArn": ROLE, "addonVersion": "v1.21.2-eksbuild.1"}))
            .await;
    assert_eq!((&done["type"], &done["status"]), (&json!("AddonUpdate"), &json!("Successful")));
    let after = view(&api, "vpc-cni").await;
    assert_eq!(
        (&after["configurationValues"], &after["addonVersion"]),
        (&json!(values), &json!("v1.21.2-eksbuild.1"))
    );
    update(json!({"resolveConflicts": "OVERWRITE"})).await;
    let after = view(&api, "vpc-cni").await;
    assert!(after["configurationValues"].is_null() && after["serviceAccountRoleArn"].is_null(), "{after}");

    api.refused("UpdateAddon", addon("vpc-cni", json!({})), "InvalidParameterException", "nothing").await;
    let old = addon("vpc-cni", json!({"addonVersion": "v1.19.6-eksbuild.7"}));
    api.refused("UpdateAddon", old, "InvalidParameterException", "not supported").await;
    api.server.hold();
    let again = addon("vpc-cni", json!({"configurationValues": values}));
    api.ok("UpdateAddon", again.clone()).await;
    assert_eq!(view(&api, "vpc-cni").await["status"], "UPDATING");
    api.refused("UpdateAddon", again, "ResourceInUseException", "in progress").await;
    api.server.release();
    api.server.settled().await;
}

#[tokio::test]
async fn pod_identity_of_an_add_on_belongs_to_it() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let roles = |role: &str| json!([{"serviceAccount": "ebs-csi-controller-sa", "roleArn": role}]);
    api.ok("CreateAddon", addon("aws-ebs-csi-driver", json!({"podIdentityAssociations": roles(ROLE)}))).await;
    api.server.settled().await;
    let owner = view(&api, "aws-ebs-csi-driver").await;
    let listed =
        api.ok("ListPodIdentityAssociations", json!({"clusterName": "c"})).await["associations"].clone();
    assert_eq!(listed[0]["ownerArn"], owner["addonArn"]);
    assert_eq!(owner["podIdentityAssociations"], json!([listed[0]["associationArn"]]));
    let one = json!({"clusterName": "c", "associationId": listed[0]["associationId"]});
    api.refused("DeletePodIdentityAssociation", one, "InvalidRequestException", "owned by").await;
    let none = addon("aws-ebs-csi-driver", json!({"podIdentityAssociations": []}));
    api.ok("UpdateAddon", none).await;
    api.server.settled().await;
    assert_eq!(api.server.counts()["podIdentityAssociations"], 0);
    api.ok("UpdateAddon", addon("aws-ebs-csi-driver", json!({"podIdentityAssociations": roles(ROLE)}))).await;
    api.server.settled().await;
    assert_eq!(api.server.counts()["podIdentityAssociations"], 1);
    api.ok("DeleteAddon", addon("aws-ebs-csi-driver", json!({}))).await;
    api.server.settled().await;
    assert_eq!(api.server.counts()["podIdentityAssociations"], 0);
}

#[tokio::test]
async fn an_add_on_fails_with_every_documented_issue() {
    crate::support::aws::needs_aws!();
    let api = Api::start().await;
    api.cluster("c").await;
    let later =
        |code: &str| Effect::FailLater { code: code.into(), message: "why".into(), resource_ids: Vec::new() };
    for code in the_model().await.values("AddonIssueCode") {
        api.server.fault(Fault::on("CreateAddon", later(code)));
        api.ok("CreateAddon", addon("coredns", json!({}))).await;
        api.server.settled().await;
        let failed = view(&api, "coredns").await;
        let status = if code == "InsufficientNumberOfReplicas" { "DEGRADED" } else { "CREATE_FAILED" };
        assert_eq!(
            (&failed["status"], &failed["health"]["issues"][0]["code"]),
            (&json!(status), &json!(code))
        );
        api.server.clear_faults();
        api.ok("DeleteAddon", addon("coredns", json!({}))).await;
        api.server.settled().await;
    }
    api.ok("CreateAddon", addon("coredns", json!({}))).await;
    api.server.settled().await;
    api.server.fault(Fault::on("UpdateAddon", later("ConfigurationConflict")));
    let input = addon("coredns", json!({"configurationValues": r#"{"replicaCount": 3}"#}));
    let answer = api.ok("UpdateAddon", input.clone()).await;
    let update = api.ended("c", json!({"addonName": "coredns"}), &answer).await;
    assert_eq!(update["errors"][0]["errorCode"], "ConfigurationConflict");
    let failed = view(&api, "coredns").await;
    assert_eq!(failed["status"], "UPDATE_FAILED");
    assert!(failed["configurationValues"].is_null());
    let answer = api.ok("UpdateAddon", input).await;
    assert_eq!(api.ended("c", json!({"addonName": "coredns"}), &answer).await["status"], "Successful");
    let well = view(&api, "coredns").await;
    assert_eq!((&well["status"], &well["health"]["issues"]), (&json!("ACTIVE"), &json!([])));
}
