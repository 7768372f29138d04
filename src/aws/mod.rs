//! AWS: the only user of the AWS SDK and of request signing.
