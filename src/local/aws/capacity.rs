//! What fits on a node: by its instance type, as EKS's images reserve it.

use serde_json::{Value, json};

use super::account::{Account, items, text};
use crate::ports::CloudFailure;

/// An instance type, as far as nodes are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::local) struct InstanceType {
    pub(in crate::local) name: String,
    /// `x86_64`, `arm64`; some have two.
    pub(in crate::local) architectures: Vec<String>,
    cpus: u64,
    /// MiB.
    memory: u64,
    interfaces: u64,
    addresses: u64,
    gpus: u64,
}

impl InstanceType {
    /// Instance types by name; `None` when EC2 does not know one of them.
    ///
    /// # Errors
    /// When EC2 does not answer.
    pub(in crate::local) async fn describe(
        account: &Account,
        names: &[String],
    ) -> Result<Option<Vec<InstanceType>>, CloudFailure> {
        match account.ec2("DescribeInstanceTypes", json!({"InstanceTypes": names})).await {
            Ok(answer) => {
                let found: Vec<_> = items(&answer, "instanceTypeSet").map(InstanceType::read).collect();
                let all = names.iter().all(|name| found.iter().any(|kind| kind.name == *name));
                Ok(all.then_some(found))
            }
            Err(failure) if failure.code.starts_with("InvalidInstanceType") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn read(item: &Value) -> InstanceType {
        let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        let network = &item["networkInfo"];
        // Only those of the default card: the VPC CNI uses no other.
        let card = items(network, "networkCards")
            .find(|card| card["networkCardIndex"] == network["defaultNetworkCardIndex"]);
        let architectures = items(&item["processorInfo"], "supportedArchitectures");
        InstanceType {
            name: text(item, "instanceType"),
            architectures: architectures.filter_map(|a| a.as_str().map(str::to_owned)).collect(),
            cpus: number(&item["vCpuInfo"]["defaultVCpus"]),
            memory: number(&item["memoryInfo"]["sizeInMiB"]),
            interfaces: number(
                card.unwrap_or(network).get("maximumNetworkInterfaces").unwrap_or(&Value::Null),
            ),
            addresses: number(&network["ipv4AddressesPerInterface"]),
            gpus: items(&item["gpuInfo"], "gpus").map(|gpu| number(&gpu["count"])).sum(),
        }
    }

    /// `amd64` or `arm64`, as Kubernetes writes it.
    pub(in crate::local) fn architecture(&self) -> &'static str {
        if self.architectures.iter().any(|architecture| architecture == "arm64") { "arm64" } else { "amd64" }
    }

    /// Most pods without prefix delegation: each interface keeps one address for itself, and two pods (aws-node,
    /// kube-proxy) use the host's (vpc-cni's `eni-max-pods.txt` is made by this formula).
    pub(in crate::local) fn pods(&self) -> u64 {
        self.interfaces * self.addresses.saturating_sub(1) + 2
    }

    /// `capacity` and `allocatable` of a node with a root volume of `disk` GiB.
    pub(in crate::local) fn room(&self, disk: u64) -> (Value, Value) {
        // The kernel keeps about 3 % for itself.
        let memory = self.memory * 1024 * 97 / 100;
        // EKS's images: 255 MiB and 11 MiB for each pod, and 100 MiB before eviction begins.
        let reserved = (255 + 11 * self.pods() + 100) * 1024;
        let disk_bytes = disk.max(1) << 30;
        let describe = |cpu: String, memory: u64, disk: String| {
            let mut room = json!({
                "cpu": cpu, "memory": format!("{memory}Ki"), "ephemeral-storage": disk,
                "pods": self.pods().to_string(), "hugepages-1Gi": "0", "hugepages-2Mi": "0",
            });
            if self.gpus > 0 {
                room["nvidia.com/gpu"] = self.gpus.to_string().into();
            }
            room
        };
        let capacity = describe(self.cpus.to_string(), memory, format!("{}Ki", disk_bytes / 1024));
        let left = format!("{}m", self.cpus * 1000 - reserved_cpu(self.cpus).min(self.cpus * 1000));
        // 1 GiB for the system, 10 % before eviction begins.
        let disk_left = disk_bytes.saturating_sub(1 << 30) * 9 / 10;
        (capacity, describe(left, memory.saturating_sub(reserved), disk_left.to_string()))
    }

    /// `capacity` and `allocatable` of a node whose kubelet reserves nothing but what its own defaults do: memory before
    /// eviction begins, a tenth of the root volume of `disk` GiB. It holds `pods` pods.
    pub(in crate::local) fn room_by_default(&self, disk: u64, pods: u64) -> (Value, Value) {
        let memory = self.memory * 1024 * 97 / 100;
        let disk_bytes = disk.max(1) << 30;
        let describe = |memory: u64, disk: String| {
            json!({
                "cpu": self.cpus.to_string(), "memory": format!("{memory}Ki"), "ephemeral-storage": disk,
                "pods": pods.to_string(), "hugepages-1Gi": "0", "hugepages-2Mi": "0",
            })
        };
        let capacity = describe(memory, format!("{}Ki", disk_bytes / 1024));
        (capacity, describe(memory.saturating_sub(100 * 1024), (disk_bytes * 9 / 10).to_string()))
    }
}

/// Most pods of a node of an instance type, as DescribeInstanceTypes answers it (`instanceTypeSet`).
#[must_use]
pub fn most_pods(described: &Value) -> u64 {
    InstanceType::read(described).pods()
}

/// Milli-CPUs that EKS's images keep for the kubelet: 6 % of the first, 1 % of the second, 0.5 % of the next two and
/// 0.25 % of all others.
fn reserved_cpu(cpus: u64) -> u64 {
    let rest = cpus.saturating_sub(4) * 10 / 4;
    60 * cpus.min(1) + 10 * cpus.saturating_sub(1).min(1) + 5 * cpus.saturating_sub(2).min(2) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cpus: u64, memory: u64, interfaces: u64, addresses: u64) -> InstanceType {
        InstanceType {
            name: "x".into(),
            architectures: vec!["x86_64".into()],
            cpus,
            memory,
            interfaces,
            addresses,
            gpus: 0,
        }
    }

    #[test]
    fn pods_follow_from_interfaces() {
        // t3.medium, m5.large, m5.xlarge.
        for (interfaces, addresses, pods) in [(3, 6, 17), (3, 10, 29), (4, 15, 58)] {
            assert_eq!(of(2, 4096, interfaces, addresses).pods(), pods);
        }
    }

    #[test]
    fn what_is_reserved_grows_with_the_type() {
        assert_eq!([1, 2, 4, 8, 16].map(reserved_cpu), [60, 70, 80, 90, 110]);
        let (capacity, allocatable) = of(2, 8192, 3, 10).room(20);
        assert_eq!(capacity["cpu"], "2");
        assert_eq!(allocatable["cpu"], "1930m");
        assert_eq!(capacity["pods"], "29");
        assert_eq!(allocatable["pods"], "29");
        assert_eq!(capacity["memory"], "8136949Ki");
        assert_eq!(allocatable["memory"], "7446773Ki");
    }
}
