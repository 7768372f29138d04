//! The proof of equality: what is in the target is what was in the source, field by field.
//!
//! ```text
//! source ──► rules ──► expected ─┐
//!                                ├─► compare ──► differences, each explained or a failure
//! target, as it is held ─────────┘
//! ```
//!
//! A difference is explained by the rule that made it, or by a line of `config/transforms/server-defaults.yaml`: one field
//! with one value or form that the server or a controller is known to give it. Nothing explains a part of an object as a
//! whole; what no line explains is a failure.
//!
//! Secrets are compared by HMAC-SHA256 with a key of the run, and only digests are in any report. Beside the objects, the
//! [`Facts`] are compared that a person asks for first (replicas, images, endpoints, digests of settings), and the answers
//! to every question that the source's RBAC raises ([`questions`]).
//!
//! Pure: values in, values out.

mod access;
mod compare;
mod defaults;
mod digest;
mod extra;
mod facts;
mod forms;
mod html;
mod lists;
mod pattern;
mod prove;
mod report;
mod verdicts;

pub use access::{Answers, Question, mapped, prove_access, questions};
pub use digest::{Key, digested};
pub use facts::{Fact, Facts, endpoints, facts};
pub use html::html;
pub use prove::{Counts, Difference, Explain, Proof, prove, prove_move};
pub use report::text;
pub use verdicts::verdicts;
