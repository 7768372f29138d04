//! Pod identity associations: which role the pods of a service account have.

use super::api::{Listing, create_input, difference, eks, live, only, tag_differences, text};
use crate::model::cloud::Call;
use crate::provision::resource::{
    Difference, Driver, Key, Kind, Live, Mend, Resource, Scope, Snapshot, State, TOKEN,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

static LISTING: Listing = Listing {
    list: "ListPodIdentityAssociations",
    items: "associations",
    describe: "DescribePodIdentityAssociation",
    which: |association| {
        let is_an_addons = !text(association, "ownerArn").is_empty();
        (!is_an_addons).then(|| json!({"associationId": association["associationId"]}))
    },
    thing: "/association",
    read,
};

fn read(scope: &Scope, association: &Value) -> Live {
    let members = ["namespace", "serviceAccount", "roleArn", "disableSessionTags", "targetRoleArn", "policy"];
    let actual = Value::Object(only(association, &members));
    let key = key(text(association, "namespace"), text(association, "serviceAccount"));
    let (id, arn) = (text(association, "associationId"), text(association, "associationArn"));
    live(scope, key, id, arn, association, actual, State::Ready)
}

/// Reads, makes and changes pod identity associations. Those that belong to an add-on are the add-on's.
pub struct PodIdentityAssociationDriver;

/// `PodIdentityAssociation/NAMESPACE/NAME`: a service account has one at most.
#[must_use]
pub fn key(namespace: &str, service_account: &str) -> Key {
    Key::new(Kind::PodIdentityAssociation, format!("{namespace}/{service_account}"))
}

impl Driver for PodIdentityAssociationDriver {
    fn kind(&self) -> Kind {
        Kind::PodIdentityAssociation
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
        eks("CreatePodIdentityAssociation", create_input(scope, desired, &[], tags, token))
    }

    fn differences(
        &self,
        scope: &Scope,
        _resource: &Resource,
        desired: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _snapshot: &Snapshot,
    ) -> Vec<Difference> {
        let mut found = tag_differences(tags, live);
        let mut input =
            json!({"clusterName": scope.cluster, "associationId": live.id, "clientRequestToken": TOKEN});
        let members = ["roleArn", "disableSessionTags", "targetRoleArn", "policy"];
        for member in members {
            if !desired[member].is_null() {
                input[member] = desired[member].clone();
            }
        }
        let mend = Mend::InPlace(eks("UpdatePodIdentityAssociation", input));
        for member in members {
            let off = desired[member] == json!(false) && live.actual[member].is_null();
            if !off {
                found.extend(difference(desired, &live.actual, &format!("/{member}"), &mend));
            }
        }
        found
    }

    fn delete(&self, scope: &Scope, live: &Live) -> Vec<Call> {
        vec![eks(
            "DeletePodIdentityAssociation",
            json!({"clusterName": scope.cluster, "associationId": live.id}),
        )]
    }
}
