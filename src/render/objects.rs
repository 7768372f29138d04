//! The object stage: documents become objects, each with its place.

use crate::model::manifest::objects_of;
use crate::model::yaml::{Limits, Mark, read_stream};
use crate::ports::renderer::{RenderFailure, RenderedObject};

/// What a file, or the output of a program, holds.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Objects in the order of the text.
    pub objects: Vec<RenderedObject>,
    /// Documents and list items that could not be taken.
    pub problems: Vec<RenderFailure>,
    /// Text that kubectl drops without a word.
    pub warnings: Vec<RenderFailure>,
}

/// Reads all objects of a text. `origin` turns a line into the place that people are told, such as `file:line`;
/// `hint` is what to do about a document that is no manifest.
pub(super) fn take(text: &[u8], limits: &Limits, origin: &dyn Fn(u32) -> String, hint: &str) -> Taken {
    let mut taken = Taken::default();
    for (position, document) in read_stream(text, limits).into_iter().enumerate() {
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                let origin = format!("{}:{}", origin(error.line), error.column);
                taken.problems.push(RenderFailure { origin, message: error.message });
                continue;
            }
        };
        let line = document.line();
        if let Some(mark) = document.ignored() {
            let message = "kubectl drops the text from here to the next `---`; correct or remove it".into();
            taken.warnings.push(RenderFailure { origin: exact(origin, mark), message });
        }
        let mut refused = Vec::new();
        for (pointer, object) in objects_of(document.into_value()) {
            match object {
                Ok(object) if pointer.is_empty() => {
                    taken.objects.push(RenderedObject {
                        object,
                        origin: origin(line),
                        create_only: Vec::new(),
                    });
                }
                Ok(object) => {
                    let origin = format!("{} {pointer}", origin(line));
                    taken.objects.push(RenderedObject { object, origin, create_only: Vec::new() });
                }
                Err(refusal) => refused.push((pointer, refusal)),
            }
        }
        if !refused.is_empty() {
            // Only now is it worth finding where the field stands: the text is parsed once more.
            let again = read_stream(text, limits).into_iter().nth(position);
            let again = again.and_then(Result::ok);
            let marks = again.as_ref().and_then(|document| document.marks());
            for (pointer, refusal) in refused {
                let field = format!("{pointer}{}", refusal.pointer());
                let mark = marks.as_ref().map_or(Mark { line, column: 1 }, |marks| marks.nearest(&field));
                let message = refusal.message(hint);
                taken.problems.push(RenderFailure { origin: exact(origin, mark), message });
            }
        }
    }
    taken
}

fn exact(origin: &dyn Fn(u32) -> String, mark: Mark) -> String {
    format!("{}:{}", origin(mark.line), mark.column)
}
