//! `vitrine check`: every problem of what a run would read, offline and all at once.
//!
//! Each part is checked even if another one is broken: for a wrong key of the configuration its default is used.

mod metrics;
mod part;
mod parts;
#[cfg(test)]
mod tests;

use std::path::Path;

use pipeline::time::Zone;

use self::part::CheckedPart;
use crate::config;
use crate::exit::{CommandError, one_line};
use crate::output::print_lines;

/// Arguments of `vitrine check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  vitrine --config vitrine.toml check && vitrine --config vitrine.toml run

Reads files only: it contacts no broker and opens no storage. Exit code 2 if there is a problem.")]
pub(crate) struct CheckArgs {}

/// Runs the command.
pub(crate) async fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let parts = check(file).await;
    print_lines(parts.iter().flat_map(CheckedPart::lines))?;
    match parts.iter().map(|part| part.problems.len()).sum() {
        0 => Ok(()),
        problems => Err(CommandError::Usage(format!("check found problems={problems}")).into()),
    }
}

/// Checks every part.
async fn check(file: Option<&Path>) -> Vec<CheckedPart> {
    let (config, problems) = config::problems(file);
    let zone = Zone(config.time.zone);
    let (reference_files, reference) = parts::reference_data(&config.reference.dir);
    let mut parts = vec![
        parts::configuration(file, &config, problems),
        reference_files,
    ];
    match jobs::catalogue::policy() {
        Ok(policy) => {
            parts.push(parts::steps(&policy));
            parts.push(parts::alert_rules(&config, &policy));
            parts.push(metrics::check(zone, reference, policy).await);
        }
        Err(error) => parts.push(CheckedPart {
            name: "SLA steps",
            problems: vec![format!("sla/steps.toml: {}", one_line(error))],
            ..CheckedPart::default()
        }),
    }
    parts.push(parts::tables(zone));
    parts
}
