//! The table of steps: what is measured is data; no step has code of its own.

use std::collections::HashSet;
use std::sync::Arc;

use pipeline::alert::Severity;
use pipeline::error::ErrorKind;
use schemas::time::DurationMs;
use serde::{Deserialize, Deserializer};

use super::case::Mark;
use crate::error::{Error, Result};

/// The table that Vitrine comes with.
const BUILT_IN: &str = include_str!("../../../sla/steps.toml");

/// The clock on which a limit is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum LimitClock {
    /// Every hour counts.
    Elapsed,
}

/// One step: the marks of a case between which it runs, its limit, and the roles responsible.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepDefinition {
    pub step_id: Arc<str>,
    /// Kinds of case that have this step.
    pub case_kinds: Vec<Arc<str>>,
    pub start: Mark,
    /// Time after the end of the contact at which the step starts while its start is missing.
    #[serde(default, deserialize_with = "some_duration")]
    pub fall_back: Option<DurationMs>,
    /// Any of these stops it.
    pub stop: Vec<Mark>,
    #[serde(deserialize_with = "duration")]
    pub limit: DurationMs,
    pub clock: LimitClock,
    /// Part of the limit after which a pending step raises a warning, in thousandths.
    #[serde(rename = "early_warning", deserialize_with = "thousandths")]
    pub early_warning_thousandths: i64,
    #[serde(deserialize_with = "duration")]
    pub grace: DurationMs,
    pub owner_role: Arc<str>,
    pub escalation_role: Arc<str>,
    pub severity: Severity,
}

impl StepDefinition {
    /// Time from the start to the early warning.
    pub(crate) fn warning_after(&self) -> DurationMs {
        DurationMs::from_ms((self.limit * self.early_warning_thousandths).as_ms() / 1_000)
    }
}

/// All steps, and the version of their table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Rises when a step changes.
    version: u32,
    #[serde(rename = "step")]
    steps: Vec<StepDefinition>,
}

impl Policy {
    /// The table that Vitrine comes with (`jobs/sla/steps.toml`).
    pub(crate) fn built_in() -> Result<Self> {
        Self::parse(BUILT_IN)
    }

    /// Reads and checks a table of steps in TOML.
    pub(crate) fn parse(file: &str) -> Result<Self> {
        let policy: Self = toml::from_str(file).map_err(Error::from_source(
            ErrorKind::Configuration,
            "the table of steps cannot be read; see the place and the known names below",
        ))?;
        let mut known = HashSet::new();
        for step in &policy.steps {
            let fault = if known.insert(&step.step_id) {
                fault(step)
            } else {
                Some("another step has this id; give each step an id of its own")
            };
            if let Some(fault) = fault {
                let message = format!("step_id={}: {fault}", step.step_id);
                return Err(Error::new(ErrorKind::Configuration, message));
            }
        }
        Ok(policy)
    }

    /// The version of the table.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// How many steps the table has.
    pub fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// The steps of one kind of case.
    pub(crate) fn steps_of(&self, case_kind: &str) -> impl Iterator<Item = &StepDefinition> {
        self.steps
            .iter()
            .filter(move |step| step.case_kinds.iter().any(|kind| &**kind == case_kind))
    }

    /// The step of this id.
    pub(crate) fn step(&self, step_id: &str) -> Option<&StepDefinition> {
        self.steps.iter().find(|step| &*step.step_id == step_id)
    }
}

fn fault(step: &StepDefinition) -> Option<&'static str> {
    if step.case_kinds.is_empty() {
        return Some("case_kinds is empty; name the kinds of case that have the step");
    }
    if step.stop.is_empty() {
        return Some("stop is empty; name the marks that stop the step");
    }
    if step.limit == DurationMs::ZERO {
        return Some("limit is zero; give the step some time");
    }
    if step.start == Mark::ContactEnded && step.fall_back.is_some() {
        return Some("fall_back has no effect, for every contact ends; remove it");
    }
    None
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DurationMs, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = humantime::parse_duration(&text).map_err(|_| {
        serde::de::Error::custom(format!(
            "`{text}` is not a duration like \"60s\", \"30m\" or \"12h\""
        ))
    })?;
    Ok(DurationMs::from_std(duration))
}

fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DurationMs>, D::Error> {
    duration(deserializer).map(Some)
}

fn thousandths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        // Rounded: the nearest double to 0.8 must be 800.
        Ok((share * 1_000.0).round() as i64)
    } else {
        Err(serde::de::Error::custom(format!(
            "`{share}` is not a part of a limit; write a number from 0 to 1"
        )))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_has_the_steps_of_complaints_and_rescues() {
        let policy = Policy::built_in().unwrap();
        let steps = |kind: &str| -> Vec<(String, i64)> {
            policy
                .steps_of(kind)
                .map(|step| (step.step_id.to_string(), step.limit.as_ms() / 60_000))
                .collect()
        };
        let expected = |prefix: &str| -> Vec<(String, i64)> {
            [
                ("PROMISE_30M", 30),
                ("DEPT_10M", 10),
                ("INFORM_20M", 20),
                ("SUPERVISE_12H", 720),
                ("CALLBACK_24H", 1_440),
            ]
            .map(|(name, minutes)| (format!("{prefix}_{name}"), minutes))
            .to_vec()
        };
        assert_eq!(steps("COMPLAINT"), expected("CMP"));
        assert_eq!(steps("RESCUE"), expected("RSC"));
        assert!(steps("ENQUIRY").is_empty());
        let dept = policy.step("RSC_DEPT_10M").unwrap();
        assert_eq!(
            (dept.warning_after(), dept.grace, dept.severity),
            (
                DurationMs::from_minutes(8),
                DurationMs::MINUTE,
                Severity::S1
            )
        );
    }

    fn parsed(change: impl FnOnce(&str) -> String) -> Result<Policy> {
        Policy::parse(&change(BUILT_IN))
    }

    #[test]
    fn faults_name_the_step_and_what_to_do() {
        let twice = parsed(|text| text.replace("CMP_DEPT_10M", "CMP_PROMISE_30M")).unwrap_err();
        assert!(twice.to_string().contains("CMP_PROMISE_30M"), "{twice}");
        for (from, to, expected) in [
            (r#"stop = ["DEPT_NOTIFIED"]"#, "stop = []", "stop is empty"),
            (r#"["COMPLAINT"]"#, "[]", "case_kinds is empty"),
            (r#"limit = "10m""#, r#"limit = "0m""#, "limit is zero"),
            (
                r#"start = "CONTACT_ENDED""#,
                "start = \"CONTACT_ENDED\"\nfall_back = \"1m\"",
                "every contact ends",
            ),
        ] {
            let error = parsed(|text| text.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn unknown_names_and_values_are_refused() {
        for (from, to, expected) in [
            ("DEPT_NOTIFIED", "DEPT_TOLD", "DEPT_TOLD"),
            ("ELAPSED", "WORKING", "WORKING"),
            ("grace", "grease", "grease"),
            ("\"30m\"", "\"30 moons\"", "30 moons"),
            ("0.8", "80.0", "80"),
        ] {
            let error = parsed(|text| {
                text.replace(&format!("= {from}"), &format!("= {to}"))
                    .replace(&format!("\"{from}\""), &format!("\"{to}\""))
                    .replace(&format!("\n{from} ="), &format!("\n{to} ="))
            })
            .unwrap_err();
            let source = std::error::Error::source(&error)
                .expect("a syntax error")
                .to_string();
            assert!(source.contains(expected), "{source}");
        }
    }
}
