//! The file that describes a cluster as it is, whoever made it: eksctl's, or Terraform's.

use super::api_server::service_accounts;
use super::kept::Account;
use super::snapshot::Reader;
use crate::model::Object;
use crate::ports::{CloudAccess, CloudFailure, CloudFailureKind, Clouds, Cluster};
use crate::provision::drivers;
use crate::provision::export::terraform::{self, Written};
use crate::provision::export::{Exported, calls, eksctl};
use crate::provision::nodes::every_group;
use crate::provision::resource::{Driver, Key, Kind, Resource, Snapshot};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a file describes; networks and roles are referred to by their ids.
const KINDS: [Kind; 10] = [
    Kind::Cluster,
    Kind::Addon,
    Kind::Nodegroup,
    Kind::LaunchTemplate,
    Kind::AutoScalingGroup,
    Kind::FargateProfile,
    Kind::AccessEntry,
    Kind::PodIdentityAssociation,
    Kind::IdentityProvider,
    Kind::OidcProvider,
];
/// Calls under way at once.
const AT_ONCE: usize = 8;

/// Rounds of calls beside what the drivers read: what the cluster names, and what the answers name.
const MOST_ROUNDS: usize = 6;

/// Reads a cluster and writes the ClusterConfig of it. `api` is its API server, which knows its ServiceAccounts; without
/// an answer the file has none, and says so. `None` where there is none of the name.
///
/// # Errors
/// No credentials, an unknown region, no answer.
pub async fn export(
    clouds: &dyn Clouds,
    access: &CloudAccess,
    cluster: &str,
    api: Option<&dyn Cluster>,
) -> Result<Option<Exported>, CloudFailure> {
    let (account, snapshot) = read(clouds, access, cluster).await?;
    let mut answers = Vec::new();
    for call in calls(&snapshot) {
        match account.cloud.call(&call).await {
            Ok(answer) => answers.push((call, answer)),
            // An instance profile that a template names and nobody has.
            Err(failure) if failure.kind == CloudFailureKind::NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    let accounts = match api {
        Some(api) => api.list(&service_accounts(), None, "").await.ok(),
        None => None,
    };
    let accounts: Option<Vec<Value>> =
        accounts.map(|found| found.into_iter().map(Object::into_body).collect());
    Ok(eksctl(&account.scope, &snapshot, &answers, accounts.as_deref()))
}

/// Reads a cluster with its network and roles and writes the Terraform configuration that adopts them. `None` where there
/// is none of the name.
///
/// # Errors
/// No credentials, an unknown region, no answer.
pub async fn export_terraform(
    clouds: &dyn Clouds,
    access: &CloudAccess,
    cluster: &str,
) -> Result<Option<Written>, CloudFailure> {
    let (account, snapshot) = read(clouds, access, cluster).await?;
    let mut answers = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let due = terraform::calls(&snapshot, &answers);
        if due.is_empty() {
            break;
        }
        for call in due {
            match account.cloud.call(&call).await {
                Ok(answer) => answers.push((call, answer)),
                // A role that is named and gone is left out; so that it is not asked for again, it has an answer.
                Err(failure) if failure.kind == CloudFailureKind::NotFound => {
                    answers.push((call, Value::Null))
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(terraform::terraform(&account.scope, &snapshot, &answers))
}

async fn read(
    clouds: &dyn Clouds,
    access: &CloudAccess,
    cluster: &str,
) -> Result<(Account, Snapshot), CloudFailure> {
    let account = Account::open(clouds, access, cluster).await?;
    let drivers: Vec<&dyn Driver> = drivers()
        .into_iter()
        .filter(|driver| KINDS.contains(&driver.kind()))
        .map(|driver| driver as &dyn Driver)
        .collect();
    let whoever_made_them = [every_group()];
    let reader = Reader {
        cloud: account.cloud.as_ref(),
        drivers: &drivers,
        scope: &account.scope,
        declared: &whoever_made_them,
        at_once: AT_ONCE,
        sweep: false,
    };
    let mut reading = reader.read().await;
    // Policies are asked for with entries that are declared: here with all that there are.
    let entries = reading.snapshot.live.keys().filter(|key| key.kind == Kind::AccessEntry);
    let entries: Vec<Resource> = entries.map(as_declared).collect();
    if !entries.is_empty() {
        let reader = Reader { declared: &entries, ..reader };
        reading = reader.read_again(&reading.snapshot, &BTreeSet::from([Kind::AccessEntry])).await;
    }
    if let (true, Some(failure)) = (reading.snapshot.unread.contains_key(&Kind::Cluster), reading.failure) {
        return Err(failure);
    }
    Ok((account, reading.snapshot))
}

fn as_declared(key: &Key) -> Resource {
    Resource {
        key: key.clone(),
        desired: Value::Null,
        tags: BTreeMap::new(),
        needs: BTreeSet::new(),
        declared_at: String::new(),
        existing: true,
    }
}
