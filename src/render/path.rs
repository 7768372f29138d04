//! Paths inside a repository: always with `/`, never absolute, never out of it.

/// The path that a reference in a folder leads to. `None` when it leaves the repository.
///
/// The result is without `.` and `..`; the root is the empty path.
pub(super) fn resolve(folder: &str, reference: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    if reference.starts_with('/') {
        return None;
    }
    for part in folder.split('/').chain(reference.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The path of an application as its document gives it: `apps/shop`, `./apps/shop/`, `/apps/shop`, `.`.
pub(super) fn of_application(path: &str) -> Option<String> {
    resolve("", path.trim_start_matches('/'))
}

/// Puts a file's path behind its folder's.
pub(super) fn join(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.into() } else { format!("{folder}/{file}") }
}

/// The folder that a file is in, and its name there.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether a path is the folder itself or below it.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The folders that are in no other of the folders, sorted.
pub(super) fn outermost(folders: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut folders: Vec<String> = folders.into_iter().collect();
    folders.sort();
    folders.dedup();
    let all = folders.clone();
    folders.retain(|folder| !all.iter().any(|other| other != folder && is_within(folder, other)));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stay_in_the_repository() {
        assert_eq!(resolve("apps/shop", "../base").as_deref(), Some("apps/base"));
        assert_eq!(resolve("apps/shop", "../..").as_deref(), Some(""));
        assert_eq!(resolve("apps/shop", "../../.."), None);
        assert_eq!(resolve("apps", "/etc/passwd"), None);
        assert_eq!(of_application("./apps//shop/").as_deref(), Some("apps/shop"));
    }

    #[test]
    fn folders_inside_others_are_covered_by_them() {
        let folders = ["a/b", "a", "ab", "c/d"].map(String::from);
        assert_eq!(outermost(folders), ["a", "ab", "c/d"]);
    }
}
