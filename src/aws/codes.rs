//! What the services' error codes mean for us.
//!
//! From the services' API references ("Common errors", and EC2's list of error codes, which follows patterns:
//! `InvalidVpcID.NotFound`, `InvalidGroup.Duplicate`, `VpcLimitExceeded`).

use crate::model::cloud::{Call, Service};
use crate::ports::CloudFailureKind::{self as Kind, *};

/// Codes that mean the same in every service.
const COMMON: &[(Kind, &[&str])] = &[
    (
        Throttled,
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "EC2ThrottledException",
            "BandwidthLimitExceeded",
            "SlowDown",
            "PriorRequestNotComplete",
        ],
    ),
    (
        Credentials,
        &[
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ],
    ),
    (
        Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "NotAuthorized",
            "NotAuthorizedException",
            "OptInRequired",
            "SubscriptionRequiredException",
            "Blocked",
            "PendingVerification",
        ],
    ),
    (Unavailable, &["ServiceUnavailable", "ServiceUnavailableException", "Unavailable"]),
    (
        Invalid,
        &[
            "ValidationException",
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "MalformedQueryString",
            "MissingParameter",
            "UnknownParameter",
            "InvalidAction",
            "DryRunOperation",
        ],
    ),
];

/// Codes of one service that the patterns would get wrong.
const OF_SERVICE: &[(Service, Kind, &[&str])] = &[
    (Service::Ecr, NotFound, &["ImageNotFoundException", "RepositoryNotFoundException"]),
    (Service::Logs, NotFound, &["ResourceNotFoundException"]),
    (Service::Logs, AlreadyExists, &["ResourceAlreadyExistsException"]),
    (Service::Logs, InUse, &["OperationAbortedException"]),
    (Service::Quotas, NotFound, &["NoSuchResourceException"]),
    (Service::Eks, NotFound, &["ResourceNotFoundException", "NotFoundException"]),
    (
        Service::Eks,
        InUse,
        &["ResourceInUseException", "InvalidStateException", "ResourcePropagationDelayException"],
    ),
    (Service::Eks, LimitExceeded, &["ResourceLimitExceededException"]),
    (Service::Eks, Invalid, &["InvalidParameterException", "BadRequestException", "ClientException"]),
    (Service::Eks, Invalid, &["UnsupportedAvailabilityZoneException"]),
    (Service::Ec2, NotFound, &["Gateway.NotAttached", "InvalidAttachment.NotFound"]),
    (
        Service::Ec2,
        AlreadyExists,
        &["Resource.AlreadyAssociated", "InvalidSubnet.Conflict", "InvalidVpcEndpoint.Conflict"],
    ),
    (Service::Ec2, InUse, &["DependencyViolation", "IncorrectState", "OperationNotPermitted"]),
    (
        Service::Ec2,
        LimitExceeded,
        &[
            "InsufficientInstanceCapacity",
            "InsufficientFreeAddressesInSubnet",
            "MaxSpotInstanceCountExceeded",
        ],
    ),
    (Service::Iam, NotFound, &["NoSuchEntity"]),
    (Service::Iam, AlreadyExists, &["EntityAlreadyExists"]),
    (Service::Iam, InUse, &["DeleteConflict", "ConcurrentModification", "EntityTemporarilyUnmodifiable"]),
    (Service::Iam, Unavailable, &["ServiceFailure"]),
    (Service::AutoScaling, AlreadyExists, &["AlreadyExists"]),
    (
        Service::AutoScaling,
        InUse,
        &["ResourceInUse", "ScalingActivityInProgress", "ResourceContention", "InstanceRefreshInProgress"],
    ),
    (Service::AutoScaling, NotFound, &["ActiveInstanceRefreshNotFound"]),
    (Service::CloudFormation, AlreadyExists, &["AlreadyExistsException"]),
    (Service::CloudFormation, InUse, &["OperationInProgressException", "InvalidOperationException"]),
    (Service::Kms, InUse, &["KMSInvalidStateException", "DependencyTimeoutException"]),
    (Service::Kms, Invalid, &["DisabledException"]),
];

/// Kind of a failure from the service's code, its message where the code does not tell enough, and the HTTP status.
pub(super) fn kind(call: &Call, status: u16, code: &str, message: &str) -> Kind {
    if let Some(kind) = by_message(call, code, message) {
        return kind;
    }
    let own = OF_SERVICE.iter().find(|(service, _, codes)| *service == call.service && codes.contains(&code));
    let common = COMMON.iter().find(|(_, codes)| codes.contains(&code));
    own.map(|(_, kind, _)| *kind)
        .or(common.map(|(kind, _)| *kind))
        .or_else(|| by_pattern(code))
        .unwrap_or_else(|| by_status(status))
}

/// Codes that say different things under one name.
fn by_message(call: &Call, code: &str, message: &str) -> Option<Kind> {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match (call.service, code) {
        // EKS has no code of its own for a name that is taken.
        (Service::Eks, "ResourceInUseException") if says(&["already exists"]) => Some(AlreadyExists),
        // "Invalid given the state of the cluster": later, or never.
        (Service::Eks, "InvalidRequestException") => {
            let later =
                ["in progress", "not active", "not in active", "currently", "state", "status", "updating"];
            Some(if says(&later) { InUse } else { Invalid })
        }
        // These two have no code of their own for what is not there.
        (Service::AutoScaling | Service::CloudFormation, "ValidationError") => {
            Some(if says(&["not found", "does not exist"]) { NotFound } else { Invalid })
        }
        // A batch of records says of each change what is wrong with it. One that exists already, or is gone, is what a
        // call that was made twice looks like.
        (Service::Route53, "InvalidChangeBatch") if says(&["but it already exists"]) => Some(AlreadyExists),
        (Service::Route53, "InvalidChangeBatch") if says(&["but it was not found"]) => Some(NotFound),
        (Service::Route53, "InvalidChangeBatch") => Some(Invalid),
        _ => None,
    }
}

fn by_pattern(code: &str) -> Option<Kind> {
    let name = code.trim_end_matches("Exception").trim_end_matches("Fault");
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let begins = |beginnings: &[&str]| beginnings.iter().any(|begin| name.starts_with(begin));
    if ends(&["NotFound", "NotFoundFault", "NoSuchEntity"]) || begins(&["NoSuch"]) {
        Some(NotFound)
    } else if ends(&["AlreadyExists", "Duplicate"]) || begins(&["Duplicate"]) {
        Some(AlreadyExists)
    } else if ends(&["LimitExceeded", "QuotaExceeded"]) || begins(&["TooMany"]) {
        Some(LimitExceeded)
    } else if ends(&["InUse", "InvalidState", "IncorrectState", "InProgress"]) || begins(&["Incorrect"]) {
        Some(InUse)
    } else if begins(&["Invalid", "Malformed", "Missing", "Unsupported", "Validation"]) {
        Some(Invalid)
    } else {
        None
    }
}

fn by_status(status: u16) -> Kind {
    match status {
        401 => Credentials,
        403 => Denied,
        404 => NotFound,
        409 => InUse,
        429 => Throttled,
        // Not taken on at all.
        503 => Unavailable,
        // The service or something before it broke down in the middle: nobody knows how far it came.
        500.. => Unanswered,
        _ => Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_have_their_kinds() {
        for (service, status, code, message, expected) in [
            (Service::Eks, 404, "ResourceNotFoundException", "No cluster found for name: a.", NotFound),
            (
                Service::Eks,
                409,
                "ResourceInUseException",
                "Cluster already exists with name: a",
                AlreadyExists,
            ),
            (Service::Eks, 409, "ResourceInUseException", "Cluster has nodegroups attached", InUse),
            (Service::Eks, 400, "InvalidRequestException", "Nodegroup is not in active state", InUse),
            (Service::Eks, 400, "InvalidRequestException", "Unsupported version jump", Invalid),
            (Service::Eks, 400, "InvalidParameterException", "Subnet not found", Invalid),
            (Service::Eks, 500, "ServerException", "", Unanswered),
            (Service::Eks, 429, "ThrottlingException", "", Throttled),
            (Service::Ec2, 400, "InvalidVpcID.NotFound", "", NotFound),
            (Service::Ec2, 400, "InvalidLaunchTemplateName.NotFoundException", "", NotFound),
            (Service::Ec2, 400, "NatGatewayNotFound", "", NotFound),
            (Service::Ec2, 400, "InvalidGroup.Duplicate", "", AlreadyExists),
            (Service::Ec2, 400, "InvalidPermission.Duplicate", "", AlreadyExists),
            (Service::Ec2, 400, "RouteAlreadyExists", "", AlreadyExists),
            (Service::Ec2, 400, "InvalidLaunchTemplateName.AlreadyExistsException", "", AlreadyExists),
            (Service::Ec2, 400, "DependencyViolation", "", InUse),
            (Service::Ec2, 400, "InvalidIPAddress.InUse", "", InUse),
            (Service::Ec2, 400, "VpcLimitExceeded", "", LimitExceeded),
            (Service::Ec2, 503, "RequestLimitExceeded", "", Throttled),
            (Service::Ec2, 403, "UnauthorizedOperation", "", Denied),
            (Service::Ec2, 401, "AuthFailure", "", Credentials),
            (Service::Ec2, 400, "InvalidSubnetID.Malformed", "", Invalid),
            (Service::Ec2, 500, "InternalError", "", Unanswered),
            (Service::Ec2, 503, "Unavailable", "", Unavailable),
            (Service::Iam, 404, "NoSuchEntity", "", NotFound),
            (Service::Iam, 409, "EntityAlreadyExists", "", AlreadyExists),
            (Service::Iam, 409, "DeleteConflict", "", InUse),
            (Service::Iam, 409, "LimitExceeded", "", LimitExceeded),
            (Service::Iam, 400, "MalformedPolicyDocument", "", Invalid),
            (Service::AutoScaling, 400, "ValidationError", "AutoScalingGroup name not found", NotFound),
            (Service::AutoScaling, 400, "ValidationError", "MinSize is larger than MaxSize", Invalid),
            (Service::AutoScaling, 400, "AlreadyExists", "", AlreadyExists),
            (Service::CloudFormation, 400, "ValidationError", "Stack with id a does not exist", NotFound),
            (Service::ElbV2, 400, "TargetGroupNotFound", "", NotFound),
            (Service::Elb, 400, "LoadBalancerNotFound", "", NotFound),
            (Service::ElbV2, 400, "TooManyTargets", "", LimitExceeded),
            (Service::Ssm, 400, "ParameterNotFound", "", NotFound),
            (Service::S3, 404, "NoSuchKey", "", NotFound),
            (Service::S3, 404, "NoSuchTagSet", "", NotFound),
            (Service::S3, 503, "SlowDown", "", Throttled),
            (Service::S3, 403, "AccessDenied", "", Denied),
            (Service::Route53, 404, "NoSuchHostedZone", "", NotFound),
            (Service::Route53, 400, "PriorRequestNotComplete", "", Throttled),
            (Service::Route53, 400, "InvalidChangeBatch", "[… but it already exists]", AlreadyExists),
            (Service::Route53, 400, "InvalidChangeBatch", "[… but it was not found]", NotFound),
            (Service::Route53, 400, "InvalidChangeBatch", "[FATAL problem: DomainLabelTooLong]", Invalid),
            (Service::Kms, 400, "NotFoundException", "", NotFound),
            (Service::Sts, 403, "ExpiredToken", "", Credentials),
            (Service::Ec2, 502, "", "", Unanswered),
            (Service::Ec2, 429, "", "", Throttled),
        ] {
            let call = Call::new(service, "CreateThing", json!({}));
            assert_eq!(kind(&call, status, code, message), expected, "{service} {code} {message}");
        }
    }
}
