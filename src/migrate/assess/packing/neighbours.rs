//! Who is where, for pods that have to be near others, apart from them, or spread evenly.
//!
//! Pods of one workload have the same namespace and labels, so they are counted as one class in each place: what a term
//! means is asked once for each class, and not for each of ten thousand pods.

use super::demand::Pod;
use std::collections::{BTreeMap, BTreeSet};

type Labels = BTreeMap<String, String>;
/// A place: the label that says what one is, and its value.
type Place = (String, String);

/// See the module.
pub(super) struct Neighbours<'a> {
    /// Namespace and labels of each class.
    classes: Vec<(&'a str, &'a Labels)>,
    /// The class of each pod.
    of_pod: Vec<usize>,
    /// Labels that some pod's term calls a place.
    topologies: BTreeSet<&'a str>,
    here: BTreeMap<Place, BTreeMap<usize, usize>>,
    anywhere: BTreeMap<usize, usize>,
    /// Pods that keep others away from a place.
    guards: BTreeMap<Place, Vec<usize>>,
}

impl<'a> Neighbours<'a> {
    pub(super) fn of(pods: &'a [Pod]) -> Self {
        let mut known: BTreeMap<(&str, &Labels), usize> = BTreeMap::new();
        let mut classes = Vec::new();
        let of_pod = pods.iter().map(|pod| {
            let class = (pod.namespace.as_str(), &pod.labels);
            *known.entry(class).or_insert_with(|| {
                classes.push(class);
                classes.len() - 1
            })
        });
        let of_pod = of_pod.collect();
        let topologies = pods.iter().flat_map(|pod| {
            let terms = pod.near.iter().chain(&pod.apart).map(|term| term.topology.as_str());
            terms.chain(pod.spread.iter().map(|spread| spread.topology.as_str()))
        });
        let topologies = topologies.collect();
        Self {
            classes,
            of_pod,
            topologies,
            here: BTreeMap::new(),
            anywhere: BTreeMap::new(),
            guards: BTreeMap::new(),
        }
    }

    /// Labels that some pod's term calls a place.
    pub(super) fn topologies(&self) -> impl Iterator<Item = &'a str> {
        self.topologies.iter().copied()
    }

    /// Puts a pod into its places.
    pub(super) fn add(&mut self, index: usize, pod: &Pod, places: Vec<Place>) {
        let class = self.of_pod[index];
        *self.anywhere.entry(class).or_default() += 1;
        for place in places {
            if pod.apart.iter().any(|term| term.topology == place.0) {
                self.guards.entry(place.clone()).or_default().push(index);
            }
            *self.here.entry(place).or_default().entry(class).or_default() += 1;
        }
    }

    /// How many pods of a place a term means.
    pub(super) fn count(&self, topology: &str, value: &str, means: impl Fn(&str, &Labels) -> bool) -> usize {
        let place = (topology.to_owned(), value.to_owned());
        let there = self.here.get(&place).into_iter().flatten();
        there.filter(|(class, _)| self.is_meant(**class, &means)).map(|(_, count)| count).sum()
    }

    /// Whether a term means any pod that has a place by now.
    pub(super) fn is_anywhere(&self, means: impl Fn(&str, &Labels) -> bool) -> bool {
        self.anywhere.keys().any(|class| self.is_meant(*class, &means))
    }

    /// Pods that keep others away from a place.
    pub(super) fn guards(&self, topology: &str, value: &str) -> &[usize] {
        self.guards.get(&(topology.to_owned(), value.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn is_meant(&self, class: usize, means: &impl Fn(&str, &Labels) -> bool) -> bool {
        let (namespace, labels) = self.classes[class];
        means(namespace, labels)
    }
}
