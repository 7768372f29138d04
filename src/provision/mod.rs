//! Ring 1: what a ClusterConfig becomes in AWS, what differs there, and in which order it is put right.

pub mod resource;
