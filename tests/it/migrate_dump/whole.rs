//! The whole of an assessment: what its documents, its page and its export say of one small cluster.

use super::{NAME, SECRET, store};
use portolan::migrate::assess::{EksVersion, Facts, InstanceType, Subnet};
use portolan::migrate::dump::{Inventory, KopsFiles, hidden_objects};
use portolan::migrate::overview::{Given, Names, Overview, documents, exported, overview, page};
use portolan::migrate::owner::{FilePlan, Layout};
use portolan::migrate::proof::Key;
use portolan::migrate::{Level, Verdict};
use portolan::model::Object;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ROLE: &str = "arn:aws:iam::111122223333:role/upload";

fn objects() -> Vec<Value> {
    let metadata = |name: &str, namespace: &str| json!({"name": name, "namespace": namespace});
    let workload = |kind: &str, name: &str, namespace: &str, role: Option<&str>, more: Value| {
        let annotations = role.map(|role| json!({"iam.amazonaws.com/role": role})).unwrap_or(json!({}));
        let mut container = json!({"name": "main", "image": "example.com/a:1",
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}});
        container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata(name, namespace), "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": {
                "serviceAccountName": name, "nodeSelector": {"node-role.kubernetes.io/shop": ""},
                "containers": [container]}}}})
    };
    let calls = json!({"env": [{"name": "DB", "value": "db.data.svc:5432"}]});
    let mut pod = workload("Pod", "web", "shop", None, json!({}));
    pod["apiVersion"] = json!("v1");
    pod["metadata"]["name"] = json!("web-1");
    pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": true}]);
    pod["spec"] = pod["spec"]["template"]["spec"].clone();
    let mut huge = pod.clone();
    huge["metadata"]["name"] = json!("web-2");
    huge["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("48");
    let auth = "- rolearn: arn:aws:iam::111122223333:role/ops\n  username: ops\n  groups: [system:masters, \"system:monitoring\"]\n\
                - rolearn: arn:aws:iam::111122223333:role/nodes.old.example.com\n  username: x\n  groups: [\"system:nodes\"]\n";
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("db", "data"), "spec": {"clusterIP": "100.64.1.1", "selector": {"app": "db"}}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "declared", "namespace": "shop",
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop"}}, "data": {"a": "<b>"}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("aws-auth", "kube-system"), "data": {"mapRoles": auth}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata("db", "shop"), "type": "Opaque", "stringData": {"password": SECRET}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "reader"}, "rules": []}),
        workload("Deployment", "web", "shop", Some(ROLE), calls),
        workload("StatefulSet", "db", "data", None, json!({})),
        pod,
        huge,
    ]
}

fn inventory() -> Inventory {
    let key = Key::new([9; 32]);
    let mut kops = KopsFiles { place: "s3://kops-state".into(), is_store: true, ..KopsFiles::default() };
    for (name, text) in store() {
        let text = text.replace(
            "  machineType: m5.large",
            "  machineType: m5.large\n  nodeLabels: {node-role.kubernetes.io/shop: \"\"}",
        );
        if ["config", "completed", "instancegroup", "kops-version", "addons"]
            .iter()
            .any(|part| name.contains(part))
        {
            kops.add(&name, text.into_bytes(), &key).unwrap();
        }
    }
    let objects = objects().into_iter().map(|body| Object::new(body).unwrap()).collect();
    let (objects, secret_calls) = hidden_objects(objects, &key);
    let mut inventory = Inventory { store: Some(kops), objects, secret_calls, ..Inventory::default() };
    inventory.settle();
    inventory
}

fn facts() -> Facts {
    let m5 = InstanceType {
        vcpus: 2,
        memory_mib: 8192,
        interfaces: 3,
        addresses_per_interface: 10,
        nitro: true,
        current: true,
        architecture: "x86_64".into(),
        ..InstanceType::default()
    };
    let subnet = |zone: &str| Subnet {
        vpc: "vpc-1".into(),
        zone: zone.into(),
        free_addresses: Some(4000),
        public: true,
        tags: BTreeMap::from([("Name".to_owned(), format!("{zone}.{NAME}"))]),
        ..Subnet::default()
    };
    Facts {
        vpcs: BTreeMap::from([("vpc-1".to_owned(), Default::default())]),
        subnets: BTreeMap::from([
            ("subnet-0a".to_owned(), subnet("eu-central-1a")),
            ("subnet-0b".to_owned(), subnet("eu-central-1b")),
        ]),
        versions: vec![EksVersion { version: "1.35".into(), extended: false }],
        instance_types: BTreeMap::from([("m5.large".to_owned(), m5)]),
        ..Facts::default()
    }
}

fn whole() -> (Inventory, Overview) {
    let inventory = inventory();
    let choices = BTreeMap::from([("kops.network.vpc".to_owned(), "reuse".to_owned())]);
    let mut given = facts();
    given.vpcs.get_mut("vpc-1").unwrap().tags =
        BTreeMap::from([("KubernetesCluster".to_owned(), NAME.to_owned())]);
    let overview = overview(&inventory, Some(&given), &choices).unwrap();
    (inventory, overview)
}

fn of<'a>(overview: &'a Overview, subject: &str) -> Vec<&'a Verdict> {
    overview.assessment.verdicts.iter().filter(|one| one.subject == subject).collect()
}

#[test]
fn logins_and_roles_of_objects_are_in_the_cluster_config() {
    let (_, overview) = whole();
    let config =
        overview.assessment.config.as_ref().unwrap_or_else(|| panic!("{:#?}", overview.assessment.verdicts));
    let entries = &config.access_config.as_ref().unwrap().access_entries;
    assert_eq!(entries.len(), 1, "nodes of kops have none: {entries:?}");
    assert_eq!(entries[0].kubernetes_groups, ["migrated:monitoring"]);
    assert!(entries[0].access_policies[0].policy_arn.ends_with("/AmazonEKSClusterAdminPolicy"));
    let associations = &config.iam.as_ref().unwrap().pod_identity_associations;
    let found = associations.iter().find(|one| one.service_account_name == "web").unwrap();
    assert_eq!((found.namespace.as_deref(), found.role_arn.as_deref()), (Some("shop"), Some(ROLE)));
    let told = of(&overview, "ServiceAccount shop/web");
    assert!(told.len() == 1 && told[0].says.contains("pods.eks.amazonaws.com"), "{told:?}");
    let of_auth = of(&overview, "ConfigMap kube-system/aws-auth");
    let level = |field: &str| of_auth.iter().find(|one| one.field == field).map(|one| one.level);
    assert_eq!(level("/data/mapRoles/0"), Some(Level::Mapped));
    assert_eq!(level("/data/mapRoles/0/groups/1"), Some(Level::Choice));
    assert_eq!(level("/data/mapRoles/1"), Some(Level::Irrelevant));
    // The rules know the role: nothing is asked about the annotation.
    assert!(of(&overview, "Deployment.apps shop/web").iter().all(|one| one.level != Level::Choice));
}

#[test]
fn the_migration_is_one_that_the_daemon_takes_and_says_what_was_assessed() {
    let (inventory, overview) = whole();
    let written = documents(&overview, &inventory, &Names::default(), &Given::default());
    let migration = &written.files["portolan/migration-old-example-com.yaml"];
    let read = portolan::model::document::read("fleet", "m.yaml", migration.to_string().as_bytes());
    assert!(!read.has_errors(), "{:?}", read.problems);
    let mapping = &migration["spec"]["mapping"];
    assert_eq!(mapping["nodeGroups"]["nodes"], "nodes");
    assert_eq!(
        mapping["nodeLabels"]["node-role.kubernetes.io/shop="],
        "node-role.migrated.portolan.dev/shop=true"
    );
    assert_eq!(mapping["roles"]["shop/web"], ROLE);
    assert_eq!(mapping["identities"]["Group system:monitoring"], "migrated:monitoring");
    let config = &written.files["clusters/old-example-com.yaml"];
    assert_eq!(config["managedNodeGroups"][0]["labels"]["node-role.migrated.portolan.dev/shop"], "true");
}

#[test]
fn pods_are_packed_with_the_selectors_that_the_rules_make() {
    let (_, overview) = whole();
    let packing = overview.packing.as_ref().unwrap();
    let placed: Vec<&String> = packing.nodes.iter().flat_map(|node| &node.placed).collect();
    assert_eq!(placed, ["shop/web-1"], "{:?}", packing.unplaced);
    assert_eq!(packing.unplaced.len(), 1, "{:?}", packing.unplaced);
    assert!(packing.unplaced[0].change.contains("49 CPUs"), "{:?}", packing.unplaced);
    let picture = portolan::migrate::assess::packing::picture(packing);
    assert!(picture.contains("smallest change: choose an instance type for nodes"), "{picture}");
}

#[test]
fn what_nothing_declares_is_exported_without_any_secret() {
    let (inventory, overview) = whole();
    let layout = Layout { root: "old".into(), cluster: "old-example-com".into(), taken: BTreeSet::new() };
    let plan = exported(&overview, &inventory, &layout);
    let paths: Vec<&str> = plan.files.keys().map(String::as_str).collect();
    for path in [
        "old/applications/cluster.yaml",
        "old/applications/data.yaml",
        "old/applications/shop.yaml",
        "old/cluster/clusterrole-reader.yaml",
        "old/namespaces/data/service-db.yaml",
        "old/namespaces/data/statefulset-db.yaml",
        "old/namespaces/shop/SECRETS.md",
        "old/namespaces/shop/deployment-web.yaml",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    assert!(!paths.iter().any(|path| path.contains("pod-web") || path.contains("declared")), "{paths:?}");
    let FilePlan::Documents(web) = &plan.files["old/namespaces/shop/deployment-web.yaml"] else { panic!() };
    let selector = &web[0]["spec"]["template"]["spec"]["nodeSelector"];
    assert_eq!(selector, &json!({"node-role.migrated.portolan.dev/shop": "true"}));
    let FilePlan::Documents(service) = &plan.files["old/namespaces/data/service-db.yaml"] else { panic!() };
    assert!(service[0]["spec"]["clusterIP"].is_null());
    let all = serde_json::to_string(&plan).unwrap();
    assert!(!all.contains(SECRET) && !all.contains("hmac-sha256"));
    for (path, file) in plan.files.iter().filter(|(path, _)| path.contains("/applications/")) {
        let FilePlan::Documents(documents) = file else { panic!("{path}") };
        let read = portolan::model::document::read("fleet", path, documents[0].to_string().as_bytes());
        assert!(!read.has_errors(), "{path}: {:?}", read.problems);
    }
}

#[test]
fn the_page_has_objects_owners_calls_and_nodes_and_escapes_all() {
    let (_, overview) = whole();
    let page = page(&overview);
    for words in [
        "<h2 id=\"nodes\">Planned nodes</h2>",
        "<h2 id=\"objects\">Objects</h2>",
        "Declarations to be retargeted",
        "Helm shop",
        "nobody: it is exported",
        "environment: Deployment.apps shop/web",
        "<li>data + shop</li>",
        "choose an instance type for nodes with 49 CPUs",
    ] {
        assert!(page.contains(words), "no {words} in {page}");
    }
    assert!(!page.contains(SECRET) && !page.contains("<script") && !page.contains("src="));
    assert!(page.ends_with("</body></html>\n"));
}
