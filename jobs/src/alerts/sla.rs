//! A15: a step of a case has missed its deadline and has not been stopped since (K22; domain 5.2).
//!
//! ```text
//!  fact, not stopped ─▶ watched ── max(clock, live time) ≥ deadline + grace ─▶ firing
//!                                    late stop ─▶ resolved      deadline moved, still past ─▶ updated
//!                                    met after all, not applicable, void, gone, deadline moved ahead ─▶ withdrawn
//! ```
//!
//! A timer waits neither for an event nor for the clock where live time is further. An event that proves an alert wrong withdraws it.
//!
//! Readings: which alerts fire does not depend on how records were cut into seals. A step that was stopped after deadline and grace
//! fires and is resolved, also if both become known at once (while catching up). A stop within the grace that is known before the alert
//! is due prevents it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::alert::{
    AlertChange, AlertRule, AlertScope, AlertState, RuleInput, RuleTime, Severity,
};
use pipeline::columns::Columns;
use pipeline::error::Result;
use pipeline::history::WEIGHT;
use pipeline::publisher::RuleCard;
use schemas::id::joined;
use schemas::time::{DurationMs, TimestampMs};
use serde::{Deserialize, Serialize};

use super::rules::wrong_setting;
use crate::operator::sla::{Policy, SLA_STEPS, StepDefinition, StepOutcome};

/// `A15.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepSettings {
    pub rule_id: Arc<str>,
    pub version: u32,
    pub title: Arc<str>,
    /// Steps of `sla/steps.toml` that it watches.
    pub steps: Vec<Arc<str>>,
}

/// See the module's page.
#[derive(Clone)]
pub(super) struct StepRule {
    settings: StepSettings,
    policy: Arc<Policy>,
    watched: BTreeMap<StepKey, Watched>,
    /// When each watched step fires that has not fired yet; derived from `watched`.
    due: BTreeSet<(TimestampMs, StepKey)>,
}

/// (`customer_id`, `case_id`, `step_id`).
type StepKey = (Arc<str>, Arc<str>, Arc<str>);

/// A step that is running, or has missed its deadline without a stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    started_at: TimestampMs,
    deadline: TimestampMs,
    unit_id: Arc<str>,
    evidence: Vec<Arc<str>>,
    /// Set while an alert is open.
    first_fired_at: Option<TimestampMs>,
}

/// What one fact says of a step.
struct StepFact {
    watched: Watched,
    stopped_at: Option<TimestampMs>,
    outcome: StepOutcome,
}

impl StepFact {
    fn is_missed(&self) -> bool {
        matches!(self.outcome, StepOutcome::Pending | StepOutcome::Breached)
    }

    /// Whether the step was missed and then stopped after its alert was due.
    fn fired_and_resolved(&self, grace: DurationMs) -> bool {
        let due = self.watched.deadline + grace;
        self.is_missed() && self.stopped_at.is_some_and(|at| at > due)
    }
}

/// How a batch changes a step.
#[derive(Default)]
struct StepUpdate {
    /// The fact that holds now; `None` where it is gone.
    fact: Option<StepFact>,
    /// The fact that held before had fired and been resolved.
    was_resolved: bool,
}

impl StepRule {
    /// A rule without open alerts.
    ///
    /// # Errors
    /// No step at all, or one that the table of steps does not have.
    pub(super) fn new(settings: StepSettings, policy: Arc<Policy>) -> crate::error::Result<Self> {
        let wrong = |what: &str| wrong_setting(&settings.rule_id, what);
        if settings.steps.is_empty() {
            return Err(wrong("it watches no step; name some in steps"));
        }
        for step_id in &settings.steps {
            if policy.step(step_id).is_none() {
                return Err(wrong(&format!(
                    "step_id={step_id} is not in sla/steps.toml"
                )));
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
    pub(super) fn card(&self) -> RuleCard {
        let steps: Vec<&StepDefinition> = self
            .settings
            .steps
            .iter()
            .filter_map(|step_id| self.policy.step(step_id))
            .collect();
        let role = |get: fn(&StepDefinition) -> &Arc<str>| {
            steps
                .first()
                .map_or_else(|| "".into(), |step| get(step).clone())
        };
        let worst = steps.iter().map(|step| step.severity).min();
        RuleCard {
            rule_id: self.settings.rule_id.clone(),
            rule_version: self.settings.version,
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

    /// How a batch changes each step that the rule watches.
    fn read(&self, batch: &RecordBatch) -> Result<BTreeMap<StepKey, StepUpdate>, ArrowError> {
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

        let mut updates: BTreeMap<StepKey, StepUpdate> = BTreeMap::new();
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
            let fact = || {
                Some(StepFact {
                    watched: Watched {
                        started_at: started_at.get(row)?,
                        deadline: deadline.get(row)?,
                        unit_id: unit_id.shared(row)?,
                        evidence: evidence.get(row),
                        first_fired_at: None,
                    },
                    stopped_at: stopped_at.get(row),
                    outcome: StepOutcome::parse(outcome.get(row)?)?,
                })
            };
            let fact = fact().ok_or_else(|| {
                ArrowError::InvalidArgumentError(format!(
                    "facts.{SLA_STEPS}: row={row} lacks an instant or a known outcome"
                ))
            })?;
            let grace = self.grace(&step);
            // A fact may come before or after the one that it replaces.
            let update = updates.entry((customer, case, step)).or_default();
            if weight.get(row) < Some(0) {
                update.was_resolved = fact.fired_and_resolved(grace);
            } else {
                update.fact = Some(fact);
            }
        }
        Ok(updates)
    }

    fn grace(&self, step_id: &str) -> DurationMs {
        let step = self.policy.step(step_id);
        step.map(|step| step.grace).unwrap_or_default()
    }

    /// Applies what is known of one step now.
    fn apply(&mut self, key: StepKey, update: StepUpdate, now: RuleTime) -> Vec<AlertChange> {
        let grace = self.grace(&key.2);
        let before = self.watched.remove(&key);
        if let Some(before) = &before {
            self.due.remove(&(before.deadline + grace, key.clone()));
        }
        let first_fired_at = before.as_ref().and_then(|before| before.first_fired_at);
        let furthest = now.furthest();
        let Some(fact) = update.fact else {
            return match first_fired_at.zip(before) {
                Some((fired, before)) => {
                    self.change(&key, &before, AlertState::Withdrawn, fired, furthest, None)
                }
                None => Vec::new(),
            };
        };
        let fires_and_resolves = fact.fired_and_resolved(grace) && !update.was_resolved;
        let is_missed = fact.is_missed();
        let StepFact {
            mut watched,
            stopped_at,
            ..
        } = fact;
        let due = watched.deadline + grace;
        if !is_missed || stopped_at.is_some() {
            let elapsed = stopped_at.map(|at| at - watched.started_at);
            let mut changes = Vec::new();
            if first_fired_at.is_none() && fires_and_resolves {
                changes.extend(self.firing(&key, &watched, due));
            }
            let fired = first_fired_at.or(fires_and_resolves.then_some(due));
            let (state, at) = match (stopped_at, fired) {
                (Some(stopped), Some(fired)) if is_missed => {
                    (AlertState::Resolved, stopped.max(fired))
                }
                _ => (AlertState::Withdrawn, furthest),
            };
            if let Some(fired) = fired {
                changes.extend(self.change(&key, &watched, state, fired, at, elapsed));
            }
            return changes;
        }
        let moved = before.is_some_and(|before| before.deadline != watched.deadline);
        let state = match first_fired_at {
            Some(_) if moved && furthest >= due => Some(AlertState::Updated),
            Some(_) if moved => Some(AlertState::Withdrawn),
            _ => None,
        };
        if state != Some(AlertState::Withdrawn) {
            watched.first_fired_at = first_fired_at;
        }
        if watched.first_fired_at.is_none() {
            self.due.insert((due, key.clone()));
        }
        let changes = match state.zip(first_fired_at) {
            Some((state, fired)) => self.change(&key, &watched, state, fired, furthest, None),
            None => Vec::new(),
        };
        self.watched.insert(key, watched);
        changes
    }

    fn fire(&mut self, key: &StepKey, due: TimestampMs) -> Vec<AlertChange> {
        let Some(watched) = self.watched.get_mut(key) else {
            return Vec::new();
        };
        watched.first_fired_at = Some(due);
        let watched = watched.clone();
        self.firing(key, &watched, due)
    }

    fn firing(&self, key: &StepKey, watched: &Watched, due: TimestampMs) -> Vec<AlertChange> {
        let elapsed = due - watched.started_at;
        self.change(key, watched, AlertState::Firing, due, due, Some(elapsed))
    }

    /// One change; none for a step that the table of steps no longer has.
    fn change(
        &self,
        (customer_id, case_id, step_id): &StepKey,
        watched: &Watched,
        state: AlertState,
        first_fired_at: TimestampMs,
        transitioned_at: TimestampMs,
        elapsed: Option<DurationMs>,
    ) -> Vec<AlertChange> {
        let Some(step) = self.policy.step(step_id) else {
            return Vec::new();
        };
        let rule_id = &self.settings.rule_id;
        vec![AlertChange {
            rule_id: rule_id.clone(),
            rule_version: self.settings.version,
            state,
            reason: None,
            severity: step.severity,
            dedupe_key: joined([&**rule_id, step_id, customer_id, case_id]).into(),
            subjects: vec![
                customer_id.clone(),
                case_id.clone(),
                watched.unit_id.clone(),
            ],
            value: elapsed.map(|elapsed| elapsed.as_ms() as f64),
            limit: Some(step.limit.as_ms() as f64),
            about: AlertScope::Deadline {
                at: watched.deadline,
            },
            first_fired_at,
            transitioned_at,
            evidence: watched.evidence.clone(),
            owner_role: step.owner_role.clone(),
            escalation_role: step.escalation_role.clone(),
        }]
    }
}

impl AlertRule for StepRule {
    fn rule_id(&self) -> &str {
        &self.settings.rule_id
    }

    fn version(&self) -> u32 {
        self.settings.version
    }

    fn input(&self) -> RuleInput {
        RuleInput::Facts {
            operator: SLA_STEPS,
        }
    }

    fn observe(&mut self, batch: &RecordBatch, now: RuleTime) -> Result<Vec<AlertChange>> {
        let mut changes = Vec::new();
        for (key, update) in self.read(batch)? {
            changes.extend(self.apply(key, update, now));
        }
        changes.extend(self.tick(now));
        Ok(changes)
    }

    fn tick(&mut self, now: RuleTime) -> Vec<AlertChange> {
        let furthest = now.furthest();
        let mut changes = Vec::new();
        while let Some((due, key)) = self.due.pop_first() {
            if due > furthest {
                self.due.insert((due, key));
                break;
            }
            changes.extend(self.fire(&key, due));
        }
        changes
    }

    fn next_timer(&self) -> Option<TimestampMs> {
        self.due.first().map(|(due, _)| *due)
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(postcard::to_stdvec(&self.watched)?)
    }

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        self.watched = postcard::from_bytes(bytes)?;
        self.due = self
            .watched
            .iter()
            .filter(|(_, watched)| watched.first_fired_at.is_none())
            .map(|(key, watched)| (watched.deadline + self.grace(&key.2), key.clone()))
            .collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
