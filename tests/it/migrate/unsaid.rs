//! What kops does that no field of its specs says, and fields that are easily taken for something else: each case is one
//! that a spec of kops' own brought up.

use super::account;
use portolan::migrate::assess::{Assessment, assess};
use portolan::migrate::{Level, Verdict};
use portolan::model::cluster_config::NodeGroupBase;
use portolan::model::kops::{Cloud, KopsState, Source, read_documents, read_files};
use std::collections::BTreeMap;

const CLUSTER: &str = "apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {name: shop.example.com}
spec:
  authorization: {rbac: {}}
  cloudProvider: aws
  kubernetesVersion: 1.34.1
  networkCIDR: 172.20.0.0/16
  networking: {flannel: {}}
  subnets:
  - {name: a, zone: us-test-1a, type: Private, cidr: 172.20.32.0/19}
  - {name: b, zone: us-test-1b, type: Public, cidr: 172.20.64.0/19}
  - {name: utility-a, zone: us-test-1a, type: Utility, cidr: 172.20.0.0/22}
";

/// A cluster with more in its spec, and a group of these fields.
fn state(more: &str, group: &str) -> KopsState {
    let text = format!(
        "{CLUSTER}{more}---\napiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata: {{name: nodes}}\nspec: {group}\n"
    );
    read_files("x", &[Source { origin: "x.yaml", bytes: text.as_bytes() }], None).unwrap()
}

/// As assessed with every choice as it is proposed.
fn assessed(state: &KopsState) -> Assessment {
    let facts = account::facts(state);
    let first = assess(state, &facts, &BTreeMap::new());
    assess(state, &facts, &account::choices(&first.verdicts))
}

fn group(state: &KopsState) -> NodeGroupBase {
    let assessment = assessed(state);
    let config = assessment.config.unwrap_or_else(|| panic!("{:?}", assessment.verdicts));
    config.managed_node_groups[0].base.clone()
}

fn types(state: &KopsState) -> Vec<String> {
    assessed(state).config.unwrap().managed_node_groups[0].instance_types.clone()
}

fn of_rule<'a>(assessment: &'a Assessment, rule: &str) -> Vec<&'a Verdict> {
    assessment.verdicts.iter().filter(|verdict| verdict.rule == rule).collect()
}

#[test]
fn sizes_that_are_not_said_are_two() {
    let sizes = |spec: &str| {
        let base = group(&state("", spec));
        (base.min_size.unwrap(), base.max_size.unwrap())
    };
    assert_eq!(sizes("{role: Node, machineType: m5.large, maxSize: 20}"), (2, 20));
    assert_eq!(sizes("{role: Node, machineType: m5.large, minSize: 1}"), (1, 2));
    assert_eq!(sizes("{role: Node, machineType: m5.large, minSize: 5}"), (5, 5));
    assert_eq!(sizes("{role: Node, machineType: m5.large, maxSize: 1}"), (1, 1));
    assert_eq!(sizes("{role: Node, machineType: m5.large}"), (2, 2));
}

#[test]
fn a_machine_type_beside_a_list_of_types_is_never_started() {
    let spec = "{machineType: t2.micro, mixedInstancesPolicy: {instances: [m5.large, m5.xlarge]}}";
    assert_eq!(types(&state("", spec)), ["m5.large", "m5.xlarge"]);
    let beside = assessed(&state("", spec));
    assert_eq!(of_rule(&beside, "kops.group.machine-type")[0].level, Level::Irrelevant);
    assert_eq!(
        types(&state("", "{machineType: t3.medium, mixedInstancesPolicy: {onDemandBase: 0}}")),
        ["t3.medium"]
    );
    // A type that the region does not have is asked for where it stands.
    let unknown = state("", "{mixedInstancesPolicy: {instances: [m5.large, zz.large]}}");
    let choice =
        "kops.group.machine-types@InstanceGroup nodes/spec/mixedInstancesPolicy/instances/1".to_owned();
    let choices = BTreeMap::from([(choice, "m5.xlarge".to_owned())]);
    let config = assess(&unknown, &account::facts(&unknown), &choices);
    assert_eq!(config.of_level(Level::Blocker).count(), 0);
    assert_eq!(config.config.unwrap().managed_node_groups[0].instance_types, ["m5.large", "m5.xlarge"]);
}

#[test]
fn volumes_are_as_large_and_as_sealed_as_kops_makes_them() {
    let told = |state: &KopsState| of_rule(&assessed(state), "kops.group.volume-default").len();
    let silent = state("", "{machineType: m5.large, volumes: [{device: /dev/xvdd, size: 20}]}");
    let base = group(&silent);
    assert_eq!((base.volume_size, base.volume_encrypted), (Some(128), Some(true)));
    assert_eq!(base.additional_volumes[0].volume_encrypted, Some(true));
    assert_eq!(told(&silent), 1);
    let said = state(
        "",
        "{machineType: m5.large, rootVolumeSize: 50, rootVolumeEncryption: false, rootVolumeEncryptionKey: x}",
    );
    let base = group(&said);
    assert_eq!(
        (base.volume_size, base.volume_encrypted, base.volume_kms_key_id),
        (Some(50), Some(false), None)
    );
    assert_eq!(told(&said), 0);
    let mut old = silent;
    old.version = Some("1.20.3".into());
    assert_eq!(group(&old).volume_encrypted, None);
}

#[test]
fn ways_to_the_instances_metadata_stay_as_they_were() {
    let metadata = |version: &str, said: &str| {
        let mut state = state("", &format!("{{machineType: m5.large, instanceMetadata: {said}}}"));
        state.cluster.tree["spec"]["kubernetesVersion"] = version.into();
        let level =
            of_rule(&assessed(&state), "kops.group.metadata-default").first().map(|verdict| verdict.level);
        let base = group(&state);
        (base.disable_imdsv1, base.disable_pod_imds, level)
    };
    assert_eq!(metadata("1.34.1", "{}"), (Some(true), Some(true), Some(Level::Mapped)));
    assert_eq!(metadata("1.26.9", "{}"), (Some(false), None, Some(Level::Warning)));
    assert_eq!(metadata("1.26.9", "{httpTokens: required}"), (Some(true), Some(true), Some(Level::Mapped)));
    assert_eq!(
        metadata("1.34.1", "{httpTokens: required, httpPutResponseHopLimit: 2}"),
        (Some(true), None, None)
    );
    assert_eq!(
        metadata("1.34.1", "{httpTokens: optional, httpPutResponseHopLimit: 1}"),
        (Some(false), None, None)
    );
}

#[test]
fn labels_and_taints_of_the_kubelet_and_of_gpus_are_on_the_nodes() {
    let state = state(
        "  kubelet: {nodeLabels: {tier: all, of: cluster}, taints: [\"a=b:NoSchedule\"]}\n  containerd: {nvidiaGPU: {enabled: true}}\n",
        "{machineType: g4dn.xlarge, nodeLabels: {tier: own}, taints: [\"a=c:NoSchedule\"], kubelet: {taints: [\"d:NoExecute\"], nodeLabels: {of: group}}}",
    );
    let base = group(&state);
    let label = |key: &str| base.labels.get(key).map(String::as_str);
    assert_eq!((label("tier"), label("of")), (Some("own"), Some("group")));
    assert_eq!(label("kops.migrated.portolan.dev/gpu"), Some("1"));
    let taints: Vec<_> = base.taints.iter().map(|taint| format!("{}={}", taint.key, taint.value)).collect();
    assert_eq!(taints, ["a=c", "d=", "nvidia.com/gpu="]);
    let plain =
        group(&self::state("  containerd: {nvidiaGPU: {enabled: true}}\n", "{machineType: m5.large}"));
    assert!(plain.taints.is_empty());
}

#[test]
fn a_node_role_with_more_policies_can_still_give_pods_addresses() {
    let with = |more: &str| {
        let more =
            format!("  externalPolicies: {{node: [\"arn:aws:iam::111122223333:policy/logs\"]}}\n{more}");
        let role = group(&state(&more, "{machineType: m5.large}")).iam.unwrap();
        let cni = |arn: &String| arn.ends_with("/AmazonEKS_CNI_Policy");
        (role.attach_policy_arns.len(), role.attach_policy_arns.iter().any(cni))
    };
    assert_eq!(with(""), (5, true));
    // With the OIDC provider the add-on has a role of its own.
    assert_eq!(with("  iam: {useServiceAccountExternalPermissions: true}\n"), (4, false));
}

#[test]
fn what_is_no_policy_is_a_blocker_where_it_stands() {
    let state = state(
        "  iam: {permissionsBoundary: \"arn:aws:iam:000000000000:policy/boundaries\"}\n  externalPolicies: {node: [logs]}\n",
        "{machineType: m5.large}",
    );
    let first = assess(&state, &account::facts(&state), &BTreeMap::new());
    let blockers: Vec<&str> = first.of_level(Level::Blocker).map(|verdict| verdict.field.as_str()).collect();
    assert_eq!(blockers, ["/spec/externalPolicies/node/0", "/spec/iam/permissionsBoundary"]);
    let accepted = assessed(&state);
    assert_eq!(accepted.of_level(Level::Blocker).count(), 0);
    assert!(accepted.config.is_some());
}

#[test]
fn groups_without_subnets_are_where_kops_puts_them() {
    let subnets = |more: &str| {
        let mut base = group(&state(more, "{machineType: m5.large}")).subnets;
        base.sort();
        base
    };
    assert_eq!(subnets(""), ["a", "b"]);
    assert_eq!(
        subnets("  - {name: c, zone: us-test-1b, type: DualStack, cidr: 172.20.96.0/19}\n"),
        ["a", "b"]
    );
}

#[test]
fn subnets_of_ipv6_alone_give_way_to_those_of_both_families() {
    let text = "apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {name: six.example.com}
spec:
  authorization: {rbac: {}}
  cloudProvider: aws
  kubernetesVersion: 1.34.1
  networkCIDR: 172.20.0.0/16
  nonMasqueradeCIDR: ::/0
  networking: {kindnet: {}}
  subnets:
  - {name: a, zone: us-test-1a, type: Private, ipv6CIDR: \"2001:db8:0:111::/64\"}
  - {name: b, zone: us-test-1b, type: Private, ipv6CIDR: \"2001:db8:0:112::/64\"}
  - {name: dual-a, zone: us-test-1a, type: DualStack, cidr: 172.20.32.0/19, ipv6CIDR: \"2001:db8:0:113::/64\"}
  - {name: dual-b, zone: us-test-1b, type: DualStack, cidr: 172.20.64.0/19, ipv6CIDR: \"2001:db8:0:114::/64\"}
---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata: {name: nodes}
spec: {machineType: m5.large, subnets: [a, b]}
";
    let read =
        |text: &str| read_files("x", &[Source { origin: "x.yaml", bytes: text.as_bytes() }], None).unwrap();
    let assessment = assessed(&read(text));
    let config = assessment.config.unwrap();
    assert_eq!(config.managed_node_groups[0].base.subnets, ["dual-a", "dual-b"]);
    let private: Vec<String> = config.vpc.unwrap().subnets.unwrap().private.into_keys().collect();
    assert_eq!(private, ["dual-a", "dual-b"], "EKS is given no subnet that it refuses");
    // Without any of both families in a zone nobody can guess.
    let lonely = read(&text.replace("dual-b, zone: us-test-1b", "dual-b, zone: us-test-1c"));
    let first = assess(&lonely, &account::facts(&lonely), &BTreeMap::new());
    let blockers: Vec<&str> = first.of_level(Level::Blocker).map(|verdict| verdict.field.as_str()).collect();
    assert_eq!(blockers, ["/spec/subnets/1"]);
}

#[test]
fn leftovers_of_another_cloud_do_not_make_the_cluster_one_of_it() {
    let state = state(
        "  cloudConfig: {gcpPDCSIDriver: {enabled: false}, multizone: true}\n",
        "{machineType: m5.large}",
    );
    assert_eq!(state.cloud(), Cloud::Aws);
    let first = assess(&state, &account::facts(&state), &BTreeMap::new());
    let blockers: Vec<&str> = first.of_level(Level::Blocker).map(|verdict| verdict.rule.as_str()).collect();
    assert_eq!(blockers, ["kops.cloud.other", "kops.cloud.other"]);
    assert_eq!(assessed(&state).of_level(Level::Blocker).count(), 0);
    // Without a name that says it, another cloud's settings are all there is to go by.
    let newest = "{apiVersion: kops.k8s.io/v1alpha3, kind: Cluster, metadata: {name: a}, spec: {cloudProvider: {gce: {}, aws: {}}}}";
    let read = read_documents(Source { origin: "x.yaml", bytes: newest.as_bytes() });
    assert_eq!(read.clusters[0].cloud(), Cloud::Other("gce".into()));
}

#[test]
fn fields_that_kubernetes_defines_are_known_to_their_ends() {
    let more = "  kubeDNS:
    tolerations: [{key: dns, operator: Exists}]
    affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {matchExpressions: [{key: x, operator: Exists}]}}]}}
  kubeAPIServer: {env: [{name: A, value: b}, {name: C, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]}
";
    let assessment = assessed(&state(more, "{machineType: m5.large}"));
    assert_eq!(of_rule(&assessment, "kops.field.unknown"), [] as [&Verdict; 0]);
    let config = assessment.config.unwrap();
    let coredns = config.addons.iter().find(|addon| addon.name == "coredns").unwrap();
    let values = coredns.configuration_values.as_deref().unwrap_or_default();
    assert!(values.contains("tolerations") && values.contains("nodeAffinity"), "{values}");
}

#[test]
fn silence_about_who_may_do_what_is_told() {
    let warned = |state: &KopsState| of_rule(&assessed(state), "kops.access.unsaid").len();
    let mut silent = state("", "{machineType: m5.large}");
    assert_eq!(warned(&silent), 0);
    silent.cluster.tree["spec"].as_object_mut().unwrap().remove("authorization");
    assert_eq!(warned(&silent), 1);
    silent.version = Some("1.36.1".into());
    assert_eq!(warned(&silent), 0, "it means RBAC by then");
}
