//! Where events go.

use crate::model::event::Event;

/// A consumer of events: the log, the metrics, Kubernetes Events. Must not block.
pub trait Sink: Send + Sync + 'static {
    /// Takes one event.
    fn take(&self, event: &Event);
}

impl Sink for Vec<std::sync::Arc<dyn Sink>> {
    fn take(&self, event: &Event) {
        for sink in self {
            sink.take(event);
        }
    }
}
