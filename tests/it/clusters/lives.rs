//! Lives of clusters: what is committed one after the other, so that together they make every kind of change.

use super::aws::SHOP;

/// What a commit puts in the place of what.
type Edit = (&'static str, &'static str);

/// The commits of one cluster's life; after the last its document is removed.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub name: &'static str,
    /// What the first commit is made from.
    base: &'static str,
    /// The first commit, in what it differs from the base; then each in what it differs from the one before.
    commits: &'static [&'static [Edit]],
    /// Whether somebody changes things at the console before the last commit.
    pub edited: bool,
}

impl Life {
    /// The texts that are committed, in order.
    pub fn texts(&self) -> Vec<String> {
        let mut text = self.base.to_owned();
        let mut texts = Vec::new();
        for edits in self.commits {
            text = edited(&text, edits);
            texts.push(text.clone());
        }
        texts
    }
}

/// A text after changes, each of which has to be one.
pub fn edited(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from:?} stands once in\n{text}");
        text.replace(from, to)
    })
}

/// Made and taken away.
pub const SHORT: Life = Life { name: "short", base: SHOP, commits: &[&[]], edited: false };

/// Every life there is.
pub const ALL: [Life; 5] = [
    SHORT,
    Life { name: "changed", base: SHOP, commits: &[ONE_OF_EACH, ALL_CHANGED], edited: false },
    Life { name: "IPv6", base: SMALL, commits: &[IPV6], edited: false },
    Life { name: "private", base: SMALL, commits: &[PRIVATE, MORE_ENDPOINTS], edited: false },
    Life { name: "edited", base: SHOP, commits: &[&[], &[]], edited: true },
];

/// One of everything that can be changed, and one of what can be left out again.
const ONE_OF_EACH: &[Edit] = &[
    ("tags: {team: shop}", r#"tags: {team: shop, cost: "12"}"#),
    (
        "  podIdentityAssociations:\n",
        r#"      attachPolicy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
      permissionsBoundary: "arn:aws:iam::123456789012:policy/boundary"
    - metadata: {name: old, namespace: shop}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
  podIdentityAssociations:
    - {namespace: shop, serviceAccountName: mail, roleARN: "arn:aws:iam::123456789012:role/mail"}
    - {namespace: shop, serviceAccountName: gone, roleARN: "arn:aws:iam::123456789012:role/mail"}
"#,
    ),
    (
        "addons:\n",
        r#"        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy
          accessScope: {type: cluster}
    - {principalARN: "arn:aws:iam::123456789012:role/operators", kubernetesGroups: [operators]}
    - {principalARN: "arn:aws:iam::123456789012:role/former", kubernetesGroups: [former]}
identityProviders:
  - {name: company, type: oidc, issuerURL: "https://login.example.com", clientID: kubernetes}
addons:
  - {name: metrics-server}
"#,
    ),
    (
        "fargateProfiles:\n",
        r#"nodeGroups:
  - {name: own, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 2, labels: {pool: own}, asgMetricsCollection: [{granularity: 1Minute}], asgSuspendProcesses: [AZRebalance]}
fargateProfiles:
"#,
    ),
];

/// A commit that touches all of it.
const ALL_CHANGED: &[Edit] = &[
    (r#"version: "1.35""#, r#"version: "1.36""#),
    (r#"{team: shop, cost: "12"}"#, "{team: web}"),
    (
        "iam:\n",
        r#"vpc: {clusterEndpoints: {privateAccess: true, publicAccess: true}}
cloudWatch: {clusterLogging: {enableTypes: [audit], logRetentionInDays: 30}}
secretsEncryption: {keyARN: "arn:aws:kms:eu-central-1:123456789012:key/1"}
iam:
"#,
    ),
    (
        r#"labels: {tier: batch}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
      attachPolicy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
      permissionsBoundary: "arn:aws:iam::123456789012:policy/boundary"
    - metadata: {name: old, namespace: shop}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
"#,
        r#"labels: {tier: night}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
"#,
    ),
    (
        r#"serviceAccountName: mail, roleARN: "arn:aws:iam::123456789012:role/mail"}
    - {namespace: shop, serviceAccountName: gone, roleARN: "arn:aws:iam::123456789012:role/mail"}
"#,
        "serviceAccountName: mail, roleARN: \"arn:aws:iam::123456789012:role/post\"}\n",
    ),
    (
        r#"permissionPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]"#,
        r#"permissionPolicyARNs: ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"], permissionsBoundaryARN: "arn:aws:iam::123456789012:policy/boundary""#,
    ),
    (
        r#"namespaces: [shop]}
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy
          accessScope: {type: cluster}
"#,
        "namespaces: [shop, batch]}\n",
    ),
    (
        r#"kubernetesGroups: [operators]}
    - {principalARN: "arn:aws:iam::123456789012:role/former", kubernetesGroups: [former]}
identityProviders:
  - {name: company, type: oidc, issuerURL: "https://login.example.com", clientID: kubernetes}
"#,
        "kubernetesGroups: [operators, night]}\n",
    ),
    ("  - {name: metrics-server}\n", ""),
    ("{name: coredns}", r#"{name: coredns, configurationValues: "replicaCount: 3"}"#),
    (
        r#"minSize: 1, maxSize: 3, desiredCapacity: 2, labels: {pool: blue}}
  - {name: green, spot: true, instanceTypes: [t3.medium, t3.large], minSize: 1, maxSize: 4, taints: [{key: spot, value: "true", effect: NoSchedule}]}
"#,
        "minSize: 2, maxSize: 4, desiredCapacity: 3, labels: {pool: azure}}\n",
    ),
    (
        r#"{name: own, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 2, labels: {pool: own}, asgMetricsCollection: [{granularity: 1Minute}], asgSuspendProcesses: [AZRebalance]}"#,
        "{name: own, instanceType: t3.large, minSize: 1, maxSize: 4, desiredCapacity: 3, labels: {pool: own}, asgSuspendProcesses: [ScheduledActions]}",
    ),
    ("{name: batch, selectors: [{namespace: batch}]}", "{name: night, selectors: [{namespace: night}]}"),
];

/// One node group, and what it takes.
const SMALL: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.36", tags: {team: shop}}
availabilityZones: [eu-central-1a, eu-central-1b]
iam: {withOIDC: true}
addons: [{name: vpc-cni}, {name: kube-proxy}, {name: coredns}]
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 1}
"#;

/// What only IPv6 has: an egress gateway, and blocks that are associated.
const IPV6: &[Edit] = &[("iam:", "kubernetesNetworkConfig: {ipFamily: IPv6}\niam:")];

/// What only a private cluster has: endpoints in its VPC.
const PRIVATE: &[Edit] = &[
    ("iam: {withOIDC: true}", "privateCluster: {enabled: true}"),
    ("t3.medium,", "t3.medium, privateNetworking: true,"),
];

/// One more of them.
const MORE_ENDPOINTS: &[Edit] = &[
    ("{team: shop}", "{team: web}"),
    ("{enabled: true}", "{enabled: true, additionalEndpointServices: [autoscaling]}"),
];
