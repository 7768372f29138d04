//! Folders of a commit that match a pattern such as `apps/*` or `clusters/**/shop`.

use super::classify::read_error;
use super::links::{FOLDER, Target};
use super::read::checked_path;
use super::walk::TreeLimits;
use super::{GitError, Reader};
use git2::{Oid, Tree};
use globset::{GlobBuilder, GlobMatcher};
use std::collections::BTreeSet;

/// One part of a pattern between two `/`.
enum Part {
    /// `**`: any number of folders, also none.
    AnyDepth,
    /// A name without wildcards.
    Literal(String),
    /// A name with `*`, `?`, `[…]` or `{…}`.
    Wild(GlobMatcher, bool),
}

impl Reader {
    /// The folders at a commit that match a pattern, sorted. As in a shell, wildcards do not match a leading dot; `**` stands
    /// for any number of folders.
    ///
    /// # Errors
    /// [`GitError::Path`] for a malformed pattern or one that leads out; [`GitError::TooLarge`]; [`GitError::Corrupt`].
    pub fn glob_folders(
        &self,
        commit: &str,
        pattern: &str,
        limits: &TreeLimits,
    ) -> Result<Vec<String>, GitError> {
        let parts = parse(pattern)?;
        let root = match self.tree_id(commit, "")? {
            Some(id) => self.tree(&id)?,
            None => return Ok(Vec::new()),
        };
        let mut search = Search { reader: self, limits, root: root.id(), entries: 0, found: BTreeSet::new() };
        search.folder(&root, "", 0, &parts)?;
        Ok(search.found.into_iter().collect())
    }
}

fn parse(pattern: &str) -> Result<Vec<Part>, GitError> {
    let refuse = |reason: String| GitError::Path { path: pattern.to_owned(), reason };
    let mut parts = Vec::new();
    for text in checked_path(pattern)?.split('/').filter(|part| !part.is_empty() && *part != ".") {
        parts.push(match text {
            "**" => match parts.last() {
                Some(Part::AnyDepth) => continue,
                _ => Part::AnyDepth,
            },
            _ if !text.contains(['*', '?', '[', '{', '\\']) => Part::Literal(text.to_owned()),
            _ if text.matches('{').count() != text.matches('}').count() => {
                return Err(refuse("alternatives in `{…}` cannot hold a `/`".into()));
            }
            _ => {
                let glob = GlobBuilder::new(text)
                    .literal_separator(true)
                    .build()
                    .map_err(|e| refuse(e.kind().to_string()))?;
                Part::Wild(glob.compile_matcher(), text.starts_with('.'))
            }
        });
    }
    Ok(parts)
}

struct Search<'a> {
    reader: &'a Reader,
    limits: &'a TreeLimits,
    root: Oid,
    entries: usize,
    found: BTreeSet<String>,
}

impl Search<'_> {
    fn folder(&mut self, tree: &Tree<'_>, path: &str, depth: usize, parts: &[Part]) -> Result<(), GitError> {
        let Some((part, rest)) = parts.split_first() else {
            self.found.insert(path.to_owned());
            return Ok(());
        };
        if depth > self.limits.depth {
            return Ok(());
        }
        match part {
            Part::Literal(name) => {
                // A link to a folder may be named, as an application's path may.
                let target = super::links::follow(
                    &self.reader.repo,
                    &self.reader.folders,
                    self.root,
                    &[],
                    &join(path, name),
                );
                if let Target::Folder(id, _) = target.map_err(|e| self.damaged(&e))? {
                    self.enter(id, &join(path, name), depth, rest)?;
                }
            }
            Part::Wild(glob, dots) => {
                for (name, id) in self.subfolders(tree)? {
                    if (*dots || !name.starts_with('.')) && glob.is_match(&name) {
                        self.enter(id, &join(path, &name), depth, rest)?;
                    }
                }
            }
            Part::AnyDepth => {
                self.folder(tree, path, depth, rest)?;
                for (name, id) in
                    self.subfolders(tree)?.into_iter().filter(|(name, _)| !name.starts_with('.'))
                {
                    self.enter(id, &join(path, &name), depth, parts)?;
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, id: Oid, path: &str, depth: usize, parts: &[Part]) -> Result<(), GitError> {
        let tree = self.reader.repo.find_tree(id).map_err(|e| self.damaged(&e))?;
        self.folder(&tree, path, depth + 1, parts)
    }

    fn subfolders(&mut self, tree: &Tree<'_>) -> Result<Vec<(String, Oid)>, GitError> {
        self.entries += tree.len();
        if self.entries > self.limits.entries {
            let what = format!("the search for folders in {}", self.reader.address);
            return Err(GitError::TooLarge {
                what,
                limit: format!("{} files and folders", self.limits.entries),
            });
        }
        let named = |entry: git2::TreeEntry<'_>| {
            let name = entry
                .name()
                .ok()
                .filter(|n| !n.contains('/') && *n != ".." && !n.eq_ignore_ascii_case(".git"))?;
            (entry.filemode() == FOLDER).then(|| (name.to_owned(), entry.id()))
        };
        Ok(tree.iter().filter_map(named).collect())
    }

    fn damaged(&self, error: &git2::Error) -> GitError {
        read_error(self.reader.address.as_str(), error)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
