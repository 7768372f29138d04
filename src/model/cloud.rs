//! Calls of a cloud's APIs as data: what a plan holds, what is checked against the service's model, what is sent.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// An AWS service that Portolan calls, or the API server of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Service {
    /// Elastic Kubernetes Service.
    Eks,
    /// Networks, instances, launch templates, volumes.
    Ec2,
    /// Roles, policies, instance profiles, OIDC providers.
    Iam,
    /// Who one is.
    Sts,
    /// Auto Scaling groups.
    AutoScaling,
    /// Classic load balancers.
    Elb,
    /// Application and network load balancers.
    ElbV2,
    /// Parameters, such as the newest AMI of a family.
    Ssm,
    /// Stacks, which eksctl makes.
    CloudFormation,
    /// Who changed what.
    CloudTrail,
    /// Groups of logs.
    Logs,
    /// Keys.
    Kms,
    /// Queues.
    Sqs,
    /// Rules of EventBridge.
    Events,
    /// Registries of images.
    Ecr,
    /// How much of what an account may have.
    Quotas,
    /// Buckets and their objects.
    S3,
    /// DNS zones and records.
    Route53,
    /// The API server of the cluster itself, no service of AWS: the engine makes these calls there.
    Kubernetes,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 18] = [
        Self::Eks,
        Self::Ec2,
        Self::Iam,
        Self::Sts,
        Self::AutoScaling,
        Self::Elb,
        Self::ElbV2,
        Self::Ssm,
        Self::CloudFormation,
        Self::CloudTrail,
        Self::Logs,
        Self::Kms,
        Self::Sqs,
        Self::Events,
        Self::Ecr,
        Self::Quotas,
        Self::S3,
        Self::Route53,
    ];

    /// A service by its name as botocore has it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }

    /// The service's name as botocore and the SDKs have it: `eks`, `ec2`, `autoscaling`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eks => "eks",
            Self::Ec2 => "ec2",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::AutoScaling => "autoscaling",
            Self::Elb => "elb",
            Self::ElbV2 => "elbv2",
            Self::Ssm => "ssm",
            Self::CloudFormation => "cloudformation",
            Self::CloudTrail => "cloudtrail",
            Self::Logs => "logs",
            Self::Kms => "kms",
            Self::Sqs => "sqs",
            Self::Events => "events",
            Self::Ecr => "ecr",
            Self::Quotas => "service-quotas",
            Self::S3 => "s3",
            Self::Route53 => "route53",
            Self::Kubernetes => "kubernetes",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One call of a cloud's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which API.
    pub service: Service,
    /// The operation as the service's API reference names it: `CreateNodegroup`, `DescribeSubnets`.
    pub operation: String,
    /// The input: an object whose members are named as in the service's API model (botocore's names: `clusterName` for
    /// EKS, `VpcIds`, `Filters` and `TagSpecifications` for EC2, `RoleName` for IAM).
    pub input: Value,
}

impl Call {
    /// A call.
    #[must_use]
    pub fn new(service: Service, operation: &str, input: Value) -> Self {
        Self { service, operation: operation.into(), input }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.operation)
    }
}
