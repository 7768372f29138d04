//! Paths and addresses as people write them in the daemon's file.

use std::path::{Path, PathBuf};

/// A path of the daemon's file: relative to the folder that the file is in; `~/` is the home folder.
pub fn path(folder: &Path, written: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    match written.strip_prefix("~/").and_then(|rest| Some(home()?.join(rest))) {
        Some(path) => path,
        None => folder.join(written),
    }
}

/// A program: a path when it is written as one, else a name to be found on PATH.
pub fn program(folder: &Path, written: &str) -> PathBuf {
    if written.contains('/') { path(folder, written) } else { written.into() }
}

/// How a repository is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `https://`.
    Https,
    /// `http://`: anyone on the way can read and change what is sent.
    Http,
    /// `git://`: likewise, and without credentials.
    Git,
    /// `ssh://` or `user@host:path`.
    Ssh,
    /// A folder on this machine.
    Local(PathBuf),
}

/// Sorts out a repository's address. Details are left to the git adapter; here it is about what else has to be in the
/// file, and that no password is.
///
/// # Errors
/// What is wrong, to go on after "`repositories[0].url` ", and what to do. Never shows the address, which may hold a
/// password.
pub fn address(folder: &Path, written: &str) -> Result<Address, (String, &'static str)> {
    let refused = |message: &str, hint| Err((message.to_owned(), hint));
    if written.chars().any(|c| c.is_control() || c == ' ') {
        return refused("holds a space or a control character", "take it out");
    }
    let Some((scheme, rest)) = written.split_once("://") else {
        let before_colon = written.split_once(':').map(|(before, _)| before);
        return match before_colon {
            Some(before) if !before.is_empty() && !before.contains('/') => Ok(Address::Ssh),
            _ if written.starts_with(['/', '.', '~']) => Ok(Address::Local(path(folder, written))),
            _ => refused("is neither a URL nor a folder", "write a folder beside this file as `./name`"),
        };
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let address = match scheme {
        "file" if authority.is_empty() => return Ok(Address::Local(rest.into())),
        "file" => return refused("names another machine", "write `file:///` and an absolute path"),
        "https" => Address::Https,
        "http" => Address::Http,
        "git" => Address::Git,
        "ssh" | "git+ssh" | "ssh+git" => Address::Ssh,
        _ => {
            return refused("has a scheme that is not supported", "use https, http, ssh, git or file");
        }
    };
    match user {
        Some(user) if address != Address::Ssh || user.contains(':') => refused(
            "holds a user name or password",
            "take it out and use `credentials`, by file or environment",
        ),
        _ if authority.is_empty() => refused("has no host", "write it as `https://host/path`"),
        _ => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_out() {
        let of = |written: &str| address(Path::new("/etc/portolan"), written);
        let local = |path: &str| Ok(Address::Local(path.into()));
        for (written, found) in [
            ("https://git.example/fleet.git", Ok(Address::Https)),
            ("http://git.example:3000/fleet", Ok(Address::Http)),
            ("git@git.example:team/fleet.git", Ok(Address::Ssh)),
            ("ssh://git@git.example:2222/fleet", Ok(Address::Ssh)),
            ("./fleet", local("/etc/portolan/./fleet")),
            ("/srv/a:b", local("/srv/a:b")),
            ("file:///srv/fleet", local("/srv/fleet")),
        ] {
            assert_eq!(of(written), found, "{written}");
        }
        for written in [
            "fleet",
            "https://me:hunter2@git.example/fleet",
            "https://hunter2@git.example/fleet",
            "ssh://me:hunter2@git.example/fleet",
            "ftp://git.example/fleet",
            "https:///fleet",
            "file://other/fleet",
            "./a b",
        ] {
            let (message, _) = of(written).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
