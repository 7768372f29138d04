//! Bearer tokens for the API servers of EKS clusters.
//!
//! The token is a GetCallerIdentity request of STS, signed in its URL together with the cluster's name; the API server
//! makes that request and so learns who asks. Defined by aws-iam-authenticator; `aws eks get-token` makes the same.

use super::region::Region;
use crate::ports::KubernetesToken;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::{Duration, SystemTime};
use url::Url;

/// How long the URL itself may be used. The authenticator wants at most 15 minutes in it, and takes the token for 15
/// minutes from its date whatever stands there.
const URL_LIFE: Duration = Duration::from_secs(60);
/// When a token is renewed: well before the 15 minutes are over.
const RENEW_AFTER: Duration = Duration::from_secs(10 * 60);
/// The header that binds the token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// A token for a cluster, made at `now` with these credentials. No request is made, and nothing is random.
///
/// It names the region's own STS, whatever endpoints were configured: an API server accepts no other host.
///
/// # Errors
/// The cluster's name cannot stand in a header.
pub(super) fn kubernetes_token(
    credentials: &Credentials,
    now: SystemTime,
    region: &Region,
    cluster: &str,
) -> Result<KubernetesToken, String> {
    let mut url =
        Url::parse(&format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", region.sts_host()))
            .expect("a host of the partition table makes a URL");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(URL_LIFE);
    let identity: Identity = credentials.clone().into();
    let parameters: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region.name)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .expect("all parts of the signature are given")
        .into();
    let headers = [(CLUSTER_HEADER, cluster)];
    let request = SignableRequest::new("GET", url.as_str(), headers.into_iter(), SignableBody::empty());
    let signed = request.and_then(|request| sign(request, &parameters));
    let (instructions, _) =
        signed.map_err(|_| format!("no token can be made for the cluster name `{cluster}`"))?.into_parts();
    url.query_pairs_mut().extend_pairs(instructions.params());
    let token = format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url.as_str()));
    let left = credentials.expiry().map(|expiry| expiry.duration_since(now).unwrap_or_default());
    Ok(KubernetesToken {
        token: token.into(),
        renew_after: left.map_or(RENEW_AFTER, |left| left.min(RENEW_AFTER)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    const NOW: u64 = 1_790_000_000;

    fn token(session: Option<&str>, expires_in: Option<u64>, region: &str) -> KubernetesToken {
        let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session.map(str::to_owned),
            expires_in.map(|seconds| time(NOW + seconds)),
            "test",
        );
        kubernetes_token(&credentials, time(NOW), &Region::of(region).unwrap(), "shop-1").unwrap()
    }

    /// The URL's address and its fields, sorted.
    fn fields(token: &KubernetesToken) -> (String, Vec<String>) {
        let encoded = token.token.expose_secret().strip_prefix("k8s-aws-v1.").unwrap();
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap();
        let (address, query) = url.split_once('?').unwrap();
        let mut fields: Vec<String> = query.split('&').map(str::to_owned).collect();
        fields.sort();
        (address.to_owned(), fields)
    }

    /// What botocore's `SigV4QueryAuth` makes of the same keys, time, region and cluster.
    #[test]
    fn it_is_what_botocore_signs() {
        let (address, fields_found) = fields(&token(None, None, "eu-central-1"));
        assert_eq!(address, "https://sts.eu-central-1.amazonaws.com/");
        assert_eq!(
            fields_found,
            [
                "Action=GetCallerIdentity",
                "Version=2011-06-15",
                "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                "X-Amz-Credential=AKIDEXAMPLE%2F20260921%2Feu-central-1%2Fsts%2Faws4_request",
                "X-Amz-Date=20260921T141320Z",
                "X-Amz-Expires=60",
                "X-Amz-Signature=6a95a875f346ed4ae94226b056546fa2e0bc07e6e567f92f1e442ab3ad783a0e",
                "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            ]
        );
        let (address, fields_found) = fields(&token(Some("session/token+with=signs"), None, "cn-north-1"));
        assert_eq!(address, "https://sts.cn-north-1.amazonaws.com.cn/");
        assert!(fields_found.contains(&"X-Amz-Security-Token=session%2Ftoken%2Bwith%3Dsigns".to_owned()));
        let signature = "X-Amz-Signature=f4da604533a69a1b65bcb7d5a13fe762eae9f70c531b3e2c6607e4306333b186";
        assert!(fields_found.contains(&signature.to_owned()), "{fields_found:?}");
    }

    #[test]
    fn it_is_renewed_in_time_and_not_after_its_credentials() {
        let renewed_after = |expires_in| token(None, expires_in, "eu-central-1").renew_after.as_secs();
        assert_eq!(renewed_after(None), 600);
        assert_eq!(renewed_after(Some(3600)), 600);
        assert_eq!(renewed_after(Some(90)), 90);
    }
}
