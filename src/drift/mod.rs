//! Drift: what we own of a live object, and what left its declared value.
//!
//! Everything here is decided from one thing that the API server keeps for us: `metadata.managedFields`, which names
//! the fields that our server-side apply owns ([`FieldSet`], [`owned_by_us`]).
//!
//! - After an apply, the server's answer is reduced to those fields: the [`Baseline`]. A later event is compared with
//!   it at the same fields, and by their ownership. What differs is a [`Finding`], with the manager that has the field
//!   now and its time.
//! - At a cold start there is no baseline. [`literal`] compares the declared body with the live one and with what we
//!   own; only what does not match literally needs a dry run, whose answer then is compared as a baseline.
//! - Fields that are to be left alone are taken out of the declared body ([`strip()`]). As a field that leaves an apply
//!   is reset by the server, they are handed over first ([`release_paths`]).
//! - Adoption, orphaning and repair are patches of `managedFields` ([`adopt_client_side`], [`release_all`],
//!   [`restore_entry`]).
//! - [`changes`] shows people what differs between two bodies.
//!
//! Pure: values in, values out. No value of a Secret leaves this module in any form.

mod baseline;
mod compare;
mod defaults;
mod diff;
mod fieldset;
mod finding;
mod handover;
mod ignore;
mod insync;
mod interner;
mod managed;
mod path;
mod pointer;
mod project;
mod rivals;
mod scalar;
mod shown;
mod strip;
mod trail;

pub use baseline::{Baseline, Check};
pub use diff::{FieldChange, changes};
pub use fieldset::FieldSet;
pub use finding::{Finding, FindingKind};
pub use handover::{
    CLIENT_SIDE, ForeignManager, adopt_client_side, release_all, release_paths, remove_foreign, restore_entry,
};
pub use ignore::{Ignore, hpa_targets, ignored_fieldset};
pub use insync::{Literal, literal};
pub use interner::Interner;
pub use managed::{Operation, Owner, has_our_entry, managers, owned_by_us, owner_of};
pub use path::{BadFields, Path, PathElement};
pub use pointer::BadPointer;
pub use project::Salt;
pub use rivals::rivals;
pub use scalar::Scalar;
pub use shown::Shown;
pub use strip::{preserve, strip};
