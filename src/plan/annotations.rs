//! What an object's annotations ask for, in the words of Argo CD, Helm, Flux and cli-utils.
//!
//! The meanings are those of the tools themselves:
//! - Argo CD: gitops-engine `pkg/sync/{hook,syncwaves,common}`, docs "Sync Options", "Sync Phases and Waves";
//! - Helm: docs "Chart Hooks" and "Tell Helm Not To Uninstall a Resource", mapped as Argo CD's docs "Helm" say;
//! - Flux: kustomize-controller docs "Controlling the apply behavior of resources"; labels count as well, and values
//!   are compared without regard to case;
//! - cli-utils: `pkg/object/dependson`, `pkg/common`.
//!
//! Where a word that protects an object is misspelt, the object is protected: a typo must never delete.

use super::hooks::{self, Hook};
use crate::model::{Object, ResourceId};
use serde_json::Value;

/// Argo CD: the wave within a phase.
pub const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";
/// Argo CD: options of applying and deleting, separated by commas.
pub const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// Argo CD: options of comparing.
pub const COMPARE_OPTIONS: &str = "argocd.argoproj.io/compare-options";
/// Argo CD: the object's health does not count.
pub const IGNORE_HEALTH: &str = "argocd.argoproj.io/ignore-healthcheck";
/// Helm: `keep` leaves the object when its release goes or its chart drops it.
pub const RESOURCE_POLICY: &str = "helm.sh/resource-policy";
/// Flux: `disabled` keeps the object from garbage collection.
pub const FLUX_PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// Flux: apply policy `Override`, `Merge`, `IfNotPresent` or `Ignore`.
pub const FLUX_SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// Flux: `disabled` leaves the object alone, prune included.
pub const FLUX_RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// Flux: `enabled` allows deletion and creation where a change is refused in place.
pub const FLUX_FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// cli-utils: objects that have to be there and healthy first.
pub const DEPENDS_ON: &str = "config.kubernetes.io/depends-on";
/// cli-utils: `detach` keeps the object.
pub const LIFECYCLE_DELETION: &str = "client.lifecycle.config.k8s.io/deletion";
/// cli-utils: `ignore` leaves an object that exists as it is.
pub const LIFECYCLE_MUTATION: &str = "client.lifecycle.config.k8s.io/mutation";
/// cli-utils: `keep`, the older way to say `detach`.
pub const ON_REMOVE: &str = "cli-utils.sigs.k8s.io/on-remove";

/// Whether an object may be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prune {
    /// Yes, under the prune guard.
    #[default]
    Allowed,
    /// Only after a person approved it.
    Confirm,
    /// No; the text names the annotation.
    Kept(String),
}

impl Prune {
    /// The more careful of two answers wins.
    fn restrict(&mut self, other: Self) {
        match (&*self, &other) {
            (Self::Kept(_), _) | (Self::Confirm, Self::Allowed | Self::Confirm) => {}
            _ => *self = other,
        }
    }
}

/// Whether an object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ApplyPolicy {
    /// It is kept as declared.
    #[default]
    Always,
    /// It is created when it is not there, and left alone afterwards; the text names the annotation.
    IfNotPresent(String),
    /// It is neither applied nor mended; the text names the annotation.
    Never(String),
}

/// All that an object's annotations ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Wave: lower ones are applied first. Argo CD's `sync-wave`, else Helm's `hook-weight`, else 0.
    pub wave: i32,
    /// Set when the object is a hook and not a part of the state that is kept.
    pub hook: Option<Hook>,
    /// Whether it is written.
    pub apply: ApplyPolicy,
    /// Whether it may be deleted when the repository no longer declares it.
    pub prune: Prune,
    /// Whether it may be deleted when its Application document is removed.
    pub delete: Prune,
    /// Pruned after everything else of the plan was applied and is healthy (Argo CD `PruneLast=true`).
    pub prune_last: bool,
    /// May be deleted and created again where a change is refused in place: Argo CD `Force=true`, Flux `force`.
    /// (`Replace=true` alone is Argo CD's way around client-side apply; here it changes nothing.)
    pub replace: bool,
    /// Foreign managers keep what they added: Flux `ssa: Merge`, Argo CD `ClientSideApplyMigration=false`.
    pub merge: bool,
    /// Not counted when it is there without being declared (Argo CD `IgnoreExtraneous`).
    pub ignore_extraneous: bool,
    /// No dry run while its kind is not served (Argo CD `SkipDryRunOnMissingResource=true`).
    pub skip_dry_run_on_missing: bool,
    /// Unknown fields are no error (Argo CD `Validate=false`).
    pub skip_validation: bool,
    /// Its health does not count (Argo CD `ignore-healthcheck`).
    pub ignore_health: bool,
    /// Objects that have to be there and healthy first.
    pub depends_on: Vec<ResourceId>,
    /// What could not be understood.
    pub problems: Vec<AnnotationProblem>,
}

/// An annotation that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationProblem {
    /// Its key.
    pub annotation: &'static str,
    /// What is wrong and how it was read.
    pub message: String,
    /// Whether the object must not be applied with it.
    pub fatal: bool,
}

impl std::fmt::Display for AnnotationProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.annotation, self.message)
    }
}

impl Directives {
    /// Reads the annotations of a declared or a live object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        let mut directives = Self::default();
        // Nearly every object carries none of them: no key, no further look.
        let has = |section: &str| {
            let entries =
                object.body().get("metadata").and_then(|m| m.get(section)).and_then(Value::as_object);
            entries.is_some_and(|entries| entries.keys().any(|key| is_ours_to_read(key)))
        };
        if has("annotations") || has("labels") {
            directives.read_waves_and_hooks(object);
            directives.read_sync_options(object);
            directives.read_compare_options(object);
            directives.read_flux(object);
            directives.read_lifecycle(object);
        }
        directives
    }

    fn problem(&mut self, annotation: &'static str, message: impl Into<String>) {
        self.problems.push(AnnotationProblem { annotation, message: message.into(), fatal: false });
    }

    fn read_waves_and_hooks(&mut self, object: &Object) {
        let mut wave = None;
        for annotation in [SYNC_WAVE, hooks::HELM_HOOK_WEIGHT] {
            let Some(text) = object.annotation(annotation) else {
                continue;
            };
            match text.trim().parse::<i32>() {
                Ok(number) => wave = wave.or(Some(number)),
                Err(_) => self.problem(annotation, format!("`{text}` is no whole number and is not counted")),
            }
        }
        self.wave = wave.unwrap_or_default();
        let found = hooks::read(object);
        self.problems.extend(found.problems);
        self.hook = found.hook;
        if found.skip {
            self.apply = ApplyPolicy::Never(format!("{}: Skip", hooks::ARGO_HOOK));
        }
    }

    fn read_sync_options(&mut self, object: &Object) {
        for option in csv(object.annotation(SYNC_OPTIONS)) {
            let (name, value) = option.split_once('=').map_or((option, ""), |(n, v)| (n.trim(), v.trim()));
            let on = value.eq_ignore_ascii_case("true");
            match name {
                "Prune" => self.prune.restrict(self.removal(option, value)),
                "Delete" => self.delete.restrict(self.removal(option, value)),
                "PruneLast" => self.prune_last = on,
                "Force" => self.replace = on,
                "SkipDryRunOnMissingResource" => self.skip_dry_run_on_missing = on,
                "Validate" => self.skip_validation = value.eq_ignore_ascii_case("false"),
                "ClientSideApplyMigration" => self.merge |= value.eq_ignore_ascii_case("false"),
                "ServerSideApply" if !on => {
                    self.problem(
                        SYNC_OPTIONS,
                        "`ServerSideApply=false` has no effect: every object is applied server-side",
                    );
                }
                // Always so here, or a way around the limits of client-side apply.
                "ServerSideApply" | "ApplyOutOfSyncOnly" | "Replace" => {}
                "CreateNamespace"
                | "FailOnSharedResource"
                | "RespectIgnoreDifferences"
                | "PrunePropagationPolicy" => {
                    let message = format!(
                        "`{name}` is an option of an application, see `spec.sync`; on an object it has no effect"
                    );
                    self.problem(SYNC_OPTIONS, message);
                }
                _ => self.problem(SYNC_OPTIONS, format!("`{option}` is not a known option")),
            }
            let protects = matches!(name, "Prune" | "Delete");
            if protects && !["true", "false", "confirm"].iter().any(|known| value.eq_ignore_ascii_case(known))
            {
                let message = format!(
                    "`{option}` is none of {name}=true, {name}=false, {name}=confirm; the object is kept"
                );
                self.problem(SYNC_OPTIONS, message);
            }
        }
    }

    /// `true` allows, `confirm` asks, anything else keeps.
    fn removal(&self, option: &str, value: &str) -> Prune {
        match value {
            _ if value.eq_ignore_ascii_case("true") => Prune::Allowed,
            _ if value.eq_ignore_ascii_case("confirm") => Prune::Confirm,
            _ => Prune::Kept(format!("{SYNC_OPTIONS}: {option}")),
        }
    }

    fn read_compare_options(&mut self, object: &Object) {
        for option in csv(object.annotation(COMPARE_OPTIONS)) {
            match option {
                "IgnoreExtraneous" | "IgnoreExtraneous=true" => self.ignore_extraneous = true,
                // Every comparison here is made with what the server answered, webhooks included.
                "ServerSideDiff=true" | "ServerSideDiff=false" | "IncludeMutationWebhook=true" => {}
                _ => self.problem(COMPARE_OPTIONS, format!("`{option}` is not a known option")),
            }
        }
        self.ignore_health = object.annotation(IGNORE_HEALTH).is_some_and(|value| value == "true");
    }

    fn read_flux(&mut self, object: &Object) {
        if let Some(value) = annotation_or_label(object, FLUX_PRUNE) {
            if !value.eq_ignore_ascii_case("enabled") {
                self.keep(FLUX_PRUNE, value);
            }
            self.expect_one_of(FLUX_PRUNE, value, &["enabled", "disabled"], "the object is kept");
        }
        if let Some(value) = annotation_or_label(object, FLUX_FORCE) {
            self.replace |= value.eq_ignore_ascii_case("enabled");
            self.expect_one_of(FLUX_FORCE, value, &["enabled", "disabled"], "it is not counted");
        }
        if let Some(value) = annotation_or_label(object, FLUX_SSA) {
            match value.to_ascii_lowercase().as_str() {
                "merge" => self.merge = true,
                "ifnotpresent" => self.create_only(FLUX_SSA, value),
                "ignore" => self.leave(FLUX_SSA, value),
                _ => {}
            }
            self.expect_one_of(
                FLUX_SSA,
                value,
                &["Override", "Merge", "IfNotPresent", "Ignore"],
                "it is not counted",
            );
        }
        if let Some(value) = annotation_or_label(object, FLUX_RECONCILE) {
            if value.eq_ignore_ascii_case("disabled") {
                self.leave(FLUX_RECONCILE, value);
            }
            self.expect_one_of(FLUX_RECONCILE, value, &["enabled", "disabled"], "it is not counted");
        }
    }

    fn read_lifecycle(&mut self, object: &Object) {
        // Helm compares `helm.sh/resource-policy` in lower case; Argo CD takes a list.
        for value in csv(object.annotation(RESOURCE_POLICY)) {
            self.keep(RESOURCE_POLICY, value);
            self.expect_one_of(RESOURCE_POLICY, value, &["keep"], "the object is kept");
        }
        for (annotation, known) in [(LIFECYCLE_DELETION, "detach"), (ON_REMOVE, "keep")] {
            if let Some(value) = object.annotation(annotation) {
                self.keep(annotation, value);
                self.expect_one_of(annotation, value, &[known], "the object is kept");
            }
        }
        if let Some(value) = object.annotation(LIFECYCLE_MUTATION) {
            if value.eq_ignore_ascii_case("ignore") {
                self.create_only(LIFECYCLE_MUTATION, value);
            }
            self.expect_one_of(LIFECYCLE_MUTATION, value, &["ignore"], "it is not counted");
        }
        if let Some(text) = object.annotation(DEPENDS_ON) {
            for reference in text.split(',') {
                match dependency(reference) {
                    Some(id) => self.depends_on.push(id),
                    None => self.problems.push(AnnotationProblem {
                        annotation: DEPENDS_ON,
                        message: format!(
                            "`{}` is neither <group>/<kind>/<name> nor <group>/namespaces/<namespace>/<kind>/<name>",
                            reference.trim()
                        ),
                        // As in cli-utils: without the order that was asked for, the object is not applied.
                        fatal: true,
                    }),
                }
            }
        }
    }

    fn keep(&mut self, annotation: &str, value: &str) {
        let kept = Prune::Kept(format!("{annotation}: {value}"));
        self.prune.restrict(kept.clone());
        self.delete.restrict(kept);
    }

    fn create_only(&mut self, annotation: &str, value: &str) {
        if self.apply == ApplyPolicy::Always {
            self.apply = ApplyPolicy::IfNotPresent(format!("{annotation}: {value}"));
        }
    }

    /// Neither applied nor pruned: whoever looks after the object, it is not us.
    fn leave(&mut self, annotation: &str, value: &str) {
        self.apply = ApplyPolicy::Never(format!("{annotation}: {value}"));
        self.keep(annotation, value);
    }

    fn expect_one_of(&mut self, annotation: &'static str, value: &str, known: &[&str], reading: &str) {
        if !known.iter().any(|word| value.eq_ignore_ascii_case(word)) {
            self.problem(annotation, format!("`{value}` is not one of {}; {reading}", known.join(", ")));
        }
    }
}

/// The values of a comma-separated annotation, without blanks and repetitions, as Argo CD reads them.
pub(super) fn csv(text: Option<&str>) -> Vec<&str> {
    let mut values: Vec<&str> = Vec::new();
    for value in text.unwrap_or_default().split(',').map(str::trim).filter(|value| !value.is_empty()) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// Flux reads its marks from annotations and labels alike.
fn annotation_or_label<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.annotation(key).or_else(|| object.label(key))
}

fn is_ours_to_read(key: &str) -> bool {
    const DOMAINS: [&str; 6] = [
        "argocd.argoproj.io",
        "helm.sh",
        "kustomize.toolkit.fluxcd.io",
        "config.kubernetes.io",
        "client.lifecycle.config.k8s.io",
        "cli-utils.sigs.k8s.io",
    ];
    key.split_once('/').is_some_and(|(domain, _)| DOMAINS.contains(&domain))
}

/// `<group>/<kind>/<name>` or `<group>/namespaces/<namespace>/<kind>/<name>`; the core group is empty.
fn dependency(text: &str) -> Option<ResourceId> {
    let parts: Vec<&str> = text.trim().split('/').collect();
    let id = match parts.as_slice() {
        [group, kind, name] => ResourceId::new(group, kind, "", name),
        [group, "namespaces", namespace, kind, name] => ResourceId::new(group, kind, namespace, name),
        _ => return None,
    };
    (!id.kind.is_empty() && !id.name.is_empty()).then_some(id)
}
