//! Whether everything has a place on the target that is planned, before it is provisioned.

use super::aws::Accounts;
use super::kept::{Mover, Wanted};
use super::kops::Kops;
use crate::engine::inventory::{Reading, read_account, read_types};
use crate::migrate::assess::packing::{PlannedGroup, planned_groups, planned_types};
use crate::migrate::dump::facts;
use crate::migrate::overview::places;
use crate::migrate::own::Classified;
use crate::migrate::quotas;
use crate::migrate::stages::Sight;
use crate::migrate::verdict::Verdict;
use crate::model::Object;
use crate::model::cluster_config::ClusterConfig;
use crate::model::migration::Side;
use crate::ports::CloudFailure;
use crate::transform::Context;

/// What is known of the places of the source's pods.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// Verdicts on where they would run.
    pub verdicts: Vec<Verdict>,
    /// The planned node groups, those whose instance types are known.
    pub groups: Vec<PlannedGroup>,
}

/// Asks the account, and packs.
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
) -> Result<Packed, String> {
    let mut reading = Reading::new(mover.context.salt);
    reading.inventory = kops.inventory.clone();
    if let Some(cloud) = Accounts::of(mover, wanted).open(Side::Source).await? {
        let words = |failure: CloudFailure| format!("the account cannot be read: {failure}");
        read_account(cloud.as_ref(), &mut reading, &|_: &str| {}).await.map_err(words)?;
        // A person may have planned other types than kops' specs name.
        let mut types = planned_types(config);
        let known = facts(&reading.inventory, None).instance_types;
        types.retain(|name| !known.contains_key(name));
        read_types(cloud.as_ref(), &types, &mut reading).await.map_err(words)?;
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
    let (groups, _) = planned_groups(config, &facts);
    Ok(Packed { verdicts, groups })
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
