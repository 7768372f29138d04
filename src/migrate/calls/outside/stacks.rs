//! Who declared a thing of AWS.

use std::collections::BTreeMap;

/// Tag keys by which people say what manages a thing, in lower case without separators.
const MANAGER_KEYS: [&str; 7] =
    ["createdby", "iac", "managedby", "manager", "provisioner", "tool", "terraform"];
/// What such a tag says, in lower case, with the tool's name.
const MANAGERS: [(&str, &str); 5] = [
    ("terraform", "Terraform"),
    ("terragrunt", "Terraform"),
    ("opentofu", "OpenTofu"),
    ("pulumi", "Pulumi"),
    ("cdk", "CloudFormation"),
];

/// The stack or the tool that owns a thing, by its tags.
pub(super) fn owner(tags: &BTreeMap<&str, &str>) -> Option<String> {
    if let Some(stack) =
        tags.get("aws:cloudformation:stack-name").or_else(|| tags.get("aws:cloudformation:stack-id"))
    {
        return Some(format!("CloudFormation stack {stack}"));
    }
    tags.iter().find_map(|(key, value)| {
        let key: String =
            key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let value = value.to_ascii_lowercase();
        if !MANAGER_KEYS.contains(&key.as_str()) {
            return None;
        }
        let named =
            MANAGERS.iter().find(|(word, _)| value.contains(word)).map(|(_, tool)| (*tool).to_owned());
        named.or_else(|| (key == "terraform" && value == "true").then(|| "Terraform".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::owner;
    use std::collections::BTreeMap;

    #[test]
    fn tags_say_who_declared_a_thing() {
        let of = |key, value| owner(&BTreeMap::from([(key, value)]));
        assert_eq!(of("aws:cloudformation:stack-name", "db").as_deref(), Some("CloudFormation stack db"));
        assert_eq!(of("Managed-By", "terraform-aws").as_deref(), Some("Terraform"));
        assert_eq!(of("terraform", "true").as_deref(), Some("Terraform"));
        assert_eq!(of("Name", "terraform"), None);
    }
}
