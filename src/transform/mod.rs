//! Transform: an object of the old cluster as the new one needs it, and a record of every change.
//!
//! ```text
//! all objects ──► survey ──┐
//! decisions ────► context ─┴─► rules, one by one ──► object, edits, remarks
//! ```
//!
//! - Each [`Rule`] does one thing to some kinds, for one reason, and every change that it makes is an [`Edit`] with its id.
//!   What no edit settles is a [`Remark`]. What does not go over has a reason ([`Dropped`]).
//! - Rules that are data are tables below `config/transforms`.
//! - What a rule has to know of other objects (owners, addresses of Services, policies) is in the [`Survey`], which does
//!   not depend on their order.
//! - [`version_to_read`] decides how an object is read from the source, so that its API server converts it; only what the
//!   two have no version in common for is converted here.
//! - [`apply_order`] is the order in which the result is written.
//!
//! Laws, held by `tests/it/transform`: what is transformed is not changed by a second run; the order of objects does not
//! matter; no value of a Secret is in any edit, remark or text.
//!
//! Pure: values in, values out.

mod address;
mod context;
mod convert;
mod diff;
mod edit;
mod order;
mod owners;
mod pointer;
mod psp;
mod rule;
mod rules;
mod run;
mod served;
mod survey;
mod tables;
mod templates;
mod work;

pub use address::lies_in as address_lies_in;
pub use context::{Balancer, Context, Identity, Jobs, Quiesce, RoleMeans, Scheme, Side, Volumes};
pub use diff::{Shape, diff, shown};
pub use edit::{Dropped, Edit, Remark, SENSITIVE, Transformed, Weight};
pub use order::{Phase, apply_order, phase};
pub use owners::{OwnerClass, Relink, owner_class, owner_classes};
pub use pointer::{at as pointer_at, unescape as pointer_key};
pub use psp::{PodLevel, PodSecurity};
pub use rule::Rule;
pub use rules::{RULES, rule};
pub use run::{rescheduled, transform, transform_all};
pub use served::{Served, VersionToRead, served_by_minor, version_to_read};
pub use survey::{Survey, identity};
pub use templates::{pod_specs, pod_templates};
pub use work::is_hidden;
