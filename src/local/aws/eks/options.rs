//! How the server is set up.

use jiff::Timestamp;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Tells the time; a test's may jump.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// ARN of the principal behind an access key id; none for a key that is not known.
pub type Callers = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// How the server is set up.
#[derive(Clone)]
pub struct EksOptions {
    /// Account id.
    pub account: String,
    /// Region, such as `eu-central-1`; the partition follows from it.
    pub region: String,
    /// Where it listens; a free port of the loopback by default.
    pub address: SocketAddr,
    /// The minors that clusters may have.
    pub versions: Vec<KubernetesVersion>,
    /// How long work takes beyond what the world takes.
    pub delays: Delays,
    /// How long after an upgrade it can be rolled back: 7 days in the service.
    pub rollback_window: Duration,
    /// Time.
    pub clock: Clock,
    /// Who calls.
    pub callers: Callers,
}

/// A Kubernetes minor as the service offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// `1.36`.
    pub minor: String,
    /// `1.36.3`.
    pub patch: String,
    /// What a cluster gets that names none.
    pub default: bool,
    /// Whether standard support has ended.
    pub extended: bool,
    /// `eks.5`.
    pub platform: String,
}

/// How long work takes beyond what the world takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Something is CREATING.
    pub create: Duration,
    /// Something is UPDATING.
    pub update: Duration,
    /// Something is DELETING.
    pub delete: Duration,
}

impl EksOptions {
    /// For an account and region, with the two minors that are built here, the real clock and one caller,
    /// `user/local`.
    #[must_use]
    pub fn new(account: &str, region: &str) -> Self {
        let caller = format!("arn:{}:iam::{account}:user/local", partition(region));
        Self {
            account: account.into(),
            region: region.into(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            versions: vec![KubernetesVersion::new("1.35.4"), KubernetesVersion::new("1.36.3").by_default()],
            delays: Delays::default(),
            rollback_window: Duration::from_secs(7 * 24 * 3600),
            clock: Arc::new(Timestamp::now),
            callers: Arc::new(move |_| Some(caller.clone())),
        }
    }

    /// `aws`, `aws-cn` or `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        partition(&self.region)
    }

    /// A minor that is offered.
    #[must_use]
    pub fn version(&self, minor: &str) -> Option<&KubernetesVersion> {
        self.versions.iter().find(|version| version.minor == minor)
    }
}

impl fmt::Debug for EksOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EksOptions")
            .field("account", &self.account)
            .field("region", &self.region)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

impl KubernetesVersion {
    /// The minor of a patch release, such as `1.36.3`.
    #[must_use]
    pub fn new(patch: &str) -> Self {
        let minor = patch.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        Self { minor, patch: patch.into(), default: false, extended: false, platform: "eks.3".into() }
    }

    /// What a cluster gets that names none.
    #[must_use]
    pub fn by_default(self) -> Self {
        Self { default: true, ..self }
    }

    /// 36 of `1.36`.
    #[must_use]
    pub fn number(&self) -> u32 {
        minor_number(&self.minor)
    }
}

/// 36 of `1.36`; 0 of what is no version.
#[must_use]
pub fn minor_number(minor: &str) -> u32 {
    minor.strip_prefix("1.").and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
