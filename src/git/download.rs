//! The fetch itself, with libgit2: what is asked for, and what becomes of the references.

use super::classify::read_error;
use super::refs::{self, FETCHED_COMMITS};
use super::session::{Seen, Session};
use super::wire::Fetched;
use super::{Credentials, GitError};
use git2::{AutotagOption, FetchOptions, Oid, ProxyOptions, Reference, Remote, RemoteRedirect, Repository};
use secrecy::ExposeSecret as _;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Branches, tags, and the HEAD that may point at neither.
const REFSPECS: [&str; 3] =
    ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/portolan/head"];

/// Brings references and objects of the mirror up to date, then tries to add single commits that were asked for by id.
pub(super) fn download(
    repo: &Repository,
    session: &Session,
    commits: &[String],
) -> Result<Fetched, GitError> {
    session.write_known_hosts(true)?;
    let seen = RefCell::new(Seen::default());
    let mut remote = session.remote(repo)?;
    let mut outcome = session.attempt(&mut remote, &seen, &REFSPECS);
    if matches!(&outcome, Err(GitError::Unreachable { detail, .. }) if is_without_common_key(detail))
        && session.has_pinned_key()
    {
        // The server has none of the pinned kinds of key. Asked without a preference it shows the one that it has, which is
        // then refused with its fingerprint.
        session.write_known_hosts(false)?;
        remote = session.remote(repo)?;
        outcome = session.attempt(&mut remote, &seen, &REFSPECS);
    }
    outcome?;
    let (mut found, head) = session.listed(repo, &remote)?;
    drop(remote);
    for commit in commits {
        session.fetch_commit(repo, &seen, commit);
    }
    keep_fetched_commits(repo, commits, &mut found)?;
    let changed = refs::replace(repo, &found)?;
    refs::set_head(repo, head.as_deref())?;
    let shown = |name: &str| name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
    Ok(Fetched {
        refs: found
            .into_iter()
            .filter(|(name, _)| shown(name))
            .map(|(name, oid)| (name, oid.to_string()))
            .collect(),
        head,
        bytes: seen.borrow().bytes,
        changed,
    })
}

impl Session {
    fn remote<'repo>(&self, repo: &'repo Repository) -> Result<Remote<'repo>, GitError> {
        repo.remote_anonymous(self.address.as_str()).map_err(|e| self.explain(&e))
    }

    fn attempt(
        &self,
        remote: &mut Remote<'_>,
        seen: &RefCell<Seen>,
        refspecs: &[&str],
    ) -> Result<(), GitError> {
        let mut options = FetchOptions::new();
        options.remote_callbacks(self.callbacks(seen)).download_tags(AutotagOption::None);
        let header;
        if let Credentials::Bearer { token } = &self.credentials {
            header = format!("Authorization: Bearer {}", token.expose_secret());
            options.custom_headers(&[header.as_str()]);
        }
        // libgit2 would send the header, and offer the password, to whatever host the server names.
        options.follow_redirects(match self.credentials {
            Credentials::None => RemoteRedirect::Initial,
            _ => RemoteRedirect::None,
        });
        let mut proxy = ProxyOptions::new();
        if let Some(url) = &self.proxy {
            proxy.url(url);
            options.proxy_options(proxy);
        }
        let result = remote.download(refspecs, Some(&mut options));
        drop(options);
        result.map_err(|error| seen.borrow_mut().refusal.take().unwrap_or_else(|| self.explain(&error)))
    }

    /// What the server has: branches and tags with their objects, and its HEAD.
    fn listed(
        &self,
        repo: &Repository,
        remote: &Remote<'_>,
    ) -> Result<(BTreeMap<String, Oid>, Option<String>), GitError> {
        let odb = repo.odb().map_err(|e| self.explain(&e))?;
        let mut found = BTreeMap::new();
        let mut detached = None;
        for head in remote.list().map_err(|e| self.explain(&e))? {
            // git2 0.21 panics on a name that is not UTF-8, which a server may well have; such a name cannot be asked for.
            let Ok(name) = catch_unwind(AssertUnwindSafe(|| head.name().to_owned())) else {
                continue;
            };
            if name == "HEAD" {
                detached = Some(head.oid());
            }
            let wanted = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
            if !wanted || name.ends_with("^{}") || !Reference::is_valid_name(&name) {
                continue;
            }
            if !odb.exists(head.oid()) {
                let detail = format!("it announced {name} and did not send it");
                return Err(GitError::Server { address: self.address.to_string(), detail });
            }
            found.insert(name, head.oid());
        }
        let branch = remote.default_branch().ok().and_then(|name| name.as_str().ok().map(str::to_owned));
        let head = branch.filter(|name| found.contains_key(name)).or_else(|| {
            let commit = detached.filter(|oid| odb.exists(*oid))?;
            found.insert("refs/portolan/head".into(), commit);
            Some(commit.to_string())
        });
        Ok((found, head))
    }

    /// A commit that no branch or tag reaches. Most forges give it, plain git does not; so a failure is no error here, and
    /// resolving the commit says that it is not there.
    fn fetch_commit(&self, repo: &Repository, seen: &RefCell<Seen>, commit: &str) {
        let Ok(oid) = Oid::from_str(commit) else { return };
        if commit.len() != 40 || repo.odb().is_ok_and(|odb| odb.exists(oid)) {
            return;
        }
        seen.borrow_mut().start_again();
        if let Ok(mut remote) = self.remote(repo) {
            let refspec = format!("+{commit}:{FETCHED_COMMITS}{commit}");
            let _ = self.attempt(&mut remote, seen, &[refspec.as_str()]);
        }
    }
}

/// Commits fetched by id are referenced while they are asked for, so that the next fetch need not send them again.
fn keep_fetched_commits(
    repo: &Repository,
    commits: &[String],
    found: &mut BTreeMap<String, Oid>,
) -> Result<(), GitError> {
    let place = repo.path().to_string_lossy().into_owned();
    let odb = repo.odb().map_err(|e| read_error(&place, &e))?;
    for commit in commits.iter().filter(|c| c.len() == 40) {
        if let Ok(oid) = Oid::from_str(commit)
            && odb.exists(oid)
        {
            found.insert(format!("{FETCHED_COMMITS}{oid}"), oid);
        }
    }
    Ok(())
}

fn is_without_common_key(detail: &str) -> bool {
    let lower = detail.to_ascii_lowercase();
    lower.contains("exchange encryption keys") || lower.contains("failed to start ssh session")
}
