//! The file that describes a cluster as it is, whoever made it.

use super::kept::Account;
use super::snapshot::Reader;
use crate::ports::{CloudAccess, CloudFailure, Clouds};
use crate::provision::drivers;
use crate::provision::export::{Exported, calls, eksctl};
use crate::provision::resource::{Driver, Kind};

/// What a file describes; networks and roles are referred to by their ids.
const KINDS: [Kind; 8] = [
    Kind::Cluster,
    Kind::Addon,
    Kind::Nodegroup,
    Kind::FargateProfile,
    Kind::AccessEntry,
    Kind::PodIdentityAssociation,
    Kind::IdentityProvider,
    Kind::OidcProvider,
];
/// Calls under way at once.
const AT_ONCE: usize = 8;

/// Reads a cluster and writes the ClusterConfig of it. `None` where there is none of the name.
///
/// # Errors
/// No credentials, an unknown region, no answer.
pub async fn export(
    clouds: &dyn Clouds,
    access: &CloudAccess,
    cluster: &str,
) -> Result<Option<Exported>, CloudFailure> {
    let account = Account::open(clouds, access, cluster).await?;
    let drivers: Vec<&dyn Driver> = drivers()
        .into_iter()
        .filter(|driver| KINDS.contains(&driver.kind()))
        .map(|driver| driver as &dyn Driver)
        .collect();
    let reader = Reader {
        cloud: account.cloud.as_ref(),
        drivers: &drivers,
        scope: &account.scope,
        declared: &[],
        at_once: AT_ONCE,
    };
    let reading = reader.read().await;
    if let (true, Some(failure)) = (reading.snapshot.unread.contains_key(&Kind::Cluster), reading.failure) {
        return Err(failure);
    }
    let mut answers = Vec::new();
    for call in calls(&reading.snapshot) {
        let answer = account.cloud.call(&call).await?;
        answers.push((call, answer));
    }
    Ok(eksctl(&account.scope, &reading.snapshot, &answers))
}
