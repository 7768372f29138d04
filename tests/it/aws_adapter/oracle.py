"""What botocore says of the APIs: asked by tests/it/aws_adapter/botocore.rs, one JSON object in, one out.

In: {service: [operations]}. Out, for each service: `table`, the text of its .shapes file, and `calls`, for each
operation an input with every member and what botocore's serialiser makes of it.
"""

import base64
import json
import sys
import textwrap

import botocore.serialize
import botocore.session

WIDTH = 108


class Service:
    def __init__(self, name):
        self.model = botocore.session.get_session().get_service_model(name)
        self.protocol = self.model.protocol
        self.structures = {}

    # --- the table ---

    def wire(self, name, shape):
        """How a member is called on the wire."""
        serialization = shape.serialization
        if self.protocol != "ec2":
            return serialization.get("name", name)
        if "queryName" in serialization:
            return serialization["queryName"]
        if "name" in serialization:
            return serialization["name"][0].upper() + serialization["name"][1:]
        return name

    def named(self, shape):
        """The name of a structure, which is written down too; nothing for a scalar."""
        if shape.type_name != "structure":
            return ""
        if shape.name not in self.structures:
            self.structures[shape.name] = None
            self.structures[shape.name] = self.members(shape)
        return shape.name

    def members(self, structure):
        return [self.member(name, shape) for name, shape in structure.members.items()] if structure else []

    def member(self, name, shape):
        wire, form = self.wire(name, shape), ""
        if shape.type_name == "list":
            mark = "*"
            if self.protocol == "query":
                item = shape.member.serialization.get("name")
                if shape.serialization.get("flattened"):
                    mark = "+"
                elif item:
                    wire, mark = f"{wire}.{item}", "+"
            form = mark + self.named(shape.member)
        elif shape.type_name == "map":
            form = "%"
        elif shape.type_name == "structure":
            form = ":" + self.named(shape)
        elif shape.type_name == "timestamp" and self.protocol == "json":
            form = "@"
        return name + ("" if wire == name else "=" + wire) + form

    def table(self, operations):
        lines = ["# Operations."]
        for name in sorted(operations):
            lines += wrapped(name, self.members(self.model.operation_model(name).input_shape))
        if self.structures:
            lines += ["", "# Structures."]
        for name in sorted(self.structures):
            lines += wrapped(name, self.structures[name])
        return "\n".join(lines) + "\n"

    # --- calls ---

    def filled(self, shape, member, empty_lists):
        """A value with every member: for botocore, and as the port has it."""
        kind = shape.type_name
        if kind == "structure":
            both = {name: self.filled(of, name, empty_lists) for name, of in shape.members.items()}
            return {name: a for name, (a, _) in both.items()}, {name: b for name, (_, b) in both.items()}
        if kind == "list":
            ours, theirs = self.filled(shape.member, member, empty_lists)
            return ([], []) if empty_lists else ([ours, ours], [theirs, theirs])
        if kind == "map":
            ours, theirs = self.filled(shape.value, member, empty_lists)
            return {"a key": ours}, {"a key": theirs}
        if kind == "blob":
            return base64.b64encode(b"hi\xff").decode(), b"hi\xff"
        value = {
            "string": lambda: (shape.enum or [f"a {member} &=+~\u00fc/*"])[0],
            "boolean": lambda: len(member) % 2 == 0,
            "integer": lambda: -7,
            "long": lambda: 5_000_000_000,
            "float": lambda: 1.5,
            "double": lambda: 0.25,
            "timestamp": lambda: "2026-01-02T03:04:05Z",
        }[kind]()
        return value, value

    def call(self, name, empty_lists):
        operation = self.model.operation_model(name)
        ours, theirs = {}, {}
        if operation.input_shape:
            ours, theirs = self.filled(operation.input_shape, "", empty_lists)
        serializer = botocore.serialize.create_serializer(self.protocol, include_validation=False)
        request = serializer.serialize_to_request(theirs, operation)
        body = request["body"]
        if self.protocol == "json":
            body = json.loads(body)
        else:
            body = {name: value if isinstance(value, str) else str(value) for name, value in body.items()}
        headers = {name.lower(): value for name, value in request["headers"].items()}
        return {"operation": name, "input": ours, "body": body, "target": headers.get("x-amz-target")}


def wrapped(name, members):
    return textwrap.wrap(
        f"{name}: {' '.join(members)}",
        WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def answer(name, operations):
    service = Service(name)
    calls = [service.call(operation, empty) for operation in operations for empty in (False, True)]
    return {"table": service.table(operations), "calls": calls}


asked = json.load(sys.stdin)
json.dump({name: answer(name, operations) for name, operations in asked.items()}, sys.stdout)
