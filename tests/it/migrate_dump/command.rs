//! `portolan migrate` as a person runs it, without any cluster.

use super::{NAME, SECRET, store, store_folder};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn portolan(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_portolan")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// An account for the fixture: two zones, a subnet of each, two versions, one type.
fn facts() -> Value {
    let subnet = |zone: &str, cidr: &str| {
        json!({"vpc": "vpc-1", "zone": zone, "cidr": cidr, "freeAddresses": 8000, "public": true,
               "tags": {"Name": format!("{zone}.{NAME}"), "KubernetesCluster": NAME}})
    };
    json!({
        "region": "eu-central-1",
        "zones": {"eu-central-1a": "euc1-az2", "eu-central-1b": "euc1-az3"},
        "vpcs": {"vpc-1": {"cidrs": ["172.20.0.0/16"], "tags": {"KubernetesCluster": NAME}}},
        "subnets": {"subnet-0000000000000000a": subnet("eu-central-1a", "172.20.32.0/19"),
                    "subnet-0000000000000000b": subnet("eu-central-1b", "172.20.64.0/19")},
        "versions": [{"version": "1.33", "extended": false}, {"version": "1.34", "extended": false}],
        "instanceTypes": {"m5.large": {"vcpus": 2, "memoryMib": 8192, "interfaces": 3, "addressesPerInterface": 10, "nitro": true,
                                       "architecture": "x86_64", "current": true}},
    })
}

#[test]
fn a_state_store_is_assessed_and_its_choices_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store_folder(&here.join("store"));
    std::fs::write(here.join("facts.json"), facts().to_string()).unwrap();
    let base = ["migrate", "assess", "--state", "store", "--facts", "facts.json"];
    let (code, said, errors) = portolan(here, &base);
    assert!(code < 2, "{errors}");
    assert!(said.starts_with(&format!("{NAME} to EKS\n")), "{said}");
    assert!(said.contains("Blocker (") == (code == 1), "{said}");
    assert!(said.contains("not read: API server: no context was named"), "{said}");

    // Everything that blocks is taken as proposed; then nothing blocks, and there are files to commit.
    let (_, said, _) = portolan(here, &[&base[..], &["--output", "json"][..]].concat());
    let report: Value = serde_json::from_str(&said).unwrap();
    let mut choices = serde_json::Map::new();
    for verdict in report["verdicts"].as_array().unwrap().iter().filter(|one| one["level"] == "Blocker") {
        let offers = verdict["choices"].as_array().unwrap_or_else(|| panic!("no way out of {verdict}"));
        let offer = offers.iter().find(|offer| offer["proposed"] == true).unwrap_or(&offers[0]);
        let text = |name: &str| verdict[name].as_str().unwrap();
        choices.insert(format!("{}@{}{}", text("rule"), text("subject"), text("field")), offer["id"].clone());
    }
    std::fs::write(here.join("choices.yaml"), Value::Object(choices).to_string()).unwrap();
    let more = ["--choices", "choices.yaml", "--html", "report.html", "--out", "repo"];
    let (code, said, errors) = portolan(here, &[&base[..], &more[..]].concat());
    assert_eq!(code, 0, "{said}{errors}");
    assert!(said.contains("nothing keeps the move from beginning"), "{said}");
    for file in [
        "clusters/old-example-com.yaml",
        "portolan/cluster-old-example-com.yaml",
        "portolan/migration-old-example-com.yaml",
    ] {
        assert!(here.join("repo").join(file).is_file(), "{file} was not written: {errors}");
    }
    let html = std::fs::read_to_string(here.join("report.html")).unwrap();
    assert!(
        html.starts_with("<!doctype html>") && !html.contains("http-equiv") && !html.contains("src="),
        "{html:.200}"
    );
    // The documents are ones that the daemon takes.
    let config = std::fs::read_to_string(here.join("repo/clusters/old-example-com.yaml")).unwrap();
    let read = portolan::model::cluster_config::read(&config, "the file");
    assert!(read.is_ok(), "{:?}", read.err().map(|problems| problems.0));
    let migration =
        std::fs::read_to_string(here.join("repo/portolan/migration-old-example-com.yaml")).unwrap();
    assert!(
        migration.contains("stage: Inventory") && migration.contains(&format!("clusterName: {NAME}")),
        "{migration}"
    );
}

#[test]
fn files_of_a_repository_are_assessed_and_compared_with_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store_folder(&here.join("store"));
    std::fs::create_dir_all(here.join("repo/kops")).unwrap();
    std::fs::write(here.join("repo/README.md"), "no YAML").unwrap();
    std::fs::write(
        here.join("repo/deployment.yaml"),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n",
    )
    .unwrap();
    let files = store();
    let file = |key: &str| files[&format!("{NAME}/{key}")].clone();
    let specs = [
        file("config"),
        file("instancegroup/nodes").replace("maxSize: 4", "maxSize: 9"),
        file("instancegroup/master-eu-central-1a"),
    ];
    std::fs::write(here.join("repo/kops/old.yaml"), specs.join("---\n")).unwrap();
    let (code, said, errors) = portolan(here, &["migrate", "assess", "--files", "repo", "--output", "json"]);
    assert!(code < 2, "{errors}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((report["cluster"].as_str(), report["drift"].as_array().map(Vec::len)), (Some(NAME), Some(0)));
    let (_, said, _) = portolan(here, &["migrate", "assess", "--files", "repo", "--state", "store"]);
    assert!(said.contains("the set of files says 9, the state store 4"), "{said}");
}

#[test]
fn what_cannot_be_read_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store_folder(&here.join("store"));
    std::fs::create_dir_all(here.join("empty")).unwrap();
    std::fs::create_dir_all(here.join("other")).unwrap();
    std::fs::write(
        here.join("other/manifest.json"),
        json!({"format": "portolan.dev/dump/v9", "tool": "portolan 7"}).to_string(),
    )
    .unwrap();
    let cases: [(&[&str], i32, &str); 12] = [
        (&["assess"], 2, "name the state store (--state)"),
        (&["assess", "--state", "empty"], 2, "there is no kops Cluster in empty"),
        (&["assess", "--state", "store", "--name", "new.example.com"], 2, NAME),
        (&["assess", "--state", "gs://bucket"], 2, "stores in S3 and in folders are read"),
        (&["assess", "--state", "nowhere"], 4, "nowhere: "),
        (&["assess", "--dump", "empty"], 3, "there is no manifest.json"),
        (&["assess", "--dump", "other"], 3, "has the form `portolan.dev/dump/v9` (written by portolan 7)"),
        (&["assess", "--dump", "store", "--aws"], 2, "cannot be used with"),
        (&["assess", "--state", "store", "--choose", "a"], 2, "one is written RULE=OFFER"),
        (&["diff", "--state", "store", "shop/Deployment/web"], 2, "no objects were read"),
        (&["diff", "--state", "store", "web"], 2, "write NAMESPACE/KIND/NAME"),
        (&["dump", "store", "--state", "store"], 2, "store is not empty"),
    ];
    for (arguments, code, words) in cases {
        let (exit, said, errors) = portolan(here, &[&["migrate"][..], arguments].concat());
        assert_eq!(exit, code, "{arguments:?}: {said}{errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_dump_of_a_store_has_no_secret_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    store_folder(&here.join("store"));
    let (code, said, errors) =
        portolan(here, &["migrate", "dump", "out", "--state", "store", "--output", "json"]);
    assert_eq!(code, 0, "{said}{errors}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["manifest"]["format"], "portolan.dev/dump/v1");
    assert_eq!(told["manifest"]["unread"].as_array().map(Vec::len), Some(2), "{told}");
    let mut folders = vec![here.join("out")];
    let mut files = 0;
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains(SECRET), "{} holds a secret", path.display());
        }
    }
    assert_eq!(files, told["manifest"]["files"].as_object().unwrap().len() + 1);
    for command in ["dump", "assess", "diff"] {
        let (code, help, _) = portolan(here, &["migrate", command, "--help"]);
        assert!(code == 0 && help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    }
}
