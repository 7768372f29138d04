//! `portolan demo`: the main job, told in chapters on a local control plane.

mod chapters;
mod scene;
mod shop;

use super::output::{self, Colour, coloured};
use super::{Context, Output};
use crate::failure::{Failure, FailureKind};
use chapters::Chapter;
use scene::Scene;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Instant;

/// Shows the main job on a local control plane, from nothing.
///
/// Builds what is missing (once, some minutes), starts Kubernetes with three nodes, makes a git repository with a small
/// shop, and runs the daemon on it. Ends with a table; the exit code is 0 only when every chapter held.
///
/// Examples:
///   portolan demo
///   portolan demo --keep          # leaves everything running, with commands to try
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Demo {
    /// Leave everything running until Ctrl-C, with commands to try.
    #[arg(long)]
    keep: bool,
}

/// What a chapter showed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    chapter: &'static str,
    held: bool,
    millis: u128,
    /// What was seen, or what went wrong.
    seen: Vec<String>,
}

impl Demo {
    pub(super) async fn run(self, context: &Context) -> Result<ExitCode, Failure> {
        let begun = Instant::now();
        say(
            context,
            "Setting the scene: a local control plane with three nodes, a git repository, the daemon",
        );
        let scene = Scene::set().await?;
        say(context, &format!("Ready after {:.1} s\n", begun.elapsed().as_secs_f64()));
        let mut story = Vec::new();
        for chapter in Chapter::ALL {
            say(context, &coloured(Colour::Yellow, chapter.title()));
            let begun = Instant::now();
            let result = chapter.tell(&scene).await;
            let held = result.is_ok();
            let seen = result.unwrap_or_else(|words| vec![words]);
            for line in &seen {
                say(context, &format!("  {} {line}", if held { "·" } else { "!" }));
            }
            story.push(Told { chapter: chapter.title(), held, millis: begun.elapsed().as_millis(), seen });
        }
        let all_held = story.iter().all(|told| told.held);
        match context.output {
            Output::Json | Output::Yaml => output::value(context.output, &story)?,
            Output::Text | Output::Wide => {
                output::line("");
                let rows: Vec<Vec<String>> = story
                    .iter()
                    .map(|told| {
                        let held = if told.held { "held" } else { "FAILED" };
                        vec![
                            told.chapter.to_owned(),
                            held.to_owned(),
                            format!("{:.1} s", told.millis as f64 / 1000.0),
                        ]
                    })
                    .collect();
                for line in output::table(&["CHAPTER", "", "TIME"], &rows) {
                    output::line(&line);
                }
            }
        }
        if self.keep {
            keep(&scene).await?;
        }
        scene.strike().await?;
        if all_held {
            Ok(ExitCode::SUCCESS)
        } else {
            Err(Failure::new(FailureKind::Unmet, "not every chapter held"))
        }
    }
}

/// Tells the story to a person; a program gets it at the end.
fn say(context: &Context, text: &str) {
    if context.is_structured() {
        output::note(text);
    } else {
        output::line(text);
    }
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
