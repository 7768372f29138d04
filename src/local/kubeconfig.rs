//! Who may talk to the API server: the token file that it reads, and kubeconfigs that carry one of the tokens.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::Error;
use super::options::TokenUser;
use super::pki;

/// 32 random hex digits from the system.
pub(crate) fn random_token() -> Result<String, Error> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0u8; 16];
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).map_err(Error::io("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A user of `system:masters`, which RBAC lets do everything and priority-and-fairness never queues.
///
/// Each program has a name of its own, so that audit logs and managedFields tell them apart.
pub(crate) fn administrator(user: &str) -> Result<TokenUser, Error> {
    Ok(TokenUser { token: random_token()?, user: user.to_owned(), groups: vec!["system:masters".to_owned()] })
}

/// Writes the file for `--token-auth-file`: token, user, uid, "groups".
/// (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file>)
pub(crate) fn write_tokens(path: &Path, users: &[TokenUser]) -> Result<(), Error> {
    let text: String = users
        .iter()
        .enumerate()
        .map(|(uid, user)| {
            format!("{},{},{uid},{}\n", csv(&user.token), csv(&user.user), csv(&user.groups.join(",")))
        })
        .collect();
    pki::write(path, &text)
}

fn csv(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

/// Writes a kubeconfig with one cluster, one user and one context, all called `name`.
pub(crate) fn write_kubeconfig(
    path: &Path,
    name: &str,
    endpoint: &str,
    ca_cert: &Path,
    user: &TokenUser,
) -> Result<(), Error> {
    let ca = STANDARD.encode(fs::read(ca_cert).map_err(Error::io("read", ca_cert))?);
    let token = serde_json::Value::from(user.token.as_str());
    let text = format!(
        "apiVersion: v1\n\
         kind: Config\n\
         current-context: {name}\n\
         clusters:\n\
         - name: {name}\n\
        \x20 cluster:\n\
        \x20   server: {endpoint}\n\
        \x20   certificate-authority-data: {ca}\n\
         users:\n\
         - name: {name}\n\
        \x20 user:\n\
        \x20   token: {token}\n\
         contexts:\n\
         - name: {name}\n\
        \x20 context:\n\
        \x20   cluster: {name}\n\
        \x20   user: {name}\n"
    );
    pki::write(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_one_quoted_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.csv");
        let user =
            TokenUser { token: "abc".into(), user: "ann".into(), groups: vec!["a".into(), "b".into()] };
        write_tokens(&path, &[user]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "\"abc\",\"ann\",0,\"a,b\"\n");
    }

    #[test]
    fn tokens_differ() {
        let (a, b) = (random_token().unwrap(), random_token().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), 32);
    }
}
