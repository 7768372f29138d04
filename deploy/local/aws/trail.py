"""CloudTrail's event history: who changed what, as LookupEvents tells it.

Calls that change something are recorded as they are answered, and told after a lag as the service has it (minutes there,
set by the parent here). Reads are not recorded: Portolan asks for none, and its own would fill the history.
"""

import json
import re
import threading
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl
from uuid import uuid4

from moto.core.exceptions import JsonRESTError

EVENTS = []
LOCK = threading.Lock()
# How long an event takes to be told, in seconds.
LAG = {"seconds": 0.0}
# The history's length, in days, and most events of an answer (API reference of LookupEvents).
DAYS, MOST = 90, 50
READS = ("Describe", "Get", "List", "Lookup", "Search", "Simulate", "Decode", "AssumeRole", "Head")


def record(account, region, event):
    """Keeps an event: name, source, who, parameters, answer, error, time."""
    if event["name"].startswith(READS):
        return
    at = datetime.now(timezone.utc).replace(microsecond=0)
    identity = who(event["arn"], account, event.get("accessKeyId"))
    detail = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": event["source"],
        "eventName": event["name"],
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": event.get("userAgent") or "unknown",
        "requestParameters": event.get("request"),
        "responseElements": None if event.get("error") else event.get("response"),
        "requestID": str(uuid4()),
        "eventID": str(uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if event.get("error"):
        detail["errorCode"] = event["error"]
    with LOCK:
        EVENTS.append({"account": account, "region": region, "at": at, "seen": datetime.now(timezone.utc), "detail": detail})


def who(arn, account, key):
    """`userIdentity`, by the kind of the ARN."""
    parts = arn.split(":")
    resource = parts[5] if len(parts) > 5 else arn
    identity = {"arn": arn, "accountId": account, "principalId": resource.rsplit("/", 1)[-1]}
    if key:
        identity["accessKeyId"] = key
    if resource.startswith("assumed-role/"):
        _, role, session = (resource.split("/") + ["", ""])[:3]
        identity["type"] = "AssumedRole"
        identity["sessionContext"] = {
            "sessionIssuer": {"type": "Role", "userName": role, "accountId": account,
                              "arn": f"arn:{parts[1]}:iam::{account}:role/{role}"},
        }
        identity["principalId"] = f"AROA:{session}"
    elif resource == "root":
        identity["type"] = "Root"
    else:
        identity["type"] = "IAMUser"
        identity["userName"] = resource.rsplit("/", 1)[-1]
    return identity


def named(detail):
    """The name that LookupEvents gives as Username: the user's, or of a role the session's."""
    identity = detail["userIdentity"]
    if identity["type"] == "AssumedRole":
        return identity["principalId"].split(":", 1)[-1]
    return identity.get("userName") or identity["type"].lower()


def strings(value):
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def fits(detail, attribute):
    key, value = attribute["AttributeKey"], attribute["AttributeValue"]
    if key == "ResourceName":
        return value in set(strings([detail["requestParameters"], detail["responseElements"]]))
    found = {
        "EventId": detail["eventID"],
        "EventName": detail["eventName"],
        "EventSource": detail["eventSource"],
        "ReadOnly": "false",
        "Username": named(detail),
        "AccessKeyId": detail["userIdentity"].get("accessKeyId"),
    }
    return key in found and found[key] == value


def lookup(account, region, given):
    attributes = given.get("LookupAttributes") or []
    if len(attributes) > 1:
        raise JsonRESTError("InvalidLookupAttributesException", "You can only specify one lookup attribute.")
    start, end = given.get("StartTime"), given.get("EndTime")
    if start and end and start > end:
        raise JsonRESTError("InvalidTimeRangeException", "The start time is after the end time.")
    most = given.get("MaxResults", MOST)
    told_until = datetime.now(timezone.utc) - timedelta(seconds=LAG["seconds"])
    begin = datetime.now(timezone.utc) - timedelta(days=DAYS)
    with LOCK:
        kept = [e for e in EVENTS if e["account"] == account and e["region"] == region]
    kept = [
        event
        for event in kept
        if event["seen"] <= told_until
        and event["at"] >= begin
        and (not start or event["at"] >= aware(start))
        and (not end or event["at"] <= aware(end))
        and all(fits(event["detail"], attribute) for attribute in attributes)
    ]
    kept.reverse()
    first = int(given.get("NextToken") or 0)
    output = {"Events": [told(event) for event in kept[first : first + most]]}
    if first + most < len(kept):
        output["NextToken"] = str(first + most)
    return output


def aware(time):
    if isinstance(time, (int, float)):
        return datetime.fromtimestamp(time, timezone.utc)
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def told(event):
    detail = event["detail"]
    view = {
        "EventId": detail["eventID"],
        "EventName": detail["eventName"],
        "ReadOnly": "false",
        "EventTime": event["at"],
        "EventSource": detail["eventSource"],
        "Username": named(detail),
        "Resources": resources(detail),
        "CloudTrailEvent": json.dumps(detail),
    }
    if detail["userIdentity"].get("accessKeyId"):
        view["AccessKeyId"] = detail["userIdentity"]["accessKeyId"]
    return view


# Beginnings of EC2's ids, with the resource types of the API.
KINDS = {
    "sg": "AWS::EC2::SecurityGroup",
    "vpc": "AWS::EC2::VPC",
    "subnet": "AWS::EC2::Subnet",
    "rtb": "AWS::EC2::RouteTable",
    "igw": "AWS::EC2::InternetGateway",
    "nat": "AWS::EC2::NatGateway",
    "i": "AWS::EC2::Instance",
    "eni": "AWS::EC2::NetworkInterface",
    "vol": "AWS::EC2::Volume",
}


def resources(detail):
    found = {}
    for text in strings([detail["requestParameters"], detail["responseElements"]]):
        kind = KINDS.get(text.split("-", 1)[0]) if "-" in text else None
        if kind:
            found[text] = {"ResourceType": kind, "ResourceName": text}
    return list(found.values())


# --- what goes to moto ---


def call_of(environ, body):
    """Service and operation of a request with what it asks, as CloudTrail writes it; None for other requests."""
    scope = re.search(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if not scope:
        return None
    key, region, service = scope.groups()
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        name, request = target.rsplit(".", 1)[-1], json.loads(body or b"{}")
    else:
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        name = fields.pop("Action", None)
        fields.pop("Version", None)
        if not name:
            return None
        request = nested(fields)
    return {"name": name, "source": f"{service}.amazonaws.com", "request": lowered(request),
            "accessKeyId": key, "region": region, "userAgent": environ.get("HTTP_USER_AGENT")}


def nested(fields):
    """`A.1.B=x` and `A.member.1.B=x` as `{"A": [{"B": "x"}]}`."""
    root = {}
    for path, value in fields.items():
        steps = [step for step in path.split(".") if step != "member"]
        place = root
        for step in steps[:-1]:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                break
        else:
            place[steps[-1]] = value
    return listed(root)


def listed(value):
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [listed(value[key]) for key in sorted(value, key=int)]
    return {key: listed(each) for key, each in value.items()}


def lowered(value):
    """Names of members begin with a small letter in CloudTrail."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: lowered(each) for key, each in value.items()}
    if isinstance(value, list):
        return [lowered(each) for each in value]
    return value


def ids_in(answer):
    """The ids in an answer, for `responseElements`."""
    return {name: value for name, value in re.findall(r"<(\w*(?:Id|Arn|Name))>([^<]+)</", answer)}


def error_in(status, answer):
    if status < 400:
        return None
    found = re.search(r"<Code>([^<]+)</Code>", answer) or re.search(r'"__type": *"([^"]+)"', answer)
    return found.group(1).rsplit("#", 1)[-1] if found else "InternalFailure"


class Recorder:
    """A WSGI application that records what its inner one answers. `identity` tells whose an access key is."""

    def __init__(self, inner, identity):
        self.inner = inner
        self.identity = identity

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].getvalue() if hasattr(environ["wsgi.input"], "getvalue") else b""
        statuses = []

        def begin(status, headers, *rest):
            statuses.append(int(status.split(" ", 1)[0]))
            return start_response(status, headers, *rest)

        parts = list(self.inner(environ, begin))
        try:
            event = call_of(environ, body)
            if event and not event["name"].startswith(READS):
                answer = b"".join(parts).decode("utf-8", "replace")
                caller = self.identity(event["accessKeyId"]) or {}
                account = caller.get("account", "123456789012")
                event["arn"] = caller.get("arn", f"arn:aws:iam::{account}:root")
                event["error"] = error_in(statuses[-1] if statuses else 500, answer)
                event["response"] = ids_in(answer)
                record(account, event["region"], event)
        except ValueError:
            # What cannot be read is no call of an API.
            pass
        return parts
