//! The names that an export to Terraform writes, held against the AWS provider's own: nothing may be in a file that
//! `terraform validate` refuses, and nothing that the provider has a word for may be left out unseen.

use super::recorded::{eks_cluster, scope_of};
use portolan::model::cloud::{Call, Service};
use portolan::provision::export::terraform::{Written, terraform};
use portolan::provision::resource::{Key, Kind, Live, Owner, Snapshot, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Arguments by resource, as hashicorp/terraform-provider-aws has them: those of EKS by the bindings that CDK Terrain makes
/// from the provider's schema in version 6.67.0 (cdktn-io/cdktn-provider-aws-go at 426e833: `aws/ekscluster`, node group,
/// add-on, pod identity; access entry, Fargate profile, identity provider and some blocks of the cluster are those of 6.28.0
/// or of the provider's source), those of groups and templates by its own `internal/service/autoscaling/group.go` (at 00a919d) and
/// `internal/service/ec2/ec2_launch_template.go` (at 025e4f8), rules and routes by the bindings of 6.28.0 (at 093509b). A `-` marks what is
/// never written: it is computed, only for creation, of the provider itself, or of what Portolan does not know.
const EKS: [(&str, &str); 8] = [
    (
        "aws_eks_cluster",
        "name role_arn version tags deletion_protection enabled_cluster_log_types vpc_config.subnet_ids
         vpc_config.security_group_ids vpc_config.endpoint_private_access vpc_config.endpoint_public_access
         vpc_config.public_access_cidrs vpc_config.control_plane_egress_mode access_config.authentication_mode
         -access_config.bootstrap_cluster_creator_admin_permissions -bootstrap_self_managed_addons compute_config.enabled
         compute_config.node_pools compute_config.node_role_arn control_plane_scaling_config.tier
         encryption_config.resources encryption_config.provider.key_arn -force_update_version
         kube_api_server_config.event_ttl kube_api_server_config.service_node_port_range.min_port
         kube_api_server_config.service_node_port_range.max_port
         kube_controller_manager_config.horizontal_pod_autoscaler_controller_config.horizontal_pod_autoscaler_sync_period
         kube_controller_manager_config.pod_gc_controller_config.terminated_pod_gc_threshold
         kube_scheduler_config.node_resources_fit.scoring_strategy.type
         kube_scheduler_config.node_resources_fit.scoring_strategy.resource.name
         kube_scheduler_config.node_resources_fit.scoring_strategy.resource.weight kubernetes_network_config.ip_family
         kubernetes_network_config.service_ipv4_cidr kubernetes_network_config.elastic_load_balancing.enabled
         -outpost_config -region remote_network_config.remote_node_networks.cidrs
         remote_network_config.remote_pod_networks.cidrs storage_config.block_storage.enabled -timeouts
         upgrade_policy.support_type zonal_shift_config.enabled",
    ),
    (
        "aws_eks_node_group",
        "cluster_name node_group_name node_role_arn subnet_ids scaling_config.desired_size scaling_config.max_size
         scaling_config.min_size ami_type capacity_type disk_size -force_update_version instance_types labels
         launch_template.id -launch_template.name launch_template.version -node_group_name_prefix
         node_repair_config.enabled node_repair_config.max_parallel_nodes_repaired_count
         node_repair_config.max_parallel_nodes_repaired_percentage node_repair_config.max_unhealthy_node_threshold_count
         node_repair_config.max_unhealthy_node_threshold_percentage
         node_repair_config.node_repair_config_overrides.min_repair_wait_time_mins
         node_repair_config.node_repair_config_overrides.node_monitoring_condition
         node_repair_config.node_repair_config_overrides.node_unhealthy_reason
         node_repair_config.node_repair_config_overrides.repair_action -region release_version remote_access.ec2_ssh_key
         remote_access.source_security_group_ids tags taint.key taint.value taint.effect -timeouts
         update_config.max_unavailable update_config.max_unavailable_percentage update_config.update_strategy version
         warm_pool_config.max_group_prepared_capacity warm_pool_config.min_size warm_pool_config.pool_state
         warm_pool_config.reuse_on_scale_in",
    ),
    (
        "aws_eks_addon",
        "addon_name cluster_name addon_version configuration_values namespace_config.namespace
         pod_identity_association.role_arn pod_identity_association.service_account -preserve -region
         -resolve_conflicts_on_create -resolve_conflicts_on_update service_account_role_arn tags -timeouts",
    ),
    (
        "aws_eks_fargate_profile",
        "cluster_name fargate_profile_name pod_execution_role_arn selector.namespace selector.labels subnet_ids tags -region
         -timeouts",
    ),
    ("aws_eks_access_entry", "cluster_name principal_arn kubernetes_groups type user_name tags -region -timeouts"),
    (
        "aws_eks_access_policy_association",
        "cluster_name principal_arn policy_arn access_scope.type access_scope.namespaces -region -timeouts",
    ),
    (
        "aws_eks_pod_identity_association",
        "cluster_name namespace role_arn service_account disable_session_tags policy -region tags target_role_arn",
    ),
    (
        "aws_eks_identity_provider_config",
        "cluster_name tags -region -timeouts oidc.client_id oidc.identity_provider_config_name oidc.issuer_url
         oidc.groups_claim oidc.groups_prefix oidc.required_claims oidc.username_claim oidc.username_prefix",
    ),
];
const NODES: [(&str, &str); 2] = [
    (
        "aws_autoscaling_group",
        "name min_size max_size desired_capacity desired_capacity_type vpc_zone_identifier capacity_rebalance
         default_cooldown default_instance_warmup health_check_grace_period health_check_type max_instance_lifetime
         placement_group protect_from_scale_in load_balancers target_group_arns suspended_processes enabled_metrics
         termination_policies launch_configuration launch_template.id launch_template.version tag.key tag.value
         tag.propagate_at_launch instance_maintenance_policy.min_healthy_percentage
         instance_maintenance_policy.max_healthy_percentage
         mixed_instances_policy.instances_distribution.on_demand_allocation_strategy
         mixed_instances_policy.instances_distribution.on_demand_base_capacity
         mixed_instances_policy.instances_distribution.on_demand_percentage_above_base_capacity
         mixed_instances_policy.instances_distribution.spot_allocation_strategy
         mixed_instances_policy.instances_distribution.spot_instance_pools
         mixed_instances_policy.instances_distribution.spot_max_price
         mixed_instances_policy.launch_template.launch_template_specification.launch_template_id
         mixed_instances_policy.launch_template.launch_template_specification.version
         mixed_instances_policy.launch_template.override.instance_type
         mixed_instances_policy.launch_template.override.weighted_capacity
         mixed_instances_policy.launch_template.override.launch_template_specification.launch_template_id
         mixed_instances_policy.launch_template.override.launch_template_specification.version
         mixed_instances_policy.launch_template.override.instance_requirements.*",
    ),
    (
        "aws_launch_template",
        "name description image_id instance_type key_name ebs_optimized vpc_security_group_ids user_data tags
         iam_instance_profile.arn iam_instance_profile.name metadata_options.http_endpoint metadata_options.http_tokens
         metadata_options.http_put_response_hop_limit metadata_options.http_protocol_ipv6
         metadata_options.instance_metadata_tags monitoring.enabled credit_specification.cpu_credits
         enclave_options.enabled placement.group_name placement.availability_zone placement.tenancy
         instance_market_options.market_type capacity_reservation_specification.capacity_reservation_preference
         capacity_reservation_specification.capacity_reservation_target.capacity_reservation_id
         capacity_reservation_specification.capacity_reservation_target.capacity_reservation_resource_group_arn
         block_device_mappings.device_name block_device_mappings.no_device block_device_mappings.virtual_name
         block_device_mappings.ebs.delete_on_termination block_device_mappings.ebs.encrypted block_device_mappings.ebs.iops
         block_device_mappings.ebs.kms_key_id block_device_mappings.ebs.snapshot_id block_device_mappings.ebs.throughput
         block_device_mappings.ebs.volume_size block_device_mappings.ebs.volume_type network_interfaces.device_index
         network_interfaces.network_card_index network_interfaces.associate_public_ip_address
         network_interfaces.delete_on_termination network_interfaces.security_groups network_interfaces.subnet_id
         tag_specifications.resource_type tag_specifications.tags instance_requirements.*",
    ),
];
/// `instance_requirements`, the same in both.
const REQUIREMENTS: &str = "accelerator_count.min accelerator_count.max accelerator_manufacturers accelerator_names
    accelerator_total_memory_mib.min accelerator_total_memory_mib.max accelerator_types allowed_instance_types bare_metal
    baseline_ebs_bandwidth_mbps.min baseline_ebs_bandwidth_mbps.max burstable_performance cpu_manufacturers
    excluded_instance_types instance_generations local_storage local_storage_types
    max_spot_price_as_percentage_of_optimal_on_demand_price memory_gib_per_vcpu.min memory_gib_per_vcpu.max memory_mib.min
    memory_mib.max network_bandwidth_gbps.min network_bandwidth_gbps.max network_interface_count.min
    network_interface_count.max on_demand_max_price_percentage_over_lowest_price require_hibernate_support
    spot_max_price_percentage_over_lowest_price total_local_storage_gb.min total_local_storage_gb.max vcpu_count.min
    vcpu_count.max";

/// The arguments of a resource that the provider has, and those of them that are written.
fn arguments(words: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut all, mut written) = (BTreeSet::new(), BTreeSet::new());
    for word in words.split_whitespace() {
        let name = word.trim_start_matches('-');
        let names: Vec<String> = match name.strip_suffix('*') {
            Some(block) => REQUIREMENTS.split_whitespace().map(|inner| format!("{block}{inner}")).collect(),
            None => vec![name.to_owned()],
        };
        if !word.starts_with('-') {
            written.extend(names.clone());
        }
        all.extend(names);
    }
    (all, written)
}

/// The arguments that a file gives, by resource.
fn given(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut given: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // Names of the blocks that are open; what is open and no block has none.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut resource = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let in_blocks = !open.is_empty() && open.iter().all(Option::is_some);
        let name = line.split(' ').next().unwrap_or_default();
        if line.starts_with(['}', ']']) {
            open.pop();
        } else if let (true, Some((name, _))) = (in_blocks, line.split_once(" = ")) {
            let path: Vec<&str> =
                open[1..].iter().flatten().map(String::as_str).chain([name.trim()]).collect();
            if path[0] != "lifecycle" {
                given.entry(resource.clone()).or_default().insert(path.join("."));
            }
            if line.ends_with(['{', '[']) {
                open.push(None);
            }
        } else if line.ends_with(['{', '[']) {
            if open.is_empty() {
                resource = if name == "resource" {
                    line.split('"').nth(1).unwrap_or_default().to_owned()
                } else {
                    name.into()
                };
            }
            let is_block = open.iter().all(Option::is_some) && line.ends_with('{');
            open.push(is_block.then(|| name.to_owned()));
        }
    }
    assert!(open.is_empty(), "{open:?} is not closed\n{text}");
    given
}

fn live(kind: Kind, name: &str, actual: Value) -> (Key, Live) {
    let key = Key::new(kind, name);
    let live = Live {
        key: key.clone(),
        id: name.to_owned(),
        actual,
        outputs: BTreeMap::new(),
        tags: BTreeMap::from([("team".to_owned(), "sea".to_owned())]),
        owner: Owner::Other,
        state: State::Ready,
    };
    (key, live)
}

/// A cluster in which everything is said.
fn everything() -> Written {
    let scope = scope_of("harbour");
    let mut cluster = eks_cluster(&scope);
    cluster.tags.insert("team".into(), "sea".into());
    cluster.actual = json!({
        "name": "harbour", "version": "1.36", "roleArn": "arn:aws:iam::123456789012:role/c", "logging": ["api"],
        "deletionProtection": true, "upgradePolicy": {"supportType": "STANDARD"}, "zonalShiftConfig": {"enabled": true},
        "resourcesVpcConfig": {
            "subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"], "endpointPublicAccess": true, "endpointPrivateAccess": true,
            "publicAccessCidrs": ["0.0.0.0/0"], "controlPlaneEgressMode": "CUSTOMER_ROUTED",
        },
        "kubernetesNetworkConfig": {"ipFamily": "ipv4", "serviceIpv4Cidr": "10.100.0.0/16", "elasticLoadBalancing": {"enabled": true}},
        "accessConfig": {"authenticationMode": "API"}, "storageConfig": {"blockStorage": {"enabled": true}},
        "encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": "arn:aws:kms:key"}}],
        "computeConfig": {"enabled": true, "nodePools": ["system"], "nodeRoleArn": "arn:aws:iam::123456789012:role/n"},
        "controlPlaneScalingConfig": {"tier": "tier-xl"},
        "remoteNetworkConfig": {"remoteNodeNetworks": [{"cidrs": ["10.1.0.0/16"]}], "remotePodNetworks": [{"cidrs": ["10.2.0.0/16"]}]},
        "kubeApiServerConfig": {"eventTtl": "2h", "serviceNodePortRange": {"minPort": 30000, "maxPort": 31000}},
        "kubeControllerManagerConfig": {
            "horizontalPodAutoscalerControllerConfig": {"horizontalPodAutoscalerSyncPeriod": "20s"},
            "podGcControllerConfig": {"terminatedPodGcThreshold": 500},
        },
        "kubeSchedulerConfig": {"nodeResourcesFit": {"scoringStrategy": {"type": "MostAllocated", "resources": [{"name": "cpu", "weight": 2}]}}},
    });
    let mut known = Snapshot::default();
    known.live.insert(cluster.key.clone(), cluster);
    let principal = "arn:aws:iam::123456789012:role/people";
    known.live.extend([
        live(
            Kind::Nodegroup,
            "blue",
            json!({
                "nodegroupName": "blue", "nodeRole": "arn:aws:iam::123456789012:role/n", "subnets": ["subnet-1"],
                "amiType": "AL2023_x86_64_STANDARD", "capacityType": "SPOT", "diskSize": 30, "instanceTypes": ["t3.large"],
                "labels": {"a": "b"}, "releaseVersion": "1.36.1-20261001", "version": "1.36",
                "taints": [{"key": "k", "value": "v", "effect": "NO_SCHEDULE"}],
                "scalingConfig": {"minSize": 1, "maxSize": 2, "desiredSize": 1}, "launchTemplate": {"id": "lt-1", "version": "3"},
                "updateConfig": {"maxUnavailable": 1, "maxUnavailablePercentage": 20, "updateStrategy": "MINIMAL"},
                "remoteAccess": {"ec2SshKey": "key", "sourceSecurityGroups": ["sg-2"]},
                "nodeRepairConfig": {
                    "enabled": true, "maxParallelNodesRepairedCount": 1, "maxParallelNodesRepairedPercentage": 2,
                    "maxUnhealthyNodeThresholdCount": 3, "maxUnhealthyNodeThresholdPercentage": 4,
                    "nodeRepairConfigOverrides": [{
                        "minRepairWaitTimeMins": 10, "nodeMonitoringCondition": "AcceleratedHardwareReady",
                        "nodeUnhealthyReason": "NvidiaXID64Error", "repairAction": "Replace",
                    }],
                },
                "warmPoolConfig": {"enabled": true, "minSize": 1, "maxGroupPreparedCapacity": 3, "poolState": "STOPPED", "reuseOnScaleIn": true},
            }),
        ),
        live(
            Kind::Addon,
            "vpc-cni",
            json!({
                "addonName": "vpc-cni", "addonVersion": "v1", "configurationValues": "{}", "serviceAccountRoleArn": principal,
                "namespaceConfig": {"namespace": "kube-system"},
                "podIdentityAssociations": [{"roleArn": principal, "serviceAccount": "aws-node"}],
            }),
        ),
        live(
            Kind::FargateProfile,
            "batch",
            json!({
                "fargateProfileName": "batch", "podExecutionRoleArn": principal, "subnets": ["subnet-1"],
                "selectors": [{"namespace": "batch", "labels": {"a": "b"}}],
            }),
        ),
        live(
            Kind::AccessEntry,
            principal,
            json!({
                "principalArn": principal, "kubernetesGroups": ["g"], "type": "STANDARD", "username": "people",
                "accessPolicies": [{"policyArn": "arn:aws:eks::aws:policy/View", "accessScope": {"type": "namespace", "namespaces": ["shop"]}}],
            }),
        ),
        live(
            Kind::PodIdentityAssociation,
            "shop/web",
            json!({
                "namespace": "shop", "serviceAccount": "web", "roleArn": principal, "targetRoleArn": principal,
                "disableSessionTags": true, "policy": "{}",
            }),
        ),
        live(
            Kind::IdentityProvider,
            "company",
            json!({"oidc": {
                "identityProviderConfigName": "company", "issuerUrl": "https://login.example.com", "clientId": "kubernetes",
                "usernameClaim": "email", "usernamePrefix": "u:", "groupsClaim": "groups", "groupsPrefix": "g:",
                "requiredClaims": {"a": "b"},
            }}),
        ),
    ]);
    terraform(&scope, &known, &answers()).expect("there is a cluster")
}

/// What Auto Scaling and EC2 answer of groups and templates, all of it text.
fn answers() -> Vec<(Call, Value)> {
    let range = json!({"Min": "1", "Max": "4"});
    let mut requirements = json!({
        "BareMetal": "excluded", "BurstablePerformance": "included", "LocalStorage": "required", "RequireHibernateSupport": "true",
        "SpotMaxPricePercentageOverLowestPrice": "20", "OnDemandMaxPricePercentageOverLowestPrice": "30",
        "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice": "50",
    });
    for list in [
        "AcceleratorManufacturers",
        "AcceleratorNames",
        "AcceleratorTypes",
        "AllowedInstanceTypes",
        "CpuManufacturers",
        "ExcludedInstanceTypes",
        "InstanceGenerations",
        "LocalStorageTypes",
    ] {
        requirements[list] = json!(["one"]);
    }
    for member in [
        "VCpuCount",
        "MemoryMiB",
        "MemoryGiBPerVCpu",
        "AcceleratorCount",
        "AcceleratorTotalMemoryMiB",
        "BaselineEbsBandwidthMbps",
        "NetworkBandwidthGbps",
        "NetworkInterfaceCount",
        "TotalLocalStorageGB",
    ] {
        requirements[member] = range.clone();
    }
    let specification = json!({"LaunchTemplateId": "lt-2", "Version": "$Latest"});
    let group = json!({
        "AutoScalingGroupName": "own", "MinSize": "1", "MaxSize": "3", "DesiredCapacity": "1", "DesiredCapacityType": "vcpu",
        "VPCZoneIdentifier": "subnet-1", "CapacityRebalance": "true", "DefaultCooldown": "300", "DefaultInstanceWarmup": "60",
        "HealthCheckGracePeriod": "0", "HealthCheckType": "EC2", "MaxInstanceLifetime": "86400", "PlacementGroup": "p",
        "NewInstancesProtectedFromScaleIn": "true", "LoadBalancerNames": ["lb"], "TargetGroupARNs": ["arn:t"],
        "SuspendedProcesses": [{"ProcessName": "AZRebalance"}], "EnabledMetrics": [{"Metric": "GroupMaxSize"}],
        "TerminationPolicies": ["OldestInstance"], "LaunchConfigurationName": "old", "LaunchTemplate": specification,
        "InstanceMaintenancePolicy": {"MinHealthyPercentage": "90", "MaxHealthyPercentage": "120"},
        "Tags": [{"Key": "a", "Value": "b", "PropagateAtLaunch": "true"}],
        "MixedInstancesPolicy": {
            "InstancesDistribution": {
                "OnDemandAllocationStrategy": "lowest-price", "OnDemandBaseCapacity": "1", "OnDemandPercentageAboveBaseCapacity": "0",
                "SpotAllocationStrategy": "lowest-price", "SpotInstancePools": "2", "SpotMaxPrice": "0.2",
            },
            "LaunchTemplate": {
                "LaunchTemplateSpecification": specification,
                "Overrides": [{
                    "InstanceType": "t3.large", "WeightedCapacity": "2", "LaunchTemplateSpecification": specification,
                    "InstanceRequirements": requirements.clone(),
                }],
            },
        },
    });
    let call = |service: Service, operation: &str| Call::new(service, operation, json!({}));
    let data = template(requirements);
    let version = json!({"launchTemplateId": "lt-1", "versionDescription": "d", "launchTemplateData": data});
    let found = json!({"launchTemplateId": "lt-1", "launchTemplateName": "blue"});
    vec![
        (call(Service::AutoScaling, "DescribeAutoScalingGroups"), json!({"AutoScalingGroups": [group]})),
        (call(Service::Ec2, "DescribeLaunchTemplates"), json!({"launchTemplates": [found]})),
        (
            call(Service::Ec2, "DescribeLaunchTemplateVersions"),
            json!({"launchTemplateVersionSet": [version]}),
        ),
    ]
}

/// Data of a version in which everything is said, in the words in which EC2 is told it.
fn template(requirements: Value) -> Value {
    json!({
        "ImageId": "ami-1", "InstanceType": "t3.large", "KeyName": "key", "EbsOptimized": true, "SecurityGroupIds": ["sg-1"],
        "UserData": "am9pbg==", "IamInstanceProfile": {"Arn": "arn:aws:iam::1:instance-profile/p"},
        "MetadataOptions": {
            "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpProtocolIpv6": "disabled",
            "InstanceMetadataTags": "disabled",
        },
        "Monitoring": {"Enabled": true}, "CreditSpecification": {"CpuCredits": "unlimited"}, "EnclaveOptions": {"Enabled": true},
        "Placement": {"GroupName": "p", "AvailabilityZone": "eu-central-1a", "Tenancy": "default"},
        "InstanceMarketOptions": {"MarketType": "spot"}, "InstanceRequirements": requirements,
        "CapacityReservationSpecification": {
            "CapacityReservationPreference": "open",
            "CapacityReservationTarget": {"CapacityReservationId": "cr-1", "CapacityReservationResourceGroupArn": "arn:g"},
        },
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "NoDevice": "x", "VirtualName": "ephemeral0", "Ebs": {
            "DeleteOnTermination": true, "Encrypted": true, "Iops": 3000, "KmsKeyId": "key", "SnapshotId": "snap-1",
            "Throughput": 125, "VolumeSize": 20, "VolumeType": "gp3",
        }}],
        "NetworkInterfaces": [{
            "DeviceIndex": 0, "NetworkCardIndex": 0, "AssociatePublicIpAddress": true, "DeleteOnTermination": true,
            "Groups": ["sg-1"], "SubnetId": "subnet-1",
        }],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}],
    })
}

#[test]
fn every_argument_is_one_of_the_providers() {
    let written = everything();
    let given = given(&written.text);
    for (resource, words) in EKS.iter().chain(&NODES) {
        let (all, wanted) = arguments(words);
        let found = given.get(*resource).unwrap_or_else(|| panic!("no {resource}\n{}", written.text));
        let unknown: Vec<_> = found.difference(&all).collect();
        assert!(unknown.is_empty(), "{resource} has no argument {unknown:?}\n{}", written.text);
        // A template has its profile by an ARN or by a name, and this one has no tags.
        let spared = |each: &String| {
            *resource == "aws_launch_template" && (each == "iam_instance_profile.name" || each == "tags")
        };
        let missing: Vec<_> = wanted.difference(found).filter(|each| !spared(each)).collect();
        assert!(missing.is_empty(), "{resource} is written without {missing:?}\n{}", written.text);
    }
    assert!(
        matches!(written.notes.as_slice(), [configuration] if configuration.contains("launch configuration old")),
        "{:#?}",
        written.notes
    );
    assert!(written.text.contains(r#"">= 6.67""#), "{}", written.text);
}

#[test]
fn an_older_provider_is_enough_where_nothing_newer_is_said() {
    let scope = scope_of("harbour");
    let mut known = Snapshot::default();
    let cluster = eks_cluster(&scope);
    known.live.insert(cluster.key.clone(), cluster);
    let text = terraform(&scope, &known, &[]).expect("there is a cluster").text;
    assert!(text.contains(r#"">= 6.28""#), "{text}");
}
