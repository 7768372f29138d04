//! Logins of pull secrets: which of them a node would try for an image (kubernetes `pkg/credentialprovider`, `keyring.go`).

use crate::model::{ImageName, RegistryLogin};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The logins that a Secret has for an image, the most exact first. Secrets of other types have none.
#[must_use]
pub fn logins(secret: &Value, image: &ImageName) -> Vec<RegistryLogin> {
    let document = |key: &str| -> Option<Value> {
        let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let all = match secret["type"].as_str() {
        Some("kubernetes.io/dockerconfigjson") => {
            document(".dockerconfigjson").map(|mut one| one["auths"].take())
        }
        Some("kubernetes.io/dockercfg") => document(".dockercfg"),
        _ => None,
    };
    let all = all.unwrap_or_default();
    let mut found: Vec<(usize, &String, RegistryLogin)> = all
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(place, entry)| Some((exactness(place, image)?, place, login(entry)?)))
        .collect();
    found.sort_by(|(a, one, _), (b, other, _)| b.cmp(a).then(one.cmp(other)));
    found.into_iter().map(|(_, _, login)| login).collect()
}

fn login(entry: &Value) -> Option<RegistryLogin> {
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let (username, password) = match entry["auth"].as_str().filter(|auth| !auth.is_empty()) {
        Some(auth) => {
            let bytes = STANDARD.decode(auth.trim()).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (username, password) = text.split_once(':')?;
            // Old clients padded it with zeros.
            (username.to_owned(), password.trim_matches('\0').to_owned())
        }
        None => (text("username"), text("password")),
    };
    (!username.is_empty()).then_some(RegistryLogin { username, password })
}

/// The login in an answer of ECR's `GetAuthorizationToken` (its API: base64 of `AWS:password`).
#[must_use]
pub fn login_of_ecr(answer: &Value) -> Option<RegistryLogin> {
    login(&serde_json::json!({"auth": answer["authorizationData"][0]["authorizationToken"]}))
}

/// How exactly a place names an image, in letters; none: it does not. A place is a host with a port where it has one, each
/// part of which may hold wildcards, and a path that the repository begins with.
fn exactness(place: &str, image: &ImageName) -> Option<usize> {
    let bare = place.trim_start_matches("https://").trim_start_matches("http://");
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    // Versions of the API stand where a path would (`https://index.docker.io/v1/`).
    let path = path.trim_end_matches('/');
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let host = if matches!(host, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host };
    let (name, port) = host.rsplit_once(':').unwrap_or((host, ""));
    let (own, own_port) = image.registry.rsplit_once(':').unwrap_or((&image.registry, ""));
    let (names, owns): (Vec<&str>, Vec<&str>) = (name.split('.').collect(), own.split('.').collect());
    let same = names.len() == owns.len()
        && names.iter().zip(&owns).all(|(pattern, part)| fits(pattern, part))
        && port == own_port
        && image.repository.starts_with(path);
    same.then_some(bare.len())
}

/// Whether a part of a host's name is as a pattern with `*` says.
fn fits(pattern: &str, part: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == part,
        Some((begin, rest)) => part.strip_prefix(begin).is_some_and(|left| {
            (0..=left.len()).any(|at| left.get(at..).is_some_and(|left| fits(rest, left)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn users(auths: Value, image: &str) -> Vec<String> {
        let data = STANDARD.encode(json!({ "auths": auths }).to_string());
        let secret = json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": data}});
        logins(&secret, &ImageName::parse(image).unwrap()).into_iter().map(|login| login.username).collect()
    }

    #[test]
    fn a_login_is_for_what_its_place_names() {
        let plain = |name: &str| json!({"username": name, "password": "x"});
        for (place, image, fits) in [
            ("https://index.docker.io/v1/", "nginx", true),
            ("docker.io", "team/app:1", true),
            ("registry.example.com", "registry.example.com/a:1", true),
            ("registry.example.com", "registry.example.com:5000/a:1", false),
            ("registry.example.com:5000", "registry.example.com:5000/a:1", true),
            ("*.example.com", "registry.example.com/a:1", true),
            ("*.example.com", "a.registry.example.com/a:1", false),
            ("reg*y.example.com", "registry.example.com/a:1", true),
            ("registry.example.com/team", "registry.example.com/team/app:1", true),
            ("registry.example.com/team", "registry.example.com/other/app:1", false),
            ("example.org", "registry.example.com/a:1", false),
        ] {
            assert_eq!(users(json!({place: plain("me")}), image).len(), usize::from(fits), "{place} {image}");
        }
        let two = json!({"registry.example.com": plain("all"), "registry.example.com/team": plain("team")});
        assert_eq!(users(two, "registry.example.com/team/app:1"), ["team", "all"]);
    }

    #[test]
    fn every_form_of_a_login_is_read_and_none_is_shown() {
        let auth = json!({"registry.example.com": {"auth": STANDARD.encode("me:pass:word")}});
        let data = STANDARD.encode(auth.to_string());
        let old = json!({"type": "kubernetes.io/dockercfg", "data": {".dockercfg": data}});
        let image = ImageName::parse("registry.example.com/a").unwrap();
        let found = logins(&old, &image);
        assert_eq!((found[0].username.as_str(), found[0].password.as_str()), ("me", "pass:word"));
        assert!(!format!("{found:?}").contains("me") && !format!("{found:?}").contains("word"));
        for none in [
            json!({"type": "Opaque", "data": {".dockercfg": data}}),
            json!({}),
            json!({"type":
            "kubernetes.io/dockercfg", "data": {".dockercfg": "no base64"}}),
        ] {
            assert_eq!(logins(&none, &image), []);
        }
    }
}
