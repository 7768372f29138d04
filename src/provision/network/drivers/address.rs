//! Elastic IP addresses of NAT gateways.

use super::super::answer::{only, some_text, text};
use super::super::ec2::{Table, ec2, ec2_tag_differences};
use crate::model::cloud::Call;
use crate::provision::resource::{Difference, Driver, Kind, Live, Resource, Scope, Snapshot, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TABLE: Table = Table {
    kind: Kind::Address,
    describe: "DescribeAddresses",
    filters: "Filters",
    set: "addressesSet",
    id: "allocationId",
    member: "AllocationId",
    id_filter: "allocation-id",
    resource_type: "elastic-ip",
    in_use: |live| live.outputs.contains_key("association"),
};

/// [`Kind::Address`].
#[derive(Clone, Copy, Debug)]
pub struct AddressDriver;

impl Driver for AddressDriver {
    fn kind(&self) -> Kind {
        Kind::Address
    }

    fn reads(&self, scope: &Scope, _: &Snapshot, declared: &[Resource]) -> Vec<Call> {
        TABLE.reads(scope, declared)
    }

    fn absorb(
        &self,
        scope: &Scope,
        declared: &[Resource],
        call: &Call,
        answer: &Value,
        into: &mut Snapshot,
    ) -> Vec<Call> {
        TABLE.absorb(scope, declared, call, answer, into, |found| {
            let mut outputs = vec![("publicIp".to_owned(), json!(text(found.item, "publicIp")))];
            if let Some(association) = some_text(found.item, "associationId") {
                outputs.push(("association".to_owned(), json!(association)));
            }
            Some((json!({"Domain": text(found.item, "domain")}), outputs, State::Ready))
        });
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
        TABLE.create("AllocateAddress", only(desired, &["Domain"]), tags, None)
    }

    fn differences(
        &self,
        _: &Scope,
        _: &Resource,
        _: &Value,
        tags: &BTreeMap<String, String>,
        live: &Live,
        _: &Snapshot,
    ) -> Vec<Difference> {
        ec2_tag_differences(tags, live)
    }

    fn delete(&self, _: &Scope, live: &Live) -> Vec<Call> {
        vec![ec2("ReleaseAddress", json!({"AllocationId": live.id}))]
    }
}
