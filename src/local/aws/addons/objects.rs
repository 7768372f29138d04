//! The objects of each add-on, under the names that people and tools know them by.

use serde_json::{Value, json};

use super::Setting;
use super::parts::{
    account, budget, configure, container, daemon_set, deployment, everywhere, labels, role, rule,
};
use super::storage;

const READ: [&str; 3] = ["get", "list", "watch"];

/// The objects of an add-on, in the order of their making.
pub(super) fn of(addon: &str, setting: &Setting<'_>) -> Vec<Value> {
    match addon {
        "vpc-cni" => vpc_cni(setting),
        "coredns" => coredns(setting),
        "kube-proxy" => kube_proxy(setting),
        "eks-pod-identity-agent" => agent("eks-pod-identity-agent", "eks-pod-identity-agent", setting),
        "eks-node-monitoring-agent" => {
            agent("eks-node-monitoring-agent", "eks-node-monitoring-agent", setting)
        }
        "external-dns" => external_dns(setting),
        "metrics-server" => metrics_server(setting),
        "snapshot-controller" => storage::snapshot_controller(setting),
        "aws-ebs-csi-driver" => storage::driver(&storage::EBS, setting),
        "aws-efs-csi-driver" => storage::driver(&storage::EFS, setting),
        _ => Vec::new(),
    }
}

/// Objects that an add-on has only by some configurations.
pub(super) fn optional(addon: &str, setting: &Setting<'_>) -> Vec<Value> {
    match addon {
        "aws-ebs-csi-driver" => vec![storage::default_class(setting)],
        _ => Vec::new(),
    }
}

fn vpc_cni(setting: &Setting<'_>) -> Vec<Value> {
    let asked = setting.configuration;
    let mut node = container("aws-node", "amazon-k8s-cni", setting, "25m", "");
    node["env"] = json!([
        {"name": "AWS_VPC_K8S_CNI_LOGLEVEL", "value": "DEBUG"},
        {"name": "CLUSTER_NAME", "value": setting.cluster},
        {"name": "ENABLE_PREFIX_DELEGATION", "value": "false"},
        {"name": "WARM_ENI_TARGET", "value": "1"},
        {"name": "WARM_PREFIX_TARGET", "value": "1"},
    ]);
    node["volumeMounts"] = json!([
        {"name": "cni-bin-dir", "mountPath": "/host/opt/cni/bin"},
        {"name": "cni-net-dir", "mountPath": "/host/etc/cni/net.d"},
    ]);
    let mut node_agent = container("aws-eks-nodeagent", "aws-network-policy-agent", setting, "25m", "");
    let policies = asked["enableNetworkPolicy"].as_str().unwrap_or("false");
    node_agent["args"] = json!([format!("--enable-network-policy={policies}")]);
    if !asked["nodeAgent"]["resources"].is_null() {
        node_agent["resources"] = asked["nodeAgent"]["resources"].clone();
    }
    let mut init = container("aws-vpc-cni-init", "amazon-k8s-cni-init", setting, "25m", "");
    let variables = asked["init"]["env"].as_object().into_iter().flatten();
    init["env"] = variables.map(|(name, value)| json!({"name": name, "value": value})).collect();
    let pod = json!({
        "serviceAccountName": "aws-node", "hostNetwork": true, "tolerations": everywhere(),
        "terminationGracePeriodSeconds": 10,
        "initContainers": [init], "containers": [node, node_agent],
        "volumes": [
            {"name": "cni-bin-dir", "hostPath": {"path": "/opt/cni/bin"}},
            {"name": "cni-net-dir", "hostPath": {"path": "/etc/cni/net.d"}},
        ],
    });
    let mut daemon = daemon_set("aws-node", "aws-node", setting, pod);
    configure(&mut daemon, asked);
    let rules = json!([
        rule("crd.k8s.amazonaws.com", &["eniconfigs"], &READ),
        rule("", &["namespaces", "pods", "nodes"], &READ),
        rule("", &["pods"], &["patch"]),
        rule("", &["events"], &["create", "patch", "list"]),
    ]);
    let mut objects = vec![definition("eniconfigs", "ENIConfig", "eniconfig", "crd.k8s.amazonaws.com")];
    objects.push(account("aws-node", "aws-node", setting, true));
    objects.extend(role("aws-node", "aws-node", setting, &rules));
    objects.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "amazon-vpc-cni", "namespace": setting.namespace, "labels": labels("aws-node", setting)},
        "data": {
            "enable-network-policy-controller": policies,
            "enable-windows-ipam": asked["enableWindowsIpam"].as_str().unwrap_or("false"),
            "enable-windows-prefix-delegation": asked["enableWindowsPrefixDelegation"].as_str().unwrap_or("false"),
        },
    }));
    objects.push(daemon);
    objects
}

/// A cluster-scoped kind with no rules of its own.
fn definition(plural: &str, kind: &str, singular: &str, group: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Cluster",
            "names": {"plural": plural, "singular": singular, "kind": kind},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    })
}

fn coredns(setting: &Setting<'_>) -> Vec<Value> {
    const COREFILE: &str = ".:53 {\n    errors\n    health {\n        lameduck 5s\n    }\n    ready\n    kubernetes \
        cluster.local in-addr.arpa ip6.arpa {\n        pods insecure\n        fallthrough in-addr.arpa ip6.arpa\n    }\n    \
        prometheus :9153\n    forward . /etc/resolv.conf\n    cache 30\n    loop\n    reload\n    loadbalance\n}\n";
    let asked = setting.configuration;
    let app = "kube-dns";
    let mut server = container("coredns", "coredns", setting, "100m", "70Mi");
    server["args"] = json!(["-conf", "/etc/coredns/Corefile"]);
    server["resources"]["limits"] = json!({"memory": "170Mi"});
    server["ports"] = json!([
        {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
    ]);
    server["volumeMounts"] =
        json!([{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": true}]);
    let pod = json!({
        "serviceAccountName": "coredns", "dnsPolicy": "Default", "containers": [server],
        "volumes": [{"name": "config-volume", "configMap": {
            "name": "coredns", "items": [{"key": "Corefile", "path": "Corefile"}]}}],
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "topologySpreadConstraints": [{
            "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"k8s-app": app}},
        }],
    });
    let mut workload = deployment("coredns", app, setting, 2, pod);
    // Without this it stays away from Fargate.
    let compute_type = asked["computeType"].as_str().unwrap_or("ec2").to_lowercase();
    workload["spec"]["template"]["metadata"]["annotations"] =
        json!({"eks.amazonaws.com/compute-type": compute_type});
    configure(&mut workload, asked);
    if asked["autoScaling"]["enabled"] == true {
        workload["spec"]["replicas"] = asked["autoScaling"]["minReplicas"].as_u64().unwrap_or(2).into();
    }
    let rules = json!([
        rule("", &["endpoints", "services", "pods", "namespaces"], &["list", "watch"]),
        rule("discovery.k8s.io", &["endpointslices"], &["list", "watch"]),
    ]);
    let mut objects = vec![account("coredns", app, setting, false)];
    objects.extend(role("system:coredns", "coredns", setting, &rules));
    objects.push(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": setting.namespace, "labels": labels(app, setting)},
        "data": {"Corefile": asked["corefile"].as_str().unwrap_or(COREFILE)},
    }));
    objects.push(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": setting.namespace, "labels": {
            "k8s-app": app, "kubernetes.io/name": "CoreDNS", "kubernetes.io/cluster-service": "true"}},
        "spec": {
            "clusterIP": setting.dns, "selector": {"k8s-app": app},
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
                {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
            ],
        },
    }));
    objects.push(budget("coredns", app, setting));
    objects.push(workload);
    objects
}

fn kube_proxy(setting: &Setting<'_>) -> Vec<Value> {
    let asked = setting.configuration;
    let mut proxy = container("kube-proxy", "kube-proxy", setting, "100m", "");
    proxy["command"] = json!(["kube-proxy", "--v=2", "--config=/var/lib/kube-proxy-config/config"]);
    proxy["securityContext"] = json!({"privileged": true});
    proxy["volumeMounts"] = json!([{"name": "config", "mountPath": "/var/lib/kube-proxy-config/"}]);
    let pod = json!({
        "serviceAccountName": "kube-proxy", "hostNetwork": true, "tolerations": everywhere(), "containers": [proxy],
        "volumes": [{"name": "config", "configMap": {"name": "kube-proxy-config"}}],
    });
    let mut daemon = daemon_set("kube-proxy", "kube-proxy", setting, pod);
    configure(&mut daemon, asked);
    let mode = asked["mode"].as_str().unwrap_or("iptables");
    let scheduler = asked["ipvs"]["scheduler"].as_str().unwrap_or("rr");
    let config = format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: {mode}\nipvs:\n  scheduler: \
         {scheduler}\n"
    );
    let config_map = |name: &str, data: Value| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": setting.namespace, "labels": labels("kube-proxy", setting)},
            "data": data,
        })
    };
    vec![
        account("kube-proxy", "kube-proxy", setting, false),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "eks:kube-proxy"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:node-proxier"},
            "subjects": [{"kind": "ServiceAccount", "name": "kube-proxy", "namespace": setting.namespace}],
        }),
        config_map("kube-proxy-config", json!({"config": config})),
        daemon,
    ]
}

/// An agent on every node with nothing else about it.
fn agent(name: &str, image: &str, setting: &Setting<'_>) -> Vec<Value> {
    let asked = match name {
        "eks-node-monitoring-agent" => &setting.configuration["monitoringAgent"],
        _ => setting.configuration,
    };
    let container = container(name, image, setting, "10m", "30Mi");
    let pod = json!({
        "serviceAccountName": name, "hostNetwork": true, "tolerations": everywhere(), "containers": [container],
    });
    let mut daemon = daemon_set(name, name, setting, pod);
    configure(&mut daemon, asked);
    vec![account(name, name, setting, false), daemon]
}

/// The community's, in a namespace of its own; its flags by the settings of the chart (external-dns charts/external-dns).
fn external_dns(setting: &Setting<'_>) -> Vec<Value> {
    let (name, asked) = ("external-dns", setting.configuration);
    let text = |member: &str, otherwise: &str| asked[member].as_str().unwrap_or(otherwise).to_owned();
    let list = |member: &str| asked[member].as_array().cloned();
    let mut program = container(name, name, setting, "10m", "64Mi");
    let mut flags = vec![
        "--provider=aws".to_owned(),
        format!("--policy={}", text("policy", "upsert-only")),
        format!("--registry={}", text("registry", "txt")),
    ];
    let sources = list("sources").unwrap_or_else(|| vec![json!("service"), json!("ingress")]);
    let domains = list("domainFilters").unwrap_or_default();
    for (flag, values) in [("source", sources), ("domain-filter", domains)] {
        flags.extend(values.iter().filter_map(Value::as_str).map(|value| format!("--{flag}={value}")));
    }
    for (flag, member) in
        [("txt-owner-id", "txtOwnerId"), ("txt-prefix", "txtPrefix"), ("txt-suffix", "txtSuffix")]
    {
        flags.extend(asked[member].as_str().map(|value| format!("--{flag}={value}")));
    }
    flags.extend(list("extraArgs").unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned));
    program["args"] = flags.into();
    let pod = json!({"serviceAccountName": name, "containers": [program]});
    let mut workload = deployment(name, name, setting, 1, pod);
    workload["spec"]["strategy"] = json!({"type": "Recreate"});
    configure(&mut workload, asked);
    let rules = json!([
        rule("", &["nodes", "pods", "services"], &READ),
        rule("discovery.k8s.io", &["endpointslices"], &READ),
        rule("networking.k8s.io", &["ingresses"], &READ),
    ]);
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": setting.namespace}}),
        account(name, name, setting, true),
    ];
    objects.extend(role(name, name, setting, &rules));
    objects.push(workload);
    objects
}

/// Without its APIService: nothing would answer for it, and discovery of the whole cluster would be partly down.
fn metrics_server(setting: &Setting<'_>) -> Vec<Value> {
    let name = "metrics-server";
    let mut server = container(name, name, setting, "100m", "200Mi");
    server["args"] = json!(["--kubelet-preferred-address-types=InternalIP", "--metric-resolution=15s"]);
    server["ports"] = json!([{"name": "https", "containerPort": 10251, "protocol": "TCP"}]);
    let pod = json!({"serviceAccountName": name, "containers": [server]});
    let mut workload = deployment(name, name, setting, 2, pod);
    configure(&mut workload, setting.configuration);
    let rules = json!([rule("", &["nodes/metrics"], &["get"]), rule("", &["pods", "nodes"], &READ),]);
    let mut objects = vec![account(name, name, setting, false)];
    objects.extend(role("system:metrics-server", name, setting, &rules));
    objects.push(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": setting.namespace, "labels": labels(name, setting)},
        "spec": {"selector": {"k8s-app": name}, "ports": [
            {"name": "https", "port": 443, "protocol": "TCP", "targetPort": "https"}]},
    }));
    objects.push(budget(name, name, setting));
    objects.push(workload);
    objects
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(configuration: &Value) -> Setting<'_> {
        Setting {
            version: "v1.0.0-eksbuild.1".into(),
            namespace: "kube-system".into(),
            role: Some("arn:aws:iam::111122223333:role/r".into()),
            configuration,
            dns: "10.100.0.10".into(),
            cluster: "shop".into(),
            region: "eu-central-1".into(),
        }
    }

    fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
        objects.iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name).unwrap()
    }

    #[test]
    fn every_add_on_of_the_catalogue_has_objects() {
        for addon in [
            "aws-ebs-csi-driver",
            "aws-efs-csi-driver",
            "coredns",
            "eks-node-monitoring-agent",
            "eks-pod-identity-agent",
            "external-dns",
            "kube-proxy",
            "metrics-server",
            "snapshot-controller",
            "vpc-cni",
        ] {
            assert!(!of(addon, &setting(&Value::Null)).is_empty(), "{addon}");
        }
    }

    #[test]
    fn configuration_reaches_the_workload() {
        let asked = json!({"replicaCount": 3, "nodeSelector": {"a": "b"}, "corefile": "x"});
        let objects = of("coredns", &setting(&asked));
        let workload = find(&objects, "Deployment", "coredns");
        assert_eq!(workload["spec"]["replicas"], 3);
        assert_eq!(workload["spec"]["template"]["spec"]["nodeSelector"]["a"], "b");
        assert_eq!(find(&objects, "ConfigMap", "coredns")["data"]["Corefile"], "x");
        assert_eq!(find(&objects, "Service", "kube-dns")["spec"]["clusterIP"], "10.100.0.10");

        let asked = json!({"txtOwnerId": "shop", "policy": "sync", "sources": ["service"]});
        let objects = of("external-dns", &setting(&asked));
        let program =
            &find(&objects, "Deployment", "external-dns")["spec"]["template"]["spec"]["containers"][0];
        let flags =
            ["--provider=aws", "--policy=sync", "--registry=txt", "--source=service", "--txt-owner-id=shop"];
        assert_eq!(program["args"], json!(flags));

        let asked = json!({"env": {"WARM_ENI_TARGET": "2", "NEW": "1"}});
        let objects = of("vpc-cni", &setting(&asked));
        let daemon = find(&objects, "DaemonSet", "aws-node");
        let env = daemon["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
        assert_eq!(env.iter().filter(|v| v["name"] == "WARM_ENI_TARGET").count(), 1);
        assert!(env.contains(&json!({"name": "NEW", "value": "1"})));
        let account = find(&objects, "ServiceAccount", "aws-node");
        assert_eq!(
            account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"],
            "arn:aws:iam::111122223333:role/r"
        );
    }
}
