//! Choices that people recorded: on the command line, or in a file.

use crate::failure::{Failure, FailureKind};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Choices.
#[derive(clap::Args)]
pub struct Choices {
    /// A choice as RULE=OFFER, RULE@SUBJECT=OFFER or RULE@SUBJECT/POINTER=OFFER. May be given again.
    #[arg(long = "choose", value_name = "ID=CHOICE")]
    choose: Vec<String>,
    /// File with choices: a mapping of ids to offers, or a Migration document.
    #[arg(long = "choices", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Choices {
    /// All of them; those of the command line count before those of the file.
    ///
    /// # Errors
    /// The file cannot be read, or a choice has no `=`.
    pub fn read(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut choices = match &self.file {
            Some(path) => from_file(path)?,
            None => BTreeMap::new(),
        };
        for text in &self.choose {
            let (id, offer) = text.split_once('=').ok_or_else(|| {
                Failure::new(FailureKind::User, format!("`{text}` is no choice; one is written RULE=OFFER"))
                    .hint("`portolan migrate assess` shows the rules and their offers")
            })?;
            choices.insert(id.trim().to_owned(), offer.trim().to_owned());
        }
        Ok(choices)
    }
}

fn from_file(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let wrong = |words: String| Failure::new(FailureKind::Config, format!("{}: {words}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut choices = BTreeMap::new();
    for document in crate::model::yaml::read_stream(&bytes, &crate::model::yaml::Limits::default()) {
        let value =
            document.map_err(|error| wrong(format!("line {}: {}", error.line, error.message)))?.into_value();
        let all = if value["kind"] == "Migration" { &value["spec"]["choices"] } else { &value };
        for (id, offer) in all.as_object().into_iter().flatten() {
            let Value::String(offer) = offer else {
                return Err(wrong(format!(
                    "the choice `{id}` is no text; write the offer's id, in quotes where it needs them"
                )));
            };
            choices.insert(id.clone(), offer.clone());
        }
    }
    Ok(choices)
}
