//! Reads: one object, and paged lists.

use super::answer::{list_item, place};
use super::failure;
use super::url::{self, Query};
use super::wire::{Call, Wire};
use crate::model::{Object, ResourceId};
use crate::ports::{ApiFailure, ApiFailureKind, ServedKind};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Objects in one page of a list: kubectl's and client-go's number.
const PAGE: &str = "500";
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// How often a list begins again when the server forgets its history between two pages; then it is asked whole.
const PAGED_ATTEMPTS: usize = 2;

/// Which objects of a kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub(super) namespace: Option<String>,
    pub(super) labels: String,
    pub(super) fields: String,
    /// Ask for `PartialObjectMetadata` instead of whole objects.
    pub(super) metadata_only: bool,
}

impl Selection {
    pub(super) fn labels(namespace: Option<&str>, selector: &str) -> Self {
        Self { namespace: namespace.map(str::to_owned), labels: selector.into(), ..Self::default() }
    }

    pub(super) fn query(&self) -> Query {
        Query::default().with("labelSelector", &self.labels).with("fieldSelector", &self.fields)
    }
}

/// Reads one object. When the kind itself is not served (any more), that is a failure: nothing is known of the object.
pub(super) async fn get(
    wire: &Wire,
    kind: &ServedKind,
    id: &ResourceId,
) -> Result<Option<Object>, ApiFailure> {
    let path = url::object(kind, id.namespace.as_deref(), &id.name);
    match wire.exchange(Call::get(path, Query::default())).await {
        Ok(answer) => answer.object(&id.to_string()).map(Some),
        Err(failure) if failure.kind == ApiFailureKind::NotFound && !failure::is_unserved(&failure) => {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// One page of a list, its items not yet parsed: a page of 500 objects is several megabytes as a tree.
pub(super) struct Page {
    body: Bytes,
    pub(super) resource_version: String,
    pub(super) next: String,
}

#[derive(Deserialize)]
struct PageHead {
    #[serde(default)]
    metadata: ListMeta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ListMeta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct PageItems<'a> {
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

impl Page {
    /// The page's objects, each parsed when it is reached.
    pub(super) fn objects(
        &self,
        kind: &ServedKind,
    ) -> Result<impl Iterator<Item = Result<Object, ApiFailure>>, ApiFailure> {
        let what = format!("a list of {}", kind.gvk);
        let page: PageItems<'_> =
            serde_json::from_slice(&self.body).map_err(|e| failure::unreadable(&what, &place(&e)))?;
        Ok(page.items.unwrap_or_default().into_iter().map(move |raw| {
            let body: Value =
                serde_json::from_str(raw.get()).map_err(|e| failure::unreadable(&what, &place(&e)))?;
            list_item(kind, body)
        }))
    }
}

/// Asks for one page; `paged` false asks for everything at once.
pub(super) async fn page(
    wire: &Wire,
    kind: &ServedKind,
    which: &Selection,
    next: &str,
    paged: bool,
) -> Result<Page, ApiFailure> {
    let query = which.query().with("limit", if paged { PAGE } else { "" }).with("continue", next);
    let mut call = Call::get(url::collection(kind, which.namespace.as_deref()), query);
    if which.metadata_only {
        call.accept = METADATA_ONLY;
    }
    let answer = wire.exchange(call).await?;
    let head: PageHead = answer.json(&format!("a list of {}", kind.gvk))?;
    Ok(Page { body: answer.body, resource_version: head.metadata.resource_version, next: head.metadata.next })
}

/// Lists to the end. A list that expires between two pages begins again: half of an old one and half of a new one
/// would show an object twice or not at all.
pub(super) async fn list(
    wire: &Wire,
    kind: &ServedKind,
    which: &Selection,
) -> Result<Vec<Object>, ApiFailure> {
    for attempt in 0..=PAGED_ATTEMPTS {
        match collect(wire, kind, which, attempt < PAGED_ATTEMPTS).await {
            Err(failure) if failure.kind == ApiFailureKind::Expired && attempt < PAGED_ATTEMPTS => {}
            done => return done,
        }
    }
    Err(ApiFailure::new(ApiFailureKind::Expired, format!("the list of {} expired again and again", kind.gvk)))
}

async fn collect(
    wire: &Wire,
    kind: &ServedKind,
    which: &Selection,
    paged: bool,
) -> Result<Vec<Object>, ApiFailure> {
    let mut objects = Vec::new();
    let mut next = String::new();
    loop {
        let page = page(wire, kind, which, &next, paged).await?;
        for object in page.objects(kind)? {
            objects.push(object?);
        }
        next = page.next;
        if next.is_empty() {
            return Ok(objects);
        }
    }
}
