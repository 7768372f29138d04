//! What a caller may choose about a control plane.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::release::Release;

/// Options of one control plane. `Options::default()` is the newest version with one node.
#[derive(Clone, Debug)]
pub struct Options {
    /// The Kubernetes version, in any form that [`Release::find`] takes.
    pub version: String,
    /// How many nodes KWOK plays. They are Ready when the control plane is.
    pub nodes: u32,
    /// The name, which is the folder's too; `None` invents one.
    pub name: Option<String>,
    /// Users beside the administrator.
    pub extra_tokens: Vec<TokenUser>,
    /// Flags for kube-apiserver. One that is set here replaces ours of the same name; a list is given by naming the
    /// flag several times. With `--authorization-config` our `--authorization-mode` is left out.
    pub api_server_args: Vec<String>,
    /// Writes an audit log (level Metadata, JSON lines) into the instance's folder.
    pub audit: bool,
    /// Stage files for KWOK in place of those of its module: how nodes and pods behave.
    pub kwok_stages: Option<Vec<PathBuf>>,
    /// The program that runs as supervisor; `None` is the running one. Tests have to name the built binary, since
    /// they are a program of their own.
    pub supervisor: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            version: Release::default_release().version.to_owned(),
            nodes: 1,
            name: None,
            extra_tokens: Vec::new(),
            api_server_args: Vec::new(),
            audit: false,
            kwok_stages: None,
            supervisor: None,
        }
    }
}

/// A user that the API server knows by a bearer token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUser {
    /// The bearer token. No commas, quotes or line breaks: the token file is CSV.
    pub token: String,
    /// The user's name.
    pub user: String,
    /// The groups it belongs to, beside `system:authenticated`.
    pub groups: Vec<String>,
}

impl fmt::Debug for TokenUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenUser")
            .field("token", &"(secret)")
            .field("user", &self.user)
            .field("groups", &self.groups)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_printed() {
        let user = TokenUser { token: "t0ps3cret".into(), user: "ann".into(), groups: vec![] };
        let options = Options { extra_tokens: vec![user], ..Options::default() };
        assert!(!format!("{options:?}").contains("t0ps3cret"));
    }
}
