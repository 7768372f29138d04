//! eksctl's own examples: resources or problems for each, never a panic, and creations that the service's model allows.

use super::scene::{is_of_eks, scope};
use super::service::{check, corpus, stand_in};
use portolan::model::cluster::EksRef;
use portolan::model::cluster_config::read;
use portolan::provision::resource::{Scope, Snapshot};
use portolan::provision::{StepAction, drivers, plan, resources};
use serde_json::json;

#[test]
fn eksctls_examples_become_resources_or_are_refused() {
    let Some(corpus) = corpus() else { return };
    let mut files: Vec<_> = std::fs::read_dir(corpus.join("eksctl/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut taken, mut refused) = (0, 0);
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let config = match read(&text, &name) {
            Ok((config, _)) => config,
            Err(problems) => {
                assert!(!problems.to_string().is_empty());
                refused += 1;
                continue;
            }
        };
        let scope = Scope {
            cluster: config.metadata.name.clone(),
            region: config.metadata.region.clone(),
            ..scope()
        };
        let mut known = Snapshot::default();
        let region = &config.metadata.region;
        let zones: Vec<_> = ["a", "b", "c"]
            .iter()
            .map(|z| json!({"name": format!("{region}{z}"), "id": format!("id-{z}")}))
            .collect();
        known.facts.insert(portolan::provision::network::ZONES.into(), json!(zones));
        let declared = resources(&config, &EksRef::default(), &scope, &known);
        let drivers = drivers();
        let input = portolan::provision::PlanInput::new(&scope, &declared.resources, &known, &drivers);
        let made = plan(&input);
        assert!(!made.steps.is_empty(), "{name}: {:?}", declared.problems);
        for step in made.steps.iter().filter(|step| is_of_eks(step.key.kind)) {
            assert_eq!(step.action, StepAction::Create, "{name}");
            for call in &step.calls {
                let mut call = call.clone();
                stand_in(&mut call.input);
                check(&call);
            }
        }
        taken += 1;
    }
    assert!(taken >= files.len() / 3, "{taken} of {} were taken, {refused} refused", files.len());
}
