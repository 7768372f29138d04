//! Who gets into a cluster: tokens, access entries with policies, and aws-auth.

use portolan::local::aws::Patience;
use serde_json::json;

use super::lab::{Lab, cloud_in_role, cloud_of, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_policies_and_the_config_map_let_people_in() {
    crate::support::aws::needs_aws!();
    let lab = Lab::start(Patience::default()).await;
    let role = lab.role("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]).await;
    let ann = lab.role("ann", "ec2.amazonaws.com", &[]).await;
    let network = lab.network().await;
    let input = |name: &str, mode: &str| {
        json!({
            "name": name, "roleArn": role, "bootstrapSelfManagedAddons": false,
            "resourcesVpcConfig": {"subnetIds": network.subnets}, "accessConfig": {"authenticationMode": mode},
        })
    };
    lab.eks("CreateCluster", input("api", "API")).await;
    let mut six = input("map", "CONFIG_MAP");
    six["kubernetesNetworkConfig"] = json!({"ipFamily": "ipv6"});
    lab.eks("CreateCluster", six).await;
    for name in ["api", "map"] {
        lab.until("DescribeCluster", &json!({"name": name}), "cluster", "ACTIVE").await;
        assert_eq!(
            lab.kubectl_as(&*lab.cloud, name, &["auth", "can-i", "*", "*"]).await.unwrap(),
            "yes",
            "{name}"
        );
    }
    let address = ["get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}"];
    let address = lab.kubectl("map", &address, "").await;
    assert!(address.parse::<std::net::Ipv6Addr>().is_ok(), "{address}");
    let as_ann = cloud_in_role(lab.aws.access(), &ann).await.unwrap();
    let unknown = lab.kubectl_as(&*as_ann, "api", &["get", "pods"]).await.unwrap_err();
    assert!(unknown.contains("must be logged in") || unknown.contains("Unauthorized"), "{unknown}");

    lab.eks(
        "CreateAccessEntry",
        json!({"clusterName": "api", "principalArn": ann, "kubernetesGroups": ["team"]}),
    )
    .await;
    eventually("ann is known", || async {
        lab.kubectl_as(&*as_ann, "api", &["auth", "whoami", "--output=json"]).await.is_ok()
    })
    .await;
    let who = lab.kubectl_as(&*as_ann, "api", &["auth", "whoami", "--output=json"]).await.unwrap();
    let who: serde_json::Value = serde_json::from_str(&who).unwrap();
    let who = &who["status"]["userInfo"];
    assert_eq!(who["username"], "arn:aws:sts::123456789012:assumed-role/ann/portolan");
    assert!(who["groups"].to_string().contains("\"team\""), "{who}");
    let may = async |verb: &str, what: &str, namespace: &str| {
        let namespace = format!("--namespace={namespace}");
        lab.kubectl_as(&*as_ann, "api", &["auth", "can-i", verb, what, &namespace]).await.is_ok()
    };
    assert!(!may("list", "pods", "dev").await);

    let policy = |name: &str| format!("arn:aws:eks::aws:cluster-access-policy/{name}");
    let associate = async |name: &str, scope: serde_json::Value| {
        let input = json!({"clusterName": "api", "principalArn": ann, "policyArn": policy(name), "accessScope": scope});
        lab.eks("AssociateAccessPolicy", input).await;
    };
    associate("AmazonEKSEditPolicy", json!({"type": "namespace", "namespaces": ["dev*"]})).await;
    eventually("ann may edit", || may("create", "deployments.apps", "dev-1")).await;
    assert!(!may("create", "deployments.apps", "prod").await);
    assert!(!may("list", "nodes", "dev-1").await);
    associate("AmazonEKSViewPolicy", json!({"type": "cluster"})).await;
    eventually("ann may view", || may("list", "pods", "prod")).await;
    assert!(!may("get", "secrets", "prod").await);
    assert!(may("get", "secrets", "dev-1").await);
    // No RBAC object tells of it.
    let bindings =
        lab.kubectl("api", &["get", "clusterrolebindings,rolebindings", "--all-namespaces"], "").await;
    assert!(!bindings.contains("ann"), "{bindings}");

    lab.eks("DeleteAccessEntry", json!({"clusterName": "api", "principalArn": ann})).await;
    eventually("ann is out", || async {
        lab.kubectl_as(&*as_ann, "api", &["auth", "whoami"]).await.is_err()
    })
    .await;

    // The other way in.
    let mapped = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"},
        "data": {"mapRoles": format!("- rolearn: {ann}\n  username: ann\n  groups: [system:masters]\n")},
    });
    assert!(lab.kubectl_as(&*as_ann, "map", &["auth", "whoami"]).await.is_err());
    lab.kubectl("map", &["apply", "--filename=-"], &mapped.to_string()).await;
    eventually("ann is mapped", || async {
        lab.kubectl_as(&*as_ann, "map", &["auth", "can-i", "*", "*"]).await.is_ok()
    })
    .await;

    forged(&lab).await;
    lab.stop().await;
}

/// A token of another cluster, of another secret, or with an unsigned header is nobody's.
async fn forged(lab: &Lab) {
    use secrecy::ExposeSecret as _;
    let access = lab.aws.access();
    let liar = cloud_of(access, &access.access_key_id, "not the secret").await.unwrap();
    assert!(lab.kubectl_as(&*liar, "api", &["auth", "whoami"]).await.is_err());
    let other = lab.cloud.kubernetes_token("map").await.unwrap().token;
    let token = format!("--token={}", other.expose_secret());
    assert!(lab.kubectl_token("map", &token).await.is_ok());
    assert!(lab.kubectl_token("api", &token).await.is_err());
}
