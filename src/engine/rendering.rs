//! One application's rendering: asked for, keyed, made ready for its destination, put in force.

use super::RepositorySource;
use super::destination::{Destination, lock};
use super::prepare::{self, Setting};
use super::unit::{Phase, Prepared, Unit, UnitSpec};
use super::world::World;
use crate::model::event::What;
use crate::ports::{Discovery, RenderFailure, RenderRequest};
use std::sync::Arc;

/// Renders one application, if what it reads has changed, and puts the result in force.
pub(crate) async fn render_unit(world: &Arc<World>, unit: &Arc<Unit>) {
    if let Err(failure) = render(world, unit).await {
        fail(unit, failure.origin, failure.message);
    }
}

/// Tries once more what could not be rendered: what kept it (a full disk, a machine too busy for a chart's time limit) may be
/// over, and no commit tells of that. Only news are told.
pub(crate) async fn render_again(world: &Arc<World>, unit: &Arc<Unit>) {
    // A destination that has not answered yet is asked by somebody else, who then has everything rendered.
    if unit.destination.discovery().kinds.is_empty() {
        return;
    }
    let Err(failure) = render(world, unit).await else { return };
    let is_known = {
        let state = unit.state();
        state.incomplete.as_ref() == Some(&failure.message)
            || state.phase == Phase::RenderFailed(failure.message.clone())
    };
    if !is_known {
        fail(unit, failure.origin, failure.message);
    }
}

async fn render(world: &Arc<World>, unit: &Arc<Unit>) -> Result<(), RenderFailure> {
    let started = unit.destination.clock.now();
    let _turn = unit.rendering.lock().await;
    let Ok(_slot) = world.render_slots.acquire().await else { return Ok(()) };
    let Some(spec) = unit.state().spec.clone() else { return Ok(()) };
    let Some(source) = world.source(&spec.repository) else {
        let message = format!("repository `{}` is not in the daemon's file", spec.repository);
        return Err(RenderFailure { origin: spec.path.clone(), message });
    };
    let reference = spec.application.revision.as_deref().or(source.revision.as_deref());
    let revision = source
        .repository
        .resolve(reference)
        .await
        .map_err(|failure| RenderFailure { origin: spec.repository.clone(), message: failure.to_string() })?;
    let discovery = unit.destination.discovery();
    let request = request(unit, &spec, source, &revision.commit, &discovery);
    let key = prepared_key(&world.adapters.renderer.key(&request).await?, &spec);
    let current = unit.state().prepared.clone();
    if let Some(current) = current.filter(|current| current.key == key && current.unserved.is_empty()) {
        // Equal inputs give an equal rendering: nothing to do, not even to say.
        let mut state = unit.state();
        if state.incomplete.take().is_some() {
            drop(state);
            unit.destination.emit(
                &unit.name,
                What::Rendered { revision: revision.to_string(), objects: current.desired.len(), millis: 0 },
            );
            unit.wake.notify_one();
        }
        return Ok(());
    }
    let rendered = world.adapters.renderer.render(&request).await?;
    let setting = setting(world, unit, &spec, &discovery, revision.to_string(), key);
    let prepared = prepare::prepare(rendered, setting);
    for problem in &prepared.problems {
        let (origin, message) = (problem.origin.clone(), problem.message.clone());
        unit.destination.emit(&unit.name, What::RenderFailed { origin, message });
    }
    for warning in &prepared.warnings {
        let (origin, message) = (warning.origin.clone(), warning.message.clone());
        unit.destination.emit(&unit.name, What::Warned { origin, message });
    }
    let millis = unit.destination.clock.now().duration_since(started).as_millis().max(0) as u64;
    let objects = prepared.desired.len();
    unit.destination.emit(&unit.name, What::Rendered { revision: revision.to_string(), objects, millis });
    unit.supersede(Arc::new(prepared));
    Ok(())
}

/// Says that an application could not be rendered. What was rendered before stays in force.
pub(crate) fn fail(unit: &Unit, origin: String, message: String) {
    unit.destination.emit(&unit.name, What::RenderFailed { origin, message: message.clone() });
    let mut state = unit.state();
    if state.prepared.is_some() {
        state.incomplete = Some(message);
    } else {
        state.phase = Phase::RenderFailed(message);
    }
    drop(state);
    unit.destination.ledger().touched.insert(unit.name.clone());
    unit.destination.touched.notify_one();
    // Its task tries again after a while.
    unit.wake.notify_one();
}

/// What an earlier commit (given by its first digits) declared, by today's document; `None` when it cannot be had any
/// more.
pub(crate) async fn rendering_of(
    world: &World,
    unit: &Unit,
    spec: &UnitSpec,
    commit: &str,
) -> Option<Prepared> {
    let source = world.source(&spec.repository)?;
    let revision = source.repository.resolve(Some(commit)).await.ok()?;
    let discovery = unit.destination.discovery();
    let request = request(unit, spec, source, &revision.commit, &discovery);
    let rendered = world.adapters.renderer.render(&request).await.ok()?;
    Some(prepare::prepare(rendered, setting(world, unit, spec, &discovery, String::new(), String::new())))
}

fn request(
    unit: &Unit,
    spec: &UnitSpec,
    source: &RepositorySource,
    commit: &str,
    discovery: &Discovery,
) -> RenderRequest {
    RenderRequest {
        application: spec.name.clone(),
        namespace: spec.application.namespace.clone().unwrap_or_else(|| "default".into()),
        repository: source.repository.clone(),
        commit: commit.into(),
        path: spec.path.clone(),
        source: spec.application.source.clone(),
        kube_version: discovery.version.clone(),
        api_versions: unit.destination.api_versions(),
        ignored: spec.application.ignore.clone(),
    }
}

fn setting<'a>(
    world: &World,
    unit: &'a Unit,
    spec: &'a UnitSpec,
    discovery: &'a Discovery,
    revision: String,
    key: String,
) -> Setting<'a> {
    Setting {
        spec,
        applyset: unit.destination.parent.id(),
        discovery,
        permissions: world.permissions(&[&spec.declared_in, &spec.repository]),
        revision,
        key,
    }
}

/// The renderer's key and the document's settings: a changed ignore rule changes what is sent.
fn prepared_key(render_key: &str, spec: &UnitSpec) -> String {
    crate::model::plan::digest_of(&(render_key, &spec.name, &spec.application))
}

impl Destination {
    /// `--api-versions` of the destination, made once for each discovery.
    pub fn api_versions(&self) -> Arc<[String]> {
        let discovery = self.discovery();
        let mut made = lock(&self.api_versions);
        match &*made {
            Some((of, versions)) if Arc::ptr_eq(of, &discovery) => versions.clone(),
            _ => {
                let versions: Arc<[String]> = discovery.api_versions().into();
                *made = Some((discovery, versions.clone()));
                versions
            }
        }
    }
}
