//! moto's server: every AWS service but EKS, in memory, for as long as the value lives.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};

use super::error::Error;
use super::python::Installation;
use crate::local::error::Error as LocalError;
use crate::local::kubeconfig::random_token;
use crate::local::pki;
use crate::local::places::Places;
use crate::local::progress::Report;
use crate::local::release::RELEASES;
use crate::local::wire::{self, Server};

/// The program: moto, stricter where we rely on refusals, with what it lacks. The first one is run.
const PROGRAM: [(&str, &str); 6] = [
    ("server.py", include_str!("../../../deploy/local/aws/server.py")),
    ("operations.py", include_str!("../../../deploy/local/aws/operations.py")),
    ("records.py", include_str!("../../../deploy/local/aws/records.py")),
    ("trail.py", include_str!("../../../deploy/local/aws/trail.py")),
    ("ground.py", include_str!("../../../deploy/local/aws/ground.py")),
    ("tokens.py", include_str!("../../../deploy/local/aws/tokens.py")),
];
/// How long it may take to listen. It loads half a hundred modules; a loaded machine is slow.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How many lines of its output are kept.
const TAIL: usize = 60;

/// botocore's model of the EKS API (`service-2.json`), installed with moto if it is not there yet.
///
/// # Errors
/// No Python, no network: each says what to do.
pub async fn service_model(places: &Places, report: Report<'_>) -> Result<PathBuf, Error> {
    Ok(Installation::ensure(places, report).await?.service_model())
}

/// The Python that moto runs on, for clients of one's own: it has boto3.
#[derive(Clone, Debug)]
pub struct Python(Installation);

impl Python {
    /// Installs moto if it is not there yet.
    ///
    /// # Errors
    /// As [`service_model`].
    pub async fn ensure(places: &Places, report: Report<'_>) -> Result<Python, Error> {
        Ok(Python(Installation::ensure(places, report).await?))
    }

    /// A command that runs it; arguments follow.
    #[must_use]
    pub fn command(&self) -> tokio::process::Command {
        self.0.python()
    }

    /// A command that runs its pip; pip's arguments follow. Nothing is installed beside moto but with `--target`.
    #[must_use]
    pub fn pip(&self) -> tokio::process::Command {
        self.0.pip()
    }
}

/// A running server. It ends with this value, and with this process however that ends: it reads its standard input,
/// and the system closes that.
#[derive(Debug)]
pub struct Moto {
    child: Child,
    /// While this is open, the server goes on.
    leash: Option<ChildStdin>,
    provider: Provider,
    tail: Tail,
}

type Tail = Arc<Mutex<VecDeque<String>>>;

impl Moto {
    /// Installs moto if necessary, starts its server on a free port of 127.0.0.1 and waits until it answers.
    ///
    /// # Errors
    /// As [`service_model`]; [`Error::Moto`] with its last words.
    pub async fn start(places: &Places, report: Report<'_>) -> Result<Moto, Error> {
        let installation = Installation::ensure(places, report).await?;
        match Moto::launch(&installation, places).await {
            // The interpreter below an environment was replaced by a newer one, which does not see its packages.
            Err(Error::Moto { tail, .. }) if tail.contains("ModuleNotFoundError") => {
                installation.discard()?;
                Moto::launch(&Installation::ensure(places, report).await?, places).await
            }
            other => other,
        }
    }

    async fn launch(installation: &Installation, places: &Places) -> Result<Moto, Error> {
        let program = program(places)?;
        let mut child = installation
            .python()
            .arg(&program)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in our terminal reaches us and not it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(LocalError::io("run", &program))?;
        let secret = random_token()?;
        let versions: Vec<_> = RELEASES.iter().map(|release| &release.version[1..]).collect();
        let order = json!({"secret": secret, "versions": versions});
        let mut leash = child.stdin.take().expect("piped above");
        // If it ends without reading, its own words say more than the broken pipe.
        let _ = leash.write_all(format!("{order}\n").as_bytes()).await;
        let tail = follow(child.stderr.take().expect("piped above"));
        let mut lines = BufReader::new(child.stdout.take().expect("piped above")).lines();
        let first = tokio::time::timeout(START_LIMIT, lines.next_line()).await;
        let port = match first {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).ok().and_then(|v: Value| v["port"].as_u64()),
            _ => None,
        };
        let Some(port) = port else {
            let _ = child.start_kill();
            let _ = child.wait().await;
            let tail = last_words(&tail);
            return Err(Error::Moto { folder: installation.folder().to_path_buf(), tail });
        };
        // Nothing more is expected, but a full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let endpoint = format!("http://127.0.0.1:{port}");
        let server = Server::plain(&endpoint).map_err(|detail| Error::Answer {
            what: "moto",
            address: endpoint.clone(),
            detail,
        })?;
        Ok(Moto { child, leash: Some(leash), provider: Provider { server, endpoint, secret }, tail })
    }

    /// Its URL, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.provider.endpoint
    }

    /// What the provider of a cloud may ask of it.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider.clone()
    }

    /// The last lines that it wrote, such as the traceback behind an answer of 500.
    #[must_use]
    pub fn last_words(&self) -> String {
        last_words(&self.tail)
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it and waits until it is gone.
    pub async fn stop(mut self) {
        drop(self.leash.take());
        if tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Where the program is, written if it is not there: in a folder of its own for each text, so that others which start
/// another one at this moment are not disturbed.
fn program(places: &Places) -> Result<PathBuf, Error> {
    let mut hash = Sha256::new();
    PROGRAM.iter().for_each(|(name, text)| hash.update(format!("{name}\n{text}\n")));
    let name: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let root = places.cache.join("aws");
    let folder = root.join(format!("server-{name}"));
    if !folder.is_dir() {
        let fresh = root.join(format!(".server-{name}-{}", random_token()?));
        std::fs::create_dir_all(&fresh).map_err(LocalError::io("create", &fresh))?;
        for (name, text) in PROGRAM {
            pki::write(&fresh.join(name), text)?;
        }
        // In one step; the same text by somebody else is as good.
        if let Err(error) = std::fs::rename(&fresh, &folder) {
            let _ = std::fs::remove_dir_all(&fresh);
            if !folder.is_dir() {
                return Err(LocalError::io("install", &folder)(error).into());
            }
        }
    }
    Ok(folder.join(PROGRAM[0].0))
}

/// Keeps the last lines of a stream.
fn follow(stream: tokio::process::ChildStderr) -> Tail {
    let tail = Tail::default();
    let kept = Arc::clone(&tail);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Ok(mut kept) = kept.lock() {
                if kept.len() == TAIL {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        }
    });
    tail
}

fn last_words(tail: &Tail) -> String {
    tail.lock().map(|lines| Vec::from(lines.clone()).join("\n")).unwrap_or_default()
}

/// What the provider of the cloud may ask, and no customer: whose a key is, tags that begin with `aws:`, network
/// interfaces of a service.
#[derive(Clone)]
pub struct Provider {
    server: Server,
    endpoint: String,
    /// Known to moto and to us alone.
    secret: String,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A network interface of the service's own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Interface {
    pub(crate) id: String,
    /// Private IPv4 address.
    pub(crate) address: String,
}

/// Whose an access key is.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The secret key, which signatures are made with.
    pub(crate) secret: String,
    /// `arn:aws:iam::123456789012:user/ann`, or `arn:aws:sts::123456789012:assumed-role/admin/session`.
    pub(crate) arn: String,
    /// The role behind an assumed one, with its path.
    pub(crate) role: Option<String>,
    /// Account id.
    pub(crate) account: String,
    /// What a signature of temporary credentials has to carry.
    pub(crate) session_token: Option<String>,
}

impl Provider {
    /// How many of every kind of resource an account has, over all regions: `vpcs`, `roles`, `instances`…
    /// What a region has by itself (its default VPC, public images) does not count.
    ///
    /// # Errors
    /// When moto does not answer.
    pub async fn counts(&self, account: &str) -> Result<BTreeMap<String, u64>, Error> {
        let answer = self.ask("counts", &json!({"account": account})).await?;
        serde_json::from_value(answer).map_err(|error| self.broken(error.to_string()))
    }

    /// Whose an access key is.
    pub(crate) async fn caller(&self, access_key: &str) -> Result<Option<Caller>, Error> {
        let answer = self.ask("identity", &json!({"accessKeyId": access_key})).await?;
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        Ok(match (text("secret"), text("arn"), text("account")) {
            (Some(secret), Some(arn), Some(account)) => Some(Caller {
                secret,
                arn,
                account,
                role: text("roleArn"),
                session_token: text("sessionToken"),
            }),
            _ => None,
        })
    }

    /// Puts tags of the service's own on EC2 resources.
    pub(crate) async fn tag(
        &self,
        home: &Home,
        resources: &[String],
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let order = json!({
            "account": home.account, "region": home.region, "resources": resources, "tags": tags,
        });
        self.ask("tags", &order).await.map(|_| ())
    }

    /// Makes a network interface of the service's own in each subnet.
    pub(crate) async fn create_interfaces(
        &self,
        home: &Home,
        subnets: &[String],
        groups: &[String],
        description: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<Vec<Interface>, Error> {
        let order = json!({
            "account": home.account, "region": home.region, "subnets": subnets, "groups": groups,
            "description": description, "tags": tags,
        });
        let answer = self.ask("interfaces", &order).await?;
        serde_json::from_value(answer["interfaces"].clone()).map_err(|error| self.broken(error.to_string()))
    }

    /// Takes network interfaces of the service's own away.
    pub(crate) async fn release_interfaces(&self, home: &Home, interfaces: &[String]) -> Result<(), Error> {
        let order = json!({"account": home.account, "region": home.region, "interfaces": interfaces});
        self.ask("release", &order).await.map(|_| ())
    }

    /// Makes a user of IAM who may do everything, with an access key: `(key id, secret)`.
    pub(crate) async fn create_administrator(
        &self,
        home: &Home,
        name: &str,
    ) -> Result<(String, String), Error> {
        let answer =
            self.ask("user", &json!({"account": home.account, "region": home.region, "name": name})).await?;
        match (answer["accessKeyId"].as_str(), answer["secretAccessKey"].as_str()) {
            (Some(key), Some(secret)) => Ok((key.to_owned(), secret.to_owned())),
            _ => Err(self.broken("no access key was made".to_owned())),
        }
    }

    /// Makes a bucket. One that is there stays as it is.
    pub(crate) async fn create_bucket(&self, home: &Home, name: &str) -> Result<(), Error> {
        self.ask("bucket", &named(home, name)).await.map(|_| ())
    }

    /// Makes a public hosted zone. One that is there stays as it is.
    pub(crate) async fn create_zone(&self, home: &Home, name: &str) -> Result<(), Error> {
        self.ask("zone", &named(home, name)).await.map(|_| ())
    }

    /// Everything in a bucket, by key.
    ///
    /// # Errors
    /// There is no such bucket; moto does not answer.
    pub async fn objects(&self, home: &Home, name: &str) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let mut answer = self.ask("objects", &named(home, name)).await?;
        let encoded: BTreeMap<String, String> = serde_json::from_value(answer["objects"].take())
            .map_err(|error| self.broken(error.to_string()))?;
        let decode = |(key, text): (String, String)| match STANDARD.decode(text) {
            Ok(bytes) => Ok((key, bytes)),
            Err(error) => Err(self.broken(format!("{key}: {error}"))),
        };
        encoded.into_iter().map(decode).collect()
    }

    /// The images of nodes: id by name.
    pub(crate) async fn images(&self) -> Result<BTreeMap<String, String>, Error> {
        let answer = self.ask("image", &json!({})).await?;
        serde_json::from_value(answer["ids"].clone()).map_err(|error| self.broken(error.to_string()))
    }

    /// Who answers operations (`autoscaling:StartInstanceRefresh`): `moto`, `ours` beside it, or nobody: `missing`.
    ///
    /// # Errors
    /// When moto does not answer.
    pub async fn answered_by(&self, operations: &[String]) -> Result<BTreeMap<String, String>, Error> {
        let answer = self.ask("answered", &json!({"operations": operations})).await?;
        serde_json::from_value(answer).map_err(|error| self.broken(error.to_string()))
    }

    /// How long CloudTrail takes to tell of a call; at first it tells at once.
    ///
    /// # Errors
    /// When moto does not answer.
    pub async fn set_trail_lag(&self, lag: Duration) -> Result<(), Error> {
        self.ask("lag", &json!({"seconds": lag.as_secs_f64()})).await.map(|_| ())
    }

    /// Puts calls of other servers into CloudTrail's history: objects with `name`, `source`, `arn`, `request`, `error`.
    pub(crate) async fn record(&self, home: &Home, events: &[Value]) -> Result<(), Error> {
        let order = json!({"account": home.account, "region": home.region, "events": events});
        self.ask("events", &order).await.map(|_| ())
    }

    async fn ask(&self, what: &str, order: &Value) -> Result<Value, Error> {
        let headers = [("x-portolan", self.secret.as_str()), ("content-type", "application/json")];
        let body = Bytes::from(order.to_string());
        let answer = self.server.send(Method::POST, &format!("/portolan/{what}"), &headers, body).await;
        let answer = match answer {
            Ok(answer) => wire::whole(answer).await,
            Err(error) => Err(error),
        };
        let (status, body) = answer.map_err(|detail| self.broken(detail))?;
        match (status, serde_json::from_slice(&body)) {
            (200, Ok(value)) => Ok(value),
            _ => Err(self.broken(format!("{what}: status {status}: {}", String::from_utf8_lossy(&body)))),
        }
    }

    fn broken(&self, detail: String) -> Error {
        Error::Answer { what: "moto", address: self.endpoint.clone(), detail }
    }
}

fn named(home: &Home, name: &str) -> Value {
    json!({"account": home.account, "region": home.region, "name": name})
}

/// Whose resources, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Account id, 12 digits.
    pub account: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
}
