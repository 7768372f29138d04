//! What a person may have meant by a name that does not exist.

/// The known name nearest to the given one, when it is near enough that a slip explains it: up to a third of the
/// letters wrong, missing, doubled or swapped (Damerau-Levenshtein), at most three; or the one is the beginning of the
/// other. Capital letters do not count. Of two equally near names the first wins.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lowered = given.to_lowercase();
    let limit = lowered.chars().count().div_ceil(3).min(3);
    known
        .into_iter()
        .filter_map(|name| {
            let candidate = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&lowered, &candidate);
            let short = lowered.len().min(candidate.len());
            let begins = short >= 4 && (lowered.starts_with(&candidate) || candidate.starts_with(&lowered));
            (distance <= limit || begins).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known =
            ["repository", "revision", "path", "destination", "namespace", "serviceAccount", "dependsOn"];
        for (given, meant) in [
            ("repositry", Some("repository")),
            ("pth", Some("path")),
            ("ptah", Some("path")),
            ("Path", Some("path")),
            ("dependson", Some("dependsOn")),
            ("serviceAccountName", Some("serviceAccount")),
            ("name", Some("namespace")),
            ("chart", None),
            ("x", None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
    }
}
