//! Whether everything has a place on the target that is planned, before it is provisioned.

use super::aws::Accounts;
use super::kept::{Mover, Wanted};
use super::kops::Kops;
use crate::engine::inventory::{Reading, read_account};
use crate::migrate::dump::facts;
use crate::migrate::overview::places;
use crate::migrate::own::Classified;
use crate::migrate::quotas;
use crate::migrate::stages::Sight;
use crate::migrate::verdict::Verdict;
use crate::model::Object;
use crate::model::cluster_config::ClusterConfig;
use crate::model::migration::Side;
use crate::transform::Context;

/// Verdicts on where the source's pods would run.
///
/// # Errors
/// The account cannot be read, in words.
pub(super) async fn packed(
    mover: &Mover,
    wanted: &Wanted,
    kops: &Kops,
    config: &ClusterConfig,
    source: &Sight,
    (classes, rules): (Vec<Classified>, Context),
) -> Result<Vec<Verdict>, String> {
    let mut reading = Reading::new(mover.context.salt);
    reading.inventory = kops.inventory.clone();
    if let Some(cloud) = Accounts::of(mover, wanted).open(Side::Source).await? {
        read_account(cloud.as_ref(), &mut reading, &|_: &str| {})
            .await
            .map_err(|failure| format!("the account cannot be read: {failure}"))?;
    }
    let mut inventory = reading.inventory;
    let objects = source.objects.iter().filter_map(|object| Object::new(object.clone()).ok());
    inventory.objects = objects.collect();
    let state = inventory.kops().map_err(|failure| failure.to_string())?;
    let facts = facts(&inventory, Some(&state));
    let mut verdicts = places(&inventory, &classes, config, &facts, &rules);
    if wanted.spec.checks.quotas {
        verdicts.extend(quotas::verdicts(config, &facts, &asked(mover, wanted).await?));
    }
    Ok(verdicts)
}

/// What the account of the target may have, and what it has. What it does not tell is no reason to stop.
async fn asked(mover: &Mover, wanted: &Wanted) -> Result<quotas::Answers, String> {
    let Some(cloud) = Accounts::of(mover, wanted).open(Side::Target).await? else {
        return Ok(quotas::Answers::default());
    };
    let mut answers = quotas::Answers::new();
    for call in quotas::reads() {
        let answer = cloud.call(&call).await.map_err(|failure| failure.to_string());
        answers.insert(quotas::key(&call), answer);
    }
    Ok(answers)
}
