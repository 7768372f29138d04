//! Clusters that exist, made by hand with boto3 or kept by us, as files: eksctl's read back by our own reader, Terraform's
//! read by python-hcl2.

use super::aws_scene::{AwsScene, access};
use super::scene::settle;
use crate::support::aws::{needs_aws, packages, python};
use portolan::engine::clusters::{Kept, PassEnd, Wanted, export, export_terraform};
use portolan::local::aws::eks::Delays;
use portolan::model::cloud::Service;
use portolan::model::{Health, SyncStatus};
use portolan::ports::StateStore as _;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;

/// Runs a script with boto3 against a scene.
pub(super) async fn by_hand(scene: &AwsScene, script: &str) {
    let output = python()
        .await
        .command()
        .args(["-c", script])
        .env("AWS_ENDPOINT_URL", scene.moto.endpoint())
        .env("AWS_ENDPOINT_URL_EKS", scene.eks.endpoint())
        .env("AWS_REGION", super::aws_scene::REGION)
        .env("AWS_DEFAULT_REGION", super::aws_scene::REGION)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What python-hcl2 reads in a configuration.
async fn judged(text: &str) -> Value {
    let packages = packages(&["python-hcl2==8.1.4"]).await;
    let mut child = python()
        .await
        .command()
        .env("PYTHONPATH", packages)
        .args(["-c", include_str!("judge_hcl.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Calls that changed something in EKS since a call, but for what marks a resource as kept: tags, and eksctl's labels.
fn changes(scene: &AwsScene, since: usize) -> Vec<String> {
    let marks = |input: &Value| {
        let about = ["clusterName", "nodegroupName", "clientRequestToken", "labels"];
        let labels = input["labels"]["addOrUpdateLabels"].as_object();
        input.as_object().unwrap().keys().all(|name| about.contains(&name.as_str()))
            && labels.is_some_and(|labels| labels.keys().all(|name| name.starts_with("alpha.eksctl.io/")))
    };
    let reads = |name: &str| name.starts_with("Describe") || name.starts_with("List");
    let calls = scene.eks.calls();
    let made =
        calls[since..].iter().filter(|call| !reads(&call.operation) && call.operation != "TagResource");
    made.filter(|call| !marks(&call.input)).map(|call| format!("{} {}", call.operation, call.input)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_made_by_hand_is_adopted_by_the_exported_file_and_nothing_changes() {
    needs_aws!();
    let scene = AwsScene::start(Delays::default()).await;
    by_hand(&scene, include_str!("by_hand.py")).await;
    let before = scene.counts().await;
    let exported =
        export(scene.clouds().as_ref(), &access(), "shop", Some(scene.api.as_ref())).await.unwrap().unwrap();
    let text = serde_json::to_string_pretty(&exported.config).unwrap();
    let [note, old] = exported.notes.as_slice() else { panic!("{:#?}", exported.notes) };
    assert!(note.contains("by-hand keeps its launch template hand-own"), "{note}");
    assert!(old.contains("by-hand-old keeps its launch configuration hand-old"), "{old}");
    let group = &exported.config["nodeGroups"][1];
    assert_eq!(
        (&group["name"], &group["ami"], &group["instanceType"], &group["volumeSize"], &group["maxSize"]),
        (&json!("by-hand-old"), &json!("ami-12c6146b"), &json!("t3.medium"), &json!(25), &json!(2)),
        "{text}"
    );
    assert!(
        group["iam"]["instanceRoleARN"].as_str().is_some_and(|role| role.ends_with("/hand-own")),
        "{text}"
    );
    let made = scene.eks.calls().len();
    let group_before = scaling_group(&scene, "by-hand").await;
    let old_before = scaling_group(&scene, "by-hand-old").await;

    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(&text, json!({"name": "shop", "region": "eu-central-1"})));
    let mut end = settle(&kept).await;
    if let Some(waiting) = kept.record().waiting {
        assert!(waiting.objects.iter().all(|object| object.starts_with("adopt ")), "{waiting:#?}\n{text}");
        scene.approve(&kept).await;
        end = settle(&kept).await;
    }
    let record = kept.record();
    assert_eq!(
        (end, record.sync, record.health),
        (PassEnd::Done, SyncStatus::Synced, Health::Healthy),
        "{}\n{:#?}\n{text}",
        record.message,
        record.problems
    );
    assert_eq!(changes(&scene, made), Vec::<String>::new(), "{text}");
    let marked = |tag: &Value| {
        tag["Key"].as_str().is_some_and(|key| key.starts_with("portolan.dev/") || key == "team")
    };
    for (name, before) in [("by-hand", group_before), ("by-hand-old", old_before)] {
        let mut group = scaling_group(&scene, name).await;
        group["Tags"].as_array_mut().unwrap().retain(|tag| !marked(tag));
        assert_eq!(group, before, "but for its marks the group is as it was");
    }
    a_group_with_anothers_template_is_kept_on_what_auto_scaling_changes(&scene, &kept, &text).await;
    a_group_without_a_template_is_kept_on_what_eks_changes(&scene, &kept, &text).await;
    let mut after = scene.counts().await;
    // As eksctl does: a group that nodes and control plane share, for groups of nodes yet to come.
    assert_eq!(
        after.get("DescribeSecurityGroups"),
        before.get("DescribeSecurityGroups").map(|n| n + 1).as_ref()
    );
    after.insert("DescribeSecurityGroups".into(), before["DescribeSecurityGroups"]);
    assert_eq!(after, before, "nothing else was made and nothing went");

    scene.check();
}

async fn scaling_group(scene: &AwsScene, name: &str) -> Value {
    let named = json!({"AutoScalingGroupNames": [name]});
    let answer = scene.console(Service::AutoScaling, "DescribeAutoScalingGroups", named).await;
    answer["AutoScalingGroups"][0].clone()
}

/// An Auto Scaling group that somebody made with a template of his own.
async fn a_group_with_anothers_template_is_kept_on_what_auto_scaling_changes(
    scene: &AwsScene,
    kept: &Arc<Kept>,
    text: &str,
) {
    let settings = || json!({"name": "shop", "region": "eu-central-1"});
    let with = |member: &str, value: Value| {
        let mut config: Value = serde_json::from_str(text).unwrap();
        assert_eq!(config["nodeGroups"][0]["name"], "by-hand");
        config["nodeGroups"][0][member] = value;
        scene.wanted(&config.to_string(), settings())
    };
    kept.supersede(with("maxSize", json!(4)));
    assert_eq!(settle(kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
    assert_eq!(scaling_group(scene, "by-hand").await["MaxSize"], "4");
    // Somebody at the console is undone.
    let edited = json!({"AutoScalingGroupName": "by-hand", "MaxSize": 9});
    scene.console(Service::AutoScaling, "UpdateAutoScalingGroup", edited).await;
    let resumed = json!({"AutoScalingGroupName": "by-hand", "ScalingProcesses": ["AZRebalance"]});
    scene.console(Service::AutoScaling, "ResumeProcesses", resumed).await;
    assert_eq!(settle(kept).await, PassEnd::Done);
    let live = scaling_group(scene, "by-hand").await;
    assert_eq!(
        (&live["MaxSize"], &live["SuspendedProcesses"][0]["ProcessName"]),
        (&json!("4"), &json!("AZRebalance"))
    );
    // What only another template could give is told, and nothing is done.
    kept.supersede(with("volumeSize", json!(31)));
    settle(kept).await;
    let message = kept.record().message;
    assert!(
        message.contains("volumeSize") && message.contains("give the changed group a new name"),
        "{message}"
    );
    kept.supersede(with("maxSize", json!(3)));
    assert_eq!(settle(kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
}

/// As the console makes one: it is never given a launch template, so what needs one is a blocked replacement.
async fn a_group_without_a_template_is_kept_on_what_eks_changes(
    scene: &AwsScene,
    kept: &Arc<Kept>,
    text: &str,
) {
    let settings = || json!({"name": "shop", "region": "eu-central-1"});
    let mut config: Value = serde_json::from_str(text).unwrap();
    let groups = config["managedNodeGroups"].as_array_mut().unwrap();
    let group = groups.iter_mut().find(|group| group["name"] == "console").unwrap();
    assert_eq!((&group["volumeSize"], &group["instanceType"]), (&json!(33), &json!("t3.medium")));
    assert_eq!(group["launchTemplate"], json!(null));
    group["maxSize"] = json!(5);
    group["labels"] = json!({"pool": "green"});
    group["taints"] = json!([{"key": "own", "effect": "NoSchedule"}]);
    group["updateConfig"] = json!({"maxUnavailable": 2});
    group["nodeRepairConfig"] = json!({"enabled": true});
    let since = scene.eks.calls().len();
    kept.supersede(scene.wanted(&config.to_string(), settings()));
    assert_eq!(settle(kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
    let changes = changes(scene, since);
    assert_eq!(changes.len(), 1, "{changes:#?}");
    let described = json!({"clusterName": "shop", "nodegroupName": "console"});
    let live = scene.console(Service::Eks, "DescribeNodegroup", described.clone()).await;
    assert_eq!(live["nodegroup"]["scalingConfig"]["maxSize"], 5);
    assert_eq!(live["nodegroup"]["labels"]["pool"], "green");
    assert_eq!(live["nodegroup"]["taints"][0]["key"], "own");
    assert_eq!(live["nodegroup"]["updateConfig"]["maxUnavailable"], 2);
    assert_eq!(live["nodegroup"]["nodeRepairConfig"]["enabled"], true);

    // Somebody at the console is undone as with any other group.
    let edited =
        json!({"clusterName": "shop", "nodegroupName": "console", "labels": {"removeLabels": ["pool"]}});
    scene.console(Service::Eks, "UpdateNodegroupConfig", edited).await;
    assert_eq!(settle(kept).await, PassEnd::Done);
    let live = scene.console(Service::Eks, "DescribeNodegroup", described).await;
    assert_eq!(live["nodegroup"]["labels"]["pool"], "green");

    // What needs a template, and what EKS fixes at creation.
    for (field, value, words) in [
        ("volumeType", json!("gp2"), "volumeType needs one"),
        ("volumeSize", json!(50), "give the changed group a new name"),
        ("instanceType", json!("t3.large"), "give the changed group a new name"),
    ] {
        let mut other = config.clone();
        let groups = other["managedNodeGroups"].as_array_mut().unwrap();
        groups.iter_mut().find(|group| group["name"] == "console").unwrap()[field] = value;
        kept.supersede(scene.wanted(&other.to_string(), settings()));
        let since = scene.eks.calls().len();
        settle(kept).await;
        let message = kept.record().message;
        assert!(message.contains("console") && message.contains(words), "{field}: {message}");
        assert_eq!(self::changes(scene, since), Vec::<String>::new(), "{field}");
    }
    kept.supersede(scene.wanted(&config.to_string(), settings()));
    assert_eq!(settle(kept).await, PassEnd::Done);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
}

/// Nodes that EKS does not manage, with one AMI that is named and one that is looked up.
const OWN_NODES: &str = r#"
nodeGroups:
  - {name: own, ami: ami-12c6146b, instanceType: t3.medium, minSize: 1, maxSize: 2, desiredCapacity: 1, privateNetworking: true, labels: {own: "yes"},
     taints: [{key: own, value: "yes", effect: NoSchedule}], preBootstrapCommands: [echo hello], asgSuspendProcesses: [AZRebalance], tags: {cost: own}}
  - {name: mixed, minSize: 0, maxSize: 2, instancesDistribution: {instanceTypes: [t3.medium, t3a.medium], spotAllocationStrategy: capacity-optimized}}
"#;

/// What the file of a kept cluster says, read back, is what is there: nothing is to be done, and nothing of it goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_a_cluster_that_we_keep_gives_a_plan_with_nothing_to_do() {
    needs_aws!();
    let scene = AwsScene::start(Delays::default()).await;
    let nothing = scene.counts().await;
    let settings = || json!({"name": "shop", "region": "eu-central-1"});
    let kept = scene.daemon().await;
    let shop = format!("{}{OWN_NODES}", super::aws::SHOP);
    kept.supersede(scene.wanted(&shop, settings()));
    assert_eq!(settle(&kept).await, PassEnd::Done, "{}", kept.record().message);
    assert_eq!(kept.record().sync, SyncStatus::Synced, "{}", kept.record().message);
    let whole = scene.counts().await;
    let exported =
        export(scene.clouds().as_ref(), &access(), "shop", Some(scene.api.as_ref())).await.unwrap().unwrap();
    let text = serde_json::to_string_pretty(&exported.config).unwrap();
    assert_eq!(exported.notes, Vec::<String>::new());

    let made = scene.eks.calls().len();
    kept.supersede(scene.wanted(&text, settings()));
    let end = settle(&kept).await;
    let record = kept.record();
    assert_eq!(
        (end, record.sync, record.health, record.message.as_str()),
        (PassEnd::Done, SyncStatus::Synced, Health::Healthy, ""),
        "{:#?}\n{:#?}\n{text}",
        record.waiting,
        record.problems
    );
    assert_eq!(changes(&scene, made), Vec::<String>::new(), "{text}");
    assert_eq!(scene.counts().await, whole);

    // A daemon that remembers nothing keeps it from the file alone.
    drop(kept);
    scene.store.save_cluster("shop", None).await.unwrap();
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(&text, settings()));
    assert_eq!(settle(&kept).await, PassEnd::Done);
    assert_eq!((kept.record().sync, kept.record().waiting), (SyncStatus::Synced, None));

    // And it goes as a whole, with what the file names by its id: the tags say that we made it.
    kept.supersede(Wanted { removed: true, ..scene.wanted(&text, settings()) });
    settle(&kept).await;
    scene.approve(&kept).await;
    assert_eq!(settle(&kept).await, PassEnd::Finished, "{:#?}", kept.record());
    assert_eq!(scene.counts().await, nothing);
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terraform_reads_the_configuration_of_a_cluster_made_by_hand() {
    needs_aws!();
    let scene = AwsScene::start(Delays::default()).await;
    by_hand(&scene, include_str!("by_hand.py")).await;
    let written = export_terraform(scene.clouds().as_ref(), &access(), "shop").await.unwrap().unwrap();
    let [note] = written.notes.as_slice() else { panic!("{:#?}", written.notes) };
    assert!(note.contains("launch configuration hand-old of Auto Scaling group by-hand-old"), "{note}");
    let read = judged(&written.text).await;
    let (resources, imports) = (read["resources"].as_object().unwrap(), read["imports"].as_object().unwrap());
    let addresses: Vec<&String> = resources.keys().collect();
    assert_eq!(addresses, imports.keys().collect::<Vec<_>>(), "each is imported, once");

    let count =
        |kind: &str| addresses.iter().filter(|address| address.starts_with(&format!("{kind}."))).count();
    for (kind, wanted) in [
        ("aws_eks_cluster", 1),
        ("aws_eks_node_group", 3),
        ("aws_eks_addon", 4),
        ("aws_eks_fargate_profile", 1),
        ("aws_eks_access_entry", 2),
        ("aws_eks_access_policy_association", 1),
        ("aws_eks_pod_identity_association", 1),
        ("aws_vpc", 1),
        ("aws_subnet", 4),
        ("aws_internet_gateway", 1),
        ("aws_nat_gateway", 1),
        ("aws_eip", 1),
        ("aws_route_table", 2),
        ("aws_route_table_association", 4),
        ("aws_security_group", 1),
        ("aws_vpc_security_group_ingress_rule", 2),
        ("aws_iam_role", 5),
        ("aws_iam_role_policy", 1),
        ("aws_iam_role_policy_attachment", 6),
        ("aws_iam_instance_profile", 1),
        ("aws_launch_template", 2),
        ("aws_autoscaling_group", 2),
    ] {
        assert_eq!(count(kind), wanted, "{kind}\n{}", written.text);
    }
    // References, not ids: Terraform knows by them what comes first.
    let ids = ["subnet-", "vpc-", "sg-0", "igw-", "nat-", "eipalloc-", "rtb-", "lt-"];
    for (address, body) in resources {
        let body = body.to_string();
        let named = body.replace("vpc-cni", "");
        assert!(!ids.iter().any(|id| named.contains(&format!("\"{id}"))), "{address}: {body}");
    }
    let cluster = &resources["aws_eks_cluster.shop"];
    assert_eq!(cluster["role_arn"], "${aws_iam_role.hand-cluster.arn}", "{cluster:#}");
    assert_eq!(cluster["vpc_config"][0]["public_access_cidrs"], json!(["203.0.113.0/24"]));
    assert_eq!(cluster["enabled_cluster_log_types"], json!(["api", "audit"]));
    assert_eq!(resources["aws_eks_node_group.blue"]["cluster_name"], "${aws_eks_cluster.shop.name}");
    let group = &resources["aws_security_group.extra"];
    assert_eq!(group["description"], "of \"us\", $${not} a %%{directive}", "nothing is interpolated");
    assert!(
        resources["aws_iam_role_policy.hand-nodes_own"]["policy"].to_string().contains("$${aws:username}")
    );
    let template = &resources["aws_launch_template.hand-own"];
    assert_eq!(
        template["iam_instance_profile"][0]["arn"], "${aws_iam_instance_profile.hand-own.arn}",
        "{template:#}"
    );
    assert_eq!(template["vpc_security_group_ids"], json!(["${aws_security_group.extra.id}"]));
    assert_eq!(template["block_device_mappings"][0]["ebs"][0]["volume_size"], 30);
    assert_eq!(resources["aws_iam_instance_profile.hand-own"]["role"], "${aws_iam_role.hand-own.name}");
    let own = &resources["aws_autoscaling_group.by-hand"];
    assert_eq!(
        own["launch_template"][0],
        json!({"id": "${aws_launch_template.hand-own.id}", "version": "$Latest"})
    );
    assert_eq!(
        (&own["suspended_processes"], &own["max_size"]),
        (&json!(["AZRebalance"]), &json!(3)),
        "{own:#}"
    );
    assert_eq!(own["tag"][0]["key"], "kubernetes.io/cluster/shop");
    // What no API tells is not compared: its default would replace the cluster, or look like a change.
    assert!(cluster["lifecycle"].to_string().contains("bootstrap_self_managed_addons"), "{cluster:#}");
    assert!(!cluster["access_config"].to_string().contains("bootstrap"), "{cluster:#}");
    for (address, id) in [
        ("aws_eks_cluster.shop", "shop"),
        ("aws_autoscaling_group.by-hand", "by-hand"),
        ("aws_iam_instance_profile.hand-own", "hand-own"),
        ("aws_eks_node_group.blue", "shop:blue"),
        ("aws_eks_addon.coredns", "shop:coredns"),
        ("aws_eks_access_entry.people", "shop:arn:aws:iam::123456789012:role/people"),
        ("aws_iam_role_policy.hand-nodes_own", "hand-nodes:own"),
    ] {
        assert_eq!(imports[address], id, "{address}");
    }
    scene.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_we_keep_is_a_configuration_too() {
    needs_aws!();
    let scene = AwsScene::start(Delays::default()).await;
    let kept = scene.daemon().await;
    kept.supersede(scene.wanted(super::aws::SHOP, json!({"name": "shop", "region": "eu-central-1"})));
    assert_eq!(settle(&kept).await, PassEnd::Done);
    let written = export_terraform(scene.clouds().as_ref(), &access(), "shop").await.unwrap().unwrap();
    let read = judged(&written.text).await;
    let resources = read["resources"].as_object().unwrap();
    assert_eq!(
        resources.keys().collect::<Vec<_>>(),
        read["imports"].as_object().unwrap().keys().collect::<Vec<_>>()
    );
    for kind in
        ["aws_iam_openid_connect_provider", "aws_nat_gateway", "aws_eks_fargate_profile", "aws_iam_role"]
    {
        assert!(resources.keys().any(|address| address.starts_with(kind)), "{kind}\n{}", written.text);
    }
    assert_eq!(export_terraform(scene.clouds().as_ref(), &access(), "none").await.unwrap(), None);
}
