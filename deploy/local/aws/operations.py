"""Operations that Portolan calls and moto lacks, with state and refusals as AWS has them.

Input and output are held to botocore's models: what does not fit is refused, or is a defect of ours (500).
"""

import importlib
import inspect
import math
import traceback
from datetime import datetime, timezone
from uuid import uuid4

from botocore.validate import ParamValidator
from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState, autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.utils import parse_user_data
from moto.iam.exceptions import IAMException
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

import trail

# moto finds a service's error shapes by the module of the exception.
REFUSALS = {AutoScalingResponse: AutoscalingClientError, IamResponse: IAMException, CloudTrailResponse: JsonRESTError}
# Service and name of every operation that is answered here.
OURS = []


def operation(response_class, name):
    """Answers an operation: the function takes the response object and the input, and gives the output."""

    def wrap(function):
        def answer(self):
            service = get_service_model(self.boto3_service_name)
            model = service.operation_model(name)
            self.parse_parameters(self.normalized_request)
            given = self.params
            report = ParamValidator().validate(given, model.input_shape)
            if report.has_errors():
                raise REFUSALS[response_class]("ValidationError", report.generate_report())
            output = function(self, given) or {}
            if model.output_shape is not None:
                report = ParamValidator().validate(output, model.output_shape)
                if report.has_errors():
                    raise AssertionError(f"{name}: {report.generate_report()}")
            return ActionResult(output)

        setattr(response_class, camelcase_to_underscores(name), answer)
        OURS.append(f"{service_name(response_class)}:{name}")
        return function

    return wrap


def service_name(response_class):
    return response_class().boto3_service_name


def now():
    return datetime.now(timezone.utc)


# --- Auto Scaling: which version of a template an instance was launched from ---


def resolved_version(group):
    """The number of the template's version that instances are launched from now."""
    template = group.ec2_launch_template
    return None if template is None else template.get_version(group.launch_template_version).number


def remember_versions():
    """moto tells of each instance the template's default version; AWS the one that it was launched from."""
    begin = InstanceState.__init__
    told = InstanceState.launch_template.fget

    def launched(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        group = self.auto_scaling_group
        self.launched_version = None if group is None else resolved_version(group)

    def launch_template(self):
        found = told(self)
        if found is not None and self.launched_version is not None:
            found["Version"] = str(self.launched_version)
        return found

    InstanceState.__init__ = launched
    InstanceState.launch_template = property(launch_template)


def read_user_data():
    """moto reads a template's user data with its first version only, and launches nothing from the others."""
    begin = LaunchTemplateVersion.__init__

    def version(self, *args, **kwargs):
        begin(self, *args, **kwargs)
        given = self.data.get("UserData")
        if isinstance(given, (str, bytes)):
            self.data["UserData"] = parse_user_data(given)

    LaunchTemplateVersion.__init__ = version


# --- Auto Scaling: instance refreshes ---

ACTIVE = ("Pending", "InProgress", "Cancelling")
# What a preference is where none is given.
DEFAULTS = {"MinHealthyPercentage": 90, "SkipMatching": False, "ScaleInProtectedInstances": "Wait"}
NOT_SIMULATED = ("CheckpointPercentages", "AutoRollback", "AlarmSpecification", "BakeTime")


class Refresh:
    """One replacement of a group's instances, a part at a time."""

    def __init__(self, group, preferences, strategy):
        self.id = str(uuid4())
        self.group = group
        self.given = preferences
        self.preferences = {**DEFAULTS, **preferences}
        self.strategy = strategy
        self.status = "Pending"
        self.reason = None
        self.start = now()
        self.end = None
        wanted = resolved_version(group)
        skip = self.preferences["SkipMatching"]
        states = [s for s in group.active_instances() if not (skip and s.launched_version == wanted)]
        self.left = [state.instance.id for state in states]
        self.total = len(self.left)

    def described(self):
        done = self.total - len(self.left)
        view = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.reason,
            "StartTime": self.start,
            "EndTime": self.end,
            "Preferences": self.given or None,
            "Strategy": self.strategy,
        }
        if self.status != "Pending":
            view["PercentageComplete"] = 100 if not self.total else done * 100 // self.total
            view["InstancesToUpdate"] = len(self.left)
        return {name: value for name, value in view.items() if value is not None}

    def finish(self, status, reason=None):
        self.status, self.reason, self.end = status, reason, now()

    def step(self, backend):
        """Replaces as many as may be away at once."""
        if self.status == "Cancelling":
            return self.finish("Cancelled", "Cancelled due to user request.")
        if self.status == "Pending":
            self.status = "InProgress"
            return None
        here = {state.instance.id: state for state in self.group.active_instances()}
        # What went by itself needs no replacing.
        self.left = [each for each in self.left if each in here]
        if not self.left:
            return self.finish("Successful")
        stopped = {process["ProcessName"] for process in self.group.suspended_processes}
        if stopped & {"Launch", "Terminate"}:
            self.reason = f"The group's processes {', '.join(sorted(stopped))} are suspended."
            return None
        size = len(here)
        away = max(1, math.floor(size * (100 - self.preferences["MinHealthyPercentage"]) / 100))
        protected = self.preferences["ScaleInProtectedInstances"]
        free = [each for each in self.left if protected == "Refresh" or not here[each].protected_from_scale_in]
        if protected == "Ignore":
            self.left = free
        if not free:
            self.reason = "Waiting for instances that are protected from scale in." if self.left else None
            return None if self.left else self.finish("Successful")
        batch = free[:away]
        self.left = [each for each in self.left if each not in batch]
        for each in batch:
            backend.terminate_instance(each, should_decrement=False)
        self.reason = None
        return self.finish("Successful") if not self.left else None


def refreshes_of(backend):
    if not hasattr(backend, "portolan_refreshes"):
        backend.portolan_refreshes = []
    return backend.portolan_refreshes


def group_named(backend, name):
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise AutoscalingClientError("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
    return group


def active(backend, name):
    return next((r for r in refreshes_of(backend) if r.group.name == name and r.status in ACTIVE), None)


def step_refreshes():
    """Called a few times a second, alone."""
    for account in list(autoscaling_backends):
        for region in list(autoscaling_backends[account]):
            backend = autoscaling_backends[account][region]
            for refresh in refreshes_of(backend):
                if refresh.status not in ACTIVE:
                    continue
                if refresh.group.name not in backend.autoscaling_groups:
                    refresh.finish("Failed", "The group was deleted.")
                    continue
                try:
                    refresh.step(backend)
                except Exception as error:  # An instance that cannot be launched ends the refresh, and no other.
                    traceback.print_exc()
                    refresh.finish("Failed", f"{type(error).__name__}: {error}")


@operation(AutoScalingResponse, "StartInstanceRefresh")
def start_instance_refresh(response, given):
    backend = response.autoscaling_backend
    group = group_named(backend, given["AutoScalingGroupName"])
    if active(backend, group.name):
        raise AutoscalingClientError(
            "InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."
        )
    preferences = given.get("Preferences") or {}
    for name in NOT_SIMULATED:
        if preferences.get(name):
            raise AutoscalingClientError("ValidationError", f"{name} is not simulated by the local AWS")
    healthy = preferences.get("MinHealthyPercentage", 90)
    if not 0 <= healthy <= 100:
        raise AutoscalingClientError("ValidationError", "MinHealthyPercentage must be between 0 and 100")
    if given.get("DesiredConfiguration"):
        raise AutoscalingClientError("ValidationError", "DesiredConfiguration is not simulated by the local AWS")
    refresh = Refresh(group, preferences, given.get("Strategy", "Rolling"))
    refreshes_of(backend).append(refresh)
    return {"InstanceRefreshId": refresh.id}


@operation(AutoScalingResponse, "CancelInstanceRefresh")
def cancel_instance_refresh(response, given):
    backend = response.autoscaling_backend
    group = group_named(backend, given["AutoScalingGroupName"])
    refresh = active(backend, group.name)
    if refresh is None:
        raise AutoscalingClientError(
            "ActiveInstanceRefreshNotFound", f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}"
        )
    refresh.status = "Cancelling"
    return {"InstanceRefreshId": refresh.id}


@operation(AutoScalingResponse, "DescribeInstanceRefreshes")
def describe_instance_refreshes(response, given):
    backend = response.autoscaling_backend
    group = group_named(backend, given["AutoScalingGroupName"])
    wanted = given.get("InstanceRefreshIds")
    found = [r for r in reversed(refreshes_of(backend)) if r.group is group and (not wanted or r.id in wanted)]
    first, most = int(given.get("NextToken") or 0), given.get("MaxRecords", 50)
    output = {"InstanceRefreshes": [refresh.described() for refresh in found[first : first + most]]}
    if first + most < len(found):
        output["NextToken"] = str(first + most)
    return output


@operation(AutoScalingResponse, "DisableMetricsCollection")
def disable_metrics_collection(response, given):
    group = group_named(response.autoscaling_backend, given["AutoScalingGroupName"])
    gone = given.get("Metrics") or list(group.metrics)
    group.metrics = [metric for metric in group.metrics if metric not in gone]


# --- IAM: audiences of OIDC providers ---


def provider_of(response, given):
    backend = iam_backends[response.current_account][response.partition]
    arn = given["OpenIDConnectProviderArn"]
    if arn not in backend.open_id_providers:
        raise IAMException("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")
    return backend.open_id_providers[arn]


@operation(IamResponse, "AddClientIDToOpenIDConnectProvider")
def add_client_id(response, given):
    provider = provider_of(response, given)
    # Twice is no error, and once is enough.
    if given["ClientID"] not in provider.client_id_list:
        provider.client_id_list = [*provider.client_id_list, given["ClientID"]]


@operation(IamResponse, "RemoveClientIDFromOpenIDConnectProvider")
def remove_client_id(response, given):
    provider = provider_of(response, given)
    provider.client_id_list = [each for each in provider.client_id_list if each != given["ClientID"]]


# --- CloudTrail ---


@operation(CloudTrailResponse, "LookupEvents")
def lookup_events(response, given):
    return trail.lookup(response.current_account, response.region, given)


# --- who answers ---

# Modules and classes of moto that answer for the services which Portolan calls, EKS apart.
RESPONSES = {
    "autoscaling": ("autoscaling", "AutoScalingResponse"),
    "cloudformation": ("cloudformation", "CloudFormationResponse"),
    "cloudtrail": ("cloudtrail", "CloudTrailResponse"),
    "ec2": ("ec2", "EC2Response"),
    "elb": ("elb", "ELBResponse"),
    "elbv2": ("elbv2", "ELBV2Response"),
    "iam": ("iam", "IamResponse"),
    "kms": ("kms", "KmsResponse"),
    "ssm": ("ssm", "SimpleSystemManagerResponse"),
    "sts": ("sts", "TokenResponse"),
}


def answered(service, name):
    """`ours`, `moto` or `missing`."""
    if f"{service}:{name}" in OURS:
        return "ours"
    module, response_class = RESPONSES.get(service, (None, None))
    if module is None:
        return "missing"
    found = getattr(importlib.import_module(f"moto.{module}.responses"), response_class)
    method = getattr(found, camelcase_to_underscores(name), None)
    # Some are there, and refuse.
    return "missing" if method is None or "NotImplementedError" in inspect.getsource(method) else "moto"


def install():
    remember_versions()
    read_user_data()
    # moto's mark for a group without a version of its own.
    FakeAutoScalingGroup.launch_template_version = "$Default"
