//! What kops says that it would do, as values.

use std::collections::BTreeSet;

/// What `kops update cluster` would do: tasks as `AutoscalingGroup/nodes.shop.example.com`. All empty when the cloud is as
/// the state store says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdatePreview {
    /// What it would make.
    pub create: BTreeSet<String>,
    /// What it would change.
    pub modify: BTreeSet<String>,
    /// What it would delete: type and item, with a blank between them.
    pub delete: BTreeSet<String>,
}

impl UpdatePreview {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == UpdatePreview::default()
    }

    /// Reads the preview: a heading, below it each task indented by two blanks, its fields further
    /// (kops `upup/pkg/fi/dryrun_target.go`). `None` when it is no preview.
    pub(super) fn read(text: &str) -> Option<UpdatePreview> {
        let mut preview = UpdatePreview::default();
        let mut list = None;
        for line in text.lines() {
            match line {
                "Will create resources:" => list = Some(&mut preview.create),
                "Will modify resources:" => list = Some(&mut preview.modify),
                "Will delete items:" => list = Some(&mut preview.delete),
                line => {
                    let item = line.strip_prefix("  ").filter(|item| !item.starts_with([' ', '\t']));
                    if let (Some(item), Some(list)) = (item.filter(|item| !item.is_empty()), &mut list) {
                        list.insert(item.split_whitespace().collect::<Vec<_>>().join(" "));
                    }
                }
            }
        }
        let is_one = list.is_some() || text.contains("No changes need to be applied");
        is_one.then_some(preview)
    }
}

/// Reads the table of `kops delete cluster`: type, name and id, between tabs; the name may be empty
/// (kops `util/pkg/tables`). `None` when there is no table and no word that there is nothing to delete.
pub(super) fn deletions(text: &str) -> Option<BTreeSet<(String, String)>> {
    let columns = |line: &str| -> Vec<String> {
        line.split('\t').map(|column| column.trim().to_owned()).filter(|column| !column.is_empty()).collect()
    };
    let mut lines = text.lines();
    let header = lines.by_ref().find(|line| columns(line) == ["TYPE", "NAME", "ID"]);
    if header.is_none() {
        return text.contains("No cloud resources to delete").then(BTreeSet::new);
    }
    let rows = lines.map(columns).take_while(|row| !row.is_empty());
    rows.map(|row| Some((row.first()?.clone(), row.last()?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_a_deletion_is_read_with_names_and_without() {
        let text = "TYPE\t\t\tNAME\t\t\tID\nautoscaling-config\tnodes.old.example.com\tlt-1\nvolume\t\t\ta.etcd-main\t\tvol-1\n\
                    route53-record\t\t\t\tZ1/A/api.old.example.com.\n\nMust specify --yes to delete cluster\n";
        let found = deletions(text).unwrap();
        let pair = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
        assert_eq!(
            found,
            BTreeSet::from([
                pair("autoscaling-config", "lt-1"),
                pair("volume", "vol-1"),
                pair("route53-record", "Z1/A/api.old.example.com."),
            ])
        );
        assert_eq!(deletions("No cloud resources to delete\n"), Some(BTreeSet::new()));
        assert_eq!(deletions("something else"), None);
    }

    #[test]
    fn tasks_are_told_from_their_fields() {
        let text = "Will create resources:\n  EBSVolume/d.etcd\n  \tSizeGB              \t20\n\nWill modify resources:\n  \
                    SecurityGroup/nodes\n  \tTags                \t {} -> {a: b}\n\nWill delete items:\n  SecurityGroupRule    port=22\n\n\
                    Must specify --yes to apply changes\n";
        let preview = UpdatePreview::read(text).unwrap();
        assert_eq!(preview.create, BTreeSet::from(["EBSVolume/d.etcd".to_owned()]));
        assert_eq!(preview.modify, BTreeSet::from(["SecurityGroup/nodes".to_owned()]));
        assert_eq!(preview.delete, BTreeSet::from(["SecurityGroupRule port=22".to_owned()]));
        assert!(UpdatePreview::read("\nNo changes need to be applied\n").unwrap().is_empty());
        assert_eq!(UpdatePreview::read("Error: no cluster"), None);
    }
}
