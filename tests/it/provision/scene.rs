//! A cluster between its file and an EKS in memory: read, plan, execute, settle, until nothing is left to do.

use super::service::{Answer, Eks};
use portolan::model::DriftPolicy;
use portolan::model::cloud::Call;
use portolan::model::cluster::EksRef;
use portolan::model::cluster_config::ClusterConfig;
use portolan::model::plan::Verdict;
use portolan::provision::eks;
use portolan::provision::gates::InCluster;
use portolan::provision::resource::{
    Driver, Key, Kind, Live, Owner, Resource, Scope, Snapshot, State, TOKEN,
};
use portolan::provision::upgrade::{Staged, UpgradeFacts, stage};
use portolan::provision::{Applied, CloudPlan, PlanInput, StepAction, Weight, drivers, plan, resources};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub fn scope() -> Scope {
    Scope {
        cluster: "harbour".into(),
        region: "eu-central-1".into(),
        partition: "aws".into(),
        account: "111122223333".into(),
    }
}

pub fn config(yaml: &str) -> ClusterConfig {
    serde_yaml::from_str(yaml).expect("a ClusterConfig")
}

/// Two managed groups (one spot), a Fargate profile, add-ons, an access entry, pod identity.
pub const WHOLE: &str = r#"
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: harbour, region: eu-central-1, version: "1.35", tags: {team: sea}}
availabilityZones: [eu-central-1a, eu-central-1b]
iam:
  withOIDC: true
  podIdentityAssociations:
    - {namespace: shop, serviceAccountName: web, roleARN: "arn:aws:iam::111122223333:role/web"}
accessConfig:
  authenticationMode: API
  accessEntries:
    - principalARN: arn:aws:iam::111122223333:role/admins
      accessPolicies:
        - policyARN: arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy
          accessScope: {type: cluster}
cloudWatch: {clusterLogging: {enableTypes: [audit, api]}}
addons: [{name: eks-pod-identity-agent}, {name: aws-ebs-csi-driver}]
managedNodeGroups:
  - {name: steady, instanceType: m5.large, minSize: 1, maxSize: 4, desiredCapacity: 2, privateNetworking: true,
     labels: {tier: steady}, taints: [{key: quiet, value: "yes", effect: NoSchedule}]}
  - {name: cheap, instanceTypes: [m5.large, m5a.large], spot: true, privateNetworking: true}
fargateProfiles:
  - {name: batch, selectors: [{namespace: batch, labels: {kind: job}}]}
"#;

/// How a plan is asked for.
#[derive(Default)]
pub struct Wish {
    pub drift: DriftPolicy,
    pub asked: bool,
    /// Nothing is known of what was applied before.
    pub forgetful: bool,
    /// The cluster's API server does not answer.
    pub blind: bool,
}

/// Another EKS than the one in memory.
pub trait Wire {
    fn call(&mut self, call: &Call) -> Answer;
    /// Lets some time pass.
    fn settle(&mut self);
}

/// The file, EKS, and what is kept between passes.
pub struct Scene {
    pub eks: Eks,
    pub wire: Option<Box<dyn Wire>>,
    pub config: ClusterConfig,
    pub settings: EksRef,
    pub applied: BTreeMap<Key, Applied>,
    pub granted: BTreeSet<String>,
    pub approved: BTreeSet<String>,
    pub inside: InCluster,
    pub now: String,
    pub removed: bool,
    /// Resources of other services that were taken away.
    pub gone: BTreeSet<Key>,
    attempts: usize,
}

impl Scene {
    pub fn new(yaml: &str) -> Self {
        Self {
            eks: Eks::new(),
            wire: None,
            config: config(yaml),
            settings: EksRef::default(),
            applied: BTreeMap::new(),
            granted: BTreeSet::new(),
            approved: BTreeSet::new(),
            inside: InCluster::default(),
            now: "2026-11-22T00:00:00Z".into(),
            removed: false,
            gone: BTreeSet::new(),
            attempts: 0,
        }
    }

    fn call(&mut self, call: &Call) -> Answer {
        match &mut self.wire {
            Some(wire) => wire.call(call),
            None => self.eks.call(call),
        }
    }

    /// A scene whose cluster is as declared.
    pub fn complete(yaml: &str) -> Self {
        let mut scene = Self::new(yaml);
        scene.run();
        scene
    }

    pub fn declared(&self) -> Vec<Resource> {
        let declared = resources(&self.config, &self.settings, &scope(), &Snapshot::default());
        let refused: Vec<_> = declared.problems.iter().filter(|p| p.weight == Weight::Refused).collect();
        assert!(refused.is_empty(), "{refused:?}");
        let mut resources = declared.resources;
        // Launch templates are another part's; here they are there like all of the network.
        let needed: BTreeSet<Key> = resources.iter().flat_map(|resource| resource.needs.clone()).collect();
        let known: BTreeSet<Key> = resources.iter().map(|resource| resource.key.clone()).collect();
        resources.extend(needed.difference(&known).map(|key| Resource {
            key: key.clone(),
            desired: json!({}),
            tags: BTreeMap::new(),
            needs: BTreeSet::new(),
            declared_at: String::new(),
            existing: false,
        }));
        resources
    }

    /// What the drivers of EKS read, everything of other services being there as declared.
    pub fn read(&mut self, declared: &[Resource]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for resource in declared.iter().filter(|resource| !is_of_eks(resource.key.kind)) {
            let all_gone = self.removed && self.wire.is_none() && self.eks.cluster.is_none();
            if !all_gone && !self.gone.contains(&resource.key) {
                snapshot.live.insert(resource.key.clone(), stand_in(resource));
            }
        }
        for driver in eks_drivers() {
            let mut asks = driver.reads(&scope(), &snapshot, declared);
            while !asks.is_empty() {
                let call = asks.remove(0);
                match self.call(&call) {
                    Ok(answer) => {
                        asks.extend(driver.absorb(&scope(), declared, &call, &answer, &mut snapshot))
                    }
                    Err(code) => assert_eq!(code, "ResourceNotFoundException", "{call}"),
                }
            }
        }
        snapshot
    }

    pub fn plan(&mut self) -> (CloudPlan, Staged) {
        let declared = self.declared();
        let snapshot = self.read(&declared);
        self.plan_of(&declared, &snapshot, &Wish::default())
    }

    pub fn plan_of(&self, declared: &[Resource], snapshot: &Snapshot, wish: &Wish) -> (CloudPlan, Staged) {
        let inside = Some(&self.inside).filter(|_| !wish.blind);
        let facts = UpgradeFacts { inside, now: Some(&self.now) };
        let nothing = BTreeMap::new();
        let staged = stage(declared, snapshot, facts);
        let scope = scope();
        let drivers = stand_ins();
        let approved = |digest: &str| self.approved.contains(digest);
        let mut input = PlanInput::new(&scope, &staged.resources, snapshot, &drivers);
        input.revision = "abc";
        input.applied = if wish.forgetful { &nothing } else { &self.applied };
        input.drift = wish.drift;
        input.asked = wish.asked;
        input.forbidden = &staged.forbidden;
        input.fields = &staged.fields;
        input.approved = &approved;
        input.granted = &self.granted;
        input.removed = self.removed;
        (plan(&input), staged)
    }

    /// Makes what may be made now, the first `most` calls of it. Returns how many calls there were.
    pub fn execute(&mut self, plan: &CloudPlan, most: usize) -> usize {
        self.granted.clone_from(&plan.granted);
        let mut made = 0;
        for step in &plan.steps {
            if step.action == StepAction::Unchanged {
                self.applied.extend(step.desired.clone().map(|applied| (step.key.clone(), applied)));
            }
            if !step.is_actionable() {
                continue;
            }
            if !is_of_eks(step.key.kind) {
                assert_eq!(step.action, StepAction::Delete);
                self.gone.insert(step.key.clone());
                continue;
            }
            for call in &step.calls {
                if made == most {
                    return made;
                }
                made += 1;
                let mut call = call.clone();
                self.attempts += 1;
                fill_in(&mut call.input, &format!("token-{}", self.attempts));
                // Busy for now: the next pass sees to it.
                let _ = self.call(&call);
            }
        }
        made
    }

    /// Passes until nothing is to do, or nothing but what is held or blocked. Returns how many there were.
    pub fn run(&mut self) -> usize {
        for pass in 0..200 {
            let (plan, _) = self.plan();
            if self.execute(&plan, usize::MAX) == 0 && !self.moves(&plan) {
                return pass;
            }
            match &mut self.wire {
                Some(wire) => wire.settle(),
                None => self.eks.settle(),
            }
        }
        let (plan, staged) = self.plan();
        panic!("it does not end: {:?}\n{}", staged.course, shown(&plan));
    }

    fn moves(&self, plan: &CloudPlan) -> bool {
        plan.steps
            .iter()
            .any(|step| step.action == StepAction::Wait && matches!(step.verdict, Verdict::Deferred(_)))
            || plan.actionable().next().is_some()
    }
}

/// A plan in lines.
pub fn shown(plan: &CloudPlan) -> String {
    let lines = plan.steps.iter().filter(|step| step.action != StepAction::Unchanged).map(|step| {
        let fields: Vec<&str> = step.differences.iter().map(|difference| difference.field.as_str()).collect();
        format!("{} {} {:?} {}", step.action, step.key, step.verdict, fields.join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether EKS's own API makes it; ServiceAccounts are made at the API server.
pub fn is_of_eks(kind: Kind) -> bool {
    let has_driver = eks::DRIVERS.iter().any(|driver| driver.kind() == kind);
    kind == Kind::Cluster || has_driver && kind != Kind::ServiceAccount
}

pub fn eks_drivers() -> Vec<&'static dyn Driver> {
    drivers().into_iter().filter(|driver| is_of_eks(driver.kind())).collect()
}

/// EKS's drivers, and for all other kinds one that finds no fault.
fn stand_ins() -> Vec<&'static dyn Driver> {
    let kinds = [
        Kind::Role,
        Kind::InstanceProfile,
        Kind::OidcProvider,
        Kind::Vpc,
        Kind::InternetGateway,
        Kind::EgressGateway,
        Kind::Subnet,
        Kind::Address,
        Kind::NatGateway,
        Kind::RouteTable,
        Kind::SecurityGroup,
        Kind::VpcEndpoint,
        Kind::LaunchTemplate,
        Kind::AutoScalingGroup,
        Kind::ServiceAccount,
    ];
    static FAULTLESS: std::sync::OnceLock<Vec<Faultless>> = std::sync::OnceLock::new();
    let faultless = FAULTLESS.get_or_init(|| kinds.map(Faultless).into());
    let others = faultless.iter().map(|driver| driver as &dyn Driver);
    eks_drivers().into_iter().chain(others).collect()
}

/// A driver of a kind that is always as declared.
pub struct Faultless(pub Kind);

impl Driver for Faultless {
    fn kind(&self) -> Kind {
        self.0
    }
    fn reads(&self, _: &Scope, _: &Snapshot, _: &[Resource]) -> Vec<Call> {
        Vec::new()
    }
    fn absorb(&self, _: &Scope, _: &[Resource], _: &Call, _: &Value, _: &mut Snapshot) -> Vec<Call> {
        Vec::new()
    }
    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        _: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        ec2("Create", desired.clone())
    }
    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        _: &Value,
        _: &BTreeMap<String, String>,
        _: &Live,
        _: &Snapshot,
    ) -> Vec<portolan::provision::resource::Difference> {
        Vec::new()
    }
    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("Delete", json!({"Id": live.id}))]
    }
}

fn ec2(operation: &str, input: Value) -> Call {
    Call::new(portolan::model::cloud::Service::Ec2, operation, input)
}

fn stand_in(resource: &Resource) -> Live {
    let id = resource.key.name.clone();
    let arn = format!("arn:aws:iam::111122223333:role/{id}");
    let outputs = ["id", "arn", "vpc", "cidr", "version", "attached", "issuer", "zone"]
        .map(|output| {
            let value = match output {
                "arn" => arn.clone(),
                "version" => "1".into(),
                "id" if resource.key.kind == Kind::Subnet => format!("subnet-{id}"),
                _ => id.clone(),
            };
            (output.to_owned(), json!(value))
        })
        .into();
    Live {
        key: resource.key.clone(),
        id,
        actual: json!({}),
        outputs,
        tags: scope().tags(&resource.key),
        owner: if resource.existing { Owner::Other } else { Owner::Ours },
        state: State::Ready,
    }
}

fn fill_in(value: &mut Value, token: &str) {
    match value {
        Value::String(text) if text == TOKEN => *text = token.into(),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in(item, token)),
        Value::Object(members) => members.values_mut().for_each(|member| fill_in(member, token)),
        _ => {}
    }
}
