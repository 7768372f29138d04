//! The kops side on this machine, made by the kops program itself.
//!
//! kops 1.28.5 is built once (about four minutes of two cores) and its tests run by default. kops 1.36.0 costs as much again:
//! its tests run where it lies in the cache already, or with `PORTOLAN_TEST_KOPS=all`, and say so where they do not.

mod bench;
mod command;
mod current;
mod deletion;
mod source;
