//! Names that bridges lead to, looked up in every pass: load balancers change their addresses as they please.

use super::kept::Mover;
use crate::migrate::stages::Addresses;
use futures::stream::{self, StreamExt as _};
use std::collections::BTreeSet;

/// What each name leads to now; what cannot be looked up has the reason. Nothing where nobody can be asked.
pub(super) async fn looked_up(mover: &Mover, names: BTreeSet<String>) -> Addresses {
    let Some(resolver) = mover.context.sides.names().filter(|_| !names.is_empty()) else {
        return Addresses::new();
    };
    let resolver = resolver.as_ref();
    let mut asked = Vec::new();
    for name in names {
        asked.push(async move {
            let found = resolver.look_up(&name).await;
            (name, found)
        });
    }
    stream::iter(asked).buffer_unordered(mover.context.pace.at_once.max(1)).collect().await
}
