//! Handing requests to the daemon: each once, what makes no sense answered.

use super::requests::{ANSWER, Requests, request};
use super::store::Place;
use crate::model::Object;
use crate::ports::{Approval, Asked, UserRequest, WatchEvent};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;

/// One run of [`Requests::deliver`].
pub(super) struct Delivery<'a> {
    requests: &'a Requests,
    place: &'a Place,
    sink: &'a mpsc::Sender<Asked>,
    /// Requests handed over in this run: a new list names them again.
    delivered: BTreeSet<String>,
    /// Approvals seen since the list began.
    listed: BTreeMap<String, Approval>,
    listing: bool,
}

/// What became of an event.
pub(super) enum Delivered {
    Nothing,
    /// A request that has its answer and may go after a while.
    Answered(String),
    NobodyListens,
}

impl<'a> Delivery<'a> {
    pub(super) const fn new(requests: &'a Requests, place: &'a Place, sink: &'a mpsc::Sender<Asked>) -> Self {
        Self { requests, place, sink, delivered: BTreeSet::new(), listed: BTreeMap::new(), listing: true }
    }

    pub(super) async fn take(&mut self, event: WatchEvent) -> Delivered {
        match event {
            WatchEvent::Restarted => {
                self.listing = true;
                self.listed.clear();
            }
            WatchEvent::Listed => {
                self.listing = false;
                *self.requests.watched() = Some(std::mem::take(&mut self.listed));
            }
            WatchEvent::Initial(object) | WatchEvent::Changed(object) => return self.request(&object).await,
            WatchEvent::Gone(object) => {
                self.delivered.remove(object.name());
                if let Some(watched) = self.requests.watched().as_mut() {
                    watched.remove(object.name());
                }
            }
            WatchEvent::Failed(failure) => {
                // What is remembered may be out of date now.
                *self.requests.watched() = None;
                tracing::warn!(%failure, "requests cannot be watched at the moment; what people ask for waits");
            }
        }
        Delivered::Nothing
    }

    async fn request(&mut self, object: &Object) -> Delivered {
        let key = object.name().to_owned();
        let request = request(object);
        if let Ok(UserRequest::Approve(approval)) = &request {
            if self.listing {
                self.listed.insert(key.clone(), approval.clone());
            } else if let Some(watched) = self.requests.watched().as_mut() {
                watched.insert(key.clone(), approval.clone());
            }
        }
        if object.annotation(ANSWER).is_some() {
            let lasting = matches!(request, Ok(UserRequest::Approve(_)));
            return if lasting { Delivered::Nothing } else { Delivered::Answered(key) };
        }
        if !self.delivered.insert(key.clone()) {
            return Delivered::Nothing;
        }
        match request {
            Ok(request) => match self.sink.send(Asked { key, request }).await {
                Ok(()) => Delivered::Nothing,
                Err(_) => Delivered::NobodyListens,
            },
            Err(reason) => {
                if let Err(failure) = self.requests.answer(self.place, &key, &reason).await {
                    tracing::warn!(key, %failure, "a request that makes no sense cannot be answered");
                }
                Delivered::Nothing
            }
        }
    }
}
