//! Rules of `availabilityZones`, `vpc`, `kubernetesNetworkConfig` and `privateCluster`.

use super::syntax::{self, Block};
use super::{Findings, escaped};
use crate::model::cluster_config::{ClusterConfig, ClusterVpc, IpFamily, NatGateway};
use std::collections::BTreeSet;

/// What eksctl takes in `additionalEndpointServices`.
const SERVICES: [&str; 3] = ["autoscaling", "cloudformation", "logs"];

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    zones(config, findings);
    if let Some(vpc) = &config.vpc {
        texts(vpc, findings);
        subnets(config, vpc, findings);
        existing_or_new(config, vpc, findings);
        control_plane(vpc, findings);
    }
    services(config, findings);
    ipv6(config, findings);
    private(config, findings);
}

/// Whether the VPC exists: by its id, or by a subnet's.
pub(super) fn is_existing(vpc: &ClusterVpc) -> bool {
    let by_subnet = |subnets: &crate::model::cluster_config::ClusterSubnets| {
        subnets.public.values().chain(subnets.private.values()).any(|subnet| subnet.id.is_some())
    };
    vpc.id.is_some() || vpc.subnets.as_ref().is_some_and(by_subnet)
}

/// Whether no node has a way to the internet.
pub(super) fn is_private(config: &ClusterConfig) -> bool {
    config.private_cluster.as_ref().is_some_and(|private| private.enabled == Some(true))
}

/// EKS wants subnets in two zones (EKS User Guide, network requirements).
fn zones(config: &ClusterConfig, findings: &mut Findings) {
    let zones = &config.availability_zones;
    let mut seen = BTreeSet::new();
    for (index, zone) in zones.iter().enumerate() {
        let at = format!("/availabilityZones/{index}");
        if !zone.starts_with(&config.metadata.region) || zone.len() == config.metadata.region.len() {
            let message = format!("is `{zone}`, which is no zone of {}", config.metadata.region);
            findings.wrong(&at, message, format!("write it as `{}a`", config.metadata.region));
        }
        if !seen.insert(zone) {
            findings.wrong(&at, format!("names `{zone}` a second time"), "take one of them out");
        }
    }
    if seen.len() == 1 {
        findings.wrong("/availabilityZones", "has one zone, and EKS needs two at least", "add a zone");
    }
    let subnets = config.vpc.as_ref().and_then(|vpc| vpc.subnets.as_ref());
    if !zones.is_empty()
        && subnets.is_some_and(|subnets| !subnets.public.is_empty() || !subnets.private.is_empty())
    {
        let hint = "keep one of them: subnets are in zones already";
        findings.wrong("/availabilityZones", "cannot be used together with `vpc.subnets`", hint);
    }
    let by_id = config.vpc.as_ref().is_some_and(|vpc| vpc.id.is_some());
    if !zones.is_empty() && by_id && subnets.is_none() {
        let hint = "list the VPC's subnets under `vpc.subnets`";
        findings.wrong("/availabilityZones", "means nothing with an existing VPC", hint);
    }
}

fn texts(vpc: &ClusterVpc, findings: &mut Findings) {
    let ids = [
        ("id", "vpc-", &vpc.id, "it is shown as VPC ID in the console"),
        ("securityGroup", "sg-", &vpc.security_group, "name a security group by its id"),
        (
            "sharedNodeSecurityGroup",
            "sg-",
            &vpc.shared_node_security_group,
            "name a security group by its id",
        ),
    ];
    for (field, prefix, text, hint) in ids {
        if let Some(text) = text {
            findings.require(&format!("/vpc/{field}"), syntax::id(text, prefix, hint));
        }
    }
    let lists = [
        ("controlPlaneSubnetIDs", "subnet-", &vpc.control_plane_subnet_ids, "name subnets by their ids"),
        (
            "controlPlaneSecurityGroupIDs",
            "sg-",
            &vpc.control_plane_security_group_ids,
            "name security groups by their ids",
        ),
    ];
    for (field, prefix, texts, hint) in lists {
        for (index, text) in texts.iter().enumerate() {
            findings.require(&format!("/vpc/{field}/{index}"), syntax::id(text, prefix, hint));
        }
    }
    let blocks = [
        ("publicAccessCIDRs", &vpc.public_access_cidrs, false, true),
        ("extraCIDRs", &vpc.extra_cidrs, false, false),
        ("extraIPv6CIDRs", &vpc.extra_ipv6_cidrs, true, true),
    ];
    for (field, texts, only_ipv6, ipv6) in blocks {
        for (index, text) in texts.iter().enumerate() {
            let checked = if only_ipv6 || (ipv6 && text.contains(':')) {
                syntax::ipv6_block(text)
            } else {
                syntax::ipv4_block(text)
            };
            findings.require(&format!("/vpc/{field}/{index}"), checked);
        }
    }
    match vpc.cidr.as_deref().map(|text| (text, Block::parse(text))) {
        Some((text, None)) => findings.require("/vpc/cidr", syntax::ipv4_block(text)),
        Some((text, Some(block))) if !is_existing(vpc) && !(16..=24).contains(&block.prefix) => {
            let hint = "choose a prefix from /16 to /24, so that subnets fit into it";
            findings.wrong("/vpc/cidr", format!("is `{text}`, too large or too small for a new VPC"), hint);
        }
        _ => {}
    }
    if let Some(text) = &vpc.ipv6_cidr {
        findings.require("/vpc/ipv6Cidr", syntax::ipv6_block(text));
    }
}

fn subnets(config: &ClusterConfig, vpc: &ClusterVpc, findings: &mut Findings) {
    let Some(subnets) = &vpc.subnets else {
        if vpc.id.is_some() {
            findings.wrong("/vpc/id", "names a VPC without its subnets", "list them under `vpc.subnets`");
        }
        return;
    };
    let existing = is_existing(vpc);
    let whole = vpc.cidr.as_deref().or((!existing).then_some("192.168.0.0/16")).and_then(Block::parse);
    let mut zones = BTreeSet::new();
    let mut all_zones_known = true;
    let mut ids = BTreeSet::new();
    let mut taken: Vec<(Block, String)> = Vec::new();
    for (side, by_name) in [("public", &subnets.public), ("private", &subnets.private)] {
        for (name, subnet) in by_name {
            let at = format!("/vpc/subnets/{side}/{}", escaped(name));
            let named = subnet.az.as_deref().unwrap_or(name);
            let is_zone =
                named.starts_with(&config.metadata.region) && named.len() > config.metadata.region.len();
            if is_zone {
                zones.insert(named.to_owned());
            } else if subnet.az.is_some() {
                findings.wrong(
                    &format!("{at}/az"),
                    format!("is no zone of {}", config.metadata.region),
                    "name a zone",
                );
            } else if !existing {
                findings.wrong(
                    &at,
                    "is the name of no zone, and a new subnet has to be in one",
                    "set its `az`",
                );
            }
            all_zones_known &= is_zone;
            if let Some(id) = &subnet.id {
                findings.require(&format!("{at}/id"), syntax::id(id, "subnet-", "name a subnet by its id"));
                if !ids.insert(id) {
                    findings.wrong(
                        &format!("{at}/id"),
                        format!("names `{id}` a second time"),
                        "take one of them out",
                    );
                }
            }
            match subnet.cidr.as_deref().map(|text| (text, Block::parse(text))) {
                Some((text, None)) => findings.require(&format!("{at}/cidr"), syntax::ipv4_block(text)),
                Some((text, Some(block))) => {
                    if whole.is_some_and(|whole| !whole.contains(block)) || !(16..=28).contains(&block.prefix)
                    {
                        let hint = "choose a block of /16 to /28 in `vpc.cidr`";
                        findings.wrong(
                            &format!("{at}/cidr"),
                            format!("is `{text}`, which is no part of the VPC"),
                            hint,
                        );
                    }
                    if let Some((_, other)) = taken.iter().find(|(other, _)| other.overlaps(block)) {
                        let message = format!("is `{text}`, which overlaps `{}`", super::shown(other));
                        findings.wrong(&format!("{at}/cidr"), message, "choose another block");
                    }
                    taken.push((block, at.clone()));
                }
                None if !existing => {
                    findings.wrong(
                        &at,
                        "says neither which subnet it is nor its addresses",
                        "set `id` or `cidr`",
                    );
                }
                None if subnet.id.is_none() && subnet.az.is_none() && !is_zone => {
                    findings.wrong(&at, "does not say which subnet it is", "set `id` or `cidr`");
                }
                None => {}
            }
        }
    }
    let count = subnets.public.len() + subnets.private.len();
    if count == 1 || (all_zones_known && count > 1 && zones.len() < 2) {
        let hint = "add a subnet in another zone";
        findings.wrong("/vpc/subnets", "is in one zone, and EKS needs two at least", hint);
    }
    if count == 0 && vpc.id.is_some() {
        findings.wrong("/vpc/subnets", "is empty, and the VPC exists", "list its subnets");
    }
}

fn existing_or_new(config: &ClusterConfig, vpc: &ClusterVpc, findings: &mut Findings) {
    let gateway = vpc.nat.and_then(|nat| nat.gateway);
    if is_existing(vpc) {
        let only_new = [
            ("nat", gateway.is_some_and(|gateway| gateway != NatGateway::Disable)),
            ("ipv6Cidr", vpc.ipv6_cidr.is_some()),
            ("ipv6Pool", vpc.ipv6_pool.is_some()),
            ("hostnameType", vpc.hostname_type.is_some()),
        ];
        for field in super::set(&only_new) {
            let hint = "take it out: an existing VPC is not changed";
            findings.wrong(
                &format!("/vpc/{field}"),
                "belongs to a new VPC, and the file names an existing one",
                hint,
            );
        }
        return;
    }
    let only_existing = [
        ("securityGroup", vpc.security_group.is_some()),
        ("sharedNodeSecurityGroup", vpc.shared_node_security_group.is_some()),
        ("controlPlaneSubnetIDs", !vpc.control_plane_subnet_ids.is_empty()),
        ("controlPlaneSecurityGroupIDs", !vpc.control_plane_security_group_ids.is_empty()),
    ];
    for field in super::set(&only_existing) {
        let hint = "name the VPC in `vpc.id` with its subnets, or take it out";
        findings.wrong(
            &format!("/vpc/{field}"),
            "belongs to an existing VPC, and the file makes a new one",
            hint,
        );
    }
    if vpc.ipv6_cidr.is_some() != vpc.ipv6_pool.is_some() {
        let missing = if vpc.ipv6_pool.is_none() { "ipv6Pool" } else { "ipv6Cidr" };
        findings.wrong(
            "/vpc",
            format!("has one of `ipv6Cidr` and `ipv6Pool`: `{missing}` is missing"),
            "set both",
        );
    }
    if gateway == Some(NatGateway::Disable) && !is_private(config) {
        let stranded = |at: String, private: Option<bool>, findings: &mut Findings| {
            if private == Some(true) {
                let message =
                    "has nodes in private subnets, and with `vpc.nat.gateway: Disable` they have no way out";
                findings.doubtful(
                    &at,
                    message,
                    "they cannot join unless VPC endpoints exist; use Single, or `privateCluster`",
                );
            }
        };
        for (index, group) in config.managed_node_groups.iter().enumerate() {
            stranded(
                format!("/managedNodeGroups/{index}/privateNetworking"),
                group.base.private_networking,
                findings,
            );
        }
        for (index, group) in config.node_groups.iter().enumerate() {
            stranded(
                format!("/nodeGroups/{index}/privateNetworking"),
                group.base.private_networking,
                findings,
            );
        }
    }
}

fn control_plane(vpc: &ClusterVpc, findings: &mut Findings) {
    let endpoints = vpc.cluster_endpoints.unwrap_or_default();
    if endpoints.public_access == Some(false) && endpoints.private_access != Some(true) {
        findings.wrong(
            "/vpc/clusterEndpoints",
            "leaves no way to the API server",
            "set `privateAccess: true`, or `publicAccess: true`",
        );
    }
    if endpoints.public_access == Some(false) && !vpc.public_access_cidrs.is_empty() {
        let hint = "take it out, or set `vpc.clusterEndpoints.publicAccess: true`";
        findings.doubtful("/vpc/publicAccessCIDRs", "means nothing without the public endpoint", hint);
    }
    if vpc.control_plane_on_private_subnets == Some(true) && !vpc.control_plane_subnet_ids.is_empty() {
        let hint = "keep one of them";
        findings.wrong("/vpc/controlPlaneOnPrivateSubnets", "contradicts `controlPlaneSubnetIDs`", hint);
    }
    if vpc.control_plane_subnet_ids.len() == 1 {
        let hint = "name two subnets in two zones";
        findings.wrong("/vpc/controlPlaneSubnetIDs", "has one subnet, and EKS needs two at least", hint);
    }
    let private = vpc.subnets.as_ref().map(|subnets| subnets.private.len());
    if vpc.control_plane_on_private_subnets == Some(true) && private.is_some_and(|private| private < 2) {
        let hint = "list two private subnets in two zones";
        findings.wrong("/vpc/controlPlaneOnPrivateSubnets", "needs two private subnets", hint);
    }
    if vpc.manage_shared_node_security_group_rules == Some(false) && vpc.shared_node_security_group.is_none()
    {
        findings.wrong(
            "/vpc/manageSharedNodeSecurityGroupRules",
            "would leave a new group of the nodes without rules",
            "take it out, or name a group with rules in `sharedNodeSecurityGroup`",
        );
    }
}

/// Addresses of Services: private, /12 to /24, none of the VPC's (`KubernetesNetworkConfigRequest` in the EKS API).
fn services(config: &ClusterConfig, findings: &mut Findings) {
    let at = "/kubernetesNetworkConfig/serviceIPv4CIDR";
    let text =
        config.kubernetes_network_config.as_ref().and_then(|network| network.service_ipv4_cidr.as_deref());
    let Some(text) = text else { return };
    let Some(block) = Block::parse(text) else {
        return findings.require(at, syntax::ipv4_block(text));
    };
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    if !private.into_iter().filter_map(Block::parse).any(|range| range.contains(block)) {
        let hint = "choose a block in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16";
        findings.wrong(at, "is no block of private addresses", hint);
    }
    if !(12..=24).contains(&block.prefix) {
        findings.wrong(at, "is too large or too small", "choose a prefix from /12 to /24");
    }
    let vpc = config.vpc.as_ref();
    let existing = vpc.is_some_and(is_existing);
    let of_vpc = vpc.and_then(|vpc| vpc.cidr.as_deref()).or((!existing).then_some("192.168.0.0/16"));
    if let Some(of_vpc) = of_vpc
        && Block::parse(of_vpc).is_some_and(|other| other.overlaps(block))
    {
        findings.wrong(at, format!("overlaps the addresses of the VPC, {of_vpc}"), "choose another block");
    }
}

/// eksctl's rules of IPv6 clusters (its documentation, "IPv6 support").
fn ipv6(config: &ClusterConfig, findings: &mut Findings) {
    let network = config.kubernetes_network_config.as_ref();
    let vpc = config.vpc.as_ref();
    if network.and_then(|network| network.ip_family) != Some(IpFamily::IPv6) {
        let given = [
            ("ipv6Cidr", vpc.is_some_and(|vpc| vpc.ipv6_cidr.is_some())),
            ("ipv6Pool", vpc.is_some_and(|vpc| vpc.ipv6_pool.is_some())),
        ];
        for field in super::set(&given) {
            let hint = "set `kubernetesNetworkConfig.ipFamily: IPv6`, or take it out";
            findings.wrong(&format!("/vpc/{field}"), "means nothing in an IPv4 cluster", hint);
        }
        return;
    }
    if network.is_some_and(|network| network.service_ipv4_cidr.is_some()) {
        let hint = "take it out: EKS chooses the Services' addresses";
        findings.wrong("/kubernetesNetworkConfig/serviceIPv4CIDR", "cannot be set in an IPv6 cluster", hint);
    }
    if vpc.and_then(|vpc| vpc.nat).is_some() {
        let hint = "take it out: nodes use an egress-only gateway, and one NAT gateway for IPv4";
        findings.wrong("/vpc/nat", "cannot be set in an IPv6 cluster", hint);
    }
    if !config.node_groups.is_empty() {
        let hint = "declare them under `managedNodeGroups`";
        findings.wrong("/nodeGroups", "cannot be used in an IPv6 cluster", hint);
    }
    if config.iam.as_ref().and_then(|iam| iam.with_oidc) != Some(true) {
        let hint = "set `iam.withOIDC: true`, so that the network add-on may assign addresses";
        findings.wrong("/kubernetesNetworkConfig/ipFamily", "is IPv6, which needs the OIDC provider", hint);
    }
    let missing: Vec<&str> = ["vpc-cni", "coredns", "kube-proxy"]
        .into_iter()
        .filter(|name| !config.addons.iter().any(|addon| addon.name == *name))
        .collect();
    if !missing.is_empty() {
        let message = format!("is IPv6, which needs add-ons that are not listed: {}", missing.join(", "));
        findings.wrong("/kubernetesNetworkConfig/ipFamily", message, "list them under `addons`");
    }
}

fn private(config: &ClusterConfig, findings: &mut Findings) {
    let Some(private) = &config.private_cluster else { return };
    let at = |field: &str| format!("/privateCluster/{field}");
    if !is_private(config) {
        let given = [
            ("additionalEndpointServices", !private.additional_endpoint_services.is_empty()),
            ("skipEndpointCreation", private.skip_endpoint_creation == Some(true)),
        ];
        for field in super::set(&given) {
            let hint = "set `privateCluster.enabled: true`, or take it out";
            findings.wrong(&at(field), "means nothing where the cluster is not private", hint);
        }
        return;
    }
    let vpc = config.vpc.as_ref();
    let existing = vpc.is_some_and(is_existing);
    for (index, service) in private.additional_endpoint_services.iter().enumerate() {
        if !SERVICES.contains(&service.as_str()) {
            let hint = format!("there are {}", SERVICES.join(", "));
            findings.wrong(
                &at(&format!("additionalEndpointServices/{index}")),
                "is no service that can be added",
                hint,
            );
        }
    }
    if private.skip_endpoint_creation == Some(true) {
        if !private.additional_endpoint_services.is_empty() {
            let hint = "keep one of them";
            findings.wrong(&at("additionalEndpointServices"), "contradicts `skipEndpointCreation`", hint);
        }
        if !existing {
            let hint = "take it out, or name the VPC that has the endpoints";
            findings.wrong(
                &at("skipEndpointCreation"),
                "leaves a new VPC without endpoints, and its nodes could not join",
                hint,
            );
        }
    }
    let Some(vpc) = vpc else { return };
    if vpc.cluster_endpoints.and_then(|endpoints| endpoints.public_access) == Some(true) {
        let hint = "take it out: a private cluster has the private endpoint only";
        findings.wrong("/vpc/clusterEndpoints/publicAccess", "contradicts `privateCluster.enabled`", hint);
    }
    if vpc.nat.and_then(|nat| nat.gateway).is_some_and(|gateway| gateway != NatGateway::Disable) {
        let hint = "take it out: a private cluster has no NAT gateway";
        findings.wrong("/vpc/nat/gateway", "contradicts `privateCluster.enabled`", hint);
    }
    let none_private = vpc.subnets.as_ref().is_none_or(|subnets| subnets.private.is_empty());
    if existing && none_private {
        let hint = "list them under `vpc.subnets.private`";
        findings.wrong("/privateCluster/enabled", "needs private subnets of the existing VPC", hint);
    }
}
