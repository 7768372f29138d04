//! Ring 1: the move of a kops cluster to EKS, as decisions: values in, values out.

pub mod assess;
pub mod calls;
pub mod decommission;
mod digest;
pub mod dump;
pub mod images;
pub mod overview;
pub mod own;
pub mod owner;
pub mod proof;
pub mod quotas;
pub mod stages;
pub mod traffic;
pub mod verdict;
pub mod volumes;

pub use verdict::{Level, Offer, Verdict};
