//! A git repository of a story's own, and the commits that the story makes.

use crate::failure::{Failure, FailureKind};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A git repository in a folder, with one working tree.
pub struct Repository {
    /// The working folder.
    pub folder: PathBuf,
}

impl Repository {
    /// Makes it with its first commit: path in the repository, content.
    ///
    /// # Errors
    /// There is no git, or the folder cannot be written.
    pub fn create(folder: PathBuf, files: &[(&str, &str)], message: &str) -> Result<Self, Failure> {
        std::fs::create_dir_all(&folder)?;
        let repository = Self { folder };
        repository.git(&["init", "--quiet", "--initial-branch", "main"])?;
        for (path, content) in files {
            repository.write(path, content)?;
        }
        repository.commit(message)?;
        Ok(repository)
    }

    /// Writes a file of the working folder.
    pub fn write(&self, path: &str, content: &str) -> Result<(), Failure> {
        let file = self.folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
        Ok(std::fs::write(file, content)?)
    }

    /// Reads a file of the working folder.
    pub fn read(&self, path: &str) -> Result<String, Failure> {
        Ok(std::fs::read_to_string(self.folder.join(path))?)
    }

    /// Replaces a text in a file.
    pub fn edit(&self, path: &str, from: &str, to: &str) -> Result<(), Failure> {
        let text = self.read(path)?;
        self.write(path, &text.replace(from, to))
    }

    /// Removes files.
    pub fn remove(&self, paths: &[&str]) -> Result<(), Failure> {
        paths.iter().try_for_each(|path| Ok(std::fs::remove_file(self.folder.join(path))?))
    }

    /// Commits everything; returns the commit's short id.
    pub fn commit(&self, message: &str) -> Result<String, Failure> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])?;
        self.head()
    }

    /// The short id of the newest commit.
    pub fn head(&self) -> Result<String, Failure> {
        self.git(&["rev-parse", "--short=12", "HEAD"])
    }

    /// Begins a branch, where a pull request is written.
    pub fn branch(&self, name: &str) -> Result<(), Failure> {
        self.git(&["switch", "--quiet", "--create", name]).map(drop)
    }

    /// Merges a branch into `main` as a forge merges a pull request; returns the merge commit's short id.
    pub fn merge(&self, branch: &str, message: &str) -> Result<String, Failure> {
        self.git(&["switch", "--quiet", "main"])?;
        self.git(&["merge", "--quiet", "--no-ff", "--message", message, branch])?;
        self.head()
    }

    /// Takes back every commit after one, in one commit; returns its short id.
    pub fn revert_to(&self, commit: &str, message: &str) -> Result<String, Failure> {
        self.git(&["revert", "--no-commit", &format!("{commit}..HEAD")])?;
        self.commit(message)
    }

    /// Runs git without the user's configuration.
    fn git(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.folder)
            .args([
                "-c",
                "user.name=Portolan demo",
                "-c",
                "user.email=demo@portolan.invalid",
                "-c",
                "commit.gpgSign=false",
            ])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .map_err(|error| {
                Failure::new(FailureKind::Environment, format!("git cannot be started: {error}"))
                    .hint("install git: the demo makes its repository with it")
            })?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Failure::new(
                FailureKind::Environment,
                format!("git {}: {words}", arguments.join(" ")),
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
