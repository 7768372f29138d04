//! The demo's repository: a small shop, and the commits that the chapters make.

use crate::failure::{Failure, FailureKind};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The shop as it begins: path in the repository, content.
const FILES: [(&str, &str); 16] = [
    ("portolan/cluster.yaml", include_str!("../../../config/demo/portolan/cluster.yaml")),
    ("portolan/applications.yaml", include_str!("../../../config/demo/portolan/applications.yaml")),
    ("apps/web/namespace.yaml", include_str!("../../../config/demo/web/namespace.yaml")),
    ("apps/web/deployment.yaml", include_str!("../../../config/demo/web/deployment.yaml")),
    ("apps/web/service.yaml", include_str!("../../../config/demo/web/service.yaml")),
    ("apps/web/settings.yaml", include_str!("../../../config/demo/web/settings.yaml")),
    ("apps/web/banner.yaml", include_str!("../../../config/demo/web/banner.yaml")),
    ("apps/web/ingress.yaml", include_str!("../../../config/demo/web/ingress.yaml")),
    ("apps/cart/base/kustomization.yaml", include_str!("../../../config/demo/cart/base/kustomization.yaml")),
    ("apps/cart/base/cart.yaml", include_str!("../../../config/demo/cart/base/cart.yaml")),
    (
        "apps/cart/overlays/local/kustomization.yaml",
        include_str!("../../../config/demo/cart/overlays/local/kustomization.yaml"),
    ),
    ("apps/search/Chart.yaml", include_str!("../../../config/demo/search/Chart.yaml")),
    ("apps/search/values.yaml", include_str!("../../../config/demo/search/values.yaml")),
    (
        "apps/search/templates/deployment.yaml",
        include_str!("../../../config/demo/search/templates/deployment.yaml"),
    ),
    (
        "apps/search/templates/service.yaml",
        include_str!("../../../config/demo/search/templates/service.yaml"),
    ),
    ("README.md", "A small shop, made by `portolan demo`.\n"),
];

/// A git repository in a folder.
pub(super) struct Shop {
    /// The working folder.
    pub folder: PathBuf,
}

impl Shop {
    /// Makes the repository with its first commit.
    pub fn create(folder: PathBuf) -> Result<Self, Failure> {
        std::fs::create_dir_all(&folder)?;
        let shop = Self { folder };
        shop.git(&["init", "--quiet", "--initial-branch", "main"])?;
        for (path, content) in FILES {
            shop.write(path, content)?;
        }
        shop.commit("Open the shop")?;
        Ok(shop)
    }

    /// Writes a file of the working folder.
    pub fn write(&self, path: &str, content: &str) -> Result<(), Failure> {
        let file = self.folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
        Ok(std::fs::write(file, content)?)
    }

    /// Replaces a text in a file.
    pub fn edit(&self, path: &str, from: &str, to: &str) -> Result<(), Failure> {
        let text = std::fs::read_to_string(self.folder.join(path))?;
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
        self.git(&["rev-parse", "--short=12", "HEAD"])
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
