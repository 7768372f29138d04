"""What botocore sends to the services that are spoken to by paths: asked by tests/it/aws_adapter/rest.rs.

In: {service: {operation: [members]}}. Out, for each service, a list: an input with those members, and the method, URL and
body that botocore makes of it.
"""

import base64
import json
import sys

import botocore.awsrequest
import botocore.serialize
import botocore.session


def filled(shape, member):
    """A value with every member: for botocore, and as the port has it."""
    kind = shape.type_name
    if kind == "structure":
        both = {name: filled(of, name) for name, of in shape.members.items()}
        return {name: a for name, (a, _) in both.items()}, {name: b for name, (_, b) in both.items()}
    if kind == "list":
        ours, theirs = filled(shape.member, member)
        return [ours, ours], [theirs, theirs]
    if kind == "blob":
        return base64.b64encode(b"hi\xff").decode(), b"hi\xff"
    value = {
        "string": lambda: (shape.enum or [f'a {member} &=+~\u00fc<*>"'])[0],
        "boolean": lambda: len(member) % 2 == 0,
        "integer": lambda: -7,
        "long": lambda: 5_000_000_000,
    }[kind]()
    return value, value


def call(model, name, members):
    operation = model.operation_model(name)
    ours, theirs = {}, {}
    for member in members:
        shape = operation.input_shape.members[member]
        if member == "Key":
            ours[member] = theirs[member] = "a.b/pki/\u00fc x+y/~z.yaml"
        elif member == "CreateBucketConfiguration":
            ours[member] = theirs[member] = {"LocationConstraint": "eu-central-1"}
        elif shape.serialization.get("location") == "uri":
            ours[member] = theirs[member] = "z0123"
        else:
            ours[member], theirs[member] = filled(shape, member)
    serializer = botocore.serialize.create_serializer(model.protocol, include_validation=False)
    request = serializer.serialize_to_request(theirs, operation)
    botocore.awsrequest.prepare_request_dict(request, endpoint_url="http://h")
    body = request["body"] or b""
    body = body if isinstance(body, bytes) else body.encode()
    encoded = base64.b64encode(body).decode()
    return {"operation": name, "input": ours, "method": request["method"], "url": request["url"], "body": encoded}


asked = json.load(sys.stdin)
answer = {}
for service, operations in asked.items():
    model = botocore.session.get_session().get_service_model(service)
    answer[service] = [call(model, name, members) for name, members in operations.items()]
json.dump(answer, sys.stdout)
