//! From a name to a commit: branch, tag, range of versions, or commit id.

use super::version_range::{VersionRange, version_of_tag};
use super::{GitError, Reader, classify, refs};
use crate::model::Revision;
use git2::{ErrorCode, ObjectType, Oid};
use std::collections::BTreeMap;

/// Shortest abbreviation of a commit id, as git itself writes them.
const SHORTEST_ABBREVIATION: usize = 7;

/// How many names an error offers.
const NAMES_OFFERED: usize = 3;

/// Least likeness (Jaro-Winkler) of a name that an error offers.
const LIKE_ENOUGH: f64 = 0.75;

type Refs = BTreeMap<String, Oid>;

impl Reader {
    /// Finds the commit of a reference; without one, of the remote's default branch.
    ///
    /// In this order: a full commit id; a full name (`refs/tags/v1`); a branch or tag of exactly this name; an abbreviated
    /// commit id of 7 digits or more; the highest tag in a range of versions (`v` before the number is allowed).
    ///
    /// # Errors
    /// [`GitError::Empty`], [`GitError::ReferenceNotFound`] with the nearest names, [`GitError::Ambiguous`],
    /// [`GitError::NoDefaultBranch`] or [`GitError::Corrupt`].
    pub fn resolve(&self, reference: Option<&str>) -> Result<Revision, GitError> {
        let refs = refs::read(&self.repo).map_err(|e| self.damaged(&e))?;
        let asked = reference.map(str::trim).filter(|name| !name.is_empty() && *name != "HEAD");
        let (shown, oid) = match asked {
            Some(name) => (name.to_owned(), self.find(name, &refs)?),
            None => self.default_branch(&refs)?,
        };
        let commit = self.peel(&shown, oid)?;
        let subject = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default());
        Ok(Revision {
            reference: shown,
            commit: commit.id().to_string(),
            committed_at: commit.time().seconds(),
            subject: classify::clean(&subject),
        })
    }

    fn default_branch(&self, refs: &Refs) -> Result<(String, Oid), GitError> {
        let head = self.repo.find_reference("HEAD").map_err(|e| self.damaged(&e))?;
        if let Ok(Some(branch)) = head.symbolic_target()
            && let Some(oid) = refs.get(branch)
        {
            return Ok((branch.trim_start_matches("refs/heads/").to_owned(), *oid));
        }
        if let Some(oid) = head.target() {
            return Ok(("HEAD".to_owned(), oid));
        }
        if refs.is_empty() {
            return Err(GitError::Empty { address: self.address.to_string() });
        }
        let branches = refs.keys().filter_map(|name| name.strip_prefix("refs/heads/"));
        Err(GitError::NoDefaultBranch {
            address: self.address.to_string(),
            branches: branches.take(NAMES_OFFERED).map(str::to_owned).collect(),
        })
    }

    fn find(&self, name: &str, refs: &Refs) -> Result<Oid, GitError> {
        let is_hex = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if is_hex && name.len() == 40 {
            let found = Oid::from_str(name).ok().filter(|oid| self.repo.find_commit(*oid).is_ok());
            return found.ok_or_else(|| self.not_found(name, refs));
        }
        if name.starts_with("refs/") {
            return refs.get(name).copied().ok_or_else(|| self.not_found(name, refs));
        }
        let (branch, tag) = (format!("refs/heads/{name}"), format!("refs/tags/{name}"));
        match (refs.get(&branch), refs.get(&tag)) {
            (Some(a), Some(b)) if a != b && self.peel(name, *a)?.id() != self.peel(name, *b)?.id() => {
                return Err(self.ambiguous(name, vec![branch, tag]));
            }
            (Some(oid), _) | (None, Some(oid)) => return Ok(*oid),
            (None, None) => {}
        }
        if is_hex
            && name.len() >= SHORTEST_ABBREVIATION
            && let Some(oid) = self.abbreviated(name)?
        {
            return Ok(oid);
        }
        let Some(range) = VersionRange::parse(name) else {
            return Err(self.not_found(name, refs));
        };
        let tags = refs
            .iter()
            .filter_map(|(name, oid)| Some((version_of_tag(name.strip_prefix("refs/tags/")?)?, *oid)));
        let highest = tags.filter(|(version, _)| range.matches(version)).max_by(|a, b| a.0.cmp(&b.0));
        highest.map(|(_, oid)| oid).ok_or_else(|| self.not_found(name, refs))
    }

    /// A commit by the first digits of its id. Objects of other kinds with the same digits do not count.
    fn abbreviated(&self, digits: &str) -> Result<Option<Oid>, GitError> {
        match self.repo.find_commit_by_prefix(digits) {
            Ok(commit) => Ok(Some(commit.id())),
            Err(e) if e.code() == ErrorCode::Ambiguous => self.only_commit_with(digits),
            Err(_) => Ok(None),
        }
    }

    fn only_commit_with(&self, digits: &str) -> Result<Option<Oid>, GitError> {
        let odb = self.repo.odb().map_err(|e| self.damaged(&e))?;
        let lower = digits.to_ascii_lowercase();
        let mut commits = Vec::new();
        let walked = odb.foreach(|oid| {
            let fits = oid.to_string().starts_with(&lower);
            if fits && matches!(odb.read_header(*oid), Ok((_, ObjectType::Commit))) {
                commits.push(*oid);
            }
            true
        });
        walked.map_err(|e| self.damaged(&e))?;
        commits.sort_unstable();
        commits.dedup();
        match commits.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            many => {
                Err(self.ambiguous(digits, many.iter().take(NAMES_OFFERED).map(Oid::to_string).collect()))
            }
        }
    }

    /// The commit behind an object id: an annotated tag leads to one, however many tags are in between.
    fn peel(&self, name: &str, oid: Oid) -> Result<git2::Commit<'_>, GitError> {
        let object = self.repo.find_object(oid, None).map_err(|e| self.damaged(&e))?;
        object.peel_to_commit().map_err(|e| match e.code() {
            ErrorCode::Peel | ErrorCode::InvalidSpec => GitError::NotACommit {
                address: self.address.to_string(),
                reference: name.to_owned(),
                kind: object.kind().map_or("unknown object", |kind| kind.str()).to_owned(),
            },
            _ => self.damaged(&e),
        })
    }

    fn ambiguous(&self, reference: &str, candidates: Vec<String>) -> GitError {
        GitError::Ambiguous { address: self.address.to_string(), reference: reference.to_owned(), candidates }
    }

    fn not_found(&self, reference: &str, refs: &Refs) -> GitError {
        let address = self.address.to_string();
        if !refs.keys().any(|name| name.starts_with("refs/heads/") || name.starts_with("refs/tags/")) {
            return GitError::Empty { address };
        }
        let short = |name: &str| {
            let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"))?;
            Some((strsim::jaro_winkler(&name.to_lowercase(), &reference.to_lowercase()), name.to_owned()))
        };
        let mut like: Vec<(f64, String)> =
            refs.keys().filter_map(|n| short(n)).filter(|(l, _)| *l >= LIKE_ENOUGH).collect();
        like.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let nearest = like.into_iter().take(NAMES_OFFERED).map(|(_, name)| format!("`{name}`")).collect();
        GitError::ReferenceNotFound { address, reference: reference.to_owned(), nearest }
    }
}
