"""Changes of records as Route 53 makes them: a batch as a whole or not at all, a DELETE only of what is there with all of
its values, a CREATE only of what is not there.

moto deletes by the set identifier alone, of whatever name, and judges by what was ever made, not by what is there.
Rules and messages: Route 53 API reference, ChangeResourceRecordSets.
"""

import copy

from moto.elb.models import LoadBalancer
from moto.route53.exceptions import DnsNameInvalidForZone, InvalidActionValue, Route53ClientError
from moto.route53.models import RecordSet, Route53Backend

# What a record says beside its name, type and set identifier.
SAID = ["ttl", "records", "weight", "region", "health_check_id", "alias_target", "failover", "geo_location",
        "multi_value_answer"]


class InvalidChange(Route53ClientError):
    def __init__(self, message):
        super().__init__("InvalidChangeBatch", f"[{message}]")


def plain(value):
    """A value in one form: numbers and truths as texts, names of hosts without their dot and in lower case."""
    if isinstance(value, dict):
        kept = {key: plain(inner) for key, inner in value.items() if inner is not None}
        if "DNSName" in kept:
            kept["DNSName"] = kept["DNSName"].rstrip(".").lower()
        return kept
    if isinstance(value, list):
        return sorted(plain(inner) for inner in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def key(record):
    return (record.name.rstrip(".").lower().replace("\\052", "*"), record.type, record.set_identifier)


def says(record):
    found = {name: getattr(record, name) for name in SAID}
    return {name: plain(value) for name, value in found.items() if value not in (None, [], "")}


def made_of(given):
    body = copy.deepcopy(given)
    if not body["Name"].endswith("."):
        body["Name"] += "."
    if "ResourceRecords" in body:
        body["ResourceRecords"] = [one["Value"] for one in body["ResourceRecords"]]
    return RecordSet(body)


def shown(record):
    by = f", set-identifier='{record.set_identifier}'" if record.set_identifier else ""
    return f"name='{record.name}', type='{record.type}'{by}"


def change_resource_record_sets(self, zoneid, change_list):
    zone = self.get_hosted_zone(zoneid)
    sets = list(zone.rrsets)
    for change in change_list:
        action, record = change["Action"], made_of(change["ResourceRecordSet"])
        if action not in ("CREATE", "UPSERT", "DELETE"):
            raise InvalidActionValue(action)
        inside = f".{record.name.rstrip('.')}".lower().endswith(f".{zone.name.rstrip('.')}".lower())
        if not inside:
            raise DnsNameInvalidForZone(name=record.name, zone_name=zone.name)
        there = next((one for one in sets if key(one) == key(record)), None)
        if action == "DELETE":
            if there is None:
                raise InvalidChange(f"Tried to delete resource record set [{shown(record)}] but it was not found")
            if says(there) != says(record):
                raise InvalidChange(
                    f"Tried to delete resource record set [{shown(record)}] but the values provided do not match the "
                    "current values")
            sets.remove(there)
            continue
        if there is not None:
            if action == "CREATE":
                raise InvalidChange(f"Tried to create resource record set [{shown(record)}] but it already exists")
            sets.remove(there)
        sets.append(record)
    clashes(sets)
    zone.rrsets = sets
    for change in change_list:
        zone.rr_changes.append(copy.deepcopy(change))


def clashes(sets):
    """What no zone may hold once a batch is made: a simple record beside others of its name and type, and a CNAME beside
    anything."""
    kinds = {}
    for record in sets:
        name, kind, by = key(record)
        kinds.setdefault(name, {}).setdefault(kind, []).append(by)
    for name, of in kinds.items():
        for kind, sets_of in of.items():
            if None in sets_of and len(sets_of) > 1:
                raise InvalidChange(
                    f"RRSet with DNS name {name}., type {kind} cannot be created as a non-simple record beside a simple one")
        if "CNAME" in of and len(of) > 1:
            raise InvalidChange(f"RRSet of type CNAME with DNS name {name}. is not permitted as it conflicts with others")


def install():
    # The zone that aliases to a classic load balancer name, which moto leaves out; that of one region stands for all.
    LoadBalancer.canonical_hosted_zone_name_id = "Z215JYRZR1TBD5"
    Route53Backend.change_resource_record_sets = change_resource_record_sets
