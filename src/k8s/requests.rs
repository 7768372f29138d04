//! What people ask for, as ConfigMaps: Kubernetes RBAC decides who may write them.
//!
//! A request is a ConfigMap with the label `portolan.dev/request` and `immutable: true`, so that what was asked
//! cannot be changed afterwards. The answer is an annotation; the daemon removes an answered request ten minutes
//! later, when whoever asked has long read it. An approval stays until its plan was executed.
//!
//! **Who asked** is what the asker's side wrote down: a ConfigMap does not say who created it (only the API
//! server's audit log does). The command line writes the user name that the server itself knows it by.

use super::read::{self, Selection};
use super::request_delivery::{Delivered, Delivery};
use super::store::Place;
use super::url::Query;
use super::watch::{self, Watched};
use super::wire::Call;
use super::{kinds, write};
use crate::model::Object;
use crate::ports::{ApiFailureKind, Approval, Asked, StateFailure, UserRequest, WatchEvent, WatchGuard};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

const LABEL: &str = "portolan.dev/request";
pub(super) const ANSWER: &str = "portolan.dev/answer";
const ASKED_BY: &str = "portolan.dev/asked-by";
/// How long an answered request is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Longest answer, in bytes: annotations of an object may take 256 KiB together.
const LONGEST_ANSWER: usize = 64 << 10;
const BOUND: usize = 64;

/// The request ConfigMaps, and the approvals among them while they are being watched.
#[derive(Default)]
pub(super) struct Requests {
    watched: Mutex<Option<BTreeMap<String, Approval>>>,
}

impl Requests {
    pub(super) async fn ask(&self, place: &Place, request: &UserRequest) -> Result<String, StateFailure> {
        let asker = user_name(place).await.unwrap_or_default();
        let mut request = request.clone();
        if let UserRequest::Approve(approval) = &mut request
            && approval.by.is_empty()
        {
            approval.by.clone_from(&asker);
        }
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
            "metadata": {
                "generateName": "portolan-request-",
                "namespace": place.namespace,
                "labels": { LABEL: word(&request) },
                "annotations": { ASKED_BY: asker },
            },
            "data": { "request": json!(request).to_string() },
        });
        let created = write::create(&place.wire, &kinds::config_map(), &body, None).await;
        let created = created.map_err(|failure| place.failed("the request cannot be written", &failure))?;
        Ok(created.name().to_owned())
    }

    /// Approvals by key: from memory while they are watched, else read.
    pub(super) async fn approvals(&self, place: &Place) -> Result<BTreeMap<String, Approval>, StateFailure> {
        if let Some(watched) = self.watched().as_ref() {
            return Ok(watched.clone());
        }
        let which = Selection::labels(Some(&place.namespace), &format!("{LABEL}=approve"));
        let found = read::list(&place.wire, &kinds::config_map(), &which).await;
        let found = found.map_err(|failure| place.failed("the approvals cannot be read", &failure))?;
        Ok(found.iter().filter_map(|object| Some((object.name().to_owned(), approval(object)?))).collect())
    }

    pub(super) async fn use_up(&self, place: &Place, spent: &Approval) -> Result<(), StateFailure> {
        let same = |a: &Approval| {
            (&a.application, &a.destination, &a.digest)
                == (&spent.application, &spent.destination, &spent.digest)
        };
        for (key, _) in self.approvals(place).await?.iter().filter(|(_, approval)| same(approval)) {
            self.remove(place, key).await?;
            if let Some(watched) = self.watched().as_mut() {
                watched.remove(key);
            }
        }
        Ok(())
    }

    pub(super) async fn answer(&self, place: &Place, key: &str, answer: &str) -> Result<(), StateFailure> {
        let end = (0..=answer.len().min(LONGEST_ANSWER))
            .rev()
            .find(|end| answer.is_char_boundary(*end))
            .unwrap_or(0);
        let patch = json!({ "metadata": { "annotations": { ANSWER: &answer[..end] } } });
        match write::merge_patch(&place.wire, &kinds::config_map(), &place.id("ConfigMap", key), &patch).await
        {
            // Withdrawn by whoever asked: nobody waits for the answer.
            Err(failure) if failure.kind != ApiFailureKind::NotFound => {
                Err(place.failed("the answer cannot be written", &failure))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn await_answer(
        &self,
        place: &Place,
        key: &str,
        limit: Duration,
    ) -> Result<Option<String>, StateFailure> {
        let which = Selection {
            namespace: Some(place.namespace.clone()),
            fields: format!("metadata.name={key}"),
            ..Selection::default()
        };
        let (mut events, _guard) = follow(place, which);
        let answered = async {
            let mut seen = false;
            while let Some((_, event)) = events.recv().await {
                match event {
                    WatchEvent::Initial(object) | WatchEvent::Changed(object) => {
                        seen = true;
                        if let Some(answer) = object.annotation(ANSWER) {
                            return Ok(Some(answer.to_owned()));
                        }
                    }
                    WatchEvent::Gone(_) => return Ok(Some(GONE.into())),
                    WatchEvent::Listed if !seen => return Ok(Some(GONE.into())),
                    WatchEvent::Failed(failure) if !failure.is_transient() => {
                        return Err(place.failed("the answer cannot be waited for", &failure));
                    }
                    WatchEvent::Restarted => seen = false,
                    WatchEvent::Listed | WatchEvent::Failed(_) => {}
                }
            }
            Ok(None)
        };
        tokio::time::timeout(limit, answered).await.unwrap_or(Ok(None))
    }

    /// Delivers requests until the receiver goes.
    pub(super) async fn deliver(&self, place: &Place, sink: mpsc::Sender<Asked>) -> Result<(), StateFailure> {
        let (mut events, _guard) = follow(place, Selection::labels(Some(&place.namespace), LABEL));
        let mut delivery = Delivery::new(self, place, &sink);
        // What is answered is removed later; the wait needs no clock.
        let mut answered: FuturesUnordered<BoxFuture<'static, String>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                () = sink.closed() => break,
                Some(key) = answered.next(), if !answered.is_empty() => {
                    if let Err(failure) = self.remove(place, &key).await {
                        tracing::warn!(key, %failure, "an answered request cannot be removed");
                    }
                }
                event = events.recv() => match event {
                    None => break,
                    Some((_, event)) => match delivery.take(event).await {
                        Delivered::Nothing => {}
                        Delivered::Answered(key) => answered.push(Box::pin(after_a_while(key))),
                        Delivered::NobodyListens => break,
                    },
                },
            }
        }
        *self.watched() = None;
        Ok(())
    }

    async fn remove(&self, place: &Place, key: &str) -> Result<(), StateFailure> {
        let removed =
            write::delete_record(&place.wire, &kinds::config_map(), &place.id("ConfigMap", key)).await;
        removed.map_err(|failure| place.failed(&format!("the request {key} cannot be removed"), &failure))
    }

    /// The approvals, while they are watched.
    pub(super) fn watched(&self) -> std::sync::MutexGuard<'_, Option<BTreeMap<String, Approval>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn after_a_while(key: String) -> String {
    tokio::time::sleep(KEPT).await;
    key
}

const GONE: &str = "the request was dealt with and removed before its answer could be read";

fn follow(
    place: &Place,
    which: Selection,
) -> (mpsc::Receiver<(crate::model::GroupKind, WatchEvent)>, WatchGuard) {
    let (sender, events) = mpsc::channel(BOUND);
    let task =
        tokio::spawn(watch::run(place.wire.clone(), Watched { kind: kinds::config_map(), which }, sender));
    (events, WatchGuard::new(move || task.abort()))
}

fn word(request: &UserRequest) -> &'static str {
    match request {
        UserRequest::Sync { .. } => "sync",
        UserRequest::Approve(_) => "approve",
        UserRequest::Restore { .. } => "restore",
    }
}

/// What the ConfigMap asks for, or why it asks for nothing.
pub(super) fn request(object: &Object) -> Result<UserRequest, String> {
    let text = object.body().pointer("/data/request").and_then(Value::as_str);
    let text =
        text.ok_or("refused: the ConfigMap has no data.request; write requests with the portolan command")?;
    serde_json::from_str(text).map_err(|error| {
        format!("refused: data.request is not a request ({error}); write requests with the portolan command")
    })
}

fn approval(object: &Object) -> Option<Approval> {
    match request(object) {
        Ok(UserRequest::Approve(approval)) => Some(approval),
        _ => None,
    }
}

/// The name the server knows us by (`SelfSubjectReview`, served since 1.28).
async fn user_name(place: &Place) -> Option<String> {
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let content = Some(("application/json", Bytes::from(body.to_string())));
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews".to_owned();
    let answer =
        place.wire.exchange(Call::write(Method::POST, path, Query::default(), content)).await.ok()?;
    let review: Value = answer.json("the review of who we are").ok()?;
    review.pointer("/status/userInfo/username")?.as_str().map(str::to_owned)
}
