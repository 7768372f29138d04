//! Lives of clusters: what is committed one after the other, so that together they make every kind of change.

/// The commits of one cluster's life; after the last its document is removed.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub name: &'static str,
    pub commits: &'static [&'static str],
}

/// Made and taken away.
pub const SHORT: Life = Life { name: "short", commits: &[super::aws::SHOP] };

/// Every life there is.
pub const ALL: [Life; 4] = [
    SHORT,
    Life { name: "changed", commits: &[FULL, CHANGED] },
    Life { name: "IPv6", commits: &[IPV6] },
    Life { name: "private", commits: &[PRIVATE, PRIVATE_CHANGED] },
];

/// With one of everything that can be changed.
const FULL: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.35", tags: {team: shop, cost: "12"}}
availabilityZones: [eu-central-1a, eu-central-1b]
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: backup, namespace: shop, labels: {tier: batch}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
      attachPolicy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
    - metadata: {name: old, namespace: shop}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
  podIdentityAssociations:
    - {namespace: shop, serviceAccountName: web, createServiceAccount: true, permissionPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]}
    - {namespace: shop, serviceAccountName: mail, roleARN: "arn:aws:iam::123456789012:role/mail"}
    - {namespace: shop, serviceAccountName: gone, roleARN: "arn:aws:iam::123456789012:role/mail"}
accessConfig:
  authenticationMode: API
  accessEntries:
    - principalARN: arn:aws:iam::123456789012:role/people
      accessPolicies:
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
          accessScope: {type: namespace, namespaces: [shop]}
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy
          accessScope: {type: cluster}
    - {principalARN: "arn:aws:iam::123456789012:role/operators", kubernetesGroups: [operators]}
    - {principalARN: "arn:aws:iam::123456789012:role/former", kubernetesGroups: [former]}
identityProviders:
  - {name: company, type: oidc, issuerURL: "https://login.example.com", clientID: kubernetes}
addons:
  - {name: vpc-cni}
  - {name: kube-proxy}
  - {name: coredns}
  - {name: eks-pod-identity-agent}
  - {name: metrics-server}
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 2, labels: {pool: blue}}
  - {name: green, spot: true, instanceTypes: [t3.medium, t3.large], minSize: 1, maxSize: 4, taints: [{key: spot, value: "true", effect: NoSchedule}]}
nodeGroups:
  - {name: own, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 2, labels: {pool: own}, asgMetricsCollection: [{granularity: 1Minute}]}
fargateProfiles:
  - {name: batch, selectors: [{namespace: batch}]}
"#;

/// The same after a commit that touches all of it.
const CHANGED: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.36", tags: {team: web}}
availabilityZones: [eu-central-1a, eu-central-1b]
vpc: {clusterEndpoints: {privateAccess: true, publicAccess: true}}
cloudWatch: {clusterLogging: {enableTypes: [audit]}}
secretsEncryption: {keyARN: "arn:aws:kms:eu-central-1:123456789012:key/1"}
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: backup, namespace: shop, labels: {tier: night}}
      attachPolicyARNs: ["arn:aws:iam::aws:policy/AmazonS3FullAccess"]
  podIdentityAssociations:
    - {namespace: shop, serviceAccountName: web, createServiceAccount: true, permissionPolicyARNs: ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]}
    - {namespace: shop, serviceAccountName: mail, roleARN: "arn:aws:iam::123456789012:role/post"}
accessConfig:
  authenticationMode: API
  accessEntries:
    - principalARN: arn:aws:iam::123456789012:role/people
      accessPolicies:
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy
          accessScope: {type: namespace, namespaces: [shop, batch]}
    - {principalARN: "arn:aws:iam::123456789012:role/operators", kubernetesGroups: [operators, night]}
addons:
  - {name: vpc-cni}
  - {name: kube-proxy}
  - {name: coredns, configurationValues: "replicaCount: 3"}
  - {name: eks-pod-identity-agent}
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 2, maxSize: 4, desiredCapacity: 3, labels: {pool: azure}}
nodeGroups:
  - {name: own, instanceType: t3.large, minSize: 1, maxSize: 4, desiredCapacity: 3, labels: {pool: own}}
fargateProfiles:
  - {name: night, selectors: [{namespace: night}]}
"#;

/// What only IPv6 has: an egress gateway, and blocks that are associated.
const IPV6: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.36"}
availabilityZones: [eu-central-1a, eu-central-1b]
kubernetesNetworkConfig: {ipFamily: IPv6}
iam: {withOIDC: true}
addons: [{name: vpc-cni}, {name: kube-proxy}, {name: coredns}]
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, minSize: 1, maxSize: 3, desiredCapacity: 1}
"#;

/// What only a private cluster has: endpoints in its VPC.
const PRIVATE: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.36", tags: {team: shop}}
availabilityZones: [eu-central-1a, eu-central-1b]
privateCluster: {enabled: true}
addons: [{name: vpc-cni}, {name: kube-proxy}, {name: coredns}]
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, privateNetworking: true, minSize: 1, maxSize: 3, desiredCapacity: 1}
"#;

/// The same with one more endpoint.
const PRIVATE_CHANGED: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-central-1, version: "1.36", tags: {team: web}}
availabilityZones: [eu-central-1a, eu-central-1b]
privateCluster: {enabled: true, additionalEndpointServices: [autoscaling]}
addons: [{name: vpc-cni}, {name: kube-proxy}, {name: coredns}]
managedNodeGroups:
  - {name: blue, instanceType: t3.medium, privateNetworking: true, minSize: 1, maxSize: 3, desiredCapacity: 1}
"#;
