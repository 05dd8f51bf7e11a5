//! The state of an alert as a fold over the rows of a retailer, in the order of their windows (K33). Pure.

use std::sync::Arc;

use pipeline::alert::{AlertScope, AlertState, Severity};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::Below;

/// Where a margin lies among the limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum MarginLevel {
    Below(Below),
    /// Above the limits and under `resolved_from`.
    Between,
    Sufficient,
    /// Too few SKUs or no sales: the row is skipped.
    NotJudged,
}

/// An open alert.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    pub severity: Severity,
    pub first_fired_at: TimestampMs,
}

/// What an alert transition says of its window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Finding {
    pub window_start: TimestampMs,
    pub window_end: TimestampMs,
    pub territory_id: Arc<str>,
    pub value: Option<f64>,
    pub limit: Option<f64>,
}

impl Finding {
    pub(super) fn scope(&self) -> AlertScope {
        AlertScope::Window {
            start: self.window_start,
            end: self.window_end,
        }
    }
}

/// A transition that follows from the row of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub state: AlertState,
    /// The alert that begins, goes on or ends with it.
    pub open: Open,
    pub finding: Finding,
}

impl Step {
    pub(super) fn at(&self) -> TimestampMs {
        self.finding.window_end
    }

    fn fires(&self) -> bool {
        self.state == AlertState::Firing
    }

    /// Whether both are the same transition of the same window.
    fn is_same(&self, other: &Self) -> bool {
        (self.at(), self.state, self.open.severity)
            == (other.at(), other.state, other.open.severity)
    }

    /// The severity of the alert behind it, if it is still open then.
    fn severity_behind(&self) -> Option<Severity> {
        matches!(self.state, AlertState::Firing | AlertState::Updated).then_some(self.open.severity)
    }
}

/// Applies the row of one more window: the transition that it brings about, and the alert that is open behind it.
pub(super) fn next(
    open: Option<Open>,
    level: MarginLevel,
    finding: Finding,
) -> (Option<Step>, Option<Open>) {
    let (state, about, behind) = match (open, level) {
        (None, MarginLevel::Below(below)) => {
            let fired = Open {
                severity: below.severity,
                first_fired_at: finding.window_end,
            };
            (AlertState::Firing, fired, Some(fired))
        }
        (Some(open), MarginLevel::Below(below)) if open.severity != below.severity => {
            let updated = Open {
                severity: below.severity,
                ..open
            };
            (AlertState::Updated, updated, Some(updated))
        }
        (Some(open), MarginLevel::Sufficient) => (AlertState::Resolved, open, None),
        (open, _) => return (None, open),
    };
    let step = Step {
        state,
        open: about,
        finding,
    };
    (Some(step), behind)
}

/// All transitions of `rows`, which are in the order of their windows, and the alert that is open behind the last.
pub(super) fn fold(
    before: Option<Open>,
    rows: impl IntoIterator<Item = (MarginLevel, Finding)>,
) -> (Vec<Step>, Option<Open>) {
    let mut steps = Vec::new();
    let mut open = before;
    for (level, finding) in rows {
        let (step, behind) = next(open, level, finding);
        steps.extend(step);
        open = behind;
    }
    (steps, open)
}

/// What revisions of known windows change, in the order in which it is recorded.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Restated {
    /// Alerts of the past that never fired, as is known now.
    pub withdrawn: Vec<Step>,
    /// Transitions of the past that hold now; then the state as of now again, where the last one would tell another.
    pub late: Vec<Step>,
    /// The transition to the state as of now, where that has changed.
    pub now: Option<Step>,
}

/// Compares the transitions that the rows of a retailer brought about before with those of now.
pub(super) struct Comparison<'s> {
    pub before: &'s [Step],
    pub after: &'s [Step],
    /// The alert as receivers know it.
    pub announced: Option<Open>,
    /// The alert behind the last row.
    pub open: Option<Open>,
    /// Of the newest row, for a state that no transition in `after` led to.
    pub newest: &'s Finding,
}

impl Comparison<'_> {
    pub(super) fn restate(&self) -> Restated {
        let current = self.current();
        let gone = self.before.iter().filter(|step| self.is_gone(step));
        // How the alert that receivers have as open ends is the transition to the state as of now.
        let withdrawn: Vec<Step> = gone
            .filter(|step| current != Some(step))
            .map(|step| Step {
                state: AlertState::Withdrawn,
                ..step.clone()
            })
            .collect();
        let now = self.transition_to_now();
        let is_now = |step: &Step| {
            let is_told = |now: &Step| now.state != AlertState::Withdrawn && now.at() == step.at();
            now.as_ref().is_some_and(is_told)
        };
        let is_known = |step: &Step| self.before.iter().any(|known| known.is_same(step));
        let late = self
            .after
            .iter()
            .filter(|step| !is_known(step) && !is_now(step));
        let mut late: Vec<Step> = late.cloned().collect();
        if now.is_none()
            && let Some(said) = late.last().or(withdrawn.last())
            && said.severity_behind() != self.open.map(|open| open.severity)
        {
            late.extend(self.standing());
        }
        Restated {
            withdrawn,
            late,
            now,
        }
    }

    /// What began the alert that receivers have as open, unless that was before all rows.
    fn current(&self) -> Option<&Step> {
        self.announced?;
        self.before.iter().rev().find(|step| step.fires())
    }

    fn is_gone(&self, step: &Step) -> bool {
        let mut after = self.after.iter();
        step.fires() && !after.any(|now| now.fires() && now.at() == step.at())
    }

    fn last_finding(&self) -> Finding {
        let last = self.after.last().map(|step| &step.finding);
        last.unwrap_or(self.newest).clone()
    }

    /// The transition from the alert that receivers know to the one that is open now.
    fn transition_to_now(&self) -> Option<Step> {
        let (state, open, finding) = match (self.announced, self.open) {
            (None, Some(open)) => (AlertState::Firing, open, self.last_finding()),
            (Some(was), Some(open)) if was.severity != open.severity => {
                let severity = open.severity;
                let updated = Open { severity, ..was };
                (AlertState::Updated, updated, self.last_finding())
            }
            (Some(was), None) => match self.after.last() {
                Some(end) if end.at() > was.first_fired_at => {
                    (AlertState::Resolved, was, end.finding.clone())
                }
                _ => {
                    let fired = self.current().map(|step| &step.finding);
                    let finding = fired.unwrap_or(self.newest).clone();
                    (AlertState::Withdrawn, was, finding)
                }
            },
            _ => return None,
        };
        Some(Step {
            state,
            open,
            finding,
        })
    }

    /// The state as of now, which has not changed, as a transition.
    fn standing(&self) -> Option<Step> {
        match self.announced {
            Some(open) => Some(Step {
                state: AlertState::Updated,
                open,
                finding: self.last_finding(),
            }),
            None => self.after.last().cloned(),
        }
    }
}
