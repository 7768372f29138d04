//! From kops to EKS: reading, assessing, translating, packing.

mod account;
mod assess;
mod corpus;
mod kops;
mod made;
mod packing;
mod rules;
mod unsaid;
