//! The ClusterConfigs of a repository, judged without AWS: each by itself, and with the documents that point at it.

use crate::model::cluster_config::{ClusterConfig, disagreements, is_cluster_config, read as read_config};
use crate::model::document::{ClusterDocument, Problem};
use crate::model::yaml::{self, Limits};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file is read once, however many documents point at it.
#[derive(Default)]
pub struct ClusterConfigs {
    read: BTreeMap<PathBuf, Option<ClusterConfig>>,
}

impl ClusterConfigs {
    /// Number of ClusterConfigs that can be taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.read.values().flatten().count()
    }

    /// What is wrong with the ClusterConfig of a file, if it holds one.
    pub fn companion(&mut self, path: &Path, text: &[u8]) -> Vec<Problem> {
        let mut documents = yaml::read_stream(text, &Limits::default()).into_iter().flatten();
        if documents.any(|document| is_cluster_config(document.value())) {
            self.file(path)
        } else {
            Vec::new()
        }
    }

    /// What is wrong with what a Cluster document points at, and with the two together.
    pub fn cluster(&mut self, root: &Path, cluster: &ClusterDocument) -> Vec<Problem> {
        let Some(file) = &cluster.spec.cluster_config else { return Vec::new() };
        let subject = Some(format!("Cluster {}", cluster.name));
        let at_document =
            |pointer: &str, message: String| cluster.origin.problem(pointer, message).about(subject.clone());
        let path = root.join(file);
        if !path.is_file() {
            let message = format!("there is no file `{file}` in the repository");
            return vec![at_document("/spec/clusterConfig", message)];
        }
        let mut problems = self.file(&path);
        let (Some(Some(config)), Some(eks)) = (self.read.get(&canonical(&path)), &cluster.spec.eks) else {
            return problems;
        };
        problems.extend(disagreements(eks, config, file).into_iter().map(|violation| Problem {
            hint: violation.hint,
            ..at_document(&violation.pointer, violation.message)
        }));
        problems
    }

    fn file(&mut self, path: &Path) -> Vec<Problem> {
        let key = canonical(path);
        if self.read.contains_key(&key) {
            return Vec::new();
        }
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.read.insert(key, None);
                return vec![Problem::of_file(&shown, format!("cannot be read: {error}"))];
            }
        };
        match read_config(&text, &shown) {
            Ok((config, positions)) => {
                let warnings = positions.warnings().to_vec();
                self.read.insert(key, Some(config));
                warnings
            }
            Err(problems) => {
                self.read.insert(key, None);
                problems.0
            }
        }
    }
}

/// One name for a file, whichever way led to it.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
