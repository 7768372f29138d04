//! Regions, their partitions, and the addresses of services in them.
//!
//! Facts from the SDKs' `partitions.json` and endpoint rules (botocore 1.44.5 gives the same for every service, region and
//! variant).

use crate::model::cloud::Service;

/// A part of AWS with accounts, names and addresses of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// `aws`, `aws-cn`…
    pub(super) id: &'static str,
    /// What regions of it begin with.
    regions: &'static [&'static str],
    /// What host names end with.
    suffix: &'static str,
    /// The same for names that have IPv6 addresses too.
    dual_stack_suffix: &'static str,
    iam: Iam,
}

/// IAM is one for the whole partition.
#[derive(Debug, PartialEq, Eq)]
struct Iam {
    /// Host, plain.
    host: &'static str,
    /// Host whose cryptography is validated by FIPS 140.
    fips: &'static str,
    /// Host that has IPv6 addresses too.
    dual_stack: &'static str,
    /// Both.
    fips_dual_stack: &'static str,
    region: &'static str,
}

const PARTITIONS: &[Partition] = &[
    Partition {
        id: "aws-cn",
        regions: &["cn-"],
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
        iam: Iam {
            host: "iam.cn-north-1.amazonaws.com.cn",
            fips: "iam-fips.amazonaws.com.cn",
            dual_stack: "iam.global.api.amazonwebservices.com.cn",
            fips_dual_stack: "iam-fips.api.amazonwebservices.com.cn",
            region: "cn-north-1",
        },
    },
    Partition {
        id: "aws-us-gov",
        regions: &["us-gov-"],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        iam: Iam {
            host: "iam.us-gov.amazonaws.com",
            fips: "iam.us-gov.amazonaws.com",
            dual_stack: "iam.us-gov.api.aws",
            fips_dual_stack: "iam.us-gov.api.aws",
            region: "us-gov-west-1",
        },
    },
    Partition {
        id: "aws-eusc",
        regions: &["eusc-de-"],
        suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
        iam: Iam {
            host: "iam.eusc-de-east-1.amazonaws.eu",
            fips: "iam-fips.amazonaws.eu",
            dual_stack: "iam.global.api.amazonwebservices.eu",
            fips_dual_stack: "iam-fips.api.amazonwebservices.eu",
            region: "eusc-de-east-1",
        },
    },
    Partition {
        id: "aws-iso",
        regions: &["us-iso-"],
        suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
        iam: Iam {
            host: "iam.us-iso-east-1.c2s.ic.gov",
            fips: "iam-fips.us-iso-east-1.c2s.ic.gov",
            dual_stack: "iam.api.aws.ic.gov",
            fips_dual_stack: "iam-fips.api.aws.ic.gov",
            region: "us-iso-east-1",
        },
    },
    Partition {
        id: "aws-iso-b",
        regions: &["us-isob-"],
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
        iam: Iam {
            host: "iam.us-isob-east-1.sc2s.sgov.gov",
            fips: "iam-fips.us-isob-east-1.sc2s.sgov.gov",
            dual_stack: "iam.api.aws.scloud",
            fips_dual_stack: "iam-fips.api.aws.scloud",
            region: "us-isob-east-1",
        },
    },
    Partition {
        id: "aws-iso-e",
        regions: &["eu-isoe-"],
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
        iam: Iam {
            host: "iam.eu-isoe-west-1.cloud.adc-e.uk",
            fips: "iam-fips.cloud.adc-e.uk",
            dual_stack: "iam.api.cloud-aws.adc-e.uk",
            fips_dual_stack: "iam-fips.api.cloud-aws.adc-e.uk",
            region: "eu-isoe-west-1",
        },
    },
    Partition {
        id: "aws-iso-f",
        regions: &["us-isof-"],
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
        iam: Iam {
            host: "iam.us-isof-south-1.csp.hci.ic.gov",
            fips: "iam-fips.csp.hci.ic.gov",
            dual_stack: "iam.api.aws.hci.ic.gov",
            fips_dual_stack: "iam-fips.api.aws.hci.ic.gov",
            region: "us-isof-south-1",
        },
    },
    // Last: some of the others begin with `us-` and `eu-` too.
    Partition {
        id: "aws",
        regions: &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        iam: Iam {
            host: "iam.amazonaws.com",
            fips: "iam-fips.amazonaws.com",
            dual_stack: "iam.global.api.aws",
            fips_dual_stack: "iam-fips.global.api.aws",
            region: "us-east-1",
        },
    },
];

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
        if service == Service::Iam {
            let host = match (variant.fips, variant.dual_stack) {
                (false, false) => partition.iam.host,
                (true, false) => partition.iam.fips,
                (false, true) => partition.iam.dual_stack,
                (true, true) => partition.iam.fips_dual_stack,
            };
            return Endpoint {
                address: format!("https://{host}"),
                signing_region: partition.iam.region.into(),
            };
        }
        let suffix = if variant.dual_stack { partition.dual_stack_suffix } else { partition.suffix };
        // In GovCloud the plain names are FIPS endpoints already, except of KMS.
        let plain = partition.id == "aws-us-gov" && service != Service::Kms && !variant.dual_stack;
        let fips = if variant.fips && !plain { "-fips" } else { "" };
        Endpoint {
            address: format!("https://{}{fips}.{}.{suffix}", host_prefix(service), self.name),
            signing_region: self.name.clone(),
        }
    }

    /// The signing region of a service, for addresses that were given.
    pub(super) fn signing_region(&self, service: Service) -> &str {
        if service == Service::Iam { self.partition.iam.region } else { &self.name }
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

/// What a service's host names begin with, which is its signing name too.
pub(super) const fn host_prefix(service: Service) -> &'static str {
    match service {
        Service::Elb | Service::ElbV2 => "elasticloadbalancing",
        other => other.name(),
    }
}

/// Every service that has an address.
pub(super) const SERVICES: [Service; 11] = [
    Service::Eks,
    Service::Ec2,
    Service::Iam,
    Service::Sts,
    Service::AutoScaling,
    Service::Elb,
    Service::ElbV2,
    Service::Ssm,
    Service::CloudFormation,
    Service::CloudTrail,
    Service::Kms,
];

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
        Service::Kms => "KMS",
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
        ] {
            let endpoint = Region::of(region).unwrap().endpoint(service, variant);
            assert_eq!(
                (endpoint.address.as_str(), endpoint.signing_region.as_str()),
                (address, signing_region)
            );
        }
    }
}
