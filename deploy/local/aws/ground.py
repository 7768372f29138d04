"""What kops expects to find: images by their publisher's name, a bucket, a zone. And what it has left in the bucket."""

import base64
import hashlib
import re

from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami, AmiBackend
from moto.utilities.utils import get_partition

# Who publishes the images that clusters name by owner and name: Canonical, Debian, Flatcar, Amazon.
PUBLISHERS = {"099720109477", "136693071363", "075585003325", "137112412989"}
PUBLISHED = re.compile(r"(ubuntu|debian|Flatcar|al20\d\d|amzn)[^*?]*", re.ASCII)


def know_published_images():
    """An image that a publisher is asked for by its full name is there: publishers keep theirs, and moto has few."""
    describe = AmiBackend.describe_images

    def with_published(self, ami_ids=None, filters=None, exec_users=None, owners=None):
        owner = next((owner for owner in owners or () if owner in PUBLISHERS), None)
        for name in (filters or {}).get("name", ()) if owner else ():
            known = any(ami.name == name for ami in self.amis.values())
            if known or not PUBLISHED.fullmatch(name):
                continue
            image = "ami-" + hashlib.sha1(f"{owner}/{name}".encode()).hexdigest()[:17]
            self.amis[image] = Ami(
                self,
                ami_id=image,
                name=name,
                description=name,
                owner_id=owner,
                public=True,
                virtualization_type="hvm",
                architecture="arm64" if re.search(r"arm64|aarch64", name) else "x86_64",
                state="available",
                creation_date=utcnow(),
                image_location=f"{owner}/{name}",
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name="/dev/sda1",
                sriov="simple",
            )
        return describe(self, ami_ids, filters, exec_users, owners)

    AmiBackend.describe_images = with_published


def bucket(account, region, name):
    """Makes a bucket. One that is there stays as it is."""
    # A service that nobody calls is not loaded.
    from moto.s3.models import s3_backends

    s3 = s3_backends[account][get_partition(region)]
    if name not in s3.buckets:
        s3.create_bucket(name, region)
    return {}


def objects(account, region, name):
    """Everything in a bucket, the newest version of each: its key and its bytes in base64."""
    from moto.s3.models import s3_backends

    found = s3_backends[account][get_partition(region)].buckets[name].keys
    return {"objects": {key: base64.b64encode(item.value).decode() for key, item in found.items()}}


def zone(account, region, name):
    """Makes a private hosted zone: nobody delegates a public one to us. One that is there stays as it is."""
    from moto.route53.models import route53_backends

    route53 = route53_backends[account][get_partition(region)]
    if not any(known.name == name for known in route53.zones.values()):
        route53.create_hosted_zone(name, private_zone=True, caller_reference=name)
    return {}


# By the path below /portolan/.
ORDERS = {"bucket": bucket, "objects": objects, "zone": zone}
