//! The local world: real Kubernetes control planes on this machine, without a container engine or an image.
//!
//! A control plane is etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and KWOK for nodes and pods that
//! become Ready; the upstream programs, built once by the ordinary Go client from the modules in `deploy/local/`.
//! Tests, the demo, the benchmarks and `portolan local` start them here.
//!
//! * [`programs`] finds or builds the programs.
//! * [`ControlPlane::start`] gives one that ends with the value, and with the process even when that is killed.
//! * [`up`], [`down`], [`list`] and [`find`] are for those that stay.
//! * [`supervise::main`] is what the hidden subcommand [`supervise::SUBCOMMAND`] has to call.

pub mod aws;
mod background;
mod build;
mod control_plane;
mod crew;
mod error;
mod flags;
mod go;
mod instance;
pub mod kops;
mod kubeconfig;
mod options;
mod pki;
mod places;
mod process;
mod programs;
mod progress;
mod readiness;
mod records;
mod release;
mod spec;
mod startup;
pub mod supervise;
mod wire;

pub use control_plane::{ControlPlane, up};
pub use error::Error;
pub use instance::{Instance, State, down, find, list};
pub use options::{Options, TokenUser};
pub use places::Places;
pub use programs::{Program, Programs, programs, programs_in};
pub use progress::{Phase, Progress, Report};
pub use release::{RELEASES, Release};
