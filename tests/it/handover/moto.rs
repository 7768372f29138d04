//! The calls of a hand-over as AWS takes them: by our adapter, against moto.

use super::world::{CLUSTER, KEY, Want, World};
use super::zones::{Dns, shifted};
use crate::local_aws::lab::Lab;
use portolan::migrate::traffic::{Health, Made, Towards as Traffic};
use portolan::migrate::volumes::{Disks, Towards};
use portolan::model::cloud::Service;
use portolan::model::migration::{Effect, Side};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn call(lab: &Lab, effect: &Effect) -> bool {
    let Effect::Call { call, .. } = effect else { return false };
    lab.call(call.service, &call.operation, call.input.clone()).await;
    true
}

async fn disks(lab: &Lab, world: &mut World) {
    let ids: Vec<String> = world.disks.volumes.keys().cloned().collect();
    let mut answers = Vec::new();
    for call in Disks::calls(&ids, "shop") {
        answers.push(lab.call(call.service, &call.operation, call.input).await);
    }
    world.disks = Disks::read(&answers[0], &answers[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volumes_and_records_go_over_and_back_in_an_account() {
    crate::support::aws::needs_aws!();
    let lab = Lab::start(portolan::local::aws::Patience::default()).await;
    volumes(&lab).await;
    records(&lab).await;
    lab.stop().await;
}

async fn volumes(lab: &Lab) {
    let tags = json!([{"Key": "KubernetesCluster", "Value": CLUSTER}, {"Key": KEY, "Value": "owned"}]);
    let made = lab
        .ec2(
            "CreateVolume",
            json!({"AvailabilityZone": "eu-central-1a", "Size": 1, "VolumeType": "gp3",
                "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]}),
        )
        .await;
    let id = made["volumeId"].as_str().unwrap().to_owned();
    // The same world, with the volume that moto has.
    let mut world = World::new(&[Want::new("db")]);
    let text = serde_json::to_string(&world.source)
        .unwrap()
        .replace("vol-db", &id)
        .replace("eu-west-1a", "eu-central-1a");
    world.source = serde_json::from_str(&text).unwrap();
    world.prepared = world
        .prepared
        .iter()
        .map(|object| {
            let text =
                object.body().to_string().replace("vol-db", &id).replace("eu-west-1a", "eu-central-1a");
            portolan::model::Object::new(serde_json::from_str(&text).unwrap()).unwrap()
        })
        .collect();
    world.setting.target_zones = ["eu-central-1a".to_owned()].into();
    world.disks.volumes = BTreeMap::from([(id.clone(), Default::default())]);
    world.stop(Side::Source);
    disks(lab, &mut world).await;
    let before = world.disks.volumes[&id].clone();
    assert_eq!((before.state.as_str(), before.tags[KEY].as_str()), ("available", "owned"));
    for towards in [Towards::Target, Towards::Source] {
        for _ in 0..20 {
            let outcome = world.look(towards);
            if outcome.is_done() {
                break;
            }
            for step in &outcome.steps {
                if !step.undo.is_empty() {
                    world.journal.entry(step.key.clone()).or_insert_with(|| step.undo.clone());
                }
                if !call(lab, &step.effect).await {
                    world.make(&step.effect);
                }
            }
            disks(lab, &mut world).await;
            let snapshots = world.disks.snapshots.clone();
            world.pass(towards, 0);
            world.disks.snapshots = snapshots;
        }
        assert!(world.look(towards).is_done(), "{:?}", world.look(towards));
        if towards == Towards::Target {
            let tags = &world.disks.volumes[&id].tags;
            assert_eq!((tags[KEY].as_str(), tags["ebs.csi.aws.com/cluster"].as_str()), ("shared", "true"));
        }
    }
    assert_eq!(world.disks.volumes[&id], before);
    assert_eq!(world.disks.snapshots.len(), 1, "a snapshot is kept");
}

async fn records(lab: &Lab) {
    let zone = lab
        .call(Service::Route53, "CreateHostedZone", json!({"Name": "example.com", "CallerReference": "one"}))
        .await;
    let zone = zone["HostedZone"]["Id"].as_str().unwrap().trim_start_matches("/hostedzone/").to_owned();
    let listed = async || {
        let answer =
            lab.call(Service::Route53, "ListResourceRecordSets", json!({"HostedZoneId": zone})).await;
        answer["ResourceRecordSets"].as_array().unwrap().clone()
    };
    let sets = [
        json!({"Name": "shop.example.com.", "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": "old.elb.example.net"}]}),
        json!({"Name": "www.example.com.", "Type": "A", "AliasTarget":
            {"HostedZoneId": "Z32O12XQLNTSW2", "DNSName": "old.elb.example.net.", "EvaluateTargetHealth": true}}),
    ];
    let changes: Vec<Value> =
        sets.iter().map(|set| json!({"Action": "CREATE", "ResourceRecordSet": set})).collect();
    let batch = json!({"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}});
    lab.call(Service::Route53, "ChangeResourceRecordSets", batch).await;
    let before = listed().await;
    let mut dns = Dns::new(before.clone(), &["shop.example.com.", "www.example.com."]);
    dns.names = ["shop.example.com.", "www.example.com."].map(shifted).to_vec();
    dns.names.iter_mut().for_each(|name| name.zone = super::zones::ZONE.into());
    dns.health = dns.names.iter().map(|name| (name.name.clone(), Health::Healthy)).collect();
    for towards in [Traffic::Target, Traffic::Source] {
        for _ in 0..100 {
            let outcome = dns.look(towards);
            if outcome.is_done() {
                break;
            }
            for step in &outcome.steps {
                if !step.undo.is_empty() {
                    dns.journal.entry(step.key.clone()).or_insert_with(|| step.undo.clone());
                }
                let Effect::Call { call, .. } = &step.effect else { panic!("{step:?}") };
                let mut input = call.input.clone();
                input["HostedZoneId"] = zone.clone().into();
                lab.call(call.service, &call.operation, input).await;
                dns.made.insert(step.key.clone(), Made { at: dns.now, in_sync: true });
            }
            dns.sets = listed().await;
            dns.now += 60;
        }
        assert!(dns.look(towards).is_done(), "{:?}", dns.look(towards));
        if towards == Traffic::Target {
            let pairs = dns.sets.iter().filter(|set| set["SetIdentifier"].is_string()).count();
            assert_eq!(pairs, 4, "{:#?}", dns.sets);
        }
    }
    assert_eq!(listed().await, before);
}
