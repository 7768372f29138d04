//! What a person sees while waiting: phases, counts and elapsed time, as values for the caller to draw.

use std::time::{Duration, Instant};

/// Where the time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Another process is building the same programs; we wait for it.
    Lock,
    /// Go fetches the sources.
    Download,
    /// Go compiles and links.
    Compile,
    /// The programs are started and answer one after the other.
    Start,
}

/// One sign of life, sent whenever something moved.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What is going on.
    pub phase: Phase,
    /// The module, package or program at hand.
    pub what: String,
    /// How many of them are through.
    pub done: usize,
    /// How many there are; `None` where nobody knows. For `Compile` an upper bound, for Go does not say
    /// in advance which packages it finds in its own cache.
    pub total: Option<usize>,
    /// Since the phase began.
    pub elapsed: Duration,
}

/// Where progress goes. `Send`, so that the futures which report to it may move between threads.
pub type Report<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Counts the steps of one phase.
pub(crate) struct Meter {
    phase: Phase,
    since: Instant,
    done: usize,
    total: Option<usize>,
    what: String,
}

impl Meter {
    pub(crate) fn new(phase: Phase, total: Option<usize>) -> Meter {
        Meter { phase, since: Instant::now(), done: 0, total, what: String::new() }
    }

    /// One more step is through.
    pub(crate) fn step(&mut self, what: &str, report: &mut (dyn FnMut(Progress) + Send)) {
        self.done += 1;
        self.show(what, report);
    }

    /// Shows what is at hand without counting a step.
    pub(crate) fn show(&mut self, what: &str, report: &mut (dyn FnMut(Progress) + Send)) {
        what.clone_into(&mut self.what);
        self.again(report);
    }

    /// Shows the same once more, for the time that has passed.
    pub(crate) fn again(&self, report: &mut (dyn FnMut(Progress) + Send)) {
        report(Progress {
            phase: self.phase,
            what: self.what.clone(),
            done: self.done,
            total: self.total,
            elapsed: self.since.elapsed(),
        });
    }
}
