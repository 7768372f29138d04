//! Attributes by which Auto Scaling chooses instance types; a launch template and a group say them in the same words.
//! (`InstanceRequirements` of the EC2 API and of the Auto Scaling API)

use crate::provision::export::hcl::Block;
use serde_json::{Value, json};

/// Least and most of something, by the API's member and the provider's block.
const RANGES: [(&str, &str); 9] = [
    ("VCpuCount", "vcpu_count"),
    ("MemoryMiB", "memory_mib"),
    ("MemoryGiBPerVCpu", "memory_gib_per_vcpu"),
    ("AcceleratorCount", "accelerator_count"),
    ("AcceleratorTotalMemoryMiB", "accelerator_total_memory_mib"),
    ("BaselineEbsBandwidthMbps", "baseline_ebs_bandwidth_mbps"),
    ("NetworkBandwidthGbps", "network_bandwidth_gbps"),
    ("NetworkInterfaceCount", "network_interface_count"),
    ("TotalLocalStorageGB", "total_local_storage_gb"),
];
/// Words and lists of words.
const WORDS: [(&str, &str); 11] = [
    ("AcceleratorManufacturers", "accelerator_manufacturers"),
    ("AcceleratorNames", "accelerator_names"),
    ("AcceleratorTypes", "accelerator_types"),
    ("AllowedInstanceTypes", "allowed_instance_types"),
    ("BareMetal", "bare_metal"),
    ("BurstablePerformance", "burstable_performance"),
    ("CpuManufacturers", "cpu_manufacturers"),
    ("ExcludedInstanceTypes", "excluded_instance_types"),
    ("InstanceGenerations", "instance_generations"),
    ("LocalStorage", "local_storage"),
    ("LocalStorageTypes", "local_storage_types"),
];
/// Numbers, and what is so or not.
const LITERALS: [(&str, &str); 4] = [
    ("RequireHibernateSupport", "require_hibernate_support"),
    ("SpotMaxPricePercentageOverLowestPrice", "spot_max_price_percentage_over_lowest_price"),
    ("OnDemandMaxPricePercentageOverLowestPrice", "on_demand_max_price_percentage_over_lowest_price"),
    (
        "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice",
        "max_spot_price_as_percentage_of_optimal_on_demand_price",
    ),
];
/// Members that the provider has no argument for.
const UNSAID: [&str; 2] = ["BaselinePerformanceFactors", "RequireEncryptionInTransit"];

/// The block; empty where nothing is required.
pub(super) fn block(found: &Value) -> Block {
    let block = Block::new("instance_requirements", &[]);
    let block = WORDS.iter().fold(block, |block, (member, name)| block.plain(name, &found[*member]));
    let block =
        LITERALS.iter().fold(block, |block, (member, name)| block.plain(name, &literal(&found[*member])));
    block.blocks(RANGES.iter().map(|(member, name)| {
        let range = &found[*member];
        Block::new(name, &[]).plain("min", &literal(&range["Min"])).plain("max", &literal(&range["Max"]))
    }))
}

/// What is required and not in the block.
pub(super) fn unsaid(found: &Value) -> Vec<&'static str> {
    UNSAID.into_iter().filter(|member| !found[*member].is_null()).collect()
}

/// The answers of Query APIs are all text.
fn literal(found: &Value) -> Value {
    let Some(text) = found.as_str() else { return found.clone() };
    match text {
        "true" => json!(true),
        "false" => json!(false),
        text => text.parse::<i64>().map_or_else(
            |_| text.parse::<f64>().map_or_else(|_| found.clone(), |number| json!(number)),
            |number| json!(number),
        ),
    }
}
