//! Reading kops' documents and state stores.

use portolan::model::kops::{
    Cloud, ReadError, Role, Source, Spelling, read_documents, read_files, read_store,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CLUSTER: &str = "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: a.example.com}\nspec: {cloudProvider: aws}\n";
const GROUP: &str = "apiVersion: kops.k8s.io/v1alpha2\nkind: InstanceGroup\nmetadata: {name: nodes, labels: {kops.k8s.io/cluster: a.example.com}}\nspec: {role: Node}\n";

fn source(bytes: &[u8]) -> Source<'_> {
    Source { origin: "f.yaml", bytes }
}

#[test]
fn every_form_of_file_is_read() {
    let many = format!("{CLUSTER}---\n{GROUP}");
    let object = |text: &str| {
        portolan::model::yaml::read_stream(text.as_bytes(), &Default::default())
            .remove(0)
            .unwrap()
            .into_value()
    };
    let items = json!([object(CLUSTER), object(GROUP)]);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let printed = format!("{CLUSTER}\n---\n\n{GROUP}");
    for text in [many, items.to_string(), list.to_string(), printed, list.to_string() + "\n"] {
        let documents = read_documents(source(text.as_bytes()));
        assert_eq!(
            (documents.clusters.len(), documents.groups.len(), documents.problems.len()),
            (1, 1, 0),
            "{text}"
        );
        assert_eq!(documents.groups[0].cluster.as_deref(), Some("a.example.com"));
    }
}

#[test]
fn spellings_and_roles_are_told_apart() {
    for (version, spelling, role, expected) in [
        ("kops/v1alpha2", Spelling::Legacy, "Master", Role::ControlPlane),
        ("kops.k8s.io/v1alpha2", Spelling::V1alpha2, "Bastion", Role::Bastion),
        ("kops.k8s.io/v1alpha3", Spelling::V1alpha3, "APIServer", Role::ControlPlane),
        ("kops.k8s.io/v1alpha3", Spelling::V1alpha3, "Node", Role::Node),
    ] {
        let text = format!(
            "apiVersion: {version}\nkind: InstanceGroup\nmetadata: {{name: x}}\nspec: {{role: {role}}}\n"
        );
        let group = &read_documents(source(text.as_bytes())).groups[0];
        assert_eq!((group.spelling, group.role()), (spelling, expected));
    }
    let text = CLUSTER.replace("v1alpha2", "v1beta9");
    let problems = read_documents(source(text.as_bytes())).problems;
    assert!(problems[0].message.contains("v1beta9") && problems[0].line == 1, "{problems:?}");
}

#[test]
fn old_and_new_names_give_the_same_tree_and_each_remembers_its_own() {
    let old = "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {name: a}\nspec:\n  cloudProvider: aws\n  masterPublicName: api.a\n  subnets: [{name: x, zone: eu-west-1a}]\n  hooks: [{name: h, disabled: true}]\n  kubeAPIServer: {oidcClientID: c, oidcRequiredClaim: [a=b]}\n";
    let new = "apiVersion: kops.k8s.io/v1alpha3\nkind: Cluster\nmetadata: {name: a}\nspec:\n  cloudProvider: {aws: {}}\n  api: {publicName: api.a}\n  networking: {subnets: [{name: x, zone: eu-west-1a}]}\n  hooks: [{name: h, enabled: false}]\n  authentication: {oidc: {clientID: c, requiredClaims: {a: b}}}\n";
    let read = |text: &str| read_documents(source(text.as_bytes())).clusters.remove(0);
    let (old, new) = (read(old), read(new));
    assert_eq!(old.tree["spec"], new.tree["spec"]);
    let pointer = |spec: &portolan::model::kops::Spec, path: &str| {
        let field = spec.fields.iter().find(|field| field.path.to_string() == path).unwrap();
        field.pointer.clone()
    };
    let path = "spec.networking.subnets[0].zone";
    assert_eq!(
        (pointer(&old, path).as_str(), pointer(&new, path).as_str()),
        ("/spec/subnets/0/zone", "/spec/networking/subnets/0/zone")
    );
    assert_eq!(pointer(&old, "spec.hooks[0].enabled"), "/spec/hooks/0/disabled");
}

#[test]
fn the_cloud_is_told_apart() {
    for (provider, expected) in [
        ("aws", Cloud::Aws),
        ("{aws: {}}", Cloud::Aws),
        ("gce", Cloud::Other("gce".into())),
        ("{hetzner: {}}", Cloud::Other("hetzner".into())),
        ("\"\"", Cloud::Unsaid),
    ] {
        let text = CLUSTER.replace("cloudProvider: aws", &format!("cloudProvider: {provider}"));
        assert_eq!(read_documents(source(text.as_bytes())).clusters[0].cloud(), expected, "{provider}");
    }
    let leftover = CLUSTER
        .replace("cloudProvider: aws", "cloudProvider: gce, cloudConfig: {awsEBSCSIDriver: {enabled: true}}");
    assert_eq!(read_documents(source(leftover.as_bytes())).clusters[0].cloud(), Cloud::Other("gce".into()));
}

fn store(prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let channel = "kind: Addons\nmetadata: {name: bootstrap}\nspec:\n  addons:\n  - {name: a.addons.k8s.io, id: k8s-1.12, manifest: a.addons.k8s.io/k8s-1.12.yaml, selector: {k8s-addon: a.addons.k8s.io}}\n  - {name: gone.addons.k8s.io, manifest: gone/v1.yaml}\n";
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n";
    let completed =
        CLUSTER.replace("cloudProvider: aws", "cloudProvider: aws, serviceClusterIPRange: 100.64.0.0/13");
    [
        ("config", CLUSTER),
        ("cluster.spec", completed.as_str()),
        ("instancegroup/nodes", GROUP),
        ("kops-version.txt", "1.18.2\n"),
        ("addons/bootstrap-channel.yaml", channel),
        ("addons/a.addons.k8s.io/k8s-1.12.yaml", manifest),
        ("clusteraddons/default", "apiVersion: v1\nkind: Secret\nmetadata: {name: mine}\n"),
        ("secrets/dockerconfig", "do-not-read: ["),
        ("backups/etcd/main/control/x", "x"),
        ("pki/private/ca/1.key", "do-not-read: ["),
    ]
    .map(|(key, text)| (format!("{prefix}{key}"), text.as_bytes().to_vec()))
    .into()
}

#[test]
fn a_state_store_is_read_wherever_it_lies() {
    for prefix in ["", "a.example.com/", "some/where/a.example.com/"] {
        let state = read_store("s3://x", &store(prefix), None).unwrap();
        assert_eq!(state.version.as_deref(), Some("1.18.2"));
        assert_eq!(
            state.text("networking.serviceClusterIPRange"),
            Some("100.64.0.0/13"),
            "of the completed spec"
        );
        assert_eq!((state.groups.len(), state.others.len(), state.problems.len()), (1, 1, 0));
        assert!(
            state.presence.docker_config && state.presence.etcd_backups && !state.presence.encryption_config
        );
        let channel = state.channel.unwrap();
        assert_eq!(channel.addons[0].objects.as_ref().map(Vec::len), Some(2));
        assert_eq!(channel.addons[0].selector["k8s-addon"], "a.addons.k8s.io");
        assert!(channel.addons[1].objects.is_none());
    }
}

#[test]
fn which_cluster_it_is_has_to_be_clear() {
    let mut both = store("a.example.com/");
    for (key, bytes) in store("b/") {
        both.insert(
            key,
            String::from_utf8(bytes).unwrap().replace("a.example.com", "b.example.com").into_bytes(),
        );
    }
    assert!(
        matches!(read_store("s", &both, None), Err(ReadError::SeveralClusters { names, .. }) if names.len() == 2)
    );
    assert_eq!(read_store("s", &both, Some("b.example.com")).unwrap().cluster.name, "b.example.com");
    assert!(matches!(read_store("s", &both, Some("c")), Err(ReadError::NoSuchCluster { .. })));
    let broken = BTreeMap::from([("config".to_owned(), b"kind: [".to_vec())]);
    let error = read_store("s", &broken, None).unwrap_err();
    assert!(matches!(&error, ReadError::NoCluster { problems, .. } if problems.len() == 1));
    assert!(error.to_string().contains("config:2"), "{error}");
}

#[test]
fn of_files_groups_of_other_clusters_are_left_out_and_doubled_ones_told() {
    let other = GROUP.replace("name: nodes", "name: theirs").replace("a.example.com", "b.example.com");
    let text = format!("{CLUSTER}---\n{GROUP}---\n{GROUP}---\n{other}---\nkind: [\n");
    let state = read_files("x", &[source(text.as_bytes())], None).unwrap();
    assert_eq!(state.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["nodes"]);
    assert_eq!(state.problems.len(), 2, "{:?}", state.problems);
}

/// JSON of any shape, with names of kops' among its keys.
fn any_value() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "spec",
        "networking",
        "subnets",
        "kubeAPIServer",
        "oidcRequiredClaim",
        "oidcGroupsClaim",
        "cloudProvider",
        "aws",
        "cloudConfig",
        "awsEBSCSIDriver",
        "externalDns",
        "disable",
        "hooks",
        "disabled",
        "topology",
        "dns",
        "type",
        "role",
        "taints",
        "nodeLabels",
        "mixedInstancesPolicy",
        "onDemandBase",
        "machineType",
        "rootVolumeSize",
        "volumes",
        "name",
        "zone",
        "cidr",
        "id",
        "authentication",
        "identityMappings",
        "groups",
        "arn",
        "iam",
        "serviceAccountExternalPermissions",
        "kubernetesVersion",
        "api",
        "access",
        "kubernetesApiAccess",
        "cilium",
        "calico",
        "ü",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9:/.,=*ü-]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["aws", "gce", "Master", "10.0.0.0/8", "us-test-1a", "pl-1", "system:x"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a spec holds, it is read, assessed and reported without a panic, and every field has a verdict.
    #[test]
    fn no_spec_panics(spec in any_value(), group in any_value(), choose in any::<bool>()) {
        let cluster = json!({"apiVersion": "kops.k8s.io/v1alpha2", "kind": "Cluster", "metadata": {"name": "ä.b"}, "spec": spec});
        let group = json!({"apiVersion": "kops.k8s.io/v1alpha3", "kind": "InstanceGroup", "metadata": {"name": "grü.ppe"}, "spec": group});
        let text = json!([cluster, group]).to_string();
        let mut state = read_files("x", &[source(text.as_bytes())], None).unwrap();
        if !state.cluster.tree["spec"].is_object() {
            state.cluster.tree["spec"] = json!({});
        }
        state.cluster.tree["spec"]["cloudProvider"] = json!({"aws": {}});
        let facts = Default::default();
        let mut choices = BTreeMap::new();
        let first = portolan::migrate::assess::assess(&state, &facts, &choices);
        if choose {
            choices = super::account::choices(&first.verdicts);
        }
        let assessment = portolan::migrate::assess::assess(&state, &facts, &choices);
        for field in state.cluster.fields.iter() {
            let found = assessment.verdicts.iter().filter(|v| v.subject == state.cluster.subject() && v.field == field.pointer);
            prop_assert!(found.count() >= 1, "{}", field.pointer);
        }
        prop_assert!(portolan::migrate::assess::report::html(&assessment).ends_with("</html>\n"));
    }

    /// Reading takes any document.
    #[test]
    fn no_document_panics(value in any_value()) {
        let text = value.to_string();
        let documents = read_documents(source(text.as_bytes()));
        prop_assert!(documents.clusters.is_empty() || value.is_object() || value.is_array());
    }
}
