//! The machine's resolver.

use crate::ports::Names;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// Longest wait for an answer: resolvers ask again by themselves until then (resolv.conf(5), `timeout` and `attempts`).
const LIMIT: Duration = Duration::from_secs(10);

/// The resolver of the machine: its own files and its name servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn look_up(&self, name: &str) -> Result<BTreeSet<IpAddr>, String> {
        let asked = tokio::net::lookup_host((name, 0));
        let found = match tokio::time::timeout(LIMIT, asked).await {
            Ok(found) => found.map_err(|error| format!("{name} is not found: {error}"))?,
            Err(_) => return Err(format!("no name server answers for {name} within {} s", LIMIT.as_secs())),
        };
        let found: BTreeSet<IpAddr> = found.map(|address| address.ip()).collect();
        if found.is_empty() { Err(format!("{name} has no address")) } else { Ok(found) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_this_machine_is_found_and_one_of_nobody_is_not() {
        let found = SystemNames.look_up("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
        // Longer than a label may be (RFC 1035, 2.3.4): no server is asked.
        let nobody = "x".repeat(70);
        let words = SystemNames.look_up(&nobody).await.unwrap_err();
        assert!(words.contains(&nobody), "{words}");
    }
}
