//! Names of container images, as nodes read them.

use std::fmt;

/// An image's name in parts (distribution's reference grammar; short names as containerd completes them).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// Host of the registry, with its port where one is given: `docker.io` where the name says none.
    pub registry: String,
    /// The repository: `library/nginx`.
    pub repository: String,
    /// Tag; `latest` where neither tag nor digest is given.
    pub tag: Option<String>,
    /// `sha256:…`; it counts before the tag.
    pub digest: Option<String>,
}

/// Where an image of the Elastic Container Registry is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcrHome {
    /// The account that keeps it.
    pub account: String,
    /// Its region.
    pub region: String,
}

/// A login at a registry. It shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryLogin {
    /// Who logs in.
    pub username: String,
    /// With what.
    pub password: String,
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin").finish_non_exhaustive()
    }
}

impl ImageName {
    /// Reads a name; `None`: it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.to_owned())),
            None => (text, None),
        };
        let (first, rest) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
            _ => (None, name),
        };
        // A colon after the last slash begins a tag; one before it was a port.
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if path.is_empty() || !path.chars().all(fits) || tag.as_deref() == Some("") {
            return None;
        }
        let registry = first.unwrap_or("docker.io").to_owned();
        let repository = if registry == "docker.io" && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Some(Self { registry, repository, tag, digest })
    }

    /// What stands after the repository: the digest, else the tag.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// Account and region, for an image of ECR (`ACCOUNT.dkr.ecr.REGION.amazonaws.com`, ECR's user guide, "Registries").
    #[must_use]
    pub fn ecr(&self) -> Option<EcrHome> {
        let (account, rest) = self.registry.split_once(".dkr.ecr")?;
        let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
        let (region, suffix) = rest.split_once('.')?;
        let numbers = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (numbers && suffix.starts_with("amazonaws."))
            .then(|| EcrHome { account: account.into(), region: region.into() })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_nodes_do() {
        let shown = |text: &str| ImageName::parse(text).map(|name| name.to_string());
        let table = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
            ("localhost/app", "localhost/app:latest"),
            ("registry.example.com:5000/team/app", "registry.example.com:5000/team/app:latest"),
            ("registry.example.com/app:1@sha256:ab", "registry.example.com/app:1@sha256:ab"),
            ("registry.example.com/app@sha256:ab", "registry.example.com/app@sha256:ab"),
        ];
        for (text, whole) in table {
            assert_eq!(shown(text).as_deref(), Some(whole), "{text}");
        }
        for none in ["", "UPPER/case", "app:", "{{ image }}"] {
            assert_eq!(shown(none), None, "{none}");
        }
    }

    #[test]
    fn images_of_ecr_are_known() {
        let of = |text: &str| {
            ImageName::parse(text).and_then(|name| name.ecr()).map(|home| (home.account, home.region))
        };
        let known = Some(("111122223333".into(), "eu-central-1".into()));
        assert_eq!(of("111122223333.dkr.ecr.eu-central-1.amazonaws.com/app:1"), known);
        assert_eq!(of("111122223333.dkr.ecr-fips.eu-central-1.amazonaws.com/app:1"), known);
        assert_eq!(of("dkr.ecr.eu-central-1.example.com/app"), None);
    }
}
