//! Hooks: objects that run once for a new rendering instead of being kept.
//!
//! Phases, waves and delete policies are Argo CD's (docs "Sync Phases and Waves", gitops-engine `pkg/sync/hook`);
//! Helm's hooks are mapped as Argo CD's docs "Helm" say. Where one object carries both, Argo CD's word counts.
//! Unlike Argo CD, a hook runs once for each rendering and never for a heal: see `hooks_done` of the record.

use super::annotations::{AnnotationProblem, Directives, csv};
use super::desired::Declared;
use crate::model::{GroupKind, Object};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;

/// Argo CD: the phases that an object runs in.
pub const ARGO_HOOK: &str = "argocd.argoproj.io/hook";
/// Argo CD: when the hook's object is deleted.
pub const ARGO_DELETE_POLICY: &str = "argocd.argoproj.io/hook-delete-policy";
/// Helm: the events that an object runs at.
pub const HELM_HOOK: &str = "helm.sh/hook";
/// Helm: the order within an event; Argo CD reads it as a wave.
pub const HELM_HOOK_WEIGHT: &str = "helm.sh/hook-weight";
/// Helm: when the hook's object is deleted.
pub const HELM_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";

/// When a hook runs. The order is the order of a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before anything is applied; a failure stops the sync.
    PreSync,
    /// With the objects of its wave.
    Sync,
    /// When everything is applied and healthy.
    PostSync,
    /// When the sync failed.
    SyncFail,
    /// Before the application's objects are deleted.
    PreDelete,
    /// When all of them are gone.
    PostDelete,
}

impl Phase {
    /// The word in the annotation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreSync => "PreSync",
            Self::Sync => "Sync",
            Self::PostSync => "PostSync",
            Self::SyncFail => "SyncFail",
            Self::PreDelete => "PreDelete",
            Self::PostDelete => "PostDelete",
        }
    }

    fn from_argo(word: &str) -> Option<Self> {
        [Self::PreSync, Self::Sync, Self::PostSync, Self::SyncFail, Self::PreDelete, Self::PostDelete]
            .into_iter()
            .find(|phase| phase.as_str() == word)
    }

    fn from_helm(word: &str) -> Option<Self> {
        Some(match word {
            "pre-install" | "pre-upgrade" => Self::PreSync,
            "post-install" | "post-upgrade" => Self::PostSync,
            "pre-delete" => Self::PreDelete,
            "post-delete" => Self::PostDelete,
            _ => return None,
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When a hook's object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeletePolicy {
    /// Just before the hook runs again; also when no policy is named.
    BeforeHookCreation,
    /// When its phase succeeded.
    HookSucceeded,
    /// When it failed.
    HookFailed,
}

/// What makes an object a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hook {
    /// The phases it runs in; empty when it has none that exists here (`pre-rollback`, tests): it is never applied.
    pub phases: BTreeSet<Phase>,
    /// When its object is deleted; never empty.
    pub delete_policies: BTreeSet<DeletePolicy>,
}

/// What the hook annotations say.
#[derive(Debug, Default)]
pub(super) struct HookAnnotations {
    pub hook: Option<Hook>,
    /// Argo CD's `Skip` alone: the object is not applied.
    pub skip: bool,
    pub problems: Vec<AnnotationProblem>,
}

/// Reads the hook annotations of an object.
pub(super) fn read(object: &Object) -> HookAnnotations {
    let mut found = HookAnnotations::default();
    let mut phases = BTreeSet::new();
    let helm = object.annotation(HELM_HOOK);
    let mut is_hook = false;
    let mut skips = false;
    if let Some(text) = object.annotation(ARGO_HOOK) {
        is_hook = true;
        for word in csv(Some(text)) {
            match Phase::from_argo(word) {
                Some(phase) => {
                    phases.insert(phase);
                }
                None if word == "Skip" => skips = true,
                None => found.problem(ARGO_HOOK, word, "a phase of Argo CD"),
            }
        }
        found.skip = skips && phases.is_empty();
    }
    // Argo CD falls back to Helm's word when its own annotation names no phase.
    if phases.is_empty() && !skips && helm.is_some_and(|text| text.trim() != "crd-install") {
        is_hook = true;
        for word in csv(helm) {
            match Phase::from_helm(word) {
                Some(phase) => {
                    phases.insert(phase);
                }
                None if HELM_HOOKS_WITHOUT_PHASE.contains(&word) => {}
                None => found.problem(HELM_HOOK, word, "a hook of Helm"),
            }
        }
    }
    if is_hook && !found.skip {
        let delete_policies = delete_policies(object, &mut found);
        found.hook = Some(Hook { phases, delete_policies });
    }
    found
}

/// Helm's hooks that nothing here corresponds to: Argo CD ignores them, too.
const HELM_HOOKS_WITHOUT_PHASE: [&str; 6] =
    ["pre-rollback", "post-rollback", "test", "test-success", "test-failure", "crd-install"];

/// Argo CD's and Helm's policies together, as gitops-engine adds them up.
fn delete_policies(object: &Object, found: &mut HookAnnotations) -> BTreeSet<DeletePolicy> {
    use DeletePolicy::{BeforeHookCreation, HookFailed, HookSucceeded};
    let mut policies = BTreeSet::new();
    for (annotation, words, whose) in [
        (
            ARGO_DELETE_POLICY,
            ["BeforeHookCreation", "HookSucceeded", "HookFailed"],
            "a delete policy of Argo CD",
        ),
        (
            HELM_DELETE_POLICY,
            ["before-hook-creation", "hook-succeeded", "hook-failed"],
            "a delete policy of Helm",
        ),
    ] {
        for word in csv(object.annotation(annotation)) {
            match words
                .iter()
                .zip([BeforeHookCreation, HookSucceeded, HookFailed])
                .find(|(known, _)| **known == word)
            {
                Some((_, policy)) => {
                    policies.insert(policy);
                }
                None => found.problem(annotation, word, whose),
            }
        }
    }
    if policies.is_empty() {
        policies.insert(BeforeHookCreation);
    }
    policies
}

impl HookAnnotations {
    fn problem(&mut self, annotation: &'static str, word: &str, what: &str) {
        let message = format!("`{word}` is not {what} and is not counted");
        self.problems.push(AnnotationProblem { annotation, message, fatal: false });
    }
}

/// One run of a hook in one phase.
#[derive(Clone, Debug, PartialEq)]
pub struct HookRun {
    /// The phase.
    pub phase: Phase,
    /// The wave within the phase.
    pub wave: i32,
    /// The object to create, with its final name.
    pub object: Object,
    /// Where it comes from: `file:line`.
    pub origin: String,
    /// When the object is deleted.
    pub delete_policies: BTreeSet<DeletePolicy>,
    /// Names the run among those that are done for a rendering: `PreSync Job.batch shop/migrate`.
    pub key: String,
}

/// What is kept, what runs, and what is left out.
#[derive(Debug, Default)]
pub struct Split {
    /// Objects that are kept as declared.
    pub resources: Vec<Declared>,
    /// Hooks by phase, wave, kind and name.
    pub hooks: Vec<HookRun>,
    /// Objects that are not applied here, with the reason.
    pub ignored: Vec<(Declared, String)>,
    /// Objects that cannot be taken, by origin.
    pub problems: Vec<(String, String)>,
}

/// Parts hooks from what is kept.
///
/// Namespaces have to be filled in before, for they are part of a hook's key. `render_digest` identifies the
/// rendering: it makes the names of hooks with `generateName`, which Argo CD calls
/// `<generateName><revision>-<phase>-<time>`; here it is `<generateName><hash>-<phase>`, so that the same rendering
/// always means the same object and a restart does not run it again.
#[must_use]
pub fn split(declared: Vec<Declared>, render_digest: &str, rank: &dyn Fn(&GroupKind) -> u8) -> Split {
    let mut split = Split::default();
    for entry in declared {
        let directives = Directives::of(&entry.object);
        let generated = generate_name(&entry.object).map(String::from);
        let Some(hook) = directives.hook else {
            match unnamed(&entry.object) {
                Some(message) => split.problems.push((entry.origin, message.into())),
                None => split.resources.push(entry),
            }
            continue;
        };
        if hook.phases.is_empty() {
            split.ignored.push((entry, "it is a hook of no phase that a sync has".into()));
            continue;
        }
        for phase in hook.phases {
            let mut object = entry.object.clone();
            if let Some(prefix) = &generated {
                set_generated_name(&mut object, prefix, render_digest, phase);
            }
            split.hooks.push(HookRun {
                phase,
                wave: directives.wave,
                key: format!("{phase} {}", object.id()),
                object,
                origin: entry.origin.clone(),
                delete_policies: hook.delete_policies.clone(),
            });
        }
    }
    split.hooks.sort_by_cached_key(|run| {
        let id = run.object.id();
        (run.phase, run.wave, rank(&id.group_kind()), run.object.name().to_owned(), id)
    });
    split
}

/// Why an object that leaves its name to the server cannot be kept; `None` for a hook, and for one with a name.
#[must_use]
pub fn unnamed(object: &Object) -> Option<&'static str> {
    let is_kept = read(object).hook.is_none();
    (is_kept && generate_name(object).is_some()).then_some(
        "`metadata.generateName` without a name is for hooks only: the object could never be found again; \
         give it a `metadata.name`",
    )
}

/// `metadata.generateName` of an object that came without a name; reading left it in the body beside a makeshift name.
fn generate_name(object: &Object) -> Option<&str> {
    object
        .body()
        .get("metadata")?
        .get("generateName")?
        .as_str()
        .filter(|prefix| !prefix.is_empty() && object.name().starts_with(prefix))
}

/// The longest name a Job may have, whose pods carry it as a label value.
const LONGEST_NAME: usize = 63;

fn set_generated_name(object: &mut Object, prefix: &str, render_digest: &str, phase: Phase) {
    // The makeshift name tells hooks with the same prefix apart.
    let digest = Sha256::digest(format!("{render_digest}\n{}", object.name()));
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let suffix = format!("{hash}-{}", phase.as_str().to_ascii_lowercase());
    let prefix: String = prefix.chars().take(LONGEST_NAME - suffix.len()).collect();
    let metadata = object.metadata_mut();
    metadata.remove("generateName");
    metadata.insert("name".into(), format!("{prefix}{suffix}").into());
}
