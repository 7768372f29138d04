//! The proof as text that a person can sign.

use super::prove::{Difference, Proof};
use serde_json::Value;
use std::fmt::Write as _;

/// Longest value shown, in characters.
const LONGEST: usize = 96;

/// A report for a terminal: the result, the failures, what explains the rest.
#[must_use]
pub fn text(proof: &Proof) -> String {
    let mut text = String::new();
    let counts = &proof.counts;
    put(&mut text, format_args!("{} of {} objects equal", counts.equal, counts.expected));
    put(&mut text, format_args!("{}", verdict(proof)));
    let wrong: Vec<&Difference> = proof.failures().collect();
    if !wrong.is_empty() {
        put(&mut text, format_args!("\nNot explained ({}):", wrong.len()));
        let mut last = "";
        for difference in wrong {
            if difference.object != last {
                put(&mut text, format_args!("  {}", difference.object));
                last = &difference.object;
            }
            let place = if difference.pointer.is_empty() { "(object)" } else { &difference.pointer };
            let (expected, actual) = (shown(difference.expected.as_ref()), shown(difference.actual.as_ref()));
            put(&mut text, format_args!("    {place}: expected {expected}, found {actual}"));
        }
    }
    let differing = proof.facts.iter().filter(|fact| !fact.equal);
    for fact in differing {
        put(
            &mut text,
            format_args!("  {}: expected {:?}, found {:?}", fact.what, fact.expected, fact.actual),
        );
    }
    if !counts.explained.is_empty() {
        put(&mut text, format_args!("\nExplained:"));
        for (line, count) in &counts.explained {
            put(&mut text, format_args!("  {count:>6}  {line}"));
        }
    }
    put(
        &mut text,
        format_args!(
            "\n{} missing, {} unexpected, {} made by controllers",
            counts.missing, counts.extra, counts.derived
        ),
    );
    text
}

/// The sentence at the top.
pub(super) fn verdict(proof: &Proof) -> String {
    let same = proof.facts.iter().filter(|fact| fact.equal).count();
    let facts = format!("{same} of {} facts the same", proof.facts.len());
    if proof.equal {
        format!("Equal: every difference is explained, {facts}.")
    } else {
        format!("Not equal: {} differences are not explained, {facts}.", proof.failures().count())
    }
}

/// A value on one line, cut where it is long.
pub(super) fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None => return "nothing".into(),
        Some(Value::String(text)) => format!("{text:?}"),
        Some(other) => other.to_string(),
    };
    let mut head: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if head.len() < text.len() {
        head.push('…');
    }
    head
}

fn put(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("text can be written to a String");
}
