//! The add-ons there are: DescribeAddonVersions, DescribeAddonConfiguration.

use super::error::ApiError;
use super::options::{EksOptions, KubernetesVersion};
use super::paging::page;
use super::service::{Asked, Service};
use super::state::texts;
use serde_json::{Value, json};

/// An add-on.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Name.
    pub name: &'static str,
    /// `networking`, `storage`…
    pub kind: &'static str,
    /// Namespace of its objects.
    pub namespace: &'static str,
    /// Service accounts that need a role, with the managed policy recommended for it.
    pub roles: &'static [(&'static str, &'static str)],
    /// Versions with the minors (36 of 1.36) from and up to which they are offered; the newest first. None for kube-proxy,
    /// whose versions are those of Kubernetes.
    releases: &'static [(&'static str, u32, u32)],
}

/// Every add-on. Versions are of the forms that the service uses; which minor has which is our own choice: an upgrade of
/// one minor makes some of them necessary, as it does in the service.
pub const PRODUCTS: &[Product] = &[
    Product {
        name: "aws-ebs-csi-driver",
        kind: "storage",
        namespace: "kube-system",
        roles: &[("ebs-csi-controller-sa", "AmazonEBSCSIDriverPolicy")],
        releases: &[
            ("v1.58.0-eksbuild.1", 34, 99),
            ("v1.54.0-eksbuild.1", 0, 99),
            ("v1.48.0-eksbuild.2", 0, 35),
        ],
    },
    Product {
        name: "aws-efs-csi-driver",
        kind: "storage",
        namespace: "kube-system",
        roles: &[
            ("efs-csi-controller-sa", "service-role/AmazonEFSCSIDriverPolicy"),
            ("efs-csi-node-sa", "service-role/AmazonEFSCSIDriverPolicy"),
        ],
        releases: &[("v2.3.0-eksbuild.1", 0, 99), ("v2.1.15-eksbuild.1", 0, 36)],
    },
    Product {
        name: "coredns",
        kind: "networking",
        namespace: "kube-system",
        roles: &[],
        releases: &[
            ("v1.14.2-eksbuild.1", 36, 99),
            ("v1.13.2-eksbuild.4", 34, 36),
            ("v1.12.4-eksbuild.6", 0, 35),
        ],
    },
    Product {
        name: "eks-node-monitoring-agent",
        kind: "observability",
        namespace: "kube-system",
        roles: &[],
        releases: &[("v1.6.1-eksbuild.1", 0, 99), ("v1.5.0-eksbuild.1", 0, 99)],
    },
    Product {
        name: "eks-pod-identity-agent",
        kind: "security",
        namespace: "kube-system",
        roles: &[],
        releases: &[("v1.3.10-eksbuild.2", 0, 99), ("v1.3.9-eksbuild.3", 0, 99)],
    },
    Product {
        name: "external-dns",
        kind: "networking",
        namespace: "external-dns",
        roles: &[("external-dns", "AmazonRoute53FullAccess")],
        releases: &[("v0.20.0-eksbuild.1", 0, 99), ("v0.19.0-eksbuild.2", 0, 99)],
    },
    Product { name: "kube-proxy", kind: "networking", namespace: "kube-system", roles: &[], releases: &[] },
    Product {
        name: "metrics-server",
        kind: "observability",
        namespace: "kube-system",
        roles: &[],
        releases: &[("v0.8.1-eksbuild.2", 0, 99), ("v0.8.0-eksbuild.6", 0, 99)],
    },
    Product {
        name: "snapshot-controller",
        kind: "storage",
        namespace: "kube-system",
        roles: &[],
        releases: &[("v8.4.0-eksbuild.1", 0, 99), ("v8.3.0-eksbuild.3", 0, 99)],
    },
    Product {
        name: "vpc-cni",
        kind: "networking",
        namespace: "kube-system",
        roles: &[("aws-node", "AmazonEKS_CNI_Policy")],
        releases: &[
            ("v1.21.2-eksbuild.1", 0, 99),
            ("v1.20.5-eksbuild.1", 0, 99),
            ("v1.19.6-eksbuild.7", 0, 35),
        ],
    },
];

impl Product {
    /// The add-on of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<&'static Self> {
        PRODUCTS.iter().find(|product| product.name == name)
    }

    /// Its versions, newest first, each with the minors that it is offered for.
    #[must_use]
    pub fn versions<'a>(&self, options: &'a EksOptions) -> Vec<(String, Vec<&'a KubernetesVersion>)> {
        let mut minors: Vec<&KubernetesVersion> = options.versions.iter().collect();
        minors.sort_by_key(|minor| std::cmp::Reverse(minor.number()));
        let offered = |from: u32, to: u32| {
            minors.iter().filter(|minor| (from..=to).contains(&minor.number())).copied().collect::<Vec<_>>()
        };
        let all: Vec<(String, Vec<&KubernetesVersion>)> = if self.name == "kube-proxy" {
            // It may be up to three minors behind the control plane, never before it.
            let of_minor = |minor: &&KubernetesVersion| {
                let offered = offered(minor.number(), minor.number() + 3);
                [2, 1].map(|build| (format!("v{}-eksbuild.{build}", minor.patch), offered.clone()))
            };
            minors.iter().flat_map(of_minor).collect()
        } else {
            self.releases
                .iter()
                .map(|(version, from, to)| ((*version).to_owned(), offered(*from, *to)))
                .collect()
        };
        all.into_iter().filter(|(_, minors)| !minors.is_empty()).collect()
    }

    /// The versions for a minor, newest first.
    #[must_use]
    pub fn versions_for(&self, options: &EksOptions, minor: &str) -> Vec<String> {
        let versions = self.versions(options).into_iter();
        versions
            .filter(|(_, minors)| minors.iter().any(|offered| offered.minor == minor))
            .map(|(version, _)| version)
            .collect()
    }

    /// What a cluster of a minor gets when no version is asked for: not the newest, as in the service.
    #[must_use]
    pub fn default_for(&self, options: &EksOptions, minor: &str) -> Option<String> {
        let versions = self.versions_for(options, minor);
        versions.get(1).or(versions.first()).cloned()
    }
}

/// DescribeAddonVersions.
pub fn describe_versions(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let input = &asked.input;
    let minor = input["kubernetesVersion"].as_str();
    let chosen = |member: &str, value: &str| {
        let wanted = texts(input, member);
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == value)
    };
    let products = PRODUCTS.iter().filter(|product| {
        input["addonName"].as_str().is_none_or(|name| name == product.name)
            && chosen("types", product.kind)
            && chosen("publishers", "eks")
            && chosen("owners", "aws")
    });
    let options = &service.options;
    let described = |product: &Product| {
        let versions = product.versions(options).into_iter().filter_map(|(version, minors)| {
            let offered: Vec<Value> = minors
                .iter()
                .filter(|offered| minor.is_none_or(|minor| offered.minor == minor))
                .map(|offered| {
                    let default = product.default_for(options, &offered.minor).as_ref() == Some(&version);
                    json!({"clusterVersion": offered.minor, "platformVersions": ["*"], "defaultVersion": default})
                })
                .collect();
            (!offered.is_empty()).then(|| {
                json!({
                    "addonVersion": version,
                    "architecture": ["amd64", "arm64"],
                    "computeTypes": ["ec2", "auto", "hybrid"],
                    "compatibilities": offered,
                    "requiresConfiguration": false,
                    "requiresIamPermissions": !product.roles.is_empty(),
                })
            })
        });
        let versions: Vec<Value> = versions.collect();
        json!({
            "addonName": product.name,
            "type": product.kind,
            "addonVersions": versions,
            "publisher": "eks",
            "owner": "aws",
            "defaultNamespace": product.namespace,
        })
    };
    let items = products.map(|product| (product.name.to_owned(), described(product)));
    let items = items.filter(|(_, view)| view["addonVersions"].as_array().is_some_and(|all| !all.is_empty()));
    page("addons", items.collect::<Vec<_>>(), input).map(Value::Object)
}

/// DescribeAddonConfiguration.
pub fn describe_configuration(service: &Service, asked: &Asked) -> Result<Value, ApiError> {
    let (name, version) = (asked.text("addonName"), asked.text("addonVersion"));
    let product = Product::of(name);
    let known = product
        .filter(|product| product.versions(&service.options).iter().any(|(offered, _)| offered == version));
    let Some(product) = known else {
        let message = format!("there is no version {version:?} of an add-on {name:?}");
        return Err(ApiError::not_found(message).with("addonName", name));
    };
    let mut answer = json!({
        "addonName": name,
        "addonVersion": version,
        "configurationSchema": super::addon_schemas::of(name).to_string(),
    });
    if !product.roles.is_empty() {
        let partition = service.options.partition();
        let roles = product.roles.iter().map(|(account, policy)| {
            let policy = format!("arn:{partition}:iam::aws:policy/{policy}");
            json!({"serviceAccount": account, "recommendedManagedPolicies": [policy]})
        });
        answer["podIdentityConfiguration"] = roles.collect();
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{PRODUCTS, Product};
    use crate::local::aws::eks::options::EksOptions;

    #[test]
    fn every_minor_has_every_add_on_and_an_upgrade_needs_some() {
        let options = EksOptions::new("123456789012", "eu-central-1");
        for product in PRODUCTS {
            for version in &options.versions {
                assert!(
                    product.default_for(&options, &version.minor).is_some(),
                    "{} {version:?}",
                    product.name
                );
            }
        }
        let coredns = Product::of("coredns").unwrap();
        let old = coredns.default_for(&options, "1.35").unwrap();
        assert!(!coredns.versions_for(&options, "1.36").contains(&old), "{old}");
        let proxy = Product::of("kube-proxy").unwrap();
        assert!(proxy.versions_for(&options, "1.36").contains(&"v1.35.4-eksbuild.1".to_owned()));
        assert!(!proxy.versions_for(&options, "1.35").contains(&"v1.36.3-eksbuild.1".to_owned()));
    }
}
