//! `kustomize build`, in a folder that holds what the kustomization refers to and nothing else.
//!
//! Its output is read like any manifest, as `kubectl apply -k`, Argo CD and Flux do: kustomize reads its input by
//! other rules than kubectl (go-yaml v3: `yes` is a text), but quotes what it prints for a reader like ours.

use super::confidential::{self, Confidential};
use super::objects;
use super::path;
use super::references::Closure;
use super::source::{Folder, failure};
use super::tools::Program;
use super::workspace::Workspace;
use crate::model::yaml::Limits;
use crate::ports::renderer::{RenderFailure, RenderRequest, Rendered};
use std::path::Path;

/// Builds the kustomization in a folder.
pub(super) async fn render(
    program: &Program,
    work_dir: &Path,
    request: &RenderRequest,
    root: &str,
    closure: &Closure,
) -> Result<Rendered, RenderFailure> {
    let version = program.version(work_dir).await?.to_owned();
    let workspace = Workspace::new(work_dir)?;
    let mut folders = Vec::new();
    for (folder, _) in &closure.trees {
        let folder = Folder::read(request, folder, &[]).await?;
        workspace.export(&folder.path, &folder.files)?;
        folders.push(folder);
    }
    check_references(closure, &folders)?;
    // A kustomization may not read files outside its own folder: kustomize's default, and what keeps a repository
    // from putting this machine's files into a ConfigMap.
    let folder = workspace.source().join(root);
    let restrictor = ["--load-restrictor".into(), "LoadRestrictionsRootOnly".into()];
    let arguments = ["build".into(), folder.into()].into_iter().chain(restrictor);
    let output = program.run(&workspace, arguments.collect()).await?;
    if output.code != Some(0) {
        return Err(build_failure(root, &workspace, &output.stderr, &folders));
    }
    let limits = Limits { max_file_bytes: output.stdout.len(), ..Limits::default() };
    let origin = format!("{} (built)", if root.is_empty() { "." } else { root });
    let taken = objects::take(&output.stdout, &limits, &|line| format!("{origin}:{line}"), "");
    let mut rendered = Rendered { objects: taken.objects, problems: taken.problems, ..Rendered::default() };
    let hide = |line: &str| workspace.redact(&secrets(&folders).mask(line));
    let told = confidential::warnings(&output.stderr).map(|line| failure(root, hide(line)));
    rendered.warnings = told.chain(taken.warnings).collect();
    // The build did without what the repository refused.
    rendered.warnings.extend(folders.into_iter().flat_map(|folder| folder.refused));
    rendered.tools.insert("kustomize".into(), version);
    Ok(rendered)
}

/// Every reference that is no folder has to be a file that is there, or kustomize would go and look for a server.
fn check_references(closure: &Closure, folders: &[Folder]) -> Result<(), RenderFailure> {
    for reference in &closure.files {
        let refused = folders.iter().flat_map(|folder| &folder.refused);
        if let Some(refused) =
            refused.into_iter().find(|refused| path::is_within(&reference.target, &refused.origin))
        {
            return Err(refused.clone());
        }
        let present = folders.iter().any(|folder| {
            let paths = folder.files.iter().map(|file| path::join(&folder.path, &file.path));
            paths.into_iter().any(|path| path == reference.target)
        });
        if !present {
            return Err(reference.missing());
        }
    }
    Ok(())
}

fn build_failure(root: &str, workspace: &Workspace, words: &str, folders: &[Folder]) -> RenderFailure {
    let words = workspace.redact(&secrets(folders).mask(words));
    let mut message = format!("kustomize build failed: {words}");
    if words.contains("no such file") {
        message.push_str("; a kustomization reads files of its own folder only");
    }
    for refused in folders.iter().flat_map(|folder| &folder.refused) {
        message.push_str(&format!("; not read: {refused}"));
    }
    failure(root, message)
}

fn secrets(folders: &[Folder]) -> Confidential {
    let mut secrets = Confidential::default();
    folders.iter().for_each(|folder| secrets.collect(&folder.path, &folder.files));
    secrets
}
