//! What the services that are called without a typed client have in common, and in what they differ.

use crate::model::cloud::Service;

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Form parameters, XML back; EC2's own dialect.
    Ec2,
    /// Form parameters, XML back.
    Query,
    /// JSON both ways.
    Json,
}

/// A service's API, from its model's metadata.
#[derive(Clone, Copy, Debug)]
pub(super) struct Api {
    pub(super) protocol: Protocol,
    /// API version (`Version` of a Query call), or what stands before the operation in `X-Amz-Target`.
    pub(super) version: &'static str,
    /// Media type of requests.
    pub(super) content_type: &'static str,
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";

impl Api {
    /// That of a service; `None` for EKS, which has a typed client, for those that are spoken to by
    /// paths, and for what is no service of AWS.
    pub(super) const fn of(service: Service) -> Option<Self> {
        let (protocol, version) = match service {
            Service::Eks | Service::S3 | Service::Route53 | Service::Kubernetes => return None,
            Service::Ec2 => (Protocol::Ec2, "2016-11-15"),
            Service::Iam => (Protocol::Query, "2010-05-08"),
            Service::Sts => (Protocol::Query, "2011-06-15"),
            Service::AutoScaling => (Protocol::Query, "2011-01-01"),
            Service::Elb => (Protocol::Query, "2012-06-01"),
            Service::ElbV2 => (Protocol::Query, "2015-12-01"),
            Service::CloudFormation => (Protocol::Query, "2010-05-15"),
            Service::Ssm => (Protocol::Json, "AmazonSSM"),
            Service::CloudTrail => (Protocol::Json, "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
            Service::Logs => (Protocol::Json, "Logs_20140328"),
            Service::Kms => (Protocol::Json, "TrentService"),
            Service::Sqs => (Protocol::Json, "AmazonSQS"),
            Service::Events => (Protocol::Json, "AWSEvents"),
            Service::Ecr => (Protocol::Json, "AmazonEC2ContainerRegistry_V20150921"),
            Service::Quotas => (Protocol::Json, "ServiceQuotasV20190624"),
        };
        let content_type = match (protocol, service) {
            (Protocol::Json, Service::Sqs) => JSON_1_0,
            (Protocol::Json, _) => JSON_1_1,
            (Protocol::Ec2 | Protocol::Query, _) => FORM,
        };
        Some(Self { protocol, version, content_type })
    }
}
