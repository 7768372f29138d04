//! The drivers of EKS against our own EKS server, over HTTP and through the SDK. Needs the service's model, which is not
//! in the repository.

use super::scene::{Scene, WHOLE, Wire, shown};
use super::service::{Answer, corpus};
use portolan::aws::{AwsClouds, AwsOptions, CredentialsSource, Endpoints};
use portolan::local::aws::eks::{EksOptions, EksServer, Model, StillWorld};
use portolan::model::cloud::{Call, Service};
use portolan::ports::{Clock, Cloud, CloudAccess, Clouds};
use portolan::provision::plan::CloudPlan;
use portolan::provision::resource::Kind;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

struct Served {
    runtime: Arc<Runtime>,
    cloud: Arc<dyn Cloud>,
}

impl Wire for Served {
    fn call(&mut self, call: &Call) -> Answer {
        if call.service == Service::Sts {
            return Ok(json!({"Arn": "arn:aws:iam::111122223333:user/local"}));
        }
        match self.runtime.block_on(self.cloud.call(call)) {
            Ok(answer) => Ok(answer),
            Err(failure) => {
                assert!(
                    failure.code != "ValidationException" && !failure.code.contains("InvalidParameter"),
                    "{failure}"
                );
                Err(failure.code.into())
            }
        }
    }

    fn settle(&mut self) {
        // The server's work has no delay but its own; the scene looks again until it is done, with a limit.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A scene before our server; nothing when the model is not at hand.
fn scene(yaml: &str) -> Option<(Scene, EksServer, Arc<Runtime>)> {
    let model =
        Arc::new(Model::load(&corpus()?.join("aws/eks-service-model.json")).expect("a model that is one"));
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let (server, cloud) = runtime.block_on(async {
        let options = EksOptions::new("111122223333", "eu-central-1");
        let server =
            EksServer::start(model, Arc::new(StillWorld::default()), options).await.expect("a free port");
        let clouds = AwsClouds::new(AwsOptions {
            credentials: CredentialsSource::Fixed {
                access_key_id: "AKIDLOCAL".into(),
                secret_access_key: "secret".into(),
                session_token: None,
            },
            endpoints: Endpoints { every: Some(server.endpoint().into()), of_service: BTreeMap::new() },
            pace: None,
            ..AwsOptions::new(Arc::new(WallClock))
        });
        let access = CloudAccess { region: "eu-central-1".into(), role_arn: None };
        (server, clouds.open(&access).await.expect("an account"))
    });
    let mut scene = Scene::new(yaml);
    scene.now = jiff::Timestamp::now().to_string();
    scene.wire = Some(Box::new(Served { runtime: runtime.clone(), cloud }));
    Some((scene, server, runtime))
}

fn end(server: EksServer, runtime: &Runtime) {
    let violations = server.violations();
    assert!(violations.is_empty(), "{violations:?}");
    runtime.block_on(server.stop());
}

fn version(plan: &CloudPlan, name: &str) -> bool {
    plan.steps.iter().any(|step| step.key.kind == Kind::Cluster && step.key.name == name)
}

#[test]
fn a_cluster_is_made_upgraded_taken_back_and_taken_away() {
    let Some((mut scene, server, runtime)) = scene(WHOLE) else { return };
    scene.run();
    let (plan, staged) = scene.plan();
    assert!(plan.is_empty() && staged.course.is_none(), "{}", shown(&plan));
    assert_eq!(plan.undeclared, []);
    assert!(version(&plan, "harbour"));
    let made = server.counts();
    assert_eq!(made.get("nodegroup").or(made.get("nodegroups")), Some(&2), "{made:?}");

    scene.config.metadata.version = Some("1.36".into());
    scene.run();
    let (plan, staged) = scene.plan();
    assert!(plan.is_empty() && staged.course.is_none(), "{:?}\n{}", staged.course, shown(&plan));

    scene.config.metadata.version = Some("1.35".into());
    let (plan, _) = scene.plan();
    assert!(!plan.held.is_empty(), "{}", shown(&plan));
    scene.approved.insert(plan.held);
    scene.run();
    let (plan, staged) = scene.plan();
    assert!(plan.is_empty(), "{:?}\n{}", staged.course, shown(&plan));

    scene.removed = true;
    let (plan, _) = scene.plan();
    scene.approved.insert(plan.held);
    scene.run();
    assert!(server.counts().values().all(|count| *count == 0), "{:?}", server.counts());
    end(server, &runtime);
}

#[test]
fn every_setting_of_a_cluster_is_changed_in_place() {
    let Some((mut scene, server, runtime)) = scene(WHOLE) else { return };
    scene.run();
    let changes = r#"
vpc:
  clusterEndpoints: {publicAccess: true, privateAccess: true}
  publicAccessCIDRs: [203.0.113.0/24]
zonalShiftConfig: {enabled: true}
upgradePolicy: {supportType: STANDARD}
controlPlaneScalingConfig: {tier: tier-xl}
"#;
    scene.config = super::scene::config(
        &format!("{WHOLE}{changes}").replace("enableTypes: [audit, api]", "enableTypes: [scheduler]"),
    );
    scene.settings.deletion_protection = Some(true);
    scene.run();
    let (plan, _) = scene.plan();
    assert!(plan.is_empty(), "{}", shown(&plan));
    end(server, &runtime);
}
