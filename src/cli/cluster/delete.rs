//! `portolan cluster delete`.

use super::{apply, named, shown};
use crate::cli::{Context, output};
use crate::failure::{Failure, FailureKind};
use crate::ports::state::UserRequest;
use std::process::ExitCode;
use std::sync::Arc;

/// Shows what taking a cluster away would delete; with an approval, has it done.
///
/// A cluster goes when its document is removed from the repository and the deletion is approved. This command shows what
/// would go, with what controllers made and has to go first, and gives that approval.
///
/// Examples:
///   portolan cluster delete shop
///   portolan cluster delete shop --approve 3f1c…
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Delete {
    /// Name of the `Cluster` document.
    name: String,
    /// Approve the deletion of this digest.
    #[arg(long)]
    approve: Option<String>,
    /// Do it in this process, also while the document is still there. Only where no daemon keeps the cluster.
    #[arg(long, requires = "approve")]
    here: bool,
}

impl Delete {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let Some(digest) = &self.approve else { return self.show(context).await };
        if self.here {
            return apply::here(context, &self.name, Some(digest), true).await;
        }
        let store = named::store(context).await?;
        let record = named::record(store.as_ref(), &self.name).await?;
        let waiting = record.as_ref().and_then(|record| record.waiting.as_ref());
        if waiting.is_none_or(|waiting| waiting.digest != *digest) {
            let words = match waiting {
                Some(waiting) => format!("the plan that waits has digest {}, not {digest}", waiting.digest),
                None => format!("no plan of {} waits for an approval", self.name),
            };
            return Err(Failure::new(FailureKind::User, words)
                .hint("remove the document from the repository first; the daemon then plans the deletion")
                .hint(format!("`portolan cluster status {}` shows what waits", self.name)));
        }
        let answer =
            named::ask(store.as_ref(), &UserRequest::Approve(named::approval(&self.name, digest))).await?;
        named::say(context, &answer);
        apply::follow(context, store.as_ref(), &self.name).await
    }

    async fn show(&self, context: &Context) -> Result<ExitCode, Failure> {
        let composed = named::compose(context, Arc::new(Vec::new())).await?;
        let preview = composed.cluster_preview(&self.name, true).await.map_err(named::not_looked)?;
        if context.is_structured() {
            output::value(context.output, &preview)?;
        } else if preview.steps.is_empty() && preview.unread.is_empty() {
            output::line(&format!("{}: nothing of the EKS cluster {} is there", self.name, preview.cluster));
        } else {
            shown::plan(&preview, "cluster delete");
        }
        Ok(if preview.has_changes() { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}
