//! What a managed node group may be asked for.

use super::error::ApiError;
use super::options::minor_number;
use super::pattern::Pattern;
use super::state::{text, texts};
use serde_json::{Value, json};

/// Prefixes of labels that Kubernetes and the service keep to themselves (eksctl#4007).
const RESERVED_LABELS: [&str; 3] = ["kubernetes.io/", "k8s.io/", "eks.amazonaws.com/"];
/// The last minor with images of Amazon Linux 2.
const LAST_AL2: u32 = 32;
/// Most nodes of a node group, most taints, most instance types, most nodes replaced at once.
const NODES: i64 = 450;
const TAINTS: usize = 50;
const INSTANCE_TYPES: usize = 20;
const UNAVAILABLE: i64 = 100;

/// Refuses a name that a node group or a Fargate profile cannot have.
///
/// # Errors
/// `InvalidParameterException`.
pub fn name(name: &str, member: &str) -> Result<(), ApiError> {
    let fits = Pattern::new("[0-9A-Za-z][A-Za-z0-9_-]{0,62}").is_ok_and(|pattern| pattern.matches(name));
    if fits { Ok(()) } else { Err(ApiError::parameter(format!("{member}: {name:?} is not a valid name"))) }
}

/// Sizes after a request changed what was before.
///
/// # Errors
/// `InvalidParameterException`; `ResourceLimitExceededException` above the quota.
pub fn scaling(before: &Value, asked: &Value) -> Result<Value, ApiError> {
    let size = |member: &str| asked[member].as_i64().or_else(|| before[member].as_i64()).unwrap_or(0);
    let (min, max, desired) = (size("minSize"), size("maxSize"), size("desiredSize"));
    if min > max {
        return Err(ApiError::parameter(format!(
            "Minimum capacity {min} can't be greater than maximum size {max}"
        )));
    }
    if min > desired {
        return Err(ApiError::parameter(format!(
            "Minimum capacity {min} can't be greater than desired size {desired}"
        )));
    }
    if desired > max {
        return Err(ApiError::parameter(format!(
            "desired capacity {desired} can't be greater than max size {max}"
        )));
    }
    if max > NODES {
        return Err(ApiError::limit(format!("maxSize {max} is above the quota of {NODES} nodes")));
    }
    Ok(json!({"minSize": min, "maxSize": max, "desiredSize": desired}))
}

/// How many nodes may be away at once.
///
/// # Errors
/// `InvalidParameterException`: both ways of saying it.
pub fn update_config(asked: &Value) -> Result<Value, ApiError> {
    let (count, percentage) = (&asked["maxUnavailable"], &asked["maxUnavailablePercentage"]);
    let mut config = match (count.as_i64(), percentage.as_i64()) {
        (Some(_), Some(_)) => {
            return Err(ApiError::parameter(
                "updateConfig: maxUnavailable and maxUnavailablePercentage cannot be given together",
            ));
        }
        (Some(count), None) if count > UNAVAILABLE => {
            return Err(ApiError::parameter(format!(
                "updateConfig: maxUnavailable is at most {UNAVAILABLE}"
            )));
        }
        (None, Some(percentage)) => json!({"maxUnavailablePercentage": percentage}),
        (count, None) => json!({"maxUnavailable": count.unwrap_or(1)}),
    };
    if let Some(strategy) = asked["updateStrategy"].as_str() {
        config["updateStrategy"] = strategy.into();
    }
    Ok(config)
}

/// Refuses limits of node repair that exclude each other.
///
/// # Errors
/// `InvalidParameterException`.
pub fn repair(asked: &Value) -> Result<(), ApiError> {
    for limit in ["maxUnhealthyNodeThreshold", "maxParallelNodesRepaired"] {
        if !asked[format!("{limit}Count")].is_null() && !asked[format!("{limit}Percentage")].is_null() {
            let message =
                format!("nodeRepairConfig: {limit}Count and {limit}Percentage cannot be given together");
            return Err(ApiError::parameter(message));
        }
    }
    Ok(())
}

/// Refuses labels that nodes of a managed group cannot be given.
///
/// # Errors
/// `InvalidParameterException`.
pub fn labels<'a>(labels: impl Iterator<Item = (&'a String, &'a Value)>) -> Result<(), ApiError> {
    let name = Pattern::new("[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?").ok();
    let is_name = |text: &str| name.as_ref().is_some_and(|pattern| pattern.matches(text));
    for (key, value) in labels {
        let (prefix, rest) = key.split_once('/').map_or(("", key.as_str()), |(prefix, rest)| (prefix, rest));
        let domain = format!("{prefix}/");
        if RESERVED_LABELS.iter().any(|kept| domain == *kept || domain.ends_with(&format!(".{kept}"))) {
            return Err(ApiError::parameter(format!(
                "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]: {key}"
            )));
        }
        let value = value.as_str().unwrap_or_default();
        if !is_name(rest)
            || (!prefix.is_empty() && !is_name(prefix))
            || (!value.is_empty() && !is_name(value))
        {
            return Err(ApiError::parameter(format!("the label {key}={value} is not valid in Kubernetes")));
        }
    }
    Ok(())
}

/// Refuses taints that are too many, incomplete or doubled.
///
/// # Errors
/// `InvalidParameterException`.
pub fn taints(taints: &Value) -> Result<(), ApiError> {
    let taints = taints.as_array().map_or(&[][..], Vec::as_slice);
    if taints.len() > TAINTS {
        return Err(ApiError::parameter(format!("{} taints, at most {TAINTS} are allowed", taints.len())));
    }
    for (index, taint) in taints.iter().enumerate() {
        if taint["key"].is_null() || taint["effect"].is_null() {
            return Err(ApiError::parameter("a taint needs a key and an effect"));
        }
        let doubled = taints[..index]
            .iter()
            .any(|other| other["key"] == taint["key"] && other["effect"] == taint["effect"]);
        if doubled {
            return Err(ApiError::parameter(format!("the taint {} is given twice", text(taint, "key"))));
        }
    }
    Ok(())
}

/// Refuses what goes against a launch template.
///
/// # Errors
/// `InvalidParameterException`.
pub fn launch_template(input: &Value) -> Result<(), ApiError> {
    let types = texts(input, "instanceTypes");
    if types.len() > INSTANCE_TYPES {
        return Err(ApiError::parameter(format!("at most {INSTANCE_TYPES} instance types may be given")));
    }
    let remote = &input["remoteAccess"];
    if remote["ec2SshKey"].is_null() && !texts(remote, "sourceSecurityGroups").is_empty() {
        return Err(ApiError::parameter("remoteAccess: sourceSecurityGroups need an ec2SshKey"));
    }
    let template = &input["launchTemplate"];
    if template.is_null() {
        return Ok(());
    }
    if template["id"].is_null() == template["name"].is_null() {
        return Err(ApiError::parameter("launchTemplate: either the name or the id is needed, not both"));
    }
    for member in ["diskSize", "remoteAccess"] {
        if !input[member].is_null() {
            return Err(ApiError::parameter(format!(
                "{member} cannot be given together with a launch template"
            )));
        }
    }
    Ok(())
}

/// The type of the image.
///
/// # Errors
/// `InvalidParameterException`: none for this minor, none for these instance types.
pub fn ami_type<'a>(input: &'a Value, version: &str) -> Result<&'a str, ApiError> {
    let ami_type = input["amiType"].as_str().unwrap_or(if minor_number(version) > 29 {
        "AL2023_x86_64_STANDARD"
    } else {
        "AL2_x86_64"
    });
    if ami_type == "CUSTOM" {
        if input["launchTemplate"].is_null() {
            return Err(ApiError::parameter("amiType CUSTOM needs a launch template with an image"));
        }
        for member in ["version", "releaseVersion"] {
            if !input[member].is_null() {
                let message = format!("{member} cannot be given together with an image of one's own");
                return Err(ApiError::parameter(message));
            }
        }
        return Ok(ami_type);
    }
    if ami_type.starts_with("AL2_") && minor_number(version) > LAST_AL2 {
        let message =
            format!("Requested amiType {ami_type} is not supported for kubernetes version {version}");
        return Err(ApiError::parameter(message));
    }
    let wants_arm = ami_type.contains("ARM_64");
    let wrong: Vec<String> = texts(input, "instanceTypes")
        .into_iter()
        .filter(|instance_type| is_arm(instance_type) != wants_arm)
        .collect();
    if !wrong.is_empty() {
        let message = format!("{wrong:?} is not a valid instance type for requested amiType {ami_type}");
        return Err(ApiError::parameter(message));
    }
    Ok(ami_type)
}

/// Whether an instance type has a Graviton processor, by its name: a `g` after the generation (`m6g`, `c7gn`), or `a1`.
fn is_arm(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let after = family.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
    family == "a1" || after.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('g')
}

/// Refuses a release of another minor. Releases of Bottlerocket have versions of their own.
///
/// # Errors
/// `InvalidParameterException`.
pub fn release(release: &str, version: &str, ami_type: &str) -> Result<(), ApiError> {
    let of_minor = release.strip_prefix(version).is_some_and(|rest| rest.starts_with('.'));
    if of_minor || ami_type.starts_with("BOTTLEROCKET_") {
        return Ok(());
    }
    Err(ApiError::parameter(format!(
        "Requested release version {release} is not valid for kubernetes version {version}."
    )))
}

#[cfg(test)]
mod tests {
    use super::{ami_type, is_arm, labels, scaling, update_config};
    use serde_json::json;

    #[test]
    fn sizes_have_to_agree() {
        let before = json!({"minSize": 1, "maxSize": 3, "desiredSize": 2});
        assert_eq!(scaling(&before, &json!({"desiredSize": 3})).unwrap()["desiredSize"], 3);
        for wrong in
            [json!({"desiredSize": 4}), json!({"minSize": 3}), json!({"maxSize": 1}), json!({"maxSize": 451})]
        {
            assert!(scaling(&before, &wrong).is_err(), "{wrong}");
        }
        assert_eq!(update_config(&json!(null)).unwrap(), json!({"maxUnavailable": 1}));
        assert!(update_config(&json!({"maxUnavailable": 1, "maxUnavailablePercentage": 5})).is_err());
    }

    #[test]
    fn reserved_labels_are_refused() {
        let fine = |key: &str, value: &str| labels([(&key.to_owned(), &json!(value))].into_iter()).is_ok();
        assert!(fine("team", "a") && fine("example.com/team", "a") && fine("notkubernetes.io/a", "b"));
        assert!(!fine("kubernetes.io/role", "a") && !fine("node-role.kubernetes.io/worker", "true"));
        assert!(!fine("eks.amazonaws.com/x", "a") && !fine("team", "a b") && !fine("-a", "b"));
    }

    #[test]
    fn images_fit_minor_and_processor() {
        for (instance_type, arm) in [
            ("m6g.large", true),
            ("c7gn.xlarge", true),
            ("g5.xlarge", false),
            ("t4g.small", true),
            ("m5.large", false),
            ("a1.large", true),
        ] {
            assert_eq!(is_arm(instance_type), arm, "{instance_type}");
        }
        assert!(ami_type(&json!({"amiType": "AL2_x86_64"}), "1.33").is_err());
        assert!(ami_type(&json!({"instanceTypes": ["m6g.large"]}), "1.36").is_err());
        let arm = json!({"amiType": "AL2023_ARM_64_STANDARD", "instanceTypes": ["m6g.large"]});
        assert!(ami_type(&arm, "1.36").is_ok());
        assert!(ami_type(&json!({"amiType": "CUSTOM"}), "1.36").is_err());
    }
}
