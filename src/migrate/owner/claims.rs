//! The marks that tools leave on what they apply.

use super::declaration::{Tool, World};
use crate::model::{Object, ownership};

/// `tracking-id` and `instance` of Argo CD (argo-cd `common/common.go`).
const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";
const ARGO_INSTANCE: &str = "argocd.argoproj.io/instance";
/// The label that Argo CD tracks by where nothing else is configured, and that charts set for reasons of their own.
const INSTANCE: &str = "app.kubernetes.io/instance";
/// Labels of Flux's kustomize and helm controllers.
const FLUX_KUSTOMIZE: [&str; 2] =
    ["kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"];
const FLUX_HELM: [&str; 2] = ["helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace"];
/// Annotations of Helm 3 (helm `pkg/action/validate.go`).
const HELM: [&str; 2] = ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace"];
/// What `kubectl apply` leaves on an object.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A tool that claims an object, with the name it has for what the object is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) tool: Tool,
    /// Application, Kustomization, release.
    pub(super) name: String,
    /// Its namespace, where the mark says it.
    pub(super) namespace: Option<String>,
    /// The mark, for people to find it.
    pub(super) mark: &'static str,
}

fn claim(tool: Tool, name: &str, namespace: Option<&str>, mark: &'static str) -> Claim {
    Claim { tool, name: name.into(), namespace: namespace.map(str::to_owned), mark }
}

/// Claims on an object, the one that counts first.
pub(super) fn claims(object: &Object, world: &World<'_>) -> Vec<Claim> {
    let mut claims: Vec<Claim> =
        [portolan(object), argo(object, world), flux_kustomize(object), flux_helm(object)]
            .into_iter()
            .chain([helm(object), helm_release(object)])
            .flatten()
            .collect();
    if object.annotation(LAST_APPLIED).is_some() || (claims.is_empty() && world.is_filed(object)) {
        claims.push(claim(Tool::Kubectl, "", None, LAST_APPLIED));
    }
    claims
}

/// The tool whose marks nobody else would set.
pub(super) fn unambiguous(object: &Object) -> Option<Tool> {
    let argo = own_tracking(object).is_some() || object.label(ARGO_INSTANCE).is_some();
    portolan(object)
        .or_else(|| argo.then(|| claim(Tool::ArgoCd, "", None, ARGO_TRACKING)))
        .or_else(|| flux_kustomize(object))
        .or_else(|| flux_helm(object))
        .or_else(|| helm(object))
        .or_else(|| helm_release(object))
        .map(|claim| claim.tool)
}

fn portolan(object: &Object) -> Option<Claim> {
    let name = object.label(ownership::APPLICATION)?;
    object.label(ownership::PART_OF)?;
    Some(claim(Tool::Portolan, name, None, ownership::APPLICATION))
}

/// Name and namespace of the Application of a tracking id that is about this very object: charts and operators copy
/// annotations onto what they make. `app:group/Kind:namespace/name`, the app possibly as `namespace_app`.
fn own_tracking(object: &Object) -> Option<(&str, Option<&str>)> {
    let id = object.annotation(ARGO_TRACKING)?;
    let (application, rest) = id.split_once(':')?;
    let (kind, place) = rest.rsplit_once(':')?;
    let (group, kind) = kind.split_once('/')?;
    let (_, name) = place.split_once('/')?;
    let gvk = object.gvk();
    (gvk.group == group && gvk.kind == kind && object.name() == name).then_some(())?;
    Some(match application.split_once('_') {
        Some((namespace, name)) => (name, Some(namespace)),
        None => (application, None),
    })
}

fn argo(object: &Object, world: &World<'_>) -> Option<Claim> {
    if let Some((name, namespace)) = own_tracking(object) {
        return Some(claim(Tool::ArgoCd, name, namespace, ARGO_TRACKING));
    }
    if let Some(name) = object.label(ARGO_INSTANCE) {
        return Some(claim(Tool::ArgoCd, name, None, ARGO_INSTANCE));
    }
    let name = object.label(INSTANCE)?;
    world.is_argo_application(name).then(|| claim(Tool::ArgoCd, name, None, INSTANCE))
}

fn flux_kustomize(object: &Object) -> Option<Claim> {
    let name = object.label(FLUX_KUSTOMIZE[0])?;
    Some(claim(Tool::FluxKustomize, name, object.label(FLUX_KUSTOMIZE[1]), FLUX_KUSTOMIZE[0]))
}

fn flux_helm(object: &Object) -> Option<Claim> {
    let name = object.label(FLUX_HELM[0])?;
    Some(claim(Tool::FluxHelm, name, object.label(FLUX_HELM[1]), FLUX_HELM[0]))
}

fn helm(object: &Object) -> Option<Claim> {
    let name = object.annotation(HELM[0])?;
    Some(claim(Tool::Helm, name, object.annotation(HELM[1]), HELM[0]))
}

/// The Secret that holds a release goes with the release.
fn helm_release(object: &Object) -> Option<Claim> {
    let kind = object.body().get("type").and_then(|kind| kind.as_str());
    (object.is_secret() && kind == Some("helm.sh/release.v1")).then_some(())?;
    Some(claim(Tool::Helm, object.label("name")?, object.namespace(), "helm.sh/release.v1"))
}
