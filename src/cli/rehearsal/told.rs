//! How a story is told: chapter by chapter, each checked, with a table at its end.

use crate::cli::output::{self, Colour, coloured};
use crate::cli::{Context, Output};
use serde::Serialize;
use std::future::Future;
use std::time::Instant;

/// What a chapter saw, or why it did not hold.
pub type Seen = Result<Vec<String>, String>;

/// What a chapter showed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Its title.
    pub chapter: &'static str,
    /// Whether everything in it was as it has to be.
    pub held: bool,
    /// How long it took.
    pub millis: u128,
    /// What was seen, or what went wrong.
    pub seen: Vec<String>,
}

/// Tells the story to a person while it happens; a program gets it at the end.
pub fn say(context: &Context, text: &str) {
    if context.is_structured() {
        output::note(text);
    } else {
        output::line(text);
    }
}

/// Tells one chapter.
pub async fn chapter(context: &Context, title: &'static str, work: impl Future<Output = Seen>) -> Told {
    say(context, &coloured(Colour::Yellow, title));
    let begun = Instant::now();
    let result = work.await;
    let held = result.is_ok();
    let seen = result.unwrap_or_else(|words| vec![words]);
    for line in &seen {
        say(context, &format!("  {} {line}", if held { "·" } else { "!" }));
    }
    Told { chapter: title, held, millis: begun.elapsed().as_millis(), seen }
}

/// The table at the end of a story that was told to a person.
pub fn table(context: &Context, story: &[Told]) {
    if !matches!(context.output, Output::Text | Output::Wide) {
        return;
    }
    output::line("");
    let rows: Vec<Vec<String>> = story
        .iter()
        .map(|told| {
            let held = if told.held { "held" } else { "FAILED" };
            vec![told.chapter.to_owned(), held.to_owned(), seconds(told.millis)]
        })
        .collect();
    for line in output::table(&["CHAPTER", "", "TIME"], &rows) {
        output::line(&line);
    }
}

/// A duration for people.
pub fn seconds(millis: u128) -> String {
    format!("{:.1} s", millis as f64 / 1000.0)
}

/// A check: what is wrong where it does not hold.
///
/// # Errors
/// It does not hold.
pub fn expect(holds: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(words()) }
}
