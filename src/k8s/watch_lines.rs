//! The events of a watch: one JSON document a line.

use super::answer::place;
use super::{failure, unanswered};
use crate::ports::{ApiFailure, ApiFailureKind};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Longest line. An object of etcd's limit (1.5 MiB) with `managedFields` and escapes is far below it.
const LONGEST_LINE: usize = 32 << 20;

/// One line of a watch.
#[derive(Deserialize)]
pub(super) struct Line {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type")]
    pub(super) event: String,
    pub(super) object: Value,
}

/// Reads a watch's body line by line.
pub(super) struct Lines<'a> {
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    server: &'a str,
}

impl<'a> Lines<'a> {
    pub(super) fn new(body: Body, server: &'a str) -> Self {
        Self { body, buffer: BytesMut::new(), searched: 0, server }
    }

    /// The next line; `None` at the orderly end. A silence longer than the limit is a dead connection.
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self, silence: Duration) -> Result<Option<Line>, ApiFailure> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end + 1);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                // The line is not quoted: it may be a Secret.
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|e| failure::unreadable("a watch event", &place(&e)));
            }
            self.searched = self.buffer.len();
            if self.searched > LONGEST_LINE {
                return Err(failure::unreadable("a watch event", &"it is longer than 32 MiB"));
            }
            let frame = tokio::time::timeout(silence, self.body.frame()).await.map_err(|_| {
                let seconds = silence.as_secs();
                ApiFailure::new(
                    ApiFailureKind::Timeout,
                    format!("the API server {} was silent on a watch for {seconds} s", self.server),
                )
            })?;
            match frame {
                // A line that was begun and not ended belongs to a connection that was cut; it comes again.
                None => return Ok(None),
                Some(Err(error)) => return Err(unanswered::cut(&error, self.server)),
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }
}
