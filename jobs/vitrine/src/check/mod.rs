//! `vitrine check`: everything that is wrong with what a run would read, offline and all at once.
//!
//! Each part is looked at even if another one is broken: where the configuration has a fault, the key's default stands in.

mod metrics;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pipeline::sink::Webhook;
use pipeline::time::Zone;

use super::Usage;
use super::run::kafka_settings;
use crate::config::{self, Config, SourceKind};
use jobs::alerts::AlertRules;
use jobs::catalogue;
use jobs::operator::sla::Policy;
use jobs::reference::{ReferenceData, RetailReference};

/// Arguments of `vitrine check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:
  vitrine --config vitrine.toml check && vitrine --config vitrine.toml run

Reads files only: no broker is asked, no storage opened. Exit code 2 if anything is wrong.")]
pub struct CheckArgs {}

/// One kind of thing that a run reads.
#[derive(Clone, Debug, Default)]
pub struct CheckedPart {
    pub name: &'static str,
    /// What was looked at.
    pub what: String,
    /// Each names file and key.
    pub problems: Vec<String>,
    /// What works, but perhaps not as meant.
    pub warnings: Vec<String>,
}

/// Runs the command.
pub async fn run(_args: &CheckArgs, file: Option<&Path>) -> anyhow::Result<()> {
    let parts = check(file).await;
    super::say(parts.iter().flat_map(CheckedPart::lines))?;
    match parts.iter().map(|part| part.problems.len()).sum() {
        0 => Ok(()),
        problems => Err(Usage(format!("check found problems={problems}")).into()),
    }
}

/// Looks at every part.
pub async fn check(file: Option<&Path>) -> Vec<CheckedPart> {
    let (config, problems) = config::problems(file);
    let mut configuration = CheckedPart {
        name: "configuration",
        what: file.map_or_else(
            || "defaults and environment".to_owned(),
            |file| file.display().to_string(),
        ),
        problems,
        warnings: Vec::new(),
    };
    configuration.problems.extend(source(&config));
    let (files, reference) = reference(&config.reference.dir);
    let policy = catalogue::policy();
    let mut parts = vec![configuration, files];
    match policy {
        Err(error) => parts.push(CheckedPart {
            name: "SLA steps",
            problems: vec![format!("sla/steps.toml: {}", sentence(error))],
            ..CheckedPart::default()
        }),
        Ok(policy) => {
            parts.push(CheckedPart {
                name: "SLA steps",
                what: format!(
                    "{} steps, version {}",
                    policy.step_count(),
                    policy.version()
                ),
                ..CheckedPart::default()
            });
            parts.push(alert_rules(&config, &policy));
            let texts = jobs::metrics::queries();
            let zone = Zone(config.time.zone);
            parts.push(CheckedPart {
                name: "metrics",
                what: format!("{} metrics", texts.len()),
                problems: metrics::problems(&texts, zone, reference, policy).await,
                ..CheckedPart::default()
            });
        }
    }
    parts.push(tables(Zone(config.time.zone)));
    parts
}

impl CheckedPart {
    fn lines(&self) -> Vec<String> {
        let mut lines = match self.problems.is_empty() {
            true => vec![format!("{}: ok ({})", self.name, self.what)],
            false => Vec::new(),
        };
        let label = |kind: &str, text: &String| format!("{}: {kind}: {text}", self.name);
        lines.extend(self.problems.iter().map(|text| label("problem", text)));
        lines.extend(self.warnings.iter().map(|text| label("warning", text)));
        lines
    }
}

/// Where events come from, as far as that can be told offline.
fn source(config: &Config) -> Vec<String> {
    let mut problems = Vec::new();
    match config.source.kind {
        SourceKind::Files if !config.source.dir.is_dir() => problems.push(format!(
            "[source] dir: there is no folder {:?}, kind = \"files\" reads its events there",
            config.source.dir
        )),
        SourceKind::Files => {}
        SourceKind::Kafka => {
            if let Err(error) = kafka_settings(config).check() {
                problems.push(format!("[source] properties: {}", sentence(error)));
            }
        }
    }
    let topics = config.topic_settings();
    let names: BTreeSet<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    if names.len() < topics.len() {
        problems.push("[topics]: two topics have the same name".to_owned());
    }
    problems
}

/// Reference data; none at all is allowed, with a warning.
fn reference(dir: &Path) -> (CheckedPart, RetailReference) {
    let mut part = CheckedPart {
        name: "reference data",
        what: dir.display().to_string(),
        ..CheckedPart::default()
    };
    let in_dir = |problem: &dyn std::fmt::Display| -> String {
        let place: PathBuf = dir.join(problem.to_string());
        place.display().to_string()
    };
    let reference = if dir.exists() {
        match ReferenceData::load(dir) {
            Ok(reference) => {
                part.warnings = reference.warnings().iter().map(|one| in_dir(one)).collect();
                reference
            }
            Err(error) => {
                part.problems = error.problems().iter().map(|one| in_dir(one)).collect();
                ReferenceData::empty()
            }
        }
    } else {
        part.warnings.push(format!(
            "[reference] dir: there is no folder {dir:?}, every dimension will be UNKNOWN"
        ));
        ReferenceData::empty()
    };
    (part, RetailReference::new(Arc::new(reference)))
}

/// Rules, and where their alerts go.
fn alert_rules(config: &Config, policy: &Arc<Policy>) -> CheckedPart {
    let mut part = CheckedPart {
        name: "alerts",
        ..CheckedPart::default()
    };
    let cards = match AlertRules::built_in(policy) {
        Ok(rules) => rules.cards(),
        Err(error) => {
            part.problems.push(sentence(error));
            Vec::new()
        }
    };
    part.what = format!(
        "{} rules, {} webhooks",
        cards.len(),
        config.alerts.webhooks.len()
    );
    let mut names = BTreeSet::new();
    for settings in &config.alerts.webhooks {
        let place = format!("[alerts] webhooks name={}", settings.name);
        if !names.insert(&settings.name) {
            part.problems
                .push(format!("{place}: another webhook has this name"));
        }
        if let Err(error) = Webhook::open(settings, config.alerts.allow_private_addresses, "check")
        {
            part.problems.push(format!("{place}: {}", sentence(error)));
        }
        let known = |rule: &&String| cards.iter().any(|card| *card.rule_id == ***rule);
        for rule in settings.rules.iter().filter(|rule| !known(rule)) {
            part.problems
                .push(format!("{place}: there is no rule={rule}"));
        }
    }
    part
}

/// Stored tables, as operators and metrics declare them.
fn tables(zone: Zone) -> CheckedPart {
    let mut part = CheckedPart {
        name: "tables",
        ..CheckedPart::default()
    };
    match catalogue::stored_tables(zone) {
        Ok(tables) => part.what = format!("{} tables", tables.len()),
        Err(error) => part.problems.push(format!("{error:#}")),
    }
    part
}

/// An error with its causes, on one line; a cause that an error repeats in its own text is not said again.
fn sentence(error: impl Into<anyhow::Error>) -> String {
    let error = error.into();
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        if said.contains(&text) {
            continue;
        }
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&text);
    }
    said
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn every_part_says_what_is_wrong_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let reference = dir.path().join("ref");
        fs::create_dir(&reference).unwrap();
        fs::write(
            reference.join("ref_customer.csv"),
            "customer_id,valid_from\nC1,yesterday\n",
        )
        .unwrap();
        let file = dir.path().join("vitrine.toml");
        let text = format!(
            "[source]\nkind = \"files\"\ndir = \"/nowhere\"\ngrup = \"g\"\n[reference]\ndir = {reference:?}\n\
             [[alerts.webhooks]]\nname = \"w\"\nurl = \"https://example.com\"\nsecret_file = \"/nowhere\"\nrules = [\"A99\"]\n"
        );
        fs::write(&file, text).unwrap();
        let parts = check(Some(&file)).await;
        let lines: Vec<String> = parts.iter().flat_map(CheckedPart::lines).collect();
        for piece in [
            "[source] grup: unknown key; nearest known key: group",
            "[source] dir: there is no folder \"/nowhere\"",
            "ref_customer.csv",
            "[alerts] webhooks name=w: there is no rule=A99",
            "metrics: ok (",
            "SLA steps: ok (",
            "tables: ok (",
        ] {
            assert!(
                lines.iter().any(|line| line.contains(piece)),
                "{piece}: {lines:#?}"
            );
        }
    }

    #[tokio::test]
    async fn defaults_are_fine() {
        for part in check(None).await {
            assert!(part.problems.is_empty(), "{part:?}");
            assert!(part.lines()[0].contains(": ok ("), "{part:?}");
        }
    }
}
