//! Reading a kops cluster with the adapters: what the command line names, and nothing else.

use super::eks;
use crate::config::AwsEndpoints;
use crate::engine::inventory::{self, Bucket, Progress, Reading};
use crate::failure::{Failure, FailureKind};
use crate::host::{Folder, random_bytes};
use crate::k8s::{self, ConnectOptions, Source};
use crate::migrate::dump::{Inventory, Target, Unread};
use crate::model::kops::KopsState;
use crate::ports::{Cloud, CloudAccess, CloudFailureKind, Clouds, Files};
use std::path::PathBuf;
use std::sync::Arc;

/// What is read.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// State store: `s3://bucket/prefix`, or a folder of the same layout.
    pub store: Option<String>,
    /// Name of the cluster, where there are several.
    pub cluster: Option<String>,
    /// Files and folders with specs.
    pub specs: Vec<PathBuf>,
    /// The source's API server: a kubeconfig and its context.
    pub api: Option<(PathBuf, Option<String>)>,
    /// Whether AWS is read.
    pub aws: bool,
    /// AWS region; that of the cluster's zones where none is given.
    pub region: Option<String>,
    /// Role to assume first.
    pub role_arn: Option<String>,
    /// The minor of Kubernetes 1 that the target will have, where it is known.
    pub target_minor: Option<u32>,
}

/// Reads what the request names.
///
/// # Errors
/// What was named cannot be read at all: a store, a kubeconfig, an account. Parts that cannot be read are in the
/// inventory's list of them.
pub async fn read(request: &Request, progress: Progress<'_>) -> Result<Inventory, Failure> {
    read_with(request, eks::clouds(&AwsEndpoints::default()).as_ref(), progress).await
}

/// [`read`] with another way to AWS.
///
/// # Errors
/// As [`read`].
pub async fn read_with(
    request: &Request,
    clouds: &dyn Clouds,
    progress: Progress<'_>,
) -> Result<Inventory, Failure> {
    let environment = |error: &dyn std::fmt::Display| Failure::new(FailureKind::Environment, error);
    let mut reading = Reading::new(random_bytes()?);
    let cluster = request.cluster.as_deref();
    if let Some(store) = &request.store {
        let files: Box<dyn Files> = if store.starts_with("s3://") {
            let cloud = open_for_bucket(clouds, request).await?;
            let bucket = Bucket::at(store, cloud).ok_or_else(|| {
                Failure::new(
                    FailureKind::User,
                    format!("{store} is no bucket; one is written s3://bucket/prefix"),
                )
            })?;
            Box::new(bucket)
        } else if store.contains("://") {
            let words =
                format!("the state store {store} is in another cloud; stores in S3 and in folders are read");
            return Err(Failure::new(FailureKind::User, words));
        } else {
            Box::new(Folder::new(&PathBuf::from(store)))
        };
        inventory::read_store(files.as_ref(), cluster, &mut reading, progress)
            .await
            .map_err(|error| unreadable(&error))?;
    }
    if !request.specs.is_empty() {
        let folders: Vec<Folder> = request.specs.iter().map(|path| Folder::new(path)).collect();
        let places: Vec<&dyn Files> = folders.iter().map(|folder| folder as &dyn Files).collect();
        inventory::read_specs(&places, cluster, &mut reading, progress)
            .await
            .map_err(|error| unreadable(&error))?;
    }
    match &request.api {
        Some((path, context)) => {
            let source = Source::KubeconfigFile { path: path.clone(), context: context.clone() };
            let server = k8s::connect(&source, ConnectOptions::default()).await?;
            let target = request.target_minor.map_or(Target::Unknown, Target::Minor);
            inventory::read_cluster(&server, &target, &mut reading, progress)
                .await
                .map_err(|failure| environment(&failure))?;
        }
        None => not_asked(&mut reading, "API server", "no context was named (--context)"),
    }
    if request.aws {
        let kops = reading.inventory.kops().ok();
        let cloud = open(clouds, request, kops.as_ref()).await?;
        inventory::read_account(cloud.as_ref(), &mut reading, progress)
            .await
            .map_err(|failure| environment(&failure))?;
    } else {
        not_asked(&mut reading, "AWS", "it was not asked for (--aws)");
    }
    reading.inventory.settle();
    Ok(reading.inventory)
}

fn not_asked(reading: &mut Reading, what: &str, why: &str) {
    reading.inventory.unread.insert(Unread::new(what, why));
}

fn unreadable(error: &inventory::StoreFailure) -> Failure {
    let kind = match error {
        inventory::StoreFailure::Files(_) => FailureKind::Environment,
        inventory::StoreFailure::Read(_) => FailureKind::User,
    };
    Failure::new(kind, error)
}

/// The account for a bucket: S3 tells by itself which region that is in, so that any will do to begin with.
async fn open_for_bucket(clouds: &dyn Clouds, request: &Request) -> Result<Arc<dyn Cloud>, Failure> {
    let mut access = CloudAccess {
        region: request.region.clone().unwrap_or_default(),
        role_arn: request.role_arn.clone(),
    };
    if request.region.is_none()
        && let Err(failure) = clouds.open(&access).await
        && failure.kind == CloudFailureKind::Invalid
    {
        access.region = "us-east-1".into();
    }
    clouds.open(&access).await.map_err(|failure| refused(&failure))
}

fn refused(failure: &crate::ports::CloudFailure) -> Failure {
    let hint = match failure.kind {
        CloudFailureKind::Credentials => "set AWS credentials as for the AWS command line, or leave AWS out",
        _ => "name the region with --region",
    };
    Failure::new(FailureKind::Environment, failure).hint(hint)
}

/// The account: in the region that was given, else that of the cluster's zones, else that of the environment.
async fn open(
    clouds: &dyn Clouds,
    request: &Request,
    kops: Option<&KopsState>,
) -> Result<Arc<dyn Cloud>, Failure> {
    let region = request.region.clone().or_else(|| kops.and_then(region_of)).unwrap_or_default();
    let access = CloudAccess { region, role_arn: request.role_arn.clone() };
    clouds.open(&access).await.map_err(|failure| refused(&failure))
}

/// The region of the zones that a cluster's subnets are in.
fn region_of(kops: &KopsState) -> Option<String> {
    let zone = kops.items("networking.subnets").iter().find_map(|subnet| subnet["zone"].as_str())?;
    let region = zone.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    (region.ends_with(|digit: char| digit.is_ascii_digit())).then(|| region.to_owned())
}
