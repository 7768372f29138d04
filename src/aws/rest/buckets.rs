//! Where buckets are: the form of their addresses, and their regions.

use super::super::region::Endpoint;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Regions of buckets that lie elsewhere than the account, as S3 told.
#[derive(Debug, Default)]
pub(in crate::aws) struct Buckets {
    regions: Mutex<BTreeMap<String, String>>,
}

impl Buckets {
    /// Where to send a request about a bucket.
    pub(super) fn endpoint(&self, bucket: &str, own: &Endpoint) -> Endpoint {
        let regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        match regions.get(bucket) {
            Some(region) if !own.is_given => moved(own, region),
            _ => own.clone(),
        }
    }

    /// Takes in what S3 said of a bucket's region. Whether that is news, so that the request is worth another try.
    pub(super) fn learn(&self, bucket: &str, region: &str, own: &Endpoint) -> bool {
        if own.is_given || self.endpoint(bucket, own).signing_region == region {
            return false;
        }
        self.regions.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.into(), region.into());
        true
    }
}

/// The same address in another region: it stands in S3's own ones exactly once.
fn moved(own: &Endpoint, region: &str) -> Endpoint {
    let address = own.address.replacen(&format!(".{}.", own.signing_region), &format!(".{region}."), 1);
    Endpoint { address, signing_region: region.into(), is_given: false }
}

/// Address of a bucket, to which the path is added.
///
/// A bucket's name is a part of the host, as S3 wants it since 2020; in the path where the address was given (a local S3
/// has no such hosts) and for names with dots, which no certificate covers: kops' state stores are often called like
/// domains (Amazon S3 User Guide, "Virtual hosting of general purpose buckets").
pub(super) fn address(endpoint: &Endpoint, bucket: &str) -> String {
    let address = endpoint.address.trim_end_matches('/');
    match address.split_once("://") {
        Some((scheme, host)) if !endpoint.is_given && !bucket.contains(['.', '_']) => {
            format!("{scheme}://{bucket}.{host}")
        }
        _ => format!("{address}/{bucket}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(address: &str, is_given: bool) -> Endpoint {
        Endpoint { address: address.into(), signing_region: "eu-central-1".into(), is_given }
    }

    #[test]
    fn a_bucket_is_in_the_host_where_that_works() {
        let own = endpoint("https://s3.eu-central-1.amazonaws.com", false);
        assert_eq!(address(&own, "state"), "https://state.s3.eu-central-1.amazonaws.com");
        assert_eq!(
            address(&own, "state.example.com"),
            "https://s3.eu-central-1.amazonaws.com/state.example.com"
        );
        let given = endpoint("http://127.0.0.1:5000/", true);
        assert_eq!(address(&given, "state"), "http://127.0.0.1:5000/state");
    }

    #[test]
    fn a_region_is_learnt_once_and_never_for_a_given_address() {
        let own = endpoint("https://s3.dualstack.eu-central-1.amazonaws.com", false);
        let buckets = Buckets::default();
        assert!(buckets.learn("state", "us-east-1", &own));
        assert!(!buckets.learn("state", "us-east-1", &own));
        assert_eq!(buckets.endpoint("state", &own).address, "https://s3.dualstack.us-east-1.amazonaws.com");
        assert_eq!(buckets.endpoint("other", &own), own);
        assert!(!buckets.learn("state", "us-west-1", &endpoint("http://127.0.0.1", true)));
    }
}
