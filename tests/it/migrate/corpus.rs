//! Every cluster that kops itself is tested with, where the corpus is at hand.

use super::{account, made};
use crate::support::corpus::{corpus, entries};
use portolan::migrate::assess::{assess, report, rules_context};
use portolan::migrate::{Level, Verdict};
use portolan::model::kops::{Cloud, KopsState, Source, read_files, read_store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every case of every generation: its name and its state, with the state store where there is one.
fn cases() -> Vec<(String, KopsState)> {
    let Some(corpus) = corpus("") else { return Vec::new() };
    let mut cases = Vec::new();
    for generation in
        entries(&corpus).iter().filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("kops"))
    {
        for case in entries(generation).iter().filter(|path| path.is_dir()) {
            for file in entries(case).iter().filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
                let name = file.strip_prefix(&corpus).unwrap().display().to_string();
                cases.push((name, state(case, file)));
            }
        }
    }
    cases
}

fn state(case: &Path, file: &Path) -> KopsState {
    let bytes = std::fs::read(file).unwrap();
    let origin = file.file_name().unwrap().to_str().unwrap();
    let mut state = read_files("the case", &[Source { origin, bytes: &bytes }], None).unwrap();
    let store = case.join("state");
    if store.is_dir() {
        let stored = read_store("the store", &listing(&store, &state.cluster.name), None).unwrap();
        state.completed = stored.completed;
        state.channel = stored.channel;
        state.version = stored.version;
        assert_eq!(stored.problems, []);
    }
    state
}

/// The corpus writes `addons/X/Y.yaml` of the store as `CLUSTER-addons-X-Y`.
fn listing(store: &Path, cluster: &str) -> BTreeMap<String, Vec<u8>> {
    let mut listing = BTreeMap::new();
    let mut channel = String::new();
    for path in entries(store) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        let key = match name.strip_prefix(&format!("{cluster}-addons-")) {
            Some("bootstrap") => {
                channel = String::from_utf8(bytes.clone()).unwrap();
                "addons/bootstrap-channel.yaml".to_owned()
            }
            Some(rest) => format!("addons/{rest}"),
            None => name,
        };
        listing.insert(format!("{cluster}/{key}"), bytes);
    }
    // Manifests get the paths that the channel names them by.
    for line in channel.lines() {
        let Some(path) =
            line.trim().strip_prefix("manifest: ").or_else(|| line.trim().strip_prefix("- manifest: "))
        else {
            continue;
        };
        let folder = format!("{cluster}/addons/{}", path.split('/').next().unwrap());
        let found = listing.iter().find(|(key, _)| key.starts_with(&folder)).map(|(_, bytes)| bytes.clone());
        listing.insert(format!("{cluster}/addons/{path}"), found.unwrap());
    }
    listing
}

fn blockers(verdicts: &[Verdict]) -> BTreeSet<String> {
    let blockers = verdicts.iter().filter(|verdict| verdict.level == Level::Blocker);
    blockers.map(|verdict| format!("{} {}", verdict.rule, verdict.field)).collect()
}

#[test]
fn every_field_of_every_case_has_exactly_one_verdict() {
    for (name, state) in cases() {
        let facts = if state.cloud() == Cloud::Aws { account::facts(&state) } else { Default::default() };
        let assessment = assess(&state, &facts, &BTreeMap::new());
        if state.cloud() != Cloud::Aws {
            assert_eq!(assessment.verdicts.len(), 1, "{name}");
            assert_eq!(assessment.verdicts[0].rule, "kops.cloud", "{name}");
            assert!(assessment.verdicts[0].says.contains(&state.cloud().to_string()), "{name}");
            continue;
        }
        for spec in std::iter::once(&state.cluster).chain(&state.groups) {
            for field in &spec.fields {
                let found = assessment
                    .verdicts
                    .iter()
                    .filter(|verdict| verdict.subject == spec.subject() && verdict.field == field.pointer);
                let found: Vec<_> = found.map(|verdict| &verdict.rule).collect();
                assert_eq!(found.len(), 1, "{name}: {} {} {found:?}", spec.subject(), field.pointer);
            }
        }
        let unknown: Vec<&str> = assessment
            .verdicts
            .iter()
            .filter(|verdict| matches!(verdict.rule.as_str(), "kops.field.unknown" | "kops.field.no-rule"))
            .map(|verdict| verdict.field.as_str())
            .collect();
        // No release of kops has had this one: it came and went between two of them.
        assert!(
            unknown.iter().all(|field| field.starts_with("/spec/serviceOIDCProvider/")),
            "{name}: {unknown:?}"
        );
        for verdict in &assessment.verdicts {
            assert!(!verdict.says.is_empty() && !verdict.source.is_empty(), "{name}: {verdict:?}");
        }
        let (text, html) = (report::text(&assessment, true), report::html(&assessment));
        assert!(text.contains(&state.cluster.name) && html.contains("</html>"), "{name}");
    }
}

#[test]
fn blockers_are_those_that_the_specs_earn() {
    for (name, state) in cases().into_iter().filter(|(_, state)| state.cloud() == Cloud::Aws) {
        let assessment = assess(&state, &account::facts(&state), &BTreeMap::new());
        let zones: BTreeSet<_> =
            state.items("networking.subnets").iter().filter_map(|subnet| subnet["zone"].as_str()).collect();
        let mut expected = BTreeSet::new();
        if zones.len() < 2 {
            expected.insert("kops.network.zones /spec/subnets".to_owned());
        }
        let has = |path: &str| !state.at(path).is_null();
        if !state.cluster.at("serviceOIDCProvider").is_null() {
            expected.insert("kops.field.unknown /spec/serviceOIDCProvider/issuerCAThumbprints/0".to_owned());
            expected.insert("kops.field.unknown /spec/serviceOIDCProvider/issuerURL".to_owned());
        }
        if has("authorization.alwaysAllow") {
            expected.insert("kops.access.always-allow /spec/authorization/alwaysAllow".to_owned());
        }
        assert_eq!(blockers(&assessment.verdicts), expected, "{name}");
    }
}

#[test]
fn with_choices_every_case_becomes_a_cluster_that_can_be_made() {
    let mut count = 0;
    for (name, state) in cases().into_iter().filter(|(_, state)| state.cloud() == Cloud::Aws) {
        let facts = account::facts(&state);
        let first = assess(&state, &facts, &BTreeMap::new());
        let choices = account::choices(&first.verdicts);
        let second = assess(&state, &facts, &choices);
        let left: Vec<_> = second.of_level(Level::Blocker).collect();
        assert!(left.is_empty(), "{name}: {left:?}");
        assert_eq!(second.of_level(Level::Choice).count(), 0, "{name}");
        let config = second.config.unwrap_or_else(|| panic!("{name} has no config"));
        made::can_be_made(&name, &config, &facts);
        assert!(
            second.notes.iter().all(|note| !note.contains("answers no question")),
            "{name}: {:?}",
            second.notes
        );
        let nodes = state.node_groups().count();
        assert!(config.managed_node_groups.len() + config.node_groups.len() >= nodes, "{name}");
        let rules = rules_context(&state, &facts, &choices, Some(&config));
        assert!(rules.problems().is_empty(), "{name}: {:?}", rules.problems());
        count += 1;
    }
    eprintln!("{count} cases of the corpus");
}

#[test]
fn nothing_panics_without_facts() {
    for (name, state) in cases() {
        let assessment = assess(&state, &Default::default(), &BTreeMap::new());
        assert!(!assessment.verdicts.is_empty(), "{name}");
    }
}

#[test]
fn add_ons_of_stored_channels_are_read_with_their_objects() {
    let with_channel = cases().into_iter().filter_map(|(name, state)| Some((name, state.channel?)));
    for (name, channel) in with_channel {
        assert!(channel.addons.len() > 5, "{name}");
        for addon in &channel.addons {
            assert!(addon.objects.as_ref().is_some_and(|objects| !objects.is_empty()), "{name}: {addon:?}");
        }
    }
}
