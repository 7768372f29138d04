//! The cluster's OIDC issuer as an identity provider in IAM.

use super::names::oidc_provider;
use super::role_driver::iam;
use crate::model::cloud::Call;
use crate::provision::network::answer::{items, only, some_text, tag_list, tags, text, texts};
use crate::provision::network::ec2::{fixed, keep, tag_differences};
use crate::provision::network::{ISSUER, cluster};
use crate::provision::owner::{owner, settable};
use crate::provision::resource::{
    Difference, Driver, Kind, Live, Mend, Owner, Resource, Scope, Snapshot, State,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ARN: &str = "OpenIDConnectProviderArn";

/// [`Kind::OidcProvider`]. Declared: `Url`, `ClientIDList`. No thumbprint: IAM takes the issuer's certificate authority
/// itself when none is given, and does not look at thumbprints of EKS's issuers (IAM API, CreateOpenIDConnectProvider).
#[derive(Clone, Copy, Debug)]
pub struct OidcProviderDriver;

impl Driver for OidcProviderDriver {
    fn kind(&self) -> Kind {
        Kind::OidcProvider
    }

    fn reads(&self, _: &Scope, _: &Snapshot, _: &[Resource]) -> Vec<Call> {
        vec![iam("ListOpenIDConnectProviders", json!({}))]
    }

    fn absorb(
        &self,
        scope: &Scope,
        _: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        if call.operation == "ListOpenIDConnectProviders" {
            let listed = items(answer, "OpenIDConnectProviderList").iter();
            let arns: BTreeSet<&str> = listed.map(|each| text(each, "Arn")).collect();
            // With the issuer known there is one to look at; without it (the cluster is gone) any may carry our tags.
            let mut wanted: Vec<&str> = arns.iter().copied().collect();
            if let Some(issuer) = issuer(scope, into) {
                let ours = format!(":oidc-provider/{issuer}");
                if arns.iter().any(|arn| arn.ends_with(&ours)) {
                    wanted.retain(|arn| arn.ends_with(&ours));
                }
            }
            return wanted
                .into_iter()
                .map(|arn| iam("GetOpenIDConnectProvider", json!({ARN: arn})))
                .collect();
        }
        let arn = text(&call.input, ARN);
        let all = tags(answer);
        let owner = owner(scope, &all);
        let url = text(answer, "Url").trim_start_matches("https://");
        if owner != Owner::Ours && Some(url) != issuer(scope, into).as_deref() {
            return Vec::new();
        }
        let outputs = BTreeMap::from([
            ("arn".to_owned(), json!(arn)),
            ("issuer".to_owned(), json!(url)),
            ("createdAt".to_owned(), json!(text(answer, "CreateDate"))),
        ]);
        let live = Live {
            key: oidc_provider(),
            id: arn.to_owned(),
            actual: json!({"Url": format!("https://{url}"), "ClientIDList": texts(answer, "ClientIDList")}),
            outputs,
            tags: settable(&all),
            owner,
            state: State::Ready,
        };
        keep(into, live, |_| false);
        Vec::new()
    }

    fn create(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        _: &str,
    ) -> Call {
        let mut input = only(desired, &["Url", "ClientIDList"]);
        input.insert("Tags".to_owned(), tag_list(tags));
        iam("CreateOpenIDConnectProvider", Value::Object(input))
    }

    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _: &Snapshot,
    ) -> Vec<Difference> {
        let way_out = "delete the provider, and it is made for the cluster's issuer";
        let mut differences = fixed(desired, live, &["Url"], way_out);
        let (declared, found) = (texts(desired, "ClientIDList"), texts(&live.actual, "ClientIDList"));
        let call = |operation: &str, client: &str| {
            Mend::InPlace(iam(operation, json!({ARN: live.id, "ClientID": client})))
        };
        for client in declared.iter().filter(|client| !found.contains(client)) {
            differences.push(Difference {
                field: "/ClientIDList".to_owned(),
                declared: json!(client),
                actual: Value::Null,
                mend: call("AddClientIDToOpenIDConnectProvider", client),
            });
        }
        for client in found.iter().filter(|client| !declared.contains(client)) {
            differences.push(Difference {
                field: "/ClientIDList".to_owned(),
                declared: Value::Null,
                actual: json!(client),
                mend: call("RemoveClientIDFromOpenIDConnectProvider", client),
            });
        }
        differences.extend(tag_differences(
            tags,
            live,
            |missing| iam("TagOpenIDConnectProvider", json!({ARN: live.id, "Tags": tag_list(missing)})),
            |key| iam("UntagOpenIDConnectProvider", json!({ARN: live.id, "TagKeys": [key]})),
        ));
        differences
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![iam("DeleteOpenIDConnectProvider", json!({ARN: live.id}))]
    }
}

/// Host and path of the cluster's issuer, if the cluster was found.
fn issuer(scope: &Scope, known: &Snapshot) -> Option<String> {
    let cluster = known.live.get(&cluster(scope))?;
    some_text(&json!(cluster.outputs), ISSUER).map(|url| url.trim_start_matches("https://").to_owned())
}
