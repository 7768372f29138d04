//! The kops side on this machine, made by the kops program itself.
//!
//! A kops takes about four minutes of two cores to build: its tests run where it lies in the cache already (`portolan local
//! kops up` builds it), or with `PORTOLAN_TEST_KOPS=all`, and say so where they do not.

mod bench;
mod command;
mod current;
mod deletion;
mod source;

pub use bench::runs;
