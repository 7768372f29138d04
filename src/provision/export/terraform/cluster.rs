//! The cluster and its parts.

use super::facts::Facts;
use super::{File, tags};
use crate::provision::export::OF_EKS;
use crate::provision::export::hcl::Block;
use crate::provision::network::CLUSTER_SECURITY_GROUP;
use crate::provision::resource::{Kind, Live, Scope, Snapshot};
use serde_json::{Value, json};

/// Arguments that only CreateCluster takes and no API tells again: what an import takes them for differs between versions of
/// the provider, and any other value would replace the cluster (hashicorp/terraform-provider-aws issues 38967 and 39058).
const ONLY_AT_CREATION: [&str; 2] =
    ["access_config[0].bootstrap_cluster_creator_admin_permissions", "bootstrap_self_managed_addons"];

pub(super) fn write(scope: &Scope, snapshot: &Snapshot, live: &Live, facts: &Facts, file: &mut File) {
    cluster(live, file);
    let name = reference(&live.id);
    for entry in &facts.entries_of_nodes {
        entry_of_nodes(entry, &name, &scope.cluster, file);
    }
    for live in snapshot.live.values() {
        let import = |part: &str| format!("{}:{part}", scope.cluster);
        match live.key.kind {
            Kind::Nodegroup => nodegroup(live, &name, &import(&live.id), file),
            Kind::Addon => addon(live, &name, &import(&live.id), file),
            Kind::FargateProfile => fargate(live, &name, &import(&live.id), file),
            Kind::AccessEntry => access_entry(live, &name, &scope.cluster, file),
            Kind::PodIdentityAssociation => {
                pod_identity(live, &name, &format!("{},{}", scope.cluster, live.id), file);
            }
            Kind::IdentityProvider => identity_provider(live, &name, &import(&live.id), file),
            _ => {}
        }
    }
}

/// What stands for the cluster's name; no name of anything else is like it.
fn reference(name: &str) -> String {
    format!("\u{0}cluster {name}")
}

/// A block with one boolean or word, where it is there.
fn single(kind: &str, name: &str, value: &Value) -> Block {
    Block::new(kind, &[]).plain(name, value)
}

fn cluster(live: &Live, file: &mut File) {
    let actual = &live.actual;
    let network = &actual["resourcesVpcConfig"];
    let services = &actual["kubernetesNetworkConfig"];
    let access = &actual["accessConfig"];
    let address = file.add("aws_eks_cluster", &live.id, &live.id, &[], |block| {
        let vpc = Block::new("vpc_config", &[])
            .with("subnet_ids", &network["subnetIds"])
            .with("security_group_ids", &network["securityGroupIds"])
            .plain("endpoint_private_access", &network["endpointPrivateAccess"])
            .plain("endpoint_public_access", &network["endpointPublicAccess"])
            .plain("public_access_cidrs", &network["publicAccessCidrs"]);
        let access =
            Block::new("access_config", &[]).plain("authentication_mode", &access["authenticationMode"]);
        let services = Block::new("kubernetes_network_config", &[])
            .plain("ip_family", &services["ipFamily"])
            .plain("service_ipv4_cidr", &services["serviceIpv4Cidr"])
            .block(single("elastic_load_balancing", "enabled", &services["elasticLoadBalancing"]["enabled"]));
        let encryption = actual["encryptionConfig"].as_array().into_iter().flatten().map(|config| {
            Block::new("encryption_config", &[]).plain("resources", &config["resources"]).block(single(
                "provider",
                "key_arn",
                &config["provider"]["keyArn"],
            ))
        });
        let compute = &actual["computeConfig"];
        let storage = single("block_storage", "enabled", &actual["storageConfig"]["blockStorage"]["enabled"]);
        let remote = &actual["remoteNetworkConfig"];
        let cidrs = |block: &str, list: &str| {
            let all = remote[list].as_array().into_iter().flatten();
            let all: Vec<&Value> = all.filter_map(|each| each["cidrs"].as_array()).flatten().collect();
            single(block, "cidrs", &json!(all))
        };
        let block = block
            .plain("name", &actual["name"])
            .plain("version", &actual["version"])
            .with("role_arn", &actual["roleArn"])
            .plain("enabled_cluster_log_types", &actual["logging"])
            .plain("deletion_protection", &actual["deletionProtection"])
            .plain("tags", &tags(live))
            .block(vpc)
            .block(access)
            .block(services)
            .blocks(encryption)
            .block(single("upgrade_policy", "support_type", &actual["upgradePolicy"]["supportType"]))
            .block(single("zonal_shift_config", "enabled", &actual["zonalShiftConfig"]["enabled"]))
            .block(single(
                "control_plane_scaling_config",
                "tier",
                &actual["controlPlaneScalingConfig"]["tier"],
            ))
            .block(
                Block::new("remote_network_config", &[])
                    .block(cidrs("remote_node_networks", "remoteNodeNetworks"))
                    .block(cidrs("remote_pod_networks", "remotePodNetworks")),
            );
        let block = block.block(Block::new("lifecycle", &[]).addresses("ignore_changes", &ONLY_AT_CREATION));
        // Said only of Auto Mode: a cluster that never had it answers nothing, or a plain no.
        if compute["enabled"] != json!(true) {
            return block;
        }
        block
            .block(
                Block::new("compute_config", &[])
                    .plain("enabled", &compute["enabled"])
                    .plain("node_pools", &compute["nodePools"])
                    .with("node_role_arn", &compute["nodeRoleArn"]),
            )
            .block(Block::new("storage_config", &[]).block(storage))
    });
    file.known.insert(reference(&live.id), format!("{address}.name"));
    if let Some(group) = live.outputs.get(CLUSTER_SECURITY_GROUP).and_then(Value::as_str) {
        file.known.insert(group.to_owned(), format!("{address}.vpc_config[0].cluster_security_group_id"));
    }
}

fn nodegroup(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    let template = &actual["launchTemplate"];
    if let Some(id) = template["id"].as_str().filter(|id| !file.known.contains_key(*id)) {
        file.notes.push(format!("launch template {id} of node group {} is referred to by its id", live.id));
    }
    let taint = |taint: &Value| {
        Block::new("taint", &[])
            .plain("key", &taint["key"])
            .plain("value", &taint["value"])
            .plain("effect", &taint["effect"])
    };
    let (sizes, update, repair) =
        (&actual["scalingConfig"], &actual["updateConfig"], &actual["nodeRepairConfig"]);
    file.add("aws_eks_node_group", &live.id, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("node_group_name", &actual["nodegroupName"])
            .with("node_role_arn", &actual["nodeRole"])
            .with("subnet_ids", &actual["subnets"])
            .plain("ami_type", &actual["amiType"])
            .plain("capacity_type", &actual["capacityType"])
            .plain("disk_size", &actual["diskSize"])
            .plain("instance_types", &actual["instanceTypes"])
            .plain("labels", &actual["labels"])
            .plain(
                "release_version",
                &if actual["amiType"] == "CUSTOM" { Value::Null } else { actual["releaseVersion"].clone() },
            )
            .plain("version", &actual["version"])
            .plain("tags", &tags(live))
            .block(
                Block::new("scaling_config", &[])
                    .plain("desired_size", &sizes["desiredSize"])
                    .plain("max_size", &sizes["maxSize"])
                    .plain("min_size", &sizes["minSize"]),
            )
            .block(
                Block::new("update_config", &[])
                    .plain("max_unavailable", &update["maxUnavailable"])
                    .plain("max_unavailable_percentage", &update["maxUnavailablePercentage"]),
            )
            .blocks(actual["taints"].as_array().into_iter().flatten().map(taint))
            .block(
                Block::new("launch_template", &[])
                    .with("id", &template["id"])
                    .plain("version", &template["version"]),
            )
            .block(
                Block::new("remote_access", &[])
                    .plain("ec2_ssh_key", &actual["remoteAccess"]["ec2SshKey"])
                    .with("source_security_group_ids", &actual["remoteAccess"]["sourceSecurityGroups"]),
            )
            .block(single("node_repair_config", "enabled", &repair["enabled"]))
    });
}

fn addon(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    let associations = actual["podIdentityAssociations"].as_array().into_iter().flatten();
    file.add("aws_eks_addon", &live.id, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("addon_name", &actual["addonName"])
            .plain("addon_version", &actual["addonVersion"])
            .plain("configuration_values", &actual["configurationValues"])
            .with("service_account_role_arn", &actual["serviceAccountRoleArn"])
            .plain("tags", &tags(live))
            .blocks(associations.map(|association| {
                Block::new("pod_identity_association", &[])
                    .with("role_arn", &association["roleArn"])
                    .plain("service_account", &association["serviceAccount"])
            }))
    });
}

fn fargate(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    let selectors = actual["selectors"].as_array().into_iter().flatten();
    file.add("aws_eks_fargate_profile", &live.id, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("fargate_profile_name", &actual["fargateProfileName"])
            .with("pod_execution_role_arn", &actual["podExecutionRoleArn"])
            .with("subnet_ids", &actual["subnets"])
            .plain("tags", &tags(live))
            .blocks(selectors.map(|selector| {
                Block::new("selector", &[])
                    .plain("namespace", &selector["namespace"])
                    .plain("labels", &selector["labels"])
            }))
    });
}

/// By which self-managed nodes join: of their role, made by a person.
fn entry_of_nodes(entry: &Value, cluster: &str, of: &str, file: &mut File) {
    let principal = entry["principalArn"].as_str().unwrap_or_default();
    let short = principal.rsplit('/').next().unwrap_or(principal);
    file.add("aws_eks_access_entry", short, &format!("{of}:{principal}"), &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .with("principal_arn", &json!(principal))
            .plain("type", &entry["type"])
            .plain("tags", &entry["tags"])
    });
}

fn access_entry(live: &Live, cluster: &str, of: &str, file: &mut File) {
    let actual = &live.actual;
    // EKS makes those of managed nodes and of Fargate, and takes them away.
    if OF_EKS.contains(&actual["type"].as_str().unwrap_or_default()) {
        return;
    }
    let principal = actual["principalArn"].as_str().unwrap_or_default();
    let short = principal.rsplit([':', '/']).next().unwrap_or(principal);
    let import = format!("{of}:{principal}");
    file.add("aws_eks_access_entry", short, &import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .with("principal_arn", &actual["principalArn"])
            .plain("kubernetes_groups", &actual["kubernetesGroups"])
            .plain("type", &actual["type"])
            .plain("user_name", &actual["username"])
            .plain("tags", &tags(live))
    });
    for policy in actual["accessPolicies"].as_array().into_iter().flatten() {
        let arn = policy["policyArn"].as_str().unwrap_or_default();
        let name = format!("{short}_{}", arn.rsplit('/').next().unwrap_or(arn));
        let import = format!("{of}#{principal}#{arn}");
        file.add("aws_eks_access_policy_association", &name, &import, &[], |block| {
            let scope = &policy["accessScope"];
            block
                .with("cluster_name", &json!(cluster))
                .with("principal_arn", &actual["principalArn"])
                .plain("policy_arn", &json!(arn))
                .block(
                    Block::new("access_scope", &[])
                        .plain("type", &scope["type"])
                        .plain("namespaces", &scope["namespaces"]),
                )
        });
    }
}

fn pod_identity(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let actual = &live.actual;
    file.add("aws_eks_pod_identity_association", &live.key.name, import, &[], |block| {
        block
            .with("cluster_name", &json!(cluster))
            .plain("namespace", &actual["namespace"])
            .plain("service_account", &actual["serviceAccount"])
            .with("role_arn", &actual["roleArn"])
            .with("target_role_arn", &actual["targetRoleArn"])
            .plain("disable_session_tags", &actual["disableSessionTags"])
            .plain("tags", &tags(live))
    });
}

fn identity_provider(live: &Live, cluster: &str, import: &str, file: &mut File) {
    let oidc = &live.actual["oidc"];
    file.add("aws_eks_identity_provider_config", &live.id, import, &[], |block| {
        block.with("cluster_name", &json!(cluster)).plain("tags", &tags(live)).block(
            Block::new("oidc", &[])
                .plain("identity_provider_config_name", &oidc["identityProviderConfigName"])
                .plain("issuer_url", &oidc["issuerUrl"])
                .plain("client_id", &oidc["clientId"])
                .plain("username_claim", &oidc["usernameClaim"])
                .plain("username_prefix", &oidc["usernamePrefix"])
                .plain("groups_claim", &oidc["groupsClaim"])
                .plain("groups_prefix", &oidc["groupsPrefix"])
                .plain("required_claims", &oidc["requiredClaims"]),
        )
    });
}
