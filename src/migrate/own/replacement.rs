//! What takes the place of kops' add-ons (`config/migrate/replacements.yaml`).

use super::table;
use crate::model::cloud::{Call, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A Helm chart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chart {
    /// The project that publishes it, as `owner/name` on GitHub. Its address is a matter of the one who installs it:
    /// companies have mirrors.
    pub project: String,
    /// The chart's name.
    pub name: String,
    /// Where it is installed.
    pub namespace: String,
}

/// What takes the place of something that is not carried over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replacement {
    /// Stable id.
    pub id: String,
    /// What it is, in words.
    pub says: String,
    /// Name of the EKS add-on, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eks_addon: Option<String>,
    /// The Helm chart, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// EKS installs the add-on, its authors support it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub community: bool,
    /// Whether anything is needed at all.
    #[serde(default = "yes")]
    pub needed: bool,
}

const fn yes() -> bool {
    true
}

impl Replacement {
    /// A replacement by its id.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        table::TABLE.replacements.get(id)
    }

    /// The call that installs it on a cluster, where EKS has it as an add-on. EKS chooses the version, and leaves what
    /// stands there alone (`resolveConflicts: NONE`).
    #[must_use]
    pub fn call(&self, cluster: &str) -> Option<Call> {
        let addon = self.eks_addon.as_ref()?;
        let input = json!({"clusterName": cluster, "addonName": addon, "resolveConflicts": "NONE"});
        Some(Call::new(Service::Eks, "CreateAddon", input))
    }
}
