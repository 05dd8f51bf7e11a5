//! A15: a step of a case has missed its deadline and nobody has stopped it since (K22; domain 5.2).
//!
//! ```text
//!  fact, not stopped ─▶ watched ── max(clock, live time) ≥ deadline + grace ─▶ firing
//!                                    late stop ─▶ resolved      deadline moved, still past ─▶ updated
//!                                    met after all, not applicable, void, gone, deadline moved ahead ─▶ withdrawn
//! ```
//!
//! Timers do not wait for an event, nor for the clock where live time is further: an event that proves one wrong withdraws it.
//! Reading: a step whose late stop is known before the alert would fire raises none; there is nothing left to act on, and the
//! breach stands in M19.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::alert::{About, AlertRule, Change, Input, Now, Severity, State};
use pipeline::history::WEIGHT;
use serde::{Deserialize, Serialize};

use super::{RuleCard, RuleError};
use crate::operator::sla::{Outcome, Policy, SLA_STEPS, Step};
use pipeline::columns::Columns;

/// `A15.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSettings {
    pub rule_id: Arc<str>,
    pub version: u32,
    pub title: Arc<str>,
    /// Steps of `sla.toml` that it watches.
    pub steps: Vec<Arc<str>>,
}

/// See the module's page.
pub struct StepRule {
    settings: StepSettings,
    policy: Arc<Policy>,
    watched: BTreeMap<StepKey, Watched>,
    /// When a watched step that has not fired will; derived from `watched`.
    due: BTreeSet<(i64, StepKey)>,
}

/// (`customer_id`, `case_id`, `step_id`).
type StepKey = (Arc<str>, Arc<str>, Arc<str>);

/// A step that runs, or ran out without a stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    started_at_ms: i64,
    deadline_ms: i64,
    unit_id: Arc<str>,
    evidence: Vec<Arc<str>>,
    /// Set while an alert is open.
    first_fired_at_ms: Option<i64>,
}

/// A fact as it comes in.
struct Reported {
    watched: Watched,
    stopped_at_ms: Option<i64>,
    outcome: Outcome,
}

impl StepRule {
    /// A rule without open alerts.
    ///
    /// # Errors
    /// A step that the table of steps does not have.
    pub fn new(settings: StepSettings, policy: Arc<Policy>) -> Result<Self, RuleError> {
        let wrong = |what: String| RuleError::Setting {
            rule: settings.rule_id.clone(),
            what,
        };
        if settings.steps.is_empty() {
            return Err(wrong("it watches no step; name some in steps".to_owned()));
        }
        for step_id in &settings.steps {
            if policy.step(step_id).is_none() {
                return Err(wrong(format!("step_id={step_id} is not in sla.toml")));
            }
        }
        Ok(Self {
            settings,
            policy,
            watched: BTreeMap::new(),
            due: BTreeSet::new(),
        })
    }

    /// As `ops.rules` lists it. Roles are those of its first step.
    pub fn card(&self) -> RuleCard {
        let steps: Vec<&Step> = self
            .settings
            .steps
            .iter()
            .filter_map(|step_id| self.policy.step(step_id))
            .collect();
        let role = |get: fn(&Step) -> &Arc<str>| {
            steps
                .first()
                .map_or_else(|| "".into(), |step| get(step).clone())
        };
        let worst = steps.iter().map(|step| step.severity).min();
        RuleCard {
            rule_id: self.settings.rule_id.clone(),
            version: self.settings.version,
            title: self.settings.title.clone(),
            condition: format!(
                "not stopped at deadline + grace: {}",
                self.settings.steps.join(", ")
            ),
            severity: worst.unwrap_or(Severity::S4),
            owner_role: role(|step| &step.owner_role),
            escalation_role: role(|step| &step.escalation_role),
        }
    }

    /// The latest word of a batch about each step: `None` where its fact is gone.
    fn read(&self, batch: &RecordBatch) -> Result<BTreeMap<StepKey, Option<Reported>>, ArrowError> {
        let columns = Columns::of(batch);
        let customer_id = columns.text("customer_id")?;
        let case_id = columns.text("case_id")?;
        let step_id = columns.text("step_id")?;
        let unit_id = columns.text("unit_id")?;
        let started_at = columns.instant("started_at")?;
        let deadline = columns.instant("deadline")?;
        let stopped_at = columns.instant("stopped_at")?;
        let outcome = columns.text("outcome")?;
        let evidence = columns.texts("evidence")?;
        let weight = columns.integer(WEIGHT)?;

        let mut latest: BTreeMap<StepKey, Option<Reported>> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            let Some(step) = step_id.shared(row) else {
                continue;
            };
            if !self.settings.steps.contains(&step) {
                continue;
            }
            let Some((customer, case)) = customer_id.shared(row).zip(case_id.shared(row)) else {
                continue;
            };
            let key = (customer, case, step);
            if weight.get(row) < Some(0) {
                // The fact that takes its place may stand before or after it.
                latest.entry(key).or_insert(None);
                continue;
            }
            let reported = || {
                Some(Reported {
                    watched: Watched {
                        started_at_ms: started_at.get(row)?,
                        deadline_ms: deadline.get(row)?,
                        unit_id: unit_id.shared(row)?,
                        evidence: evidence.get(row),
                        first_fired_at_ms: None,
                    },
                    stopped_at_ms: stopped_at.get(row),
                    outcome: Outcome::parse(outcome.get(row)?)?,
                })
            };
            let reported = reported().ok_or_else(|| {
                ArrowError::InvalidArgumentError(format!(
                    "facts.{SLA_STEPS}: row={row} lacks an instant or a known outcome"
                ))
            })?;
            latest.insert(key, Some(reported));
        }
        Ok(latest)
    }

    fn grace_ms(&self, step_id: &str) -> i64 {
        self.policy.step(step_id).map_or(0, |step| step.grace_ms)
    }

    /// Takes in what is now known of one step.
    fn apply(&mut self, key: StepKey, reported: Option<Reported>, now: Now) -> Option<Change> {
        let due_after = self.grace_ms(&key.2);
        let before = self.watched.remove(&key);
        if let Some(before) = &before {
            self.due
                .remove(&(before.deadline_ms + due_after, key.clone()));
        }
        let first_fired_at_ms = before.as_ref().and_then(|before| before.first_fired_at_ms);
        let now_ms = now.furthest_ms();
        let Some(Reported {
            mut watched,
            stopped_at_ms,
            outcome,
        }) = reported
        else {
            let (first_fired_at_ms, before) = first_fired_at_ms.zip(before)?;
            return self.change(
                &key,
                &before,
                State::Withdrawn,
                first_fired_at_ms,
                now_ms,
                None,
            );
        };
        let is_missed = matches!(outcome, Outcome::Pending | Outcome::Breached);
        if !is_missed || stopped_at_ms.is_some() {
            let fired_ms = first_fired_at_ms?;
            let elapsed = stopped_at_ms.map(|at_ms| at_ms - watched.started_at_ms);
            let (state, at_ms) = match stopped_at_ms {
                Some(stopped_ms) if is_missed => (State::Resolved, stopped_ms.max(fired_ms)),
                _ => (State::Withdrawn, now_ms),
            };
            return self.change(&key, &watched, state, fired_ms, at_ms, elapsed);
        }
        let moved = before.is_some_and(|before| before.deadline_ms != watched.deadline_ms);
        let due_ms = watched.deadline_ms + due_after;
        let state = match first_fired_at_ms {
            Some(_) if moved && now_ms >= due_ms => Some(State::Updated),
            Some(_) if moved => Some(State::Withdrawn),
            _ => None,
        };
        if state != Some(State::Withdrawn) {
            watched.first_fired_at_ms = first_fired_at_ms;
        }
        if watched.first_fired_at_ms.is_none() {
            self.due.insert((due_ms, key.clone()));
        }
        self.watched.insert(key.clone(), watched.clone());
        self.change(&key, &watched, state?, first_fired_at_ms?, now_ms, None)
    }

    fn fire(&mut self, key: &StepKey, due_ms: i64) -> Option<Change> {
        let watched = self.watched.get_mut(key)?;
        watched.first_fired_at_ms = Some(due_ms);
        let watched = watched.clone();
        let elapsed = due_ms - watched.started_at_ms;
        self.change(key, &watched, State::Firing, due_ms, due_ms, Some(elapsed))
    }

    fn change(
        &self,
        (customer_id, case_id, step_id): &StepKey,
        watched: &Watched,
        state: State,
        first_fired_at_ms: i64,
        transitioned_at_ms: i64,
        elapsed_ms: Option<i64>,
    ) -> Option<Change> {
        let step = self.policy.step(step_id)?;
        let rule_id = &self.settings.rule_id;
        Some(Change {
            rule_id: rule_id.clone(),
            rule_version: self.settings.version,
            state,
            severity: step.severity,
            dedupe_key: format!("{rule_id}|{step_id}|{customer_id}|{case_id}").into(),
            subjects: vec![
                customer_id.clone(),
                case_id.clone(),
                watched.unit_id.clone(),
            ],
            value: elapsed_ms.map(|ms| ms as f64),
            limit: Some(step.limit_ms as f64),
            about: About::Deadline {
                at_ms: watched.deadline_ms,
            },
            first_fired_at_ms,
            transitioned_at_ms,
            evidence: watched.evidence.clone(),
            owner_role: step.owner_role.clone(),
            escalation_role: step.escalation_role.clone(),
        })
    }
}

impl AlertRule for StepRule {
    fn rule_id(&self) -> &str {
        &self.settings.rule_id
    }

    fn version(&self) -> u32 {
        self.settings.version
    }

    fn input(&self) -> Input {
        Input::Facts {
            operator: SLA_STEPS,
        }
    }

    fn observe(&mut self, batch: &RecordBatch, now: Now) -> Result<Vec<Change>, ArrowError> {
        let mut changes = Vec::new();
        for (key, reported) in self.read(batch)? {
            changes.extend(self.apply(key, reported, now));
        }
        changes.extend(self.tick(now));
        Ok(changes)
    }

    fn tick(&mut self, now: Now) -> Vec<Change> {
        let now_ms = now.furthest_ms();
        let mut changes = Vec::new();
        while let Some((due_ms, key)) = self.due.pop_first() {
            if due_ms > now_ms {
                self.due.insert((due_ms, key));
                break;
            }
            changes.extend(self.fire(&key, due_ms));
        }
        changes
    }

    fn next_wake_ms(&self) -> Option<i64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    fn save(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(&self.watched)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), postcard::Error> {
        self.watched = postcard::from_bytes(bytes)?;
        self.due = self
            .watched
            .iter()
            .filter(|(_, watched)| watched.first_fired_at_ms.is_none())
            .map(|(key, watched)| (watched.deadline_ms + self.grace_ms(&key.2), key.clone()))
            .collect();
        Ok(())
    }
}

#[cfg(test)]
#[path = "sla_tests.rs"]
mod tests;
