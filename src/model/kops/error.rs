//! What cannot be read.

use std::fmt;

/// A document or file that could not be taken. It hides none of the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, or the key in the state store.
    pub origin: String,
    /// Its line, from 1; 0 when the whole of it is meant.
    pub line: u32,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.origin, self.message),
            line => write!(f, "{}:{line}: {}", self.origin, self.message),
        }
    }
}

/// Why there is no cluster to speak of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// No Cluster document at all.
    #[error("there is no kops Cluster in {place}{}; give the state store's folder of one cluster, or files with its Cluster and InstanceGroups", told(.problems))]
    NoCluster {
        /// What was read.
        place: String,
        /// What could not be read, which may have been it.
        problems: Vec<Problem>,
    },
    /// Several, and nobody said which.
    #[error("there are several kops clusters in {place}: {}; name one of them", .names.join(", "))]
    SeveralClusters {
        /// What was read.
        place: String,
        /// Their names.
        names: Vec<String>,
    },
    /// The named one is not there.
    #[error("there is no kops cluster {name} in {place}{}", others(.names))]
    NoSuchCluster {
        /// What was read.
        place: String,
        /// The name asked for.
        name: String,
        /// Those that are there.
        names: Vec<String>,
    },
}

fn told(problems: &[Problem]) -> String {
    problems.first().map_or_else(String::new, |problem| {
        let more = problems.len() - 1;
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!(" (and these cannot be read: {problem}{rest})")
    })
}

fn others(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) }
}
