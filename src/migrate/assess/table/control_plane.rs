//! Flags of the API server, the controller manager and the scheduler.

use super::identity::default_or;
use super::{KOPS, NO_MEMBER};
use crate::migrate::assess::context::Context;
use crate::migrate::assess::rule::{
    Rule, Ruling, Set, accepted, blocker, irrelevant, mapped, offer, offers, warning,
};
use crate::migrate::assess::translate::control_plane::{ENCRYPTION, port_range, single_unit};
use crate::migrate::assess::translate::identity;

const FLAGS: &str = "EKS API, CreateCluster.kubeApiServerConfig";
const ADMISSION: &str = "EKS User Guide, platform versions (admission controllers)";

/// Admission plugins that EKS turns on (its user guide, platform versions), and those that are gone from Kubernetes with
/// nothing lost.
const ADMITTED: [&str; 25] = [
    "CertificateApproval",
    "CertificateSigning",
    "CertificateSubjectRestriction",
    "ClusterTrustBundleAttest",
    "DefaultIngressClass",
    "DefaultStorageClass",
    "DefaultTolerationSeconds",
    "Initializers",
    "LimitRanger",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionWebhook",
    "NamespaceLifecycle",
    "NodeRestriction",
    "PersistentVolumeClaimResize",
    "PersistentVolumeLabel",
    "PodSecurity",
    "PodTopologyLabels",
    "Priority",
    "ResourceQuota",
    "RuntimeClass",
    "ServiceAccount",
    "StorageObjectInUseProtection",
    "TaintNodesByCondition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionWebhook",
];
/// Plugins that change or refuse what pods ask for, and that EKS does not have.
const MISSED: [&str; 7] = [
    "AlwaysPullImages",
    "DenyServiceExternalIPs",
    "EventRateLimit",
    "ExtendedResourceToleration",
    "ImagePolicyWebhook",
    "PodNodeSelector",
    "PodTolerationRestriction",
];
const PSP: &str = "PodSecurityPolicy";
/// The minor that has no PodSecurityPolicy any more.
const WITHOUT_PSP: u32 = 25;

pub(super) const RULES: &[Rule] = &[
    mapped("kops.control-plane.node-port-range", &["spec.kubeAPIServer.serviceNodePortRange"], FLAGS, "the same ports")
        .to("kubeAPIServerConfig.serviceNodePortRange")
        .by(|_, set| if port_range(&set.field.text()).is_some() { Ruling::as_written() } else { Ruling::warning("it is no range of ports; EKS's holds: 30000-32767") }),
    mapped("kops.control-plane.event-ttl", &["spec.kubeAPIServer.eventTTL"], FLAGS, "events are kept as long").to("kubeAPIServerConfig.eventTTL").by(
        |_, set| {
            if set.by_default {
                return Ruling::irrelevant("kops' default");
            }
            match single_unit(&set.field.text()) {
                Some(_) => Ruling::as_written(),
                None => Ruling::warning("it is no duration that EKS takes; an hour holds"),
            }
        },
    ),
    warning(
        "kops.control-plane.audit",
        &[
            "spec.kubeAPIServer.auditLogFormat",
            "spec.kubeAPIServer.auditLogMaxAge",
            "spec.kubeAPIServer.auditLogMaxBackups",
            "spec.kubeAPIServer.auditLogMaxSize",
            "spec.kubeAPIServer.auditLogPath",
            "spec.kubeAPIServer.auditPolicyFile",
            "spec.kubeAPIServer.auditDynamicConfiguration",
        ],
        "EKS API, CreateCluster.logging",
        "EKS writes audit events to CloudWatch Logs by a policy of its own",
    )
    .to("cloudWatch.clusterLogging.enableTypes"),
    blocker(
        "kops.control-plane.audit-webhook",
        &["spec.kubeAPIServer.auditWebhookConfigFile"],
        NO_MEMBER,
        "EKS sends audit events to no webhook: take them from CloudWatch Logs by a subscription",
    )
    .unless("audit events are taken from CloudWatch Logs"),
    warning(
        "kops.control-plane.audit-webhook-tuning",
        &[
            "spec.kubeAPIServer.auditWebhookBatchBufferSize",
            "spec.kubeAPIServer.auditWebhookBatchMaxSize",
            "spec.kubeAPIServer.auditWebhookBatchMaxWait",
            "spec.kubeAPIServer.auditWebhookBatchThrottleBurst",
            "spec.kubeAPIServer.auditWebhookBatchThrottleEnable",
            "spec.kubeAPIServer.auditWebhookBatchThrottleQps",
            "spec.kubeAPIServer.auditWebhookInitialBackoff",
            "spec.kubeAPIServer.auditWebhookMode",
        ],
        NO_MEMBER,
        "EKS has no audit webhook that it could tune",
    ),
    mapped(
        "kops.control-plane.admission",
        &[
            "spec.kubeAPIServer.enableAdmissionPlugins[]",
            "spec.kubeAPIServer.appendAdmissionPlugins[]",
            "spec.kubeAPIServer.admissionControl[]",
        ],
        ADMISSION,
        "",
    )
    .by(admission),
    warning(
        "kops.control-plane.admission-off",
        &["spec.kubeAPIServer.disableAdmissionPlugins[]"],
        ADMISSION,
        "EKS decides which admission plugins are on: this one will be, where it is one of EKS's",
    ),
    blocker(
        "kops.control-plane.admission-config",
        &["spec.kubeAPIServer.admissionControlConfigFile"],
        NO_MEMBER,
        "EKS takes no configuration of admission plugins: PodSecurity is told by labels of namespaces, the rest by policies and webhooks of one's own",
    )
    .unless("it is replaced by labels of namespaces, policies or webhooks"),
    warning("kops.control-plane.runtime-config", &["spec.kubeAPIServer.runtimeConfig.*"], NO_MEMBER, "").by(|_, set| {
        let key = set.field.path.last_key();
        if key.contains("alpha") && set.field.text() != "false" {
            let says = "EKS serves no alpha APIs: what uses this one has to do without";
            return Ruling::blocker(says, accepted("nothing uses it"));
        }
        Ruling::warning("EKS decides which APIs are served: stable ones, and those beta ones that Kubernetes turns on")
    }),
    warning(
        "kops.control-plane.feature-gates",
        &["spec.kubeAPIServer.featureGates.*", "spec.kubeControllerManager.featureGates.*", "spec.kubeScheduler.featureGates.*"],
        NO_MEMBER,
        "EKS has no alpha features: what needs the gate has to do without, unless the feature is stable by now",
    )
    .by(|_, set| default_or(set, "kops' default")),
    mapped(ENCRYPTION, &["spec.encryptionConfig", "spec.kubeAPIServer.encryptionProviderConfig", "spec.kubeAPIServer.experimentalEncryptionProviderConfig"], "EKS API, CreateCluster.encryptionConfig", "")
        .to("secretsEncryption.keyARN")
        .by(|_, set| {
            if set.field.text() == "false" {
                return Ruling::irrelevant("EKS encrypts what etcd holds anyway, since 1.28");
            }
            let mut ruling = Ruling::mapped(
                "EKS encrypts what etcd holds, since 1.28, with a key of AWS; record the ARN of a KMS key of your own here to have it used",
            );
            ruling.offers = vec![offer("<arn>", "that KMS key, which cannot be taken back")];
            ruling
        }),
    warning(
        "kops.control-plane.issuer",
        &[
            "spec.kubeAPIServer.serviceAccountIssuer",
            "spec.kubeAPIServer.additionalServiceAccountIssuers[]",
            "spec.kubeAPIServer.serviceAccountJWKSURI",
            "spec.kubeAPIServer.apiAudiences[]",
            "spec.kubeAPIServer.serviceAccountKeyFile[]",
            "spec.kubeAPIServer.serviceAccountSigningKeyFile",
        ],
        "EKS API, DescribeCluster.identity",
        "EKS has an issuer of its own: whatever verifies tokens of service accounts (roles, Vault, other clouds) has to trust it too",
    )
    .by(|context, set| {
        let discovered = context.state.at("serviceAccountIssuerDiscovery").is_object();
        if set.by_default && !discovered { Ruling::irrelevant("kops' default, which nobody outside can verify") } else { Ruling::as_written() }
    }),
    blocker(
        "kops.control-plane.static-login",
        &["spec.kubeAPIServer.basicAuthFile", "spec.kubeAPIServer.tokenAuthFile"],
        NO_MEMBER,
        "people log in by passwords or tokens of a file: give them access entries, or service accounts with tokens",
    )
    .unless("they get access entries"),
    irrelevant("kops.control-plane.anonymous", &["spec.kubeAPIServer.anonymousAuth", "spec.kubeAPIServer.disableBasicAuth"], KOPS, "EKS allows anonymous requests for health and version alone"),
    mapped("kops.control-plane.authorization-mode", &["spec.kubeAPIServer.authorizationMode"], NO_MEMBER, "").by(|context, set| {
        let text = set.field.text();
        if text.contains("AlwaysAllow") && !context.state.at("authorization.alwaysAllow").is_object() {
            return Ruling::blocker("everybody may do everything, and EKS has RBAC: write Roles and bindings", accepted("what is then denied is mended as it shows"));
        }
        if text.contains("Webhook") || text.contains("ABAC") {
            return Ruling::blocker("EKS has RBAC alone: no webhook and no ABAC decides who may", accepted("RBAC says the same"));
        }
        Ruling::irrelevant("EKS has Node and RBAC")
    }),
    blocker(
        "kops.control-plane.authentication-webhook",
        &["spec.kubeAPIServer.authenticationTokenWebhookConfigFile", "spec.kubeAPIServer.authorizationWebhookConfigFile", "spec.kubeAPIServer.authenticationConfigFile", "spec.kubeAPIServer.authorizationConfigFile"],
        NO_MEMBER,
        "EKS asks no webhook and reads no file about who may log in: use access entries or one OIDC provider",
    )
    .unless("people log in by access entries or OIDC"),
    warning(
        "kops.control-plane.tuning",
        &[
            "spec.kubeAPIServer.maxRequestsInflight",
            "spec.kubeAPIServer.maxMutatingRequestsInflight",
            "spec.kubeAPIServer.requestTimeout",
            "spec.kubeAPIServer.minRequestTimeout",
            "spec.kubeAPIServer.goawayChance",
            "spec.kubeAPIServer.http2MaxStreamsPerConnection",
            "spec.kubeAPIServer.defaultNotReadyTolerationSeconds",
            "spec.kubeAPIServer.defaultUnreachableTolerationSeconds",
            "spec.kubeAPIServer.corsAllowedOrigins[]",
            "spec.kubeAPIServer.strictTransportSecurityDirectives[]",
            "spec.kubeAPIServer.tlsCipherSuites[]",
            "spec.kubeAPIServer.tlsMinVersion",
            "spec.kubeAPIServer.env[].**",
            "spec.kubeAPIServer.targetRamMB",
            "spec.kubeAPIServer.watchCacheSizes[]",
        ],
        "EKS API, CreateCluster.controlPlaneScalingConfig",
        "EKS sets it and grows the control plane by load; for more at once there are tiers (controlPlaneScalingConfig)",
    ),
    irrelevant("kops.control-plane.server", &["spec.kubeAPIServer", "spec.kubeAPIServer.**"], KOPS, "EKS runs the API server"),
    mapped(
        "kops.control-plane.hpa-period",
        &["spec.kubeControllerManager.horizontalPodAutoscalerSyncPeriod"],
        "EKS API, CreateCluster.kubeControllerManagerConfig",
        "the same period",
    )
    .to("kubeControllerManagerConfig.horizontalPodAutoscalerControllerConfig")
    .by(|_, set| if single_unit(&set.field.text()).is_some() { Ruling::as_written() } else { Ruling::warning("it is no duration that EKS takes; 15s holds") }),
    warning(
        "kops.control-plane.pod-gc",
        &["spec.kubeControllerManager.terminatedPodGCThreshold"],
        "EKS API, kubeControllerManagerConfig.podGcControllerConfig",
        "EKS can set it by its API, and the ClusterConfig has no word for it",
    ),
    warning(
        "kops.control-plane.controllers",
        &[
            "spec.kubeControllerManager.concurrentDeploymentSyncs",
            "spec.kubeControllerManager.concurrentEndpointSyncs",
            "spec.kubeControllerManager.concurrentHorizontalPodAustoscalerSyncs",
            "spec.kubeControllerManager.concurrentJobSyncs",
            "spec.kubeControllerManager.concurrentNamespaceSyncs",
            "spec.kubeControllerManager.concurrentRCSyncs",
            "spec.kubeControllerManager.concurrentReplicasetSyncs",
            "spec.kubeControllerManager.concurrentResourceQuotaSyncs",
            "spec.kubeControllerManager.concurrentServiceSyncs",
            "spec.kubeControllerManager.concurrentServiceaccountTokenSyncs",
            "spec.kubeControllerManager.attachDetachReconcileSyncPeriod",
            "spec.kubeControllerManager.disableAttachDetachReconcileSync",
            "spec.kubeControllerManager.controllers[]",
            "spec.kubeControllerManager.endpointSliceUpdatesBatchPeriod",
            "spec.kubeControllerManager.endpointUpdatesBatchPeriod",
            "spec.kubeControllerManager.experimentalClusterSigningDuration",
            "spec.kubeControllerManager.ClusterSigningDuration",
            "spec.kubeControllerManager.horizontalPodAutoscalerCpuInitializationPeriod",
            "spec.kubeControllerManager.horizontalPodAutoscalerDownscaleDelay",
            "spec.kubeControllerManager.horizontalPodAutoscalerDownscaleStabilization",
            "spec.kubeControllerManager.horizontalPodAutoscalerInitialReadinessDelay",
            "spec.kubeControllerManager.horizontalPodAutoscalerTolerance",
            "spec.kubeControllerManager.horizontalPodAutoscalerUpscaleDelay",
            "spec.kubeControllerManager.minResyncPeriod",
            "spec.kubeControllerManager.nodeMonitorGracePeriod",
            "spec.kubeControllerManager.nodeMonitorPeriod",
            "spec.kubeControllerManager.podEvictionTimeout",
        ],
        NO_MEMBER,
        "EKS's own value holds; behaviour of autoscalers can be told by each HorizontalPodAutoscaler",
    )
    .by(|_, set| default_or(set, "kops' default")),
    irrelevant("kops.control-plane.controller-manager", &["spec.kubeControllerManager", "spec.kubeControllerManager.**"], KOPS, "EKS runs the controller manager"),
    blocker(
        "kops.control-plane.scheduler-policy",
        &["spec.kubeScheduler.usePolicyConfigMap"],
        NO_MEMBER,
        "EKS's scheduler has no policy of one's own: run a second scheduler, and name it in `schedulerName` of the pods",
    )
    .unless("the default scheduling will do"),
    warning("kops.control-plane.scheduler-volumes", &["spec.kubeScheduler.maxPersistentVolumes"], NO_MEMBER, "the EBS CSI driver says how many volumes a node holds"),
    irrelevant("kops.control-plane.scheduler", &["spec.kubeScheduler", "spec.kubeScheduler.**"], KOPS, "EKS runs the scheduler"),
];

fn admission(context: &Context<'_>, set: &Set<'_>) -> Ruling {
    let plugin = set.field.text();
    if ADMITTED.contains(&plugin.as_str()) {
        return Ruling::irrelevant("EKS has it on");
    }
    if plugin == PSP {
        let target = identity::version(context).target;
        if target.is_some_and(|minor| minor < WITHOUT_PSP) {
            return Ruling::mapped("EKS has it on in this version");
        }
        let ways = offers([
            offer(
                "pod-security",
                "labels of Pod Security on the namespaces, as strict as the policies that their pods use",
            ),
            offer("accept", "no policy at all"),
        ]);
        return Ruling::blocker(
            "PodSecurityPolicies are gone since 1.25, and nothing would hold pods back",
            ways,
        );
    }
    if MISSED.contains(&plugin.as_str()) {
        let says = format!(
            "EKS does not have {plugin}, which changes or refuses what pods ask for: put a policy or a webhook in its place"
        );
        return Ruling::blocker(says, accepted("nothing relies on it"));
    }
    Ruling::warning("EKS does not have this admission plugin")
}
