//! Images of what goes over: which there are, and what becomes of a move whose images cannot be pulled, or do not run where
//! they would.

mod logins;

pub use logins::{login_of_ecr, logins};

use crate::migrate::assess::packing::{PlannedGroup, architectures};
use crate::migrate::verdict::{Level, Verdict};
use crate::model::{ImageName, ResourceId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What names an image, as the target would pull it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Objects, each with the architectures of the nodes that it may be on; none: that is not known.
    pub objects: BTreeMap<String, BTreeSet<String>>,
    /// Pull secrets of the pods.
    pub secrets: BTreeSet<ResourceId>,
}

/// Images by their names.
pub type Named = BTreeMap<String, Use>;

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// It can be pulled.
    There,
    /// It can be pulled, and is built for these architectures.
    Built(BTreeSet<String>),
    /// It cannot: in words.
    Absent(String),
    /// Nobody could be asked: in words.
    Unknown(String),
}

/// Every image that objects name: those of containers, wherever they stand in them. `groups` are the planned ones.
#[must_use]
pub fn named<'o>(objects: impl Iterator<Item = &'o Value> + Clone, groups: &[PlannedGroup]) -> Named {
    let mut accounts: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for account in objects.clone().filter(|object| object["kind"] == "ServiceAccount") {
        accounts.insert((namespace(account), text(&account["metadata"]["name"])), pull_secrets(account));
    }
    let mut named = Named::new();
    for object in objects {
        let subject = crate::transform::identity(object).map(|id| id.to_string()).unwrap_or_default();
        let namespace = namespace(object);
        walk(object, &mut |spec| {
            let account = text(&spec["serviceAccountName"]);
            let account = if account.is_empty() { "default" } else { account };
            // A pod without pull secrets of its own gets its account's (kubernetes `plugin/pkg/admission/serviceaccount`).
            let mut secrets = pull_secrets(spec);
            if secrets.is_empty() {
                secrets = accounts.get(&(namespace, account)).cloned().unwrap_or_default();
            }
            let fits = architectures(spec, groups);
            for image in images(spec) {
                let used = named.entry(image.to_owned()).or_default();
                used.objects.entry(subject.clone()).or_default().extend(fits.iter().cloned());
                let ids = secrets.iter().map(|name| ResourceId::new("", "Secret", namespace, name));
                used.secrets.extend(ids);
            }
        });
    }
    named
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn namespace(object: &Value) -> &str {
    text(&object["metadata"]["namespace"])
}

fn pull_secrets(of: &Value) -> Vec<&str> {
    let all = of["imagePullSecrets"].as_array().into_iter().flatten();
    all.filter_map(|one| one["name"].as_str()).collect()
}

fn images(spec: &Value) -> impl Iterator<Item = &str> {
    let lists = ["containers", "initContainers"].into_iter().filter_map(move |field| spec[field].as_array());
    lists.flatten().filter(|one| one["name"].is_string()).filter_map(|one| one["image"].as_str())
}

/// Shows every value that has containers: a pod's spec, or what is like one.
fn walk<'v>(value: &'v Value, found: &mut impl FnMut(&'v Value)) {
    match value {
        Value::Object(map) => {
            if ["containers", "initContainers"]
                .iter()
                .any(|field| map.get(*field).is_some_and(Value::is_array))
            {
                found(value);
            }
            map.values().for_each(|below| walk(below, found));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// Verdicts on what is known: one for each image that is not there or does not run where it would, one for each reason for
/// which others are not known.
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
    for (image, used) in named {
        let users = told(used.objects.keys().map(String::as_str));
        match known.get(image) {
            Some(Known::Absent(why)) => verdicts.push(verdict(
                image.clone(),
                Level::Blocker,
                "image.absent",
                format!("image {image} of {users} cannot be pulled: {why}"),
            )),
            Some(Known::Unknown(why)) => unknown.entry(why).or_default().push(image),
            None if ImageName::parse(image).is_none() => verdicts.push(verdict(
                image.clone(),
                Level::Warning,
                "image.unreadable",
                format!("`{image}` of {users} is no name of an image as it stands"),
            )),
            Some(Known::Built(built)) => {
                let of_level = misplaced(used, built).into_iter();
                verdicts.extend(of_level.map(|(level, says)| {
                    let says = format!("image {image} is built for {} only: {says}", list(built));
                    verdict(image.clone(), level, "image.architecture", says)
                }));
            }
            Some(Known::There) | None => {}
        }
    }
    for (why, images) in unknown {
        let says = format!("whether these images can be pulled is not known, {why}: {}", images.join(", "));
        verdicts.push(verdict(images.join(", "), Level::Warning, "image.unknown", says));
    }
    verdicts
}

/// Who would be on nodes that do not run an image: always, or perhaps.
fn misplaced(used: &Use, built: &BTreeSet<String>) -> Vec<(Level, String)> {
    let mut found = Vec::new();
    let of = |always: bool| {
        let all = used.objects.iter().filter(move |(_, fits)| {
            let fitting = fits.intersection(built).count();
            if always { fitting == 0 && !fits.is_empty() } else { fitting > 0 && fitting < fits.len() }
        });
        let others: BTreeSet<String> =
            all.clone().flat_map(|(_, fits)| fits.difference(built)).cloned().collect();
        let users: Vec<&str> = all.map(|(user, _)| user.as_str()).collect();
        (users, others)
    };
    let (users, others) = of(true);
    if !users.is_empty() {
        let says = format!(
            "every node that {} may be on has {}: build it for that, or plan a node group of {}",
            told(users.into_iter()),
            list(&others),
            list(built)
        );
        found.push((Level::Blocker, says));
    }
    let (users, others) = of(false);
    if !users.is_empty() {
        let selector = built.first().map(String::as_str).unwrap_or_default();
        let says = format!(
            "{} may come to a node of {}: select kubernetes.io/arch={selector} there, or build it for both",
            told(users.into_iter()),
            list(&others)
        );
        found.push((Level::Warning, says));
    }
    found
}

fn list(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(" and ")
}

/// The first of some, and how many more there are.
fn told<'a>(mut users: impl Iterator<Item = &'a str>) -> String {
    let first = users.next().unwrap_or_default();
    match users.count() {
        0 => first.to_owned(),
        more => format!("{first} and {more} more"),
    }
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
        let found = named([&object].into_iter(), &[]);
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), ["init:1", "main:1"]);
        assert!(found["init:1"].objects.contains_key("CronJob.batch b/a"));
        assert!(found["init:1"].secrets.is_empty());
    }

    #[test]
    fn pull_secrets_are_the_pods_own_else_its_accounts() {
        let account = |name: &str, secret: &str| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "b"},
                "imagePullSecrets": [{"name": secret}]})
        };
        let pod = |name: &str, account: &str, own: Value| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "b"}, "spec": {
                "serviceAccountName": account, "imagePullSecrets": own,
                "containers": [{"name": "m", "image": format!("{name}:1")}]}})
        };
        let objects = [
            account("default", "of-all"),
            account("web", "of-web"),
            pod("one", "web", json!([])),
            pod("two", "web", json!([{"name": "own"}])),
            pod("three", "", json!(null)),
            pod("four", "nobody", json!(null)),
        ];
        let found = named(objects.iter(), &[]);
        let secrets =
            |image: &str| found[image].secrets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(secrets("one:1"), "Secret b/of-web");
        assert_eq!(secrets("two:1"), "Secret b/own");
        assert_eq!(secrets("three:1"), "Secret b/of-all");
        assert_eq!(secrets("four:1"), "");
    }

    fn used_by(fits: &[&str]) -> Use {
        let fits = fits.iter().map(|one| (*one).to_owned()).collect();
        Use { objects: [("Deployment.apps shop/web".to_owned(), fits)].into(), ..Use::default() }
    }

    #[test]
    fn an_absent_image_blocks_and_a_silent_registry_warns_once() {
        let named: Named =
            ["a:1", "b:1", "c:1", "{{x}}"].map(|image| (image.to_owned(), used_by(&[]))).into();
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

    #[test]
    fn an_image_runs_only_on_nodes_that_it_is_built_for() {
        for (fits, built, expected) in [
            (&["amd64"][..], &["amd64"][..], None),
            (&["amd64", "arm64"], &["amd64", "arm64"], None),
            (&[], &["amd64"], None),
            (&["arm64"], &["amd64"], Some(Level::Blocker)),
            (&["amd64", "arm64"], &["amd64"], Some(Level::Warning)),
        ] {
            let named: Named = [("a:1".to_owned(), used_by(fits))].into();
            let built = Known::Built(built.iter().map(|one| (*one).to_owned()).collect());
            let told = verdicts(&named, &[("a:1".to_owned(), built)].into());
            assert_eq!(told.first().map(|one| one.level), expected, "{fits:?}: {told:?}");
            assert!(told.iter().all(|one| one.says.contains("built for amd64 only")), "{told:?}");
        }
    }
}
