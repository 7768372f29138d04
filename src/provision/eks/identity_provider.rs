//! OIDC providers that people log in with. EKS allows one, and changes none.

use super::api::{eks, fixed, list, live, means_absent, only, tag_differences, text};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Key, Kind, Live, Resource, Scope, Snapshot, State};
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

/// Reads and makes associations with OIDC providers.
pub struct IdentityProviderDriver;

impl Driver for IdentityProviderDriver {
    fn kind(&self) -> Kind {
        Kind::IdentityProvider
    }

    fn reads(&self, scope: &Scope, known: &Snapshot, _declared: &[Resource]) -> Vec<Call> {
        list(scope, known, "ListIdentityProviderConfigs")
    }

    fn absorb(
        &self,
        scope: &Scope,
        _declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        if call.operation == "ListIdentityProviderConfigs" {
            return answer["identityProviderConfigs"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|which| {
                    let input = json!({"clusterName": scope.cluster, "identityProviderConfig": which});
                    eks("DescribeIdentityProviderConfig", input)
                })
                .collect();
        }
        let provider = &answer["identityProviderConfig"]["oidc"];
        let name = text(provider, "identityProviderConfigName");
        let state = match text(provider, "status") {
            "ACTIVE" => State::Ready,
            "DELETING" => State::Deleting,
            other => State::Pending(other.to_owned()),
        };
        let actual = json!({"oidc": only(provider, &MEMBERS)});
        let key = key();
        let live = live(
            scope,
            key.clone(),
            name,
            text(provider, "identityProviderConfigArn"),
            provider,
            actual,
            state,
        );
        into.live.insert(key, live);
        Vec::new()
    }

    fn means_absent(&self, code: &str) -> bool {
        means_absent(code)
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
