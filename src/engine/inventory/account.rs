//! AWS: in rounds, until nothing more is wanted.

use super::{Progress, Reading};
use crate::migrate::decommission::Wanted;
use crate::migrate::dump::{Unread, is_about_one, of_types, wanted};
use crate::model::cloud::{Call, Service};
use crate::ports::{Cloud, CloudFailure, CloudFailureKind};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;
use std::collections::BTreeSet;

/// Calls under way at once, over all services.
const AT_ONCE: usize = 8;
/// Rounds: each list is followed by what it lists, and nothing is deeper than three.
const MOST_ROUNDS: usize = 6;

/// Reads an account into the inventory, after the specs: what is read follows from them.
///
/// What may not be read is named. Of a list nothing is noted down then, so that nobody takes it for an empty one; of one
/// thing among others that is gone, or that may not be looked at, an empty answer is.
///
/// # Errors
/// There are no credentials, or they are refused.
pub async fn read_account(
    cloud: &dyn Cloud,
    into: &mut Reading,
    progress: Progress<'_>,
) -> Result<(), CloudFailure> {
    into.inventory.region = Some(cloud.region().to_owned());
    let kops = into.inventory.kops().ok();
    let mut asked: Vec<Wanted> = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let mut round = wanted(&into.inventory, kops.as_ref());
        round.retain(|one| !asked.contains(one));
        if round.is_empty() {
            break;
        }
        let (total, mut done) = (round.len(), 0);
        // No closure around the futures: a task that is spawned could not await it.
        let mut due = Vec::new();
        for one in &round {
            due.push(async move { (one, ask(cloud, one).await) });
        }
        let mut answers = stream::iter(due).buffered(AT_ONCE);
        while let Some((one, answer)) = answers.next().await {
            done += 1;
            progress(&format!("read {done} of {total} things of AWS ({}:{})", one.service, one.operation));
            let answer = match answer {
                Err(failure) if failure.kind == CloudFailureKind::Credentials => return Err(failure),
                answer => answer,
            };
            take(one, answer, into);
        }
        drop(answers);
        asked.extend(round);
    }
    into.inventory.settle();
    Ok(())
}

/// Reads what is still not known of some instance types: those of a plan are none of the specs', which say what is read.
///
/// # Errors
/// There are no credentials, or they are refused.
pub async fn read_types(
    cloud: &dyn Cloud,
    types: &BTreeSet<String>,
    into: &mut Reading,
) -> Result<(), CloudFailure> {
    for one in of_types(types) {
        match ask(cloud, &one).await {
            Err(failure) if failure.kind == CloudFailureKind::Credentials => return Err(failure),
            answer => take(&one, answer, into),
        }
    }
    Ok(())
}

async fn ask(cloud: &dyn Cloud, one: &Wanted) -> Result<Value, CloudFailure> {
    let Some(service) = Service::named(&one.service) else {
        return Err(CloudFailure {
            kind: CloudFailureKind::Invalid,
            code: "UnknownService".into(),
            message: format!("`{}` is no service that Portolan calls", one.service),
            call: one.to_string(),
            service: None,
        });
    };
    cloud.call(&Call::new(service, &one.operation, one.input.clone())).await
}

fn take(one: &Wanted, answer: Result<Value, CloudFailure>, into: &mut Reading) {
    let failure = match answer {
        Ok(answer) => {
            into.inventory.aws.push(&one.service, &one.operation, one.input.clone(), answer);
            return;
        }
        Err(failure) => failure,
    };
    let gone = failure.kind == CloudFailureKind::NotFound;
    if is_about_one(one) && (gone || failure.kind == CloudFailureKind::Denied) {
        into.inventory.aws.push(&one.service, &one.operation, one.input.clone(), Value::Null);
    }
    // A bucket without a policy, a role that went in between: that is an answer.
    if !(gone && is_about_one(one)) {
        into.inventory.unread.insert(Unread::new(one.to_string(), failure.message));
    }
}
