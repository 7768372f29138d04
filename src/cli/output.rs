//! What is printed, and how: results to standard output, everything else to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the one place that prints")]

use super::Output;
use crate::failure::{Failure, FailureKind};
use crate::model::yaml;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Prints a line of the result. A reader that has gone (`| head`) is no error.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a line for the person who waits.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints a failure.
pub fn failure(failure: &Failure) {
    note(&format!("Error: {failure}"));
}

/// Prints a value as JSON or YAML.
///
/// # Errors
/// Never for the values of this program; the type asks for it.
pub fn value<T: Serialize>(form: Output, value: &T) -> Result<(), Failure> {
    let broken = |error: String| Failure::new(FailureKind::Environment, error);
    let text = match form {
        Output::Yaml => yaml::to_text(value).map_err(|e| broken(e.to_string()))?,
        _ => serde_json::to_string_pretty(value).map_err(|e| broken(e.to_string()))?,
    };
    line(text.trim_end());
    Ok(())
}

/// Whether standard output is a terminal that takes colour (https://no-color.org).
pub fn has_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Whether a person watches standard error.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Redraws one line on standard error, when a person watches it.
pub fn progress(text: &str) {
    if is_watched() {
        let mut stream = std::io::stderr().lock();
        let _ = write!(stream, "\r\x1b[2K{text}");
        let _ = stream.flush();
    }
}

/// Ends a line that [`progress`] drew.
pub fn end_progress() {
    progress("");
}

/// Colours that mean something.
#[derive(Clone, Copy)]
pub enum Colour {
    /// Good, added.
    Green,
    /// Bad, removed.
    Red,
    /// Look here, changed.
    Yellow,
    /// Beside the point.
    Dim,
}

/// A text in a colour, where the terminal takes it.
pub fn coloured(colour: Colour, text: &str) -> String {
    if !has_colour() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Green => 32,
        Colour::Red => 31,
        Colour::Yellow => 33,
        Colour::Dim => 2,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Rows under a header, in columns as wide as their longest cell.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let format = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            let padding = width.saturating_sub(cell.chars().count());
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', padding + 3));
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![format(&mut header.iter().copied())];
    lines.extend(rows.iter().map(|row| format(&mut row.iter().map(String::as_str))));
    lines
}
