//! EKS add-ons in the place of those that kops installs, and roles for the controllers that are charts.

use super::iam::boundary;
use super::{Context, Draft, dns, identity, network};
use crate::migrate::assess::rule::{Ruling, offer, offers};
use crate::migrate::verdict::Offer;
use crate::model::cluster_config::{
    Addon, AddonsConfig, AutoModeConfig, PodIdentityAssociation, WellKnownPolicies,
};
use serde_json::{Map, Value, json};

/// What takes the place of the Cluster Autoscaler.
pub(in super::super) const AUTOSCALER: &str = "kops.addon.cluster-autoscaler";
/// What takes the place of kops' Karpenter.
pub(in super::super) const KARPENTER: &str = "kops.addon.karpenter";
/// The add-on that gives pods the credentials of their associations.
const AGENT: &str = "eks-pod-identity-agent";

/// Ways to scale nodes.
pub(in super::super) fn autoscaler_offers() -> Vec<Offer> {
    offers([
        offer(
            "cluster-autoscaler",
            "the Cluster Autoscaler's chart, delivered by an Application, with a role by pod identity",
        ),
        offer("auto-mode", "EKS Auto Mode, which makes nodes for pending pods by itself"),
        offer("karpenter", "Karpenter's chart, delivered by an Application, with node pools of your own"),
    ])
}

/// Ways on from kops' Karpenter.
pub(in super::super) fn karpenter_offers() -> Vec<Offer> {
    offers([
        offer(
            "karpenter",
            "Karpenter's chart, delivered by an Application; its pools are written anew, for kops' name launch templates and roles",
        ),
        offer("auto-mode", "EKS Auto Mode, which is Karpenter run by AWS"),
        offer("none", "node groups alone"),
    ])
}

/// Whether AWS makes nodes by itself.
pub(in super::super) fn auto_mode(context: &Context<'_>) -> bool {
    let of = |flag: &str, rule: &str, pointer: &str, ways: &[&str]| {
        context.state.flag(flag) == Some(true)
            && context.way(rule, &context.cluster().subject(), &context.pointer(pointer), ways) == "auto-mode"
    };
    of(
        "clusterAutoscaler.enabled",
        AUTOSCALER,
        "clusterAutoscaler.enabled",
        &["cluster-autoscaler", "auto-mode", "karpenter"],
    ) || of("karpenter.enabled", KARPENTER, "karpenter.enabled", &["karpenter", "auto-mode", "none"])
}

/// Whether the EBS CSI driver is kops' to install. It is by default since kops 1.22.
pub(in super::super) fn ebs_driver(context: &Context<'_>) -> bool {
    context.state.flag("cloudProvider.aws.ebsCSIDriver.managed") != Some(false)
}

pub(super) fn fill(context: &Context<'_>, draft: &mut Draft) {
    let state = context.state;
    let on = |flag: &str| state.flag(flag) == Some(true);
    let keeps = network::keeps_provider(context);
    let mut addons: Vec<Addon> = Vec::new();
    let mut add = |name: &str, settings: Map<String, Value>, accounts: Vec<PodIdentityAssociation>| {
        let values = (!settings.is_empty()).then(|| Value::Object(settings).to_string());
        addons.push(Addon {
            name: name.to_owned(),
            configuration_values: values,
            pod_identity_associations: (!accounts.is_empty()).then_some(accounts),
            ..Addon::default()
        });
    };
    if !keeps {
        add("vpc-cni", vpc_cni(context), Vec::new());
    }
    if !(keeps && state.flag("kubeProxy.enabled") == Some(false)) {
        add("kube-proxy", kube_proxy(context), Vec::new());
    }
    add("coredns", dns::settings(context), Vec::new());
    if on("metricsServer.enabled") {
        add("metrics-server", Map::new(), Vec::new());
    }
    let account = |name: &str, policies: WellKnownPolicies| {
        vec![PodIdentityAssociation {
            service_account_name: name.to_owned(),
            well_known_policies: Some(policies),
            permissions_boundary_arn: boundary(context),
            ..PodIdentityAssociation::default()
        }]
    };
    if ebs_driver(context) {
        let limit = state.at("cloudProvider.aws.ebsCSIDriver.volumeAttachLimit").as_u64();
        let settings =
            limit.map(|limit| settings(&json!({"node": {"volumeAttachLimit": limit}}))).unwrap_or_default();
        let policies = WellKnownPolicies { ebs_csi_controller: true, ..WellKnownPolicies::default() };
        add("aws-ebs-csi-driver", settings, account("ebs-csi-controller-sa", policies));
    }
    if on("snapshotController.enabled") {
        add("snapshot-controller", Map::new(), Vec::new());
    }
    if on("certManager.enabled") && state.flag("certManager.managed") != Some(false) {
        let policies = WellKnownPolicies { cert_manager: true, ..WellKnownPolicies::default() };
        let zones = !state.items("certManager.hostedZoneIDs").is_empty();
        add("cert-manager", Map::new(), if zones { account("cert-manager", policies) } else { Vec::new() });
    }
    if on("nodeProblemDetector.enabled") {
        add("eks-node-monitoring-agent", Map::new(), Vec::new());
    }
    if state.text("externalDNS.provider") == Some("external-dns") {
        let policies = WellKnownPolicies { external_dns: true, ..WellKnownPolicies::default() };
        let owner = json!({"txtOwnerId": identity::name(context), "policy": "upsert-only"});
        add("external-dns", settings(&owner), account("external-dns", policies));
    }
    charts(context, draft);
    let iam = draft.config.iam.get_or_insert_default();
    let needs_agent = !iam.pod_identity_associations.is_empty()
        || addons.iter().any(|addon| addon.pod_identity_associations.is_some());
    if needs_agent {
        addons.push(Addon { name: AGENT.to_owned(), ..Addon::default() });
    }
    if keeps {
        draft.config.addons_config =
            Some(AddonsConfig { disable_default_addons: Some(true), ..AddonsConfig::default() });
    }
    if auto_mode(context) {
        draft.config.auto_mode_config =
            Some(AutoModeConfig { enabled: Some(true), ..AutoModeConfig::default() });
    }
    draft.config.addons = addons;
    in_tree_volumes(context, draft);
}

fn settings(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn vpc_cni(context: &Context<'_>) -> Map<String, Value> {
    let mut values = Map::new();
    let provider = network::provider(context);
    if provider.is_some_and(|(_, enforces)| enforces) {
        values.insert("enableNetworkPolicy".into(), json!("true"));
    }
    let mut env = Map::new();
    for variable in context.state.items("networking.amazonVPC.env") {
        if let (Some(name), Some(value)) = (variable["name"].as_str(), variable["value"].as_str()) {
            env.insert(name.to_owned(), json!(value));
        }
    }
    if provider.is_some_and(|(name, _)| name != "amazonVPC") && network::delegates_prefixes(context) {
        env.insert("ENABLE_PREFIX_DELEGATION".into(), json!("true"));
        env.insert("WARM_PREFIX_TARGET".into(), json!("1"));
    }
    if !env.is_empty() {
        values.insert("env".into(), Value::Object(env));
    }
    values
}

fn kube_proxy(context: &Context<'_>) -> Map<String, Value> {
    let cluster = context.cluster();
    let mut values = Map::new();
    match cluster.text("kubeProxy.proxyMode") {
        Some("ipvs") => {
            let scheduler = cluster.text("kubeProxy.ipvsScheduler").unwrap_or("rr");
            values.insert("mode".into(), json!("ipvs"));
            values.insert("ipvs".into(), json!({"scheduler": scheduler}));
        }
        Some(mode @ "nftables") => {
            values.insert("mode".into(), json!(mode));
        }
        _ => {}
    }
    values
}

/// Controllers that EKS has no add-on for: their roles are made, and an Application delivers them.
fn charts(context: &Context<'_>, draft: &mut Draft) {
    let state = context.state;
    let boundary = boundary(context);
    let mut role = |name: &str, policies: WellKnownPolicies, note: &str| {
        let iam = draft.config.iam.get_or_insert_default();
        let taken = iam.pod_identity_associations.iter().any(|other| {
            other.service_account_name == name && other.namespace.as_deref() == Some("kube-system")
        });
        if !taken {
            iam.pod_identity_associations.push(PodIdentityAssociation {
                namespace: Some("kube-system".into()),
                service_account_name: name.to_owned(),
                well_known_policies: Some(policies),
                permissions_boundary_arn: boundary.clone(),
                ..PodIdentityAssociation::default()
            });
        }
        draft.notes.push(note.to_owned());
    };
    if state.flag("cloudProvider.aws.loadBalancerController.enabled") == Some(true) {
        let policies =
            WellKnownPolicies { aws_load_balancer_controller: true, ..WellKnownPolicies::default() };
        role(
            "aws-load-balancer-controller",
            policies,
            "deliver the chart aws-load-balancer-controller by an Application; its role by pod identity is in the ClusterConfig",
        );
    }
    let ways = ["cluster-autoscaler", "auto-mode", "karpenter"];
    let pointer = context.pointer("clusterAutoscaler.enabled");
    if state.flag("clusterAutoscaler.enabled") == Some(true)
        && context.way(AUTOSCALER, &context.cluster().subject(), &pointer, &ways) == "cluster-autoscaler"
    {
        let policies = WellKnownPolicies { auto_scaler: true, ..WellKnownPolicies::default() };
        role(
            "cluster-autoscaler",
            policies,
            "deliver the chart cluster-autoscaler by an Application, with the settings of `clusterAutoscaler`; its role by pod \
             identity is in the ClusterConfig",
        );
    }
}

/// Before 1.23 volumes were attached by Kubernetes itself, and on EKS only the driver does that.
fn in_tree_volumes(context: &Context<'_>, draft: &mut Draft) {
    if ebs_driver(context) && context.state.flag("cloudProvider.aws.ebsCSIDriver.enabled") == Some(false) {
        let says = "the EBS CSI driver was off and volumes were attached by Kubernetes itself; on EKS nothing but the driver \
                    attaches them, so it is installed";
        let source = "EKS User Guide, EBS CSI driver; Kubernetes 1.23, CSI migration";
        let pointer = context.pointer("cloudProvider.aws.ebsCSIDriver");
        let ruling = Ruling::warning(says).to("addons[aws-ebs-csi-driver]");
        let subject = context.cluster().subject();
        draft.verdicts.push(context.verdict(&subject, &pointer, "kops.addon.ebs-driver-off", source, ruling));
    }
}
