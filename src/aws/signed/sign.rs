//! Signature version 4 on a request.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::{HeaderValue, Request};
use std::time::SystemTime;

/// What a signature is made with.
pub(in crate::aws) struct Signing<'a> {
    pub(in crate::aws) credentials: &'a Credentials,
    /// Region of the signature, which for global services (IAM) is not the account's.
    pub(in crate::aws) region: &'a str,
    /// Signing name: `ec2`, `elasticloadbalancing`.
    pub(in crate::aws) service: &'a str,
    pub(in crate::aws) time: SystemTime,
}

/// How a request's path and body go into the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::aws) enum Style {
    /// As of nearly all services: the path normalised and encoded again.
    Plain,
    /// As of S3: the path as it stands, and the body's digest in a header.
    S3,
}

impl Style {
    fn settings(self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self == Self::S3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }
}

/// Adds the signature's headers to a request.
///
/// # Errors
/// A header or the address cannot be signed: in words, without their values.
pub(in crate::aws) fn signed(
    mut request: Request<Bytes>,
    signing: &Signing<'_>,
    style: Style,
) -> Result<Request<Bytes>, String> {
    let identity: Identity = signing.credentials.clone().into();
    let parameters: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(signing.region)
        .name(signing.service)
        .time(signing.time)
        .settings(style.settings())
        .build()
        .expect("all parts of the signature are given")
        .into();
    let instructions = {
        let headers: Vec<(&str, &str)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers.into_iter(),
            SignableBody::Bytes(request.body()),
        );
        let signable = signable.map_err(|_| "the request cannot be signed".to_owned())?;
        sign(signable, &parameters)
            .map_err(|_| "the request cannot be signed with these credentials".to_owned())?
            .into_parts()
            .0
    };
    for (name, value) in instructions.headers() {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| "the credentials hold characters that a header cannot carry".to_owned())?;
        value.set_sensitive(true);
        request
            .headers_mut()
            .insert(http::HeaderName::try_from(name).expect("the signer's header names are valid"), value);
    }
    Ok(request)
}
