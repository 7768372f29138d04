//! The whole of it: moto, our EKS server and its world, behind one address.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::cluster::Patience;
use super::eks::{Delays, EksOptions, EksServer, KubernetesVersion, Model};
use super::error::Error;
use super::front::{Front, KnownCallers};
use super::local_world::{LocalWorld, WorldOptions};
use super::moto::{Home, Moto, Provider};
use crate::local::error::Error as LocalError;
use crate::local::places::Places;
use crate::local::progress::{Meter, Phase, Report};
use crate::local::release::{RELEASES, Release};
use crate::ports::{Cloud, CloudFailure};

/// The account that moto has by itself.
pub const ACCOUNT: &str = "123456789012";
/// The user whose keys are handed out.
const ADMINISTRATOR: &str = "local";
/// The oldest minor that clusters may have: before it the API server reads no authorisation file.
const OLDEST_MINOR: u32 = 30;
/// Between two looks at what changes by itself.
const PAUSE: Duration = Duration::from_secs(1);

/// How to reach it: what goes into the environment of a client.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// URL for `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    /// For `AWS_REGION`.
    pub region: String,
    /// Account id.
    pub account: String,
    /// For `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// For `AWS_SECRET_ACCESS_KEY`. Good for this machine's simulation only.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("account", &self.account)
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &"(secret)")
            .finish()
    }
}

/// Gives the account at an address: the adapter is not this ring's to choose.
#[async_trait]
pub trait Connect: Send + Sync {
    /// The account, with these keys and every service at this address.
    ///
    /// # Errors
    /// As [`crate::ports::Clouds::open`].
    async fn connect(&self, access: &Access) -> Result<Arc<dyn Cloud>, CloudFailure>;
}

/// What may be chosen.
#[derive(Clone, Debug)]
pub struct LocalAwsOptions {
    /// Cache and folders.
    pub places: Places,
    /// Region.
    pub region: String,
    /// Account id; moto keeps accounts apart by keys, and ours are of [`ACCOUNT`].
    pub account: String,
    /// Port of the one address; 0 for a free one.
    pub port: u16,
    /// How long CREATING, UPDATING and DELETING last beyond the work itself.
    pub delays: Delays,
    /// How long the service waits for nodes and pods.
    pub patience: Patience,
    /// The program that supervises control planes; `None` is the running one.
    pub supervisor: Option<PathBuf>,
}

impl LocalAwsOptions {
    /// In a region, without delays.
    #[must_use]
    pub fn new(places: Places, region: &str) -> LocalAwsOptions {
        LocalAwsOptions {
            places,
            region: region.to_owned(),
            account: ACCOUNT.to_owned(),
            port: 0,
            delays: Delays::default(),
            patience: Patience::default(),
            supervisor: None,
        }
    }
}

/// A local AWS that runs. It ends with this value; [`LocalAws::stop`] waits for that.
pub struct LocalAws {
    access: Access,
    home: Home,
    moto: Moto,
    eks: Arc<EksServer>,
    world: Arc<LocalWorld>,
    front: Front,
    /// Ends with the value, or it would keep everything else alive.
    keeper: JoinSet<()>,
    /// Files of the clusters' webhooks.
    _folder: TempDir,
}

impl LocalAws {
    /// Installs what is missing, starts everything and waits until it answers.
    ///
    /// # Errors
    /// Those of moto's installation; a taken port; what the adapter says.
    pub async fn start(
        options: LocalAwsOptions,
        connect: &dyn Connect,
        report: Report<'_>,
    ) -> Result<LocalAws, Error> {
        let LocalAwsOptions { places, region, account, port, delays, patience, supervisor } = options;
        let moto = Moto::start(&places, report).await?;
        let meter = Meter::new(Phase::Start, None);
        meter.again(report);
        let home = Home { account: account.clone(), region: region.clone() };
        let provider = moto.provider();
        let (access_key_id, secret_access_key) = provider.create_administrator(&home, ADMINISTRATOR).await?;
        let listener = Front::bind(port).await?;
        let address = listener.local_addr().map_err(LocalError::io("read the port of", "127.0.0.1"))?;
        let access = Access {
            endpoint: format!("http://{address}"),
            region: region.clone(),
            account: account.clone(),
            access_key_id,
            secret_access_key,
        };
        // The world's own calls do not pass the front: they are not a customer's.
        let inside = Access { endpoint: moto.endpoint().to_owned(), ..access.clone() };
        let cloud = connect.connect(&inside).await?;
        let partition = cloud.partition().to_owned();
        let folder = tempfile::tempdir().map_err(LocalError::io("create", std::env::temp_dir()))?;
        let world = LocalWorld::new(WorldOptions {
            places: places.clone(),
            cloud,
            provider: provider.clone(),
            home: home.clone(),
            patience,
            administrator: format!("arn:{partition}:iam::{account}:user/{ADMINISTRATOR}"),
            folder: folder.path().to_path_buf(),
            supervisor,
        })
        .await?;
        world.trust_host(&address.to_string());
        let world = Arc::new(world);
        let eks = start_eks(&places, &home, delays, Arc::clone(&world), report).await?;
        let (eks, callers) = (Arc::new(eks.0), eks.1);
        let front = Front::serve(listener, eks.endpoint(), provider, moto.endpoint(), callers)?;
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(Arc::clone(&eks), Arc::clone(&world)));
        keeper.spawn(tell_trail(Arc::clone(&eks), moto.provider(), home.clone()));
        Ok(LocalAws { access, home, moto, eks, world, front, keeper, _folder: folder })
    }

    /// How to reach it.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The one address, `host:port`.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.front.address()
    }

    /// Our EKS server: its calls, violations, faults and switches.
    #[must_use]
    pub fn eks(&self) -> &EksServer {
        &self.eks
    }

    /// moto as the provider sees it.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.moto.provider()
    }

    /// Whose resources, and where.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The world behind the EKS server.
    #[must_use]
    pub fn world(&self) -> &LocalWorld {
        &self.world
    }

    /// moto itself.
    #[must_use]
    pub fn moto(&self) -> &Moto {
        &self.moto
    }

    /// How many of every kind of resource there are: moto's kinds, and those of EKS as `eks.clusters`. All zero but the
    /// user of the handed-out keys when nothing is left.
    ///
    /// # Errors
    /// When moto does not answer.
    pub async fn counts(&self) -> Result<BTreeMap<String, u64>, Error> {
        let mut counts = self.moto.provider().counts(&self.home.account).await?;
        let of_eks = self.eks.counts().into_iter();
        counts.extend(of_eks.map(|(kind, number)| (format!("eks.{kind}"), number as u64)));
        Ok(counts)
    }

    /// Ends everything and waits until no process of it is left.
    pub async fn stop(mut self) {
        drop(self.front);
        self.keeper.shutdown().await;
        // The last one: the keeper had the other.
        if let Some(eks) = Arc::into_inner(self.eks) {
            eks.stop().await;
        }
        self.world.stop().await;
        self.moto.stop().await;
    }
}

async fn start_eks(
    places: &Places,
    home: &Home,
    delays: Delays,
    world: Arc<LocalWorld>,
    report: Report<'_>,
) -> Result<(EksServer, KnownCallers), Error> {
    let path = super::moto::service_model(places, report).await?;
    let broken = |detail: String| Error::Answer {
        what: "the model of EKS",
        address: path.display().to_string(),
        detail,
    };
    let model = Model::load(&path).map_err(|error| broken(error.to_string()))?;
    let callers = KnownCallers::new(RwLock::new(BTreeMap::new()));
    let known = Arc::clone(&callers);
    let mut options = EksOptions::new(&home.account, &home.region);
    options.delays = delays;
    options.versions = versions();
    options.callers =
        Arc::new(move |key| known.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned());
    let server = EksServer::start(Arc::new(model), world, options).await;
    Ok((server.map_err(|error| broken(error.to_string()))?, callers))
}

/// What is built here and can be a cluster of EKS: the newest by default.
fn versions() -> Vec<KubernetesVersion> {
    let usable =
        |release: &&Release| release.major_minor().1.parse::<u32>().is_ok_and(|minor| minor >= OLDEST_MINOR);
    let mut versions: Vec<_> =
        RELEASES.iter().filter(usable).map(|release| KubernetesVersion::new(&release.version[1..])).collect();
    versions.sort_by_key(KubernetesVersion::number);
    if let Some(newest) = versions.pop() {
        versions.push(newest.by_default());
    }
    versions
}

/// Carries what happens by itself into the descriptions: add-ons whose pods run at last.
async fn keep(eks: Arc<EksServer>, world: Arc<LocalWorld>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        for (cluster, addon) in world.recovered_addons().await {
            eks.change(&cluster, "addons", &addon, &json!({"status": "ACTIVE", "health": {"issues": []}}));
        }
    }
}

/// Carries the calls of EKS into CloudTrail's history, which moto's side keeps. A call is told a moment later, when it has
/// been answered, or never will be.
async fn tell_trail(eks: Arc<EksServer>, provider: Provider, home: Home) {
    let (mut told, mut arrived) = (0, 0);
    loop {
        tokio::time::sleep(PAUSE).await;
        let calls = eks.calls_after(told);
        let due = &calls[..arrived - told];
        let events: Vec<_> = due
            .iter()
            .filter(|call| !call.operation.starts_with("Describe") && !call.operation.starts_with("List"))
            .map(|call| {
                json!({
                    "name": call.operation, "source": "eks.amazonaws.com", "arn": call.caller,
                    "request": call.input, "error": call.error,
                })
            })
            .collect();
        // moto ends before us, or was ended by a test: nobody is left to ask.
        if !events.is_empty() && provider.record(&home, &events).await.is_err() {
            return;
        }
        (told, arrived) = (arrived, told + calls.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_adjacent_minors_are_offered_and_the_newest_is_the_default() {
        let offered = versions();
        let numbers: Vec<u32> = offered.iter().map(KubernetesVersion::number).collect();
        assert_eq!(numbers, [35, 36]);
        assert!(offered[1].default && !offered[0].default);
    }

    #[test]
    fn keys_are_not_shown() {
        let access = Access {
            endpoint: String::new(),
            region: String::new(),
            account: String::new(),
            access_key_id: "AKIA".into(),
            secret_access_key: "t0ps3cret".into(),
        };
        assert!(!format!("{access:?}").contains("t0ps3cret"));
    }
}
