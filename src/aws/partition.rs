//! Partitions: parts of AWS with regions, names and addresses of their own.
//!
//! Facts from the SDKs' `partitions.json` and endpoint rules (botocore 1.44.5 gives the same for every service, region and
//! variant).

/// A part of AWS with accounts, names and addresses of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// `aws`, `aws-cn`…
    pub(super) id: &'static str,
    /// What regions of it begin with.
    pub(super) regions: &'static [&'static str],
    /// What host names end with.
    pub(super) suffix: &'static str,
    /// The same for names that have IPv6 addresses too.
    pub(super) dual_stack_suffix: &'static str,
    pub(super) iam: Global,
    pub(super) route53: Global,
}

/// A service that is one for the whole partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Global {
    /// Host, plain.
    pub(super) host: &'static str,
    /// Host whose cryptography is validated by FIPS 140.
    pub(super) fips: &'static str,
    /// Host that has IPv6 addresses too.
    pub(super) dual_stack: &'static str,
    /// Both.
    pub(super) fips_dual_stack: &'static str,
    /// Region of signatures.
    pub(super) region: &'static str,
}

pub(super) const PARTITIONS: &[Partition] = &[
    Partition {
        id: "aws-cn",
        regions: &["cn-"],
        suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
        iam: Global {
            host: "iam.cn-north-1.amazonaws.com.cn",
            fips: "iam-fips.amazonaws.com.cn",
            dual_stack: "iam.global.api.amazonwebservices.com.cn",
            fips_dual_stack: "iam-fips.api.amazonwebservices.com.cn",
            region: "cn-north-1",
        },
        route53: Global {
            host: "route53.amazonaws.com.cn",
            fips: "route53-fips.amazonaws.com.cn",
            dual_stack: "route53.global.api.amazonwebservices.com.cn",
            fips_dual_stack: "route53-fips.api.amazonwebservices.com.cn",
            region: "cn-northwest-1",
        },
    },
    Partition {
        id: "aws-us-gov",
        regions: &["us-gov-"],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        iam: Global {
            host: "iam.us-gov.amazonaws.com",
            fips: "iam.us-gov.amazonaws.com",
            dual_stack: "iam.us-gov.api.aws",
            fips_dual_stack: "iam.us-gov.api.aws",
            region: "us-gov-west-1",
        },
        route53: Global {
            host: "route53.us-gov.amazonaws.com",
            fips: "route53.us-gov.amazonaws.com",
            dual_stack: "route53.us-gov.api.aws",
            fips_dual_stack: "route53.us-gov.api.aws",
            region: "us-gov-west-1",
        },
    },
    Partition {
        id: "aws-eusc",
        regions: &["eusc-de-"],
        suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
        iam: Global {
            host: "iam.eusc-de-east-1.amazonaws.eu",
            fips: "iam-fips.amazonaws.eu",
            dual_stack: "iam.global.api.amazonwebservices.eu",
            fips_dual_stack: "iam-fips.api.amazonwebservices.eu",
            region: "eusc-de-east-1",
        },
        route53: Global {
            host: "route53.amazonaws.eu",
            fips: "route53-fips.amazonaws.eu",
            dual_stack: "route53.global.api.amazonwebservices.eu",
            fips_dual_stack: "route53-fips.api.amazonwebservices.eu",
            region: "eusc-de-east-1",
        },
    },
    Partition {
        id: "aws-iso",
        regions: &["us-iso-"],
        suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
        iam: Global {
            host: "iam.us-iso-east-1.c2s.ic.gov",
            fips: "iam-fips.us-iso-east-1.c2s.ic.gov",
            dual_stack: "iam.api.aws.ic.gov",
            fips_dual_stack: "iam-fips.api.aws.ic.gov",
            region: "us-iso-east-1",
        },
        route53: Global {
            host: "route53.c2s.ic.gov",
            fips: "route53-fips.c2s.ic.gov",
            dual_stack: "route53.api.aws.ic.gov",
            fips_dual_stack: "route53-fips.api.aws.ic.gov",
            region: "us-iso-east-1",
        },
    },
    Partition {
        id: "aws-iso-b",
        regions: &["us-isob-"],
        suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
        iam: Global {
            host: "iam.us-isob-east-1.sc2s.sgov.gov",
            fips: "iam-fips.us-isob-east-1.sc2s.sgov.gov",
            dual_stack: "iam.api.aws.scloud",
            fips_dual_stack: "iam-fips.api.aws.scloud",
            region: "us-isob-east-1",
        },
        route53: Global {
            host: "route53.sc2s.sgov.gov",
            fips: "route53-fips.sc2s.sgov.gov",
            dual_stack: "route53.api.aws.scloud",
            fips_dual_stack: "route53-fips.api.aws.scloud",
            region: "us-isob-east-1",
        },
    },
    Partition {
        id: "aws-iso-e",
        regions: &["eu-isoe-"],
        suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
        iam: Global {
            host: "iam.eu-isoe-west-1.cloud.adc-e.uk",
            fips: "iam-fips.cloud.adc-e.uk",
            dual_stack: "iam.api.cloud-aws.adc-e.uk",
            fips_dual_stack: "iam-fips.api.cloud-aws.adc-e.uk",
            region: "eu-isoe-west-1",
        },
        route53: Global {
            host: "route53.cloud.adc-e.uk",
            fips: "route53-fips.cloud.adc-e.uk",
            dual_stack: "route53.api.cloud-aws.adc-e.uk",
            fips_dual_stack: "route53-fips.api.cloud-aws.adc-e.uk",
            region: "eu-isoe-west-1",
        },
    },
    Partition {
        id: "aws-iso-f",
        regions: &["us-isof-"],
        suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
        iam: Global {
            host: "iam.us-isof-south-1.csp.hci.ic.gov",
            fips: "iam-fips.csp.hci.ic.gov",
            dual_stack: "iam.api.aws.hci.ic.gov",
            fips_dual_stack: "iam-fips.api.aws.hci.ic.gov",
            region: "us-isof-south-1",
        },
        route53: Global {
            host: "route53.csp.hci.ic.gov",
            fips: "route53-fips.csp.hci.ic.gov",
            dual_stack: "route53.api.aws.hci.ic.gov",
            fips_dual_stack: "route53-fips.api.aws.hci.ic.gov",
            region: "us-isof-south-1",
        },
    },
    // Last: some of the others begin with `us-` and `eu-` too.
    Partition {
        id: "aws",
        regions: &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"],
        suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
        iam: Global {
            host: "iam.amazonaws.com",
            fips: "iam-fips.amazonaws.com",
            dual_stack: "iam.global.api.aws",
            fips_dual_stack: "iam-fips.global.api.aws",
            region: "us-east-1",
        },
        route53: Global {
            host: "route53.amazonaws.com",
            fips: "route53-fips.amazonaws.com",
            dual_stack: "route53.global.api.aws",
            fips_dual_stack: "route53-fips.global.api.aws",
            region: "us-east-1",
        },
    },
];
