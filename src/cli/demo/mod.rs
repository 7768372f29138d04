//! `portolan demo`: the main job, told in chapters on a local control plane.

mod chapters;
mod migration;
mod scene;
mod shop;

use super::rehearsal::{self, World, chapter, say, table};
use super::{Context, output};
use crate::failure::{Failure, FailureKind};
use chapters::Chapter;
use scene::Scene;
use std::process::ExitCode;
use std::time::Instant;

/// Shows the main job on a local control plane, from nothing.
///
/// Builds what is missing (once, some minutes), starts Kubernetes with three nodes, makes a git repository with a small
/// shop, and runs the daemon on it. Ends with a table; the exit code is 0 only when every chapter held.
///
/// With --migration it is another story: the kops program makes a cluster in an AWS on this machine, and the daemon moves
/// it to EKS, half way back, and then for good.
///
/// Examples:
///   portolan demo
///   portolan demo --migration
///   portolan demo --keep          # leaves everything running, with commands to try
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Demo {
    /// Move a kops cluster to EKS, all on this machine.
    #[arg(long)]
    migration: bool,
    /// Leave everything running until Ctrl-C, with commands to try.
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        if self.migration { self.migration(context).await } else { self.main_job(context).await }
    }

    async fn main_job(self, context: &Context) -> Result<ExitCode, Failure> {
        let begun = Instant::now();
        say(
            context,
            "Setting the scene: a local control plane with three nodes, a git repository, the daemon",
        );
        let scene = Scene::set().await?;
        say(context, &format!("Ready after {:.1} s\n", begun.elapsed().as_secs_f64()));
        let mut story = Vec::new();
        for told in Chapter::ALL {
            story.push(chapter(context, told.title(), told.tell(&scene)).await);
        }
        let all_held = story.iter().all(|told| told.held);
        if context.is_structured() {
            output::value(context.output, &story)?;
        }
        table(context, &story);
        if self.keep {
            keep(&scene).await?;
        }
        scene.strike().await?;
        verdict(all_held)
    }

    async fn migration(self, context: &Context) -> Result<ExitCode, Failure> {
        let begun = Instant::now();
        say(
            context,
            "Setting the scene: a local AWS, a cluster in it by the kops program, a git repository, the daemon",
        );
        let world = migration::world().await?;
        say(context, &format!("Ready after {:.1} s\n", begun.elapsed().as_secs_f64()));
        let end = migration::tell(context, &world).await;
        if context.is_structured() {
            output::value(context.output, &end.json())?;
        } else {
            rehearsal::report(&end);
        }
        table(context, &end.chapters);
        if self.keep {
            keep_world(&world).await?;
        }
        world.strike().await?;
        verdict(end.held())
    }
}

fn verdict(all_held: bool) -> Result<ExitCode, Failure> {
    if all_held {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::new(FailureKind::Unmet, "not every chapter held"))
    }
}

async fn keep_world(world: &World) -> Result<(), Failure> {
    output::note("\nEverything keeps running until Ctrl-C. To try, in another terminal:");
    let access = world.aws.access();
    output::note(&format!("  export KUBECONFIG={}", world.old().kubeconfig.display()));
    output::note("  kubectl get nodes --label-columns kops.k8s.io/instancegroup   # the old cluster");
    for (name, kubeconfig) in world.aws.world().kubeconfigs().await {
        output::note(&format!("  kubectl --kubeconfig {} get pods -A   # {name}", kubeconfig.display()));
    }
    for (name, value) in super::local::aws::variables(access) {
        output::note(&format!("  export {name}={value}"));
    }
    output::note(&format!("  cd {} && git log --oneline", world.fleet.folder.display()));
    output::note(&format!("  portolan --config {} status --watch", world.daemon.file().display()));
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn keep(scene: &Scene) -> Result<(), Failure> {
    let file = scene.folder.join("portolan.yaml");
    output::line("\nEverything keeps running until Ctrl-C. To try, in another terminal:");
    output::line(&format!("  export KUBECONFIG={}", scene.kubeconfig()));
    output::line("  kubectl -n shop get all --show-labels");
    output::line(
        "  kubectl -n shop scale deployment search --replicas=7; kubectl -n shop get deployment search",
    );
    output::line(&format!("  cd {} && edit, commit, and look again", scene.shop.folder.display()));
    output::line(&format!("  portolan --config {} status --watch", file.display()));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
