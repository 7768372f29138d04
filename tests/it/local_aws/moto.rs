//! moto's server: installed once, ends with its parent, and refuses what AWS refuses.

use std::process::Stdio;
use std::time::{Duration, Instant};

use portolan::local::Places;
use portolan::local::aws::{Moto, most_pods, service_model};
use portolan::model::cloud::{Call, Service};
use serde_json::json;
use std::collections::BTreeMap;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::control_plane::progress;

#[tokio::test]
async fn the_model_of_eks_comes_with_moto() {
    crate::support::aws::needs_aws!();
    let places = Places::from_env().unwrap();
    let path = service_model(&places, &mut progress()).await.unwrap();
    let model: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(model["metadata"]["serviceId"], "EKS");
    assert!(model["operations"]["UpdateClusterVersion"].is_object());
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

async fn gone(pid: u32) {
    let since = Instant::now();
    while runs(pid) {
        assert!(since.elapsed() < Duration::from_secs(10), "moto still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn it_answers_and_ends() {
    crate::support::aws::needs_aws!();
    let places = Places::from_env().unwrap();
    let moto = Moto::start(&places, &mut progress()).await.unwrap();
    let counts = moto.provider().counts("123456789012").await.unwrap();
    assert!(counts.len() > 30 && counts.values().all(|number| *number == 0), "{counts:?}");
    let pid = moto.pid().unwrap();
    moto.stop().await;
    assert!(!runs(pid));
    let dropped = Moto::start(&places, &mut progress()).await.unwrap();
    let pid = dropped.pid().unwrap();
    drop(dropped);
    gone(pid).await;
}

/// Every instance type that both know holds as many pods as the VPC CNI's own table says. Of types with several network
/// cards the table counts the first card's interfaces, and for the newest ones those of all; the first alone is the
/// figure that never promises too much.
#[tokio::test]
async fn nodes_hold_as_many_pods_as_the_network_add_on_has_addresses_for() {
    crate::support::aws::needs_aws!();
    let Some(folder) = crate::support::corpus::corpus("aws") else { return };
    let table = std::fs::read_to_string(folder.join("eni-max-pods.txt")).unwrap();
    let wanted: BTreeMap<&str, u64> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' ').map(|(name, pods)| (name, pods.trim().parse().unwrap())))
        .collect();
    let moto = Moto::start(&Places::from_env().unwrap(), &mut progress()).await.unwrap();
    let cloud = portolan::app::eks::cloud_at(moto.endpoint(), "eu-central-1", ("AKIDEXAMPLE", "secret"));
    let call = Call::new(Service::Ec2, "DescribeInstanceTypes", json!({}));
    let answer = cloud.await.unwrap().call(&call).await.unwrap();
    let types = answer["instanceTypeSet"].as_array().unwrap();
    let mut compared = 0;
    let differ: Vec<String> = types
        .iter()
        .filter_map(|described| {
            let name = described["instanceType"].as_str().unwrap();
            let pods = wanted.get(name)?;
            compared += 1;
            let ours = most_pods(described);
            let network = &described["networkInfo"];
            let several = network["networkCards"].as_array().is_some_and(|cards| cards.len() > 1);
            let number = |member: &str| network[member].as_str().unwrap().parse::<u64>().unwrap();
            let of_all =
                || number("maximumNetworkInterfaces") * (number("ipv4AddressesPerInterface") - 1) + 2;
            let is_right = ours == *pods || several && ours < *pods && of_all() == *pods;
            (!is_right).then(|| format!("{name}: {ours} instead of {pods}"))
        })
        .collect();
    assert!(compared > 200, "{compared} of {} types", types.len());
    assert_eq!(differ, Vec::<String>::new());
    moto.stop().await;
}

/// Not a test: the process that the next one kills.
#[tokio::test]
#[ignore = "is run by another test"]
async fn moto_holder() {
    if std::env::var_os("PORTOLAN_TEST_HOLD_MOTO").is_none() {
        return;
    }
    let moto = Moto::start(&Places::from_env().unwrap(), &mut progress()).await.unwrap();
    println!("held {}", moto.pid().unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_parent_leaves_no_moto() {
    crate::support::aws::needs_aws!();
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local_aws::moto::moto_holder", "--ignored", "--nocapture"])
        .env("PORTOLAN_TEST_HOLD_MOTO", "1")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let pid: u32 = loop {
        let line = lines.next_line().await.unwrap().expect("the holder ended early");
        if let Some((_, pid)) = line.split_once("held ") {
            break pid.trim().parse().unwrap();
        }
    };
    assert!(runs(pid));
    parent.start_kill().unwrap();
    parent.wait().await.unwrap();
    gone(pid).await;
}
