//! Fields of EKS's kinds: by which call each is changed, and which cannot be.

use super::scene::{Scene, WHOLE, config, shown};
use portolan::model::plan::Verdict;
use portolan::provision::StepAction;
use portolan::provision::eks::addon::canonical;
use portolan::provision::resource::{CLUSTER_TAG, Kind, RESOURCE_TAG};
use serde_json::{Value, json};

/// Changes the file of a complete cluster; the calls of the first pass, and the scene.
fn after(change: impl FnOnce(&mut Scene)) -> (Vec<(String, Value)>, Scene) {
    let mut scene = Scene::complete(WHOLE);
    change(&mut scene);
    let (plan, _) = scene.plan();
    let calls = plan
        .actionable()
        .flat_map(|step| step.calls.clone())
        .map(|call| (call.operation, call.input))
        .collect();
    (calls, scene)
}

fn yaml(change: &str) -> impl FnOnce(&mut Scene) + '_ {
    let changed = format!("{WHOLE}{change}");
    move |scene| scene.config = config(&changed)
}

fn blocked(scene: &mut Scene) -> Vec<String> {
    let (plan, _) = scene.plan();
    let words = plan.steps.iter().filter_map(|step| match &step.verdict {
        Verdict::Blocked(words) => Some(format!("{} {words}", step.key)),
        _ => None,
    });
    words.collect()
}

#[test]
fn one_kind_of_change_to_a_call_and_one_update_at_a_time() {
    let (calls, mut scene) = after(yaml(
        r#"
vpc:
  clusterEndpoints: {publicAccess: true, privateAccess: true}
  publicAccessCIDRs: [203.0.113.0/24, 198.51.100.0/24]
zonalShiftConfig: {enabled: true}
upgradePolicy: {supportType: STANDARD}
secretsEncryption: {keyARN: "arn:aws:kms:eu-central-1:111122223333:key/1"}
controlPlaneScalingConfig: {tier: tier-xl}
kubeAPIServerConfig: {eventTTL: 30m, serviceNodePortRange: {minPort: 30000, maxPort: 31000}}
"#,
    ));
    assert_eq!(calls.len(), 1, "the rest follows: {calls:?}");
    scene.run();
    let (plan, _) = scene.plan();
    assert!(plan.is_empty(), "{}", shown(&plan));
    let cluster = scene.eks.cluster.as_ref().unwrap();
    assert_eq!(
        cluster["resourcesVpcConfig"]["publicAccessCidrs"],
        json!(["198.51.100.0/24", "203.0.113.0/24"])
    );
    assert_eq!(cluster["resourcesVpcConfig"]["endpointPrivateAccess"], true);
    assert_eq!(cluster["zonalShiftConfig"]["enabled"], true);
    assert_eq!(cluster["encryptionConfig"][0]["resources"], json!(["secrets"]));
    assert_eq!(cluster["kubeApiServerConfig"]["eventTtl"], "30m");
}

#[test]
fn auto_mode_is_switched_as_a_whole() {
    let (calls, mut scene) = after(yaml("autoModeConfig: {enabled: true}\n"));
    let [(operation, input)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(operation, "UpdateClusterConfig");
    assert_eq!(input["computeConfig"]["nodePools"], json!(["general-purpose", "system"]));
    assert_eq!(input["kubernetesNetworkConfig"], json!({"elasticLoadBalancing": {"enabled": true}}));
    assert_eq!(input["storageConfig"], json!({"blockStorage": {"enabled": true}}));
    scene.run();
    assert_eq!(blocked(&mut scene), Vec::<String>::new());
}

#[test]
fn what_ends_nodes_of_auto_mode_is_held_and_their_role_stays() {
    let on = |more: &str| format!("{WHOLE}autoModeConfig: {{enabled: true{more}}}\n");
    let mut scene = Scene::complete(&on(""));
    let (plan, _) = scene.plan();
    assert!(plan.is_empty(), "{}", shown(&plan));
    let held = |scene: &mut Scene| -> Vec<String> {
        let (plan, _) = scene.plan();
        let words = plan.steps.iter().filter_map(|step| match &step.verdict {
            Verdict::Held(words) => Some(format!("{} {words}", step.key)),
            _ => None,
        });
        words.collect()
    };
    scene.config = config(&on(", nodePools: [system]"));
    let words = held(&mut scene);
    assert!(words.len() == 1 && words[0].contains("node pool general-purpose is turned off"), "{words:?}");

    // Off, whether the file says so or says nothing of it any more; the role of its nodes goes afterwards.
    for off in [format!("{WHOLE}autoModeConfig: {{enabled: false}}\n"), WHOLE.to_owned()] {
        scene.config = config(&off);
        let words = held(&mut scene);
        assert!(words.iter().any(|words| words.contains("every node that it made ends")), "{words:?}");
        let (plan, _) = scene.plan();
        let role = plan.steps.iter().find(|step| step.key.name == "auto-mode");
        if let Some(role) = role {
            assert!(role.waits.contains("no longer uses it"), "{role:?}");
        }
    }

    scene.config = config(&on(", nodeRoleARN: \"arn:aws:iam::111122223333:role/other\""));
    let words = blocked(&mut scene);
    assert!(words.len() == 1 && words[0].contains("keep the role"), "{words:?}");
}

#[test]
fn a_key_of_secrets_stays() {
    let key = |n: u8| {
        format!("{WHOLE}secretsEncryption: {{keyARN: \"arn:aws:kms:eu-central-1:111122223333:key/{n}\"}}\n")
    };
    let mut scene = Scene::complete(&key(1));
    scene.config = config(&key(2));
    let words = blocked(&mut scene);
    assert!(words.len() == 1 && words[0].contains("keeps the key"), "{words:?}");
}

#[test]
fn logins_move_one_way_and_by_steps() {
    let mode = |mode: &str| WHOLE.replace("authenticationMode: API", &format!("authenticationMode: {mode}"));
    let mut scene = Scene::complete(&mode("CONFIG_MAP").replace("accessEntries", "ignored"));
    scene.config = config(&mode("API"));
    scene.run();
    let modes: Vec<&str> = scene
        .eks
        .calls
        .iter()
        .filter_map(|call| call.input["accessConfig"]["authenticationMode"].as_str())
        .collect();
    assert_eq!(modes, ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]);
    scene.config = config(&mode("API_AND_CONFIG_MAP"));
    let words = blocked(&mut scene);
    assert!(words.len() == 1 && words[0].contains("never goes back to API_AND_CONFIG_MAP"), "{words:?}");
}

#[test]
fn fixed_fields_of_a_cluster_name_the_way_out() {
    let (_, mut scene) = after(yaml("kubernetesNetworkConfig: {serviceIPv4CIDR: 10.200.0.0/16}\n"));
    let words = blocked(&mut scene);
    assert!(
        words.len() == 1 && words[0].contains("serviceIpv4Cidr") && words[0].contains("new cluster beside"),
        "{words:?}"
    );
}

#[test]
fn fixed_fields_of_a_node_group_name_the_way_out() {
    for (from, to, field) in [
        ("instanceType: m5.large", "instanceType: c5.large", "/instanceTypes"),
        ("instanceType: m5.large", "instanceType: m7g.large", "/amiType"),
        ("spot: true, ", "", "/capacityType"),
        ("desiredCapacity: 2, privateNetworking: true", "desiredCapacity: 2", "/subnets"),
    ] {
        assert!(WHOLE.contains(from), "{from}");
        let (_, mut scene) = after(|scene| scene.config = config(&WHOLE.replace(from, to)));
        let words = blocked(&mut scene);
        assert!(words.len() == 1, "{words:?}");
        assert!(
            words[0].contains(field) && words[0].contains("give the changed group a new name"),
            "{words:?}"
        );
        let (plan, _) = scene.plan();
        assert_eq!(plan.actionable().count(), 0, "{}", shown(&plan));
    }
}

#[test]
fn a_fargate_profile_is_made_anew_with_an_approval() {
    let (calls, mut scene) = after(|scene| scene.config = config(&WHOLE.replace("kind: job", "kind: task")));
    assert_eq!(calls, []);
    let (plan, _) = scene.plan();
    let step = plan.steps.iter().find(|step| step.action == StepAction::Replace).unwrap();
    assert!(matches!(&step.verdict, Verdict::Held(words) if words.contains("leaves no gap")), "{step:?}");
    scene.approved.insert(plan.held);
    scene.run();
    assert_eq!(scene.eks.thing("fargateProfile", "batch")["selectors"][0]["labels"]["kind"], "task");
}

#[test]
fn a_warm_pool_comes_and_goes_with_the_document() {
    let mut scene = Scene::complete(WHOLE);
    let pool = r#"{name: harbour, region: eu-central-1, nodeGroups: {steady: {warmPool: {minSize: 1, poolState: Stopped}}}}"#;
    scene.settings = serde_yaml::from_str(pool).unwrap();
    scene.run();
    let pool = |scene: &Scene| scene.eks.thing("nodegroup", "steady")["warmPoolConfig"].clone();
    assert_eq!(pool(&scene), json!({"enabled": true, "minSize": 1, "poolState": "STOPPED"}));
    scene.settings = Default::default();
    scene.run();
    assert_eq!(pool(&scene)["enabled"], false);
}

#[test]
fn settings_of_addons_are_compared_by_what_they_say() {
    assert_eq!(canonical(&json!("a: {b: 1}")), canonical(&json!("{\"a\":{\"b\":1}}")));
    assert_ne!(canonical(&json!("a: 1")), canonical(&json!("a: 2")));
    assert_eq!(canonical(&json!("no settings")), json!("no settings"));
    let with = WHOLE.replace(
        "{name: aws-ebs-csi-driver}",
        "{name: aws-ebs-csi-driver, resolveConflicts: overwrite, configurationValues: \"controller: {replicaCount: 2}\"}",
    );
    let (calls, mut scene) = after(|scene| scene.config = config(&with));
    let [(operation, input)] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((operation.as_str(), &input["resolveConflicts"]), ("UpdateAddon", &json!("OVERWRITE")));
    assert_eq!(input["configurationValues"], "{\"controller\":{\"replicaCount\":2}}");
    assert!(!input["serviceAccountRoleArn"].is_null(), "an update without the role would take it away");
    scene.run();
    // Written by hand in another spelling, it is the same.
    scene.eks.change("addon", "aws-ebs-csi-driver", |addon| {
        addon["configurationValues"] = json!("controller:\n  replicaCount: 2\n");
    });
    assert!(scene.plan().0.is_empty());
}

#[test]
fn settings_that_do_not_fit_the_addons_schema_are_refused() {
    use portolan::provision::eks::addon::{problems, schema_fact};
    let with = WHOLE.replace(
        "{name: aws-ebs-csi-driver}",
        "{name: aws-ebs-csi-driver, configurationValues: \"controler: {}\"}",
    );
    let scene = Scene::new(&with);
    let mut known = portolan::provision::resource::Snapshot::default();
    let schema = r#"{"type": "object", "additionalProperties": false, "properties": {"controller": {"type": "object"}}}"#;
    known.facts.insert(schema_fact("aws-ebs-csi-driver", "v1"), json!(schema));
    let problems = problems(&scene.declared(), &known);
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].to_string().starts_with("/addons/1/configurationValues: /controler"),
        "{}",
        problems[0]
    );
}

#[test]
fn a_failed_addon_is_shown_with_its_issues() {
    let mut scene = Scene::complete(WHOLE);
    scene.eks.change("addon", "coredns", |addon| {
        addon["status"] = json!("CREATE_FAILED");
        addon["health"] = json!({"issues": [{"code": "ConfigurationConflict", "message": "Conflicts found", "resourceIds": ["deployments.apps coredns"]}]});
    });
    let (plan, _) = scene.plan();
    let step =
        plan.steps.iter().find(|step| step.key.kind == Kind::Addon && step.key.name == "coredns").unwrap();
    assert!(
        matches!(&step.verdict, Verdict::Held(words) if words.contains("ConfigurationConflict: Conflicts found (deployments.apps coredns)")),
        "{step:?}"
    );
    scene.approved.insert(plan.held);
    scene.run();
    assert_eq!(scene.eks.thing("addon", "coredns")["status"], "ACTIVE");
}

#[test]
fn self_managed_nodes_join_by_an_access_entry() {
    let with = format!("{WHOLE}nodeGroups: [{{name: own, instanceType: m5.large}}]\n");
    let scene = Scene::new(&with);
    let declared = scene.declared();
    let entry = declared
        .iter()
        .find(|resource| resource.desired["type"] == "EC2_LINUX")
        .expect("an entry for the nodes' role");
    let role = declared.iter().find(|resource| resource.key.name == "nodegroup-own").expect("a role");
    let name = role.desired["RoleName"].as_str().unwrap();
    let path = role.desired["Path"].as_str().unwrap();
    assert_eq!(entry.key.name, format!("arn:aws:iam::111122223333:role{path}{name}"));
    assert!(entry.needs.contains(&role.key));
}

#[test]
fn every_need_is_declared_and_the_order_has_no_circle() {
    let with = format!("{WHOLE}nodeGroups: [{{name: own, instanceType: m5.large}}]\n");
    let declared = Scene::new(&with).declared();
    let ordered = portolan::provision::order::by_needs(&declared);
    for (at, resource) in ordered.iter().enumerate() {
        for need in &resource.needs {
            let place = ordered.iter().position(|other| other.key == *need);
            assert!(place.is_some_and(|place| place < at), "{} needs {need}", resource.key);
        }
    }
}

/// Operations of EC2 that take an idempotency token, by the members that may be sent (held to botocore's model elsewhere).
fn takes_a_token(operation: &str) -> bool {
    let shapes = include_str!("../../../src/aws/signed/shapes/ec2.shapes");
    let of_operation = shapes.split("\n").skip_while(|line| !line.starts_with(&format!("{operation}:")));
    let mut members = of_operation.enumerate().take_while(|(nth, line)| *nth == 0 || line.starts_with(' '));
    members.any(|(_, line)| line.split_whitespace().any(|member| member == "ClientToken"))
}

#[test]
fn every_create_carries_our_tags_and_a_token_where_the_api_has_one() {
    let ipv6 = format!("{WHOLE}kubernetesNetworkConfig: {{ipFamily: IPv6}}\n");
    let people =
        r#"identityProviders: [{type: oidc, name: p, issuerURL: "https://a.example.com", clientID: c}]"#;
    let private = format!("{WHOLE}privateCluster: {{enabled: true}}\n{people}\n");
    let own = "nodeGroups: [{name: own, ami: ami-1}]\n";
    let tokened = ["CreateLaunchTemplate", "CreateNatGateway", "CreateRouteTable", "CreateVpcEndpoint"];
    assert!(tokened.iter().all(|operation| takes_a_token(operation)));
    assert!(
        !takes_a_token("CreateVpc") && !takes_a_token("CreateSubnet") && !takes_a_token("AllocateAddress")
    );
    let mut kinds = std::collections::BTreeSet::new();
    for file in [format!("{WHOLE}{own}"), ipv6, private] {
        let scene = Scene::new(&file);
        let declared = scene.declared();
        let cluster = declared.iter().find(|resource| resource.key.kind == Kind::Cluster).unwrap();
        let scope = super::scene::scope();
        assert_eq!(cluster.key.name, scope.cluster);
        for resource in declared.iter().filter(|resource| !resource.existing) {
            let drivers = portolan::provision::drivers();
            let driver = drivers.iter().find(|driver| driver.kind() == resource.key.kind).unwrap();
            let mut tags = resource.tags.clone();
            tags.extend(scope.tags(&resource.key));
            let call = driver.create(&scope, resource, &resource.desired, &tags, "the-token");
            let sent = call.input.to_string();
            for words in [CLUSTER_TAG, RESOURCE_TAG, resource.key.to_string().as_str()] {
                assert!(sent.contains(words), "{call} of {}: no {words} in {sent}", resource.key);
            }
            let of_eks = call.service == portolan::model::cloud::Service::Eks;
            let token = if of_eks { "clientRequestToken" } else { "ClientToken" };
            if of_eks || takes_a_token(&call.operation) {
                assert_eq!(call.input[token], "the-token", "{call} of {}: {sent}", resource.key);
            }
            kinds.insert(resource.key.kind);
        }
    }
    let missing: Vec<Kind> = portolan::provision::drivers()
        .iter()
        .map(|driver| driver.kind())
        .filter(|kind| !kinds.contains(kind) && *kind != Kind::ServiceAccount)
        .collect();
    assert_eq!(missing, [], "no file here makes them");
}
