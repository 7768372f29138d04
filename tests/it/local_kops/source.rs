//! The demo's old cluster by kops 1.28.5: what it wrote, what it made, and what lives on its control plane.

use std::collections::{BTreeMap, BTreeSet};

use portolan::local::kops::WORKLOADS;
use portolan::migrate::own::{Class, Whose};
use portolan::model::Object;
use portolan::model::cloud::Service;
use serde_json::{Value, json};

use super::bench::{Bench, classified, understood};
use crate::local_aws::lab::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kops_1_28_5_makes_a_cluster_whose_nodes_and_add_ons_live_here() {
    if !super::runs("1.28.5") {
        return;
    }
    let bench = Bench::start("1.28.5").await;
    let state = bench.source.state();
    understood(state);
    assert_eq!(state.version.as_deref(), Some("1.28.5"));
    assert_eq!(state.cluster.name, "old.shop.example.com");
    let store = bench.source.kops().state_store();
    let bucket = store.strip_prefix("s3://").unwrap();
    let objects = bench.lab.aws.provider().objects(bench.lab.aws.home(), bucket).await.unwrap();
    let address = bench.lab.aws.address().to_string();
    for (key, bytes) in &objects {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(&address), "{key} tells of this machine: {text}");
    }

    nodes(&bench).await;
    add_ons(&bench).await;
    groups_follow(&bench).await;
    workloads(&bench).await;
    controllers(&bench).await;
    bench.stop().await;
}

/// Each instance of each group is a node, labelled as its group says.
async fn nodes(bench: &Bench) {
    let nodes = bench.get(&["nodes"]).await;
    let label = |node: &Value, key: &str| node["metadata"]["labels"][key].as_str().map(str::to_owned);
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for node in &nodes {
        groups.entry(label(node, "kops.k8s.io/instancegroup").unwrap()).or_default().push(node);
    }
    let counts: Vec<(&str, usize)> =
        groups.iter().map(|(name, nodes)| (name.as_str(), nodes.len())).collect();
    assert_eq!(counts, [("batch", 2), ("control-plane-eu-central-1a", 1), ("nodes", 4)]);
    let control_plane = groups["control-plane-eu-central-1a"][0];
    assert_eq!(label(control_plane, "node-role.kubernetes.io/control-plane").as_deref(), Some(""));
    assert_eq!(control_plane["spec"]["taints"][0]["key"], "node-role.kubernetes.io/control-plane");
    for node in &groups["batch"] {
        assert_eq!(label(node, "node-role.kubernetes.io/spot-worker").as_deref(), Some("true"));
        assert_eq!(label(node, "tier").as_deref(), Some("batch"));
        assert_eq!(
            node["spec"]["taints"],
            json!([{"key": "tier", "value": "batch", "effect": "NoSchedule"}])
        );
    }
    for node in &groups["nodes"] {
        assert_eq!(label(node, "node-role.kubernetes.io/spot-worker"), None);
        assert_eq!(label(node, "node.kubernetes.io/instance-type").as_deref(), Some("m5.xlarge"));
        assert_eq!(label(node, "node-role.kubernetes.io/node").as_deref(), Some(""));
        assert_eq!(node["status"]["capacity"]["cpu"], "4");
    }
    let mirrors = bench.get(&["pods", "-n", "kube-system"]).await;
    let mirrors = mirrors
        .iter()
        .filter(|pod| pod["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_string());
    assert_eq!(mirrors.count(), 5 + nodes.len(), "the control plane's, and kube-proxy on every node");
    let zones: BTreeSet<_> =
        groups["nodes"].iter().map(|node| label(node, "topology.kubernetes.io/zone")).collect();
    assert_eq!(zones.len(), 2, "Auto Scaling spreads a group over its subnets");
    // Each provider id is an instance in the zone that it names.
    let described = bench.lab.ec2("DescribeInstances", json!({})).await;
    for node in &nodes {
        let id = node["spec"]["providerID"].as_str().unwrap();
        let (zone, instance) = id.strip_prefix("aws:///").unwrap().split_once('/').unwrap();
        assert!(described.to_string().contains(instance) && zone.starts_with("eu-central-1"), "{id}");
        assert_eq!(
            node["metadata"]["name"], instance,
            "with the cloud's own controller, nodes are called so"
        );
    }
}

/// Everything that kops applied is known as its own, live and by the store.
async fn add_ons(bench: &Bench) {
    let state = bench.source.state();
    let of_store: BTreeSet<String> =
        state.channel.iter().flat_map(|channel| &channel.addons).map(|a| a.name.clone()).collect();
    let kube_system = bench.get(&["namespace", "kube-system"]).await.remove(0);
    for addon in &of_store {
        let note = &kube_system["metadata"]["annotations"][format!("addons.k8s.io/{addon}")];
        assert!(note.as_str().is_some_and(|note| note.contains("manifestHash")), "{addon}: {note}");
    }
    let manifests = state
        .channel
        .iter()
        .flat_map(|channel| &channel.addons)
        .flat_map(|addon| addon.objects.iter().flatten());
    let manifests: Vec<Object> = manifests.map(|body| Object::new(body.clone()).unwrap()).collect();
    let strangers: Vec<_> = classified(state, &manifests)
        .into_iter()
        .filter(|one| !matches!(one.whose, Whose::Kops { .. }))
        .collect();
    assert_eq!(strangers, [], "kops' own objects, by its own store");

    let before = bench.everything().await;
    let ours: Vec<_> = classified(state, &before)
        .into_iter()
        .filter(|one| one.whose == Whose::User)
        .map(|one| one.id.to_string())
        .collect();
    assert_eq!(ours, Vec::<String>::new(), "nobody has made anything yet");
}

/// A group that grows in the state store grows in the cloud and in the cluster.
async fn groups_follow(bench: &Bench) {
    let (kops, cluster) = (bench.source.kops(), bench.source.cluster());
    let told = kops.get(cluster).await.unwrap();
    assert_eq!(told.matches("kind: InstanceGroup").count(), 3);
    let preview = kops.update_preview(cluster).await.unwrap();
    assert_eq!(preview.create, BTreeSet::new());
    kops.replace(&told.replace("minSize: 4", "minSize: 5")).await.unwrap();
    let preview = kops.update_preview(cluster).await.unwrap();
    assert!(
        preview.modify.iter().any(|task| task == "AutoscalingGroup/nodes.old.shop.example.com"),
        "{preview:?}"
    );
    kops.update(cluster).await.unwrap();
    eventually("a fifth node", || async {
        bench.get(&["nodes", "-l", "kops.k8s.io/instancegroup=nodes"]).await.len() == 5
    })
    .await;
    let group =
        json!({"AutoScalingGroupName": "nodes.old.shop.example.com", "MinSize": 4, "DesiredCapacity": 4});
    bench.lab.call(Service::AutoScaling, "UpdateAutoScalingGroup", group).await;
    eventually("four nodes again", || async {
        bench.get(&["nodes", "-l", "kops.k8s.io/instancegroup=nodes"]).await.len() == 4
    })
    .await;
}

/// The demo's workloads run, and nobody takes them for kops' own.
async fn workloads(bench: &Bench) {
    bench.work().await;
    let kinds = "deployments,statefulsets,daemonsets,cronjobs,jobs";
    let namespaces = ["shop", "payments", "platform", "loyalty"];
    let all = bench.get(&[kinds, "--all-namespaces"]).await;
    let ours: Vec<&Value> = all
        .iter()
        .filter(|object| namespaces.iter().any(|name| object["metadata"]["namespace"] == *name))
        .collect();
    assert_eq!(ours.len(), WORKLOADS);
    eventually("every Deployment is available", || async {
        let deployments = bench.get(&["deployments", "--all-namespaces"]).await;
        deployments.iter().all(|one| one["status"]["availableReplicas"] == one["spec"]["replicas"])
    })
    .await;
    let objects = bench.everything().await;
    let classes = classified(bench.source.state(), &objects);
    for one in &classes {
        let of_users = one.id.namespace.as_deref().is_some_and(|name| namespaces.contains(&name));
        assert!(!(of_users && matches!(one.whose, Whose::Kops { .. })), "{one:?}");
    }
    let ported: BTreeSet<String> =
        classes.iter().filter(|one| one.class == Class::Port).map(|one| one.id.to_string()).collect();
    for kind in [
        "Deployment",
        "StatefulSet",
        "CronJob",
        "Ingress",
        "Promotion",
        "Secret",
        "ConfigMap",
        "NetworkPolicy",
    ] {
        assert!(
            classes.iter().any(|one| one.id.kind == kind && one.class == Class::Port),
            "{kind}: {ported:?}"
        );
    }
    let served = bench.kubectl(&["api-versions"]).await;
    for version in ["batch/v1beta1", "policy/v1beta1", "autoscaling/v2beta2"] {
        assert!(served.lines().any(|line| line == version), "{version}");
    }
    let release = bench.get(&["secrets", "-n", "platform", "-l", "owner=helm"]).await;
    assert_eq!(release.len(), 1);
}

/// What the workloads ask of the cloud is there, with kops' tags, and goes with them.
async fn controllers(bench: &Bench) {
    bench.source.in_order(std::time::Duration::from_secs(120)).await.unwrap();
    let tag = |thing: &Value, key: &str| -> Option<String> {
        let tags = thing["tagSet"].as_array()?;
        tags.iter().find(|tag| tag["key"] == key)?["value"].as_str().map(str::to_owned)
    };
    // A class of the driver, and one of the plug-in of old that is migrated to it.
    for (namespace, claim, in_tree) in
        [("shop", "data-catalogue-0", false), ("payments", "book-ledger-0", true)]
    {
        let claim = bench.get(&["pvc", claim, "-n", namespace]).await.remove(0);
        let volume = bench.get(&["pv", claim["spec"]["volumeName"].as_str().unwrap()]).await.remove(0);
        let id = match in_tree {
            true => volume["spec"]["awsElasticBlockStore"]["volumeID"].as_str().unwrap(),
            false => volume["spec"]["csi"]["volumeHandle"].as_str().unwrap(),
        };
        let filter = json!([{"Name": "volume-id", "Values": [id.rsplit('/').next().unwrap()]}]);
        let disk = bench.lab.ec2("DescribeVolumes", json!({"Filters": filter})).await["volumeSet"][0].clone();
        assert_eq!(tag(&disk, "KubernetesCluster").as_deref(), Some("old.shop.example.com"), "{disk:#}");
        assert_eq!(tag(&disk, "kubernetes.io/cluster/old.shop.example.com").as_deref(), Some("owned"));
        assert_eq!(tag(&disk, "kubernetes.io/created-for/pvc/namespace").as_deref(), Some(namespace));
        assert_eq!(disk["status"], "in-use");
        let node = &disk["attachmentSet"][0]["instanceId"];
        let node = bench.get(&["node", node.as_str().unwrap()]).await.remove(0);
        assert_eq!(node["metadata"]["labels"]["topology.kubernetes.io/zone"], disk["availabilityZone"]);
        let name = node["metadata"]["name"].as_str().unwrap().to_owned();
        eventually("the node shows it", || async {
            let node = bench.get(&["node", &name]).await.remove(0);
            node["status"]["volumesAttached"].to_string().contains(id.rsplit('/').next().unwrap())
        })
        .await;
    }
    let balancers = async || {
        let answer = bench.lab.call(Service::Elb, "DescribeLoadBalancers", json!({})).await;
        answer["LoadBalancerDescriptions"].as_array().cloned().unwrap_or_default()
    };
    let edge = bench.get(&["service", "edge", "-n", "shop"]).await.remove(0);
    let made = balancers().await;
    assert_eq!(made.len(), 1, "{made:#?}");
    assert_eq!(made[0]["DNSName"], edge["status"]["loadBalancer"]["ingress"][0]["hostname"]);
    // Workers only: the control plane is kept out by its label.
    assert_eq!(made[0]["Instances"].as_array().map(Vec::len), Some(6));
    let list = bench.source.kops().delete_preview(bench.source.cluster()).await.unwrap();
    let name = made[0]["LoadBalancerName"].as_str().unwrap();
    assert!(list.iter().any(|(kind, id)| kind == "load-balancer" && id == name), "{list:#?}");
    bench.kubectl(&["delete", "service", "edge", "-n", "shop"]).await;
    eventually("the load balancer is gone", || async { balancers().await.is_empty() }).await;
    let filter = json!([{"Name": "group-name", "Values": [format!("k8s-elb-{name}")]}]);
    eventually("its security group is gone", || async {
        let left = bench.lab.ec2("DescribeSecurityGroups", json!({"Filters": filter})).await;
        left["securityGroupInfo"].as_array().is_none_or(Vec::is_empty)
    })
    .await;
}
