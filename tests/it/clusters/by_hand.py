"""A cluster that somebody made by hand, with boto3: network, roles, cluster and every kind of part."""

import base64
import json

import boto3

CLUSTER = "shop"
ec2, iam, eks, autoscaling = (boto3.client(name) for name in ("ec2", "iam", "eks", "autoscaling"))


def tags(kind, **names):
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in names.items()]}]


def trust(service, **statement):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}, **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(name, service, *policies, **more):
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service), **more)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return made


vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tags("vpc", Name="by hand"))["Vpc"]["VpcId"]
ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
sides = {"public": [], "private": []}
for number, (side, zone) in enumerate([("public", "a"), ("public", "b"), ("private", "a"), ("private", "b")]):
    made = ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"eu-central-1{zone}",
        TagSpecifications=tags("subnet", Name=f"{side}-{zone}"))
    sides[side].append(made["Subnet"]["SubnetId"])
address = ec2.allocate_address(Domain="vpc")["AllocationId"]
nat = ec2.create_nat_gateway(SubnetId=sides["public"][0], AllocationId=address)["NatGateway"]["NatGatewayId"]
for side, target in [("public", {"GatewayId": gateway}), ("private", {"NatGatewayId": nat})]:
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table", Name=side))
    table = table["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **target)
    for subnet in sides[side]:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
group = ec2.create_security_group(GroupName="extra", Description='of "us", ${not} a %{directive}', VpcId=vpc)["GroupId"]
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}]},
    {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
])

cluster_role = role("hand-cluster", "eks.amazonaws.com", "AmazonEKSClusterPolicy", Description="with \"quotes\"")
node_role = role("hand-nodes", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly",
                 "AmazonEKS_CNI_Policy")
iam.put_role_policy(RoleName="hand-nodes", PolicyName="own", PolicyDocument=json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::home/${aws:username}/*"}],
}))
pod_role = role("hand-pods", "eks-fargate-pods.amazonaws.com", "AmazonEKSFargatePodExecutionRolePolicy")
app_role = role("hand-app", "pods.eks.amazonaws.com")

eks.create_cluster(
    name=CLUSTER, version="1.35", roleArn=cluster_role, bootstrapSelfManagedAddons=False, tags={"team": "hand"},
    resourcesVpcConfig={"subnetIds": sides["public"] + sides["private"], "securityGroupIds": [group],
                        "endpointPrivateAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]},
    accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
    kubernetesNetworkConfig={"serviceIpv4Cidr": "10.100.0.0/16"},
    logging={"clusterLogging": [{"types": ["audit", "api"], "enabled": True}]},
)


def wait(waiter, **names):
    eks.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.05, "MaxAttempts": 500}, **names)


wait("cluster_active", name=CLUSTER)
for addon in ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"):
    eks.create_addon(clusterName=CLUSTER, addonName=addon)
    wait("addon_active", clusterName=CLUSTER, addonName=addon)
template = ec2.create_launch_template(LaunchTemplateName="hand", LaunchTemplateData={
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 40, "VolumeType": "gp3"}}]})
template = {"id": template["LaunchTemplate"]["LaunchTemplateId"], "version": "1"}
eks.create_nodegroup(
    clusterName=CLUSTER, nodegroupName="blue", nodeRole=node_role, subnets=sides["private"],
    instanceTypes=["t3.medium"], launchTemplate=template, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 2},
    labels={"pool": "blue"}, tags={"cost": "1/2"})
wait("nodegroup_active", clusterName=CLUSTER, nodegroupName="blue")
eks.create_nodegroup(
    clusterName=CLUSTER, nodegroupName="spot", nodeRole=node_role, subnets=sides["private"], capacityType="SPOT",
    launchTemplate=template, instanceTypes=["t3.medium", "t3.large"], scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 1},
    taints=[{"key": "spot", "value": "true", "effect": "NO_SCHEDULE"}], updateConfig={"maxUnavailablePercentage": 50})
wait("nodegroup_active", clusterName=CLUSTER, nodegroupName="spot")
# As the console makes one: without a launch template.
eks.create_nodegroup(
    clusterName=CLUSTER, nodegroupName="console", nodeRole=node_role, subnets=sides["private"], diskSize=33,
    instanceTypes=["t3.medium"], scalingConfig={"minSize": 1, "maxSize": 2, "desiredSize": 1}, labels={"pool": "console"})
wait("nodegroup_active", clusterName=CLUSTER, nodegroupName="console")
eks.create_fargate_profile(
    clusterName=CLUSTER, fargateProfileName="batch", podExecutionRoleArn=pod_role, subnets=sides["private"],
    selectors=[{"namespace": "batch", "labels": {"run": "alone"}}])
wait("fargate_profile_active", clusterName=CLUSTER, fargateProfileName="batch")
people = "arn:aws:iam::123456789012:role/people"
eks.create_access_entry(clusterName=CLUSTER, principalArn=people, kubernetesGroups=["viewers"])
eks.associate_access_policy(
    clusterName=CLUSTER, principalArn=people, policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
    accessScope={"type": "namespace", "namespaces": ["shop"]})
eks.create_pod_identity_association(
    clusterName=CLUSTER, namespace="shop", serviceAccount="web", roleArn=app_role)

# Nodes of one's own: an Auto Scaling group with a launch template that joins them as nobody else would.
own_role = role("hand-own", "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
profile = iam.create_instance_profile(InstanceProfileName="hand-own")["InstanceProfile"]["Arn"]
iam.add_role_to_instance_profile(InstanceProfileName="hand-own", RoleName="hand-own")
eks.create_access_entry(clusterName=CLUSTER, principalArn=own_role, type="EC2_LINUX")
own = ec2.create_launch_template(LaunchTemplateName="hand-own", LaunchTemplateData={
    "ImageId": "ami-12c6146b", "InstanceType": "t3.medium", "IamInstanceProfile": {"Arn": profile},
    "SecurityGroupIds": [group], "UserData": base64.b64encode(b"#!/bin/bash\njoin ${me}\n").decode(),
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True}}],
    "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "own"}]}]})
own = own["LaunchTemplate"]["LaunchTemplateId"]
autoscaling.create_auto_scaling_group(
    AutoScalingGroupName="by-hand", MinSize=1, MaxSize=3, DesiredCapacity=1, VPCZoneIdentifier=",".join(sides["private"]),
    LaunchTemplate={"LaunchTemplateId": own, "Version": "$Latest"},
    Tags=[{"ResourceId": "by-hand", "ResourceType": "auto-scaling-group", "Key": f"kubernetes.io/cluster/{CLUSTER}",
           "Value": "owned", "PropagateAtLaunch": True}])
autoscaling.suspend_processes(AutoScalingGroupName="by-hand", ScalingProcesses=["AZRebalance"])
# An old one, from before launch templates.
autoscaling.create_launch_configuration(
    LaunchConfigurationName="hand-old", ImageId="ami-12c6146b", InstanceType="t3.medium", IamInstanceProfile="hand-own",
    SecurityGroups=[group], UserData="#!/bin/bash\njoin ${me}\n", InstanceMonitoring={"Enabled": False},
    BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 25, "VolumeType": "gp2"}}])
autoscaling.create_auto_scaling_group(
    AutoScalingGroupName="by-hand-old", MinSize=0, MaxSize=2, DesiredCapacity=0, VPCZoneIdentifier=",".join(sides["private"]),
    LaunchConfigurationName="hand-old",
    Tags=[{"ResourceId": "by-hand-old", "ResourceType": "auto-scaling-group", "Key": f"kubernetes.io/cluster/{CLUSTER}",
           "Value": "owned", "PropagateAtLaunch": True}])
