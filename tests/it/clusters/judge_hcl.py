"""Reads a Terraform configuration with python-hcl2 and tells what is in it, as JSON: for a judge that is not ours.

Out: `resources`, {address: body}; `imports`, {address: id}.
"""

import json
import sys

import hcl2

document = hcl2.loads(sys.stdin.read())


def plain(value):
    """Without the marks and quotes that versions of the library put on."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return json.loads(value)
    return value


resources, imports = {}, {}
for block in document["resource"]:
    for kind, named in plain(block).items():
        for name, body in named.items():
            address = f"{kind}.{name}"
            assert address not in resources, address
            resources[address] = body
for block in document["import"]:
    block = plain(block)
    address = block["to"].removeprefix("${").removesuffix("}")
    assert address not in imports, address
    imports[address] = block["id"]
json.dump({"resources": resources, "imports": imports, "kinds": sorted(document)}, sys.stdout)
