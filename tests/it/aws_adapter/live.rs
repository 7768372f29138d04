//! A network, a role and a group of machines in moto: made, found again page by page, and taken away.

use super::{call, open, options};
use portolan::local::Places;
use portolan::local::aws::Moto;
use portolan::model::cloud::Service;
use portolan::ports::{Cloud, CloudFailureKind as Kind};
use serde_json::{Value, json};

async fn done(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Value {
    cloud.call(&call(service, operation, input)).await.unwrap_or_else(|failure| panic!("{failure}"))
}

async fn refused(cloud: &dyn Cloud, service: Service, operation: &str, input: Value) -> Kind {
    cloud.call(&call(service, operation, input)).await.unwrap_err().kind
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn tags(kind: &str) -> Value {
    json!([{"ResourceType": kind, "Tags": [{"Key": "owner", "Value": "a & b"}]}])
}

#[tokio::test]
async fn moto_understands_what_is_sent_and_its_answers_are_understood() {
    crate::support::aws::needs_aws!();
    let places = Places::from_env().unwrap();
    let moto = Moto::start(&places, &mut crate::support::control_plane::progress()).await.unwrap();
    let cloud = open(options(moto.endpoint())).await;
    let cloud = cloud.as_ref();
    use Service::{AutoScaling, Ec2, Iam, Kms, Sts};

    let who = done(cloud, Sts, "GetCallerIdentity", json!({})).await;
    assert_eq!(text(&who["Account"]).len(), 12);

    let vpc =
        done(cloud, Ec2, "CreateVpc", json!({"CidrBlock": "10.1.0.0/16", "TagSpecifications": tags("vpc")}))
            .await;
    let vpc = text(&vpc["vpc"]["vpcId"]);
    for number in 0..7 {
        let input = json!({
            "VpcId": vpc, "CidrBlock": format!("10.1.{number}.0/24"), "TagSpecifications": tags("subnet"),
            "AvailabilityZone": "eu-central-1a",
        });
        done(cloud, Ec2, "CreateSubnet", input).await;
    }
    let ours = json!([{"Name": "tag:owner", "Values": ["a & b"]}, {"Name": "vpc-id", "Values": [vpc]}]);
    let subnets = done(cloud, Ec2, "DescribeSubnets", json!({"Filters": ours, "MaxResults": 5})).await;
    let subnets = subnets["subnetSet"].as_array().unwrap();
    assert_eq!(subnets.len(), 7);
    assert_eq!(subnets[0]["tagSet"], json!([{"key": "owner", "value": "a & b"}]));
    assert_eq!(
        refused(cloud, Ec2, "DescribeVpcs", json!({"VpcIds": ["vpc-0123456789abcdef0"]})).await,
        Kind::NotFound
    );
    assert_eq!(refused(cloud, Ec2, "DeleteVpc", json!({"VpcId": vpc})).await, Kind::InUse);

    let group = json!({"GroupName": "nodes", "Description": "of the test", "VpcId": vpc});
    let group_id = text(&done(cloud, Ec2, "CreateSecurityGroup", group.clone()).await["groupId"]);
    assert_eq!(refused(cloud, Ec2, "CreateSecurityGroup", group).await, Kind::AlreadyExists);
    let rules = json!([{
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}],
        "UserIdGroupPairs": [{"GroupId": group_id}],
    }]);
    let allow = json!({"GroupId": group_id, "IpPermissions": rules});
    done(cloud, Ec2, "AuthorizeSecurityGroupIngress", allow.clone()).await;
    assert_eq!(refused(cloud, Ec2, "AuthorizeSecurityGroupIngress", allow).await, Kind::AlreadyExists);
    let found = done(cloud, Ec2, "DescribeSecurityGroups", json!({"GroupIds": [group_id]})).await;
    let permission = &found["securityGroupInfo"][0]["ipPermissions"][0];
    assert_eq!(permission["ipRanges"][0], json!({"cidrIp": "10.0.0.0/8", "description": "inside"}));
    assert_eq!(permission["groups"][0]["groupId"], group_id.as_str());

    let data = json!({
        "InstanceType": "m5.large", "UserData": "IyEvYmluL3No", "SecurityGroupIds": [group_id],
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 80, "VolumeType": "gp3"}}],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        "TagSpecifications": tags("instance"),
    });
    let mut template =
        json!({"LaunchTemplateName": "nodes", "LaunchTemplateData": data, "ClientToken": "t-1"});
    let made = done(cloud, Ec2, "CreateLaunchTemplate", template.clone()).await;
    let again = done(cloud, Ec2, "CreateLaunchTemplate", template.clone()).await;
    assert_eq!(again["launchTemplate"]["launchTemplateId"], made["launchTemplate"]["launchTemplateId"]);
    template["ClientToken"] = json!("t-2");
    assert_eq!(refused(cloud, Ec2, "CreateLaunchTemplate", template).await, Kind::AlreadyExists);
    let versions = json!({"LaunchTemplateName": "nodes", "Versions": ["$Latest"]});
    let versions = done(cloud, Ec2, "DescribeLaunchTemplateVersions", versions).await;
    let data = &versions["launchTemplateVersionSet"][0]["launchTemplateData"];
    assert_eq!(data["blockDeviceMappingSet"][0]["ebs"]["volumeSize"], "80", "{data}");
    assert_eq!(data["metadataOptions"]["httpTokens"], "required", "{data}");

    let policy = r#"{"Version": "2012-10-17", "Statement": []}"#;
    for number in 0..5 {
        let input = json!({"RoleName": format!("role-{number}"), "AssumeRolePolicyDocument": policy});
        done(cloud, Iam, "CreateRole", input).await;
    }
    let roles = done(cloud, Iam, "ListRoles", json!({"MaxItems": 2})).await;
    let names: Vec<_> =
        roles["Roles"].as_array().unwrap().iter().map(|role| text(&role["RoleName"])).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("role-")).count(), 5, "{names:?}");
    assert_eq!(refused(cloud, Iam, "GetRole", json!({"RoleName": "nobody"})).await, Kind::NotFound);
    let again = json!({"RoleName": "role-1", "AssumeRolePolicyDocument": policy});
    assert_eq!(refused(cloud, Iam, "CreateRole", again).await, Kind::AlreadyExists);

    let subnet = text(&subnets[0]["subnetId"]);
    let group = json!({
        "AutoScalingGroupName": "nodes", "MinSize": 0, "MaxSize": 2, "VPCZoneIdentifier": subnet,
        "LaunchTemplate": {"LaunchTemplateName": "nodes", "Version": "1"},
        "Tags": [{"Key": "owner", "Value": "a & b", "PropagateAtLaunch": true,
                  "ResourceId": "nodes", "ResourceType": "auto-scaling-group"}],
    });
    done(cloud, AutoScaling, "CreateAutoScalingGroup", group).await;
    let groups =
        done(cloud, AutoScaling, "DescribeAutoScalingGroups", json!({"AutoScalingGroupNames": ["nodes"]}))
            .await;
    assert_eq!(groups["AutoScalingGroups"][0]["Tags"][0]["Value"], "a & b");
    done(cloud, AutoScaling, "DeleteAutoScalingGroup", json!({"AutoScalingGroupName": "nodes"})).await;

    let aliases = done(cloud, Kms, "ListAliases", json!({"Limit": 3})).await;
    assert!(aliases["Aliases"].as_array().unwrap().len() > 3);
    moto.stop().await;
}
