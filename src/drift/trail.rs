//! The way down to a field while an object is walked.

use super::path::{Path, PathElement};

/// A path under construction on the stack: walking an object that has not drifted allocates none.
#[derive(Clone, Copy)]
pub(super) struct Trail<'a> {
    parent: Option<&'a Self>,
    step: Option<Step<'a>>,
}

/// One step of a [`Trail`], borrowed.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    /// An element of a field set.
    Element(&'a PathElement),
    /// A field of a mapping.
    Field(&'a str),
    /// Place in a list.
    Index(usize),
}

impl<'a> Trail<'a> {
    /// The object itself.
    pub(super) const fn root() -> Self {
        Self { parent: None, step: None }
    }

    /// One step further.
    pub(super) const fn then(&'a self, step: Step<'a>) -> Self {
        Self { parent: Some(self), step: Some(step) }
    }

    /// The steps from the object down.
    pub(super) fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = self.parent.map(Self::steps).unwrap_or_default();
        steps.extend(self.step);
        steps
    }

    /// The path, owned.
    pub(super) fn path(&self) -> Path {
        let owned = |step: Step<'_>| match step {
            Step::Element(element) => element.clone(),
            Step::Field(name) => PathElement::field(name),
            Step::Index(index) => PathElement::Index(index as u64),
        };
        Path(self.steps().into_iter().map(owned).collect())
    }

    /// The name of the last field on the way, list items aside.
    pub(super) fn last_field(&self) -> Option<&'a str> {
        match self.step? {
            Step::Element(PathElement::Field(name)) => Some(name),
            Step::Field(name) => Some(name),
            Step::Element(_) | Step::Index(_) => self.parent?.last_field(),
        }
    }

    /// What contains this.
    pub(super) const fn parent(&self) -> Option<&'a Self> {
        self.parent
    }
}
