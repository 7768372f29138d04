//! What a node group's version, type of image and launch template come to.

use serde_json::Value;

use super::account::{internal, problem, text};
use super::cluster::Running;
use super::template::{Copy, Template};
use super::world::{Issue, Tags};
use crate::local::release::Release;

/// The date in the release versions of images, as moto has them.
const RELEASE_DATE: &str = "20261120";

/// What a node group's version and template come to.
pub(super) struct Plan {
    image: String,
    pub(super) release: String,
    pub(super) user: Option<Template>,
}

impl Plan {
    pub(super) async fn of(cluster: &Running, view: &Value) -> Result<Plan, Issue> {
        let user = match view["launchTemplate"].is_null() {
            true => None,
            false => Some(Template::of_user(&cluster.account, &view["launchTemplate"]).await?),
        };
        if let Some(image) = user.as_ref().and_then(Template::image) {
            return Ok(Plan { release: image.clone(), image, user });
        }
        let minor = text(view, "version");
        let ami_type = text(view, "amiType");
        let images = cluster.account.provider.images().await.map_err(internal)?;
        let wanted = image_name(&ami_type, &minor);
        let found =
            images.iter().find(|(name, _)| wanted.as_ref().is_some_and(|wanted| name.starts_with(wanted)));
        let Some((_, image)) = found else {
            return Err(problem("AmiIdNotFound", format!("there is no image {ami_type} for {minor}"), &[]));
        };
        let version = Release::find(&minor).map_err(internal)?.version.trim_start_matches('v');
        let newest = if ami_type.starts_with("BOTTLEROCKET") {
            "1.50.0".to_owned()
        } else {
            format!("{version}-{RELEASE_DATE}")
        };
        let release = view["releaseVersion"].as_str().map_or(newest, str::to_owned);
        Ok(Plan { image: image.clone(), release, user })
    }

    pub(super) fn copy<'a>(
        &'a self,
        cluster: &Running,
        view: &'a Value,
        tags: &'a Tags,
        remote_access: Option<&String>,
    ) -> Copy<'a> {
        let groups = [Some(&cluster.security_group), remote_access];
        Copy {
            image: &self.image,
            disk: view["diskSize"].as_u64().unwrap_or(20),
            key: view["remoteAccess"]["ec2SshKey"].as_str(),
            security_groups: groups.into_iter().flatten().cloned().collect(),
            tags,
            user: self.user.as_ref(),
        }
    }
}

/// The beginning of the name of an image.
fn image_name(ami_type: &str, minor: &str) -> Option<String> {
    let lower = ami_type.to_lowercase();
    let arm = lower.contains("arm_64") || lower.contains("arm64");
    if lower.starts_with("al2023") {
        let architecture = if arm { "arm64" } else { "x86_64" };
        let variant = if lower.ends_with("nvidia") {
            "nvidia"
        } else if lower.ends_with("neuron") {
            "neuron"
        } else {
            "standard"
        };
        return Some(format!("amazon-eks-node-al2023-{architecture}-{variant}-{minor}-"));
    }
    if lower.starts_with("bottlerocket") {
        let architecture = if arm { "aarch64" } else { "x86_64" };
        let variant = if lower.contains("nvidia") { "-nvidia" } else { "" };
        return Some(format!("bottlerocket-aws-k8s-{minor}{variant}-{architecture}-"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_of_image_has_a_name() {
        let table = [
            ("AL2023_x86_64_STANDARD", Some("amazon-eks-node-al2023-x86_64-standard-1.36-")),
            ("AL2023_ARM_64_STANDARD", Some("amazon-eks-node-al2023-arm64-standard-1.36-")),
            ("AL2023_x86_64_NVIDIA", Some("amazon-eks-node-al2023-x86_64-nvidia-1.36-")),
            ("BOTTLEROCKET_ARM_64", Some("bottlerocket-aws-k8s-1.36-aarch64-")),
            ("BOTTLEROCKET_x86_64_NVIDIA", Some("bottlerocket-aws-k8s-1.36-nvidia-x86_64-")),
            ("WINDOWS_CORE_2022_x86_64", None),
        ];
        for (ami_type, name) in table {
            assert_eq!(image_name(ami_type, "1.36").as_deref(), name, "{ami_type}");
        }
    }
}
