//! A cluster's network, roles and nodes as EC2, IAM and Auto Scaling answered (recorded from moto 5.2.5 after our own
//! calls had made them), and what the tests do with them: read, change an answer, compare.

use portolan::model::cloud::Call;
use portolan::model::cluster_config::ClusterConfig;
use portolan::provision::network::{Declared, cluster};
use portolan::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use portolan::provision::{iam, network, nodes};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the recorded cluster was made from.
pub const FILE: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: harbour, region: eu-central-1, version: "1.36", tags: {team: sea}}
availabilityZones: [eu-central-1a, eu-central-1b]
iam:
  withOIDC: true
  serviceAccounts:
    - metadata: {name: app, namespace: web}
      attachPolicy: {Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]}
      permissionsBoundary: arn:aws:iam::123456789012:policy/boundary
managedNodeGroups:
  - {name: steady, maxPodsPerNode: 20, privateNetworking: true}
nodeGroups:
  - name: own
    ami: ami-12c6146b
    minSize: 1
    maxSize: 4
    desiredCapacity: 2
    privateNetworking: true
    instancesDistribution: {instanceTypes: [m5.large, m5a.large], onDemandBaseCapacity: 1, maxPrice: 0.2}
    asgSuspendProcesses: [AZRebalance]
"#;

pub fn scope_of(cluster: &str) -> Scope {
    Scope {
        cluster: cluster.into(),
        region: "eu-central-1".into(),
        partition: "aws".into(),
        account: "123456789012".into(),
    }
}

pub fn config(yaml: &str) -> ClusterConfig {
    serde_yaml::from_str(yaml).expect("a ClusterConfig")
}

/// A ClusterConfig of the recorded name and region with these members.
pub fn with(yaml: &str) -> ClusterConfig {
    let head = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n";
    let metadata = "metadata: {name: harbour, region: eu-central-1, version: \"1.36\"}\n";
    config(&format!("{head}{metadata}{yaml}"))
}

pub fn drivers() -> Vec<&'static dyn Driver> {
    network::DRIVERS.iter().chain(&iam::DRIVERS).chain(&nodes::DRIVERS).copied().collect()
}

pub fn driver(kind: Kind) -> &'static dyn Driver {
    drivers().into_iter().find(|driver| driver.kind() == kind).expect("a driver")
}

/// The cluster itself, which EKS's driver reads before these.
pub fn eks_cluster(scope: &Scope) -> Live {
    Live {
        key: cluster(scope),
        id: scope.cluster.clone(),
        actual: json!({"version": "1.36"}),
        outputs: serde_json::from_value(json!({
            "securityGroupId": "sg-00000003",
            "issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC",
            "endpoint": "https://x",
            "certificateAuthority": "Q0E=",
            "serviceCidr": "10.100.0.0/16",
        }))
        .unwrap(),
        tags: BTreeMap::new(),
        owner: Owner::Ours,
        state: State::Ready,
    }
}

pub fn declare(config: &ClusterConfig, scope: &Scope, known: &Snapshot) -> Declared {
    let mut declared = network::resources(config, scope, known);
    declared.extend(iam::resources(config, scope, known));
    declared.extend(nodes::resources(config, scope, known, &BTreeSet::new()));
    declared
}

/// Answers by call.
#[derive(Clone)]
pub struct Recorded {
    answers: Vec<(Call, Value)>,
}

impl Recorded {
    pub fn untouched() -> Self {
        let all: Vec<Value> = serde_json::from_str(include_str!("answers/untouched.json")).unwrap();
        let pair =
            |each: &Value| (serde_json::from_value(each["call"].clone()).unwrap(), each["answer"].clone());
        Self { answers: all.iter().map(pair).collect() }
    }

    /// The answers of an operation whose call holds a text.
    pub fn change(&mut self, operation: &str, holding: &str, change: impl Fn(&mut Value)) {
        let mut found = false;
        for (call, answer) in &mut self.answers {
            if call.operation == operation && call.input.to_string().contains(holding) {
                change(answer);
                found = true;
            }
        }
        assert!(found, "no answer to {operation} with {holding}");
    }

    pub fn add(&mut self, call: Call, answer: Value) {
        self.answers.push((call, answer));
    }

    /// Every list of every answer the other way round.
    pub fn reversed(mut self) -> Self {
        fn reverse(value: &mut Value) {
            match value {
                Value::Array(items) => {
                    items.reverse();
                    items.iter_mut().for_each(reverse);
                }
                Value::Object(members) => members.values_mut().for_each(reverse),
                _ => {}
            }
        }
        self.answers.iter_mut().for_each(|(_, answer)| reverse(answer));
        self
    }

    /// Reads everything, each kind's calls in the order given by `last_first`; the calls that were made.
    pub fn read(&self, declared: &[Resource], last_first: bool) -> (Snapshot, Vec<Call>) {
        let scope = scope_of("harbour");
        let mut snapshot = Snapshot::default();
        let cluster = eks_cluster(&scope);
        snapshot.live.insert(cluster.key.clone(), cluster);
        let mut made = Vec::new();
        for driver in drivers() {
            let mut calls = driver.reads(&scope, &snapshot, declared);
            while !calls.is_empty() {
                let call = if last_first { calls.pop().unwrap() } else { calls.remove(0) };
                let answer = self.answers.iter().find(|(recorded, _)| *recorded == call);
                let (_, answer) =
                    answer.unwrap_or_else(|| panic!("no answer was recorded for {call} {}", call.input));
                calls.extend(driver.absorb(&scope, declared, &call, answer, &mut snapshot));
                made.push(call);
            }
        }
        (snapshot, made)
    }
}

/// All that differs, with the resource it differs in.
pub fn differences(declared: &[Resource], snapshot: &Snapshot) -> Vec<(Key, Difference)> {
    let scope = scope_of("harbour");
    let mut all = Vec::new();
    for resource in declared.iter().filter(|each| !each.existing) {
        let live =
            snapshot.live.get(&resource.key).unwrap_or_else(|| panic!("{} is not there", resource.key));
        let Ok(desired) = snapshot.resolve(&resource.desired) else { continue };
        let mut tags = resource.tags.clone();
        tags.extend(scope.tags(&resource.key));
        let found = driver(resource.key.kind).differences(&scope, resource, &desired, &tags, live, snapshot);
        all.extend(found.into_iter().map(|difference| (resource.key.clone(), difference)));
    }
    all
}

/// A difference in one line: `Vpc/vpc /EnableDnsHostnames true false ec2:ModifyVpcAttribute`.
pub fn line((key, difference): &(Key, Difference)) -> String {
    let mend = match &difference.mend {
        Mend::InPlace(call) => call.to_string(),
        Mend::Rolling(call, _) => format!("rolling {call}"),
        Mend::Impossible(_) => "impossible".to_owned(),
    };
    format!("{key} {} {} {} {mend}", difference.field, difference.declared, difference.actual)
}

/// The resource of a key.
pub fn of<'a>(declared: &'a [Resource], key: &str) -> &'a Resource {
    let found = declared.iter().find(|each| each.key.to_string() == key);
    found.unwrap_or_else(|| panic!("no {key} among {:?}", keys(declared)))
}

pub fn keys(declared: &[Resource]) -> Vec<String> {
    declared.iter().map(|each| each.key.to_string()).collect()
}

pub fn problems(declared: &Declared) -> Vec<String> {
    declared.problems.iter().map(ToString::to_string).collect()
}

/// A resource as it would be found if it were exactly as declared.
pub fn as_declared(resource: &Resource, known: &Snapshot) -> Live {
    let scope = scope_of("harbour");
    let key = resource.key.clone();
    let id = format!("id-of-{key}");
    let desired = known.resolve(&resource.desired).unwrap();
    let mut tags = resource.tags.clone();
    tags.extend(scope.tags(&key));
    let mut actual = desired.clone();
    let sent = driver(key.kind).create(&scope, resource, &desired, &tags, "token").input;
    match key.kind {
        Kind::Role => {
            let trust = sent["AssumeRolePolicyDocument"].as_str().unwrap();
            actual["AssumeRolePolicyDocument"] = serde_json::from_str(trust).unwrap();
        }
        Kind::LaunchTemplate => actual["LaunchTemplateData"] = sent["LaunchTemplateData"].clone(),
        Kind::SecurityGroup => {
            actual = serde_json::from_str(&actual.to_string().replace("$self", &id)).unwrap()
        }
        _ => {}
    }
    let named = ["RoleName", "InstanceProfileName", "AutoScalingGroupName"];
    let id = named.iter().find_map(|name| desired[*name].as_str()).map_or(id, str::to_owned);
    let mut outputs: BTreeMap<String, Value> = BTreeMap::new();
    for output in ["id", "arn", "name", "attached", "filled", "issuer", "imageId"] {
        outputs.insert(output.into(), json!(id));
    }
    outputs.insert("version".into(), json!("1"));
    outputs.insert("cidr".into(), desired["CidrBlock"].clone());
    outputs.extend((0..16).map(|nth| (format!("ipv6Cidr-{nth}"), json!(format!("2001:db8:0:{nth:x}::/64")))));
    Live { key, id, actual, outputs, tags, owner: Owner::Ours, state: State::Ready }
}
