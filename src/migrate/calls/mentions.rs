//! Names of Services in free text.

use std::collections::{BTreeMap, BTreeSet};

/// Services of a cluster, by namespace.
#[derive(Debug, Default)]
pub(super) struct Services {
    by_namespace: BTreeMap<String, BTreeSet<String>>,
    namespaces: BTreeSet<String>,
}

impl Services {
    pub(super) fn add_namespace(&mut self, namespace: &str) {
        self.namespaces.insert(namespace.into());
    }

    pub(super) fn add(&mut self, namespace: &str, name: &str) {
        self.add_namespace(namespace);
        self.by_namespace.entry(namespace.into()).or_default().insert(name.into());
    }

    fn has(&self, namespace: &str, name: &str) -> bool {
        self.by_namespace.get(namespace).is_some_and(|names| names.contains(name))
    }
}

/// How much of a text counts as a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// A name alone counts where it stands as an address: the whole value, before a port, after `://`.
    Names,
    /// Only names with a namespace count.
    QualifiedOnly,
}

/// Services that a text names, as namespace and name: `web.shop.svc.cluster.local`, `web.shop.svc`, `web.shop`,
/// `web-0.web.shop.svc`, and `web` where it stands as an address. `home` is the namespace that a name alone is looked
/// up in.
pub(super) fn mentions(
    text: &str,
    services: &Services,
    home: &str,
    reading: Reading,
) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_of_host(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && is_of_host(bytes[at]) {
            at += 1;
        }
        // Host names are ASCII, so both ends are borders of characters.
        let word = text[start..at].trim_matches(|letter| letter == '.' || letter == '-');
        let before = &text[..start];
        let after = &text[at..];
        let is_whole = before.trim().is_empty() && after.trim().is_empty();
        let is_address =
            is_whole || before.ends_with("//") || before.ends_with('@') || starts_with_port(after);
        if let Some(callee) = resolve(word, services, home, reading == Reading::Names && is_address) {
            found.insert(callee);
        }
    }
    found
}

const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-'
}

fn starts_with_port(after: &str) -> bool {
    after.strip_prefix(':').is_some_and(|port| port.starts_with(|digit: char| digit.is_ascii_digit()))
}

fn resolve(word: &str, services: &Services, home: &str, alone: bool) -> Option<(String, String)> {
    let lower = word.to_ascii_lowercase();
    let labels: Vec<&str> = lower.split('.').collect();
    if let Some(at) = labels.iter().rposition(|label| *label == "svc").filter(|at| *at >= 2) {
        let (namespace, name) = (labels[at - 1], labels[at - 2]);
        // A full name counts although the Service is not there (yet), as long as its namespace is.
        return services.namespaces.contains(namespace).then(|| (namespace.to_owned(), name.to_owned()));
    }
    match labels.as_slice() {
        [name] => (alone && services.has(home, name)).then(|| (home.to_owned(), (*name).to_owned())),
        [.., name, namespace] => {
            services.has(namespace, name).then(|| ((*namespace).to_owned(), (*name).to_owned()))
        }
        [] => None,
    }
}

/// Bytes of standard base64 (RFC 4648), or nothing where it is none.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut word = 0_u32;
    let mut bits = 0;
    for letter in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        word = (word << 6) | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((word >> bits) & 0xff).unwrap_or_default());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Services {
        let mut services = Services::default();
        services.add("shop", "web");
        services.add("data", "redis");
        services.add_namespace("empty");
        services
    }

    fn seen(text: &str) -> Vec<String> {
        let found = mentions(text, &services(), "shop", Reading::Names);
        found.into_iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect()
    }

    #[test]
    fn services_are_named_in_many_ways() {
        assert_eq!(seen("redis://:pass@redis.data.svc.cluster.local:6379/0"), ["data/redis"]);
        assert_eq!(seen("redis.data.svc."), ["data/redis"]);
        assert_eq!(seen("http://redis-0.redis.data.svc:80"), ["data/redis"]);
        assert_eq!(seen("REDIS.DATA:6379"), ["data/redis"]);
        assert_eq!(seen("http://web/path"), ["shop/web"]);
        assert_eq!(seen("upstream { server web:8080; }"), ["shop/web"]);
        assert_eq!(seen("web"), ["shop/web"]);
        assert_eq!(seen("later.empty.svc"), ["empty/later"]);
    }

    #[test]
    fn words_are_no_addresses() {
        assert!(seen("the web is large").is_empty());
        assert!(seen("redis.example.com").is_empty());
        assert!(seen("web.svc").is_empty());
        assert!(seen("größer.web – web").is_empty());
        assert!(mentions("web", &services(), "shop", Reading::QualifiedOnly).is_empty());
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        assert_eq!(base64("cmVkaXM6Ly94").unwrap(), b"redis://x");
        assert_eq!(base64("Zg==").unwrap(), b"f");
        assert_eq!(base64("hmac-sha256:ab"), None);
    }
}
