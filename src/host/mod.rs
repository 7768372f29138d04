//! Ring 3: the machine: its clock, its processes, its files, its resolver.

mod clock;
mod folder;
mod folder_store;
mod names;
mod open_files;
mod process;
mod random;

pub use clock::SystemClock;
pub use folder::{Folder, HostFolders};
pub use folder_store::FolderStore;
pub use names::SystemNames;
pub use open_files::raise_open_files_limit;
pub use process::ProcessRunner;
pub use random::random_bytes;
