//! Images of what goes over: which there are, and what becomes of a move whose images cannot be pulled.

use crate::migrate::verdict::{Level, Verdict};
use crate::model::ImageName;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Objects by the images that they name, as the target would pull them.
pub type Named = BTreeMap<String, BTreeSet<String>>;

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It can be pulled.
    There,
    /// It cannot: in words.
    Absent(String),
    /// Nobody could be asked: in words.
    Unknown(String),
}

/// Every image that an object names: those of containers, wherever they stand in it.
pub fn named(object: &Value, into: &mut Named) {
    let subject = crate::transform::identity(object).map(|id| id.to_string()).unwrap_or_default();
    walk(object, &mut |image| {
        into.entry(image.to_owned()).or_default().insert(subject.clone());
    });
}

fn walk(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let containers = ["containers", "initContainers"].contains(&key.as_str());
                for container in below.as_array().filter(|_| containers).into_iter().flatten() {
                    let image = container["image"].as_str().filter(|_| container["name"].is_string());
                    image.into_iter().for_each(&mut *found);
                }
                walk(below, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// Verdicts on what is known: one for each image that is not there, one for each reason for which others are not known.
#[must_use]
pub fn verdicts(named: &Named, known: &BTreeMap<String, Known>) -> Vec<Verdict> {
    let verdict = |subject: String, level, rule: &str, says: String| Verdict {
        subject,
        field: String::new(),
        level,
        rule: rule.into(),
        source: "issue 5 C: images checked to be pullable; OCI distribution spec, pulling manifests".into(),
        says,
        becomes: None,
        choices: Vec::new(),
    };
    let mut verdicts = Vec::new();
    let mut unknown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (image, users) in named {
        let first = users.first().map(String::as_str).unwrap_or_default();
        let more = if users.len() > 1 { format!(" and {} more", users.len() - 1) } else { String::new() };
        match known.get(image) {
            Some(Known::Absent(why)) => verdicts.push(verdict(
                image.clone(),
                Level::Blocker,
                "image.absent",
                format!("image {image} of {first}{more} cannot be pulled: {why}"),
            )),
            Some(Known::Unknown(why)) => unknown.entry(why).or_default().push(image),
            None if ImageName::parse(image).is_none() => verdicts.push(verdict(
                image.clone(),
                Level::Warning,
                "image.unreadable",
                format!("`{image}` of {first}{more} is no name of an image as it stands"),
            )),
            Some(Known::There) | None => {}
        }
    }
    for (why, images) in unknown {
        let says = format!("whether these images can be pulled is not known, {why}: {}", images.join(", "));
        verdicts.push(verdict(images.join(", "), Level::Warning, "image.unknown", says));
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn images_are_found_wherever_containers_are() {
        let object = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"jobTemplate": {"spec": {"template": {"spec": {
                "initContainers": [{"name": "i", "image": "init:1"}], "containers": [{"name": "m", "image": "main:1"}]}}}},
                "image": "not-a-container"}});
        let mut found = Named::new();
        named(&object, &mut found);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["init:1", "main:1"]);
        assert!(found["init:1"].contains("CronJob.batch b/a"));
    }

    #[test]
    fn an_absent_image_blocks_and_a_silent_registry_warns_once() {
        let users: BTreeSet<String> = ["Deployment.apps shop/web".to_owned()].into();
        let named: Named =
            ["a:1", "b:1", "c:1", "{{x}}"].map(|image| (image.to_owned(), users.clone())).into();
        let silent = || Known::Unknown("registry.example.com does not answer".into());
        let known = [("a:1", Known::Absent("no such image".into())), ("b:1", silent()), ("c:1", silent())];
        let told = verdicts(&named, &known.map(|(image, known)| (image.to_owned(), known)).into());
        let shown: Vec<(Level, &str)> = told.iter().map(|one| (one.level, one.rule.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Level::Blocker, "image.absent"),
                (Level::Warning, "image.unreadable"),
                (Level::Warning, "image.unknown")
            ]
        );
        assert!(told[2].says.ends_with("b:1, c:1"), "{}", told[2].says);
    }
}
