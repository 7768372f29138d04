//! Ring 1: the move of a kops cluster to EKS, as decisions: values in, values out.

pub mod verdict;

pub use verdict::{Level, Offer, Verdict};
