//! Running the kops program against the local AWS.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::build::{Installed, installed};
use super::error::Error;
use super::manifest::{Manifest, domain};
use super::preview::{self, UpdatePreview};
use super::proxy::Proxy;
use super::release::KopsRelease;
use crate::local::aws::{Access, Home, LocalAws, Provider};
use crate::local::crew::clean;
use crate::local::error::Error as LocalError;
use crate::local::pki;
use crate::local::places::Places;
use crate::local::progress::Report;
use crate::model::kops::{KopsState, read_store};

/// How long a command may take. Creating a cluster takes half a minute; a loaded machine is slow.
const LIMIT: Duration = Duration::from_secs(600);
/// How many of its last lines an error carries.
const TAIL: usize = 20;

/// What may be chosen about a kops.
#[derive(Clone, Debug)]
pub struct KopsOptions {
    /// Cache and folders.
    pub places: Places,
    /// Which kops.
    pub release: &'static KopsRelease,
    /// A folder of its own, for what it writes beside the state store: kubeconfig, caches.
    pub folder: PathBuf,
    /// Bucket of the state store; made when it is not there.
    pub bucket: String,
}

/// A kops that works on the local AWS. The way there ends with this value; what it has made does not.
pub struct Kops {
    release: &'static KopsRelease,
    program: PathBuf,
    folder: PathBuf,
    bucket: String,
    access: Access,
    home: Home,
    provider: Provider,
    proxy: Proxy,
}

/// A cluster as `kops create cluster` is told about it.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Its name, a DNS name: `old.example.com`.
    pub name: String,
    /// Availability zones of its nodes.
    pub zones: Vec<String>,
    /// Version of Kubernetes; the release's own by default.
    pub kubernetes: Option<String>,
    /// Number of workers.
    pub nodes: u32,
    /// Instance type of all machines. kops would choose one by reserved offerings, of which moto has none in any zone.
    pub machine: String,
    /// Network plug-in, by its name for kops. Not `calico`: moto has no rules for IP in IP.
    pub networking: String,
    /// More flags, such as `--topology=private`.
    pub flags: Vec<String>,
}

impl NewCluster {
    /// A cluster with two workers and Cilium.
    #[must_use]
    pub fn new(name: &str, zones: &[&str]) -> NewCluster {
        NewCluster {
            name: name.to_owned(),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            kubernetes: None,
            nodes: 2,
            machine: "m5.large".to_owned(),
            networking: "cilium".to_owned(),
            flags: Vec::new(),
        }
    }
}

impl Kops {
    /// Builds kops if it is nowhere, makes its bucket, and opens its way to the local AWS.
    ///
    /// # Errors
    /// Those of [`installed`]; moto does not answer.
    pub async fn open(aws: &LocalAws, options: KopsOptions, report: Report<'_>) -> Result<Kops, Error> {
        let KopsOptions { places, release, folder, bucket } = options;
        let Installed { program, channels } = installed(&places, release, report).await?;
        std::fs::create_dir_all(&folder).map_err(LocalError::io("create", &folder))?;
        let proxy = Proxy::start(&aws.access().endpoint, channels).await?;
        pki::write(&folder.join("authority.pem"), proxy.authority())?;
        let (home, provider) = (aws.home().clone(), aws.provider());
        provider.create_bucket(&home, &bucket).await?;
        Ok(Kops { release, program, folder, bucket, access: aws.access().clone(), home, provider, proxy })
    }

    /// Which kops it is.
    #[must_use]
    pub fn release(&self) -> &'static KopsRelease {
        self.release
    }

    /// The address of its state store: `s3://bucket`.
    #[must_use]
    pub fn state_store(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    /// `kops create cluster --yes`: writes the state store and makes everything in the cloud.
    ///
    /// # Errors
    /// [`Error::Kops`] with its last words.
    pub async fn create_cluster(&self, cluster: &NewCluster) -> Result<(), Error> {
        self.provide_zone(&cluster.name).await?;
        let version = cluster.kubernetes.as_deref().unwrap_or(self.release.kubernetes);
        let mut arguments = vec![
            "create".to_owned(),
            "cluster".to_owned(),
            format!("--name={}", cluster.name),
            "--cloud=aws".to_owned(),
            format!("--zones={}", cluster.zones.join(",")),
            format!("--kubernetes-version={version}"),
            format!("--node-count={}", cluster.nodes),
            format!("--control-plane-size={}", cluster.machine),
            format!("--node-size={}", cluster.machine),
            format!("--networking={}", cluster.networking),
            // Of a public zone kops asks the world's DNS.
            "--dns=private".to_owned(),
            "--yes".to_owned(),
        ];
        arguments.extend(cluster.flags.iter().cloned());
        self.run(&arguments).await.map(|_| ())
    }

    /// Makes a cluster of a file's documents: `kops create -f`, then `kops update cluster --yes`. Gives its name.
    ///
    /// Where the file keeps its state store is left out: it lies in the local AWS. Other buckets that it names are made.
    ///
    /// # Errors
    /// [`Error::Specification`]; [`Error::Kops`] with its last words.
    pub async fn create(&self, specification: &str) -> Result<String, Error> {
        let manifest = Manifest::read(specification)?;
        self.provide_zone(manifest.name()).await?;
        for bucket in manifest.buckets() {
            self.provider.create_bucket(&self.home, &bucket).await?;
        }
        let file = self.file("create.json", &manifest.text())?;
        self.run(&["create".to_owned(), "-f".to_owned(), file]).await?;
        self.update(manifest.name()).await?;
        Ok(manifest.name().to_owned())
    }

    /// `kops replace -f`: changes the state store, not the cloud.
    ///
    /// # Errors
    /// [`Error::Kops`] with its last words.
    pub async fn replace(&self, documents: &str) -> Result<(), Error> {
        let file = self.file("replace.yaml", documents)?;
        self.run(&["replace".to_owned(), "--force".to_owned(), "-f".to_owned(), file]).await.map(|_| ())
    }

    /// `kops get`: the Cluster and its InstanceGroups, as YAML documents.
    ///
    /// # Errors
    /// [`Error::Kops`] with its last words.
    pub async fn get(&self, cluster: &str) -> Result<String, Error> {
        self.run(&["get".to_owned(), "all".to_owned(), named(cluster), "--output=yaml".to_owned()]).await
    }

    /// `kops update cluster --yes`: makes the cloud what the state store says.
    ///
    /// # Errors
    /// [`Error::Kops`] with its last words.
    pub async fn update(&self, cluster: &str) -> Result<(), Error> {
        let mut arguments = update(cluster);
        arguments.push("--yes".to_owned());
        self.run(&arguments).await.map(|_| ())
    }

    /// `kops update cluster`: what it would do.
    ///
    /// # Errors
    /// [`Error::Kops`] with its last words; [`Error::Answer`].
    pub async fn update_preview(&self, cluster: &str) -> Result<UpdatePreview, Error> {
        let arguments = update(cluster);
        let text = self.run(&arguments).await?;
        UpdatePreview::read(&text).ok_or_else(|| unread(&arguments, "there is no preview"))
    }

    /// `kops delete cluster`: what it would delete in the cloud, as type and id.
    ///
    /// # Errors
    /// [`Error::Kops`] with its last words; [`Error::Answer`].
    pub async fn delete_preview(&self, cluster: &str) -> Result<BTreeSet<(String, String)>, Error> {
        let arguments = ["delete".to_owned(), "cluster".to_owned(), named(cluster)];
        let text = self.run(&arguments).await?;
        preview::deletions(&text).ok_or_else(|| unread(&arguments, "there is no list of resources"))
    }

    /// What it has written down about a cluster.
    ///
    /// # Errors
    /// moto does not answer; [`Error::StateStore`].
    pub async fn state(&self, cluster: &str) -> Result<KopsState, Error> {
        let objects = self.provider.objects(&self.home, &self.bucket).await?;
        Ok(read_store(&self.state_store(), &objects, Some(cluster))?)
    }

    /// The zone of the cluster's name, which kops expects to find.
    async fn provide_zone(&self, cluster: &str) -> Result<(), Error> {
        match domain(cluster) {
            Some(domain) => Ok(self.provider.create_zone(&self.home, &format!("{domain}.")).await?),
            None => Ok(()),
        }
    }

    fn file(&self, name: &str, text: &str) -> Result<String, Error> {
        let path = self.folder.join(name);
        pki::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// Runs kops and gives its standard output.
    async fn run(&self, arguments: &[String]) -> Result<String, Error> {
        let mut command = Command::new(&self.program);
        clean(&mut command, &self.folder);
        command
            .args(arguments)
            .envs(self.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let child = command.spawn().map_err(LocalError::io("run", &self.program))?;
        let output = match tokio::time::timeout(LIMIT, child.wait_with_output()).await {
            Ok(output) => output.map_err(LocalError::io("wait for", &self.program))?,
            Err(_) => {
                return Err(Error::Kops {
                    command: shown(arguments),
                    tail: format!("(it did not end within {} s)", LIMIT.as_secs()),
                });
            }
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        Err(Error::Kops { command: shown(arguments), tail })
    }

    /// What makes it work here and nowhere else.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let folder = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("KOPS_STATE_STORE", self.state_store()),
            ("KUBECONFIG", folder("kubeconfig")),
            ("AWS_REGION", self.access.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.access.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.access.secret_access_key.clone()),
            // Otherwise it waits for an instance that could be asked who it is.
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", folder("aws-config")),
            ("AWS_SHARED_CREDENTIALS_FILE", folder("aws-credentials")),
            ("HTTPS_PROXY", self.proxy.url()),
            ("AWS_CA_BUNDLE", folder("authority.pem")),
            // Go's own list of authorities, for checksums and channels.
            ("SSL_CERT_FILE", folder("authority.pem")),
            // The digests of images are their registries' to tell.
            ("KOPS_FEATURE_FLAGS", "-ImageDigest".to_owned()),
            ("KOPS_RUN_OBSOLETE_VERSION", "true".to_owned()),
        ]
    }
}

impl std::fmt::Debug for Kops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kops")
            .field("version", &self.release.version)
            .field("state_store", &self.state_store())
            .finish_non_exhaustive()
    }
}

fn named(cluster: &str) -> String {
    format!("--name={cluster}")
}

fn update(cluster: &str) -> Vec<String> {
    vec!["update".to_owned(), "cluster".to_owned(), named(cluster), "--create-kube-config=false".to_owned()]
}

fn shown(arguments: &[String]) -> String {
    format!("kops {}", arguments.join(" "))
}

fn unread(arguments: &[String], detail: &str) -> Error {
    Error::Answer { command: shown(arguments), detail: detail.to_owned() }
}

/// Where the programs of a state store are kept: a bucket's name of a cluster's.
pub(super) fn bucket_of(cluster: &str) -> String {
    let name: String = cluster.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{}-kops-state", name.trim_matches('-').to_ascii_lowercase())
}

/// The folder of a kops below another one's.
pub(super) fn folder_in(folder: &Path) -> PathBuf {
    folder.join("kops")
}
