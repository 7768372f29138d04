//! Bearer tokens of EKS: a presigned GetCallerIdentity request of STS, taken apart and its signature made again.
//!
//! The rules are aws-iam-authenticator's (`pkg/token`): only the expected host, action and parameters, the cluster's
//! name in a signed header, and no older than 15 minutes. The signature is SigV4 in the query string
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use url::Url;

const PREFIX: &str = "k8s-aws-v1.";
/// Longest token; the authenticator's limit.
const LONGEST: usize = 1024 * 4;
/// For how long a token is taken after its date.
const LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How far the date may lie ahead: clocks differ.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// The longest life that the URL itself may have, in seconds.
const URL_LIFE: u64 = 60;
/// The header that binds it to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
/// What may stand in the query.
const PARAMETERS: [&str; 9] = [
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// A token whose form is right. Nothing is proven before [`Presigned::verify`].
#[derive(Debug)]
pub(super) struct Presigned {
    host: String,
    query: BTreeMap<String, String>,
    /// The access key that it claims.
    pub(super) access_key: String,
    date: String,
    region: String,
    scope: String,
}

impl Presigned {
    /// Takes a token apart and checks all but its signature.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub(super) fn parse(token: &str, hosts: &[String], now: Timestamp) -> Result<Presigned, String> {
        if token.len() > LONGEST {
            return Err("the token is too large".to_owned());
        }
        let encoded =
            token.strip_prefix(PREFIX).ok_or_else(|| format!("the token does not begin with {PREFIX}"))?;
        let text = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| "the token is not base64url".to_owned())?;
        let text = String::from_utf8(text).map_err(|_| "the token is not text".to_owned())?;
        let url = Url::parse(&text).map_err(|_| "the token holds no URL".to_owned())?;
        let host = url.host_str().unwrap_or_default();
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        if !hosts.contains(&host) {
            return Err(format!("{host:?} is no STS of this region"));
        }
        if url.scheme() != "https" && !host.starts_with("127.0.0.1:") && !host.starts_with("localhost:") {
            return Err("the URL is not https".to_owned());
        }
        if url.path() != "/" {
            return Err("the URL has a path".to_owned());
        }
        let mut query = BTreeMap::new();
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&name.as_ref()) {
                return Err(format!("the URL has the parameter {name:?}"));
            }
            if query.insert(name.to_string(), value.to_string()).is_some() {
                return Err(format!("the URL has {name:?} twice"));
            }
        }
        let of = |name: &str| query.get(name).cloned().ok_or_else(|| format!("the URL has no {name}"));
        if of("Action")? != "GetCallerIdentity" {
            return Err("the URL is not a GetCallerIdentity".to_owned());
        }
        if of("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
            return Err("the URL is not signed by AWS4-HMAC-SHA256".to_owned());
        }
        let expires: u64 =
            of("X-Amz-Expires")?.parse().map_err(|_| "X-Amz-Expires is no number".to_owned())?;
        if expires > URL_LIFE {
            return Err(format!("X-Amz-Expires is {expires}, more than {URL_LIFE}"));
        }
        if !of("X-Amz-SignedHeaders")?.split(';').any(|header| header.eq_ignore_ascii_case(CLUSTER_HEADER)) {
            return Err(format!("the header {CLUSTER_HEADER} is not signed"));
        }
        let date = of("X-Amz-Date")?;
        let made = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &date)
            .and_then(|made| made.to_zoned(jiff::tz::TimeZone::UTC))
            .map_err(|_| "X-Amz-Date is no date".to_owned())?
            .timestamp();
        if now.duration_since(made) > LIFE {
            return Err("the token has expired".to_owned());
        }
        if made.duration_since(now) > AHEAD {
            return Err("the token's date lies ahead".to_owned());
        }
        let credential = of("X-Amz-Credential")?;
        let mut parts = credential.split('/');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (access_key, day, region, service, end) = (next(), next(), next(), next(), next());
        if service != "sts" || end != "aws4_request" || !date.starts_with(&day) || day.len() != 8 {
            return Err("X-Amz-Credential is not one of STS of that day".to_owned());
        }
        let scope = format!("{day}/{region}/sts/aws4_request");
        Ok(Presigned { host, query, access_key, date, region, scope })
    }

    /// Whether the owner of `secret` has signed it, for that cluster.
    ///
    /// # Errors
    /// What does not fit; never what it would have to be.
    pub(super) fn verify(
        &self,
        cluster: &str,
        secret: &str,
        session_token: Option<&str>,
    ) -> Result<(), String> {
        if self.query.get("X-Amz-Security-Token").map(String::as_str) != session_token {
            return Err("the session token is not that of the access key".to_owned());
        }
        let given = self.query.get("X-Amz-Signature").map(String::as_str).unwrap_or_default();
        let given = unhex(given).ok_or_else(|| "the signature is not hexadecimal".to_owned())?;
        let string = self.string_to_sign(cluster)?;
        let day = &self.scope[..8];
        let mut key = mac(format!("AWS4{secret}").as_bytes(), day.as_bytes());
        for part in [self.region.as_str(), "sts", "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        // Compares in constant time.
        keyed(&key)
            .chain_update(string.as_bytes())
            .verify_slice(&given)
            .map_err(|_| "the signature does not fit the cluster's name and the access key".to_owned())
    }

    fn string_to_sign(&self, cluster: &str) -> Result<String, String> {
        let signed = self.query.get("X-Amz-SignedHeaders").map(String::as_str).unwrap_or_default();
        let mut headers = String::new();
        for name in signed.split(';') {
            let value = match name {
                "host" => self.host.as_str(),
                CLUSTER_HEADER => cluster,
                other => return Err(format!("the header {other:?} is signed, which nobody sends")),
            };
            headers += &format!("{name}:{}\n", value.trim());
        }
        // In the order of the encoded names, which for these is that of the names themselves.
        let query: Vec<String> = self
            .query
            .iter()
            .filter(|(name, _)| *name != "X-Amz-Signature")
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let body = hex(&Sha256::digest(b""));
        let request = format!("GET\n/\n{}\n{headers}\n{signed}\n{body}", query.join("&"));
        Ok(format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.date,
            self.scope,
            hex(&Sha256::digest(request.as_bytes()))
        ))
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    keyed(key).chain_update(text).finalize().into_bytes().to_vec()
}

/// Percent encoding as SigV4 wants it: all but unreserved characters (RFC 3986).
fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with botocore's `SigV4QueryAuth` for the key `AKIDEXAMPLE` and the secret `wJalrXUtnFEMI`.
    const TOKEN_URL: &str =
        "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";

    fn sign(cluster: &str, expires: &str, extra: &str) -> String {
        let credential = "AKIDEXAMPLE%2F20261121%2Feu-central-1%2Fsts%2Faws4_request";
        let unsigned = format!(
            "{TOKEN_URL}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20261121T120000Z\
             &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id{extra}"
        );
        let hosts = vec!["sts.eu-central-1.amazonaws.com".to_owned()];
        let parsed = Presigned::parse(&token(&unsigned), &hosts, at("2026-11-21T12:00:30Z"));
        let Ok(parsed) = parsed else { return unsigned };
        let string = parsed.string_to_sign(cluster).unwrap();
        let mut key = mac(b"AWS4wJalrXUtnFEMI", b"20261121");
        for part in ["eu-central-1", "sts", "aws4_request"] {
            key = mac(&key, part.as_bytes());
        }
        format!("{unsigned}&X-Amz-Signature={}", hex(&mac(&key, string.as_bytes())))
    }

    fn token(url: &str) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url))
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn check(url: &str, cluster: &str, secret: &str, now: &str) -> Result<(), String> {
        let hosts = vec!["sts.eu-central-1.amazonaws.com".to_owned()];
        Presigned::parse(&token(url), &hosts, at(now))?.verify(cluster, secret, None)
    }

    const NOW: &str = "2026-11-21T12:10:00Z";

    #[test]
    fn a_token_is_for_one_cluster_and_one_key() {
        let url = sign("shop", "60", "");
        assert_eq!(check(&url, "shop", "wJalrXUtnFEMI", NOW), Ok(()));
        assert!(check(&url, "other", "wJalrXUtnFEMI", NOW).is_err());
        assert!(check(&url, "shop", "another", NOW).is_err());
    }

    #[test]
    fn what_the_authenticator_refuses_is_refused() {
        let secret = "wJalrXUtnFEMI";
        let refused = |url: &str, now: &str, words: &str| {
            let told = check(url, "shop", secret, now).unwrap_err();
            assert!(told.contains(words), "{told}");
        };
        let good = sign("shop", "60", "");
        refused(&good, "2026-11-21T12:15:01Z", "expired");
        refused(&good, "2026-11-21T11:54:00Z", "ahead");
        refused(&sign("shop", "61", ""), NOW, "X-Amz-Expires");
        refused(&sign("shop", "60", "&Extra=1"), NOW, "parameter");
        refused(&good.replace("GetCallerIdentity", "AssumeRole"), NOW, "GetCallerIdentity");
        refused(&good.replace("sts.eu", "sts.evil.eu"), NOW, "no STS");
        refused(&good.replace("https:", "http:"), NOW, "https");
        refused(&good.replace("%3Bx-k8s-aws-id", ""), NOW, "not signed");
        refused(&good.replace("%2Fsts%2F", "%2Fec2%2F"), NOW, "X-Amz-Credential");
    }
}
