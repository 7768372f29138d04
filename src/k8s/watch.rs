//! A watch that goes on: list, follow, and begin again when the server's history or connection is lost.

use super::answer::list_item;
use super::failure;
use super::read::{self, Selection};
use super::retry::{BackOff, seed};
use super::url;
use super::watch_lines::{Line, Lines};
use super::wire::{Call, Wire};
use crate::model::GroupKind;
use crate::ports::{ApiFailure, ApiFailureKind, ServedKind, WatchEvent};
use std::time::Duration;
use tokio::sync::mpsc;

/// What is watched.
pub(super) struct Watched {
    pub(super) kind: ServedKind,
    pub(super) which: Selection,
}

/// How long the server is asked to keep a watch open: 270 to 310 s, spread by kind, so that renewals do not come
/// together.
fn term(kind: &GroupKind) -> u64 {
    270 + seed(&kind.to_string()) % 41
}

/// Silence beyond the term that means a dead connection.
const GRACE: u64 = 30;
/// Bookmarks come once a minute from servers that send them; after the first one, this much silence means a dead
/// connection, which is then noticed within minutes though nothing changes.
const BOOKMARK_SILENCE: Duration = Duration::from_secs(150);

/// A watch that lasted this long works; one that ends sooner is taken up again more and more slowly.
const SETTLED: Duration = Duration::from_secs(5);

/// Why following stopped.
enum Stop {
    /// The receiver is gone.
    Unwanted,
    /// The server does not know the version any more.
    Expired,
    /// The stream ended or broke; the position is still good.
    Ended(Option<ApiFailure>),
    /// The server refused, or did not answer.
    Refused(ApiFailure),
}

/// Runs until the receiver is gone or the task is aborted.
pub(super) async fn run(wire: Wire, watched: Watched, events: mpsc::Sender<(GroupKind, WatchEvent)>) {
    let mut watch = Watch {
        name: watched.kind.gvk.group_kind(),
        wire,
        watched,
        events,
        back_off: BackOff::new(0),
        outage: false,
        settled: false,
    };
    watch.back_off = BackOff::new(seed(&watch.name.to_string()));
    while watch.list_and_follow().await.is_some() {}
}

struct Watch {
    name: GroupKind,
    wire: Wire,
    watched: Watched,
    events: mpsc::Sender<(GroupKind, WatchEvent)>,
    back_off: BackOff,
    /// Whether the receiver has been told of a failure and not yet of a list after it.
    outage: bool,
    /// Whether the last stream lasted.
    settled: bool,
}

impl Watch {
    /// One list and the watches after it. `None` when nobody listens any more.
    async fn list_and_follow(&mut self) -> Option<()> {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(Stop::Unwanted) => return None,
            Err(Stop::Expired) => return self.pause(None).await,
            Err(Stop::Ended(_)) => return Some(()),
            Err(Stop::Refused(failure)) => return self.fail(failure).await,
        };
        self.outage = false;
        loop {
            match self.follow(&mut version).await {
                Stop::Unwanted => return None,
                Stop::Expired => return self.pause(None).await,
                Stop::Ended(None) if self.settled => {}
                // A stream that breaks is an outage only if the next attempt fails as well: servers restart.
                Stop::Ended(failure) => {
                    let reason = failure.map_or_else(|| "ended early".into(), |failure| failure.message);
                    tracing::debug!(kind = %self.name, reason, "a watch broke off and is taken up again");
                    self.pause(None).await?;
                }
                Stop::Refused(failure) => {
                    self.fail(failure).await?;
                    // After an outage the receiver learns by a new list that all is well, even when nothing changed.
                    return Some(());
                }
            }
        }
    }

    async fn list(&mut self) -> Result<String, Stop> {
        let Watched { kind, which } = &self.watched;
        let mut next = String::new();
        let mut begun = false;
        loop {
            let page = read::page(&self.wire, kind, which, &next, true).await.map_err(stopped)?;
            if !begun {
                self.send(WatchEvent::Restarted).await?;
                begun = true;
            }
            for object in page.objects(kind).map_err(Stop::Refused)? {
                self.send(WatchEvent::Initial(object.map_err(Stop::Refused)?)).await?;
            }
            next = page.next;
            if next.is_empty() {
                self.send(WatchEvent::Listed).await?;
                return Ok(page.resource_version);
            }
        }
    }

    async fn follow(&mut self, version: &mut String) -> Stop {
        let term = term(&self.name);
        let query = self.watched.which.query().with("watch", "true").with("allowWatchBookmarks", "true");
        let query = query.with("resourceVersion", version).with("timeoutSeconds", &term.to_string());
        let path = url::collection(&self.watched.kind, self.watched.which.namespace.as_deref());
        let response = match self.wire.open(Call::get(path, query)).await {
            Ok(response) => response,
            Err(failure) => return stopped(failure),
        };
        let address = self.wire.address.clone();
        let mut lines = Lines::new(response.into_body(), &address);
        let mut silence = Duration::from_secs(term + GRACE);
        self.settled = false;
        let mut settling = std::pin::pin!(tokio::time::sleep(SETTLED));
        loop {
            let line = tokio::select! {
                line = lines.next(silence) => line,
                () = &mut settling, if !self.settled => {
                    self.settled = true;
                    self.back_off.reset();
                    continue;
                }
            };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) => return Stop::Ended(None),
                Err(failure) if failure.kind == ApiFailureKind::Server => return Stop::Refused(failure),
                Err(failure) => return Stop::Ended(Some(failure)),
            };
            if line.event == "BOOKMARK" {
                silence = BOOKMARK_SILENCE;
            }
            if let Err(stop) = self.take(line, version).await {
                return stop;
            }
        }
    }

    async fn take(&mut self, line: Line, version: &mut String) -> Result<(), Stop> {
        if line.event == "ERROR" {
            return Err(stopped(failure::from_status_object(&line.object)));
        }
        let at = line.object.get("metadata").and_then(|m| m.get("resourceVersion")).and_then(|v| v.as_str());
        let at = at.unwrap_or_default().to_owned();
        if line.event != "BOOKMARK" {
            let object = list_item(&self.watched.kind, line.object).map_err(Stop::Refused)?;
            let event =
                if line.event == "DELETED" { WatchEvent::Gone(object) } else { WatchEvent::Changed(object) };
            self.send(event).await?;
        }
        // Only what was delivered moves the position.
        if !at.is_empty() {
            *version = at;
        }
        Ok(())
    }

    /// Tells of a failure once per outage, and waits.
    async fn fail(&mut self, failure: ApiFailure) -> Option<()> {
        let asked = failure.retry_after;
        if !self.outage {
            self.outage = true;
            self.send(WatchEvent::Failed(failure)).await.ok()?;
        }
        self.pause(asked).await
    }

    /// Waits, or notices that nobody listens any more.
    async fn pause(&mut self, asked: Option<Duration>) -> Option<()> {
        let wait = self.back_off.next(asked);
        tokio::select! {
            () = tokio::time::sleep(wait) => Some(()),
            () = self.events.closed() => None,
        }
    }

    async fn send(&self, event: WatchEvent) -> Result<(), Stop> {
        self.events.send((self.name.clone(), event)).await.map_err(|_| Stop::Unwanted)
    }
}

fn stopped(failure: ApiFailure) -> Stop {
    if failure.kind == ApiFailureKind::Expired { Stop::Expired } else { Stop::Refused(failure) }
}
