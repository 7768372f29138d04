//! Ring 5: what is told to the outside: the log and the metrics, both fed by events.

mod log;
mod metrics;

pub use log::{LogSink, start};
pub use metrics::{Metrics, RequestCounter};
