//! What a cluster shall be: ring 1's answers about one ClusterConfig, behind a seam, so that what is declared, what is
//! remembered of a removed document and the few kinds of a test go through the same pass.

use crate::model::cloud::Call;
use crate::model::cluster::EksRef;
use crate::model::cluster_config::ClusterConfig;
use crate::provision::network::{Leftover, leftover_calls, leftovers};
use crate::provision::resource::{Driver, Resource, Scope, Snapshot};
use crate::provision::upgrade::{Staged, UpgradeFacts};
use crate::provision::{Declared, Problem, drivers, problems, resources, upgrade};
use serde_json::Value;

/// What a cluster shall be.
pub trait Blueprint: Send + Sync + 'static {
    /// How its kinds are read, made and changed, in the order in which they are read.
    fn drivers(&self) -> Vec<&'static dyn Driver>;

    /// Its resources, as far as they follow from what was read before.
    fn declare(&self, scope: &Scope, known: &Snapshot) -> Declared;

    /// What is wrong with what is declared, in view of what was read.
    fn problems(&self, scope: &Scope, declared: &[Resource], known: &Snapshot) -> Vec<Problem>;

    /// The versions that its resources shall have in this pass.
    fn stage(&self, resources: &[Resource], snapshot: &Snapshot, facts: UpgradeFacts<'_>) -> Staged {
        upgrade::stage(resources, snapshot, facts)
    }

    /// The calls that find what controllers made for it.
    fn leftover_calls(&self, scope: &Scope) -> Vec<Call> {
        leftover_calls(scope)
    }

    /// What controllers made for it, and the calls that are still to be made to know that.
    fn leftovers(&self, scope: &Scope, answers: &[(Call, Value)]) -> (Vec<Leftover>, Vec<Call>) {
        leftovers(scope, answers)
    }
}

/// A ClusterConfig, and what the `Cluster` document says beside it.
pub struct Described {
    /// The file.
    pub config: ClusterConfig,
    /// The `eks` block of the document.
    pub settings: EksRef,
}

impl Blueprint for Described {
    fn drivers(&self) -> Vec<&'static dyn Driver> {
        drivers()
    }

    fn declare(&self, scope: &Scope, known: &Snapshot) -> Declared {
        resources(&self.config, &self.settings, scope, known)
    }

    fn problems(&self, scope: &Scope, declared: &[Resource], known: &Snapshot) -> Vec<Problem> {
        problems(&self.config, &self.settings, scope, declared, known)
    }
}

/// A cluster whose document is gone: what was last declared.
pub struct Remembered(pub Vec<Resource>);

impl Blueprint for Remembered {
    fn drivers(&self) -> Vec<&'static dyn Driver> {
        drivers()
    }

    fn declare(&self, _scope: &Scope, _known: &Snapshot) -> Declared {
        Declared { resources: self.0.clone(), problems: Vec::new() }
    }

    fn problems(&self, _scope: &Scope, _declared: &[Resource], _known: &Snapshot) -> Vec<Problem> {
        Vec::new()
    }
}
