//! The EKS server, by raw HTTP and by boto3.

mod access;
mod addons;
mod boto3;
mod clusters;
mod config;
mod failing;
mod faults;
mod model;
mod nodes;
mod small;
mod versions;

pub use model::dispatched;

use crate::support::control_plane::progress;
use portolan::local::Places;
use portolan::local::aws::eks::{
    EksOptions, EksServer, Model, Segment, StillWorld, Violation, ViolationKind,
};
use portolan::local::aws::service_model;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-central-1";
pub const ROLE: &str = "arn:aws:iam::123456789012:role/cluster";
pub const NODE_ROLE: &str = "arn:aws:iam::123456789012:role/nodes";
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-1/eks/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=0123456789abcdef";

/// botocore's model, installed with moto.
pub async fn model_path() -> PathBuf {
    let places = Places::from_env().unwrap();
    service_model(&places, &mut progress()).await.unwrap()
}

pub async fn the_model() -> Arc<Model> {
    static MODEL: OnceCell<Arc<Model>> = OnceCell::const_new();
    MODEL.get_or_init(|| async { Arc::new(Model::load(&model_path().await).unwrap()) }).await.clone()
}

/// A server with a still world, and a client of it. A violation that no test asked for fails the test.
pub struct Api {
    pub server: EksServer,
    pub world: Arc<StillWorld>,
    model: Arc<Model>,
    violations_expected: bool,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub error: String,
    pub body: Value,
}

impl Answer {
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

impl Api {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(set: impl FnOnce(&mut EksOptions)) -> Self {
        let mut options = EksOptions::new(ACCOUNT, REGION);
        set(&mut options);
        let (model, world) = (the_model().await, Arc::new(StillWorld::default()));
        let server = EksServer::start(model.clone(), world.clone(), options).await.unwrap();
        Self { server, world, model, violations_expected: false }
    }

    /// What was wrong so far; the test asked for it.
    pub fn expected_violations(&mut self) -> Vec<Violation> {
        self.violations_expected = true;
        self.server.violations()
    }

    /// Calls an operation; none where the connection was cut.
    pub async fn try_call(&self, operation: &str, input: &Value) -> Option<Answer> {
        let (method, target, body) = self.encoded(operation, input);
        self.send(&method, &target, Some(SIGNED), &body).await
    }

    pub async fn call(&self, operation: &str, input: Value) -> Answer {
        self.try_call(operation, &input).await.expect("the connection was cut")
    }

    /// Calls an operation that has to succeed.
    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.call(operation, input.clone()).await;
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        answer.body
    }

    /// Calls an operation that has to fail with this exception, and these words in its message.
    pub async fn refused(&self, operation: &str, input: Value, code: &str, words: &str) -> Answer {
        let answer = self.call(operation, input.clone()).await;
        assert_eq!(answer.error, code, "{operation} {input}: {answer:?}");
        assert!(answer.message().contains(words), "{operation} {input}: {answer:?} lacks {words:?}");
        answer
    }

    /// Puts an input into method, target and body as the model tells.
    fn encoded(&self, operation: &str, input: &Value) -> (String, String, Vec<u8>) {
        let operation = self.model.operation(operation).unwrap_or_else(|| panic!("no {operation}"));
        let shape = self.model.shape(operation.input.as_ref().unwrap()).unwrap();
        let (mut query, mut body) = (Vec::new(), serde_json::Map::new());
        let mut labels = std::collections::BTreeMap::new();
        for (name, value) in input.as_object().unwrap() {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), String::from);
            let member = shape.members.get(name);
            let wire = member.map_or(name.as_str(), |member| member.wire_name(name)).to_owned();
            match member.and_then(|member| member.location.as_deref()) {
                Some("uri") => {
                    labels.insert(wire, encode(&text(value)));
                }
                Some(_) => {
                    let items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                    query.extend(items.iter().map(|item| format!("{wire}={}", encode(&text(item)))));
                }
                None => {
                    body.insert(wire, value.clone());
                }
            }
        }
        let mut target = String::new();
        for segment in &operation.path {
            target.push('/');
            match segment {
                Segment::Literal(text) => target.push_str(text),
                Segment::Label(label) => target.push_str(labels.get(label).map_or("", String::as_str)),
            }
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let body = if body.is_empty() { Vec::new() } else { Value::Object(body).to_string().into_bytes() };
        (operation.method.clone(), target, body)
    }

    /// One request on a connection of its own; none where it was cut.
    pub async fn send(
        &self,
        method: &str,
        target: &str,
        authorization: Option<&str>,
        body: &[u8],
    ) -> Option<Answer> {
        let address = self.server.endpoint().trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let authorization =
            authorization.map_or(String::new(), |value| format!("Authorization: {value}\r\n"));
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{authorization}Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(30), read).await.expect("no answer").ok()?;
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let error = lines.find_map(|line| line.strip_prefix("x-amzn-errortype: ")).unwrap_or_default();
        Some(Answer { status, error: error.into(), body: serde_json::from_str(body).unwrap() })
    }

    /// An ACTIVE cluster.
    pub async fn cluster(&self, name: &str) -> Value {
        self.cluster_with(name, json!({})).await
    }

    /// An ACTIVE cluster with these members of the input beside the required ones.
    pub async fn cluster_with(&self, name: &str, members: Value) -> Value {
        self.ok("CreateCluster", cluster_input(name, members)).await;
        self.server.settled().await;
        let view = self.ok("DescribeCluster", json!({"name": name})).await["cluster"].clone();
        assert_eq!(view["status"], "ACTIVE");
        view
    }

    /// An ACTIVE node group.
    pub async fn nodegroup(&self, cluster: &str, name: &str) -> Value {
        self.ok("CreateNodegroup", nodegroup_input(cluster, name, json!({}))).await;
        self.server.settled().await;
        self.nodegroup_view(cluster, name).await
    }

    pub async fn nodegroup_view(&self, cluster: &str, name: &str) -> Value {
        let input = json!({"clusterName": cluster, "nodegroupName": name});
        self.ok("DescribeNodegroup", input).await["nodegroup"].clone()
    }

    pub async fn cluster_view(&self, name: &str) -> Value {
        self.ok("DescribeCluster", json!({"name": name})).await["cluster"].clone()
    }

    /// The update of an answer, when everything has ended.
    pub async fn ended(&self, cluster: &str, part: Value, answer: &Value) -> Value {
        self.server.settled().await;
        let mut input = json!({"name": cluster, "updateId": answer["update"]["id"]});
        input.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        self.ok("DescribeUpdate", input).await["update"].clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let violations = self.server.violations();
        if !std::thread::panicking() && !self.violations_expected {
            assert!(violations.is_empty(), "{violations:#?}");
        }
        // This server's own mistakes are never expected.
        let own = violations.iter().find(|violation| violation.kind == ViolationKind::Output);
        if !std::thread::panicking() {
            assert!(own.is_none(), "{own:?}");
        }
    }
}

pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

pub fn cluster_input(name: &str, members: Value) -> Value {
    let mut input = json!({
        "name": name,
        "roleArn": ROLE,
        "resourcesVpcConfig": {"subnetIds": ["subnet-0a", "subnet-0b"]},
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
    });
    input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    input
}

pub fn nodegroup_input(cluster: &str, name: &str, members: Value) -> Value {
    let mut input = json!({
        "clusterName": cluster,
        "nodegroupName": name,
        "subnets": ["subnet-0a", "subnet-0b"],
        "nodeRole": NODE_ROLE,
    });
    input.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    input
}
