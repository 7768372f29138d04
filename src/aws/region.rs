//! Regions, and the addresses of services in them.
//!
//! Facts from the SDKs' endpoint rules (botocore 1.44.5 gives the same for every service, region and variant).

use super::partition::{Global, PARTITIONS, Partition};
use crate::model::cloud::Service;

/// A region of a known partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) partition: &'static Partition,
}

/// Where requests to a service go, and how they are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `https://ec2.eu-central-1.amazonaws.com`
    pub(super) address: String,
    /// Region of the signature.
    pub(super) signing_region: String,
    /// Whether somebody gave the address in the place of the service's own.
    pub(super) is_given: bool,
}

/// Kinds of addresses (`AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) fips: bool,
    pub(super) dual_stack: bool,
}

impl Region {
    /// A region by its name; `None` for a name that no partition has, such as `eu-central` or `frankfurt`.
    pub(super) fn of(name: &str) -> Option<Self> {
        let begins = |partition: &&Partition| partition.regions.iter().any(|begin| name.starts_with(begin));
        let partition = PARTITIONS.iter().find(begins)?;
        let (area, number) = name.rsplit_once('-')?;
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let named = area.split('-').count() >= 2 && area.split('-').all(word);
        (numbered && named).then(|| Self { name: name.to_owned(), partition })
    }

    /// Where a service is reached in this region.
    pub(super) fn endpoint(&self, service: Service, variant: Variant) -> Endpoint {
        let partition = self.partition;
        if let Some(global) = self.global(service) {
            let host = match (variant.fips, variant.dual_stack) {
                (false, false) => global.host,
                (true, false) => global.fips,
                (false, true) => global.dual_stack,
                (true, true) => global.fips_dual_stack,
            };
            return Endpoint {
                address: format!("https://{host}"),
                signing_region: global.region.into(),
                is_given: false,
            };
        }
        if service == Service::S3 {
            // Its names with IPv6 addresses are older than the suffix that others have for them.
            let fips = if variant.fips { "-fips" } else { "" };
            let dual_stack = if variant.dual_stack { ".dualstack" } else { "" };
            return Endpoint {
                address: format!("https://s3{fips}{dual_stack}.{}.{}", self.name, partition.suffix),
                signing_region: self.name.clone(),
                is_given: false,
            };
        }
        let suffix = if variant.dual_stack { partition.dual_stack_suffix } else { partition.suffix };
        // In GovCloud the plain names are FIPS endpoints already, except of KMS.
        let plain = partition.id == "aws-us-gov" && service != Service::Kms && !variant.dual_stack;
        let fips = if variant.fips && !plain { "-fips" } else { "" };
        Endpoint {
            address: format!("https://{}{fips}.{}.{suffix}", first_label(service, variant), self.name),
            signing_region: self.name.clone(),
            is_given: false,
        }
    }

    /// The address of a service that is one for the whole partition.
    const fn global(&self, service: Service) -> Option<&'static Global> {
        match service {
            Service::Iam => Some(&self.partition.iam),
            Service::Route53 => Some(&self.partition.route53),
            _ => None,
        }
    }

    /// The signing region of a service, for addresses that were given.
    pub(super) fn signing_region(&self, service: Service) -> &str {
        self.global(service).map_or(&self.name, |global| global.region)
    }

    /// The region that keeps what concerns the whole partition: IAM's own.
    pub(super) fn of_global_services(&self) -> &'static str {
        self.partition.iam.region
    }

    /// Host of the region's STS.
    pub(super) fn sts_host(&self) -> String {
        format!("sts.{}.{}", self.name, self.partition.suffix)
    }
}

/// What a service's host names begin with: its signing name, but for the plain name of ECR (its endpoint rules).
const fn first_label(service: Service, variant: Variant) -> &'static str {
    match service {
        Service::Ecr if !variant.fips && !variant.dual_stack => "api.ecr",
        other => host_prefix(other),
    }
}

/// A service's signing name, with which its host names begin as a rule.
pub(super) const fn host_prefix(service: Service) -> &'static str {
    match service {
        Service::Quotas => "servicequotas",
        Service::Elb | Service::ElbV2 => "elasticloadbalancing",
        other => other.name(),
    }
}

/// The service's id in the SDKs' configuration: `AWS_ENDPOINT_URL_AUTO_SCALING`, and `auto_scaling` in a profile's
/// `services`. With underscores: of a space the Rust SDK makes a hyphen in profiles, which no other SDK does.
pub(super) const fn service_id(service: Service) -> &'static str {
    match service {
        Service::Eks => "EKS",
        Service::Ec2 => "EC2",
        Service::Iam => "IAM",
        Service::Sts => "STS",
        Service::AutoScaling => "Auto_Scaling",
        Service::Elb => "Elastic_Load_Balancing",
        Service::ElbV2 => "Elastic_Load_Balancing_v2",
        Service::Ssm => "SSM",
        Service::CloudFormation => "CloudFormation",
        Service::CloudTrail => "CloudTrail",
        Service::Logs => "CloudWatch_Logs",
        Service::Kms => "KMS",
        Service::Sqs => "SQS",
        Service::Events => "EventBridge",
        Service::Ecr => "ECR",
        Service::Quotas => "Service_Quotas",
        Service::S3 => "S3",
        Service::Route53 => "Route_53",
        Service::Kubernetes => "Kubernetes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_partition() {
        for (name, partition) in [
            ("eu-central-1", "aws"),
            ("us-east-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-northwest-1", "aws-cn"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(Region::of(name).unwrap().partition.id, partition, "{name}");
        }
        for name in [
            "",
            "frankfurt",
            "eu-central",
            "eu-1",
            "eu-central-",
            "eu-central-1/x",
            "xx-east-1",
            "EU-central-1",
        ] {
            assert_eq!(Region::of(name), None, "{name}");
        }
    }

    /// Addresses as botocore's endpoint rules give them.
    #[test]
    fn services_are_where_the_endpoint_rules_say() {
        let fips = Variant { fips: true, dual_stack: false };
        let dual_stack = Variant { fips: false, dual_stack: true };
        for (region, service, variant, address, signing_region) in [
            (
                "eu-central-1",
                Service::Ec2,
                Variant::default(),
                "https://ec2.eu-central-1.amazonaws.com",
                "eu-central-1",
            ),
            ("eu-central-1", Service::Iam, Variant::default(), "https://iam.amazonaws.com", "us-east-1"),
            (
                "cn-north-1",
                Service::Ec2,
                Variant::default(),
                "https://ec2.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "cn-northwest-1",
                Service::Iam,
                Variant::default(),
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-east-1",
                Service::Iam,
                Variant::default(),
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
            ("us-gov-east-1", Service::Sts, fips, "https://sts.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
            (
                "us-gov-east-1",
                Service::Kms,
                fips,
                "https://kms-fips.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
            ),
            (
                "us-east-1",
                Service::ElbV2,
                fips,
                "https://elasticloadbalancing-fips.us-east-1.amazonaws.com",
                "us-east-1",
            ),
            (
                "us-east-1",
                Service::AutoScaling,
                dual_stack,
                "https://autoscaling.us-east-1.api.aws",
                "us-east-1",
            ),
            ("cn-north-1", Service::Route53, fips, "https://route53-fips.amazonaws.com.cn", "cn-northwest-1"),
            ("eu-central-1", Service::Route53, dual_stack, "https://route53.global.api.aws", "us-east-1"),
            (
                "us-gov-east-1",
                Service::S3,
                fips,
                "https://s3-fips.us-gov-east-1.amazonaws.com",
                "us-gov-east-1",
            ),
            (
                "cn-north-1",
                Service::S3,
                dual_stack,
                "https://s3.dualstack.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            ("us-gov-east-1", Service::Sqs, fips, "https://sqs.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
            (
                "eu-central-1",
                Service::Ecr,
                Variant::default(),
                "https://api.ecr.eu-central-1.amazonaws.com",
                "eu-central-1",
            ),
            ("us-east-1", Service::Ecr, fips, "https://ecr-fips.us-east-1.amazonaws.com", "us-east-1"),
            (
                "eu-central-1",
                Service::Quotas,
                Variant::default(),
                "https://servicequotas.eu-central-1.amazonaws.com",
                "eu-central-1",
            ),
            ("us-east-1", Service::Logs, fips, "https://logs-fips.us-east-1.amazonaws.com", "us-east-1"),
            (
                "eu-central-1",
                Service::Events,
                Variant::default(),
                "https://events.eu-central-1.amazonaws.com",
                "eu-central-1",
            ),
        ] {
            let endpoint = Region::of(region).unwrap().endpoint(service, variant);
            assert_eq!(
                (endpoint.address.as_str(), endpoint.signing_region.as_str()),
                (address, signing_region)
            );
        }
    }
}
