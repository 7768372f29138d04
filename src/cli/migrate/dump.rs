//! `portolan migrate dump`.

use super::folder;
use super::input::Live;
use crate::cli::{Context, output};
use crate::failure::Failure;
use crate::migrate::dump::{self, MANIFEST, Manifest};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes everything that is read of a kops cluster into a folder, without any value of a Secret.
///
/// In place of the values stand keyed digests, by which they can be compared within the dump; the key is kept nowhere.
/// ConfigMaps, environment variables and specs are written as they are: look at them before you give the dump away.
/// What could not be read is named in the manifest, and hinders nothing else.
///
/// Exit codes: 0 the dump is written; above 1 it is not.
///
/// Examples:
///   portolan migrate dump out/ --state s3://kops-state --name live.example.com --context live --aws
///   portolan migrate dump out/ --state ./state-store --files ./infrastructure/kops
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Dump {
    /// The folder, which is made.
    folder: PathBuf,
    #[command(flatten)]
    live: Live,
}

impl Dump {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        // Said before minutes of reading, not after.
        folder::write_new(&self.folder, &dump::Content::new())?;
        let inventory = self.live.read().await?;
        let tool = concat!("portolan ", env!("CARGO_PKG_VERSION"));
        let read_at = jiff::Timestamp::now();
        let content = dump::write(&inventory, tool, &read_at.to_string());
        folder::write_new(&self.folder, &content)?;
        let (manifest, _) = dump::read(&content)
            .map_err(|error| Failure::new(crate::failure::FailureKind::Environment, error))?;
        if context.is_structured() {
            let told = json!({"folder": self.folder, "manifest": manifest});
            output::value(context.output, &told)?;
        } else {
            self.told(&manifest, inventory.objects.len(), inventory.aws.reads.len());
        }
        Ok(ExitCode::SUCCESS)
    }

    fn told(&self, manifest: &Manifest, objects: usize, reads: usize) {
        let cluster = manifest.cluster.as_deref().unwrap_or("no kops cluster");
        output::line(&format!("{}: {cluster}, {} files", self.folder.display(), manifest.files.len() + 1));
        if let Some(store) = &manifest.store {
            output::line(&format!("  state store {}", store.place));
        }
        if let Some(files) = &manifest.files_of_specs {
            output::line(&format!("  specs from {}", files.place));
        }
        if let Some(version) = &manifest.api_server {
            output::line(&format!("  {objects} objects of an API server {version}"));
        }
        if let Some(region) = &manifest.region {
            output::line(&format!("  {reads} reads of AWS in {region}"));
        }
        for unread in &manifest.unread {
            output::line(&format!("  not read: {unread}"));
        }
        output::line(&format!(
            "  {MANIFEST} names every file; assess it with --dump {}",
            self.folder.display()
        ));
    }
}
