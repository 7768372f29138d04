//! From the bytes of a file to its documents.

use super::document::{Document, Source, Syntax};
use super::error::{Mark, YamlError, YamlErrorKind};
use super::json::JsonReader;
use super::limits::Limits;
use super::split::{self, Chunk, Splitter};
use super::{encoding, parse, value};

/// A file being read.
pub(super) struct Stream<'l> {
    limits: &'l Limits,
    documents: Vec<Result<Document, YamlError>>,
}

impl<'l> Stream<'l> {
    pub fn new(limits: &'l Limits) -> Self {
        Stream { limits, documents: Vec::new() }
    }

    /// Reads all documents; what concerns the file as a whole stands behind those read before.
    pub fn read(mut self, bytes: &[u8]) -> Vec<Result<Document, YamlError>> {
        if let Err(error) = self.read_file(bytes) {
            self.documents.push(Err(error));
        }
        self.documents
    }

    fn read_file(&mut self, bytes: &[u8]) -> Result<(), YamlError> {
        if bytes.len() > self.limits.max_file_bytes {
            return Err(too_big("file", self.limits.max_file_bytes, Mark::START));
        }
        let decoded = encoding::decode_file(bytes)?;
        let bytes = decoded.as_ref();
        let mut line = 1;
        let mut rest = bytes;
        let mut json_error = None;
        if split::looks_like_json(bytes) {
            let text = encoding::decode_utf8(bytes, 1)?;
            let Some((offset, next_line, error)) = self.read_json(text) else {
                return Ok(());
            };
            (rest, line, json_error) = (&bytes[offset..], next_line, error);
        }
        let normalized = encoding::normalize_lines(rest);
        for chunk in Splitter::new(&normalized, line) {
            self.check_count(Mark { line: chunk.line, column: 1 })?;
            let mut document = self.read_chunk(chunk);
            // What looked like JSON and is no YAML either was meant by whoever got further with it.
            if let (Err(error), Some(json_error)) = (&mut document, json_error.take())
                && json_error.mark() > error.mark()
            {
                *error = json_error;
            }
            self.documents.extend(document.transpose());
        }
        Ok(())
    }

    /// Reads JSON values as long as there are any. If something else follows, gives its offset and line, and the
    /// error if the text is not known to be YAML.
    fn read_json(&mut self, text: &str) -> Option<(usize, u32, Option<YamlError>)> {
        let mut reader = JsonReader::new(text, Mark::START, self.limits.max_depth);
        let mut count = 0;
        let mut end = 0;
        let error = loop {
            if !reader.skip_blanks() {
                return None;
            }
            let start = (reader.position(), reader.mark());
            if let Err(error) = self.check_count(start.1) {
                self.documents.push(Err(error));
                return None;
            }
            match reader.value() {
                Ok(parsed) => {
                    end = reader.position();
                    count += 1;
                    let document = parsed.and_then(|(tree, root)| {
                        let source = self.source(&text[start.0..end], start.1, Syntax::Json)?;
                        let value = value::build(&tree, root, self.limits)?;
                        Ok(self.document(value, start.1, None, source))
                    });
                    self.documents.extend(document.transpose());
                }
                Err(error) => break error,
            }
        };
        // After two values kubectl insists on JSON; before, it goes on with YAML behind the last value.
        let offset = if count > 1 { None } else { split::yaml_after_json(&text[end..]) };
        let (offset, error) = match offset {
            Some(offset) => (end + offset, Some(error)),
            None => {
                self.documents.push(Err(error));
                (end + split::next_separator(&text[end..])?, None)
            }
        };
        let line = encoding::end_of(&text[..offset], Mark::START).line;
        Some((offset, line, error))
    }

    /// Reads one document of YAML; `None` if it is empty.
    fn read_chunk(&self, chunk: Chunk<'_>) -> Result<Option<Document>, YamlError> {
        chunk.check()?;
        let text = encoding::decode_utf8(chunk.bytes, chunk.line)?;
        let text = encoding::check_characters(text, chunk.line)?;
        let source = self.source(text, Mark { line: chunk.line, column: 1 }, Syntax::Yaml)?;
        let parsed = parse::parse(text, chunk.line, self.limits.max_depth)?;
        let Some(root) = parsed.root else {
            return Ok(None);
        };
        let value = value::build(&parsed.tree, root, self.limits)?;
        Ok(self.document(value, parsed.tree.node(root).mark, parsed.ignored, source))
    }

    fn check_count(&self, mark: Mark) -> Result<(), YamlError> {
        if self.documents.len() < self.limits.max_documents {
            return Ok(());
        }
        let limit = self.limits.max_documents;
        let message = format!("the file has more than {limit} documents; split it into several files");
        Err(YamlError::new(YamlErrorKind::Limit, mark, message))
    }

    fn source(&self, text: &str, start: Mark, syntax: Syntax) -> Result<Source, YamlError> {
        if text.len() > self.limits.max_document_bytes {
            return Err(too_big("document", self.limits.max_document_bytes, start));
        }
        Ok(Source { text: text.into(), start, syntax, max_depth: self.limits.max_depth })
    }

    fn document(
        &self,
        value: serde_json::Value,
        mark: Mark,
        ignored: Option<Mark>,
        source: Source,
    ) -> Option<Document> {
        let index = self.documents.len();
        (!value.is_null()).then_some(Document { index, value, mark, ignored, source })
    }
}

fn too_big(what: &str, limit: usize, mark: Mark) -> YamlError {
    YamlError::new(
        YamlErrorKind::Limit,
        mark,
        format!("the {what} is bigger than {limit} bytes; split it, or keep it out of the rendered path"),
    )
}
