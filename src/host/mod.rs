//! Ring 3: the machine: its clock, its processes, its files.

mod clock;
mod folder_store;
mod process;

pub use clock::SystemClock;
pub use folder_store::FolderStore;
pub use process::ProcessRunner;
