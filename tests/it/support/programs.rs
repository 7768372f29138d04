//! The programs that the local control plane was built with.

use portolan::local::{RELEASES, programs};
use std::path::PathBuf;

/// The pinned kubectl; built first where the cache has none.
pub fn kubectl() -> PathBuf {
    let newest = RELEASES.first().expect("there is a release").version;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(programs(newest, &mut |_| {})).expect("the pinned programs").kubectl
}
