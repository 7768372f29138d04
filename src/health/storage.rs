//! PersistentVolumeClaim and PersistentVolume.

use super::Subject;
use super::fields::{explain, text};
use crate::model::{Assessment, Health};

/// kstatus `pvcConditions`: only a bound claim is healthy. One that lost its volume does not come back by itself and
/// is Degraded (Argo CD).
pub(super) fn claim(subject: &Subject<'_>) -> Assessment {
    match text(subject.body, "/status/phase") {
        "Bound" => Assessment::healthy(),
        "Lost" => Assessment::new(Health::Degraded, "Lost: its volume is gone"),
        "" => Assessment::new(Health::Progressing, "not yet bound"),
        phase => Assessment::new(Health::Progressing, format!("not yet bound, phase {phase}")),
    }
}

/// Healthy in every phase (a volume may wait for a claim for ever) but `Failed`, its reclamation having failed.
pub(super) fn volume(subject: &Subject<'_>) -> Assessment {
    match text(subject.body, "/status/phase") {
        phase @ "Failed" => Assessment::new(
            Health::Degraded,
            explain(
                phase,
                &explain(text(subject.body, "/status/reason"), text(subject.body, "/status/message")),
            ),
        ),
        _ => Assessment::healthy(),
    }
}
