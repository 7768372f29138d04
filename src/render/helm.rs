//! `helm template`, in a folder that holds the chart and its value files and nothing else.

use super::chart::{self, ChartInputs};
use super::confidential::{self, Confidential};
use super::determinism;
use super::objects::{self, Taken};
use super::path;
use super::pinned::Pattern;
use super::source::{Folder, failure};
use super::tools::Program;
use super::workspace::Workspace;
use crate::model::yaml::Limits;
use crate::model::{HelmSpec, SourceFile};
use crate::ports::renderer::{RenderFailure, RenderRequest, Rendered};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest release name that Helm takes.
const LONGEST_RELEASE: usize = 53;
/// API versions in one argument: a single argument of Linux holds 128 KiB.
const VERSIONS_IN_ARGUMENT: usize = 1_000;
/// How far apart the two renderings of a chart that asks for the time are made, so that the seconds differ.
const APART: Duration = Duration::from_millis(1_100);

/// The release name of an application.
pub(super) fn release<'a>(
    request: &'a RenderRequest,
    settings: &'a HelmSpec,
) -> Result<&'a str, RenderFailure> {
    let name = settings.release_name.as_deref().unwrap_or(&request.application);
    let label = |part: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ends(part.chars().next()) && ends(part.chars().last()) && part.chars().all(inside)
    };
    if name.len() <= LONGEST_RELEASE && name.split('.').all(label) {
        return Ok(name);
    }
    let message = format!(
        "`{name}` is no release name for Helm: at most {LONGEST_RELEASE} small letters, digits, `-` and `.`; set another"
    );
    Err(RenderFailure { origin: "spec.source.helm.releaseName".into(), message })
}

/// The Kubernetes version for `--kube-version`: without a vendor's suffix (`v1.31.2-eks-1a2b3c`), which semver counts
/// as a prerelease that `kubeVersion: ">=1.25.0"` does not allow. Argo CD cuts it off as well.
pub(super) fn kube_version(version: &str) -> String {
    let numbers = version.trim_start_matches('v');
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(numbers.len());
    numbers[..end].trim_end_matches('.').to_owned()
}

/// Renders a chart; `twice` to find what differs from one rendering to the next.
pub(super) async fn render(
    program: &Program,
    work_dir: &Path,
    request: &RenderRequest,
    settings: &HelmSpec,
    inputs: &ChartInputs,
    twice: bool,
) -> Result<Rendered, RenderFailure> {
    let pinned: Vec<Pattern> =
        settings.pinned.iter().map(|text| Pattern::parse(text)).collect::<Result<_, _>>()?;
    let version = program.version(work_dir).await?.to_owned();
    let workspace = Workspace::new(work_dir)?;
    let export = export(&workspace, request, inputs).await?;
    let arguments = arguments(&workspace, request, settings, inputs)?;

    let hide = |words: &str| workspace.redact(&secrets(settings, inputs, &export.files).mask(words));
    let run = async || {
        let output = program.run(&workspace, arguments.clone()).await?;
        if output.code == Some(0) {
            return Ok(output);
        }
        let message = format!("helm template failed: {}", hide(&output.stderr));
        Err(failure(&inputs.folder, message))
    };
    let first = run().await?;
    let mut taken = take(&first.stdout, &inputs.folder);
    let mut different = Vec::new();
    if twice {
        if export.asks_for_time {
            tokio::time::sleep(APART).await;
        }
        let second = run().await?.stdout;
        if first.stdout != second {
            let second = take(&second, &inputs.folder);
            different = determinism::nondeterminism(&taken.objects, &second.objects);
        }
    }
    let left =
        determinism::settle(&mut taken.objects, different, &pinned, &request.ignored, &request.namespace);
    if !left.is_empty() {
        return Err(failure(&inputs.folder, determinism::refusal(&left)));
    }

    let mut rendered = Rendered { objects: taken.objects, problems: taken.problems, ..Rendered::default() };
    let told = confidential::warnings(&first.stderr).map(|line| failure(&inputs.folder, hide(line)));
    rendered.warnings = export.warnings.into_iter().chain(told).chain(taken.warnings).collect();
    rendered.tools.insert("helm".into(), version);
    Ok(rendered)
}

/// A chart in its workspace, and what its files tell before it is rendered.
struct Export {
    files: Vec<SourceFile>,
    warnings: Vec<RenderFailure>,
    asks_for_time: bool,
}

async fn export(
    workspace: &Workspace,
    request: &RenderRequest,
    inputs: &ChartInputs,
) -> Result<Export, RenderFailure> {
    let mut files = Vec::new();
    let own = (&inputs.folder, "");
    let local = inputs.local.iter().map(|dependency| (&dependency.folder, dependency.below.as_str()));
    for (folder, below) in std::iter::once(own).chain(local) {
        let folder = Folder::read(request, folder, &[]).await?;
        // A template that is left out without a word would be a prune.
        if let Some(refused) = folder.refused.into_iter().next() {
            return Err(refused);
        }
        files.extend(
            folder
                .files
                .into_iter()
                .map(|file| SourceFile { path: path::join(below, &file.path), content: file.content }),
        );
    }
    workspace.export(&inputs.folder, &files)?;
    for file in &inputs.values {
        let (parent, name) = path::split(&file.path);
        let file = SourceFile { path: name.into(), content: Arc::clone(&file.content) };
        workspace.export(parent, &[file])?;
    }
    let warnings = chart::check_dependencies(&files, &inputs.folder)?;
    // Archives are not opened here; they count as if they asked.
    let asks_for_time = files.iter().any(|file| {
        file.path.ends_with(".tgz")
            || (file.path.contains("templates/") && determinism::asks_for_time(&file.content))
    });
    Ok(Export { files, warnings, asks_for_time })
}

fn arguments(
    workspace: &Workspace,
    request: &RenderRequest,
    settings: &HelmSpec,
    inputs: &ChartInputs,
) -> Result<Vec<OsString>, RenderFailure> {
    let mut arguments: Vec<OsString> = vec!["template".into(), release(request, settings)?.into()];
    arguments.push(workspace.source().join(&inputs.folder).into());
    arguments.extend(["--namespace".into(), request.namespace.clone().into()]);
    arguments.extend(["--kube-version".into(), kube_version(&request.kube_version).into()]);
    for versions in request.api_versions.chunks(VERSIONS_IN_ARGUMENT) {
        arguments.extend(["--api-versions".into(), versions.join(",").into()]);
    }
    arguments.extend(["--include-crds".into(), "--skip-tests".into()]);
    for file in &inputs.values {
        arguments.extend(["--values".into(), workspace.source().join(&file.path).into()]);
    }
    if let Some(values) = &settings.values {
        let values = serde_json::Value::Object(values.clone()).to_string();
        arguments.extend(["--values".into(), workspace.write("values.json", values.as_bytes())?.into()]);
    }
    Ok(arguments)
}

/// What a run must not quote: it has the values, and templates may print them.
fn secrets(settings: &HelmSpec, inputs: &ChartInputs, files: &[SourceFile]) -> Confidential {
    let mut secrets = Confidential::default();
    secrets.collect(&inputs.folder, files);
    let values = inputs
        .values
        .iter()
        .map(|file| SourceFile { path: file.path.clone(), content: Arc::clone(&file.content) });
    secrets.collect("", &values.collect::<Vec<_>>());
    if let Some(values) = &settings.values {
        secrets.collect_values(&serde_json::Value::Object(values.clone()));
    }
    secrets
}

/// Reads what Helm printed. It names the template before each of its documents.
fn take(output: &[u8], folder: &str) -> Taken {
    let sources = sources(output, folder);
    let limits = Limits { max_file_bytes: output.len(), ..Limits::default() };
    let origin = |line: u32| {
        let before = sources.partition_point(|(start, _)| *start <= line);
        match before.checked_sub(1).and_then(|index| sources.get(index)) {
            Some((start, template)) => format!("{template} (rendered):{}", line - start),
            None => format!("{folder} (rendered):{line}"),
        }
    };
    objects::take(output, &limits, &origin, "")
}

/// The lines `# Source: chart/templates/web.yaml`, with the templates as paths in the repository.
fn sources(output: &[u8], folder: &str) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(output.split(|byte| *byte == b'\n')) {
        let Some(source) = text.strip_prefix(b"# Source: ") else {
            continue;
        };
        let source = String::from_utf8_lossy(source);
        // The first part is the chart's name, whatever its folder is called.
        let below = source
            .trim()
            .split_once('/')
            .map_or_else(|| source.trim().to_owned(), |(_, below)| below.to_owned());
        found.push((line, path::join(folder, &below)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_suffixes_are_cut_off() {
        for (version, expected) in [
            ("v1.36.3", "1.36.3"),
            ("v1.31.2-eks-1a2b3c", "1.31.2"),
            ("1.30+", "1.30"),
            ("v1.29.4+k3s1", "1.29.4"),
        ] {
            assert_eq!(kube_version(version), expected);
        }
    }
}
