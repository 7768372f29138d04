//! The inputs of the APIs that are called without a typed client: which members there are, and how they are called on
//! the wire.
//!
//! The tables beside this file hold, for every operation that Portolan calls, facts of the services' models as botocore
//! has them; a test makes them anew from botocore and compares. One line (and its indented continuation) is an
//! operation or a structure:
//!
//! ```text
//! CreateSubnet: VpcId CidrBlock TagSpecifications=TagSpecification*TagSpecification
//! ```
//!
//! is a structure with two scalars and, called `TagSpecification` on the wire, a list of the structure of that name.
//! After a member's name stand `=` and its name on the wire where that differs, then `:` for a structure, `*` for a
//! list as the protocol writes it, `+` for a list whose items stand at the name itself, `%` for a map, `@` for a time.

use crate::aws::misfit::Misfit;
use crate::model::cloud::Service;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A member of an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) wire: &'static str,
    pub(super) form: Form,
}

/// What a member holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A string, number or boolean.
    Scalar,
    /// A structure of this name.
    Structure(&'static str),
    /// A list of scalars (`None`) or of structures.
    List { of: Option<&'static str>, at_the_name: bool },
    /// Strings by name.
    Map,
    /// A time: RFC 3339 in the input.
    Time,
}

/// A service's operations and structures.
#[derive(Debug)]
pub(super) struct Shapes {
    members: BTreeMap<&'static str, Vec<Member>>,
    operations: Vec<&'static str>,
}

static EC2: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/ec2.shapes")));
static IAM: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/iam.shapes")));
static STS: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/sts.shapes")));
static AUTOSCALING: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::read(include_str!("shapes/autoscaling.shapes")));
static ELB: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/elb.shapes")));
static ELBV2: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/elbv2.shapes")));
static SSM: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/ssm.shapes")));
static CLOUDFORMATION: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::read(include_str!("shapes/cloudformation.shapes")));
static CLOUDTRAIL: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::read(include_str!("shapes/cloudtrail.shapes")));
static LOGS: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/logs.shapes")));
static KMS: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/kms.shapes")));
static SQS: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/sqs.shapes")));
static EVENTS: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/events.shapes")));
static ECR: LazyLock<Shapes> = LazyLock::new(|| Shapes::read(include_str!("shapes/ecr.shapes")));
static QUOTAS: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::read(include_str!("shapes/service-quotas.shapes")));

impl Shapes {
    /// Those of a service; `None` for EKS, which has a typed client, for those that are spoken to by
    /// paths, and for what is no service of AWS.
    pub(super) fn of(service: Service) -> Option<&'static Self> {
        Some(match service {
            Service::Eks | Service::S3 | Service::Route53 | Service::Kubernetes => return None,
            Service::Ec2 => &EC2,
            Service::Iam => &IAM,
            Service::Sts => &STS,
            Service::AutoScaling => &AUTOSCALING,
            Service::Elb => &ELB,
            Service::ElbV2 => &ELBV2,
            Service::Ssm => &SSM,
            Service::CloudFormation => &CLOUDFORMATION,
            Service::CloudTrail => &CLOUDTRAIL,
            Service::Logs => &LOGS,
            Service::Kms => &KMS,
            Service::Sqs => &SQS,
            Service::Events => &EVENTS,
            Service::Ecr => &ECR,
            Service::Quotas => &QUOTAS,
        })
    }

    fn read(table: &'static str) -> Self {
        let mut shapes = Self { members: BTreeMap::new(), operations: Vec::new() };
        let (mut current, mut in_operations) = ("", false);
        for line in table.lines() {
            let mut rest = line;
            if let Some(title) = line.strip_prefix('#') {
                in_operations = title.contains("Operations");
                continue;
            }
            if !line.starts_with(' ')
                && let Some((name, members)) = line.split_once(':')
            {
                (current, rest) = (name, members);
                shapes.members.entry(name).or_default();
                if in_operations {
                    shapes.operations.push(name);
                }
            }
            let members = rest.split_whitespace().map(Member::read);
            shapes.members.entry(current).or_default().extend(members);
        }
        shapes.members.remove("");
        shapes
    }

    /// The operations, sorted.
    pub(super) fn operations(&self) -> &[&'static str] {
        &self.operations
    }

    /// The members of an operation's input.
    pub(super) fn operation(&self, name: &str) -> Result<&[Member], Misfit> {
        if self.operations.contains(&name) {
            return Ok(self.structure(name));
        }
        Err(Misfit::new(format!("`{name}` is no operation of this service that Portolan calls")))
    }

    /// The members of a structure.
    pub(super) fn structure(&self, name: &str) -> &[Member] {
        self.members.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Member {
    fn read(text: &'static str) -> Self {
        let end = text.find([':', '*', '+', '%', '@']).unwrap_or(text.len());
        let (names, form) = text.split_at(end);
        let (name, wire) = names.split_once('=').unwrap_or((names, names));
        let of = form.get(1..).filter(|name| !name.is_empty());
        let form = match form.as_bytes().first() {
            None => Form::Scalar,
            Some(b':') => Form::Structure(of.unwrap_or_default()),
            Some(b'%') => Form::Map,
            Some(b'@') => Form::Time,
            Some(mark) => Form::List { of, at_the_name: *mark == b'+' },
        };
        Self { name, wire, form }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: [Service; 15] = [
        Service::Ec2,
        Service::Iam,
        Service::Sts,
        Service::AutoScaling,
        Service::Elb,
        Service::ElbV2,
        Service::Ssm,
        Service::CloudFormation,
        Service::CloudTrail,
        Service::Logs,
        Service::Kms,
        Service::Sqs,
        Service::Events,
        Service::Ecr,
        Service::Quotas,
    ];

    #[test]
    fn every_structure_that_is_named_is_there() {
        for service in SERVICES {
            let shapes = Shapes::of(service).unwrap();
            assert!(!shapes.operations().is_empty(), "{service}");
            for (name, members) in &shapes.members {
                for member in members {
                    let (Form::Structure(of) | Form::List { of: Some(of), .. }) = member.form else {
                        continue;
                    };
                    assert!(shapes.members.contains_key(of), "{service} {name}.{}: no {of}", member.name);
                }
            }
        }
    }

    #[test]
    fn a_line_is_read_with_its_continuation() {
        let shapes = Shapes::read("# Operations.\nA: B C=D*E\n  F+ G:E H% I@\n\n# Structures.\nE: X\n");
        assert_eq!(shapes.operations(), ["A"]);
        let forms: Vec<_> = shapes.structure("A").iter().map(|m| (m.name, m.wire, &m.form)).collect();
        assert_eq!(
            forms,
            [
                ("B", "B", &Form::Scalar),
                ("C", "D", &Form::List { of: Some("E"), at_the_name: false }),
                ("F", "F", &Form::List { of: None, at_the_name: true }),
                ("G", "G", &Form::Structure("E")),
                ("H", "H", &Form::Map),
                ("I", "I", &Form::Time),
            ]
        );
        assert!(shapes.operation("E").is_err());
    }
}
