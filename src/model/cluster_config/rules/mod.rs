//! What a schema cannot say: rules of eksctl, EKS and EC2 about names, addresses and fields that stand together.
//!
//! Only what the file itself shows. Whether a zone, a subnet or a version exists is found when the plan is made.

mod access;
mod addons;
mod control_plane;
mod fargate;
mod iam;
mod launch;
mod network;
mod node_scheduling;
mod nodegroups;
mod partition;
mod syntax;

pub(super) use launch::NEWEST as NEWEST_AMI;

/// Whether a text is the ARN of an IAM policy, as the fields of a ClusterConfig take it.
#[must_use]
pub fn is_policy_arn(text: &str) -> bool {
    syntax::policy(text).is_ok()
}

use super::ClusterConfig;
use crate::model::document::validate::Violation;

/// A rule that does not hold.
#[derive(Debug)]
pub(super) struct Finding {
    /// Where and what.
    pub violation: Violation,
    /// The file can be taken all the same.
    pub warning: bool,
}

/// Every rule of the config that does not hold.
pub(super) fn check(config: &ClusterConfig) -> Vec<Finding> {
    let mut findings = Findings::default();
    control_plane::check(config, &mut findings);
    network::check(config, &mut findings);
    iam::check(config, &mut findings);
    access::check(config, &mut findings);
    addons::check(config, &mut findings);
    nodegroups::check(config, &mut findings);
    fargate::check(config, &mut findings);
    partition::check(config, &mut findings);
    findings.0
}

/// Collects findings. Fields are given by JSON pointer and told as people write them.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// A field that is wrong: "`field` said".
    fn wrong(&mut self, pointer: &str, said: impl AsRef<str>, hint: impl Into<String>) {
        self.add(pointer, said.as_ref(), hint.into(), false);
    }

    /// A field that a person should look at.
    fn doubtful(&mut self, pointer: &str, said: impl AsRef<str>, hint: impl Into<String>) {
        self.add(pointer, said.as_ref(), hint.into(), true);
    }

    /// What a check of one text said, if anything.
    fn require(&mut self, pointer: &str, checked: Result<(), (String, &'static str)>) {
        if let Err((said, hint)) = checked {
            self.wrong(pointer, said, hint);
        }
    }

    fn add(&mut self, pointer: &str, said: &str, hint: String, warning: bool) {
        let message = format!("`{}` {said}", shown(pointer));
        let violation = Violation { pointer: pointer.to_owned(), message, hint: Some(hint) };
        self.0.push(Finding { violation, warning });
    }
}

/// A pointer as people write paths: `managedNodeGroups[0].labels["example.com/a"]`.
fn shown(pointer: &str) -> String {
    let mut shown = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()) {
            shown.push_str(&format!("[{part}]"));
        } else if part.is_empty()
            || part.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        {
            shown.push_str(&format!("[{part:?}]"));
        } else {
            if !shown.is_empty() {
                shown.push('.');
            }
            shown.push_str(&part);
        }
    }
    shown
}

/// A name as a part of a pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Fields that are set, of several that exclude or require each other.
fn set<'a>(fields: &[(&'a str, bool)]) -> Vec<&'a str> {
    fields.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn pointers_are_told_as_people_write_paths() {
        assert_eq!(shown("/nodeGroups/0/labels/example.com~1a"), "nodeGroups[0].labels[\"example.com/a\"]");
        assert_eq!(shown("/vpc/subnets/public/eu-central-1a"), "vpc.subnets.public.eu-central-1a");
    }
}
