//! Paths into a document while it is walked: as JSON pointers for marks, as dotted paths for people.

/// A path, as a chain of borrowed steps: nothing is allocated unless there is something to report.
#[derive(Debug)]
pub enum Path<'a> {
    /// The document itself.
    Root,
    /// A field of a mapping.
    Key(&'a Path<'a>, &'a str, usize),
    /// An item of a list.
    Item(&'a Path<'a>, usize, usize),
}

impl<'a> Path<'a> {
    /// A field below this path.
    #[must_use]
    pub const fn key(&'a self, name: &'a str) -> Self {
        Self::Key(self, name, self.depth() + 1)
    }

    /// An item below this path.
    #[must_use]
    pub const fn item(&'a self, index: usize) -> Self {
        Self::Item(self, index, self.depth() + 1)
    }

    /// Number of steps from the root.
    #[must_use]
    pub const fn depth(&self) -> usize {
        match self {
            Self::Root => 0,
            Self::Key(.., depth) | Self::Item(.., depth) => *depth,
        }
    }

    /// The path as an RFC 6901 pointer.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(parent, name, _) => format!("{}/{}", parent.pointer(), escape(name)),
            Self::Item(parent, index, _) => format!("{}/{index}", parent.pointer()),
        }
    }
}

/// A name as a part of an RFC 6901 pointer.
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The path as people write it: `spec.ignore[0].paths[1]`, `metadata.labels["example.com/team"]`.
#[must_use]
pub fn shown(path: &Path) -> String {
    match path {
        Path::Root => String::new(),
        Path::Item(parent, index, _) => format!("{}[{index}]", shown(parent)),
        Path::Key(parent, name, _) => {
            let parent = shown(parent);
            let plain = !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$'));
            match (plain, parent.is_empty()) {
                (true, true) => (*name).to_owned(),
                (true, false) => format!("{parent}.{name}"),
                (false, _) => format!("{parent}[{name:?}]"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_two_ways() {
        let labels = Path::Root.key("metadata");
        let labels = labels.key("labels");
        let label = labels.key("example.com/team~1");
        assert_eq!(label.pointer(), "/metadata/labels/example.com~1team~01");
        assert_eq!(shown(&label), "metadata.labels[\"example.com/team~1\"]");
        let list = Path::Root.key("paths");
        assert_eq!(shown(&list.item(3)), "paths[3]");
    }
}
