//! One task for each repository: one fetch a tick, however many applications read it.

use super::RepositorySource;
use super::world::World;
use crate::model::event::What;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// The longest wait between fetches that fail.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Fetches a repository on its tick, on a change that was noticed, and when asked; says its name after each success
/// that found something new, and after the first.
pub(crate) async fn follow(
    world: Arc<World>,
    index: usize,
    changed: mpsc::Sender<String>,
    mut stop: watch::Receiver<bool>,
) {
    let source = &world.adapters.repositories[index];
    let mut noticed = source.noticed.clone();
    let mut last = None;
    let mut failures = 0u32;
    loop {
        let begun = world.fetches.fetch_add(1, Ordering::SeqCst);
        match source.repository.fetch().await {
            Ok(tip) => {
                let news = mark(&world, source, begun, None, last.as_ref() != Some(&tip));
                failures = 0;
                if news {
                    last = Some(tip);
                    if changed.send(source.name.clone()).await.is_err() {
                        return;
                    }
                }
            }
            Err(failure) => {
                let message = failure.to_string();
                let known = world.repositories().get(&source.name).and_then(|state| state.failure.clone());
                let news = known.as_ref() != Some(&message);
                failures += 1;
                // What an earlier run has fetched is still good to keep the cluster on.
                let first = last.is_none() && failures == 1;
                mark(&world, source, begun, Some(message.clone()), first);
                if news {
                    world.emit("", What::RepositoryFailed { repository: source.name.clone(), message });
                }
                if first && changed.send(source.name.clone()).await.is_err() {
                    return;
                }
            }
        }
        let wait =
            source.interval.saturating_mul(1 << failures.min(6)).min(LONGEST_BACKOFF.max(source.interval));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = world.fetch_now[&source.name].notified() => {}
            () = notice(&mut noticed) => {}
            _ = stop.changed() => return,
        }
        if *stop.borrow() {
            return;
        }
    }
}

/// Notes how the last fetch went. True when there is something to render: news, or what failed before.
fn mark(world: &World, source: &RepositorySource, begun: u64, failure: Option<String>, news: bool) -> bool {
    let news = {
        let mut repositories = world.repositories();
        let state = repositories.entry(source.name.clone()).or_default();
        let again = failure.is_none() && (std::mem::take(&mut state.again) || state.failure.is_some());
        let news = news || again;
        state.fetched |= failure.is_none();
        state.failure = failure;
        state.begun = begun;
        state.unrendered += u32::from(news);
        news
    };
    world.looked.send_replace(());
    news
}

/// Waits for the watch of a local repository, where there is one.
async fn notice(noticed: &mut Option<watch::Receiver<u64>>) {
    match noticed {
        Some(noticed) => {
            if noticed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}
