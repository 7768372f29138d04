//! What people ask for, as files.

use super::files::{self, Changes, Folder};
use crate::ports::{Approval, Asked, StateFailure, UserRequest};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

pub(super) const REQUESTS: &str = "requests";
pub(super) const APPROVALS: &str = "approvals";
pub(super) const ANSWERS: &str = "answers";

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(600);
const GONE: &str = "the request was dealt with and removed before its answer could be read";

pub(super) fn ask(folder: &Folder, request: &UserRequest) -> Result<String, StateFailure> {
    let key = folder.fresh_name();
    let text = serde_json::to_vec(request).map_err(|error| files::broken("the request", &error))?;
    folder.write(REQUESTS, &request_file(&key), &text)?;
    Ok(key)
}

/// Folder and name of a file.
pub(super) type Place = (&'static str, String);

/// Approvals by file: those that wait for an answer, and those that have one and are not used up.
pub(super) fn approvals(folder: &Folder) -> Result<Vec<(Place, Approval)>, StateFailure> {
    let mut found = Vec::new();
    for part in [REQUESTS, APPROVALS] {
        for name in folder.names(part)? {
            if let Some(Ok(UserRequest::Approve(approval))) = request(folder, part, &name)? {
                found.push(((part, name), approval));
            }
        }
    }
    Ok(found)
}

pub(super) fn use_up(folder: &Folder, spent: &Approval) -> Result<(), StateFailure> {
    for ((part, name), approval) in approvals(folder)? {
        if (&approval.application, &approval.destination, &approval.digest)
            == (&spent.application, &spent.destination, &spent.digest)
        {
            folder.remove(part, &name)?;
        }
    }
    Ok(())
}

pub(super) fn answer(folder: &Folder, key: &str, answer: &str) -> Result<(), StateFailure> {
    let name = request_file(key);
    let Some(asked) = request(folder, REQUESTS, &name)? else {
        return Ok(());
    };
    // In this order a process that dies here leaves a request that is delivered again, and never a lost approval.
    if let Ok(request @ UserRequest::Approve(_)) = asked {
        let text = serde_json::to_vec(&request).map_err(|error| files::broken(&name, &error))?;
        folder.write(APPROVALS, &name, &text)?;
    }
    folder.write(ANSWERS, &answer_file(key), answer.as_bytes())?;
    folder.remove(REQUESTS, &name)
}

pub(super) async fn await_answer(
    folder: &Arc<Folder>,
    key: &str,
    limit: Duration,
) -> Result<Option<String>, StateFailure> {
    let mut changes = Changes::of(folder, ANSWERS);
    let answered = async {
        loop {
            let key = key.to_owned();
            if let Some(answer) = files::blocking(folder, move |folder| look_for_answer(folder, &key)).await?
            {
                return Ok(Some(answer));
            }
            changes.next().await;
        }
    };
    tokio::time::timeout(limit, answered).await.unwrap_or(Ok(None))
}

fn look_for_answer(folder: &Folder, key: &str) -> Result<Option<String>, StateFailure> {
    // The answer is written before the request goes: looked for in the other order it could be missed.
    let waiting = folder.path(REQUESTS, &request_file(key)).exists();
    match folder.read(ANSWERS, &answer_file(key))? {
        Some(answer) => Ok(Some(String::from_utf8_lossy(&answer).into_owned())),
        None if waiting => Ok(None),
        None => Ok(Some(GONE.into())),
    }
}

/// Delivers requests until the receiver goes.
pub(super) async fn deliver(folder: &Arc<Folder>, sink: &mpsc::Sender<Asked>) -> Result<(), StateFailure> {
    let mut changes = Changes::of(folder, REQUESTS);
    let mut delivered = BTreeSet::new();
    loop {
        let found = files::blocking(folder, |folder| {
            remove_old_answers(folder)?;
            waiting(folder)
        });
        let found = match found.await {
            Ok(found) => found,
            // What people ask for waits; the folder may come back.
            Err(failure) if failure.transient => {
                tracing::warn!(%failure, "requests cannot be read at the moment");
                Vec::new()
            }
            Err(failure) => return Err(failure),
        };
        for (key, request) in found {
            if !delivered.insert(key.clone()) {
                continue;
            }
            match request {
                Ok(request) => {
                    if sink.send(Asked { key, request }).await.is_err() {
                        return Ok(());
                    }
                }
                Err(reason) => files::blocking(folder, move |folder| answer(folder, &key, &reason)).await?,
            }
        }
        tokio::select! {
            () = sink.closed() => return Ok(()),
            () = changes.next() => {}
        }
    }
}

type Read = Result<UserRequest, String>;

fn waiting(folder: &Folder) -> Result<Vec<(String, Read)>, StateFailure> {
    let mut found = Vec::new();
    for name in folder.names(REQUESTS)? {
        let Some(key) = name.strip_suffix(".json") else {
            continue;
        };
        if let Some(read) = request(folder, REQUESTS, &name)? {
            found.push((key.to_owned(), read));
        }
    }
    Ok(found)
}

fn request(folder: &Folder, part: &str, name: &str) -> Result<Option<Read>, StateFailure> {
    let text = folder.read(part, name)?;
    let refused = |error: serde_json::Error| {
        format!("refused: this is not a request ({error}); write requests with the portolan command")
    };
    Ok(text.map(|text| serde_json::from_slice(&text).map_err(refused)))
}

fn remove_old_answers(folder: &Folder) -> Result<(), StateFailure> {
    for name in folder.names(ANSWERS)? {
        if folder.age(ANSWERS, &name).is_some_and(|age| age > KEPT) {
            folder.remove(ANSWERS, &name)?;
        }
    }
    Ok(())
}

/// Keys come from the command line as well: whatever is in one, it names a file of this folder.
fn request_file(key: &str) -> String {
    format!("{}.json", plain(key))
}

fn answer_file(key: &str) -> String {
    format!("{}.txt", plain(key))
}

fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}
