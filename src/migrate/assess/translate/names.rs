//! Names that EKS takes.

/// Longest name of a cluster (`CreateClusterRequest.name` of the EKS API).
const CLUSTER: usize = 100;
/// Longest name of a node group (`CreateNodegroupRequest.nodegroupName`).
const NODE_GROUP: usize = 63;

/// A kops cluster's name, which is one of DNS, as EKS takes it: dots become dashes.
#[must_use]
pub fn cluster_name(kops: &str) -> String {
    eks(kops, CLUSTER)
}

/// An InstanceGroup's name as EKS takes it for a node group.
#[must_use]
pub fn node_group_name(kops: &str) -> String {
    eks(kops, NODE_GROUP)
}

fn eks(name: &str, most: usize) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let name: String = name.chars().map(allowed).collect();
    let name = name.trim_start_matches(['-', '_']);
    let cut = &name[..name.len().min(most)];
    let cut = cut.trim_end_matches('-');
    if cut.is_empty() { "kops".to_owned() } else { cut.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_become_dashes_and_the_rest_fits() {
        assert_eq!(cluster_name("live-1.cloud.example.com"), "live-1-cloud-example-com");
        assert_eq!(cluster_name("-.ä."), "kops");
        assert_eq!(cluster_name(&"a".repeat(200)).len(), 100);
        assert_eq!(node_group_name(&format!("{}.b", "a".repeat(62))), "a".repeat(62));
    }
}
