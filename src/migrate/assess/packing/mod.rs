//! Whether everything that runs has a place on the planned nodes, before any of them is made.
//!
//! ```text
//! pods, DaemonSets, volumes ─► demand ─┐
//! ClusterConfig, instance types ─► node ┼─► pack (first fit, the hardest first) ─► Packing ─► verdicts, picture
//! LimitRanges, ResourceQuotas ─────────┤
//! subnets' free addresses ─────────────┘
//! ```
//!
//! A packing that is found is a proof that there is one. Where none is found, a second run without limits of size tells
//! whether more nodes would do, and what keeps a pod from every node says what else has to change.
//!
//! What LimitRanges fill in counts, and what they or ResourceQuotas of the target would refuse is told as well: a pod that may
//! not be made needs no place.
//!
//! Not seen: preferences (only what is required counts), ports of hosts beyond one pod for each port and node, and what
//! pods become of by changes after the data was read.

mod addresses;
mod affinity;
mod demand;
mod fit;
mod limit_ranges;
mod neighbours;
mod node;
mod pack;
mod picture;
mod quotas;
mod requirements;
mod run;
mod verdicts;

pub use addresses::ZoneAddresses;
pub use demand::{Demand, Pod};
pub use fit::architectures;
pub use node::{Allocatable, Density, PlannedGroup, allocatable, max_pods, planned_groups, planned_types};
pub use pack::{Packing, PlacedNode, Unplaced, pack};
pub use picture::picture;
pub use quotas::Refused;
pub use verdicts::verdicts;
