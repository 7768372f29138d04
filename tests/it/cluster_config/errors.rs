//! Golden errors: every mistake of a file, with its place and the way out.

use super::{files, golden, name};
use portolan::model::cluster_config::{read, with_defaults};

/// Set PORTOLAN_UPDATE_GOLDEN to write the expectations anew, then read the difference.
#[test]
fn bad_files_are_told_of_completely() {
    let update = std::env::var_os("PORTOLAN_UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for input in files(&golden("bad"), "yaml") {
        let text = std::fs::read_to_string(&input).unwrap();
        let found = match read(&text, name(&input)) {
            Ok(_) => "no problem\n".to_owned(),
            Err(problems) => format!("{problems}\n"),
        };
        let expectation = input.with_extension("yaml.txt");
        if update {
            std::fs::write(&expectation, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expectation).unwrap_or_default();
        if found != expected {
            wrong.push(format!("== {}\n-- expected\n{expected}-- found\n{found}", input.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn problems_are_in_the_order_of_the_file_and_have_a_way_out() {
    for input in files(&golden("bad"), "yaml") {
        let text = std::fs::read_to_string(&input).unwrap();
        let problems = read(&text, name(&input)).unwrap_err().0;
        assert!(problems.iter().any(|problem| problem.is_error()), "{}", input.display());
        let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
        assert!(places.is_sorted(), "{}: {places:?}", input.display());
        for problem in &problems {
            assert!(!problem.message.ends_with('.'), "{problem}");
        }
    }
}

#[test]
fn a_good_file_is_read_as_it_stands() {
    let text = std::fs::read_to_string(golden("good/everything.yaml")).unwrap();
    let (config, positions) = read(&text, "everything.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(positions.warnings(), []);
    assert_eq!(config.metadata.name, "harbour");
    assert_eq!(config.managed_node_groups[1].base.min_size, Some(0));
    assert_eq!(config.managed_node_groups[1].instance_types.len(), 3);
    assert_eq!(config.node_groups[0].base.name, "mixed");

    // Nothing that is written is lost on the way through the types.
    let written: serde_json::Value = serde_json::to_value(&config).unwrap();
    let document =
        portolan::model::yaml::read_stream(text.as_bytes(), &Default::default()).remove(0).unwrap();
    let mut lost = Vec::new();
    contains(&written, document.value(), "", &mut lost);
    assert_eq!(
        lost,
        ["/managedNodeGroups/0/iam/withAddonPolicies/appMesh"],
        "false of a refused switch says nothing"
    );

    let line = |pointer: &str| text.lines().nth(positions.nearest(pointer).0 as usize - 1).unwrap().trim();
    assert_eq!(line("/metadata/version"), "version: \"1.36\"");
    assert_eq!(line("/managedNodeGroups/1"), "- name: spot");
    assert_eq!(line("/managedNodeGroups/1/amiFamily"), "amiFamily: Bottlerocket");
    assert_eq!(line("/managedNodeGroups/1/volumeSize"), "- name: spot", "where it would stand");
    let problem = positions.problem("/availabilityZones/1", "`eu-central-1b` has no room");
    assert_eq!(problem.to_string(), "everything.yaml:51:36: error: `eu-central-1b` has no room");

    let filled = with_defaults(config.clone());
    assert_eq!(with_defaults(filled.clone()), filled, "filling in twice changes nothing");
}

/// Every leaf of the second in the first.
fn contains(all: &serde_json::Value, part: &serde_json::Value, at: &str, lost: &mut Vec<String>) {
    use serde_json::Value;
    match (all, part) {
        (Value::Object(all), Value::Object(part)) => {
            for (key, part) in part {
                match all.get(key) {
                    Some(all) => contains(all, part, &format!("{at}/{key}"), lost),
                    None => lost.push(format!("{at}/{key}")),
                }
            }
        }
        (Value::Array(all), Value::Array(part)) if all.len() == part.len() => {
            for (index, (all, part)) in all.iter().zip(part).enumerate() {
                contains(all, part, &format!("{at}/{index}"), lost);
            }
        }
        (Value::Number(all), Value::Number(part)) if all.as_f64() == part.as_f64() => {}
        (all, part) if all == part => {}
        _ => lost.push(at.to_owned()),
    }
}
