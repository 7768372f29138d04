//! Configuration schemas of the add-ons: the members that people set most, each with its type as in the service, where
//! most switches are strings.

use serde_json::{Value, json};

/// The schema of an add-on's configuration values.
#[must_use]
pub fn of(addon: &str) -> Value {
    let properties = match addon {
        "vpc-cni" => json!({
            "affinity": object(),
            "enableNetworkPolicy": {"type": "string", "pattern": "^(true|false)$"},
            "enableWindowsIpam": {"type": "string", "pattern": "^(true|false)$"},
            "enableWindowsPrefixDelegation": {"type": "string", "pattern": "^(true|false)$"},
            "env": closed(&vpc_cni_environment()),
            "eniConfig": object(),
            "init": closed(&json!({"env": texts()})),
            "livenessProbeTimeoutSeconds": {"type": "integer"},
            "readinessProbeTimeoutSeconds": {"type": "integer"},
            "nodeAgent": closed(&json!({
                "enableCloudWatchLogs": {"type": "string", "pattern": "^(true|false)$"},
                "enableIpv6": {"type": "string", "pattern": "^(true|false)$"},
                "enablePolicyEventLogs": {"type": "string", "pattern": "^(true|false)$"},
                "healthProbeBindAddr": {"type": "string"},
                "metricsBindAddr": {"type": "string"},
                "resources": resources(),
            })),
            "nodeSelector": texts(),
            "podAnnotations": texts(),
            "podLabels": texts(),
            "resources": resources(),
            "tolerations": tolerations(),
        }),
        "coredns" => json!({
            "affinity": object(),
            "autoScaling": closed(&json!({
                "enabled": {"type": "boolean"},
                "minReplicas": {"type": "integer", "minimum": 2, "maximum": 1000},
                "maxReplicas": {"type": "integer", "minimum": 2, "maximum": 1000},
            })),
            "computeType": {"type": "string"},
            "corefile": {"type": "string"},
            "nodeSelector": texts(),
            "podAnnotations": texts(),
            "podDisruptionBudget": object(),
            "podLabels": texts(),
            "replicaCount": {"type": "integer"},
            "resources": resources(),
            "tolerations": tolerations(),
            "topologySpreadConstraints": {"type": "array"},
        }),
        "kube-proxy" => json!({
            "ipvs": closed(&json!({
                "scheduler": {"type": "string", "enum": ["rr", "lc", "dh", "sh", "sed", "nq", "wrr", "wlc"]},
            })),
            "mode": {"type": "string", "enum": ["iptables", "ipvs", "nftables"]},
            "podAnnotations": texts(),
            "podLabels": texts(),
            "resources": resources(),
        }),
        "aws-ebs-csi-driver" | "aws-efs-csi-driver" => json!({
            "controller": component(),
            "defaultStorageClass": closed(&json!({"enabled": {"type": "boolean"}})),
            "node": component(),
            "sidecars": object(),
        }),
        "eks-pod-identity-agent" => json!({
            "affinity": object(),
            "agent": closed(&json!({"additionalArgs": texts()})),
            "podAnnotations": texts(),
            "podLabels": texts(),
            "resources": resources(),
            "tolerations": tolerations(),
        }),
        "eks-node-monitoring-agent" => json!({
            "dcgmAgent": component(),
            "monitoringAgent": component(),
        }),
        "external-dns" => json!({
            "affinity": object(),
            "domainFilters": {"type": "array", "items": {"type": "string"}},
            "extraArgs": {"type": "array", "items": {"type": "string"}},
            "interval": {"type": "string"},
            "logLevel": {"type": "string", "enum": ["debug", "error", "fatal", "info", "panic", "trace", "warning"]},
            "nodeSelector": texts(),
            "podAnnotations": texts(),
            "podLabels": texts(),
            "policy": {"type": "string", "enum": ["create-only", "sync", "upsert-only"]},
            "registry": {"type": "string", "enum": ["dynamodb", "noop", "txt"]},
            "resources": resources(),
            "sources": {"type": "array", "items": {"type": "string"}},
            "tolerations": tolerations(),
            "txtOwnerId": {"type": "string"},
            "txtPrefix": {"type": "string"},
            "txtSuffix": {"type": "string"},
        }),
        "metrics-server" => json!({
            "addonResizer": object(),
            "affinity": object(),
            "args": {"type": "array", "items": {"type": "string"}},
            "nodeSelector": texts(),
            "podAnnotations": texts(),
            "podDisruptionBudget": object(),
            "podLabels": texts(),
            "replicas": {"type": "integer", "minimum": 1},
            "resources": resources(),
            "tolerations": tolerations(),
            "topologySpreadConstraints": {"type": "array"},
        }),
        _ => json!({
            "affinity": object(),
            "nodeSelector": texts(),
            "podAnnotations": texts(),
            "podLabels": texts(),
            "replicas": {"type": "integer", "minimum": 1},
            "resources": resources(),
            "tolerations": tolerations(),
        }),
    };
    let mut schema = closed(&properties);
    schema["$schema"] = "http://json-schema.org/draft-06/schema#".into();
    schema
}

fn closed(properties: &Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn object() -> Value {
    json!({"type": ["object", "null"]})
}

fn texts() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

fn resources() -> Value {
    let amounts =
        json!({"type": "object", "additionalProperties": {"type": ["string", "integer", "number"]}});
    closed(&json!({"limits": amounts, "requests": amounts}))
}

fn tolerations() -> Value {
    json!({"type": "array", "items": closed(&json!({
        "key": {"type": "string"},
        "operator": {"type": "string", "enum": ["Exists", "Equal"]},
        "value": {"type": "string"},
        "effect": {"type": "string", "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
        "tolerationSeconds": {"type": "integer"},
    }))})
}

fn component() -> Value {
    closed(&json!({
        "additionalArgs": {"type": "array", "items": {"type": "string"}},
        "affinity": object(),
        "defaultFsType": {"type": "string"},
        "enableMetrics": {"type": "boolean"},
        "env": {"type": "array"},
        "extraVolumeTags": texts(),
        "loggingFormat": {"type": "string", "enum": ["text", "json"]},
        "logLevel": {"type": "integer"},
        "nodeSelector": texts(),
        "podAnnotations": texts(),
        "podLabels": texts(),
        "region": {"type": "string"},
        "replicaCount": {"type": "integer", "minimum": 1},
        "resources": resources(),
        "serviceAccount": object(),
        "tolerateAllTaints": {"type": "boolean"},
        "tolerations": tolerations(),
        "volumeAttachLimit": {"type": "integer", "minimum": 0},
    }))
}

/// Variables of the VPC CNI (its README); every value is a string.
fn vpc_cni_environment() -> Value {
    const SWITCHES: [&str; 14] = [
        "AWS_VPC_CNI_NODE_PORT_SUPPORT",
        "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
        "AWS_VPC_K8S_CNI_EXTERNALSNAT",
        "DISABLE_INTROSPECTION",
        "DISABLE_METRICS",
        "DISABLE_NETWORK_RESOURCE_PROVISIONING",
        "ENABLE_BANDWIDTH_PLUGIN",
        "ENABLE_IPv4",
        "ENABLE_IPv6",
        "ENABLE_POD_ENI",
        "ENABLE_PREFIX_DELEGATION",
        "ENABLE_SUBNET_DISCOVERY",
        "ENABLE_V4_EGRESS",
        "ENABLE_V6_EGRESS",
    ];
    const TEXTS: [&str; 12] = [
        "ADDITIONAL_ENI_TAGS",
        "ANNOTATE_POD_IP",
        "AWS_VPC_ENI_MTU",
        "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS",
        "AWS_VPC_K8S_CNI_LOG_FILE",
        "AWS_VPC_K8S_CNI_LOGLEVEL",
        "AWS_VPC_K8S_CNI_RANDOMIZESNAT",
        "AWS_VPC_K8S_CNI_VETHPREFIX",
        "ENI_CONFIG_ANNOTATION_DEF",
        "ENI_CONFIG_LABEL_DEF",
        "NETWORK_POLICY_ENFORCING_MODE",
        "POD_SECURITY_GROUP_ENFORCING_MODE",
    ];
    const NUMBERS: [&str; 5] =
        ["MAX_ENI", "MINIMUM_IP_TARGET", "WARM_ENI_TARGET", "WARM_IP_TARGET", "WARM_PREFIX_TARGET"];
    let switch = json!({"type": "string", "pattern": "^(true|false)$"});
    let text = json!({"type": "string"});
    let number = json!({"type": "string", "pattern": "^[0-9]+$"});
    SWITCHES
        .iter()
        .map(|name| ((*name).to_owned(), switch.clone()))
        .chain(TEXTS.iter().map(|name| ((*name).to_owned(), text.clone())))
        .chain(NUMBERS.iter().map(|name| ((*name).to_owned(), number.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
