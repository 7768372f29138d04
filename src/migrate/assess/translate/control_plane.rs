//! Flags of the control plane that EKS lets one set, encryption, logs, and who logs in by OIDC.

use super::{Context, Draft};
use crate::migrate::assess::rule::{Ruling, offer, offers};
use crate::model::cluster_config::{
    ClusterCloudWatch, ClusterCloudWatchLogging, HorizontalPodAutoscalerControllerConfig, IdentityProvider,
    KubeApiServerConfig, KubeControllerManagerConfig, KubeSchedulerConfig, LogType, NodeResourcesFitConfig,
    ResourceWeight, ScoringStrategy, ScoringStrategyType, SecretsEncryption, ServiceNodePortRange,
    SupportType, UpgradePolicy,
};
use crate::model::kops::Other;
use serde_json::Value;

pub(in super::super) const ENCRYPTION: &str = "kops.control-plane.encryption";
pub(in super::super) const OIDC_PREFIX: &str = "kops.access.oidc-prefix";
const DOCKER: &str = "kops.control-plane.docker-config";

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let state = context.state;
    let cluster = context.cluster();
    let server = KubeApiServerConfig {
        event_ttl: cluster.text("kubeAPIServer.eventTTL").and_then(single_unit),
        service_node_port_range: cluster.text("kubeAPIServer.serviceNodePortRange").and_then(port_range),
    };
    if server != KubeApiServerConfig::default() {
        draft.config.kube_api_server_config = Some(server);
    }
    if let Some(period) =
        cluster.text("kubeControllerManager.horizontalPodAutoscalerSyncPeriod").and_then(single_unit)
    {
        draft.config.kube_controller_manager_config = Some(KubeControllerManagerConfig {
            horizontal_pod_autoscaler_controller_config: Some(HorizontalPodAutoscalerControllerConfig {
                horizontal_pod_autoscaler_sync_period: Some(period),
            }),
        });
    }
    draft.config.kube_scheduler_config =
        state.others.iter().find_map(scoring).map(|strategy| KubeSchedulerConfig {
            node_resources_fit: Some(NodeResourcesFitConfig { scoring_strategy: Some(strategy) }),
        });
    let audits = cluster.fields.iter().any(|field| {
        field.path.to_string().starts_with("spec.kubeAPIServer.audit")
            && !field.path.last_key().starts_with("auditWebhook")
    });
    if audits {
        let enable_types = vec![LogType::Api, LogType::Audit, LogType::Authenticator];
        let cluster_logging = Some(ClusterCloudWatchLogging { enable_types, log_retention_in_days: None });
        draft.config.cloud_watch = Some(ClusterCloudWatch { cluster_logging });
    }
    let key = context.chosen_of_cluster(ENCRYPTION).filter(|key| key.starts_with("arn:"));
    draft.config.secrets_encryption = key.map(|key| SecretsEncryption { key_arn: key.to_owned() });
    // Standard support upgrades a cluster by itself, which nobody who ran kops expects.
    draft.config.upgrade_policy = Some(UpgradePolicy { support_type: Some(SupportType::Extended) });
    draft.config.identity_providers.extend(oidc(context));
    if state.presence.docker_config {
        let says = "every node pulls images with a secret of the state store, and EKS nodes have no such secret: images that need \
                    it are not pulled";
        let ways = offers([
            offer("pull-secrets", "imagePullSecrets in the namespaces that need them, before anything moves"),
            offer("accept", "no image needs it"),
        ]);
        let source = "kops, secrets/dockerconfig of the state store";
        draft.verdicts.push(context.verdict(
            &cluster.subject(),
            "",
            DOCKER,
            source,
            Ruling::blocker(says, ways),
        ));
    }
    if state.presence.encryption_config
        && !cluster.fields.iter().any(|field| field.path.to_string() == "spec.encryptionConfig")
    {
        let says = "EKS encrypts what etcd holds by itself; the keys of the state store are not carried over";
        let source = "EKS API, CreateCluster.encryptionConfig";
        draft.verdicts.push(context.verdict(
            &cluster.subject(),
            "",
            ENCRYPTION,
            source,
            Ruling::mapped(says),
        ));
    }
}

/// A duration as EKS takes it: `1h` of `1h0m0s`. None where it needs two units (they become the smaller one).
pub(in super::super) fn single_unit(text: &str) -> Option<String> {
    let mut seconds = 0u64;
    let mut number = String::new();
    for c in text.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        let unit = match c {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let count: u64 = std::mem::take(&mut number).parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
    }
    if !number.is_empty() || seconds == 0 || seconds > u64::from(u32::MAX) {
        return None;
    }
    Some(match seconds {
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    })
}

/// `28000-32767`.
pub(in super::super) fn port_range(text: &str) -> Option<ServiceNodePortRange> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| text.trim().parse().ok().filter(|port| (1..=65535).contains(port));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(ServiceNodePortRange { min_port: Some(first), max_port: Some(last) })
}

/// The scoring of `NodeResourcesFit` in the default profile of a KubeSchedulerConfiguration.
pub(in super::super) fn scoring(other: &Other) -> Option<ScoringStrategy> {
    if other.kind != "KubeSchedulerConfiguration" {
        return None;
    }
    let profiles = other.value["profiles"].as_array()?;
    let default =
        |profile: &&Value| profile["schedulerName"].as_str().is_none_or(|name| name == "default-scheduler");
    let plugins = profiles.iter().find(default)?["pluginConfig"].as_array()?;
    let fit = plugins.iter().find(|plugin| plugin["name"] == "NodeResourcesFit")?;
    let strategy = &fit["args"]["scoringStrategy"];
    let strategy_type = match strategy["type"].as_str()? {
        "LeastAllocated" => ScoringStrategyType::LeastAllocated,
        "MostAllocated" => ScoringStrategyType::MostAllocated,
        _ => return None,
    };
    let resources = strategy["resources"].as_array().into_iter().flatten().filter_map(|resource| {
        let weight = resource["weight"].as_u64().and_then(|weight| u32::try_from(weight).ok());
        Some(ResourceWeight {
            name: resource["name"].as_str()?.to_owned(),
            weight: weight.filter(|w| (1..=100).contains(w)),
        })
    });
    let resources: Vec<ResourceWeight> = resources.filter(|resource| resource.weight.is_some()).collect();
    Some(ScoringStrategy { strategy_type: Some(strategy_type), resources })
}

/// Prefixes that EKS keeps for itself (EKS User Guide, OIDC identity providers).
pub(in super::super) fn is_reserved_prefix(prefix: &str) -> bool {
    prefix.contains("system:")
}

/// The OIDC provider that people log in with, where the spec says enough.
fn oidc(context: &Context<'_>) -> Option<IdentityProvider> {
    let cluster = context.cluster();
    let text = |field: &str| cluster.text(&format!("authentication.oidc.{field}")).map(str::to_owned);
    let issuer_url = text("issuerURL").filter(|url| url.starts_with("https://"))?;
    // Kubernetes takes `-` for no prefix, and EKS none at all for it.
    let prefix = |field: &str| {
        let prefix = text(field).filter(|prefix| prefix != "-")?;
        if !is_reserved_prefix(&prefix) {
            return Some(prefix);
        }
        let pointer = context.pointer(&format!("authentication.oidc.{field}"));
        let chosen = context.chosen(OIDC_PREFIX, &cluster.subject(), &pointer).map(str::to_owned);
        Some(chosen.unwrap_or_else(|| "oidc:".to_owned()))
    };
    let claims = cluster.at("authentication.oidc.requiredClaims").as_object();
    Some(IdentityProvider {
        provider_type: "oidc".into(),
        name: "oidc".into(),
        issuer_url,
        client_id: text("clientID")?,
        username_claim: text("usernameClaim"),
        username_prefix: prefix("usernamePrefix"),
        groups_claim: cluster.texts("authentication.oidc.groupsClaims").next().map(str::to_owned),
        groups_prefix: prefix("groupsPrefix"),
        required_claims: claims
            .into_iter()
            .flatten()
            .filter_map(|(claim, value)| Some((claim.clone(), value.as_str()?.to_owned())))
            .collect(),
        ..IdentityProvider::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_those_of_one_unit() {
        let cases = [("1h0m0s", "1h"), ("90m", "90m"), ("1h30m", "90m"), ("15s", "15s"), ("1m1s", "61s")];
        for (text, expected) in cases {
            assert_eq!(single_unit(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "1", "0s", "x", "1.5h", "99999999999999999999h"] {
            assert_eq!(single_unit(text), None, "{text}");
        }
    }

    #[test]
    fn port_ranges_have_two_ends() {
        assert_eq!(port_range("28000-32767").and_then(|range| range.min_port), Some(28000));
        assert!(["1", "0-5", "6-5", "a-b", ""].into_iter().all(|text| port_range(text).is_none()));
    }
}
