//! EKS: every member of every operation's input arrives on the wire, and every member of its answer comes back.

use super::{call, cloud, installation};
use crate::k8s_http::server::{Asked, Reply, Scripted};
use portolan::aws::eks::OPERATIONS;
use portolan::model::cloud::Service;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A time as the service writes it and as the port gives it.
const TIME: (f64, &str) = (1_790_000_000.25, "2026-09-21T14:13:20.25Z");

struct Model(Value);

impl Model {
    fn shape(&self, name: &str) -> &Value {
        &self.0["shapes"][name]
    }

    fn members<'a>(&'a self, shape: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.shape(shape)["members"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, member)| (name.as_str(), member))
    }

    /// A value with every member of a shape: as it is written, and as the port has it.
    fn filled(&self, name: &str, member: &str) -> (Value, Value) {
        let shape = self.shape(name);
        let same = |value: Value| (value.clone(), value);
        match shape["type"].as_str().unwrap() {
            "string" => {
                same(shape["enum"][0].as_str().map_or_else(|| format!("a {member}/ü&"), str::to_owned).into())
            }
            "boolean" => same(true.into()),
            "integer" => same(7.into()),
            "timestamp" => (TIME.0.into(), TIME.1.into()),
            "list" => {
                let (written, given) = self.filled(shape["member"]["shape"].as_str().unwrap(), member);
                (json!([written, written]), json!([given, given]))
            }
            "map" => {
                let (written, given) = self.filled(shape["value"]["shape"].as_str().unwrap(), member);
                let key = self.filled(shape["key"]["shape"].as_str().unwrap(), "key").0;
                let key = key.as_str().unwrap();
                (json!({key: written}), json!({key: given}))
            }
            "structure" => {
                let (mut written, mut given) = (Map::new(), Map::new());
                for (member, about) in self.members(name) {
                    let (w, g) = self.filled(about["shape"].as_str().unwrap(), member);
                    written.insert(member.into(), w);
                    given.insert(member.into(), g);
                }
                (written.into(), given.into())
            }
            other => panic!("{name} is a {other}, which the adapter does not know"),
        }
    }

    fn operation(&self, name: &str) -> &Value {
        &self.0["operations"][name]
    }

    /// What a request must be like: method, decoded path, query, body.
    fn expected(
        &self,
        operation: &str,
        input: &Value,
    ) -> (String, Vec<String>, Vec<(String, String)>, Value) {
        let about = self.operation(operation);
        let (mut labels, mut query, mut body) = (BTreeMap::new(), Vec::new(), Map::new());
        for (member, about) in self.members(about["input"]["shape"].as_str().unwrap()) {
            let value = &input[member];
            let name = about["locationName"].as_str().unwrap_or(member);
            match about["location"].as_str() {
                Some("uri") => {
                    labels.insert(format!("{{{name}}}"), value.as_str().unwrap());
                }
                Some("querystring") => {
                    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                    let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    query.extend(values.into_iter().map(|value| (name.to_owned(), text(value))));
                }
                None => {
                    body.insert(name.to_owned(), value.clone());
                }
                Some(other) => panic!("{operation}.{member} stands in the {other}"),
            }
        }
        let uri = about["http"]["requestUri"].as_str().unwrap();
        let path = uri.split('/').map(|part| (*labels.get(part).unwrap_or(&part)).to_owned()).collect();
        query.sort();
        (about["http"]["method"].as_str().unwrap().into(), path, query, body.into())
    }
}

fn asked(request: &Asked) -> (String, Vec<String>, Vec<(String, String)>, Value) {
    // A plus stands for itself in a path.
    let decoded = |part: &str| {
        let part = part.replace('+', "%2B");
        url::form_urlencoded::parse(part.as_bytes())
            .next()
            .map_or_else(String::new, |(text, _)| text.into_owned())
    };
    let path = request.path.split('/').map(decoded).collect();
    let mut query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.query.as_bytes()).into_owned().collect();
    query.sort();
    let body =
        if request.body.is_empty() { json!({}) } else { serde_json::from_slice(&request.body).unwrap() };
    (request.method.clone(), path, query, body)
}

/// botocore's, and the one that was put beside the project, where there is one.
async fn models() -> Vec<(PathBuf, Model)> {
    let beside =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/aws/eks-service-model.json");
    let own = installation().await.join("eks/service-2.json");
    let read = |path: PathBuf| {
        let model = Model(serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap());
        (path, model)
    };
    [own, beside].into_iter().filter(|path| path.is_file()).map(read).collect()
}

#[tokio::test]
async fn no_member_is_lost_on_the_way_there_or_back() {
    crate::support::aws::needs_aws!();
    for (path, model) in models().await {
        let answer = Arc::new(Mutex::new(Value::Null));
        let told = answer.clone();
        let server = Scripted::start(move |_, _| Reply::json(200, &told.lock().unwrap())).await;
        let cloud = cloud(&server).await;
        for operation in OPERATIONS {
            let about = model.operation(operation);
            let shape =
                |what: &str| about[what]["shape"].as_str().unwrap_or_else(|| panic!("{path:?}: {operation}"));
            let (input, _) = model.filled(shape("input"), "");
            let (mut written, mut given) = model.filled(shape("output"), "");
            // Another page is another test.
            for value in [&mut written, &mut given] {
                value.as_object_mut().unwrap().remove("nextToken");
            }
            *answer.lock().unwrap() = written;
            let returned = cloud.call(&call(Service::Eks, operation, input.clone())).await;
            let returned = returned.unwrap_or_else(|failure| panic!("{path:?}: {failure}"));
            let request = server.requests().pop().unwrap();
            assert_eq!(asked(&request), model.expected(operation, &input), "{path:?}: {operation}");
            assert_eq!(returned, given, "{path:?}: {operation}");
        }
        assert_eq!(server.requests().len(), OPERATIONS.len());
        println!("{}: {} operations", path.display(), OPERATIONS.len());
    }
}

#[tokio::test]
async fn a_member_that_the_api_does_not_have_is_refused_before_anything_is_sent() {
    let server = Scripted::start(|_, _| Reply::json(200, &json!({}))).await;
    let cloud = cloud(&server).await;
    let cluster = |config: Value| json!({"name": "a", "roleArn": "r", "resourcesVpcConfig": config});
    for (operation, input, words) in [
        (
            "CreateCluster",
            cluster(json!({"subnetId": ["s"]})),
            "/resourcesVpcConfig/subnetId: the API has no such",
        ),
        (
            "CreateCluster",
            cluster(json!({"subnetIds": "s"})),
            "/resourcesVpcConfig/subnetIds: a list is expected",
        ),
        (
            "CreateCluster",
            cluster(json!({"subnetIds": ["s", 1]})),
            "/resourcesVpcConfig/subnetIds/1: a string is",
        ),
        ("CreateCluster", json!({"name": "a", "tags": {"k": 1}}), "/tags/k: a string is expected"),
        (
            "CreateCluster",
            json!({"name": "a", "deletionProtection": "yes"}),
            "/deletionProtection: true or false",
        ),
        ("CreateNodegroup", json!({"diskSize": 1.5}), "/diskSize: a whole number"),
        ("CreateNodegroup", json!({"diskSize": 4_294_967_296_u64}), "/diskSize: a whole number"),
        ("CreateNodegroup", json!([]), "an object is expected, this is a list"),
        (
            "CreateAddon",
            json!({"podIdentityAssociations": [{"roleArn": "r"}]}),
            "/podIdentityAssociations/0: ",
        ),
        ("CreateCapability", json!({}), "`CreateCapability` is no operation"),
    ] {
        let failure = cloud.call(&call(Service::Eks, operation, input)).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (portolan::ports::CloudFailureKind::Invalid, "CallDoesNotFit")
        );
        assert!(failure.message.starts_with(words), "{failure}");
    }
    assert!(server.requests().is_empty());
}
