//! What a ClusterConfig becomes in IAM: who may assume each role, and what it may do.

use super::recorded::{keys, of, problems, scope_of, with};
use portolan::model::cluster_config::{ClusterConfig, with_defaults};
use portolan::provision::iam::{
    AddonIdentity, addon_identity, fargate_role, node_role, pod_role, resources, role_name,
    service_account_role,
};
use portolan::provision::network::Declared;
use portolan::provision::resource::{Key, Kind, Scope, Snapshot};
use serde_json::{Value, json};

fn declared(config: &ClusterConfig) -> Declared {
    resources(config, &scope_of("harbour"), &Snapshot::default())
}

fn policies<'a>(declared: &'a Declared, role: &str) -> Vec<&'a str> {
    let arns = of(&declared.resources, role).desired["ManagedPolicyArns"].as_array().unwrap();
    arns.iter().map(|arn| arn.as_str().unwrap().rsplit("policy/").next().unwrap()).collect()
}

fn trust<'a>(declared: &'a Declared, role: &str) -> &'a Value {
    &of(&declared.resources, role).desired["AssumeRolePolicyDocument"]["Statement"][0]
}

#[test]
fn roles_of_a_small_cluster() {
    let declared = declared(&with(
        "managedNodeGroups: [{name: m}]\nnodeGroups: [{name: s}]\n\
         fargateProfiles: [{name: f, selectors: [{namespace: x}]}]\n",
    ));
    assert_eq!(
        keys(&declared.resources),
        [
            "Role/cluster",
            "Role/nodegroup-m",
            "Role/nodegroup-s",
            "InstanceProfile/nodegroup-s",
            "Role/fargate"
        ]
    );
    assert_eq!(
        policies(&declared, "Role/cluster"),
        ["AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController"]
    );
    let node = [
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonSSMManagedInstanceCore",
    ];
    assert_eq!(policies(&declared, "Role/nodegroup-m"), node);
    assert_eq!(trust(&declared, "Role/nodegroup-m")["Principal"], json!({"Service": "ec2.amazonaws.com"}));
    assert_eq!(trust(&declared, "Role/cluster")["Action"], json!(["sts:AssumeRole", "sts:TagSession"]));
    let profiles = "arn:aws:eks:eu-central-1:123456789012:fargateprofile/harbour/*";
    assert_eq!(
        trust(&declared, "Role/fargate")["Condition"],
        json!({"ArnLike": {"aws:SourceArn": profiles}})
    );
    let role = &of(&declared.resources, "Role/cluster").desired;
    assert_eq!(role["Path"], json!("/portolan/eu-central-1/harbour/"));
    assert_eq!(role["RoleName"], json!("harbour-eu-central-1-cluster"));
}

#[test]
fn service_accounts_trust_the_issuer_with_subject_and_audience() {
    let declared = declared(&with(
        "iam:\n  withOIDC: true\n  serviceAccounts:\n\
         \x20   - {metadata: {name: app, namespace: web}, attachPolicyARNs: [\"arn:aws:iam::1:policy/p\"], roleName: mine}\n\
         \x20   - {metadata: {name: many}, subjectPattern: \"many-*\", wellKnownPolicies: {certManager: true}}\n\
         \x20   - {metadata: {name: given}, attachRoleARN: \"arn:aws:iam::1:role/r\"}\n",
    ));
    assert_eq!(problems(&declared), Vec::<String>::new());
    let expected = ["Role/cluster", "OidcProvider/oidc", "Role/sa-web-app", "Role/sa-default-many"];
    assert_eq!(keys(&declared.resources), expected);
    let provider = Key::new(Kind::OidcProvider, "oidc");
    assert_eq!(
        trust(&declared, "Role/sa-web-app"),
        &json!({
            "Effect": "Allow",
            "Principal": {"Federated": provider.output("arn")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                "$issuer:aud": "sts.amazonaws.com",
                "$issuer:sub": "system:serviceaccount:web:app",
            }},
        })
    );
    let many = &trust(&declared, "Role/sa-default-many")["Condition"];
    assert_eq!(many["StringLike"]["$issuer:sub"], json!("system:serviceaccount:default:many-*"));
    assert_eq!(of(&declared.resources, "Role/sa-web-app").desired["RoleName"], json!("mine"));
}

#[test]
fn pods_trust_pod_identity() {
    let config = with(
        "iam:\n  podIdentityAssociations:\n\
         \x20   - {namespace: web, serviceAccountName: worker, permissionPolicyARNs: [\"arn:aws:iam::1:policy/p\"],\n\
         \x20      permissionsBoundaryARN: \"arn:aws:iam::1:policy/b\", tags: {a: b}}\n\
         \x20   - {namespace: web, serviceAccountName: given, roleARN: \"arn:aws:iam::1:role/r\"}\n",
    );
    let declared = declared(&config);
    let role = of(&declared.resources, "Role/pod-web-worker");
    let principal = json!({"Service": "pods.eks.amazonaws.com"});
    let statement = trust(&declared, "Role/pod-web-worker");
    assert_eq!(
        (&statement["Principal"], &statement["Action"]),
        (&principal, &json!(["sts:AssumeRole", "sts:TagSession"]))
    );
    assert_eq!(role.desired["PermissionsBoundary"], json!("arn:aws:iam::1:policy/b"));
    assert_eq!(role.tags["a"], "b");
    let associations = &config.iam.as_ref().unwrap().pod_identity_associations;
    assert_eq!(pod_role(&associations[0]), role.key.output("arn"));
    assert_eq!(pod_role(&associations[1]), json!("arn:aws:iam::1:role/r"));
}

#[test]
fn given_roles_make_none() {
    let config = with(
        "iam: {serviceRoleARN: \"arn:aws:iam::1:role/c\", fargatePodExecutionRoleARN: \"arn:aws:iam::1:role/f\"}\n\
         fargateProfiles: [{name: f, selectors: [{namespace: x}]}]\n\
         managedNodeGroups: [{name: m, iam: {instanceRoleARN: \"arn:aws:iam::1:role/n\"}}]\n\
         nodeGroups: [{name: s, iam: {instanceRoleARN: \"arn:aws:iam::1:role/path/n\"}}]\n",
    );
    let declared = declared(&config);
    assert_eq!(keys(&declared.resources), ["InstanceProfile/nodegroup-s"]);
    assert_eq!(of(&declared.resources, "InstanceProfile/nodegroup-s").desired["RoleName"], json!("n"));
    assert_eq!(node_role(&config.managed_node_groups[0].base), json!("arn:aws:iam::1:role/n"));
    assert_eq!(fargate_role(&config, &config.fargate_profiles[0]), json!("arn:aws:iam::1:role/f"));
}

#[test]
fn addons_get_permissions_in_the_order_of_what_is_said() {
    let scope = scope_of("harbour");
    let role = |name: &str| Key::new(Kind::Role, name).output("arn");
    let identity = |head: &str, addon: &str| {
        let config = with(&format!("{head}addons: [{addon}]\n"));
        addon_identity(&config, &scope, &config.addons[0])
    };
    let oidc = "iam: {withOIDC: true}\n";
    assert_eq!(identity("", "{name: vpc-cni}"), AddonIdentity::None);
    assert_eq!(identity(oidc, "{name: coredns}"), AddonIdentity::None);
    let by_oidc = AddonIdentity::ServiceAccountRole(role("addon-vpc-cni"));
    assert_eq!(identity(oidc, "{name: vpc-cni}"), by_oidc);
    let given = AddonIdentity::ServiceAccountRole(json!("arn:aws:iam::1:role/r"));
    assert_eq!(identity(oidc, "{name: vpc-cni, serviceAccountRoleARN: \"arn:aws:iam::1:role/r\"}"), given);
    let recommended = AddonIdentity::PodIdentity(vec![("aws-node".into(), role("addon-vpc-cni"))]);
    assert_eq!(identity(oidc, "{name: vpc-cni, useDefaultPodIdentityAssociations: true}"), recommended);
    // What is automatic goes to add-ons that have such associations, and asks nothing of the default ones.
    let automatic = "addonsConfig: {autoApplyPodIdentityAssociations: true}\naddons: [{name: vpc-cni}]\n";
    let automatic = declared(&with_defaults(with(automatic)));
    assert!(
        automatic.problems.iter().all(|problem| !problem.at.contains("PodIdentity")),
        "{:?}",
        automatic.problems
    );
    let said = "{name: x, podIdentityAssociations: [{serviceAccountName: a, permissionPolicyARNs: [\"arn:aws:iam::1:policy/p\"]}]}";
    assert_eq!(identity("", said), AddonIdentity::PodIdentity(vec![("a".into(), role("addon-x-a"))]));
}

#[test]
fn nodes_carry_the_cni_only_without_a_role_of_its_own() {
    let cni = |yaml: &str| {
        let declared = declared(&with(&format!("managedNodeGroups: [{{name: m}}]\n{yaml}")));
        let inline =
            of(&declared.resources, "Role/nodegroup-m").desired["InlinePolicies"].get("CNI").is_some();
        (policies(&declared, "Role/nodegroup-m").contains(&"AmazonEKS_CNI_Policy"), inline)
    };
    assert_eq!(cni(""), (true, false));
    assert_eq!(cni("kubernetesNetworkConfig: {ipFamily: IPv6}\n"), (false, true));
    assert_eq!(cni("iam: {withOIDC: true}\naddons: [{name: vpc-cni}]\n"), (false, false));
}

#[test]
fn arns_follow_the_partition() {
    let scope = Scope { partition: "aws-cn".into(), region: "cn-north-1".into(), ..scope_of("harbour") };
    let config = with(
        "managedNodeGroups: [{name: m, iam: {withAddonPolicies: {awsLoadBalancerController: true, externalDNS: true}}}]\n",
    );
    let declared = resources(&config, &scope, &Snapshot::default());
    let text = json!(declared.resources.iter().map(|each| &each.desired).collect::<Vec<_>>()).to_string();
    assert!(!text.contains("arn:aws:"), "{text}");
    assert!(text.contains("arn:aws-cn:iam::aws:policy/AmazonEKSClusterPolicy"));
    assert!(text.contains("ec2.amazonaws.com.cn") && text.contains("\"eks.amazonaws.com\""));
}

#[test]
fn what_cannot_be_trusted_is_refused() {
    let account = "{metadata: {name: a}, attachPolicyARNs: [\"arn:aws:iam::1:policy/p\"]}";
    let cases = [
        (format!("iam: {{serviceAccounts: [{account}]}}\n"), "set iam.withOIDC to true"),
        ("iam: {withOIDC: true, serviceAccounts: [{metadata: {name: a}}]}\n".into(), "the role has no policy"),
        (
            "iam: {withOIDC: true}\naddons: [{name: unheard-of, attachPolicyARNs: [\"arn:aws:iam::1:policy/p\"]}]\n".into(),
            "which service account of unheard-of gets these policies is not known here",
        ),
        (
            "addons: [{name: vpc-cni, attachPolicyARNs: [\"arn:aws:iam::1:policy/p\"]}]\n".into(),
            "policies of vpc-cni need the OIDC provider or pod identity",
        ),
        (
            "nodeGroups: [{name: s, iam: {instanceProfileARN: \"arn:aws:iam::1:instance-profile/p\"}}]\n".into(),
            "give instanceRoleARN as well",
        ),
        (
            format!("iam: {{withOIDC: true, serviceAccounts: [{account}, {account}]}}\n"),
            "Role/sa-default-a is declared twice",
        ),
    ];
    for (yaml, words) in cases {
        let told = problems(&declared(&with(&yaml)));
        assert!(told.iter().any(|each| each.contains(words)), "{yaml}: {told:?}");
    }
}

/// IAM's limits: 64 characters, and two roles never share a name.
#[test]
fn names_fit_and_stay_apart() {
    let mut scope = scope_of("harbour");
    let mut seen = std::collections::BTreeSet::new();
    for length in [1, 20, 50, 100] {
        scope.cluster = "c".repeat(length);
        for region in ["eu-central-1", "ap-southeast-2"] {
            scope.region = region.into();
            for part in ["cluster", "nodegroup-a", "nodegroup-b", &"sa-x".repeat(30), "sa-kube-system-a.b"] {
                let name = role_name(&scope, &Key::new(Kind::Role, part));
                assert!(name.len() <= 64 && !name.is_empty(), "{name}");
                let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
                assert!(name.chars().all(allowed), "{name}");
                assert!(seen.insert(name.clone()), "{name} twice");
            }
        }
    }
}

/// With `aws-auth` as the only way to log in, ARNs of roles must have no path.
#[test]
fn roles_have_no_path_where_aws_auth_reads_them() {
    let path = |mode: &str| {
        let config = with(&format!("accessConfig: {{authenticationMode: {mode}}}\n"));
        of(&declared(&config).resources, "Role/cluster").desired["Path"].clone()
    };
    assert_eq!(path("CONFIG_MAP"), json!("/"));
    assert_eq!(path("API"), json!("/portolan/eu-central-1/harbour/"));
}

#[test]
fn the_annotation_of_a_service_account_is_its_role() {
    let config = with("iam: {withOIDC: true, serviceAccounts: [{metadata: {name: a, namespace: n}}]}\n");
    let account = &config.iam.as_ref().unwrap().service_accounts[0];
    assert_eq!(service_account_role(account), Key::new(Kind::Role, "sa-n-a").output("arn"));
}
