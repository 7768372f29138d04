//! Ring 3, git: one bare mirror for each repository, fetched by a child process, read by tree id.
//!
//! Nothing is ever checked out to be read: files come straight from the object database, and what a hostile repository may
//! hold (links that lead out, huge blobs, trees without end) is refused file by file. Fetching happens in a child of our own
//! program, because libgit2 has its time-outs only as process-wide `unsafe` calls; see [`fetch`] and [`fetch_child`].
//!
//! A mirror holds the whole history, not a shallow one: any commit id resolves, a rewritten branch needs no special case, and
//! libgit2 refuses a depth for local repositories. No object is ever deleted from a mirror, so the revision a cluster is on
//! stays readable after its branch was rewritten or removed, or the server is gone.

mod address;
mod classify;
mod compact;
mod credentials;
mod download;
mod error;
mod export;
mod fetch;
pub mod fetch_child;
mod glob;
mod known_hosts;
mod links;
mod mirror;
mod read;
mod refs;
mod repository;
mod resolve;
mod session;
mod version_range;
mod walk;
mod watch;
mod wire;

pub use address::{RepositoryAddress, Transport};
pub use credentials::Credentials;
pub use error::{GitError, Phase};
pub use export::Exported;
pub use fetch::{FetchLimits, FetchOutcome, FetchRequest, fetch};
pub use mirror::{Mirror, Reader};
pub use read::{TreeContent, TreeFilter};
pub use repository::{CredentialSource, MirroredRepository};
pub use walk::TreeLimits;
pub use watch::{LocalWatch, watch_local};
