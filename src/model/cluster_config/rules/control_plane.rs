//! Rules of `metadata` and of the control plane's settings.

use super::{Findings, escaped, syntax};
use crate::model::cluster_config::{AuthenticationMode, ClusterConfig};
use std::collections::{BTreeMap, BTreeSet};

/// Node pools that Auto Mode brings along (EKS User Guide, built-in node pools).
const NODE_POOLS: [&str; 2] = ["general-purpose", "system"];

/// Days that logs can be kept (CloudWatch Logs' API reference, `PutRetentionPolicy`).
const RETENTION: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub(super) fn check(config: &ClusterConfig, findings: &mut Findings) {
    metadata(config, findings);
    logs(config, findings);
    auto_mode(config, findings);
    flags(config, findings);
    identity_providers(config, findings);
    if let Some(encryption) = &config.secrets_encryption {
        let hint = "write it as `arn:aws:kms:REGION:ACCOUNT:key/ID`; an alias cannot be used";
        findings
            .require("/secretsEncryption/keyARN", syntax::arn_of(&encryption.key_arn, "kms", "key/", hint));
    }
}

fn metadata(config: &ClusterConfig, findings: &mut Findings) {
    let metadata = &config.metadata;
    findings.require("/metadata/name", syntax::eks_name(&metadata.name, 100));
    findings.require("/metadata/region", syntax::region(&metadata.region));
    tags("/metadata/tags", &metadata.tags, findings);
    let Some(version) = &metadata.version else { return };
    let parts: Vec<&str> = version.split('.').collect();
    let number = |part: &str| !part.is_empty() && part.len() < 4 && part.bytes().all(|c| c.is_ascii_digit());
    match parts[..] {
        ["1", minor] if number(minor) => {}
        ["1", minor, ..] if number(minor) => findings.wrong(
            "/metadata/version",
            "names a patch version, and EKS chooses that itself",
            format!("write `\"1.{minor}\"`"),
        ),
        _ => findings.wrong(
            "/metadata/version",
            "is no minor version of Kubernetes",
            "write it as `\"1.36\"`, in quotes",
        ),
    }
}

fn logs(config: &ClusterConfig, findings: &mut Findings) {
    let logging = config.cloud_watch.as_ref().and_then(|watch| watch.cluster_logging.as_ref());
    let Some((logging, days)) = logging.and_then(|logging| Some((logging, logging.log_retention_in_days?)))
    else {
        return;
    };
    let pointer = "/cloudWatch/clusterLogging/logRetentionInDays";
    if !RETENTION.contains(&days) {
        let next = RETENTION.iter().find(|known| **known > days).or(RETENTION.last()).unwrap_or(&days);
        findings.wrong(
            pointer,
            "is no time that CloudWatch Logs can keep logs for",
            format!("write {next}, or another of {RETENTION:?}"),
        );
    }
    if logging.enable_types.is_empty() {
        let hint = "name the logs in `enableTypes`, or leave the days out";
        findings.wrong(pointer, "has no logs that would be kept", hint);
    }
}

/// Rules of tags, wherever they stand.
pub(super) fn tags(pointer: &str, tags: &BTreeMap<String, String>, findings: &mut Findings) {
    for (key, said, hint) in syntax::tags(tags) {
        match key {
            Some(key) => findings.wrong(&format!("{pointer}/{}", escaped(key)), said, hint),
            None => findings.wrong(pointer, said, hint),
        }
    }
}

fn auto_mode(config: &ClusterConfig, findings: &mut Findings) {
    let Some(auto) = &config.auto_mode_config else { return };
    let at = |field: &str| format!("/autoModeConfig/{field}");
    let pools = auto.node_pools.as_deref();
    for (index, pool) in pools.unwrap_or_default().iter().enumerate() {
        if !NODE_POOLS.contains(&pool.as_str()) {
            findings.wrong(
                &at(&format!("nodePools/{index}")),
                "is no node pool that Auto Mode brings along",
                "there are `general-purpose` and `system`; make others as NodePool objects in the cluster",
            );
        }
    }
    if let Some(role) = &auto.node_role_arn {
        findings.require(&at("nodeRoleARN"), syntax::role(role));
        if auto.permissions_boundary_arn.is_some() {
            findings.wrong(
                &at("permissionsBoundaryARN"),
                "belongs to a new role, and `nodeRoleARN` names an existing one",
                "keep one of them",
            );
        }
        if pools.is_some_and(<[String]>::is_empty) {
            findings.wrong(
                &at("nodeRoleARN"),
                "has no node pool to be the role of: EKS takes it with `nodePools` only",
                "list a node pool, or take it out",
            );
        }
    }
    if let Some(boundary) = &auto.permissions_boundary_arn {
        findings.require(&at("permissionsBoundaryARN"), syntax::policy(boundary));
    }
    if auto.enabled != Some(true) {
        let given = [
            ("nodePools", pools.is_some()),
            ("nodeRoleARN", auto.node_role_arn.is_some()),
            ("permissionsBoundaryARN", auto.permissions_boundary_arn.is_some()),
        ];
        for field in super::set(&given) {
            let hint = "set `autoModeConfig.enabled: true`, or take it out";
            findings.wrong(&at(field), "means nothing without Auto Mode", hint);
        }
        return;
    }
    let mode = config.access_config.as_ref().and_then(|access| access.authentication_mode);
    if mode == Some(AuthenticationMode::ConfigMap) {
        findings.wrong(
            "/accessConfig/authenticationMode",
            "is CONFIG_MAP, and nodes of Auto Mode log in by access entries",
            "use API or API_AND_CONFIG_MAP",
        );
    }
}

fn flags(config: &ClusterConfig, findings: &mut Findings) {
    if let Some(server) = &config.kube_api_server_config {
        if let Some(ttl) = &server.event_ttl {
            findings.require("/kubeAPIServerConfig/eventTTL", syntax::duration(ttl));
        }
        let range = server.service_node_port_range.unwrap_or_default();
        let at = "/kubeAPIServerConfig/serviceNodePortRange";
        match (range.min_port, range.max_port) {
            (Some(first), Some(last)) if first > last => {
                findings.wrong(
                    at,
                    format!("begins at {first} and ends at {last}"),
                    "put the lower port into `minPort`",
                );
            }
            (Some(_), None) | (None, Some(_)) => {
                findings.wrong(at, "has one end only", "set `minPort` and `maxPort`")
            }
            _ => {}
        }
    }
    let period = config
        .kube_controller_manager_config
        .as_ref()
        .and_then(|manager| manager.horizontal_pod_autoscaler_controller_config.as_ref())
        .and_then(|hpa| hpa.horizontal_pod_autoscaler_sync_period.as_ref());
    if let Some(period) = period {
        let at = "/kubeControllerManagerConfig/horizontalPodAutoscalerControllerConfig/horizontalPodAutoscalerSyncPeriod";
        findings.require(at, syntax::duration(period));
    }
    let scoring = config
        .kube_scheduler_config
        .as_ref()
        .and_then(|scheduler| scheduler.node_resources_fit.as_ref())
        .and_then(|fit| fit.scoring_strategy.as_ref());
    let mut seen = BTreeSet::new();
    for (index, resource) in scoring.iter().flat_map(|scoring| &scoring.resources).enumerate() {
        let at = format!("/kubeSchedulerConfig/nodeResourcesFit/scoringStrategy/resources/{index}");
        if resource.name.is_empty() || resource.weight.is_none() {
            findings.wrong(&at, "needs `name` and `weight`", "set both");
        } else if !seen.insert(&resource.name) {
            findings.wrong(&at, format!("weighs `{}` a second time", resource.name), "take one of them out");
        }
    }
}

/// EKS takes one OIDC provider for a cluster (EKS User Guide, authenticating with OIDC).
fn identity_providers(config: &ClusterConfig, findings: &mut Findings) {
    if config.identity_providers.len() > 1 {
        findings.wrong("/identityProviders/1", "is a second provider, and EKS takes one", "keep one of them");
    }
    for (index, provider) in config.identity_providers.iter().enumerate() {
        let at = |field: &str| format!("/identityProviders/{index}/{field}");
        if provider.name.is_empty() {
            findings.wrong(&at("name"), "may not be empty", "give the association a name");
        }
        if provider.client_id.is_empty() {
            findings.wrong(&at("clientID"), "may not be empty", "name the client that tokens are made for");
        }
        if !provider.issuer_url.starts_with("https://") {
            let hint = "write the issuer's URL with `https://`, as it stands in the tokens";
            findings.wrong(&at("issuerURL"), "is no https URL", hint);
        }
        tags(&at("tags"), &provider.tags, findings);
    }
}
