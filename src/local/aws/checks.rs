//! What the service checks at once when a cluster, a node group or a Fargate profile is asked for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::account::{Account, Subnet, issue, items, problem, text, texts};
use super::capacity::InstanceType;
use super::moto::Home;
use super::template::Template;
use super::trust::{self, Request};
use super::world::Issue;
use crate::ports::CloudFailureKind;

/// What most refusals are called.
const INVALID: &str = "InvalidParameterException";

fn invalid(message: impl Into<String>) -> Issue {
    problem(INVALID, message, &[])
}

/// A cluster: role, subnets, security groups, key.
pub(super) async fn cluster(account: &Account, input: &Value) -> Result<(), Issue> {
    let Home { account: owner, region } = &account.home;
    let arn = format!("arn:{}:eks:{region}:{owner}:cluster/{}", account.partition(), text(input, "name"));
    let service = Request::of_service("eks.amazonaws.com").on_behalf_of(&arn);
    role(account, &text(input, "roleArn"), &service, &[&["AmazonEKSClusterPolicy"]]).await?;
    network(account, &input["resourcesVpcConfig"]).await?;
    for config in items(input, "encryptionConfig") {
        let key = text(&config["provider"], "keyArn");
        let answer = account
            .call(crate::model::cloud::Service::Kms, "DescribeKey", json!({"KeyId": key}))
            .await
            .map_err(|failure| invalid(format!("the key {key} cannot be used: {failure}")))?;
        let metadata = &answer["KeyMetadata"];
        if metadata["KeyState"] != "Enabled" || metadata["KeySpec"] != "SYMMETRIC_DEFAULT" {
            return Err(invalid(format!("the key {key} is not an enabled symmetric key")));
        }
    }
    Ok(())
}

/// A cluster's subnets, in two zones of one VPC, and its security groups, in that VPC. Also asked on updates.
pub(super) async fn network(account: &Account, vpc_config: &Value) -> Result<Vec<Subnet>, Issue> {
    let ids = texts(vpc_config, "subnetIds");
    let found = subnets(account, &ids).await?;
    let zones: BTreeSet<_> = found.iter().map(|subnet| &subnet.zone).collect();
    if zones.len() < 2 {
        return Err(invalid("Subnets specified must be in at least two different AZs"));
    }
    let vpc = one_vpc(&found)?;
    security_groups(account, &texts(vpc_config, "securityGroupIds"), &vpc).await?;
    Ok(found)
}

/// A node group: role, subnets, instance types, launch template, remote access.
pub(super) async fn nodegroup(account: &Account, cluster: &Value, input: &Value) -> Result<(), Issue> {
    let pulls = &["AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly"];
    let works = &["AmazonEKSWorkerNodePolicy", "AmazonEKSWorkerNodeMinimalPolicy"];
    let service = Request::of_service("ec2.amazonaws.com");
    role(account, &text(input, "nodeRole"), &service, &[works, pulls]).await?;

    let found = subnets(account, &texts(input, "subnets")).await?;
    let vpc = one_vpc(&found)?;
    if cluster["resourcesVpcConfig"]["vpcId"].as_str().is_some_and(|of_cluster| of_cluster != vpc) {
        return Err(invalid(format!("Subnets must be in the VPC of the cluster, and are in {vpc}")));
    }

    let mut types = texts(input, "instanceTypes");
    let template = match input["launchTemplate"].is_null() {
        true => None,
        false => Some(Template::of_user(account, &input["launchTemplate"]).await?),
    };
    if let Some(template) = &template {
        fits_node_groups(template, &types)?;
        security_groups(account, &template.security_groups(), &vpc).await?;
        types.extend(template.instance_type());
        if let Some(image) = template.image() {
            images_exist(account, &image).await?;
        }
    }
    if types.is_empty() && template.is_none() {
        types.push("t3.medium".to_owned());
    }
    instance_types(account, &types, input["amiType"].as_str()).await?;

    let remote = &input["remoteAccess"];
    if let Some(key) = remote["ec2SshKey"].as_str() {
        let known = account.ec2("DescribeKeyPairs", json!({"KeyNames": [key]})).await;
        known.map_err(|_| invalid(format!("The key pair '{key}' does not exist")))?;
    }
    security_groups(account, &texts(remote, "sourceSecurityGroups"), &vpc).await
}

/// A Fargate profile: its role, and subnets without a route to an internet gateway.
pub(super) async fn fargate(
    account: &Account,
    cluster: &Value,
    profile: &Value,
) -> Result<Vec<Subnet>, Issue> {
    let denied = |issue: Issue| problem("AccessDenied", issue.message, &[]);
    let policies: &[&[&str]] = &[&["AmazonEKSFargatePodExecutionRolePolicy"]];
    let execution = text(profile, "podExecutionRoleArn");
    let service = Request::of_service("eks-fargate-pods.amazonaws.com");
    let service = service.on_behalf_of(&text(profile, "fargateProfileArn"));
    role(account, &execution, &service, policies).await.map_err(denied)?;
    let mut ids = texts(profile, "subnets");
    if ids.is_empty() {
        // As documented: the private ones among the cluster's.
        let mut private = Vec::new();
        for subnet in texts(&cluster["resourcesVpcConfig"], "subnetIds") {
            if !is_public(account, &subnet).await? {
                private.push(subnet);
            }
        }
        ids = private;
    }
    for id in &ids {
        if is_public(account, id).await? {
            return Err(invalid(format!("Subnet {id} provided in Fargate Profile is not a private subnet")));
        }
    }
    if ids.is_empty() {
        return Err(invalid("No private subnets are available for the Fargate profile"));
    }
    subnets(account, &ids).await
}

/// Whether a role is there, trusts the service, and has one policy of each list.
async fn role(account: &Account, arn: &str, service: &Request, policies: &[&[&str]]) -> Result<(), Issue> {
    let refused = || {
        invalid(format!(
            "Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        ))
    };
    let role = account.role(arn).await.map_err(issue)?.ok_or_else(refused)?;
    let policy = trust::document(role["AssumeRolePolicyDocument"].as_str().unwrap_or_default());
    let trusted = policy.is_some_and(|policy| trust::allows(&policy, service));
    if !trusted {
        return Err(refused());
    }
    let attached = account.policies_of(arn).await.map_err(issue)?;
    let missing: Vec<_> = policies
        .iter()
        .filter(|choices| !choices.iter().any(|choice| attached.iter().any(|policy| policy == choice)))
        .filter_map(|choices| choices.first())
        .map(|name| format!("arn:{}:iam::aws:policy/{name}", account.partition()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following \
         policies [{}] are attached",
        missing.join(", ")
    )))
}

async fn subnets(account: &Account, ids: &[String]) -> Result<Vec<Subnet>, Issue> {
    let found = account.subnets(ids).await.map_err(|failure| match failure.kind {
        CloudFailureKind::NotFound | CloudFailureKind::Invalid => invalid(failure.message),
        _ => issue(failure),
    })?;
    match ids.iter().find(|id| !found.iter().any(|subnet| subnet.id == **id)) {
        Some(missing) => Err(invalid(format!("The subnet ID '{missing}' does not exist"))),
        None => Ok(found),
    }
}

fn one_vpc(subnets: &[Subnet]) -> Result<String, Issue> {
    let vpcs: BTreeSet<_> = subnets.iter().map(|subnet| &subnet.vpc).collect();
    match (vpcs.len(), vpcs.first()) {
        (1, Some(vpc)) => Ok((*vpc).clone()),
        _ => Err(invalid("Subnets must be in the same VPC")),
    }
}

async fn security_groups(account: &Account, ids: &[String], vpc: &str) -> Result<(), Issue> {
    if ids.is_empty() {
        return Ok(());
    }
    let answer = account.ec2("DescribeSecurityGroups", json!({"GroupIds": ids})).await;
    let answer = answer.map_err(|failure| invalid(failure.message))?;
    match items(&answer, "securityGroupInfo").find(|group| group["vpcId"] != vpc) {
        Some(group) => {
            Err(invalid(format!("The security group {} is not in the VPC {vpc}", text(group, "groupId"))))
        }
        None => Ok(()),
    }
}

/// What a launch template for a managed node group must not say, because the service says it.
fn fits_node_groups(template: &Template, types: &[String]) -> Result<(), Issue> {
    let refused =
        |what: &str| Err(invalid(format!("Launch template {} should not specify {what}", template.id)));
    if template.sets_subnet() {
        return refused("a subnet ID in network interfaces");
    }
    if template.sets("iamInstanceProfile") {
        return refused(
            "an instance profile. The noderole in your request will be used to construct an instance profile.",
        );
    }
    if template.sets("instanceInitiatedShutdownBehavior") {
        return refused("an instance initiated shutdown behavior");
    }
    if template.sets("hibernationOptions") {
        return refused("hibernation options");
    }
    if template.instance_type().is_some() && !types.is_empty() {
        return Err(invalid("Cannot specify instance types in launch template and API request"));
    }
    Ok(())
}

async fn images_exist(account: &Account, image: &str) -> Result<(), Issue> {
    let answer = account.ec2("DescribeImages", json!({"ImageIds": [image]})).await;
    match answer {
        Ok(answer) if items(&answer, "imagesSet").next().is_some() => Ok(()),
        _ => Err(invalid(format!("The image id '[{image}]' does not exist"))),
    }
}

async fn instance_types(account: &Account, names: &[String], ami_type: Option<&str>) -> Result<(), Issue> {
    if names.is_empty() {
        return Ok(());
    }
    let known = InstanceType::describe(account, names).await.map_err(issue)?;
    let Some(known) = known else {
        return Err(invalid(format!(
            "The following supplied instance types do not exist: [{}]",
            names.join(", ")
        )));
    };
    let wanted = match ami_type {
        Some(ami_type) if ami_type.to_lowercase().contains("arm") => "arm64",
        Some("CUSTOM") => return Ok(()),
        _ => "x86_64",
    };
    match known.iter().find(|kind| !kind.architectures.iter().any(|a| a == wanted)) {
        Some(kind) => Err(invalid(format!(
            "[{}] is not a valid instance type for requested amiType {}",
            kind.name,
            ami_type.unwrap_or("AL2023_x86_64_STANDARD")
        ))),
        None => Ok(()),
    }
}

/// Whether a subnet's routes lead to an internet gateway; those of the main table, where it has none of its own.
async fn is_public(account: &Account, subnet: &str) -> Result<bool, Issue> {
    let tables = async |filters: Value| {
        account.ec2("DescribeRouteTables", json!({"Filters": filters})).await.map_err(issue)
    };
    let mut answer = tables(json!([{"Name": "association.subnet-id", "Values": [subnet]}])).await?;
    if items(&answer, "routeTableSet").next().is_none() {
        let of = account.subnets(&[subnet.to_owned()]).await.map_err(issue)?;
        let vpc = of.first().map(|subnet| subnet.vpc.clone()).unwrap_or_default();
        answer = tables(json!([
            {"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]},
        ]))
        .await?;
    }
    let routes = items(&answer, "routeTableSet").flat_map(|table| items(table, "routeSet"));
    Ok(routes.into_iter().any(|route| route["gatewayId"].as_str().is_some_and(|id| id.starts_with("igw-"))))
}
