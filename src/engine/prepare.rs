//! From a rendering to what is sent: namespaces settled, marks added, ignored paths left out, hooks set apart.

use super::unit::{Prepared, UnitSpec};
use crate::drift::{self, Ignore};
use crate::model::ownership::{APPLICATION, PART_OF};
use crate::model::plan::hex;
use crate::model::{GroupKind, Gvk, IgnoreRule, Object, Permissions, ResourceId};
use crate::plan::annotations::Directives;
use crate::plan::desired::{Declared, builtin_scope, duplicates, fill_namespaces, normalize};
use crate::plan::{Desired, hooks, order};
use crate::ports::{Discovery, RenderFailure, Rendered};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a preparation depends on beside the rendering.
pub(crate) struct Setting<'a> {
    pub spec: &'a UnitSpec,
    /// The ApplySet's id on the destination.
    pub applyset: &'a str,
    pub discovery: &'a Discovery,
    /// Limits of the repository of the document and of the repository of the manifests.
    pub permissions: Vec<Permissions>,
    /// `main@1a2b…`.
    pub revision: String,
    /// The renderer's key.
    pub key: String,
}

/// Makes a rendering ready for its destination. Bad documents become problems; the others go on.
pub(crate) fn prepare(rendered: Rendered, setting: Setting<'_>) -> Prepared {
    let spec = setting.spec;
    let mut problems = rendered.problems;
    let mut declared: Vec<Declared> = rendered
        .objects
        .into_iter()
        .map(|object| Declared {
            object: object.object,
            origin: object.origin,
            create_only: object.create_only,
        })
        .collect();
    declared.retain_mut(|declared| match normalize(&mut declared.object) {
        Ok(()) => true,
        Err(error) => {
            problems.push(RenderFailure { origin: declared.origin.clone(), message: error.to_string() });
            false
        }
    });
    let namespace = spec.application.namespace.as_deref().unwrap_or("default");
    fill_namespaces(&mut declared, namespace, &|gvk| scope(setting.discovery, gvk));
    for duplicate in duplicates(&declared) {
        problems.push(RenderFailure {
            origin: duplicate.second.clone(),
            message: format!(
                "{} is declared a second time; the first is at {}",
                duplicate.id, duplicate.first
            ),
        });
    }
    let mut seen = BTreeSet::new();
    declared.retain(|declared| seen.insert(declared.object.id()));

    let split = hooks::split(declared, &setting.key, &order::rank);
    problems.extend(split.problems.into_iter().map(|(origin, message)| RenderFailure { origin, message }));
    let ignore = match ignore_rules(spec, &split.resources) {
        Ok(ignore) => Arc::new(ignore),
        Err(failure) => {
            problems.push(failure);
            Arc::default()
        }
    };
    let mark = |object: &mut Object| {
        object.set_label(PART_OF, setting.applyset);
        object.set_label(APPLICATION, &spec.name);
    };
    let mut warnings = rendered.warnings;
    let mut prepared = Prepared {
        revision: setting.revision.clone(),
        key: setting.key.clone(),
        problems,
        ignore: ignore.clone(),
        ..Prepared::default()
    };
    for mut resource in split.resources {
        mark(&mut resource.object);
        let gvk = resource.object.gvk();
        if setting.discovery.kind(&gvk).is_none() {
            prepared.unserved.insert(gvk.group_kind());
        }
        if let Some(reason) = forbidden(&setting, &resource.object) {
            prepared.forbidden.insert(resource.object.id(), reason);
        }
        let desired = desired(resource, &ignore);
        warnings.extend(desired.directives.problems.iter().map(|problem| RenderFailure {
            origin: desired.origin.to_string(),
            message: format!("{}: {problem}", desired.id),
        }));
        prepared.desired.push(Arc::new(desired));
    }
    prepared.warnings = warnings;
    prepared.hooks = split.hooks;
    for hook in &mut prepared.hooks {
        mark(&mut hook.object);
        if let Some(reason) = forbidden(&setting, &hook.object) {
            prepared.forbidden.insert(hook.object.id(), reason);
        }
    }
    prepared.desired.sort_by(|a, b| a.id.cmp(&b.id));
    prepared.digest = digest(&prepared);
    prepared
}

fn scope(discovery: &Discovery, gvk: &Gvk) -> Option<bool> {
    discovery
        .kind(gvk)
        .or_else(|| discovery.preferred(&gvk.group_kind()))
        .map(|kind| kind.namespaced)
        .or_else(|| builtin_scope(gvk))
}

/// The application's ignore rules, replicas that an autoscaler owns, and values that are only for the creation.
fn ignore_rules(spec: &UnitSpec, resources: &[Declared]) -> Result<Ignore, RenderFailure> {
    let mut rules = spec.application.ignore.clone();
    for resource in resources.iter().filter(|resource| !resource.create_only.is_empty()) {
        let id = resource.object.id();
        rules.push(IgnoreRule {
            kind: id.kind,
            group: Some(id.group),
            name: Some(id.name),
            namespace: id.namespace,
            paths: resource.create_only.clone(),
        });
    }
    let scaled = drift::hpa_targets(resources.iter().map(|resource| &resource.object));
    Ignore::new(&rules, scaled).map_err(|bad| RenderFailure {
        origin: format!("Application {}", spec.name),
        message: format!("spec.ignore: {bad}"),
    })
}

fn forbidden(setting: &Setting<'_>, object: &Object) -> Option<String> {
    setting
        .permissions
        .iter()
        .find_map(|permissions| permissions.object(&object.id()).err())
        .map(|denied| denied.to_string())
}

fn desired(resource: Declared, ignore: &Ignore) -> Desired {
    let Declared { mut object, origin, .. } = resource;
    let id = object.id();
    let gvk = object.gvk();
    let directives = Arc::new(Directives::of(&object));
    let full = serialize(&object);
    let initial =
        (!ignore.is_empty_for(&id) && !drift::strip(&mut object, ignore).is_empty()).then(|| full.clone());
    let body = if initial.is_some() { serialize(&object) } else { full };
    let digest = hex(&Sha256::digest(&body)[..16]);
    Desired { id, gvk, body, initial, digest, directives, origin: origin.into() }
}

fn serialize(object: &Object) -> Arc<[u8]> {
    Arc::from(object.body().to_string().into_bytes())
}

/// Digest over everything that will be sent.
fn digest(prepared: &Prepared) -> String {
    let mut hasher = Sha256::new();
    for desired in &prepared.desired {
        hasher.update(desired.id.to_string());
        hasher.update([0]);
        hasher.update(&desired.digest);
        hasher.update([b'\n']);
    }
    for hook in &prepared.hooks {
        hasher.update(&hook.key);
        hasher.update(hook.object.body().to_string());
        hasher.update([b'\n']);
    }
    hex(&hasher.finalize()[..16])
}

/// Objects whose kind is not served yet, with the reason in words.
pub(crate) fn deferred(
    prepared: &Prepared,
    discovery: &Discovery,
    destination: &str,
) -> BTreeMap<ResourceId, String> {
    let defined: BTreeSet<GroupKind> =
        prepared.desired.iter().filter_map(|desired| defines(desired)).collect();
    prepared
        .desired
        .iter()
        .filter(|desired| discovery.kind(&desired.gvk).is_none())
        .map(|desired| {
            let kind = desired.gvk.group_kind();
            let reason = if defined.contains(&kind) {
                format!("its kind is defined by this application and not served yet by {destination}")
            } else if discovery.unavailable.contains(&desired.gvk.group) {
                format!("the API group {} does not answer at the moment", desired.gvk.group)
            } else {
                not_served(&desired.gvk, discovery, destination)
            };
            (desired.id.clone(), reason)
        })
        .collect()
}

/// Why a kind is not served, and what to write or to install instead.
fn not_served(gvk: &Gvk, discovery: &Discovery, destination: &str) -> String {
    // The version that is served of the same kind: `v1` where a manifest still says `v1beta1`, or the group it moved to.
    let same_group = discovery.preferred.get(&gvk.group_kind());
    // Groups without a dot are Kubernetes' own, whose kinds moved to other groups of its own.
    let is_builtin = |group: &str| !group.contains('.') || group.ends_with(".k8s.io");
    let moved = || {
        let mut kinds = discovery.preferred.values();
        kinds.find(|served| served.kind == gvk.kind && is_builtin(&gvk.group) && is_builtin(&served.group))
    };
    match same_group.or_else(moved) {
        Some(served) => format!(
            "{gvk} is not served by {destination}, which has it as {}: write that `apiVersion`, and look what changed with it",
            served.api_version()
        ),
        None => format!(
            "{gvk} is not served by {destination}; its CustomResourceDefinition is not in this application"
        ),
    }
}

/// The kind that a CustomResourceDefinition defines.
pub(crate) fn defines(desired: &Desired) -> Option<GroupKind> {
    if desired.id.kind != "CustomResourceDefinition" || desired.id.group != "apiextensions.k8s.io" {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(&desired.body).ok()?;
    let text = |pointer: &str| body.pointer(pointer).and_then(serde_json::Value::as_str);
    Some(GroupKind::new(text("/spec/group")?, text("/spec/names/kind")?))
}
