//! The parts that `vitrine check` checks, except the metrics.

use std::path::Path;
use std::sync::Arc;

use jobs::alerts::AlertRules;
use jobs::catalogue;
use jobs::error::{Problem, Result};
use jobs::operator::sla::Policy;
use jobs::reference::{ReferenceData, RetailReference};
use pipeline::time::Zone;

use super::part::CheckedPart;
use crate::config::{Config, SourceKind};
use crate::exit::one_line;
use crate::run::{kafka_settings, webhook_problems};

/// The configuration, with the problems that reading it has found.
pub(super) fn configuration(
    file: Option<&Path>,
    config: &Config,
    mut problems: Vec<String>,
) -> CheckedPart {
    problems.extend(input_problems(config));
    CheckedPart {
        name: "configuration",
        what: file.map_or_else(
            || "defaults and environment".to_owned(),
            |file| file.display().to_string(),
        ),
        problems,
        warnings: Vec::new(),
    }
}

/// Problems of the input that can be found offline.
fn input_problems(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    match config.source.kind {
        SourceKind::Files if !config.source.dir.is_dir() => problems.push(format!(
            "[source] dir: there is no folder {:?}; with kind = \"files\" the events are read there",
            config.source.dir
        )),
        SourceKind::Files => {}
        SourceKind::Kafka => {
            if let Err(error) = kafka_settings(config).check() {
                problems.push(format!("[source] properties: {}", one_line(error)));
            }
        }
    }
    problems
}

/// Reference data. A missing folder is allowed, with a warning; inconsistent rows are warnings too.
pub(super) fn reference_data(dir: &Path) -> (CheckedPart, RetailReference) {
    let mut part = CheckedPart {
        name: "reference data",
        what: dir.display().to_string(),
        ..CheckedPart::default()
    };
    let reference = load_reference_data(dir, &mut part).unwrap_or_else(|error| {
        part.problems = if error.problems().is_empty() {
            vec![one_line(error)]
        } else {
            let problems = error.problems().iter();
            problems.map(|problem| in_dir(dir, problem)).collect()
        };
        ReferenceData::empty()
    });
    (part, RetailReference::new(Arc::new(reference)))
}

fn load_reference_data(dir: &Path, part: &mut CheckedPart) -> Result<ReferenceData> {
    if !ReferenceData::folder_exists(dir)? {
        part.warnings.push(format!(
            "[reference] dir: there is no folder {dir:?}; every dimension will be UNKNOWN"
        ));
        return Ok(ReferenceData::empty());
    }
    let reference = ReferenceData::load(dir)?;
    let inconsistencies = reference.inconsistencies();
    let warnings = reference.warnings().iter().chain(&inconsistencies);
    part.warnings = warnings.map(|warning| in_dir(dir, warning)).collect();
    Ok(reference)
}

/// A problem with the path of its file.
fn in_dir(dir: &Path, problem: &Problem) -> String {
    dir.join(problem.to_string()).display().to_string()
}

/// The time limits of service cases.
pub(super) fn steps(policy: &Policy) -> CheckedPart {
    CheckedPart {
        name: "SLA steps",
        what: format!(
            "{} steps, version {}",
            policy.step_count(),
            policy.version()
        ),
        ..CheckedPart::default()
    }
}

/// Alert rules and webhooks.
pub(super) fn alert_rules(config: &Config, policy: &Arc<Policy>) -> CheckedPart {
    let mut part = CheckedPart {
        name: "alerts",
        ..CheckedPart::default()
    };
    let cards = match AlertRules::built_in(policy) {
        Ok(rules) => rules.cards(),
        Err(error) => {
            part.problems.push(one_line(error));
            Vec::new()
        }
    };
    part.what = format!(
        "{} rules, {} webhooks",
        cards.len(),
        config.alerts.webhooks.len()
    );
    part.problems.extend(webhook_problems(config, &cards));
    part
}

/// Stored tables as operators and metrics declare them.
pub(super) fn tables(zone: Zone) -> CheckedPart {
    let mut part = CheckedPart {
        name: "tables",
        ..CheckedPart::default()
    };
    match catalogue::stored_tables(zone) {
        Ok(tables) => part.what = format!("{} tables", tables.len()),
        Err(error) => part.problems.push(one_line(error)),
    }
    part
}
