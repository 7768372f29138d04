//! A source cluster of a test's own, in a local AWS of a test's own.

use std::collections::BTreeSet;

use portolan::local::kops::{Example, KopsRelease, KopsSource, SourceOptions};
use portolan::migrate::own::{Classified, Context, Index, classify};
use portolan::model::Object;
use portolan::model::kops::{KopsState, Spec, is_known};
use serde_json::Value;

use crate::local_aws::lab::{Adapter, Lab};
use crate::support::control_plane::{kubectl_ok, places, progress};

/// Whether tests with this release run: it is built already, or it was asked for. Says so where they do not.
pub fn runs(release: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let asked = std::env::var("PORTOLAN_TEST_KOPS").is_ok_and(|value| value == "all");
    let runs = asked || KopsRelease::find(release).unwrap().is_built(&places(&folder));
    if !runs {
        println!(
            "kops {release} is not built yet; PORTOLAN_TEST_KOPS=all builds it (4 minutes) and runs this test"
        );
    }
    runs
}

/// The two of them.
pub struct Bench {
    pub lab: Lab,
    pub source: KopsSource,
}

impl Bench {
    /// The demo's cluster, by a kops.
    pub async fn start(release: &str) -> Bench {
        let lab = Lab::start(portolan::local::aws::Patience::default()).await;
        let options = SourceOptions {
            release: Some(KopsRelease::find(release).unwrap()),
            supervisor: Some(env!("CARGO_BIN_EXE_portolan").into()),
            ..SourceOptions::new(lab.places.clone())
        };
        match KopsSource::start(&lab.aws, &Adapter, options, &mut progress()).await {
            Ok(source) => Bench { lab, source },
            Err(error) => panic!("{error}\n{}", lab.aws.moto().last_words()),
        }
    }

    /// Applies the demo's workloads.
    pub async fn work(&self) {
        if let Err(error) = Example::apply(self.source.control_plane(), &mut progress()).await {
            panic!("{error}");
        }
    }

    /// Ends both; nothing is left.
    pub async fn stop(self) {
        self.source.stop().await.unwrap();
        self.lab.stop().await;
    }

    /// kubectl as the source cluster's administrator.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl_ok(self.source.control_plane(), arguments).await
    }

    /// Objects as JSON.
    pub async fn get(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments: Vec<&str> =
            ["get"].into_iter().chain(arguments.iter().copied()).chain(["-o", "json"]).collect();
        let mut list: Value = serde_json::from_str(&self.kubectl(&arguments).await).unwrap();
        match list["items"].take() {
            Value::Array(items) => items,
            _ => vec![list],
        }
    }

    /// Every object of every kind that the source cluster serves, each in one version.
    pub async fn everything(&self) -> Vec<Object> {
        let kinds = self.kubectl(&["api-resources", "--verbs=list", "-o", "name"]).await;
        // Events come and go meanwhile; what is in two groups is one object.
        let skipped = ["events", "events.events.k8s.io"];
        let kinds: Vec<&str> = kinds.lines().filter(|kind| !skipped.contains(kind)).collect();
        let objects = self.get(&[&kinds.join(","), "--all-namespaces"]).await;
        objects.into_iter().map(|body| Object::new(body).unwrap()).collect()
    }
}

/// What becomes of each object, by the state store that kops wrote.
pub fn classified(state: &KopsState, objects: &[Object]) -> Vec<Classified> {
    let index = Index::of(state.channel.as_ref().expect("kops has written a channel"));
    let context = Context { kops_version: state.version.clone(), ..Context::default() };
    classify(objects, &index, &context)
}

/// Everything in the state store is understood: no problem, no field that we do not know, every manifest there.
pub fn understood(state: &KopsState) {
    assert_eq!(state.problems, []);
    let specs: Vec<&Spec> =
        [&state.cluster].into_iter().chain(&state.completed).chain(&state.groups).collect();
    let unknown: BTreeSet<String> = specs
        .iter()
        .flat_map(|spec| {
            let unknown = spec.fields.iter().filter(|field| !is_known(spec.kind, &field.path));
            unknown.map(|field| format!("{} {}", spec.subject(), field.path))
        })
        .collect();
    assert_eq!(unknown, BTreeSet::new());
    assert!(state.completed.is_some());
    let channel = state.channel.as_ref().unwrap();
    assert!(channel.addons.len() > 5, "{channel:?}");
    for addon in &channel.addons {
        assert!(addon.objects.as_ref().is_some_and(|objects| !objects.is_empty()), "{addon:?}");
    }
}
