"""moto's server for Portolan's local AWS.

Listens on a free port of the loopback interface, says which on standard output as one line of JSON, and ends when its
standard input closes: so it never outlives the process that started it, however that ends.

moto forgives much that AWS refuses. Where Portolan relies on a refusal (what still uses a network keeps it from being
deleted), `strict` puts it back. Under /portolan/ it answers what only the provider of a cloud may ask.
"""

import copy
import functools
import gc
import hashlib
import io
import json
import os
import random
import sys
import threading
import time

# moto's modules and tables are some million objects that live as long as the process: looked through again and again
# for garbage, they cost a fifth of all the time that it takes.
gc.disable()

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
os.environ.setdefault("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true")
os.environ.setdefault("MOTO_ENABLE_AMI_VALIDATION", "true")

import moto.core.responses
from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.responses.tags import TagResponse
from moto.elb.models import elb_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.ssm.models import Parameter, ParameterDict
from moto.sts.models import sts_backends
from moto.core.utils import utcnow
from moto.utilities.utils import get_partition
from werkzeug.serving import make_server

import ground
import operations
import tokens
import trail

# What EKS's optimised images are called, by SSM path: family, variant, architecture, name of the image.
FAMILIES = [
    ("amazon-linux-2023/x86_64/standard", "x86_64", "amazon-eks-node-al2023-x86_64-standard-{minor}-v{date}"),
    ("amazon-linux-2023/arm64/standard", "arm64", "amazon-eks-node-al2023-arm64-standard-{minor}-v{date}"),
    ("amazon-linux-2023/x86_64/nvidia", "x86_64", "amazon-eks-node-al2023-x86_64-nvidia-{minor}-v{date}"),
    ("amazon-linux-2023/arm64/nvidia", "arm64", "amazon-eks-node-al2023-arm64-nvidia-{minor}-v{date}"),
    ("amazon-linux-2023/x86_64/neuron", "x86_64", "amazon-eks-node-al2023-x86_64-neuron-{minor}-v{date}"),
]
BOTTLEROCKET = [
    ("aws-k8s-{minor}/x86_64", "x86_64", "bottlerocket-aws-k8s-{minor}-x86_64-v1.50.0"),
    ("aws-k8s-{minor}/arm64", "arm64", "bottlerocket-aws-k8s-{minor}-aarch64-v1.50.0"),
    ("aws-k8s-{minor}-nvidia/x86_64", "x86_64", "bottlerocket-aws-k8s-{minor}-nvidia-x86_64-v1.50.0"),
]
VERSIONS = []
RELEASE_DATE = "20261120"


def images():
    """Every image with its parameters: (image id, name, architecture, {parameter: value})."""
    for version in VERSIONS:
        minor = ".".join(version.split(".")[:2])
        for path, architecture, name in FAMILIES:
            name = name.format(minor=minor, date=RELEASE_DATE)
            base = f"/aws/service/eks/optimized-ami/{minor}/{path}/recommended"
            release = f"{version}-{RELEASE_DATE}"
            image = image_id(name)
            summary = {"image_id": image, "image_name": name, "release_version": release}
            yield image, name, architecture, {
                base: json.dumps(summary),
                f"{base}/image_id": image,
                f"{base}/image_name": name,
                f"{base}/release_version": release,
            }
        for path, architecture, name in BOTTLEROCKET:
            name = name.format(minor=minor)
            base = f"/aws/service/bottlerocket/{path.format(minor=minor)}/latest"
            image = image_id(name)
            yield image, name, architecture, {f"{base}/image_id": image, f"{base}/image_version": "1.50.0"}


def image_id(name):
    return "ami-" + hashlib.sha1(name.encode()).hexdigest()[:17]


def remember_what_does_not_change():
    """What moto finds out anew for each request: its own folders, and the methods of its classes."""
    dispatcher = DomainDispatcherApplication
    dispatcher.get_backend_for_host = functools.lru_cache(1024)(dispatcher.get_backend_for_host)
    moto.core.responses.method_names_from_class = functools.cache(moto.core.responses.method_names_from_class)


def know_eks_images():
    load_amis = AmiBackend._load_amis

    def with_eks(self):
        load_amis(self)
        for image, name, architecture, _ in images():
            self.amis[image] = Ami(
                self,
                ami_id=image,
                name=name,
                description=name,
                owner_id="602401143452",
                owner_alias="amazon",
                public=True,
                virtualization_type="hvm",
                architecture=architecture,
                state="available",
                creation_date=utcnow(),
                image_location=f"amazon/{name}",
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name="/dev/xvda",
                sriov="simple",
            )

    AmiBackend._load_amis = with_eks
    check = ParameterDict._check_loading_status

    def with_parameters(self, key):
        check(self, key)
        known = str(key or "").startswith(("/aws/service/eks/", "/aws/service/bottlerocket/"))
        if not known or getattr(self, "eks_loaded", False):
            return
        self.eks_loaded = True
        for _, _, _, parameters in images():
            for name, value in parameters.items():
                dict.setdefault(self, name, []).append(
                    Parameter(
                        account_id=self.account_id,
                        name=name,
                        value=value,
                        parameter_type="String",
                        description=None,
                        allowed_pattern=None,
                        keyid=None,
                        last_modified_date=utcnow(),
                        version=1,
                        data_type="text",
                    )
                )

    ParameterDict._check_loading_status = with_parameters


def strict():
    """Refusals of AWS that moto lacks."""
    delete_subnet = EC2Backend.delete_subnet
    delete_vpc = EC2Backend.delete_vpc
    delete_group = EC2Backend._delete_security_group
    delete_nat = EC2Backend.delete_nat_gateway
    delete_interface = EC2Backend.delete_network_interface
    detach_gateway = EC2Backend.detach_internet_gateway
    release_address = EC2Backend.release_address
    attach_volume = EC2Backend.attach_volume

    def subnet(self, subnet_id):
        if any(eni.subnet.id == subnet_id for eni in self.enis.values()):
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        # AWS drops the association with the table; moto keeps it, and then the table cannot go.
        for table in self.route_tables.values():
            for association, target in list(table._associations.items()):
                if target == subnet_id:
                    del table._associations[association]
        return delete_subnet(self, subnet_id)

    def vpc(self, vpc_id):
        used = (
            any(eni.subnet.vpc_id == vpc_id for eni in self.enis.values())
            or any(igw.vpc and igw.vpc.id == vpc_id for igw in self.internet_gateways.values())
            or any(group.name != "default" for group in self.groups.get(vpc_id, {}).values())
            or any(end.vpc_id == vpc_id and end.state != "deleted" for end in self.vpc_end_points.values())
        )
        if used:
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return delete_vpc(self, vpc_id)

    def group(self, vpc_id, group_id):
        if any(group_id in [g.id for g in eni.group_set] for eni in self.enis.values()) or any(
            other.id != group_id
            and any(
                rule.source_group.get("GroupId") == group_id
                for rule in list(other.ingress_rules) + list(other.egress_rules)
            )
            for groups in self.groups.values()
            for other in groups.values()
        ):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        return delete_group(self, vpc_id, group_id)

    def nat(self, nat_gateway_id):
        gateway = delete_nat(self, nat_gateway_id)
        # It holds its address and its interface no longer.
        for address in self.addresses:
            if address.eni is not None and address.eni.id == gateway._eni.id:
                self.disassociate_address(association_id=address.association_id)
        self.enis.pop(gateway._eni.id, None)
        return gateway

    def interface(self, eni_id):
        eni = self.enis.get(eni_id)
        if eni is not None and (eni.requester_managed or eni.instance is not None or nat_of(self, eni_id)):
            raise EC2ClientError("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use.")
        return delete_interface(self, eni_id)

    def detach(self, internet_gateway_id, vpc_id):
        if any(eni.subnet.vpc_id == vpc_id and eni.public_ip for eni in self.enis.values()):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway."
            )
        return detach_gateway(self, internet_gateway_id, vpc_id)

    def release(self, address=None, allocation_id=None):
        found = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id])
        if found[0].association_id:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {found[0].public_ip} is in use.")
        return release_address(self, address=address, allocation_id=allocation_id)

    def attach(self, volume_id, instance_id, device_path, delete_on_termination=False):
        volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
        if volume.attachment:
            raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
        if volume.availability_zone not in (None, instance._placement.zone):
            raise EC2ClientError(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'",
            )
        return attach_volume(self, volume_id, instance_id, device_path, delete_on_termination)

    prepare = Instance.prep_nics
    terminate = Instance.terminate

    def with_own_interfaces(self, nic_spec, *args, **kwargs):
        given = {nic.get("NetworkInterfaceId") for nic in nic_spec}
        kept = {int(nic["DeviceIndex"]) for nic in nic_spec if nic.get("DeleteOnTermination") is False}
        prepare(self, nic_spec, *args, **kwargs)
        # What is made with an instance goes with it, unless it is said otherwise.
        for index, nic in self.nics.items():
            if nic.id not in given and index not in kept:
                nic.delete_on_termination = True

    def without_its_interfaces(self):
        for nic in self.nics.values():
            if nic.delete_on_termination:
                nic.instance, nic.attachment_id = None, None
        return terminate(self)

    Instance.prep_nics = with_own_interfaces
    Instance.terminate = without_its_interfaces
    create_tags = TagResponse.create_tags
    delete_tags = TagResponse.delete_tags

    def refuse_reserved(response):
        if any(str(tag.get("Key", "")).startswith("aws:") for tag in response._get_param("Tags", [])):
            raise EC2ClientError(
                "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"
            )

    def create(self):
        refuse_reserved(self)
        return create_tags(self)

    def delete(self):
        refuse_reserved(self)
        return delete_tags(self)

    TagResponse.create_tags = create
    TagResponse.delete_tags = delete
    EC2Backend.delete_subnet = subnet
    EC2Backend.delete_vpc = vpc
    EC2Backend._delete_security_group = group
    EC2Backend.delete_nat_gateway = nat
    EC2Backend.delete_network_interface = interface
    EC2Backend.detach_internet_gateway = detach
    EC2Backend.release_address = release
    EC2Backend.attach_volume = attach
    # moto shows the tags that a template was made with, and filters by those that it has.
    LaunchTemplate.tags = property(LaunchTemplate.get_tags, lambda self, value: None)


def nat_of(backend, eni_id):
    return any(n._eni.id == eni_id and n.state != "deleted" for n in backend.nat_gateways.values())


def spread_groups():
    """Auto Scaling spreads a group over its subnets; moto puts it all into the first one."""
    launch = FakeAutoScalingGroup.replace_autoscaling_group_instances
    update = FakeAutoScalingGroup.update

    def spread(self, count_needed, propagated_tags):
        if not self.vpc_zone_identifier:
            return launch(self, count_needed, propagated_tags)
        whole = self.vpc_zone_identifier
        subnets = [subnet.strip() for subnet in whole.split(",")]
        for _ in range(count_needed):
            here = [state.instance.subnet_id for state in self.instance_states]
            self.vpc_zone_identifier = min(subnets, key=lambda subnet: (here.count(subnet), subnets.index(subnet)))
            try:
                launch(self, 1, dict(propagated_tags))
            finally:
                self.vpc_zone_identifier = whole

    def keep_policy(self, *args, mixed_instances_policy=None, **kwargs):
        # An update that does not name the policy leaves it as it is; moto drops it.
        replaced = kwargs.get("launch_template") or kwargs.get("launch_config_name")
        if not mixed_instances_policy and not replaced and self.mixed_instances_policy:
            mixed_instances_policy = copy.deepcopy(self.mixed_instances_policy)
            # moto describes it with both, and takes it with one.
            mixed_instances_policy["LaunchTemplate"]["LaunchTemplateSpecification"].pop("LaunchTemplateName", None)
        return update(self, *args, mixed_instances_policy=mixed_instances_policy, **kwargs)

    of_template = FakeAutoScalingGroup.instance_type.fget

    def instance_type(self):
        # The overrides of a mixed policy go before the template, which may have none.
        template = (self.mixed_instances_policy or {}).get("LaunchTemplate", {})
        kinds = [override["InstanceType"] for override in template.get("Overrides", []) if "InstanceType" in override]
        return kinds[0] if kinds else of_template(self)

    FakeAutoScalingGroup.instance_type = property(instance_type)
    FakeAutoScalingGroup.replace_autoscaling_group_instances = spread
    FakeAutoScalingGroup.update = keep_policy


# What is counted; zero where nobody has asked for any yet.
KINDS = """
    vpcs subnets internetGateways egressOnlyInternetGateways natGateways addresses routeTables securityGroups
    securityGroupRules networkInterfaces instances volumes snapshots launchTemplates keyPairs vpcEndpoints
    vpcPeeringConnections placementGroups autoScalingGroups launchConfigurations classicLoadBalancers
    loadBalancers targetGroups roles instanceProfiles customerPolicies openIdConnectProviders users
    serverCertificates keys stacks queues logGroups hostedZones repositories buckets
""".split()


def regions(backends, account):
    return [backends[account][region] for region in list(backends[account])]


def counts(account):
    """How many of each kind there are, over all regions in use."""
    found = dict.fromkeys(KINDS, 0)

    def add(kind, number):
        found[kind] += number

    for ec2 in regions(ec2_backends, account):
        # A region's default VPC appears when the region is first looked at, and is nobody's doing.
        own = {vpc.id for vpc in ec2.vpcs.values() if not vpc.is_default}
        groups = [group for vpc in own for group in ec2.groups.get(vpc, {}).values()]
        add("vpcs", len(own))
        add("subnets", sum(s.vpc_id in own for zone in ec2.subnets.values() for s in zone.values()))
        add("internetGateways", len(ec2.internet_gateways))
        add("egressOnlyInternetGateways", len(ec2.egress_only_internet_gateways))
        add("natGateways", sum(n.state != "deleted" for n in ec2.nat_gateways.values()))
        add("addresses", len(ec2.addresses))
        add("routeTables", sum(table.vpc_id in own for table in ec2.route_tables.values()))
        add("securityGroups", len(groups))
        add("securityGroupRules", sum(len(group.ingress_rules) + len(group.egress_rules) for group in groups))
        add("networkInterfaces", len(ec2.enis))
        add("instances", sum(
            instance.state != "terminated"
            for reservation in ec2.reservations.values() for instance in reservation.instances))
        add("volumes", len(ec2.volumes))
        add("snapshots", sum(not snapshot.from_ami for snapshot in ec2.snapshots.values()))
        add("launchTemplates", len(ec2.launch_templates))
        add("keyPairs", len(ec2.key_pairs))
        add("vpcEndpoints", sum(end.state != "deleted" for end in ec2.vpc_end_points.values()))
        add("vpcPeeringConnections", len(ec2.vpc_pcxs))
        add("placementGroups", len(getattr(ec2, "placement_groups", {})))
    for group in regions(autoscaling_backends, account):
        add("autoScalingGroups", len(group.autoscaling_groups))
        add("launchConfigurations", len(group.launch_configurations))
    for elb in regions(elb_backends, account):
        add("classicLoadBalancers", len(elb.load_balancers))
    for elb in regions(elbv2_backends, account):
        add("loadBalancers", len(elb.load_balancers))
        add("targetGroups", len(elb.target_groups))
    for iam in regions(iam_backends, account):
        add("roles", len(iam.roles))
        add("instanceProfiles", len(iam.instance_profiles))
        add("customerPolicies", sum(
            getattr(policy, "policy_type", "") != "AWS" and not policy.arn.split(":")[4] == "aws"
            for policy in iam.managed_policies.values()))
        add("openIdConnectProviders", len(iam.open_id_providers))
        add("users", len(iam.users))
        add("serverCertificates", len(iam.certificates))
    for module, kind, attribute in [
        ("moto.kms.models", "keys", "keys"),
        ("moto.cloudformation.models", "stacks", "stacks"),
        ("moto.sqs.models", "queues", "queues"),
        ("moto.logs.models", "logGroups", "groups"),
        ("moto.route53.models", "hostedZones", "zones"),
        ("moto.ecr.models", "repositories", "repositories"),
        ("moto.s3.models", "buckets", "buckets"),
    ]:
        # A service that nobody has called is not loaded, and has nothing.
        models = sys.modules.get(module)
        name = module.split(".")[1] + "_backends"
        backends = getattr(models, name, None)
        add(kind, sum(len(getattr(b, attribute, ())) for b in regions(backends, account)) if backends else 0)
    return found


def identity(key):
    """Whose an access key is: secret, ARN, account and session token. None when it is nobody's."""
    for account in list(sts_backends):
        for backend in regions(sts_backends, account):
            for role in backend.assumed_roles:
                if role.access_key_id == key:
                    return {
                        "secret": role.secret_access_key,
                        "arn": role.arn,
                        "roleArn": role.role_arn,
                        "account": role.account_id,
                        "sessionToken": role.session_token,
                    }
    for account in list(iam_backends):
        for backend in regions(iam_backends, account):
            for user in list(backend.users.values()):
                for access in user.access_keys:
                    if access.access_key_id == key:
                        return {"secret": access.secret_access_key, "arn": user.arn, "account": account}
    return None


def interfaces(account, region, order):
    """Makes the network interfaces that a service keeps in somebody's subnets."""
    ec2 = ec2_backends[account][region]
    made = []
    for subnet in order["subnets"]:
        eni = ec2.create_network_interface(
            ec2.get_subnet(subnet), None, group_ids=order["groups"], description=order["description"], tags=order["tags"]
        )
        eni.requester_managed = True
        eni.requester_id = account
        eni.status = "in-use"
        made.append({"id": eni.id, "address": eni.private_ip_address})
    return made


def administrator(account, region, name):
    """A user with an access key. moto enforces no policies, so it may do everything."""
    iam = iam_backends[account][get_partition(region)]
    iam.create_user(region, name)
    key = iam.create_access_key(name)
    return {"accessKeyId": key.access_key_id, "secretAccessKey": key.secret_access_key}


def order(path, body):
    account = body.get("account", "123456789012")
    region = body.get("region", "us-east-1")
    if path == "counts":
        return counts(account)
    if path == "identity":
        return identity(body["accessKeyId"])
    if path == "tags":
        ec2_backends[account][region].create_tags(body["resources"], body["tags"])
        return {}
    if path == "interfaces":
        return {"interfaces": interfaces(account, region, body)}
    if path == "user":
        return administrator(account, region, body["name"])
    if path == "release":
        ec2 = ec2_backends[account][region]
        for eni in body["interfaces"]:
            if eni in ec2.enis:
                ec2.enis[eni].requester_managed = False
                ec2.delete_network_interface(eni)
        return {}
    if path == "image":
        return {"ids": {name: image for image, name, _, _ in images()}}
    if path in ground.ORDERS:
        return ground.ORDERS[path](account, region, body["name"])
    if path == "answered":
        return {name: operations.answered(*name.split(":")) for name in body["operations"]}
    if path == "events":
        for event in body["events"]:
            trail.record(account, region, event)
        return {}
    if path == "lag":
        trail.LAG["seconds"] = body["seconds"]
        return {}
    raise KeyError(path)


class Application:
    """moto, and beside it what only the provider may ask. Those requests carry a secret that only our parent knows."""

    def __init__(self, secret):
        self.moto = trail.Recorder(DomainDispatcherApplication(create_backend_app), identity)
        self.secret = secret
        # One request at a time: moto's dictionaries change while others walk through them.
        self.alone = threading.Lock()

    def __call__(self, environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith("/portolan/"):
            # Read before the turn: a client that sends slowly must not hold up the others.
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length) if length else b"")
            with self.alone:
                return self.moto(environ, start_response)
        status, answer = "200 OK", None
        if environ.get("HTTP_X_PORTOLAN") != self.secret:
            status = "403 Forbidden"
        else:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            try:
                body = json.loads(environ["wsgi.input"].read(length) or b"{}")
                with self.alone:
                    answer = order(path.removeprefix("/portolan/"), body)
            except Exception as error:
                status, answer = "400 Bad Request", {"error": f"{type(error).__name__}: {error}"}
        text = json.dumps(answer).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]


class Quiet(MotoRequestHandler):
    """Without a line for every request."""

    def log_request(self, *arguments):
        pass


def main():
    order = json.loads(sys.stdin.readline())
    VERSIONS.extend(order["versions"])
    random.seed()
    remember_what_does_not_change()
    know_eks_images()
    ground.know_published_images()
    strict()
    spread_groups()
    operations.install()
    tokens.install()
    application = Application(order["secret"])
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    os.environ["MOTO_PORT"] = str(server.server_address[1])

    def until_closed():
        while sys.stdin.read(4096):
            pass
        os._exit(0)

    def go_on():
        while True:
            time.sleep(0.2)
            with application.alone:
                operations.step_refreshes()

    threading.Thread(target=until_closed, daemon=True).start()
    threading.Thread(target=go_on, daemon=True).start()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    gc.enable()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()


main()
