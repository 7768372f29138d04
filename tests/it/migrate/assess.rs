//! Our own fixtures, each with the verdicts and the ClusterConfig that are expected of it.

use super::{account, made};
use portolan::migrate::assess::{Assessment, Facts, assess, report};
use portolan::migrate::{Level, Verdict};
use portolan::model::cluster_config;
use portolan::model::kops::{KopsState, Source, read_files};
use portolan::model::yaml::{Limits, read_stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/migrate")
}

fn cases() -> Vec<(String, KopsState)> {
    let mut files: Vec<_> = std::fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let specs = files.into_iter().filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        (name.ends_with(".yaml") || name.ends_with(".json")) && !name.contains(".config.")
    });
    let cases = specs.map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        let origin = path.file_name().unwrap().to_str().unwrap();
        (
            path.file_stem().unwrap().to_str().unwrap().to_owned(),
            read_files("the fixture", &[Source { origin, bytes: &bytes }], None).unwrap(),
        )
    });
    cases.collect()
}

pub fn case(name: &str) -> KopsState {
    cases().into_iter().find(|(other, _)| other == name).unwrap().1
}

/// The fixture account, with namespaces that patterns mean.
pub fn facts(state: &KopsState) -> Facts {
    if state.items("networking.subnets").iter().all(|subnet| subnet["zone"].is_null()) {
        return Facts::default();
    }
    let mut facts = account::facts(state);
    facts.namespaces = ["files", "team-a", "team-b", "other"].map(str::to_owned).into();
    facts
}

/// Set PORTOLAN_UPDATE_GOLDEN to write the expectations anew, then read the difference.
fn compare(file: &str, actual: &str, different: &mut Vec<String>) {
    let path = golden().join(file);
    if std::env::var_os("PORTOLAN_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != actual {
        let new = actual.lines().filter(|line| !expected.lines().any(|other| other == *line));
        different.push(format!("{file}:\n{}", new.collect::<Vec<_>>().join("\n")));
    }
}

fn listed(assessment: &Assessment) -> String {
    let mut out = String::new();
    for verdict in &assessment.verdicts {
        let becomes = verdict.becomes.as_deref().map(|to| format!(" -> {to}")).unwrap_or_default();
        writeln!(
            out,
            "{} {} | {} | {}{becomes}",
            verdict.level, verdict.rule, verdict.subject, verdict.field
        )
        .unwrap();
    }
    for note in &assessment.notes {
        writeln!(out, "note {note}").unwrap();
    }
    out
}

#[test]
fn fixtures_have_their_verdicts_and_configs() {
    let mut different = Vec::new();
    for (name, state) in cases() {
        let facts = facts(&state);
        let first = assess(&state, &facts, &BTreeMap::new());
        compare(&format!("{name}.verdicts"), &listed(&first), &mut different);
        let second = assess(&state, &facts, &account::choices(&first.verdicts));
        if let Some(config) = &second.config {
            made::can_be_made(&name, config, &facts);
        }
        let config = second.config.map(|config| serde_json::to_string_pretty(&config).unwrap());
        compare(
            &format!("{name}.config.json"),
            &(config.unwrap_or_else(|| "null".into()) + "\n"),
            &mut different,
        );
    }
    assert!(different.is_empty(), "{}", different.join("\n\n"));
}

#[test]
fn every_field_has_exactly_one_verdict() {
    for (name, state) in cases().into_iter().filter(|(name, _)| !name.starts_with("gce")) {
        let assessment = assess(&state, &facts(&state), &BTreeMap::new());
        for spec in std::iter::once(&state.cluster).chain(&state.groups) {
            for field in &spec.fields {
                let of_field =
                    |verdict: &&Verdict| verdict.subject == spec.subject() && verdict.field == field.pointer;
                let found = assessment.verdicts.iter().filter(of_field).count();
                assert_eq!(found, 1, "{name}: {} {}", spec.subject(), field.pointer);
            }
        }
    }
}

/// Mappings whose keys are the author's own: labels, tags, flags by name.
const FREE: [&str; 11] = [
    "additionalPolicies",
    "cloudLabels",
    "environment",
    "externalPolicies",
    "featureGates",
    "labels",
    "logOpt",
    "nodeLabels",
    "registryMirrors",
    "requiredClaims",
    "runtimeConfig",
];

/// Every mapping of a document below `spec`, by its pointer.
fn mappings(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.push(at.to_owned());
            for (key, below) in map.iter().filter(|(key, _)| !FREE.contains(&key.as_str())) {
                mappings(below, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| mappings(item, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn an_unknown_field_anywhere_is_a_blocker_by_its_name() {
    let mut tried = 0;
    for file in [
        "calico-1.22-private.yaml",
        "cilium-1.34-v1alpha3.yaml",
        "vpc-cni-1.28.json",
        "weave-1.12-legacy.yaml",
    ] {
        let bytes = std::fs::read(golden().join(file)).unwrap();
        let documents = read_stream(&bytes, &Limits::default());
        let documents: Vec<Value> =
            documents.into_iter().map(|document| document.unwrap().into_value()).collect();
        let documents = match &documents[..] {
            [Value::Array(all)] => all.clone(),
            _ => documents,
        };
        for (index, document) in documents.iter().enumerate() {
            if !matches!(document["kind"].as_str(), Some("Cluster" | "InstanceGroup")) {
                continue;
            }
            let mut places = Vec::new();
            mappings(&document["spec"], "/spec", &mut places);
            // A name beside `aws` is that of a second cloud, and is refused as one.
            places.retain(|place| place != "/spec/cloudProvider");
            for place in places {
                let mut changed = documents.clone();
                let map = changed[index].pointer_mut(&place).unwrap();
                map["zzFromTheFuture"] = json!("x");
                let text = Value::from(changed).to_string();
                let state =
                    read_files("x", &[Source { origin: file, bytes: text.as_bytes() }], None).unwrap();
                let assessment = assess(&state, &Facts::default(), &BTreeMap::new());
                let of = assessment.verdicts.iter().filter(|one| one.field.contains("zzFromTheFuture"));
                let of: Vec<&Verdict> = of.collect();
                assert!(
                    of.len() == 1 && of[0].level == Level::Blocker && of[0].says.contains("zzFromTheFuture"),
                    "{file} {place}: {of:?}"
                );
                tried += 1;
            }
        }
    }
    assert!(tried > 80, "{tried}");
}

#[test]
fn no_report_tells_a_secret() {
    for (name, state) in cases() {
        let assessment = assess(&state, &facts(&state), &BTreeMap::new());
        let told = [
            report::text(&assessment, true),
            report::html(&assessment),
            report::json(&assessment).to_string(),
            format!("{state:?}"),
        ];
        assert!(told.iter().all(|text| !text.contains("do-not-tell")), "{name}");
    }
}

#[test]
fn reports_group_count_and_escape() {
    let state = case("calico-1.22-private");
    let assessment = assess(&state, &facts(&state), &BTreeMap::new());
    let blockers = assessment.counts()[&Level::Blocker];
    let text = report::text(&assessment, false);
    assert!(text.contains(&format!("Blocker ({blockers})")) && !text.contains("Irrelevant ("), "{text}");
    let html = report::html(&assessment);
    assert!(html.contains("&lt;") || !html.contains("<version>"));
    assert!(!html.contains("http://") && !html.contains("<script"), "the page loads nothing");
    let json = report::json(&assessment);
    assert_eq!(json["counts"]["Blocker"], blockers);
}

#[test]
fn other_clouds_are_refused_by_name() {
    for (cloud, told) in [
        ("gce", "Google"),
        ("azure", "Azure"),
        ("openstack", "OpenStack"),
        ("digitalocean", "DigitalOcean"),
        ("", "does not say"),
    ] {
        let text = format!(
            "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {{name: a}}\nspec: {{cloudProvider: {cloud:?}}}\n"
        );
        let state = read_files("x", &[Source { origin: "x", bytes: text.as_bytes() }], None).unwrap();
        let assessment = assess(&state, &Facts::default(), &BTreeMap::new());
        assert!(assessment.config.is_none() && assessment.verdicts.len() == 1);
        assert!(assessment.verdicts[0].says.contains(told), "{:?}", assessment.verdicts);
    }
}

#[test]
fn choices_decide_what_the_config_is() {
    let state = case("calico-1.22-private");
    let facts = facts(&state);
    let chosen = |choices: &[(&str, &str)]| {
        let first = assess(&state, &facts, &BTreeMap::new());
        let mut all = account::choices(&first.verdicts);
        for (key, value) in choices {
            all.retain(|other, _| !other.starts_with(&format!("{key}@")));
            all.insert((*key).to_owned(), (*value).to_owned());
        }
        assess(&state, &facts, &all).config.unwrap()
    };
    let config = chosen(&[("kops.identity.name", "live")]);
    assert_eq!(config.metadata.name, "live");
    let config = chosen(&[("kops.network.provider", "keep")]);
    assert!(config.addons.iter().all(|addon| addon.name != "vpc-cni"));
    assert_eq!(config.addons_config.unwrap().disable_default_addons, Some(true));
    let config = chosen(&[("kops.group.mixed-capacity", "self-managed")]);
    let mixed = config.node_groups[0].instances_distribution.clone().unwrap();
    assert_eq!(
        (mixed.on_demand_base_capacity, mixed.on_demand_percentage_above_base_capacity),
        (Some(2), Some(25))
    );
    let config = chosen(&[("kops.network.vpc", "new")]);
    assert!(config.vpc.unwrap().id.is_none() && config.availability_zones.len() == 3);
    let config = chosen(&[("kops.access.group", "drop")]);
    let entries = config.access_config.unwrap().access_entries;
    assert!(
        entries
            .iter()
            .all(|entry| entry.kubernetes_groups.iter().all(|group| !group.starts_with("migrated:")))
    );
    let config = chosen(&[("kops.identity.version", "1.34")]);
    assert_eq!(config.metadata.version.as_deref(), Some("1.34"));
    let key = "arn:aws:kms:eu-central-1:111122223333:key/1234";
    let config = chosen(&[("kops.control-plane.encryption", key)]);
    assert_eq!(config.secrets_encryption.unwrap().key_arn, key);
}

#[test]
fn a_choice_that_nothing_asks_for_or_that_is_none_of_the_offers_is_told() {
    let state = case("vpc-cni-1.28");
    let choices = BTreeMap::from([
        ("kops.nothing".to_owned(), "x".to_owned()),
        ("kops.access.kopeio".to_owned(), "nonsense".to_owned()),
    ]);
    let assessment = assess(&state, &facts(&state), &choices);
    assert!(assessment.notes.iter().any(|note| note.contains("`kops.nothing`")));
    let kopeio = assessment.verdicts.iter().find(|verdict| verdict.rule == "kops.access.kopeio").unwrap();
    assert!(
        kopeio.level == Level::Blocker && kopeio.says.contains("`nonsense` is none of accept"),
        "{kopeio:?}"
    );
}

#[test]
fn configs_are_valid_and_keep_what_the_specs_say() {
    let state = case("calico-1.22-private");
    let facts = facts(&state);
    let first = assess(&state, &facts, &BTreeMap::new());
    let config = assess(&state, &facts, &account::choices(&first.verdicts)).config.unwrap();
    cluster_config::read(&serde_json::to_string(&config).unwrap(), "c.yaml").unwrap();
    let names: Vec<&str> = config.managed_node_groups.iter().map(|group| group.base.name.as_str()).collect();
    assert_eq!(names, ["nodes-mixed-on-demand", "nodes-mixed-spot"]);
    let sizes = |index: usize| config.managed_node_groups[index].base.max_size.unwrap();
    assert!(sizes(0) + sizes(1) >= 12, "no room is lost");
    let admin = &config.access_config.as_ref().unwrap().access_entries[0];
    assert!(admin.kubernetes_groups.is_empty());
    assert!(admin.access_policies[0].policy_arn.ends_with("/AmazonEKSClusterAdminPolicy"));
    let iam = config.iam.as_ref().unwrap();
    assert_eq!(
        iam.pod_identity_associations.iter().filter(|a| a.service_account_name == "runner").count(),
        2
    );
}

/// A Cluster with a spec of its own and two zones, by its verdicts.
fn of_spec(more: &str) -> Assessment {
    let text = format!(
        "apiVersion: kops.k8s.io/v1alpha2\nkind: Cluster\nmetadata: {{name: a.example.com}}\nspec:\n  cloudProvider: aws\n  \
         networkID: vpc-1\n  networkCIDR: 10.0.0.0/16\n  networking: {{kubenet: {{}}}}\n  subnets:\n  \
         - {{name: a, zone: eu-west-1a, type: Private, id: subnet-a}}\n  - {{name: b, zone: eu-west-1b, type: Private, id: subnet-b}}\n{more}"
    );
    let state = read_files("x", &[Source { origin: "x", bytes: text.as_bytes() }], None).unwrap();
    assess(&state, &Facts::default(), &BTreeMap::new())
}

#[test]
fn ipv6_clusters_let_ipv6_addresses_in_and_others_say_so() {
    let access = "  kubernetesApiAccess: [198.51.100.0/24, \"2001:db8::1\"]\n";
    let level = |assessment: &Assessment| {
        assessment.verdicts.iter().find(|v| v.field == "/spec/kubernetesApiAccess/1").unwrap().level
    };
    let four = of_spec(access);
    assert_eq!(level(&four), Level::Warning);
    assert_eq!(four.config.unwrap().vpc.unwrap().public_access_cidrs, ["198.51.100.0/24"]);
    let six = of_spec(&format!("{access}  nonMasqueradeCIDR: \"::/0\"\n"));
    assert_eq!(level(&six), Level::Mapped);
    assert_eq!(six.config.unwrap().vpc.unwrap().public_access_cidrs, ["198.51.100.0/24", "2001:db8::1/128"]);
    let inner = of_spec(&format!(
        "{access}  nonMasqueradeCIDR: \"::/0\"\n  api: {{loadBalancer: {{type: Internal}}}}\n"
    ));
    let vpc = inner.config.unwrap().vpc.unwrap();
    assert_eq!((vpc.extra_cidrs.len(), vpc.extra_ipv6_cidrs), (1, vec!["2001:db8::1/128".to_owned()]));
}

#[test]
fn a_scheduler_that_asks_others_is_a_blocker() {
    let scheduler = |more: &str| {
        let document = format!(
            "---\napiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n{more}"
        );
        let assessment = of_spec(&document);
        assessment.verdicts.iter().find(|v| v.rule == "kops.other.scheduler").unwrap().level
    };
    assert_eq!(scheduler("percentageOfNodesToScore: 50\n"), Level::Irrelevant);
    assert_eq!(scheduler("extenders: [{urlPrefix: \"https://a.example\"}]\n"), Level::Blocker);
    assert_eq!(scheduler("profiles: [{plugins: {score: {disabled: [{name: \"*\"}]}}}]\n"), Level::Blocker);
}
