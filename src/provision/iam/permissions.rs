//! What a role may do: managed policies and inline documents, collected from the ways in which a file can say it.

use super::document::document;
use super::names::managed_policy;
use super::well_known;
use crate::model::cluster_config::{InlineDocument, NodeGroupIamAddonPolicies, WellKnownPolicies};
use crate::provision::resource::Scope;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Policies of a role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Permissions {
    managed: BTreeSet<String>,
    inline: BTreeMap<String, Value>,
}

impl Permissions {
    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.managed.is_empty() && self.inline.is_empty()
    }

    /// With policies that AWS manages, by name.
    #[must_use]
    pub fn aws(mut self, scope: &Scope, names: &[&str]) -> Self {
        self.managed.extend(names.iter().map(|name| managed_policy(scope, name)));
        self
    }

    /// With policies by ARN.
    #[must_use]
    pub fn arns(mut self, arns: &[String]) -> Self {
        self.managed.extend(arns.iter().cloned());
        self
    }

    /// With a document by a name.
    #[must_use]
    pub fn inline(mut self, name: &str, document: Value) -> Self {
        self.inline.insert(name.to_owned(), document);
        self
    }

    /// With a document that the file holds, if it does. The version may be left out there.
    #[must_use]
    pub fn written(self, name: &str, written: Option<&InlineDocument>) -> Self {
        let Some(written) = written else { return self };
        let mut whole = written.clone();
        if !whole.contains_key("Version") {
            whole.insert("Version".to_owned(), document(Vec::new())["Version"].clone());
        }
        self.inline(name, Value::Object(whole))
    }

    /// With those of well-known controllers.
    #[must_use]
    pub fn well_known(mut self, scope: &Scope, wanted: Option<WellKnownPolicies>) -> Self {
        let wanted = wanted.unwrap_or_default();
        if wanted.image_builder {
            self = self.aws(scope, &["AmazonEC2ContainerRegistryPowerUser"]);
        }
        if wanted.ebs_csi_controller {
            self = self.aws(scope, &["service-role/AmazonEBSCSIDriverPolicy"]);
        }
        let documents = [
            (wanted.auto_scaler, "AutoScaler", well_known::auto_scaler()),
            (
                wanted.aws_load_balancer_controller,
                "AWSLoadBalancerController",
                well_known::load_balancer_controller(scope),
            ),
            (wanted.cert_manager, "CertManager", well_known::cert_manager(scope)),
            (wanted.efs_csi_controller, "EFSCSIController", well_known::efs_csi()),
            (wanted.external_dns, "ExternalDNS", well_known::external_dns(scope)),
        ];
        for (_, name, document) in documents.into_iter().filter(|(wanted, ..)| *wanted) {
            self = self.inline(name, document);
        }
        self
    }

    /// With those that programs need who use the node's role.
    #[must_use]
    pub fn of_node_addons(mut self, scope: &Scope, wanted: Option<NodeGroupIamAddonPolicies>) -> Self {
        let wanted = wanted.unwrap_or_default();
        self = self.well_known(
            scope,
            Some(WellKnownPolicies {
                auto_scaler: wanted.auto_scaler,
                aws_load_balancer_controller: wanted.aws_load_balancer_controller || wanted.alb_ingress,
                cert_manager: wanted.cert_manager,
                ebs_csi_controller: wanted.ebs,
                efs_csi_controller: false,
                external_dns: wanted.external_dns,
                image_builder: wanted.image_builder,
            }),
        );
        if wanted.cloud_watch {
            self = self.aws(scope, &["CloudWatchAgentServerPolicy"]);
        }
        if wanted.efs {
            self = self.inline("EFS", well_known::efs_of_nodes());
        }
        if wanted.fsx {
            self = self.inline("FSX", well_known::fsx(scope));
        }
        if wanted.x_ray {
            self = self.inline("XRay", well_known::x_ray());
        }
        self
    }

    /// Puts them into a role's declaration.
    pub fn declare(self, desired: &mut Map<String, Value>) {
        desired.insert("ManagedPolicyArns".to_owned(), json!(self.managed));
        desired.insert("InlinePolicies".to_owned(), json!(self.inline));
    }
}
