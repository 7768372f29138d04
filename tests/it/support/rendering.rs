//! Requests and renderers for the rendering tests.

use super::memory_repository::MemoryRepository;
use async_trait::async_trait;
use portolan::host::ProcessRunner;
use portolan::local::{Programs, Release};
use portolan::model::{HelmSpec, SourceSpec};
use portolan::ports::RenderRequest;
use portolan::ports::renderer::{
    Command, CommandFailure, CommandOutput, CommandRunner, RenderFailure, Rendered, Renderer,
};
use portolan::render::{FolderRenderer, ToolLimits, Tools};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// A renderer with its own work folder, which the tests find empty afterwards.
pub struct Bench {
    pub renderer: FolderRenderer,
    pub work_dir: TempDir,
    /// How often a program was run.
    pub runs: Arc<AtomicUsize>,
}

/// Runs programs and counts them.
struct CountingRunner(Arc<AtomicUsize>);

#[async_trait]
impl CommandRunner for CountingRunner {
    async fn run(&self, command: &Command) -> Result<CommandOutput, CommandFailure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        ProcessRunner.run(command).await
    }
}

impl Bench {
    /// Without any program: for plain files, and for what is refused before a program is needed.
    pub fn without_programs() -> Self {
        Self::with(Tools::default())
    }

    /// With the pinned programs.
    pub async fn with_programs() -> Self {
        let programs = programs().await;
        Self::with(Tools { helm: Some(programs.helm), kustomize: Some(programs.kustomize) })
    }

    fn with(tools: Tools) -> Self {
        let work_dir = tempfile::tempdir().unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        let runner = Arc::new(CountingRunner(Arc::clone(&runs)));
        let renderer =
            FolderRenderer::new(tools, runner, work_dir.path().join("work"), ToolLimits::default());
        Self { renderer, work_dir, runs }
    }

    pub async fn render(&self, request: &RenderRequest) -> Result<Rendered, RenderFailure> {
        let rendered = self.renderer.render(request).await;
        let work = self.work_dir.path().join("work");
        let left: Vec<PathBuf> = work
            .read_dir()
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        assert_eq!(left, Vec::<PathBuf>::new(), "a run left its folder behind");
        rendered
    }

    pub async fn key(&self, request: &RenderRequest) -> String {
        self.renderer.key(request).await.unwrap()
    }

    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

/// The pinned programs of the local control plane.
pub async fn programs() -> Programs {
    portolan::local::programs(Release::default_release().version, &mut |_| {}).await.unwrap()
}

/// A request for the newest commit.
pub fn request(repository: &Arc<MemoryRepository>, path: &str) -> RenderRequest {
    RenderRequest {
        application: "shop".into(),
        namespace: "shop-namespace".into(),
        commit: repository.head(),
        repository: Arc::clone(repository) as Arc<dyn portolan::ports::Repository>,
        path: path.into(),
        source: SourceSpec::default(),
        kube_version: "v1.36.3".into(),
        api_versions: ["apps/v1", "apps/v1/Deployment", "v1"].map(String::from).into(),
        ignored: Vec::new(),
    }
}

/// A request with Helm settings.
pub fn helm_request(repository: &Arc<MemoryRepository>, path: &str, settings: Value) -> RenderRequest {
    let mut request = request(repository, path);
    request.source.helm = Some(serde_json::from_value::<HelmSpec>(settings).unwrap());
    request
}

/// Identities of the objects, in order.
pub fn ids(rendered: &Rendered) -> Vec<String> {
    rendered.objects.iter().map(|entry| entry.object.id().to_string()).collect()
}

/// The body of the object of this name.
pub fn body<'a>(rendered: &'a Rendered, name: &str) -> &'a Value {
    let found = rendered.objects.iter().find(|entry| entry.object.name() == name);
    found.unwrap_or_else(|| panic!("no {name} among {:?}", ids(rendered))).object.body()
}
