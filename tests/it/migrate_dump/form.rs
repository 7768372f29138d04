//! The form of a dump: what is written is read back, and what is no dump of this form is refused.

use super::{NAME, SECRET, SECRET_BASE64, no_secret, store};
use portolan::migrate::dump::{
    Api, ApiKind, Content, FORMAT, Inventory, KopsFiles, MANIFEST, Malformed, Unread, hidden_objects, read,
    write,
};
use portolan::migrate::overview::overview;
use portolan::migrate::proof::Key;
use portolan::model::Object;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const READ_AT: &str = "2026-11-21T12:00:00Z";

fn object(body: Value) -> Object {
    Object::new(body).unwrap()
}

fn objects() -> Vec<Object> {
    let meta = |name: &str, namespace: &str| json!({"name": name, "namespace": namespace});
    vec![
        object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})),
        object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}})),
        object(
            json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("db", "data"), "spec": {"clusterIP": "100.64.1.1"}}),
        ),
        object(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("dns:odd", "shop"), "data": {"a": "1"}}),
        ),
        object(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("dsn", "shop"), "type": "Opaque",
            "data": {"url": "cG9zdGdyZXM6Ly91Omh1bnRlcjItb2YtdGhlLWR1bXBAZGIuZGF0YS5zdmMvYQ==", "key": SECRET_BASE64}}),
        ),
        object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web", "shop"), "spec": {"template": {"spec": {
            "containers": [{"name": "web", "image": "web:1", "envFrom": [{"secretRef": {"name": "dsn"}}]}]}}}}),
        ),
        object(
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("coredns", "kube-system")}),
        ),
    ]
}

fn inventory() -> Inventory {
    let key = Key::new([9; 32]);
    let mut kops = KopsFiles { place: "s3://kops-state".into(), is_store: true, ..KopsFiles::default() };
    for (name, text) in
        store().into_iter().filter(|(name, _)| !name.contains("secrets/") && !name.contains("pki/"))
    {
        kops.add(&name, text.into_bytes(), &key).unwrap();
    }
    kops.texts.retain(|name, _| !name.contains("backups") && !name.contains("igconfig"));
    kops.seen.insert(format!("{NAME}/secrets/dockerconfig"));
    let (objects, secret_calls) = hidden_objects(objects(), &key);
    let kind = ApiKind {
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        plural: "deployments".into(),
        namespaced: true,
        preferred: true,
        verbs: BTreeSet::from(["list".to_owned()]),
    };
    let api = Api {
        version: "v1.24.17".into(),
        kinds: vec![kind],
        unavailable: BTreeSet::from(["metrics.k8s.io".to_owned()]),
    };
    let mut inventory = Inventory {
        store: Some(kops),
        api: Some(api),
        objects,
        secret_calls,
        region: Some("eu-central-1".into()),
        unread: BTreeSet::from([Unread::new("group metrics.k8s.io", "down")]),
        ..Inventory::default()
    };
    inventory.aws.push("ec2", "DescribeVpcs", json!({}), json!({"vpcSet": [{"vpcId": "vpc-1"}]}));
    inventory.aws.push(
        "autoscaling",
        "DescribeAutoScalingGroups",
        json!({}),
        json!({"AutoScalingGroups": ""}),
    );
    inventory.aws.push("ec2", "DescribeSubnets", json!({}), Value::Null);
    inventory.settle();
    inventory
}

#[test]
fn what_is_written_is_read_back_exactly() {
    let inventory = inventory();
    let content = write(&inventory, "portolan 1", READ_AT);
    no_secret(&content);
    let (manifest, back) = read(&content).unwrap();
    assert_eq!(back, inventory);
    assert_eq!((manifest.cluster.as_deref(), manifest.format.as_str()), (Some(NAME), FORMAT));
    assert_eq!((manifest.read_at.as_str(), manifest.tool.as_str()), (READ_AT, "portolan 1"));
    assert_eq!(manifest.files["source/objects/Deployment.apps.jsonl"].rows, Some(1));
    assert!(content.contains_key(&format!("kops/store/{NAME}/config")), "{:?}", content.keys());
    // And written again it is the same, letter by letter.
    assert_eq!(write(&back, "portolan 1", READ_AT), content);
}

#[test]
fn an_assessment_from_a_dump_is_that_of_what_was_read() {
    let live = inventory();
    let (_, dumped) = read(&write(&live, "portolan 1", READ_AT)).unwrap();
    let assess = |inventory: &Inventory| {
        let overview = overview(inventory, None, &BTreeMap::new()).unwrap();
        let told = format!("{:?} {:?} {:?}", overview.assessment, overview.objects, overview.waves);
        assert!(!told.contains(SECRET) && !told.contains(SECRET_BASE64), "{told}");
        told
    };
    let told = assess(&live);
    assert_eq!(assess(&dumped), told);
    // The Secret's call is known though its value is not: the two namespaces move together.
    let overview = overview(&dumped, None, &BTreeMap::new()).unwrap();
    assert_eq!(overview.waves.len(), 1, "{:?}", overview.waves);
    let says = |id: &str| {
        let mut verdicts = overview.assessment.verdicts.iter();
        verdicts.find(|one| one.subject == id).unwrap_or_else(|| panic!("no verdict on {id}")).says.clone()
    };
    assert!(
        says("ServiceAccount kube-system/coredns").contains("coredns"),
        "{}",
        says("ServiceAccount kube-system/coredns")
    );
    assert!(says("Deployment.apps shop/web").contains("carried over"));
    assert!(
        overview.assessment.notes.iter().any(|note| note.contains("metrics.k8s.io")),
        "{:?}",
        overview.assessment.notes
    );
}

fn changed(change: impl Fn(&mut Value)) -> Content {
    let mut content = write(&inventory(), "portolan 1", READ_AT);
    let mut manifest: Value = serde_json::from_slice(&content[MANIFEST]).unwrap();
    change(&mut manifest);
    content.insert(MANIFEST.into(), manifest.to_string().into_bytes());
    content
}

#[test]
fn what_is_no_dump_of_this_form_is_refused_with_the_way_out() {
    assert_eq!(read(&Content::new()).unwrap_err(), Malformed::NoManifest);
    let newer = changed(|manifest| {
        manifest["format"] = json!("portolan.dev/dump/v2");
        manifest["tool"] = json!("portolan 9");
        manifest["somethingNew"] = json!({});
    });
    let words = read(&newer).unwrap_err().to_string();
    assert!(
        words.contains("portolan.dev/dump/v2") && words.contains("portolan 9") && words.contains(FORMAT),
        "{words}"
    );
    let unknown = read(&changed(|manifest| manifest["surprise"] = json!(1))).unwrap_err().to_string();
    assert!(unknown.starts_with("manifest.json") && unknown.contains("surprise"), "{unknown}");
    let other = read(&changed(|manifest| {
        manifest["files"]["notes.txt"] =
            json!({"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"});
    }));
    assert_eq!(other.unwrap_err(), Malformed::Missing("notes.txt".into()));

    let path = "source/objects/Deployment.apps.jsonl";
    let mut content = write(&inventory(), "portolan 1", READ_AT);
    content.get_mut(path).unwrap().extend(b"{}\n");
    assert_eq!(read(&content).unwrap_err(), Malformed::Changed(path.into()));
    content.remove(path);
    assert_eq!(read(&content).unwrap_err(), Malformed::Missing(path.into()));
}

#[test]
fn a_broken_line_is_told_with_its_place() {
    use sha2::{Digest as _, Sha256};
    let path = "source/objects/Service.jsonl";
    let mut content = write(&inventory(), "portolan 1", READ_AT);
    let mut bytes = content[path].clone();
    bytes.extend(b"{\"kind\": 1}\n");
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let mut manifest: Value = serde_json::from_slice(&content[MANIFEST]).unwrap();
    manifest["files"][path]["sha256"] = json!(digest);
    content.insert(path.into(), bytes);
    content.insert(MANIFEST.into(), manifest.to_string().into_bytes());
    let words = read(&content).unwrap_err().to_string();
    assert!(words.starts_with(&format!("{path}:2: ")) && words.contains("apiVersion"), "{words}");
}

/// Cases of kops' own tests, where the corpus is at hand.
fn cases() -> Vec<std::path::PathBuf> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let path = std::env::var_os("PORTOLAN_CORPUS").map_or(path, Into::into);
    let entries = |path: &std::path::Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(path)
            .map(|all| all.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default()
    };
    let is_kops = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("kops");
    let folders = entries(&path).into_iter().filter(is_kops).flat_map(|generation| entries(&generation));
    folders.filter(|path| path.is_dir()).collect()
}

#[test]
fn every_case_of_the_corpus_survives_a_dump() {
    for case in cases() {
        let mut files = KopsFiles { place: case.display().to_string(), ..KopsFiles::default() };
        for entry in std::fs::read_dir(&case).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "yaml") {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                files.add(&name, std::fs::read(&path).unwrap(), &Key::new([2; 32])).unwrap();
            }
        }
        let live = Inventory { files: Some(files), ..Inventory::default() };
        let (_, back) = read(&write(&live, "portolan 1", READ_AT)).unwrap();
        assert_eq!(back, live, "{}", case.display());
        let told = |inventory: &Inventory| {
            overview(inventory, None, &BTreeMap::new())
                .map(|overview| overview.assessment)
                .map_err(|error| error.to_string())
        };
        let assessment = told(&back);
        assert_eq!(assessment, told(&live));
        assert!(assessment.is_ok(), "{}: {assessment:?}", case.display());
    }
}
