//! Whether everything has a place on the planned nodes.

use super::account;
use portolan::migrate::Level;
use portolan::migrate::assess::packing::{Demand, Packing, pack, picture, planned_groups, verdicts};
use portolan::migrate::assess::{Assessment, Facts, Subnet, report};
use portolan::model::cluster_config::{ClusterConfig, read};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Two groups in two zones: m5.large for everybody, m5.xlarge with a taint.
fn config() -> Value {
    json!({
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": "a", "region": "eu-west-1", "version": "1.34"},
        "vpc": {"id": "vpc-1", "subnets": {"private": {
            "eu-west-1a": {"id": "subnet-a"}, "eu-west-1b": {"id": "subnet-b"},
        }}},
        "addons": [{"name": "vpc-cni"}, {"name": "coredns"}, {"name": "kube-proxy"}],
        "managedNodeGroups": [
            {"name": "common", "instanceTypes": ["m5.large"], "minSize": 1, "maxSize": 4, "privateNetworking": true,
             "labels": {"kops.migrated.portolan.dev/instancegroup": "nodes"}},
            {"name": "big", "instanceTypes": ["m5.xlarge"], "minSize": 0, "maxSize": 1, "privateNetworking": true,
             "subnets": ["eu-west-1a"],
             "taints": [{"key": "team", "value": "data", "effect": "NoSchedule"}], "labels": {"pool": "big"}},
        ],
    })
}

fn facts(free: u32) -> Facts {
    let subnet = |zone: &str| Subnet {
        vpc: "vpc-1".into(),
        zone: zone.into(),
        free_addresses: Some(free),
        ..Subnet::default()
    };
    Facts {
        instance_types: account::instance_types(),
        subnets: BTreeMap::from([
            ("subnet-a".to_owned(), subnet("eu-west-1a")),
            ("subnet-b".to_owned(), subnet("eu-west-1b")),
        ]),
        ..Facts::default()
    }
}

fn run_on(config: &Value, demand: &Demand, free: u32) -> Packing {
    let (config, _): (ClusterConfig, _) = read(&config.to_string(), "c.yaml").unwrap();
    let facts = facts(free);
    let (groups, unknown) = planned_groups(&config, &facts);
    assert!(unknown.is_empty());
    pack(groups, demand, &config, &facts)
}

fn run(pods: Vec<Value>) -> Packing {
    run_on(&config(), &Demand { pods, ..Demand::default() }, 4000)
}

fn pod(name: &str, cpu: &str, memory: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "x"}},
        "spec": {"containers": [{"resources": {"requests": {"cpu": cpu, "memory": memory}}}]},
    })
}

fn with(mut pod: Value, field: &str, value: Value) -> Value {
    pod["spec"][field] = value;
    pod
}

/// Blockers, as rule and words.
fn blockers(packing: &Packing) -> Vec<String> {
    let verdicts = verdicts(packing, &[]).into_iter().filter(|verdict| verdict.level == Level::Blocker);
    verdicts.map(|verdict| format!("{} {}: {}", verdict.rule, verdict.subject, verdict.says)).collect()
}

fn one_blocker(packing: &Packing, parts: &[&str]) {
    let found = blockers(packing);
    assert!(
        found.len() == 1 && parts.iter().all(|part| found[0].contains(part)),
        "{found:?} has not {parts:?}"
    );
    assert!(!packing.fits());
}

#[test]
fn what_fits_fits_and_is_shown() {
    let packing = run((0..6).map(|n| pod(&format!("p{n}"), "500m", "1Gi")).collect());
    assert!(packing.fits(), "{:?}", packing.unplaced);
    assert_eq!(packing.nodes.len(), 2, "three for each node of 1930m");
    let zones: BTreeSet<_> = packing.nodes.iter().map(|node| node.zone.as_str()).collect();
    assert_eq!(zones.len(), 2, "zones are kept even");
    let verdicts = verdicts(&packing, &[]);
    assert_eq!((verdicts.len(), verdicts[0].rule.as_str()), (1, "kops.capacity.fits"));
    let picture = picture(&packing);
    assert!(picture.contains("common (m5.large, 2 of 4 nodes)") && picture.contains("[####"), "{picture}");
}

#[test]
fn the_page_shows_the_nodes_and_loads_nothing() {
    let packing = run(vec![pod("a", "500m", "1Gi"), pod("<x>", "64", "1Gi")]);
    let page = report::html_with(&Assessment::default(), Some(&packing), "");
    assert!(page.contains("common <small>m5.large, 1 of 4 nodes"), "{page}");
    assert!(page.contains("500 of 1930 m") && page.contains("width:25%"), "{page}");
    assert!(page.contains("shop/&lt;x&gt;</code> has no place") && !page.contains("<x>"), "{page}");
    assert!(!page.contains("http") && !page.contains("<script"));
}

#[test]
fn too_few_nodes_are_told_with_the_number_that_would_do() {
    let packing = run((0..13).map(|n| pod(&format!("p{n}"), "500m", "1Gi")).collect());
    one_blocker(&packing, &["kops.capacity.size node group common", "needs 5 nodes", "maxSize to 5"]);
}

#[test]
fn pod_limits_count() {
    let pods: Vec<Value> = (0..30 * 4).map(|n| pod(&format!("p{n}"), "1m", "1Mi")).collect();
    one_blocker(&run(pods.clone()), &["needs 5 nodes"]);
    let mut config = config();
    config["addons"][0]["configurationValues"] = json!("{\"env\":{\"ENABLE_PREFIX_DELEGATION\":\"true\"}}");
    let packing = run_on(&config, &Demand { pods, ..Demand::default() }, 4000);
    assert!(packing.fits() && packing.nodes.len() == 2, "110 for each node: {:?}", packing.grown);
}

#[test]
fn selectors_taints_and_sizes_are_obstacles_with_their_change() {
    let tolerates = json!([{"key": "team", "operator": "Exists"}]);
    let cases = [
        (with(pod("a", "1", "1Gi"), "nodeSelector", json!({"pool": "small"})), vec!["label pool=small"]),
        (
            with(pod("a", "1", "1Gi"), "nodeSelector", json!({"pool": "big"})),
            vec!["has no label pool=big", "give common the label"],
        ),
        (pod("a", "3", "1Gi"), vec!["CPU of one node", "CPUs for pods"]),
        (pod("a", "1", "64Gi"), vec!["memory of one node"]),
        (
            with(
                with(pod("a", "3900m", "1Gi"), "nodeSelector", json!({"pool": "big"})),
                "tolerations",
                tolerates.clone(),
            ),
            vec![],
        ),
        (
            with(
                with(pod("a", "3950m", "1Gi"), "nodeSelector", json!({"pool": "big"})),
                "tolerations",
                tolerates.clone(),
            ),
            vec!["CPU of one node"],
        ),
        (
            with(pod("a", "1", "1Gi"), "nodeSelector", json!({"kubernetes.io/hostname": "ip-10-0-0-1"})),
            vec!["by its name"],
        ),
        (
            with(
                pod("a", "1", "1Gi"),
                "affinity",
                json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}]}}}),
            ),
            vec!["affinity wants disk=ssd"],
        ),
    ];
    for (pod, parts) in cases {
        let packing = run(vec![pod]);
        if parts.is_empty() {
            assert!(packing.fits(), "{:?}", packing.unplaced);
        } else {
            one_blocker(&packing, &parts);
        }
    }
}

#[test]
fn selectors_of_the_old_cluster_are_read_as_they_are_rewritten() {
    for selector in [
        json!({"kops.k8s.io/instancegroup": "nodes"}),
        json!({"kubernetes.io/role": "node"}),
        json!({"beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64"}),
        json!({"failure-domain.beta.kubernetes.io/zone": "eu-west-1b"}),
    ] {
        let packing = run(vec![with(pod("a", "1", "1Gi"), "nodeSelector", selector.clone())]);
        assert!(packing.fits(), "{selector}: {:?}", packing.unplaced);
    }
}

#[test]
fn volumes_hold_pods_in_their_zones() {
    let claim = |name: &str| json!([{"persistentVolumeClaim": {"claimName": name}}]);
    let zones = BTreeMap::from([
        ("shop/b".to_owned(), "eu-west-1b".to_owned()),
        ("shop/c".to_owned(), "eu-west-1c".to_owned()),
    ]);
    let of = |name: &str| Demand {
        pods: vec![with(pod("a", "1", "1Gi"), "volumes", claim(name))],
        volume_zones: zones.clone(),
        ..Demand::default()
    };
    let packing = run_on(&config(), &of("b"), 4000);
    assert!(packing.fits() && packing.nodes[0].zone == "eu-west-1b", "{packing:?}");
    one_blocker(&run_on(&config(), &of("c"), 4000), &["volumes are in eu-west-1c", "a subnet in eu-west-1c"]);
}

#[test]
fn pods_that_keep_apart_and_spread_get_their_nodes() {
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}]}});
    let pods = |count: usize| {
        (0..count).map(|n| with(pod(&format!("p{n}"), "10m", "1Mi"), "affinity", apart.clone())).collect()
    };
    let packing = run(pods(4));
    assert!(packing.fits() && packing.nodes.len() == 4);
    one_blocker(&run(pods(5)), &["needs 5 nodes"]);

    let by_zone = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": {"app": "x"}}}]}});
    let three =
        (0..3).map(|n| with(pod(&format!("p{n}"), "10m", "1Mi"), "affinity", by_zone.clone())).collect();
    one_blocker(&run(three), &["kops.capacity.place", "more zones"]);

    let spread = json!([{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}}}]);
    let packing = run((0..6)
        .map(|n| with(pod(&format!("p{n}"), "10m", "1Mi"), "topologySpreadConstraints", spread.clone()))
        .collect());
    assert!(packing.fits(), "{:?}", packing.unplaced);
    let count = |zone: &str| {
        packing.nodes.iter().filter(|node| node.zone == zone).map(|node| node.placed.len()).sum::<usize>()
    };
    assert_eq!((count("eu-west-1a"), count("eu-west-1b")), (3, 3));
}

#[test]
fn pods_that_want_company_follow_it() {
    let near = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "cache"}}}]}});
    let mut cache = pod("zz-cache", "100m", "64Mi");
    cache["metadata"]["labels"] = json!({"app": "cache"});
    let packing = run(vec![with(pod("a", "100m", "64Mi"), "affinity", near.clone()), cache]);
    assert!(packing.fits() && packing.nodes.len() == 1, "{:?}", packing.unplaced);
    one_blocker(&run(vec![with(pod("a", "100m", "64Mi"), "affinity", near)]), &["near"]);
}

#[test]
fn daemon_sets_take_their_part_of_every_node_that_they_fit() {
    let daemon = |cpu: &str, tolerations: Value| {
        json!({
            "metadata": {"name": "agent", "namespace": "kube-system"},
            "spec": {"template": {"metadata": {"labels": {}}, "spec": {"tolerations": tolerations, "containers": [{"resources": {"requests": {"cpu": cpu}}}]}}},
        })
    };
    let pods: Vec<Value> = (0..8).map(|n| pod(&format!("p{n}"), "900m", "64Mi")).collect();
    assert!(run(pods.clone()).fits(), "two for each node");
    let packing = run_on(
        &config(),
        &Demand { pods, daemon_sets: vec![daemon("200m", json!([]))], ..Demand::default() },
        4000,
    );
    one_blocker(&packing, &["kops.capacity.size node group common", "needs 8 nodes"]);
    let owned = json!({"metadata": {"name": "agent-x", "ownerReferences": [{"kind": "DaemonSet"}]}, "spec": {"containers": [{"resources": {"requests": {"cpu": "64"}}}]}});
    assert!(run(vec![owned]).fits(), "pods of DaemonSets are counted by their DaemonSets");
}

#[test]
fn subnets_without_room_are_told() {
    let pods: Vec<Value> = (0..6).map(|n| pod(&format!("p{n}"), "500m", "1Gi")).collect();
    let demand = Demand { pods, ..Demand::default() };
    assert!(run_on(&config(), &demand, 20).fits(), "an interface of 10 and one more warm");
    let packing = run_on(&config(), &demand, 19);
    let found = blockers(&packing);
    assert!(
        found.len() == 2
            && found[0].contains("kops.capacity.addresses zone eu-west-1a")
            && found[0].contains("need 20 addresses"),
        "{found:?}"
    );
}

#[test]
fn requests_count_as_the_scheduler_counts_them() {
    let request = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
    let sidecar = json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": "200m"}}});
    let pod = json!({"metadata": {"name": "a"}, "spec": {
        "initContainers": [sidecar, request("1500m")], "containers": [request("100m"), request("200m")], "overhead": {"cpu": "50m"},
    }});
    let demand = Demand { pods: vec![pod], ..Demand::default() };
    assert_eq!(demand.wanted()[0].cpu, 1750);
    let limits =
        json!({"metadata": {"name": "a"}, "spec": {"containers": [{"resources": {"limits": {"cpu": 2}}}]}});
    assert_eq!(Demand { pods: vec![limits], ..Demand::default() }.wanted()[0].cpu, 2000);
}

#[test]
fn ten_thousand_pods_are_packed_in_seconds() {
    let mut config = config();
    config["managedNodeGroups"][0]["maxSize"] = json!(2000);
    let pods = (0..10_000).map(|n| pod(&format!("p{n}"), "100m", "128Mi")).collect();
    let packing = run_on(&config, &Demand { pods, ..Demand::default() }, 100_000);
    assert!(packing.fits(), "{:?}", packing.unplaced.first());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No node holds more than it can, nothing is placed twice, and nothing is lost.
    #[test]
    fn no_node_is_overfull(requests in prop::collection::vec((1u64..2500, 1u64..9000), 0..60)) {
        let pods: Vec<Value> = requests.iter().enumerate()
            .map(|(n, (cpu, memory))| pod(&format!("p{n}"), &format!("{cpu}m"), &format!("{memory}Mi"))).collect();
        let count = pods.len();
        let packing = run(pods);
        let placed: Vec<&String> = packing.nodes.iter().flat_map(|node| &node.placed).collect();
        let distinct: BTreeSet<_> = placed.iter().collect();
        prop_assert_eq!(distinct.len(), placed.len());
        prop_assert_eq!(placed.len() + packing.unplaced.len(), count);
        for node in &packing.nodes {
            let holds = packing.groups[node.group_index].allocatable;
            prop_assert!(node.cpu <= holds.cpu && node.memory <= holds.memory && node.pods <= holds.pods);
        }
    }

    /// Shuffled input gives the same answer.
    #[test]
    fn order_means_nothing(mut requests in prop::collection::vec((1u64..1900, 1u64..5000), 0..20), turn in 0usize..20) {
        let pods = |requests: &[(u64, u64, usize)]| -> Vec<Value> {
            requests.iter().map(|(cpu, memory, n)| pod(&format!("p{n}"), &format!("{cpu}m"), &format!("{memory}Mi"))).collect()
        };
        let named: Vec<(u64, u64, usize)> = requests.drain(..).enumerate().map(|(n, (cpu, memory))| (cpu, memory, n)).collect();
        let mut turned = named.clone();
        let by = if turned.is_empty() { 0 } else { turn % turned.len() };
        turned.rotate_left(by);
        prop_assert_eq!(run(pods(&named)), run(pods(&turned)));
    }
}

fn in_shop(name: &str, spec: Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

#[test]
fn what_limit_ranges_fill_in_takes_room() {
    let silent = |n: usize| in_shop(&format!("p{n}"), json!({"containers": [{"name": "a"}]}));
    let pods: Vec<Value> = (0..13).map(silent).collect();
    assert!(run(pods.clone()).fits(), "nothing asked for is nothing taken");
    let limit_ranges =
        vec![in_shop("limits", json!({"limits": [{"type": "Container", "default": {"cpu": "500m"}}]}))];
    let demand = Demand { pods, limit_ranges, ..Demand::default() };
    one_blocker(&run_on(&config(), &demand, 4000), &["kops.capacity.size", "needs 5 nodes", "maxSize to 5"]);
}

#[test]
fn what_may_not_be_made_is_told_even_where_it_would_fit() {
    let limits =
        |most: &str| in_shop("limits", json!({"limits": [{"type": "Container", "max": {"memory": most}}]}));
    let mut pods: Vec<Value> = (0..3).map(|n| pod(&format!("p{n}"), "100m", "1Gi")).collect();
    for pod in &mut pods {
        pod["spec"]["containers"][0]["resources"]["limits"] = json!({"memory": "1Gi"});
    }
    let demand = Demand { pods, limit_ranges: vec![limits("512Mi")], ..Demand::default() };
    let refused = run_on(&config(), &demand, 4000);
    one_blocker(
        &refused,
        &["kops.capacity.limit-range LimitRange shop/limits", "Pod shop/p0", "raise the maximum to 1Gi"],
    );
    let enough = Demand { limit_ranges: vec![limits("1Gi")], ..demand.clone() };
    assert!(run_on(&config(), &enough, 4000).fits());
    // A DaemonSet has as many pods as there are nodes that it fits.
    let quota = |pods: u32| vec![in_shop("team", json!({"hard": {"pods": pods.to_string()}}))];
    let daemon = in_shop("agent", json!({"template": {"spec": {"containers": [{"name": "a"}]}}}));
    let pods: Vec<Value> = (0..6).map(|n| pod(&format!("p{n}"), "500m", "1Gi")).collect();
    let demand = Demand { pods, daemon_sets: vec![daemon], quotas: quota(7), ..Demand::default() };
    let refused = run_on(&config(), &demand, 4000);
    one_blocker(
        &refused,
        &["kops.capacity.quota ResourceQuota shop/team", "it allows 7 of pods", "raise pods to 8"],
    );
    assert!(run_on(&config(), &Demand { quotas: quota(8), ..demand }, 4000).fits());
}
