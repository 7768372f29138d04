//! The operations of the services that are spoken to by paths: what goes into the path, the query and the body.
//!
//! Facts of the services' models as botocore has them (`requestUri`, `location`, `payload`); a test holds the requests
//! that are made of them against botocore's.

use crate::aws::misfit::Misfit;
use crate::model::cloud::Service;

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// With members in braces; a `+` behind a name: slashes stay.
    pub(super) path: &'static str,
    /// What the query always holds.
    pub(super) fixed: &'static [(&'static str, &'static str)],
    /// Members that go into the query, and their names there.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) body: Body,
    pub(super) answer: Answer,
}

/// What the body of a request is made of.
#[derive(Debug)]
pub(super) enum Body {
    None,
    /// An element of this name in this namespace, of members.
    Xml {
        root: &'static str,
        namespace: &'static str,
        members: &'static [Element],
    },
    /// One member, which is an element itself.
    Member {
        member: &'static str,
        root: &'static str,
        namespace: &'static str,
        members: &'static [Element],
    },
    /// One member, base64 in the input.
    Bytes(&'static str),
}

/// What an answer is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Xml,
    /// The body as a text, under this name.
    Text(&'static str),
    /// The body in base64, under this name.
    Bytes(&'static str),
}

/// A member of an XML body.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: &'static str,
    pub(super) form: Form,
}

/// What an element holds.
#[derive(Debug)]
pub(super) enum Form {
    Scalar,
    Structure(&'static [Element]),
    /// Items of this name, each a structure.
    List {
        item: &'static str,
        of: &'static [Element],
    },
}

const fn scalar(name: &'static str) -> Element {
    Element { name, form: Form::Scalar }
}

const fn structure(name: &'static str, of: &'static [Element]) -> Element {
    Element { name, form: Form::Structure(of) }
}

const fn list(name: &'static str, item: &'static str, of: &'static [Element]) -> Element {
    Element { name, form: Form::List { item, of } }
}

const ROUTE53: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
const S3: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

const RECORD_SET: &[Element] = &[
    scalar("Name"),
    scalar("Type"),
    scalar("SetIdentifier"),
    scalar("Weight"),
    scalar("Region"),
    structure("GeoLocation", &[scalar("ContinentCode"), scalar("CountryCode"), scalar("SubdivisionCode")]),
    scalar("Failover"),
    scalar("MultiValueAnswer"),
    scalar("TTL"),
    list("ResourceRecords", "ResourceRecord", &[scalar("Value")]),
    structure("AliasTarget", &[scalar("HostedZoneId"), scalar("DNSName"), scalar("EvaluateTargetHealth")]),
    scalar("HealthCheckId"),
    scalar("TrafficPolicyInstanceId"),
    structure("CidrRoutingConfig", &[scalar("CollectionId"), scalar("LocationName")]),
    structure(
        "GeoProximityLocation",
        &[
            scalar("AWSRegion"),
            scalar("LocalZoneGroup"),
            structure("Coordinates", &[scalar("Latitude"), scalar("Longitude")]),
            scalar("Bias"),
        ],
    ),
];

const CHANGES: &[Element] = &[structure(
    "ChangeBatch",
    &[
        scalar("Comment"),
        list("Changes", "Change", &[scalar("Action"), structure("ResourceRecordSet", RECORD_SET)]),
    ],
)];

const NEW_ZONE: &[Element] = &[
    scalar("Name"),
    structure("VPC", &[scalar("VPCRegion"), scalar("VPCId")]),
    scalar("CallerReference"),
    structure("HostedZoneConfig", &[scalar("Comment"), scalar("PrivateZone")]),
    scalar("DelegationSetId"),
];

/// A read that has its members in path and query, and an XML answer.
const fn read(
    name: &'static str,
    path: &'static str,
    query: &'static [(&'static str, &'static str)],
) -> Operation {
    Operation { name, method: "GET", path, fixed: &[], query, body: Body::None, answer: Answer::Xml }
}

const OF_ROUTE53: &[Operation] = &[
    Operation {
        name: "ChangeResourceRecordSets",
        method: "POST",
        path: "/2013-04-01/hostedzone/{HostedZoneId}/rrset/",
        fixed: &[],
        query: &[],
        body: Body::Xml { root: "ChangeResourceRecordSetsRequest", namespace: ROUTE53, members: CHANGES },
        answer: Answer::Xml,
    },
    Operation {
        name: "CreateHostedZone",
        method: "POST",
        path: "/2013-04-01/hostedzone",
        fixed: &[],
        query: &[],
        body: Body::Xml { root: "CreateHostedZoneRequest", namespace: ROUTE53, members: NEW_ZONE },
        answer: Answer::Xml,
    },
    Operation {
        name: "DeleteHostedZone",
        method: "DELETE",
        path: "/2013-04-01/hostedzone/{Id}",
        fixed: &[],
        query: &[],
        body: Body::None,
        answer: Answer::Xml,
    },
    read("GetChange", "/2013-04-01/change/{Id}", &[]),
    read("GetHostedZone", "/2013-04-01/hostedzone/{Id}", &[]),
    read(
        "ListHostedZones",
        "/2013-04-01/hostedzone",
        &[
            ("Marker", "marker"),
            ("MaxItems", "maxitems"),
            ("DelegationSetId", "delegationsetid"),
            ("HostedZoneType", "hostedzonetype"),
        ],
    ),
    read(
        "ListResourceRecordSets",
        "/2013-04-01/hostedzone/{HostedZoneId}/rrset",
        &[
            ("StartRecordName", "name"),
            ("StartRecordType", "type"),
            ("StartRecordIdentifier", "identifier"),
            ("MaxItems", "maxitems"),
        ],
    ),
    read("ListTagsForResource", "/2013-04-01/tags/{ResourceType}/{ResourceId}", &[]),
];

const OF_S3: &[Operation] = &[
    Operation {
        name: "CreateBucket",
        method: "PUT",
        path: "/{Bucket}",
        fixed: &[],
        query: &[],
        body: Body::Member {
            member: "CreateBucketConfiguration",
            root: "CreateBucketConfiguration",
            namespace: S3,
            members: &[scalar("LocationConstraint")],
        },
        answer: Answer::Xml,
    },
    Operation { name: "GetBucketLocation", fixed: &[("location", "")], ..read("", "/{Bucket}", &[]) },
    Operation {
        name: "GetBucketPolicy",
        fixed: &[("policy", "")],
        answer: Answer::Text("Policy"),
        ..read("", "/{Bucket}", &[])
    },
    Operation { name: "GetBucketTagging", fixed: &[("tagging", "")], ..read("", "/{Bucket}", &[]) },
    Operation {
        name: "GetObject",
        answer: Answer::Bytes("Body"),
        ..read("", "/{Bucket}/{Key+}", &[("VersionId", "versionId")])
    },
    read(
        "ListBuckets",
        "/",
        &[
            ("MaxBuckets", "max-buckets"),
            ("ContinuationToken", "continuation-token"),
            ("Prefix", "prefix"),
            ("BucketRegion", "bucket-region"),
        ],
    ),
    Operation {
        name: "ListObjectsV2",
        fixed: &[("list-type", "2")],
        ..read(
            "",
            "/{Bucket}",
            &[
                ("Delimiter", "delimiter"),
                ("MaxKeys", "max-keys"),
                ("Prefix", "prefix"),
                ("ContinuationToken", "continuation-token"),
                ("StartAfter", "start-after"),
            ],
        )
    },
    Operation {
        name: "PutObject",
        method: "PUT",
        path: "/{Bucket}/{Key+}",
        fixed: &[],
        query: &[],
        body: Body::Bytes("Body"),
        answer: Answer::Xml,
    },
];

/// The operations of a service; none for services that are spoken to in another way.
pub(super) const fn of(service: Service) -> &'static [Operation] {
    match service {
        Service::S3 => OF_S3,
        Service::Route53 => OF_ROUTE53,
        _ => &[],
    }
}

/// An operation by its name.
pub(super) fn named(service: Service, name: &str) -> Result<&'static Operation, Misfit> {
    of(service)
        .iter()
        .find(|operation| operation.name == name)
        .ok_or_else(|| Misfit::new(format!("`{name}` is no operation of this service that Portolan calls")))
}

impl Operation {
    /// The members in the path, and whether slashes stay in them.
    pub(super) fn in_path(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.path.split('{').skip(1).filter_map(|rest| {
            let name = rest.split('}').next()?;
            Some((name.trim_end_matches('+'), name.ends_with('+')))
        })
    }

    /// Whether the input has a member of this name.
    pub(super) fn has_member(&self, member: &str) -> bool {
        let in_body = match self.body {
            Body::None => false,
            Body::Xml { members, .. } => members.iter().any(|element| element.name == member),
            Body::Member { member: name, .. } | Body::Bytes(name) => name == member,
        };
        in_body
            || self.in_path().any(|(name, _)| name == member)
            || self.query.iter().any(|(name, _)| *name == member)
    }
}
