//! A cluster on the local AWS: moto, and our EKS server with a still world; our own adapter between.

use super::api_server::FakeApi;
use super::light_world::LightWorld;
use super::scene::Told;
use crate::support::control_plane::progress;
use portolan::aws::{AwsClouds, AwsOptions, CredentialsSource, Endpoints, Limits};
use portolan::engine::clusters::{Context, Described, Kept, Pace, Policy, Wanted};
use portolan::host::{FolderStore, SystemClock};
use portolan::local::Places;
use portolan::local::aws::eks::{Delays, EksOptions, EksServer, Model};
use portolan::local::aws::{Moto, service_model};
use portolan::model::application::{Adopt, DriftPolicy};
use portolan::model::cloud::{Call, Service};
use portolan::model::cluster::EksRef;
use portolan::model::cluster_config::{ClusterConfig, read};
use portolan::ports::state::{Approval, UserRequest};
use portolan::ports::{CallObserver, Clock, Cloud, CloudAccess, Clouds, StateStore};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "123456789012";

/// The local AWS and what a daemon needs for one cluster.
pub struct AwsScene {
    pub moto: Moto,
    pub eks: EksServer,
    pub told: Arc<Told>,
    pub api: Arc<FakeApi>,
    pub store: Arc<FolderStore>,
    pub policy: Policy,
    pub observer: Option<Arc<dyn CallObserver>>,
    /// The daemons' clock.
    pub clock: Arc<dyn Clock>,
    /// What daemons remember with, where it is not `store`.
    pub memory: Option<Arc<dyn StateStore>>,
    _folder: TempDir,
}

impl AwsScene {
    pub async fn start(delays: Delays) -> Self {
        let places = Places::from_env().unwrap();
        let model = Model::load(&service_model(&places, &mut progress()).await.unwrap()).unwrap();
        let moto = Moto::start(&places, &mut progress()).await.unwrap();
        let world = Arc::new(LightWorld::new(moto.endpoint()));
        let options = EksOptions { delays, ..EksOptions::new(ACCOUNT, REGION) };
        let eks = EksServer::start(Arc::new(model), world, options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let api = Arc::new(FakeApi::default());
        Self {
            moto,
            eks,
            told: Arc::new(Told { api: Some(api.clone()), ..Told::default() }),
            api,
            store: Arc::new(FolderStore::open(folder.path().join("state")).unwrap()),
            policy: Policy {
                drift: DriftPolicy::Correct,
                adopt: Adopt::IfUnowned,
                suspended: None,
                schedule: None,
            },
            observer: None,
            clock: Arc::new(SystemClock),
            memory: None,
            _folder: folder,
        }
    }

    pub fn clouds(&self) -> Arc<AwsClouds> {
        clouds(self.moto.endpoint(), Some(self.eks.endpoint()), self.observer.clone())
    }

    pub async fn cloud(&self) -> Arc<dyn Cloud> {
        self.clouds().open(&access()).await.unwrap()
    }

    /// Makes a call as somebody at a console does.
    pub async fn console(&self, service: Service, operation: &str, input: Value) -> Value {
        let call = Call::new(service, operation, input);
        self.cloud().await.call(&call).await.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// A daemon that starts now, with what is stored.
    pub async fn daemon(&self) -> Arc<Kept> {
        let context = Context {
            clouds: self.clouds(),
            store: self.memory.clone().unwrap_or_else(|| self.store.clone()),
            sink: self.told.clone(),
            clock: self.clock.clone(),
            pace: Pace {
                first: Duration::from_millis(5),
                longest: Duration::from_millis(40),
                backoff: (Duration::from_millis(5), Duration::from_millis(40)),
                settle: Duration::ZERO,
                at_once: 8,
            },
            read_only: false,
            salt: [3; 32],
            destinations: self.told.clone(),
        };
        let remembered = self.store.clusters().await.unwrap().remove("shop");
        Kept::new("shop", Arc::new(context), remembered.as_ref())
    }

    pub fn wanted(&self, text: &str, settings: Value) -> Wanted {
        let mut settings: EksRef = serde_json::from_value(settings).unwrap();
        settings.name = "shop".into();
        settings.region = REGION.into();
        let config = config(text);
        Wanted {
            access: access(),
            cluster: "shop".into(),
            digest: format!("{settings:?} {text}"),
            blueprint: Arc::new(Described { config, settings }),
            policy: self.policy.clone(),
            revision: "1".into(),
            source: "main cluster.yaml".into(),
            declared_in: "main".into(),
            removed: false,
        }
    }

    pub async fn approve(&self, kept: &Kept) {
        self.approve_digest(&kept.record().waiting.expect("a plan that waits").digest).await;
    }

    pub async fn approve_digest(&self, digest: &str) {
        let (digest, destination) = (digest.to_owned(), "shop".to_owned());
        let approval = Approval { application: String::new(), destination, digest, by: "test".into() };
        let key = self.store.ask(&UserRequest::Approve(approval)).await.unwrap();
        self.store.answer(&key, "approved").await.unwrap();
    }

    /// How many there are of every kind of resource, in moto and in EKS.
    pub async fn counts(&self) -> BTreeMap<String, usize> {
        let of_eks = self.eks.counts();
        if of_eks["clusters"] == 0 {
            // What was in it went with it.
            self.api.clear();
        }
        let cloud = clouds(self.moto.endpoint(), None, None).open(&access()).await.unwrap();
        let mut counts = counts(cloud.as_ref(), of_eks).await;
        counts.insert("ServiceAccounts in the cluster".into(), self.api.names("ServiceAccount").len());
        counts
    }

    /// Fails on any call that does not fit the service's model.
    pub fn check(&self) {
        let violations = self.eks.violations();
        assert!(violations.is_empty(), "{violations:#?}");
    }
}

/// The adapter, on these addresses.
pub fn clouds(every: &str, eks: Option<&str>, observer: Option<Arc<dyn CallObserver>>) -> Arc<AwsClouds> {
    Arc::new(AwsClouds::new(AwsOptions {
        credentials: CredentialsSource::Fixed {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".to_owned().into(),
            session_token: None,
        },
        endpoints: Endpoints {
            every: Some(every.into()),
            of_service: eks.map(|eks| (Service::Eks, eks.to_owned())).into_iter().collect(),
        },
        pace: None,
        limits: Limits::default(),
        observer,
        ..AwsOptions::new(Arc::new(SystemClock))
    }))
}

/// How many there are of every kind of resource, in moto and in EKS.
pub async fn counts(cloud: &dyn Cloud, eks: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
    let mut counts = eks;
    let reads: [(Service, &str, &str); 14] = [
        (Service::Ec2, "DescribeVpcs", "vpcSet"),
        (Service::Ec2, "DescribeSubnets", "subnetSet"),
        (Service::Ec2, "DescribeInternetGateways", "internetGatewaySet"),
        (Service::Ec2, "DescribeEgressOnlyInternetGateways", "egressOnlyInternetGatewaySet"),
        (Service::Ec2, "DescribeAddresses", "addressesSet"),
        (Service::Ec2, "DescribeRouteTables", "routeTableSet"),
        (Service::Ec2, "DescribeSecurityGroups", "securityGroupInfo"),
        (Service::Ec2, "DescribeLaunchTemplates", "launchTemplates"),
        (Service::Ec2, "DescribeNetworkInterfaces", "networkInterfaceSet"),
        (Service::AutoScaling, "DescribeAutoScalingGroups", "AutoScalingGroups"),
        (Service::Iam, "ListRoles", "Roles"),
        (Service::Iam, "ListInstanceProfiles", "InstanceProfiles"),
        (Service::Iam, "ListOpenIDConnectProviders", "OpenIDConnectProviderList"),
        (Service::Ec2, "DescribeVolumes", "volumeSet"),
    ];
    for (service, operation, list) in reads {
        let call = Call::new(service, operation, json!({}));
        let answer = cloud.call(&call).await.unwrap_or_else(|failure| panic!("{failure}"));
        counts.insert(operation.into(), answer[list].as_array().map_or(0, Vec::len));
    }
    // Deleted ones of these are shown for an hour.
    for (operation, list) in
        [("DescribeNatGateways", "natGatewaySet"), ("DescribeVpcEndpoints", "vpcEndpointSet")]
    {
        let answer = cloud.call(&Call::new(Service::Ec2, operation, json!({}))).await.unwrap();
        let there = answer[list].as_array().map(Vec::as_slice).unwrap_or_default();
        counts.insert(operation.into(), there.iter().filter(|each| each["state"] != "deleted").count());
    }
    counts
}

pub fn access() -> CloudAccess {
    CloudAccess { region: REGION.into(), role_arn: None }
}

pub fn config(text: &str) -> ClusterConfig {
    match read(text, "cluster.yaml") {
        Ok((config, _)) => config,
        Err(problems) => panic!("{problems}"),
    }
}
