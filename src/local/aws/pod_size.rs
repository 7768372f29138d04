//! How large Fargate makes the machine for a pod.

use serde_json::Value;

use super::account::items;

/// What Fargate provisions for a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Milli-CPUs.
    pub(super) cpu: u64,
    /// MiB.
    pub(super) memory: u64,
}

/// Sizes that there are: milli-CPUs, then least, most and step of the memory in MiB
/// (<https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html>).
const SIZES: [(u64, u64, u64, u64); 7] = [
    (250, 512, 2048, 512),
    (500, 1024, 4096, 1024),
    (1000, 2048, 8192, 1024),
    (2000, 4096, 16384, 1024),
    (4000, 8192, 30720, 1024),
    (8000, 16384, 61440, 4096),
    (16000, 32768, 122_880, 8192),
];

impl Size {
    /// The smallest that holds a pod's requests and 256 MiB for the kubelet; `None` where none does. Containers that run
    /// at the same time add up, initial ones count by the largest.
    pub(super) fn of(pod: &Value) -> Option<Size> {
        let spec = &pod["spec"];
        let requests = |list: &'static str| {
            items(spec, list).map(|container| {
                let requests = &container["resources"]["requests"];
                (milli(&requests["cpu"]), bytes(&requests["memory"]) >> 20)
            })
        };
        let (cpu, memory) = requests("containers").fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let (cpu, memory) = requests("initContainers")
            .fold((cpu, memory), |most, one| (most.0.max(one.0), most.1.max(one.1)));
        let memory = memory + 256;
        let (cpu, least, _, step) =
            SIZES.into_iter().find(|(size, _, most, _)| cpu <= *size && memory <= *most)?;
        Some(Size { cpu, memory: memory.max(least).div_ceil(step) * step })
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cpu = match self.cpu {
            250 => "0.25".to_owned(),
            500 => "0.5".to_owned(),
            more => (more / 1000).to_string(),
        };
        let gigabytes = if self.memory.is_multiple_of(1024) {
            (self.memory / 1024).to_string()
        } else {
            format!("{}.5", self.memory / 1024)
        };
        write!(f, "{cpu}vCPU {gigabytes}GB")
    }
}

/// Milli-CPUs of a quantity.
fn milli(quantity: &Value) -> u64 {
    let text = quantity.as_str().unwrap_or_default();
    match text.strip_suffix('m') {
        Some(number) => number.parse().unwrap_or(0),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no pod asks for 10^16 CPUs"
        )]
        None => (text.parse::<f64>().unwrap_or(0.0) * 1000.0).ceil() as u64,
    }
}

/// Bytes of a quantity.
fn bytes(quantity: &Value) -> u64 {
    const UNITS: [(&str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("", 1),
    ];
    let text = quantity.as_str().unwrap_or_default();
    let found = UNITS.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "memory of a pod fits"
        )]
        Some((number * *factor as f64) as u64)
    });
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(requests: &[(&str, &str)]) -> Value {
        let containers: Vec<_> = requests
            .iter()
            .map(|(cpu, memory)| json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}}))
            .collect();
        json!({"spec": {"containers": containers}})
    }

    #[test]
    fn a_pod_gets_the_smallest_size_that_holds_it() {
        let table: [(&[(&str, &str)], &str); 6] = [
            (&[], "0.25vCPU 0.5GB"),
            (&[("250m", "256Mi")], "0.25vCPU 0.5GB"),
            (&[("250m", "257Mi")], "0.25vCPU 1GB"),
            (&[("0.3", "1Gi")], "0.5vCPU 2GB"),
            (&[("1", "1Gi"), ("1", "1Gi")], "2vCPU 4GB"),
            (&[("100m", "9Gi")], "2vCPU 10GB"),
        ];
        for (requests, size) in table {
            assert_eq!(Size::of(&pod(requests)).unwrap().to_string(), size, "{requests:?}");
        }
        assert_eq!(Size::of(&pod(&[("17", "1Gi")])), None);
    }
}
