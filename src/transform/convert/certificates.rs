//! cert-manager's kinds to `cert-manager.io/v1`.
//!
//! Source: cert-manager's notes on upgrading to 0.11, 0.16 and 1.0.

use super::super::pointer::at;
use super::super::work::Work;
use crate::model::Gvk;
use serde_json::{Value, json};

pub(super) fn certificate(work: &mut Work<'_>, from: &Gvk) {
    if from.group == "certmanager.k8s.io" {
        for section in ["/metadata/annotations", "/metadata/labels"] {
            for key in work.keys(section) {
                if let Some(rest) = key.strip_prefix("certmanager.k8s.io/") {
                    work.rename(&at(section, &key), &at(section, format!("cert-manager.io/{rest}")));
                }
            }
        }
        if work.text("/spec/issuerRef/group") == Some("certmanager.k8s.io") {
            work.set("/spec/issuerRef/group", "cert-manager.io");
        }
        // Solvers of a certificate moved to its issuer in 0.11.
        work.remove("/spec/acme");
    }
    match work.kind() {
        "Certificate" => fields(work),
        "CertificateRequest" => work.rename("/spec/csr", "/spec/request"),
        _ => {}
    }
}

fn fields(work: &mut Work<'_>) {
    for (old, new) in [("uriSANs", "uris"), ("emailSANs", "emailAddresses")] {
        work.rename(&at("/spec", old), &at("/spec", new));
    }
    if let Some(organizations) = work.remove("/spec/organization") {
        work.set("/spec/subject/organizations", organizations);
    }
    for (old, new) in [("keyAlgorithm", "algorithm"), ("keySize", "size"), ("keyEncoding", "encoding")] {
        let Some(value) = work.remove(&at("/spec", old)) else { continue };
        // Names are written in capitals since v1alpha3.
        let value = match value.as_str() {
            Some("rsa") => json!("RSA"),
            Some("ecdsa") => json!("ECDSA"),
            Some("pkcs1") => json!("PKCS1"),
            Some("pkcs8") => json!("PKCS8"),
            _ => value,
        };
        if !value.is_null() {
            work.set(&at("/spec/privateKey", new), value);
        }
    }
    if work.get("/spec/privateKey").is_some_and(Value::is_null) {
        work.remove("/spec/privateKey");
    }
}
