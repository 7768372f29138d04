//! Where an object is declared, and what tells its declaration of the new cluster.

use super::claims::{self, Claim};
use super::helm;
use crate::migrate::own::references::References;
use crate::model::{Object, ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Who applies a declaration. The order is that in which claims count: what writes by itself before what a person ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tool {
    /// Portolan.
    Portolan,
    /// Argo CD.
    ArgoCd,
    /// Flux, by a Kustomization.
    FluxKustomize,
    /// Flux, by a HelmRelease.
    FluxHelm,
    /// Helm, by hand or from a pipeline.
    Helm,
    /// `kubectl apply`, by hand or from a pipeline.
    Kubectl,
}

impl Tool {
    /// The tool's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portolan => "Portolan",
            Self::ArgoCd => "Argo CD",
            Self::FluxKustomize | Self::FluxHelm => "Flux",
            Self::Helm => "Helm",
            Self::Kubectl => "kubectl",
        }
    }
}

/// Where a declaration stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Address or name of the repository, of git or of charts.
    pub repository: String,
    /// Folder, file or chart in it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Branch, tag or version, where one is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// The change by which a declaration learns of the new cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retarget {
    /// The object that is changed, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ResourceId>,
    /// The field, as a JSON pointer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// What stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What has to stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The change in words.
    pub says: String,
}

/// That and how an object is declared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Declaration {
    /// Who applies it.
    pub by: Tool,
    /// The Application, Kustomization or release that it is a part of; empty for `kubectl`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part_of: String,
    /// The object that stands for it in the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_by: Option<ResourceId>,
    /// Where it stands, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The mark that shows it.
    pub mark: String,
    /// Other tools that claim the object as well.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<Tool>,
    /// What has to change.
    pub retarget: Retarget,
}

/// What is known beside the cluster's objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Where Portolan's Applications take their objects from.
    pub applications: BTreeMap<String, Place>,
    /// Objects that stand in files of given repositories.
    pub files: BTreeMap<ResourceId, Place>,
    /// Name of the new cluster, as a Cluster document has it.
    pub target: String,
    /// Address of the new cluster's API server, once there is one.
    pub server: Option<String>,
}

/// Everything that a declaration is found in.
pub(super) struct World<'a> {
    objects: &'a [&'a Object],
    references: &'a References<'a>,
    sources: &'a Sources,
    argo: BTreeMap<&'a str, &'a Object>,
    releases: helm::Releases<'a>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        objects: &'a [&'a Object],
        references: &'a References<'a>,
        sources: &'a Sources,
    ) -> Self {
        let is_application =
            |object: &&&Object| object.gvk().group == "argoproj.io" && object.kind() == "Application";
        let argo = objects.iter().filter(is_application).map(|object| (object.name(), *object)).collect();
        Self { argo, releases: helm::Releases::among(objects), objects, references, sources }
    }

    pub(super) fn is_argo_application(&self, name: &str) -> bool {
        self.argo.contains_key(name)
    }

    /// Whether a given repository has the object.
    pub(super) fn is_filed(&self, object: &Object) -> bool {
        self.sources.files.contains_key(&object.id())
    }

    fn find(&self, group: &str, kind: &str, namespace: &str, name: &str) -> Option<&'a Object> {
        self.references.find(&ResourceId::new(group, kind, namespace, name)).map(|at| self.objects[at])
    }

    /// The declaration of an object that has a claim on it.
    pub(super) fn declaration(&self, object: &Object) -> Declaration {
        let mut claims = claims::claims(object, self).into_iter();
        let claim = claims.next().expect("only claimed objects are asked for");
        // Flux sets Helm's marks, and nearly everything was applied by kubectl once.
        let also = claims
            .map(|other| other.tool)
            .filter(|other| !matches!((claim.tool, other), (_, Tool::Kubectl) | (Tool::FluxHelm, Tool::Helm)))
            .filter(|other| *other != claim.tool)
            .collect();
        let (declared_by, place, retarget) = match claim.tool {
            Tool::Portolan => self.portolan(&claim),
            Tool::ArgoCd => self.argo(&claim),
            Tool::FluxKustomize => self.kustomization(&claim),
            Tool::FluxHelm => self.helm_release(&claim),
            Tool::Helm => self.releases.declaration(&claim, &self.sources.target),
            Tool::Kubectl => self.file(object),
        };
        // A repository that has the very file is the better answer.
        let place = place.or_else(|| self.sources.files.get(&object.id()).cloned());
        Declaration {
            by: claim.tool,
            part_of: claim.name,
            declared_by,
            place,
            mark: claim.mark.into(),
            also,
            retarget,
        }
    }

    fn portolan(&self, claim: &Claim) -> Found {
        let new = self.sources.target.clone();
        let retarget = Retarget {
            pointer: "/spec/destination/cluster".into(),
            says: format!("Application {} goes to {new} as well", claim.name),
            new: Some(new),
            ..Retarget::default()
        };
        (None, self.sources.applications.get(&claim.name).cloned(), retarget)
    }

    fn argo(&self, claim: &Claim) -> Found {
        let Some(application) = self.argo.get(claim.name.as_str()) else {
            let says = format!(
                "Application {} of an Argo CD that runs elsewhere gets the new cluster as a destination",
                claim.name
            );
            return (None, None, Retarget { says, ..Retarget::default() });
        };
        let spec = &application.body()["spec"];
        let source = if spec["source"].is_object() { &spec["source"] } else { &spec["sources"][0] };
        let place =
            place(&source["repoURL"], &[&source["path"], &source["chart"]], &[&source["targetRevision"]]);
        let set = references_kind(application, "ApplicationSet");
        let destination = &spec["destination"];
        let (field, old) = match destination["name"].as_str() {
            Some(name) => ("name", Some(name)),
            None => ("server", destination["server"].as_str()),
        };
        let new = match field {
            "server" => self.sources.server.clone(),
            _ => None,
        };
        let retarget = match &set {
            Some(set) => Retarget {
                object: Some(set.clone()),
                pointer: "/spec/generators".into(),
                says: format!("{set} makes Application {}: its generators name the new cluster", claim.name),
                ..Retarget::default()
            },
            None => Retarget {
                object: Some(application.id()),
                pointer: format!("/spec/destination/{field}"),
                old: old.map(str::to_owned),
                says: format!(
                    "Application {} goes to the new cluster, as {}",
                    claim.name, self.sources.target
                ),
                new: new.or_else(|| Some(self.sources.target.clone())),
            },
        };
        (Some(application.id()), place, retarget)
    }

    fn kustomization(&self, claim: &Claim) -> Found {
        let namespace = claim.namespace.as_deref().unwrap_or_default();
        let found = self.find("kustomize.toolkit.fluxcd.io", "Kustomization", namespace, &claim.name);
        let place = found.and_then(|kustomization| {
            let spec = &kustomization.body()["spec"];
            let source = self.flux_source(&spec["sourceRef"], namespace)?;
            place(&source["spec"]["url"], &[&spec["path"]], &git_revisions(source))
        });
        (found.map(Object::id), place, self.flux("Kustomization", &claim.name, found))
    }

    fn helm_release(&self, claim: &Claim) -> Found {
        let namespace = claim.namespace.as_deref().unwrap_or_default();
        let found = self.find("helm.toolkit.fluxcd.io", "HelmRelease", namespace, &claim.name);
        let place = found.and_then(|release| {
            let chart = &release.body()["spec"]["chart"]["spec"];
            let source = self.flux_source(&chart["sourceRef"], namespace)?;
            let mut revisions = vec![&chart["version"]];
            revisions.extend(git_revisions(source));
            place(&source["spec"]["url"], &[&chart["chart"]], &revisions)
        });
        (found.map(Object::id), place, self.flux("HelmRelease", &claim.name, found))
    }

    /// The GitRepository, HelmRepository, Bucket or OCIRepository of a reference.
    fn flux_source(&self, reference: &Value, namespace: &str) -> Option<&'a Value> {
        let namespace = reference["namespace"].as_str().unwrap_or(namespace);
        let (kind, name) = (reference["kind"].as_str()?, reference["name"].as_str()?);
        self.find("source.toolkit.fluxcd.io", kind, namespace, name).map(Object::body)
    }

    fn flux(&self, kind: &str, name: &str, found: Option<&Object>) -> Retarget {
        Retarget {
            object: found.map(Object::id),
            pointer: "/spec/kubeConfig".into(),
            old: found
                .and_then(|object| object.body().pointer("/spec/kubeConfig/secretRef/name"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            new: None,
            says: format!(
                "Flux on {} is given the folder that declares {kind} {name}, or this one names the new cluster",
                self.sources.target
            ),
        }
    }

    fn file(&self, object: &Object) -> Found {
        let place = self.sources.files.get(&object.id()).cloned();
        let says =
            format!("an Application for {} takes over the folder that the file is in", self.sources.target);
        (None, place, Retarget { says, ..Retarget::default() })
    }
}

/// The object that stands for a declaration, its place, and the change.
pub(super) type Found = (Option<ResourceId>, Option<Place>, Retarget);

/// A place from the first of some fields that has a text.
fn place(repository: &Value, paths: &[&Value], revisions: &[&Value]) -> Option<Place> {
    let first = |values: &[&Value]| values.iter().find_map(|value| value.as_str()).map(str::to_owned);
    Some(Place {
        repository: without_password(repository.as_str()?),
        path: first(paths).unwrap_or_default(),
        revision: first(revisions),
    })
}

/// A repository's address may carry a token, which is shown to nobody.
fn without_password(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.split('/').next().unwrap_or_default();
            match host.rsplit_once('@') {
                Some((login, _)) if login.contains(':') || !scheme.starts_with("ssh") => {
                    format!("{scheme}://{}", &rest[login.len() + 1..])
                }
                _ => address.to_owned(),
            }
        }
        None => address.to_owned(),
    }
}

fn git_revisions(source: &Value) -> Vec<&Value> {
    ["branch", "tag", "semver", "commit"].iter().map(|field| &source["spec"]["ref"][*field]).collect()
}

/// The owner of a kind that an object names.
fn references_kind(object: &Object, kind: &str) -> Option<ResourceId> {
    let owners = object.body().pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner["kind"] == kind)?;
    let gvk = crate::model::Gvk::from_api_version(owner["apiVersion"].as_str()?, kind);
    let name = owner["name"].as_str()?;
    Some(ResourceId::new(&gvk.group, kind, object.namespace().unwrap_or_default(), name))
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn an_address_loses_its_token() {
        assert_eq!(
            without_password("https://bot:hunter2@git.example.com/a.git"),
            "https://git.example.com/a.git"
        );
        assert_eq!(
            without_password("https://hunter2@git.example.com/a.git"),
            "https://git.example.com/a.git"
        );
        assert_eq!(without_password("ssh://git@git.example.com/a.git"), "ssh://git@git.example.com/a.git");
        assert_eq!(without_password("git@git.example.com:a.git"), "git@git.example.com:a.git");
    }
}
