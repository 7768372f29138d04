//! From libgit2's errors to ours. The fetch child alone sees network errors, so all of this runs there or while reading.

use super::address::redact;
use super::{GitError, RepositoryAddress};
use git2::{ErrorClass, ErrorCode};

/// Longest text of a server that goes into an error.
const LONGEST_DETAIL: usize = 300;

/// An error met while talking to the server of a repository.
pub(super) fn network_error(address: &RepositoryAddress, error: &git2::Error, memory_limit: u64) -> GitError {
    let detail = clean(error.message());
    let address_text = address.to_string();
    let lower = detail.to_ascii_lowercase();
    match (error.code(), error.class()) {
        (ErrorCode::Certificate, _) | (_, ErrorClass::Ssl)
            if is_certificate(&lower) || error.code() == ErrorCode::Certificate =>
        {
            GitError::Certificate { address: address_text, detail }
        }
        (ErrorCode::Owner, _) => GitError::Owner { path: address_text },
        // The local transport forgets the code.
        _ if lower.contains("not owned by current user") => GitError::Owner { path: address_text },
        (_, ErrorClass::NoMemory) => {
            GitError::Memory { address: address_text, limit_mib: memory_limit >> 20 }
        }
        _ if lower.contains("out of memory") || lower.contains("cannot allocate memory") => {
            GitError::Memory { address: address_text, limit_mib: memory_limit >> 20 }
        }
        (ErrorCode::Auth, _) => GitError::AuthenticationFailed { address: address_text, detail },
        _ if lower.starts_with("cannot redirect") => GitError::Redirected { address: address_text, detail },
        _ if lower.contains("unexpected http status code") => http_status(address_text, detail),
        _ if is_absent(&lower) => GitError::NotFound { address: address_text, detail },
        (ErrorCode::NotFound, _) if address.local_path().is_some() => {
            GitError::NotFound { address: address_text, detail }
        }
        _ if lower.contains("unsupported extension")
            || lower.contains("object format")
            || lower.contains("repository version") =>
        {
            GitError::Unsupported { address: address_text, detail }
        }
        (_, ErrorClass::Odb | ErrorClass::Zlib | ErrorClass::Object | ErrorClass::Reference) => {
            GitError::Corrupt { path: address_text, detail }
        }
        (_, ErrorClass::Indexer) => {
            GitError::Server { address: address_text, detail: format!("a damaged answer: {detail}") }
        }
        (_, ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssl | ErrorClass::Ssh) => {
            GitError::Unreachable { address: address_text, detail }
        }
        _ => GitError::Server { address: address_text, detail },
    }
}

/// An error met while reading a mirror.
pub(super) fn read_error(place: &str, error: &git2::Error) -> GitError {
    let detail = clean(error.message());
    match error.code() {
        ErrorCode::Owner => GitError::Owner { path: place.to_owned() },
        _ if detail.contains("unsupported extension") => {
            GitError::Unsupported { address: place.to_owned(), detail }
        }
        _ => GitError::Corrupt { path: place.to_owned(), detail },
    }
}

fn is_certificate(lower: &str) -> bool {
    lower.contains("certificate")
        || lower.contains("unable to get local issuer")
        || lower.contains("self-signed")
}

fn is_absent(lower: &str) -> bool {
    [
        "does not appear to be a git repository",
        "repository not found",
        "could not find repository",
        "not exported",
    ]
    .iter()
    .any(|words| lower.contains(words))
}

fn http_status(address: String, detail: String) -> GitError {
    let status = detail.rsplit(' ').next().and_then(|code| code.parse::<u16>().ok()).unwrap_or_default();
    match status {
        401 => GitError::AuthenticationFailed { address, detail: "the server answered 401".into() },
        403 => GitError::AuthenticationFailed {
            address,
            detail: "the server answered 403: they are known but may not read this repository".into(),
        },
        404 | 410 => GitError::NotFound { address, detail: format!("the server answered {status}") },
        _ => GitError::Server { address, detail },
    }
}

/// One bounded line without control characters and without what stands before `@` in a URL.
pub(super) fn clean(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_DETAIL).collect();
    redact(line.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_bounded_line_without_secrets() {
        assert_eq!(clean("bad\r\n\u{1b}[31mhttps://me:hunter2@a/b "), "bad   [31mhttps://***@a/b");
        assert_eq!(clean(&"x".repeat(5000)).len(), LONGEST_DETAIL);
    }

    #[test]
    fn http_statuses_become_what_they_mean() {
        let of = |code: &str| http_status("a".into(), format!("unexpected http status code: {code}"));
        assert!(matches!(of("404"), GitError::NotFound { .. }));
        assert!(matches!(of("403"), GitError::AuthenticationFailed { .. }));
        assert!(of("503").is_transient());
    }
}
