//! The lists in `config/migrate/`, read once.

use super::Replacement;
use crate::model::yaml::{self, Limits};
use crate::model::{GroupKind, ResourceId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Every list.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read().expect("a test reads the lists of config/migrate"));

/// An add-on of kops.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Addon {
    /// Its name in the bootstrap channel.
    pub(super) name: String,
    /// First minor of kops 1.x that had it.
    pub(super) since: u32,
    /// Last minor of kops 1.x that had it; none where it is still there.
    #[serde(default)]
    #[allow(dead_code, reason = "a fact that the file states for its readers: leftovers outlive it")]
    pub(super) until: Option<u32>,
    /// Id of its replacement.
    pub(super) becomes: String,
    /// People install the same thing themselves, under the same names.
    #[serde(default)]
    pub(super) popular: bool,
    /// Its objects: `Kind.group` to `namespace/name` or `name`.
    objects: BTreeMap<String, Vec<String>>,
}

/// A program that people install themselves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Program {
    /// Last part of the image's name.
    pub(super) image: String,
    /// A part that the image's path has to have before it.
    #[serde(default)]
    pub(super) path: Option<String>,
    /// Whether a person decides.
    #[serde(default)]
    pub(super) ask: bool,
    /// Id of its replacement, where none decides.
    #[serde(default)]
    pub(super) becomes: Option<String>,
    /// What there is to know.
    pub(super) says: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addons {
    addons: Vec<Addon>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replacements {
    replacements: Vec<Replacement>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EksObjects {
    objects: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    programs: Vec<Program>,
}

/// Every list, ready to be asked.
pub(super) struct Table {
    pub(super) addons: Vec<Addon>,
    pub(super) replacements: BTreeMap<String, Replacement>,
    pub(super) programs: Vec<Program>,
    /// Places in `addons`, by settled identity.
    by_object: BTreeMap<ResourceId, Vec<usize>>,
    /// Identities that EKS keeps; a name may end in a star.
    eks: Vec<ResourceId>,
}

impl Table {
    fn read() -> Result<Self, String> {
        let addons: Addons = list(include_str!("../../../config/migrate/kops-addons.yaml"))?;
        let replacements: Replacements = list(include_str!("../../../config/migrate/replacements.yaml"))?;
        let eks: EksObjects = list(include_str!("../../../config/migrate/eks-objects.yaml"))?;
        let programs: Programs = list(include_str!("../../../config/migrate/user-addons.yaml"))?;
        let mut by_object: BTreeMap<ResourceId, Vec<usize>> = BTreeMap::new();
        for (at, addon) in addons.addons.iter().enumerate() {
            for id in identities(&addon.objects) {
                by_object.entry(id).or_default().push(at);
            }
        }
        Ok(Self {
            by_object,
            addons: addons.addons,
            replacements: replacements.replacements.into_iter().map(|one| (one.id.clone(), one)).collect(),
            programs: programs.programs,
            eks: identities(&eks.objects).collect(),
        })
    }

    /// Add-ons that had an object of this identity in some release.
    pub(super) fn addons_of(&self, id: &ResourceId) -> impl Iterator<Item = &Addon> {
        self.by_object.get(id).into_iter().flatten().map(|at| &self.addons[*at])
    }

    /// An add-on by its name.
    pub(super) fn addon(&self, name: &str) -> Option<&Addon> {
        self.addons.iter().find(|addon| addon.name == name)
    }

    /// Whether EKS keeps an object of this identity on every cluster.
    pub(super) fn is_eks(&self, id: &ResourceId) -> bool {
        self.eks.iter().any(|kept| {
            let same_kind = kept.group == id.group && kept.kind == id.kind && kept.namespace == id.namespace;
            same_kind
                && match kept.name.strip_suffix('*') {
                    Some(start) => id.name.starts_with(start),
                    None => kept.name == id.name,
                }
        })
    }
}

impl Addon {
    /// Its objects.
    pub(super) fn objects(&self) -> impl Iterator<Item = ResourceId> {
        identities(&self.objects)
    }
}

fn list<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let document = yaml::read_stream(text.as_bytes(), &Limits::default())
        .into_iter()
        .next()
        .ok_or("the list is empty")?
        .map_err(|error| error.to_string())?;
    serde_json::from_value(document.into_value()).map_err(|error| error.to_string())
}

fn identities(objects: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = ResourceId> {
    objects.iter().flat_map(|(kind, names)| {
        let kind: GroupKind = kind.parse().unwrap_or_else(|never| match never {});
        names.iter().map(move |name| {
            let (namespace, name) = name.split_once('/').unwrap_or(("", name));
            ResourceId::new(&kind.group, &kind.kind, namespace, name)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn the_lists_are_whole() {
        let table = Table::read().unwrap();
        assert_eq!(table.addons.len(), 43);
        for addon in &table.addons {
            assert!(
                table.replacements.contains_key(&addon.becomes),
                "{} becomes {}",
                addon.name,
                addon.becomes
            );
            assert!(addon.until.is_none_or(|until| until >= addon.since), "{}", addon.name);
            for id in addon.objects() {
                assert_eq!(names::applied(&id), id, "{} as it is live", addon.name);
            }
        }
        for program in &table.programs {
            let known = program.becomes.as_ref().is_some_and(|id| table.replacements.contains_key(id));
            assert!(
                program.ask != known,
                "{}: either a person decides, or a replacement is named",
                program.image
            );
        }
        for replacement in table.replacements.values() {
            let made = replacement.eks_addon.is_some() || replacement.chart.is_some();
            assert!(!made || replacement.needed, "{}", replacement.id);
            assert!(replacement.eks_addon.is_none() || replacement.chart.is_none(), "{}", replacement.id);
        }
    }

    #[test]
    fn names_of_eks_may_end_in_a_star() {
        let role = |name| ResourceId::new("rbac.authorization.k8s.io", "ClusterRole", "", name);
        assert!(TABLE.is_eks(&role("eks:addon-manager")));
        assert!(!TABLE.is_eks(&role("eks-viewer")));
    }
}
