//! Manifests as kubectl reads them.
//!
//! ```text
//! bytes ─► split ─► scan ─► parse ─► value
//!          documents  tokens  nodes    JSON
//! ```
//!
//! kubectl cuts a file into documents (`k8s.io/apimachinery/pkg/util/yaml`), turns each one into JSON
//! (`sigs.k8s.io/yaml` on `go.yaml.in/yaml/v2`) and decodes that (`sigs.k8s.io/json`). Every step has rules of its own
//! that no YAML library in Rust has: `on: push` has the key "true", `0644` is 420, `3.0` is 3, and `---` at the start
//! of a line cuts even a block scalar in two. A manifest that means one thing to kubectl and another to us would be
//! applied wrong without anyone seeing it, so this module follows those rules, and `tests/it/yaml_fidelity.rs` holds
//! it to them with kubectl itself as the judge.
//!
//! What it refuses though kubectl takes it: a key that stands twice in a mapping (kubectl keeps the last one without a
//! word), bytes that are no UTF-8 (kubectl replaces them), and whatever exceeds [`Limits`].

mod budget;
mod document;
mod encoding;
mod error;
mod json;
mod key;
mod limits;
mod locate;
mod parse;
mod scalar;
mod scan;
mod split;
mod stream;
mod timestamp;
mod tree;
mod value;
mod write;

pub use document::Document;
pub use error::{Mark, YamlError, YamlErrorKind};
pub use limits::Limits;
pub use locate::Marks;
pub use write::to_text;

/// Reads all documents of a file. Empty ones are left out; a document that cannot be read stands as an error in its
/// place and hides none of the others.
pub fn read_stream(bytes: &[u8], limits: &Limits) -> Vec<Result<Document, YamlError>> {
    stream::Stream::new(limits).read(bytes)
}
