//! All documents together: names are unique, and what one document names in another exists.

use super::{ApplicationDocument, DocumentKind, Documents, Problem, Refusal, nearest};
use crate::model::cluster::IN_CLUSTER;
use std::collections::{BTreeMap, BTreeSet};

/// What is known beside the documents. By default nothing is, and no name is called unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// These are all documents there are: what they name has to be among them.
    pub all_documents: bool,
    /// Names of repositories in the daemon's file.
    pub repositories: Option<&'a [String]>,
    /// Names of kubeconfigs in the daemon's file.
    pub kubeconfigs: Option<&'a [String]>,
}

impl Documents {
    /// Checks the documents of all repositories against each other. Documents that cannot stand move to
    /// [`Documents::refused`], each with a problem; those that remain can be acted on.
    ///
    /// Of two documents with one name in the same repository neither stands, for which is meant cannot be known. Of
    /// those in different repositories the one that was merged first stands: a repository must not be able to stop
    /// another's application, so merge in the order of the daemon's file.
    pub fn settle(&mut self, known: Known<'_>) {
        let mut problems = Vec::new();
        let mut refused = BTreeSet::new();
        self.duplicates(&mut problems, &mut refused);
        self.references(known, &mut problems, &mut refused);
        self.cycles(&mut problems, &mut refused);
        self.remove(&refused);
        problems.sort();
        self.problems.extend(problems);
    }

    fn duplicates(&self, problems: &mut Vec<Problem>, refused: &mut Refused) {
        let applications = self.applications.iter().map(|a| (DocumentKind::Application, &a.name, &a.origin));
        let clusters = self.clusters.iter().map(|c| (DocumentKind::Cluster, &c.name, &c.origin));
        let migrations = self.migrations.iter().map(|m| (DocumentKind::Migration, &m.name, &m.origin));
        let mut first = BTreeMap::new();
        let mut position = BTreeMap::from(DocumentKind::ALL.map(|kind| (kind, 0usize)));
        for (kind, name, origin) in applications.chain(clusters).chain(migrations) {
            let index =
                position.get_mut(&kind).map(|next| std::mem::replace(next, *next + 1)).unwrap_or_default();
            let Some((first_origin, first_index)) = first.get(&(kind, name)) else {
                first.insert((kind, name), (origin, index));
                continue;
            };
            let message =
                format!("{kind} `{name}` exists already, at {}:{}", first_origin.file, first_origin.line);
            let problem = origin.problem("/metadata/name", message).about(Some(format!("{kind} {name}")));
            problems.push(problem.hint("names are unique among all repositories: rename one"));
            refused.insert((kind, index));
            if first_origin.repository == origin.repository {
                refused.insert((kind, *first_index));
            }
        }
    }

    fn references(&self, known: Known<'_>, problems: &mut Vec<Problem>, refused: &mut Refused) {
        let clusters = Names::of(
            self,
            known,
            DocumentKind::Cluster,
            self.clusters.iter().map(|cluster| cluster.name.as_str()),
        );
        let applications = Names::of(
            self,
            known,
            DocumentKind::Application,
            self.applications.iter().map(|application| application.name.as_str()),
        );
        self.moves(&clusters, known, problems, refused);
        for (index, application) in self.applications.iter().enumerate() {
            let mut missing = |pointer: &str, what: &str, name: &str, near: Option<&str>, hint: &str| {
                problems.push(unknown(application, pointer, what, name, near, hint));
                refused.insert((DocumentKind::Application, index));
            };
            if let Some(name) = &application.spec.destination.cluster
                && name != IN_CLUSTER
                && !clusters.has(name)
            {
                missing(
                    "/spec/destination/cluster",
                    "Cluster",
                    name,
                    clusters.near(name),
                    "declare a Cluster document of this name",
                );
            }
            for name in &application.spec.depends_on {
                if !applications.has(name) && !self.may_stand_for(name) {
                    missing(
                        "/spec/dependsOn",
                        "Application",
                        name,
                        applications.near(name),
                        "declare it, or take it out",
                    );
                }
            }
            if let (Some(name), Some(repositories)) = (&application.spec.repository, known.repositories)
                && !repositories.contains(name)
            {
                let near = nearest(name, repositories.iter().map(String::as_str));
                missing(
                    "/spec/repository",
                    "repository",
                    name,
                    near,
                    "add it to `repositories` in the daemon's file",
                );
            }
            if let Some(selector) = &application.spec.destination.selector
                && clusters.complete
                && !self
                    .clusters
                    .iter()
                    .any(|cluster| selector.iter().all(|(key, value)| cluster.labels.get(key) == Some(value)))
            {
                let message =
                    "no Cluster document has the labels of `spec.destination.selector`: nothing is delivered";
                let problem = application.origin.problem("/spec/destination/selector", message);
                problems.push(problem.about(Some(format!("Application {}", application.name))).warning());
            }
        }
        for (index, cluster) in self.clusters.iter().enumerate() {
            let name = cluster.spec.kubeconfig.as_ref().and_then(|kubeconfig| kubeconfig.name.as_ref());
            if let (Some(name), Some(kubeconfigs)) = (name, known.kubeconfigs)
                && !kubeconfigs.contains(name)
            {
                let problem =
                    cluster.origin.problem("/spec/kubeconfig", format!("there is no kubeconfig `{name}`"));
                let near = nearest(name, kubeconfigs.iter().map(String::as_str));
                let hint = near.map_or("add it to `kubeconfigs` in the daemon's file".into(), |near| {
                    format!("did you mean `{near}`?")
                });
                problems.push(problem.about(Some(format!("Cluster {}", cluster.name))).hint(hint));
                refused.insert((DocumentKind::Cluster, index));
            }
        }
    }

    /// Whether a name could be one of the applications that an Application with a glob stands for.
    fn may_stand_for(&self, name: &str) -> bool {
        let globbed = self
            .applications
            .iter()
            .filter(|application| application.spec.path.contains(['*', '?', '[', '{']));
        globbed
            .into_iter()
            .any(|application| name.strip_prefix(&application.name).is_some_and(|rest| rest.starts_with('-')))
    }

    /// Applications that wait for each other in a circle: none of them would ever be delivered.
    fn cycles(&self, problems: &mut Vec<Problem>, refused: &mut Refused) {
        let by_name: BTreeMap<&str, usize> =
            self.applications.iter().enumerate().map(|(i, a)| (a.name.as_str(), i)).collect();
        let next = |index: usize| {
            self.applications[index]
                .spec
                .depends_on
                .iter()
                .filter_map(|name| by_name.get(name.as_str()).copied())
        };
        let mut done = BTreeSet::new();
        for start in by_name.values().copied() {
            // Depth first with an explicit stack, for a chain may be as long as there are applications.
            let mut trail: Vec<(usize, Vec<usize>)> = vec![(start, next(start).collect())];
            let mut on_trail = BTreeSet::from([start]);
            while let Some((current, open)) = trail.last_mut() {
                let current = *current;
                match open.pop() {
                    Some(index) if done.contains(&index) => {}
                    Some(index) if on_trail.contains(&index) => {
                        let from = trail.iter().position(|(member, _)| *member == index).unwrap_or_default();
                        let circle: Vec<usize> = trail[from..].iter().map(|(member, _)| *member).collect();
                        if circle
                            .iter()
                            .any(|member| !refused.contains(&(DocumentKind::Application, *member)))
                        {
                            problems.push(self.circle(&circle));
                        }
                        refused.extend(circle.into_iter().map(|member| (DocumentKind::Application, member)));
                    }
                    Some(index) => {
                        on_trail.insert(index);
                        trail.push((index, next(index).collect()));
                    }
                    None => {
                        done.insert(current);
                        on_trail.remove(&current);
                        trail.pop();
                    }
                }
            }
        }
    }

    fn circle(&self, members: &[usize]) -> Problem {
        let names: Vec<&str> = members
            .iter()
            .chain(&members[..1])
            .map(|member| self.applications[*member].name.as_str())
            .collect();
        let first = &self.applications[members[0]];
        let problem = first
            .origin
            .problem("/spec/dependsOn", format!("applications wait for each other: {}", names.join(" → ")));
        problem.about(Some(format!("Application {}", first.name))).hint("take one `dependsOn` out")
    }

    fn remove(&mut self, refused: &Refused) {
        let mut refusals = Vec::new();
        let mut stands = |kind: DocumentKind, index: &mut usize, name: &str, origin: &super::Origin| {
            let stands = !refused.contains(&(kind, *index));
            *index += 1;
            if !stands {
                let (repository, file) = (origin.repository.clone(), origin.file.clone());
                refusals.push(Refusal { repository, file, kind: Some(kind), name: Some(name.into()) });
            }
            stands
        };
        let mut index = 0;
        self.applications.retain(|a| stands(DocumentKind::Application, &mut index, &a.name, &a.origin));
        index = 0;
        self.clusters.retain(|c| stands(DocumentKind::Cluster, &mut index, &c.name, &c.origin));
        index = 0;
        self.migrations.retain(|m| stands(DocumentKind::Migration, &mut index, &m.name, &m.origin));
        self.refused.extend(refusals);
    }
}

/// Documents that cannot stand, by their position.
pub(super) type Refused = BTreeSet<(DocumentKind, usize)>;

/// Names of one kind, those of refused documents included: they exist, they only cannot be read.
pub(super) struct Names<'a> {
    names: BTreeSet<&'a str>,
    /// False when a refused document did not even give its name: then any name may exist.
    complete: bool,
}

impl<'a> Names<'a> {
    fn of(
        documents: &'a Documents,
        known: Known<'_>,
        kind: DocumentKind,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let refused =
            || documents.refused.iter().filter(|refusal| refusal.kind.is_none_or(|of_kind| of_kind == kind));
        let complete = known.all_documents && refused().all(|refusal| refusal.name.is_some());
        Self {
            names: names.chain(refused().filter_map(|refusal| refusal.name.as_deref())).collect(),
            complete,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        !self.complete || self.names.contains(name)
    }

    pub(super) fn near(&self, name: &str) -> Option<&'a str> {
        nearest(name, self.names.iter().copied())
    }
}

fn unknown(
    application: &ApplicationDocument,
    pointer: &str,
    what: &str,
    name: &str,
    near: Option<&str>,
    hint: &str,
) -> Problem {
    let problem = application.origin.problem(pointer, format!("there is no {what} `{name}`"));
    let hint = near.map_or_else(|| hint.into(), |near| format!("did you mean `{near}`?"));
    problem.about(Some(format!("Application {}", application.name))).hint(hint)
}
