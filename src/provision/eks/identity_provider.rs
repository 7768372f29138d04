//! OIDC providers that people log in with. EKS allows one, and changes none.

use super::api::{Listing, eks, fixed, live, only, state, tag_differences, text};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Key, Kind, Live, Resource, Scope, Snapshot};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const MEMBERS: [&str; 8] = [
    "identityProviderConfigName",
    "issuerUrl",
    "clientId",
    "usernameClaim",
    "usernamePrefix",
    "groupsClaim",
    "groupsPrefix",
    "requiredClaims",
];

/// `IdentityProvider/oidc`: a cluster has one at most, so another name is another declaration of the same thing.
#[must_use]
pub fn key() -> Key {
    Key::new(Kind::IdentityProvider, "oidc")
}

static LISTING: Listing = Listing {
    list: "ListIdentityProviderConfigs",
    items: "identityProviderConfigs",
    describe: "DescribeIdentityProviderConfig",
    which: |which| Some(json!({"identityProviderConfig": which})),
    thing: "/identityProviderConfig/oidc",
    read,
};

fn read(scope: &Scope, provider: &Value) -> Live {
    let name = text(provider, "identityProviderConfigName");
    let actual = json!({"oidc": only(provider, &MEMBERS)});
    let arn = text(provider, "identityProviderConfigArn");
    live(scope, key(), name, arn, provider, actual, state(provider))
}

/// Reads and makes associations with OIDC providers.
pub struct IdentityProviderDriver;

impl Driver for IdentityProviderDriver {
    fn kind(&self) -> Kind {
        Kind::IdentityProvider
    }

    fn listing(&self) -> Option<&'static Listing> {
        Some(&LISTING)
    }

    fn create(
        &self,
        scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        token: &str,
    ) -> Call {
        let input = super::api::create_input(scope, desired, &[], tags, token);
        eks("AssociateIdentityProviderConfig", input)
    }

    fn differences(
        &self,
        _scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let mut found = tag_differences(tags, live);
        let fields: Vec<String> = MEMBERS.iter().map(|member| format!("/oidc/{member}")).collect();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let way_out = "EKS changes no identity provider, and allows one; people cannot log in by it in between (15 min)";
        found.extend(fixed(desired, &live.actual, &fields, way_out));
        found
    }

    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks(
            "DisassociateIdentityProviderConfig",
            json!({
                "clusterName": scope.cluster,
                "identityProviderConfig": {"type": "oidc", "name": live.id},
                "clientRequestToken": crate::provision::resource::TOKEN,
            }),
        )]
    }
}
