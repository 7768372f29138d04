//! Which AMI nodes start from: by the operating system, the Kubernetes version and what the instance type has.

use crate::model::cluster_config::AmiFamily;

/// Processor architecture of instance types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// Intel and AMD.
    X86,
    /// Graviton.
    Arm,
}

impl Architecture {
    /// `x86_64`, `arm64`, as parameter paths have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }
}

/// Accelerators of instance types that need drivers in the AMI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Accelerator {
    /// None.
    None,
    /// NVIDIA GPUs.
    Nvidia,
    /// AWS Inferentia and Trainium.
    Neuron,
}

/// Which system the newest AMI of a parameter has, by a part of the parameter's path.
pub(super) const FAMILIES: [(&str, &str); 2] =
    [("/amazon-linux-2023/", "AmazonLinux2023"), ("/bottlerocket/", "Bottlerocket")];

/// Letters before the generation, the generation, and what stands after it: `m`, 7, `gd` of `m7gd.large`.
fn parts(instance_type: &str) -> (&str, &str) {
    let family = instance_type.split('.').next().unwrap_or_default();
    let begin = family.find(|c: char| c.is_ascii_digit()).unwrap_or(family.len());
    let attributes = family[begin..].trim_start_matches(|c: char| c.is_ascii_digit());
    (&family[..begin], attributes)
}

/// The architecture, by the type's name: a `g` first after the generation means Graviton, and so does `a1` (EC2 User
/// Guide, instance type naming).
#[must_use]
pub fn architecture(instance_type: &str) -> Architecture {
    let (letters, attributes) = parts(instance_type);
    let arm = letters == "a" || attributes.starts_with('g');
    if arm { Architecture::Arm } else { Architecture::X86 }
}

/// The accelerators, by the type's name. `g4ad` has AMD's, which no EKS AMI has drivers for.
#[must_use]
pub fn accelerator(instance_type: &str) -> Accelerator {
    let (letters, attributes) = parts(instance_type);
    match letters {
        "inf" | "trn" => Accelerator::Neuron,
        "p" => Accelerator::Nvidia,
        "g" | "gr" if !attributes.starts_with('a') => Accelerator::Nvidia,
        _ => Accelerator::None,
    }
}

/// The parameter in Systems Manager that names the newest AMI (EKS User Guide, retrieving AMI ids). `version` is the
/// minor version, such as `1.36`. None for families whose nodes only EKS manages, and for Neuron on Bottlerocket or ARM.
#[must_use]
pub fn parameter(family: AmiFamily, version: &str, instance_type: &str) -> Option<String> {
    let architecture = architecture(instance_type);
    let accelerator = accelerator(instance_type);
    let arch = architecture.as_str();
    match family {
        AmiFamily::AmazonLinux2023 => {
            let variant = match (accelerator, architecture) {
                (Accelerator::None, _) => "standard",
                (Accelerator::Nvidia, _) => "nvidia",
                (Accelerator::Neuron, Architecture::X86) => "neuron",
                (Accelerator::Neuron, Architecture::Arm) => return None,
            };
            Some(format!(
                "/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/{arch}/{variant}/recommended/image_id"
            ))
        }
        AmiFamily::Bottlerocket => {
            let variant = match accelerator {
                Accelerator::None => "",
                Accelerator::Nvidia => "-nvidia",
                Accelerator::Neuron => return None,
            };
            Some(format!("/aws/service/bottlerocket/aws-k8s-{version}{variant}/{arch}/latest/image_id"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_instance_types_tell() {
        for (instance, arch, accelerated) in [
            ("m5.large", Architecture::X86, Accelerator::None),
            ("m7gd.large", Architecture::Arm, Accelerator::None),
            ("a1.large", Architecture::Arm, Accelerator::None),
            ("t4g.nano", Architecture::Arm, Accelerator::None),
            ("g4dn.xlarge", Architecture::X86, Accelerator::Nvidia),
            ("g4ad.xlarge", Architecture::X86, Accelerator::None),
            ("g5g.xlarge", Architecture::Arm, Accelerator::Nvidia),
            ("p4d.24xlarge", Architecture::X86, Accelerator::Nvidia),
            ("inf2.xlarge", Architecture::X86, Accelerator::Neuron),
            ("im4gn.large", Architecture::Arm, Accelerator::None),
            ("u-6tb1.metal", Architecture::X86, Accelerator::None),
        ] {
            assert_eq!((architecture(instance), accelerator(instance)), (arch, accelerated), "{instance}");
        }
    }
}
