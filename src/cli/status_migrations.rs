//! Migrations in `portolan status`.

use super::output::{self, Colour, coloured};
use crate::model::Health;
use crate::ports::{MigrationRecord, PartRecord};

/// Prints where migrations stand: a line for each part, and below it what holds it back.
pub fn print(records: &[MigrationRecord], wide: bool) {
    let header = ["MIGRATION", "PART", "STAGE", "GOAL", "HEALTH", "REVISION", "MESSAGE"];
    let mut rows = Vec::new();
    let mut colours = Vec::new();
    for record in records {
        let parts = if record.parts.is_empty() { &[PartRecord::default()][..] } else { &record.parts };
        for (place, part) in parts.iter().enumerate() {
            let stage = if part.complete { part.stage.to_string() } else { format!("{} …", part.stage) };
            let first = place == 0;
            let own = |text: &str| if first { text.to_owned() } else { String::new() };
            let message = match (first, part.proof.as_str()) {
                (true, _) => record.message.clone(),
                (false, "") => part.gates.first().cloned().unwrap_or_default(),
                (false, proof) => proof.to_owned(),
            };
            rows.push(vec![
                own(&record.name),
                if part.name.is_empty() { "the move".into() } else { part.name.clone() },
                stage,
                part.goal.to_string(),
                own(&record.health.to_string()),
                own(&record.revision),
                message,
            ]);
            colours.push(match record.health {
                Health::Healthy => Colour::Green,
                Health::Degraded => Colour::Red,
                _ => Colour::Yellow,
            });
        }
    }
    for (index, text) in output::table(&header, &rows).iter().enumerate() {
        output::line(
            &index.checked_sub(1).map_or_else(|| text.clone(), |index| coloured(colours[index], text)),
        );
    }
    for record in records {
        if let Some(waiting) = &record.waiting {
            output::line(&format!("{} waits for an approval: {}", record.name, waiting.reason));
            waiting
                .objects
                .iter()
                .take(if wide { usize::MAX } else { 10 })
                .for_each(|step| output::line(&format!("  {step}")));
            output::line(&format!("  to approve: portolan approve {} {}", record.name, waiting.digest));
        }
        for (place, words) in &record.problems {
            let place = place.split('#').next().unwrap_or_default();
            output::line(&coloured(Colour::Red, &format!("  ! {place}: {words}")));
        }
        if wide {
            for note in record.parts.iter().flat_map(|part| &part.notes) {
                output::line(&format!("  {note}"));
            }
        }
    }
}
