"""EC2's client tokens: a call is carried out once, however often it is made.

moto takes a token and forgets it. In EC2 the same token with the same parameters gives the answer of the first call and
has no further effect; with other parameters it is refused (Developer Guide, "Ensuring idempotency in Amazon EC2 API
requests"). A call that was refused leaves nothing that could be answered again.
"""

import json
import re

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.responses import EC2Response

# What a token was used for: parameters and answer, by account, region and token.
USED = {}
# Longest token, in ASCII characters.
LONGEST = 64
# Parameters that say nothing of what is asked for.
ASIDE = {"Action", "Version", "ClientToken", "DryRun"}


def install():
    act = EC2Response.call_action

    def once(self):
        token = takes_token(self) and first(self, "ClientToken")
        if not token or first(self, "DryRun") == "true":
            return act(self)
        if len(token) > LONGEST or not token.isascii():
            return refused(self, "InvalidParameterValue", f"A client token has at most {LONGEST} ASCII characters")
        action = self._get_action()
        place = (self.current_account, self.region, token)
        asked = json.dumps([action, {name: self.querystring[name] for name in sorted(set(self.querystring) - ASIDE)}])
        known = USED.get(place)
        if known is None:
            status, headers, body = act(self)
            if status < 300:
                USED[place] = (asked, (status, dict(headers), body))
            return status, headers, body
        if known[0] != asked:
            return refused(
                self,
                "IdempotentParameterMismatch",
                "The client token was used before in a request with other parameters",
            )
        status, headers, body = known[1]
        if action == "RunInstances" and any(ended(self, each) for each in re.findall("<instanceId>(.*?)<", body)):
            return refused(self, "IdempotentInstanceTerminated", "An instance of this client token has been terminated")
        return status, dict(headers), body

    EC2Response.call_action = once


def first(response, name):
    return (response.querystring.get(name) or [None])[0]


def takes_token(response):
    """Whether the operation has a token at all: to others it is an unknown parameter."""
    model = get_service_model("ec2")
    action = response._get_action()
    if action not in model.operation_names:
        return False
    shape = model.operation_model(action).input_shape
    return shape is not None and "ClientToken" in shape.members


def refused(response, code, message):
    status, headers, body = response.serialized(ActionResult(EC2ClientError(code, message)))
    return status, headers, body


def ended(response, instance_id):
    instance = ec2_backends[response.current_account][response.region].get_instance_by_id(instance_id)
    return instance is None or instance.state == "terminated"
