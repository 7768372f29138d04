"""Drives an EKS server with boto3: every operation, botocore's waiters and paginators, typed exceptions."""

import json

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/cluster"
NODES = "arn:aws:iam::123456789012:role/nodes"
PODS = "arn:aws:iam::123456789012:role/pods"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/k"
USER = "arn:aws:iam::123456789012:user/team/ann"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
C = {"clusterName": "b"}

eks = boto3.client("eks", config=Config(retries={"total_max_attempts": 1}))
called = set()
eks.meta.events.register("before-call.eks.*", lambda model, **_: called.add(model.name))


def wait(waiter, **names):
    eks.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.02, "MaxAttempts": 500}, **names)


def updated(answer, **part):
    for _ in range(500):
        update = eks.describe_update(name="b", updateId=answer["update"]["id"], **part)["update"]
        if update["status"] != "InProgress":
            assert update["status"] == "Successful", update
            return update
    raise AssertionError("an update that does not end")


def fails(exception, call, **arguments):
    try:
        call(**arguments)
    except getattr(eks.exceptions, exception) as error:
        return error.response
    raise AssertionError(f"{call.__name__} did not fail with {exception}")


made = eks.create_cluster(
    name="b",
    version="1.35",
    roleArn=ROLE,
    resourcesVpcConfig={"subnetIds": ["subnet-0a", "subnet-0b"], "endpointPrivateAccess": True},
    accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"},
    bootstrapSelfManagedAddons=False,
    tags={"team": "a"},
)["cluster"]
assert made["status"] == "CREATING" and made["createdAt"].tzinfo, made
wait("cluster_active", name="b")
cluster = eks.describe_cluster(name="b")["cluster"]
assert cluster["version"] == "1.35" and cluster["endpoint"].startswith("https://"), cluster
assert fails("ResourceInUseException", eks.create_cluster, name="b", roleArn=ROLE,
             resourcesVpcConfig={"subnetIds": ["a", "b"]})["clusterName"] == "b"
fails("ResourceNotFoundException", eks.describe_cluster, name="none")
assert "b" in [n for page in eks.get_paginator("list_clusters").paginate() for n in page["clusters"]]

versions = eks.describe_cluster_versions()["clusterVersions"]
assert [v["clusterVersion"] for v in versions] == ["1.36", "1.35"], versions
addons = [a for page in eks.get_paginator("describe_addon_versions").paginate(kubernetesVersion="1.35")
          for a in page["addons"]]
assert len(addons) >= 9, addons
schema = eks.describe_addon_configuration(addonName="coredns", addonVersion="v1.12.4-eksbuild.6")
json.loads(schema["configurationSchema"])

for name in ["vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent"]:
    eks.create_addon(addonName=name, resolveConflicts="OVERWRITE", **C)
    wait("addon_active", addonName=name, **C)
answer = eks.update_addon(addonName="coredns", configurationValues='{"replicaCount": 3}', **C)
updated(answer, addonName="coredns")
assert eks.describe_addon(addonName="coredns", **C)["addon"]["configurationValues"] == '{"replicaCount": 3}'
assert "schema" in fails("InvalidParameterException", eks.update_addon, addonName="coredns",
                         configurationValues='{"x": 1}', **C)["Error"]["Message"]
assert len(eks.list_addons(**C)["addons"]) == 4

eks.create_nodegroup(nodegroupName="ng", nodeRole=NODES, subnets=["subnet-0a"], labels={"a": "b"},
                     capacityType="SPOT", instanceTypes=["m5.large", "m5a.large"],
                     taints=[{"key": "spot", "value": "yes", "effect": "NO_SCHEDULE"}],
                     scalingConfig={"minSize": 0, "maxSize": 3, "desiredSize": 1}, **C)
wait("nodegroup_active", nodegroupName="ng", **C)
updated(eks.update_nodegroup_config(nodegroupName="ng", scalingConfig={"desiredSize": 2},
                                    labels={"addOrUpdateLabels": {"c": "d"}}, **C), nodegroupName="ng")
nodegroup = eks.describe_nodegroup(nodegroupName="ng", **C)["nodegroup"]
assert nodegroup["scalingConfig"]["desiredSize"] == 2 and nodegroup["labels"] == {"a": "b", "c": "d"}, nodegroup
assert eks.list_nodegroups(**C)["nodegroups"] == ["ng"]
assert fails("ResourceInUseException", eks.delete_cluster, name="b")["nodegroupName"] == "ng"

eks.create_fargate_profile(fargateProfileName="fp", podExecutionRoleArn=PODS,
                           selectors=[{"namespace": "batch", "labels": {"x": "y"}}], **C)
wait("fargate_profile_active", fargateProfileName="fp", **C)
assert eks.describe_fargate_profile(fargateProfileName="fp", **C)["fargateProfile"]["selectors"]
assert eks.list_fargate_profiles(**C)["fargateProfileNames"] == ["fp"]

eks.create_access_entry(principalArn=USER, kubernetesGroups=["viewers"], **C)
eks.update_access_entry(principalArn=USER, kubernetesGroups=["readers"], **C)
assert eks.describe_access_entry(principalArn=USER, **C)["accessEntry"]["kubernetesGroups"] == ["readers"]
eks.associate_access_policy(principalArn=USER, policyArn=VIEW, accessScope={"type": "namespace", "namespaces": ["a"]}, **C)
assert eks.list_associated_access_policies(principalArn=USER, **C)["associatedAccessPolicies"][0]["policyArn"] == VIEW
assert len(eks.list_access_entries(**C)["accessEntries"]) == 4
assert any(p["arn"] == VIEW for p in eks.list_access_policies()["accessPolicies"])

pod = eks.create_pod_identity_association(namespace="a", serviceAccount="s", roleArn=PODS, **C)["association"]
eks.update_pod_identity_association(associationId=pod["associationId"], roleArn=ROLE, **C)
assert eks.describe_pod_identity_association(associationId=pod["associationId"], **C)["association"]["roleArn"] == ROLE
assert len(eks.list_pod_identity_associations(**C)["associations"]) == 1

updated(eks.associate_encryption_config(
    encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": KEY}}], **C))
oidc = {"type": "oidc", "name": "people"}
updated(eks.associate_identity_provider_config(
    oidc={"identityProviderConfigName": "people", "issuerUrl": "https://id.example.com", "clientId": "k"}, **C))
assert eks.describe_identity_provider_config(identityProviderConfig=oidc, **C)["identityProviderConfig"]
assert eks.list_identity_provider_configs(**C)["identityProviderConfigs"] == [oidc]
updated(eks.disassociate_identity_provider_config(identityProviderConfig=oidc, **C))

updated(eks.update_cluster_config(name="b", logging={"clusterLogging": [{"types": ["api"], "enabled": True}]}))
assert "Only one type" in fails("InvalidParameterException", eks.update_cluster_config, name="b",
                                deletionProtection=True,
                                upgradePolicy={"supportType": "STANDARD"})["Error"]["Message"]

arn = cluster["arn"]
eks.tag_resource(resourceArn=arn, tags={"cost": "7"})
eks.untag_resource(resourceArn=arn, tagKeys=["team"])
assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"cost": "7"}

assert eks.list_insights(filter={"categories": ["UPGRADE_READINESS"]}, **C)["insights"] == []
fails("ResourceNotFoundException", eks.describe_insight, id="i", **C)
eks.start_insights_refresh(**C)
assert eks.describe_insights_refresh(**C)["status"]

updated(eks.update_cluster_version(name="b", version="1.36"))
fails("InvalidRequestException", eks.cancel_update, name="b",
      updateId=eks.list_updates(name="b")["updateIds"][-1])
updated(eks.update_nodegroup_version(nodegroupName="ng", version="1.36", **C), nodegroupName="ng")
assert eks.describe_nodegroup(nodegroupName="ng", **C)["nodegroup"]["version"] == "1.36"
updated(eks.update_addon(addonName="coredns", addonVersion="v1.14.2-eksbuild.1", **C), addonName="coredns")

eks.disassociate_access_policy(principalArn=USER, policyArn=VIEW, **C)
eks.delete_access_entry(principalArn=USER, **C)
eks.delete_pod_identity_association(associationId=pod["associationId"], **C)
eks.delete_addon(addonName="coredns", preserve=True, **C)
wait("addon_deleted", addonName="coredns", **C)
eks.delete_fargate_profile(fargateProfileName="fp", **C)
wait("fargate_profile_deleted", fargateProfileName="fp", **C)
eks.delete_nodegroup(nodegroupName="ng", **C)
wait("nodegroup_deleted", nodegroupName="ng", **C)
eks.delete_cluster(name="b")
wait("cluster_deleted", name="b")
print(json.dumps(sorted(called)))
