//! Ring 3, render: a folder of a repository becomes objects, by plain reading, by kustomize or by Helm.
//!
//! ```text
//! folder ─► select ─► plain                          ─► objects
//!                  ├► references ─► kustomize build ─►
//!                  └► chart ─► helm template (twice) ─►
//! ```
//!
//! Programs see an exported copy of what the application names, and nothing else of the repository or the machine.

mod chart;
mod confidential;
mod determinism;
mod helm;
mod key;
mod kustomize;
mod objects;
mod path;
mod pinned;
mod plain;
mod references;
mod select;
mod source;
mod tools;
mod workspace;

pub use determinism::nondeterminism;
pub use tools::{ToolFailure, ToolLimits, Tools};

use crate::model::RendererKind;
use crate::ports::renderer::{
    CommandRunner, RenderFailure, RenderRequest, Rendered, Renderer, helm_settings,
};
use async_trait::async_trait;
use chart::ChartInputs;
use key::Key;
use plain::Selection;
use references::Closure;
use source::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tools::Program;

/// How many choices and proofs are remembered before all are forgotten and found again.
const REMEMBERED: usize = 20_000;

/// Renders folders of repositories.
pub struct FolderRenderer {
    work_dir: PathBuf,
    /// Bounds how many folders are in memory at once, however many applications are asked for.
    reads: Semaphore,
    helm: Program,
    kustomize: Program,
    /// Renderer by tree id: what a folder asks for never changes with its id.
    choices: Mutex<BTreeMap<String, RendererKind>>,
    /// Keys of Helm renderings that came out the same twice.
    proven: Mutex<BTreeSet<String>>,
}

/// What one rendering reads.
enum Inputs {
    Plain { tree: String },
    Kustomize(Closure),
    Helm(ChartInputs),
}

impl FolderRenderer {
    /// `work_dir` holds the temporary folders that programs work in; it is made when it is not there.
    #[must_use]
    pub fn new(tools: Tools, runner: Arc<dyn CommandRunner>, work_dir: PathBuf, limits: ToolLimits) -> Self {
        let places = Arc::new(Semaphore::new(limits.at_once.max(1)));
        let program = |name, path, version: &'static [&'static str]| {
            Program::new(name, path, version, Arc::clone(&runner), limits, Arc::clone(&places))
        };
        Self {
            helm: program("helm", tools.helm, &["version", "--template", "{{.Version}}"]),
            kustomize: program("kustomize", tools.kustomize, &["version"]),
            work_dir,
            reads: Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)),
            choices: Mutex::default(),
            proven: Mutex::default(),
        }
    }

    /// The versions of the programs that are there, by name.
    ///
    /// # Errors
    /// When a program is there and does not tell its version.
    pub async fn versions(&self) -> Result<BTreeMap<String, String>, RenderFailure> {
        let mut versions = BTreeMap::new();
        for program in [&self.helm, &self.kustomize].into_iter().filter(|program| program.is_installed()) {
            versions.insert(program.name().into(), program.version(&self.work_dir).await?.to_owned());
        }
        Ok(versions)
    }

    async fn inputs(&self, request: &RenderRequest, folder: &str) -> Result<Inputs, RenderFailure> {
        let Some(tree) = source::tree_id(request, folder, folder).await? else {
            let message = format!("the folder `{folder}` does not exist at this commit; correct `spec.path`");
            return Err(source::failure(folder, message));
        };
        let known = locked(&self.choices).get(&tree).copied();
        let kind = match request.source.kind.or(known) {
            Some(kind) => kind,
            None => {
                let read = Folder::read(request, folder, &select::ENDINGS).await?;
                let kind = select::choose(read.files.iter().map(|file| file.path.as_str()));
                let mut choices = locked(&self.choices);
                if choices.len() >= REMEMBERED {
                    choices.clear();
                }
                choices.insert(tree.clone(), kind);
                kind
            }
        };
        Ok(match kind {
            RendererKind::Plain => Inputs::Plain { tree },
            RendererKind::Kustomize => Inputs::Kustomize(references::closure(request, folder).await?),
            RendererKind::Helm => {
                let settings = helm_settings(&request.source);
                Inputs::Helm(chart::inputs(request, folder, tree, &settings).await?)
            }
        })
    }

    async fn key_of(
        &self,
        request: &RenderRequest,
        folder: &str,
        inputs: &Inputs,
    ) -> Result<String, RenderFailure> {
        let mut key;
        match inputs {
            Inputs::Plain { tree } => {
                let source = &request.source;
                key = Key::new("plain");
                key.add("folder", folder).add("tree", tree).add("recurse", [u8::from(source.recurse)]);
                for (name, globs) in [("include", &source.include), ("exclude", &source.exclude)] {
                    globs.iter().for_each(|glob| {
                        key.add(name, glob);
                    });
                }
            }
            Inputs::Kustomize(closure) => {
                key = Key::new("kustomize");
                key.add("version", self.kustomize.version(&self.work_dir).await?).add("folder", folder);
                for (folder, tree) in &closure.trees {
                    key.add("folder", folder).add("tree", tree);
                }
            }
            Inputs::Helm(inputs) => {
                let settings = helm_settings(&request.source);
                key = Key::new("helm");
                key.add("version", self.helm.version(&self.work_dir).await?)
                    .add("folder", folder)
                    .add("tree", &inputs.tree);
                key.add("release", helm::release(request, &settings)?).add("namespace", &request.namespace);
                key.add("kube-version", helm::kube_version(&request.kube_version));
                for version in request.api_versions.iter() {
                    key.add("api-version", version);
                }
                for file in &inputs.values {
                    key.add("value-file", &file.path).add("content", key::digest(&file.content));
                }
                for dependency in &inputs.local {
                    key.add("dependency", &dependency.below).add("tree", &dependency.tree);
                }
                let written = serde_json::to_vec(&(&settings, &request.ignored));
                key.add("settings", written.expect("settings have text keys only"));
            }
        }
        Ok(key.finish())
    }

    async fn render_plain(&self, request: &RenderRequest, folder: &str) -> Result<Rendered, RenderFailure> {
        let selection = Selection::new(&request.source)?;
        let _place = self.reads.acquire().await.expect("the semaphore is never closed");
        let read = Folder::read(request, folder, selection.endings()).await?;
        // Reading YAML is work for a processor, not for the threads that serve connections.
        let rendered = tokio::task::spawn_blocking(move || plain::render(read, &selection)).await;
        rendered.map_err(|error| source::failure(folder, format!("the reader failed: {error}")))
    }
}

#[async_trait]
impl Renderer for FolderRenderer {
    async fn key(&self, request: &RenderRequest) -> Result<String, RenderFailure> {
        let folder = folder(request)?;
        let inputs = self.inputs(request, &folder).await?;
        self.key_of(request, &folder, &inputs).await
    }

    async fn render(&self, request: &RenderRequest) -> Result<Rendered, RenderFailure> {
        let folder = folder(request)?;
        let inputs = self.inputs(request, &folder).await?;
        match &inputs {
            Inputs::Plain { .. } => self.render_plain(request, &folder).await,
            Inputs::Kustomize(closure) => {
                kustomize::render(&self.kustomize, &self.work_dir, request, &folder, closure).await
            }
            Inputs::Helm(chart) => {
                let key = self.key_of(request, &folder, &inputs).await?;
                let proven = locked(&self.proven).contains(&key);
                let settings = helm_settings(&request.source);
                let rendered =
                    helm::render(&self.helm, &self.work_dir, request, &settings, chart, !proven).await?;
                let mut keys = locked(&self.proven);
                if keys.len() >= REMEMBERED {
                    keys.clear();
                }
                keys.insert(key);
                Ok(rendered)
            }
        }
    }
}

fn folder(request: &RenderRequest) -> Result<String, RenderFailure> {
    path::of_application(&request.path).ok_or_else(|| RenderFailure {
        origin: "spec.path".into(),
        message: format!("`{}` leads out of the repository", request.path),
    })
}

/// What is remembered is true whoever panicked while adding to it.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
