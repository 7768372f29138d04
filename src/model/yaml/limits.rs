//! How much a file may ask of the reader before it is refused.

/// Bounds that keep a hostile or broken file from taking the process with it.
///
/// The reader stops as soon as a bound is passed, so the work done for a refused file is proportional to the
/// bound and not to what the file would have become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of a whole file, in bytes.
    pub max_file_bytes: usize,
    /// Number of documents in a file.
    pub max_documents: usize,
    /// Size of one document, in bytes of its text. etcd takes objects up to 1.5 MB by default.
    pub max_document_bytes: usize,
    /// How deep collections may nest, aliases expanded.
    pub max_depth: usize,
    /// How many nodes aliases may add to one document.
    pub max_alias_nodes: usize,
    /// How many bytes of scalar text aliases may add to one document.
    pub max_alias_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_file_bytes: 10 * 1024 * 1024,
            max_documents: 20_000,
            max_document_bytes: 3 * 1024 * 1024,
            max_depth: 200,
            max_alias_nodes: 200_000,
            max_alias_bytes: 8 * 1024 * 1024,
        }
    }
}
